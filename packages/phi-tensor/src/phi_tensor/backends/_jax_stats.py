"""JAX functions by row name: special functions, running extremes, searching."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Native = Any

_fast = partial(jax.jit, inline=True)
_fast1 = partial(jax.jit, inline=True, static_argnums=(1,))


def _in_common_type(function: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """`function` of arrays of one type, where one may be a Python number."""

    def numbers(x: Any, y: Any) -> Any:
        dtype = jnp.result_type(x, y)
        return function(*jnp.broadcast_arrays(jnp.asarray(x, dtype), jnp.asarray(y, dtype)))

    return numbers


def _nextafter(x: Native, y: Native) -> Native:
    """The library's has derivative 0; a neighbour of x changes as x does."""
    constant = lax.stop_gradient(x)
    neighbour = lax.nextafter(constant, lax.stop_gradient(y))
    return jnp.where(jnp.isfinite(constant), neighbour + (x - constant), neighbour)


def _extreme(function: Callable[..., Any]) -> Callable[[Native, int], Native]:
    def along(x: Native, axis: int) -> Native:
        if x.dtype == np.bool_:
            return function(x.astype(np.uint8), axis).astype(np.bool_)
        return function(x, axis)

    return along


@partial(jax.jit, inline=True, static_argnums=(2,))
def _searchsorted(keys: Native, values: Native, right: bool) -> Native:
    search = partial(jnp.searchsorted, side="right" if right else "left")
    return jax.vmap(search)(keys, values).astype(np.int64)


STATS: dict[str, Callable[..., Any]] = {
    **{
        name: _fast(function)
        for name, function in {
            "erfc": lax.erfc,
            "erfinv": lax.erf_inv,
            "log_gamma": lax.lgamma,
            "digamma": lax.digamma,
            "signbit": lambda x: jnp.signbit(x) if x.dtype.kind == "f" else x < 0,
            "gammainc": _in_common_type(lax.igamma),
            "gammaincc": _in_common_type(lax.igammac),
            "copysign": jnp.copysign,
            "logaddexp": jnp.logaddexp,
            "nextafter": _in_common_type(_nextafter),
        }.items()
    },
    "cumprod": _fast1(lax.cumprod),
    "cummax": _fast1(_extreme(lax.cummax)),
    "cummin": _fast1(_extreme(lax.cummin)),
    "searchsorted": _searchsorted,
}
"""Native functions by row name; see `backends/README.md`."""
