"""PyTorch's sparse arrays."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.autograd.forward_ad as forward_ad

from phi_tensor.backends import _torch_compile as adapter
from phi_tensor.backends._backend import Native

Ints = npt.NDArray[np.int64]


def _sparse_matrix(values: Native, rows: Ints, columns: Ints, shape: tuple[int, int], format: str) -> Native:
    """PyTorch's sparse tensor of sorted entries."""
    device = values.device
    if format == "coo":
        at = torch.as_tensor(np.stack([rows, columns]), device=device)
        return torch.sparse_coo_tensor(at, values, shape, is_coalesced=True, check_invariants=False)
    outer, inner = (rows, columns) if format == "csr" else (columns, rows)
    count = shape[0] if format == "csr" else shape[1]
    pointers = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.bincount(outer, minlength=count))])
    make = torch.sparse_csr_tensor if format == "csr" else torch.sparse_csc_tensor
    _warn_once()
    first, at = (torch.as_tensor(numbers, device=device) for numbers in (pointers, inner))
    return make(first, at, values, shape, check_invariants=False)


@cache
def _warn_once() -> None:
    """Let the library say, unheard, that compressed formats are new, which it does once per process."""
    zero = torch.zeros(2, dtype=torch.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.sparse_csr_tensor(zero, zero[:0], torch.zeros(0), (1, 1), check_invariants=False)
        torch.sparse_csc_tensor(zero, zero[:0], torch.zeros(0), (1, 1), check_invariants=False)


def _csr_matmul(
    values: Native, x: Native, shape: tuple[int, int], constants: Callable[[], list[Any]]
) -> Native | None:
    """Product of a compressed matrix and `x (n, k)`; None where that has to be differentiated or traced.

    Args:
        values: Values of the entries.
        x: Vectors.
        shape: Numbers of rows and columns.
        constants: Gives the pointers and columns of the entries sorted by row, and their order or None.
    """
    if values.dtype not in _TYPES or _is_followed(values) or _is_followed(x):
        return None
    pointers, columns, order = constants()
    values = values if order is None else values[order]
    _warn_once()
    return torch.sparse_csr_tensor(pointers, columns, values, shape, check_invariants=False) @ x


_TYPES = (torch.float32, torch.float64, torch.complex64, torch.complex128)


def _is_followed(native: Native) -> bool:
    """Whether a transformation or derivative, also one of the user's own, needs to see what happens."""
    if adapter.is_traced(native) or (native.requires_grad and torch.is_grad_enabled()):
        return True
    return forward_ad.unpack_dual(native, level=0).tangent is not None


SPARSE: dict[str, Callable[..., Any]] = {"sparse_matrix": _sparse_matrix, "csr_matmul": _csr_matmul}
