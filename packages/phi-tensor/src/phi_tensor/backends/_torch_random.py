"""Random bits in PyTorch: Threefry-2x32 with 20 rounds, see `_numpy_random.py`.

Compiled code calls it as one opaque node: Inductor would take 20 s for the 150 integer operations.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch

from phi_tensor.backends import _torch_jit as jit
from phi_tensor.backends._backend import Native
from phi_tensor.backends._numpy_random import PARITY, ROTATIONS
from phi_tensor.backends._numpy_random import random_bits as on_numpy
from phi_tensor.backends._torch_compile import is_traced

_MASK = 0xFFFFFFFF


def random_bits(key: Native, counter: Native) -> Native:
    """64 random bits for each key and counter, all in int64."""
    if isinstance(counter, int):
        counter = torch.full((), counter, dtype=torch.int64, device=key.device)
    elif isinstance(key, int):
        key = torch.full((), key, dtype=torch.int64, device=counter.device)
    if not jit.compiling():
        return _bits(key, counter)
    return _node()(key | 0, counter | 0)  # operations that record where arrays come from


MOST_ON_HOST = 1 << 12
"""Most numbers for which NumPy is faster: 150 operations cost their calls."""


def _bits(key: Native, counter: Native) -> Native:
    small = key.numel() <= MOST_ON_HOST and counter.numel() <= MOST_ON_HOST
    on_host = not is_traced(key) and not is_traced(counter) and key.is_cpu and counter.is_cpu
    if small and on_host:
        return torch.from_numpy(np.asarray(on_numpy(key.numpy(), counter.numpy())))
    high, low = key >> 32 & _MASK, key & _MASK
    words = (high, low, high ^ low ^ PARITY)
    x, y = (counter & _MASK) + words[0] & _MASK, (counter >> 32 & _MASK) + words[1] & _MASK
    for block in range(5):
        for rotation in ROTATIONS[block % 2]:
            x = x + y & _MASK
            y = (y << rotation & _MASK | y >> 32 - rotation) ^ x
        x = x + words[(block + 1) % 3] & _MASK
        y = y + words[(block + 2) % 3] + (block + 1) & _MASK
    return x << 32 | y


@functools.cache
def _node() -> Any:
    library = torch.library.Library("phi_tensor_random", "DEF")
    _LIBRARIES.append(library)
    library.define("bits(Tensor key, Tensor counter) -> Tensor")
    library.impl("bits", _bits, "CompositeExplicitAutograd")
    torch.library.register_fake("phi_tensor_random::bits", _fake, lib=library)
    return torch.ops.phi_tensor_random.bits.default


def _fake(key: Native, counter: Native) -> Native:
    return torch.empty(
        torch.broadcast_shapes(key.shape, counter.shape), dtype=torch.int64, device=counter.device
    )


_LIBRARIES: list[Any] = []
