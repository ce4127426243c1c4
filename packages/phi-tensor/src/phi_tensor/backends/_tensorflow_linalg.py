"""TensorFlow's matrix functions by row name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from phi_tensor._errors import Unsupported
from phi_tensor.backends import _tensorflow_xla as xla
from phi_tensor.backends._backend import Native, Natives
from phi_tensor.backends._tensorflow_private import is_eager
from phi_tensor.backends._tensorflow_transforms import primitive


def _singular_as_nan(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` with NaN for the singular matrices of a batch, which TensorFlow refuses eagerly."""

    def apply(a: Native, *others: Native) -> Any:
        try:
            return function(a, *others)
        except tf.errors.InvalidArgumentError:
            size = tf.raw_ops.LogMatrixDeterminant(input=a)[1]
            singular = tf.reshape(~tf.math.is_finite(tf.math.real(size)), (*a.shape[:-2], 1, 1))
            found = function(tf.where(singular, tf.eye(a.shape[-1], dtype=a.dtype), a), *others)
            return tf.where(singular, tf.constant(math.nan, found.dtype), found)

    return apply


def _of_finite(function: Callable[[Native], Any]) -> Callable[[Native], Any]:
    """`function` with NaN for matrices with NaN, which LAPACK refuses or gives numbers for."""

    def apply(x: Native) -> Any:
        finite = tf.reduce_all(tf.math.is_finite(tf.abs(x)), (-2, -1), keepdims=True)
        found = function(tf.where(finite, x, tf.zeros_like(x)))
        results = found if isinstance(found, tuple) else (found,)
        hidden = [
            tf.where(
                finite if len(y.shape) == len(x.shape) else finite[..., 0], y, tf.constant(math.nan, y.dtype)
            )
            for y in results
        ]
        return tuple(hidden) if isinstance(found, tuple) else hidden[0]

    return apply


def _in_graphs(compiled: Callable[..., Any], eager: Callable[..., Any]) -> Callable[..., Any]:
    """`eager`, or where a graph is built `compiled`, which XLA can compile."""
    return lambda *arguments: (eager if is_eager() else compiled)(*arguments)


_inv = _singular_as_nan(tf.linalg.inv)


def _det(x: Native) -> Native:
    """The library's derivative lacks a conjugation, and raises where one matrix of a batch is singular."""

    def pullback(primals: Natives, outputs: Natives, cotangents: Natives) -> Natives:
        factor = cotangents[0] * tf.math.conj(outputs[0])
        return (factor[..., None, None] * tf.linalg.adjoint(_inv(primals[0])),)

    return primitive(lambda a: (tf.linalg.det(a),), pullback, (x,))[0]


def _eigvals(x: Native) -> Native:
    if not is_eager():
        raise Unsupported(
            "`eigenvalues` of matrices that are not symmetric cannot be compiled on `tensorflow`, as XLA has "
            "no such function. Compute them outside of `jit_compile`, use torch or jax, or `eigh` for "
            "symmetric matrices."
        )
    if not x.dtype.is_complex:
        x = tf.complex(x, tf.zeros_like(x))  # TensorFlow warns of its own derivative by real matrices
    return _of_finite(tf.linalg.eigvals)(x)


def _eigh(x: Native) -> tuple[Native, Native]:
    values, vectors = tf.linalg.eigh(x)
    return tf.math.real(values), vectors  # of complex matrices TensorFlow gives complex values


def _svd(x: Native, full: bool) -> tuple[Native, Native, Native]:
    if not is_eager():
        if full and x.shape[-1] != x.shape[-2]:
            raise Unsupported(
                "`svd(…, full_matrices=True)` of matrices that are not square cannot be compiled on "
                "`tensorflow`. Leave `full_matrices` away."
            )
        return xla.svd(x)
    s, u, v = tf.linalg.svd(x, full_matrices=full)
    return u, s, tf.linalg.adjoint(v)


def _pinv(x: Native, rel_tol: float) -> Native:
    """Pseudo-inverse with a derivative that stays finite where singular values repeat or vanish."""

    def run(a: Native) -> Natives:
        u, s, vh = _svd(a, False)
        smallest = rel_tol * tf.reduce_max(s, -1, keepdims=True)
        inverse = tf.where(s > smallest, 1 / tf.where(s > smallest, s, tf.ones_like(s)), tf.zeros_like(s))
        return (
            tf.matmul(
                vh, tf.expand_dims(tf.cast(inverse, a.dtype), -1) * tf.linalg.adjoint(u), adjoint_a=True
            ),
        )

    def pullback(primals: Natives, outputs: Natives, cotangents: Natives) -> Natives:
        (a,), (p,), (g,) = primals, outputs, cotangents
        adjoint, matmul = tf.linalg.adjoint, tf.matmul
        ph, gh = adjoint(p), adjoint(g)
        left = matmul(gh, matmul(p, ph))
        right = matmul(matmul(ph, p), gh)
        inner = matmul(ph, matmul(g, ph))
        return (left - matmul(matmul(a, p), left) + right - matmul(matmul(right, p), a) - inner,)

    return primitive(run, pullback, (x,))[0]


OPS: dict[str, Callable[..., Any]] = {
    "solve": _in_graphs(xla.solve, _singular_as_nan(tf.linalg.solve)),
    "inv": _in_graphs(xla.inv, _inv),
    "det": _in_graphs(xla.det, _det),
    "logabsdet": _in_graphs(
        xla.logabsdet, lambda x: tf.math.real(tf.raw_ops.LogMatrixDeterminant(input=x)[1])
    ),
    "eigvals": _eigvals,
    "eigh": _in_graphs(xla.eigh, _of_finite(_eigh)),
    "svd": _svd,
    "svdvals": _in_graphs(lambda x: xla.svd(x)[1], lambda x: tf.linalg.svd(x, compute_uv=False)),
    "qr": lambda x: tuple(tf.linalg.qr(x)),
    "cholesky": tf.linalg.cholesky,
    "pinv": _pinv,
}
"""Native functions of matrices; see `backends/README.md`."""
