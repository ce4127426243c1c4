"""Construction, dims, equality and errors of single shapes."""

import pickle

import pytest

import phi_tensor as math
from phi_geom import (
    Box,
    ClosestSurface,
    Cuboid,
    Geometry,
    GeometryUnion,
    InvertedGeometry,
    Sphere,
    UniformGrid,
    union,
)
from phi_tensor import INF, IncompatibleShapes, Unsupported, batch, channel, instance, spatial, vec
from phi_tensor.testing import assert_close


def test_boxes_by_sides(backend):
    box = Box(x=1, y=(2, 3))
    assert_close(box.size, vec(x=1.0, y=1.0))
    assert_close(box.center, vec(x=0.5, y=2.5))
    assert_close(Cuboid(x=1, y=2).lower, vec(x=-0.5, y=-1.0))
    assert_close(Cuboid(vec(x=1.0, y=1.0), half_size=vec(x=1.0, y=2.0)).upper, vec(x=2.0, y=3.0))
    assert_close((Box(x=1) * Box(y=2)).upper, vec(x=1.0, y=2.0))
    assert_close(box.without("x").upper, vec(y=3.0))
    assert_close(box.local_to_global(box.global_to_local(vec(x=0.3, y=0.4))), vec(x=0.3, y=0.4))


def test_unbounded_sides(backend):
    box = Box(x=(None, 1), y=None)
    assert float(box.lower.vector["x"]) == -INF
    assert float(box.approximate_signed_distance(vec(x=3.0, y=1e6))) == 2
    assert bool(box.lies_inside(vec(x=-1e9, y=0.0)))
    moved = box.shifted(vec(x=1.0, y=1.0))
    assert float(moved.approximate_signed_distance(vec(x=3.0, y=0.0))) == 1


def test_surface_is_inside(backend):
    assert bool(Box(x=1).lies_inside(vec(x=1.0)))
    assert bool(Sphere(x=0, radius=1).lies_inside(vec(x=1.0)))


def test_instances_unite_and_batches_do_not(backend):
    balls = [Sphere(x=0, radius=1), Sphere(x=5, radius=1)]
    together, apart = math.stack(balls, instance("p")), math.stack(balls, batch("p"))
    assert float(together.approximate_signed_distance(vec(x=2.0))) == 1
    assert apart.lies_inside(vec(x=5.0)).numpy("p").tolist() == [False, True]
    assert together.p[1] == balls[1]


def test_union_of_unlike_shapes(backend):
    assert isinstance(union(Box(x=1), Sphere(x=3, radius=0.5)), GeometryUnion)
    assert isinstance(union(Box(x=1), Box(x=2)), Box)
    assert isinstance(~Box(x=1), InvertedGeometry)
    nearest = union(Box(x=1), Sphere(x=3, radius=0.5)).approximate_closest_surface(vec(x=2.25))
    assert isinstance(nearest, ClosestSurface)
    assert float(nearest.delta.vector["x"]) == 0.25


def test_volume_of_overlaps_is_unsupported(backend):
    with pytest.raises(Unsupported, match=r"`volume`.*2 regions.*sum the volumes of its `geometries`"):
        _ = union(Box(x=1), Sphere(x=1, radius=0.5)).volume


def test_spheres_by_volume(backend):
    assert_close(Sphere(x=0, y=0, z=0, volume=2.0).volume, 2.0)


def test_equality_is_approximate(backend):
    assert Box(x=1) == Box(x=1.000001)
    assert Box(x=1) != Box(x=2)
    assert hash(Box(x=1)) == hash(Box(x=2))
    assert Box(x=1) != Sphere(x=1, radius=1)


def test_numbers_keep_64_bits(backend):
    """A shape made in single precision serves a 64-bit simulation."""
    box, grid = Box(x=0.1), UniformGrid(x=3, bounds=0.1)
    assert grid.dx.dtype.bits == 32
    with math.precision(64):
        assert float(box.size.vector["x"]) == 0.1
        assert float(grid.dx.vector["x"]) == pytest.approx(0.1 / 3, rel=1e-15)


def test_grid_of_cells(backend):
    grid = UniformGrid(x=4, y=3, bounds=Box(y=2, x=1))
    assert grid.resolution.names == ("y", "x")
    assert_close(grid.dx, vec(y=2 / 3, x=0.25))
    assert_close(grid.center.vector["x"].y[0], math.wrap([0.125, 0.375, 0.625, 0.875], spatial("x")))
    assert_close(grid.volume, 1 / 6)
    assert_close(grid.x[1:3].bounds.lower, vec(y=0.0, x=0.25))
    assert UniformGrid(spatial(x=2)).bounds == Box(x=2)
    assert grid.shifted(vec(y=1.0, x=0.0)).bounds == Box(y=(1, 3), x=1)


def test_grid_builds_nothing_before_use(backend):
    grid = UniformGrid(x=10**6, y=10**6, z=10**6)
    assert_close(grid.dx, vec(x=1.0, y=1.0, z=1.0))


@pytest.mark.parametrize(
    "shape",
    [Box(x=1, y=2), Sphere(x=0, y=1, radius=2), ~Sphere(x=0, y=1, radius=2), UniformGrid(x=2, y=3)],
    ids=repr,
)
def test_shapes_are_trees(shape, backend):
    assert isinstance(shape, Geometry)
    assert math.stack([shape, shape], batch("b")).b[0] == shape
    assert pickle.loads(pickle.dumps(shape)) == shape


@pytest.mark.compiled
def test_shapes_pass_through_jit(backend):
    shape = Sphere(x=0.0, y=0.0, radius=1.0)

    def moved(ball, delta):
        return ball.shifted(delta)

    step = math.jit_compile(moved)
    assert step(shape, vec(x=1.0, y=0.0)) == Sphere(x=1, y=0, radius=1)


def test_derived_values_are_not_kept_from_traces(backend):
    """The size of a box computed while tracing must not leak into later calls."""
    if "reverse" not in backend.supports:
        pytest.skip(f"{backend.name} has no derivatives")
    box = Box(x=1, y=2)
    volume = math.gradient(lambda upper: Box(box.lower, upper).volume, get_output=False)
    assert_close(volume(math.tensor(vec(x=1.0, y=2.0))), vec(x=2.0, y=1.0))
    assert float(box.volume) == 2


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: Box(), "x=1"),
        (lambda: Box(vec(x=0.0), vec(x=1.0), y=1), "two corners"),
        (lambda: Box(math.wrap(0.0), math.wrap(1.0)), "vector"),
        (lambda: Cuboid(), "half_size"),
        (lambda: Sphere(x=0), "radius"),
        (lambda: Sphere(radius=1), "center"),
        (lambda: Box(x=1).lies_inside(vec(y=0.0)), "axes"),
        (lambda: UniformGrid(), "x=32"),
        (lambda: UniformGrid(x=3, bounds=Box(y=1)), "axes"),
        (lambda: union(), "Box"),
        (lambda: UniformGrid(x=4).x[::2], "step"),
    ],
)
def test_errors_name_what_to_do(wrong, words):
    with pytest.raises(IncompatibleShapes, match=words):
        wrong()


def test_axes_are_matched_by_name(backend):
    assert float(Box(x=1, y=2).approximate_signed_distance(vec(y=3.0, x=0.5))) == 1
    assert channel(vector="x,y") == Box(x=1, y=2).shape
