"""Projection around bodies: no flow through them, no divergence elsewhere, motion, pockets, derivatives."""

import numpy as np
import pytest

import phi_tensor as math
from phi_field import CenteredGrid, StaggeredGrid, divergence
from phi_geom import Box, Sphere
from phi_physics import fluid
from phi_physics.fluid import Obstacle
from phi_tensor import IncompatibleShapes, Solve, batch, tensor, vec, wrap
from phi_tensor.extrapolation import PERIODIC, ZERO, ZERO_GRADIENT, combine_sides
from phi_tensor.testing import assert_close

BOUNDARIES = {
    "closed": ZERO,
    "periodic": PERIODIC,
    "open": ZERO_GRADIENT,
    "channel": combine_sides(x=(1.0, ZERO_GRADIENT), y=ZERO),
}
BODIES = [Sphere(x=9, y=8, radius=3.2), Box(x=(2, 5), y=(9, 13))]


@pytest.fixture(autouse=True)
def _in_64_bit():
    with math.precision(64):
        yield


def wave(x, y):
    return math.stack({"x": math.sin(x / 3) + 1, "y": math.cos(y / 2) * math.sin(x)}, math.channel("vector"))


def flow(boundary="closed", grid=StaggeredGrid, **resolution):
    return grid(wave, BOUNDARIES[boundary], **(resolution or {"x": 20, "y": 17}))


def largest(tensor):
    return float(math.max(math.abs(tensor), tensor.shape.names))


def solid(field, *geometries):
    centers = CenteredGrid(
        0, bounds=field.bounds, **dict(zip(field.sampling.axes, field.resolution.sizes, strict=True))
    )
    inside = [math.to_float(g.lies_inside(centers.points)) for g in geometries]
    return math.minimum(sum(inside[1:], inside[0]), 1)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_free_of_divergence_around_bodies_at_rest(boundary, backend):
    velocity = flow(boundary)
    with math.SolveTape() as tape:
        projected, pressure = fluid.make_incompressible(velocity, BODIES)
    fluid_cells = 1 - solid(velocity, *BODIES)
    assert largest(divergence(projected).values * fluid_cells) <= 1e-8 * largest(divergence(velocity).values)
    assert largest(projected.at_centers().values * (1 - fluid_cells)) == 0
    assert largest(pressure.values * (1 - fluid_cells)) == 0
    assert int(tape[0].iterations) <= 20
    again, _ = fluid.make_incompressible(projected, BODIES)
    assert_close(again.values, projected.values, atol=1e-7, because="idempotent")


def test_equals_the_least_change_of_the_velocity(backend):
    """The projection is orthogonal: what it removes is a gradient, with no part along the result."""
    velocity = flow(x=12, y=9)
    body = Sphere(x=6, y=4, radius=2)
    imposed = fluid.make_incompressible(velocity, body)[0]
    other = fluid.make_incompressible(
        StaggeredGrid(lambda x, y: math.stack({"x": y, "y": x}, math.channel("vector")), 0, x=12, y=9), body
    )[0]
    removed = velocity - imposed
    total = sum(
        float(math.sum(removed.values[{"vector": c}] * other.values[{"vector": c}])) for c in ("x", "y")
    )
    assert abs(total) <= 1e-7


@pytest.mark.parametrize("boundary", ["closed", "channel"])
def test_bodies_that_move_and_turn(boundary, backend):
    body = Obstacle(Sphere(x=9, y=8, radius=3.2), velocity=(0.5, -1), angular_velocity=0.25)
    projected, _ = fluid.make_incompressible(flow(boundary), body)
    fluid_cells = 1 - solid(projected, body.geometry)
    assert largest(divergence(projected).values * fluid_cells) <= 1e-8
    centers = projected.at_centers()
    inner = solid(projected, Sphere(x=9, y=8, radius=2))
    assert_close(centers.values * inner, body.velocity_at(centers.points) * inner, atol=1e-12)


def test_velocities_at_centers(backend):
    body = Obstacle(Box(x=(6, 11), y=(5, 9)), velocity=(1, 0))
    velocity = flow("periodic", CenteredGrid)
    projected, _ = fluid.make_incompressible(velocity, body)
    inside = solid(velocity, body.geometry)
    assert_close(projected.values * inside, vec(x=1.0, y=0.0) * inside, atol=1e-12)


def test_masks_are_bodies(backend):
    velocity = flow("channel")
    mask = CenteredGrid(solid(velocity, *BODIES), x=20, y=17)
    by_mask, by_geometry = (fluid.make_incompressible(velocity, bodies)[0] for bodies in (mask, BODIES))
    assert_close(by_mask.values, by_geometry.values, atol=1e-12)


def test_pockets(backend):
    """A ring encloses fluid, whose flow has its own constant of the pressure."""
    velocity = flow()
    ring = solid(velocity, Sphere(x=10, y=8, radius=6)) - solid(velocity, Sphere(x=10, y=8, radius=4))
    projected, pressure = fluid.make_incompressible(velocity, CenteredGrid(ring, x=20, y=17))
    assert largest(divergence(projected).values * (1 - ring)) <= 1e-8
    inner = solid(velocity, Sphere(x=10, y=8, radius=4))
    assert abs(float(math.sum(pressure.values * inner))) <= 1e-8
    assert largest(projected.at_centers().values * solid(velocity, Sphere(x=10, y=8, radius=2))) > 0.1


@pytest.mark.needs("jit")
def test_pocket_that_closes_while_a_body_moves(backend):
    """One compiled step for all places: the gap between body and wall closes on the way."""
    wall = [Box(x=(0, 8), y=(10, 12)), Box(x=(13, 20), y=(10, 12))]

    def step(velocity, x):
        gate = Obstacle(Box(vec(x=x - 3, y=10.0), vec(x=x + 3, y=12.0)), velocity=(1, 0))
        return fluid.make_incompressible(velocity, [*wall, gate])

    compiled = math.jit_compile(step)
    for x in (3.0, 7.0, 10.5):
        projected, pressure = compiled(flow(), tensor(x))
        expected, expected_pressure = step(flow(), tensor(x))
        assert_close(projected.values, expected.values, atol=1e-7)
        assert_close(pressure.values, expected_pressure.values, atol=1e-6)


def test_batches_of_bodies(backend):
    places = wrap([[6.0, 8.0], [12.0, 9.0]], batch("place"), math.channel(vector="x,y"))
    together, _ = fluid.make_incompressible(flow(), Sphere(places, radius=3))
    for i in range(2):
        alone, _ = fluid.make_incompressible(flow(), Sphere(places.place[i], radius=3))
        assert_close(together.values.place[i], alone.values, atol=1e-8)


@pytest.mark.parametrize("resolution", [{"x": 30}, {"x": 12, "y": 11, "z": 10}])
def test_other_dimensions(resolution, backend, random_field):
    velocity = random_field("face", ZERO, **resolution)
    body = Box(**dict.fromkeys(resolution, (4, 8)))
    projected, _ = fluid.make_incompressible(velocity, body)
    assert largest(divergence(projected).values * (1 - solid(velocity, body))) <= 1e-8


@pytest.mark.needs("reverse")
def test_derivatives(backend):
    velocity = flow(x=8, y=7)

    def loss(scale):
        body = Obstacle(
            Sphere(x=4, y=3, radius=1.6),
            velocity=math.stack({"x": scale, "y": 0 * scale}, math.channel("vector")),
        )
        field = velocity.with_values(velocity.values * scale)
        return math.l2_loss(fluid.make_incompressible(field, body, Solve(rel_tol=1e-12))[0].values)

    slope = math.gradient(loss, get_output=False)(tensor(1.0))
    difference = (float(loss(tensor(1 + 1e-4))) - float(loss(tensor(1 - 1e-4)))) / 2e-4
    assert float(slope) == pytest.approx(difference, rel=1e-6)


def test_other_methods_agree_with_transforms(backend):
    velocity = flow("channel")
    direct = fluid.make_incompressible(velocity)[0]
    iterated = fluid.make_incompressible(velocity, solve=Solve("CG", rel_tol=1e-12))[0]
    assert_close(iterated.values, direct.values, atol=1e-9)


def test_errors(backend):
    with pytest.raises(TypeError, match="Obstacle"):
        fluid.make_incompressible(flow(), ["ball"])
    with pytest.raises(TypeError, match="Solve"):
        fluid.make_incompressible(flow(), solve="CG")
    with pytest.raises(IncompatibleShapes, match="Resample"):
        fluid.make_incompressible(flow(), CenteredGrid(1, x=4, y=4))
    with pytest.raises(math.Unsupported, match="geometry"):
        Obstacle(CenteredGrid(1, x=4, y=4)).shifted(vec(x=1, y=1))
    assert np.isclose(
        float(Obstacle(BODIES[0], angular_velocity=2).velocity_at(vec(x=9.0, y=9.0)).vector["x"]), -2
    )
