"""pyamg: projection of a velocity around bodies by CG with Ruge–Stüben multigrid, with set-up.

Its preconditioned CG takes 64 bit only.
"""

import numpy as np
from scipy import sparse

from . import around_numpy, poisson


def matrix(grid: around_numpy.Around) -> sparse.csr_matrix:
    """−∇·(open ∇) as CSR over the cells of fluid but the first, where the pressure is 0: it is regular."""
    cells = np.arange(grid.fluid.size).reshape(grid.fluid.shape)
    lower = np.concatenate([around_numpy.part(cells, a, 0)[o > 0] for a, o in enumerate(grid.open)])
    upper = np.concatenate([around_numpy.part(cells, a, 1)[o > 0] for a, o in enumerate(grid.open)])
    links = sparse.coo_matrix((np.ones(len(lower), grid.dtype), (lower, upper)), (cells.size,) * 2).tocsr()
    links = links + links.T
    whole = (sparse.diags(np.asarray(links.sum(1)).ravel()) - links).tocsr()
    wet = np.flatnonzero(grid.fluid)[1:]
    return whole[wet][:, wet]


def ruge_stuben(body: str, n: int, rank: int):
    """Projection; every call sets the hierarchy up, as where the body moves."""

    def build():
        import pyamg

        grid, faces = around_numpy.Around(body, n, rank, 64), poisson.velocity(n, rank, 64)
        a, wet = matrix(grid), grid.fluid > 0

        def solve(b: np.ndarray) -> np.ndarray:
            b = grid.without_means(b)
            hierarchy = pyamg.ruge_stuben_solver(a)
            found = hierarchy.solve(b[wet][1:], tol=poisson.REL_TOL[64], accel="cg", maxiter=200)
            x = np.zeros_like(b)
            x[wet] = np.append(0, found)
            return grid.without_means(x)

        return lambda: grid.project(faces, solve)

    return build
