"""NumPy functions without floating-point warnings: 1/0 is inf, log(0) is -inf, as on all other backends.

`np.errstate` costs three times as much as a small ufunc. Each thread therefore keeps a context in which the
warnings are off, and enters it for the call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import Context
from typing import Any

import numpy as np


class _Quiet(threading.local):
    """One context per thread: two threads cannot be in the same one."""

    def __init__(self) -> None:
        context = Context()
        context.run(np.seterr, all="ignore")
        self.run = context.run


_QUIET = _Quiet()


def quietly(function: Callable[..., Any], arity: int) -> Callable[..., Any]:
    """`function` of `arity` arrays with IEEE results and no warnings; it must not read context variables."""

    def slowly(*xs: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*xs)

    def one(x: Any) -> Any:
        try:
            return _QUIET.run(function, x)
        except RuntimeError:  # a finaliser or signal handler that interrupts a call is in the context already
            return slowly(x)

    def two(x: Any, y: Any) -> Any:
        try:
            return _QUIET.run(function, x, y)
        except RuntimeError:
            return slowly(x, y)

    def three(x: Any, y: Any, z: Any) -> Any:
        try:
            return _QUIET.run(function, x, y, z)
        except RuntimeError:
            return slowly(x, y, z)

    return (one, two, three)[arity - 1]


def special(name: str, arity: int) -> Callable[..., Any]:
    """Function of `scipy.special`, a submodule that costs 150 ms to import: at the first call."""
    found: list[Callable[..., Any]] = []

    def first(*xs: Any) -> Any:
        from scipy import special as functions  # noqa: PLC0415 see above

        if not found:
            found.append(quietly(getattr(functions, name), arity))
        return found[0](*xs)

    def one(x: Any) -> Any:
        return found[0](x) if found else first(x)

    def two(x: Any, y: Any) -> Any:
        return found[0](x, y) if found else first(x, y)

    return one if arity == 1 else two
