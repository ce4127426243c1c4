"""Convolutions by XLA, channels last."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
from jax import lax

from phi_tensor.backends._backend import Native
from phi_tensor.backends._convolution import (
    MOST_GROUPS,
    Convolution,
    Convolve,
    by_products,
    each_group,
    is_single,
)


def convolution(ops: Mapping[str, Callable[..., Any]]) -> Convolve:
    """Convolution of any number of axes.

    Single channels by sums, groups one by one or by products: what XLA has for these is up to 40 times slower
    on CPUs, and its derivatives are.
    """
    products = by_products(ops)

    @partial(jax.jit, inline=True, static_argnums=2)
    def convolve(x: Native, kernel: Native, c: Convolution) -> Native:
        if is_single(kernel, c) or c.groups > MOST_GROUPS:
            return products(x, kernel, c)
        if c.groups > 1:
            return each_group(ops, _by_library, x, kernel, c)
        return _by_library(x, kernel, c)

    return convolve


def _by_library(x: Native, kernel: Native, c: Convolution) -> Native:
    rank = len(c.strides)
    between = (1,) * rank
    if c.transposed:
        between = c.strides
        kernel, c = lax.rev(kernel, range(rank)), c.forward(kernel.shape[:rank])
    last = (0, rank + 1, *range(1, rank + 1))
    return lax.conv_general_dilated(
        x,
        kernel,
        c.strides,
        c.padding,
        between,
        c.dilations,
        lax.ConvDimensionNumbers(last, (rank + 1, rank, *range(rank)), last),
        c.groups,
        precision=lax.Precision.HIGHEST,  # accelerators would round 32-bit floats to 19 or 16 bits
    )
