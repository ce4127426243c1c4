"""PyTorch below the interface: rows against NumPy, derivatives against finite differences, eager and compiled."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from phi_tensor._dtype import BOOL, COMPLEX128, FLOAT16, FLOAT32, FLOAT64, INT32, INT64

if importlib.util.find_spec("torch") is None:
    pytest.skip("PyTorch is not installed", allow_module_level=True)

import scipy.special
import torch

from phi_tensor.backends._torch import BACKEND as B

RNG = np.random.default_rng(0)
F = RNG.uniform(0.1, 0.9, (3, 4))
G = RNG.uniform(0.1, 0.9, (3, 4))
S = F - 0.5
Z = F + 1j * G
I, J = RNG.integers(1, 9, (2, 3, 4))
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
    check(ops["rfft"](t(F), 1), np.fft.rfft(F), 1e-11)
    check(ops["irfft"](t(np.fft.rfft(F[:, :3])), 3, 1), F[:, :3], 1e-11)


def test_cast_and_full():
    for x, dtype in ((F, FLOAT16), (F, INT32), (I, FLOAT64), (Z, FLOAT64), (S, BOOL), (F, COMPLEX128)):
        check(B.ops["cast"](t(x), dtype), (x.real if dtype == float else x).astype(dtype.numpy), 1e-3)
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
