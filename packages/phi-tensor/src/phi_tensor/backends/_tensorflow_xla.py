"""Decompositions of matrices that XLA compiles, for graphs: it has no determinant, and others to 1e-6 alone.

Eigenvectors and singular vectors of XLA are refined by matrix products, which double the number of digits
(Ogita and Aishima, *Iterative refinement for symmetric eigenvalue decomposition*, 2018). Each function is one
step with a derivative of its own, so that nothing is differentiated through the refinement.
"""

from __future__ import annotations

import tensorflow as tf

from phi_tensor._errors import Unsupported
from phi_tensor.backends._backend import Native, Natives
from phi_tensor.backends._tensorflow_transforms import primitive

REFINEMENTS = 2
"""From 1e-6 to the precision of 64 bit."""


def _adjoint(x: Native) -> Native:
    return tf.linalg.adjoint(x)


def _product(a: Native, b: Native, adjoint: bool = False) -> Native:
    """A b, or aᴴ b."""
    return tf.matmul(a, b, adjoint_a=adjoint)


def _column(x: Native) -> Native:
    return tf.expand_dims(x, -1)


def _row(x: Native) -> Native:
    return tf.expand_dims(x, -2)


def _like(real: Native, x: Native) -> Native:
    """Real numbers in the type of `x`."""
    return tf.complex(real, tf.zeros_like(real)) if x.dtype.is_complex else real


def _over_differences(values: Native) -> Native:
    """1 / (λⱼ − λᵢ) at (i, j), 0 for equal values."""
    difference = _row(values) - _column(values)
    apart = tf.not_equal(difference, 0)
    return tf.where(apart, 1 / tf.where(apart, difference, 1), 0)


def _check_real(x: Native, function: str) -> None:
    if x.dtype.is_complex:
        raise Unsupported(
            f"`{function}` of complex matrices cannot be compiled on `tensorflow`: XLA has no such function. "
            f"Compute it outside of `jit_compile`, or use torch or jax."
        )


def _orthonormal(x: Native) -> Native:
    """Columns that are almost orthonormal, with half of the error squared."""
    one = tf.eye(x.shape[-1], dtype=x.dtype)
    return _product(x, 1.5 * one - 0.5 * _product(x, x, adjoint=True))


def _turned(vectors: Native, form: Native) -> Native:
    """Columns turned so that the almost diagonal `form` of them becomes diagonal, to second order.

    Those of (almost) equal values may stay as they are: any of them will do.
    """
    turn = form * _over_differences(tf.linalg.diag_part(form))
    turn = tf.where(tf.abs(turn) < _SMALL, turn, tf.zeros_like(turn))
    return _orthonormal(_product(vectors, tf.eye(vectors.shape[-1], dtype=vectors.dtype) + turn))


_SMALL = 0.01
"""Largest angle by which refinement turns vectors."""


def eigh(x: Native) -> tuple[Native, Native]:
    """Eigenvalues, ascending, and eigenvectors of symmetric matrices."""
    _check_real(x, "eigh")

    def run(a: Native) -> Natives:
        vectors = _orthonormal(tf.linalg.eigh(a)[1])
        for _ in range(REFINEMENTS):
            vectors = _turned(vectors, _product(vectors, _product(a, vectors), adjoint=True))
        values = tf.linalg.diag_part(_product(vectors, _product(a, vectors), adjoint=True))
        return values, vectors

    def pullback(_: Natives, outputs: Natives, cotangents: Natives) -> Natives:
        (values, vectors), (dvalues, dvectors) = outputs, cotangents
        inner = _product(vectors, dvectors, adjoint=True) * _over_differences(values)
        inner += tf.linalg.diag(dvalues)
        return (_product(vectors, _product(inner, _adjoint(vectors))),)

    values, vectors = primitive(run, pullback, (x,))
    return values, vectors


def svd(x: Native) -> tuple[Native, Native, Native]:
    """Left singular vectors, singular values, descending, and adjoint right singular vectors."""
    _check_real(x, "svd")
    if x.shape[-2] > x.shape[-1]:
        v, s, uh = svd(_adjoint(x))
        return _adjoint(uh), s, _adjoint(v)
    u = primitive(_left_vectors, _left_vectors_pullback, (x,))[0]
    rows = _product(u, x, adjoint=True)
    s = tf.sqrt(_squares(rows))
    nonzero = tf.not_equal(s, 0)
    return u, s, rows * _column(tf.where(nonzero, 1 / tf.where(nonzero, s, 1), 0))


def _squares(rows: Native) -> Native:
    return tf.reduce_sum(rows * rows, -1)


def _left_vectors(a: Native) -> Natives:
    vectors = _orthonormal(tf.linalg.svd(a)[1])
    for _ in range(REFINEMENTS):
        rows = _product(vectors, a, adjoint=True)
        vectors = _turned(vectors, _product(rows, _adjoint(rows)))
    return (vectors,)


def _left_vectors_pullback(primals: Natives, outputs: Natives, cotangents: Natives) -> Natives:
    """Of the eigenvectors of A Aᴴ."""
    (a,), (u,), (du,) = primals, outputs, cotangents
    squares = _squares(_product(u, a, adjoint=True))
    inner = _product(u, du, adjoint=True) * _over_differences(squares)
    outer = _product(u, _product(inner, _adjoint(u)))
    return (_product(outer + _adjoint(outer), a),)


def solve(a: Native, b: Native) -> Native:
    """Solution of A x = b; of complex systems by real ones of twice the size, which XLA has alone."""
    if not a.dtype.is_complex:
        return tf.linalg.solve(a, b)
    re, im = tf.math.real(a), tf.math.imag(a)
    both = tf.concat((tf.concat((re, -im), -1), tf.concat((im, re), -1)), -2)
    parts = tf.linalg.solve(both, tf.concat((tf.math.real(b), tf.math.imag(b)), -2))
    return tf.complex(*tf.split(parts, 2, -2))


def inv(x: Native) -> Native:
    """Inverse."""
    if not x.dtype.is_complex:
        return tf.linalg.inv(x)
    return solve(x, tf.eye(x.shape[-1], batch_shape=x.shape[:-2], dtype=x.dtype))


def det(x: Native) -> Native:
    """Determinant, by Gaussian elimination."""

    def pullback(primals: Natives, outputs: Natives, cotangents: Natives) -> Natives:
        factor = cotangents[0] * tf.math.conj(outputs[0])
        return (_column(_column(factor)) * _adjoint(inv(primals[0])),)

    return primitive(lambda a: (tf.reduce_prod(_pivots(a), -1),), pullback, (x,))[0]


def logabsdet(x: Native) -> Native:
    """Logarithm of the magnitude of the determinant, by Gaussian elimination."""

    def pullback(primals: Natives, outputs: Natives, cotangents: Natives) -> Natives:
        a = primals[0]
        return (_column(_column(_like(cotangents[0], a))) * _adjoint(inv(a)),)

    return primitive(lambda a: (tf.reduce_sum(tf.math.log(tf.abs(_pivots(a))), -1),), pullback, (x,))[0]


def _pivots(x: Native) -> Native:
    """Pivots of Gaussian elimination with row exchanges, each of which changes the sign of one pivot."""
    size = x.shape[-1]

    def eliminate(k: Native, matrix: Native, pivots: Native) -> Natives:
        at = tf.one_hot(k, size, dtype=x.dtype)
        left = tf.cast(tf.range(size) >= k, pivots.dtype.real_dtype)
        column = tf.linalg.matvec(matrix, at)
        place = tf.argmax(tf.abs(column) * left - (1 - left), -1)
        chosen = tf.one_hot(place, size, dtype=x.dtype)
        line = tf.linalg.matvec(matrix, chosen, transpose_a=True)
        top = tf.linalg.matvec(matrix, at, transpose_a=True)
        matrix += _column(at - chosen) * _row(line - top)  # exchanges two rows
        pivot = tf.linalg.matvec(_row(line), at)
        below = tf.linalg.matvec(matrix, at) * tf.cast(tf.range(size) > k, x.dtype)
        safe = tf.where(tf.equal(pivot, 0), tf.ones_like(pivot), pivot)
        matrix -= _column(below / safe) * _row(line)
        same = _column(tf.equal(place, tf.cast(k, place.dtype)))
        return k + 1, matrix, pivots + at * tf.where(same, pivot, -pivot)

    pivots = tf.zeros(x.shape[:-1], x.dtype)
    loop = tf.while_loop(lambda k, *_: k < size, eliminate, (0, x, pivots), maximum_iterations=size)
    return loop[2]
