"""Slices of sparse tensors: rows and columns of matrices are dense, smaller matrices sparse."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from phi_tensor._dim import Dim
from phi_tensor._plan import PlanCall, Row, layout_of, planned
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._pattern import Ints
from phi_tensor.layouts._sparse import Sparse
from phi_tensor.ops._slicing import Picked, picked
from phi_tensor.sparse._collect import collected, sizes_of
from phi_tensor.sparse._entries import picked_entries
from phi_tensor.sparse._rules import sparse_rule
from phi_tensor.sparse._structure import on_values


@sparse_rule("slice")
def slice_rule(row: Row, layout: Sparse, selection: tuple[tuple[str, Any], ...]) -> PlanCall:
    """Plan of slicing by ints, slices, labels and lists of these; absent dims are ignored."""
    own = tuple((name, item) for name, item in selection if name in layout.shape and name not in layout.names)
    listed = [(name, item) for name, item in selection if name in layout.names]
    first = on_values(row, layout, selection=own) if own or not listed else None
    if not listed:
        return cast("PlanCall", first)
    rest = _listed(cast("Sparse", layout_of(first)) if first is not None else layout, listed)
    return rest if first is None else planned(layout_of(rest), lambda t: rest(first(t)))


def _listed(layout: Sparse, selection: list[tuple[str, Any]]) -> PlanCall:
    """Plan of slicing sparse dims: which entries are left, and where they are."""
    dims: dict[str, Dim] = {d.name: d for d in layout.sparse}
    places = layout.coordinates()
    chosen = np.arange(layout.pattern.count)
    for name, item in selection:
        where, new = picked(dims[name], item)
        found, position = _selected(places[name], where, sizes_of([dims[name]])[0])
        chosen = chosen[found]
        places = {other: index[found] for other, index in places.items()}
        places[name] = position
        dims[name] = Dim.of(name, dims[name].type, 1) if new is None else new
    removed = {name for name, item in selection if picked(layout.shape.get_dim(name), item)[1] is None}
    kept = tuple(dim for name, dim in dims.items() if name not in removed)
    pick = picked_entries(layout.values, chosen)
    collect = collected(
        layout_of(pick),
        kept,
        places,
        tuple(n for n in layout.shape.names if n not in removed),
        layout.sparse if removed else None,
        layout.format,
    )
    values = layout.values
    return planned(layout_of(collect), lambda t: collect(pick(Tensor(values, t.natives))))


def _selected(index: Ints, where: Picked, size: int) -> tuple[Ints, Ints]:
    """`(entries that are chosen, their new index)`; an entry that a list names twice is there twice."""
    if isinstance(where, int):
        found = np.flatnonzero(index == where)
        return found, np.zeros(len(found), np.int64)
    if isinstance(where, slice):
        wanted = range(size)[where]
        first, last = (min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1])) if wanted else (0, -1)
        inside = (index >= first) & (index <= last)
        found = np.flatnonzero(inside & ((index - wanted.start) % wanted.step == 0))
        return found, (index[found] - wanted.start) // wanted.step
    order = np.argsort(index, kind="stable")
    start, stop = (np.searchsorted(index[order], where, side) for side in ("left", "right"))
    number = stop - start
    within = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    return order[np.repeat(start, number) + within], np.repeat(np.arange(len(where)), number)
