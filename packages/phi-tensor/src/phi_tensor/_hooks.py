"""How functions that rearrange dims treat trees: an object's own hook first, else part by part.

| function | hook of the class |
| --- | --- |
| `shape` | `shape` (property) or `__shape__()` |
| `slice`, `unstack` | `__getitem__(item)`, `__unstack__(dims)` |
| `stack`, `concat` | static `__stack__(values, dim, **options)`, `__concat__(values, dim, **options)` |
| `expand` | `__expand__(dims, **options)` |
| `rename_dims` | `__replace_dims__(dims, new_dims, **options)` |
| `pack_dims`, `unpack_dim` | `__pack_dims__(dims, packed_dim, pos)`, `__unpack_dim__(dim, unpacked_dims)` |
| `flatten`, `cast` | `__flatten__(flat_dim, flatten_batch)`, `__cast__(dtype)` |

A class without `__stack__` that is no tree is stacked by its `__expand__` and `__concat__`.

`options` are those that the caller gave. Every hook may return `NotImplemented`: the function then acts on
all tensors of the object, as it does where a hook calls it for its own object.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import partial
from typing import Any, cast

from phi_tensor._errors import IncompatibleShapes
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor._trees import opened, same_static
from phi_tensor.layouts._layout import NUMBERS

_NUMBERS = tuple(NUMBERS)


_ASKED: ContextVar[tuple[tuple[Any, str], ...]] = ContextVar("phi_tensor_asked", default=())
"""Objects whose hooks are running here."""


def asked(obj: Any, hook: str, *args: Any, **options: Any) -> Any:
    """What the class of `obj` answers; `NotImplemented` where it lacks the hook or is answering already."""
    method = getattr(type(obj), hook, None)
    return NotImplemented if method is None else _answer(obj, hook, partial(method, obj), args, options)


def _answer(
    obj: Any, hook: str, method: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    running = _ASKED.get()
    if any(other is obj and name == hook for other, name in running):
        return NotImplemented
    token = _ASKED.set((*running, (obj, hook)))
    try:
        return method(*args, **options)
    finally:
        _ASKED.reset(token)


def rearranged(hook: str, function: Callable[..., Any], value: Any, *args: Any, **options: Any) -> Any:
    """`function(value, *args, **options)` for a tree; `NotImplemented` for what is neither tree nor object.

    Text, None and other values without dims stay as they are, numbers in the tree are passed to `function`.
    """
    answer = asked(value, hook, *args, **options)
    if answer is not NotImplemented:
        return answer
    parts = opened(value)
    if parts is None:
        return NotImplemented
    children, structure = parts
    return structure.build([_rearranged_part(hook, function, part, args, options) for part in children])


def _rearranged_part(
    hook: str, function: Callable[..., Any], part: Any, args: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    if isinstance(part, (Tensor, *_NUMBERS)):
        return function(part, *args, **options)
    answer = rearranged(hook, function, part, *args, **options)
    return part if answer is NotImplemented else answer


def joined(hook: str, function: Callable[..., Any], values: Sequence[Any], *args: Any, **options: Any) -> Any:
    """`function(values, *args, **options)` for trees of one structure, column by column.

    Raises:
        IncompatibleShapes: The structures differ, or what is no tensor.
    """
    for value in values:
        static = getattr(type(value), hook, None)
        answer = NotImplemented if static is None else _answer(value, hook, static, (values, *args), options)
        if answer is not NotImplemented:
            return answer
    if all(isinstance(value, (Tensor, *_NUMBERS)) for value in values):
        return function(values, *args, **options)
    if hook == "__stack__" and all(map(_is_stacked_by_concat, values)):
        answer = _stacked_by_concat(values, *args)
        if answer is not NotImplemented:
            return answer
    return joined_parts(hook, function, values, *args, **options)


def _is_stacked_by_concat(value: Any) -> bool:
    """Whether a class without `__stack__` has what replaces it, and no parts that could be stacked."""
    hooks = [hasattr(type(value), hook) for hook in ("__stack__", "__concat__", "__expand__")]
    return hooks == [False, True, True] and opened(value) is None


def _stacked_by_concat(values: Sequence[Any], dim: Shape) -> Any:
    """Values with a new dim of size 1 each, one after the other along it."""
    new, labels = dim.dim, dim.dim.labels
    if new.size not in (None, len(values)):
        raise IncompatibleShapes(f"{len(values)} values cannot be stacked along {dim}. Leave the size away.")
    ones = [Shape.of((new.with_size(1, labels and labels[i : i + 1]),)) for i in range(len(values))]
    parts = [asked(value, "__expand__", one) for value, one in zip(values, ones, strict=True)]
    if any(part is NotImplemented for part in parts):
        return NotImplemented
    concat: Any = cast("Any", type(parts[0])).__concat__
    return _answer(parts[0], "__concat__", concat, (parts, new.name), {})


def is_structured(value: Any) -> bool:
    """True for values that are joined by their class or part by part; not for None, texts and the like."""
    return is_shaped(value) or hasattr(type(value), "__stack__") or opened(value) is not None


def joined_parts(
    hook: str, function: Callable[..., Any], values: Sequence[Any], *args: Any, **options: Any
) -> Any:
    """Like `joined`, without asking the classes of `values`."""
    parts = [opened(value) for value in values]
    found = [part for part in parts if part is not None]
    if not found and all(same_static(value, values[0]) for value in values[1:]):
        return values[0]
    if len(found) < len(values) or any(structure != found[0][1] for _, structure in found):
        kinds = [part[1] if part else value for part, value in zip(parts, values, strict=True)]
        raise IncompatibleShapes(
            f"Only values of one structure can be joined, but found {kinds}. Attributes that are no tensors "
            f"must be equal."
        )
    columns = zip(*(children for children, _ in found), strict=True)
    return found[0][1].build([joined(hook, function, list(column), *args, **options) for column in columns])


def sliced(value: Any, slices: dict[str, Any]) -> Any:
    """Any value sliced by a dict from dim names to selections; what has no dims stays as it is."""
    if isinstance(value, Tensor):
        return value[slices]
    if not isinstance(value, (tuple, list, dict, Shape)):
        answer = asked(value, "__getitem__", slices) if is_shaped(value) else NotImplemented
        if answer is not NotImplemented:
            return answer
    parts = opened(value)
    if parts is None:
        return cast("Any", value)
    children, structure = parts
    return structure.build([sliced(part, slices) for part in children])


def is_shaped(obj: Any) -> bool:
    """True for objects that say themselves which dims they have."""
    return isinstance(getattr(obj, "shape", None), Shape) or hasattr(type(obj), "__shape__")
