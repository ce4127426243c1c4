"""NumPy's scatter functions, by row name: `(base (n, k), indices (m,), values (m, k))` → new array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from phi_tensor.backends._numpy_quiet import quietly

Array = npt.NDArray[Any]


def _scatter(function: np.ufunc) -> Callable[[Array, Array, Array], Array]:
    def scatter(base: Array, indices: Array, values: Array) -> Array:
        result = base.copy()
        write(result, indices, values)
        return result

    write = quietly(function.at, 3)
    return scatter


def _scatter_update(base: Array, indices: Array, values: Array) -> Array:
    result = base.copy()
    result[indices] = values  # NumPy assigns in order: the last of equal indices stays
    return result


SCATTER: dict[str, Callable[..., Any]] = {
    "scatter_update": _scatter_update,
    "scatter_add": _scatter(np.add),
    "scatter_min": _scatter(np.minimum),
    "scatter_max": _scatter(np.maximum),
    "scatter_prod": _scatter(np.multiply),
    "scatter_any": _scatter(np.logical_or),
    "scatter_all": _scatter(np.logical_and),
}
"""Means are composed, see `ops/_scatter_native.py`."""
