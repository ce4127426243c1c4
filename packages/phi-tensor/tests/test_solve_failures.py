"""Systems that cannot be solved: each says what is wrong and what to do, by every method."""

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import Diverged, IncompatibleShapes, NotConverged, Solve, dual, solve_linear, spatial, tensor
from phi_tensor.testing import assert_close

FAILED = (NotConverged, Diverged)
SYSTEMS = {
    "inconsistent": ([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 2]], [1, 2, 0, 1]),
    "zero operator": (np.zeros((4, 4)), [1, 2, 3, 4]),
    "NaN in b": (2 * np.eye(4), [1, np.nan, 1, 1]),
    "infinity in b": (2 * np.eye(4), [1, np.inf, 1, 1]),
    "NaN in A": ([[1, np.nan, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], [1, 1, 1, 1]),
    "indefinite": (np.diag([1.0, -1, 2, -3]), [1, 1, 1, 1]),
}
REASONS = {
    "inconsistent": (FAILED, "singular|consistent|within its range"),
    "zero operator": (FAILED, "singular|consistent|one sign"),
    "NaN in b": (Diverged, "finite"),
    "infinity in b": (Diverged, "finite"),
    "NaN in A": (Diverged, "finite"),
    "indefinite": (Diverged, "eigenvalues have one sign.*'MINRES'"),
}
"""Error of each system and what its text must mention."""
ONLY_DEFINITE = ("CG", "CG-adaptive", "flexible-CG")
METHODS = (*ONLY_DEFINITE, "auto", "MINRES", "GMRES", "biCG", "biCG-stab(2)", "dense")
HOST = ("scipy-direct", "scipy-CG", "scipy-GMres", "scipy-MINRES", "scipy-lsqr")


@pytest.fixture(autouse=True)
def double_precision():
    with math.precision(64):
        yield


def matrix(a):
    return tensor(np.asarray(a, float), spatial("x"), dual("x"))


def vector(b):
    return tensor(np.asarray(b, float), spatial("x"))


def check(run, name, method):
    a, b = SYSTEMS[name]
    if name == "indefinite" and method not in ONLY_DEFINITE:
        expected = np.linalg.solve(a, b)
        assert_close(run(matrix(a), vector(b)), vector(expected), rtol=1e-8)
        return ""
    error, words = REASONS[name]
    with pytest.raises(error, match=words) as caught:
        run(matrix(a), vector(b)).numpy("x")
    text = str(caught.value)
    assert text.startswith(method if method != "auto" else ("dense", "transform")), text
    assert "Use " in text or "Check " in text or "allow more iterations" in text, text
    return text


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("method", METHODS)
def test_eager_failures(method, name, backend):
    text = check(lambda a, b: solve_linear(a, b, Solve(method)), name, method)
    if text:
        assert "the residual is" in text
        assert "the bound" in text


@pytest.mark.parametrize("name", [n for n in SYSTEMS if n != "indefinite"])
@pytest.mark.parametrize("method", HOST)
def test_failures_on_the_host(method, name, backend):
    """What SciPy warns of or raises does not come through."""
    check(lambda a, b: solve_linear(a, b, Solve(method)), name, method)


@pytest.mark.compiled
@pytest.mark.needs("jit")
@pytest.mark.parametrize("method", ["auto", "CG", "GMRES"])
def test_compiled_failures(method, backend):
    run = math.jit_compile(lambda a, b: solve_linear(a, b, Solve(method)))
    for name in SYSTEMS:
        text = check(run, name, method)
        assert not text or "in compiled code" in text, text


@pytest.mark.compiled
@pytest.mark.needs("jit")
def test_singular_matrices_in_compiled_code_say_how_else(backend):
    """Consistent, but singular: `auto` takes another method only where it sees numbers."""
    a, b = matrix(np.diag([1, 2, 0])), vector([1, 2, 0])
    assert_close(a @ solve_linear(a, b), b, atol=1e-8)
    with pytest.raises(Diverged, match=r"compiled code.*for singular matrices"):
        math.jit_compile(solve_linear)(a, b).numpy("x")


def test_wrong_shapes(execution, backend):
    wrong = [
        (math.ones(spatial(x=4)), vector([1, 1, 1, 1]), "no dual dims"),
        (tensor(np.ones((3, 2)), spatial("y"), dual("x")), math.ones(spatial(y=3)), "square"),
        (matrix(np.eye(2)), math.ones(spatial(y=2)), "lacks"),
        (matrix(np.eye(2)), math.ones(spatial(x=3)), "x"),
    ]
    run = execution(lambda a, b: solve_linear(a, b))
    for a, b, words in wrong:
        with pytest.raises(IncompatibleShapes, match=words):
            run(a, b)
