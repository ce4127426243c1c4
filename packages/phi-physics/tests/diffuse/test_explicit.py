import warnings

import numpy as np
import pytest

import phi_tensor as math
from phi_field import CenteredGrid, StaggeredGrid
from phi_physics import diffuse
from phi_tensor import batch
from phi_tensor.testing import assert_close

KAPPA, TIME = 0.1, 0.5


def wave(n, factor=1.0):
    return CenteredGrid(lambda x, y: factor * math.sin(x) * math.cos(2 * y), "periodic", 2 * np.pi, x=n, y=n)


def test_converges_to_fourier_decay(backend):
    """Mode (1, 2) decays as exp(−5κt); with dt ∼ dx² the error is of second order in dx."""
    resolutions, errors = (16, 32, 64), []
    with math.precision(64):
        for n in resolutions:
            u = diffuse.explicit(wave(n), KAPPA, TIME, substeps=n * n // 128)
            errors.append(float(math.max(math.abs(u.values - wave(n, np.exp(-5 * KAPPA * TIME)).values))))
    assert -np.polyfit(np.log(resolutions), np.log(errors), 1)[0] == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("axes", ["x", "xy", "xyz"])
@pytest.mark.parametrize("kind", ["center", "face"])
def test_decays_by_the_discrete_symbol(axes, kind, backend):
    """One step multiplies each discrete mode exactly by 1 − κ dt Σ 4 sin²(k dx/2)/dx²."""
    n, dt = 8, 0.05
    make = CenteredGrid if kind == "center" else StaggeredGrid
    with math.precision(64):
        u = make(
            lambda points: math.sin(math.sum(points, "vector")),
            "periodic",
            2 * np.pi,
            **dict.fromkeys(axes, n),
        )
        dx = 2 * np.pi / n
        factor = 1 - KAPPA * dt * len(axes) * 4 * np.sin(dx / 2) ** 2 / dx**2
        assert_close(diffuse.explicit(u, KAPPA, dt).values, factor * u.values)


def test_conserves_mean_between_insulating_walls(backend, random_field):
    with math.precision(64):
        u = random_field("center", "zero-gradient", 1, x=6, y=5)
        after = diffuse.explicit(u, 0.1, 0.01, substeps=3)
        assert_close(math.mean(after.values), math.mean(u.values))


def test_one_result_per_batch_entry(backend, random_field):
    u = random_field("center", 0, x=6, y=5)
    together = diffuse.explicit(u, math.tensor([0.1, 0.2], batch("b")), 0.5)
    for i, kappa in enumerate((0.1, 0.2)):
        assert_close(together.values.b[i], diffuse.explicit(u, kappa, 0.5).values)


def test_warns_above_the_stability_limit(backend):
    u = CenteredGrid(0, x=4, y=4)
    with pytest.warns(UserWarning, match="Use at least 3 times as many substeps") as caught:
        diffuse.explicit(u, 0.5, 1.3)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        diffuse.explicit(u, 0.5, 1.3, substeps=3)


def test_differential_is_the_rate(backend):
    u = CenteredGrid(lambda x: x * x, "zero-gradient", x=5)
    assert_close(diffuse.differential(u, 0.5).values.x[1:-1], math.tensor([1.0, 1.0, 1.0], math.spatial("x")))


@pytest.mark.needs("reverse")
def test_derivatives(backend, random_field, check_derivatives):
    with math.precision(64):
        u = random_field("center", 0, x=4, y=3)
        check_derivatives(
            lambda values, kappa: math.sum(
                diffuse.explicit(u.with_values(values), kappa, 0.1, 2).values ** 3
            ),
            u.values,
            math.tensor(0.3),
        )
