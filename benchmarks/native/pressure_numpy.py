"""Eager NumPy/SciPy: projection of a velocity in a closed or periodic box by direct transforms."""

import numpy as np
from scipy import fft

from . import data


def by_matrices(n: int, boundary: str):
    """Solver `(n, n) → (n, n)` by four products with the eigenvectors of the 1D Laplacian."""
    basis, _ = data.modes(n, boundary)
    scale = data.inverse_eigenvalues(n, boundary)

    def solve(b: np.ndarray) -> np.ndarray:
        return basis @ ((basis.T @ b @ basis) * scale) @ basis.T

    return solve


def by_transform(n: int, boundary: str):
    """Solver by fast cosine (closed) or Fourier (periodic) transform."""
    if boundary == "closed":
        scale = data.inverse_eigenvalues(n, boundary)
        return lambda b: fft.idctn(fft.dctn(b) * scale, overwrite_x=True)
    scale = data.inverse_fourier_eigenvalues(n)
    return lambda b: fft.irfft2(fft.rfft2(b) * scale, s=(n, n))


def projection(solve, boundary: str):
    """Projection `(u, v) → (u, v, p)` of a velocity at faces with a solver for the pressure."""

    def closed(u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, ...]:
        walled_u, walled_v = np.pad(u, ((1, 1), (0, 0))), np.pad(v, ((0, 0), (1, 1)))
        p = solve(walled_u[1:] - walled_u[:-1] + walled_v[:, 1:] - walled_v[:, :-1])
        return u - (p[1:] - p[:-1]), v - (p[:, 1:] - p[:, :-1]), p

    def periodic(u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, ...]:
        p = solve(np.roll(u, -1, axis=0) - u + np.roll(v, -1, axis=1) - v)
        return u - (p - np.roll(p, 1, axis=0)), v - (p - np.roll(p, 1, axis=1)), p

    return {"closed": closed, "periodic": periodic}[boundary]


def pressure(method, n: int, boundary: str):
    def build():
        project, (u, v) = projection(method(n, boundary), boundary), data.velocity(n, boundary)
        return lambda: project(u, v)

    return build


TASKS = {
    f"pressure {boundary} {n}": {
        "matrices": pressure(by_matrices, n, boundary),
        "transform": pressure(by_transform, n, boundary),
    }
    for boundary in ("closed", "periodic")
    for n in data.SIZES
}
