import warnings

import numpy as np
import pytest

import phi_tensor as math
from phi_field import CenteredGrid, StaggeredGrid, divergence
from phi_geom import Box
from phi_physics import fluid
from phi_tensor import Unsupported, batch
from phi_tensor.extrapolation import PERIODIC, ZERO, ZERO_GRADIENT, combine_sides
from phi_tensor.testing import assert_close

RESOLUTIONS = [{"x": 9}, {"x": 6, "y": 1}, {"x": 5, "y": 4, "z": 6}]


def largest(tensor):
    return float(math.max(math.abs(tensor), tensor.shape.names))


def inner(a, b):
    """Σ a·b over all faces."""
    return sum(float(math.sum(a.values[{"vector": c}] * b.values[{"vector": c}])) for c in a.sampling.axes)


def unit_box(resolution, scale=1.0):
    lengths = {axis: scale * (1 + i) for i, axis in enumerate(resolution)}
    return Box(**lengths)


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_projects_exactly(resolution, boundary, backend, random_field):
    with math.precision(64):
        velocity = random_field("face", boundary(resolution), unit_box(resolution), **resolution)
        projected, pressure = fluid.make_incompressible(velocity)
        before = largest(divergence(velocity).values)
        assert largest(divergence(projected).values) <= 1e-12 * max(before, 1)
        assert projected.boundary == velocity.boundary
        assert pressure.shape == velocity.sampling.shape
        again, no_pressure = fluid.make_incompressible(projected)
        assert_close(
            again.values, projected.values, atol=1e-12 * before, because="idempotent; nothing is left in 1D"
        )
        assert largest(no_pressure.values) <= 1e-12 * max(1, largest(pressure.values))
        assert inner(projected, projected) <= inner(velocity, velocity) * (1 + 1e-12)


@pytest.mark.parametrize("resolution", RESOLUTIONS[1:])
def test_is_self_adjoint(resolution, boundary, backend, random_field):
    with math.precision(64):
        u, v = (
            random_field("face", boundary(resolution), unit_box(resolution), **resolution) for _ in range(2)
        )
        left, right = inner(fluid.make_incompressible(u)[0], v), inner(u, fluid.make_incompressible(v)[0])
    assert left == pytest.approx(right, rel=1e-11)


def test_32_bit_reaches_rounding(boundary, backend, random_field):
    velocity = random_field("face", boundary("xy"), x=64, y=48)
    projected, _ = fluid.make_incompressible(velocity)
    assert largest(divergence(projected).values) <= 3e-5 * largest(divergence(velocity).values)


@pytest.mark.parametrize("n", [96, 100, 127])
def test_any_number_of_cells(n, backend, random_field):
    for rule in (0, "periodic", "zero-gradient"):
        with math.precision(64):
            velocity = random_field("face", rule, 1, x=n, y=n)
            projected, _ = fluid.make_incompressible(velocity)
            assert largest(divergence(projected).values) <= 1e-11 * largest(divergence(velocity).values)


def test_known_decomposition(backend):
    """U = w + ∇q with w of a stream function and q known: both are found to second order."""

    def difference(n):
        box = 2 * np.pi
        w = StaggeredGrid(
            lambda x, y: (math.sin(x) * math.cos(y), -math.cos(x) * math.sin(y)), "periodic", box, x=n, y=n
        )
        q = StaggeredGrid(
            lambda x, y: (math.cos(x) * math.sin(2 * y), 2 * math.sin(x) * math.cos(2 * y)),
            "periodic",
            box,
            x=n,
            y=n,
        )
        projected, pressure = fluid.make_incompressible(w + q)
        exact = CenteredGrid(lambda x, y: math.sin(x) * math.sin(2 * y), "periodic", box, x=n, y=n)
        return largest(projected.values - w.values), largest(pressure.values - exact.values)

    with math.precision(64):
        coarse, fine = difference(32), difference(64)
    assert coarse[0] / fine[0] == pytest.approx(4, rel=0.1)
    assert coarse[1] / fine[1] == pytest.approx(4, rel=0.1)


def test_pressure_boundary_follows_velocity(backend):
    rule = {"x": (0, "zero-gradient"), "y": "periodic"}
    _, pressure = fluid.make_incompressible(StaggeredGrid(0, rule, x=4, y=3))
    assert pressure.boundary == combine_sides(x=(ZERO_GRADIENT, 0), y=PERIODIC)
    assert fluid.make_incompressible(StaggeredGrid(0, 0, x=4, y=3))[1].boundary == ZERO_GRADIENT
    assert fluid.make_incompressible(StaggeredGrid(0, "zero-gradient", x=4, y=3))[1].boundary == ZERO


def test_slip_walls(backend, random_field):
    rule = {"normal": 0, "tangential": "zero-gradient"}
    with math.precision(64):
        projected, pressure = fluid.make_incompressible(random_field("face", rule, x=8, y=6))
        assert largest(divergence(projected).values) < 1e-12
    assert pressure.boundary == ZERO_GRADIENT


def test_inflow_leaves_through_open_side(backend):
    velocity = StaggeredGrid(0, {"x": (1.0, "zero-gradient"), "y": 0}, x=8, y=4)
    projected, _ = fluid.make_incompressible(velocity)
    assert_close(
        projected.values.vector["x"],
        1 + 0 * projected.values.vector["x"],
        atol=1e-5,
        because="the inflow fills the channel",
    )


def test_unbalanced_inflow_is_spread_and_reported(backend):
    velocity = StaggeredGrid(0, {"x": (1.0, 0), "y": 0}, x=8, y=4)
    with pytest.warns(UserWarning, match="mean divergence of 0.125") as caught:
        projected, _ = fluid.make_incompressible(velocity)
    assert caught[0].filename == __file__
    assert_close(divergence(projected).values, 0 * divergence(projected).values - 0.125, atol=1e-5)


def test_balanced_inflow_is_silent(backend):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        projected, _ = fluid.make_incompressible(StaggeredGrid(0, {"x": 1.0, "y": 0}, x=8, y=4))
    assert_close(projected.values.vector["x"], 1 + 0 * projected.values.vector["x"], atol=1e-5)


def test_batch_equals_each(backend, random_field):
    fields = [random_field("face", {"x": 0, "y": "periodic"}, 1, x=6, y=5) for _ in range(3)]
    together = math.stack(fields, batch("b"))
    velocity, pressure = fluid.make_incompressible(together)
    for i, field in enumerate(fields):
        alone = fluid.make_incompressible(field)
        assert_close(velocity.values.b[i], alone[0].values)
        assert_close(pressure.values.b[i], alone[1].values)


def test_centered_velocity_keeps_its_sampling_and_loses_divergence(backend):
    def source(x, y):
        return math.sin(2 * np.pi * x), math.sin(2 * np.pi * y)

    velocity = CenteredGrid(source, "periodic", 1, x=32, y=32)
    projected, _ = fluid.make_incompressible(velocity)
    assert projected.is_centered
    assert projected.boundary == velocity.boundary
    assert largest(divergence(projected).values) < 0.02 * largest(divergence(velocity).values)


def test_mirrored_velocity_gives_mirrored_result(backend, random_field):
    with math.precision(64):
        velocity = random_field("face", {"x": 0, "y": "zero-gradient"}, 1, x=7, y=6)
        u, v = velocity.values.vector["x"], velocity.values.vector["y"]
        mirror = velocity.with_values(
            math.stack([-math.flip(u, "x"), math.flip(v, "x")], math.channel(vector="x,y"))
        )
        one, p = fluid.make_incompressible(velocity)
        other, q = fluid.make_incompressible(mirror)
        assert_close(math.flip(p.values, "x"), q.values)
        assert_close(math.flip(one.values.vector["y"], "x"), other.values.vector["y"])


@pytest.mark.needs("reverse")
@pytest.mark.parametrize(
    ("resolution", "rule"),
    [
        ({"x": 6}, 0),
        ({"x": 4, "y": 5}, {"x": (0, "zero-gradient"), "y": "periodic"}),
        ({"x": 2, "y": 3, "z": 4}, "zero-gradient"),
    ],
)
def test_derivatives(resolution, rule, backend, random_field, check_derivatives):
    with math.precision(64):
        velocity = random_field("face", rule, unit_box(resolution), **resolution)

        def loss(values):
            projected, pressure = fluid.make_incompressible(velocity.with_values(values))
            return math.sum(projected.at_centers().values ** 3) + math.sum(pressure.values**2)

        check_derivatives(loss, velocity.values)


@pytest.mark.compiled
@pytest.mark.needs("jit")
def test_derivatives_under_jit(backend, random_field, check_derivatives):
    with math.precision(64):
        velocity = random_field("face", {"x": (0, "zero-gradient"), "y": "periodic"}, 1, x=4, y=5)

        def loss(values):
            projected, pressure = fluid.make_incompressible(velocity.with_values(values))
            return math.sum(projected.at_centers().values ** 3) + math.sum(pressure.values**2)

        compiled = math.jit_compile(lambda values: math.gradient(loss)(values))
        value, slope = compiled(velocity.values)
        expected, eager_slope = math.gradient(loss)(velocity.values)
        assert_close(value, expected)
        assert_close(slope, eager_slope)


def test_other_boundaries_are_refused(backend):
    with pytest.raises(Unsupported, match="symmetric"):
        fluid.make_incompressible(StaggeredGrid(0, "symmetric", x=4, y=3))
