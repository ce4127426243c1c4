"""The TensorFlow adapter alone: rows against NumPy, data, compilation, derivatives against differences."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy import special

tf = pytest.importorskip("tensorflow")

from phi_tensor._dtype import FLOAT32, FLOAT64, INT32, INT64, DType  # noqa: E402
from phi_tensor._errors import Unsupported  # noqa: E402
from phi_tensor.backends._tensorflow import BACKEND as B  # noqa: E402

O = B.ops  # noqa: E741
RNG = np.random.default_rng(0)
REAL = RNG.uniform(0.1, 0.9, (3, 4))
SIGNED = RNG.normal(size=(3, 4)) * 2
COMPLEX = SIGNED + 1j * REAL
INTS = np.array([[3, -4, 5, 0], [7, 1, -2, 9]], np.int32)
POSITIVE = np.array([[3, 4, 5, 1], [7, 1, 2, 9]], np.int32)
BOOLS = np.array([[True, False, True, False], [False, False, True, True]])
OTHER = BOOLS[::-1].copy()


def native(value: Any) -> Any:
    return B.as_native(np.asarray(value))


def agree(actual: Any, desired: Any, rtol: float = 1e-12) -> None:
    actual, desired = B.to_numpy(actual), np.asarray(desired)
    assert actual.dtype == desired.dtype
    assert actual.shape == desired.shape
    np.testing.assert_allclose(actual, desired, rtol=rtol, atol=rtol)


UNARY = {
    "negative": (np.negative, SIGNED, INTS, COMPLEX),
    "abs": (np.abs, SIGNED, INTS, POSITIVE.astype(np.uint8), COMPLEX),
    "sign": (np.sign, SIGNED, INTS),
    "round": (np.round, np.array([0.5, 1.5, 2.5, -0.5, -1.5]), INTS),
    "ceil": (np.ceil, SIGNED),
    "floor": (np.floor, SIGNED),
    "trunc": (np.trunc, SIGNED, INTS),
    "sqrt": (np.sqrt, REAL, COMPLEX),
    "rsqrt": (lambda x: 1 / np.sqrt(x), REAL),
    "exp": (np.exp, SIGNED, COMPLEX),
    "expm1": (np.expm1, SIGNED),
    "log": (np.log, REAL, COMPLEX),
    "log1p": (np.log1p, REAL),
    "log2": (np.log2, REAL),
    "log10": (np.log10, REAL),
    "sin": (np.sin, SIGNED, COMPLEX),
    "cos": (np.cos, SIGNED),
    "tan": (np.tan, REAL),
    "sinh": (np.sinh, SIGNED),
    "cosh": (np.cosh, SIGNED),
    "tanh": (np.tanh, SIGNED),
    "asin": (np.arcsin, REAL),
    "acos": (np.arccos, REAL),
    "atan": (np.arctan, SIGNED),
    "asinh": (np.arcsinh, SIGNED),
    "acosh": (np.arccosh, REAL + 1),
    "atanh": (np.arctanh, REAL),
    "erf": (special.erf, SIGNED),
    "sigmoid": (special.expit, SIGNED),
    "softplus": (lambda x: np.logaddexp(x, 0), SIGNED, np.array([-800.0, 800.0])),
    "square": (np.square, SIGNED, INTS, COMPLEX),
    "reciprocal": (np.reciprocal, SIGNED, COMPLEX),
    "real": (np.real, SIGNED, COMPLEX),
    "imag": (np.imag, SIGNED, COMPLEX),
    "conj": (np.conj, SIGNED, COMPLEX),
    "angle": (np.angle, SIGNED, COMPLEX),
    "isfinite": (np.isfinite, np.array([1, np.nan, np.inf]), INTS, COMPLEX),
    "isnan": (np.isnan, np.array([1, np.nan, np.inf]), INTS, COMPLEX),
    "isinf": (np.isinf, np.array([1, np.nan, np.inf]), INTS),
    "logical_not": (np.logical_not, BOOLS),
    "bitwise_invert": (np.invert, INTS, BOOLS),
}
BINARY = {
    "add": (np.add, (SIGNED, REAL), (INTS, POSITIVE), (COMPLEX, COMPLEX)),
    "subtract": (np.subtract, (SIGNED, REAL), (INTS, POSITIVE)),
    "multiply": (np.multiply, (SIGNED, REAL[0]), (INTS, POSITIVE), (BOOLS, OTHER)),
    "divide": (np.divide, (SIGNED, REAL), (COMPLEX, COMPLEX)),
    "floor_divide": (np.floor_divide, (SIGNED, REAL), (INTS, POSITIVE)),
    "remainder": (np.remainder, (SIGNED, -REAL), (INTS, -POSITIVE)),
    "pow": (np.power, (REAL, SIGNED), (INTS, POSITIVE)),
    "atan2": (np.arctan2, (SIGNED, REAL)),
    "maximum": (
        np.maximum,
        (SIGNED, REAL),
        (INTS, POSITIVE),
        (BOOLS, OTHER),
        (np.array([np.nan, 1]), np.array([1, np.nan])),
    ),
    "minimum": (
        np.minimum,
        (SIGNED, REAL),
        (INTS, POSITIVE),
        (BOOLS, OTHER),
        (np.array([np.nan, 1]), np.array([1, np.nan])),
    ),
    "equal": (np.equal, (INTS, POSITIVE), (BOOLS, OTHER), (COMPLEX, COMPLEX)),
    "not_equal": (np.not_equal, (INTS, POSITIVE), (BOOLS, OTHER)),
    "less": (np.less, (INTS, POSITIVE), (BOOLS, OTHER)),
    "less_equal": (np.less_equal, (INTS, POSITIVE), (BOOLS, OTHER)),
    "greater": (np.greater, (INTS, POSITIVE), (BOOLS, OTHER)),
    "greater_equal": (np.greater_equal, (INTS, POSITIVE), (BOOLS, OTHER)),
    "logical_and": (np.logical_and, (BOOLS, OTHER)),
    "logical_or": (np.logical_or, (BOOLS, OTHER)),
    "logical_xor": (np.logical_xor, (BOOLS, OTHER)),
    "bitwise_and": (np.bitwise_and, (INTS, POSITIVE), (BOOLS, OTHER)),
    "bitwise_or": (np.bitwise_or, (INTS, POSITIVE), (BOOLS, OTHER)),
    "bitwise_xor": (np.bitwise_xor, (INTS, POSITIVE), (BOOLS, OTHER)),
    "bitwise_left_shift": (np.left_shift, (POSITIVE, POSITIVE)),
    "bitwise_right_shift": (np.right_shift, (INTS, POSITIVE)),
}
WITH_NAN = np.array([[1, np.nan, 3], [4, 5, 6]])
LONG = INTS.astype(np.int64)
BASE, ROWS, VALUES = np.zeros((4, 2)), np.array([1, 3, 1]), RNG.normal(size=(3, 2))
SCATTERED = BASE.copy()
np.add.at(SCATTERED, ROWS, VALUES)
SMALL = INTS.astype(np.int16)
CASES: list[tuple[str, tuple[Any, ...], Any]] = [
    ("where", (BOOLS, INTS, POSITIVE), np.where(BOOLS, INTS, POSITIVE)),
    ("where", (BOOLS, INTS, 7), np.where(BOOLS, INTS, np.int32(7))),
    ("where", (OTHER, 0.5, SIGNED[:2]), np.where(OTHER, 0.5, SIGNED[:2])),
    ("sum", (SIGNED, (0, 1)), SIGNED.sum()),
    ("sum", (INTS, (1,)), LONG.sum(1)),
    ("sum", (BOOLS, (0,)), BOOLS.sum(0)),
    ("sum", (SIGNED, ()), SIGNED),
    ("prod", (SIGNED, (0,)), SIGNED.prod(0)),
    ("prod", (BOOLS, (0,)), BOOLS.prod(0)),
    ("mean", (COMPLEX, (1,)), COMPLEX.mean(1)),
    ("max", (WITH_NAN, (1,)), WITH_NAN.max(1)),
    ("min", (WITH_NAN, (1,)), WITH_NAN.min(1)),
    ("max", (BOOLS, (0,)), BOOLS.max(0)),
    ("min", (SMALL, (0, 1)), SMALL.min()),
    ("any", (BOOLS, (0,)), BOOLS.any(0)),
    ("all", (BOOLS, (1,)), BOOLS.all(1)),
    ("argmax", (INTS, 1), INTS.argmax(1)),
    ("argmin", (SIGNED, 0), SIGNED.argmin(0)),
    ("argmax", (BOOLS, 1), BOOLS.argmax(1)),
    ("cumsum", (SIGNED, 1), SIGNED.cumsum(1)),
    ("cumsum", (BOOLS, 1), BOOLS.cumsum(1)),
    ("cast", (INTS, FLOAT32), INTS.astype(np.float32)),
    ("cast", (SIGNED, INT64), SIGNED.astype(np.int64)),
    ("cast", (INTS, DType.of(bool)), INTS.astype(bool)),
    ("cast", (BOOLS, DType.of("complex64")), BOOLS.astype(np.complex64)),
    ("reshape", (SIGNED, (2, 6)), SIGNED.reshape(2, 6)),
    ("reshape", (SIGNED[:1, :1], ()), SIGNED[0, 0]),
    ("permute", (BOOLS, (1, 0)), BOOLS.T),
    ("broadcast_to", (BOOLS, (3, 2, 4)), np.broadcast_to(BOOLS, (3, 2, 4))),
    ("flip", (COMPLEX, (0, 1)), COMPLEX[::-1, ::-1]),
    ("getitem", (SIGNED, (1, slice(3, None, -2))), SIGNED[1, 3::-2]),
    ("getitem", (SIGNED, (slice(None, None, -1), -1)), SIGNED[::-1, -1]),
    ("getitem", (SIGNED, (slice(1, -1),)), SIGNED[1:-1]),
    ("getitem", (SIGNED, (slice(2, 1), slice(None))), SIGNED[2:1]),
    ("getitem", (BOOLS, (-1, -1)), BOOLS[-1, -1]),
    ("roll", (SIGNED, -5, 1), np.roll(SIGNED, -5, 1)),
    ("take", (SIGNED, np.array([2, 0, 2]), 0), SIGNED[[2, 0, 2]]),
    ("take", (BOOLS, np.array([3, 0]), 1), BOOLS[:, [3, 0]]),
    ("pad_constant", (SIGNED, ((1, 0), (0, 2)), 2.5), np.pad(SIGNED, ((1, 0), (0, 2)), constant_values=2.5)),
    ("pad_constant", (BOOLS, ((1, 0), (0, 2)), True), np.pad(BOOLS, ((1, 0), (0, 2)), constant_values=True)),
    ("scatter_add", (BASE, ROWS, VALUES), SCATTERED),
    ("matmul", (SIGNED, SIGNED.T), SIGNED @ SIGNED.T),
    ("matmul", (SMALL, SMALL.T), SMALL @ SMALL.T),
    (
        "matmul",
        (POSITIVE.astype(np.uint8), POSITIVE.T.astype(np.uint8)),
        POSITIVE.astype(np.uint8) @ POSITIVE.T.astype(np.uint8),
    ),
    ("matmul", (BOOLS, BOOLS.T), BOOLS @ BOOLS.T),
    ("matmul", (COMPLEX, COMPLEX.T), COMPLEX @ COMPLEX.T),
    ("fft", (COMPLEX, (0,)), np.fft.fft(COMPLEX, axis=0)),
    ("ifft", (COMPLEX, (0, 1)), np.fft.ifft2(COMPLEX)),
    (
        "fft",
        (COMPLEX.reshape(1, 2, 2, 3, 1), (0, 1, 3, 4)),
        np.fft.fftn(COMPLEX.reshape(1, 2, 2, 3, 1), axes=(0, 1, 3, 4)),
    ),
    ("rfft", (SIGNED, (0,)), np.fft.rfft(SIGNED, axis=0)),
    ("irfft", (COMPLEX, 5, (1,)), np.fft.irfft(COMPLEX[:, :3], 5, axis=1)),
    ("irfft", (COMPLEX, 4, (0,)), np.fft.irfft(COMPLEX, 4, axis=0)),
    ("sort", (INTS, 1), np.sort(INTS, 1)),
    ("sort", (SIGNED, 0), np.sort(SIGNED, 0)),
    ("argsort", (np.array([1, 0, 1, 0, 1]), 0), np.array([1, 3, 0, 2, 4])),
    ("argsort", (BOOLS, 1), np.argsort(BOOLS, 1, kind="stable")),
]


@pytest.mark.parametrize("name", UNARY)
def test_unary_rows_equal_numpy(name: str) -> None:
    oracle, *inputs = UNARY[name]
    for x in inputs:
        agree(O[name](native(x)), oracle(x))


@pytest.mark.parametrize("name", BINARY)
def test_binary_rows_equal_numpy(name: str) -> None:
    oracle, *inputs = BINARY[name]
    for x, y in inputs:
        agree(O[name](native(x), native(y)), oracle(x, y))


@pytest.mark.compiled
def test_python_numbers_keep_the_dtype_of_the_array() -> None:
    x = native(REAL.astype(np.float64))
    for call in (lambda f: f, lambda f: B.compile(f, (x,))):
        for name in ("add", "subtract", "multiply", "divide", "pow", "maximum", "remainder", "atan2"):
            oracle = BINARY[name][0]
            right, left = call(lambda a, n=name: (O[n](a, 2), O[n](2.5, a)))(x)
            agree(right, oracle(REAL, 2))
            agree(left, oracle(2.5, REAL))
    agree(O["multiply"](3, native(INTS)), 3 * INTS)


@pytest.mark.parametrize(
    ("name", "arguments", "desired"), CASES, ids=[f"{i}-{case[0]}" for i, case in enumerate(CASES)]
)
def test_other_rows_equal_numpy(name: str, arguments: tuple[Any, ...], desired: Any) -> None:
    agree(O[name](*(native(a) if isinstance(a, np.ndarray) else a for a in arguments)), desired)


def test_concat_stack_and_arange() -> None:
    for x in (SIGNED, BOOLS, SMALL, COMPLEX):
        agree(O["concat"]([native(x), native(x[:1])], 0), np.concatenate([x, x[:1]]))
        agree(O["stack"]([native(x), native(x)], 1), np.stack([x, x], 1))
    agree(O["arange"](1, 8, 3, INT32, None), np.arange(1, 8, 3, np.int32))
    agree(O["arange"](1.0, 0.0, -0.25, FLOAT64, None), np.arange(1.0, 0.0, -0.25))


@pytest.mark.compiled
def test_rows_compile_with_xla() -> None:
    """All rows at once: one compilation, the same numbers (and no warning: they are errors here)."""
    names = ("maximum", "minimum")
    a, b = (native(v) for v in BINARY["maximum"][-1])
    assert all(
        np.isnan(B.to_numpy(y)).all()
        for y in B.compile(lambda x, y: tuple(O[n](x, y) for n in names), (a, b))(a, b)
    )
    arrays = [[native(a) for a in arguments if isinstance(a, np.ndarray)] for _, arguments, _ in CASES]
    flat = [a for group in arrays for a in group]

    def everything(*natives: Any) -> tuple[Any, ...]:
        left = iter(natives)
        return tuple(
            O[name](*(next(left) if isinstance(a, np.ndarray) else a for a in arguments))
            for name, arguments, _ in CASES
        )

    for actual, (_, _, desired) in zip(B.compile(everything, tuple(flat))(*flat), CASES, strict=True):
        agree(actual, desired)


# --- data


def test_dlpack_shares_memory_with_aligned_arrays_only() -> None:
    buffer = np.zeros(1024 + 16)
    start = (-buffer.ctypes.data % 64) // 8
    aligned, misaligned = buffer[start : start + 100], buffer[start + 1 : start + 101]
    assert B.to_numpy(B.from_dlpack(aligned)).ctypes.data == aligned.ctypes.data
    agree(O["add"](B.from_dlpack(misaligned), 1.0), misaligned + 1)  # TensorFlow would abort the process
    tensor = native(REAL)
    assert np.from_dlpack(tensor).ctypes.data == B.to_numpy(tensor).ctypes.data
    agree(B.from_dlpack(REAL.T), REAL.T)


def test_full() -> None:
    agree(B.full((2, 3), 1.5, FLOAT32), np.full((2, 3), 1.5, np.float32))
    agree(B.full((), 2, INT64, B.list_devices()[0]), np.int64(2))


def test_only_undifferentiated_eager_tensors_are_concrete() -> None:
    x = native(REAL)
    seen = []
    B.vjp(lambda y: ((seen.append((B.is_concrete(x), B.is_concrete(y))) or y,), ()), (x,))
    B.compile(lambda y: (seen.append((B.is_concrete(x), B.is_concrete(y))) or y,), (x,))
    assert seen == [(True, False), (True, False)]
    assert B.dtype(x) is FLOAT64
    assert B.shape(x) == (3, 4)
    assert B.device(x) in B.list_devices()


# --- compilation


@pytest.mark.compiled
def test_compile_traces_once_and_lifts_outside_arrays() -> None:
    outside, calls = native(RNG.normal(size=300)), []

    def f(x: Any) -> tuple[Any, ...]:
        calls.append(1)
        return (O["multiply"](x, outside), B.as_native(np.arange(200.0)))

    x = native(RNG.normal(size=300))
    compiled = B.compile(f, (x,))
    agree(compiled(O["add"](x, 1))[0], (B.to_numpy(x) + 1) * B.to_numpy(outside))
    assert len(calls) == 1


@pytest.mark.compiled
def test_compile_passes_errors_and_reports_what_xla_refuses() -> None:
    x = native(REAL)
    with pytest.raises(ZeroDivisionError):
        B.compile(lambda x: (x, 1 / 0), (x,))
    with pytest.warns(UserWarning, match="XLA cannot compile"):
        compiled = B.compile(lambda x: (tf.py_function(lambda a: 2 * a, [x], tf.float64),), (x,))
    agree(compiled(x)[0], 2 * REAL)


# --- derivatives: each nesting against the same one of a plain function, whose first equal differences

X, Y, V, W = (native(RNG.uniform(0.2, 0.8, 5)) for _ in range(4))
NESTINGS = ["".join(modes) for count in (1, 2) for modes in product("fr", repeat=count)]
Function = Callable[[Any, Any], tuple[Any, ...]]


def forward(f: Function) -> Function:
    return lambda x, y: B.jvp(f, (x, y), (V, W))[1]


def reverse(f: Function) -> Function:
    def derivative(x: Any, y: Any) -> tuple[Any, ...]:
        outputs, pullback, _ = B.vjp(lambda *args: (f(*args), ()), (x, y))
        return pullback(tuple(tf.ones_like(output) * (i + 1.0) for i, output in enumerate(outputs)))

    return derivative


def nested(modes: str, f: Function) -> Function:
    for mode in reversed(modes):
        f = {"f": forward, "r": reverse}[mode](f)
    return f


def differences(f: Function) -> list[Any]:
    eps = 1e-5
    pairs = zip(f(X + eps * V, Y + eps * W), f(X - eps * V, Y - eps * W), strict=True)
    return [(after - before) / (2 * eps) for after, before in pairs]


def once(s: Any, y: Any) -> Any:
    return O["multiply"](O["sin"](O["multiply"](s, y)), 1.3)


def plain(x: Any, y: Any) -> tuple[Any, ...]:
    return O["multiply"](O["sin"](x), O["exp"](y)), x * x * y + 3.0


def with_rule(x: Any, y: Any) -> tuple[Any, ...]:
    rule = lambda p, out, c: (c[0] * O["cos"](p[0]) * O["exp"](p[1]), c[0] * out[0])  # noqa: E731
    return *B.custom_gradient(lambda a, b: (O["sin"](a) * O["exp"](b),), rule)(x, y), x * x * y + 3.0


def round_trip(x: Any, y: Any) -> tuple[Any, ...]:
    return (O["irfft"](O["rfft"](x * x * y, (0,)), 5, (0,)) * x,)


def unrolled(x: Any, y: Any) -> tuple[Any, ...]:
    outputs = []
    for _ in range(4):
        x, out = once(x, y), x * x * y
        outputs.append(out)
    return x, tf.stack(outputs)


def scanned(x: Any, y: Any) -> tuple[Any, ...]:
    state, outputs = B.scan(lambda s: ((once(s[0], y), s[1] + 1), (s[0] * s[0] * y,)), (x, tf.constant(0)), 4)
    return state[0], outputs[0]


def looped(limit: int | None) -> Function:
    def f(x: Any, y: Any) -> tuple[Any, ...]:
        s, _ = B.while_loop(
            lambda s: s[1] < 4, lambda s: (once(s[0], y), s[1] + 1), (x, tf.constant(0)), limit
        )
        return (s,)

    return f


def mapped(x: Any, y: Any) -> tuple[Any, ...]:
    return B.map_leading(lambda a, b: (with_rule(a, b)[0] * x,), (x, y))


def mapped_plain(x: Any, y: Any) -> tuple[Any, ...]:
    return (tf.stack([plain(x[i], y[i])[0] * x for i in range(5)]),)


PAIRS: dict[str, tuple[Function, Function]] = {
    "plain": (plain, plain),
    "custom": (with_rule, plain),
    "fft": (round_trip, lambda x, y: (x * x * x * y,)),
    "scan": (scanned, unrolled),
    "while": (looped(6), lambda x, y: unrolled(x, y)[:1]),
    "map": (mapped, mapped_plain),
}


@pytest.mark.parametrize("modes", NESTINGS)
@pytest.mark.parametrize("name", ["plain", "custom", "fft", "while", "map"])
def test_nested_derivatives_eager(name: str, modes: str) -> None:
    function, reference = PAIRS[name]
    for a, b in zip(nested(modes, function)(X, Y), nested(modes, reference)(X, Y), strict=True):
        agree(a, B.to_numpy(b))
    if modes[0] == "f":
        for a, b in zip(
            nested(modes, function)(X, Y), differences(nested(modes[1:], reference)), strict=True
        ):
            agree(a, B.to_numpy(b), 1e-7)


@pytest.mark.compiled
@pytest.mark.parametrize("name", PAIRS)
def test_nested_derivatives_compiled(name: str) -> None:
    """All nestings in one compilation, against the eager ones of the reference."""
    function, reference = PAIRS[name]
    every = [nested(modes, function) for modes in NESTINGS]
    actual = B.compile(lambda x, y: tuple(a for f in every for a in f(x, y)), (X, Y))(X, Y)
    for a, b in zip(actual, [b for modes in NESTINGS for b in nested(modes, reference)(X, Y)], strict=True):
        agree(a, B.to_numpy(b))


@pytest.mark.compiled
def test_xla_conjugates_second_derivatives_of_complex_functions() -> None:
    """TensorFlow's own rules for these lead to XLA kernels that forget to conjugate."""
    names = (
        "sqrt",
        "rsqrt",
        "log",
        "log1p",
        "reciprocal",
        "tan",
        "tanh",
        "asin",
        "acos",
        "atan",
        "atanh",
        "sigmoid",
    )
    angle = lambda x, y: (O["angle"](tf.complex(x, y)),)  # noqa: E731
    squares = [lambda x, y, n=name: (O["imag"](O[n](tf.complex(x, y))) ** 2,) for name in names]
    every = [reverse(reverse(f)) for f in (angle, *squares)]

    def run(x: Any, y: Any) -> tuple[Any, ...]:
        return tuple(a for f in every for a in f(x, y))

    for a, b in zip(B.compile(run, (X, Y))(X, Y), run(X, Y), strict=True):
        agree(a, B.to_numpy(b), 1e-11)


def test_eager_scan_under_a_tape_is_one_primitive() -> None:
    calls = []

    def f(x: Any, y: Any) -> tuple[Any, ...]:
        return B.scan(lambda s: (calls.append(1) or (once(s[0], y),), ()), (x,), 4)[0]

    for a, b in zip(reverse(f)(X, Y), reverse(lambda x, y: unrolled(x, y)[:1])(X, Y), strict=True):
        agree(a, B.to_numpy(b))
    assert len(calls) == 1


@pytest.mark.compiled
def test_unlimited_loops_differentiate_forwards_only() -> None:
    expected = forward(lambda x, y: unrolled(x, y)[:1])(X, Y)
    for modes, reference in (
        ("f", expected),
        ("ff", forward(forward(lambda x, y: unrolled(x, y)[:1]))(X, Y)),
    ):
        agree(B.compile(nested(modes, looped(None)), (X, Y))(X, Y)[0], B.to_numpy(reference[0]), 1e-11)
    with pytest.raises(Unsupported, match="limit"):
        B.compile(reverse(looped(None)), (X, Y))


def test_custom_gradient_of_an_outside_tensor_is_refused() -> None:
    def f(x: Any) -> tuple[Any, Any]:
        return B.custom_gradient(lambda y: (x * y,), lambda p, out, c: c)(Y), ()

    with pytest.raises(Unsupported, match="from outside"):
        B.vjp(f, (X,))


def test_unconnected_and_integer_arguments_give_zeros() -> None:
    i = tf.constant([1, 2])
    _, pullback, aux = B.vjp(lambda x, y, i: ((x, x, i), (y,)), (X, Y, i))
    for _ in range(2):
        cotangents = pullback((V, W, i))
        agree(cotangents[0], B.to_numpy(V + W))
        agree(cotangents[1], np.zeros(5))
        agree(cotangents[2], np.zeros(2, np.int32))
    assert len(aux) == 1
    agree(B.jvp(lambda x: (B.stop_gradient(x), x > 0), (X,), (V,))[1][0], np.zeros(5))


@pytest.mark.compiled
def test_scan_traces_its_step_once_whatever_the_count() -> None:
    def trace(count: int) -> tuple[int, int]:
        calls, operations = [], []

        def f(x: Any, y: Any) -> tuple[Any, ...]:
            result = reverse(
                lambda x, y: B.scan(lambda s: (calls.append(1) or (once(s[0], y),), ()), (x,), count)[0]
            )(x, y)
            operations.append(len(tf.compat.v1.get_default_graph().get_operations()))
            return result

        B.compile(f, (X, Y))
        return len(calls), operations[0]

    assert trace(8) == trace(64)
    assert trace(8)[0] == 1


@pytest.mark.compiled
def test_scan_without_steps() -> None:
    def f(x: Any) -> tuple[Any, ...]:
        (state,), (outputs,) = B.scan(lambda s: ((s[0] * 2,), (s[0],)), (x,), 0)
        return state, outputs

    for state, outputs in (f(X), B.compile(f, (X,))(X)):
        agree(state, B.to_numpy(X))
        agree(outputs, np.zeros((0, 5)))
