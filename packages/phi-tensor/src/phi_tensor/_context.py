"""Ambient settings: one interned object in one context variable, safe for threads and tasks.

Precision decides the float type of every result, the default backend decides where creation happens:

>>> import phi_tensor as math
>>> with math.precision(64):
...     math.zeros(math.spatial(x=3)).dtype
float64
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any, Literal, NamedTuple

from phi_tensor._dtype import COMPLEX64, DType, Precision

Check = Literal["late", "now", "never"]


class Values(NamedTuple):
    """The values of all ambient settings."""

    precision: int = 32
    backend: str = "numpy"
    check: Check = "late"
    traced: Literal["", "derivative", "jit"] = ""  # which of our transformations runs the code
    entered: str = ""  # backend of the innermost `with backend:` around
    devices: tuple[tuple[str, str], ...] = ()  # default device by backend, where one was chosen
    taped: bool = False  # whether compiled code returns what its solves did


class Settings:
    """All ambient settings as one interned object: plans and traces are found by its identity.

    Attributes:
        values: The settings by name.
        precision: Bits of floating-point results [bit].
        backend: Name of the default backend.
        check: When hidden outcomes are checked.
        traced: Which of our transformations runs the code: none, `derivative` or `jit`.
        entered: Name of the backend of the innermost `with backend:`, empty outside.
        taped: Whether a tape records solves.
    """

    __slots__ = ("backend", "check", "entered", "precision", "taped", "traced", "values")

    def __init__(self, values: Values) -> None:
        self.values = values
        self.precision, self.backend, self.check, self.traced, self.entered = values[:5]
        self.taped = values.taped

    def __repr__(self) -> str:
        return repr(self.values)


_INTERNED: dict[Values, Settings] = {}
_LOCAL: ContextVar[Settings | None] = ContextVar("phi_tensor_settings", default=None)
_ON_GLOBAL_CHANGE: list[Callable[[], None]] = []

local_settings = _LOCAL.get
"""Part of every plan key: the settings of the innermost `with`, or None where the global ones hold.

They clear the plans.
"""


def settings() -> Settings:
    """The settings that hold here."""
    return _LOCAL.get() or _GLOBAL[0]


def global_settings() -> Settings:
    """The settings outside of `with` blocks."""
    return _GLOBAL[0]


def _intern(values: Values) -> Settings:
    return _INTERNED.get(values) or _INTERNED.setdefault(values, Settings(values))


_GLOBAL = [_intern(Values())]


def change_global(**changes: Any) -> None:
    """Change settings of the whole process (outside of `with` blocks) and forget the plans of the old ones.

    Names are those of `Values`.
    """
    _GLOBAL[0] = _intern(_GLOBAL[0].values._replace(**changes))
    for forget in _ON_GLOBAL_CHANGE:
        forget()


def on_global_change(callback: Callable[[], None]) -> None:
    """Register what must be forgotten when global settings change."""
    _ON_GLOBAL_CHANGE.append(callback)


@contextmanager
def changed_settings(**changes: Any) -> Generator[Settings]:
    """Context in which `changes` hold for this thread or task."""
    value = _intern(settings().values._replace(**changes))
    token = _LOCAL.set(value)
    try:
        yield value
    finally:
        _LOCAL.reset(token)


def _checked_precision(bits: int) -> int:
    if bits not in (16, 32, 64):
        raise ValueError(
            f"`precision({bits!r})`: floating-point numbers have 16, 32 or 64 bits. Pass one of these."
        )
    return bits


def precision(floating_point_bits: Precision) -> AbstractContextManager[Settings]:
    """Context in which every float result has `floating_point_bits` bits (16, 32 or 64), whatever its inputs.

    >>> import phi_tensor as math
    >>> with math.precision(64):
    ...     math.ones(math.spatial(x=2)).dtype
    float64
    """
    return changed_settings(precision=_checked_precision(floating_point_bits))


def set_global_precision(floating_point_bits: Precision) -> None:
    """Set the float precision [bit] of the whole process: 16, 32 (at start) or 64."""
    change_global(precision=_checked_precision(floating_point_bits))


def is_compiling() -> bool:
    """True inside a function that `jit_compile` traces."""
    return settings().traced == "jit"


def get_precision() -> int:
    """Bits of floating-point results here [bit]."""
    return settings().precision


def context_dtype(dtype: DType) -> DType:
    """`dtype` as the context wants it.

    Floats and complex numbers take the context's precision, others stay.
    """
    if dtype.kind is float:
        return DType.by_precision(float, settings().precision)
    if dtype.kind is complex:
        return DType.by_precision(complex, settings().precision) if settings().precision > 16 else COMPLEX64
    return dtype
