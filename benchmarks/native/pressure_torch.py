"""PyTorch with Inductor: projection of a velocity in a closed or periodic box by direct transforms."""

import numpy as np
import torch
from torch.nn.functional import pad

from . import data
from .compile_torch import compiled

Constants = tuple[torch.Tensor, ...]


def by_matrices(n: int, boundary: str):
    """Constants and `solve(b, *constants)`: multiplies by the eigenvectors of the 1D Laplacian."""
    constants = (
        torch.from_numpy(data.modes(n, boundary)[0]),
        torch.from_numpy(data.inverse_eigenvalues(n, boundary)),
    )

    def solve(b: torch.Tensor, basis: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        return basis @ ((basis.T @ b @ basis) * scale) @ basis.T

    return constants, solve


def by_transform(n: int, boundary: str):
    """Constants and `solve(b, *constants)` by fast cosine (closed) or Fourier (periodic) transform."""
    if boundary == "periodic":
        constants = (torch.from_numpy(data.inverse_fourier_eigenvalues(n)),)
        return constants, lambda b, scale: torch.fft.irfft2(torch.fft.rfft2(b) * scale, s=(n, n))
    turn = np.exp(-0.5j * np.pi * np.arange(n // 2 + 1) / n)
    parts = torch.from_numpy(np.stack([turn.real, turn.imag]).astype(np.float32))

    def solve(b: torch.Tensor, scale: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
        modes = cosine(cosine(b, turn).T, turn)  # (ky, kx): the eigenvalues are symmetric
        return inverse_cosine(inverse_cosine(modes * scale, turn).T, turn)

    return (torch.from_numpy(data.inverse_eigenvalues(n, boundary)), parts), solve


def cosine(x: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
    """DCT-II along the last axis by one real FFT (Makhoul 1980); `turn` is `(real, imaginary)`."""
    n = x.shape[1]
    half = torch.view_as_real(torch.fft.rfft(torch.cat([x[:, ::2], x[:, 1::2].flip(1)], 1)))
    real, imag = half[..., 0], half[..., 1]
    rotated = imag * turn[0] + real * turn[1]
    return torch.cat([real * turn[0] - imag * turn[1], -rotated[:, 1 : n // 2].flip(1)], 1)


def inverse_cosine(c: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
    n = c.shape[1]
    cos, sin = c[:, : n // 2 + 1], torch.cat([torch.zeros_like(c[:, :1]), c[:, n // 2 :].flip(1)], 1)
    real, imag = cos * turn[0] - sin * turn[1], -sin * turn[0] - cos * turn[1]
    x = torch.fft.irfft(torch.view_as_complex(torch.stack([real, imag], -1)), n)
    return torch.stack([x[:, : n // 2], x[:, n // 2 :].flip(1)], 2).reshape(x.shape)


def projection(solve, boundary: str):
    """Projection `(u, v, *constants) → (u, v, p)` of a velocity at faces with a solver for the pressure."""

    def closed(u: torch.Tensor, v: torch.Tensor, *constants: torch.Tensor) -> tuple[torch.Tensor, ...]:
        walled_u, walled_v = pad(u, (0, 0, 1, 1)), pad(v, (1, 1))
        p = solve(walled_u[1:] - walled_u[:-1] + walled_v[:, 1:] - walled_v[:, :-1], *constants)
        return u - (p[1:] - p[:-1]), v - (p[:, 1:] - p[:, :-1]), p

    def periodic(u: torch.Tensor, v: torch.Tensor, *constants: torch.Tensor) -> tuple[torch.Tensor, ...]:
        p = solve(torch.roll(u, -1, dims=0) - u + torch.roll(v, -1, dims=1) - v, *constants)
        return u - (p - torch.roll(p, 1, dims=0)), v - (p - torch.roll(p, 1, dims=1)), p

    return {"closed": closed, "periodic": periodic}[boundary]


def pressure(method, n: int, boundary: str):
    def build():
        constants, solve = method(n, boundary)
        inputs = (*(torch.from_numpy(array) for array in data.velocity(n, boundary)), *constants)
        project = compiled(projection(solve, boundary), *inputs)
        return lambda: project(*inputs)

    return build


TASKS = {
    f"pressure {boundary} {n}": {
        "matrices": pressure(by_matrices, n, boundary),
        "transform": pressure(by_transform, n, boundary),
    }
    for boundary in ("closed", "periodic")
    for n in data.SIZES
}
