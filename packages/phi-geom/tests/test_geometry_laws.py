"""Laws that every geometry obeys, in one to three dimensions."""

import numpy as np
import pytest

import phi_tensor as math
from phi_geom import Box, Cuboid, Sphere, UniformGrid, intersection, invert, union
from phi_tensor import channel, instance, vec
from phi_tensor.testing import assert_close

AXES = ("x", "y", "z")


def _vec(*numbers):
    return vec(**dict(zip(AXES, map(float, numbers), strict=False)))


SHAPES = {
    **{f"box {n}D": Box(_vec(*[-0.5, 0.1, -0.3][:n]), _vec(*[0.7, 0.9, 0.6][:n])) for n in (1, 2, 3)},
    **{f"sphere {n}D": Sphere(_vec(*[0.1, -0.2, 0.3][:n]), 0.6) for n in (1, 2, 3)},
    **{
        f"spheres {n}D": math.stack(
            [Sphere(_vec(*[-0.8] * n), 0.3), Sphere(_vec(*[0.5] * n), 0.4)], instance("balls")
        )
        for n in (1, 2, 3)
    },
    **{
        f"union {n}D": union(Box(_vec(*[-1] * n), _vec(*[-0.4] * n)), Sphere(_vec(*[0.5] * n), 0.4))
        for n in (1, 2, 3)
    },
    **{f"complement {n}D": ~Sphere(_vec(*[0.1, -0.2, 0.3][:n]), 0.6) for n in (1, 2, 3)},
}
EXACT = [name for name in SHAPES if "complement" not in name]


@pytest.fixture(params=SHAPES)
def shape(request):
    return SHAPES[request.param]


@pytest.fixture(params=EXACT)
def exact(request):
    return SHAPES[request.param]


def _points(rng, shape, backend, count=200, span=1.5):
    array = rng.uniform(-span, span, (count, shape.spatial_rank))
    return math.tensor(array, instance("points"), channel(vector=shape.axes))


def test_negative_distance_means_inside(shape, backend, rng):
    with math.precision(64):
        points = _points(rng, shape, backend)
        assert_close(shape.lies_inside(points), shape.approximate_signed_distance(points) <= 0)


def test_distance_is_that_of_the_nearest_surface_point(exact, backend, rng):
    """Moving by `delta`, as long as the distance, ends on the surface."""
    with math.precision(64):
        points = _points(rng, exact, backend)
        distance, delta, normal = exact.approximate_closest_surface(points)
        assert_close(math.norm(delta, "vector"), math.abs(distance))
        assert_close(math.norm(normal, "vector"), 1 + 0 * distance)
        assert_close(exact.member_distance(points + delta), 0 * distance, atol=1e-12)


def test_distance_grows_as_fast_as_the_way(shape, backend, rng):
    """|d(a) − d(b)| ≤ |a − b|: a signed distance is 1-Lipschitz."""
    with math.precision(64):
        a, b = _points(rng, shape, backend), _points(rng, shape, backend)
        change = shape.approximate_signed_distance(a) - shape.approximate_signed_distance(b)
        assert bool(math.all(math.abs(change) <= math.norm(a - b, "vector") + 1e-12))


def test_gradient_of_the_distance_is_the_unit_normal(shape, backend, rng):
    """Central differences off the medial axis."""
    with math.precision(64):
        points, h = _points(rng, shape, backend), 1e-6
        steps = {
            axis: h * vec(**{other: float(other == axis) for other in shape.axes}) for axis in shape.axes
        }
        distance = shape.approximate_signed_distance
        slope = math.stack(
            {axis: (distance(points + e) - distance(points - e)) / (2 * h) for axis, e in steps.items()},
            channel("vector"),
        )
        length = math.norm(slope, "vector").numpy()
        assert np.mean(np.abs(length - 1) < 1e-4) > 0.97


def test_shift_moves_the_distance(shape, backend, rng):
    with math.precision(64):
        points, delta = _points(rng, shape, backend), _vec(*[0.3, -0.4, 0.25][: shape.spatial_rank])
        moved = shape.shifted(delta)
        assert_close(
            moved.approximate_signed_distance(points + delta),
            shape.approximate_signed_distance(points),
            rtol=1e-6,
            because="delta is 32 bit",
        )


def test_at_places_the_center(exact, backend):
    with math.precision(64):
        target = math.tensor(_vec(*[0.25, 0.5, -0.75][: exact.spatial_rank]))
        assert_close(exact.at(target).center, target, rtol=1e-6, because="numbers of the shape are 32 bit")


def test_scaled_distances(backend, rng):
    """Scaling space about the center scales distances."""
    with math.precision(64):
        for name in ("box 2D", "sphere 3D", "union 2D"):
            shape = SHAPES[name]
            offset = _points(rng, shape, backend)
            scaled = shape.scaled(2.0).approximate_signed_distance(shape.center + 2 * offset)
            assert_close(
                scaled,
                2 * shape.approximate_signed_distance(shape.center + offset),
                rtol=1e-6,
                because="32-bit numbers",
            )


def test_complement_swaps_inside_and_outside(exact, backend, rng):
    points = _points(rng, exact, backend)
    assert_close((~exact).lies_inside(points), ~exact.lies_inside(points))
    assert_close((~exact).approximate_signed_distance(points), -exact.approximate_signed_distance(points))
    assert invert(~exact) is exact


def test_volume_by_counting_points(backend, rng):
    """Monte Carlo: relative deviation below five standard errors."""
    for name, shape in SHAPES.items():
        if not name.startswith(("box", "sphere ")):
            continue
        count = 40000
        box = shape.bounding_box()
        share = float(
            math.mean(
                math.to_float(
                    shape.lies_inside(
                        box.lower
                        + box.size
                        * math.tensor(
                            rng.uniform(0, 1, (count, shape.spatial_rank)),
                            instance("points"),
                            channel(vector=shape.axes),
                        )
                    )
                )
            )
        )
        expected = float(shape.volume / box.volume)
        assert abs(share - expected) <= 5 * np.sqrt(expected * (1 - expected) / count) + 1e-5


def test_bounding_box_holds_all_inner_points(exact, backend, rng):
    points = _points(rng, exact, backend)
    inside = exact.lies_inside(points)
    assert bool(math.all(~inside | exact.bounding_box().lies_inside(points)))


def test_intersection_is_inside_of_both(backend, rng):
    a, b = SHAPES["box 2D"], SHAPES["sphere 2D"]
    points = _points(rng, a, backend)
    assert_close(intersection(a, b).lies_inside(points), a.lies_inside(points) & b.lies_inside(points))


@pytest.mark.parametrize("name", ["box 2D", "sphere 3D", "spheres 2D", "union 2D"])
def test_distance_is_differentiable_in_points_and_shape(name, backend, rng):
    """Derivative by a common shift of shape and points is zero; by the points alone it is the normal."""
    if "reverse" not in backend.supports:
        pytest.skip(f"{backend.name} has no derivatives")
    shape = SHAPES[name]
    points = _points(rng, shape, backend, 20)

    def total(location, delta):
        return math.sum(shape.shifted(delta).approximate_signed_distance(location))

    zero = 0 * math.tensor(_vec(*[0] * shape.spatial_rank))
    by_points, by_shape = math.gradient(total, "location,delta", get_output=False)(points, zero)
    assert_close(
        math.sum(by_points, "points"), -by_shape, rtol=1e-4, atol=1e-4, because="sums of 20 unit vectors"
    )
    assert_close(math.norm(by_points, "vector"), 1 + 0 * by_points.vector[0], rtol=1e-4)


def test_masks_of_cells(backend):
    cells = UniformGrid(x=4, bounds=Box(x=2))
    assert_close(
        Box(x=1).approximate_fraction_inside(cells), math.wrap([1.0, 1.0, 0.0, 0.0], math.spatial("x"))
    )
    assert float(Cuboid(x=1).approximate_fraction_inside(Sphere(x=0.5, radius=0.5))) == 0.5
    assert float(Cuboid(x=1).approximate_fraction_inside(Sphere(x=0.75, radius=0.5))) == 0
