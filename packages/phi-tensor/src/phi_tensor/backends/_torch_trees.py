"""Tensors as pytrees of PyTorch: arguments and results of users' own `torch.func` and `torch.compile`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.utils import _pytree as pytree

from phi_tensor._tensor import Tensor
from phi_tensor.backends import _torch_compile as adapter
from phi_tensor.backends._backend import Backend
from phi_tensor.layouts._fitted import fitted
from phi_tensor.layouts._layout import Layout
from phi_tensor.transforms._flat import components


def register(backend: Backend) -> None:
    """Make tensors known to PyTorch. What their arrays are not is part of the tree's structure."""

    def unflatten(natives: Iterable[Any], layout: Any) -> Tensor:
        arrays = tuple(natives)
        known: Layout = layout
        if all(isinstance(native, torch.Tensor) for native in arrays):
            return Tensor(fitted(known, arrays, backend, adapter.mapped_axis), arrays)
        return Tensor(known, arrays)  # a tree of something else: axes, descriptions

    def flatten(x: Tensor) -> tuple[list[Any], Layout]:
        if not all(isinstance(native, torch.Tensor) for native in x.natives):
            return list(x.natives), x.layout
        with adapter.at_level_of(x.natives):  # not of the derivative that is about to begin
            layout, natives = components(x)
        return list(natives), layout

    pytree.register_pytree_node(
        Tensor,
        flatten,
        unflatten,
        serialized_type_name="phi_tensor.Tensor",
    )
