"""JAX, jitted: Poisson's equation in a box without obstacles, by matrices of modes or by fast transforms."""

import jax
import jax.numpy as jnp
import numpy as np

from . import poisson


def along(x: jax.Array, matrix: jax.Array, axis: int) -> jax.Array:
    """Product of every line along an axis with a matrix: Σᵢ xᵢ matrixᵢₖ."""
    if axis == x.ndim - 1:
        return x @ matrix
    if axis == 0:
        return (matrix.T @ x.reshape(len(x), -1)).reshape(x.shape)
    return jnp.matmul(matrix.T, x)


def by_matrices(n: int, rank: int, boundary: str, bits: int = 32):
    """Solver b ↦ x of ∇²x = b by products with the eigenvectors of the 1D Laplacians."""
    found = [poisson.modes(side, n) for side in poisson.SIDES[boundary][:rank]]
    dtype = poisson.float_type(bits)
    bases = [jnp.asarray(basis, dtype) for basis, _ in found]
    scale = jnp.asarray(poisson.reciprocal([values for _, values in found]), dtype)

    def solve(b: jax.Array) -> jax.Array:
        for axis, basis in enumerate(bases):
            b = along(b, basis, axis)
        b = b * scale
        for axis, basis in enumerate(bases):
            b = along(b, basis.T, axis)
        return b

    return solve


def by_transform(n: int, rank: int, boundary: str, bits: int = 32):
    """Solver by fast Fourier and cosine transforms; open axes by products."""
    sides, dtype = poisson.SIDES[boundary][:rank], poisson.float_type(bits)
    periodic, closed, opened = (
        [axis for axis, side in enumerate(sides) if side == kind] for kind in ("periodic", "closed", "open")
    )
    values = [poisson.wave_eigenvalues(side, n, axis in periodic[-1:]) for axis, side in enumerate(sides)]
    scale = jnp.asarray(poisson.reciprocal(values), dtype)
    sine = jnp.asarray(poisson.modes("open", n)[0], dtype)
    forward, backward = cosine_transforms(n, dtype)

    def solve(b: jax.Array) -> jax.Array:
        for axis in closed:
            b = forward(b.swapaxes(axis, -1)).swapaxes(axis, -1)
        for axis in opened:
            b = along(b, sine, axis)
        if periodic:
            b = jnp.fft.irfftn(jnp.fft.rfftn(b, axes=periodic) * scale, [n] * len(periodic), periodic)
        else:
            b = b * scale
        for axis in opened:
            b = along(b, sine, axis)
        for axis in closed:
            b = backward(b.swapaxes(axis, -1)).swapaxes(axis, -1)
        return b

    return solve


def cosine_transforms(n: int, dtype: type):
    """DCT-II along the last axis and its inverse by one real FFT of length n (Makhoul 1980); n even."""
    complex_type = np.result_type(dtype, np.complex64)
    turn = jnp.asarray(np.exp(-0.5j * np.pi * np.arange(n // 2 + 1) / n).astype(complex_type))

    def forward(x: jax.Array) -> jax.Array:
        half = jnp.fft.rfft(jnp.concatenate([x[..., ::2], x[..., ::-2]], -1)) * turn
        return jnp.concatenate([half.real, -half.imag[..., 1 : n // 2][..., ::-1]], -1)

    def backward(c: jax.Array) -> jax.Array:
        sine = jnp.concatenate([jnp.zeros_like(c[..., :1]), c[..., : n // 2 - 1 : -1]], -1)
        x = jnp.fft.irfft(jax.lax.complex(c[..., : n // 2 + 1], -sine) * turn.conj(), n)
        return jnp.stack([x[..., : n // 2], x[..., : n // 2 - 1 : -1]], -1).reshape(x.shape)

    return forward, backward


METHODS = {"matrices": by_matrices, "transform": by_transform}


def box(method: str, n: int, rank: int, boundary: str):
    def build():
        solve, b = jax.jit(METHODS[method](n, rank, boundary)), jnp.asarray(poisson.right_side(n, rank))
        return lambda: solve(b)

    return build
