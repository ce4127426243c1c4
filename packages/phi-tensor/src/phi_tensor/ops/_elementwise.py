"""Element-wise functions: one line each over their row. Shapes are kept; operands align by dim name.

Every function takes tensors `(…)`, numbers, named trees of tensors, and returns the same structure. Float
results have the context's precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from phi_tensor._context import context_dtype, local_settings
from phi_tensor._create import wrap
from phi_tensor._dtype import COMPLEX64, FLOAT32, INT32, INT64, DType, DTypeLike
from phi_tensor._hooks import asked, rearranged
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor._trees import tree_map
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor, binary, is_container, is_row, mapped, of_three, operand, unary


@is_row(table.ABS)
def abs_(x: Any) -> Any:
    """Magnitude |x|; of complex numbers a real one."""


@is_row(table.SIGN)
def sign(x: Any) -> Any:
    """Sign of x: -1, 0 or 1."""


@is_row(table.ROUND)
def round_(x: Any) -> Any:
    """Nearest integer, halves to even."""


@is_row(table.CEIL)
def ceil(x: Any) -> Any:
    """Smallest integer not below x."""


@is_row(table.FLOOR)
def floor(x: Any) -> Any:
    """Largest integer not above x."""


@is_row(table.TRUNC)
def trunc(x: Any) -> Any:
    """Integer part of x."""


@is_row(table.SQRT)
def sqrt(x: Any) -> Any:
    """Square root √x.

    >>> import phi_tensor as math
    >>> sqrt(math.vec(x=4.0, y=9.0))
    (x=2.0, y=3.0)
    """


@is_row(table.SQUARE)
def square(x: Any) -> Any:
    """x²."""


@is_row(table.RECIPROCAL)
def reciprocal(x: Any) -> Any:
    """1/x."""


@is_row(table.EXP)
def exp(x: Any) -> Any:
    """Exponential eˣ."""


@is_row(table.EXPM1)
def expm1(x: Any) -> Any:
    """eˣ − 1, exact for small x."""


@is_row(table.LOG)
def log(x: Any) -> Any:
    """Natural logarithm."""


@is_row(table.LOG1P)
def log1p(x: Any) -> Any:
    """log(1 + x), exact for small x."""


@is_row(table.LOG2)
def log2(x: Any) -> Any:
    """Logarithm to base 2."""


@is_row(table.LOG10)
def log10(x: Any) -> Any:
    """Logarithm to base 10."""


@is_row(table.SIN)
def sin(x: Any) -> Any:
    """Sine of x [rad]."""


@is_row(table.COS)
def cos(x: Any) -> Any:
    """Cosine of x [rad]."""


@is_row(table.TAN)
def tan(x: Any) -> Any:
    """Tangent of x [rad]."""


@is_row(table.SINH)
def sinh(x: Any) -> Any:
    """Hyperbolic sine."""


@is_row(table.COSH)
def cosh(x: Any) -> Any:
    """Hyperbolic cosine."""


@is_row(table.TANH)
def tanh(x: Any) -> Any:
    """Hyperbolic tangent."""


@is_row(table.ASIN)
def arcsin(x: Any) -> Any:
    """Inverse sine [rad]."""


@is_row(table.ACOS)
def arccos(x: Any) -> Any:
    """Inverse cosine [rad]."""


@is_row(table.ASINH)
def arcsinh(x: Any) -> Any:
    """Inverse hyperbolic sine."""


@is_row(table.ACOSH)
def arccosh(x: Any) -> Any:
    """Inverse hyperbolic cosine."""


@is_row(table.ATANH)
def arctanh(x: Any) -> Any:
    """Inverse hyperbolic tangent."""


@is_row(table.ERF)
def erf(x: Any) -> Any:
    """Error function."""


@is_row(table.SIGMOID)
def sigmoid(x: Any) -> Any:
    """Logistic function 1/(1 + e⁻ˣ)."""


@is_row(table.SOFTPLUS)
def soft_plus(x: Any) -> Any:
    """log(1 + eˣ), a smooth max(0, x)."""


@is_row(table.REAL)
def real(x: Any) -> Any:
    """Real part."""


@is_row(table.IMAG)
def imag(x: Any) -> Any:
    """Imaginary part."""


@is_row(table.CONJ)
def conjugate(x: Any) -> Any:
    """Complex conjugate."""


@is_row(table.ANGLE)
def angle(x: Any) -> Any:
    """Argument of complex numbers [rad]."""


@is_row(table.ISFINITE)
def is_finite(x: Any) -> Any:
    """True where x is neither infinite nor NaN."""


@is_row(table.ISNAN)
def is_nan(x: Any) -> Any:
    """True where x is not a number."""


@is_row(table.ISINF)
def is_inf(x: Any) -> Any:
    """True where x is infinite."""


@is_row(table.LOGICAL_NOT)
def logical_not(x: Any) -> Any:
    """True where x is zero or False."""


@is_row(table.MAXIMUM)
def _larger(x: Any, y: Any) -> Any: ...


@is_row(table.MINIMUM)
def _smaller(x: Any, y: Any) -> Any: ...


def maximum(x: Any, y: Any, allow_none: bool = False) -> Any:
    """Larger of x and y, element by element; NaN where either is. Equal ones share its derivative.

    Args:
        x: Number, tensor or tree.
        y: As `x`.
        allow_none: If one is None, the result is the other one.

    >>> import phi_tensor as math
    >>> maximum(math.vec(x=1.0, y=3.0), 2)
    (x=2.0, y=3.0)
    """
    if allow_none and (x is None or y is None):
        return y if x is None else x
    return _larger(x, y)


def minimum(x: Any, y: Any, allow_none: bool = False) -> Any:
    """Smaller of x and y, element by element; NaN where either is, see `maximum`."""
    if allow_none and (x is None or y is None):
        return y if x is None else x
    return _smaller(x, y)


@is_row(table.SAFE_DIVIDE)
def _quotient(x: Any, y: Any) -> Any: ...


def safe_div(x: Any, y: Any) -> Any:
    """x/y, and 0 where y is 0; derivatives are finite there, too (0).

    >>> import phi_tensor as math
    >>> safe_div(math.vec(x=1.0, y=2.0), math.vec(x=0.0, y=4.0))
    (x=0.0, y=0.5)
    """
    return _quotient(x, as_tensor(y) if isinstance(y, (int, float, complex)) else y)


@is_row(table.LOGICAL_AND)
def logical_and(x: Any, y: Any) -> Any:
    """True where x and y are non-zero."""


@is_row(table.LOGICAL_OR)
def logical_or(x: Any, y: Any) -> Any:
    """True where x or y is non-zero."""


@is_row(table.LOGICAL_XOR)
def logical_xor(x: Any, y: Any) -> Any:
    """True where exactly one of x and y is non-zero."""


def arctan(x: Any, divide_by: Any = None) -> Any:
    """Inverse tangent [rad]; with `divide_by` of x/divide_by in the right quadrant (two-argument form)."""
    return _arctan(x) if divide_by is None else _angle_of(x, divide_by)


@is_row(table.ATAN)
def _arctan(x: Any) -> Any: ...


@is_row(table.ATAN2)
def _angle_of(x: Any, y: Any) -> Any: ...


def where(condition: Any, value_true: Any, value_false: Any) -> Any:
    """`value_true` where `condition` holds, else `value_false`.

    Trees of equal structure are chosen leaf by leaf.

    Both branches are evaluated; keep them finite where derivatives are wanted.

    >>> from phi_tensor import wrap
    >>> where(wrap([True, False]), 1, 0)
    (1, 0) along (vector:c=2) int32
    """
    return _chosen(condition, value_true, value_false)


def _choose(condition: Any, value_true: Any, value_false: Any) -> Any:
    found = mapped(where, condition, value_true, value_false)
    if found is not NotImplemented:
        return found
    if is_container(value_true) or is_container(value_false):
        if is_container(value_true) and is_container(value_false):
            return tree_map(lambda a, b: where(condition, a, b), value_true, value_false)
        if is_container(value_true):
            return tree_map(lambda a: where(condition, a, value_false), value_true)
        return tree_map(lambda b: where(condition, value_true, b), value_false)
    mask = as_tensor(condition)
    return table.WHERE(mask, operand(value_true, value_false), operand(value_false, value_true))


_chosen = of_three(table.WHERE, _choose)


def clip(x: Any, lower_limit: Any = 0, upper_limit: Any = 1) -> Any:
    """X limited to the interval from `lower_limit` to `upper_limit`, which may be tensors.

    As `upper_limit` a shape stands for its sizes, along the only channel dim of `x`.

    >>> import phi_tensor as math
    >>> clip(math.vec(x=-1.0, y=2.0), 0, 1)
    (x=0.0, y=1.0)
    """
    return _clipped(x, lower_limit, upper_limit)


def _clip(x: Any, lower_limit: Any, upper_limit: Any) -> Any:
    if is_container(x):
        found = mapped(clip, x, lower_limit, upper_limit)
        if found is not NotImplemented:
            return found
        return tree_map(lambda leaf: clip(leaf, lower_limit, upper_limit), x)
    value = as_tensor(x)
    if isinstance(upper_limit, Shape):
        upper_limit = wrap(np.asarray(upper_limit.sizes, np.int64), value.shape.channel)
    return table.CLIP(value, operand(lower_limit, value), operand(upper_limit, value))


_clipped = of_three(table.CLIP, _clip)


def safe_mul(x: Any, y: Any) -> Any:
    """x·y, and 0 where either factor is 0, whatever the other one is.

    Derivatives ignore non-finite factors.
    """
    a, b = as_tensor(x), as_tensor(y)
    zero = (a == 0) | (b == 0)
    return where(zero, 0, where(zero, 1, a) * where(zero, 1, b))


def abs_square(complex_values: Any) -> Any:
    """Squared magnitude |x|² as a real number."""
    value = as_tensor(complex_values)
    if value.dtype.kind is not complex:
        return table.SQUARE(value)
    return table.SQUARE(table.REAL(value)) + table.SQUARE(table.IMAG(value))


def nan_to_0(x: Any) -> Any:
    """X with 0 in place of NaN.

    >>> import phi_tensor as math
    >>> nan_to_0(math.vec(x=1.0, y=float("nan")))
    (x=1.0, y=0.0)
    """
    return where(is_nan(x), 0, x)


def cast(x: Any, dtype: DTypeLike) -> Any:
    """X with another element type; `float` and `complex` mean the context's precision.

    >>> cast(1.5, int)
    1
    """
    if type(x) is Tensor and type(dtype) is DType:
        plan = table.CAST.plans.get((x.layout, dtype, None, local_settings()))
        if plan is not None:
            return plan(x)
    target = (
        context_dtype(DType.of(dtype))
        if isinstance(dtype, type) and dtype in (float, complex)
        else DType.of(dtype)
    )
    if isinstance(x, (tuple, list, dict)):
        return rearranged("__cast__", cast, x, target)
    answer = NotImplemented if isinstance(x, Tensor) else asked(x, "__cast__", target)
    if answer is not NotImplemented:
        return answer
    return unary(table.CAST, x, dtype=target, backend=None)


def to_float(x: Any) -> Any:
    """X as floats of the context's precision."""
    return cast(x, context_dtype(FLOAT32))


def to_complex(x: Any) -> Any:
    """X as complex numbers of the context's precision."""
    return cast(x, context_dtype(COMPLEX64))


def to_int32(x: Any) -> Any:
    """X as 32-bit ints; fractions are cut off.

    >>> import phi_tensor as math
    >>> to_int32(math.vec(x=1.5, y=-2.0))
    (x=1, y=-2)
    """
    return cast(x, INT32)


def to_int64(x: Any) -> Any:
    """X as 64-bit ints; fractions are cut off."""
    return cast(x, INT64)


def radians_to_degrees(rad: Any) -> Any:
    """Angle [°] of an angle [rad]."""
    return binary(table.MULTIPLY, rad, 180 / 3.141592653589793)


def degrees_to_radians(deg: Any) -> Any:
    """Angle [rad] of an angle [°]."""
    return binary(table.MULTIPLY, deg, 3.141592653589793 / 180)


def stop_gradient(x: Any) -> Any:
    """X as a constant for all derivatives."""
    return tree_map(constant_of, x, attributes="variable") if not isinstance(x, (int, float, complex)) else x


def constant_of(x: Tensor) -> Tensor:
    """One tensor as a constant, see `stop_gradient`."""
    if x.layout.symbolic:
        from phi_tensor.linear._terms import with_numbers  # noqa: PLC0415 traced tensors need operations

        return with_numbers(x, constant_of)
    return Tensor(x.layout, tuple(map(x.backend.stop_gradient, x.natives)))
