"""`solve_linear` for matrices, functions and trees; settings, records, tapes, and what failures say."""

import dataclasses
import pickle

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import (
    Diverged,
    IncompatibleShapes,
    LinearOperator,
    NotConverged,
    Solve,
    SolveTape,
    Unsupported,
    batch,
    channel,
    dual,
    solve_linear,
    spatial,
    tensor,
)
from phi_tensor.testing import assert_close


@pytest.fixture(autouse=True)
def double_precision():
    with math.precision(64):
        yield


def matrix(a):
    return tensor(np.asarray(a, float), spatial("x"), dual("x"))


def vector(b):
    return tensor(np.asarray(b, float), spatial("x"))


def untraceable(x):
    """Twice x, by operations that have no matrix."""
    return 2 * math.real(math.ifft(math.fft(x)))


# --- what can be solved


def test_matrices_functions_and_operators(backend):  # SEM 174, 175
    assert_close(solve_linear(matrix([[2, 0], [0, 4]]), vector([2, 4])), vector([1, 1]))
    assert_close(solve_linear(lambda x: 2 * x + 1, vector([3, 5])), vector([1, 2]))
    assert_close(solve_linear(lambda x: untraceable(x) + 1, vector([3, 5])), vector([1, 2]))
    assert_close(solve_linear(math.jit_compile_linear(lambda x: 2 * x), vector([2, 4])), vector([1, 2]))
    assert_close(solve_linear(lambda x, a, b: a * x + b, vector([3, 5]), Solve(), 2, b=1), vector([1, 2]))
    named = solve_linear(lambda x, solve: solve * x, vector([2, 4]), f_kwargs={"solve": 2.0})
    assert_close(named, vector([1, 2]))
    operator = LinearOperator.from_matrix(matrix([[2, 0], [0, 4]]))
    assert_close(solve_linear(operator, vector([2, 4]), Solve("GMRES")), vector([1, 1]))
    shifted = dataclasses.replace(operator, bias=vector([1, 1]))
    assert_close(solve_linear(shifted, vector([3, 5])), vector([1, 1]))


def test_the_unknown_may_be_described_by_a_guess(backend):
    guess = math.zeros(spatial(x=2))
    found = solve_linear(
        lambda u: math.rename_dims(2 * u, "x", channel("v")),
        tensor([2.0, 4.0], channel("v")),
        Solve(x0=guess),
    )
    assert_close(found, vector([1, 2]))
    assert_close(solve_linear(lambda x: 4 * x, 2.0), tensor(0.5))


def test_batches_of_unknowns_and_constants(backend, rng):
    y = tensor(rng.normal(size=(2, 3)), batch("b"), spatial("x"))
    weights = tensor([1.0, 2.0, 4.0], spatial("x"))
    for method in ("auto", "CG", "GMRES"):
        assert_close(solve_linear(lambda x: weights * x, y, Solve(method)), y / weights, rtol=1e-8)


def test_batches_of_coefficients_and_unknowns(backend, rng):
    k = tensor([1.0, 2.0, 4.0], batch("b"))
    x = solve_linear(lambda x, k: k * x, vector([4, 8]), Solve(), k)
    np.testing.assert_allclose(x.numpy("b,x"), [[4, 8], [2, 4], [1, 2]])


def test_trees_are_solved_as_one_system(backend, rng):
    """Stokes-like: K u + Gᵀ p = f, G u = g."""
    k, g = rng.normal(size=(5, 5)), rng.normal(size=(3, 5))
    k = k @ k.T + np.eye(5)
    f, h = rng.normal(size=5), rng.normal(size=3)
    K, G = matrix(k), tensor(g, spatial("p"), dual("x"))
    Gt = tensor(g.T, spatial("x"), dual("p"))

    def block(tree):
        return {"u": K @ tree["u"] + Gt @ tree["p"], "p": G @ tree["u"]}

    expected = np.linalg.solve(np.block([[k, g.T], [g, np.zeros((3, 3))]]), np.concatenate([f, h]))
    for method in ("auto", "MINRES", "GMRES"):
        x = solve_linear(block, {"u": vector(f), "p": tensor(h, spatial("p"))}, Solve(method))
        np.testing.assert_allclose(x["u"].numpy("x"), expected[:5], atol=1e-7)
        np.testing.assert_allclose(x["p"].numpy("p"), expected[5:], atol=1e-7)


def test_components_of_different_sizes_are_one_unknown(backend, rng):
    a, b = vector(rng.normal(size=3)), vector(rng.normal(size=4))
    right = math.stack({"a": a, "b": b}, channel("c"))
    x = solve_linear(lambda u: 2 * u, right)
    assert_close(x.c["a"], a / 2)
    assert_close(x.c["b"], b / 2)


def test_right_hand_sides_can_be_preprocessed(backend):  # SEM 178
    def centred(y):
        return y - math.mean(y)

    for solve in (Solve(preprocess_y=centred), Solve().with_preprocessing(centred)):
        assert_close(solve_linear(lambda x: 2 * x, vector([2, 4]), solve), vector([-0.5, 0.5]))


# --- settings


def test_settings_are_immutable_and_checked(backend):
    solve = Solve()
    with pytest.raises(dataclasses.FrozenInstanceError):
        solve.x0 = 1
    assert solve.with_(rel_tol=0.1).rel_tol == 0.1
    assert solve.for_gradient().x0 is None
    assert Solve(gradient_solve=solve).for_gradient() is solve
    with pytest.raises(ValueError, match="rel_tol"):
        Solve(rel_tol=-1)
    with pytest.raises(ValueError, match="rank_deficiency"):
        Solve(rank_deficiency=2)
    with pytest.raises(TypeError, match="suppress"):
        Solve(suppress=[ValueError])
    with pytest.raises(TypeError, match="'CG'"):
        Solve(method=3)
    with pytest.raises(Unsupported, match="'GMRES'"):
        solve_linear(matrix(np.eye(2)), vector([1, 1]), Solve("Gauss"))
    with pytest.raises(Unsupported, match="1 to 8"):
        solve_linear(matrix(np.eye(2)), vector([1, 1]), Solve("biCG-stab(20)"))
    with pytest.raises(Unsupported, match="jacobi"):
        solve_linear(matrix(np.eye(2)), vector([1, 1]), Solve("CG", preconditioner="cluster"))
    with pytest.raises(Unsupported, match="diagonal"):
        solve_linear(untraceable, vector([1, 1]), Solve("CG", preconditioner="jacobi"))
    with pytest.raises(Unsupported, match="host"):
        solve_linear(matrix(np.eye(2)), vector([1, 1]), Solve("CG", preconditioner="ilu"))
    with pytest.raises(Unsupported, match="matrix"):
        solve_linear(untraceable, vector([1, 1]), Solve("scipy-direct"))


def test_regular_systems_at_the_limit_of_the_precision(backend):
    """Condition 1.6e6 in 32 bit: no x has a residual below the tolerance, which is no failure."""
    n = 2000

    def second_difference(x):
        wide = math.pad(x, {"x": (1, 1)}, math.extrapolation.ZERO)
        return 2 * x - wide.x[:-2] - wide.x[2:]

    i = np.arange(1, n + 1)
    with math.precision(32), SolveTape() as tape:
        x = solve_linear(second_difference, math.ones(spatial(x=n)))
    assert tape[0].outcome == "precision_limit"
    assert float(tape[0].residual_norm) < 0.1 * np.sqrt(n)
    np.testing.assert_allclose(x.numpy("x"), i * (n + 1 - i) / 2, rtol=0.01)


# --- failures


def test_wrong_arguments_say_what_to_do(backend):
    with pytest.raises(TypeError, match="dual dims"):
        solve_linear(3, vector([1, 1]))
    with pytest.raises(TypeError, match="Solve"):
        solve_linear(matrix(np.eye(2)), vector([1, 1]), "CG")
    with pytest.raises(IncompatibleShapes, match="no dual dims"):
        solve_linear(vector([1, 2]), vector([1, 1]))
    with pytest.raises(IncompatibleShapes, match="square"):
        solve_linear(tensor(np.ones((3, 2)), spatial("y"), dual("x")), math.ones(spatial(y=3)))
    with pytest.raises(IncompatibleShapes, match="lacks"):
        solve_linear(matrix(np.eye(2)), math.ones(spatial(y=2)))
    with pytest.raises(IncompatibleShapes, match="x"):
        solve_linear(matrix(np.eye(2)), math.ones(spatial(x=3)))
    with pytest.raises(IncompatibleShapes, match="tree"):
        solve_linear(matrix(np.eye(2)), {"a": vector([1, 1]), "b": vector([1, 1])})
    with pytest.raises(IncompatibleShapes, match="square"):
        solve_linear(lambda x: math.sum(x, "x"), vector([1, 1]))
    with pytest.raises(IncompatibleShapes, match="structure"):
        solve_linear(lambda x: x, (vector([1, 1]), vector([1, 1])), Solve(x0=vector([1, 1])))


def test_too_few_iterations(backend, rng):  # SEM 173
    a = matrix(np.diag([1.0, 2, 3, 4]))
    with pytest.raises(NotConverged, match="after 1 iterations") as caught:
        solve_linear(a, vector([1, 1, 1, 1]), Solve("CG", max_iterations=1))
    info = caught.value.result
    assert isinstance(info, math.SolveInfo)
    assert isinstance(caught.value, math.ConvergenceException)
    assert str(pickle.loads(pickle.dumps(NotConverged("text")))) == "text"
    assert (info.outcome, int(info.iterations), info.method) == ("not_converged", 1, "CG")
    assert float(info.residual_norm) > float(info.tolerance)
    assert len(info.history) == 1
    part = solve_linear(a, vector([1, 1, 1, 1]), Solve("CG", max_iterations=1, suppress=[NotConverged]))
    assert_close(part, info.x)
    assert 0 < float(math.max(part)) < 1
    with pytest.raises(NotConverged):
        info.convergence_check()
    with pytest.warns(math.ConvergenceWarning, match="after 1 iterations"):
        info.convergence_check(only_warn=True)


def test_indefinite_systems_break_conjugate_gradients(backend):
    for method in ("CG", "CG-adaptive", "flexible-CG"):
        with pytest.raises(Diverged, match="MINRES"):
            solve_linear(matrix(np.diag([1.0, -1, 2, -3, 4])), vector([1, 1, 1, 1, 1]), Solve(method))
    assert_close(solve_linear(matrix(np.diag([1.0, -1])), vector([1, 2])), vector([1, -2]))


def test_numbers_that_are_not_finite(backend):
    for method in ("auto", "CG", "GMRES"):
        with pytest.raises(Diverged, match="not finite"):
            solve_linear(
                lambda x: 2 * x, vector([1, np.nan]), Solve(method) if method != "CG" else Solve("MINRES")
            )
    with pytest.raises(Diverged):
        solve_linear(matrix([[1, np.nan], [0, 1]]), vector([1, 1]), Solve("GMRES"))
    y = tensor([[1.0, np.nan], [1.0, 2.0]], batch("b"), spatial("x"))
    x = solve_linear(matrix(2 * np.eye(2)), y, Solve("CG", suppress=[Diverged]))
    np.testing.assert_allclose(x.numpy("b,x")[1], [0.5, 1])


@pytest.mark.parametrize("method", ["auto", "CG", "MINRES", "biCG-stab", "GMRES"])
def test_zero_operators(method, backend):
    with pytest.raises(Diverged, match="0"):
        solve_linear(lambda x: 0 * x, vector([1, 2]), Solve(method))
    assert_close(solve_linear(lambda x: 0 * x, vector([0, 0]), Solve(method)), vector([0, 0]))


@pytest.mark.parametrize("bits", [32, 64])
def test_nothing_to_solve_is_recorded_without_warnings(bits, backend):
    """The bound is 0, too, and no precision may divide by it."""
    with math.precision(bits), SolveTape() as tape:
        assert_close(solve_linear(matrix(np.eye(2)), vector([0, 0]), Solve("CG")), vector([0, 0]))
    assert tape[0].msg == "CG: converged after 0 iterations; the residual is 0, the bound 0."


@pytest.mark.parametrize("method", ["auto", "MINRES", "GMRES", "biCG-stab(2)", "dense", "scipy-direct"])
def test_inconsistent_systems(method, backend):
    a = matrix([[1, 1, 0], [1, 1, 0], [0, 0, 1]])
    with pytest.raises((NotConverged, Diverged), match="singular"):
        solve_linear(a, vector([1, 2, 0]), Solve(method))


@pytest.mark.needs("jit")
@pytest.mark.compiled
def test_failures_leave_compiled_code(backend):
    run = math.jit_compile(lambda a, y: solve_linear(a, y, Solve("CG", max_iterations=5)))
    good = run(matrix(np.diag([1.0, 2])), vector([1, 2]))
    assert_close(good, vector([1, 1]), rtol=1e-6)
    bad = run(matrix(np.diag([1.0, -1])), vector([1, 1]))
    with pytest.raises(Diverged, match="CG in compiled code"):
        bad.numpy("x")
    quiet = math.jit_compile(lambda a, y: solve_linear(a, y, Solve("CG", suppress=[Diverged])))
    assert quiet(matrix(np.diag([1.0, -1])), vector([1, 1])).shape == spatial(x=2)
    slow = math.jit_compile(lambda a, y: solve_linear(a, y, Solve("CG", max_iterations=1)))
    late = slow(matrix(np.diag([1.0, 2])), vector([1, 2]))
    with pytest.raises(NotConverged, match="times its bound"):
        late.numpy("x")


# --- tapes


def test_tapes_record_solves(backend):
    first, second = Solve("CG"), Solve("GMRES")
    a = matrix(np.diag([1.0, 2, 3]))
    with SolveTape() as tape, SolveTape(second) as only:
        x = solve_linear(a, vector([1, 2, 3]), first)
        solve_linear(a, vector([1, 1, 1]), second)
    solve_linear(a, vector([1, 1, 1]), second)
    assert (len(tape), len(only)) == (2, 1)
    info = tape[first]
    assert info is tape[0]
    assert info.solve is first
    assert_close(info.x, x)
    assert_close(info.residual, vector([1, 2, 3]) - a @ x)
    assert (info.method, tape[second].method) == ("CG", "GMRES")
    assert info.solve_time > 0
    assert int(info.function_evaluations) >= int(info.iterations) > 0
    assert "converged" in info.msg
    assert info.msg in repr(info)
    assert [i.method for i in tape] == ["CG", "GMRES"]
    with pytest.raises(KeyError, match="2 others"):
        tape[Solve()]


def test_trajectories_end_where_the_solve_does(backend):
    with SolveTape(record_trajectories=True) as tape:
        solve_linear(matrix(np.diag([1.0, 2, 3])), vector([1, 2, 3]), Solve("CG"))
    info = tape[0]
    assert len(info.trajectory) == int(info.iterations) == len(info.history)
    errors = [float(math.max(abs(step.x - 1))) for step in info.trajectory]
    assert errors[-1] < 1e-9 < errors[0]
    assert int(info.snapshot(1).iterations) == 2
    with pytest.raises(IndexError, match="record_trajectories"):
        dataclasses.replace(info, trajectory=()).snapshot(0)


@pytest.mark.needs("jit")
@pytest.mark.compiled
def test_tapes_record_compiled_solves(backend):
    solve = Solve("CG")
    run = math.jit_compile(lambda a, y: solve_linear(a, y, solve))
    a = matrix(np.diag([1.0, 2, 3]))
    run(a, vector([1, 2, 3]))
    with SolveTape() as tape:
        x = run(a, vector([1, 2, 3]))
        run(a, vector([0, 0, 1]))
    assert len(tape) == 2
    assert_close(tape[0].x, x)
    assert int(tape[0].iterations) == 3
    assert int(tape[1].iterations) == 1
    assert tape[1].outcome == "converged"
    run(a, vector([1, 2, 3]))
    assert len(tape) == 2


@pytest.mark.needs("jit")
@pytest.mark.compiled
def test_compiled_loops_of_solves(backend):
    a = matrix(np.diag([2.0, 4]))
    run = math.jit_compile(lambda x: math.iterate(lambda s: solve_linear(a, s, Solve("CG")), 3, x))
    assert_close(run(vector([8, 64])), vector([1, 1]), rtol=1e-9)
