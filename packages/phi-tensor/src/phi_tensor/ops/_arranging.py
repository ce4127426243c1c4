"""Tensors from arrays with grouped axes, counted entries, marked dims; the order of storage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, cast

from phi_tensor._create import arange, tensor, wrap
from phi_tensor._dim_types import batch, channel, spatial
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._shape import EMPTY_SHAPE, Shape, concat_shapes
from phi_tensor._spec import as_shape, parse_shape_spec
from phi_tensor._tensor import Tensor
from phi_tensor._trees import tree_map
from phi_tensor.backends._registry import backend_of
from phi_tensor.ops._call import is_container
from phi_tensor.ops._structure import expand, rename_dims, squeeze, unpack_dim

T = TypeVar("T")
_VECTOR = channel("vector")


def identity(x: T) -> T:
    """The argument itself: for parameters that take a function.

    >>> identity(3)
    3
    """
    return x


def swap_axes(x: Any, axes: Any) -> Any:
    """`x` stored in another order: a tensor that is equal, or an array with its axes permuted.

    Only worth it before many operations that want another order, or to hand the array to other code.

    Args:
        x: Tensor of uniform sizes, tree, or native array.
        axes: All dims in their new order, by name or shape; positions of the axes of an array.

    >>> import phi_tensor as math
    >>> swap_axes(math.zeros(math.spatial(x=2, y=3)), "y,x").shape.names
    ('y', 'x')
    """
    if not isinstance(x, Tensor):
        if is_container(x):
            return tree_map(lambda leaf: swap_axes(leaf, axes), x)
        backend = backend_of(x)
        if backend is None:
            raise TypeError(f"`swap_axes` takes tensors and arrays, but found {type(x).__name__}.")
        rank = len(x.shape)
        order = tuple(cast("Sequence[int]", axes)) if isinstance(axes, (tuple, list)) else None
        if order is None or sorted(map(str, order)) != sorted(map(str, range(rank))):
            raise IncompatibleShapes(
                f"`swap_axes` of an array needs each of its {rank} axes once, but found {axes!r}. Dims have "
                f"names only in tensors: use `wrap`."
            )
        return backend.ops["permute"](x, order)
    positions = isinstance(axes, (tuple, list)) and all(isinstance(axis, int) for axis in cast("Any", axes))
    chosen = cast("Any", axes)
    names = x.shape.selected_names([x.shape.names[i] for i in chosen] if positions else chosen)
    if sorted(names) != sorted(x.shape.names):
        raise IncompatibleShapes(f"`swap_axes` needs each dim of {x.shape} once, but found {axes!r}.")
    dims = Shape.of(tuple(x.shape.get_dim(name) for name in names))
    return wrap(x.native(dims.names), dims) if names else x


def reshaped_tensor(
    value: Any, groups: Sequence[Shape | str], check_sizes: bool = False, convert: bool = True
) -> Tensor:
    """Tensor of an array of which each axis holds a group of dims, row-major.

    Args:
        value: Native array.
        groups: Dims per axis; no dim for an axis of size 1. In each group one size may be undefined.
        check_sizes: Raise where an axis of size 1 stands for a group of more entries; else it is repeated.
        convert: Whether the tensor is of the default backend, as by `tensor`, or keeps the array, as by
            `wrap`.

    >>> import numpy as np
    >>> reshaped_tensor(np.arange(6), [spatial(x=2, y=3)]).shape
    (x:s=2, y:s=3)
    """
    shapes = [parse_shape_spec(g) if isinstance(g, str) and g else (g or EMPTY_SHAPE) for g in groups]
    names = [f"_axis{i}" for i in range(len(shapes))]
    result = (tensor if convert else wrap)(value, *(batch(name) for name in names))
    concat_shapes(*shapes)  # names must not repeat
    for name, shape in zip(names, shapes, strict=True):
        result = _grouped(result, name, shape, check_sizes)
    return result


def _grouped(value: Tensor, name: str, group: Shape, check_sizes: bool) -> Tensor:
    size, volume = value.shape.get_size(name), group.volume
    if size == 1 and volume not in (None, 1) and not check_sizes:
        return expand(value[{name: 0}], group)
    if not group:
        return squeeze(value, name)
    if group.rank > 1:
        return unpack_dim(value, name, group)
    if volume not in (None, size):
        raise IncompatibleShapes(f"An axis with {size} entries cannot become {group}. Leave the size away.")
    return rename_dims(value, name, group)


def range_tensor(*shape: Shape | str) -> Tensor:
    """Row-major position of each entry of a shape.

    >>> range_tensor(spatial(x=2, y=3)).numpy("x,y").tolist()
    [[0, 1, 2], [3, 4, 5]]
    """
    dims = concat_shapes(*(parse_shape_spec(s) if isinstance(s, str) else s for s in shape))
    if dims.volume is None or not dims.is_uniform:
        raise IncompatibleShapes(f"`range_tensor` counts entries, so it needs known sizes, but found {dims}.")
    counted = arange(batch(_range=dims.volume))
    return unpack_dim(counted, "_range", dims) if dims else counted[{"_range": 0}]


def const_vec(value: Any, dim: Shape | Sequence[str] | str) -> Tensor:
    """Vector with `value` in every component.

    Args:
        value: Number or tensor.
        dim: The vector's dim; or spatial dims or their names, which become labels of a channel dim `vector`.

    >>> const_vec(1.0, spatial(x=4, y=3))
    (x=1.0, y=1.0)
    """
    if isinstance(dim, str):
        dim = dim.split(",")
    if not isinstance(dim, Shape):
        shape = channel(vector=tuple(name.strip() for name in dim))
    elif dim.spatial and not dim.non_spatial:
        shape = channel(vector=dim.names)
    else:
        shape = dim
    if shape.rank != 1 or shape.size is None:
        raise IncompatibleShapes(
            f"`const_vec` needs spatial dims, or one dim with a size, but found {dim}. Write e.g. "
            f"`channel(vector='x,y')`."
        )
    return expand(value if isinstance(value, Tensor) else wrap(value), shape)


def dim_mask(all_dims: Shape | Sequence[str], dims: Any, mask_dim: Shape = _VECTOR) -> Tensor:
    """Vector of bools, one per dim of `all_dims`: True for those that `dims` selects.

    Args:
        all_dims: A shape, or names of spatial dims.
        dims: Which dims: names, a shape, type or filter.
        mask_dim: The vector's dim; its labels become the names.

    >>> dim_mask(spatial("x,y"), "y")
    (x=False, y=True)
    """
    every = all_dims if isinstance(all_dims, Shape) else spatial(*all_dims)
    selected = every.selected_names(dims)
    return wrap(
        [name in selected for name in every.names], as_shape(mask_dim, "dim_mask").with_size(every.names)
    )
