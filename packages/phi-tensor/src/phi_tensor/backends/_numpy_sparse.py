"""NumPy's sums and products of stored entries, by SciPy's compressed matrices."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from phi_tensor.sparse._constants import Contraction, Segments

Array = npt.NDArray[Any]


def _segment_sum(values: Array, segments: Segments) -> Array:
    """`(values (m, k), segments) → (n, k)`: each sum is a row of ones times the values."""
    entries = len(values)
    at = np.arange(entries) if segments.order is None else segments.order
    ones = np.ones(entries, values.dtype)
    return _compressed("csr", ones, at, segments.pointers, (segments.count, entries)) @ values


def _sparse_matmul(values: Array, x: Array, contraction: Contraction) -> Array:
    """`(values (m,), x (places, k), contraction) → (n, k)`."""
    make, order = _structure(contraction)
    return make(values if order is None else values[order]) @ x


def _structure(contraction: Contraction) -> tuple[Callable[[Array], Any], Array | None]:
    """`(function from values to SciPy's matrix, order in which it takes them)`, kept with the contraction."""
    found = contraction.kept.get("scipy")
    if found is None:
        segments, source = contraction.segments, contraction.source
        shape = (segments.count, contraction.places)
        if segments.order is not None and np.all(np.diff(source) >= 0):
            sizes = np.bincount(source, minlength=contraction.places)
            pointers = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
            found = _maker("csc", segments.ids, pointers, shape), None
        else:
            order = segments.order
            indices = source if order is None else source[order]
            found = _maker("csr", indices, segments.pointers, shape), order
        contraction.kept["scipy"] = found
    return found


def _maker(kind: str, indices: Array, pointers: Array, shape: tuple[int, int]) -> Callable[[Array], Any]:
    template: Any = _compressed(kind, np.zeros(len(indices), np.float32), indices, pointers, shape)

    def make(values: Array) -> Any:
        matrix = copy(template)  # the checks of the constructor take longer than small products
        matrix.data = values
        return matrix

    return make


def _compressed(kind: str, values: Array, indices: Array, pointers: Array, shape: tuple[int, int]) -> Any:
    from scipy import sparse  # noqa: PLC0415 SciPy's submodules take time to load

    return {"csr": sparse.csr_array, "csc": sparse.csc_array}[kind]((values, indices, pointers), shape=shape)


def _sparse_matrix(values: Array, rows: Array, columns: Array, shape: tuple[int, int], format: str) -> Any:
    """SciPy's array of sorted entries."""
    from scipy import sparse  # noqa: PLC0415 SciPy's submodules take time to load

    listed: Any = sparse.coo_array((values, (rows, columns)), shape=shape)
    return listed.asformat(format)


SPARSE: dict[str, Callable[..., Any]] = {
    "segment_sum": _segment_sum,
    "sparse_matmul": _sparse_matmul,
    "sparse_matrix": _sparse_matrix,
}
