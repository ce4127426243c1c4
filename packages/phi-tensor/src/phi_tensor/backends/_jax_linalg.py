"""JAX's matrix functions by row name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from phi_tensor.backends._backend import Native

_fast = partial(jax.jit, inline=True)
_fast1 = partial(jax.jit, inline=True, static_argnums=(1,))


@_fast
def _eigvals(x: Native) -> Native:
    (values,) = lax.linalg.eig(  # the second derivative needs that of eigenvectors, without any phase
        x, compute_left_eigenvectors=False, compute_right_eigenvectors=False, enable_eigvec_derivs=True
    )
    return values


@_fast
def _eigh(x: Native) -> tuple[Native, Native]:
    """LAPACK gives numbers for matrices with NaN; these are hidden."""
    vectors, values = lax.linalg.eigh(x, symmetrize_input=False)
    unknown = jnp.isnan(x).any((-2, -1))
    return jnp.where(unknown[..., None], jnp.nan, values), jnp.where(
        unknown[..., None, None], jnp.nan, vectors
    )


@_fast
def _qr(x: Native) -> tuple[Native, Native]:
    """Of wide matrices the part that has a derivative in JAX, and the rest by the orthogonal factor."""
    height = x.shape[-2]
    q, r = jnp.linalg.qr(x[..., :height])
    if x.shape[-1] > height:
        rest = jnp.matmul(jnp.conj(q.mT), x[..., height:], precision=lax.Precision.HIGHEST)
        r = jnp.concatenate((r, rest), -1)
    return q, r


OPS: dict[str, Callable[..., Any]] = {
    "solve": _fast(jnp.linalg.solve),
    "inv": _fast(jnp.linalg.inv),
    "det": _fast(jnp.linalg.det),
    "logabsdet": _fast(lambda x: jnp.linalg.slogdet(x)[1]),
    "eigvals": _eigvals,
    "eigh": _eigh,
    "svd": _fast1(lambda x, full: tuple(jnp.linalg.svd(x, full))),
    "svdvals": _fast(jnp.linalg.svdvals),
    "qr": _qr,
    "cholesky": _fast(partial(lax.linalg.cholesky, symmetrize_input=False)),
    "pinv": _fast1(lambda x, rel_tol: jnp.linalg.pinv(x, rel_tol)),
}
"""Native functions of matrices; see `backends/README.md`."""
