"""Cached properties that know which fields they were computed from.

While a cached property of a sliceable dataclass is computed, the fields that it reads are noted. A changed
copy of the object keeps the values that were computed from unchanged fields only, and drops all others.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar, cast, overload

from phi_tensor._trees import flatten

T = TypeVar("T")
_NOTES = "__reads__"
"""Where an object keeps the names of the fields that each cached value was computed from."""

_COMPUTING: ContextVar[tuple[tuple[Any, set[str]], ...]] = ContextVar("phi_tensor_computing", default=())
"""Objects whose cached properties are being computed here, innermost last, and the fields read so far."""


class CachedProperty(functools.cached_property[T]):
    """What `cached_property` makes.

    Attributes:
        commutes: Dims along which the property commutes with slicing and stacking.
    """

    def __init__(self, func: Callable[[Any], T], *, commutes: Any = None) -> None:
        super().__init__(func)
        self.commutes = commutes

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        name = cast("str", self.attrname)
        values, notes = instance.__dict__, instance.__dict__.get(_NOTES, {})
        if name in values:
            _note(instance, notes.get(name))
            return values[name]
        reads: set[str] = set()
        token = _COMPUTING.set((*_COMPUTING.get(), (instance, reads)))
        try:
            value = self.func(instance)
        finally:
            _COMPUTING.reset(token)
        known = frozenset(reads) if _notes_reads(type(instance)) else None
        _note(instance, known)
        if _is_available(value) or not _is_available(instance):
            values[name] = value
            values[_NOTES] = {**values.get(_NOTES, {}), name: known}
        return value

    def __set__(self, instance: Any, value: object) -> None:
        raise AttributeError(f"`{self.attrname}` is computed and cannot be set. Change what it depends on.")


@overload
def cached_property(func: Callable[[Any], T], *, commutes: Any = None) -> CachedProperty[T]: ...
@overload
def cached_property(
    func: None = None, *, commutes: Any = None
) -> Callable[[Callable[[Any], T]], CachedProperty[T]]: ...
def cached_property(func: Any = None, *, commutes: Any = None) -> Any:
    """Property of a dataclass that is computed when first read and then kept, as far as that is safe.

    What a changed copy (`replace`, `obj.x[0]`, `stack`) keeps:

    - values computed from fields that are the same objects in the copy, as they are. Reading a field counts,
      whatever was done with it, also inside methods and other properties.
    - where `commutes` names the dims of a slice, the value sliced like the object, and where it names the
      dim of a stack of objects that all hold the value, the stack of the values. This promises that the
      property gives the same for a slice as the slice of what it gives for the whole: true for whatever acts
      point by point, wrong for sums and neighbours along the dim.

    Everything else is computed anew when it is read again. A value that still has no numbers, inside
    `jit_compile` or a derivative, is not kept by an object from outside.

    Args:
        func: The property.
        commutes: Dims along which the property commutes with slicing and stacking, e.g. `batch` or `'x,y'`.

    >>> import phi_tensor as math
    >>> from dataclasses import dataclass
    >>> from phi_tensor.dataclasses import cached_property, sliceable
    >>> @sliceable
    ... @dataclass(frozen=True)
    ... class Particles:
    ...     position: math.Tensor
    ...     mass: math.Tensor
    ...
    ...     @cached_property
    ...     def total_mass(self):
    ...         return math.sum(self.mass)
    >>> dust = Particles(math.vec(x=0.0, y=1.0), math.wrap(2.0))
    >>> dust.total_mass is math.replace(dust, position=dust.position + 1).total_mass
    True
    """
    if func is None:
        return partial(CachedProperty, commutes=commutes)
    return CachedProperty(func, commutes=commutes)


class NotedField:
    """A field of a dataclass that tells the cached properties being computed that it was read."""

    __slots__ = ("default", "name")

    def __init__(self, name: str, default: Any) -> None:
        self.name = name
        self.default = default

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            if self.default is dataclasses.MISSING:
                raise AttributeError(self.name)
            return self.default
        if _COMPUTING.get():
            _note(instance, (self.name,))
        try:
            return instance.__dict__[self.name]
        except KeyError:
            raise AttributeError(self.name) from None

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self.name] = value


def _note(instance: Any, names: Iterable[str] | None) -> None:
    """`instance` was read: these fields of it, all where they are unknown."""
    for computing, reads in _COMPUTING.get():
        if computing is instance:
            reads.update(_all_names(instance) if names is None else names)


def _all_names(obj: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(obj)) if dataclasses.is_dataclass(obj) else ()


def note_fields(cls: Any) -> None:
    """Make the fields of a dataclass tell who reads them."""
    for field in dataclasses.fields(cls):
        setattr(cls, field.name, NotedField(field.name, field.default))
    cls.__notes_reads__ = cls


def _notes_reads(cls: type) -> bool:
    """True if all fields of objects of exactly this class are noted."""
    return getattr(cls, "__notes_reads__", None) is cls


def cached_values(obj: Any) -> Mapping[str, Any]:
    """What `obj` keeps of its cached properties."""
    return {name: obj.__dict__[name] for name in getattr(obj, "__dict__", {}).get(_NOTES, {})}


def keep_cached(old: Any, new: Any, derive: Callable[[Any, Any], Any] | None = None) -> Any:
    """`new` with the cached values of `old` that still hold.

    Args:
        old: Object whose values are kept.
        new: Changed copy of it.
        derive: What becomes of a value that does not hold any more: `derive(property, value)` is the new
            value or `NotImplemented`.
    """
    notes = getattr(old, "__dict__", {}).get(_NOTES, {})
    if not notes:
        return new
    names = _all_names(old)
    same = {name for name in names if getattr(old, name, None) is getattr(new, name, None)}
    for name, reads in notes.items():
        value = old.__dict__[name]
        if not (len(same) == len(names) if reads is None else reads <= same):
            value = NotImplemented if derive is None else derive(getattr(type(old), name), value)
        if value is not NotImplemented:
            keep(new, name, value, reads)
    return new


def keep(obj: Any, name: str, value: Any, reads: frozenset[str] | None) -> None:
    """Give `obj` the value of a cached property and the names of the fields that it was computed from."""
    obj.__dict__[name] = value
    obj.__dict__[_NOTES] = {**obj.__dict__.get(_NOTES, {}), name: reads}


def fields_read(obj: Any, name: str) -> frozenset[str] | None:
    """Fields that the kept value of a cached property was computed from; None where they are unknown."""
    return obj.__dict__[_NOTES][name]


def _is_available(value: Any) -> bool:
    return all(leaf.available for leaf in flatten(value, "all")[0])
