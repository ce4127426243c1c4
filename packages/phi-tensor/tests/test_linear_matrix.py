"""Matrices of linear functions beside references made of NumPy's padding and Kronecker products; errors."""

import functools
from pathlib import Path

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import (
    IncompatibleShapes,
    LinearFunction,
    NonlinearOperation,
    Unsupported,
    Untraceable,
    batch,
    channel,
    instance,
    spatial,
    tensor,
    vec,
    wrap,
)
from phi_tensor.linear._trace import trace
from phi_tensor.linear._traced import traced
from phi_tensor.testing import assert_close

PADDED = {
    0: {"mode": "constant"},
    "periodic": {"mode": "wrap"},
    "zero-gradient": {"mode": "edge"},
    "symmetric": {"mode": "symmetric"},
    "reflect": {"mode": "reflect"},
    "symmetric-gradient": {"mode": "reflect", "reflect_type": "odd"},
}
"""Rules that `np.pad` knows."""


def padding_matrix(n, rule, low=1, up=1):
    return np.pad(np.eye(n), ((low, up), (0, 0)), **PADDED[rule])


def laplace_matrix(n, rule, dx=1.0):
    p = padding_matrix(n, rule)
    return (p[:-2] - 2 * p[1:-1] + p[2:]) / dx**2


def kron_sum(matrices):
    sizes = [len(m) for m in matrices]
    total = np.zeros((np.prod(sizes),) * 2)
    for i, m in enumerate(matrices):
        factors = [m if i == j else np.eye(n) for j, n in enumerate(sizes)]
        total = total + functools.reduce(np.kron, factors)
    return total


def array_of(matrix, names):
    """Dense matrix, rows and columns in the order of `names`."""
    full = math.dense(matrix)
    return full.numpy([names, [f"~{n}" for n in names]])


def grid(*sizes):
    return tensor(np.random.default_rng(0).standard_normal(sizes), spatial(",".join("xyz"[: len(sizes)])))


@pytest.mark.parametrize("rule", PADDED)
@pytest.mark.parametrize("sizes", [(6,), (4, 5), (3, 4, 2)])
def test_laplacians(rule, sizes, backend):
    with math.precision(64):
        x = grid(*sizes)
        matrix, bias = math.matrix_from_function(lambda x: math.laplace(x, 0.5, padding=rule), x)
        desired = kron_sum([laplace_matrix(n, rule, 0.5) for n in sizes])
        assert np.array_equal(array_of(matrix, x.shape.names), desired)
        assert_close(bias, x * 0)


def test_sides_and_constants(backend):
    with math.precision(64):
        x = grid(5)
        rule = math.extrapolation.combine_sides(x=(2.0, "zero-gradient"))
        matrix, bias = math.matrix_from_function(lambda x: math.laplace(x, padding=rule), x)
        below, above = padding_matrix(5, 0, 1, 0), padding_matrix(5, "zero-gradient", 0, 1)
        p = np.concatenate([below, above[-1:]])
        assert np.array_equal(array_of(matrix, ("x",)), p[:-2] - 2 * p[1:-1] + p[2:])
        assert_close(bias, wrap([2.0, 0, 0, 0, 0], spatial("x")))


def test_variable_coefficients(backend):
    with math.precision(64):
        rng = np.random.default_rng(1)
        k, x = rng.uniform(1, 2, 7), grid(6)
        faces = tensor(k, spatial("x"))

        def flux_balance(x):
            gradient = math.pad(x, {"x": (1, 1)}, 0)
            flux = faces * (gradient.x[1:] - gradient.x[:-1])
            return flux.x[1:] - flux.x[:-1]

        desired = np.diag(-k[1:] - k[:-1]) + np.diag(k[1:-1], 1) + np.diag(k[1:-1], -1)
        function = traced(flux_balance, x)
        assert np.array_equal(array_of(math.matrix_from_function(flux_balance, x)[0], ("x",)), desired)
        assert function.is_symmetric()
        assert_close(function.diagonal(), tensor(np.diag(desired), spatial("x")))
        assert len(function.coefficients) == 3


def test_implicit_diffusion_and_upwind(backend):
    with math.precision(64):
        x = grid(4, 3)
        diffusion = math.matrix_from_function(lambda x: x - 0.1 * math.laplace(x, padding="periodic"), x)[0]
        laplacian = kron_sum([laplace_matrix(n, "periodic") for n in (4, 3)])
        np.testing.assert_allclose(array_of(diffusion, ("x", "y")), np.eye(12) - 0.1 * laplacian, rtol=1e-15)

        def upwind(x):
            gradient = math.spatial_gradient(x, 0.5, "backward", padding="periodic")
            return (gradient * vec("gradient", x=1.0, y=2.0)).sum("gradient")

        one = [(np.eye(n) - np.roll(np.eye(n), 1, 0)) / 0.5 for n in (4, 3)]
        function = traced(upwind, x)
        assert np.array_equal(
            array_of(math.matrix_from_function(upwind, x)[0], ("x", "y")), kron_sum([one[0], 2 * one[1]])
        )
        assert function.is_symmetric() is False


def test_a45_order_of_operands(backend):
    x = tensor([1.0, 3.0], spatial("x"))
    found = math.solve_linear(lambda x: 1 - x, tensor([0.0, -1.0], spatial("x")), math.Solve(x0=x * 0))
    assert_close(found, wrap([1.0, 2.0], spatial("x")))
    for f in (lambda x: 1 - x, lambda x: 2 * x, lambda x: x / 2, lambda x: -(x - 1)):
        matrix, bias = math.matrix_from_function(f, x)
        assert not matrix.shape
        assert_close(matrix * x + bias, f(x))


def test_only_coupled_dims(backend):
    x, b = grid(3, 2), tensor([1.0, 2.0], batch("b"))
    shapes = {
        (lambda x: math.laplace(x, padding=0, dims="x")): "(x:s=3, ~x:d=3)",
        (lambda x: b * math.laplace(x, padding=0)): "(b:b=2, x:s=3, y:s=2, ~x:d=3, ~y:d=2)",
        (lambda x: math.mean(x, "x")): "(~x:d=3)",
        (lambda x: x.x[1:]): "(x:s=2, ~x:d=3)",
        (lambda x: tensor([1.0, 2.0], spatial("y")) * x): "(y:s=2, ~y:d=2)",
    }
    for f, shape in shapes.items():
        matrix, bias = math.matrix_from_function(f, x)
        assert repr(matrix.shape) == shape
        assert bias.shape == f(x).shape
        assert_close(matrix @ x + bias, f(x))
    y = tensor([1.0, 2.0], spatial("y"))
    apart = math.matrix_from_function(
        lambda x: y * math.laplace(x, padding=0, dims="x"), x, separate_independent=True
    )
    assert set(apart[0].shape.names) == {"x", "~x", "y"}
    xb = math.expand(x, batch(b=2))
    whole, _ = math.matrix_from_function(lambda x: b * x, xb, sparsify_batch=True)
    assert set(whole.shape.names) == {"b", "~b"}


# --- what terms prove


@pytest.mark.parametrize("rule", PADDED)
def test_axes_offsets_and_diagonal(rule, backend):
    with math.precision(64):
        x = grid(4, 5)
        function = traced(lambda x: math.laplace(x, padding=rule) - 3 * x, x)
        one = [laplace_matrix(n, rule) for n in (4, 5)]
        desired = kron_sum(one) - 3 * np.eye(20)
        axes = function.axis_matrices()
        np.testing.assert_allclose(kron_sum([axes["x"], axes["y"]]), desired, atol=1e-14)
        assert function.is_symmetric() == np.array_equal(desired, desired.T)
        diagonal = math.expand(function.diagonal(), x.shape).numpy("x,y").ravel()
        np.testing.assert_allclose(diagonal, np.diag(desired))
        rebuilt = np.zeros((20, 20))
        for offset, coefficient in function.offsets().items():
            weights = math.expand(coefficient, x.shape).numpy("x,y")
            for place in np.ndindex(4, 5):
                other = [(p + o) % n for p, o, n in zip(place, offset, (4, 5), strict=True)]
                rebuilt[place[0] * 5 + place[1], other[0] * 5 + other[1]] += weights[place]
        np.testing.assert_allclose(rebuilt, desired, atol=1e-14)


def test_mean_free_parts_have_no_square_of_entries(backend):
    x = math.zeros(spatial(x=512, y=512))
    function = traced(lambda x: x - math.mean(x), x)
    stored = sum(
        np.asarray(part.layout.backend.to_numpy(part.natives[0])).nbytes
        for terms in function.outputs
        for term in terms.terms
        for part in (term.coefficient, *term.index.values())
    )
    assert stored < 100_000
    assert function.is_symmetric()
    x = grid(5, 4)
    small = traced(lambda x: x - math.mean(x), x)
    assert_close(small.apply(x), x - math.mean(x))
    assert_close(small.diagonal(), math.expand(tensor(1 - 1 / 20), x.shape))
    assert math.close(small.apply(small.adjoint(x)), x - math.mean(x), abs_tolerance=1e-5)


def test_large_laplacians_store_vectors(backend):
    function = traced(lambda x: math.laplace(x, padding=0), math.zeros(spatial(x=1024, y=1024)))
    assert len(function.coefficients) == 5
    assert (
        sum(np.asarray(c.layout.backend.to_numpy(c.natives[0])).size for c in function.coefficients) < 10_000
    )


def test_trees_of_unknowns(backend):
    with math.precision(64):
        u, p = grid(4), grid(4) * 2

        def saddle(state):
            u, p = state
            return u - math.spatial_gradient(p, padding=0, stack_dim=None), math.laplace(u, padding=1) + 2

        function = traced(saddle, (u, p))
        assert_close(
            tuple(a + b for a, b in zip(function.apply((u, p)), function.bias, strict=True)), saddle((u, p))
        )
        y = (p, u)
        left = sum((a * b).sum() for a, b in zip(function.apply((u, p)), y, strict=True))
        right = sum((a * b).sum() for a, b in zip(function.adjoint(y), (u, p), strict=True))
        assert_close(left, right)
        with pytest.raises(Unsupported, match="one tensor"):
            math.matrix_from_function(saddle, (u, p))


def test_ragged_unknowns(backend):
    with math.precision(64):
        x = math.stack([grid(4, 3), grid(3, 4)], channel(vector="x,y"))
        f = lambda x: 2 * math.laplace(x, padding="periodic", dims="x") - x + 1  # noqa: E731
        function = traced(f, x)
        for label in "xy":
            assert_close((function.apply(x) + function.bias).vector[label], f(x).vector[label])
        back = function.adjoint(x)
        assert back.shape == x.shape


# --- errors


@pytest.mark.parametrize(
    ("name", "f"),
    [
        ("divide", lambda x: 2 / x),
        ("multiply", lambda x: x * x),  # WEAKNESSES A46
        ("multiply", lambda x: math.shift(x, (-1, 1), "x", "periodic")[0] * x),
        ("sin", lambda x: math.sin(x)),
        ("pow", lambda x: x**2),
        ("max", lambda x: math.max(x)),
        ("greater", lambda x: math.where(x > 0, x, 0)),
        ("matmul", lambda x: math.dot(x, "x", x, "x")),
        ("abs", lambda x: abs(x)),
        ("remainder", lambda x: x % 2),
        ("native", lambda x: x.numpy("x,y")),
        ("float", lambda x: x * float(x.x[0].y[0])),
        (
            "grid_sample",
            lambda x: math.grid_sample(math.ones(x.shape), math.stack([x, x], channel(vector="x,y")), 0),
        ),
    ],
)
def test_nonlinear_functions_are_refused_by_line(name, f, backend):
    with pytest.raises(NonlinearOperation) as caught:
        math.matrix_from_function(f, grid(3, 2))
    assert f"`{name}`" in str(caught.value)
    line = f"{Path(__file__)}:{f.__code__.co_firstlineno}"
    assert line in str(caught.value)


def test_a47_looked_up_entries_plus_constants(backend):
    x = tensor([1.0, 3.0, 5.0], spatial("x"))
    at = wrap([[2], [0]], instance("points"), channel(vector="x"))
    f = lambda x: math.gather(x, at) + wrap([10.0, 20.0], instance("points"))  # noqa: E731
    matrix, bias = math.matrix_from_function(f, x)
    assert_close(bias, wrap([10.0, 20.0], instance("points")))
    assert_close(matrix @ x + bias, wrap([15.0, 21.0], instance("points")))


@pytest.mark.parametrize("f", [math.fft, math.ifft])
def test_linear_functions_without_index_maps(f, backend):
    with pytest.raises(Untraceable, match="solve_linear"):
        math.matrix_from_function(f, grid(4, 3))


def test_which_argument_is_the_unknown(backend):
    x = grid(3)
    matrix, _ = math.matrix_from_function(
        lambda k, x: k * math.laplace(x, padding=0), 2.0, x, auxiliary_args="k"
    )
    assert_close(matrix @ x, 2 * math.laplace(x, padding=0))
    with pytest.raises(IncompatibleShapes, match="auxiliary_args"):
        math.matrix_from_function(lambda a, b, k: a + b, x, x, 2, auxiliary_args="k")


# --- functions with a known matrix


def test_jit_compile_linear(backend):
    x = grid(5)
    calls = []

    @math.jit_compile_linear
    def f(x, scale=2.0):
        calls.append(scale)
        return math.laplace(x, padding=1) * scale

    assert isinstance(f, LinearFunction)
    assert_close(f(x), math.laplace(x, padding=1) * 2)
    assert_close(f(x + 1, 2.0), math.laplace(x + 1, padding=1) * 2)
    assert calls == [2.0, 2.0]  # once without and once with the argument
    assert_close(f(x, scale=3.0), math.laplace(x, padding=1) * 3)
    matrix, bias = f.sparse_matrix_and_bias(x)
    assert_close(matrix @ x + bias, math.laplace(x, padding=1) * 2)
    assert len(calls) == 3
    with pytest.raises(IncompatibleShapes, match="sparse_matrix_and_bias"):
        f.sparse_matrix(x)
    g = math.jit_compile_linear(lambda x: math.laplace(x, padding=0), forget_traces=True)
    assert_close(g.sparse_matrix(x) @ x, math.laplace(x, padding=0))
    g(grid(4))
    assert g.traces == 1
    h = lambda x: f(x) + g(x)  # noqa: E731 inside another trace
    matrix, bias = math.matrix_from_function(h, x)
    assert_close(matrix @ x + bias, h(x))


def test_transformations_inside_of_traces(backend):
    x = grid(4)
    twice = math.custom_gradient(lambda a: 2 * a, lambda inputs, y, dy: {"a": 2 * dy})
    f = lambda x: math.stop_gradient(twice(x)) + math.jit_compile(lambda a: a.x[::-1])(x) - 1  # noqa: E731
    matrix, bias = math.matrix_from_function(f, x)
    assert_close(matrix @ x + bias, f(x))
    parts = math.matrix_from_function(lambda x: math.stop_gradient(vec(x=x, y=1.0)).vector["x"], x)[0]
    assert not parts.shape.dual


@pytest.mark.needs("reverse")
def test_derivatives_belong_around_traces(backend):
    with pytest.raises(Unsupported, match="around"):
        math.matrix_from_function(lambda x: math.gradient(lambda a: (a**2).sum())(x), grid(3))


def test_traced_tensors_describe_themselves(backend):
    found = []
    trace(lambda x: found.append((repr(x), x.available, x.shape)) or x, grid(3))
    assert found == [("(x:s=3) float32 traced by " + repr(backend), False, spatial(x=3))]


def test_constants_may_be_stored_in_parts(backend):
    with math.precision(64):
        x = grid(3, 2)
        wind = math.stack([x + 1, x * 2], channel(vector="x,y"))
        f = lambda x: (math.spatial_gradient(x, padding=0, stack_dim=channel("vector")) * wind).sum("vector")  # noqa: E731
        matrix, bias = math.matrix_from_function(f, x)
        assert_close(matrix @ x + bias, f(x))


def test_columns_need_names_of_their_own(backend):
    x = math.ones(spatial(x=3) & math.dual(x=3))
    with pytest.raises(IncompatibleShapes, match="Rename"):
        math.matrix_from_function(lambda x: math.roll(math.roll(x, 1, "x"), 1, "~x"), x)


def test_products_with_sparse_matrices(backend):
    with math.precision(64):
        x = grid(5)
        laplacian, _ = math.matrix_from_function(lambda x: math.laplace(x, padding=0), x)
        f = lambda x: laplacian @ (2 * x) - x + 1  # noqa: E731
        function = traced(f, x)
        assert_close(function.apply(x) + function.bias, f(x))
        matrix, bias = math.matrix_from_function(f, x)
        assert np.array_equal(array_of(matrix, ("x",)), 2 * laplace_matrix(5, 0) - np.eye(5))
        assert_close(matrix @ x + bias, f(x))


@pytest.mark.parametrize("mode", ["add", "update"])
@pytest.mark.parametrize("outside", ["discard", "clamp"])
def test_scattered_unknowns(mode, outside, backend):
    with math.precision(64):
        x = tensor(np.arange(1.0, 5.0), instance("n"))
        places = [[0, 1], [2, 0], [3, 3], [0, 0]] if mode == "update" else [[0, 1], [2, 0], [0, 1], [5, 5]]
        at = tensor(np.array(places), instance("n"), channel(vector="x,y"))
        grid_of = lambda x: math.expand(x.n[0], spatial(x=3, y=2)) + 1  # noqa: E731
        for f in (
            lambda x: math.scatter(spatial(x=3, y=2), at, x, mode=mode, outside_handling=outside),
            lambda x: math.scatter(grid_of(x), at, 2 * x + 1, mode=mode, outside_handling=outside),
            lambda x: math.scatter(grid_of(x), at, 3.0, mode=mode, outside_handling=outside),
        ):
            function, desired = traced(f, x), f(x)
            assert_close(function.apply(x) + function.bias, desired)
            y = desired + 1
            assert_close((function.apply(x) * y).sum(), (function.adjoint(y) * x).sum())


def test_points_of_instances(backend):
    x = tensor(np.arange(6.0), instance("n"))
    matrix, _ = math.matrix_from_function(lambda x: x.n[[4, 4, 0]], x)
    assert_close(matrix @ x, x.n[[4, 4, 0]])
