"""PyTorch's scatter functions: `(base (n, k), indices (m,) inside bounds, values (m, k))` → new array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from phi_tensor.backends._backend import Native


def _scatter_add(base: Native, indices: Native, values: Native) -> Native:
    return torch.index_add(base, 0, indices, values)


def _scatter_extreme(reduce: str) -> Callable[[Native, Native, Native], Native]:
    def scatter(base: Native, indices: Native, values: Native) -> Native:
        if base.dtype is torch.bool:
            return scatter(base.byte(), indices, values.byte()).bool()
        at = indices.long().unsqueeze(1).expand(values.shape)
        return torch.scatter_reduce(base, 0, at, values, reduce)

    return scatter


SCATTER: dict[str, Callable[..., Any]] = {
    "scatter_add": _scatter_add,
    "scatter_maximum": _scatter_extreme("amax"),
    "scatter_minimum": _scatter_extreme("amin"),
}
"""All others are composed of these, see `ops/_scatter_native.py`."""
