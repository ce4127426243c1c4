"""Linear operators of matrices of neighbours: their multigrid, their null space, their transpose."""

from __future__ import annotations

from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.linear._box_preconditioner import suitable_box
from phi_tensor.linear._multigrid import multigrid
from phi_tensor.linear._operator import DEFINITE, SYMMETRIC, Apply, Coefficients, LinearOperator
from phi_tensor.linear._regions import closed_regions
from phi_tensor.linear._stencil import Stencil
from phi_tensor.ops._reductions import max_, min_
from phi_tensor.ops._structure import roll


def stencil_operator(
    matrix: Stencil, symmetric: bool | None = None, box: Stencil | None = None
) -> LinearOperator:
    """Operator A of a matrix of neighbours that offers transforms or multigrid and knows its null space.

    The null space of symmetric matrices is one constant per closed region: cells that are linked with each
    other, but not with anything outside.

    Args:
        matrix: A; differentiable in remainder and links. Cells without any entry are left alone: they and the
            right-hand side there count as 0.
        symmetric: Whether links agree in both directions and neither they nor remainders are negative; None:
            looked up where they are known numbers.
        box: What the matrix would be without obstacles, with one link per axis, of which it lacks some: then
            transforms of the box precondition. None: looked up where there are known numbers.
    """
    domain, given = matrix.remainder.shape.spatial, _coefficients(matrix)
    by: Apply = lambda c, x: _with(matrix, c) @ x  # noqa: E731 typed by its name
    if symmetric is None:
        symmetric = _is_symmetric(matrix)
    if not symmetric:
        return LinearOperator(domain, domain, by, lambda c, y: transposed(_with(matrix, c)) @ y, given)
    whole = suitable_box(matrix, box)
    return LinearOperator(
        domain,
        domain,
        by,
        by,
        given,
        tags=frozenset({SYMMETRIC, DEFINITE}),
        diagonal=lambda c: _with(matrix, c).diagonal,
        bound=lambda c: 2 * max_(_with(matrix, c).diagonal, domain),
        preconditioner=lambda c: multigrid(_with(matrix, c)),
        box=None if whole is None else lambda c: whole.preconditioner(_with(matrix, c)),
        null_space=lambda c: closed_regions(_with(matrix, c)),
    )


def _coefficients(matrix: Stencil) -> Coefficients:
    return (matrix.remainder, *matrix.lower.values(), *matrix.upper.values())


def _with(matrix: Stencil, coefficients: Coefficients) -> Stencil:
    remainder, *links = coefficients
    axes = matrix.axes
    lower, upper = links[: len(axes)], links[len(axes) :]
    return Stencil(
        remainder, dict(zip(axes, lower, strict=True)), dict(zip(axes, upper, strict=True)), matrix.periodic
    )


def _is_symmetric(matrix: Stencil) -> bool:
    """Whether known numbers are equal in both directions and none of them is negative."""
    for axis in matrix.axes:
        lower, upper = matrix.lower[axis], _shifted(matrix.upper[axis], axis, -1)
        if not (lower.available and upper.available):
            return False
        difference: Tensor = abs(lower - upper)
        if (
            float(max_(difference, _all)) > EQUAL * float(max_(abs(lower), _all))
            or float(min_(lower, _all)) < 0
        ):
            return False
    return matrix.remainder.available and float(min_(matrix.remainder, _all)) >= 0


EQUAL = 1e-6
"""Relative difference of links that count as equal: rounding in 32 bit."""


def transposed(matrix: Stencil) -> Stencil:
    """Aᵀ."""
    lower = {axis: _shifted(matrix.upper[axis], axis, -1) for axis in matrix.axes}
    upper = {axis: _shifted(matrix.lower[axis], axis, 1) for axis in matrix.axes}
    remainder = matrix.remainder
    for axis in matrix.axes:
        if matrix.size(axis) > 1:
            remainder = remainder + matrix.lower[axis] + matrix.upper[axis] - lower[axis] - upper[axis]
    return Stencil(remainder, lower, upper, matrix.periodic)


def _shifted(x: Tensor, axis: str, step: int) -> Tensor:
    """Entry i is that of x at i + step; links that leave the grid are 0 where it is not periodic."""
    return roll(x, -step, axis)


def _all(shape: Shape) -> Shape:
    return shape
