"""TensorFlow, compiled by XLA: projection of a velocity in a closed or periodic box by direct transforms."""

import tensorflow as tf

from . import data


def by_matrices(n: int, boundary: str):
    """Solver `(n, n) → (n, n)` by four products with the eigenvectors of the 1D Laplacian."""
    basis = tf.constant(data.modes(n, boundary)[0])
    scale = tf.constant(data.inverse_eigenvalues(n, boundary))

    def solve(b: tf.Tensor) -> tf.Tensor:
        modes = tf.matmul(tf.matmul(basis, b, transpose_a=True), basis) * scale
        return tf.matmul(tf.matmul(basis, modes), basis, transpose_b=True)

    return solve


def by_transform(n: int, boundary: str):
    """Solver by fast cosine (closed) or Fourier (periodic) transform."""
    if boundary == "periodic":
        scale = tf.constant(data.inverse_fourier_eigenvalues(n))
        zero = tf.zeros_like(scale)

        def solve(b: tf.Tensor) -> tf.Tensor:
            return tf.signal.irfft2d(tf.signal.rfft2d(b) * tf.complex(scale, zero), [n, n])

        return solve
    scale = tf.constant(data.inverse_eigenvalues(n, boundary))

    def solve_closed(b: tf.Tensor) -> tf.Tensor:
        modes = tf.signal.dct(tf.transpose(tf.signal.dct(b, norm="ortho")), norm="ortho") * scale
        return tf.signal.idct(tf.transpose(tf.signal.idct(modes, norm="ortho")), norm="ortho")

    return solve_closed


def projection(solve, boundary: str):
    """Projection `(u, v) → (u, v, p)` of a velocity at faces with a solver for the pressure."""

    def closed(u: tf.Tensor, v: tf.Tensor) -> tuple[tf.Tensor, ...]:
        walled_u, walled_v = tf.pad(u, [[1, 1], [0, 0]]), tf.pad(v, [[0, 0], [1, 1]])
        p = solve(walled_u[1:] - walled_u[:-1] + walled_v[:, 1:] - walled_v[:, :-1])
        return u - (p[1:] - p[:-1]), v - (p[:, 1:] - p[:, :-1]), p

    def periodic(u: tf.Tensor, v: tf.Tensor) -> tuple[tf.Tensor, ...]:
        p = solve(tf.roll(u, -1, axis=0) - u + tf.roll(v, -1, axis=1) - v)
        return u - (p - tf.roll(p, 1, axis=0)), v - (p - tf.roll(p, 1, axis=1)), p

    return {"closed": closed, "periodic": periodic}[boundary]


def pressure(method, n: int, boundary: str):
    def build():
        project = tf.function(projection(method(n, boundary), boundary), jit_compile=True)
        u, v = (tf.constant(array) for array in data.velocity(n, boundary))
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
