import numpy as np
import pytest

import phi_tensor as math
from phi_field import CenteredGrid, StaggeredGrid
from phi_physics import advect
from phi_tensor import batch
from phi_tensor.testing import assert_close

AXES = ["x", "xy", "xyz"]


def cells(axes, n):
    return {axis: n - i for i, axis in enumerate(axes)}


@pytest.mark.parametrize("axes", AXES)
def test_shift_by_whole_cells_is_exact(axes, backend, random_field):
    field = random_field("center", "periodic", **cells(axes, 6))
    wind = CenteredGrid(tuple(range(1, 1 + len(axes))), "periodic", **cells(axes, 6))
    moved = advect.semi_lagrangian(field, wind, 1.0)
    expected = np.roll(field.values.numpy(axes_list(axes)), range(1, 1 + len(axes)), range(len(axes)))
    np.testing.assert_allclose(moved.values.numpy(axes_list(axes)), expected, atol=1e-5)
    back = advect.semi_lagrangian(moved, wind, -1.0)
    assert_close(back.values, field.values, because="negative steps trace forwards")


def axes_list(axes):
    return list(axes)


@pytest.mark.parametrize(("axes", "kind"), [("x", "center"), ("xy", "vector"), ("xyz", "face")])
def test_keeps_site_and_constants(axes, kind, boundary, backend, random_field):
    velocity = random_field("face", boundary(axes), **cells(axes, 5))
    field = random_field(kind, "zero-gradient", **cells(axes, 5))
    for scheme in (advect.advect, advect.semi_lagrangian, advect.mac_cormack, advect.mac_cormack_unlimited):
        moved = scheme(field.with_values(0 * field.values + 2.0), velocity, 0.7)
        assert moved.site is field.site
        assert moved.boundary == field.boundary
        assert_close(moved.values, 0 * field.values + 2.0)


def test_reads_values_outside(backend):
    """Wind of one cell per step from the left blows the boundary value in."""
    field = CenteredGrid(1.0, {"x": (5.0, "zero-gradient")}, x=4)
    moved = advect.semi_lagrangian(field, CenteredGrid((1.0,), 1.0, x=4), 1.0)
    assert_close(moved.values, math.tensor([5.0, 1, 1, 1], math.spatial("x")))


def test_velocity_may_live_on_another_sampling(backend):
    smoke = CenteredGrid(lambda x, y: x + y, "zero-gradient", 1, x=8, y=8)
    coarse = StaggeredGrid((0.1, 0.2), {"x": 0.1, "y": 0.2}, 1, x=4, y=4)
    moved = advect.semi_lagrangian(smoke, coarse, 0.5)
    inside = {"x": slice(1, -1), "y": slice(1, -1)}
    assert_close(moved.values[inside], smoke.values[inside] - 0.15, atol=1e-5)


def test_rk4_follows_a_rotation(backend):
    """A quarter turn in four steps: Euler leaves the circle, RK4 stays on it."""
    with math.precision(64):
        wind = CenteredGrid(lambda x, y: (-y, x), "zero-gradient", math_box(), x=64, y=64)
        start = math.vec(x=0.5, y=0.0)
        places = {}
        for integrator in (advect.euler, advect.rk4):
            x = start
            for _ in range(4):
                x = integrator(x, wind, np.pi / 8)
            places[integrator] = x
        assert_close(
            places[advect.rk4], math.vec(x=0.0, y=0.5), atol=1e-3, because="four steps of fourth order"
        )
        assert float(math.vec_length(places[advect.euler])) > 0.6


def math_box():
    from phi_geom import Box

    return Box(x=(-1, 1), y=(-1, 1))


@pytest.mark.parametrize("scheme", [advect.semi_lagrangian, advect.mac_cormack])
def test_batch_equals_each(scheme, backend, random_field):
    smoke = [random_field("center", "zero-gradient", x=6, y=5) for _ in range(2)]
    wind = [random_field("face", 0, x=6, y=5) for _ in range(2)]
    dt = math.tensor([0.3, -0.8], batch("b"))
    together = scheme(math.stack(smoke, batch("b")), math.stack(wind, batch("b")), dt)
    itself = scheme(math.stack(wind, batch("b")), math.stack(wind, batch("b")), dt)
    for i, step in enumerate((0.3, -0.8)):
        assert_close(together.values.b[i], scheme(smoke[i], wind[i], step).values)
        assert_close(itself.values.b[i], scheme(wind[i], wind[i], step).values)


@pytest.mark.parametrize("scheme", [advect.semi_lagrangian, advect.mac_cormack])
def test_order_of_dims_does_not_matter(scheme, backend, random_field):
    smoke, wind = random_field("center", "zero-gradient", x=6, y=5), random_field("face", 0, x=6, y=5)
    turned_smoke = CenteredGrid(smoke.values, "zero-gradient", y=5, x=6)
    turned_wind = StaggeredGrid(0, 0, y=5, x=6)
    turned_wind = turned_wind.with_values(
        math.stack({a: wind.values.vector[a] for a in ("y", "x")}, math.channel("vector"))
    )
    assert_close(scheme(turned_smoke, turned_wind, 0.7).values, scheme(smoke, wind, 0.7).values)


@pytest.mark.needs("reverse")
@pytest.mark.parametrize("integrator", [advect.euler, advect.rk4])
@pytest.mark.parametrize("scheme", [advect.semi_lagrangian, advect.mac_cormack])
def test_derivatives(scheme, integrator, backend, random_field, check_derivatives):
    with math.precision(64):
        smoke, wind = random_field("center", "zero-gradient", x=4, y=5), random_field("face", 0, x=4, y=5)

        def loss(s, w):
            velocity = wind.with_values(w)
            moved = scheme(smoke.with_values(s), velocity, 0.4, integrator=integrator)
            return math.sum(moved.values**2) + math.sum(
                scheme(velocity, velocity, 0.4, integrator=integrator).at_centers().values ** 2
            )

        check_derivatives(
            loss,
            smoke.values,
            wind.values,
            step=1e-7,
            tolerance=1e-5,
            second=scheme is advect.semi_lagrangian and integrator is advect.euler,
        )
