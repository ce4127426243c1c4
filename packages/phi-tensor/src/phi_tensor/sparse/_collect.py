"""Plans that put values at places, adding up those that meet: sparse where a matrix remains, else dense."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

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
from phi_tensor.sparse._entries import picked_entries, summed_entries
from phi_tensor.sparse._rules import MOST_DENSE

Dims = tuple[Dim, ...]
Places = Mapping[str, Ints]
"""Index of each entry by name of dim."""


def sizes_of(dims: Sequence[Dim]) -> tuple[int, ...]:
    """Sizes of dims that are known."""
    return tuple(cast("int", dim.size) for dim in dims)


def groups(dims: Sequence[Dim], format: str) -> tuple[Dims, Dims]:
    """`(outer, inner)` of the pattern with these dims: rows, then columns; the other way round for `csc`.

    Columns are the dual dims; without any, all but the first are for `csr` and `csc`.
    """
    rows = tuple(dim for dim in dims if dim.type is not dual)
    columns = tuple(dim for dim in dims if dim.type is dual)
    if not rows or not columns:
        if format == "coo":
            return tuple(dims), ()
        rows, columns = tuple(dims[:1]), tuple(dims[1:])
    return (columns, rows) if format == "csc" and columns else (rows, columns)


def placed(outer: Dims, inner: Dims, places: Places, count: int) -> tuple[Pattern, Ints | None]:
    """`(pattern, number of the pattern's entry per place)` of places that may repeat; None: as they are."""
    flat = [raveled([places[d.name] for d in dims], sizes_of(dims), count) for dims in (outer, inner)]
    return sorted_pattern(sizes_of(outer), sizes_of(inner), flat[0], flat[1])


def stays_sparse(dims: Sequence[Dim], source: Sequence[Dim], count: int) -> bool:
    """Whether what remains of sparse dims is sparse: of a matrix a matrix, of others more than one dim.

    Vectors are so, too, if they would be much larger than what is stored.
    """
    volume = Shape.of(tuple(dims)).volume or 0
    remaining = _is_matrix(dims) if _is_matrix(source) else len(dims) > 1
    return remaining or volume > max(MOST_DENSE, 8 * count)


def _is_matrix(dims: Sequence[Dim]) -> bool:
    return 0 < sum(dim.type is dual for dim in dims) < len(dims)


def collected(
    values: Layout,
    dims: Sequence[Dim],
    places: Places,
    order: Sequence[str],
    source: Sequence[Dim] | None = None,
    format: str = "coo",
) -> PlanCall:
    """Plan of values added up at places.

    Args:
        values: Layout of the values, one per place.
        dims: Dims of the places.
        places: Index of each value along each of them.
        order: Names of the result's dims in order.
        source: Sparse dims that these remain of, see `stays_sparse`; None: the result is sparse.
        format: Format of a sparse result.
    """
    count = cast("int", values.shape.get_size(ENTRIES))
    if not dims:
        return RULES["reduction"](table.SUM, values, names=(ENTRIES,))
    if source is not None and not stays_sparse(dims, source, count):
        flat = raveled([places[d.name] for d in dims], sizes_of(dims), count)
        return summed_entries(values, Segments(flat, Shape.of(tuple(dims)).volume or 0), dims, order)
    outer, inner = groups(sorted(dims, key=lambda d: order.index(d.name)), format)
    pattern, ids = placed(outer, inner, places, count)
    return at_pattern(values, outer, inner, pattern, ids, order, format != "coo")


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
    elif len(ids) == pattern.count:
        summed = picked_entries(values, np.argsort(ids, kind="stable"))
    else:
        summed = summed_entries(values, Segments(ids, pattern.count), (entries_dim(pattern.count),))
    layout = layout_of(summed)
    dims = {d.name: d for d in (*outer, *inner, *(d for d in layout.shape.dims if d.name != ENTRIES))}
    ranked = sorted(dims, key=lambda name: list(order).index(name) if name in order else len(order))
    result = Sparse.of(
        outer, inner, pattern, layout, Shape.of(tuple(dims[n] for n in ranked)), compressed and bool(inner)
    )
    return planned(result, lambda t: Tensor(result, summed(t).natives))
