"""NumPy: values everywhere, derivatives and compilation nowhere."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from phi_tensor._dtype import INT64, DType
from phi_tensor.backends._backend import Backend, ComputeDevice, Native, Natives
from phi_tensor.backends._numpy_convolution import convolution
from phi_tensor.backends._numpy_linalg import OPS as _MATRIX_OPS
from phi_tensor.backends._numpy_quiet import quietly, special
from phi_tensor.backends._numpy_random import random_bits
from phi_tensor.backends._numpy_scatter import SCATTER
from phi_tensor.backends._numpy_sparse import SPARSE
from phi_tensor.backends._numpy_stats import STATS

Array = npt.NDArray[Any]


class NumPyBackend(Backend):
    """NumPy arrays in main memory."""

    name = "numpy"
    features = frozenset({"float16"})
    mixes = True
    index_dtype = INT64
    in_32_bit = frozenset(
        {"sigmoid", "erf", "erfc", "erfinv", "log_gamma", "digamma", "gammainc", "gammaincc"}
    )

    def __init__(self) -> None:
        self.ops = _OPS
        self._device = ComputeDevice("numpy", "CPU", "CPU", -1, os.cpu_count() or -1, "main memory", "cpu")

    def is_native(self, obj: object) -> bool:
        return isinstance(obj, (np.ndarray, np.generic))

    def is_concrete(self, native: Native) -> bool:
        return True

    def as_native(self, array: Array, device: ComputeDevice | None = None) -> Array:
        return array

    def to_numpy(self, native: Native) -> Array:
        return np.asarray(native)

    def from_dlpack(self, obj: Any) -> Array:
        return np.from_dlpack(obj)

    def full(
        self, shape: Sequence[int], value: complex, dtype: DType, device: ComputeDevice | None = None
    ) -> Array:
        return np.full(shape, value, dtype.numpy)

    def dtype(self, native: Native) -> DType:
        return DType.of(native.dtype)

    def shape(self, native: Native) -> tuple[int, ...]:
        return native.shape

    def all_devices(self) -> list[ComputeDevice]:
        return [self._device]

    def device(self, native: Native) -> ComputeDevice:
        return self._device

    def to_device(self, native: Native, device: ComputeDevice) -> Native:
        return native

    def wait(self, natives: Natives) -> None:
        return None


def _permute(x: Array, axes: Sequence[int]) -> Array:
    return x.transpose(axes)


def _round_like(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    return lambda x: x if x.dtype.kind in "iub" else function(x)


def _sigmoid(x: Array) -> Array:
    return _logistic(x) if x.dtype.kind == "f" else 0.5 * (np.tanh(0.5 * x) + 1)


_logistic = special("expit", 1)


def _mean(x: Array, axes: tuple[int, ...]) -> Array:
    if x.dtype.itemsize < 4:
        return np.mean(x, axes)  # sums in 32 bit
    return np.add.reduce(x, axes) / math.prod([x.shape[axis] for axis in axes])  # three times as fast


def _cast(x: Array, dtype: DType) -> Array:
    if x.dtype.kind == "c" and dtype.kind is not complex:
        x = np.real(x) if dtype.kind is not bool else x != 0
    return x.astype(dtype.numpy)


def _pad_constant(x: Array, widths: Sequence[tuple[int, int]], value: Any) -> Array:
    shape = tuple(lo + size + up for size, (lo, up) in zip(x.shape, widths, strict=True))
    padded = np.full(shape, value, x.dtype)
    padded[tuple(slice(lo, lo + size) for size, (lo, _) in zip(x.shape, widths, strict=True))] = x
    return padded


def _transform(name: str) -> Callable[..., Array]:
    """Transform of SciPy, unnormalised: up to three times as fast as NumPy's."""

    def transform(*arguments: Any, **settings: Any) -> Array:
        from scipy import fft  # noqa: PLC0415 costs 150 ms

        return getattr(fft, name)(*arguments, **settings)

    return transform


def _irfft(x: Array, n: int, axes: tuple[int, ...]) -> Array:
    return _transform("irfftn")(x, (*(x.shape[axis] for axis in axes[:-1]), n), axes)


def _pow(x: Array, y: Array) -> Array:
    """Powers; those of ints with negative exponents are cut to ints, as on all other backends."""
    ints = np.asarray(x).dtype.kind in "iu" and np.asarray(y).dtype.kind in "iu"
    if not ints or np.all(np.asarray(y) >= 0):
        return np.power(x, y)
    whole = np.power(x, np.abs(y))
    return np.where((np.asarray(y) < 0) & (np.abs(whole) != 1), np.zeros_like(whole), whole)


def _arange(start: float, stop: float, step: float, dtype: DType, device: Any = None) -> Array:
    return np.arange(start, stop, step, dtype=dtype.numpy)


def _complex(real: Native, imag: Native) -> Native:
    result = np.empty(np.broadcast_shapes(real.shape, imag.shape), np.result_type(real, imag, np.complex64))
    result.real, result.imag = real, imag
    return result


_OPS: dict[str, Callable[..., Any]] = {
    **{
        name: getattr(np, name)
        for name in ("negative", "exp", "expm1", "sin", "cos", "tan", "sinh", "tanh", "square")
    },
    **{
        name: getattr(np, name)
        for name in ("real", "imag", "conj", "angle", "isfinite", "isnan", "isinf", "sign")
    },
    **{f"a{f}": getattr(np, f"arc{f}") for f in ("tan", "sinh")},
    **{f"a{f}": quietly(getattr(np, f"arc{f}"), 1) for f in ("sin", "cos", "cosh", "tanh")},
    **{
        name: quietly(getattr(np, name), 1)
        for name in ("sqrt", "log", "log1p", "log2", "log10", "reciprocal", "cosh")
    },
    **{name: _round_like(getattr(np, name)) for name in ("round", "ceil", "floor", "trunc")},
    "abs": np.abs,
    "rsqrt": quietly(lambda x: 1 / np.sqrt(x), 1),
    "erf": special("erf", 1),
    "sigmoid": _sigmoid,
    "softplus": lambda x: np.logaddexp(x, x.dtype.type(0)),
    "logical_not": np.logical_not,
    "bitwise_invert": np.invert,
    **{name: getattr(np, name) for name in ("add", "subtract", "multiply", "maximum", "minimum")},
    **{
        name: getattr(np, name)
        for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
    },
    **{name: getattr(np, name) for name in ("logical_and", "logical_or", "logical_xor")},
    **{f"bitwise_{name}": getattr(np, f"bitwise_{name}") for name in ("and", "or", "xor")},
    **{f"bitwise_{name}": getattr(np, name) for name in ("left_shift", "right_shift")},
    **{name: quietly(getattr(np, name), 2) for name in ("floor_divide", "remainder")},
    "divide": quietly(np.divide, 2),
    "pow": quietly(_pow, 2),
    "atan2": np.arctan2,
    "where": np.where,
    "sum": np.add.reduce,
    "prod": np.multiply.reduce,
    "mean": _mean,
    "max": np.maximum.reduce,
    "min": np.minimum.reduce,
    "any": np.logical_or.reduce,
    "all": np.logical_and.reduce,
    "argmax": np.argmax,
    "argmin": np.argmin,
    "cumsum": np.cumsum,
    "cast": _cast,
    "reshape": lambda x, shape: x.reshape(shape),
    "permute": _permute,
    "broadcast_to": np.broadcast_to,
    "concat": np.concatenate,
    "stack": np.stack,
    "unstack": lambda x, axis: tuple(np.moveaxis(x, axis, 0)),
    "flip": np.flip,
    "getitem": lambda x, index: x[index],
    "roll": np.roll,
    "take": lambda x, indices, axis: x.take(indices, axis),
    "pad_constant": _pad_constant,
    **SCATTER,
    **SPARSE,
    "random_bits": random_bits,
    "matmul": np.matmul,
    **_MATRIX_OPS,
    "fft": lambda x, axes: _transform("fftn")(x, axes=axes),
    "ifft": lambda x, axes: _transform("ifftn")(x, axes=axes),
    "complex": _complex,
    "rfft": lambda x, axes: _transform("rfftn")(x, axes=axes),
    "irfft": _irfft,
    "dct": lambda x, kind, axis: _transform("dct")(x, kind, axis=axis),
    "dst": lambda x, kind, axis: _transform("dst")(x, kind, axis=axis),
    "arange": _arange,
    "copy": np.array,
    "iota": lambda n, dtype: np.arange(n, dtype=dtype.numpy),
    "sort": partial(np.sort, kind="stable"),
    "argsort": partial(np.argsort, kind="stable"),
    **STATS,
}

_OPS["convolve"] = convolution(_OPS)

NUMPY = BACKEND = NumPyBackend()
