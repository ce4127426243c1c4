"""Catmull-Rom interpolation: every rule outside, polynomials, derivatives."""

import itertools

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import batch, channel, instance, spatial, tensor, vec
from phi_tensor.extrapolation import (
    ANTIREFLECT,
    ANTISYMMETRIC,
    ONE,
    PERIODIC,
    REFLECT,
    SYMMETRIC,
    ZERO,
    ZERO_GRADIENT,
    combine_sides,
    where,
)
from phi_tensor.testing import assert_close, check_gradient

KINDS = [
    *(ZERO, ONE, PERIODIC, ZERO_GRADIENT, SYMMETRIC, ANTISYMMETRIC, REFLECT, ANTIREFLECT),
    *("symmetric-gradient", "linear"),
]
MIXED = [
    combine_sides(x=(0, ZERO_GRADIENT), y=PERIODIC, z=(SYMMETRIC, ANTISYMMETRIC)),
    combine_sides(x=(ANTIREFLECT, 3), y=(1, 2), z=REFLECT),
]
NAMES = ("x", "y", "z")


@pytest.fixture(autouse=True)
def double_precision():
    with math.precision(64):
        yield


def grid_of(array):
    return tensor(array, *(spatial(name) for name in NAMES[: array.ndim]))


def points_of(array):
    return tensor(array, instance("points"), channel(vector=",".join(NAMES[: array.shape[-1]])))


def spline(grid, points, rule, width=12):
    """Oracle: pad far, then weight 4ᵈ samples in NumPy."""
    padded = math.pad(grid, dict.fromkeys(grid.shape.names, (width, width)), rule).numpy(grid.shape.names)
    low = np.floor(points).astype(int)
    t = points - low
    weights = 0.5 * np.stack(
        [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3]
    )
    total = 0
    for corner in itertools.product(range(4), repeat=padded.ndim):
        weight = np.prod([weights[k, :, axis] for axis, k in enumerate(corner)], 0)
        total = total + weight * padded[tuple((low + corner + width - 1).T)]
    return total


@pytest.mark.parametrize("rule", [*KINDS, *MIXED])
@pytest.mark.parametrize("sizes", [(5,), (5, 4), (3, 4, 5)])
def test_spline_equals_far_padding(rule, sizes, backend, rng):
    far = 5
    grid = grid_of(rng.standard_normal(sizes))
    points = rng.uniform(-far, np.array(sizes) - 1 + far, (40, len(sizes)))
    points[:10] = np.round(points[:10])
    found = math.grid_sample(grid, points_of(points), rule, "cubic").numpy()
    np.testing.assert_allclose(found, spline(grid, points, rule), rtol=1e-11, atol=1e-11)


def test_quadratics_are_exact(backend, rng):
    x, y = np.meshgrid(np.arange(6.0), np.arange(5.0), indexing="ij")
    points = rng.uniform(1, 3, (20, 2))
    found = math.grid_sample(grid_of(x**2 - x * y + 2 * y**2), points_of(points), 0, "cubic").numpy()
    np.testing.assert_allclose(found, points[:, 0] ** 2 - points.prod(1) + 2 * points[:, 1] ** 2, rtol=1e-12)


def test_vectors_batches_and_complex_values(backend, rng):
    values = rng.standard_normal((2, 5, 4, 2))
    grid = tensor(values, batch("b"), spatial("x,y"), channel(u="a,b"))
    points = rng.uniform(0, 3, (6, 2))
    found = math.grid_sample(grid, points_of(points), PERIODIC, "cubic")
    for b, u in np.ndindex(2, 2):
        expected = spline(grid_of(values[b, ..., u]), points, PERIODIC)
        np.testing.assert_allclose(found.b[b].u[u].numpy(), expected, rtol=1e-11, atol=1e-12)
    apart = math.stack(list(grid.u), channel(u="a,b"))
    assert_close(math.grid_sample(apart, points_of(points), PERIODIC, "cubic"), found)
    turned = math.grid_sample(grid * 1j, points_of(points), PERIODIC, "cubic")
    assert_close(turned.imag, found)
    constant = math.expand(tensor(2.0), spatial(x=4, y=3))
    assert_close(math.grid_sample(constant, points_of(points), PERIODIC, "cubic").points[0], math.wrap(2.0))
    choice = where(math.wrap([True, False, False, False], spatial("y")), ZERO, PERIODIC)
    assert math.grid_sample(grid, vec(x=1.5, y=1.5), choice, "cubic").shape == batch(b=2) & channel(u="a,b")


@pytest.mark.needs("reverse")
@pytest.mark.parametrize("rule", [PERIODIC, combine_sides(x=ANTISYMMETRIC, y=(1.0, REFLECT))])
def test_derivatives(rule, backend, rng):
    grid = grid_of(rng.standard_normal((5, 4)))
    points = points_of(rng.uniform(-1.5, 5.5, (8, 2)))
    check_gradient(lambda g, p: math.sum(math.grid_sample(g, p, rule, "cubic") ** 2), grid, points)


@pytest.mark.needs("reverse")
def test_derivative_is_continuous_at_samples(backend, rng):
    grid = grid_of(rng.standard_normal(6))
    slope = math.gradient(
        lambda c: math.sum(math.grid_sample(grid, vec(x=c), PERIODIC, "cubic")), get_output=False
    )
    at = tensor(np.array([1.0, 2.0, 4.0]), instance("points"))
    assert_close(slope(at), slope(at - 1e-9), rtol=1e-6)
    central = (grid.numpy()[[2, 3, 5]] - grid.numpy()[[0, 1, 3]]) / 2
    np.testing.assert_allclose(slope(at).numpy(), central, rtol=1e-10)


def test_errors(backend):
    with pytest.raises(ValueError, match="'linear' and 'cubic'"):
        math.grid_sample(math.zeros(spatial(x=3)), vec(x=1.0), 0, "spline")
