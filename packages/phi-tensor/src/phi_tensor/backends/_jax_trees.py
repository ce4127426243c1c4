"""Tensors as pytrees of JAX: arguments and results of users' own `jax.jit`, `jax.grad`, `jax.vmap`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from phi_tensor._tensor import Tensor
from phi_tensor.backends._backend import Backend, Natives
from phi_tensor.layouts._fitted import fitted
from phi_tensor.layouts._layout import Layout
from phi_tensor.transforms._flat import components


def register(backend: Backend) -> None:
    """Make tensors known to JAX. What their arrays are not is part of the tree's structure."""

    def unflatten(layout: Layout, natives: Sequence[Any]) -> Tensor:
        if all(isinstance(native, (jax.Array, np.ndarray)) for native in natives):
            arrays = tuple(natives)
            if _is_numeric(arrays):
                return Tensor(fitted(layout, arrays, backend, _mapped_axis), arrays)
        return Tensor(layout, tuple(natives))  # a tree of something else: axes, shardings, descriptions

    def flatten(x: Tensor) -> tuple[Natives, Layout]:
        layout, natives = components(x)
        return natives, layout

    jax.tree_util.register_pytree_node(Tensor, flatten, unflatten)


def _is_numeric(natives: Sequence[Any]) -> bool:
    """False for `float0`, the type of derivatives by ints."""
    return all(native.dtype != jax.dtypes.float0 for native in natives)


def _mapped_axis(native: Any) -> int | None:
    axis = getattr(native, "batch_dim", None)
    return axis if isinstance(axis, int) else None
