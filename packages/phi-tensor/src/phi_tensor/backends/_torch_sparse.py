"""PyTorch's sparse arrays."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

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
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Ss]parse CS[RC].*beta")
        return make(
            torch.as_tensor(pointers, device=device),
            torch.as_tensor(inner, device=device),
            values,
            shape,
            check_invariants=False,
        )


SPARSE: dict[str, Callable[..., Any]] = {"sparse_matrix": _sparse_matrix}
