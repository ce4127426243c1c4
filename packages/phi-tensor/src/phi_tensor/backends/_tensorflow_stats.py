"""TensorFlow functions by row name: special functions, running extremes, searching."""

from __future__ import annotations

import math

import tensorflow as tf

from phi_tensor.backends._tensorflow_elementwise import (
    BOOL,
    ELEMENTWISE,
    NUMBER,
    Native,
    Op,
    cast_to,
    ints,
    number,
)
from phi_tensor.backends._tensorflow_private import arrays, bits, maths

_INTS = {tf.float16: tf.int16, tf.float32: tf.int32, tf.float64: tf.int64}


def _binary(native: Op) -> Op:
    """`native` for arrays and Python numbers."""

    def apply(x: Native, y: Native) -> Native:
        if isinstance(y, NUMBER):
            y = number(y, x)
        elif isinstance(x, NUMBER):
            x = number(x, y)
        return native(x, y)

    return apply


def _signbit(x: Native) -> Native:
    if x.dtype in _INTS:
        x = arrays.bitcast(x, type=_INTS[x.dtype])
    return arrays.zeros_like(x) if x.dtype is BOOL else maths.less(x, arrays.zeros_like(x))


def _copysign(x: Native, y: Native) -> Native:
    return maths.select_v2(maths.not_equal(_signbit(x), _signbit(y)), maths.neg(x), x)


def _nextafter(x: Native, y: Native) -> Native:
    if x.dtype != tf.float16:
        return maths.next_after(x, y)
    constant = arrays.stop_gradient(x)
    neighbour = _next_half(constant, arrays.stop_gradient(y))
    return maths.select_v2(maths.is_finite(constant), neighbour + (x - constant), neighbour)


def _next_half(x: Native, y: Native) -> Native:
    """Neighbour by bits, which count magnitudes; TensorFlow has no kernel for 16 bit."""
    zero, magnitude = number(0, x), arrays.bitcast(maths._abs(x), type=tf.int16)
    outwards = maths.equal(maths.greater(y, x), maths.greater(x, zero))
    one = ints(1, tf.int16)
    moved = maths.select_v2(outwards, magnitude + one, magnitude - one)
    at_zero = maths.equal(x, zero)
    size = arrays.bitcast(maths.select_v2(at_zero, arrays.ones_like(magnitude), moved), type=tf.float16)
    neighbour = _copysign(size, maths.select_v2(at_zero, y, x))
    still = maths.logical_or(maths.equal(x, y), maths.is_nan(x + y))
    return maths.select_v2(still, maths.select_v2(maths.is_nan(x), x, y), neighbour)


# --- along one axis


def _running(combine: Op) -> Op:
    """Results of `combine` for the first 1, 2, 3, … entries, in ⌈log₂ n⌉ steps.

    TensorFlow has no running extremes, and its derivative of running products is NaN where one is 0.
    """

    def apply(x: Native, axis: int) -> Native:
        size, reach = x.shape[axis], 1
        while reach < size:
            first, last = _part(x, axis, 0, reach), _part(x, axis, reach, size)
            x = arrays.concat_v2([first, combine(last, _part(x, axis, 0, size - reach))], ints(axis))
            reach *= 2
        return x

    return apply


def _part(x: Native, axis: int, start: int, stop: int) -> Native:
    rank = len(x.shape)
    begin = tuple(start if a == axis else 0 for a in range(rank))
    size = tuple(stop - start if a == axis else x.shape[a] for a in range(rank))
    return arrays._slice(x, ints(begin), ints(size))


def ordered_ints(x: Native) -> Native:
    """Ints in the order of floats, NaNs last; TensorFlow sorts these by the size of their bits, in any order.

    Positive floats are ordered as their bits are, negative ones the other way round.
    """
    x = cast_to(x, tf.float32) if x.dtype == tf.float16 else x
    dtype = _INTS[x.dtype]
    zero = number(0, x)
    plain = maths.select_v2(maths.equal(x, zero), zero, x)  # without sign, as below
    plain = maths.select_v2(maths.is_nan(x), number(math.nan, x), plain)
    found = arrays.bitcast(plain, type=dtype)
    return maths.select_v2(maths.less(plain, zero), bits.bitwise_xor(found, ints(dtype.max, dtype)), found)


def _searchsorted(keys: Native, values: Native, right: bool) -> Native:
    search = arrays.upper_bound if right else arrays.lower_bound
    if keys.dtype.is_floating:
        unknown = maths.is_nan(keys)  # as the largest numbers, like in NumPy; the library takes them for any
        size = tf.constant(keys.shape[1], tf.int64)
        known = size - tf.reduce_sum(cast_to(unknown, tf.int64), 1, keepdims=True)
        found = search(maths.select_v2(unknown, number(math.inf, keys), keys), values, out_type=tf.int64)
        behind = size if right else known
        return maths.select_v2(maths.is_nan(values), behind, tf.minimum(found, known))
    if keys.dtype is BOOL or (keys.dtype.is_integer and keys.dtype not in (tf.int32, tf.int64)):
        keys, values = cast_to(keys, tf.int32), cast_to(values, tf.int32)
    return search(keys, values, out_type=tf.int64)


def product(x: Native, axis: int) -> Native:
    """Product along one axis, by halves: TensorFlow's has wrong second derivatives where a factor is 0."""
    size = x.shape[axis]
    if not size:
        return maths.prod(x, ints((axis,)))
    while size > 1:
        half = size // 2
        pairs = maths.mul(_part(x, axis, 0, half), _part(x, axis, half, 2 * half))
        x = pairs if size % 2 == 0 else arrays.concat_v2([pairs, _part(x, axis, 2 * half, size)], ints(axis))
        size = half + size % 2
    return arrays.squeeze(x, (axis,))


STATS: dict[str, Op] = {
    "erfc": maths.erfc,
    "erfinv": maths.erfinv,
    "log_gamma": maths.lgamma,
    "digamma": maths.digamma,
    "gammainc": _binary(maths.igamma),
    "gammaincc": _binary(maths.igammac),
    "signbit": _signbit,
    "copysign": _binary(_copysign),
    "nextafter": _binary(_nextafter),
    "cumprod": _running(maths.mul),
    "cummax": _running(ELEMENTWISE["maximum"]),
    "cummin": _running(ELEMENTWISE["minimum"]),
    "searchsorted": _searchsorted,
}
"""Native functions by row name; see `backends/README.md`."""
