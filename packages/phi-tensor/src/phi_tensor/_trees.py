"""Trees: anything made of tensors.

Tuples, lists, dicts, dataclasses and foreign classes that name their attributes, see `_attributes`.
"""

from __future__ import annotations

import copy as _copy
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, lru_cache
from operator import attrgetter
from typing import Any, cast

import numpy as np

from phi_tensor._attributes import Attributes, attributes_of, follows_protocol
from phi_tensor._dict import Dict
from phi_tensor._dim import Dim
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._shape import EMPTY_SHAPE, Shape, merge_shapes, shape_of
from phi_tensor._tensor import Tensor


class Structure:
    """What remains of a tree without its tensors; hashable, rebuilds the tree from a list of tensors.

    Attributes:
        kind: `leaf`, `static`, `tuple`, `list`, `dict`, `Dict` or `object`.
        data: Static value, keys, or class with static fields.
        children: Structures below.
        count: Number of tensors in the tree [-].
        flat: True for objects whose attributes are tensors.
    """

    __slots__ = ("_hash", "children", "count", "data", "flat", "kind")

    def __init__(self, kind: str, data: Any, children: tuple[Structure, ...]) -> None:
        self.kind = kind
        self.data = data
        self.children = children
        self.count = 1 if kind == "leaf" else sum(child.count for child in children)
        self.flat = kind == "object" and all(child.kind == "leaf" for child in children)
        try:
            self._hash = hash((kind, data, children))
        except TypeError:
            self._hash = hash((kind, type(data), children))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return (
            isinstance(other, Structure)
            and self._hash == other._hash
            and self.kind == other.kind
            and same_static(self.data, other.data)
            and self.children == other.children
        )

    def orders(self) -> tuple[tuple[Dim, ...], ...]:
        """Dims of the static shapes, each in its order, which equality ignores and functions may not."""
        if self.kind == "static":
            return _orders((self.data,))
        found = (
            self.data.orders
            if self.kind == "object"
            else _orders(self.data)
            if self.kind in ("dict", "Dict")
            else ()
        )
        for child in self.children:
            if child is not _LEAF:
                found += child.orders()
        return found

    def build(self, leaves: Sequence[Any]) -> Any:
        """The tree with these leaves in order."""
        if self.kind == "leaf":
            return leaves[0]
        if self.kind == "static":
            return self.data
        if self.flat:
            return self.data.build(leaves)
        values: list[Any] = []
        start = 0
        for child in self.children:
            values.append(child.build(leaves[start : start + child.count]))
            start += child.count
        if self.kind == "tuple":
            return tuple(values) if self.data is tuple else self.data(*values)
        if self.kind == "list":
            return values
        if self.kind == "dict":
            return dict(zip(self.data, values, strict=True))
        if self.kind == "Dict":
            return Dict(zip(self.data, values, strict=True))
        return self.data.build(values)

    def keys(self) -> list[str]:
        """How the children are reached from the tree: `[0]`, `['key']` or `.name`."""
        if self.kind == "object":
            return [f".{name}" for name in self.data.names]
        positions = self.kind in ("tuple", "list")
        return [f"[{key!r}]" for key in (range(len(self.children)) if positions else self.data)]

    def __repr__(self) -> str:
        if self.kind == "leaf":
            return "*"
        return f"{self.data!r}" if self.kind == "static" else f"{self.kind}{self.children}"


def same_static(a: Any, b: Any) -> bool:
    """Whether two static values are equal; by identity where comparing gives an element-wise result."""
    if a is b:
        return True
    try:
        return type(a) is type(b) and isinstance(same := a == b, (bool, np.bool_)) and bool(same)
    except ValueError:  # containers of arrays
        return False


_LEAF = Structure("leaf", None, ())


def _orders(values: Iterable[Any]) -> tuple[tuple[Dim, ...], ...]:
    return tuple(value.dims for value in values if isinstance(value, Shape))


class _Object:
    """An object without its tensors: class, names of its tensor attributes, all other attributes."""

    __slots__ = ("copy_with", "names", "orders", "static", "template")

    def __init__(self, template: Any, names: tuple[str, ...]) -> None:
        if dataclasses.is_dataclass(template):  # keeps no tensor alive
            template = replaced(template, dict.fromkeys(names))
        self.template = template
        self.names = names
        self.static = _static_part(template, names)
        self.orders = _orders(self.static.values())
        self.copy_with = getattr(template, "__with_attrs__", None)

    def build(self, values: Sequence[Any]) -> Any:
        changes = dict(zip(self.names, values, strict=True))
        if self.copy_with is not None:
            return self.copy_with(**changes)
        if dataclasses.is_dataclass(self.template):
            return replaced(self.template, changes)
        return changed_copy(self.template, changes)

    def is_like(self, other: _Object) -> bool:
        """Whether the other object has the same class and the same tensor attributes."""
        return type(self.template) is type(other.template) and self.names == other.names

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Object)
            and self.is_like(other)
            and self.static.keys() == other.static.keys()
            and all(same_static(value, other.static[name]) for name, value in self.static.items())
        )

    def __hash__(self) -> int:
        return hash((type(self.template), self.names))


def replaced(obj: Any, changes: dict[str, Any]) -> Any:
    """Copy of a dataclass with changed fields, without running its `__init__` or `__post_init__` again."""
    changed = object.__new__(cast("type[Any]", type(obj)))
    for field in dataclasses.fields(obj):
        object.__setattr__(
            changed, field.name, changes[field.name] if field.name in changes else getattr(obj, field.name)
        )
    return changed


def changed_copy(obj: Any, changes: dict[str, Any]) -> Any:
    """Copy of an object that is no dataclass with changed attributes and without its cached properties."""
    changed = _copy.copy(obj)
    attributes = cast("dict[str, Any]", vars(changed))
    for name in [name for name in attributes if _is_cached(type(obj), name)]:
        del attributes[name]
    for name, value in changes.items():
        setattr(changed, name, value)
    return changed


def _is_cached(cls: type, name: str) -> bool:
    return isinstance(getattr(cls, name, None), cached_property)


def _static_part(obj: Any, names: tuple[str, ...]) -> Any:
    if dataclasses.is_dataclass(obj):
        return {name: getattr(obj, name) for name in _other_fields(type(obj), names)}
    return {
        key: value
        for key, value in getattr(obj, "__dict__", {}).items()
        if key not in names and not _is_cached(type(obj), key)
    }


@lru_cache(1024)
def _other_fields(cls: type, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(cls) if field.name not in names)


def flatten(
    obj: Any, attributes: Attributes = "variable", leaf: Callable[[Any], Tensor | None] | None = None
) -> tuple[list[Tensor], Structure]:
    """`(tensors, structure)` of a tree.

    Args:
        obj: The tree. Whatever is neither tensor nor container is static.
        attributes: Which attributes of objects are followed.
        leaf: Makes a tensor of other values (numbers, arrays), or None for static ones.
    """
    leaves: list[Tensor] = []
    structure = _flatten(obj, attributes, leaf, leaves)
    return leaves, structure


def _flatten(
    obj: Any, attributes: Attributes, leaf: Callable[[Any], Tensor | None] | None, leaves: list[Tensor]
) -> Structure:
    if isinstance(obj, Tensor):
        leaves.append(obj)
        return _LEAF
    if leaf is not None and not follows_protocol(type(obj)):
        made = leaf(obj)
        if made is not None:
            leaves.append(made)
            return _LEAF
    if isinstance(obj, (tuple, list)):
        entries = cast("Sequence[Any]", obj)
        children = tuple(_flatten(value, attributes, leaf, leaves) for value in entries)
        is_list = isinstance(obj, list)
        return Structure("list", None, children) if is_list else Structure("tuple", type(entries), children)
    if isinstance(obj, dict):
        items = cast("dict[Any, Any]", obj)
        children = tuple(_flatten(value, attributes, leaf, leaves) for value in items.values())
        return Structure("Dict" if isinstance(obj, Dict) else "dict", tuple(items), children)
    names = (
        None
        if obj is None or isinstance(obj, (str, int, float, complex, Shape, type))
        else attributes_of(obj, attributes)
    )
    if names is None:
        return Structure("static", obj, ())
    values = [getattr(obj, name) for name in names]
    if dataclasses.is_dataclass(obj) and all(type(value) is Tensor for value in values):
        leaves.extend(values)
        return _flat_object(obj, names)
    children = tuple(_flatten(value, attributes, leaf, leaves) for value in values)
    return Structure("object", _Object(obj, names), children)


def opened(obj: Any, attributes: Attributes = "all") -> tuple[Sequence[Any], Structure] | None:
    """Entries of a container, or tensor attributes of an object, and what puts others in their place.

    None for tensors and for whatever is neither container nor object.
    """
    if isinstance(obj, (Tensor, str, int, float, complex, Shape, type)) or obj is None:
        return None
    if isinstance(obj, (tuple, list)):
        entries = cast("Sequence[Any]", obj)
        leaves = (_LEAF,) * len(entries)
        is_list = isinstance(obj, list)
        return entries, Structure("list", None, leaves) if is_list else Structure(
            "tuple", type(entries), leaves
        )
    if isinstance(obj, dict):
        items = cast("dict[Any, Any]", obj)
        return tuple(items.values()), Structure(
            "Dict" if isinstance(obj, Dict) else "dict", tuple(items), (_LEAF,) * len(items)
        )
    names = attributes_of(obj, attributes)
    if names is None:
        return None
    values = [getattr(obj, name) for name in names]
    if dataclasses.is_dataclass(obj):
        return values, _flat_object(obj, names)
    return values, Structure("object", _Object(obj, names), (_LEAF,) * len(names))


def _flat_object(obj: Any, names: tuple[str, ...]) -> Structure:
    """Structure of a dataclass of tensors, found again by the identity of its other attributes."""
    statics = _static_values(type(obj), names)(obj)
    key: tuple[Any, ...] = (cast("type[Any]", type(obj)), names, *map(id, statics))
    found = _FLAT_OBJECTS.get(key)
    if found is None:
        if len(_FLAT_OBJECTS) >= MOST_STRUCTURES:
            _FLAT_OBJECTS.clear()
        # The structure holds the other attributes, so that their identities stay theirs.
        found = _FLAT_OBJECTS[key] = Structure("object", _Object(obj, names), (_LEAF,) * len(names))
    return found


@lru_cache(1024)
def _static_values(cls: type, names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    others = _other_fields(cls, names)
    if len(others) > 1:
        return attrgetter(*others)
    return (lambda obj: (getattr(obj, others[0]),)) if others else (lambda obj: ())


MOST_STRUCTURES = 1024
"""Structures of objects that are remembered."""

_FLAT_OBJECTS: dict[tuple[Any, ...], Structure] = {}


def tree_map(f: Callable[..., Any], tree: Any, *others: Any, attributes: Attributes = "value") -> Any:
    """Tree of `f(leaf, …)` for the tensors of `tree` and those of `others`, which have the same structure.

    Lists may meet tuples. What is no tensor stays as it is in `tree`.

    Raises:
        IncompatibleShapes: Classes, lengths, or keys and their order differ.

    >>> import phi_tensor as math
    >>> tree_map(lambda x: x + 1, {"a": math.wrap(1.0)})
    {'a': 2.0}
    """
    leaves, structure = flatten(tree, attributes)
    columns = [leaves]
    for other in others:
        more, same = flatten(other, attributes)
        if not _is_parallel(structure, same):
            raise IncompatibleShapes(
                f"Trees must have the same structure, keys in one order too, but found {structure} and "
                f"{same}."
            )
        columns.append(more)
    return structure.build([f(*row) for row in zip(*columns, strict=True)])


_ALIKE = {"tuple": "list", "Dict": "dict"}
"""Kinds of structures that may meet."""


def _is_parallel(a: Structure, b: Structure) -> bool:
    """Whether tensors at one place of two lists of leaves are reached by the same way."""
    if a is b:
        return True
    kind = _ALIKE.get(a.kind, a.kind)
    if kind != _ALIKE.get(b.kind, b.kind) or (kind == "dict" and a.data != b.data):
        return False
    if kind == "object" and not a.data.is_like(b.data):
        return False
    return len(a.children) == len(b.children) and all(map(_is_parallel, a.children, b.children))


def is_tree(obj: Any) -> bool:
    """True for tensors and for what contains tensors."""
    if isinstance(obj, Tensor):
        return True
    leaves, _ = flatten(obj, "all")
    return bool(leaves)


def tree_shape(obj: Any) -> Shape:
    """Dims of all parts of a tree, merged. Objects in it may say themselves which dims they have."""
    parts = opened(obj)
    if parts is None:
        raise TypeError(f"{type(obj).__name__} has no dims: it is neither a tensor nor made of tensors.")
    return merge_shapes(EMPTY_SHAPE, *(_part_shape(part) for part in parts[0]))


def _part_shape(part: Any) -> Shape:
    if isinstance(part, (str, Shape)):
        return EMPTY_SHAPE
    return shape_of(part, allow_unshaped=True)
