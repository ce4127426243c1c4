"""Derivatives against finite differences and exact solutions.

Every nesting of forward and reverse, eager and compiled.
"""

import gc
import itertools
import weakref

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import batch, channel, dual, spatial, tensor, vec
from phi_tensor.testing import assert_close

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


def forward(f, direction):
    return lambda x: math.jvp(f, (x,), (direction,))[1]


def reverse(f, direction):
    return lambda x: math.sum(math.gradient(f, get_output=False)(x) * direction)


def smooth(x):
    return math.sum(math.sin(x) * math.exp(-(x**2)) + x**3)


def looped(x):
    return math.sum(math.iterate(lambda s: s + 0.1 * math.sin(s * x), 4, x))


def transformed(x):
    return math.sum(math.sin(math.real(math.ifft(math.fft(x) * math.fft(x)))))


def vectors(x):
    return math.sum(math.vec_length(math.stack({"u": x, "v": math.cos(x)}, channel("vector")), "vector"))


def with_rule(x):
    square = math.custom_gradient(lambda x: x * x, lambda inputs, y, dy: {"x": 2 * inputs["x"] * dy})
    return math.sum(square(x) * x)


FUNCTIONS = {
    "smooth": smooth,
    "iterate": looped,
    "fft": transformed,
    "vectors": vectors,
    "custom_gradient": with_rule,
}
MODES = {"forward": forward, "reverse": reverse}


def derivative_along(f, x, directions, step=1e-3):
    """Nested central differences of fourth order."""
    if not directions:
        return float(f(x))
    v, *rest = directions
    weights = {1: 8, -1: -8, 2: -1, -2: 1}
    return sum(w * derivative_along(f, x + (k * step) * v, rest, step) for k, w in weights.items()) / (
        12 * step
    )


@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_first_and_second_derivatives_in_every_nesting(name, execution, differentiable, rng):
    f = FUNCTIONS[name]
    x, u, v = (tensor(rng.uniform(0.3, 1, 3), spatial("x")) for _ in range(3))
    nestings = [(mode,) for mode in MODES] + list(itertools.product(MODES, repeat=2))

    def all_nestings(x):
        results = []
        for nesting in nestings:
            g = f
            for mode, direction in zip(nesting, (u, v), strict=False):
                g = MODES[mode](g, direction)
            results.append(g(x))
        return results

    expected = {1: derivative_along(f, x, [u]), 2: derivative_along(f, x, [u, v])}
    for nesting, result in zip(nestings, executed(all_nestings, execution)(x), strict=True):
        assert float(result) == pytest.approx(expected[len(nesting)], rel=1e-6), nesting


def test_forward_mode_starts_from_constants(differentiable):
    x, v = math.zeros(spatial(x=3)), tensor([1.0, 2.0, 3.0], spatial("x"))
    assert_close(math.jvp(lambda x: x * x + 3 * x, (x,), (v,))[1], 3 * v)

    def slope(x):
        return math.jvp(lambda x: x**3 + x * x, (x,), (math.ones(spatial(x=3)),))[1]

    assert_close(math.jvp(slope, (x,), (v,))[1], 2 * v)


def test_numpy_says_that_it_has_no_derivatives(backend):  # SEM 168
    if "reverse" in backend.supports:
        return
    for transform in (
        math.gradient(smooth),
        math.jacobian(smooth),
        math.hessian(smooth),
        lambda x: math.vjp(smooth, x),
    ):
        with pytest.raises(math.Unsupported, match="jax"):
            transform(tensor([1.0], spatial("x")))


def test_gradient_has_the_structure_of_wrt(differentiable):  # SEM 163, 165, WEAKNESSES B10
    def loss(a, b):
        return math.l2_loss(a["p"] * b)

    a, b = {"p": tensor(2.0)}, tensor(3.0)
    assert float(math.gradient(loss)(a, b)[1]["p"]) == 18
    value, (ga, gb) = math.gradient(loss, "a,b")(a, b)
    assert (float(value), float(ga["p"]), float(gb)) == (18, 18, 12)
    assert float(math.gradient(loss, "b", get_output=False)(a, b=b)) == 12


def test_other_outputs_are_passed_on(differentiable):  # SEM 164
    (loss, aux), slope = math.gradient(lambda x: (x * x, {"name": "aux", "x": x + 1}))(tensor(3.0))
    assert (float(loss), float(aux["x"]), aux["name"], float(slope)) == (9, 4, "aux", 6)


def test_each_example_gets_its_own_gradient(differentiable, rng):  # SEM 54
    x = tensor(rng.normal(size=(2, 3)), batch("b"), spatial("x"))
    value, slope = math.gradient(math.l2_loss)(x)
    assert value.shape == batch(b=2)
    assert_close(slope, x)


def test_ints_and_constants_count_as_full_floats(differentiable):  # SEM 167
    assert float(math.gradient(math.l2_loss, get_output=False)(3)) == 3
    slope = math.gradient(lambda x: math.sum(x * tensor([1.0, 2.0], spatial("x"))), get_output=False)(
        math.ones(spatial(x=2))
    )
    assert_close(slope, tensor([1.0, 2.0], spatial("x")))


def test_losses_with_other_dims_are_refused(differentiable):
    with pytest.raises(math.IncompatibleShapes, match="jacobian"):
        math.gradient(lambda x: 2 * x)(math.ones(spatial(x=2)))
    with pytest.raises(math.IncompatibleShapes, match="outside"):
        math.gradient(lambda x: x, "masses")(tensor(1.0))


def test_jacobian_of_a_linear_map_is_its_matrix(differentiable, rng):  # WEAKNESSES B11
    matrix = tensor(rng.normal(size=(2, 3)), channel("r"), math.dual("x"))
    x = tensor(rng.normal(size=3), spatial("x"))
    y, jacobian = math.jacobian(lambda x: matrix @ x)(x)
    assert y.shape == channel(r=2)
    assert_close(jacobian, matrix)


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_hessian_of_a_quadratic_form(execution, differentiable, rng):
    a = rng.normal(size=(3, 3))
    matrix = tensor(a + a.T, spatial("x"), math.dual("x"))

    def form(v):
        return 0.5 * math.sum(v * (matrix @ v))

    x = tensor(rng.normal(size=3), spatial("x"))
    value, slope, hessian = executed(math.hessian(form), execution)(x)
    assert_close(value, form(x))
    assert_close(slope, matrix @ x)
    assert_close(hessian, matrix, rtol=1e-10)


def test_hessian_of_several_arguments_has_all_blocks(differentiable):
    _, _, blocks = math.hessian(lambda a, b: a * a * b, "a,b")(tensor(2.0), tensor(3.0))
    assert [[float(block) for block in row] for row in blocks] == [[6, 4], [4, 0]]


def test_batched_hessian_keeps_examples_apart(differentiable, rng):
    x = tensor(rng.normal(size=(2, 3)), batch("b"), spatial("x"))
    hessian = math.hessian(lambda x: math.sum(x**3), get_output=False, get_gradient=False)(x)
    assert set(hessian.shape.names) == {"b", "x", "~x"}
    for b in range(2):
        assert_close(hessian.b[b], tensor(np.diag(6 * x.b[b].numpy("x")), spatial("x"), math.dual("x")))


def test_pullback_and_pushforward_agree(differentiable, rng):
    x, v = (tensor(rng.normal(size=3), spatial("x")) for _ in range(2))
    w = tensor(rng.normal(size=3), spatial("x"))

    def f(x):
        return math.sin(x) * math.sum(x)

    _, pullback = math.vjp(f, x)
    _, pushed = math.jvp(f, (x,), (v,))
    assert_close(math.sum(pullback(w)[0] * v), math.sum(w * pushed))


def test_stop_gradient_cuts(differentiable):
    assert float(math.gradient(lambda x: x * math.stop_gradient(x), get_output=False)(tensor(3.0))) == 3


def test_custom_gradient_replaces_the_rule(differentiable):  # SEM 169
    identity = math.custom_gradient(lambda x: x, lambda inputs, y, dy: {"x": 7 * dy})
    assert float(math.gradient(lambda x: identity(x), get_output=False)(tensor(3.0))) == 7
    partial = math.custom_gradient(lambda x, y: x * y, lambda inputs, z, dz: {"x": dz * inputs["y"]})
    _, (gx, gy) = math.gradient(lambda x, y: partial(x, y), "x,y")(tensor(2.0), tensor(3.0))
    assert (float(gx), float(gy)) == (3, 0)
    wrong = math.custom_gradient(lambda x: x, lambda inputs, y, dy: {"z": dy})
    with pytest.raises(math.IncompatibleShapes, match="z"):
        math.gradient(lambda x: wrong(x))(tensor(1.0))


def test_safe_functions_have_finite_derivatives_at_zero(differentiable):
    zero = math.zeros(channel(vector="x,y"))
    for f in (
        lambda v: math.vec_length(v, eps=1e-3),
        lambda v: math.vec_length(v),
        lambda v: math.sum(math.divide_no_nan(v, math.vec_squared(v) ** 1.5)),
    ):
        slope = math.gradient(f, get_output=False)(zero)
        assert_close(slope, zero, because="the derivative at zero is defined as 0")


def test_gradient_of_vectors_from_labels(differentiable):
    slope = math.gradient(lambda v: v["x"] * v["y"], get_output=False)(vec(x=2.0, y=3.0))
    assert_close(slope, vec(x=3.0, y=2.0))


@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize("stored", ["together", "apart"])
def test_jacobians_of_vectors(differentiable, execution, stored):
    """Compiled functions hold the components of vectors apart, eager ones as users stored them."""
    x = tensor([1.0, 2.0], channel(vector="x,y"))
    if stored == "apart":
        x = math.stack({name: x.vector[name] for name in "xy"}, channel("vector"))
    matrix = dual(vector="x,y"), channel(vector="x,y")
    slopes = executed(math.jacobian(lambda v: v * v, get_output=False), execution)(x)
    assert_close(slopes, tensor([[2.0, 0.0], [0.0, 4.0]], *matrix))
    total = math.hessian(lambda v: math.sum(v**3), get_output=False, get_gradient=False)
    assert_close(executed(total, execution)(x), tensor([[6.0, 0.0], [0.0, 12.0]], *matrix))


# --- complex numbers


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_gradient_by_complex_numbers_is_the_steepest_ascent(execution, differentiable):
    z = tensor([1 + 2j, 0.5 - 1j], spatial("x"))
    slope = executed(math.gradient(lambda z: math.sum(math.abs_square(z)), get_output=False), execution)(z)
    assert_close(slope, 2 * z)
    slope = math.gradient(lambda z: math.sum((z * z).imag), get_output=False)(z)
    assert_close(slope.numpy("x"), 2j * np.conj(z.numpy("x")))


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_complex_rules_apply_the_conjugate_transpose(execution, differentiable):
    cube = math.custom_gradient(
        lambda z: z**3, lambda inputs, y, dy: {"z": dy * math.conjugate(3 * inputs["z"] ** 2)}
    )
    z, dz = tensor([1 + 2j, 0.5 - 1j], spatial("x")), tensor([1j, 2 - 1j], spatial("x"))
    for f in (cube, lambda z: z**3):
        (pulled,) = executed(lambda z, f=f: math.vjp(f, z)[1](dz), execution)(z)
        assert_close(pulled.numpy("x"), np.conj(3 * z.numpy("x") ** 2) * dz.numpy("x"))
        pushed = executed(lambda z, f=f: math.jvp(f, [z], [dz])[1], execution)(z)
        assert_close(pushed.numpy("x"), 3 * z.numpy("x") ** 2 * dz.numpy("x"))


def test_matrices_of_derivatives_by_complex_numbers(differentiable):
    z = tensor([1 + 2j, 0.5 - 1j], spatial("x"))
    matrix = math.jacobian(lambda z: z * z, get_output=False)(z)
    assert_close(matrix.numpy("x,~x"), np.diag(2 * z.numpy("x")))
    with pytest.raises(math.Unsupported, match="complex argument"):
        math.jacobian(math.abs)(z)
    with pytest.raises(math.Unsupported, match="complex argument"):
        math.hessian(lambda z: math.sum(math.abs_square(z)))(z)


@pytest.mark.parametrize("zeros", [1, 2])
def test_second_derivatives_of_products_with_zeros(zeros, differentiable):
    x = tensor([2.0] + zeros * [0.0] + [3.0, 5.0], spatial("x"))
    v = tensor(np.arange(1.0, 4 + zeros), spatial("x"))
    for f in (math.prod, lambda x: math.sum(math.cumulative_prod(x, "x"))):
        expected = derivative_along(f, x, [v, v], step=0.5)
        assert float(forward(forward(f, v), v)(x)) == pytest.approx(expected)
        assert float(reverse(reverse(f, v), v)(x)) == pytest.approx(expected)
        assert float(forward(reverse(f, v), v)(x)) == pytest.approx(expected)


def test_custom_gradients_of_functions_of_any_arguments(differentiable):
    def rule(inputs, y, dy):
        a, b = inputs["factors"]
        return {"factors": (2 * b * dy, 2 * a * dy), "options": {"scale": 0 * dy}}

    product = math.custom_gradient(
        lambda *factors, **options: factors[0] * factors[1] * options["scale"], rule
    )
    f = lambda a, b: product(a, b, scale=tensor(3.0))  # noqa: E731 to differentiate
    assert_close(f(tensor(2.0), tensor(5.0)), tensor(30.0))
    found = math.gradient(f, "a,b", get_output=False)(tensor(2.0), tensor(5.0))
    assert_close(found, [tensor(10.0), tensor(4.0)])


def test_rules_hold_on_to_no_function(differentiable):
    """Nor to the arrays that it takes from outside."""

    def function(x):
        return 2 * x

    math.custom_gradient(function, lambda inputs, y, dy: {"x": 2 * dy})(tensor(1.0))
    freed = weakref.ref(function)
    del function
    gc.collect()
    assert freed() is None
