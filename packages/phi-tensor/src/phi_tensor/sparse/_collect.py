"""Plans that put values at places, adding up those that meet: sparse where a matrix remains, else dense."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from phi_tensor._dim import Dim
from phi_tensor._dim_types import dual
from phi_tensor._plan import RULES, PlanCall, layout_of, planned
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._layout import Layout
from phi_tensor.layouts._pattern import Ints, Pattern, raveled, sorted_pattern
from phi_tensor.layouts._sparse import ENTRIES, Sparse, entries_dim
from phi_tensor.ops import _table as table
from phi_tensor.sparse._constants import Segments
from phi_tensor.sparse._entries import summed_entries
from phi_tensor.sparse._rules import MOST_DENSE

Dims = tuple[Dim, ...]
Places = Mapping[str, Ints]
"""Index of each entry by name of dim."""


def sizes_of(dims: Sequence[Dim]) -> tuple[int, ...]:
    """Sizes of dims that are known."""
    return tuple(cast("int", dim.size) for dim in dims)


def groups(dims: Sequence[Dim], columns_first: bool = False) -> tuple[Dims, Dims]:
    """`(outer, inner)` of the pattern with these dims: rows, then columns, or the other way round."""
    rows = tuple(dim for dim in dims if dim.type is not dual)
    columns = tuple(dim for dim in dims if dim.type is dual)
    if not rows or not columns:
        return (*rows, *columns), ()
    return (columns, rows) if columns_first else (rows, columns)


def placed(outer: Dims, inner: Dims, places: Places, count: int) -> tuple[Pattern, Ints | None]:
    """`(pattern, number of the pattern's entry per place)` of places that may repeat; None: as they are."""
    flat = [raveled([places[d.name] for d in dims], sizes_of(dims), count) for dims in (outer, inner)]
    return sorted_pattern(sizes_of(outer), sizes_of(inner), flat[0], flat[1])


def is_matrix(dims: Sequence[Dim]) -> bool:
    """True for dims that stay sparse: rows and columns, or several dims none of which is dual."""
    duals = [dim for dim in dims if dim.type is dual]
    return 0 < len(duals) < len(dims) if duals else len(dims) > 1


def stays_sparse(dims: Sequence[Dim], count: int) -> bool:
    """Whether results with these dims are sparse: matrices, and vectors too large to store every entry."""
    volume = Shape.of(tuple(dims)).volume or 0
    return is_matrix(dims) or volume > max(MOST_DENSE, 8 * count)


def collected(
    values: Layout,
    dims: Sequence[Dim],
    places: Places,
    order: Sequence[str],
    columns_first: bool = False,
    compressed: bool = False,
) -> PlanCall:
    """Plan of values added up at places.

    Args:
        values: Layout of the values, one per place.
        dims: Dims of the places.
        places: Index of each value along each of them.
        order: Names of the result's dims in order.
        columns_first: Whether a matrix is sorted by columns.
        compressed: Whether a matrix calls itself `csr` or `csc`.
    """
    count = cast("int", values.shape.get_size(ENTRIES))
    if not dims:
        return RULES["reduction"](table.SUM, values, names=(ENTRIES,))
    if not stays_sparse(dims, count):
        flat = raveled([places[d.name] for d in dims], sizes_of(dims), count)
        return summed_entries(values, Segments(flat, Shape.of(tuple(dims)).volume or 0), dims, order)
    outer, inner = groups(dims, columns_first)
    pattern, ids = placed(outer, inner, places, count)
    return at_pattern(values, outer, inner, pattern, ids, order, compressed)


def at_pattern(
    values: Layout,
    outer: Dims,
    inner: Dims,
    pattern: Pattern,
    ids: Ints | None,
    order: Sequence[str],
    compressed: bool = False,
) -> PlanCall:
    """Plan of a sparse tensor whose entry `ids[i]` is the sum of values i; None: one value per entry."""
    if ids is None:
        summed = planned(values, lambda t: t)
    else:
        summed = summed_entries(values, Segments(ids, pattern.count), (entries_dim(pattern.count),))
    layout = layout_of(summed)
    dims = {d.name: d for d in (*outer, *inner, *(d for d in layout.shape.dims if d.name != ENTRIES))}
    ranked = sorted(dims, key=lambda name: list(order).index(name) if name in order else len(order))
    result = Sparse.of(
        outer, inner, pattern, layout, Shape.of(tuple(dims[n] for n in ranked)), compressed and bool(inner)
    )
    return planned(result, lambda t: Tensor(result, summed(t).natives))
