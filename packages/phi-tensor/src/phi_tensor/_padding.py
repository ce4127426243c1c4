"""What lies outside of a grid: one table row per rule that copies inner values. Constants need no row.

The value outside, at position i of n, is `weight(i) · x[index(i)] + edge · x[nearest edge]`. Everything else
(padding, sampling
between the samples, arithmetic, derivatives, face counts) follows from the row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from phi_tensor.backends._backend import Backend, Native

Ints = npt.NDArray[np.int64]
IndexMap = Callable[[Ints, int], tuple[Ints, Ints]]
"""`(positions, n) -> (indices inside, weights ±1)`."""
CoordinateMap = Callable[[Native], tuple[Native, Native | None]]
"""`coordinates -> (coordinates between the layers that exist, where values change their sign or None)`."""


@dataclass(frozen=True, eq=False)
class Kind:
    """One rule that copies inner values.

    Attributes:
        name: How users and files call it.
        rank: Where sides differ, lower ranks are padded first; constants come last.
        index: Where the value outside comes from, and its sign.
        coordinates: Makes the map of coordinates for n samples, for interpolation.
        derivative: Name of the rule that the derivative obeys; `zero` for the constant 0.
        magnitude: Name of the rule that the absolute value obeys.
        shiftable: True if a field plus a constant obeys the rule as well (the weights add up to 1).
        pointwise: True if any function of the field obeys the rule as well (values are copied as they are).
        edge: Weight of the nearest edge value [-].
        layers: How many layers below and above the samples interpolation needs.
        flexible: True if outside values adapt to the inner ones.
        faces: Whether a staggered grid stores its lowest and its highest face.
    """

    name: str
    rank: int
    index: IndexMap
    coordinates: Callable[[Backend, int], CoordinateMap] | None
    derivative: str
    magnitude: str | None = None
    shiftable: bool = True
    pointwise: bool = True
    edge: int = 0
    layers: tuple[int, int] = (0, 0)
    flexible: bool = True
    faces: tuple[bool, bool] = (True, True)

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Any, ...]:
        return _kind, (self.name,)


def _kind(name: str) -> Kind:
    """Kind of the table by its name, for unpickling."""
    return KINDS[name]


CONSTANT_RANK = 9
"""Constants are padded after all rules that copy values."""


# --- where outside values come from


def _wrapped(i: Ints, n: int) -> tuple[Ints, Ints]:
    return i % n, np.ones_like(i)


def _clamped(i: Ints, n: int) -> tuple[Ints, Ints]:
    return np.clip(i, 0, n - 1), np.ones_like(i)


def _mirrored(i: Ints, n: int) -> tuple[Ints, Ints]:
    rest = i % (2 * n)
    return np.minimum(rest, 2 * n - 1 - rest), 1 - 2 * ((i // n) % 2)


def _reflected(i: Ints, n: int) -> tuple[Ints, Ints]:
    span = max(n - 1, 1)
    rest = i % (2 * span)
    folds = np.where(i < 0, -(i // span), np.maximum(-(-i // span) - 1, 0))
    return np.minimum(np.minimum(rest, 2 * span - rest), n - 1), 1 - 2 * (folds % 2)


def _positive(index: IndexMap) -> IndexMap:
    def unsigned(i: Ints, n: int) -> tuple[Ints, Ints]:
        where, weight = index(i, n)
        return where, np.ones_like(weight)

    return unsigned


def _opposed(i: Ints, n: int) -> tuple[Ints, Ints]:
    return _reflected(i, n)[0], -np.ones_like(i)


# --- the same for real coordinates. Comparisons, not `minimum`: equal derivatives at ties on all backends.


def clamp(backend: Backend, lower: float, upper: float) -> Callable[[Native], Native]:
    """Function that limits values to an interval; its derivative is 1 on the whole closed interval."""
    if "reverse" not in backend.supports:
        maximum, minimum = backend.ops["maximum"], backend.ops["minimum"]
        return lambda c: minimum(maximum(c, lower), upper)
    where, less, greater = (backend.ops[name] for name in ("where", "less", "greater"))

    def limited(c: Native) -> Native:
        c = where(less(c, lower), lower, c)
        return where(greater(c, upper), upper, c)

    return limited


def _clamped_coordinates(backend: Backend, n: int) -> CoordinateMap:
    limited = clamp(backend, 0, n - 1)
    return lambda c: (limited(c), None)


def _modulo(backend: Backend, period: float) -> Callable[[Native], Native]:
    """Function c ↦ c − ⌊c / period⌋ · period: cheaper than the remainder, right up to rounding."""
    subtract, multiply, floor = (backend.ops[name] for name in ("subtract", "multiply", "floor"))
    return lambda c: subtract(c, multiply(floor(multiply(c, 1 / period)), period))


def _wrapped_coordinates(backend: Backend, n: int) -> CoordinateMap:
    wrapped = _modulo(backend, n)
    return lambda c: (wrapped(c), None)


def _mirrored_coordinates(backend: Backend, n: int, signed: bool = False) -> CoordinateMap:
    """Fold at −½ and n − ½. Unsigned values are flat there; signed ones pass through zero."""
    add, subtract, multiply, where, greater = (
        backend.ops[k] for k in ("add", "subtract", "multiply", "where", "greater")
    )
    wrapped, limited = _modulo(backend, 2 * n), clamp(backend, 0, n - 1)

    def folded(c: Native) -> tuple[Native, Native | None]:
        rest = wrapped(add(c, 0.5))
        beyond = greater(rest, n)
        c = subtract(where(beyond, add(multiply(rest, -1), 2 * n), rest), 0.5)
        return (c, beyond) if signed else (limited(c), None)

    return folded


def _reflected_coordinates(backend: Backend, n: int) -> CoordinateMap:
    span, limited = max(n - 1, 1), clamp(backend, 0, n - 1)
    add, multiply, where, greater = (backend.ops[k] for k in ("add", "multiply", "where", "greater"))
    wrapped = _modulo(backend, 2 * span)

    def folded(c: Native) -> tuple[Native, Native | None]:
        rest = wrapped(c)
        return limited(where(greater(rest, span), add(multiply(rest, -1), 2 * span), rest)), None

    return folded


def _antireflected_coordinates(backend: Backend, n: int) -> CoordinateMap:
    """Fold at 0 and n − 1; signs change within one cell, at −1 − k(n−1) and at n + k(n−1)."""
    span = max(n - 1, 1)
    add, subtract, multiply, divide = (backend.ops[k] for k in ("add", "subtract", "multiply", "divide"))
    where, less, greater, ceil, remainder = (
        backend.ops[k] for k in ("where", "less", "greater", "ceil", "remainder")
    )

    def folded(c: Native) -> tuple[Native, Native | None]:
        below = less(c, 0)
        outside = where(below, multiply(add(c, 1), -1), subtract(c, n))
        folds = ceil(divide(where(greater(outside, 0), outside, 0.0), span))
        odd = greater(remainder(folds, 2), 0)
        even = add(c, multiply(where(below, folds, multiply(folds, -1)), span))
        return where(odd, add(multiply(even, -1), span), even), odd

    return folded


def _antimirrored_coordinates(backend: Backend, n: int) -> CoordinateMap:
    return _mirrored_coordinates(backend, n, signed=True)


_ROWS = (
    Kind(
        "periodic",
        0,
        _wrapped,
        _wrapped_coordinates,
        "periodic",
        layers=(0, 1),
        flexible=False,
        faces=(True, False),
    ),
    Kind("zero-gradient", 1, _clamped, _clamped_coordinates, "zero"),
    Kind("symmetric", 2, _positive(_mirrored), _mirrored_coordinates, "antisymmetric"),
    Kind(
        "antisymmetric",
        2,
        _mirrored,
        _antimirrored_coordinates,
        "symmetric",
        "symmetric",
        False,
        False,
        layers=(1, 1),
    ),
    Kind("reflect", 3, _positive(_reflected), _reflected_coordinates, "antireflect"),
    Kind(
        "antireflect",
        3,
        _reflected,
        _antireflected_coordinates,
        "reflect",
        "reflect",
        False,
        False,
        layers=(1, 1),
    ),
    Kind("symmetric-gradient", 4, _opposed, None, "reflect", None, True, False, edge=2),
)
KINDS: dict[str, Kind] = {kind.name: kind for kind in _ROWS}
"""All rules that copy inner values, by name."""

ABSENT = Kind("none", 0, _clamped, _clamped_coordinates, "none", flexible=False)
"""No outside values: nothing is padded, interpolation takes the nearest sample. Hence not in the table."""


@dataclass(frozen=True)
class Run:
    """Consecutive outside values that one slice of the inner ones gives.

    Attributes:
        start: First index inside.
        count: Number of values [-].
        step: 1, −1, or 0 for one value repeated.
        weight: ±1.
    """

    start: int
    count: int
    step: int
    weight: int

    @property
    def index(self) -> slice:
        """The slice; of one value where it is repeated."""
        if self.step == 0:
            return slice(self.start, self.start + 1)
        stop = self.start + self.step * self.count
        return slice(self.start, None if stop < 0 else stop, self.step if self.step < 0 else None)


def runs(kind: Kind, n: int, lower: bool, width: int) -> list[Run]:
    """Slices of n inner values that make the `width` values below or above, in order."""
    positions = np.arange(-width, 0) if lower else np.arange(n, n + width)
    index, weight = kind.index(positions, n)
    found: list[Run] = []
    for i, w in zip(index.tolist(), weight.tolist(), strict=True):
        last = found[-1] if found else None
        if last is not None and last.weight == w:
            step = i - (last.start + last.step * (last.count - 1))
            if step in (-1, 0, 1) and (last.count == 1 or step == last.step):
                found[-1] = Run(last.start, last.count + 1, step, w)
                continue
        found.append(Run(i, 1, 0, w))
    return found
