"""Iterative methods beside NumPy's direct solver, for systems of every kind, batched and compiled."""

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import Solve, batch, dual, spatial, tensor

N = 24


@pytest.fixture(autouse=True)
def double_precision():
    with math.precision(64):
        yield


def definite(rng):
    a = rng.normal(size=(N, N))
    return a @ a.T / N + np.eye(N)


def general(rng):
    return rng.normal(size=(N, N)) / N**0.5 + 3 * np.eye(N)


def indefinite(rng):
    q, _ = np.linalg.qr(rng.normal(size=(N, N)))
    return q @ np.diag(np.linspace(-2, 3, N)) @ q.T


KINDS = {
    "definite": definite,
    "negative": lambda rng: -definite(rng),
    "indefinite": indefinite,
    "general": general,
}
METHODS = {
    "CG": ["definite", "negative"],
    "CG-adaptive": ["definite", "negative"],
    "flexible-CG": ["definite", "negative"],
    "MINRES": ["definite", "negative", "indefinite"],
    "biCG": ["definite", "general"],
    "biCG-stab": ["definite", "general"],
    "biCG-stab(2)": ["definite", "negative", "general"],
    "biCG-stab(4)": ["definite", "general"],
    "GMRES": ["definite", "indefinite", "general"],
    "GMRES(5)": ["definite", "general"],
}


def solved(matrix, right, solve, **kwargs):
    dims = spatial("x")
    a = tensor(matrix, *([batch("b")] if matrix.ndim == 3 else []), dims, dual(*dims.names))
    b = tensor(right, *([batch("b")] if right.ndim == 2 else []), dims)
    with math.SolveTape(**kwargs) as tape:
        x = math.solve_linear(a, b, solve)
    return x.numpy([*(["b"] if "b" in x.shape else []), *dims.names]), tape[0]


@pytest.mark.parametrize(("method", "kind"), [(m, k) for m, kinds in METHODS.items() for k in kinds])
def test_solutions_are_those_of_numpy(method, kind, backend, rng):
    a, b = KINDS[kind](rng), rng.normal(size=N)
    x, info = solved(a, b, Solve(method, rel_tol=1e-10))
    expected = np.linalg.solve(a, b)
    np.testing.assert_allclose(x, expected, atol=1e-9 * np.linalg.cond(a) * abs(expected).max())
    assert info.outcome == "converged"
    assert np.linalg.norm(b - a @ x) <= 1e-10 * np.linalg.norm(b)
    assert 0 < int(info.iterations) <= 4 * N


@pytest.mark.parametrize("method", ["CG", "MINRES", "biCG-stab(2)", "GMRES"])
def test_every_system_stops_for_itself(method, backend, rng):
    easy, hard = np.diag(np.linspace(1, 1.1, N)), definite(rng)
    a, b = np.stack([easy, hard, np.eye(N)]), rng.normal(size=(3, N))
    x, info = solved(a, b, Solve(method, rel_tol=1e-9))
    np.testing.assert_allclose(x, np.linalg.solve(a, b[..., None])[..., 0], rtol=1e-7, atol=1e-7)
    counts = info.iterations.numpy("b")
    assert counts[2] <= 2 < counts[0] < counts[1]
    for i in range(3):
        alone, single = solved(a[i], b[i], Solve(method, rel_tol=1e-9))
        assert int(single.iterations) == counts[i]
        np.testing.assert_allclose(alone, x[i], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("method", ["CG", "MINRES", "biCG-stab(2)", "GMRES", "biCG"])
def test_complex_systems(method, backend, rng):
    a = rng.normal(size=(N, N)) + 1j * rng.normal(size=(N, N))
    a = a @ a.conj().T / N + np.eye(N) if method in ("CG", "MINRES") else a / N**0.5 + 4 * np.eye(N)
    b = rng.normal(size=N) + 1j * rng.normal(size=N)
    x, _ = solved(a, b, Solve(method, rel_tol=1e-11))
    np.testing.assert_allclose(x, np.linalg.solve(a, b), atol=1e-8)


def test_minimal_residuals_of_skew_systems_need_no_residual_that_falls(backend, rng):
    s = rng.normal(size=(N, N))
    a, b = s - s.T, rng.normal(size=N)
    x, _ = solved(a, b, Solve("GMRES(30)", rel_tol=1e-9))
    np.testing.assert_allclose(a @ x, b, atol=1e-8 * np.linalg.norm(b))


def test_singular_but_consistent_systems(backend, rng):
    q, _ = np.linalg.qr(rng.normal(size=(N, N)))
    values = np.linspace(-1, 3, N)
    values[[3, 7]] = 0
    a = q @ np.diag(values) @ q.T
    b = a @ rng.normal(size=N)
    for method in ("MINRES", "auto"):
        x, _ = solved(a, b, Solve(method, rel_tol=1e-9))
        np.testing.assert_allclose(a @ x, b, atol=1e-8)
    np.testing.assert_allclose(
        solved(a, b, Solve("MINRES", rel_tol=1e-10))[0], np.linalg.pinv(a) @ b, atol=1e-6
    )


def laplacian(n):
    return 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)


@pytest.mark.parametrize("method", ["CG", "flexible-CG", "CG-adaptive", "MINRES", "biCG-stab", "GMRES"])
@pytest.mark.parametrize("preconditioner", ["jacobi", "chebyshev", "function"])
def test_preconditioners_save_iterations(method, preconditioner, backend, rng):
    scale = np.diag(rng.uniform(1, 30, 60))
    a = scale @ laplacian(60) @ scale
    inverse = tensor(np.linalg.inv(a + 0.01 * np.diag(np.diag(a))), spatial("x"), dual("x"))
    given = preconditioner if preconditioner != "function" else lambda r: inverse @ r
    b = rng.normal(size=60)
    plain = solved(a, b, Solve(method, rel_tol=1e-8, suppress=[math.NotConverged, math.Diverged]))[1]
    x, info = solved(a, b, Solve(method, rel_tol=1e-8, preconditioner=given))
    np.testing.assert_allclose(a @ x, b, atol=1e-7 * np.linalg.norm(b))
    assert int(info.iterations) < int(plain.iterations)


def test_tolerances_and_limits_by_system(backend, rng):
    a, b = definite(rng), rng.normal(size=N)
    y = tensor(np.stack([b, b, b]), batch("b"), spatial("x"))
    solve = Solve("CG", rel_tol=tensor([0.5, 1e-3, 1e-9], batch("b")))
    with math.SolveTape() as tape:
        x = math.solve_linear(tensor(a, spatial("x"), dual("x")), y, solve).numpy("b,x")
    counts = tape[solve].iterations.numpy("b")
    assert counts[0] < counts[1] < counts[2]
    left = np.linalg.norm(b - x @ a.T, axis=1) / np.linalg.norm(b)
    assert (left <= [0.5, 1e-3, 1e-9]).all()
    limits = Solve("CG", max_iterations=tensor([1, 2, 100], batch("b")), suppress=[math.NotConverged])
    with math.SolveTape() as tape:
        math.solve_linear(tensor(a, spatial("x"), dual("x")), y, limits)
    np.testing.assert_array_equal(tape[limits].iterations.numpy("b")[:2], [1, 2])
    np.testing.assert_array_equal(tape[limits].converged.numpy("b"), [False, False, True])


def test_scales_do_not_matter(backend, rng):
    a, b = definite(rng), rng.normal(size=N)
    for precision, factor in ((64, 1e-250), (64, 1e250), (32, 1e-30), (32, 1e30)):
        with math.precision(precision):
            x, _ = solved(a, b * factor, Solve("CG"))
        np.testing.assert_allclose(x / factor, np.linalg.solve(a, b), rtol=1e-3)


def test_ill_conditioned_systems_end_at_the_precision_limit(backend, rng):
    q, _ = np.linalg.qr(rng.normal(size=(N, N)))
    a = q @ np.diag(np.logspace(-5, 0, N)) @ q.T
    with math.precision(32):
        for method in ("CG", "MINRES", "dense"):
            _, info = solved(a.astype(np.float32), rng.normal(size=N), Solve(method))
            assert info.outcome in ("converged", "precision_limit")
            assert float(info.residual_norm) <= float(info.tolerance)
    a, b = a.astype(np.float32), rng.normal(size=N).astype(np.float32)
    with math.precision(32):
        _, info = solved(a, b, Solve("dense", rel_tol=1e-9))
    assert info.outcome == "precision_limit"
    assert bool(info.converged)


def test_right_hand_sides_of_zero_and_good_guesses_take_no_iteration(backend, rng):
    a = definite(rng)
    x, info = solved(a, np.zeros(N), Solve("CG"))
    assert not x.any()
    assert int(info.iterations) == 0
    b = rng.normal(size=N)
    guess = tensor(np.linalg.solve(a, b), spatial("x"))
    assert int(solved(a, b, Solve("CG", x0=guess))[1].iterations) == 0


@pytest.mark.compiled
@pytest.mark.needs("jit")
@pytest.mark.parametrize("method", ["CG", "biCG-stab(2)", "GMRES(5)"])
def test_compiled_methods_give_the_same(method, backend, rng):
    a, b = definite(rng), rng.normal(size=(2, N))
    matrix = tensor(a, spatial("x"), dual("x"))
    run = math.jit_compile(lambda m, y: math.solve_linear(m, y, Solve(method)))
    x = run(matrix, tensor(b, batch("b"), spatial("x"))).numpy("b,x")
    np.testing.assert_allclose(x, np.linalg.solve(a, b.T).T, atol=1e-8)
