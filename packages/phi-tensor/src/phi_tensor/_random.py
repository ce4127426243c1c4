"""Random numbers from a counter: the same key gives the same bits on every backend, eager and compiled.

Generator: Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror, Shaw, *Parallel random numbers: as easy as 1,
    2, 3*, SC 2011),
written in 64-bit integer operations that every library has. Without a key each call draws a new one, inside
`jit_compile`, too.
"""

from __future__ import annotations

import random as _python_random
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np

from phi_tensor._context import context_dtype, settings
from phi_tensor._create import arange, wrap
from phi_tensor._dim_types import instance
from phi_tensor._dtype import FLOAT32, FLOAT64, INT32, DType, DTypeLike
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._locks import new_lock
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor.backends._registry import default_backend
from phi_tensor.ops import _elementwise as ops
from phi_tensor.ops._structure import concat, rename_dims, unpack_dim

_MASK = 0xFFFFFFFF
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA


@dataclass(frozen=True)
class RandomKey:
    """Where random numbers come from: two 32-bit words in 0-d int64 tensors. Equal keys give equal numbers.

    Attributes:
        high: First word.
        low: Second word.
    """

    high: Tensor
    low: Tensor

    def fold_in(self, data: Any) -> RandomKey:
        """Independent key for an int (or 0-d int tensor), e.g. a time step."""
        words = _threefry(self, data & _MASK if isinstance(data, int) else ops.to_int64(data), 0)
        return RandomKey(*words)

    def split(self, count: int = 2) -> tuple[RandomKey, ...]:
        """`count` independent keys; do not use this one afterwards."""
        return tuple(self.fold_in(i) for i in range(count))


def random_key(seed: int) -> RandomKey:
    """Key for a seed (any int)."""
    return RandomKey(wrap(np.asarray(seed >> 32 & _MASK)), wrap(np.asarray(seed & _MASK)))


class KeyNeeded(BaseException):
    """Traced code asked for random numbers without a key.

    The tracer starts again with one as hidden input.
    """


class _Source:
    """Keys without a name: a base key and the number of draws."""

    def __init__(self, base: RandomKey) -> None:
        self.base = base
        self.count = 0

    def draw(self) -> RandomKey:
        self.count += 1
        return self.base.fold_in(self.count)


_SOURCE: ContextVar[_Source | None] = ContextVar("phi_tensor_random_source", default=None)
_STATE = [secrets.randbits(64), 0]
_LOCK = new_lock()


def seed(seed: int) -> None:
    """Make all following random numbers without a key reproducible.

    Also those of Python's `random` and NumPy.
    """
    with _LOCK:
        _STATE[:] = [seed, 0]
    _python_random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 users' own NumPy code draws from the global state


def fresh_words() -> tuple[int, int]:
    """Words of a key that was never drawn before in this process (since `seed`)."""
    with _LOCK:
        _STATE[1] += 1
        base, count = _STATE
    mixed = np.random.SeedSequence((base % 2**64, count)).generate_state(2, np.uint32)
    return int(mixed[0]), int(mixed[1])


def fresh_key() -> RandomKey:
    """A new key, from the enclosing trace where there is one."""
    source = _SOURCE.get()
    if source is not None:
        return source.draw()
    if settings().traced == "jit":
        raise KeyNeeded
    high, low = fresh_words()
    return RandomKey(wrap(np.asarray(high)), wrap(np.asarray(low)))


@contextmanager
def drawing_from(base: RandomKey | None) -> Generator[None]:
    """Context in which keys without a name follow from `base`; None: as outside, or `KeyNeeded` in traces."""
    token = _SOURCE.set(None if base is None else _Source(base))
    try:
        yield
    finally:
        _SOURCE.reset(token)


def current_base() -> RandomKey | None:
    """A new base key from the enclosing source, if any."""
    source = _SOURCE.get()
    return None if source is None else source.draw()


def _threefry(key: RandomKey, first: Any, second: Any) -> tuple[Tensor, Tensor]:
    """Two words of random bits for two counter words."""
    words = (key.high, key.low, key.high ^ key.low ^ _PARITY)
    x = (first + words[0]) & _MASK
    y = (second + words[1]) & _MASK
    for block in range(5):
        for rotation in _ROTATIONS[block % 2]:
            x = (x + y) & _MASK
            y = (((y << rotation) & _MASK) | (y >> (32 - rotation))) ^ x
        x = (x + words[(block + 1) % 3]) & _MASK
        y = (y + words[(block + 2) % 3] + (block + 1)) & _MASK
    return x, y


def _words(key: RandomKey, count: int, per_number: int) -> tuple[Tensor, ...]:
    """Random 32-bit words `(entries)` in int64: one tensor of `count` words, or two for 64-bit numbers."""
    needed = count if per_number == 2 else (count + 1) // 2
    index = arange(instance(entries=needed), backend=default_backend())
    x, y = _threefry(key, index, 0 * index)
    if per_number == 2:
        return x, y
    return (concat([x, y], "entries").entries[:count],)


def _shaped(flat: Tensor, shape: Shape) -> Tensor:
    if not shape.rank:
        return flat.entries[0]
    if shape.rank == 1:
        return rename_dims(flat, "entries", shape)
    return unpack_dim(flat, "entries", shape)


def _count(shape: Shape, function: str) -> int:
    if shape.volume is None or not shape.is_uniform:
        raise IncompatibleShapes(
            f"`{function}` needs known, uniform sizes, but found {shape}. Draw ragged parts one by one and "
            f"`stack` them."
        )
    return shape.volume


def random_uniform(
    *shape: Shape | str, low: Any = 0, high: Any = 1, dtype: DTypeLike = float, key: RandomKey | None = None
) -> Tensor:
    """Uniform random numbers in [low, high) on the default backend.

    The same bits on every backend for the same key.

    Args:
        *shape: Dims of the result, filled row-major.
        low: Lower limit, number or tensor.
        high: Upper limit, number or tensor.
        dtype: `float`, or `int` for integers low ≤ i < high.
        key: Where the numbers come from; default: a new key for every call.

    >>> import phi_tensor as math
    >>> random_uniform(math.spatial(x=3), low=1, high=2).shape
    (x:s=3)
    """
    dims = merge_shapes(*shape)
    count = _count(dims, "random_uniform")
    kind = context_dtype(DType.of(dtype))
    key = key or fresh_key()
    if kind.kind is int:
        (words,) = _words(key, count, 1)
        whole = _shaped(words, dims)
        return ops.cast(low + (whole * (high - low) >> 32), kind if dtype is not int else INT32)
    unit = _shaped(_unit_floats(key, count, kind), dims)
    if type(low) in (int, float) and type(high) in (int, float) and (low, high) == (0, 1):
        return unit
    return low + unit * (high - low)


def _unit_floats(key: RandomKey, count: int, dtype: DType) -> Tensor:
    """Multiples of 2⁻²⁴ (16 bit: 2⁻¹¹, 64 bit: 2⁻⁵³) in [0, 1)."""
    if dtype is FLOAT64:
        high, low = _words(key, count, 2)
        return ops.cast((high >> 5) * 2**26 + (low >> 6), dtype) * 2.0**-53
    (words,) = _words(key, count, 1)
    bits = 24 if dtype is FLOAT32 else 11
    return ops.cast(words >> (32 - bits), dtype) * 2.0**-bits


def random_normal(*shape: Shape | str, dtype: DTypeLike = float, key: RandomKey | None = None) -> Tensor:
    """Standard normal random numbers on the default backend (Box–Muller transform of two uniforms).

    Args:
        *shape: Dims of the result, filled row-major.
        dtype: Float type.
        key: Where the numbers come from; default: a new key for every call.
    """
    dims = merge_shapes(*shape)
    count = _count(dims, "random_normal")
    kind = context_dtype(DType.of(dtype))
    first, second = (key or fresh_key()).split(2)
    radius = ops.sqrt(-2 * ops.log1p(-_unit_floats(first, count, kind)))
    angle = 2 * np.pi * _unit_floats(second, count, kind)
    return _shaped(radius * ops.cos(angle), dims)
