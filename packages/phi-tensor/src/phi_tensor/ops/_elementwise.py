"""Element-wise functions: one line each over their row. Shapes are kept; operands align by dim name.

Every function takes tensors `(…)`, numbers, named trees of tensors, and returns the same structure. Float
results have the context's precision.
"""

from __future__ import annotations

from typing import Any

from phi_tensor._context import context_dtype
from phi_tensor._dtype import COMPLEX64, FLOAT32, INT32, INT64, DType, DTypeLike
from phi_tensor._hooks import asked, rearranged
from phi_tensor._tensor import Tensor
from phi_tensor._trees import tree_map
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor, binary, is_container, mapped, operand, unary


def abs_(x: Any) -> Any:
    """Magnitude |x|; of complex numbers a real one."""
    return unary(table.ABS, x)


def sign(x: Any) -> Any:
    """Sign of x: -1, 0 or 1."""
    return unary(table.SIGN, x)


def round_(x: Any) -> Any:
    """Nearest integer, halves to even."""
    return unary(table.ROUND, x)


def ceil(x: Any) -> Any:
    """Smallest integer not below x."""
    return unary(table.CEIL, x)


def floor(x: Any) -> Any:
    """Largest integer not above x."""
    return unary(table.FLOOR, x)


def trunc(x: Any) -> Any:
    """Integer part of x."""
    return unary(table.TRUNC, x)


def sqrt(x: Any) -> Any:
    """Square root √x.

    >>> import phi_tensor as math
    >>> sqrt(math.vec(x=4.0, y=9.0))
    (x=2.0, y=3.0)
    """
    return unary(table.SQRT, x)


def square(x: Any) -> Any:
    """x²."""
    return unary(table.SQUARE, x)


def reciprocal(x: Any) -> Any:
    """1/x."""
    return unary(table.RECIPROCAL, x)


def exp(x: Any) -> Any:
    """Exponential eˣ."""
    return unary(table.EXP, x)


def expm1(x: Any) -> Any:
    """eˣ − 1, exact for small x."""
    return unary(table.EXPM1, x)


def log(x: Any) -> Any:
    """Natural logarithm."""
    return unary(table.LOG, x)


def log1p(x: Any) -> Any:
    """log(1 + x), exact for small x."""
    return unary(table.LOG1P, x)


def log2(x: Any) -> Any:
    """Logarithm to base 2."""
    return unary(table.LOG2, x)


def log10(x: Any) -> Any:
    """Logarithm to base 10."""
    return unary(table.LOG10, x)


def sin(x: Any) -> Any:
    """Sine of x [rad]."""
    return unary(table.SIN, x)


def cos(x: Any) -> Any:
    """Cosine of x [rad]."""
    return unary(table.COS, x)


def tan(x: Any) -> Any:
    """Tangent of x [rad]."""
    return unary(table.TAN, x)


def sinh(x: Any) -> Any:
    """Hyperbolic sine."""
    return unary(table.SINH, x)


def cosh(x: Any) -> Any:
    """Hyperbolic cosine."""
    return unary(table.COSH, x)


def tanh(x: Any) -> Any:
    """Hyperbolic tangent."""
    return unary(table.TANH, x)


def arcsin(x: Any) -> Any:
    """Inverse sine [rad]."""
    return unary(table.ASIN, x)


def arccos(x: Any) -> Any:
    """Inverse cosine [rad]."""
    return unary(table.ACOS, x)


def arcsinh(x: Any) -> Any:
    """Inverse hyperbolic sine."""
    return unary(table.ASINH, x)


def arccosh(x: Any) -> Any:
    """Inverse hyperbolic cosine."""
    return unary(table.ACOSH, x)


def arctanh(x: Any) -> Any:
    """Inverse hyperbolic tangent."""
    return unary(table.ATANH, x)


def erf(x: Any) -> Any:
    """Error function."""
    return unary(table.ERF, x)


def sigmoid(x: Any) -> Any:
    """Logistic function 1/(1 + e⁻ˣ)."""
    return unary(table.SIGMOID, x)


def soft_plus(x: Any) -> Any:
    """log(1 + eˣ), a smooth max(0, x)."""
    return unary(table.SOFTPLUS, x)


def real(x: Any) -> Any:
    """Real part."""
    return unary(table.REAL, x)


def imag(x: Any) -> Any:
    """Imaginary part."""
    return unary(table.IMAG, x)


def conjugate(x: Any) -> Any:
    """Complex conjugate."""
    return unary(table.CONJ, x)


def angle(x: Any) -> Any:
    """Argument of complex numbers [rad]."""
    return unary(table.ANGLE, x)


def is_finite(x: Any) -> Any:
    """True where x is neither infinite nor NaN."""
    return unary(table.ISFINITE, x)


def is_nan(x: Any) -> Any:
    """True where x is not a number."""
    return unary(table.ISNAN, x)


def is_inf(x: Any) -> Any:
    """True where x is infinite."""
    return unary(table.ISINF, x)


def logical_not(x: Any) -> Any:
    """True where x is zero or False."""
    return unary(table.LOGICAL_NOT, x)


def maximum(x: Any, y: Any) -> Any:
    """Larger of x and y, element by element; NaN where either is.

    >>> import phi_tensor as math
    >>> maximum(math.vec(x=1.0, y=3.0), 2)
    (x=2.0, y=3.0)
    """
    return binary(table.MAXIMUM, x, y)


def minimum(x: Any, y: Any) -> Any:
    """Smaller of x and y, element by element; NaN where either is."""
    return binary(table.MINIMUM, x, y)


def safe_div(x: Any, y: Any) -> Any:
    """x/y, and 0 where y is 0; derivatives are finite there, too (0).

    >>> import phi_tensor as math
    >>> safe_div(math.vec(x=1.0, y=2.0), math.vec(x=0.0, y=4.0))
    (x=0.0, y=0.5)
    """
    return binary(table.SAFE_DIVIDE, x, y)


def logical_and(x: Any, y: Any) -> Any:
    """True where x and y are non-zero."""
    return binary(table.LOGICAL_AND, x, y)


def logical_or(x: Any, y: Any) -> Any:
    """True where x or y is non-zero."""
    return binary(table.LOGICAL_OR, x, y)


def logical_xor(x: Any, y: Any) -> Any:
    """True where exactly one of x and y is non-zero."""
    return binary(table.LOGICAL_XOR, x, y)


def arctan(x: Any, divide_by: Any = None) -> Any:
    """Inverse tangent [rad]; with `divide_by` of x/divide_by in the right quadrant (two-argument form)."""
    return unary(table.ATAN, x) if divide_by is None else binary(table.ATAN2, x, divide_by)


def where(condition: Any, value_true: Any, value_false: Any) -> Any:
    """`value_true` where `condition` holds, else `value_false`.

    Trees of equal structure are chosen leaf by leaf.

    Both branches are evaluated; keep them finite where derivatives are wanted.

    >>> from phi_tensor import wrap
    >>> where(wrap([True, False]), 1, 0)
    (1, 0) along (vector:c=2) int32
    """
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


def clip(x: Any, lower_limit: Any = 0, upper_limit: Any = 1) -> Any:
    """X limited to the interval from `lower_limit` to `upper_limit`, which may be tensors.

    >>> import phi_tensor as math
    >>> clip(math.vec(x=-1.0, y=2.0), 0, 1)
    (x=0.0, y=1.0)
    """
    if is_container(x):
        found = mapped(clip, x, lower_limit, upper_limit)
        if found is not NotImplemented:
            return found
        return tree_map(lambda leaf: clip(leaf, lower_limit, upper_limit), x)
    value = as_tensor(x)
    return table.CLIP(value, operand(lower_limit, value), operand(upper_limit, value))


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
    return rad * (180 / 3.141592653589793)


def degrees_to_radians(deg: Any) -> Any:
    """Angle [rad] of an angle [°]."""
    return deg * (3.141592653589793 / 180)


def stop_gradient(x: Any) -> Any:
    """X as a constant for all derivatives."""
    return tree_map(_stopped, x, attributes="variable") if not isinstance(x, (int, float, complex)) else x


def _stopped(x: Tensor) -> Tensor:
    return Tensor(x.layout, tuple(map(x.backend.stop_gradient, x.natives)))
