"""Random bits composed of integer operations, for backends without a function of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from phi_tensor.backends._backend import Backend, Native
from phi_tensor.backends._numpy_random import PARITY, ROTATIONS

_MASK = 0xFFFFFFFF


def random_bits(backend: Backend) -> Callable[[Any, Any], Native]:
    """Threefry-2x32 with 20 rounds in 64-bit integers, see `backends/_numpy_random.py`."""
    add, both, either, differ, left, right = (
        backend.ops[name]
        for name in (
            "add",
            "bitwise_and",
            "bitwise_or",
            "bitwise_xor",
            "bitwise_left_shift",
            "bitwise_right_shift",
        )
    )

    def bits(key: Any, counter: Any) -> Native:
        high, low = _halves(key)
        words = (high, low, differ(differ(high, low), PARITY))
        y, x = _halves(counter)
        x, y = both(add(words[0], x), _MASK), both(add(words[1], y), _MASK)
        for block in range(5):
            for rotation in ROTATIONS[block % 2]:
                x = both(add(x, y), _MASK)
                y = differ(either(both(left(y, rotation), _MASK), right(y, 32 - rotation)), x)
            x = both(add(x, words[(block + 1) % 3]), _MASK)
            y = both(add(y, add(words[(block + 2) % 3], block + 1)), _MASK)
        return either(left(x, 32), y)

    def _halves(number: Any) -> tuple[Any, Any]:
        if isinstance(number, int):
            return number >> 32 & _MASK, number & _MASK
        return both(right(number, 32), _MASK), both(number, _MASK)

    return bits
