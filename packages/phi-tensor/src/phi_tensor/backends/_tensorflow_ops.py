"""TensorFlow functions by row name: reductions, rearranging, products, transforms, and the element-wise ones.

Eagerly, TensorFlow spends 15 µs to convert a tuple of axes and 0.3 µs to take a cached tensor of them; in a
trace a literal is better, since XLA wants shapes known. Hence `ints`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import tensorflow as tf

from phi_tensor._dtype import DType
from phi_tensor.backends._backend import ComputeDevice
from phi_tensor.backends._tensorflow_convolution import convolution
from phi_tensor.backends._tensorflow_elementwise import (
    BOOL,
    ELEMENTWISE,
    NUMBER,
    REAL_OF,
    Native,
    Op,
    cast_to,
    ints,
    number,
)
from phi_tensor.backends._tensorflow_linalg import OPS as _MATRIX_OPS
from phi_tensor.backends._tensorflow_private import (
    arrays,
    has_no_tape,
    is_eager,
    is_taped,
    manip,
    maths,
    spectral,
)
from phi_tensor.backends._tensorflow_scatter import SCATTER
from phi_tensor.backends._tensorflow_sparse import SPARSE
from phi_tensor.backends._tensorflow_stats import STATS, ordered_ints, product

_COMPLEX_OF = {tf.float32: tf.complex64, tf.float64: tf.complex128}


# --- reductions


def _reduce(native: Op, on_bools: Op | None = None) -> Op:
    def apply(x: Native, axes: tuple[int, ...]) -> Native:
        return (on_bools if on_bools is not None and x.dtype is BOOL else native)(x, ints(axes))

    return apply


def _accumulate(native: Op) -> Op:
    """Sums and products of bools and ints are int64."""

    def apply(x: Native, axes: Any) -> Native:
        if x.dtype is BOOL or x.dtype.is_integer:
            x = cast_to(x, tf.int64)
        return native(x, ints(axes))

    return apply


def _prod(x: Native, axes: tuple[int, ...]) -> Native:
    if (is_eager() and has_no_tape()) or x.dtype is BOOL or x.dtype.is_integer:
        return _native_prod(x, axes)
    for axis in sorted(axes, reverse=True):
        x = product(x, axis)
    return x


_native_prod = _accumulate(maths.prod)


def _cumsum(x: Native, axis: int) -> Native:
    """XLA has none of complex numbers."""
    if is_eager() or x.dtype not in REAL_OF:
        return _native_cumsum(x, axis)
    real, imaginary = ELEMENTWISE["real"](x), ELEMENTWISE["imag"](x)
    return tf.complex(_native_cumsum(real, axis), _native_cumsum(imaginary, axis))


_native_cumsum = _accumulate(maths.cumsum)


def _extreme(native: Op, on_bools: Op) -> Op:
    """Reductions that propagate NaNs in XLA, too (see `_propagating_nan`)."""
    reduce = _reduce(native, on_bools)

    def apply(x: Native, axes: tuple[int, ...]) -> Native:
        extreme = reduce(x, axes)
        if is_eager() or not x.dtype.is_floating:
            return extreme
        return maths.select_v2(maths._any(maths.is_nan(x), ints(axes)), number(math.nan, x), extreme)

    return apply


def _arg_extreme(native: Op) -> Op:
    def apply(x: Native, axis: int) -> Native:
        return native(cast_to(x, tf.uint8) if x.dtype is BOOL else x, ints(axis), output_type=tf.int64)

    return apply


# --- rearranging


def _reshape(x: Native, shape: tuple[int, ...]) -> Native:
    return arrays.reshape(x, ints(tuple(shape)))


def _permute(x: Native, axes: tuple[int, ...]) -> Native:
    return arrays.transpose(x, ints(tuple(axes)))


def _broadcast_to(x: Native, shape: tuple[int, ...]) -> Native:
    return arrays.broadcast_to(x, ints(tuple(shape)))


def _concat(parts: Sequence[Native], axis: int) -> Native:
    return arrays.concat_v2(list(parts), ints(axis)) if len(parts) > 1 else arrays.identity(parts[0])


def _stack(parts: Sequence[Native], axis: int) -> Native:
    return arrays.pack(list(parts), axis=axis)


def _flip(x: Native, axes: tuple[int, ...]) -> Native:
    return arrays.reverse_v2(x, ints(tuple(axes)))


@lru_cache(maxsize=4096)
def _slice_plan(key: tuple[Any, ...]) -> tuple[Any, ...]:
    """Begin, end, strides and the bit masks of absent begins, absent ends and dropped axes."""
    begin: list[int] = []
    end: list[int] = []
    strides: list[int] = []
    masks = [0, 0, 0]
    for axis, entry in enumerate(key):
        start, stop, step = entry if isinstance(entry, tuple) else (entry, entry + 1, 1)
        begin.append(0 if start is None else start)
        end.append(0 if stop is None else stop)
        strides.append(1 if step is None else step)
        absent = (start is None, stop is None, not isinstance(entry, tuple))
        masks = [mask | (flag << axis) for mask, flag in zip(masks, absent, strict=True)]
    return (tuple(begin), tuple(end), tuple(strides), *masks)


def _getitem(x: Native, index: tuple[Any, ...]) -> Native:
    key = tuple([(i.start, i.stop, i.step) if isinstance(i, slice) else int(i) for i in index])
    begin, end, strides, no_begin, no_end, dropped = _slice_plan(key)
    return arrays.strided_slice(
        x,
        ints(begin),
        ints(end),
        ints(strides),
        begin_mask=no_begin,
        end_mask=no_end,
        shrink_axis_mask=dropped,
    )


def _roll(x: Native, shift: int, axis: int) -> Native:
    return manip.roll(x, ints(shift), ints(axis))


def _take(x: Native, indices: Native, axis: int) -> Native:
    return arrays.gather_v2(x, indices, ints(axis))


def _pad_constant(x: Native, widths: Any, value: Any) -> Native:
    widths = ints(tuple((lower, upper) for lower, upper in widths))
    value = number(value, x) if isinstance(value, NUMBER) else cast_to(tf.convert_to_tensor(value), x.dtype)
    return arrays.pad_v2(x, widths, value)


CHOSEN_DEVICE: list[ComputeDevice] = []
"""The device that `set_default_device` chose, if any."""


def device_name(device: ComputeDevice | None) -> str | None:
    """Where to make an array: on `device`, else on the chosen one, else (None) where TensorFlow does."""
    chosen = device or next(iter(CHOSEN_DEVICE), None)
    return None if chosen is None else chosen.name


def _arange(start: Any, stop: Any, step: Any, dtype: DType, device: ComputeDevice | None = None) -> Native:
    size = max(0, math.ceil((stop - start) / step))
    wide = tf.float64 if dtype.kind is float else tf.int64
    with tf.device(device_name(device)):
        steps = maths._range(*(tf.constant(value, wide) for value in (0, size, 1)))
        values = maths.add_v2(maths.mul(steps, tf.constant(step, wide)), tf.constant(start, wide))
        return cast_to(values, tf.as_dtype(dtype.numpy))


def _argsort(x: Native, axis: int) -> Native:
    x = cast_to(x, tf.int32) if x.dtype is BOOL else ordered_ints(x) if x.dtype.is_floating else x
    return cast_to(tf.argsort(x, axis, stable=True), tf.int64)


def _sort(x: Native, axis: int) -> Native:
    last = len(x.shape) - 1
    return _with_last(x, (axis,), lambda y: tf.gather(y, _argsort(y, last), axis=last, batch_dims=last))


# --- products and transforms

_MATMUL_TYPES = {tf.float16, tf.float32, tf.float64, tf.int32, tf.int64, tf.complex64, tf.complex128}


def _matmul(a: Native, b: Native) -> Native:
    if a.dtype in _MATMUL_TYPES:
        return maths.batch_mat_mul_v2(a, b)
    return cast_to(maths.batch_mat_mul_v2(cast_to(a, tf.int32), cast_to(b, tf.int32)), a.dtype)


def _with_last(x: Native, axes: tuple[int, ...], transform: Op) -> Native:
    """`transform` of `x` with `axes` moved to the end and back."""
    rank = len(x.shape)
    order = tuple(axis for axis in range(rank) if axis not in axes) + tuple(axes)
    if order == tuple(range(rank)):
        return transform(x)
    return _permute(transform(_permute(x, order)), tuple(order.index(axis) for axis in range(rank)))


def _complex_transform(by_rank: Sequence[Op]) -> Op:
    """Transform over any number of axes, three at a time (TensorFlow has kernels for one to three)."""

    def apply(x: Native, axes: tuple[int, ...]) -> Native:
        axes = tuple(sorted(axes))
        for group in (axes[i : i + 3] for i in range(0, len(axes), 3)):
            x = _with_last(x, group, by_rank[len(group) - 1])
        return x

    return apply


_fft = _complex_transform((spectral.fft, spectral.fft2d, spectral.fft3d))
_ifft = _complex_transform((spectral.ifft, spectral.ifft2d, spectral.ifft3d))


def _rfft(x: Native, axes: tuple[int, ...]) -> Native:
    """Only the last axis by TensorFlow's real transform.

    That over two axes has a gradient by products with matrices, inexact in 32 bit, and over three none.
    """
    last, size = axes[-1], x.shape[axes[-1]]
    half = _with_last(x, (last,), lambda y: spectral.rfft(y, ints((size,)), Tcomplex=_COMPLEX_OF[y.dtype]))
    return _fft(half, axes[:-1])


def _of_size(x: Native, size: int, axis: int) -> Native:
    """`x` without what exceeds `size`, or with zeros behind."""
    missing = size - x.shape[axis]
    if missing > 0:
        return _pad_constant(x, tuple((0, missing if a == axis else 0) for a in range(len(x.shape))), 0)
    return _getitem(x, (*[slice(None)] * axis, slice(size))) if missing else x


def _irfft(x: Native, n: int, axes: tuple[int, ...]) -> Native:
    half = _of_size(_ifft(x, axes[:-1]), n // 2 + 1, axes[-1])  # else TensorFlow's gradient fails
    return _with_last(half, axes[-1:], lambda y: spectral.irfft(y, ints((n,)), Treal=REAL_OF[y.dtype]))


def _cast(x: Native, dtype: DType) -> Native:
    return cast_to(x, tf.as_dtype(dtype.numpy))


def _copy(x: Any) -> Any:
    """`x` with its own memory; derivatives and graphs follow it, whose arrays nobody else can write."""
    return tf.raw_ops.DeepCopy(x=x) if is_eager() and not is_taped([x]) else tf.identity(x)


OPS: dict[str, Op] = {
    **ELEMENTWISE,
    "sum": _accumulate(maths._sum),
    "prod": _prod,
    "mean": _reduce(maths.mean),
    "max": _extreme(maths._max, maths._any),
    "min": _extreme(maths._min, maths._all),
    "any": _reduce(maths._any),
    "all": _reduce(maths._all),
    "argmax": _arg_extreme(maths.arg_max),
    "argmin": _arg_extreme(maths.arg_min),
    "cumsum": _cumsum,
    "cast": _cast,
    "reshape": _reshape,
    "permute": _permute,
    "broadcast_to": _broadcast_to,
    "concat": _concat,
    "stack": _stack,
    "unstack": lambda x, axis: arrays.unpack(x, x.shape[axis], axis),
    "flip": _flip,
    "getitem": _getitem,
    "roll": _roll,
    "take": _take,
    "pad_constant": _pad_constant,
    **SCATTER,
    **SPARSE,
    "matmul": _matmul,
    **_MATRIX_OPS,
    "fft": _fft,
    "ifft": _ifft,
    "complex": tf.complex,
    "rfft": _rfft,
    "irfft": _irfft,
    "arange": _arange,
    "copy": _copy,
    "iota": lambda n, dtype: _arange(0, n, 1, dtype),
    "sort": _sort,
    "argsort": _argsort,
    **STATS,
}
"""Native functions by row name; see `backends/README.md`."""
OPS["convolve"] = convolution(OPS)
