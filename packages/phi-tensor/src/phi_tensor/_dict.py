"""Dict: values by name as attributes, with arithmetic; a tree like any dict."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from phi_tensor._dim import suggestion
from phi_tensor._errors import IncompatibleShapes

Value = TypeVar("Value")
_OPERATORS: Any = operator
"""Untyped: what operators do is the business of the values."""


def _unary(function: Callable[[Any], Any]) -> Any:
    def method(self: Dict[Any]) -> Dict[Any]:
        return Dict({key: function(value) for key, value in self.items()})

    return method


def _binary(function: Callable[[Any, Any], Any]) -> Any:
    def method(self: Dict[Any], other: Any) -> Dict[Any]:
        pairs = _paired(self, other)
        return Dict({key: function(a, b) for key, (a, b) in pairs.items()})

    return method


def _reflected(function: Callable[[Any, Any], Any]) -> Any:
    def method(self: Dict[Any], other: Any) -> Dict[Any]:
        pairs = _paired(self, other)
        return Dict({key: function(b, a) for key, (a, b) in pairs.items()})

    return method


def _paired(mine: Mapping[str, Any], other: Any) -> dict[str, tuple[Any, Any]]:
    if not isinstance(other, Mapping):
        return {key: (value, other) for key, value in mine.items()}
    others = cast("Mapping[str, Any]", other)
    if mine.keys() != others.keys():
        raise IncompatibleShapes(
            f"Dicts are combined key by key, but found the keys {sorted(mine)} and {sorted(others)}. Select "
            f"common keys first."
        )
    return {key: (value, others[key]) for key, value in mine.items()}


class Dict(dict[str, Value]):
    """Values by name, read as items or as attributes: `d["velocity"]` is `d.velocity`.

    Arithmetic goes value by value: with a number or tensor for all, or with a mapping of the same keys. It
    is a tree: `sin(d)`, `gradient`, `jit_compile`, `stack` return a `Dict` again. Methods of `dict` come
    before keys of the same name. It has no shape of its own.

    >>> import phi_tensor as math
    >>> d = math.Dict(a=math.wrap(1.0), b=math.wrap(2.0))
    >>> (2 * d).b
    4.0
    """

    __array_ufunc__ = None  # NumPy arrays on the left defer to our reflected operators

    def __getattr__(self, name: str) -> Value:
        if name in self:
            return self[name]
        raise AttributeError(f"`Dict` has no key `{name}`, but {tuple(self)}.{suggestion(name, tuple(self))}")

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"Attributes of a `Dict` are read only. Make a copy: `Dict(d, {name}=…)`.")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def copy(self) -> Dict[Value]:
        """Dict with the same values."""
        return Dict(self)

    def __or__(self, other: Any) -> Dict[Any]:
        merged = Dict[Any](self)
        merged.update(other)
        return merged

    __add__ = _binary(_OPERATORS.add)
    __radd__ = _reflected(_OPERATORS.add)
    __sub__ = _binary(_OPERATORS.sub)
    __rsub__ = _reflected(_OPERATORS.sub)
    __mul__ = _binary(_OPERATORS.mul)
    __rmul__ = _reflected(_OPERATORS.mul)
    __truediv__ = _binary(_OPERATORS.truediv)
    __rtruediv__ = _reflected(_OPERATORS.truediv)
    __floordiv__ = _binary(_OPERATORS.floordiv)
    __rfloordiv__ = _reflected(_OPERATORS.floordiv)
    __mod__ = _binary(_OPERATORS.mod)
    __rmod__ = _reflected(_OPERATORS.mod)
    __pow__ = _binary(_OPERATORS.pow)
    __rpow__ = _reflected(_OPERATORS.pow)
    __matmul__ = _binary(_OPERATORS.matmul)
    __rmatmul__ = _reflected(_OPERATORS.matmul)
    __neg__ = _unary(_OPERATORS.neg)
    __pos__ = _unary(_OPERATORS.pos)
    __abs__ = _unary(_OPERATORS.abs)
    __invert__ = _unary(_OPERATORS.invert)

    def __round__(self, ndigits: int | None = None) -> Dict[Any]:
        return Dict({key: round(cast("Any", value), ndigits) for key, value in self.items()})

    def __repr__(self) -> str:
        return f"Dict({', '.join(f'{key}={value!r}' for key, value in self.items())})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Dict, (dict(self),)
