"""JAX's scatter functions: `(base (n, k), indices (m,) inside bounds, values (m, k))` → new array."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax

from phi_tensor.backends._backend import Native

_fast = partial(jax.jit, inline=True)


@_fast
def _scatter_add(base: Native, indices: Native, values: Native) -> Native:
    return base.at[indices].add(values, mode="promise_in_bounds")


@_fast
def _scatter_maximum(base: Native, indices: Native, values: Native) -> Native:
    return base.at[indices].max(values, mode="promise_in_bounds")


@_fast
def _scatter_minimum(base: Native, indices: Native, values: Native) -> Native:
    return base.at[indices].min(values, mode="promise_in_bounds")


SCATTER: dict[str, Callable[..., Any]] = {
    "scatter_add": _scatter_add,
    "scatter_maximum": _scatter_maximum,
    "scatter_minimum": _scatter_minimum,
}
"""All others are composed of these, see `ops/_scatter_native.py`."""
