"""Cell list on the device: points sorted by the number of their cell, so that cells are ranges of the list.

Ranges are found by bisection, not in a table of cells: neither the number of cells nor that of points in a
cell is limited. Cells that follow each other along the last component are one range.
"""

from __future__ import annotations

from functools import reduce
from itertools import product
from math import gamma, pi
from typing import Any, NamedTuple, cast

import numpy as np

from phi_tensor._create import wrap
from phi_tensor._dim_types import instance
from phi_tensor._tensor import Tensor
from phi_tensor.neighbors._candidates import CANDIDATES, POINTS, Candidates
from phi_tensor.neighbors._points import Domain
from phi_tensor.ops import _table as table
from phi_tensor.ops._cumulative import cumulative_sum
from phi_tensor.ops._elementwise import maximum, minimum, to_int64, where
from phi_tensor.ops._sorting import argsort, searchsorted
from phi_tensor.ops._structure import pack_dims

_RANGES = instance("_ranges")
_POINT_RANGES = instance("_point_ranges")

_MARGIN = 1 / 64
"""Cells are larger than the radius by this fraction: more than positions in cells are rounded by."""

_MOST_CELLS = {32: 2**15, 64: 2**20}
"""Cells per component, by precision: 2 · cells · eps < margin."""


class Ranges(NamedTuple):
    """For each point the ranges of the sorted list that may hold its neighbours.

    Attributes:
        order: Points by cell `(…, _points)`.
        start: First entry of each range `(…, _point_ranges)`.
        ends: Total length of all ranges up to this one.
        length: Length of each range.
        per_point: Number of ranges per point.
    """

    order: Tensor
    start: Tensor
    ends: Tensor
    length: Tensor
    per_point: int

    @property
    def total(self) -> Tensor:
        """Length of all ranges together: pairs to look at."""
        return self.ends[{_POINT_RANGES.name: -1}]


def looked_at(dims: int) -> float:
    """Volume of the cells around a point over that of the ball of neighbours [-]."""
    return 3**dims * gamma(dims / 2 + 1) / pi ** (dims / 2)


def cell_ranges(x: Tensor, reach: Tensor, domain: Domain | None, component: str) -> Ranges:
    """Sort points into cells of at least the size `reach`."""
    dims = cast("int", x.shape.get_size(component))
    periodic = (False,) * dims if domain is None else domain.periodic
    periods = [
        None if domain is None or not p else domain.size[{component: k}] for k, p in enumerate(periodic)
    ]
    sorted_in = [_along(x[{component: k}], reach, period, dims) for k, period in enumerate(periods)]
    cells, numbers = zip(*sorted_in, strict=True)
    strides = _strides(numbers)
    flat = reduce(table.ADD, (c * s for c, s in zip(cells, strides, strict=True)))
    order = argsort(flat, POINTS)
    first, last, exists = _adjacent(cells, numbers, strides, periodic)
    ordered = table.TAKE(flat, order, name=POINTS)
    start = searchsorted(ordered, first, POINTS)
    stop = searchsorted(ordered, last, POINTS, side="right")
    per_point = cast("int", first.shape.get_size(_RANGES.name))
    length = _listed(where(exists, stop - start, 0))
    return Ranges(order, _listed(start), cumulative_sum(length, _POINT_RANGES), length, per_point)


def by_cells(ranges: Ranges, length: int) -> Candidates:
    """The first `length` pairs of points and entries of their ranges."""
    at = wrap(np.arange(length), instance(CANDIDATES))
    name = _POINT_RANGES.name
    last = cast("int", ranges.ends.shape.get_size(name)) - 1
    found = minimum(searchsorted(ranges.ends, at, name, side="right"), last)
    before = table.TAKE(ranges.ends - ranges.length - ranges.start, found, name=name)
    valid = at < ranges.total
    entry = where(valid, at - before, 0)
    return Candidates(
        found // ranges.per_point, table.TAKE(ranges.order, entry, name=POINTS), valid, ranges.total
    )


def _along(x: Tensor, reach: Tensor, period: Tensor | None, dims: int) -> tuple[Tensor, Tensor]:
    """`(cell of each point, number of cells)` along one component."""
    most = min(_MOST_CELLS[64 if x.dtype.bits == 64 else 32], 2 ** (60 // dims))
    wanted = reach * (1 + _MARGIN)
    if period is not None:
        number = minimum(maximum(table.FLOOR(period / _positive(wanted)), 1), most)
        offset, size = x - period * table.FLOOR(x / period), period / number
    else:
        lowest = table.MIN(x, names=(POINTS,))
        extent = table.MAX(x, names=(POINTS,)) - lowest
        offset, size = x - lowest, _positive(maximum(wanted, extent / (most - 1)))
        number = table.FLOOR(extent / size) + 1
    cell = minimum(maximum(table.FLOOR(offset / size), 0), number - 1)
    return to_int64(cell), to_int64(number)


def _positive(size: Tensor) -> Tensor:
    return where(size > 0, size, 1)


def _strides(numbers: tuple[Any, ...]) -> list[Any]:
    """Distance of neighbouring cells along each component in row-major order."""
    strides: list[Any] = [1]
    for number in reversed(numbers[1:]):
        strides.append(strides[-1] * number)
    return strides[::-1]


def _adjacent(
    cells: tuple[Tensor, ...], numbers: tuple[Tensor, ...], strides: list[Any], periodic: tuple[bool, ...]
) -> tuple[Tensor, Tensor, Tensor]:
    """`(first cell, last cell, whether it exists)` of all ranges around points `(…, _points, _ranges)`."""
    beyond = (False, True) if periodic[-1] else (False,)  # the range across the periodic side
    steps = np.asarray(
        [(*step, across) for *step, across in product(*[(-1, 0, 1)] * (len(cells) - 1), beyond)]
    )
    base, exists = wrap(np.zeros(len(steps), np.int64), _RANGES), wrap(np.ones(len(steps), bool), _RANGES)
    for k in range(len(cells) - 1):
        step, number = wrap(steps[:, k].astype(np.int64), _RANGES), numbers[k]
        cell = cells[k] + step
        if periodic[k]:  # both neighbours of two cells are one cell
            exists = exists & ((step == 0) | (number > 2) | ((step == 1) & (number > 1)))
            cell = where(cell < 0, number - 1, where(cell >= number, 0, cell))
        else:
            exists = exists & (cell >= 0) & (cell < number)
        base = base + cell * strides[k]
    across = wrap(steps[:, -1].astype(bool), _RANGES)
    cell, number = cells[-1], numbers[-1]
    first, last = maximum(cell - 1, 0), minimum(cell + 1, number - 1)
    if periodic[-1]:
        opposite = where(cell == 0, number - 1, 0)
        at_side = (number > 2) & ((cell == 0) | (cell == number - 1))
        exists = exists & (~across | at_side)
        first, last = where(across, opposite, first), where(across, opposite, last)
    return base + first, base + last, exists


def _listed(value: Tensor) -> Tensor:
    return pack_dims(value, (POINTS, _RANGES.name), _POINT_RANGES)
