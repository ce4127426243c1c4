"""Convolutions by TensorFlow, channels last."""
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from phi_tensor.backends._backend import Native
from phi_tensor.backends._convolution import (
    MOST_GROUPS,
    Convolution,
    Convolve,
    by_products,
    each_group,
    is_single,
    padded,
)
from phi_tensor.backends._tensorflow_elementwise import ints
from phi_tensor.backends._tensorflow_private import arrays, neural

_FLOATS = {tf.float16, tf.float32, tf.float64}


def convolution(ops: Mapping[str, Callable[..., Any]]) -> Convolve:
    """Convolution, channels last.

    By the library, group by group, for floats of 1 to 3 axes without dilation; its CPU kernels lack the
    derivatives of dilation and groups. Else by products, or by sums.
    """
    products = by_products(ops)

    def convolve(x: Native, kernel: Native, c: Convolution) -> Native:
        rank = len(c.strides)
        if x.dtype not in _FLOATS or max(c.dilations, default=1) > 1 or not 1 <= rank <= 3:
            return products(x, kernel, c)
        if c.groups > MOST_GROUPS or (c.groups > 1 and is_single(kernel, c)):
            return products(x, kernel, c)
        if c.groups > 1:
            return each_group(ops, convolve, x, kernel, c)
        return _lengthened(ops, x, kernel, c) if rank == 1 else _by_library(ops, x, kernel, c)

    return convolve


def _lengthened(ops: Mapping[str, Callable[..., Any]], x: Native, kernel: Native, c: Convolution) -> Native:
    """One axis as two, of which the first has size 1."""
    plane = c._replace(strides=(1, *c.strides), dilations=(1, 1), padding=((0, 0), *c.padding))
    y = _by_library(ops, arrays.expand_dims(x, ints(1)), arrays.expand_dims(kernel, ints(0)), plane)
    return arrays.squeeze(y, axis=[1])


def _by_library(ops: Mapping[str, Callable[..., Any]], x: Native, kernel: Native, c: Convolution) -> Native:
    strides = [1, *c.strides, 1]
    planar = len(c.strides) == 2
    if not c.transposed:
        native = neural.conv2d if planar else neural.conv3d
        return native(padded(ops, x, c.padding), kernel, strides, "VALID")
    sizes = tuple(kernel.shape)
    whole = c._replace(padding=((0, 0),) * len(c.strides)).result(tuple(x.shape)[1:-1], sizes[:-2])
    results = c.result(tuple(x.shape)[1:-1], sizes[:-2])
    lower = [low for low, _ in c.padding]
    columns = zip(whole, results, lower, c.strides, strict=True)
    native_sizes = [min(max(w, low + n), w + s - 1) for w, n, low, s in columns]
    adjoint = neural.conv2d_backprop_input if planar else neural.conv3d_backprop_input_v2
    swapped = arrays.transpose(kernel, ints((*range(len(sizes) - 2), len(sizes) - 1, len(sizes) - 2)))
    y = adjoint(ints((x.shape[0], *native_sizes, sizes[-1])), swapped, x, strides, "VALID")
    columns = zip(native_sizes, results, lower, strict=True)
    return padded(ops, y, tuple((-low, low + n - size) for size, n, low in columns))
