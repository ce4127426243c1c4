"""NumPy/SciPy: projection around bodies in a closed box by hand-written conjugate gradients."""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from . import box_numpy, poisson

Solve = Callable[[np.ndarray], np.ndarray]


class Around:
    """Masks and differences of a grid with a body, made once.

    Attributes:
        fluid: 1 in cells of fluid, else 0.
        open: 1 at inner faces between cells of fluid, per axis.
    """

    def __init__(self, body: str, n: int, rank: int, bits: int = 32):
        self.rank, self.dtype = rank, poisson.float_type(bits)
        self.fluid = poisson.fluid(body, n, rank).astype(self.dtype)
        self.open = tuple(part(self.fluid, a, 1) * part(self.fluid, a, 0) for a in range(rank))
        self.regions, self.count = ndimage.label(self.fluid)
        self.sizes = np.maximum(np.bincount(self.regions.ravel()), 1)

    def divergence(self, faces: tuple[np.ndarray, ...]) -> np.ndarray:
        """Sum of what leaves each cell through the inner faces."""
        return sum(np.diff(u, axis=axis, prepend=0, append=0) for axis, u in enumerate(faces))

    def laplace(self, p: np.ndarray) -> np.ndarray:
        """−∇·(open ∇p)."""
        return -self.divergence(tuple(o * np.diff(p, axis=a) for a, o in enumerate(self.open)))

    def without_means(self, p: np.ndarray) -> np.ndarray:
        """P less its mean in every region of fluid; 0 in solid cells."""
        if self.count == 1:
            return (p - np.vdot(self.fluid, p) / self.sizes[1]) * self.fluid
        sums = np.bincount(self.regions.ravel(), p.ravel())
        return (p - (sums / self.sizes)[self.regions]).astype(p.dtype) * self.fluid

    def project(self, faces: tuple[np.ndarray, ...], solve: Solve) -> tuple[np.ndarray, ...]:
        """`(*velocity, pressure)`."""
        imposed = tuple(u * o for u, o in zip(faces, self.open, strict=True))
        p = solve(-self.divergence(imposed))
        corrected = (
            u - o * np.diff(p, axis=a) for a, (u, o) in enumerate(zip(imposed, self.open, strict=True))
        )
        return (*corrected, p)


def part(x: np.ndarray, axis: int, start: int) -> np.ndarray:
    """Entries from `start` along an axis, one less than there are."""
    return x[(slice(None),) * axis + (slice(start, x.shape[axis] - 1 + start),)]


def conjugate_gradients(apply: Solve, b: np.ndarray, precondition: Solve, rel_tol: float) -> np.ndarray:
    """Solution x of A x = b for symmetric A."""
    x, r = np.zeros_like(b), b
    target = rel_tol * np.linalg.norm(b)
    z = precondition(r)
    d, rz, count = z, np.vdot(r, z), 0
    while np.linalg.norm(r) > target and count < 10_000:
        q = apply(d)
        step = rz / np.vdot(d, q)
        x, r, count = x + step * d, r - step * q, count + 1
        z = precondition(r)
        rz, before = np.vdot(r, z), rz
        d = z + (rz / before) * d
    return x


def by_transform_cg(method: str, body: str, n: int, rank: int, bits: int = 32):
    """Projection by CG with the direct solution of the box without the body as preconditioner."""

    def build():
        grid, faces = Around(body, n, rank, bits), poisson.velocity(n, rank, bits)
        box = box_numpy.METHODS[method](n, rank, "closed", bits)

        def solve(b: np.ndarray) -> np.ndarray:
            b = grid.without_means(b)
            precondition: Solve = lambda r: grid.without_means(-box(r))  # noqa: E731 typed by its name
            return grid.without_means(
                conjugate_gradients(grid.laplace, b, precondition, poisson.REL_TOL[bits])
            )

        return lambda: grid.project(faces, solve)

    return build
