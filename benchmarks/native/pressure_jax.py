"""JAX, jitted: projection of a velocity in a closed or periodic box by direct transforms."""

import jax
import jax.numpy as jnp
import numpy as np

from . import data


def by_matrices(n: int, boundary: str):
    """Solver `(n, n) → (n, n)` by four products with the eigenvectors of the 1D Laplacian."""
    basis = jnp.asarray(data.modes(n, boundary)[0])
    scale = jnp.asarray(data.inverse_eigenvalues(n, boundary))
    return lambda b: basis @ ((basis.T @ b @ basis) * scale) @ basis.T


def by_transform(n: int, boundary: str):
    """Solver by fast cosine (closed) or Fourier (periodic) transform."""
    if boundary == "periodic":
        scale = jnp.asarray(data.inverse_fourier_eigenvalues(n))
        return lambda b: jnp.fft.irfft2(jnp.fft.rfft2(b) * scale, s=(n, n))
    scale = jnp.asarray(data.inverse_eigenvalues(n, boundary))
    forward, backward = cosine_transforms(n)

    def solve(b: jax.Array) -> jax.Array:
        modes = forward(forward(b).T)  # (ky, kx): the eigenvalues are symmetric
        return backward(backward(modes * scale).T)

    return solve


def cosine_transforms(n: int):
    """DCT-II along the last axis and its inverse by one real FFT of length n (Makhoul 1980); n even."""
    turn = jnp.asarray(np.exp(-0.5j * np.pi * np.arange(n // 2 + 1) / n).astype(np.complex64))

    def forward(x: jax.Array) -> jax.Array:
        reordered = jnp.concatenate([x[:, ::2], x[:, ::-2]], 1)
        half = jnp.fft.rfft(reordered) * turn
        return jnp.concatenate([half.real, -half.imag[:, 1 : n // 2][:, ::-1]], 1)

    def backward(c: jax.Array) -> jax.Array:
        sine = jnp.concatenate([jnp.zeros_like(c[:, :1]), c[:, : n // 2 - 1 : -1]], 1)
        half = jax.lax.complex(c[:, : n // 2 + 1], -sine) * turn.conj()
        x = jnp.fft.irfft(half, n)
        return jnp.stack([x[:, : n // 2], x[:, : n // 2 - 1 : -1]], 2).reshape(x.shape)

    return forward, backward


def projection(solve, boundary: str):
    """Projection `(u, v) → (u, v, p)` of a velocity at faces with a solver for the pressure."""

    def closed(u: jax.Array, v: jax.Array) -> tuple[jax.Array, ...]:
        walled_u, walled_v = jnp.pad(u, ((1, 1), (0, 0))), jnp.pad(v, ((0, 0), (1, 1)))
        p = solve(walled_u[1:] - walled_u[:-1] + walled_v[:, 1:] - walled_v[:, :-1])
        return u - (p[1:] - p[:-1]), v - (p[:, 1:] - p[:, :-1]), p

    def periodic(u: jax.Array, v: jax.Array) -> tuple[jax.Array, ...]:
        p = solve(jnp.roll(u, -1, axis=0) - u + jnp.roll(v, -1, axis=1) - v)
        return u - (p - jnp.roll(p, 1, axis=0)), v - (p - jnp.roll(p, 1, axis=1)), p

    return {"closed": closed, "periodic": periodic}[boundary]


def pressure(method, n: int, boundary: str):
    def build():
        project = jax.jit(projection(method(n, boundary), boundary))
        u, v = (jnp.asarray(array) for array in data.velocity(n, boundary))
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
