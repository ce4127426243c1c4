"""SciPy: the matrix of the Laplacian of a closed box, assembled by Kronecker sums."""

from types import SimpleNamespace

import numpy as np
from scipy import sparse


def laplacian(n: int, rank: int) -> sparse.csr_matrix:
    """Σ over axes, 32 bit."""
    diagonal = np.full(n, -2, np.float32)
    diagonal[[0, -1]] = -1
    line = sparse.diags([np.ones(n - 1, np.float32), diagonal, np.ones(n - 1, np.float32)], [-1, 0, 1])
    total = line
    for _ in range(rank - 1):
        total = sparse.kronsum(total, line, format="csr")
    return total


def assembled(n: int, rank: int):
    def build():
        def call() -> SimpleNamespace:
            matrix = laplacian(n, rank)
            return SimpleNamespace(matrix=matrix, natives=(matrix.data,))

        return call

    return build


def size(n: int, rank: int) -> int:
    """Bytes of the matrix as CSR."""
    matrix = laplacian(n, rank)
    return matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes
