"""The transpose of interpolation: values at points summed into the samples around them."""

from __future__ import annotations

from functools import reduce
from itertools import product
from operator import mul
from typing import Any, cast

import numpy as np

import phi_tensor as math
from phi_field.sampling._components import axes_dim
from phi_tensor import Shape, Tensor, instance, spatial, wrap
from phi_tensor.extrapolation import PERIODIC, Extrapolation, remove_constant_offset


def deposited(
    values: Tensor, at: Tensor, sizes: Shape, boundary: Extrapolation, axes: tuple[str, ...]
) -> Tensor:
    """Values added to the 2ᵈ neighbours of each point, on a grid with one layer around it.

    Which is then folded back.
    """
    pairs = [
        _neighbors(at.vector[axis], cast("int", sizes.get_size(axis)), boundary.side(axis, True) == PERIODIC)
        for axis in axes
    ]
    base = math.zeros(sizes + 2, dtype=float)
    for corner in product((0, 1), repeat=len(axes)):
        chosen = [pair[i] for pair, i in zip(pairs, corner, strict=True)]
        index = math.stack([where for where, _ in chosen], axes_dim(axes, False))
        base = math.scatter(base, index, reduce(mul, [share for _, share in chosen], values), "add", "clamp")
    for axis in axes:
        base = _folded(base, axis, boundary)
    return base


def _neighbors(at: Tensor, size: int, periodic: bool) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """`(index, weight)` of the lower and the upper neighbour of positions along one axis.

    Counted from the layer below the grid.
    """
    at = at - size * math.floor(at / size) if periodic else math.clip(at, -1, size)
    lower = math.clip(math.floor(math.stop_gradient(at)), -1, size - 1)
    share = at - lower
    index = math.to_int32(lower) + 1
    return (index, 1 - share), (index + 1, share)


def _folded(values: Tensor, axis: str, boundary: Extrapolation) -> Tensor:
    """Transpose of padding by one layer along an axis.

    What lies outside goes where the boundary would have taken it from.
    """
    size = cast("int", values.shape.get_size(axis)) - 2
    inner = values.sliced(((axis, (slice, 1, -1, None)),))
    for outer, weights in _sources(boundary, axis, size):
        inner = inner + weights * values.sliced(((axis, outer),))
    return inner


def _sources(boundary: Extrapolation, axis: str, size: int) -> list[tuple[int, Tensor]]:
    """`(position, weights)` of each layer outside.

    The linear combination of inner values that the boundary puts there.
    """
    kept: dict[Any, list[tuple[int, Tensor]]] = vars(boundary).setdefault("_sources", {})
    if (axis, size) not in kept:
        unit = wrap(np.eye(size), spatial(axis), instance("_inner"))
        padded = math.pad(unit, {axis: (1, 1)}, remove_constant_offset(boundary))
        layers = [
            (outer, math.rename_dims(padded.sliced(((axis, outer),)), "_inner", spatial(axis)))
            for outer in (0, size + 1)
        ]
        kept[axis, size] = layers if padded.shape.get_size(axis) == size + 2 else []
    return kept[axis, size]
