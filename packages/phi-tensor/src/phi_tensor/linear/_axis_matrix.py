"""Matrices (n, n) along one dim: NumPy arrays, of long dims SciPy's sparse arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

LONGEST_DENSE = 128
"""Dims with more entries have sparse matrices."""


def is_sparse(matrix: Any) -> bool:
    return not isinstance(matrix, np.ndarray)


def empty(n: int) -> Any:
    """0."""
    return np.zeros((n, n)) if n <= LONGEST_DENSE else _sparse().csr_array((n, n))


def diagonal(values: Any) -> Any:
    """Matrix with these values on the diagonal."""
    if len(values) <= LONGEST_DENSE:
        return np.diag(values)
    return _sparse().csr_array(_sparse().diags_array(values))


def entries(n: int, rows: Any, columns: Any, weights: Any) -> Any:
    """Matrix of the sums of weights by place."""
    if n > LONGEST_DENSE:
        return _sparse().csr_array(_sparse().coo_array((weights, (rows, columns)), (n, n)))
    matrix = np.zeros((n, n), weights.dtype)
    np.add.at(matrix, (rows, columns), weights)
    return matrix


def row_sum(matrix: Any, row: int) -> float:
    """Sum of the entries of one row."""
    return float(matrix[[row], :].sum())


def largest(matrix: Any) -> float:
    """Size of the largest entry."""
    return float(abs(matrix).max()) if matrix.shape[0] else 0.0


def _sparse() -> Any:
    import scipy.sparse

    return scipy.sparse
