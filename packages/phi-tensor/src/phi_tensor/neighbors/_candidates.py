"""Pairs that may be neighbours: by a k-d tree on the host, or all pairs; `_cells.py` has a cell list.

Each gives lists of fixed length that hold all pairs within the radius, and others. Lists are ordered by the
first point.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import numpy as np

from phi_tensor._create import wrap
from phi_tensor._dim_types import instance
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.neighbors._points import Domain, numbers_of
from phi_tensor.ops._elementwise import stop_gradient
from phi_tensor.ops._structure import expand

POINTS = "_points"
"""Dim that lists all points."""

CANDIDATES = "_candidates"
"""Dim that lists pairs to look at."""


class Candidates(NamedTuple):
    """Pairs to look at.

    Attributes:
        first: Positions of points in their list `(…, _candidates)`.
        second: Likewise.
        valid: False where there is no pair.
        number: Number of pairs that there are to look at; more than the length of the list where it is too
            short. None if it cannot be.
    """

    first: Tensor
    second: Tensor
    valid: Tensor
    number: Tensor | None


def roomy(count: int) -> int:
    """`count` and up to an eighth more, so that lists of many lengths share plans and compiled code."""
    step = 1 << max(count.bit_length() - 4, 0)
    return -(-count // step) * step


def all_pairs(x: Tensor) -> Candidates:
    """Every point with every point."""
    count = cast("int", x.shape.get_size(POINTS))
    first, second = np.divmod(np.arange(count * count), max(count, 1))
    along = instance(CANDIDATES)
    return Candidates(
        wrap(first, along), wrap(second, along), wrap(np.ones(count * count, bool), along), None
    )


def by_tree(x: Tensor, reach: Tensor, domain: Domain | None, component: str) -> Candidates:
    """Pairs within `reach` and a bit more, to be told apart by the arithmetic of the device."""
    batch = x.shape.without((POINTS, component))
    arrays = numbers_of(x, [batch.names, POINTS, component])
    reaches = _per_entry(reach, batch)
    boxes = _boxes(domain, batch, component)
    found = [
        _pairs(points.astype(np.float64), radius, None if boxes is None else boxes[i], _rounding(x))
        for i, (points, radius) in enumerate(zip(arrays, reaches, strict=True))
    ]
    length = roomy(max((len(pairs) for pairs in found), default=0))
    listed = np.zeros((len(found), 2, length), np.int64)
    for row, pairs in zip(listed, found, strict=True):
        row[:, : len(pairs)] = pairs.T
    counts = np.asarray([len(pairs) for pairs in found])
    sizes = [cast("int", dim.size) for dim in batch.dims]

    def spread(array: Any) -> Tensor:
        return wrap(
            array.reshape(*sizes, length), *(Shape.of((d,)) for d in batch.dims), instance(CANDIDATES)
        )

    valid = np.arange(length) < counts[:, None]
    return Candidates(spread(listed[:, 0]), spread(listed[:, 1]), spread(valid), None)


def _pairs(points: Any, radius: float, box: Any, rounding: float) -> Any:
    """Ordered pairs of different points, in both directions, and of each point with itself `(pairs, 2)`."""
    from scipy import spatial

    count = len(points)
    with_itself = np.repeat(np.arange(count)[:, None], 2, 1)
    if count < 2:
        return with_itself
    if box is not None:
        points = cast("Any", np.where(box > 0, points % np.where(box > 0, box, 1), points))
        points[(box > 0) & (points >= box)] = 0  # of negative numbers close to 0
    radius = radius * (1 + rounding) + rounding * float(np.abs(points).max(initial=0))
    one_way: Any = spatial.cKDTree(points, boxsize=box).query_pairs(radius, output_type="ndarray")
    pairs = np.concatenate([with_itself, one_way, one_way[:, ::-1]])
    return pairs[np.argsort(pairs[:, 0], kind="stable")]


def _rounding(x: Tensor) -> float:
    """Relative error of differences and squares."""
    return 16 * float(np.finfo(np.float32 if x.dtype.bits >= 32 else np.float16).eps)


def _per_entry(value: Tensor, batch: Shape) -> Any:
    """One number per batch entry."""
    return numbers_of(expand(value, batch), [batch.names])


def _boxes(domain: Domain | None, batch: Shape, component: str) -> Any:
    """Period per batch entry and component, 0 where there is none; None without domain."""
    if domain is None or domain.period is None:
        return None
    return numbers_of(expand(stop_gradient(domain.period), batch), [batch.names, component]).astype(
        np.float64
    )
