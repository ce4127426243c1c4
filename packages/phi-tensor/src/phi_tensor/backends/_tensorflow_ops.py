"""TensorFlow functions by row name, mostly its generated op wrappers (half the overhead of `tf.math`).

Two facts shape this file. Eagerly, TensorFlow spends 15 µs to convert a tuple of axes and 0.3 µs to take a cached tensor of
them; in a trace a literal is better, since XLA wants shapes known. And many kernels lack bools, small ints or complex
numbers: such arguments are cast around the kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.ops import gen_array_ops as arrays
from tensorflow.python.ops import gen_bitwise_ops as bits
from tensorflow.python.ops import gen_manip_ops, gen_nn_ops
from tensorflow.python.ops import gen_math_ops as maths
from tensorflow.python.ops import gen_spectral_ops as spectral

from phi_tensor._dtype import DType
from phi_tensor.backends._backend import ComputeDevice
from phi_tensor.backends._tensorflow_transforms import is_eager, primitive

Native = Any
Op = Callable[..., Any]

_NUMBER = (bool, int, float, complex, np.generic)
_REAL = {tf.complex64: tf.float32, tf.complex128: tf.float64}
_COMPLEX = {tf.float32: tf.complex64, tf.float64: tf.complex128}
_BOOL = tf.bool


# --- constants


@lru_cache(maxsize=4096)
def _eager_ints(values: tuple[Any, ...], dtype: Any) -> Native:
    with tf.init_scope():
        return tf.constant(np.asarray(values), dtype)


def ints(values: Any, dtype: Any = tf.int32) -> Any:
    """Axes or sizes as TensorFlow takes them fastest: a cached eager tensor, or a literal in a trace."""
    return _eager_ints(values, dtype) if is_eager() else tf.constant(np.asarray(values), dtype)


def _number(value: Any, like: Native) -> Any:
    return tf.constant(value, like.dtype)


def cast_to(x: Native, dtype: Any) -> Native:
    """`x` with a TensorFlow dtype."""
    return x if x.dtype is dtype else maths.cast(x, DstT=dtype)


# --- element-wise, one operand


def _keep_ints(native: Op) -> Op:
    """Rounding leaves bools and ints alone."""

    def apply(x: Native) -> Native:
        return native(x) if x.dtype.is_floating else x

    return apply


def _through_wide_int(native: Op) -> Op:
    """Kernels without bools and unsigned ints."""

    def apply(x: Native) -> Native:
        if x.dtype is _BOOL or x.dtype.is_unsigned:
            return maths.cast(native(maths.cast(x, DstT=tf.int64)), DstT=x.dtype)
        return native(x)

    return apply


def _absolute(x: Native) -> Native:
    return maths.complex_abs(x, Tout=_REAL[x.dtype]) if x.dtype in _REAL else _real_absolute(x)


_real_absolute = _through_wide_int(maths._abs)


def _trunc(x: Native) -> Native:
    return maths.select_v2(maths.less(x, 0 * x), maths.ceil(x), maths.floor(x))


def _logarithm(base: float) -> Op:
    factor = 1 / math.log(base)

    def apply(x: Native) -> Native:
        return maths.mul(_log(x), _number(factor, x))

    return apply


def _real(x: Native) -> Native:
    return maths.real(x, Tout=_REAL[x.dtype]) if x.dtype in _REAL else x


def _imag(x: Native) -> Native:
    return maths.imag(x, Tout=_REAL[x.dtype]) if x.dtype in _REAL else arrays.zeros_like(x)


def _conj(x: Native) -> Native:
    return maths.conj(x) if x.dtype in _REAL else x


def _angle(x: Native) -> Native:
    if x.dtype in _REAL:
        return maths.atan2(_imag(x), _real(x))
    return maths.select_v2(maths.less(x, 0 * x), _number(math.pi, x), 0 * x)


def _analytic(native: Op, derivative: Callable[[Native, Native], Native]) -> Op:
    """`native` with its complex `derivative(x, y)`: XLA's kernels for those of `sqrt`, `tanh`, 1/x, … forget to conjugate."""

    def pullback(primals: Any, outputs: Any, cotangents: Any) -> Any:
        return (maths.mul(cotangents[0], maths.conj(derivative(primals[0], outputs[0]))),)

    def apply(x: Native) -> Native:
        return primitive(lambda z: (native(z),), pullback, (x,))[0] if x.dtype in _REAL else native(x)

    return apply


def _inverse(x: Native) -> Native:
    return maths.real_div(_number(1, x), x)


def _by_parts(native: Op, of_complex: Op) -> Op:
    return lambda x: of_complex(x) if x.dtype in _REAL else native(x)


_sqrt = _analytic(maths.sqrt, lambda x, y: _inverse(2 * y))
_log = _analytic(maths.log, lambda x, y: _inverse(x))


def _float_test(native: Op, combine: Op, otherwise: bool) -> Op:
    def apply(x: Native) -> Native:
        if x.dtype in _REAL:
            return combine(native(_real(x)), native(_imag(x)))
        return native(x) if x.dtype.is_floating else arrays.fill(ints(tuple(x.shape)), otherwise)

    return apply


def _invert(x: Native) -> Native:
    return maths.logical_not(x) if x.dtype is _BOOL else bits.invert(x)


# --- element-wise, two operands


def _binary(native: Op, on_bools: Op | None = None) -> Op:
    """`native` for arrays and Python numbers."""

    def apply(x: Any, y: Any) -> Native:
        if isinstance(y, _NUMBER):
            if type(y) is not float or not is_eager():  # eagerly TensorFlow converts floats itself, 2 µs faster
                y = _number(y, x)
        elif isinstance(x, _NUMBER):
            x = _number(x, y)
        if on_bools is not None and x.dtype is _BOOL:
            return on_bools(x, y)
        return native(x, y)

    return apply


def _propagating_nan(native: Op) -> Op:
    """XLA's extremes forget NaNs on the CPU; TensorFlow's own kernels do not."""

    def apply(x: Native, y: Native) -> Native:
        extreme = native(x, y)
        if is_eager() or not x.dtype.is_floating:
            return extreme
        return maths.select_v2(maths.logical_or(maths.is_nan(x), maths.is_nan(y)), _number(math.nan, x), extreme)

    return apply


def _not_and(x: Native, y: Native) -> Native:
    return maths.logical_and(maths.logical_not(x), y)


def _not_or(x: Native, y: Native) -> Native:
    return maths.logical_or(maths.logical_not(x), y)


def _swapped(native: Op) -> Op:
    return lambda x, y: native(y, x)


def _divide(x: Native, y: Native) -> Native:
    return maths.real_div(x, y)


def _where(condition: Native, x: Any, y: Any) -> Native:
    if isinstance(x, _NUMBER):
        x = _number(x, y) if not isinstance(y, _NUMBER) else tf.constant(np.asarray(x))
    if isinstance(y, _NUMBER):
        y = _number(y, x)
    return maths.select_v2(condition, x, y)


# --- reductions


def _reduce(native: Op, on_bools: Op | None = None) -> Op:
    def apply(x: Native, axes: tuple[int, ...]) -> Native:
        return (on_bools if on_bools is not None and x.dtype is _BOOL else native)(x, ints(axes))

    return apply


def _accumulate(native: Op) -> Op:
    """Sums and products of bools and ints are int64."""

    def apply(x: Native, axes: Any) -> Native:
        if x.dtype is _BOOL or x.dtype.is_integer:
            x = cast_to(x, tf.int64)
        return native(x, ints(axes))

    return apply


def _extreme(native: Op, on_bools: Op) -> Op:
    """Reductions that propagate NaNs in XLA, too (see `_propagating_nan`)."""
    reduce = _reduce(native, on_bools)

    def apply(x: Native, axes: tuple[int, ...]) -> Native:
        extreme = reduce(x, axes)
        if is_eager() or not x.dtype.is_floating:
            return extreme
        return maths.select_v2(maths._any(maths.is_nan(x), ints(axes)), _number(math.nan, x), extreme)

    return apply


def _arg_extreme(native: Op) -> Op:
    def apply(x: Native, axis: int) -> Native:
        return native(cast_to(x, tf.uint8) if x.dtype is _BOOL else x, ints(axis), output_type=tf.int64)

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
        x, ints(begin), ints(end), ints(strides), begin_mask=no_begin, end_mask=no_end, shrink_axis_mask=dropped
    )


def _roll(x: Native, shift: int, axis: int) -> Native:
    return gen_manip_ops.roll(x, ints(shift), ints(axis))


def _take(x: Native, indices: Native, axis: int) -> Native:
    return arrays.gather_v2(x, indices, ints(axis))


def _pad_constant(x: Native, widths: Any, value: Any) -> Native:
    widths = ints(tuple((lower, upper) for lower, upper in widths))
    value = _number(value, x) if isinstance(value, _NUMBER) else cast_to(tf.convert_to_tensor(value), x.dtype)
    return arrays.pad_v2(x, widths, value)


def _scatter_add(base: Native, indices: Native, values: Native) -> Native:
    return arrays.tensor_scatter_add(base, arrays.expand_dims(indices, ints(1)), values)


def _arange(start: Any, stop: Any, step: Any, dtype: DType, device: ComputeDevice | None = None) -> Native:
    size = max(0, math.ceil((stop - start) / step))
    wide = tf.float64 if dtype.kind is float else tf.int64
    with tf.device(None if device is None else device.name):
        steps = maths._range(*(tf.constant(value, wide) for value in (0, size, 1)))
        values = maths.add_v2(maths.mul(steps, tf.constant(step, wide)), tf.constant(start, wide))
        return cast_to(values, tf.as_dtype(dtype.numpy))


def _argsort(x: Native, axis: int) -> Native:
    x = cast_to(x, tf.int32) if x.dtype is _BOOL else x
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


def _rfft(x: Native, axis: int) -> Native:
    size = x.shape[axis]
    return _with_last(x, (axis,), lambda y: spectral.rfft(y, ints((size,)), Tcomplex=_COMPLEX[y.dtype]))


def _irfft(x: Native, n: int, axis: int) -> Native:
    return _with_last(x, (axis,), lambda y: spectral.irfft(y, ints((n,)), Treal=_REAL[y.dtype]))


def _cast(x: Native, dtype: DType) -> Native:
    return cast_to(x, tf.as_dtype(dtype.numpy))


OPS: dict[str, Op] = {
    "negative": _through_wide_int(maths.neg),
    "abs": _absolute,
    "sign": _through_wide_int(maths.sign),
    "round": _keep_ints(maths.round),
    "ceil": _keep_ints(maths.ceil),
    "floor": _keep_ints(maths.floor),
    "trunc": _keep_ints(_trunc),
    "sqrt": _sqrt,
    "rsqrt": _by_parts(maths.rsqrt, lambda x: _inverse(_sqrt(x))),
    "exp": maths.exp,
    "expm1": maths.expm1,
    "log": _log,
    "log1p": _analytic(maths.log1p, lambda x, y: _inverse(1 + x)),
    "log2": _logarithm(2),
    "log10": _logarithm(10),
    "sin": maths.sin,
    "cos": maths.cos,
    "tan": _analytic(maths.tan, lambda x, y: 1 + y * y),
    "sinh": maths.sinh,
    "cosh": maths.cosh,
    "tanh": _analytic(maths.tanh, lambda x, y: 1 - y * y),
    "asin": _analytic(maths.asin, lambda x, y: _inverse(_sqrt(1 - x * x))),
    "acos": _analytic(maths.acos, lambda x, y: -_inverse(_sqrt(1 - x * x))),
    "atan": _analytic(maths.atan, lambda x, y: _inverse(1 + x * x)),
    "asinh": maths.asinh,
    "acosh": maths.acosh,
    "atanh": _analytic(maths.atanh, lambda x, y: _inverse(1 - x * x)),
    "erf": maths.erf,
    "sigmoid": _analytic(maths.sigmoid, lambda x, y: y * (1 - y)),
    "softplus": gen_nn_ops.softplus,
    "square": maths.square,
    "reciprocal": _by_parts(maths.reciprocal, _inverse),
    "real": _real,
    "imag": _imag,
    "conj": _conj,
    "angle": _angle,
    "isfinite": _float_test(maths.is_finite, maths.logical_and, True),
    "isnan": _float_test(maths.is_nan, maths.logical_or, False),
    "isinf": _float_test(maths.is_inf, maths.logical_or, False),
    "logical_not": maths.logical_not,
    "bitwise_invert": _invert,
    "add": _binary(maths.add_v2, maths.logical_or),
    "subtract": _binary(maths.sub),
    "multiply": _binary(maths.mul, maths.logical_and),
    "divide": _binary(_divide),
    "floor_divide": _binary(maths.floor_div),
    "remainder": _binary(maths.floor_mod),
    "pow": _binary(maths._pow),
    "atan2": _binary(maths.atan2),
    "maximum": _binary(_propagating_nan(maths.maximum), maths.logical_or),
    "minimum": _binary(_propagating_nan(maths.minimum), maths.logical_and),
    "equal": _binary(maths.equal),
    "not_equal": _binary(maths.not_equal),
    "less": _binary(maths.less, _not_and),
    "less_equal": _binary(maths.less_equal, _not_or),
    "greater": _binary(maths.greater, _swapped(_not_and)),
    "greater_equal": _binary(maths.greater_equal, _swapped(_not_or)),
    "logical_and": _binary(maths.logical_and),
    "logical_or": _binary(maths.logical_or),
    "logical_xor": _binary(maths.not_equal),
    "bitwise_and": _binary(bits.bitwise_and, maths.logical_and),
    "bitwise_or": _binary(bits.bitwise_or, maths.logical_or),
    "bitwise_xor": _binary(bits.bitwise_xor, maths.not_equal),
    "bitwise_left_shift": _binary(bits.left_shift),
    "bitwise_right_shift": _binary(bits.right_shift),
    "where": _where,
    "sum": _accumulate(maths._sum),
    "prod": _accumulate(maths.prod),
    "mean": _reduce(maths.mean),
    "max": _extreme(maths._max, maths._any),
    "min": _extreme(maths._min, maths._all),
    "any": _reduce(maths._any),
    "all": _reduce(maths._all),
    "argmax": _arg_extreme(maths.arg_max),
    "argmin": _arg_extreme(maths.arg_min),
    "cumsum": _accumulate(maths.cumsum),
    "cast": _cast,
    "reshape": _reshape,
    "permute": _permute,
    "broadcast_to": _broadcast_to,
    "concat": _concat,
    "stack": _stack,
    "flip": _flip,
    "getitem": _getitem,
    "roll": _roll,
    "take": _take,
    "pad_constant": _pad_constant,
    "scatter_add": _scatter_add,
    "matmul": _matmul,
    "fft": _complex_transform((spectral.fft, spectral.fft2d, spectral.fft3d)),
    "ifft": _complex_transform((spectral.ifft, spectral.ifft2d, spectral.ifft3d)),
    "rfft": _rfft,
    "irfft": _irfft,
    "arange": _arange,
    "sort": _sort,
    "argsort": _argsort,
}
"""Native functions by row name; see `backends/README.md`."""
