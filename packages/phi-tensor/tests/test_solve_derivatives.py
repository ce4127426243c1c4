"""Derivatives of solves beside difference quotients in 64 bit: every nesting, eager and compiled."""

import itertools

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import Solve, batch, channel, dual, solve_linear, spatial, tensor
from phi_tensor.testing import check_gradient

pytestmark = pytest.mark.needs("reverse", "forward")


@pytest.fixture(autouse=True)
def double_precision():
    with math.precision(64):
        yield


def total(x):
    return math.sum(x, lambda shape: shape)


N = 4
TIGHT = {"rel_tol": 1e-13}


def given(rng):
    return tensor(rng.normal(size=(2, N)), batch("b"), spatial("x")), tensor(rng.normal(size=(N, N)), *MATRIX)


MATRIX = (spatial("x"), dual("x"))


def dense(method):
    """Coefficients hidden in a matrix, and right-hand sides."""

    def make(rng):
        y, m = given(rng)
        regular = tensor(6 * np.eye(N), *MATRIX) + m

        def loss(a):
            matrix = regular + 0.2 * m * a + 0.3 * math.rename_dims(a, "x", dual("x"))
            return total(math.sin(solve_linear(matrix, y * a, Solve(method, **TIGHT))))

        return loss

    return make


def function(method, apart=True):
    """A coefficient and a bias within a function; periodic, not symmetric. Traced unless `apart`."""

    def make(rng):
        y, _ = given(rng)

        def f(x, a):
            x = math.real(math.ifft(math.fft(x))) if apart else x
            return 3 * x + a * math.roll(x, 1, "x") + 0.3 * a * a

        return lambda a: total(math.sin(solve_linear(f, y * a, Solve(method, **TIGHT), a)))

    return make


def singular(method):
    """Variable-coefficient Laplacian of a closed line: constants are its null space."""

    def make(rng):
        y, _ = given(rng)

        def f(x, a):
            flux = a[{"x": slice(1, None)}] * (x[{"x": slice(1, None)}] - x[{"x": slice(0, -1)}])
            none = flux[{"x": slice(0, 1)}] * 0
            return math.concat([flux, none], "x") - math.concat([none, flux], "x")

        solve = Solve(method, rank_deficiency=1, **TIGHT)
        return lambda a: total(math.sin(solve_linear(f, y * a, solve, a)))

    return make


def blocks(rng):
    """A block system: a tree as unknown."""
    y, _ = given(rng)

    def f(tree, a):
        return {"u": 4 * tree["u"] + a * tree["v"], "v": 3 * tree["v"] - a * tree["u"]}

    def loss(a):
        x = solve_linear(f, {"u": y * a, "v": y + a}, Solve("GMRES", **TIGHT), a)
        return total(math.sin(x["u"]) * x["v"])

    return loss


def broadcast(rng):  # WEAKNESSES A51
    """One number as coefficient of a diagonal operator."""
    y, _ = given(rng)
    return lambda a: total(math.sin(solve_linear(lambda x, k: k * x, y, Solve("CG", **TIGHT), a.x[0])))


SYSTEMS = {
    "dense": dense("auto"),
    "dense GMRES": dense("GMRES"),
    "function biCG-stab": function("biCG-stab(2)"),
    "function GMRES": function("GMRES"),
    "function biCG": function("biCG"),
    "traced": function("auto", apart=False),
    "singular CG": singular("CG"),
    "singular MINRES": singular("MINRES"),
    "blocks": blocks,
    "broadcast": broadcast,
}
NESTINGS = [("forward",), ("reverse",), *itertools.product(("forward", "reverse"), repeat=2)]


def forward(f, v):
    return lambda x: math.jvp(f, (x,), (v,))[1]


def reverse(f, v):
    return lambda x: total(math.gradient(f, get_output=False)(x) * v)


def nested(f, nesting, directions):
    for mode, v in zip(nesting, directions, strict=False):
        f = {"forward": forward, "reverse": reverse}[mode](f, v)
    return f


def differences(f, x, directions, step=1e-3):
    if not directions:
        return float(f(x))
    v, *rest = directions
    weights = {1: 8, -1: -8, 2: -1, -2: 1}
    return sum(w * differences(f, x + (k * step) * v, rest, step) for k, w in weights.items()) / (12 * step)


@pytest.mark.parametrize("name", SYSTEMS)
def test_all_nestings_agree_with_differences(name, backend, rng):
    f = SYSTEMS[name](rng)
    x, u, v = (tensor(rng.uniform(0.5, 1, N), spatial("x")) for _ in range(3))
    expected = {1: differences(f, x, [u]), 2: differences(f, x, [u, v])}
    for nesting in NESTINGS:
        actual = float(nested(f, nesting, (u, v))(x))
        assert actual == pytest.approx(expected[len(nesting)], rel=1e-6, abs=1e-7), nesting


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.parametrize("name", ["dense", "function biCG"])
def test_all_nestings_compile(name, backend, rng):
    f = SYSTEMS[name](rng)
    x, u, v = (tensor(rng.uniform(0.5, 1, N), spatial("x")) for _ in range(3))
    expected = {1: differences(f, x, [u]), 2: differences(f, x, [u, v])}
    run = math.jit_compile(lambda x: [nested(f, nesting, (u, v))(x) for nesting in NESTINGS])
    for nesting, result in zip(NESTINGS, run(x), strict=True):
        actual = float(result)
        assert actual == pytest.approx(expected[len(nesting)], rel=1e-6, abs=1e-7), nesting


def test_gradients_of_matrices_and_sides(backend, rng):
    a = tensor(rng.normal(size=(N, N)) + 5 * np.eye(N), *MATRIX)
    y = tensor(rng.normal(size=(N, 2)), spatial("x"), channel("c"))
    check_gradient(lambda a, y: solve_linear(a, y, Solve(**TIGHT)), a, y)


def test_gradient_of_the_side_is_an_adjoint_solve(backend):  # SEM 181
    slope = math.gradient(lambda y: math.sum(solve_linear(lambda x: 2 * x, y)), get_output=False)
    np.testing.assert_allclose(slope(tensor([1.0, 2.0], spatial("x"))).numpy("x"), [0.5, 0.5])


def circular(a, x):
    """Circular convolution, a linear function that has no matrix here."""
    return math.real(math.ifft(math.fft(a) * math.fft(x)))


def test_arrays_that_traced_functions_capture_count(backend, rng):
    y = tensor(rng.normal(size=N), spatial("x"))
    check_gradient(lambda a: solve_linear(lambda x: a * x, y, Solve("CG", **TIGHT)), math.ones(spatial(x=N)))


def test_arrays_that_other_functions_capture_raise(backend, rng):
    y = tensor(rng.normal(size=N), spatial("x"))
    delta = tensor([1.0, *[0.0] * (N - 1)], spatial("x"))

    def loss(a):
        return math.sum(solve_linear(lambda x: circular(a, x), y, Solve("GMRES")))

    for derivative in (lambda a: math.gradient(loss)(a), lambda a: math.jvp(loss, (a,), (a,))):
        with pytest.raises(math.Unsupported, match="argument"):
            derivative(delta)
    constant = math.gradient(lambda a: loss(math.stop_gradient(a)) + math.sum(a), get_output=False)
    np.testing.assert_allclose(constant(delta).numpy("x"), np.ones(N))
    as_argument = lambda a: solve_linear(lambda x, a: circular(a, x), y, Solve("GMRES", **TIGHT), a)  # noqa: E731
    check_gradient(as_argument, delta + 0.1 * y)


@pytest.mark.compiled
def test_compiled_functions_by_captured_arrays_raise(backend, rng):
    y = tensor(rng.normal(size=N), spatial("x"))
    delta = tensor([1.0, *[0.0] * (N - 1)], spatial("x"))

    def loss(a):
        return math.sum(solve_linear(lambda x: circular(a, x), y, Solve("GMRES")))

    np.testing.assert_allclose(float(math.jit_compile(loss)(delta)), float(math.sum(y)))
    with pytest.raises(math.Unsupported, match="argument"):
        math.jit_compile(math.gradient(loss))(delta)


def test_operators_can_be_constants(backend, rng):
    y = tensor(rng.normal(size=N), spatial("x"))

    def loss(a, grad_for_f):
        x = solve_linear(lambda x, a: a * x, y, Solve("CG"), a, grad_for_f=grad_for_f)
        return math.sum(x) + math.sum(a)

    ones = math.ones(spatial(x=N))
    slope = math.gradient(lambda a: loss(a, False), get_output=False)(ones)
    np.testing.assert_allclose(slope.numpy("x"), np.ones(N))
    slope = math.gradient(lambda a: loss(a, True), get_output=False)(ones)
    np.testing.assert_allclose(slope.numpy("x"), 1 - y.numpy("x"))


def test_failing_adjoint_solves_are_seen(backend, rng):
    a = tensor(np.diag([1.0, 2, 3, 4]), *MATRIX)
    solve = Solve("CG", gradient_solve=Solve("CG", max_iterations=1))
    slope = math.gradient(lambda y: math.sum(solve_linear(a, y, solve)), get_output=False)

    def found():
        try:
            return slope(math.ones(spatial(x=N))).numpy("x")
        except math.NotConverged as error:  # where derivatives have numbers
            return np.nan if "Adjoint" in str(error) else 0

    assert np.isnan(found()).all()
