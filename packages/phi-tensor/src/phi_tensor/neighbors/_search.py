"""Search of neighbouring points: candidates by some method, told apart by their distance, in a list."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any, Literal, cast

import numpy as np

from phi_tensor._context import precision
from phi_tensor._create import wrap, zeros
from phi_tensor._dim_types import channel, instance
from phi_tensor._dtype import FLOAT32
from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._hidden import report
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.neighbors._candidates import CANDIDATES, POINTS, Candidates, all_pairs, by_tree, roomy
from phi_tensor.neighbors._cells import by_cells, cell_ranges, looked_at
from phi_tensor.neighbors._graph import PAIRS, NeighborGraph
from phi_tensor.neighbors._points import (
    Domain,
    check_positions,
    domain_of,
    listed_points,
    nearest_image,
    numbers_of,
)
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor
from phi_tensor.ops._cumulative import cumulative_sum
from phi_tensor.ops._elementwise import cast as to_type
from phi_tensor.ops._elementwise import minimum, stop_gradient, to_float, to_int64, where
from phi_tensor.ops._products import squared_norm
from phi_tensor.ops._sorting import searchsorted
from phi_tensor.ops._structure import expand, pack_dims, stack

Method = Literal["auto", "kd", "cells", "dense"]

_METHODS = ("auto", "kd", "cells", "dense")

_SPARE = 2
"""Candidates in a list of fixed length over those of evenly spread points."""


def neighbor_graph(
    positions: Any,
    radius: Any,
    domain: tuple[Any, Any] | None = None,
    periodic: Any = False,
    method: Method = "auto",
    capacity: int | None = None,
    avg_neighbors: float = 8.0,
    include_self: bool = False,
) -> NeighborGraph:
    """All pairs of points i, j with |x_j − x_i| ≤ radius, in both directions, as a list.

    Args:
        positions: Points `(batch…, points, vector)` [length]; instance and spatial dims list them. Which
            points are neighbours has no derivative.
        radius: Largest distance [length]: number, `(batch…)`, or `(…, points)` for the first point of a pair.
        domain: Lower and upper corner [length] `(vector)`. Points outside raise, or wrap around along
            periodic components.
        periodic: True, or one known bool per component: distances are those to the closest periodic image,
            so that each pair is there once, however large the radius.
        method: `kd`: k-d tree on the host, for known positions. `cells`: cell list on the device, sorted.
            `dense`: all pairs. `auto`: `kd` for known positions on the CPU, else `dense` where that is no
            more work than `cells`, else `cells`.
        capacity: Length of the list of pairs; default: their number, up to an eighth more; for traced
            positions `avg_neighbors` times the number of points (and one more each with `include_self`).
        avg_neighbors: Neighbours per point to make room for where their number is not known [-].
        include_self: Whether each point is its own neighbour.

    Returns:
        Graph whose list is ordered by the first point of pairs.

    Raises:
        IncompatibleShapes: There are more pairs than the capacity, more candidates in cells than there is
            room for (found out as late as `checked` says), or dims do not fit.
        ValueError: Positions that are not finite or outside of the domain (likewise).
        Unsupported: `kd` with traced positions; an unknown method.

    Reference: Allen and Tildesley, *Computer Simulation of Liquids*, 2nd ed., section 5.3 (cell lists).

    >>> import phi_tensor as math
    >>> x = math.wrap([[0.0], [2.0], [2.5]], math.instance("points"), math.channel(vector="x"))
    >>> graph = neighbor_graph(x, radius=1.0)
    >>> graph.sum(math.norm(graph.differences(x)))
    (0.0, 0.5, 0.5) along (points:i=3) float32
    """
    given, points, components = listed_points(positions, "neighbor_graph")
    if method not in _METHODS:
        raise Unsupported(f"`neighbor_graph` has the methods {_METHODS}, but found {method!r}. Use 'auto'.")
    x = stop_gradient(given if given.dtype.kind is float else to_float(given))
    with precision(64 if x.dtype.bits == 64 else 32):
        x = to_type(x, FLOAT32) if x.dtype.bits < 32 else x
        x = stop_gradient(pack_dims(x, points.names, instance(POINTS)))
        box = domain_of(domain, periodic, components, "neighbor_graph")
        period = None if box is None else box.period
        box = None if box is None else Domain(stop_gradient(box.lower), stop_gradient(box.size), box.periodic)
        limit = _listed_radius(radius, x.shape, points, components.name)
        search = _Search(x, limit, box, components.name, capacity, avg_neighbors, include_self)
        if x.shape.volume:
            check_positions(x, box, components, "neighbor_graph")
        indices, count, is_watched = search.pairs(method)
    return NeighborGraph(
        stop_gradient(indices),  # known again where a derivative is under way
        stop_gradient(count),
        search.reach,
        zeros(Shape.of((components,))) if period is None else period,
        points,
        period is not None,
        is_watched,
    )


def _listed_radius(radius: Any, shape: Shape, points: Shape, component: str) -> Tensor:
    """Radius along batch dims and the list of points."""
    limit = stop_gradient(as_tensor(radius))
    if set(limit.shape.names) & set(points.names):
        limit = pack_dims(expand(limit, points), points.names, instance(POINTS))
    unknown = limit.shape.without(shape).names
    if unknown or component in limit.shape:
        raise IncompatibleShapes(
            f"`neighbor_graph(radius=…)` takes a number, or numbers along batch dims of the positions and "
            f"the points {points}, but found {as_tensor(radius).shape}. Slice it."
        )
    return stop_gradient(limit if limit.dtype.kind is float else to_float(limit))


class _Search:
    """One search: what was asked for, and the steps to its list of pairs."""

    def __init__(
        self,
        x: Tensor,
        radius: Tensor,
        domain: Domain | None,
        component: str,
        capacity: int | None,
        average: float,
        include_self: bool,
    ) -> None:
        self.x, self.radius, self.domain, self.component = x, radius, domain, component
        self.include_self, self.wanted = include_self, capacity
        self.count = cast("int", x.shape.get_size(POINTS))
        batch = x.shape.without((POINTS, component))
        largest = table.MAX(radius, names=(POINTS,)) if POINTS in radius.shape and self.count else radius
        self.reach = stop_gradient(largest) if POINTS not in largest.shape else zeros()
        self.batch = batch
        operands = (x, radius) if domain is None else (x, radius, *domain[:2])
        self.known = all(t.available for t in operands)
        self.room = min(ceil(self.count * (average + include_self)), self.count**2)
        if capacity is not None and capacity < 0:
            raise IncompatibleShapes(f"`neighbor_graph` needs a capacity of 0 or more, but found {capacity}.")

    def pairs(self, method: str) -> tuple[Tensor, Tensor, bool]:
        """`(indices, count, whether an overflow raises)`."""
        candidates = self._candidates(method)
        near = self._near(candidates)
        total = cumulative_sum(to_int64(near), CANDIDATES)
        length = cast("int", total.shape.get_size(CANDIDATES))
        count = stop_gradient(total[{CANDIDATES: -1}]) if length else zeros(self.batch, dtype=int)
        watched = True
        if candidates.number is not None:
            watched = _limited(candidates.number, length, _too_many_candidates)
            # a list that is too short marks its results
            count = where(candidates.number > length, candidates.number, count)
        capacity = self._capacity(count)
        watched = _limited(count, capacity, _too_many_pairs) and watched
        return self._chosen(candidates, total, count, capacity, length), count, watched

    def _candidates(self, method: str) -> Candidates:
        """Pairs to look at."""
        if method == "auto":
            method = self._automatic()
        if method == "kd":
            if not self.known:
                raise Unsupported(
                    f"`neighbor_graph(method='kd')` searches on the host and needs numbers, but positions "
                    f"{self.x.shape} or the radius are traced. Use `method='cells'`."
                )
            return by_tree(self.x, self.reach, self.domain, self.component)
        if method == "dense" or not self.count:
            return all_pairs(self.x)
        ranges = cell_ranges(self.x, self.reach, self.domain, self.component)
        total = stop_gradient(ranges.total)
        if total.available:
            return by_cells(ranges, roomy(int(np.max(numbers_of(total, [total.shape.names])))))
        return by_cells(ranges, self._room_in_cells())

    def _automatic(self) -> str:
        if self.known and self.x.device.device_type == "CPU":
            return "kd"
        return "dense" if self._room_in_cells() >= self.count**2 else "cells"

    def _room_in_cells(self) -> int:
        """Candidates of evenly spread points, with some to spare."""
        pairs = (self.room if self.wanted is None else self.wanted) + self.count
        dims = cast("int", self.x.shape.get_size(self.component))
        return min(ceil(_SPARE * looked_at(dims) * pairs), self.count**2)

    def _near(self, candidates: Candidates) -> Tensor:
        """Which candidates are pairs `(batch…, candidates)`."""
        first, second = candidates.first, candidates.second
        listing = self.batch & candidates.valid.shape
        if not self.count:
            return expand(candidates.valid, listing)
        ends = [table.TAKE(self.x, at, name=POINTS) for at in (second, first)]
        difference = nearest_image(ends[0] - ends[1], None if self.domain is None else self.domain.period)
        limit = table.TAKE(self.radius, first, name=POINTS) if POINTS in self.radius.shape else self.radius
        # of squares neither a radius of 0 nor an infinite one is lost
        near = candidates.valid & (squared_norm(difference, self.component) <= limit * limit) & (limit >= 0)
        return expand(near if self.include_self else near & (first != second), listing)

    def _capacity(self, count: Tensor) -> int:
        if self.wanted is not None:
            return self.wanted
        if count.available:
            return roomy(int(np.max(numbers_of(count, [count.shape.names]), initial=0)))
        return self.room

    def _chosen(
        self, candidates: Candidates, total: Tensor, count: Tensor, capacity: int, length: int
    ) -> Tensor:
        """Both ends of the pairs `(batch…, pairs, end)`."""
        at = wrap(np.arange(capacity), instance(PAIRS))
        listing = self.batch & at.shape
        ends = [wrap(np.zeros(capacity, np.int64), instance(PAIRS))] * 2
        if length:
            position = minimum(searchsorted(total, at + 1, CANDIDATES), length - 1)
            found = (table.TAKE(end, position, name=CANDIDATES) for end in candidates[:2])
            ends = [where(at < count, end, 0) for end in found]
        return stack([expand(end, listing) for end in ends], channel(end="first,second"))


def _limited(count: Tensor, limit: int, error: Callable[[int, Any], Exception]) -> bool:
    """Report more entries than a list has room for; False where nobody will look."""
    excess = where(count > limit, count, 0)
    return report(table.MAX(excess, names=excess.shape.names), lambda found: error(limit, found))


def _too_many_pairs(limit: int, found: Any) -> IncompatibleShapes:
    return IncompatibleShapes(
        f"`neighbor_graph` found {_number(found)} pairs, but has room for {limit}. Pass a larger "
        f"`capacity` or `avg_neighbors`, or a smaller radius."
    )


def _too_many_candidates(limit: int, found: Any) -> IncompatibleShapes:
    return IncompatibleShapes(
        f"The cells of `neighbor_graph(method='cells')` hold {_number(found)} pairs to look at, but there is "
        f"room for {limit}. Pass a larger `avg_neighbors`; with a `capacity` as well, that one."
    )


def _number(found: Any) -> str:
    """What was found, as far as it is known: loops pass on only that there was something."""
    largest = np.max(found)
    return "more" if isinstance(largest, np.bool_) else str(int(largest))
