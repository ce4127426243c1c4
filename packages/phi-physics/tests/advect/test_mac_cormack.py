import numpy as np
import pytest

import phi_tensor as math
from phi_field import CenteredGrid
from phi_physics import advect

SCHEMES = [(advect.semi_lagrangian, 1), (advect.mac_cormack_unlimited, 2)]


def error_after_transport(scheme, n, kind="center"):
    """Largest error of a sine that the wind carried for a third of a period with CFL number 0.4."""
    wind = CenteredGrid((1.0,), "periodic", 1, x=n)
    wave = CenteredGrid(lambda x: math.sin(2 * np.pi * x), "periodic", 1, x=n)
    steps = (n * 5) // 6
    dt = 1 / 3 / steps
    for _ in range(steps):
        wave = scheme(wave, wind, dt)
    exact = CenteredGrid(lambda x: math.sin(2 * np.pi * (x - 1 / 3)), "periodic", 1, x=n)
    return float(math.max(math.abs(wave.values - exact.values)))


@pytest.mark.parametrize(("scheme", "order"), SCHEMES)
def test_advected_sine_converges(scheme, order, backend):
    resolutions = (24, 48, 96)
    with math.precision(64):
        errors = [error_after_transport(scheme, n) for n in resolutions]
    fitted = -np.polyfit(np.log(resolutions), np.log(errors), 1)[0]
    assert fitted == pytest.approx(order, abs=0.1)


def test_limiter_keeps_accuracy_away_from_extrema(backend):
    with math.precision(64):
        assert error_after_transport(advect.mac_cormack, 96) < 0.2 * error_after_transport(
            advect.semi_lagrangian, 96
        )


@pytest.mark.parametrize("kind", ["center", "vector", "face"])
def test_stays_within_interpolated_values(kind, boundary, backend, random_field):
    """The result lies between the values of its component that the look-up used."""
    wind = random_field("face", boundary("xy"), x=7, y=6)
    field = random_field(kind, "zero-gradient", x=7, y=6)
    result = advect.mac_cormack(field, wind, 1.3)
    points = advect.euler(field, wind, -1.3)
    for name in ("x", "y"):
        values, found, at = field.values, result.values, points
        if kind != "center":
            values, found = values.vector[name], found.vector[name]
        if kind == "face":
            at = at[{"~vector": name}]
        lower = {
            "x": 1.0 if kind == "face" and name == "x" else 0.5,
            "y": 1.0 if kind == "face" and name == "y" else 0.5,
        }
        if kind == "face":
            lower[name] = 0.0  # zero-gradient stores the outer faces
        check_between(
            values.numpy("x,y"),
            found.numpy("x,y"),
            at.vector["x"].numpy("x,y") - lower["x"],
            at.vector["y"].numpy("x,y") - lower["y"],
        )


def check_between(values, found, i, j):
    nx, ny = values.shape
    a, b = (np.clip(np.floor(at).astype(int), 0, n - 2) for at, n in ((i, nx), (j, ny)))
    corners = np.stack([values[a + di, b + dj] for di in (0, 1) for dj in (0, 1)])
    assert np.all(found <= corners.max(0) + 1e-5)
    assert np.all(found >= corners.min(0) - 1e-5)


def test_strength_zero_is_semi_lagrangian(backend, random_field):
    field, wind = random_field("center", "periodic", x=7, y=6), random_field("face", 0, x=7, y=6)
    first = advect.mac_cormack(field, wind, 0.5, correction_strength=0.0)
    np.testing.assert_allclose(
        first.values.numpy("x,y"), advect.semi_lagrangian(field, wind, 0.5).values.numpy("x,y"), atol=1e-6
    )
