"""Native functions that are composed of others once for all backends.

And powers lowered to products and roots.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from phi_tensor._dtype import DType
from phi_tensor._plan import Row
from phi_tensor.backends._backend import Backend
from phi_tensor.layouts._layout import Layout, Scalar
from phi_tensor.ops._composed_special import SPECIAL
from phi_tensor.ops._random_bits import random_bits as _random_bits
from phi_tensor.ops._scatter_native import COMPOSED as _SCATTER
from phi_tensor.sparse._native import COMPOSED as _SPARSE

NativeFunction = Callable[..., Any]


def native_function(
    row: Row, backend: Backend, layouts: tuple[Layout, ...] = (), types: tuple[DType, ...] = ()
) -> NativeFunction:
    """The native function of a row: the backend's own, or one composed of others."""
    if (
        row.name == "pow"
        and isinstance(layouts[1], Scalar)
        and layouts[1].value is not None
        and types[0].kind is not int
    ):
        lowered = _power(backend, layouts[1].value)
        if lowered is not None:
            return lowered
    return backend_function(row.name, backend)


def backend_function(name: str, backend: Backend) -> NativeFunction:
    """Native function by row name."""
    if name in backend.ops:
        return backend.ops[name]
    return _composed(name, backend)


@lru_cache(1024)
def _composed(name: str, backend: Backend) -> NativeFunction:
    return COMPOSED[name](backend)


def _safe_divide(backend: Backend) -> NativeFunction:
    divide, where, equal = (backend.ops[name] for name in ("divide", "where", "equal"))

    def safe_divide(x: Any, y: Any) -> Any:
        zero = equal(y, 0)
        return where(zero, 0, divide(x, where(zero, 1, y)))  # both branches finite, so that derivatives are

    return safe_divide


def _clip(backend: Backend) -> NativeFunction:
    maximum, minimum = backend.ops["maximum"], backend.ops["minimum"]

    def clip(x: Any, lower: Any, upper: Any) -> Any:
        return minimum(maximum(x, lower), upper)

    return clip


COMPOSED: dict[str, Callable[[Backend], NativeFunction]] = {
    "safe_divide": _safe_divide,
    "clip": _clip,
    **_SCATTER,
    **_SPARSE,
    **SPECIAL,
    "random_bits": _random_bits,
}


def _power(backend: Backend, exponent: Any) -> NativeFunction | None:
    """X ↦ x**exponent by products and (reciprocal) square roots for small.

    Half-)integer exponents, else None.
    """
    doubled = 2 * exponent
    if isinstance(doubled, complex) or not -16 <= doubled <= 16:  # also NaN
        return None
    if doubled != int(doubled):
        return None
    whole, half = divmod(int(abs(doubled)), 2)
    multiply, reciprocal = backend.ops["multiply"], backend.ops["reciprocal"]
    sqrt = (
        backend.ops["sqrt"]
        if whole == 0 or "reverse" not in backend.supports
        else _root_flat_at_zero(backend)
    )
    ones = backend.ops["pow"]

    def power(x: Any, y: Any) -> Any:
        if whole == 0 and not half:
            return ones(x, y)
        result = _repeated(multiply, x, whole) if whole else None
        if half:
            result = sqrt(x) if result is None else multiply(result, sqrt(x))
        return reciprocal(result) if exponent < 0 else result

    return power


def _root_flat_at_zero(backend: Backend) -> NativeFunction:
    """√x whose derivative is 0 at 0.

    In products such as x·√x the derivative is then exact, where 0·∞ would be NaN.
    """
    where, equal, sqrt = (backend.ops[name] for name in ("where", "equal", "sqrt"))

    def root(x: Any) -> Any:
        zero = equal(x, 0)
        return where(zero, 0, sqrt(where(zero, 1, x)))

    return root


def _repeated(multiply: NativeFunction, x: Any, count: int) -> Any:
    """x**count by repeated squaring."""
    result = None
    while count:
        if count & 1:
            result = x if result is None else multiply(result, x)
        count >>= 1
        if count:
            x = multiply(x, x)
    return result
