"""Convolutions by XLA, channels last."""

from __future__ import annotations

from functools import partial

import jax
from jax import lax

from phi_tensor.backends._backend import Native
from phi_tensor.backends._convolution import Convolution


@partial(jax.jit, inline=True, static_argnums=2)
def convolve(x: Native, kernel: Native, c: Convolution) -> Native:
    """Convolution of any number of axes."""
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
