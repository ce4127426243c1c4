"""Fields of random and smooth values, and derivatives against finite differences."""

import numpy as np
import pytest

import phi_tensor as math
from phi_field import CenteredGrid, StaggeredGrid
from phi_tensor.testing import assert_close

BOUNDARIES = {
    "closed": 0,
    "periodic": "periodic",
    "open": "zero-gradient",
    "mixed": {"x": (0, "zero-gradient"), "y": "periodic", "z": ("zero-gradient", 0)},
}


@pytest.fixture(params=BOUNDARIES)
def boundary(request):
    """Function from axes to a boundary."""
    rule = BOUNDARIES[request.param]
    return lambda axes: {axis: rule[axis] for axis in axes} if isinstance(rule, dict) else rule


@pytest.fixture
def random_like(rng):
    """Normal numbers with the shape of a tensor, on the default backend."""

    def draw(values):
        if not values.shape.is_uniform:
            name = values.shape.non_uniform_shape.names[0]
            parts = [draw(values[{name: label}]) for label in values.shape.get_labels(name)]
            return math.stack(parts, values.shape[name])
        return math.tensor(rng.normal(size=values.shape.sizes), values.shape)

    return draw


@pytest.fixture
def random_field(random_like):
    """Random velocity at faces, or quantity at centers."""

    def make(kind, boundary, bounds=None, **resolution):
        grid = (StaggeredGrid if kind == "face" else CenteredGrid)(0, boundary, bounds, **resolution)
        values = (
            math.expand(grid.values, math.channel(vector=tuple(resolution)))
            if kind == "vector"
            else grid.values
        )
        return grid.with_values(random_like(values))

    return make


@pytest.fixture
def check_derivatives(random_like):
    """Compare reverse, forward and second derivatives in 64 bit with central differences."""

    def directional(f, args, direction, step):
        moved = [[a + s * step * d for a, d in zip(args, direction, strict=True)] for s in (1, -1)]
        return [f(*a) for a in moved]

    def check(f, *args, second=True, step=1e-5, tolerance=1e-6):
        direction = [random_like(a) for a in args]
        names = ",".join(f"a{i}" for i in range(len(args)))
        named = eval(f"lambda {names}: f({names})", {"f": f})  # `wrt` needs names

        def slope(*x):
            found = math.gradient(named, names, get_output=False)(*x)
            found = found if len(args) > 1 else [found]
            return sum(math.sum(g * d) for g, d in zip(found, direction, strict=True))

        up, down = directional(f, args, direction, step)
        first = (up - down) / (2 * step)
        scale = float(abs(first)) + 1e-3 * float(abs(up))
        assert_close(slope(*args), first, rtol=0, atol=tolerance * scale, because="reverse")
        assert_close(
            math.jvp(f, args, direction)[1], first, rtol=0, atol=tolerance * scale, because="forward"
        )
        if second:
            up, down = directional(slope, args, direction, step)
            expected = (up - down) / (2 * step)
            scale = float(abs(expected)) + 1e-3 * float(abs(up))
            assert_close(
                math.jvp(slope, args, direction)[1],
                expected,
                rtol=0,
                atol=tolerance * scale,
                because="second",
            )

    return check


def as_arrays(field):
    """Values as NumPy arrays, one per component of a staggered field."""
    found = field.numpy()
    return found if isinstance(found, tuple) else (found,)


def largest(field):
    """Largest magnitude of a field's values."""
    return max(np.abs(array).max(initial=0) for array in as_arrays(field))
