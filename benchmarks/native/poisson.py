"""Inputs of the solver's cases that native, peer and ours share: bodies, right-hand sides, coefficients.

Cells have length 1. Arrays have one axis per dim of the grid, `n` cells each.
"""

from functools import lru_cache

import numpy as np

AXES = "xyz"
SIDES = {"closed": ("closed",) * 3, "periodic": ("periodic",) * 3, "mixed": ("periodic", "closed", "open")}
"""What lies at both ends of each axis: no flux, the other end, or 0 one cell beyond."""

REL_TOL = {32: 1e-5, 64: 1e-10}
"""Relative residual at which all contenders stop, by precision: the default of `Solve()`."""


def float_type(bits: int) -> type:
    return {32: np.float32, 64: np.float64}[bits]


def modes(side: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal eigenvectors (columns) and eigenvalues of the 1D Laplacian [1, -2, 1], in 64 bit."""
    i, k = np.arange(n)[:, None], np.arange(n)
    if side == "closed":
        angle = np.pi * k / n
        basis = np.cos((i + 0.5) * angle)
    elif side == "open":
        angle = np.pi * (k + 1) / (n + 1)
        basis = np.sin((i + 1) * angle)
    else:
        angle = 2 * np.pi * ((k + 1) // 2) / n
        basis = np.where((k % 2 == 0) | (k == n - 1), np.cos(i * angle), np.sin(i * angle))
    return basis / np.linalg.norm(basis, axis=0), -4 * np.sin(angle / 2) ** 2


def wave_eigenvalues(side: str, n: int, halved: bool) -> np.ndarray:
    """Eigenvalues of an axis in the order of its fast transform; `halved`: that of `rfft`."""
    if side != "periodic":
        return modes(side, n)[1]
    return -4 * np.sin(np.pi * np.arange(n // 2 + 1 if halved else n) / n) ** 2


def reciprocal(eigenvalues: list[np.ndarray]) -> np.ndarray:
    """1 / their sums, with one axis per array; 0 where the sum is 0."""
    total = np.zeros(())
    for values in eigenvalues:
        total = total[..., None] + values
    zero = np.abs(total) <= 1e-12 * np.abs(total).max()
    return np.where(zero, 0, 1 / np.where(zero, 1, total))


def right_side(n: int, rank: int, bits: int = 32) -> np.ndarray:
    """Random numbers whose mean is 0."""
    values = np.random.default_rng(0).standard_normal((n,) * rank)
    return (values - values.mean()).astype(float_type(bits))


def velocity(n: int, rank: int, bits: int = 32) -> tuple[np.ndarray, ...]:
    """One component per axis at the inner faces of a closed box: smooth, with some noise."""
    rng = np.random.default_rng(1)
    components = []
    for axis in range(rank):
        ticks = [np.arange(1, n) / n if a == axis else (np.arange(n) + 0.5) / n for a in range(rank)]
        mesh = np.meshgrid(*ticks, indexing="ij")
        smooth = np.sin(2 * np.pi * mesh[axis])
        for other in range(rank):
            smooth = smooth if other == axis else smooth * np.cos((3 + other) * np.pi * mesh[other])
        components.append((smooth + 0.1 * rng.standard_normal(smooth.shape)).astype(float_type(bits)))
    return tuple(components)


CENTER, RADIUS = 0.45, 0.2
"""Of the sphere, relative to the size of the grid."""
CORNERS = (0.3, 0.55)
"""Of the box, along every axis."""


@lru_cache(4)
def fluid(body: str, n: int, rank: int) -> np.ndarray:
    """1 in cells whose centers are outside of the body, else 0; 64 bit."""
    mesh = np.meshgrid(*[np.arange(n) + 0.5] * rank, indexing="ij")
    if body == "sphere":
        solid = sum((x - CENTER * n) ** 2 for x in mesh) <= (RADIUS * n) ** 2
    elif body == "box":
        solid = np.logical_and.reduce([(x >= CORNERS[0] * n) & (x <= CORNERS[1] * n) for x in mesh])
    elif body == "walls":
        x, y = (m.astype(int) for m in mesh[:2])
        solid = ((x == n // 3) & (y < 0.8 * n)) | ((x == 2 * n // 3) & (y >= 0.2 * n))
        solid |= (y == n // 2) & (x > n // 3 + 2) & (x < 2 * n // 3 - 2)
    elif body == "maze":
        solid = maze(n).reshape((n, n) + (1,) * (rank - 2)) & np.ones((n,) * rank, bool)
    elif body == "pocket":
        near = np.max([np.abs(x.astype(int) - n // 2) for x in mesh], 0)
        solid = near == n // 5
    else:
        raise ValueError(body)
    return 1.0 - solid


ROOMS = 8


def maze(n: int) -> np.ndarray:
    """Walls one cell thick between 8x8 rooms, with doors along the edges of a random tree."""
    rng, room = np.random.default_rng(2), n // ROOMS
    walls = np.zeros((n, n), bool)
    walls[room : room * ROOMS : room] = walls[:, room : room * ROOMS : room] = True
    seen, path = {(0, 0)}, [(0, 0)]
    while path:
        i, j = path[-1]
        around = [(i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)]
        free = [(a, b) for a, b in around if 0 <= a < ROOMS and 0 <= b < ROOMS and (a, b) not in seen]
        if not free:
            path.pop()
            continue
        a, b = free[rng.integers(len(free))]
        start = room // 3
        if a == i:
            walls[i * room + start : i * room + 2 * start + 1, max(b, j) * room] = False
        else:
            walls[max(a, i) * room, j * room + start : j * room + 2 * start + 1] = False
        seen.add((a, b))
        path.append((a, b))
    return walls


def coefficient(kind: str, n: int, rank: int) -> np.ndarray:
    """Conductivity of cells: `smooth` (factor 7), `disc` and `lognormal` (factor 1e4), `inverse disc`."""
    mesh = np.meshgrid(*[(np.arange(n) + 0.5) / n] * rank, indexing="ij")
    if kind == "smooth":
        return np.exp(np.prod([np.sin(2 * np.pi * x) for x in mesh], 0))
    inside = sum((x - 0.45) ** 2 for x in mesh) <= 0.2**2
    if kind == "disc":
        return np.where(inside, 1e4, 1.0)
    if kind == "inverse disc":
        return np.where(inside, 1e-4, 1.0)
    noise = np.fft.fftn(np.random.default_rng(3).standard_normal((n,) * rank))
    waves = np.meshgrid(*[np.fft.fftfreq(n) * n] * rank, indexing="ij")
    correlated = np.fft.ifftn(noise * np.exp(-sum(k**2 for k in waves) / 8**2)).real
    spread = correlated.max() - correlated.min()
    return 1e4 ** ((correlated - correlated.min()) / spread)
