"""Matrices of neighbours in boxes of cells, as tests of their solvers use them."""

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg

import phi_tensor as math
from phi_tensor import spatial, wrap
from phi_tensor.linear._multigrid import multigrid
from phi_tensor.linear._stencil import Stencil

GRID = spatial("x,y,z")


def of_cells(conductivity: np.ndarray, open_: bool = False, weights=(1, 1, 1), periodic=()) -> Stencil:
    """−∇·(c ∇) of cells with harmonic means at faces; open below along x, else closed."""
    shape = GRID.names[: conductivity.ndim]
    lower, upper, remainder = {}, {}, np.zeros_like(conductivity)
    for axis, (name, weight) in enumerate(zip(shape, weights, strict=False)):
        below = np.roll(conductivity, 1, axis)
        with np.errstate(invalid="ignore"):
            face = weight * np.nan_to_num(2 * conductivity * below / (conductivity + below))
        first = tuple(slice(0, 1) if i == axis else slice(None) for i in range(conductivity.ndim))
        if name not in periodic:
            face[first] = 0
        lower[name], upper[name] = face, np.roll(face, -1, axis)
        if open_ and axis == 0:
            remainder[first] += 2 * weight * conductivity[first]
    dims = spatial(*shape)
    tensors = [{n: wrap(c, dims) for n, c in links.items()} for links in (lower, upper)]
    return Stencil(wrap(remainder, dims), *tensors, frozenset(periodic))


def dense(matrix: Stencil) -> np.ndarray:
    shape = matrix.remainder.shape
    units = np.eye(shape.volume).reshape(shape.volume, *shape.sizes)
    columns = matrix @ wrap(units, math.batch("unit"), shape)
    return columns.numpy((*shape.names, "unit")).reshape(shape.volume, shape.volume)


def iterations(matrix: Stencil, rel_tol: float = 1e-8) -> int:
    shape = matrix.remainder.shape
    cycle, names = multigrid(matrix), shape.names
    n = shape.volume

    def flat(f):
        return LinearOperator((n, n), lambda x: f(wrap(x.reshape(shape.sizes), shape)).numpy(names).ravel())

    right = (matrix @ wrap(np.random.default_rng(0).standard_normal(shape.sizes), shape)).numpy(names).ravel()
    count = []
    x, failed = cg(
        flat(lambda x: matrix @ x), right, rtol=rel_tol, maxiter=100, M=flat(cycle), callback=count.append
    )
    assert not failed
    assert np.linalg.norm(flat(lambda x: matrix @ x) @ x - right) <= 2 * rel_tol * np.linalg.norm(right)
    return len(count)


def disc(n: int, rank: int, inside: float, outside: float) -> np.ndarray:
    places = (np.indices((n,) * rank) + 0.5) / n - 0.5
    return np.where((places**2).sum(0) < 0.25**2, inside, outside)


def lognormal(n: int) -> np.ndarray:
    waves = np.fft.fftfreq(n) * n
    noise = np.fft.fft2(np.random.default_rng(0).standard_normal((n, n)))
    smooth = np.fft.ifft2(noise / (1 + waves[:, None] ** 2 + waves**2)).real
    return 10 ** (2 * smooth / abs(smooth).max())
