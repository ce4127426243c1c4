"""Random bits in JAX: Threefry-2x32 with 20 rounds in 32-bit words, see `_numpy_random.py`."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from phi_tensor.backends._backend import Native
from phi_tensor.backends._numpy_random import PARITY, ROTATIONS


@partial(jax.jit, inline=True)
def random_bits(key: Native, counter: Native) -> Native:
    """64 random bits for each key and counter, all in int64."""
    high, low = _words(key)
    words = (high, low, high ^ low ^ np.uint32(PARITY))
    y, x = _words(counter)
    x, y = x + words[0], y + words[1]
    for block in range(5):
        for rotation in ROTATIONS[block % 2]:
            x = x + y
            y = ((y << np.uint32(rotation)) | (y >> np.uint32(32 - rotation))) ^ x
        x = x + words[(block + 1) % 3]
        y = y + (words[(block + 2) % 3] + np.uint32(block + 1))
    return (x.astype(np.int64) << 32) | y.astype(np.int64)


def _words(numbers: Native) -> tuple[Native, Native]:
    """High and low half."""
    wide = jnp.asarray(numbers, np.int64)
    return ((wide >> 32) & 0xFFFFFFFF).astype(np.uint32), (wide & 0xFFFFFFFF).astype(np.uint32)
