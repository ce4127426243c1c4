"""Lists of neighbouring points of fixed length, and what is computed with them: values at both ends, sums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from phi_tensor._create import wrap, zeros
from phi_tensor._dim_changes import retyped
from phi_tensor._dim_types import channel, dual, instance
from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.neighbors._candidates import POINTS
from phi_tensor.neighbors._points import listed_points, nearest_image, numbers_of
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor
from phi_tensor.ops._elementwise import stop_gradient, where
from phi_tensor.ops._inside import NO_INDEX
from phi_tensor.ops._structure import expand, pack_dims, rename_dims, unpack_dim
from phi_tensor.sparse._create import Format, sparse_tensor

PAIRS = "pairs"
"""Dim that lists pairs."""


@dataclass(frozen=True, eq=False)
class NeighborGraph:
    """Pairs (i, j) of points closer than a radius, in a list whose length may exceed their number.

    Made by `neighbor_graph`; the same on known and traced positions. Where points are is not part of it, so
    one graph serves many functions of positions: it stays right as long as the same points are neighbours.

    Attributes:
        indices: Positions of both points `(batch…, pairs, end=first,second)` in the row-major list of
            `points`, ordered by the first. Entries from `count` on are no pairs; they point at 0.
        count: Number of pairs `(batch…)` [-].
        reach: Largest distance of pairs `(batch…)` [length].
        period: Size of the domain `(vector)` [length], 0 along components that are not periodic.
        points: Dims that list points.
        is_periodic: Whether any component is periodic.
        is_watched: Whether too many pairs for the list raise; else results are NaN.
    """

    indices: Tensor
    count: Tensor
    reach: Tensor
    period: Tensor
    points: Shape
    is_periodic: bool = False
    is_watched: bool = True

    @property
    def capacity(self) -> int:
        """Length of the list of pairs [-]."""
        return cast("int", self.indices.shape.get_size(PAIRS))

    @property
    def first(self) -> Tensor:
        """Position of the first point of each pair in the row-major list of points `(batch…, pairs)`."""
        return self.indices[{"end": 0}]

    @property
    def second(self) -> Tensor:
        """Position of the second point of each pair in the row-major list of points `(batch…, pairs)`."""
        return self.indices[{"end": 1}]

    @property
    def valid(self) -> Tensor:
        """False for entries of the list that are no pairs `(batch…, pairs)`."""
        return wrap(np.arange(self.capacity), instance(PAIRS)) < self.count

    def gather(self, values: Any) -> tuple[Tensor, Tensor]:
        """`(values at the first point, values at the second point)` of each pair. Differentiable.

        Args:
            values: Values `(…, points)`.

        Returns:
            Two tensors `(…, pairs)`. Entries that are no pairs hold values of some point.

        Raises:
            IncompatibleShapes: `values` lacks dims of the points.
        """
        listed = self._listed(as_tensor(values), "gather")
        if not self.points.volume:  # without points there is nothing to look up
            nothing = rename_dims(listed, POINTS, instance(PAIRS))
            return nothing, nothing
        return table.TAKE(listed, self.first, name=POINTS), table.TAKE(listed, self.second, name=POINTS)

    def sum(self, values: Any) -> Tensor:
        """Sums of values of pairs over all pairs with the same first point. Differentiable.

        Args:
            values: Number, or values `(…, pairs)`. Those of entries that are no pairs do not count.

        Returns:
            Sums `(…, points)`, 0 for points without neighbour.
        """
        x = expand(as_tensor(values), Shape.of((self.indices.shape.get_dim(PAIRS),)))
        x = where(self.valid, x, 0)
        along = instance(**{POINTS: cast("int", self.points.volume)})
        base = zeros(x.shape.without(PAIRS) & along, dtype=x.dtype)
        if self.capacity and self.points.volume:
            settings: dict[str, Any] = {"names": (POINTS,), "index": NO_INDEX, "listed": (PAIRS,)}
            base = table.SCATTER_ADD(base, self.first, x, **settings, outside="undefined")
        return unpack_dim(self._marked(base), POINTS, self.points)

    def degrees(self) -> Tensor:
        """Number of neighbours of each point `(batch…, points)` [-]."""
        return self.sum(1)

    def differences(self, positions: Any) -> Tensor:
        """Differences x_j − x_i of all pairs, to the closest periodic image of j. Differentiable.

        Args:
            positions: Positions `(…, points, vector)` [length].

        Returns:
            Differences `(…, pairs, vector)` [length]. Entries that are no pairs hold a constant vector of
            length `reach` (1 if that is 0 or infinite), so that functions of the distance and their
            derivatives stay finite.
        """
        x, _, components = listed_points(positions, "differences")
        first, second = self.gather(x)
        difference = nearest_image(second - first, self.period if self.is_periodic else None)
        axis = np.zeros(cast("int", components.size))
        axis[:1] = 1
        finite = (self.reach > 0) & (self.reach < float("inf"))
        filler = where(finite, self.reach, 1) * wrap(axis, Shape.of((components,)))
        return self._marked(where(self.valid, difference, stop_gradient(filler)))

    def to_sparse(self, values: Any = 1.0, format: Format = "coo") -> Tensor:
        """Sparse matrix of values of pairs; outside of compiled functions.

        Args:
            values: Number, or values `(…, pairs)`.
            format: `coo`, `csr` (sorted by the first point) or `csc` (by the second).

        Returns:
            Sparse tensor `(…, points, ~points)`, differentiable in the values. Batch dims of the graph are
            sparse, too.

        Raises:
            Unsupported: The pairs are not known yet, as in compiled functions.
        """
        indices, count = stop_gradient(self.indices), stop_gradient(self.count)
        if not indices.available or not count.available:
            raise Unsupported(
                "Sparse tensors need pairs that are known, but those of this `NeighborGraph` are traced. Use "
                "its `gather` and `sum` in compiled functions, or make the graph outside."
            )
        batch = indices.shape.without((PAIRS, "end"))
        counts = numbers_of(expand(count, batch), [batch.names])
        entry, pair = np.nonzero(np.arange(self.capacity) < counts[:, None])
        ends = numbers_of(indices, [batch.names, PAIRS, "end"])[entry, pair]
        columns = Shape.of(tuple(retyped(d, dual) for d in self.points.dims))
        index = [
            *_unravelled(entry, batch),
            *_unravelled(ends[:, 0], self.points),
            *_unravelled(ends[:, 1], self.points),
        ]
        listed = instance("_listed")
        names = (*batch.names, *self.points.names, *columns.names)
        listing = batch & indices.shape.only(PAIRS)
        packed = pack_dims(expand(as_tensor(values), listing), listing.names, listed)
        x = table.TAKE.once(packed, wrap(entry * self.capacity + pair, listed), name=listed.name)
        return sparse_tensor(
            wrap(np.stack(index, -1), listed, channel(index=names)),
            x,
            batch & self.points & columns & x.shape.without(listed.name),
            can_contain_double_entries=False,
            format=format,
        )

    def _listed(self, values: Tensor, function: str) -> Tensor:
        missing = [d for d in self.points.dims if values.shape.only(d.name).dims != (d,)]
        if missing:
            raise IncompatibleShapes(
                f"`NeighborGraph.{function}` needs values along the points {self.points}, but found "
                f"{values.shape}. Use `expand` for values that are constant, or make a graph of these points."
            )
        return pack_dims(values, self.points.names, instance(POINTS))

    def _marked(self, values: Tensor) -> Tensor:
        """NaN where the list is too short and nobody was told."""
        return values if self.is_watched else where(self.count > self.capacity, float("nan"), values)


def _unravelled(flat: Any, dims: Shape) -> tuple[Any, ...]:
    """Index along each dim."""
    return cast("Any", np).unravel_index(flat, [cast("int", dim.size) for dim in dims]) if dims else ()
