"""One flow through every layer: smoke rises in a box, on every backend, in every dimension."""

import numpy as np
import pytest

import phi_tensor as math
from phi_field import CenteredGrid, StaggeredGrid, divergence
from phi_geom import Box, Sphere
from phi_physics import advect, fluid
from phi_tensor import batch
from phi_tensor.testing import assert_close


def smoke_step(smoke, velocity, dt=1.0):
    """Transport, buoyancy along the last axis, projection."""
    up = tuple(0.1 * (i == velocity.spatial_rank - 1) for i in range(velocity.spatial_rank))
    smoke = advect.mac_cormack(smoke, velocity, dt)
    velocity = advect.semi_lagrangian(velocity, velocity, dt) + dt * (smoke * up).at(velocity)
    velocity, _ = fluid.make_incompressible(velocity)
    return smoke, velocity


def plume(axes, n=8, rule=0):
    """A blob of smoke off the symmetry lines (ties of the limiter have no derivative), and a swirl."""
    cells = {axis: n - i for i, axis in enumerate(axes)}
    box = Box(**dict.fromkeys(axes, float(n)))
    ball = Sphere(
        center=math.vec(**{axis: 0.43 * n + 0.1 * i for i, axis in enumerate(axes)}), radius=0.3 * n
    )
    smoke = CenteredGrid(
        lambda p: math.exp(-math.vec_squared(p - ball.center, "vector") / n), "zero-gradient", box, **cells
    )
    velocity = StaggeredGrid(
        lambda p: 0.8 * math.sin(1 + 2 * p / n + math.sum(p, "vector") / n), rule, box, **cells
    )
    return smoke, fluid.make_incompressible(velocity)[0]


def run(smoke, velocity, steps=4):
    for _ in range(steps):
        smoke, velocity = smoke_step(smoke, velocity)
    return smoke, velocity


@pytest.mark.parametrize(
    ("axes", "rule"),
    [
        ("x", 0),
        ("xy", "periodic"),
        ("xy", {"x": (0, "zero-gradient"), "y": "periodic"}),
        ("xyz", {"x": (0, "zero-gradient"), "y": "periodic", "z": 0}),
    ],
)
def test_stays_incompressible_and_bounded(axes, rule, backend):
    with math.precision(64):
        smoke, velocity = plume(axes, 6, rule)
        after, moving = run(smoke, velocity, 2)
        assert float(math.max(math.abs(divergence(moving).values))) < 1e-12
        assert float(math.max(after.values)) <= float(math.max(smoke.values))
        assert float(math.min(after.values)) >= float(math.min(smoke.values))
        assert after.boundary == smoke.boundary
        assert moving.boundary == velocity.boundary


def test_uniform_smoke_stays_in_a_closed_box(backend):
    """Without gradients of density, buoyancy is balanced by pressure: nothing starts to move."""
    smoke, velocity = CenteredGrid(1, "zero-gradient", x=8, y=8), StaggeredGrid(0, 0, x=8, y=8)
    after, moving = run(smoke, velocity)
    assert_close(after.values, smoke.values)
    assert_close(moving.values, velocity.values, atol=1e-6)


@pytest.mark.parametrize("axes", ["xy", "xyz"])
def test_mirror_symmetry(axes, backend):
    with math.precision(64):
        smoke, velocity = plume(axes, 6)

        def mirrored(s, v):
            parts = [
                -math.flip(v.values.vector[c], "x") if c == "x" else math.flip(v.values.vector[c], "x")
                for c in axes
            ]
            return s.with_values(math.flip(s.values, "x")), v.with_values(
                math.stack(parts, math.channel(vector=tuple(axes)))
            )

        s, v = mirrored(*run(smoke, velocity, 2))
        t, w = run(*mirrored(smoke, velocity), 2)
        assert_close(s.values, t.values)
        assert_close(v.values, w.values)


def test_batch_equals_each(backend):
    smoke, velocity = plume("xy")
    smokes, velocities = [smoke, smoke * 0.5], [velocity, velocity * -0.7]
    together = run(math.stack(smokes, batch("b")), math.stack(velocities, batch("b")), 2)
    for i in range(2):
        alone = run(smokes[i], velocities[i], 2)
        assert_close(together[0].values.b[i], alone[0].values, rtol=1e-4)
        assert_close(together[1].values.b[i], alone[1].values, rtol=1e-4)


@pytest.mark.compiled
@pytest.mark.needs("jit")
@pytest.mark.parametrize("axes", ["xy", "xyz"])
def test_jit_equals_eager_and_traces_once(axes, backend):
    with math.precision(64):
        state = plume(axes)
        step = math.jit_compile(smoke_step)
        eager, compiled = run(*state, 2), step(*step(*state))
        assert_close(compiled[0].values, eager[0].values)
        assert_close(compiled[1].values, eager[1].values)
        assert len(step.traces) == 1
        assert compiled[1].boundary == eager[1].boundary


@pytest.mark.needs("reverse")
def test_derivatives_through_four_steps(backend, check_derivatives):
    with math.precision(64):
        smoke, velocity = plume("xy", 5)

        def loss(s, v):
            end, moving = run(smoke.with_values(s), velocity.with_values(v))
            return math.sum(end.values**2) + math.sum(moving.at_centers().values ** 2)

        check_derivatives(loss, smoke.values, velocity.values, second=False, step=1e-7, tolerance=1e-5)


@pytest.mark.compiled
@pytest.mark.needs("reverse", "jit")
def test_gradient_agrees_however_steps_are_composed(backend):
    """Python loop, loop over a jitted step, `iterate`, and everything in one jitted gradient."""
    with math.precision(64):
        smoke, velocity = plume("xy", 6)
        step = math.jit_compile(smoke_step)

        def by_jitted_steps(state):
            for _ in range(3):
                state = step(*state)
            return state

        def loss_of(roll_out):
            return lambda v: math.sum(
                roll_out((smoke, v))[0].values * math.wrap(np.arange(6.0), math.spatial("x"))
            )

        compositions = {
            "loop": loss_of(lambda state: run(*state, 3)),
            "jitted steps": loss_of(by_jitted_steps),
            "iterate": loss_of(lambda state: math.iterate(smoke_step, 3, *state)),
        }
        slopes = {
            name: math.gradient(loss, get_output=False)(velocity) for name, loss in compositions.items()
        }
        slopes["jitted gradient"] = math.jit_compile(
            lambda v: math.gradient(compositions["iterate"], get_output=False)(v)
        )(velocity)
        for name, slope in slopes.items():
            assert_close(slope.values, slopes["loop"].values, because=name)


@pytest.mark.interop
def test_backends_agree_on_gradients():
    """J9: gradients of two steps with MacCormack are those of the other backends."""
    found = {}
    for name in ("torch", "jax", "tensorflow"):
        pytest.importorskip(name)
        with math.on_backend(name), math.precision(64):
            smoke, velocity = plume("xy", 6)
            slope = math.gradient(lambda v, s=smoke: math.sum(run(s, v, 2)[0].values ** 2), get_output=False)(
                velocity
            )
            found[name] = [part.numpy("x,y") for part in slope.values.vector]
    for name, parts in found.items():
        for part, other in zip(parts, found["jax"], strict=True):
            np.testing.assert_allclose(part, other, rtol=1e-9, atol=1e-12, err_msg=name)
