"""Reductions of sparse tensors, which count entries that are not stored as zeros."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import cast

import numpy as np

from phi_tensor._dim import Dim
from phi_tensor._dtype import INT64
from phi_tensor._plan import RULES, PlanCall, Row, layout_of, planned
from phi_tensor._tensor import Tensor
from phi_tensor.backends._backend import Backend, Native
from phi_tensor.layouts._elementwise import elementwise
from phi_tensor.layouts._layout import number_layout
from phi_tensor.layouts._pattern import Ints, Pattern, raveled
from phi_tensor.layouts._sparse import ENTRIES, Sparse, entries_dim
from phi_tensor.ops import _table as table
from phi_tensor.ops._dtype_rules import result_types
from phi_tensor.sparse._collect import at_pattern, collected, groups, placed, sizes_of, stays_sparse
from phi_tensor.sparse._constants import Constant, Segments
from phi_tensor.sparse._entries import along_entries, picked_entries
from phi_tensor.sparse._rules import made_dense, sparse_rule
from phi_tensor.sparse._structure import on_values


@sparse_rule("reduction")
def reduction_rule(row: Row, layout: Sparse, names: tuple[str, ...]) -> PlanCall:
    """Plan of a reduction: of the values' own dims, then of entries that meet and zeros between them."""
    if not layout.shape.volume:
        return made_dense(row, layout, names=names)
    listed = tuple(n for n in names if n in layout.names)
    own = tuple(n for n in names if n not in listed)
    first = on_values(row, layout, names=own) if own or not listed else None
    if not listed:
        return cast("PlanCall", first)
    reduced = cast("Sparse", layout_of(first)) if first is not None else layout
    rest = _summed(row, reduced, listed) if row.name == "sum" else _extreme(row, reduced, listed)
    return rest if first is None else planned(layout_of(rest), lambda t: rest(first(t)))


def _summed(row: Row, layout: Sparse, names: tuple[str, ...]) -> PlanCall:
    _, dtype = result_types(row, (layout,))
    cast_values = RULES["cast"](table.CAST, layout.values, dtype=dtype)
    kept = tuple(d for d in layout.sparse if d.name not in names)
    order = tuple(n for n in layout.shape.names if n not in names)
    places = layout.coordinates()
    collect = collected(layout_of(cast_values), kept, places, order, layout.sparse, layout.format)
    values = layout.values
    return planned(layout_of(collect), lambda t: collect(cast_values(Tensor(values, t.natives))))


def _extreme(row: Row, layout: Sparse, names: tuple[str, ...]) -> PlanCall:
    """Plan of a reduction of the entries that meet, and of a zero where some are missing."""
    kept = tuple(d for d in layout.sparse if d.name not in names)
    places = layout.coordinates()
    count = layout.pattern.count
    order = tuple(n for n in layout.shape.names if n not in names)
    sizes = sizes_of(kept)
    full = prod(sizes_of([d for d in layout.sparse if d.name in names]))
    pattern: Pattern | None = None
    if stays_sparse(kept, layout.sparse, count):
        outer, inner = groups(sorted(kept, key=lambda d: order.index(d.name)), layout.format)
        pattern, numbers = placed(outer, inner, places, count)
        ids = np.arange(count) if numbers is None else numbers
        segments = Segments(ids, pattern.count)
    else:
        outer, inner = kept, ()
        segments = Segments(raveled([places[d.name] for d in kept], sizes, count), prod(sizes))
    reduced = _by_width(row, layout, segments, segments.sizes < full)
    if pattern is not None:
        plan = at_pattern(layout_of(reduced), outer, inner, pattern, None, order, layout.compressed)
    else:
        plan = along_entries(layout_of(reduced), kept, lambda backend: lambda v: v, order)
    values = layout.values
    return planned(layout_of(plan), lambda t: plan(reduced(Tensor(values, t.natives))))


def _by_width(row: Row, layout: Sparse, segments: Segments, missing: Ints) -> PlanCall:
    """Plan of one value per segment: those of about equal length are rows of one table, which is reduced.

    Tables are filled up with zeros, which is right wherever an entry is missing.
    """
    tables, order = width_tables(segments, missing)
    slot = Dim.of("_slot", entries_dim(0).type, None)
    plans: list[tuple[PlanCall, PlanCall]] = []
    for entries in tables:
        rows = entries_dim(entries.shape[0])
        pick = picked_entries(layout.values, entries.reshape(-1))
        dims = (rows, slot.with_size(entries.shape[1]))
        table_of = along_entries(layout_of(pick), dims, lambda backend: lambda v: v)
        reduce = RULES["reduction"](row, layout_of(table_of), names=(slot.name,))
        plans.append((_chained(pick, table_of), reduce))
    joined = RULES["concat"](table.CONCAT, *(layout_of(reduce) for _, reduce in plans), dim=ENTRIES)
    back = picked_entries(layout_of(joined), order)
    return planned(layout_of(back), lambda t: back(joined(*(reduce(rows(t)) for rows, reduce in plans))))


def _chained(first: PlanCall, second: PlanCall) -> PlanCall:
    return planned(layout_of(second), lambda t: second(first(t)))


def width_tables(segments: Segments, missing: Ints) -> tuple[list[Ints], Ints]:
    """`(tables of entries, row of each segment when they are put below each other)`.

    A table holds segments of at most twice the length of one another, so that all have at most about twice as
    many places as there are entries. The number of entries stands for a zero; each segment with missing
    entries has one at least.
    """
    entries = len(segments.ids)
    widths = segments.sizes + missing
    level = np.ceil(np.log2(np.maximum(widths, 1))).astype(np.int64)
    # Full segments must not be filled up: they have tables of their own length
    level = np.where(missing, level, -widths - 1)
    tables: list[Ints] = []
    order = np.empty(segments.count, np.int64)
    start = 0
    sorted_entries = np.arange(entries) if segments.order is None else segments.order
    for value in np.unique(level):
        chosen = np.flatnonzero(level == value)
        width = int(widths[chosen].max())
        at = segments.pointers[chosen][:, None] + np.arange(width)
        inside = np.arange(width) < segments.sizes[chosen][:, None]
        found = sorted_entries[np.minimum(at, max(entries - 1, 0))] if entries else np.zeros_like(at)
        tables.append(np.where(inside, found, entries))
        order[chosen] = start + np.arange(len(chosen))
        start += len(chosen)
    return tables or [np.full((0, 1), entries)], order


@sparse_rule("mean")
def mean_rule(row: Row, layout: Sparse, names: tuple[str, ...]) -> PlanCall:
    """Plan of the arithmetic mean over all entries, stored or not."""
    if not layout.shape.volume:
        return made_dense(row, layout, names=names)
    listed = tuple(n for n in names if n in layout.names)
    own = tuple(n for n in names if n not in listed)
    means = on_values(row, layout, names=own)
    if not listed:
        return means
    total = reduction_rule(table.SUM, cast("Sparse", layout_of(means)), listed)
    count = float(prod(sizes_of([d for d in layout.sparse if d.name in listed])))
    summed = layout_of(total)
    if isinstance(summed, Sparse):
        divide = on_values_with_number(summed)
    else:
        divide = elementwise(table.DIVIDE, summed, number_layout(float))
    return planned(layout_of(divide), lambda t: divide(total(means(t)), count))


def on_values_with_number(layout: Sparse) -> PlanCall:
    """Plan that divides the values by a number."""
    divide = elementwise(table.DIVIDE, layout.values, number_layout(float))
    result, values = layout.with_values(layout_of(divide)), layout.values
    return planned(result, lambda t, n: Tensor(result, divide(Tensor(values, t.natives), n).natives))


@sparse_rule("arg_reduction")
def arg_reduction_rule(row: Row, layout: Sparse, name: str) -> PlanCall:
    """Plan of the position of an extremum along one dim: the first of several, stored or not."""
    if name not in layout.names:
        return on_values(row, layout, name=name)
    kept = tuple(d for d in layout.sparse if d.name != name)
    size = sizes_of([layout.shape.get_dim(name)])[0]
    if not layout.shape.volume or stays_sparse(kept, layout.sparse, layout.pattern.count):
        return made_dense(row, layout, name=name)
    places, sizes = layout.coordinates(), sizes_of(kept)
    segments = Segments(raveled([places[d.name] for d in kept], sizes, layout.pattern.count), prod(sizes))
    entries, positions = _ranked(segments, places[name], size)
    if entries is None:
        return made_dense(row, layout, name=name)
    pick = picked_entries(layout.values, entries.reshape(-1))
    slot = Dim.of("_slot", entries_dim(0).type, entries.shape[1])
    rows = along_entries(layout_of(pick), (entries_dim(len(entries)), slot), lambda backend: lambda v: v)
    best = RULES[row.kind](row, layout_of(rows), name=slot.name)
    at = Constant(positions.reshape(-1))
    starts = Constant(np.arange(len(entries)) * entries.shape[1])

    def position_on(backend: Backend) -> Callable[[Native], Native]:
        take, reshape, add = (backend.ops[n] for n in ("take", "reshape", "add"))

        def position(v: Native) -> Native:
            start = backend.ops["cast"](starts.beside(v, backend), INT64)
            flat = reshape(add(v, reshape(start, (len(entries), 1))), (prod(backend.shape(v)),))
            found = take(at.beside(v, backend), flat, 0)
            return backend.ops["cast"](reshape(found, backend.shape(v)), INT64)

        return position

    order = tuple(n for n in layout.shape.names if n != name)
    back = along_entries(layout_of(best), kept, position_on, order)
    values = layout.values
    return planned(layout_of(back), lambda t: back(best(rows(pick(Tensor(values, t.natives))))))


def _ranked(segments: Segments, along: Ints, size: int) -> tuple[Ints | None, Ints]:
    """`(entries, positions)` of each segment in the order of positions, with the first missing one as a zero.

    None where the table would take much more place than the entries do.
    """
    entries, count = len(segments.ids), segments.count
    width = int(min(segments.sizes.max(initial=0) + 1, size))
    if count * width > max(2**24, 4 * entries):
        return None, along
    order = np.lexsort((along, segments.ids))
    ids, positions = segments.ids[order], along[order]
    rank = np.arange(entries) - segments.pointers[ids]
    first_missing = segments.sizes.copy()
    gaps = np.flatnonzero(positions != rank)
    np.minimum.at(first_missing, ids[gaps], rank[gaps])
    column = rank + (rank >= first_missing[ids])
    found = np.full((count, width), entries, np.int64)
    at = np.broadcast_to(np.minimum(first_missing, size - 1)[:, None], (count, width)).copy()
    found[ids, column], at[ids, column] = order, positions
    return found, at
