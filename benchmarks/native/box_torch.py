"""PyTorch with Inductor: Poisson's equation in a box without obstacles, by matrices or by fast transforms."""

import numpy as np
import torch

from . import poisson
from .compile_torch import compiled
from .pressure_torch import cosine, inverse_cosine


def along(x: torch.Tensor, matrix: torch.Tensor, axis: int) -> torch.Tensor:
    """Product of every line along an axis with a matrix: Σᵢ xᵢ matrixᵢₖ."""
    if axis == x.ndim - 1:
        return x @ matrix
    if axis == 0:
        return (matrix.T @ x.reshape(len(x), -1)).reshape(x.shape)
    return torch.matmul(matrix.T, x)


def by_matrices(n: int, rank: int, boundary: str):
    """Constants and `solve(b, *constants)` by products with the eigenvectors of the 1D Laplacians."""
    found = [poisson.modes(side, n) for side in poisson.SIDES[boundary][:rank]]
    bases = [basis.astype(np.float32) for basis, _ in found]
    scale = poisson.reciprocal([values for _, values in found]).astype(np.float32)

    def solve(b: torch.Tensor, scale: torch.Tensor, *bases: torch.Tensor) -> torch.Tensor:
        for axis, basis in enumerate(bases):
            b = along(b, basis, axis)
        b = b * scale
        for axis, basis in enumerate(bases):
            b = along(b, basis.T, axis)
        return b

    return tuple(map(torch.from_numpy, (scale, *bases))), solve


def by_transform(n: int, rank: int, boundary: str):
    """Constants and `solve(b, *constants)` by fast Fourier and cosine transforms; open axes by products."""
    sides = poisson.SIDES[boundary][:rank]
    periodic, closed, opened = (
        [axis for axis, side in enumerate(sides) if side == kind] for kind in ("periodic", "closed", "open")
    )
    values = [poisson.wave_eigenvalues(side, n, axis in periodic[-1:]) for axis, side in enumerate(sides)]
    turn = np.exp(-0.5j * np.pi * np.arange(n // 2 + 1) / n)
    constants = (poisson.reciprocal(values), np.stack([turn.real, turn.imag]), poisson.modes("open", n)[0])

    def lines(transform, b: torch.Tensor, axis: int, turn: torch.Tensor) -> torch.Tensor:
        turned = b.swapaxes(axis, -1)
        return transform(turned.reshape(-1, n), turn).reshape(turned.shape).swapaxes(axis, -1)

    def solve(b: torch.Tensor, scale: torch.Tensor, turn: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
        for axis in closed:
            b = lines(cosine, b, axis, turn)
        for axis in opened:
            b = along(b, sine, axis)
        if periodic:
            b = torch.fft.irfftn(torch.fft.rfftn(b, dim=periodic) * scale, [n] * len(periodic), periodic)
        else:
            b = b * scale
        for axis in opened:
            b = along(b, sine, axis)
        for axis in closed:
            b = lines(inverse_cosine, b, axis, turn)
        return b

    return tuple(torch.from_numpy(c.astype(np.float32)) for c in constants), solve


METHODS = {"matrices": by_matrices, "transform": by_transform}


def box(method: str, n: int, rank: int, boundary: str):
    def build():
        constants, solve = METHODS[method](n, rank, boundary)
        inputs = (torch.from_numpy(poisson.right_side(n, rank)), *constants)
        run = compiled(solve, *inputs)
        return lambda: run(*inputs)

    return build
