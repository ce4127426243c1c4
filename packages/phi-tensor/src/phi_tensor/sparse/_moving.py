"""Rules that move the entries of sparse tensors: flip, roll, pack, unpack; and the trace of matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from phi_tensor._dim import Dim
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._plan import PlanCall, Row, layout_of, planned
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._pack import inferred
from phi_tensor.layouts._pattern import Ints, raveled, unravelled
from phi_tensor.layouts._sparse import Sparse
from phi_tensor.sparse._collect import collected, sizes_of
from phi_tensor.sparse._entries import picked_entries
from phi_tensor.sparse._rules import made_dense, sparse_rule
from phi_tensor.sparse._structure import on_values


def moved(layout: Sparse, dims: Sequence[Dim], places: Mapping[str, Ints], order: Sequence[str]) -> PlanCall:
    """Plan that stores the same values at other places."""
    collect = collected(layout.values, dims, places, order, None, layout.format)
    values = layout.values
    return planned(layout_of(collect), lambda t: collect(Tensor(values, t.natives)))


@sparse_rule("flip")
def flip_rule(row: Row, layout: Sparse, names: tuple[str, ...]) -> PlanCall:
    """Plan that reverses dims and their labels."""
    own = tuple(n for n in names if n not in layout.names)
    first = on_values(row, layout, names=own)
    values: Any = layout_of(first)
    places = {
        d.name: sizes_of([d])[0] - 1 - at if d.name in names else at
        for d, at in zip(layout.sparse, layout.pattern.coordinates(), strict=True)
    }
    dims = [d.with_size(d.size, d.labels[::-1]) if d.name in names and d.labels else d for d in layout.sparse]
    rest = moved(values, dims, places, layout.shape.names)
    return planned(layout_of(rest), lambda t: rest(first(t)))


@sparse_rule("roll")
def roll_rule(row: Row, layout: Sparse, name: str, shift: int) -> PlanCall:
    """Plan that shifts cyclically along a dim: entry i moves to i + shift."""
    if name not in layout.names:
        return on_values(row, layout, name=name, shift=shift)
    places = layout.coordinates()
    size = max(1, sizes_of([layout.shape.get_dim(name)])[0])
    return moved(layout, layout.sparse, {**places, name: (places[name] + shift) % size}, layout.shape.names)


@sparse_rule("pack")
def pack_rule(
    row: Row, layout: Sparse, names: tuple[str, ...], dim: Dim, position: int | None = None
) -> PlanCall:
    """Plan that merges dims into one, row-major in the order of `names`."""
    if not {*names} & {*layout.names}:
        return on_values(row, layout, names=names, dim=dim, position=position)
    if not {*names} <= {*layout.names}:
        return made_dense(row, layout, names=names, dim=dim, position=position)
    packed = [layout.shape.get_dim(n) for n in names]
    volume = Shape.of(tuple(packed)).volume
    if dim.size is not None and dim.size != volume:
        raise IncompatibleShapes(
            f"Packing {names} of {layout.shape} gives {volume} entries, but `{dim}` was asked for. Leave the "
            f"size away."
        )
    new = dim.with_size(volume, dim.labels)
    places = layout.coordinates()
    flat = raveled([places[n] for n in names], sizes_of(packed), layout.pattern.count)
    dims = (new, *(d for d in layout.sparse if d.name not in names))
    rest = [n for n in layout.shape.names if n not in names]
    at = min(layout.shape.names.index(n) for n in names) if position is None else position
    kept = {n: p for n, p in places.items() if n not in names}
    return moved(layout, dims, {**kept, new.name: flat}, (*rest[:at], new.name, *rest[at:]))


@sparse_rule("unpack")
def unpack_rule(row: Row, layout: Sparse, name: str, dims: tuple[Dim, ...]) -> PlanCall:
    """Plan that splits one dim into several, row-major."""
    if name not in layout.names:
        return on_values(row, layout, name=name, dims=dims)
    places = layout.coordinates()
    split = inferred(Shape.of(dims), sizes_of([layout.shape.get_dim(name)])[0], name).dims
    indices = unravelled(places.pop(name), sizes_of(split))
    places |= {d.name: index for d, index in zip(split, indices, strict=True)}
    all_dims = tuple(new for d in layout.sparse for new in (split if d.name == name else (d,)))
    order = tuple(
        n for old in layout.shape.names for n in ([d.name for d in split] if old == name else [old])
    )
    return moved(layout, all_dims, places, order)


@sparse_rule("along")
def along_rule(row: Row, layout: Sparse, name: str) -> PlanCall:
    """Plan of running sums and sorting along a dim of the values; along sparse dims the result is dense."""
    if name in layout.names or row.name.startswith("arg"):
        return made_dense(row, layout, name=name)
    return on_values(row, layout, name=name)


@sparse_rule("matrix")
def matrix_rule(
    row: Row, layout: Sparse, rows: tuple[str, ...], columns: tuple[str, ...], **options: Any
) -> PlanCall:
    """Plan of the trace, which adds the stored entries of the diagonal; all others make the matrix dense."""
    listed = {*rows, *columns} <= {*layout.names}
    paired = [(layout.shape.get_dim(r), layout.shape.get_dim(c)) for r, c in zip(rows, columns, strict=False)]
    if (
        row.name != "trace"
        or not listed
        or len(rows) != len(columns)
        or any(r.size != c.size for r, c in paired)
    ):
        return made_dense(row, layout, rows=rows, columns=columns, **options)
    places = layout.coordinates()
    diagonal = np.ones(layout.pattern.count, bool)
    for r, c in paired:
        diagonal &= places[r.name] == places[c.name]
    chosen = np.flatnonzero(diagonal)
    kept = tuple(d for d in layout.sparse if d.name not in (*rows, *columns))
    pick = picked_entries(layout.values, chosen)
    at = {d.name: places[d.name][chosen] for d in kept}
    order = tuple(n for n in layout.shape.names if n not in (*rows, *columns))
    collect = collected(layout_of(pick), kept, at, order, layout.sparse)
    values = layout.values
    return planned(layout_of(collect), lambda t: collect(pick(Tensor(values, t.natives))))
