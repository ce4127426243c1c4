"""The layout of sparse tensors: a static pattern, and the stored values as one dense tensor along a list dim.

Only the values are native arrays, so derivatives, devices and compiled functions treat a sparse tensor like a
dense one, and equal patterns share plans and traces.
"""

from __future__ import annotations

from typing import Any

from phi_tensor._dim import Dim
from phi_tensor._dim_types import dual, instance
from phi_tensor._shape import Shape
from phi_tensor.layouts._layout import Layout, canonical_order, interned
from phi_tensor.layouts._pattern import Ints, Pattern

ENTRIES = "_stored"
"""Name of the dim of the values that lists the stored entries."""


class Sparse(Layout):
    """Values at the places of a pattern, zero elsewhere.

    Attributes:
        outer: Dims of the pattern's outer index.
        inner: Dims of the pattern's inner index.
        pattern: Places of the stored entries.
        values: Layout of the values `(_stored, …)`; the dims besides are dims of the tensor, too.
        compressed: Whether `format` is `csr` or `csc` rather than `coo`.
    """

    __slots__ = ("compressed", "inner", "outer", "pattern", "values")

    outer: tuple[Dim, ...]
    inner: tuple[Dim, ...]
    pattern: Pattern
    values: Layout
    compressed: bool

    @staticmethod
    def of(
        outer: tuple[Dim, ...],
        inner: tuple[Dim, ...],
        pattern: Pattern,
        values: Layout,
        shape: Shape,
        compressed: bool = False,
    ) -> Sparse:
        """The layout with this description; `shape` has the dims of the pattern and those of the values."""
        return interned(
            (Sparse, outer, inner, pattern.number, values, shape.dims, compressed),
            lambda: _new(outer, inner, pattern, values, shape, compressed),
        )

    @property
    def sparse(self) -> tuple[Dim, ...]:
        """All dims of the pattern."""
        return (*self.outer, *self.inner)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the dims of the pattern."""
        return tuple(dim.name for dim in self.sparse)

    @property
    def format(self) -> str:
        """`coo`, `csr` if rows come first, or `csc` if columns do. Columns are the dual or the later dims."""
        if not self.compressed:
            return "coo"
        if any(dim.type is dual for dim in self.sparse):
            return "csc" if self.outer[0].type is dual else "csr"
        order = self.shape.names
        return "csr" if order.index(self.outer[0].name) <= order.index(self.inner[0].name) else "csc"

    def coordinates(self) -> dict[str, Ints]:
        """Index of each entry along each dim of the pattern."""
        return dict(zip(self.names, self.pattern.coordinates(), strict=True))

    def with_values(self, values: Layout) -> Sparse:
        """Same pattern with other values, whose dims take the place of the present ones."""
        names = {*self.names, *values.shape.names}
        kept = tuple(
            values.shape.get_dim(d.name) if d.name in values.shape else d
            for d in self.shape.dims
            if d.name in names
        )
        new = tuple(d for d in values.shape.dims if d.name != ENTRIES and d.name not in self.shape)
        return Sparse.of(
            self.outer, self.inner, self.pattern, values, Shape.of((*kept, *new)), self.compressed
        )

    @property
    def places(self) -> tuple[object, ...]:
        """Where entries are stored: equal for layouts whose values stand for the same entries in order."""
        return (self.names, self.pattern)

    def listed(self, dim: Dim) -> Layout:
        """Layout of the values, whose entries are listed along `dim`."""
        dims = tuple(dim if d.name == ENTRIES else d for d in self.values.shape.dims)
        return self.values.with_shape({ENTRIES: dim}, Shape.of(dims))

    def in_order(self) -> Sparse:
        """The same with dims in the canonical order."""
        shape = Shape.of(canonical_order(self.shape.dims))
        return Sparse.of(self.outer, self.inner, self.pattern, self.values, shape, self.compressed)

    def with_shape(self, renamed: dict[str, Dim], shape: Shape) -> Sparse:
        outer, inner = (tuple(renamed.get(d.name, d) for d in dims) for dims in (self.outer, self.inner))
        others = {name: dim for name, dim in renamed.items() if name in self.values.shape}
        dims = tuple(others.get(d.name, d) for d in self.values.shape.dims)
        values = self.values.with_shape(others, Shape.of(dims)) if others else self.values
        return Sparse.of(outer, inner, self.pattern, values, shape, self.compressed)

    def __reduce__(self) -> tuple[Any, ...]:
        return Sparse.of, (self.outer, self.inner, self.pattern, self.values, self.shape, self.compressed)

    def __repr__(self) -> str:
        dims = ", ".join(map(repr, self.sparse))
        return f"Sparse({self.format} of {self.pattern.count} at ({dims}); {self.values!r})"


def entries_dim(count: int) -> Dim:
    """The dim of the values that lists `count` stored entries."""
    return Dim.of(ENTRIES, instance, count)


def _new(
    outer: tuple[Dim, ...],
    inner: tuple[Dim, ...],
    pattern: Pattern,
    values: Layout,
    shape: Shape,
    compressed: bool,
) -> Sparse:
    assert values.shape.get_size(ENTRIES) == pattern.count, f"{values} is not {pattern}"
    assert {*values.shape.names, *(d.name for d in (*outer, *inner))} - {ENTRIES} == {*shape.names}, shape
    layout = object.__new__(Sparse)
    layout.outer, layout.inner, layout.pattern, layout.values = outer, inner, pattern, values
    layout.shape, layout.dtype, layout.backend = shape, values.dtype, values.backend
    layout.count, layout.compressed = values.count, compressed
    return layout
