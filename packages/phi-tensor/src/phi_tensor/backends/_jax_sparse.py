"""JAX's sparse arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from phi_tensor.backends._backend import Native

Ints = npt.NDArray[np.int64]


def _sparse_matrix(values: Native, rows: Ints, columns: Ints, shape: tuple[int, int], format: str) -> Native:
    """JAX's `BCSR` of entries sorted by rows, for `csr`, else its `BCOO`."""
    from jax.experimental import sparse  # noqa: PLC0415 takes time to load

    made: Any = sparse.BCOO(
        (values, np.stack([rows, columns], -1)),
        shape=shape,
        indices_sorted=format != "csc",
        unique_indices=True,
    )
    return sparse.BCSR.from_bcoo(made) if format == "csr" else made


SPARSE: dict[str, Callable[..., Any]] = {"sparse_matrix": _sparse_matrix}
