"""Padding of one native array: slices of it, or constants, are joined to it side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from phi_tensor._dim import Dim
from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._extrapolation_resolved import Side, Sides
from phi_tensor._padding import CONSTANT_RANK, KINDS, Kind, Run, runs
from phi_tensor._shape import Shape
from phi_tensor.backends._backend import Backend, Native
from phi_tensor.layouts._dense_steps import Step, cast_step, chain, convert_step, store_step
from phi_tensor.layouts._layout import Dense, Layout, Scalar

Widths = tuple[tuple[str, int, int], ...]
"""`(dim, lower, upper)`; negative widths crop."""


class DensePadder:
    """Pads native arrays of one layout. Made once per plan; `apply` is the straight-line call.

    `store` keeps the padded dims in memory even if the values do not depend on them.

    Attributes:
        stored: Dims of the padded array's axes, with their sizes before padding.
        apply: The call.
    """

    def __init__(
        self,
        layout: Dense,
        constants: Sequence[Layout],
        widths: Widths,
        sides: Sides,
        dtype: Any,
        backend: Backend,
        store: bool = False,
    ) -> None:
        self.backend = backend
        self.dtype = dtype
        constant_dims = [
            d
            for c in constants
            for d in (c.stored if isinstance(c, Dense) else ())
            if d.name not in layout.shape
        ]
        profile = {d.name for c in constants if isinstance(c, Dense) for d in c.stored}
        needed = {
            name
            for (name, low, up), pair in zip(widths, sides, strict=True)
            if store or _stores(low, up, pair)
        } | profile
        extra = [
            d
            for d in (*dict.fromkeys(constant_dims), *layout.shape.dims)
            if d.name in needed and d.name not in layout.axes
        ]
        self.stored: tuple[Dim, ...] = (*extra, *layout.stored)
        self.axes = {dim.name: axis for axis, dim in enumerate(self.stored)}
        self.sizes = [cast("int", dim.size) for dim in self.stored]
        self.start = [0] * len(self.stored)  # where the inner values begin in the array that has grown so far
        self.inner = list(self.sizes)
        moved = Dense.of(layout.stored, layout.shape & Shape.of(tuple(extra)), dtype, backend)
        steps: list[Any] = [
            convert_step(layout, backend),
            cast_step(layout.dtype, dtype, backend),
            store_step(moved, self.stored, backend),
            self._crop(widths),
        ]
        self.prepare = chain(steps)
        self.constants = constants
        self.grow: list[Callable[[Native, Sequence[Any]], Native]] = []
        stored = [
            (self.axes[n], low, up, pair)
            for (n, low, up), pair in zip(widths, sides, strict=True)
            if n in self.axes
        ]
        for rank in sorted(
            {
                _rank(side)
                for _, low, up, pair in stored
                for w, side in zip((low, up), pair, strict=True)
                if w > 0
            }
        ):
            self._grow_rank(rank, stored)
        self.apply = self._call()

    def grown_size(self, name: str) -> int:
        """Size of a stored dim after padding [-]."""
        return self.sizes[self.axes[name]]

    def _crop(self, widths: Widths) -> Step | None:
        index: list[slice] = [slice(None)] * len(self.stored)
        for name, low, up in widths:
            if name in self.axes and (low < 0 or up < 0):
                axis = self.axes[name]
                size = self.sizes[axis] + min(low, 0) + min(up, 0)
                index[axis] = slice(max(-low, 0), max(-low, 0) + size)
                self.sizes[axis] = self.inner[axis] = size
        getitem, full = self.backend.ops["getitem"], tuple(index)
        return (lambda x: getitem(x, full)) if any(i != slice(None) for i in index) else None

    def _grow_rank(self, rank: int, stored: list[tuple[int, int, int, tuple[Side, Side]]]) -> None:
        by_axis: dict[int, tuple[tuple[Side, int], tuple[Side, int]]] = {}
        for axis, low, up, (lower, upper) in stored:
            widths = (low if _rank(lower) == rank else 0, up if _rank(upper) == rank else 0)
            if max(widths) > 0:
                by_axis[axis] = (lower, max(widths[0], 0)), (upper, max(widths[1], 0))
        if rank == CONSTANT_RANK:
            self._constants(by_axis)
            return
        for axis, ((lower, low), (upper, up)) in by_axis.items():
            self._join(axis, self._copies(axis, lower, True, low), self._copies(axis, upper, False, up))
            self._grown(axis, low, up)

    def _grown(self, axis: int, low: int, up: int) -> None:
        self.start[axis] += low
        self.sizes[axis] += low + up

    # --- copies of inner values

    def _copies(self, axis: int, side: Side, lower: bool, width: int) -> list[Step]:
        if not width:
            return []
        kind, n = cast("Kind", side), self.inner[axis]
        if n == 0:
            raise IncompatibleShapes(
                f"Dim `{self.stored[axis].name}` has no entries that `{kind}` could copy. Pad it with a "
                f"constant."
            )
        if kind.edge and width > n - 1:
            raise Unsupported(
                f"`{kind}` pads at most {n - 1} entries along dim `{self.stored[axis].name}` of size {n}."
            )
        pieces = [self._piece(axis, run) for run in runs(kind, n, lower, width)]
        return [self._continued(axis, lower, kind, piece) for piece in pieces] if kind.edge else pieces

    def _piece(self, axis: int, run: Run) -> Step:
        start, ops = self.start[axis], self.backend.ops
        index, getitem, negative = (
            (*[slice(None)] * axis, _moved(run.index, start)),
            ops["getitem"],
            ops["negative"],
        )
        if run.step == 0 and run.count > 1:
            sizes = tuple(run.count if i == axis else size for i, size in enumerate(self.sizes))
            broadcast = ops["broadcast_to"]
            if run.weight > 0:
                return lambda x: broadcast(getitem(x, index), sizes)
            return lambda x: broadcast(negative(getitem(x, index)), sizes)
        return (lambda x: getitem(x, index)) if run.weight > 0 else (lambda x: negative(getitem(x, index)))

    def _continued(self, axis: int, lower: bool, kind: Kind, piece: Step) -> Step:
        at = self.start[axis] + (0 if lower else self.inner[axis] - 1)
        edge = (*[slice(None)] * axis, slice(at, at + 1))
        getitem, add, multiply = (self.backend.ops[name] for name in ("getitem", "add", "multiply"))
        return lambda x: add(multiply(getitem(x, edge), kind.edge), piece(x))

    def _join(self, axis: int, below: list[Step], above: list[Step]) -> None:
        concat = self.backend.ops["concat"]
        if len(below) == len(above) == 1:
            first, last = below[0], above[0]
            self.grow.append(lambda x, c: concat([first(x), x, last(x)], axis))
        else:
            self.grow.append(lambda x, c: concat([*[p(x) for p in below], x, *[p(x) for p in above]], axis))

    # --- constants

    def _constants(self, by_axis: dict[int, tuple[tuple[Side, int], tuple[Side, int]]]) -> None:
        """One native padding where all sides have the same number, else one dim after the other."""
        slots = {cast("int", side) for pair in by_axis.values() for side, width in pair if width}
        if len(slots) == 1 and all(isinstance(self.constants[slot], Scalar) for slot in slots):
            self._fill(slots.pop(), {axis: (low, up) for axis, ((_, low), (_, up)) in by_axis.items()})
            return
        for axis, pair in by_axis.items():
            for position, (side, width) in enumerate(pair):
                if width and isinstance(self.constants[cast("int", side)], Scalar):
                    self._fill(cast("int", side), {axis: (0, width) if position else (width, 0)})
                elif width:
                    self._profile(axis, cast("int", side), position, width)

    def _fill(self, slot: int, by_axis: dict[int, tuple[int, int]]) -> None:
        widths = tuple(by_axis.get(axis, (0, 0)) for axis in range(len(self.stored)))
        constant, pad_constant = cast("Scalar", self.constants[slot]), self.backend.ops["pad_constant"]
        if constant.dtype.kind is self.dtype.kind:
            self.grow.append(lambda x, c: pad_constant(x, widths, c[slot]))
        else:
            kind = self.dtype.kind
            self.grow.append(lambda x, c: pad_constant(x, widths, kind(c[slot])))
        for axis, (low, up) in by_axis.items():
            self._grown(axis, low, up)

    def _profile(self, axis: int, slot: int, position: int, width: int) -> None:
        """Join a tensor; along dims that grew before, it continues with its edge values.

        Not by native padding: JAX and TensorFlow cannot differentiate that with respect to the value.
        """
        constant = cast("Dense", self.constants[slot])
        name = self.stored[axis].name
        if name in constant.axes:
            raise IncompatibleShapes(
                f"Values outside of dim `{name}` cannot vary along `{name}`, but have shape "
                f"{constant.shape}. Slice them."
            )
        grown = tuple(
            (d.name, self.start[a], self.sizes[a] - self.start[a] - self.inner[a])
            for d in constant.stored
            for a in (self.axes[d.name],)
        )
        edges = DensePadder(
            constant, (), grown, ((_EDGE, _EDGE),) * len(grown), self.dtype, self.backend
        ).apply
        order = tuple(constant.axes[d.name] for d in self.stored if d.name in constant.axes)
        aligned = tuple(
            size if d.name in constant.axes else 1 for d, size in zip(self.stored, self.sizes, strict=True)
        )
        sizes = tuple(width if a == axis else size for a, size in enumerate(self.sizes))
        permute, reshape, broadcast, concat = (
            self.backend.ops[k] for k in ("permute", "reshape", "broadcast_to", "concat")
        )

        def grow(x: Native, c: Sequence[Any]) -> Native:
            piece = broadcast(reshape(permute(edges(c[slot], ()), order), aligned), sizes)
            return concat([x, piece] if position else [piece, x], axis)

        self.grow.append(grow)
        self._grown(axis, 0 if position else width, width if position else 0)

    # --- the call

    def _call(self) -> Callable[[Native, Sequence[Any]], Native]:
        prepare, grow = self.prepare, self.grow
        if not grow:
            return (lambda x, c: x) if prepare is None else (lambda x, c: prepare(x))
        if prepare is None and len(grow) == 1:
            return grow[0]

        def call(x: Native, constants: Sequence[Any]) -> Native:
            if prepare is not None:
                x = prepare(x)
            for step in grow:
                x = step(x, constants)
            return x

        return call


def _rank(side: Side) -> int:
    return side.rank if isinstance(side, Kind) else CONSTANT_RANK


def _stores(low: int, up: int, pair: tuple[Side, Side]) -> bool:
    """Whether padding stores a dim along which the value is constant."""
    return any(
        w > 0 and not (isinstance(side, Kind) and side.pointwise)
        for w, side in zip((low, up), pair, strict=True)
    )


def _moved(index: slice, start: int) -> slice:
    """The slice in an array that has `start` more values below; stops below the first become None."""
    if index.step is None or index.step > 0:
        return slice(index.start + start, index.stop + start)
    stop = (-1 if index.stop is None else index.stop) + start
    return slice(index.start + start, None if stop < 0 else stop, index.step)


_EDGE = KINDS["zero-gradient"]
