"""Outcomes that compiled code reports: raised when a result is read, at once, or never."""

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import batch, spatial, tensor, wrap


def root(x):
    """Square root that reports negative input."""
    math.report(math.any(x < 0, lambda shape: shape), lambda value: math.Diverged("negative input"))
    return math.sqrt(math.abs(x))


def test_eager_outcomes_raise_at_once(backend):
    assert float(root(tensor(4.0))) == 2
    with pytest.raises(math.Diverged, match="negative"):
        root(tensor(-4.0))


@pytest.mark.compiled
def test_late_outcomes_raise_when_a_result_is_read(backend):
    if "jit" not in backend.supports:
        pytest.skip("NumPy has no compiler")
    f = math.jit_compile(root)
    assert float(f(tensor(4.0))) == 2
    result = f(tensor(-4.0))
    with pytest.raises(math.Diverged):
        result.numpy()
    assert float(result) == 2  # reported once
    dependent = f(tensor(-9.0)) + 1
    with pytest.raises(math.Diverged):
        float(dependent)
    assert "failed" not in repr(f(tensor(4.0)))


@pytest.mark.compiled
def test_outcomes_can_be_checked_now_or_never(backend):
    if "jit" not in backend.supports:
        pytest.skip("NumPy has no compiler")
    f = math.jit_compile(root)
    with math.checked("now"), pytest.raises(math.Diverged):
        f(tensor(-4.0))
    with math.checked("never"):
        assert float(f(tensor(-4.0))) == 2

    def close_with_a_failure():
        with math.checked("late"):
            f(tensor(-4.0))

    with pytest.raises(math.Diverged):
        close_with_a_failure()


@pytest.mark.compiled
def test_outcomes_inside_loops_are_reduced_over_the_steps(backend):
    if "jit" not in backend.supports:
        pytest.skip("NumPy has no compiler")

    def step(x):
        root(x)
        return x - 1

    run = math.jit_compile(lambda x: math.iterate(step, 4, x))
    assert float(run(tensor(4.0))) == 0
    with pytest.raises(math.Diverged):
        float(run(tensor(2.0)))


@pytest.mark.compiled
def test_while_loops_carry_outcomes_and_random_keys(backend):
    if "jit" not in backend.supports:
        pytest.skip("NumPy has no compiler")

    def step(x):
        root(x - 1.5)
        return x - 1

    run = math.jit_compile(lambda x: math.while_loop(lambda x: x > 0, step, x))
    with pytest.raises(math.Diverged):
        float(run(tensor(3.0)))
    draw = math.jit_compile(lambda x: math.while_loop(lambda n, a, b: n < 2, _draw, wrap(0), x, x)[1:])
    first, second = draw(tensor(0.0))
    assert float(first) != float(second)


def _draw(n, a, b):
    return n + 1, b, math.random_uniform()


@pytest.mark.compiled
def test_outcomes_pass_through_nested_compilation_and_gradients(backend):
    if "jit" not in backend.supports:
        pytest.skip("NumPy has no compiler")
    inner = math.jit_compile(root)
    outer = math.jit_compile(math.gradient(lambda x: inner(x) * 2, get_output=False))
    assert float(outer(tensor(4.0))) == pytest.approx(0.5)
    with pytest.raises(math.Diverged):
        float(outer(tensor(-4.0)))


def test_batched_outcomes_hand_their_numbers_to_the_error(backend):
    found = []

    def error(value):
        found.append(np.asarray(value))
        return math.NotConverged(f"{int(value.sum())} of {value.size}")

    with pytest.raises(math.NotConverged, match="1 of 3"):
        math.report(wrap([False, True, False], batch("b")), error)
    assert found[0].shape == (3,)


def test_unknown_settings_are_refused(backend):
    with math.checked("late"):
        assert float(root(math.ones(spatial(x=2))).x[0]) == 1
