"""Element-wise TensorFlow functions by row name: its generated op wrappers (half the overhead of `tf.math`).

Many kernels lack bools, small ints or complex numbers: such arguments are cast around the kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import tensorflow as tf

from phi_tensor.backends._tensorflow_private import arrays, bits, has_no_tape, is_eager, maths, neural
from phi_tensor.backends._tensorflow_transforms import primitive

Native = Any
Op = Callable[..., Any]

NUMBER = (bool, int, float, complex, np.generic)
REAL_OF = {tf.complex64: tf.float32, tf.complex128: tf.float64}
BOOL = tf.bool


# --- constants


@lru_cache(maxsize=4096)
def _eager_ints(values: tuple[Any, ...], dtype: Any) -> Native:
    with tf.init_scope():
        return tf.constant(np.asarray(values), dtype)


def ints(values: Any, dtype: Any = tf.int32) -> Any:
    """Axes or sizes as TensorFlow takes them fastest: a cached eager tensor, or a literal in a trace."""
    return _eager_ints(values, dtype) if is_eager() else tf.constant(np.asarray(values), dtype)


def number(value: Any, like: Native) -> Native:
    """0-d tensor with the dtype of `like`."""
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
        if x.dtype is BOOL or x.dtype.is_unsigned:
            return maths.cast(native(maths.cast(x, DstT=tf.int64)), DstT=x.dtype)
        return native(x)

    return apply


def _absolute(x: Native) -> Native:
    return maths.complex_abs(x, Tout=REAL_OF[x.dtype]) if x.dtype in REAL_OF else _real_absolute(x)


_real_absolute = _through_wide_int(maths._abs)


def _trunc(x: Native) -> Native:
    return maths.select_v2(maths.less(x, 0 * x), maths.ceil(x), maths.floor(x))


def _logarithm(base: float) -> Op:
    factor = 1 / math.log(base)

    def apply(x: Native) -> Native:
        return maths.mul(_log(x), number(factor, x))

    return apply


def _real(x: Native) -> Native:
    return maths.real(x, Tout=REAL_OF[x.dtype]) if x.dtype in REAL_OF else x


def _imag(x: Native) -> Native:
    return maths.imag(x, Tout=REAL_OF[x.dtype]) if x.dtype in REAL_OF else arrays.zeros_like(x)


def _conj(x: Native) -> Native:
    return maths.conj(x) if x.dtype in REAL_OF else x


def _angle(x: Native) -> Native:
    if x.dtype in REAL_OF:
        return maths.atan2(_imag(x), _real(x))
    return maths.select_v2(maths.less(x, 0 * x), number(math.pi, x), 0 * x)


def _analytic(native: Op, derivative: Callable[[Native, Native], Native]) -> Op:
    """`native` with its complex `derivative(x, y)`: XLA's kernels for √x, tanh x, 1/x do not conjugate."""

    def pullback(primals: Any, outputs: Any, cotangents: Any) -> Any:
        return (maths.mul(cotangents[0], maths.conj(derivative(primals[0], outputs[0]))),)

    def apply(x: Native) -> Native:
        return primitive(lambda z: (native(z),), pullback, (x,))[0] if x.dtype in REAL_OF else native(x)

    return apply


def _inverse(x: Native) -> Native:
    return maths.real_div(number(1, x), x)


def _by_parts(native: Op, of_complex: Op) -> Op:
    return lambda x: of_complex(x) if x.dtype in REAL_OF else native(x)


def _round_complex(x: Native) -> Native:
    return tf.complex(maths.round(_real(x)), maths.round(_imag(x)))


_sqrt = _analytic(maths.sqrt, lambda x, y: _inverse(2 * y))
_log = _analytic(maths.log, lambda x, y: _inverse(x))


def _complex_sign(x: Native) -> Native:
    """x/|x|, and 0 at 0; the library's has derivative 0."""
    zero = maths.equal(x, number(0, x))
    size = _absolute(maths.select_v2(zero, number(1, x), x))
    return maths.select_v2(zero, number(0, x), maths.real_div(x, tf.complex(size, arrays.zeros_like(size))))


def _float_test(native: Op, combine: Op, otherwise: bool) -> Op:
    def apply(x: Native) -> Native:
        if x.dtype in REAL_OF:
            return combine(native(_real(x)), native(_imag(x)))
        return native(x) if x.dtype.is_floating else arrays.fill(ints(tuple(x.shape)), otherwise)

    return apply


def _invert(x: Native) -> Native:
    return maths.logical_not(x) if x.dtype is BOOL else bits.invert(x)


# --- element-wise, two operands


def _binary(native: Op, on_bools: Op | None = None) -> Op:
    """`native` for arrays and Python numbers."""

    def apply(x: Any, y: Any) -> Native:
        if isinstance(y, NUMBER):
            if (
                type(y) is not float or not is_eager()
            ):  # eagerly TensorFlow converts floats itself, 2 µs faster
                y = number(y, x)
        elif isinstance(x, NUMBER):
            x = number(x, y)
        if on_bools is not None and x.dtype is BOOL:
            return on_bools(x, y)
        return native(x, y)

    return apply


def _propagating_nan(native: Op) -> Op:
    """XLA's extremes forget NaNs on the CPU; TensorFlow's own kernels do not."""

    def apply(x: Native, y: Native) -> Native:
        extreme = native(x, y)
        if is_eager() or not x.dtype.is_floating:
            return extreme
        return maths.select_v2(
            maths.logical_or(maths.is_nan(x), maths.is_nan(y)), number(math.nan, x), extreme
        )

    return apply


def _sharing_ties(native: Op) -> Op:
    """Extremes whose derivative is shared where both operands are equal, as the other libraries do.

    TensorFlow's own goes to the first operand.
    """

    def apply(x: Native, y: Any) -> Native:
        extreme = native(x, y)
        if (is_eager() and has_no_tape()) or not x.dtype.is_floating:
            return extreme
        half = number(0.5, x)
        shared = maths.add_v2(maths.mul(x, half), maths.mul(y, half))
        return maths.select_v2(maths.equal(x, y), shared, extreme)

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
    if isinstance(x, NUMBER):
        x = number(x, y) if not isinstance(y, NUMBER) else tf.constant(np.asarray(x))
    if isinstance(y, NUMBER):
        y = number(y, x)
    return maths.select_v2(condition, x, y)


def _zero_by_zero(native: Op) -> Op:
    """`native` that is 0 for int divisors that are 0, as NumPy's."""

    def divided(x: Native, y: Native) -> Native:
        if not x.dtype.is_integer:
            return native(x, y)
        zero = maths.equal(y, number(0, y))
        return maths.select_v2(zero, number(0, x), native(x, maths.select_v2(zero, number(1, y), y)))

    return divided


ELEMENTWISE: dict[str, Op] = {
    "negative": _through_wide_int(maths.neg),
    "abs": _absolute,
    "sign": _by_parts(_through_wide_int(maths.sign), _complex_sign),
    "round": _by_parts(_keep_ints(maths.round), _round_complex),
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
    "softplus": neural.softplus,
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
    "floor_divide": _binary(_zero_by_zero(maths.floor_div)),
    "remainder": _binary(_zero_by_zero(maths.floor_mod)),
    "pow": _binary(maths._pow),
    "atan2": _binary(maths.atan2),
    "maximum": _binary(_sharing_ties(_propagating_nan(maths.maximum)), maths.logical_or),
    "minimum": _binary(_sharing_ties(_propagating_nan(maths.minimum)), maths.logical_and),
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
}
"""Native functions by row name; see `backends/README.md`."""
