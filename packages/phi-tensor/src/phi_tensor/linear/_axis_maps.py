"""Look-ups along one dim, and their transposes, as slices: stencils need no gathering."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast

import numpy as np

from phi_tensor._dim import Dim
from phi_tensor._dim_types import channel, instance
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.linear._terms import fitted, positions, zeros_of
from phi_tensor.ops import _table as table
from phi_tensor.ops._padding import pad

MOST_RUNS = 12
"""Maps of more slices than this are looked up entry by entry."""


class Run(NamedTuple):
    """Consecutive results that one slice gives.

    Attributes:
        start: First position.
        size: Number of results [-].
        step: Distance of positions; 0 for one value repeated.
    """

    start: int
    size: int
    step: int

    def slice(self) -> tuple[Any, ...]:
        """The slice as plans know it; of one value where it is repeated."""
        if self.step == 0:
            return (slice, self.start, self.start + 1, None)
        stop = self.start + self.step * self.size
        return (slice, self.start, None if stop < 0 else stop, self.step)


@lru_cache(512)
def runs_of(content: bytes) -> tuple[Run, ...] | None:
    """The slices that make a map of 64-bit ints; None if they are many."""
    at = np.frombuffer(content, np.int64)
    if not at.size:
        return ()
    steps = np.diff(at)
    ends = [*(np.flatnonzero(np.diff(steps)) + 1).tolist(), len(steps)]
    if len(ends) > 4 * MOST_RUNS:
        return None
    runs: list[Run] = []
    begin = 0
    for end in ends:  # steps are equal from one end to the next; results begin .. end
        if end < begin:
            continue
        step = int(steps[begin]) if begin < len(steps) and end > begin else 0
        runs.append(Run(int(at[begin]), end - begin + 1, step))
        begin = end + 1
    if begin < at.size:
        runs.append(Run(int(at[begin]), 1, 0))
    return tuple(runs) if len(runs) <= MOST_RUNS else None


def picked(x: Tensor, name: str, at: Any) -> Tensor:
    """Entries of `x` at the positions `at` along a dim, which loses its labels."""
    dim = x.shape.get_dim(name)
    size = cast("int", dim.size)
    if len(at) == size and (at == np.arange(size)).all():
        return x
    runs = runs_of(at.tobytes())
    if runs is None:
        return table.TAKE(x, positions(dim, at), name=name)
    pieces = [_piece(x, dim, run) for run in runs]
    if not pieces:
        return x.sliced(((name, (slice, 0, 0, None)),))
    return pieces[0] if len(pieces) == 1 else table.CONCAT(*pieces, dim=name)


def _piece(x: Tensor, dim: Dim, run: Run) -> Tensor:
    if run.step == 0 and run.size > 1:
        return fitted(x.sliced(((dim.name, run.start),)), Shape.of((dim.with_size(run.size),)))
    piece: Tensor = x.sliced(((dim.name, run.slice()),))
    own = piece.shape.get_dim(dim.name)
    return table.RENAME(piece, renamed=((dim.name, own.with_size(own.size)),)) if own.labels else piece


def put_back(y: Tensor, name: str, at: Any, size: int) -> Tensor:
    """Transpose of `picked`: entries are added to those that they come from, of `size`."""
    dim = y.shape.get_dim(name)
    if len(at) == size and (at == np.arange(size)).all():
        return y
    runs = runs_of(at.tobytes())
    if runs is None:
        return scattered(y, [positions(dim, at)], (dim.with_size(size),))
    total: Tensor | None = None
    begin = 0
    for run in runs:
        part = y.sliced(((name, (slice, begin, begin + run.size, None)),))
        begin += run.size
        placed = _placed(part, dim, run, size)
        total = placed if total is None else table.ADD(total, placed)
    return _padded(y, name, 0, size) if total is None else total


def _placed(part: Tensor, dim: Dim, run: Run, size: int) -> Tensor:
    """Entries where a run takes them from, zeros elsewhere."""
    name = dim.name
    if run.step == 0:
        part = table.SUM(part, names=(name,))
        part = fitted(part, Shape.of((dim.with_size(1),)))
        return _padded(part, name, run.start, size - run.start - 1)
    own = part.shape.get_dim(name)
    if own.labels:
        part = table.RENAME(part, renamed=((name, own.with_size(own.size)),))
    last = run.start + run.step * (run.size - 1)
    if run.step < 0:
        part = table.FLIP(part, names=(name,))
    if abs(run.step) > 1:
        part = _spread(part, dim, abs(run.step))
    low, high = min(run.start, last), max(run.start, last)
    return _padded(part, name, low, size - high - 1)


def _spread(part: Tensor, dim: Dim, step: int) -> Tensor:
    """Zeros between entries: those of a new dim that is packed with the old one."""
    count = cast("int", part.shape.get_size(dim.name))
    inner = Dim.of("_between", dim.type, 1)
    wide = _padded(fitted(part, Shape.of((inner,))), "_between", 0, step - 1)
    packed: Tensor = table.PACK(wide, names=(dim.name, "_between"), dim=dim.with_size(None), position=None)
    return packed.sliced(((dim.name, (slice, 0, (count - 1) * step + 1, None)),))


def _padded(x: Tensor, name: str, low: int, up: int) -> Tensor:
    return pad(x, {name: (low, up)}, 0) if low or up else x


def scattered(y: Tensor, at: Sequence[Tensor], dims: tuple[Dim, ...]) -> Tensor:
    """Entries of `y` added up at positions of new dims.

    Args:
        y: Values; the dims of the positions are summed over.
        at: Positions along each of `dims`, by any name.
        dims: The new dims.
    """
    entries: dict[str, Dim] = {}
    for places in at:
        entries.update({dim.name: dim for dim in places.shape.dims})
    private = {
        name: Dim.of(f"_entry{i}", instance, dim.size) for i, (name, dim) in enumerate(entries.items())
    }
    listed = Shape.of(tuple(private.values()))

    def listed_by(x: Tensor) -> Tensor:
        renamed = tuple((name, dim) for name, dim in private.items() if name in x.shape)
        return fitted(table.RENAME(x, renamed=renamed) if renamed else x, listed)

    values = listed_by(y)
    index = channel(_place=len(dims)).dim
    indices = table.STACK(*(listed_by(places) for places in at), dim=index)
    base = zeros_of(values.shape.without(listed.names) & Shape.of(dims), values.dtype)
    return table.SCATTER_ADD(
        base,
        indices,
        values,
        names=tuple(d.name for d in dims),
        index=index.name,
        listed=listed.names,
        outside="undefined",
    )
