"""Values of operands at the places of a pattern, and patterns that hold the entries of several operands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from phi_tensor._plan import PlanCall, layout_of, planned
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._layout import Layout, Scalar
from phi_tensor.layouts._pattern import Ints, Pattern, raveled
from phi_tensor.layouts._sparse import Sparse
from phi_tensor.sparse._collect import Dims, placed, sizes_of
from phi_tensor.sparse._entries import dense, picked_entries, values_at


class Entries(NamedTuple):
    """Places of entries.

    Attributes:
        outer: Dims of the outer index.
        inner: Dims of the inner index.
        pattern: The places.
        compressed: Whether the format is `csr` or `csc`.
    """

    outer: Dims
    inner: Dims
    pattern: Pattern
    compressed: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all dims."""
        return tuple(d.name for d in (*self.outer, *self.inner))

    def coordinates(self) -> dict[str, Ints]:
        """Index of each entry along each dim."""
        return dict(zip(self.names, self.pattern.coordinates(), strict=True))

    def with_values(self, values: Layout, shape: Shape) -> Sparse:
        """Layout of a sparse tensor with these places."""
        outer, inner = (tuple(shape.get_dim(d.name) for d in dims) for dims in (self.outer, self.inner))
        return Sparse.of(outer, inner, self.pattern, values, shape, self.compressed)


def entries_of(layout: Sparse) -> Entries:
    """Where a sparse tensor stores entries."""
    return Entries(layout.outer, layout.inner, layout.pattern, layout.compressed)


def positions_in(layout: Sparse, entries: Entries) -> Ints:
    """Position, among the stored values, of each entry; their number where it is not stored.

    The dims of the layout are among those of the entries.
    """
    if (layout.names, layout.pattern) == (entries.names, entries.pattern):
        return np.arange(layout.pattern.count)
    places, count = entries.coordinates(), entries.pattern.count
    flat = [
        raveled([places[d.name] for d in dims], sizes_of(dims), count)
        for dims in (layout.outer, layout.inner)
    ]
    return layout.pattern.find(flat[0], flat[1])


def union(layouts: Sequence[Sparse]) -> Entries:
    """All entries that some layout stores; they have the same sparse dims."""
    first = layouts[0]
    if all(layout.places == first.places for layout in layouts):
        return entries_of(first)
    listed = [layout.coordinates() for layout in layouts]
    places = {name: np.concatenate([found[name] for found in listed]) for name in first.names}
    pattern, _ = placed(first.outer, first.inner, places, sum(layout.pattern.count for layout in layouts))
    return Entries(first.outer, first.inner, pattern, first.compressed)


def intersection(layout: Sparse, others: Sequence[Sparse]) -> Entries:
    """Entries of a layout that all others store, too, whose sparse dims are among its own."""
    entries = entries_of(layout)
    kept = np.ones(layout.pattern.count, bool)
    for other in others:
        kept &= positions_in(other, entries) < other.pattern.count
    if kept.all():
        return entries
    pattern = layout.pattern
    chosen = Pattern.of(pattern.outer_sizes, pattern.inner_sizes, pattern.outer[kept], pattern.inner[kept])
    return Entries(layout.outer, layout.inner, chosen, layout.compressed)


def at_entries(layout: Layout, entries: Entries) -> PlanCall:
    """Plan of the values of an operand at these entries; numbers stay as they are."""
    if isinstance(layout, Scalar):
        return planned(layout, _same)
    if not isinstance(layout, Sparse):
        return values_at(layout, entries.coordinates(), entries.pattern.count)
    values = layout.values
    pick = picked_entries(values, positions_in(layout, entries))
    return planned(layout_of(pick), lambda t: pick(Tensor(values, t.natives)))


def _same(x: Any) -> Any:
    return x


def comparable(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Two tensors of one shape as dense ones that are equal if they are; of sparse ones stored entries."""
    one, other = a.layout, b.layout
    if not isinstance(one, Sparse) or not isinstance(other, Sparse) or {*one.names} != {*other.names}:
        return dense(a), dense(b)
    entries = union([one, other])
    return at_entries(one, entries)(a), at_entries(other, entries)(b)
