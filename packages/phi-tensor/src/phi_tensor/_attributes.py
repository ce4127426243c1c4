"""Which attributes of objects are tensors.

Dataclasses: fields are data unless annotated as `str`, `int`, `float`, `bool`, `Shape`, `slice`, `type`,
    `DType`, `None`, `Callable`, `Literal` or a union of these alone (`float | Tensor` is data);
the class may name its `variable_attrs` (traced, differentiated, optimised) and `value_attrs` (what
mathematics acts on).

Foreign classes: `__variable_attrs__() -> names` and `__value_attrs__()` (one stands for the other where it is
    missing), `__all_attrs__()` (default: both together), and `__with_attrs__(**changes)` (default: a copy).
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import Any, Literal

Attributes = Literal["variable", "value", "all"]

_STATIC_ANNOTATIONS = (
    "str",
    "int",
    "float",
    "bool",
    "Shape",
    "slice",
    "type",
    "Callable",
    "Literal",
    "DType",
    "None",
    "NoneType",
)


SPECIAL_FIELDS = ("variable_attrs", "value_attrs")
"""Fields of dataclasses that name other fields."""


@lru_cache(1024)
def data_names(cls: type) -> tuple[str, ...]:
    """Fields of a dataclass that may hold tensors, judged by their annotation."""
    names: list[str] = []
    for field in dataclasses.fields(cls):
        annotation: Any = field.type
        text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
        if not _is_static(text) and field.name not in SPECIAL_FIELDS:
            names.append(field.name)
    return tuple(names)


def _is_static(annotation: str) -> bool:
    """Whether no value of a type holds tensors; a union has to be static in all its members."""
    members = _split(annotation, "|")
    if len(members) > 1:
        return all(map(_is_static, members))
    name, _, inside = annotation.strip().partition("[")
    name, inner = name.rsplit(".", 1)[-1], _split(inside.rpartition("]")[0], ",")
    if name in ("Optional", "Union", "Final"):
        return all(map(_is_static, inner))
    return _is_static(inner[0]) if name == "Annotated" else name in _STATIC_ANNOTATIONS


def _split(text: str, separator: str) -> list[str]:
    """Parts of a text between separators outside of brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "[(") - (letter in "])")
        if letter == separator and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def attributes_of(obj: Any, attributes: Attributes) -> tuple[str, ...] | None:
    """Names of the tensor attributes of an object that mathematics / derivatives / structure act on.

    None if it is no tree.
    """
    hooked = _hooked_attributes(obj, attributes)
    if hooked is not None:
        return hooked
    if dataclasses.is_dataclass(obj) and not isinstance(obj, type):
        listed = _listed(obj, f"{attributes}_attrs")
        if listed is not None:
            return (
                tuple(part.strip() for part in listed.split(","))
                if isinstance(listed, str)
                else tuple(listed)
            )
        return data_names(type(obj))
    return None


def _listed(obj: Any, name: str) -> Any:
    """Attribute or field of a dataclass that lists other fields; None where it has none."""
    names = _field_names(type(obj))
    return getattr(obj, name) if hasattr(type(obj), name) or name in names else None


@lru_cache(1024)
def _field_names(cls: type) -> frozenset[str]:
    return frozenset(field.name for field in dataclasses.fields(cls))


def _hooked_attributes(obj: Any, attributes: Attributes) -> tuple[str, ...] | None:
    """What the hooks of a foreign class list: all attributes are its variables and values together.

    Classes may name one of the two, which then are the other, too.
    """
    if not follows_protocol(type(obj)):
        return None
    if attributes != "all" and hasattr(obj, f"__{attributes}_attrs__"):
        return tuple(getattr(obj, f"__{attributes}_attrs__")())
    if attributes == "all" and hasattr(obj, "__all_attrs__"):
        return tuple(obj.__all_attrs__())
    hooks = [hook for hook in ("__variable_attrs__", "__value_attrs__") if hasattr(obj, hook)]
    return tuple(dict.fromkeys(name for hook in hooks for name in getattr(obj, hook)()))


@lru_cache(1024)
def follows_protocol(cls: type) -> bool:
    """Whether objects of a class are trees by our protocol: nobody needs to ask whether they are arrays."""
    return any(hasattr(cls, f"__{kind}_attrs__") for kind in ("variable", "value", "all"))
