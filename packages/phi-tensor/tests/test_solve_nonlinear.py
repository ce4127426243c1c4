"""Solutions of nonlinear systems beside exact ones and `scipy.optimize`: batched, eager and compiled."""

import numpy as np
import pytest
from scipy import optimize

import phi_tensor as math
from phi_tensor import Solve, SolveTape, batch, spatial, tensor, wrap
from phi_tensor.testing import assert_close

EXECUTIONS = ["eager", pytest.param("jit", marks=pytest.mark.compiled)]


@pytest.fixture(autouse=True)
def double_precision():
    with math.precision(64):
        yield


def executed(f, execution):
    return math.jit_compile(f) if execution == "jit" else f


def reaction(u, rate):
    """−Δu + u + rate·u³ on a line with u = 0 at its ends."""
    wide = math.pad(u, {"x": (1, 1)}, 0)
    return 2 * u - wide.x[2:] - wide.x[:-2] + u + rate * u**3


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_newton_krylov_solves_each_entry_for_itself(execution, backend):
    rates, wanted = np.array([0.0, 1.0, 10.0]), np.linspace(-3, 3, 16)

    def run(rate, y):
        return math.solve_nonlinear(reaction, y, Solve(), rate)

    with SolveTape() as tape:
        found = executed(run, execution)(tensor(rates, batch("b")), tensor(wanted, spatial("x")))
    iterations = tape[0].iterations.numpy("b")
    assert iterations[0] < iterations[2] <= 10
    laplace = 3 * np.eye(16) - np.eye(16, k=1) - np.eye(16, k=-1)
    for i, rate in enumerate(rates):
        theirs = optimize.root(lambda u, a=rate: laplace @ u + a * u**3 - wanted, np.zeros(16), tol=1e-13).x
        assert_close(
            found.b[i], tensor(theirs, spatial("x")), atol=1e-8, because="residuals end at 1e-10 of 8"
        )
    residual = tensor(wanted, spatial("x")) - reaction(found, tensor(rates, batch("b")))
    assert_close(tape[0].residual_norm, math.norm(residual, "x"), atol=1e-12, because="recomputed")


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_anderson_accelerates_fixed_points(execution, backend):
    a = tensor([0.1, 0.5, 0.99], batch("b"))

    def run(a):
        return math.solve_nonlinear(lambda x, a: x - a * math.cos(x), 0.0, Solve("Anderson", x0=1.0), a)

    with SolveTape() as tape:
        found = executed(run, execution)(a)
    theirs = [optimize.brentq(lambda x, a=a: x - a * np.cos(x), 0, 2, xtol=1e-14) for a in (0.1, 0.5, 0.99)]
    assert_close(found, tensor(theirs, batch("b")), atol=1e-9, because="iterated")
    assert (tape[0].iterations.numpy("b") <= 10).all()  # the plain iteration needs up to 60


def test_anderson_solves_systems(backend, rng):
    n = 20
    coupling = rng.normal(size=(n, n))
    coupling *= 0.9 / np.linalg.norm(coupling, 2)
    matrix = tensor(coupling, spatial("x"), math.dual("x"))
    b = tensor(rng.normal(size=n), spatial("x"))
    found = math.solve_nonlinear(lambda x: x - math.sin(matrix @ x), b, Solve("Anderson"))
    assert_close(found - math.sin(matrix @ found), b, atol=1e-8, because="iterated")


def test_one_equation(backend):  # SEM 190, WEAKNESSES A50
    found = math.solve_nonlinear(lambda x: x**2, 4.0, Solve(x0=1.0))
    assert float(found) == pytest.approx(2, rel=1e-9)
    both = math.solve_nonlinear(lambda x: x**2, 4.0, Solve(x0=tensor([1.0, -5.0], batch("b"))))
    assert_close(both, tensor([2.0, -2.0], batch("b")), rtol=1e-9, because="iterated")
    assert float(math.solve_nonlinear(lambda x: x**3 - 8, 0.0, Solve(x0=1.0))) == pytest.approx(2)


def test_trees_and_several_arguments(backend):
    found = math.solve_nonlinear(lambda x, y: (x + y**2, x * y), (3.0, 2.0), Solve(x0=(1.5, 1.0)))
    x, y = (float(v) for v in found)
    assert (x + y**2, x * y) == (pytest.approx(3), pytest.approx(2))


def test_backtracking_survives_steps_that_are_too_long(backend):
    found = math.solve_nonlinear(lambda x: x / math.sqrt(1 + x * x), 0.0, Solve(x0=1.8, abs_tol=1e-12))
    assert abs(float(found)) < 1e-11  # plain Newton diverges from |x| > 1


def test_trajectories_end_at_convergence(backend):
    with SolveTape(record_trajectories=True) as tape:
        math.solve_nonlinear(lambda x: x**2, 4.0, Solve(x0=tensor([1.0, 2.5], batch("b"))))
    steps = tape[0].trajectory
    assert len(steps) == int(tape[0].iterations.numpy("b").max()) + 1
    norms = np.array([step.residual_norm.numpy("b") for step in steps])
    assert (norms[1:] <= norms[:-1]).all()
    assert_close(steps[-1].x, tape[0].x)


@pytest.mark.parametrize("method", ["Newton-Krylov", "Anderson"])
def test_failures_keep_the_best_state(method, backend):
    with pytest.raises(math.NotConverged) as caught:
        math.solve_nonlinear(lambda x: x**2 + 1, 0.0, Solve(method, x0=3.0, max_iterations=50))
    assert abs(float(caught.value.result.x)) < 3
    with pytest.raises(math.Diverged):
        math.solve_nonlinear(lambda x: x * float("nan"), 1.0, Solve(method, x0=3.0))
    calls = []

    def raising(x):
        calls.append(0)
        if len(calls) > 4:
            raise KeyError("out of data")
        return x**3 + x

    with pytest.raises(math.Diverged, match="out of data") as broken:
        math.solve_nonlinear(raising, 1.0, Solve(method, x0=0.0))
    assert isinstance(broken.value.__cause__, KeyError)
    assert broken.value.result.x is not None


def test_single_precision(backend):
    with math.precision(32):
        found = math.solve_nonlinear(reaction, tensor(np.linspace(-3, 3, 16), spatial("x")), Solve(), 10.0)
        residual = reaction(found, 10.0) - tensor(np.linspace(-3, 3, 16), spatial("x"))
        assert float(math.norm(residual, "x")) <= 1e-5 * 8


def test_wrong_calls_say_what_to_do(backend):
    with pytest.raises(math.IncompatibleShapes, match="least squares"):
        math.solve_nonlinear(lambda x: math.sum(x), math.zeros(spatial(x=2)), Solve())
    with pytest.raises(math.IncompatibleShapes, match="2 tensors and returns 1"):
        math.solve_nonlinear(lambda x, y: x, (1.0, 2.0), Solve())
    with pytest.raises(ValueError, match="Newton-Krylov"):
        math.solve_nonlinear(lambda x: x, wrap(1.0), Solve("CG"))
    with pytest.raises(TypeError, match="Solve"):
        math.solve_nonlinear(lambda x: x, wrap(1.0), "CG")
