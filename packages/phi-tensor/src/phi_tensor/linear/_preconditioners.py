"""Preconditioners that need nothing but the operator: its diagonal, and Chebyshev polynomials of it.

Made inside of the solve from the operator's coefficients, so that derivatives never go through them.
"""

from __future__ import annotations

from collections.abc import Callable

from phi_tensor._create import ones_like
from phi_tensor._errors import Unsupported
from phi_tensor._tensor import Tensor
from phi_tensor.linear._norm import largest_eigenvalue
from phi_tensor.linear._operator import LinearOperator
from phi_tensor.linear._problem import Function
from phi_tensor.ops._elementwise import safe_div, where

DEGREE = 4
"""Products with A in one application of the Chebyshev preconditioner, less one."""
SPREAD = 30.0
"""Ratio of largest to smallest eigenvalue that the polynomial damps best."""


def jacobi(operator: LinearOperator, example: Tensor) -> Function:
    """R ↦ r / diagonal; entries where the diagonal is 0 stay."""
    inverse = _inverse_diagonal(operator)
    del example
    return lambda r: inverse * r


def chebyshev(operator: LinearOperator, example: Tensor) -> Function:
    """R ↦ p(D⁻¹A) D⁻¹ r, with p the Chebyshev polynomial for the upper part of the spectrum.

    Saad, *Iterative Methods for Sparse Linear Systems*, alg. 12.1; the largest eigenvalue by power iteration.
    """
    apply = operator.many()
    names = operator.domain.names
    inverse = _inverse_diagonal(operator) if operator.diagonal is not None else None

    def scaled(v: Tensor) -> Tensor:
        return v if inverse is None else inverse * v

    top = largest_eigenvalue(lambda v: scaled(apply(v)), example, names) * 1.1
    bottom = top / SPREAD
    centre, radius = (top + bottom) / 2, (top - bottom) / 2

    def precondition(r: Tensor) -> Tensor:
        sigma = centre / radius
        rho = 1 / sigma
        d = safe_div(scaled(r), centre)
        z = d
        for _ in range(DEGREE - 1):
            following = 1 / (2 * sigma - rho)
            d = following * rho * d + safe_div(2 * following, radius) * scaled(r - apply(z))
            z, rho = z + d, following
        return z

    return precondition


def _inverse_diagonal(operator: LinearOperator) -> Tensor:
    if operator.diagonal is None:
        raise Unsupported(
            "The preconditioner 'jacobi' needs the diagonal of the operator, which nothing shows here. "
            "Pass a "
            "matrix, or a function `r ↦ z` as `Solve(preconditioner=…)`."
        )
    diagonal = operator.diagonal(operator.coefficients)
    return where(diagonal == 0, ones_like(diagonal), safe_div(1, diagonal))


NAMED: dict[str, Callable[[LinearOperator, Tensor], Function]] = {"jacobi": jacobi, "chebyshev": chebyshev}
"""Preconditioners by name."""
