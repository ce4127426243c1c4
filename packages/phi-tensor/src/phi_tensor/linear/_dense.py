"""Direct solution of small systems by LU decomposition of the dense matrix, on the device."""

from __future__ import annotations

from phi_tensor._tensor import Tensor
from phi_tensor.linear._operator import CONSTANTS, LinearOperator
from phi_tensor.linear._refine import Direct
from phi_tensor.ops._linalg import solve_dense
from phi_tensor.ops._reductions import mean

LARGEST = 1024
"""Unknowns up to which `auto` decomposes dense matrices."""


def dense_way(operator: LinearOperator) -> Direct:
    """R ↦ A⁻¹ r. Where constants are null, A + s·11ᵀ/n stands for A, which only moves the mean."""
    assert operator.matrix is not None
    matrix = operator.matrix(operator.coefficients)
    if CONSTANTS in operator.tags:
        columns = matrix.shape.dual.names
        size = mean(abs(matrix), (*operator.codomain.names, *columns))
        matrix = matrix + size
    rows = operator.codomain.names

    def solve(r: Tensor) -> tuple[Tensor, int]:
        return solve_dense(matrix, r, rows=rows), 0

    return solve
