"""Random bits in NumPy: Threefry-2x32 with 20 rounds in 32-bit words, which wrap around by themselves.

Salmon, Moraes, Dror, Shaw, *Parallel random numbers: as easy as 1, 2, 3*, SC 2011.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = 0x1BD11BDA
_SHIFTS = [[(np.uint32(r), np.uint32(32 - r)) for r in block] for block in ROTATIONS]
"""By how many bits words are moved to the left, and to the right what falls out there."""


def random_bits(key: npt.NDArray[Any] | int, counter: npt.NDArray[Any] | int) -> npt.NDArray[Any]:
    """64 random bits for each key and counter, all in int64."""
    keys, counters = np.asarray(key, np.int64), np.asarray(counter, np.int64)
    high, low = _words(keys)
    words = (high, low, high ^ low ^ np.uint32(PARITY))
    y, x = _words(counters)
    with np.errstate(over="ignore"):
        x, y = x + words[0], y + words[1]  # new arrays, which change in place from here on
        for block in range(5):
            for left, right in _SHIFTS[block % 2]:
                x += y
                upper = y << left
                y >>= right
                y |= upper
                y ^= x
            x += words[(block + 1) % 3]
            y += words[(block + 2) % 3] + np.uint32(block + 1)
    return (x.astype(np.int64) << 32) | y.astype(np.int64)


def _words(numbers: npt.NDArray[Any]) -> tuple[Any, Any]:
    """High and low half."""
    return (numbers >> 32).astype(np.uint32), numbers.astype(np.uint32)
