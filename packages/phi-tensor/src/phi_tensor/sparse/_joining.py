"""Sparse tensors one after the other and side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from phi_tensor._dim import Dim
from phi_tensor._plan import RULES, PlanCall, Row, layout_of, planned
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._concat import concat_dim
from phi_tensor.layouts._layout import Layout
from phi_tensor.layouts._sparse import ENTRIES, Sparse
from phi_tensor.sparse._align import at_entries, union
from phi_tensor.sparse._collect import at_pattern, placed, sizes_of
from phi_tensor.sparse._rules import made_dense, sparse_rule


def _alike(layouts: Sequence[Layout], along: str | None = None) -> bool:
    """Whether all are sparse along the same dims, of the same sizes except along one."""
    first = layouts[0]
    if not all(isinstance(layout, Sparse) for layout in layouts):
        return False
    sizes = [
        {d.name: d.size if d.name != along else None for d in cast("Sparse", layout).sparse}
        for layout in layouts
    ]
    return first.shape.is_uniform and all(found == sizes[0] for found in sizes)


@sparse_rule("stack")
def stack_rule(row: Row, *layouts: Layout, dim: Dim) -> PlanCall:
    """Plan that puts the values of all operands, at the places of any, side by side."""
    if not _alike(layouts):
        return made_dense(row, *layouts, dim=dim)
    entries = union(cast("Sequence[Sparse]", layouts))
    picks = [at_entries(layout, entries) for layout in layouts]
    join = RULES["stack"](row, *map(layout_of, picks), dim=dim)
    new = layout_of(join).shape.get_dim(dim.name)
    result = entries.with_values(layout_of(join), Shape.of((new, *layouts[0].shape.dims)))
    return _joined(result, picks, join)


def _joined(result: Layout, picks: Sequence[PlanCall], join: PlanCall) -> PlanCall:
    def call(*operands: Any) -> Tensor:
        return Tensor(result, join(*[p(x) for p, x in zip(picks, operands, strict=True)]).natives)

    return planned(result, call)


@sparse_rule("concat")
def concat_rule(row: Row, *layouts: Layout, dim: str) -> PlanCall:
    """Plan that lists the entries of all operands, or joins their values along another dim."""
    if not _alike(layouts, dim):
        return made_dense(row, *layouts, dim=dim)
    stored = cast("tuple[Sparse, ...]", layouts)
    first = stored[0]
    if dim not in first.names:
        entries = union(stored)
        picks = [at_entries(layout, entries) for layout in layouts]
        join = RULES["concat"](row, *map(layout_of, picks), dim=dim)
        dims = (layout_of(join).shape.get_dim(d.name) if d.name == dim else d for d in first.shape.dims)
        return _joined(entries.with_values(layout_of(join), Shape.of(tuple(dims))), picks, join)
    new = concat_dim([layout.shape.get_dim(dim) for layout in layouts])
    offsets = np.cumsum([0, *sizes_of([layout.shape.get_dim(dim) for layout in layouts])])
    listed = [layout.coordinates() for layout in stored]
    for places, offset in zip(listed, offsets[:-1], strict=True):
        places[dim] = places[dim] + offset
    places = {name: np.concatenate([found[name] for found in listed]) for name in first.names}
    outer, inner = (tuple(new if d.name == dim else d for d in dims) for dims in (first.outer, first.inner))
    pattern, ids = placed(outer, inner, places, sum(layout.pattern.count for layout in stored))
    join = RULES["concat"](row, *(layout.values for layout in stored), dim=ENTRIES)
    put = at_pattern(layout_of(join), outer, inner, pattern, ids, first.shape.names, first.compressed)
    values = [layout.values for layout in stored]

    def call(*operands: Tensor) -> Tensor:
        return put(join(*(Tensor(v, x.natives) for v, x in zip(values, operands, strict=True))))

    return planned(layout_of(put), call)
