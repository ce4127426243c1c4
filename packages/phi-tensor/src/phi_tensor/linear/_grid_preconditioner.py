"""Multigrid for traced functions that couple neighbours on a grid: their terms as matrices of neighbours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import cast

import numpy as np

from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.linear._multigrid import multigrid
from phi_tensor.linear._properties import numbers
from phi_tensor.linear._stencil import Stencil
from phi_tensor.linear._terms import zeros_of
from phi_tensor.linear._traced import Traced
from phi_tensor.ops import _table as table
from phi_tensor.ops._structure import expand

Offset = tuple[int, ...]


def grid_preconditioner(function: Traced) -> Callable[[Tensor], Tensor] | None:
    """Function z ≈ A⁻¹ r by one cycle of multigrid, where A couples nearest neighbours with one sign.

    It is symmetric and has the sign of A where A is symmetric with a diagonal at least as large as the sum of
    its links. None for other functions, and where the signs of the coefficients are not known.
    """
    found = neighbor_stencil(function)
    if found is None:
        return None
    matrix, sign = found
    cycle = multigrid(matrix)
    return cycle if sign > 0 else lambda r: -cycle(r)


def neighbor_stencil(function: Traced) -> tuple[Stencil, int] | None:
    """`(matrix with positive links, sign)` of which the product is A; None where A is no such matrix."""
    if len(function.outputs) != 1 or len(function.unknown.blocks) != 1:
        return None
    offsets, block = function.offsets(), function.unknown.blocks[0]
    if not offsets or not all(_is_near(offset) for offset in offsets):
        return None
    links = [coefficient for offset, coefficient in offsets.items() if any(offset)]
    sign = _sign(links)
    if not sign:
        return None
    whole = reduce(table.ADD, offsets.values())
    if sign < 0:
        offsets, whole = {o: table.NEGATIVE(c) for o, c in offsets.items()}, table.NEGATIVE(whole)
    return _of_offsets(offsets, expand(whole, block), block), sign


def _is_near(offset: Offset) -> bool:
    return sum(map(abs, offset)) <= 1


def _sign(links: list[Tensor]) -> int:
    """1 where no coefficient beside the diagonal is positive, -1 where none is negative, 0 else."""
    arrays = [numbers(link) for link in links]
    if not arrays or any(array is None or np.iscomplexobj(array) for array in arrays):
        return 0
    if all((array <= 0).all() for array in arrays):
        return 1
    return -1 if all((array >= 0).all() for array in arrays) else 0


def _of_offsets(offsets: Mapping[Offset, Tensor], remainder: Tensor, block: Shape) -> Stencil:
    lower: dict[str, Tensor] = {}
    upper: dict[str, Tensor] = {}
    none = zeros_of(block, remainder.dtype)
    for axis, name in enumerate(block.names):
        below, above = (
            offsets.get(tuple(step if i == axis else 0 for i in range(block.rank))) for step in (-1, 1)
        )
        if below is None and above is None:
            continue
        lower[name] = none if below is None else expand(table.NEGATIVE(below), block)
        upper[name] = none if above is None else expand(table.NEGATIVE(above), block)
    periodic = frozenset(
        name for name in lower if _leaves(lower[name], name, 0) or _leaves(upper[name], name, -1)
    )
    return Stencil(remainder, lower, upper, periodic)


def _leaves(links: Tensor, name: str, cell: int) -> bool:
    """Whether the outermost cells are linked to the other side."""
    outermost = links[{name: cell % cast("int", links.shape.get_size(name))}]
    return bool((numbers(outermost) != 0).any())
