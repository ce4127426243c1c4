"""Changed copies of objects: by their own hook, as dataclass, or attribute by attribute."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

from phi_tensor._cached import keep_cached
from phi_tensor._hooks import asked
from phi_tensor._trees import changed_copy


def copy_with(obj: Any, /, **updates: Any) -> Any:
    """Copy of an object with changed attributes.

    Made by `obj.__with_attrs__(**updates)` if the class has it, else as a dataclass by its constructor, else
    by setting the attributes of a copy. Cached properties of dataclasses stay where they do not depend on
    what changed, see `cached_property`.

    Args:
        obj: The object, which stays as it is.
        **updates: New values by attribute.

    Raises:
        AttributeError: The object has no such attribute.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Drop:
    ...     radius: float
    ...     name: str = "drop"
    >>> copy_with(Drop(1.0), radius=2.0)
    Drop(radius=2.0, name='drop')
    """
    answer = asked(obj, "__with_attrs__", **updates)
    if answer is not NotImplemented:
        return answer
    if not hasattr(obj, "__dict__") and not dataclasses.is_dataclass(obj):
        raise TypeError(
            f"`copy_with` changes attributes of objects, but those of {type(obj).__name__} are fixed. "
            f"Use e.g. `dataclasses.dataclass`."
        )
    is_data = dataclasses.is_dataclass(obj) and not isinstance(obj, type)
    names = [field.name for field in dataclasses.fields(obj) if field.init] if is_data else list(vars(obj))
    unknown = [name for name in updates if name not in names and (is_data or not hasattr(obj, name))]
    if unknown:
        raise AttributeError(
            f"`{type(obj).__name__}` has no attribute {' and '.join(map(repr, unknown))} that could be "
            f"changed, only {', '.join(names)}."
        )
    if is_data:
        return keep_cached(obj, dataclasses.replace(cast("Any", obj), **updates))
    return changed_copy(obj, updates)
