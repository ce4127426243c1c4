import pytest

import phi_tensor as math
from phi_tensor import batch, channel, spatial, tensor, vec, wrap
from phi_tensor.testing import assert_close

EXECUTIONS = ["eager", pytest.param("jit", marks=pytest.mark.compiled)]


def executed(f, execution):
    return math.jit_compile(f) if execution == "jit" else f


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_trajectory_starts_with_the_initial_state(execution, backend):  # SEM 98
    run = executed(lambda x: math.iterate(lambda x: 2 * x, batch(t=3), x), execution)
    assert_close(run(wrap(1.0)), tensor([1.0, 2.0, 4.0, 8.0], batch("t")))


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_further_outputs_are_recorded_but_not_fed_back(execution, backend):  # SEM 98
    run = executed(lambda x: math.iterate(lambda x: (2 * x, x), batch(t=3), x), execution)
    states, extra = run(wrap(1.0))
    assert_close(states, tensor([1.0, 2.0, 4.0, 8.0], batch("t")))
    assert_close(extra, tensor([1.0, 2.0, 4.0], batch("t")))


@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize("count", [0, 1, 5])
def test_an_int_returns_the_final_state(count, execution, backend):
    run = executed(lambda x, v: math.iterate(lambda x, v: (x + v, v), count, x, v), execution)
    x, v = run(vec(x=1.0, y=0.0), vec(x=0.5, y=1.0))
    assert_close(x, vec(x=1 + 0.5 * count, y=1.0 * count))
    assert_close(v, vec(x=0.5, y=1.0))


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_state_may_gain_dims_in_the_first_step(execution, backend):
    forces = tensor([1.0, 2.0], batch("b"))
    run = executed(lambda x: math.iterate(lambda x: x + forces, 3, x), execution)
    assert_close(run(wrap(0.0)), 3 * forces)


def test_steps_must_keep_the_state(backend):
    with pytest.raises(math.IncompatibleShapes, match="2 values"):
        math.iterate(lambda x, v: x, 2, wrap(1.0), wrap(1.0))
    with pytest.raises(math.IncompatibleShapes, match="number of steps"):
        math.iterate(lambda x: x, batch("t"), wrap(1.0))
    with pytest.raises(math.IncompatibleShapes, match="initial state"):
        math.iterate(lambda: None, 2)


def test_eager_loops_take_a_range_and_a_clock(backend):
    seen, clock = [], iter(range(100))
    states, durations = math.iterate(
        lambda x: x + 1,
        batch(t=2),
        wrap(0.0),
        range=lambda n: (seen.append(i) or i for i in range(n)),
        measure=lambda: float(next(clock)),
    )
    assert seen == [0, 1]
    assert_close(durations, tensor([1.0, 1.0], batch("t")))
    assert states.shape == batch(t=3)


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_substeps_and_keywords(execution, backend):
    run = executed(
        lambda x: math.iterate(lambda x, factor: factor * x, batch(t=2), x, substeps=3, factor=2.0), execution
    )
    assert_close(run(wrap(1.0)), tensor([1.0, 8.0, 64.0], batch("t")))


@pytest.mark.compiled
def test_time_to_first_result_does_not_depend_on_the_number_of_steps(backend):
    if "jit" not in backend.supports:
        pytest.skip("NumPy has no compiler")
    runs = {}
    for count in (8, 64):
        runs[count] = 0

        def step(x, count=count):
            runs[count] += 1
            return x + 0.01 * math.sin(x)

        _, slope = math.jit_compile(
            math.gradient(lambda x, n=count, f=step: math.sum(math.iterate(f, n, x)))
        )(math.ones(spatial(x=3)))
        assert bool(math.all(math.is_finite(slope)))
    assert runs[8] == runs[64] <= 4


@pytest.mark.compiled
@pytest.mark.parametrize("checkpoint", [None, 1, 3, 50])
def test_checkpoints_do_not_change_the_gradient(checkpoint, backend):
    if "reverse" not in backend.supports:
        pytest.skip("NumPy has no derivatives")
    with math.precision(64):
        factor = tensor(0.3)

        def loss(x, factor, checkpoint=None):
            return math.sum(math.iterate(lambda x: x + factor * math.sin(x), 10, x, checkpoint=checkpoint))

        x = tensor([0.1, 0.5, 2.0], spatial("x"))
        eager = math.gradient(loss, "x,factor", get_output=False)(x, factor)
        compiled = math.jit_compile(
            math.gradient(loss, "x,factor", get_output=False), auxiliary_args="checkpoint"
        )(x, factor, checkpoint=checkpoint)
        assert_close(compiled[0], eager[0], rtol=1e-10)
        assert_close(compiled[1], eager[1], rtol=1e-10, because="captured tensors are differentiated, too")


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_while_loop_stops_at_its_condition_or_limit(execution, backend):
    def double_until(limit):
        return executed(
            lambda x: math.while_loop(
                lambda x, n: x < 100, lambda x, n: (2 * x, n + 1), x, wrap(0), limit=limit
            ),
            execution,
        )

    x, n = double_until(None)(wrap(1.0))
    assert (float(x), int(n)) == (128, 7)
    x, n = double_until(3)(wrap(1.0))
    assert (float(x), int(n)) == (8, 3)


@pytest.mark.compiled
def test_while_loop_is_differentiated_forwards_and_with_a_limit_backwards(backend):
    if "reverse" not in backend.supports:
        pytest.skip("NumPy has no derivatives")
    with math.precision(64):

        def power(x, limit=None):
            return math.while_loop(lambda y: y < 10, lambda y: y * x, x, limit=limit)

        x = tensor(1.9)  # 1.9⁴ = 13.03
        slope = math.jit_compile(lambda x: math.jvp(power, (x,), (tensor(1.0),))[1])(x)
        assert float(slope) == pytest.approx(4 * 1.9**3)
        backwards = math.jit_compile(math.gradient(lambda x: power(x, limit=10), get_output=False))(x)
        assert float(backwards) == pytest.approx(4 * 1.9**3)
        with pytest.raises(math.Unsupported, match="limit"):
            math.jit_compile(math.gradient(power))(x)


@pytest.mark.compiled
def test_random_numbers_differ_between_steps(backend):
    if "jit" not in backend.supports:
        pytest.skip("NumPy has no compiler")
    run = math.jit_compile(lambda x: math.iterate(lambda x: math.random_uniform(spatial(x=4)), batch(t=3), x))
    numbers = run(math.zeros(spatial(x=4))).numpy("t,x")[1:]
    assert len({float(n) for n in numbers.ravel()}) == 12


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_vector_states_of_several_tensors(execution, backend):
    def step(state):
        return {"x": state["x"] + 0.1 * state["v"], "v": -state["x"]}

    run = executed(lambda s: math.iterate(step, 4, s), execution)
    start = {
        "x": math.ones(spatial(p=2), channel(vector="x,y")),
        "v": math.zeros(spatial(p=2), channel(vector="x,y")),
    }
    x, v = 1.0, 0.0
    for _ in range(4):
        x, v = x + 0.1 * v, -x
    final = run(start)
    assert_close(final["x"], x * math.ones(spatial(p=2), channel(vector="x,y")))
    assert_close(final["v"], v * math.ones(spatial(p=2), channel(vector="x,y")))
