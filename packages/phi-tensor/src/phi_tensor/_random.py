"""Random numbers from a counter: the same key gives the same bits on every backend, eager and compiled.

Generator: Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror, Shaw, *Parallel random numbers: as easy as 1,
    2, 3*, SC 2011),
one row of the table in integers (`random_bits`). Without a key each call draws a new one, inside
`jit_compile`, too. Outside of traces few numbers without a key come from a generator of NumPy instead, which
costs microseconds where 20 rounds of integer rows cost a hundred; they are the same on every backend, too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from phi_tensor._context import context_dtype, settings
from phi_tensor._convert import layout_on
from phi_tensor._create import arange, wrap
from phi_tensor._dim_types import instance
from phi_tensor._dtype import FLOAT32, FLOAT64, INT32, DType, DTypeLike
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._locks import new_lock
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor.backends._numpy import NUMPY
from phi_tensor.backends._registry import default_backend
from phi_tensor.layouts._layout import Dense, Parts
from phi_tensor.ops import _elementwise as ops
from phi_tensor.ops import _table as table
from phi_tensor.ops._structure import concat, rename_dims, unpack_dim

_MASK = 0xFFFFFFFF


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
        counter = data & _MASK if isinstance(data, int) else ops.to_int64(data)
        return RandomKey(*_halves(table.RANDOM_BITS(self.packed(), counter)))

    def packed(self) -> Tensor:
        """Both words in one int64."""
        return self.high << 32 | self.low

    def split(self, count: int = 2) -> tuple[RandomKey, ...]:
        """`count` independent keys; do not use this one afterwards."""
        return tuple(self.fold_in(i) for i in range(count))

    def words(self, shape: Shape, per_number: int = 1) -> tuple[Tensor, ...]:
        """Random 32-bit words in int64, of a uniform shape: one tensor, or two for 64-bit numbers."""
        count = cast("int", shape.volume)
        needed = count if per_number == 2 else (count + 1) // 2
        index = arange(instance(entries=needed), backend=default_backend())
        x, y = _halves(table.RANDOM_BITS(self.packed(), index))
        flat = (x, y) if per_number == 2 else (concat([x, y], "entries").entries[:count],)
        return tuple(_shaped(words, shape) for words in flat)

    def units(self, shape: Shape, dtype: DType) -> Tensor:
        """Multiples of 2⁻²⁴ (16 bit: 2⁻¹¹, 64 bit: 2⁻⁵³) in [0, 1), of a uniform shape."""
        if dtype is FLOAT64:
            high, low = self.words(shape, 2)
            return ops.cast((high >> 5) * 2**26 + (low >> 6), dtype) * 2.0**-53
        (words,) = self.words(shape)
        bits = _mantissa(dtype)
        return ops.cast(words >> (32 - bits), dtype) * 2.0**-bits

    def normals(self, shape: Shape, dtype: DType) -> Tensor:
        """Standard normal numbers of a uniform shape (Box–Muller transform of two uniforms)."""
        first, second = self.split(2)
        radius = ops.sqrt(-2 * ops.log1p(-first.units(shape, dtype)))
        return radius * ops.cos(2 * np.pi * second.units(shape, dtype))


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


class HostStream:
    """Numbers without a key, one after the other from NumPy's generator. Stands where keys stand in `drawn`.

    Forked processes go on with streams of their own, which follow from the seed and the order of forks.
    """

    def __init__(self) -> None:
        self._lock = new_lock()
        self.restart(int.from_bytes(os.urandom(8), "little"), ())

    def restart(self, seed: int, forks: tuple[int, ...]) -> None:
        """Begin anew; `forks` tells which child of which parent this process is."""
        with self._lock:
            self._seed, self._forks, self._children = seed % 2**64, forks, 0
            self._made: np.random.Generator | None = None  # imports `numpy.random` when it is first needed

    def before_fork(self) -> None:
        with self._lock:
            self._children += 1

    def after_fork_in_child(self) -> None:
        self.restart(self._seed, (*self._forks, self._children))

    def _generator(self) -> np.random.Generator:
        made = self._made
        if made is None:
            with self._lock:
                start = np.random.SeedSequence(self._seed, spawn_key=self._forks)
                made = self._made = self._made or np.random.Generator(np.random.PCG64DXSM(start))
        return made

    def raw(self, count: int) -> npt.NDArray[np.uint64]:
        """64 random bits each."""
        return self._generator().bit_generator.random_raw(count)

    def fold_in(self, data: Any) -> HostStream:
        """Itself: what it draws next is independent of all that it drew before."""
        del data
        return self

    def split(self, count: int = 2) -> tuple[HostStream, ...]:
        """Itself, `count` times."""
        return (self,) * count

    def words(self, shape: Shape, per_number: int = 1) -> tuple[Tensor, ...]:
        """As `RandomKey.words`, on NumPy."""
        count = cast("int", shape.volume)
        if per_number == 2:
            raw = self.raw(count)
            return tuple(_on_host((half).astype(np.int64), shape) for half in (raw >> 32, raw & _MASK))
        return (_on_host(self._halves(count).astype(np.int64), shape),)

    def units(self, shape: Shape, dtype: DType) -> Tensor:
        """As `RandomKey.units`, on NumPy."""
        count, bits = cast("int", shape.volume), _mantissa(dtype)
        raw = self.raw(count) if dtype is FLOAT64 else self._halves(count)
        numbers = (raw >> (8 * raw.itemsize - bits)).astype(dtype.numpy)
        numbers *= dtype.numpy.type(2.0**-bits)
        return _on_host(numbers, shape)

    def normals(self, shape: Shape, dtype: DType) -> Tensor:
        """As `RandomKey.normals`, by NumPy's method."""
        numbers = self._generator().standard_normal(
            cast("int", shape.volume), np.float64 if dtype is FLOAT64 else np.float32
        )
        return _on_host(numbers.astype(dtype.numpy, copy=False), shape)

    def _halves(self, count: int) -> npt.NDArray[np.uint32]:
        return self.raw((count + 1) // 2).astype("<u8", copy=False).view("<u4")[:count]


def _mantissa(dtype: DType) -> int:
    """Random bits of a float in [0, 1)."""
    return 53 if dtype is FLOAT64 else 24 if dtype is FLOAT32 else 11


def _on_host(array: npt.NDArray[Any], shape: Shape) -> Tensor:
    layout = Dense.of(shape.dims, shape, DType.of(array.dtype), NUMPY)
    return Tensor(layout, (array.reshape(layout.sizes),))


_HOST = HostStream()
MOST_ON_HOST = 1 << 12
"""Most numbers that `HostStream` draws: a device makes many faster than it takes them over."""


def seed(seed: int) -> None:
    """Make all following random numbers without a key reproducible.

    Also those of Python's `random` and NumPy. Processes forked afterwards draw other numbers than their
    parent and each other, which follow from the seed and the order of forks.
    """
    import random as _python_random  # noqa: PLC0415 only this function needs it

    _HOST.restart(seed, ())
    _python_random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 users' own NumPy code draws from the global state


def fresh_words() -> tuple[int, int]:
    """Words of a key that was never drawn before in this process or one it was forked from (since `seed`)."""
    (bits,) = _HOST.raw(1).tolist()
    return bits >> 32, bits & _MASK


if hasattr(os, "register_at_fork"):  # POSIX
    os.register_at_fork(before=_HOST.before_fork, after_in_child=_HOST.after_fork_in_child)


def fresh_key() -> RandomKey:
    """A new key, from the enclosing trace where there is one."""
    source = _SOURCE.get()
    if source is not None:
        return source.draw()
    if settings().traced == "jit":
        raise KeyNeeded
    high, low = fresh_words()
    return RandomKey(wrap(np.asarray(high)), wrap(np.asarray(low)))


def fresh_source(count: int | None) -> RandomKey | HostStream:
    """Where `count` numbers without a key come from."""
    in_trace = _SOURCE.get() is not None or settings().traced == "jit"
    return fresh_key() if in_trace or count is None or count > MOST_ON_HOST else _HOST


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


def _halves(bits: Tensor) -> tuple[Tensor, Tensor]:
    """High and low 32-bit words of 64 random bits."""
    return bits >> 32 & _MASK, bits & _MASK


def _shaped(flat: Tensor, shape: Shape) -> Tensor:
    if not shape.rank:
        return flat.entries[0]
    if shape.rank == 1:
        return rename_dims(flat, "entries", shape)
    return unpack_dim(flat, "entries", shape)


def drawn(
    function: str, shape: Shape, key: RandomKey | HostStream | None, draw: Callable[[Any, Shape], Tensor]
) -> Tensor:
    """Random numbers of any shape; ragged parts have keys of their own.

    Args:
        function: For messages.
        shape: Dims of the result.
        key: Where the numbers come from, or None for a new key or the host's stream.
        draw: Function of a key (or the host's stream) and a uniform shape.
    """
    if shape.volume is None:
        raise IncompatibleShapes(
            f"`{function}` needs known sizes, but found {shape}. Write e.g. `spatial(x=4)`."
        )
    source = key or fresh_source(shape.volume)
    numbers = _drawn(shape, source, draw)
    return _on_default_backend(numbers) if source is _HOST else numbers


def _on_default_backend(numbers: Tensor) -> Tensor:
    """The host's numbers, which nobody else holds."""
    target = default_backend()
    if target is NUMPY:
        return numbers
    natives = tuple(target.as_native(native) for native in numbers.natives)
    return Tensor(layout_on(numbers.layout, target), natives)


def _drawn(
    shape: Shape, key: RandomKey | HostStream, draw: Callable[[RandomKey | HostStream, Shape], Tensor]
) -> Tensor:
    if shape.is_uniform:
        return draw(key, shape)
    along = shape.get_dim(shape.non_uniform.dims[0].over[0])
    parts = [_drawn(part, key.fold_in(i), draw) for i, part in enumerate(shape.unstack(along.name))]
    whole = shape if parts[0].rank == shape.rank - 1 else None  # index vectors have one more dim
    layout = Parts.of(along, tuple(part.layout for part in parts), whole)
    return Tensor(layout, tuple(native for part in parts for native in part.natives))


def uniform_words(key: RandomKey | HostStream, shape: Shape) -> Tensor:
    """Random 32-bit words in int64."""
    return key.words(shape)[0]


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
    kind = context_dtype(DType.of(dtype))
    if kind.kind is int:
        return random_integers(*shape, low=low, high=high, dtype=dtype, key=key)
    dims = merge_shapes(*shape)
    unit = drawn("random_uniform", dims, key, lambda k, s: k.units(s, kind))
    if type(low) in (int, float) and type(high) in (int, float) and (low, high) == (0, 1):
        return unit
    return _below(low + unit * (high - low), low, high, kind)


def _below(x: Tensor, low: Any, high: Any, dtype: DType) -> Tensor:
    """`x`, moved off the excluded limit where it was rounded to it."""
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        limit = ops.cast(high, dtype)
        return ops.where(x == limit, table.NEXTAFTER(limit, low), x)
    number = dtype.numpy.type
    return ops.where(x == float(number(high)), float(np.nextafter(number(high), number(low))), x)


def random_integers(
    *shape: Shape | str, high: Any, low: Any = 0, dtype: DTypeLike = int, key: RandomKey | None = None
) -> Tensor:
    """Uniform random integers low ≤ i < high on the default backend.

    The same on every backend for the same key. Probabilities are equal to within 2⁻³³.

    Args:
        *shape: Dims of the result, filled row-major.
        high: Upper limit, exclusive; number or int tensor, at most 2³¹ above `low`.
        low: Lower limit, number or int tensor.
        dtype: Int type; `int` is int32.
        key: Where the numbers come from; default: a new key for every call.

    Raises:
        ValueError: There are no integers between the limits, or more than 2³¹, or `dtype` does not hold them.

    >>> import phi_tensor as math
    >>> random_integers(math.spatial(x=3), low=5, high=6)
    (5, 5, 5) along (x:s=3) int32
    """
    for limit in (low, high):
        if not isinstance(limit, (int, Tensor)) or (
            isinstance(limit, Tensor) and limit.dtype.kind is not int
        ):
            raise TypeError(
                f"`random_integers(low=…, high=…)` needs ints or int tensors, but found "
                f"{limit.dtype if isinstance(limit, Tensor) else type(limit).__name__}. Use `to_int64`."
            )
    span = high - low
    if not isinstance(span, Tensor) and not 1 <= span <= 2**31:
        raise ValueError(
            f"`random_integers(low={low}, high={high})` needs 1 to 2³¹ integers from `low` up to, but not "
            f"including `high`."
        )
    kind = INT32 if dtype is int else DType.of(dtype)
    if kind.kind is int and any(not _holds(kind, x) for x in (low, high - 1) if isinstance(x, int)):
        raise ValueError(
            f"`random_integers(low={low}, high={high}, dtype={kind})` needs a type that holds these. Use "
            f"`dtype='int64'`."
        )
    dims = merge_shapes(*shape)
    first, second = (key or fresh_source(dims.volume)).split(2)
    upper, lower = (drawn("random_integers", dims, k, uniform_words) for k in (first, second))
    span = ops.to_int64(span) if isinstance(span, Tensor) else int(span)
    whole = (upper * span + (lower * span >> 32)) >> 32  # ⌊64 random bits · span / 2⁶⁴⌋
    return ops.cast(low + whole, kind)


def _holds(dtype: DType, number: int) -> bool:
    limits = np.iinfo(dtype.numpy)
    return limits.min <= number <= limits.max


def random_normal(*shape: Shape | str, dtype: DTypeLike = float, key: RandomKey | None = None) -> Tensor:
    """Standard normal random numbers on the default backend.

    Args:
        *shape: Dims of the result, filled row-major.
        dtype: Float type.
        key: Where the numbers come from; default: a new key for every call.
    """
    kind = context_dtype(DType.of(dtype))
    return drawn("random_normal", merge_shapes(*shape), key, lambda k, s: k.normals(s, kind))
