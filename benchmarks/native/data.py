"""Inputs that native, peer and ours share: NumPy arrays, 32 bit, the same in every process."""

import numpy as np

G = 0.01
BUOYANCY = 0.1
STEPS = 32
SIZES = (64, 128, 256)
BODIES = 4096


def grids(n: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Two random arrays `(x, y)`."""
    rng = np.random.default_rng(0)
    return tuple(rng.standard_normal((2, n, n)).astype(np.float32))


def vectors(n: int = 8) -> np.ndarray:
    """Random vectors `(x, y, vector)`."""
    return np.random.default_rng(1).standard_normal((n, n, 2)).astype(np.float32)


def coordinates(n: int = 64) -> np.ndarray:
    """Index coordinates `(x, y, vector)` [cells], some of them outside of the grid."""
    return np.random.default_rng(2).uniform(-2, n + 1, (n, n, 2)).astype(np.float32)


def velocity(n: int, boundary: str) -> tuple[np.ndarray, np.ndarray]:
    """Smooth divergent velocity at faces: inner faces of a closed box, lower faces of a periodic one."""
    faces = np.arange(1, n) / n if boundary == "closed" else np.arange(n) / n
    centres = (np.arange(n) + 0.5) / n
    u = np.sin(2 * np.pi * faces)[:, None] * np.cos(4 * np.pi * centres)[None, :]
    v = np.cos(6 * np.pi * centres)[:, None] * np.sin(2 * np.pi * faces)[None, :]
    return u.astype(np.float32), v.astype(np.float32)


def smoke(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A blob in a vortex: smoke `(n, n)` at centres, velocity u `(n-1, n)`, v `(n, n-1)` at inner faces.

    Cells and time step have length 1; the box is closed.
    """
    edges, centres = np.arange(1, n) / n, (np.arange(n) + 0.5) / n
    u = 1.5 * np.sin(np.pi * edges)[:, None] * np.cos(np.pi * centres)[None, :]
    v = -1.5 * np.cos(np.pi * centres)[:, None] * np.sin(np.pi * edges)[None, :]
    blob = np.exp(-60 * ((centres[:, None] - 0.5) ** 2 + (centres[None, :] - 0.3) ** 2))
    return blob.astype(np.float32), u.astype(np.float32), v.astype(np.float32)


def target(n: int) -> np.ndarray:
    """Smoke `(n, n)` that the gradient case compares with."""
    centres = (np.arange(n) + 0.5) / n
    blob = np.exp(-60 * ((centres[:, None] - 0.6) ** 2 + (centres[None, :] - 0.6) ** 2))
    return blob.astype(np.float32)


def bodies(n: int = BODIES) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions `(n, 3)`, velocities `(n, 3)` and masses `(n,)`."""
    rng = np.random.default_rng(3)
    x, v = rng.standard_normal((2, n, 3)).astype(np.float32)
    return x, 0.1 * v, rng.uniform(0.5, 1.5, n).astype(np.float32)


def modes(n: int, boundary: str) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal eigenvectors (columns) and eigenvalues of the 1D Laplacian [1, -2, 1] on a box.

    Args:
        n: Number of cells; even where periodic.
        boundary: `closed` (Neumann, the basis of the DCT-II) or `periodic` (cosines and sines).
    """
    i, k = np.arange(n), np.arange(n)
    if boundary == "closed":
        basis = np.cos(np.pi * np.outer(i + 0.5, k) / n)
        wave = np.pi * k / n
    else:
        turns = (k + 1) // 2  # 0, 1, 1, 2, 2, …, n/2
        phase = 2 * np.pi * np.outer(i, turns) / n
        basis = np.where(k % 2 == 0, np.cos(phase), np.sin(phase))
        basis[:, n - 1] = np.cos(np.pi * i)
        wave = 2 * np.pi * turns / n
    basis /= np.linalg.norm(basis, axis=0)
    return basis.astype(np.float32), 2 * np.cos(wave) - 2


def inverse_eigenvalues(n: int, boundary: str) -> np.ndarray:
    """Reciprocal eigenvalues `(n, n)` of the 2D Laplacian in the order of `modes`, 0 for the mean."""
    return _reciprocal(*[modes(n, boundary)[1]] * 2)


def inverse_fourier_eigenvalues(n: int) -> np.ndarray:
    """Reciprocal eigenvalues `(n, n // 2 + 1)` of the periodic 2D Laplacian in the order of `rfft2`."""
    wave = 2 * np.pi * np.fft.fftfreq(n)
    values = 2 * np.cos(wave) - 2
    return _reciprocal(values, values[: n // 2 + 1])


def _reciprocal(along_x: np.ndarray, along_y: np.ndarray) -> np.ndarray:
    total = along_x[:, None] + along_y[None, :]
    total[0, 0] = np.inf
    return (1 / total).astype(np.float32)
