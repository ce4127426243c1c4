"""NumPy and SciPy functions by row name: special functions, running extremes, searching."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from phi_tensor.backends._numpy_quiet import special

Array = npt.NDArray[Any]


def _searchsorted(keys: Array, values: Array, right: bool) -> Array:
    """Positions of each row of `values` in the same row of the sorted `keys`."""
    if len(keys) == 1:
        return np.searchsorted(keys[0], values[0], "right" if right else "left").astype(np.int64)[None]
    both = (keys, values) if right else (values, keys)  # equal numbers keep their order when sorted
    among_all = _ranks(np.concatenate(both, 1))
    of_values = among_all[:, keys.shape[1] :] if right else among_all[:, : values.shape[1]]
    return of_values - _ranks(values)


def _ranks(x: Array) -> Array:
    """Position of each number after sorting its row."""
    order = np.argsort(x, 1, kind="stable")
    ranks = np.empty(x.shape, np.int64)
    np.put_along_axis(ranks, order, np.arange(x.shape[1])[None], 1)
    return ranks


STATS: dict[str, Callable[..., Any]] = {
    "erfc": special("erfc", 1),
    "erfinv": special("erfinv", 1),
    "log_gamma": special("gammaln", 1),
    "digamma": special("digamma", 1),
    "gammainc": special("gammainc", 2),
    "gammaincc": special("gammaincc", 2),
    "sinc": np.sinc,
    "signbit": lambda x: np.signbit(x) if x.dtype.kind == "f" else x < 0,
    "copysign": np.copysign,
    "hypot": np.hypot,
    "logaddexp": np.logaddexp,
    "nextafter": np.nextafter,
    "cumprod": np.multiply.accumulate,
    "cummax": np.maximum.accumulate,
    "cummin": np.minimum.accumulate,
    "searchsorted": _searchsorted,
}
"""Native functions by row name; see `backends/README.md`."""
