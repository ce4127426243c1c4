"""Host-side ints that plans use on the device of the arrays they meet."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from phi_tensor._dtype import INT64
from phi_tensor.backends._backend import Backend, Native
from phi_tensor.layouts._pattern import Ints


class Constant:
    """Ints, copied once to each device where they are needed.

    Attributes:
        array: The ints on the host.
    """

    __slots__ = ("_copies", "array")

    def __init__(self, array: Ints) -> None:
        self.array = array
        self._copies: dict[Any, Native] = {}

    def beside(self, native: Native, backend: Backend) -> Native:
        """The ints on the device of `native`, in the type that its library looks entries up by fastest."""
        if backend.mixes:
            return self.array
        device = backend.device(native)
        found = self._copies.get((backend.name, device.name))
        if found is None:
            wide = self.array.max(initial=0) >= 2**31 or backend.index_dtype is INT64
            array = self.array.astype(np.int64 if wide else np.int32)
            elsewhere = None if device == backend.get_default_device() else device
            found = backend.as_native(array, elsewhere)
            if backend.is_concrete(found):  # else a transformation under way has moved it
                self._copies[backend.name, device.name] = found
        return found


class Segments:
    """Which entries are added up to which of `count` sums.

    Attributes:
        ids: Number of the sum that each entry belongs to.
        count: Number of sums.
        order: Entries sorted by sum; None if they are.
    """

    def __init__(self, ids: Ints, count: int) -> None:
        self.ids, self.count = ids, count
        self.order = None if np.all(np.diff(ids) >= 0) else np.argsort(ids, kind="stable")

    @cached_property
    def pointers(self) -> Ints:
        """First of the sorted entries of each sum, and their number."""
        sizes = (
            np.bincount(self.ids, minlength=self.count) if len(self.ids) else np.zeros(self.count, np.int64)
        )
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])

    @cached_property
    def sizes(self) -> Ints:
        """Number of entries of each sum."""
        return np.diff(self.pointers)

    @cached_property
    def sorted_ids(self) -> Ints:
        """`ids` of the sorted entries."""
        return self.ids if self.order is None else self.ids[self.order]

    @cached_property
    def at(self) -> Constant:
        """`ids` for devices."""
        return Constant(self.ids)

    @cached_property
    def table(self) -> Constant | None:
        """Entries of each sum side by side, filled up with the number of entries.

        None where that would take more than twice the place, so that a few long sums do not make it huge.
        """
        width = int(self.sizes.max(initial=0))
        entries = len(self.ids)
        if width * self.count > 2 * entries + 1024:
            return None
        table = np.full((self.count, width), entries, np.int64)
        column = np.arange(entries) - self.pointers[self.sorted_ids]
        table[self.sorted_ids, column] = np.arange(entries) if self.order is None else self.order
        return Constant(table.reshape(-1))

    @cached_property
    def width(self) -> int:
        """Number of columns of `table` [-]."""
        return int(self.sizes.max(initial=0))

    @cached_property
    def is_full(self) -> bool:
        """True if all sums have equally many entries."""
        return bool(len(self.ids)) and self.width * self.count == len(self.ids)


class Contraction:
    """y[i] = Σ over entries e of sum i: values[e] · x[source[e]].

    Attributes:
        source: Which place of x each entry is multiplied by.
        places: Number of places of x.
        segments: Which entries make which y.
        kept: What backends derive, such as SciPy's matrices.
    """

    def __init__(self, source: Ints, places: int, segments: Segments) -> None:
        self.source, self.places, self.segments = source, places, segments
        self.kept: dict[Any, Any] = {}

    @cached_property
    def at(self) -> Constant:
        """`source` for devices."""
        return Constant(self.source)
