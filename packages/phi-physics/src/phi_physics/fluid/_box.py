"""The Laplacian of a box of cells, of which solves know the modes."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import lru_cache, reduce
from operator import add
from typing import Any, Literal, cast

import numpy as np

import phi_tensor as math
from phi_tensor import LinearOperator, Shape, Tensor
from phi_tensor.extrapolation import PERIODIC, ZERO_GRADIENT

End = Literal["periodic", "closed", "open"]
Ends = tuple[End, End]
"""What lies below and above a line of cells."""

_RULES: dict[End, Any] = {"periodic": PERIODIC, "closed": ZERO_GRADIENT, "open": 0}
"""Values outside of a side."""
LONGEST_MIXED = 4096
"""Most cells between a closed and an open end, whose modes have no fast transform."""


def has_transforms(cells: Shape, ends: Mapping[str, Ends]) -> bool:
    """Whether transforms solve the box's equation."""
    return all(
        pair[0] == pair[1] or cast("int", cells.get_size(axis)) <= LONGEST_MIXED
        for axis, pair in ends.items()
    )


def box_laplacian(cells: Shape, ends: Mapping[str, Ends], dx: Tensor) -> LinearOperator:
    """∇² = Σ D²/dx² at cell centers with closed, open or periodic ends.

    Beyond a closed end is the same value as in the outermost cell, beyond an open one 0.

    Args:
        cells: Spatial dims.
        ends: What lies below and above the cells, per axis.
        dx: Cell size `(vector)`.
    """
    pairs = tuple(ends.items())
    if dx.available and dx.rank == 1:
        return _of_spacing(cells, pairs, tuple(float(dx.vector[axis]) for axis in ends))
    return _form(cells, pairs).with_coefficients(tuple(1 / dx.vector[axis] ** 2 for axis in ends))


@lru_cache(64)
def _of_spacing(cells: Shape, ends: tuple[tuple[str, Ends], ...], dx: tuple[float, ...]) -> LinearOperator:
    with math.precision(64):
        return _form(cells, ends).with_coefficients(tuple(math.wrap(h**-2) for h in dx))


@lru_cache(64)
def _form(cells: Shape, ends: tuple[tuple[str, Ends], ...]) -> LinearOperator:
    """The operator for dx = 1."""

    def apply(scales: tuple[Tensor, ...], p: Tensor) -> Tensor:
        parts = zip(scales, ends, strict=True)
        return reduce(add, (scale * _second_difference(p, axis, pair) for scale, (axis, pair) in parts))

    names = tuple(axis for axis, _ in ends)
    matrices = {axis: _matrix(cast("int", cells.get_size(axis)), pair) for axis, pair in ends}
    return LinearOperator(
        cells,
        cells,
        apply,
        apply,
        (math.wrap(1.0),) * len(names),
        axis_matrices=matrices,
        axis_scales=lambda scales: dict(zip(names, scales, strict=True)),
    )


def _second_difference(p: Tensor, axis: str, ends: Ends) -> Tensor:
    lower, upper = _RULES[ends[0]], _RULES[ends[1]]
    padded = math.pad(math.pad(p, {axis: (1, 0)}, lower), {axis: (0, 1)}, upper)
    if "periodic" in ends:
        padded = math.pad(p, {axis: (1, 1)}, PERIODIC)
    return padded[{axis: slice(2, None)}] + padded[{axis: slice(None, -2)}] - 2 * p


def _matrix(n: int, ends: Ends) -> Any:
    """D² of `n` cells."""
    sparse: Any = importlib.import_module("scipy.sparse")  # takes longer to load than this package
    first, last = (end == "closed" for end in ends)
    middle = np.full(n, -2.0)
    middle[0] += first
    middle[-1] += last
    beside = np.ones(n - 1)
    matrix = sparse.diags_array([beside, middle, beside], offsets=[-1, 0, 1]).tolil()
    if "periodic" in ends:
        matrix[0, n - 1] += 1
        matrix[n - 1, 0] += 1
    return matrix.tocsr()
