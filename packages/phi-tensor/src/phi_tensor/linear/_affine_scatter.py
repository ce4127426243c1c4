"""Traced tensors that are scattered to known places: products with a sparse matrix of ones."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from phi_tensor._create import wrap
from phi_tensor._dim_types import channel, dual, instance
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.linear._affine_elementwise import is_traced
from phi_tensor.linear._affine_plan import Call, handler, untraceable
from phi_tensor.linear._affine_structure import on_numpy
from phi_tensor.linear._terms import along, bias_of, fitted, number_of, without_bias, zeros_of
from phi_tensor.ops import _table as table
from phi_tensor.sparse._create import sparse_tensor


@handler("scatter")
def scatter(call: Call) -> Tensor:
    """Sum, or last, of the values at each place, beside what the grid held before."""
    base, indices, values = call.operands
    names, index, listed, outside = (call.parameters[k] for k in ("names", "index", "listed", "outside"))
    if call.row not in (table.SCATTER_ADD, table.SCATTER_UPDATE):
        raise untraceable(call.row)
    if is_traced(indices) or not indices.available:
        raise untraceable(call.row, "the indices have no numbers yet. ")
    if set(indices.shape.without(index).names) != set(listed):
        raise untraceable(call.row, "the indices vary along dims that are not listed. ")
    places, inside = _places(on_numpy(indices), names, index, listed, base.shape, outside)
    update = call.row is table.SCATTER_UPDATE
    if update and is_traced(values) and len(np.unique(places[inside], axis=0)) < inside.sum():
        raise untraceable(call.row, "several values are written to one place. ")
    constants = (_constant(base), indices, _constant(values))
    total: Tensor = call.again(*constants)
    if is_traced(base):
        kept = without_bias(base)
        if update:
            ones = number_of(1, indices.shape.without(index), base.dtype)
            grid = zeros_of(base.shape.only(names), base.dtype)
            kept = table.MULTIPLY(kept, table.SUBTRACT(1, call.row(grid, indices, ones, **call.parameters)))
        total = table.ADD(kept, total)
    if is_traced(values):
        shape = values.shape & indices.shape.only(listed)
        new = without_bias(values)
        new = new if all(n in new.shape for n in listed) else table.EXPAND(new, dims=shape.only(listed).dims)
        total = table.ADD(total, _product(places, inside, new, base.shape.only(names), names, listed))
    return total


def _constant(x: Tensor) -> Tensor:
    return bias_of(x) if is_traced(x) else x


def _places(
    indices: Tensor, names: tuple[str, ...], index: str, listed: tuple[str, ...], grid: Shape, outside: str
) -> tuple[Any, Any]:
    """`(place of each value along each dim, whether it is written)`, values in the order of `listed`."""
    components: list[Tensor] = [
        indices.sliced(((index, i),)) if index else indices for i in range(len(names))
    ]
    every = indices.shape.only(listed)
    places = np.stack([fitted(c, every).numpy(listed).ravel() for c in components], -1).astype(np.int64)
    sizes = np.array([cast("int", grid.get_size(name)) for name in names])
    if outside == "clamp":
        places = np.clip(places, 0, sizes - 1)
    return places, ((places >= 0) & (places < sizes)).all(-1)


def _product(
    places: Any, inside: Any, values: Tensor, grid: Shape, names: tuple[str, ...], listed: tuple[str, ...]
) -> Tensor:
    """Sum of values at each place."""
    packed = instance("_listed").dim.with_size(len(places))
    flat: Tensor = table.PACK(values, names=listed, dim=packed, position=None)
    column = dual(_listed=len(places)).dim
    entries = instance(_entries=int(inside.sum())).dim
    at = np.concatenate([places, np.arange(len(places))[:, None]], 1)[inside]
    where = channel(_index=",".join((*names, column.name))).dim
    layout = Shape.of((entries, where))
    ones = along(entries, np.ones(int(inside.sum())), Shape.of((entries,)), values.dtype)
    rows = Shape.of(tuple(grid.get_dim(n) for n in names))
    matrix = sparse_tensor(wrap(at, layout), ones, rows & Shape.of((column,)))
    return table.MATMUL(matrix, flat, pairs=((column.name, packed.name),))
