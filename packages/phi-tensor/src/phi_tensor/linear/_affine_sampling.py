"""Traced grids that are sampled at known points: a weighted look-up per corner of a cell."""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple, cast

import numpy as np

from phi_tensor._context import context_dtype
from phi_tensor._create import wrap
from phi_tensor._dtype import FLOAT32
from phi_tensor._extrapolation_resolved import PerComponent
from phi_tensor._padding import Kind
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._layout import Parts
from phi_tensor.linear._affine_elementwise import is_traced
from phi_tensor.linear._affine_grid import with_bias
from phi_tensor.linear._affine_plan import (
    Call,
    by_entries,
    entries,
    handler,
    side_by_side,
    splitter,
    untraceable,
)
from phi_tensor.linear._affine_structure import on_numpy
from phi_tensor.linear._terms import fitted, without_bias
from phi_tensor.ops import _table as table
from phi_tensor.ops._cubic import catmull_rom


class Tap(NamedTuple):
    """One of the samples along a dim that points lie between.

    Attributes:
        at: Positions inside of the grid.
        weight: Their weights.
    """

    at: Tensor
    weight: Tensor


@splitter("grid_sample")
def sample_parts(call: Call) -> Tensor | None:
    """Part by part along dims that are not sampled; points are joined or taken apart."""
    x, points, *_ = call.operands
    names, index, sides = (call.parameters[key] for key in ("names", "index", "sides"))
    if isinstance(sides, PerComponent):
        return sample_each(call)
    if isinstance(x.layout, Parts):
        if x.layout.dim.name in names:
            return None
        keep = (1,) if x.layout.dim.name == index else ()
        return by_entries(call, x.layout.dim.name, keep)
    if points.shape.is_uniform:
        return None
    split = next(d.over[0] for d in points.shape.non_uniform.dims)
    whole = tuple(i for i in range(len(call.operands)) if i != 1)
    return by_entries(call, split, () if split in x.shape and split not in names else whole)


def sample_each(call: Call) -> Tensor:
    """Samples of components that have their own rules outside."""
    dim, sides = call.parameters["sides"]
    x, points, *outside = call.operands
    parts: list[Tensor] = []
    for i, part in enumerate(entries(x, dim)):
        at = ((dim, i),)
        own = points.sliced(at) if dim in points.shape and dim != call.parameters["index"] else points
        constants = [c.sliced(at) if isinstance(c, Tensor) and dim in c.shape else c for c in outside]
        parts.append(call.row(part, own, *constants, **{**call.parameters, "sides": sides[i]}))
    return side_by_side(parts, x.shape.get_dim(dim))


@handler("grid_sample")
def sample(call: Call) -> Tensor:
    """Sum over the samples around each point."""
    x, points, *constants = call.operands
    names, index, sides, give = (call.parameters[key] for key in ("names", "index", "sides", "give"))
    if isinstance(sides, PerComponent):
        return sample_each(call)
    if any(is_traced(c) for c in constants):
        raise untraceable(call.row, "values outside depend on the unknown. ")
    if give not in ("value", "cubic"):
        raise untraceable(call.row, f"`{give}` of cells are not written as sums of look-ups. ")
    if not points.available:
        raise untraceable(call.row, "the points have no numbers yet. ")
    points = on_numpy(points)  # first: in compiled functions slices of constants have no numbers
    components = [points.sliced(((index, i),)) for i in range(len(names))]
    sizes = [cast("int", x.shape.get_size(name)) for name in names]
    taps = [
        _taps(component, n, pair, cubic=give == "cubic")
        for component, n, pair in zip(components, sizes, sides, strict=True)
    ]
    linear, dim = without_bias(x), points.shape.get_dim(index)
    shape = merge_shapes(*(c.shape for c in components))
    total: Any = None
    for corner in product(*taps):
        at = table.STACK(*(fitted(tap.at, shape) for tap in corner), dim=dim)
        found = table.GATHER(linear, at, names=names, index=index)
        for tap in corner:
            found = table.MULTIPLY(found, tap.weight)
        total = found if total is None else table.ADD(total, found)
    return with_bias(call, total, tuple(constants))


def _taps(points: Tensor, n: int, pair: tuple[Any, Any], cubic: bool) -> list[Tap]:
    """Two or four samples along one dim, those outside where the rules find them."""
    order = points.shape
    at = points.numpy(order.names).astype(context_dtype(FLOAT32).numpy)
    base = np.floor(at)
    rest = at - base
    weights: Any = catmull_rom(rest, np.add, np.multiply) if cubic else [1 - rest, rest]
    first = -1 if cubic else 0
    return [
        tap
        for k, weight in enumerate(weights)
        for tap in _tap_or_slope(base.astype(np.int64) + first + k, weight, n, pair, order)
    ]


def _tap_or_slope(at: Any, weight: Any, n: int, pair: tuple[Any, Any], order: Shape) -> list[Tap]:
    """Sample at integer positions, outside by the rules, which may add multiples of the edge values."""
    zero = np.zeros_like(at)
    index, sign, first, last = np.clip(at, 0, n - 1), zero + 1, zero, zero
    for side, outside in zip(pair, (at < 0, at >= n), strict=True):
        if not isinstance(side, Kind):
            sign = np.where(outside, 0, sign)
            continue
        found, weights = side.index(at, n)
        index, sign = np.where(outside, found, index), np.where(outside, weights, sign)
        if side.offset is not None:
            below, above = side.offset(at, n)
            first, last = np.where(outside, below, first), np.where(outside, above, last)
    places = [(index, sign), (zero, first), (zero + n - 1, last)]
    return [Tap(wrap(i, order), wrap(weight * w, order)) for i, w in places if w is sign or w.any()]
