"""TensorFlow's scatter functions: `(base (n, k), indices (m,) inside bounds, values (m, k))` → new array."""

from __future__ import annotations

import tensorflow as tf

from phi_tensor.backends._tensorflow_elementwise import BOOL, Native, Op, cast_to, ints
from phi_tensor.backends._tensorflow_private import arrays


def _scatter_add(base: Native, indices: Native, values: Native) -> Native:
    return arrays.tensor_scatter_add(base, arrays.expand_dims(indices, ints(1)), values)


def _scatter_extreme(native: Op) -> Op:
    def scatter(base: Native, indices: Native, values: Native) -> Native:
        if base.dtype is BOOL:
            return cast_to(scatter(*(cast_to(x, tf.int32) for x in (base, indices, values))), BOOL)
        return native(base, arrays.expand_dims(indices, ints(1)), values)

    return scatter


SCATTER: dict[str, Op] = {
    "scatter_add": _scatter_add,
    "scatter_maximum": _scatter_extreme(arrays.tensor_scatter_max),
    "scatter_minimum": _scatter_extreme(arrays.tensor_scatter_min),
}
"""All others are composed of these, see `ops/_scatter_native.py`."""
