"""Padding of one native array: slices of it, or constants, are joined to it side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from phi_tensor._dim import Dim
from phi_tensor._dtype import DType
from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._extrapolation_resolved import Side, Sides
from phi_tensor._padding import ABSENT, CONSTANT_RANK, KINDS, Kind, Run, runs
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor.backends._backend import Backend, Native
from phi_tensor.layouts._dense_steps import Step, cast_step, chain, convert_step, store_step
from phi_tensor.layouts._layout import Dense, Layout, Scalar
from phi_tensor.ops._real_transforms import constant as native_constant

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
        check_widths(layout, constants, widths, sides, dtype)
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
        self.pairs: dict[int, tuple[Side, Side]] = {
            self.axes[n]: pair for (n, *_), pair in zip(widths, sides, strict=True) if n in self.axes
        }
        moved = Dense.of(layout.stored, layout.shape & Shape.of(tuple(extra)), dtype, backend)
        steps: list[Any] = [
            convert_step(layout, backend),
            cast_step(layout.dtype, dtype, backend),
            store_step(moved, self.stored, backend),
            self._crop([w for w in widths if w[0] not in profile and max(w[1:]) <= 0]),
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
        cropped = self._crop([w for w in widths if w[0] in profile or max(w[1:]) > 0])
        if cropped:  # after padding, which takes values from there
            self.grow.append(lambda x, c: cropped(x))
        self.apply = self._call()

    def grown_size(self, name: str) -> int:
        """Size of a stored dim after padding [-]."""
        return self.sizes[self.axes[name]]

    def _crop(self, widths: Sequence[tuple[str, int, int]]) -> Step | None:
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
        return [self._piece(axis, run) for run in runs(kind, n, lower, width)]

    def _piece(self, axis: int, run: Run) -> Step:
        index = (*[slice(None)] * axis, _moved(run.index, self.start[axis]))
        sizes = tuple(run.count if i == axis else size for i, size in enumerate(self.sizes))
        getitem, negative, broadcast = (self.backend.ops[k] for k in ("getitem", "negative", "broadcast_to"))
        weight, *ends = run.weights[0]
        if len(run.weights) > 1 or any(ends):
            return self._sloped(axis, run, index, sizes)
        spread = run.step == 0 and run.count > 1
        if weight > 0:
            return (
                (lambda x: broadcast(getitem(x, index), sizes)) if spread else (lambda x: getitem(x, index))
            )
        if spread:
            return lambda x: broadcast(negative(getitem(x, index)), sizes)
        return lambda x: negative(getitem(x, index))

    def _sloped(self, axis: int, run: Run, index: tuple[slice, ...], sizes: tuple[int, ...]) -> Step:
        """Weighted sum of inner, first and last values."""
        ops, before, at = self.backend.ops, [slice(None)] * axis, self.start[axis]
        places = (at, at + self.inner[axis] - 1)
        indices = (index, *((*before, slice(place, place + 1)) for place in places))
        add, getitem, broadcast = ops["add"], ops["getitem"], ops["broadcast_to"]
        terms = [
            (i, self._times(axis, weights))
            for i, weights in zip(indices, zip(*run.weights, strict=True), strict=True)
            if any(weights)
        ]

        def piece(x: Native) -> Native:
            total: Native | None = None
            for i, times in terms:
                term = times(getitem(x, i))
                total = term if total is None else add(total, term)
            return broadcast(total, sizes)

        return piece

    def _times(self, axis: int, weights: tuple[int, ...]) -> Step:
        ops = self.backend.ops
        if len(set(weights)) == 1:
            return _scaled(ops["multiply"], ops["negative"], weights[0])
        column = np.asarray(weights, self.dtype.numpy).reshape(
            [-1 if a == axis else 1 for a in self.axes.values()]
        )
        multiply, factors = ops["multiply"], native_constant(self.backend, column)
        return lambda x: multiply(x, factors(x))

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
        if self.dtype.kind is int:
            within = _within(self.dtype)
            self.grow.append(lambda x, c: pad_constant(x, widths, within(c[slot])))
        elif constant.dtype.kind is self.dtype.kind:
            self.grow.append(lambda x, c: pad_constant(x, widths, c[slot]))
        else:
            kind = self.dtype.kind
            self.grow.append(lambda x, c: pad_constant(x, widths, kind(c[slot])))
        for axis, (low, up) in by_axis.items():
            self._grown(axis, low, up)

    def _profile(self, axis: int, slot: int, position: int, width: int) -> None:
        """Join a tensor; along dims that grew before, it continues as the values do, without sign or slope.

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
        alike = tuple(_unsigned(self.pairs.get(self.axes[d.name], (0, 0))) for d in constant.stored)
        edges = DensePadder(constant, (), grown, alike, self.dtype, self.backend).apply
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


def check_widths(
    layout: Layout, constants: Sequence[Layout], widths: Widths, sides: Sides, dtype: DType
) -> None:
    """Errors for values that the rules cannot give."""
    for (name, *pair), rules in zip(widths, sides, strict=True):
        size = layout.shape.get_size(name)
        for width, side in zip(pair, rules, strict=True):
            if width <= 0 or not isinstance(side, Kind):
                continue
            if size == 0:
                raise IncompatibleShapes(
                    f"Dim `{name}` has no entries that `{side}` could copy. Pad it with a constant."
                )
            if not side.pointwise and (dtype.kind is bool or dtype.name.startswith("uint")):
                raise Unsupported(
                    f"`{side}` needs negative values, which {dtype} does not have. Convert the values with "
                    f"`to_float`, or pad them as `{side.unsigned}`."
                )
    padded = [name for name, *pair in widths if any(pair)]
    for constant in constants:
        try:
            merge_shapes(layout.shape, constant.shape)
        except IncompatibleShapes as error:
            own = ", ".join(constant.shape.only(padded).names)
            error.add_note(
                f"Values outside of {layout.shape} have the shape {constant.shape}. They need that of a side"
                + (f", without `{own}`." if own and len(padded) == 1 else ".")
            )
            raise


def _scaled(multiply: Callable[..., Native], negative: Callable[..., Native], factor: int) -> Step:
    if factor == 1:
        return lambda x: x
    return negative if factor == -1 else lambda x: multiply(x, factor)


def _within(dtype: DType) -> Callable[[int], int]:
    """Function that returns numbers of a type and raises for others."""
    limits = np.iinfo(dtype.numpy)
    low, high = int(limits.min), int(limits.max)

    def checked(number: int) -> int:
        if not low <= number <= high:
            raise ValueError(
                f"{number} outside is no {dtype}. Convert the padded values to a wider type, e.g. with "
                f"`to_float`."
            )
        return int(number)

    return checked


def _unsigned(pair: tuple[Side, Side]) -> tuple[Side, Side]:
    """Rules for constants on other sides: copies of themselves as the values are copied."""
    lower, upper = (
        side.unsigned if isinstance(side, Kind) and side is not ABSENT else _EDGE for side in pair
    )
    return lower, upper


def _stores(low: int, up: int, pair: tuple[Side, Side]) -> bool:
    """Whether padding stores a dim along which the value is constant."""
    return any(
        w > 0 and not (isinstance(side, Kind) and side.shiftable)
        for w, side in zip((low, up), pair, strict=True)
    )


def _moved(index: slice, start: int) -> slice:
    """The slice in an array that has `start` more values below; stops below the first become None."""
    if index.step is None or index.step > 0:
        return slice(index.start + start, index.stop + start)
    stop = (-1 if index.stop is None else index.stop) + start
    return slice(index.start + start, None if stop < 0 else stop, index.step)


_EDGE = KINDS["zero-gradient"]
