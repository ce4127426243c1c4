"""More element-wise functions: of bits, of the representation of numbers, and special functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from phi_tensor._create import wrap
from phi_tensor._dim_types import instance
from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._hidden import report
from phi_tensor._tensor import Tensor
from phi_tensor._trees import tree_map
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor, is_container, is_row, mapped
from phi_tensor.ops._elementwise import constant_of, stop_gradient, where
from phi_tensor.transforms._custom import custom_gradient

# --- bits of ints and bools


@is_row(table.INVERT)
def bitwise_invert(x: Any) -> Any:
    """All bits of x inverted; `not x` for bools.

    >>> bitwise_invert(6)
    -7
    """


@is_row(table.BITWISE_AND)
def bitwise_and(x: Any, y: Any) -> Any:
    """Bits that are set in both x and y.

    >>> bitwise_and(6, 3)
    2
    """


@is_row(table.BITWISE_OR)
def bitwise_or(x: Any, y: Any) -> Any:
    """Bits that are set in x or y.

    >>> bitwise_or(6, 3)
    7
    """


@is_row(table.BITWISE_XOR)
def bitwise_xor(x: Any, y: Any) -> Any:
    """Bits that are set in exactly one of x and y.

    >>> bitwise_xor(6, 3)
    5
    """


@is_row(table.LEFT_SHIFT)
def bitwise_left_shift(x: Any, y: Any) -> Any:
    """Bits of x moved up by y places: x·2ʸ.

    >>> bitwise_left_shift(3, 2)
    12
    """


@is_row(table.RIGHT_SHIFT)
def bitwise_right_shift(x: Any, y: Any) -> Any:
    """Bits of x moved down by y places, the sign kept: ⌊x/2ʸ⌋.

    >>> bitwise_right_shift(-5, 1)
    -3
    """


# --- representation of numbers


def positive(x: Any) -> Any:
    """+x: x itself.

    >>> positive(-2)
    -2
    """
    return tree_map(lambda leaf: leaf, x) if is_container(x) else as_tensor(x)


@is_row(table.SIGNBIT)
def signbit(x: Any) -> Any:
    """True where x is negative or -0.

    >>> signbit(-0.0)
    True
    """


@is_row(table.COPYSIGN)
def copysign(x: Any, y: Any) -> Any:
    """|x| with the sign of y, that of zeros included.

    >>> copysign(2.0, -0.0)
    -2.0
    """


@is_row(table.NEXTAFTER)
def nextafter(x: Any, y: Any) -> Any:
    """Number next to x in the direction of y, of the context's precision; its derivative by x is 1.

    >>> nextafter(1.0, 2.0) > 1
    True
    """


# --- special functions


@is_row(table.HYPOT)
def hypot(x: Any, y: Any) -> Any:
    """√(x² + y²) without overflow; its derivatives at (0, 0) are 0.

    >>> hypot(3.0, 4.0)
    5.0
    """


@is_row(table.LOGADDEXP)
def logaddexp(x: Any, y: Any) -> Any:
    """log(eˣ + eʸ) without overflow.

    >>> logaddexp(1000.0, -1000.0)
    1000.0
    """


@is_row(table.SINC)
def sinc(x: Any) -> Any:
    """sin(πx)/(πx), and 1 at 0, as in NumPy.

    >>> sinc(0.0)
    1.0
    """


@is_row(table.ERFC)
def erfc(x: Any) -> Any:
    """Complementary error function 1 − erf(x), exact where erf(x) is almost 1.

    >>> erfc(0.0)
    1.0
    """


@is_row(table.ERFINV)
def erfinv(x: Any) -> Any:
    """Inverse of the error function, for −1 ≤ x ≤ 1.

    >>> erfinv(0.0)
    0.0
    """


@is_row(table.LOG_GAMMA)
def log_gamma(x: Any) -> Any:
    """Log |Γ(x)|; its derivative is `digamma`.

    >>> log_gamma(1.0)
    0.0
    """


@is_row(table.DIGAMMA)
def digamma(x: Any) -> Any:
    """Derivative ψ(x) of log Γ(x), for which ψ(x + 1) = ψ(x) + 1/x.

    >>> math.isclose(digamma(2.0) - digamma(1.0), 1, rel_tol=1e-5)
    True
    """


def factorial(x: Any) -> Any:
    """x!: exact, as 64-bit ints, for ints from 0 to 20; else Γ(x + 1).

    Raises:
        IncompatibleShapes: An int is negative or above 20 (found out as late as `check` says, see `checked`).

    >>> import phi_tensor as math
    >>> factorial(math.wrap([0, 5], math.spatial("x")))
    (1, 120) along (x:s=2) int64
    """
    if is_container(x):
        found = mapped(factorial, x)
        return tree_map(factorial, x) if found is NotImplemented else found
    value = as_tensor(x)
    if value.dtype.kind in (bool, int):
        return _exact_factorial(value)
    z = value + 1
    return where((z < 0) & (table.FLOOR(z) % 2 == 1), -1.0, 1.0) * table.EXP(table.LOG_GAMMA(z))


def _exact_factorial(value: Tensor) -> Tensor:
    outside = (value < 0) | (value > _LARGEST)
    report(
        outside,
        lambda _: IncompatibleShapes(
            f"`factorial` of ints exists from 0 to {_LARGEST}, the largest result with 64 bits. Use floats."
        ),
    )
    return table.TAKE(
        wrap(_FACTORIALS, instance("_factorials")), table.CLIP(value, 0, _LARGEST), name="_factorials"
    )


_LARGEST = 20
_FACTORIALS = np.array([math.factorial(n) for n in range(_LARGEST + 1)], np.int64)


def incomplete_gamma(a: Any, x: Any, upper: bool = False, regularized: bool = True) -> Any:
    """∫₀ˣ tᵃ⁻¹ e⁻ᵗ dt / Γ(a), the lower incomplete gamma function, for a > 0 and x ≥ 0.

    Args:
        a: Exponent; the function cannot be differentiated by it.
        x: Limit of the integral.
        upper: Integrate from x to ∞.
        regularized: Divide by Γ(a).

    Raises:
        Unsupported: A derivative by `a` is asked for.

    >>> incomplete_gamma(1.0, 0.0, upper=True)
    1.0
    """
    if regularized and type(a) is Tensor and type(x) is Tensor and a.available:  # nothing to refuse
        a = constant_of(a) if "reverse" in a.backend.supports else a
        return _upper(a, x) if upper else _lower(a, x)
    if is_container(a) or is_container(x):
        found = mapped(lambda p, q: incomplete_gamma(p, q, upper, regularized), a, x)
        if found is not NotImplemented:
            return found
        if is_container(a) and is_container(x):
            return tree_map(lambda p, q: incomplete_gamma(p, q, upper, regularized), a, x)
        if is_container(a):
            return tree_map(lambda p: incomplete_gamma(p, x, upper, regularized), a)
        return tree_map(lambda q: incomplete_gamma(a, q, upper, regularized), x)
    exponent = as_tensor(a)
    constant = stop_gradient(exponent)
    result = (table.GAMMAINCC if upper else table.GAMMAINC)(constant, as_tensor(x))
    if not regularized:
        result = result * table.EXP(table.LOG_GAMMA(constant))
    return result if exponent.available else result + _no_derivative(exponent)


@is_row(table.GAMMAINC)
def _lower(x: Any, y: Any) -> Any: ...


@is_row(table.GAMMAINCC)
def _upper(x: Any, y: Any) -> Any: ...


def _no_derivative(a: Tensor) -> Tensor:
    """0, whose derivative raises."""

    def refuse(*_: Any) -> Any:
        raise Unsupported(
            f"`incomplete_gamma` cannot be differentiated by its exponent `a`, here on {a.backend}. "
            f"Differentiate by `x` only, or pass `stop_gradient(a)`."
        )

    return custom_gradient(lambda a: 0.0 * a, refuse)(a)
