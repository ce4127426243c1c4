import numpy as np
import pytest

import phi_tensor as math
from phi_field import CenteredGrid
from phi_physics import diffuse, integrate


@pytest.mark.parametrize(("scheme", "order"), [(integrate.euler, 1), (integrate.rk4, 4)])
def test_oscillator_converges(scheme, order, backend):
    counts, errors = (16, 32, 64), []
    with math.precision(64):
        for count in counts:
            x, v = math.tensor(1.0), math.tensor(0.0)
            for _ in range(count):
                x, v = scheme(lambda x, v: (v, -x), x, v, dt=1 / count)
            errors.append(abs(float(x) - np.cos(1)) + abs(float(v) + np.sin(1)))
    assert -np.polyfit(np.log(counts), np.log(errors), 1)[0] == pytest.approx(order, abs=0.1)


def test_parameters_and_fields_pass_through(backend):
    u = CenteredGrid(lambda x: math.sin(x), "periodic", 2 * np.pi, x=32)
    after = integrate.rk4(diffuse.differential, u, dt=0.1, diffusivity=0.5)
    assert float(math.max(math.abs(after.values - np.exp(-0.05) * u.values))) < 1e-3
