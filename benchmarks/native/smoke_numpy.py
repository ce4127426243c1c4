"""Eager NumPy: one smoke step in a closed box on a staggered grid.

Smoke s `(n, n)` by MacCormack, velocity u `(n-1, n)`, v `(n, n-1)` on inner faces by semi-Lagrangian
advection, buoyancy along y, projection. Outside, smoke has zero gradient and velocity is 0 from one cell on.
"""

import numpy as np
from scipy import ndimage

from . import data
from .pressure_numpy import by_matrices, by_transform, projection

HALF = np.float32(0.5)


def step_with(solve, sample):
    """Step `(s, u, v) → (s, u, v)` with a pressure solver and a bilinear sampler."""
    project = projection(solve, "closed")

    def step(s: np.ndarray, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, ...]:
        n = s.shape[0]
        walled_u, walled_v = np.pad(u, ((1, 1), (0, 0))), np.pad(v, ((0, 0), (1, 1)))
        s = advected_smoke(
            s, HALF * (walled_u[1:] + walled_u[:-1]), HALF * (walled_v[:, 1:] + walled_v[:, :-1])
        )
        mean_v = HALF * HALF * (walled_v[:-1, :-1] + walled_v[1:, :-1] + walled_v[:-1, 1:] + walled_v[1:, 1:])
        mean_u = HALF * HALF * (walled_u[:-1, :-1] + walled_u[1:, :-1] + walled_u[:-1, 1:] + walled_u[1:, 1:])
        i, j = np.ogrid[np.float32(0) : np.float32(n), np.float32(0) : np.float32(n)]
        u = sample(np.pad(u, 1), i[:-1] - u, j - mean_v)
        v = sample(np.pad(v, 1), i - mean_u, j[:, :-1] - v)
        v = v + np.float32(data.BUOYANCY) * HALF * (s[:, 1:] + s[:, :-1])
        u, v, _ = project(u, v)
        return s, u, v

    return step


def advected_smoke(s: np.ndarray, cu: np.ndarray, cv: np.ndarray) -> np.ndarray:
    """MacCormack with the result clipped to the four values around the look-up."""
    i, j = np.ogrid[np.float32(0) : np.float32(len(s)), np.float32(0) : np.float32(len(s))]
    values, fx, fy = corners(np.pad(s, 1, mode="edge"), i - cu, j - cv)
    forward = bilinear(values, fx, fy)
    backward = bilinear(*corners(np.pad(forward, 1, mode="edge"), i + cu, j + cv))
    low = np.minimum(np.minimum(values[0], values[1]), np.minimum(values[2], values[3]))
    high = np.maximum(np.maximum(values[0], values[1]), np.maximum(values[2], values[3]))
    return np.minimum(np.maximum(forward + HALF * (s - backward), low), high)


def corners(padded: np.ndarray, x: np.ndarray, y: np.ndarray):
    """Four values around `(x, y)`, weights of the upper ones; index 0 is the first inside the padding."""
    nx, ny = padded.shape
    x = np.minimum(np.maximum(x + np.float32(1), np.float32(0)), np.float32(nx - 1))
    y = np.minimum(np.maximum(y + np.float32(1), np.float32(0)), np.float32(ny - 1))
    i, j = np.minimum(x.astype(np.int32), nx - 2), np.minimum(y.astype(np.int32), ny - 2)
    flat, k = padded.ravel(), i * np.int32(ny) + j
    return (flat.take(k), flat.take(k + 1), flat.take(k + ny), flat.take(k + ny + 1)), x - i, y - j


def bilinear(values: tuple[np.ndarray, ...], fx: np.ndarray, fy: np.ndarray) -> np.ndarray:
    low = values[0] + fy * (values[1] - values[0])
    high = values[2] + fy * (values[3] - values[2])
    return low + fx * (high - low)


def by_take(padded: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return bilinear(*corners(padded, x, y))


def by_scipy(padded: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    points = np.stack([x, y])
    points += np.float32(1)
    return ndimage.map_coordinates(padded, points, order=1, mode="nearest")


def smoke_step(n: int, solver, sample):
    def build():
        step, state = step_with(solver(n, "closed"), sample), data.smoke(n)
        return lambda: step(*state)

    return build


TASKS = {
    "smoke step 64": {
        "take, matrices": smoke_step(64, by_matrices, by_take),
        "scipy, transform": smoke_step(64, by_transform, by_scipy),
    }
}
