"""Which entries of a sparse tensor are stored: a host-side constant, one object per content.

The sparse dims form two groups, `outer` and `inner` (rows and columns of a matrix, or the other way round).
Each group is one flat 64-bit index, row-major in its dims, so that the product of both groups may exceed 64
bits. Entries are sorted by outer, then by inner index and do not repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from math import prod
from typing import Any
from weakref import WeakValueDictionary
from zlib import crc32

import numpy as np
import numpy.typing as npt

from phi_tensor._errors import IncompatibleShapes
from phi_tensor._locks import new_lock

Ints = npt.NDArray[np.int64]
Sizes = tuple[int, ...]

LARGEST = 2**63 - 1
"""Largest number of places that one group of dims may have."""


class Pattern:
    """Places of the stored entries, interned: `Pattern.of` returns the same object for the same content.

    Attributes:
        outer_sizes: Sizes of the dims that the entries are sorted by first.
        inner_sizes: Sizes of the other sparse dims.
        outer: Flat index of each entry along the outer dims.
        inner: Flat index of each entry along the inner dims.
        number: A number that no other pattern has, for keys that must not keep the pattern alive.
        kept: What operations derive from the pattern; lives as long as it does.
    """

    __slots__ = ("__weakref__", "inner", "inner_sizes", "kept", "number", "outer", "outer_sizes")

    outer_sizes: Sizes
    inner_sizes: Sizes
    outer: Ints
    inner: Ints
    number: int
    kept: dict[Any, Any]

    @staticmethod
    def of(outer_sizes: Sizes, inner_sizes: Sizes, outer: Ints, inner: Ints) -> Pattern:
        """The pattern of entries that are sorted and do not repeat."""
        content = (outer_sizes, inner_sizes, len(outer), crc32(_bytes(outer)), crc32(_bytes(inner)))
        with _LOCK:
            for repetition in count():
                found = _INTERNED.get((*content, repetition))
                if found is None:
                    found = _INTERNED[*content, repetition] = _new(outer_sizes, inner_sizes, outer, inner)
                    return found
                if np.array_equal(found.outer, outer) and np.array_equal(found.inner, inner):
                    return found
        raise AssertionError

    @property
    def count(self) -> int:
        """Number of stored entries [-]."""
        return len(self.outer)

    @property
    def outer_volume(self) -> int:
        """Number of places along the outer dims [-]."""
        return prod(self.outer_sizes)

    @property
    def inner_volume(self) -> int:
        """Number of places along the inner dims [-]."""
        return prod(self.inner_sizes)

    def coordinates(self) -> tuple[Ints, ...]:
        """Index of each entry along each dim, outer ones first."""
        return (*unravelled(self.outer, self.outer_sizes), *unravelled(self.inner, self.inner_sizes))

    def find(self, outer: Ints, inner: Ints) -> Ints:
        """Position of the entry at each of these places; the number of entries where there is none."""
        if not self.count:
            return np.zeros(len(outer), np.int64)
        have, wanted = self._keys(outer, inner)
        at = np.minimum(np.searchsorted(have, wanted), self.count - 1)
        return np.where(have[at] == wanted, at, self.count)

    def _keys(self, outer: Ints, inner: Ints) -> tuple[Ints, Ints]:
        """Ints in the order of the entries and, likewise, of places, equal where those are."""
        if self.outer_volume * self.inner_volume <= LARGEST:
            volume = self.inner_volume
            return self.outer * volume + self.inner, outer * volume + inner
        numbers = [_numbered(np.concatenate(pair)) for pair in ((self.outer, outer), (self.inner, inner))]
        keys = numbers[0] * (int(numbers[1].max(initial=0)) + 1) + numbers[1]
        return keys[: self.count], keys[self.count :]

    def __reduce__(self) -> tuple[Any, ...]:
        return Pattern.of, (self.outer_sizes, self.inner_sizes, self.outer, self.inner)

    def __repr__(self) -> str:
        return f"{self.count} of {self.outer_sizes}x{self.inner_sizes}"


def sorted_pattern(
    outer_sizes: Sizes, inner_sizes: Sizes, outer: Ints, inner: Ints
) -> tuple[Pattern, Ints | None]:
    """`(pattern, number of the pattern's entry per given place)`; None if that is the given order."""
    if is_increasing(outer, inner):
        return Pattern.of(outer_sizes, inner_sizes, outer, inner), None
    if prod(outer_sizes) * prod(inner_sizes) <= LARGEST:
        order = np.argsort(outer * prod(inner_sizes) + inner, kind="stable")
    else:
        order = np.lexsort((inner, outer))
    outer, inner = outer[order], inner[order]
    new = np.ones(len(outer), bool)
    new[1:] = (np.diff(outer) != 0) | (np.diff(inner) != 0)
    numbers = np.empty(len(outer), np.int64)
    numbers[order] = np.cumsum(new) - 1
    return Pattern.of(outer_sizes, inner_sizes, outer[new], inner[new]), numbers


def is_increasing(outer: Ints, inner: Ints) -> bool:
    """True if places are sorted and do not repeat."""
    step = np.diff(outer)
    return bool(np.all((step > 0) | ((step == 0) & (np.diff(inner) > 0))))


def raveled(coordinates: Sequence[Ints], sizes: Sizes, count: int) -> Ints:
    """Flat row-major index of `count` places from their index along each dim."""
    if prod(sizes) > LARGEST:
        raise IncompatibleShapes(
            f"Rows, and columns, of a sparse tensor are numbered by 64-bit ints, but there are more than "
            f"{LARGEST} places along dims of sizes {sizes}. Make some of these dims dual, or dims of the "
            f"values."
        )
    flat = np.zeros(count, np.int64)
    for index, size in zip(coordinates, sizes, strict=True):
        flat = flat * size + index
    return flat


def unravelled(flat: Ints, sizes: Sizes) -> tuple[Ints, ...]:
    """Index along each dim of flat row-major indices."""
    if len(sizes) == 1:
        return (flat,)
    found: list[Ints] = []
    for size in reversed(sizes):
        found.append(flat % size if size else flat)
        flat = flat // size if size else flat
    return tuple(reversed(found))


def meeting(one: Sequence[Ints], other: Sequence[Ints], count: int, others: int) -> tuple[Ints, Ints]:
    """Positions of all pairs of one of `count` and one of `others` places with the same indices."""
    keys, other_keys = np.zeros(count, np.int64), np.zeros(others, np.int64)
    for a, b in zip(one, other, strict=True):
        index = _numbered(
            np.concatenate([a, b])
        )  # at most the number of places, so that products fit 64 bits
        both = _numbered(np.concatenate([keys, other_keys])) * (int(index.max(initial=0)) + 1) + index
        keys, other_keys = both[:count], both[count:]
    order = np.argsort(other_keys, kind="stable")
    ranked = other_keys[order]
    start, stop = (np.searchsorted(ranked, keys, side) for side in ("left", "right"))
    number = stop - start
    first = np.repeat(np.arange(count), number)
    within = np.arange(len(first)) - np.repeat(np.cumsum(number) - number, number)
    return first, order[np.repeat(start, number) + within]


def _numbered(values: Ints) -> Ints:
    """Small ints in the same order as `values`."""
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _new(outer_sizes: Sizes, inner_sizes: Sizes, outer: Ints, inner: Ints) -> Pattern:
    pattern = object.__new__(Pattern)
    pattern.outer_sizes, pattern.inner_sizes = outer_sizes, inner_sizes
    pattern.outer, pattern.inner = (np.ascontiguousarray(a, np.int64) for a in (outer, inner))
    for array in (pattern.outer, pattern.inner):
        array.flags.writeable = False
    pattern.number, pattern.kept = next(_NUMBERS), {}
    return pattern


def _bytes(array: Ints) -> memoryview:
    return memoryview(np.ascontiguousarray(array, np.int64)).cast("B") if len(array) else memoryview(b"")


_INTERNED: WeakValueDictionary[tuple[Any, ...], Pattern] = WeakValueDictionary()
_LOCK = new_lock()
_NUMBERS = count()
