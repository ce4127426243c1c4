"""Special functions that are composed of others once for all backends that lack them.

Each is written so that derivatives of any order are right, also where the formula has a removable gap.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from phi_tensor.backends._backend import Backend

NativeFunction = Callable[..., Any]


def _sinc(backend: Backend) -> NativeFunction:
    """sin(πx)/(πx); near 0 by its power series, whose first 8 terms are exact to 1e-16 there."""
    ops = backend.ops
    multiply, subtract, divide, where = (ops[name] for name in ("multiply", "subtract", "divide", "where"))

    def sinc(x: Any) -> Any:
        u = multiply(x, math.pi)
        small = ops["less"](ops["abs"](u), 0.5)
        away = where(small, 1, u)
        near = where(small, u, 0)
        square = multiply(near, near)
        series: Any = None
        for k in range(7, 0, -1):
            term = multiply(square, 1 / (2 * k * (2 * k + 1)))
            series = subtract(1, term if series is None else multiply(term, series))
        return where(small, series, divide(ops["sin"](away), away))

    return sinc


def _hypot(backend: Backend) -> NativeFunction:
    """s·√((x/s)² + (y/s)²) with the larger magnitude as s: neither overflows nor vanishes.

    The result does not depend on s, which may hence be a constant for derivatives. At 0 these are 0.
    """
    ops = backend.ops
    multiply, divide, where, equal = (ops[name] for name in ("multiply", "divide", "where", "equal"))

    def hypot(x: Any, y: Any) -> Any:
        x, y = _arrays(backend, x, y)
        scale = backend.stop_gradient(ops["maximum"](ops["abs"](x), ops["abs"](y)))
        odd = ops["logical_or"](equal(scale, 0), ops["isinf"](scale))
        scale = where(odd, 1, scale)
        a, b = divide(x, scale), divide(y, scale)
        total = ops["add"](multiply(a, a), multiply(b, b))
        zero = equal(total, 0)
        return multiply(scale, where(zero, 0, ops["sqrt"](where(zero, 1, total))))

    return hypot


def _logaddexp(backend: Backend) -> NativeFunction:
    """Larger exponent plus log(1 + e^difference)."""
    ops = backend.ops
    where = ops["where"]

    def logaddexp(x: Any, y: Any) -> Any:
        x, y = _arrays(backend, x, y)
        first = ops["greater_equal"](x, y)
        high, low = where(first, x, y), where(first, y, x)
        difference = where(ops["isinf"](high), 0, ops["subtract"](low, high))
        return ops["add"](high, ops["softplus"](difference))

    return logaddexp


def _arrays(backend: Backend, x: Any, y: Any) -> tuple[Any, Any]:
    """Both operands as arrays, where one may be a Python number."""
    if not backend.is_native(x):
        x = backend.full((), x, backend.dtype(y))
    elif not backend.is_native(y):
        y = backend.full((), y, backend.dtype(x))
    return x, y


SPECIAL: dict[str, Callable[[Backend], NativeFunction]] = {
    "sinc": _sinc,
    "hypot": _hypot,
    "logaddexp": _logaddexp,
}
"""Functions by row name."""
