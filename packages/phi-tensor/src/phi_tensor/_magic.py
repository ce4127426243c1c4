"""What custom classes can do, as `isinstance` checks; see `_hooks` for the methods that make it so.

>>> import phi_tensor as math
>>> isinstance([math.vec(x=1.0), None], PhiTreeNode), isinstance("text", PhiTreeNode)
(True, False)
"""

from __future__ import annotations

import dataclasses
from typing import Any, cast

from phi_tensor._attributes import attributes_of
from phi_tensor._hooks import is_shaped
from phi_tensor._tensor import Tensor


class _Capability(type):
    """Classes without instances of their own: `accepts` decides which objects belong to them."""

    def __instancecheck__(cls, instance: object) -> bool:
        return cast("Any", cls).accepts(instance)


class Shaped(metaclass=_Capability):
    """Objects that say which dims they have: by a property `shape` or by `__shape__()`."""

    @staticmethod
    def accepts(obj: object) -> bool:
        """True for tensors and for objects with `shape` or `__shape__()`."""
        return is_shaped(obj)


class Sliceable(metaclass=_Capability):
    """Objects that `slice` and `unstack` act on: shaped ones with `__getitem__`, and trees."""

    @staticmethod
    def accepts(obj: object) -> bool:
        """True for shaped objects with `__getitem__` and for trees."""
        return (is_shaped(obj) and hasattr(type(obj), "__getitem__")) or PhiTreeNode.accepts(obj)


class Shapable(metaclass=_Capability):
    """Objects whose dims can be rearranged: sliceable ones that also stack, or concatenate and expand."""

    @staticmethod
    def accepts(obj: object) -> bool:
        """True for trees, and for sliceable objects with `__stack__`, or `__concat__` and `__expand__`."""
        if PhiTreeNode.accepts(obj):
            return True
        has = {hook: hasattr(type(obj), hook) for hook in ("__stack__", "__concat__", "__expand__")}
        return Sliceable.accepts(obj) and (has["__stack__"] or (has["__concat__"] and has["__expand__"]))


class PhiTreeNode(metaclass=_Capability):
    """Trees that functions map over.

    Tensors, None, tuples, lists and dicts of trees, dataclasses, and objects that name their attributes by
    `__variable_attrs__()`, `__value_attrs__()` or `__all_attrs__()`.
    """

    @staticmethod
    def accepts(obj: object) -> bool:
        """True for trees. Numbers, text and arrays are none."""
        if obj is None or isinstance(obj, Tensor):
            return True
        if isinstance(obj, (tuple, list)):
            return all(PhiTreeNode.accepts(entry) for entry in cast("tuple[object, ...]", obj))
        if isinstance(obj, dict):
            return all(PhiTreeNode.accepts(entry) for entry in cast("dict[object, object]", obj).values())
        if dataclasses.is_dataclass(obj):
            return not isinstance(obj, type)
        return not isinstance(obj, type) and attributes_of(obj, "all") is not None
