"""Derivatives of minima and of solutions of nonlinear systems beside exact ones and finite differences."""

import itertools

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import Solve, batch, spatial, tensor
from phi_tensor.testing import assert_close, check_gradient

EXECUTIONS = ["eager", pytest.param("jit", marks=pytest.mark.compiled)]


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


TIGHT = Solve(rel_tol=1e-13)


def argmin(a):
    """Minimum of a coupled, smooth loss."""

    def loss(x, a):
        return math.sum((x**2 - a) ** 2 + 0.3 * math.sin(a) * x) + 0.5 * math.sum(x) ** 2

    return math.minimize(loss, Solve(x0=math.ones(spatial(x=2)), rel_tol=1e-12, gradient_solve=TIGHT), a)


def root(a):
    """Solution of a coupled system whose Jacobian is not symmetric."""

    def f(x, a):
        return x + a * x**3 + 0.5 * math.roll(x, 1, "x") * x

    y = tensor([1.0, 2.0, 3.0], spatial("x"))
    return math.solve_nonlinear(f, y, Solve(rel_tol=1e-13, gradient_solve=TIGHT), a)


def coupled_root(a):
    y = math.sin(a) + 1
    solve = Solve("Anderson", rel_tol=1e-13, gradient_solve=TIGHT)
    return math.solve_nonlinear(lambda x, a: x + 0.3 * math.sin(a * x), y, solve, a)


CASES = {
    "minimize": (argmin, [1.2, 0.8]),
    "Newton": (root, [0.5, 1.0, 0.2]),
    "Anderson": (coupled_root, [0.5, 1.0]),
}


@pytest.mark.parametrize("name", CASES)
def test_first_derivatives_match_differences(name, differentiable):
    f, a = CASES[name]
    check_gradient(f, tensor(a, spatial("x")), rtol=1e-6)


def forward(f, v):
    return lambda a: math.jvp(f, (a,), (v,))[1]


def reverse(f, v):
    return lambda a: math.sum(math.gradient(f, get_output=False)(a) * v)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["minimize", "Newton"])
@pytest.mark.parametrize("execution", EXECUTIONS)
def test_every_nesting(name, execution, differentiable, rng):
    solution, at = CASES[name]
    at = tensor(at, spatial("x"))
    u, v = (tensor(rng.uniform(0.5, 1, at.shape.size), spatial("x")) for _ in range(2))
    f = lambda a: math.sum(math.sin(solution(a)))  # noqa: E731

    def nested(modes):
        g = f
        for mode, direction in zip(modes, (u, v), strict=False):
            g = mode(g, direction)
        return g

    def differences(g, direction, h=1e-3):
        return (
            8 * (g(at + h * direction) - g(at - h * direction))
            - g(at + 2 * h * direction)
            + g(at - 2 * h * direction)
        ) / (12 * h)

    second = float(differences(reverse(f, u), v))
    for modes in itertools.product((forward, reverse), repeat=2):
        found = float(executed(nested(modes), execution)(at))
        assert found == pytest.approx(second, rel=1e-5), [mode.__name__ for mode in modes]


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_exact_derivative_of_a_ridge_regression(execution, differentiable, rng):
    """Solution x = (AᵀA + λ)⁻¹ Aᵀ b, dx/dλ = −(AᵀA + λ)⁻¹ x, for each λ of a batch."""
    A, b = rng.normal(size=(6, 3)), rng.normal(size=6)
    matrix, target = tensor(A, spatial("rows"), math.dual("x")), tensor(b, spatial("rows"))

    def fitted(weight):
        def loss(x, weight):
            return math.l2_loss(matrix @ x - target) + weight * math.l2_loss(x)

        return math.minimize(
            loss, Solve(x0=math.zeros(spatial(x=3)), rel_tol=1e-12, gradient_solve=TIGHT), weight
        )

    weights = tensor([0.1, 2.0], batch("b"))
    slope = executed(math.gradient(lambda w: math.sum(fitted(w)), get_output=False), execution)(weights)
    for i, weight in enumerate((0.1, 2.0)):
        system = A.T @ A + weight * np.eye(3)
        x = np.linalg.solve(system, A.T @ b)
        assert float(slope.b[i]) == pytest.approx(-np.linalg.solve(system, x).sum(), rel=1e-6)


def test_bounds_hold_back_derivatives(differentiable):
    def found(a):
        return math.minimize(
            lambda x, a: math.l2_loss(x - a),
            Solve(x0=math.zeros(spatial(x=2)), rel_tol=1e-12),
            a,
            bounds=(0, 1),
        )

    a = tensor([0.5, 3.0], spatial("x"))
    slope = math.gradient(lambda a: math.sum(found(a)), get_output=False)
    if differentiable.name == "jax":  # whose derivatives hide the numbers that SciPy needs
        with pytest.raises(math.Unsupported, match="SciPy's"):
            slope(a)
    else:
        assert_close(slope(a), tensor([1.0, 0.0], spatial("x")), atol=1e-8, because="iterated")


def test_the_start_has_no_derivative(differentiable):
    slope = math.gradient(lambda s: math.minimize(lambda x: (x - 2) ** 2, Solve(x0=s)), get_output=False)(
        tensor(1.0)
    )
    assert float(slope) == 0


@pytest.mark.parametrize("derivative", ["reverse", "forward"])
@pytest.mark.parametrize("function", ["minimize", "solve_nonlinear"])
@pytest.mark.parametrize("start", ["constant", "differentiated"])
def test_captured_arrays_raise(derivative, function, start, differentiable):
    def solution(a):
        first = Solve(x0=tensor(1.0) if start == "constant" else 0 * a)
        if function == "minimize":
            return math.minimize(lambda x: (x - a) ** 2 + x**4, first)
        return math.solve_nonlinear(lambda x: x + a * x**3, 2.0, first)

    def slope(a):
        return math.gradient(solution)(a) if derivative == "reverse" else math.jvp(solution, (a,), (a,))

    with pytest.raises(math.Unsupported, match="outside"):
        slope(tensor(2.0))


def test_integer_arguments_stay_what_they_are(differentiable):
    def found(a, index):
        return math.minimize(
            lambda x, a, index: (x - math.sum(math.where(places == index, a, 0))) ** 2,
            Solve(x0=0.0, rel_tol=1e-12),
            a,
            index,
        )

    a, index = tensor([1.0, 2.0, 3.0], spatial("x")), tensor(1)
    places = tensor([0, 1, 2], spatial("x"))
    slope = math.gradient(lambda a: found(a, index), get_output=False)(a)
    assert_close(slope, tensor([0.0, 1.0, 0.0], spatial("x")), atol=1e-9, because="iterated")
