"""Index vectors into arrays whose rows have different lengths: rows behind each other, one place per entry.

`values` over y and x, with x varying along y, become one list of entries. The index vector (y, x) points at
entry `start[y] + x` of this list.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import numpy as np

from phi_tensor._create import wrap
from phi_tensor._dim import Dim, flat_sizes
from phi_tensor._dim_changes import int_size
from phi_tensor._dim_types import instance
from phi_tensor._errors import Unsupported
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.ops import _table as table
from phi_tensor.ops._structure import pack_dims, rename_dims, stack

_PLACES = instance("_places")


class Rows(NamedTuple):
    """Indexed dims of which one has sizes that vary along others.

    Attributes:
        outer: Indexed dims along which the size of `inner` varies.
        inner: The dim whose size varies.
        shape: Shape of the array.
    """

    outer: tuple[str, ...]
    inner: Dim
    shape: Shape

    def packed(self, values: Tensor) -> Tensor:
        """`values` with all entries of all rows along one dim."""
        return pack_dims(values, (*self.outer, self.inner.name), _PLACES)

    def unpacked(self, values: Tensor) -> Tensor:
        """Inverse of `packed`."""
        return _unpacked(values, self.shape, self.outer, self.inner.name)

    def vectors(
        self, at: Tensor, names: tuple[str, ...], index: str, clamp: bool = False
    ) -> tuple[Tensor, tuple[str, ...]]:
        """`(index vectors, indexed dims)` of the packed array; positions without a vector dim for one dim.

        Args:
            at: Index vectors of the array.
            names: Indexed dims, in the order of the components.
            index: Dim of the components.
            clamp: Take the nearest row, and the nearest entry of this row, instead of place -1.
        """
        components = {name: at[{index: i}] for i, name in enumerate(names)}
        places = self._places(components, clamp)
        rest = [name for name in names if name not in (*self.outer, self.inner.name)]
        if not rest:
            return places, (_PLACES.name,)
        vector = at.shape.get_dim(index).with_size(1 + len(rest))
        entries = [places, *(components[name] for name in rest)]
        return stack(entries, Shape.of((vector,)), expand_values=True), (_PLACES.name, *rest)

    def _places(self, components: dict[str, Tensor], clamp: bool) -> Tensor:
        """Position of each entry in the packed array; -1 for those outside."""
        rows = self.shape.only(self.outer, reorder=True)
        lengths = pack_dims(sizes_along(self.shape, self.inner.name), self.outer, _PLACES)
        starts = table.CUMSUM(lengths, name=_PLACES.name) - lengths
        row: Tensor | int = 0
        inside: Tensor | bool = True
        for dim in rows.dims:
            size = int_size(dim)
            limited = table.CLIP(components[dim.name], 0, size - 1)
            inside = (components[dim.name] == limited) & inside
            row = limited + row * size
        found = components[self.inner.name]
        length = table.TAKE(lengths, row, name=_PLACES.name)
        start = table.TAKE(starts, row, name=_PLACES.name)
        limited = table.MAXIMUM(table.MINIMUM(found, length - 1), 0)
        if clamp:
            return table.WHERE(length > 0, start + limited, -1)
        return table.WHERE((found == limited) & (length > 0) & inside, start + limited, -1)


def rows_of(shape: Shape, names: tuple[str, ...]) -> Rows | None:
    """The indexed dims that have to be packed; None if each has one size for all index vectors."""
    varying = [shape.get_dim(name) for name in names if set(shape.get_dim(name).over) & set(names)]
    if not varying:
        return None
    inner, *more = varying
    if more or any(shape.get_dim(name).over for name in inner.over):
        raise Unsupported(
            f"Index vectors along {names} of {shape} point into rows whose sizes vary several times. Slice "
            f"one of these dims, or pad with `pad_to_uniform`."
        )
    return Rows(tuple(name for name in inner.over if name in names), inner, shape)


def sizes_along(values: Shape, name: str) -> Any:
    """Size of a dim, as a tensor where it varies."""
    dim = values.get_dim(name)
    return wrap(np.asarray(dim.size), values[dim.over]) if dim.over else dim.size


def _unpacked(values: Tensor, shape: Shape, outer: tuple[str, ...], inner: str) -> Tensor:
    dim, rows = shape.get_dim(inner), shape.only(outer, reorder=True)
    along = next((name for name in dim.over if name not in outer), None)
    if along is not None:
        entries = [
            _unpacked(values[{along: i}], entry, outer, inner) for i, entry in enumerate(shape.unstack(along))
        ]
        return stack(entries, shape[along])
    sizes = flat_sizes(dim.size) if dim.over else [int_size(dim)] * cast("int", rows.volume)
    ends = np.cumsum(sizes).tolist()
    parts = [
        rename_dims(values[{_PLACES.name: slice(end - size, end)}], _PLACES.name, _row(dim, size))
        for size, end in zip(sizes, ends, strict=True)
    ]
    return stack(parts, rows)


def _row(dim: Dim, size: int) -> Shape:
    """The dim of one row."""
    return Shape.of((Dim.of(dim.name, dim.type, size),))
