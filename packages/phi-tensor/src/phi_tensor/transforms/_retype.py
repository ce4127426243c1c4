"""Functions that see dims under another type: spatial ones as batch dims, say, to act on each cell alone."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from phi_tensor._dim_types import DimType, batch, channel, dim_type, dual, instance, spatial
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._shape import Shape
from phi_tensor._trees import flatten
from phi_tensor.ops._structure import rename_dims

Table = dict[str, DimType]
"""Former types of dims by their new names."""


def map_types(f: Callable[..., Any], dims: Any, dim_type: DimType | str) -> Callable[..., Any]:
    """`f` with the selected dims of its arguments under another type; its results get the former types back.

    Args:
        f: Function of tensors, shapes and trees.
        dims: Which dims: names, types, filters.
        dim_type: Type that `f` sees. Dual dims gain or lose the `~` of their names.

    Raises:
        IncompatibleShapes: A dim would get the name of another one: `x` and `~x` of one matrix.

    >>> import phi_tensor as math
    >>> total = math.map_types(math.sum, "y", math.batch)
    >>> total(math.ones(math.spatial(x=3, y=2)))
    (3.0, 3.0) along (y:s=2) float32
    """
    new_type = _type(dim_type)

    @functools.wraps(f)
    def with_types(*args: Any, **kwargs: Any) -> Any:
        former: Table = {}
        types: Table = {}
        args = tuple(_retyped(value, dims, new_type, former, types) for value in args)
        kwargs = {name: _retyped(value, dims, new_type, former, types) for name, value in kwargs.items()}
        return _restored(f(*args, **kwargs), new_type, former)

    return with_types


def _type(given: DimType | str) -> DimType:
    return dim_type(given)


def _each(value: Any, change: Callable[[Any], Any]) -> Any:
    """A shape, tensor or tree with `change` applied to each tensor; numbers and other values stay."""
    if isinstance(value, Shape):
        return change(value)
    leaves, structure = flatten(value, "all")
    return structure.build([change(leaf) for leaf in leaves])


def _retyped(value: Any, dims: Any, new_type: DimType, former: Table, types: Table) -> Any:
    def change(x: Any) -> Any:
        shape: Shape = x if isinstance(x, Shape) else x.shape
        selected = [dim for dim in shape.only(dims).dims if dim.type is not new_type]
        for dim in selected:
            name = new_type.dim_name(dim.name)
            if name != dim.name and name in shape:
                raise IncompatibleShapes(
                    f"`map_types` would turn dim `{dim.name}` of {shape} into a {new_type} dim `{name}`, "
                    f"which "
                    f"is there already. Rename one: `rename_dims(value, {dim.name!r}, …)`."
                )
            former[name] = dim.type
        for dim in shape.dims:
            name = new_type.dim_name(dim.name) if dim in selected else dim.name
            if types.setdefault(name, dim.type) is not dim.type:
                raise IncompatibleShapes(
                    f"`map_types` would make one dim `{name}` of {dim.type} and {types[name]} dims, which "
                    f"different arguments have. Rename one: `rename_dims(value, {dim.name!r}, …)`."
                )
        return rename_dims(x, [dim.name for dim in selected], new_type) if selected else x

    return _each(value, change)


def _restored(value: Any, new_type: DimType, former: Table) -> Any:
    def change(x: Any) -> Any:
        shape: Shape = x if isinstance(x, Shape) else x.shape
        for dim in shape.dims:
            if dim.type is new_type and dim.name in former:
                x = rename_dims(x, [dim.name], former[dim.name])
        return x

    return _each(value, change)


def _between(name: str, old: DimType, new: DimType) -> Callable[..., Callable[..., Any]]:
    """Alias of `map_types` for dims of one type."""

    def alias(f: Callable[..., Any], *, dims: Any = old, dim_type: DimType | str = new) -> Callable[..., Any]:
        return map_types(f, dims, dim_type)

    alias.__name__ = alias.__qualname__ = name
    alias.__doc__ = f"""`f` that sees {old} dims as {new} dims; its results get the former types back.

    Args:
        f: Function of tensors, shapes and trees.
        dims: Which dims.
        dim_type: Type that `f` sees.

    See `map_types`.
    """
    return alias


RETYPING = {
    "map_s2b": (spatial, batch),
    "map_i2b": (instance, batch),
    "map_c2b": (channel, batch),
    "map_d2b": (dual, batch),
    "map_d2c": (dual, channel),
    "map_c2d": (channel, dual),
}
"""Aliases of `map_types`: from which type to which; their names say the same."""

map_s2b, map_i2b, map_c2b, map_d2b, map_d2c, map_c2d = (
    _between(name, old, new) for name, (old, new) in RETYPING.items()
)
