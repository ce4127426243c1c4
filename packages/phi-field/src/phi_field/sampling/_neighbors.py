"""Steps along one axis, between the n cells and the n + 1 faces that separate them.

The boundary decides which outer faces are stored and gives the others, so a step pads by what is missing and
combines neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import phi_tensor as math
from phi_tensor import Tensor
from phi_tensor.extrapolation import Extrapolation

Pairing = Callable[[Tensor, str], Tensor]
"""Combines each two neighbours along an axis; the result has one entry less."""

FIRST = (slice, None, -1, None)
REST = (slice, 1, None, None)
"""All but the last and all but the first entry along an axis."""


def to_faces(
    values: Tensor, axis: str, pair: Pairing, boundary: Extrapolation, target: Extrapolation | None
) -> Tensor:
    """Cell → face: neighbours combined at the faces that `target` stores (all of them for None)."""
    return pair(padded(values, axis, outer_faces(target, axis), boundary), axis)


def to_cells(values: Tensor, axis: str, pair: Pairing, boundary: Extrapolation) -> Tensor:
    """Face → cell: the two faces of each cell combined.

    Those that are not stored come from the boundary.
    """
    lower, upper = outer_faces(boundary, axis)
    return pair(padded(values, axis, (not lower, not upper), boundary), axis)


def outer_faces(boundary: Extrapolation | None, axis: str) -> tuple[bool, bool]:
    """Whether the lowest and the highest face along an axis are stored."""
    if boundary is None:
        return True, True
    kept: dict[Any, tuple[bool, bool]] = vars(boundary).setdefault(
        "_outer", {}
    )  # with the boundary, whose lifetime it shares
    found = kept.get(axis)
    if found is None:
        found = kept[axis] = boundary.valid_outer_faces(axis)
    return found


def missing_faces(have: tuple[bool, bool], want: tuple[bool, bool]) -> tuple[int, int]:
    """How many outer sites are to be added (or, negative, dropped) at each side."""
    return int(want[0]) - have[0], int(want[1]) - have[1]


def padded(values: Tensor, axis: str, widths: tuple[int, int], boundary: Extrapolation) -> Tensor:
    """Values with more or, where widths are negative, fewer sites at both ends of an axis."""
    if widths == (0, 0):
        return values
    lower, upper = widths
    if lower < 0 or upper < 0:
        values = values.sliced(((axis, (slice, max(0, -lower), -max(0, -upper) or None, None)),))
    added = max(0, lower), max(0, upper)
    return math.pad(values, {axis: added}, boundary) if any(added) else values


def with_faces_of(values: Tensor, axis: str, boundary: Extrapolation, target: Extrapolation | None) -> Tensor:
    """Values at faces of which `boundary` stores the outer ones, at those that `target` stores."""
    missing = missing_faces(outer_faces(boundary, axis), outer_faces(target, axis))
    return padded(values, axis, missing, boundary)


def mean_of_neighbors(values: Tensor, *axes: str) -> Tensor:
    """Mean of neighbours along each axis."""
    return _sum(values, *axes) * 0.5 ** len(axes) if axes else values


def _sum(values: Tensor, axis: str, *others: str) -> Tensor:
    """Sum of neighbours. Slices before it adds: XLA is 2.4 times slower the other way round."""
    upper, lower = values.sliced(((axis, REST),)), values.sliced(((axis, FIRST),))
    return _sum(upper, *others) + _sum(lower, *others) if others else upper + lower
