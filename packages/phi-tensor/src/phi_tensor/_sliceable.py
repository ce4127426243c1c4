"""Dataclasses of tensors that are sliced, stacked and shown by their dims."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, SupportsIndex, TypeVar, cast, overload

from phi_tensor._attributes import SPECIAL_FIELDS, data_names
from phi_tensor._bound_dim import BoundDim, slicing_dict
from phi_tensor._cached import (
    CachedProperty,
    cached_values,
    fields_read,
    keep,
    keep_cached,
    note_fields,
)
from phi_tensor._dim import KNOWN_NAMES, Dim, suggestion
from phi_tensor._dim_changes import retyped
from phi_tensor._dim_types import DimType, channel, dual, instance, spatial
from phi_tensor._hooks import joined_parts, sliced
from phi_tensor._shape import Shape, shape_of
from phi_tensor._tensor import Tensor
from phi_tensor._trees import replaced, tree_shape
from phi_tensor.ops._slicing import picked
from phi_tensor.ops._structure import rename_dims, stack

C = TypeVar("C", bound=type)


@overload
def sliceable(
    cls: C,
    /,
    *,
    dim_attrs: bool = True,
    t_props: bool = True,
    keepdims: Any = None,
    dim_repr: bool = True,
    lazy_dims: bool = True,
) -> C: ...
@overload
def sliceable(
    cls: None = None,
    /,
    *,
    dim_attrs: bool = True,
    t_props: bool = True,
    keepdims: Any = None,
    dim_repr: bool = True,
    lazy_dims: bool = True,
) -> Callable[[C], C]: ...
def sliceable(
    cls: Any = None,
    /,
    *,
    dim_attrs: bool = True,
    t_props: bool = True,
    keepdims: Any = None,
    dim_repr: bool = True,
    lazy_dims: bool = True,
) -> Any:
    """Frozen dataclass whose objects have a `shape` and are sliced and stacked like tensors.

    Adds what the class does not define itself: `shape` (dims of all data fields), `obj[…]`, and what the
    options say. Cached properties follow the rules of `cached_property`.

    Args:
        cls: The dataclass, decorated by `@dataclass(frozen=True)` first.
        dim_attrs: Dims as attributes: `obj.x[1:]`.
        t_props: `obj.Ti`, `obj.Ts`, `obj.Tc`: instance, spatial or channel dims exchanged with dual ones.
        keepdims: Dims that stay, with size 1, where an int or one label selects an entry.
        dim_repr: Show dims and configuration instead of numbers.
        lazy_dims: Compute `shape` when it is first read; otherwise at construction, which fails if the fields
            do not fit together.

    Raises:
        TypeError: `cls` is no frozen dataclass.

    >>> import phi_tensor as math
    >>> from dataclasses import dataclass
    >>> @sliceable(keepdims="vector")
    ... @dataclass(frozen=True)
    ... class Points:
    ...     position: math.Tensor
    ...     name: str = "dust"
    >>> Points(math.vec(x=1.0, y=2.0))["x"]
    Points(vector:c=x; name='dust')
    """
    if cls is None:
        return lambda cls: sliceable(  # pyright: ignore[reportUnknownVariableType]  # the class is not known yet
            cls,
            dim_attrs=dim_attrs,
            t_props=t_props,
            keepdims=keepdims,
            dim_repr=dim_repr,
            lazy_dims=lazy_dims,
        )
    is_frozen = dataclasses.is_dataclass(cls) and cast("Any", cls).__dataclass_params__.frozen
    cls = cast("Any", cls)
    if not is_frozen or "__slots__" in vars(cls):
        raise TypeError(
            f"`sliceable` makes slices and caches, which is safe for frozen dataclasses without "
            f"`slots` only, but found {cls!r}. Write `@sliceable` above `@dataclass(frozen=True)`."
        )
    offered: dict[str, Any] = {
        "shape": CachedProperty(tree_shape),
        "__getitem__": lambda self, item: getitem(self, item, keepdims),
        "__stack__": staticmethod(_stacked),
    }
    if dim_attrs:
        offered["__getattr__"] = _dim_of
    if t_props:
        offered |= {f"T{t.letter}": property(functools.partial(_transposed, t)) for t in _TRANSPOSED}
    if dim_repr and hasattr(cls.__repr__, "__wrapped__"):  # written by `dataclass`, not by the user
        cls.__repr__ = _text
    for name, member in offered.items():
        if not hasattr(cls, name):
            setattr(cls, name, member)
            if isinstance(member, CachedProperty):
                member.__set_name__(cls, name)
    _adopt_caches(cls)
    note_fields(cls)
    if not lazy_dims:
        _check_when_made(cls)
    return cls


_TRANSPOSED = (instance, spatial, channel)


def _adopt_caches(cls: type) -> None:
    """Properties cached by `functools` become ours, which know when their values still hold."""
    for name, member in list(vars(cls).items()):
        if type(member) is functools.cached_property:
            ours = CachedProperty(cast("Callable[[Any], Any]", member.func))
            ours.__set_name__(cls, name)
            setattr(cls, name, ours)


def _check_when_made(cls: Any) -> None:
    made = cls.__init__

    @functools.wraps(made)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        made(self, *args, **kwargs)
        _ = self.shape

    cls.__init__ = init


def _dim_of(self: Any, name: str) -> BoundDim[Any]:
    if name == "shape" or name.startswith("_"):  # computing the shape failed
        raise AttributeError(f"`{type(self).__name__}` has no attribute `{name}`.")
    if name not in KNOWN_NAMES and name not in self.shape:
        raise AttributeError(
            f"`{type(self).__name__}` has no attribute `{name}`, and no dim of this name was ever created; "
            f"it has the dims {self.shape}.{suggestion(name, (*self.shape.names, *dir(type(self))))}"
        )
    return BoundDim(self, name)


def _transposed(dim_type: DimType, self: Any) -> Any:
    """`self` with dims of one type as dual dims and dual dims as dims of this type."""
    old = (*self.shape.only(dim_type).dims, *self.shape.dual.dims)
    new = [retyped(dim, dual if dim.type is dim_type else dim_type) for dim in old]
    return rename_dims(self, [dim.name for dim in old], new)


def _text(self: Any) -> str:
    config = [f"{field.name}={getattr(self, field.name)!r}" for field in config_fields(self)]
    text = ", ".join(map(repr, self.shape.dims))
    return f"{type(self).__name__}({'; '.join(filter(None, [text, ', '.join(config)]))})"


def getitem(obj: Any, item: Any, keepdims: Any = None) -> Any:
    """Dataclass with all data fields sliced.

    Args:
        obj: Dataclass of tensors.
        item: Dict from dim names to selections, or a label, int or slice as in `tensor[item]`.
        keepdims: Dims that stay, with size 1, where an int or one label selects an entry.

    >>> import phi_tensor as math
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Points:
    ...     position: math.Tensor
    >>> getitem(Points(math.vec(x=1.0, y=2.0)), "y").position
    2.0
    """
    shape = shape_of(obj)
    selection = slicing_dict(obj, item)
    kept = () if keepdims is None else shape.selected_names(keepdims)
    selection = {
        name: _keeping(entry, shape.get_dim(name)) if name in kept else entry
        for name, entry in selection.items()
    }
    changes: dict[str, Any] = {}
    for name in data_names(type(obj)):
        value = getattr(obj, name)
        if not shape_of(value, allow_unshaped=True).isdisjoint(",".join(selection)):
            changes[name] = sliced(value, selection)

    def derive(owner: Any, value: Any) -> Any:
        commuting = () if getattr(owner, "commutes", None) is None else shape.selected_names(owner.commutes)
        return sliced(value, selection) if set(selection) <= set(commuting) else NotImplemented

    return keep_cached(obj, replaced(obj, changes), derive)


def _keeping(entry: Any, dim: Dim) -> Any:
    """A selection that keeps its dim, with size 1, where `entry` would remove it."""
    if isinstance(entry, str):
        return entry if "," in entry or "->" in entry else f"{entry},"
    if isinstance(entry, Tensor) and not entry.rank and entry.dtype.kind is int and entry.available:
        entry = int(entry)
    if isinstance(entry, (Tensor, bool)) or not isinstance(entry, SupportsIndex):
        return entry
    index = entry.__index__()
    if isinstance(dim.size, int):
        picked(dim, index)  # raises outside, where a slice would be empty
    return slice(index, None if index == -1 else index + 1)


def _stacked(values: Sequence[Any], dim: Shape, **options: Any) -> Any:
    """Objects of one class side by side, with the cached values that all hold and that commute with it."""
    first = values[0]
    made = joined_parts("__stack__", stack, values, dim, **options)
    caches = [cached_values(value) for value in values]
    for name in caches[0] if type(made) is type(first) else ():
        commutes = getattr(getattr(type(first), name), "commutes", None)
        shared = all(name in cache for cache in caches)
        if shared and commutes is not None and dim.selected_names(commutes):
            keep(
                made, name, stack([cache[name] for cache in caches], dim, **options), fields_read(first, name)
            )
    return made


def data_fields(obj: Any) -> tuple[dataclasses.Field[Any], ...]:
    """Fields of a dataclass that may hold tensors, judged by their annotation.

    All but those annotated as text, number, bool, `Shape`, `slice`, type, `Literal` or function, which are
    configuration.
    """
    names = data_names(obj if isinstance(obj, type) else type(obj))
    return tuple(field for field in dataclasses.fields(obj) if field.name in names)


def non_data_fields(obj: Any) -> tuple[dataclasses.Field[Any], ...]:
    """Fields of a dataclass that hold no tensors: `config_fields` and `special_fields`."""
    names = data_names(obj if isinstance(obj, type) else type(obj))
    return tuple(field for field in dataclasses.fields(obj) if field.name not in names)


def config_fields(obj: Any) -> tuple[dataclasses.Field[Any], ...]:
    """Fields of a dataclass that must be equal where objects are stacked."""
    return tuple(field for field in non_data_fields(obj) if field.name not in SPECIAL_FIELDS)


def special_fields(obj: Any) -> tuple[dataclasses.Field[Any], ...]:
    """The fields `variable_attrs` and `value_attrs` of a dataclass that has them."""
    return tuple(field for field in dataclasses.fields(obj) if field.name in SPECIAL_FIELDS)
