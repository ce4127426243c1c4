"""Preconditioners of traced functions that couple neighbours on a grid: the terms as matrices of these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import cast

import numpy as np

from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.linear._box_preconditioner import Box, suitable_box
from phi_tensor.linear._multigrid import multigrid
from phi_tensor.linear._properties import numbers
from phi_tensor.linear._stencil import Stencil
from phi_tensor.linear._terms import zeros_of
from phi_tensor.linear._traced import Traced
from phi_tensor.ops import _table as table
from phi_tensor.ops._structure import expand

Offset = tuple[int, ...]


@dataclass(frozen=True)
class NeighborForm:
    """What the numbers of a matrix of neighbours tell, for others of its form.

    Attributes:
        sign: 1 where no coefficient beside the diagonal is positive, -1 where none is negative.
        periodic: Axes whose outermost cells are linked to the other side.
        box: What the matrix would be without obstacles; None for matrices of another form.
    """

    sign: int
    periodic: frozenset[str]
    box: Box | None = None

    def matrix(self, function: Traced) -> Stencil:
        """The matrix with positive links of which the product with `sign` is that of a function."""
        (block,), offsets = function.unknown.blocks, function.offsets()
        assert offsets is not None
        remainder = expand(reduce(table.ADD, offsets.values()), block)
        if self.sign < 0:
            offsets = {offset: table.NEGATIVE(c) for offset, c in offsets.items()}
            remainder = table.NEGATIVE(remainder)
        return Stencil(remainder, *_links(offsets, block, remainder), self.periodic)

    def preconditioner(self, function: Traced) -> Callable[[Tensor], Tensor]:
        """Function z ≈ A⁻¹ r by one cycle of multigrid.

        It is symmetric, and has the sign of A, where A is symmetric with a diagonal at least as large as the
        sum of its links.
        """
        return self._signed(multigrid(self.matrix(function)))

    def by_transform(self, function: Traced) -> Callable[[Tensor], Tensor]:
        """Function z ≈ A⁻¹ r by transforms of the box, with the sign of A."""
        assert self.box is not None
        return self._signed(self.box.preconditioner(self.matrix(function)))

    def _signed(self, approximate: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        return approximate if self.sign > 0 else lambda r: -approximate(r)


def neighbor_form(function: Traced) -> NeighborForm | None:
    """Form of a traced function that couples nearest neighbours by links of one sign.

    None for others, and where the numbers of the coefficients are not known.
    """
    if len(function.outputs) != 1 or len(function.unknown.blocks) != 1:
        return None
    offsets, block = function.offsets(), function.unknown.blocks[0]
    if not offsets or not all(_is_near(offset) for offset in offsets):
        return None
    sign = _sign([coefficient for offset, coefficient in offsets.items() if any(offset)])
    if not sign:
        return None
    lower, upper = _links(offsets, block, next(iter(offsets.values())))
    leaving = {n for n in lower if _leaves(lower[n], n, 0) or _leaves(upper[n], n, -1)}
    form = NeighborForm(sign, frozenset(leaving))
    return replace(form, box=suitable_box(form.matrix(function)))


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


def _links(
    offsets: Mapping[Offset, Tensor], block: Shape, like: Tensor
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Links to the neighbours below and above by axis: the coefficients with opposite sign."""
    lower: dict[str, Tensor] = {}
    upper: dict[str, Tensor] = {}
    none = zeros_of(block, like.dtype)
    for axis, name in enumerate(block.names):
        below, above = (
            offsets.get(tuple(step if i == axis else 0 for i in range(block.rank))) for step in (-1, 1)
        )
        if below is None and above is None:
            continue
        lower[name] = none if below is None else expand(table.NEGATIVE(below), block)
        upper[name] = none if above is None else expand(table.NEGATIVE(above), block)
    return lower, upper


def _leaves(links: Tensor, name: str, cell: int) -> bool:
    """Whether the outermost cells are linked to the other side."""
    outermost = links[{name: cell % cast("int", links.shape.get_size(name))}]
    return bool((numbers(outermost) != 0).any())
