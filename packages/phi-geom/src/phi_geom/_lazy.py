"""Values that are derived once when first needed, in 64 bit.

And handed out in the precision of the context.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

import phi_tensor as math
from phi_tensor import Tensor

Value = TypeVar("Value", Tensor, Any)


class lazy(Generic[Value]):
    """Attribute of an immutable object, made at first use and kept unless it is traced.

    Derived in 64 bit whatever the context says, so that a domain made in single precision serves a 64-bit
    simulation, too.
    """

    def __init__(self, derive: Callable[[Any], Value]) -> None:
        self._derive = derive
        self.__doc__ = derive.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, obj: Any, owner: type | None = None) -> Value:
        if obj is None:
            return cast("Value", self)
        key = (self._name, math.get_precision())
        kept = obj.__dict__
        if key in kept:
            return kept[key]
        with math.precision(64):
            exact = self._derive(obj)
        value = cast("Value", math.to_float(exact))
        if value.available:
            kept[key] = value
        return value
