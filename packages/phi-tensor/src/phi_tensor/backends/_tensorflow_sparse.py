"""TensorFlow's sparse arrays, which know one format: entries sorted by rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from phi_tensor.backends._backend import Native

Ints = npt.NDArray[np.int64]


def _sparse_matrix(values: Native, rows: Ints, columns: Ints, shape: tuple[int, int], format: str) -> Native:
    """`tf.SparseTensor` of sorted entries."""
    library = cast("Any", tf)
    found = library.SparseTensor(np.stack([rows, columns], -1), values, shape)
    return library.sparse.reorder(found) if format == "csc" else found


SPARSE: dict[str, Callable[..., Any]] = {"sparse_matrix": _sparse_matrix}
