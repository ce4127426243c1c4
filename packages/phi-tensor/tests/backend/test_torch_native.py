"""PyTorch below the interface.

Rows against NumPy, derivatives against finite differences, eager and compiled.
"""

from __future__ import annotations

import importlib.util
import itertools

import numpy as np
import pytest

from phi_tensor._dtype import BOOL, COMPLEX128, FLOAT16, FLOAT32, FLOAT64, INT32, INT64

if importlib.util.find_spec("torch") is None:
    pytest.skip("PyTorch is not installed", allow_module_level=True)

import scipy.special
import torch

from phi_tensor._errors import Unsupported
from phi_tensor.backends import _torch_compile as adapter
from phi_tensor.backends import _torch_inductor as inductor
from phi_tensor.backends._torch import BACKEND as B

RNG = np.random.default_rng(0)
F = RNG.uniform(0.1, 0.9, (3, 4))
G = RNG.uniform(0.1, 0.9, (3, 4))
S = F - 0.5
Z = F + 1j * G
I, J = RNG.integers(1, 9, (2, 3, 4))  # noqa: E741 integers beside floats F and G
M = F > 0.5
N = np.array([[1.0, np.nan, -np.inf, -0.0]])

UNARY = {
    **{
        name: (getattr(np, name), (S, Z))
        for name in [
            "negative",
            "sign",
            "exp",
            "sin",
            "cos",
            "tan",
            "sinh",
            "cosh",
            "tanh",
            "square",
            "conj",
            "angle",
        ]
    },
    **{
        name: (getattr(np, name), (F, Z))
        for name in ["abs", "sqrt", "expm1", "log", "log1p", "log2", "log10", "reciprocal", "real", "imag"]
    },
    **{name: (getattr(np, name), (F, Z)) for name in ["asin", "acos", "atan", "asinh", "atanh"]},
    **{name: (getattr(np, name), (10 * S,)) for name in ["round", "ceil", "floor", "trunc"]},
    **{name: (getattr(np, name), (N, Z)) for name in ["isfinite", "isnan", "isinf"]},
    "acosh": (np.acosh, (1 + F, Z)),
    "rsqrt": (lambda x: 1 / np.sqrt(x), (F, Z)),
    "erf": (scipy.special.erf, (S,)),
    "sigmoid": (scipy.special.expit, (100 * S,)),
    "softplus": (lambda x: np.logaddexp(0, x), (2000 * S, S)),
    "logical_not": (np.logical_not, (M, I)),
    "bitwise_invert": (np.invert, (M, I)),
}
BINARY = {
    **{
        name: (getattr(np, name), (F, S), (Z, F + 0j))
        for name in ["add", "subtract", "multiply", "divide", "equal", "not_equal"]
    },
    **{name: (getattr(np, name), (10 * S, F), (I, J)) for name in ["floor_divide", "remainder"]},
    **{
        name: (getattr(np, name), (F, G), (I, J))
        for name in ["maximum", "minimum", "less", "less_equal", "greater", "greater_equal"]
    },
    **{
        name: (getattr(np, name), (M, ~M), (M, F > 0.3))
        for name in ["logical_and", "logical_or", "logical_xor"]
    },
    **{
        name: (getattr(np, name), (I, J), (M, F > 0.3))
        for name in ["bitwise_and", "bitwise_or", "bitwise_xor"]
    },
    "pow": (np.power, (F, S), (I, J)),
    "atan2": (np.atan2, (F, S)),
    "bitwise_left_shift": (np.left_shift, (I, J)),
    "bitwise_right_shift": (np.right_shift, (I, J)),
}
REDUCE = {name: getattr(np, name) for name in ["sum", "prod", "mean", "max", "min", "any", "all"]}


def t(array):
    return B.as_native(np.asarray(array))


def check(actual, desired, rtol=1e-12):
    actual, desired = B.to_numpy(actual), np.asarray(desired)
    assert actual.dtype == desired.dtype
    np.testing.assert_allclose(actual, desired, rtol=rtol, atol=1e-14)


@pytest.mark.parametrize("name", UNARY)
def test_unary_rows_equal_numpy(name):
    oracle, arguments = UNARY[name]
    for x in arguments:
        with np.errstate(all="ignore"):
            check(B.ops[name](t(x)), oracle(x))


@pytest.mark.parametrize("name", BINARY)
def test_binary_rows_equal_numpy_with_arrays_and_numbers(name):
    oracle, *pairs = BINARY[name]
    for x, y in pairs:
        check(B.ops[name](t(x), t(y)), oracle(x, y))
        check(B.ops[name](t(x), y[0, 0].item()), oracle(x, y[0, 0]))
        check(B.ops[name](x[0, 0].item(), t(y)), oracle(x[0, 0], y))


def test_extremes_propagate_nan():
    assert B.to_numpy(B.ops["max"](t(N), (0, 1))) != B.to_numpy(B.ops["max"](t(N), (0, 1)))
    check(B.ops["maximum"](t(N), 0.5), np.maximum(N, 0.5))
    check(B.ops["sign"](t(N)), np.sign(N))


@pytest.mark.parametrize("name", REDUCE)
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1), ()])
def test_reductions_equal_numpy(name, axes):
    for x in {"mean": (F, Z), "max": (F, I, M), "min": (F, I, M)}.get(name, (F, I, M)):
        check(B.ops[name](t(x), axes), REDUCE[name](x, axis=axes))


def test_rows_on_indices_and_order_equal_numpy():
    ops = B.ops
    for name in ("argmax", "argmin"):
        check(ops[name](t(F), 1), getattr(np, name)(F, 1))
    check(ops["cumsum"](t(F), 1), np.cumsum(F, 1))
    check(ops["sort"](t(F), 1), np.sort(F, 1))
    check(ops["argsort"](t(I), 1), np.argsort(I, 1, kind="stable"))
    check(ops["take"](t(F), t(np.array([2, 0, 2])), 0), F[[2, 0, 2]])
    base, values = np.ones((4, 2)), RNG.uniform(size=(3, 2))
    desired = base.copy()
    np.add.at(desired, [1, 3, 1], values)
    check(ops["scatter_add"](t(base), t(np.array([1, 3, 1])), t(values)), desired)
    check(ops["arange"](1, 9, 2, INT64, None), np.arange(1, 9, 2))
    check(ops["where"](t(M), t(F), 2.0), np.where(M, F, 2.0))
    check(ops["where"](t(M), 2, t(I)), np.where(M, 2, I))


@pytest.mark.parametrize(
    "index",
    [
        (1,), (slice(None), 2), (slice(None, None, -1),), (slice(2, 0, -1), slice(None, None, -2)),
        (1, slice(3, None, -1)), (slice(0, 2, -1),), (slice(None), slice(1, -1)), (slice(-1, -4, -2), -1),
    ],
)  # fmt: skip
def test_getitem_equals_numpy(index):
    check(B.ops["getitem"](t(F), index), F[index])


def test_rows_on_shape_equal_numpy():
    ops = B.ops
    check(ops["reshape"](t(F), (2, 6)), F.reshape(2, 6))
    check(ops["permute"](t(F), (1, 0)), F.T)
    check(ops["broadcast_to"](t(F), (2, 3, 4)), np.broadcast_to(F, (2, 3, 4)))
    check(ops["concat"]([t(F), t(G)], 1), np.concatenate([F, G], 1))
    check(ops["stack"]([t(F), t(G)], 1), np.stack([F, G], 1))
    check(ops["flip"](t(F), (0, 1)), np.flip(F, (0, 1)))
    check(ops["roll"](t(F), -2, 1), np.roll(F, -2, 1))
    for x, value in ((F, 2.5), (I, 3), (M, True), (Z, 1 + 2j)):
        widths = ((1, 0), (2, 3))
        desired = np.pad(x, widths, constant_values=value)
        check(ops["pad_constant"](t(x), widths, value), desired)
        check(ops["pad_constant"](t(x), widths, t(np.asarray(value, x.dtype))), desired)


def test_products_and_transforms_equal_numpy():
    ops = B.ops
    for x in (F, Z, I):
        check(ops["matmul"](t(np.stack([x, x])), t(x.T.copy())), np.stack([x, x]) @ x.T)
    check(ops["fft"](t(Z), (0, 1)), np.fft.fftn(Z), 1e-11)
    check(ops["ifft"](t(Z), (1,)), np.fft.ifft(Z), 1e-11)
    check(ops["rfft"](t(F), (1,)), np.fft.rfft(F), 1e-11)
    check(ops["irfft"](t(np.fft.rfft(F[:, :3])), 3, (1,)), F[:, :3], 1e-11)


def test_cast_and_full():
    for x, dtype in ((F, FLOAT16), (F, INT32), (I, FLOAT64), (Z, FLOAT64), (S, BOOL), (F, COMPLEX128)):
        check(B.ops["cast"](t(x), dtype), (x.real if dtype.kind is float else x).astype(dtype.numpy), 1e-3)
        assert B.dtype(B.ops["cast"](t(x), dtype)) is dtype
    check(B.full((2,), 1.5, FLOAT32), np.full(2, 1.5, np.float32))


def test_numpy_memory_is_shared_where_it_can_be():
    x = F.copy()
    assert B.as_native(x).data_ptr() == x.ctypes.data
    assert B.to_numpy(B.as_native(x)).ctypes.data == x.ctypes.data
    x.flags.writeable = False
    check(B.as_native(x), x)
    check(B.as_native(F[::-1]), F[::-1])
    check(B.as_native(F.astype(">f8")), F)
    check(t(Z).conj(), Z.conj())
    check(torch.ones(2, requires_grad=True), np.ones(2, np.float32))
    assert B.from_dlpack(F).data_ptr() == F.ctypes.data


def test_devices():
    device = B.list_devices()[0]
    x = B.as_native(F, device)
    assert B.device(x) == device
    assert B.to_device(x, device) is x
    B.wait((x,))


# --- derivatives


def reverse(f):
    """Gradient of the sum of all results."""

    def gradient(*primals):
        outputs, pullback, _ = B.vjp(lambda *x: (f(*x), ()), primals)
        return pullback(tuple(torch.ones_like(output) for output in outputs))

    return gradient


def forward(f):
    """Change of the results when all primals grow alike."""

    def change(*primals):
        return B.jvp(f, primals, tuple(torch.ones_like(primal) for primal in primals))[1]

    return change


NESTINGS = [modes for order in (1, 2) for modes in itertools.product([reverse, forward], repeat=order)]
SCALE = t(G[0] + 0.5)


def polynomial(x, w):
    return (torch.sin(x) * torch.exp(x * w) * SCALE,)


def looped(x, w):
    outside = torch.sin(w) * SCALE

    def step(state):
        return (torch.sin(state[0]) * outside + x, state[1] + 1), (state[0] ** 2 * state[1],)

    (state, _), (outputs,) = B.scan(step, (x * w, t(np.asarray(0))), 5, 2)
    return (state * outputs.sum(0),)


def nested_loops(x, w):
    def step(state):
        shift = state[0] * w
        (inner,), () = B.scan(lambda s: ((torch.sin(s[0]) + shift * x,), ()), state, 3)
        return (0.3 * inner,), ()

    return B.scan(step, (x,), 3)[0]


def bounded(x, w):
    state = (x, t(np.asarray(0)))
    return (
        B.while_loop(lambda s: s[0].sum() < 8, lambda s: (s[0] + torch.exp(-s[0] * w), s[1] + 1), state, 30)[
            0
        ]
        * w,
    )


def customised(x, w):
    square = B.custom_gradient(
        lambda a, b: (a * a * b,), lambda p, o, c: (2 * p[0] * p[1] * c[0], p[0] ** 2 * c[0])
    )
    return (torch.sin(square(x, w)[0]) + square(w, w)[0],)


def custom_in_loop(x, w):
    outside = torch.cos(w)
    return B.scan(lambda s: (customised(s[0], outside), ()), (x,), 3)[0]


def spectral(x, w):
    z = B.ops["fft"](torch.complex(x, w), (0,)) ** 2
    half = B.ops["rfft"](x * w, (0,))
    return B.ops["ifft"](z, (0,)).real, B.ops["irfft"](half * half, 4, (0,))


FUNCTIONS = [polynomial, looped, nested_loops, bounded, customised, custom_in_loop, spectral]
POINT = (t(F[0]), t(G[1]))


def nested(f, modes):
    for mode in modes:
        f = mode(f)
    return f


@pytest.mark.parametrize("modes", NESTINGS, ids=lambda modes: "-".join(mode.__name__ for mode in modes))
@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
def test_derivatives_equal_finite_differences(f, modes):
    inner, outermost = nested(f, modes[:-1]), modes[-1]
    directions = (
        [t(RNG.normal(size=4)) for _ in POINT]
        if outermost is reverse
        else [torch.ones(4, dtype=torch.float64)] * 2
    )
    above, below = (
        inner(*(x + h * d for x, d in zip(POINT, directions, strict=True))) for h in (1e-5, -1e-5)
    )
    change = [(a - b) / 2e-5 for a, b in zip(above, below, strict=True)]
    actual = outermost(inner)(*POINT)
    if outermost is reverse:
        change = [sum(one.sum() for one in change)]
        actual = [sum((one * d).sum() for one, d in zip(actual, directions, strict=True))]
    for one, other in zip(actual, change, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)


def all_derivatives(functions, nestings):
    return lambda *x: tuple(one for f in functions for modes in nestings for one in nested(f, modes)(*x))


@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
def test_traced_derivatives_equal_eager(f, monkeypatch):
    monkeypatch.setattr(inductor, "inductor", inductor.interpreted)  # saves minutes
    everything = all_derivatives([f], [(), *NESTINGS])
    torch.testing.assert_close(
        B.compile(everything, POINT)(*POINT), everything(*POINT), rtol=1e-12, atol=1e-13
    )


@pytest.mark.compiled
@pytest.mark.slow
def test_compiled_derivatives_equal_eager():
    some = all_derivatives([polynomial, customised, spectral, looped], [(reverse,), (forward, reverse)])
    torch.testing.assert_close(B.compile(some, POINT)(*POINT), some(*POINT), rtol=1e-12, atol=1e-13)


def test_ints_are_constants_of_derivatives():
    def f(x, index, flag):
        return x * index, index + 1, flag

    primals = (t(F[0]), t(I[0]), t(M[0]))
    _, pullback, _ = B.vjp(lambda *p: (f(*p), ()), primals)
    for cotangents in (pullback(f(*primals)), pullback(f(*primals))):  # twice
        check(cotangents[0], F[0] * I[0] ** 2.0)
        check(cotangents[1], 0 * I[0])
        check(cotangents[2], M[0] & False)
    assert [x.dtype for x in B.jvp(f, primals, primals)[1]] == [torch.float64, torch.int64, torch.bool]
    assert not B.jvp(lambda x: (torch.ones(2),), primals[:1], primals[:1])[1][0].any()


@pytest.mark.parametrize("mode", [reverse, forward])
def test_custom_gradient_takes_constants_from_outside_but_nothing_that_is_differentiated(mode):
    def with_constant(x):
        two = torch.full_like(x.detach(), 2.0) * 1
        return B.custom_gradient(lambda y: (y * two,), lambda p, o, c: (c[0] * two,))(x)

    def with_variable(x):
        return B.custom_gradient(lambda y: (y * x,), lambda p, o, c: (c[0] * x,))(x.detach())

    check(mode(with_constant)(POINT[0])[0], np.full(4, 2.0))
    check(mode(mode(with_constant))(POINT[0])[0], np.zeros(4))
    with pytest.raises(Unsupported, match="argument"):
        mode(with_variable)(POINT[0])


def test_map_leading_equals_loop():
    x = t(F)
    check(
        B.map_leading(lambda row: polynomial(row, row), (x,))[0],
        torch.stack([polynomial(r, r)[0] for r in x]),
    )
    check(
        B.map_leading(lambda row: customised(row, row), (x,))[0],
        torch.stack([customised(r, r)[0] for r in x]),
    )


# --- compilation


@pytest.mark.compiled
def test_compiled_once_with_outside_arrays_as_hidden_inputs():
    calls = []
    outside = t(G.copy())

    def f(x, y):
        calls.append(x)
        assert not B.is_concrete(x)
        return x - y, x * outside + B.as_native(F), x, outside

    compiled = B.compile(f, (t(F), t(F)))  # the same array twice
    desired = (F - G, F * G + F, F, G)
    outside += 1
    for x in (t(F), t(F.T.copy()).T):  # any strides
        for one, other in zip(compiled(x, t(G)), desired, strict=True):
            check(one, other)
    assert len(calls) == 1
    with pytest.raises(Unsupported, match="requires_grad"):
        compiled(t(F).requires_grad_(), t(G))


@pytest.mark.compiled
def test_compiled_complex_numbers():
    compiled = B.compile(lambda z: (B.ops["fft"](z * 2, (1,)), B.ops["abs"](z)), (t(Z),))
    for one, other in zip(compiled(t(Z).conj()), (np.fft.fft(2 * Z.conj()), abs(Z)), strict=True):
        check(one, other, 1e-11)


@pytest.mark.compiled
def test_number_of_graphs_and_traces_of_a_loop_does_not_depend_on_its_length(monkeypatch):
    graphs, build, results = [], inductor.build, {}
    monkeypatch.setattr(inductor, "build", lambda traced: [graphs.append(traced), build(traced)][1])
    for count in (8, 64):
        calls = []

        def f(x, w, count=count, calls=calls):
            return B.scan(lambda s: ([calls.append(s), (torch.sin(s[0] * w),)][1], ()), (x,), count)[0]

        graphs.clear()
        compiled = B.compile(reverse(f), POINT)
        results[count] = len(graphs), len(calls)
        torch.testing.assert_close(compiled(*POINT), reverse(f)(*POINT), rtol=1e-12, atol=1e-13)
    assert results[8][1] == results[64][1]
    assert results[8][0] >= results[64][0] == 1  # the second function finds the steps of the first


def test_entries_are_counted_where_the_arguments_are():
    traced = adapter.trace(
        lambda x, y: [B.ops["iota"](3, FLOAT32) + y], [torch.zeros(()), torch.empty(3, device="meta")]
    )
    assert [native.device.type for native in traced.outputs] == ["meta"]
    assert B.ops["iota"](3, FLOAT32).device.type == "cpu"


@pytest.mark.compiled
def test_compiled_while_loop_stops_where_the_numbers_say():
    def f(x, w):
        return B.while_loop(lambda s: s[0].sum() < 8, lambda s: (s[0] + w, s[1] + 1), (x, t(np.asarray(0))))

    compiled = B.compile(f, POINT)
    for factor in (0.1, 1.0, 99.0):
        check(compiled(POINT[0] * factor, POINT[1])[1], B.to_numpy(f(POINT[0] * factor, POINT[1])[1]))
    with pytest.raises(Unsupported, match="limit"):
        B.compile(reverse(lambda x, w: f(x, w)[:1]), POINT)


@pytest.mark.parametrize("mode", [lambda f: f, reverse, forward])
def test_reading_numbers_of_traced_arrays_names_the_line_and_leaves_nothing_behind(mode):
    def f(x):
        return (x if x.sum() > 0 else -x,)

    with pytest.raises(Unsupported, match=r"x if x.sum\(\) > 0"):
        B.compile(mode(f), POINT[:1])
    check(reverse(polynomial)(*POINT)[0], reverse(polynomial)(*POINT)[0].numpy())
    assert B.is_concrete(B.ops["add"](POINT[0], 1))


@pytest.mark.compiled
def test_compiled_functions_have_no_derivative_for_outside_arrays():
    with pytest.raises(Unsupported, match="argument"):
        B.vjp(lambda x: (B.compile(lambda y: (y * x,), POINT[:1])(POINT[0]), ()), POINT[1:])


def test_graph_runs_without_compiler(monkeypatch):
    import torch._inductor.cpp_builder
    import torch._inductor.exc

    def missing(*_):
        raise torch._inductor.exc.InvalidCxxCompiler

    monkeypatch.setattr(torch._inductor.cpp_builder, "get_cpp_compiler", missing)
    monkeypatch.setattr(inductor, "_WARNED", [])
    monkeypatch.setenv("TORCHINDUCTOR_FORCE_DISABLE_CACHES", "1")
    with pytest.warns(RuntimeWarning, match="compiler"):
        compiled = B.compile(lambda x: (torch.sin(x) * 1.2345 + x,), POINT[:1])
    check(compiled(POINT[0])[0], np.sin(F[0]) * 1.2345 + F[0])
