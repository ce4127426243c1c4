"""Neighbours and sampling: values, storage, laws and derivatives."""

import itertools

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import batch, channel, dual, instance, spatial, tensor, vec
from phi_tensor.extrapolation import (
    ANTIREFLECT,
    ANTISYMMETRIC,
    LINEAR,
    ONE,
    PERIODIC,
    REFLECT,
    SYMMETRIC,
    SYMMETRIC_GRADIENT,
    ZERO,
    ZERO_GRADIENT,
    combine_by_direction,
    combine_sides,
    where,
)
from phi_tensor.testing import assert_close

KINDS = [ZERO, ONE, PERIODIC, ZERO_GRADIENT, SYMMETRIC, ANTISYMMETRIC, REFLECT, ANTIREFLECT]
KINDS += [SYMMETRIC_GRADIENT, LINEAR]
MIXED = [
    combine_sides(x=(0, ZERO_GRADIENT), y=PERIODIC, z=(SYMMETRIC, ANTISYMMETRIC)),
    combine_sides(x=(ANTIREFLECT, 3), y=(1, 2), z=REFLECT),
    combine_sides(x=(LINEAR, 3), y=(SYMMETRIC_GRADIENT, ANTISYMMETRIC), z=(2, LINEAR)),
]
NAMES = ("x", "y", "z")


@pytest.fixture(autouse=True)
def double_precision():
    with math.precision(64):
        yield


def grid_of(array):
    return tensor(array, *(spatial(name) for name in NAMES[: array.ndim]))


def points_of(array, dim=None):
    return tensor(array, dim or instance("points"), channel(vector=",".join(NAMES[: array.shape[-1]])))


def by_padding(grid, points, rule, width=12):
    """Oracle: pad far, then weight the corners in NumPy."""
    padded = math.pad(grid, dict.fromkeys(grid.shape.names, (width, width)), rule).numpy(grid.shape.names)
    low = np.floor(points + width).astype(int)
    upper = points + width - low
    total = 0
    for corner in itertools.product((0, 1), repeat=padded.ndim):
        weight = np.prod(np.where(corner, upper, 1 - upper), -1)
        total = total + weight * padded[tuple((low + corner).T)]
    return total


# --- sampling


@pytest.mark.parametrize("rule", [*KINDS, *MIXED])
@pytest.mark.parametrize("sizes", [(5,), (5, 4), (3, 4, 5)])
def test_sampling_equals_far_padding(rule, sizes, backend, rng):
    grid = grid_of(rng.standard_normal(sizes))
    points = rng.uniform(-6, np.array(sizes) + 5, (50, len(sizes)))
    points[:10] = np.round(points[:10])
    expected = by_padding(grid, points, rule)
    np.testing.assert_allclose(
        math.grid_sample(grid, points_of(points), rule).numpy(), expected, rtol=1e-11, atol=1e-11
    )


@pytest.mark.parametrize("rule", KINDS)
def test_one_sample_along_a_dim(rule, backend, rng):
    grid = grid_of(rng.standard_normal((1, 4)))
    points = rng.uniform(-3, 5, (20, 2))
    expected = by_padding(grid, points, rule)
    np.testing.assert_allclose(
        math.grid_sample(grid, points_of(points), rule).numpy(), expected, rtol=1e-11, atol=1e-11
    )


def test_half_a_cell_outside(backend):
    assert math.grid_sample(tensor([1.0, 2.0, 3.0], spatial("x")), vec(x=-0.5), 0).item() == 0.5


def test_samples_and_linear_functions_are_exact(backend, rng):
    grid = grid_of(np.add.outer(2.0 * np.arange(5), 3.0 * np.arange(4)))
    nodes = np.stack(np.meshgrid(np.arange(5.0), np.arange(4.0), indexing="ij"), -1)
    points = tensor(nodes, spatial("x,y"), channel(vector="x,y"))
    assert_close(math.grid_sample(grid, points, ZERO), grid, rtol=0, atol=1e-15)
    inside = rng.uniform(0, 3, (30, 2))
    np.testing.assert_allclose(
        math.grid_sample(grid, points_of(inside), ZERO).numpy(), inside @ [2, 3], rtol=1e-12
    )


def test_nan_coordinates_give_nan(backend):
    with np.errstate(invalid="ignore"):
        assert np.isnan(
            math.grid_sample(
                math.ones(spatial(x=3, y=2)) * tensor([1.0, 2, 3], spatial("x")), vec(x=np.nan, y=0.5), 0
            ).item()
        )


@pytest.mark.parametrize("order", list(itertools.permutations(("b", "x", "y", "vector")))[::5])
def test_storage_of_the_grid_does_not_matter(order, backend, rng):
    values = rng.standard_normal((3, 5, 4, 2))
    dims = {"b": batch("b"), "x": spatial("x"), "y": spatial("y"), "vector": channel(vector="x,y")}
    axes = [tuple(dims).index(name) for name in order]
    grid = tensor(values.transpose(axes).copy(), *(dims[name] for name in order))
    points = rng.uniform(-2, 6, (3, 7, 2))
    shared = tensor(points, batch("b"), spatial("x"), channel(vector="x,y"))
    found = math.grid_sample(grid, shared, 1.5).numpy("b,x,vector")
    for b, c in itertools.product(range(3), range(2)):
        expected = by_padding(grid_of(values[b, ..., c].copy()), points[b], 1.5)
        np.testing.assert_allclose(found[b, :, c], expected, rtol=1e-11)
    assert_close(math.grid_sample(grid, shared.b[1], 1.5).b[1], math.grid_sample(grid, shared, 1.5).b[1])


@pytest.mark.parametrize(
    "rule", [ZERO, combine_by_direction(2.0, ZERO_GRADIENT), combine_sides(x=PERIODIC, y=(0, ONE))]
)
def test_stacked_and_ragged_components(rule, backend, rng):
    parts = [grid_of(rng.standard_normal(sizes)) for sizes in ((6, 4), (5, 5))]
    staggered = math.stack(parts, dual(vector="x,y"))
    points = math.stack([points_of(rng.uniform(-1, 6, (n, 2))) for n in (6, 5)], dual(vector="x,y"))
    found = math.grid_sample(staggered, points, rule)
    assert found.shape.get_size("points") == (6, 5)
    for part, point, value, label in zip(
        parts, math.unstack(points, "~vector"), math.unstack(found, "~vector"), "xy", strict=True
    ):
        assert_close(value, math.grid_sample(part, point, rule[{"vector": label}]))
    uniform = math.stack([parts[0], parts[0] * 2], channel(vector="x,y"))
    spread = points[{"~vector": 0}]
    spread = math.stack([spread.vector["x"], spread.vector["y"]], channel(vector="x,y"))
    assert_close(
        math.grid_sample(uniform, spread, rule),
        math.grid_sample(uniform.block(), points[{"~vector": 0}], rule),
    )


def test_coordinates_constant_along_some_dims(backend, rng):
    grid = grid_of(rng.standard_normal((5, 4)))
    points = vec(x=tensor([0.0, 1.5], spatial("x")), y=tensor([0.0, 2.0, 3.5], spatial("y")))
    found = math.grid_sample(grid, points, PERIODIC).numpy("x,y")
    mesh = np.stack(np.meshgrid([0.0, 1.5], [0.0, 2.0, 3.5], indexing="ij"), -1).reshape(-1, 2)
    np.testing.assert_allclose(found.ravel(), by_padding(grid, mesh, PERIODIC))
    constant = math.grid_sample(math.ones(spatial(x=5, y=4)), points, ZERO_GRADIENT)
    assert constant.layout.stored == ()


def test_corner_values_bound_the_result(backend, rng):
    grid, points = grid_of(rng.standard_normal((5, 4))), points_of(rng.uniform(-3, 7, (40, 2)))
    for rule in (*KINDS, *MIXED):
        value, low, high = math.grid_sample_with_bounds(grid, points, rule)
        corners = (
            math.closest_grid_values(grid, points, rule).numpy("closest_x,closest_y,points").reshape(4, -1)
        )
        if rule in (*KINDS[:4], LINEAR, MIXED[0]):  # the others limit by a whole cell where they fold
            np.testing.assert_allclose(low.numpy(), corners.min(0), rtol=1e-11, atol=1e-11)
            np.testing.assert_allclose(high.numpy(), corners.max(0), rtol=1e-11, atol=1e-11)
        assert_close(value, math.grid_sample(grid, points, rule), atol=1e-11)
        assert (low.numpy() <= np.minimum(value.numpy(), corners.min(0)) + 1e-11).all()
        assert (np.maximum(value.numpy(), corners.max(0)) <= high.numpy() + 1e-11).all()


@pytest.mark.parametrize("rule", [PERIODIC, SYMMETRIC, ANTIREFLECT, SYMMETRIC_GRADIENT, LINEAR, MIXED[2]])
def test_corner_values_come_in_the_order_of_places(rule, backend, rng):
    grid, points = grid_of(rng.standard_normal((5, 4))), rng.uniform(-6, 9, (20, 2))
    padded = math.pad(grid, {"x": 12, "y": 12}, rule).numpy("x,y")
    x, y = np.floor(points.T).astype(int) + 12
    found = math.closest_grid_values(grid, points_of(points), rule).numpy("closest_x,closest_y,points")
    inside = ((points > 0) & (points < [4, 3])).all(1) | (rule is not MIXED[2])
    for i, j in itertools.product((0, 1), repeat=2):
        np.testing.assert_allclose(found[i, j][inside], padded[x + i, y + j][inside], rtol=1e-10, atol=1e-10)
    value, low, high = math.grid_sample_with_bounds(grid, points_of(points), rule)
    assert_close(value, math.grid_sample(grid, points_of(points), rule), atol=1e-11)
    assert (low.numpy() <= value.numpy() + 1e-10).all()
    assert (value.numpy() <= high.numpy() + 1e-10).all()


def test_infinite_coordinates(backend):
    grid, far = tensor([1.0, 2.0, 4.0], spatial("x")), vec(x=tensor([-math.INF, math.INF], spatial("p")))
    with np.errstate(invalid="ignore"):
        assert np.isnan(math.grid_sample(grid, far, LINEAR).numpy()).all()
    assert math.grid_sample(grid, far, combine_sides(x=(5, ZERO_GRADIENT))).numpy().tolist() == [5, 4]


def test_rule_by_place(backend):
    grid = tensor([[1.0, 2.0], [3.0, 4.0]], spatial("x,y"))
    rule = where(tensor([True, False], spatial("y")), 9.0, ZERO_GRADIENT)
    points = points_of(np.array([[-1.0, 0.0], [-1.0, 1.0]]))
    assert math.grid_sample(grid, points, rule).numpy().tolist() == [9, 2]


@pytest.mark.needs("reverse")
@pytest.mark.parametrize("rule", [*KINDS, MIXED[0]])
def test_sampling_is_differentiable_twice(rule, backend, rng):
    grid = rng.standard_normal((5, 4, 3)) if rule is MIXED[0] else rng.standard_normal((5, 4))
    points = rng.uniform(-1.9, 5.3, (20, grid.ndim))
    points[:, 1:] = rng.uniform(-1.9, 3.9, (20, grid.ndim - 1))
    dg, dp = tensor_pair(grid_of, rng, grid), tensor_pair(points_of, rng, points)

    def f(t):
        return math.sum(math.sin(math.grid_sample(dg[0] + t * dg[1], dp[0] + t * dp[1], rule)))

    check_twice(f)


def tensor_pair(make, rng, value):
    return make(value), make(rng.standard_normal(value.shape) * 0.1)


def check_twice(f, rtol=1e-5):
    """First and second derivative of a function of one number against central differences."""
    h, at = 1e-5, tensor(0.0)
    first = math.gradient(f, get_output=False)
    assert_close(first(at), (f(at + h) - f(at - h)) / (2 * h), rtol=rtol, atol=1e-6)
    second = math.gradient(lambda t: first(t) * 1.0, get_output=False)
    assert_close(second(at), (first(at + h) - first(at - h)) / (2 * h), rtol=rtol, atol=1e-5)


@pytest.mark.needs("reverse")
def test_derivative_at_samples_is_the_upper_one_on_all_backends(backend):
    grid = tensor([0.0, 1.0, 3.0, 7.0], spatial("x"))
    for rule, expected in ((ZERO_GRADIENT, [1, 2, 4, 4]), (PERIODIC, [1, 2, 4, -7])):
        points = points_of(np.arange(4.0)[:, None])
        found = math.gradient(lambda p, r=rule: math.sum(math.grid_sample(grid, p, r)), get_output=False)(
            points
        )
        assert found.numpy("points,vector").ravel().tolist() == expected


@pytest.mark.needs("jit")
@pytest.mark.compiled
def test_compiled_sampling(backend, rng):
    grid, points = grid_of(rng.standard_normal((5, 4))), points_of(rng.uniform(-3, 7, (40, 2)))
    rules = (ZERO, PERIODIC, combine_sides(x=(SYMMETRIC, 2.0), y=ZERO_GRADIENT))
    compiled = math.jit_compile(lambda g, p: [math.grid_sample(g, p, rule) for rule in rules])
    for found, rule in zip(compiled(grid, points), rules, strict=True):
        assert_close(found, math.grid_sample(grid, points, rule), rtol=1e-12)


# --- stencils


def differences(a, mode, dx):
    p = np.pad(a, 1, mode=mode)
    x, y = (p[2:, 1:-1] - p[:-2, 1:-1]) / 2 / dx[0], (p[1:-1, 2:] - p[1:-1, :-2]) / 2 / dx[1]
    return (
        x,
        y,
        (p[2:, 1:-1] + p[:-2, 1:-1] - 2 * a) / dx[0] ** 2 + (p[1:-1, 2:] + p[1:-1, :-2] - 2 * a) / dx[1] ** 2,
    )


@pytest.mark.parametrize(
    ("rule", "mode"), [(PERIODIC, "wrap"), (ZERO_GRADIENT, "edge"), (ZERO, "constant"), (REFLECT, "reflect")]
)
@pytest.mark.parametrize("dx", [1, 0.5, (0.5, 2.0)])
def test_differences_equal_numpy(rule, mode, dx, backend, rng):
    a = rng.standard_normal((6, 5))
    x, y, second = differences(a, mode, dx if isinstance(dx, tuple) else (dx, dx))
    step = vec(x=dx[0], y=dx[1]) if isinstance(dx, tuple) else dx
    gradient = math.spatial_gradient(grid_of(a), step, padding=rule)
    np.testing.assert_allclose(gradient.gradient["x"].numpy("x,y"), x, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(gradient.gradient["y"].numpy("x,y"), y, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(
        math.laplace(grid_of(a), step, padding=rule).numpy("x,y"), second, rtol=1e-12, atol=1e-11
    )


def test_gradient_with_and_without_padding(backend):
    x = tensor([0.0, 1.0, 4.0], spatial("x"))
    assert math.spatial_gradient(x).gradient["x"].numpy().tolist() == [0.5, 2, 1.5]
    assert math.spatial_gradient(x, padding=None, stack_dim=None).numpy().tolist() == [2]
    assert math.spatial_gradient(x, difference="forward", padding=0, stack_dim=None).numpy().tolist() == [
        1,
        3,
        -4,
    ]
    assert math.spatial_gradient(x, difference="backward", stack_dim=None).numpy().tolist() == [0, 1, 3]


@pytest.mark.parametrize(
    "rule",
    [
        *KINDS,
        combine_by_direction(0, ZERO_GRADIENT),
        combine_sides(x=(1, SYMMETRIC), y=PERIODIC),
    ],
)
def test_stencils_equal_padding_and_slicing(rule, backend, rng):
    block = tensor(rng.standard_normal((2, 5, 4, 2)), batch("b"), spatial("x,y"), channel(vector="x,y"))
    for value in (block, math.stack([block.vector["x"], block.vector["y"]], channel(vector="x,y"))):
        padded = math.pad(value, {"x": 1, "y": 1}, rule)
        x = (padded.x[2:].y[1:-1] - padded.x[:-2].y[1:-1]) * 0.5
        y = (padded.x[1:-1].y[2:] - padded.x[1:-1].y[:-2]) * 0.5
        gradient = math.spatial_gradient(value, padding=rule)
        assert_close(gradient.gradient["x"], x)
        assert_close(gradient.gradient["y"], y)
        neighbours = (
            padded.x[2:].y[1:-1] + padded.x[:-2].y[1:-1] + padded.x[1:-1].y[2:] + padded.x[1:-1].y[:-2]
        )
        assert_close(math.laplace(value, padding=rule), neighbours - 4 * value, atol=1e-11)
        by_place = where(tensor([True, False, True, True], spatial("y")), rule, ONE)
        chosen = math.spatial_gradient(value, padding=by_place, dims="x").gradient["x"]
        assert_close(chosen.y[0], gradient.gradient["x"].y[0])
        assert math.laplace(value, padding=None).shape.spatial.sizes == (3, 2)


def test_shift(backend):
    x = tensor([1, 2, 3], spatial("x"))
    (moved,) = math.shift(x, (1,), padding=ZERO, stack_dim=None)
    assert moved.numpy().tolist() == [2, 3, 0]
    left, right = math.shift(x, (-1, 1), padding=None, stack_dim=None)
    assert (left.numpy().tolist(), right.numpy().tolist()) == ([1], [3])


def test_neighbor_mean(backend):
    x = tensor([[0.0, 2.0], [4.0, 6.0]], spatial("x,y"))
    assert math.neighbor_mean(x).numpy("x,y").tolist() == [[3]]
    assert math.neighbor_mean(x, "x", padding=PERIODIC).numpy("x,y").tolist() == [[2, 4], [2, 4]]
    wide = math.neighbor_mean(x, "x", padding=0, extend_bounds=1)
    assert wide.numpy("x,y").tolist() == [[0, 1], [2, 4], [2, 3], [0, 0]]
    with pytest.raises(ValueError, match="padding"):
        math.neighbor_mean(x, extend_bounds=1)


@pytest.mark.needs("reverse")
def test_stencils_are_differentiable_in_values_cell_size_and_constants(backend, rng):
    a, step = tensor_pair(grid_of, rng, rng.standard_normal((5, 4)))

    def f(t):
        rule = combine_sides(x=(1.0 + t, ZERO_GRADIENT), y=PERIODIC)
        gradient = math.spatial_gradient(a + t * step, vec(x=0.5 + t, y=1.0 - t), padding=rule)
        return math.sum(math.sin(gradient)) + math.sum(
            math.sin(math.laplace(a + t * step, 0.5, padding=rule))
        )

    check_twice(f)
