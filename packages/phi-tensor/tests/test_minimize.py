"""Minima beside `scipy.optimize` and exact ones: batched, eager and compiled, with every method."""

import itertools
import threading

import numpy as np
import pytest
from scipy import optimize

import phi_tensor as math
from phi_tensor import Solve, SolveTape, batch, channel, spatial, tensor, wrap
from phi_tensor.testing import assert_close

EXECUTIONS = ["eager", pytest.param("jit", marks=pytest.mark.compiled)]
WITH_GRADIENT = [
    "L-BFGS",
    "GD",
    "BFGS",
    "CG",
    "L-BFGS-B",
    "TNC",
    "SLSQP",
    "Newton-CG",
    "trust-ncg",
    "trust-exact",
]
WITHOUT_GRADIENT = ["Nelder-Mead", "Powell", "COBYLA", "COBYQA"]


@pytest.fixture(autouse=True)
def double_precision():
    with math.precision(64):
        yield


@pytest.fixture
def differentiable(backend):
    if "reverse" not in backend.supports:
        pytest.skip("NumPy has no derivatives")
    return backend


def executed(f, execution):
    return math.jit_compile(f) if execution == "jit" else f


def rosenbrock(p, steepness=100.0):
    x, y = p.vector["x"], p.vector["y"]
    return steepness * (y - x**2) ** 2 + (1 - x) ** 2


def bowl(x, scales, centre):
    return math.sum(scales * (x - centre) ** 2) / 2


def start():
    return tensor([-1.2, 1.0], channel(vector="x,y"))


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_each_entry_descends_and_stops_for_itself(execution, differentiable):
    steepness = tensor([1.0, 10.0, 100.0, 1e4], batch("b"))

    def run(steepness):
        return math.minimize(rosenbrock, Solve(x0=start()), steepness)

    with SolveTape() as tape:
        found = executed(run, execution)(steepness)
    ones = math.ones(batch(b=4), channel(vector="x,y"))
    assert_close(found, ones, atol=1e-6, because="gradients end at 1e-10 of the first ones")
    info = tape[0]
    iterations = info.iterations.numpy("b")
    assert info.converged.numpy("b").all()
    assert len(set(iterations)) == 4  # each its own
    assert (info.function_evaluations.numpy("b") > iterations).all()
    for i, a in enumerate((1.0, 10.0, 100.0, 1e4)):
        theirs = optimize.minimize(
            lambda p, a=a: a * (p[1] - p[0] ** 2) ** 2 + (1 - p[0]) ** 2,
            [-1.2, 1.0],
            method="L-BFGS-B",
            jac=lambda p, a=a: np.array(
                [-4 * a * p[0] * (p[1] - p[0] ** 2) - 2 * (1 - p[0]), 2 * a * (p[1] - p[0] ** 2)]
            ),
            options={"gtol": 1e-9, "ftol": 0.0},
        )
        assert info.function_evaluations.numpy("b")[i] <= 1.5 * theirs.nfev + 10


def test_entries_do_not_see_each_other(differentiable):
    steepness = [1.0, 10.0, 100.0]
    with SolveTape() as tape:
        together = math.minimize(rosenbrock, Solve(x0=start()), tensor(steepness, batch("b")))
        alone = [math.minimize(rosenbrock, Solve(x0=start()), tensor(a)) for a in steepness]
    assert_close(together, math.stack(alone, batch("b")), rtol=1e-9, because="sums in another order")
    assert tape[0].iterations.numpy("b").tolist() == [int(info.iterations) for info in list(tape)[1:]]


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_badly_scaled_bowls_and_trees(execution, differentiable, rng):
    scales = tensor(10.0 ** np.linspace(-2, 3, 12), spatial("x"))
    centres = tensor(rng.normal(size=(2, 12)), batch("b"), spatial("x"))

    def run(centres):
        loss = lambda v: bowl(v["a"], scales, centres) + math.l2_loss(v["b"][0] - 2)  # noqa: E731
        first = {"a": math.zeros(spatial(x=12)), "b": [1]}
        return math.minimize(loss, Solve(x0=first), f_kwargs={})

    found = executed(run, execution)(centres)
    assert_close(
        found["a"], centres, atol=1e-5, because="the flattest scale is 1e-2, gradients end at 1e-10 of 1e3"
    )
    assert_close(found["b"][0], math.expand(wrap(2.0), batch(b=2)), atol=1e-6, because="likewise")


def test_tuples_are_arguments_and_further_outputs_are_ignored(differentiable):  # SEM 188
    found = math.minimize(lambda x, y: ((x - 1) ** 2 + (y - 2) ** 2, "aux"), Solve(x0=(0.0, 0.0)))
    assert isinstance(found, tuple)
    assert [float(v) for v in found] == pytest.approx([1, 2])


def test_batch_dims_of_the_loss_and_of_the_variables(differentiable):  # SEM 187, 189
    targets = tensor([1.0, 2.0], batch("b"))
    assert_close(
        math.minimize(lambda x: (x - targets) ** 2, Solve(x0=0.0)), targets, rtol=1e-9, because="iterated"
    )
    x0 = tensor([0.0, 3.0], batch("b"))
    found = math.minimize(lambda x: math.l2_loss(x - 1), Solve(x0=x0))
    assert_close(found, math.ones(batch(b=2)), rtol=1e-9, because="iterated")
    coupled = math.minimize(  # one problem: the loss has no batch dims
        lambda x: math.sum((x - targets) ** 2, "b") + math.sum(x, "b") ** 2, Solve(x0=x0)
    )
    assert_close(coupled, tensor([0.0, 1.0], batch("b")), atol=1e-9, because="iterated")


@pytest.mark.parametrize("method", WITH_GRADIENT)
def test_every_method_finds_the_minimum(method, differentiable):
    targets = tensor([1.0, 2.0], batch("b"))

    def loss(p):
        return (p.vector["x"] - targets) ** 2 + 3 * (p.vector["y"] + 1) ** 4 + (p.vector["y"] + 1) ** 2

    with SolveTape(record_trajectories=True) as tape:
        found = math.minimize(loss, Solve(method, x0=start()))
    assert_close(found.vector["x"], targets, atol=1e-6, because="gradients end at 1e-10 of the first ones")
    assert_close(found.vector["y"], math.expand(wrap(-1.0), batch(b=2)), atol=1e-6, because="likewise")
    info = tape[0]
    assert info.method == method
    assert info.outcome in ("converged", "precision_limit")
    steps = info.trajectory  # WEAKNESSES B12: ends at convergence
    assert len(steps) == int(info.iterations.numpy("b").max()) + 1
    assert_close(steps[0].x, math.expand(start(), batch(b=2)))
    assert_close(info.snapshot(-1).x, info.x, atol=1e-6, because="SciPy's last step may be a worse one")
    if method not in ("L-BFGS", "GD"):
        return  # SciPy's may rise on their way
    losses = [step.residual.numpy("b") for step in steps]
    assert all((later <= earlier + 1e-12).all() for earlier, later in itertools.pairwise(losses))


@pytest.mark.parametrize("method", WITHOUT_GRADIENT)
def test_methods_without_gradients_work_everywhere(method, backend):
    targets = tensor([1.0, 2.0], batch("b"))

    def loss(p):
        return (p.vector["x"] - targets) ** 2 + 3 * (p.vector["y"] + 1) ** 2

    found = math.minimize(loss, Solve(method, x0=start()))
    assert_close(found.vector["x"], targets, atol=2e-3, because="SciPy's tolerance is 1e-4")
    assert_close(found.vector["y"], math.expand(wrap(-1.0), batch(b=2)), atol=2e-3, because="likewise")


def test_losses_without_derivatives(backend):
    loss = lambda p: rosenbrock(p, tensor([1.0, 100.0], batch("b")))  # noqa: E731
    if "reverse" not in backend.supports:
        with pytest.raises(math.Unsupported, match=r"numpy.*Nelder-Mead.*finite_differences=True"):
            math.minimize(loss, Solve(x0=start()))
    with SolveTape() as tape:
        found = math.minimize(loss, Solve(x0=start(), abs_tol=1e-6), finite_differences=True)
    assert_close(
        found, math.ones(batch(b=2), channel(vector="x,y")), atol=1e-4, because="difference quotients"
    )
    assert tape[0].method == "L-BFGS-B"
    assert (tape[0].function_evaluations.numpy("b") >= 5 * tape[0].iterations.numpy("b")).all()
    with pytest.raises(math.Unsupported, match="L-BFGS-B"):
        math.minimize(loss, Solve("L-BFGS", x0=start()), finite_differences=True)


@pytest.mark.parametrize("method", ["auto", "TNC", "SLSQP"])
def test_bounds(method, differentiable):
    upper = tensor([1.0, 2.0, 5.0], spatial("x"))
    found = math.minimize(
        lambda x: math.l2_loss(x - 3), Solve(method, x0=math.zeros(spatial(x=3))), bounds=(0, upper)
    )
    assert_close(found, tensor([1.0, 2.0, 3.0], spatial("x")), atol=1e-6, because="iterated")
    below = math.minimize(lambda x: math.l2_loss(x - 3), Solve(x0=0.0), bounds=(4, None))
    assert float(below) == 4
    with pytest.raises(math.Unsupported, match="L-BFGS-B"):
        math.minimize(lambda x: x**2, Solve("BFGS", x0=1.0), bounds=(0, 1))
    with pytest.raises(math.IncompatibleShapes, match="lower, upper"):
        math.minimize(lambda x: x**2, Solve(x0=1.0), bounds=3)


def test_single_precision_ends_at_its_limit(differentiable):
    with math.precision(32), SolveTape() as tape:
        found = math.minimize(rosenbrock, Solve(x0=start(), abs_tol=1e-12))
        assert_close(
            found, math.ones(channel(vector="x,y")), atol=1e-3, because="f is flat within its rounding"
        )
    assert tape[0].outcome in ("precision_limit", "converged")


def test_iteration_limits_keep_the_best_state(differentiable):
    with pytest.raises(math.NotConverged, match="after 3 iterations") as caught:
        math.minimize(rosenbrock, Solve(x0=start(), max_iterations=3))
    info = caught.value.result
    assert float(info.residual) < float(rosenbrock(start()))
    assert_close(rosenbrock(info.x), info.residual, rtol=1e-9, because="computed in another order")
    solve = Solve(x0=start(), max_iterations=3, suppress=[math.NotConverged])
    assert_close(math.minimize(rosenbrock, solve), info.x)
    with pytest.raises(math.NotConverged):
        math.minimize(rosenbrock, Solve("BFGS", x0=start(), max_iterations=3))


@pytest.mark.compiled
@pytest.mark.needs("jit", "reverse")
def test_failures_come_out_of_compiled_code(backend):
    run = math.jit_compile(lambda x: math.minimize(rosenbrock, Solve(x0=x, max_iterations=3)))
    with math.checked("now"), pytest.raises(math.NotConverged, match="compiled"):
        run(start())
    with pytest.raises(math.Unsupported, match="SciPy"):
        math.jit_compile(lambda x: math.minimize(rosenbrock, Solve("BFGS", x0=x)))(start())


@pytest.mark.parametrize("method", ["L-BFGS", "L-BFGS-B"])
def test_an_objective_that_raises_ends_cleanly(method, differentiable):  # WEAKNESSES A52
    threads, calls = threading.active_count(), []

    def loss(p):
        calls.append(0)
        if len(calls) > 6:
            raise KeyError("out of data")
        return rosenbrock(p)

    with pytest.raises(math.Diverged, match="out of data") as caught:
        math.minimize(loss, Solve(method, x0=start()))
    assert isinstance(caught.value.__cause__, KeyError)
    assert float(rosenbrock(caught.value.result.x)) <= float(rosenbrock(start()))
    assert threading.active_count() == threads
    calls[:] = [0] * 10
    with pytest.raises(KeyError):  # at once: nothing was found yet
        math.minimize(loss, Solve(method, x0=start()))


@pytest.mark.parametrize("method", ["L-BFGS", "L-BFGS-B"])
def test_numbers_that_are_not_finite(method, differentiable):
    with pytest.raises(math.Diverged) as caught:
        math.minimize(lambda x: math.log(x), Solve(method, x0=-1.0))
    assert float(caught.value.result.x) == -1
    factor = tensor([1.0, float("nan")], batch("b"))
    with SolveTape() as tape, pytest.raises(math.Diverged):
        math.minimize(lambda x: factor * (x - 2) ** 2, Solve(method, x0=0.0))
    assert tape[0].diverged.numpy("b").tolist() == [False, True]
    assert float(tape[0].x.b[0]) == pytest.approx(2)


def test_a_barrier_is_no_failure(differentiable):
    found = math.minimize(lambda x: x - math.log(x), Solve(x0=30.0))  # full steps would leave x > 0
    assert float(found) == pytest.approx(1, abs=1e-6)
    with pytest.raises(math.Diverged):
        math.minimize(lambda x: -math.exp(x), Solve(x0=0.0))


def test_progress_is_told(differentiable):
    for method in ("L-BFGS", "BFGS"):
        told = []
        math.minimize(
            rosenbrock,
            Solve(method, x0=start()),
            progress=lambda done, total, values, told=told: told.append((done, total, values["loss"])),
        )
        assert told[-1][1] == 1000
        assert told[-1][2] < 1e-10
        assert [t[0] for t in told[-3:]] == sorted(t[0] for t in told[-3:])


def test_wrong_calls_say_what_to_do(backend):
    with pytest.raises(TypeError, match="Solve"):
        math.minimize(lambda x: x, 0.0)
    with pytest.raises(TypeError, match="function"):
        math.minimize(3, Solve(x0=0.0))
    with pytest.raises(math.IncompatibleShapes, match="x0"):
        math.minimize(lambda x: x, Solve())
    with pytest.raises(math.IncompatibleShapes, match="bools"):
        math.minimize(lambda x: x, Solve(x0=wrap([True, False], spatial("x"))))
    with pytest.raises(ValueError, match="preconditioner"):
        math.minimize(lambda x: x, Solve(x0=0.0, preconditioner="jacobi"))
    with pytest.raises(ValueError, match="Nelder-Mead"):
        math.minimize(lambda x: x, Solve("Newton", x0=0.0))
    if "reverse" in backend.supports:
        with pytest.raises(math.IncompatibleShapes, match="batch dims only"):
            math.minimize(lambda x: x**2, Solve(x0=math.zeros(spatial(x=2))))
