"""The transpose of padding: what lies outside is added to the inner entries that it was copied from."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from phi_tensor._create import wrap
from phi_tensor._errors import Unsupported
from phi_tensor._extrapolation import Extrapolation
from phi_tensor._extrapolation_resolved import PerComponent, Side, resolved
from phi_tensor._extrapolation_sides import Chosen
from phi_tensor._padding import ABSENT, Kind, runs
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.ops._padding import pad
from phi_tensor.ops._reductions import sum_
from phi_tensor.ops._structure import expand, flip


def unpad(value: Tensor, widths: dict[str, tuple[int, int]], rule: Extrapolation) -> Tensor:
    """Pᵀ · `value` for the linear part P of padding by `widths` with `rule`; constants contribute nothing."""
    if isinstance(rule, Chosen):
        raise Unsupported(f"Padding by {rule!r} has no transpose. Use one rule per side.")
    sides, _ = resolved(rule, tuple(widths), value.shape)
    if isinstance(sides, PerComponent):
        raise Unsupported(
            f"Padding by {rule!r}, which differs between components, has no transpose. Take one component."
        )
    for (name, (low, up)), pair in zip(widths.items(), sides, strict=True):
        value = _along(value, name, (low, up), pair)
    return value


def _along(value: Tensor, name: str, widths: tuple[int, int], pair: tuple[Side, Side]) -> Tensor:
    low, up = (0 if side is ABSENT and w > 0 else w for w, side in zip(widths, pair, strict=True))
    size = cast("int", value.shape.get_size(name)) - low - up
    total = pad(value, {name: (-low, -up)}, 0)
    ends = ((pair[0], True, 0, max(low, 0)), (pair[1], False, low + size, max(up, 0)))
    for side, lower, start, width in ends:
        if isinstance(side, Kind) and width:
            outside = value[{name: slice(start, start + width)}]
            for part in _folded(outside, name, side, lower, size):
                total = total + part
    return total


def _folded(outside: Tensor, name: str, kind: Kind, lower: bool, size: int) -> list[Tensor]:
    """What the values outside on one side add to the `size` inner ones: the transpose of `_padding.Run`."""
    parts: list[Tensor] = []
    width = cast("int", outside.shape.get_size(name))
    start = 0
    for run in runs(kind, size, lower, width):
        values = outside[{name: slice(start, start + run.count)}]
        start += run.count
        weights, below, above = (
            _weights(list(column), values.shape[name]) for column in zip(*run.weights, strict=True)
        )
        piece, first = values * weights, run.start
        if run.step == 0:
            piece = _summed(piece, name)
        elif run.step < 0:
            piece, first = flip(piece, name), run.start - run.count + 1
        parts.append(_placed(piece, name, first, size))
        for slope, edge in ((below, 0), (above, size - 1)):
            if isinstance(slope, Tensor) or slope:
                parts.append(_placed(_summed(values * slope, name), name, edge, size))
    return parts


def _weights(column: list[int], along: Shape) -> Any:
    """Weights of consecutive values: one number, or a tensor along their dim."""
    return column[0] if len(set(column)) == 1 else wrap(np.array(column), along)


def _summed(x: Tensor, name: str) -> Tensor:
    one: Any = expand(sum_(x, name), Shape.of((x.shape.get_dim(name).with_size(1),)))
    return one


def _placed(x: Tensor, name: str, start: int, size: int) -> Tensor:
    count = cast("int", x.shape.get_size(name))
    placed: Any = pad(x, {name: (start, size - start - count)}, 0)
    return placed
