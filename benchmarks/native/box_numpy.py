"""NumPy/SciPy: Poisson's equation in a box without obstacles, by matrices of modes or by fast transforms."""

import numpy as np
from scipy import fft

from . import poisson


def along(x: np.ndarray, matrix: np.ndarray, axis: int) -> np.ndarray:
    """Product of every line along an axis with a matrix: Σᵢ xᵢ matrixᵢₖ."""
    if axis == x.ndim - 1:
        return x @ matrix
    if axis == 0:
        return (matrix.T @ x.reshape(len(x), -1)).reshape(x.shape)
    return np.matmul(matrix.T, x)


def by_matrices(n: int, rank: int, boundary: str, bits: int = 32):
    """Solver b ↦ x of ∇²x = b by products with the eigenvectors of the 1D Laplacians."""
    found = [poisson.modes(side, n) for side in poisson.SIDES[boundary][:rank]]
    dtype = poisson.float_type(bits)
    bases = [np.ascontiguousarray(basis, dtype) for basis, _ in found]
    scale = poisson.reciprocal([values for _, values in found]).astype(dtype)

    def solve(b: np.ndarray) -> np.ndarray:
        for axis, basis in enumerate(bases):
            b = along(b, basis, axis)
        b = b * scale
        for axis, basis in enumerate(bases):
            b = along(b, basis.T, axis)
        return b

    return solve


def by_transform(n: int, rank: int, boundary: str, bits: int = 32):
    """Solver by fast Fourier, cosine and sine transforms."""
    sides = poisson.SIDES[boundary][:rank]
    periodic, closed, opened = (
        [axis for axis, side in enumerate(sides) if side == kind] for kind in ("periodic", "closed", "open")
    )
    values = [poisson.wave_eigenvalues(side, n, axis in periodic[-1:]) for axis, side in enumerate(sides)]
    scale = poisson.reciprocal(values).astype(poisson.float_type(bits))

    def solve(b: np.ndarray) -> np.ndarray:
        if closed:
            b = fft.dctn(b, axes=closed)
        if opened:
            b = fft.dstn(b, type=1, axes=opened)
        b = (
            fft.irfftn(fft.rfftn(b, axes=periodic) * scale, [n] * len(periodic), periodic)
            if periodic
            else b * scale
        )
        if opened:
            b = fft.idstn(b, type=1, axes=opened, overwrite_x=True)
        return fft.idctn(b, axes=closed, overwrite_x=True) if closed else b

    return solve


METHODS = {"matrices": by_matrices, "transform": by_transform}


def box(method: str, n: int, rank: int, boundary: str):
    def build():
        solve, b = METHODS[method](n, rank, boundary), poisson.right_side(n, rank)
        return lambda: solve(b)

    return build
