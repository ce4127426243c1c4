"""Interpolation in native arrays: coordinates become a flat index and weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple, cast

from phi_tensor._dim import Dim
from phi_tensor._dtype import INT64, DType
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._extrapolation_resolved import Side, Sides
from phi_tensor._padding import Kind, clamp
from phi_tensor.backends._backend import Backend, Native
from phi_tensor.layouts._dense_steps import (
    align_step,
    cast_step,
    chain,
    convert_step,
    merged_order,
    permute_step,
)
from phi_tensor.layouts._layout import Dense, Layout
from phi_tensor.ops._dense_padding import DensePadder, Widths


class Axis(NamedTuple):
    """One sampled dim.

    Attributes:
        name: Its name.
        size: Number of samples [-].
        pair: Rules below and above.
        low: Layers below that the grid gets.
        up: Layers above.
    """

    name: str
    size: int
    pair: tuple[Side, Side]
    low: int
    up: int

    @property
    def padded(self) -> int:
        """Number of samples with layers [-]."""
        return self.low + self.size + self.up


def sampled_axes(layout: Dense, names: Sequence[str], sides: Sides) -> tuple[Axis, ...]:
    """The dims that matter: those that are stored, or whose boundary brings in other values."""
    axes: list[Axis] = []
    for name, pair in zip(names, sides, strict=True):
        if name not in layout.axes and all(isinstance(side, Kind) and side.shiftable for side in pair):
            continue
        size = cast("int", layout.shape.get_size(name))
        if size == 0:
            raise IncompatibleShapes(
                f"`grid_sample` needs at least one sample per dim, but found {layout.shape}."
            )
        low, up = (side.layers[i] if isinstance(side, Kind) else 1 for i, side in enumerate(pair))
        axes.append(Axis(name, size, pair, low, up))
    return tuple(axes)


# --- grid values as one flat axis


class FlatGrid:
    """Grid values with the layers of the boundary: one axis for look-up and one for everything else.

    `reused` grids have entries that are looked up many times.

    Attributes:
        shared: Stored dims that the coordinates have, too; they are part of the look-up axis.
        rest: Stored dims that only the grid has.
        leading: True if the look-up axis is the last one.
        count: Number of entries along the look-up axis.
        order: Names of the sampled dims in the order of storage.
        flat: `(native, constants) -> flat native`.
    """

    def __init__(
        self,
        layout: Dense,
        constants: Sequence[Layout],
        axes: tuple[Axis, ...],
        present: set[str],
        dtype: DType,
        backend: Backend,
        reused: bool = True,
    ) -> None:
        widths: Widths = tuple((axis.name, axis.low, axis.up) for axis in axes)
        padder = DensePadder(
            layout, constants, widths, tuple(axis.pair for axis in axes), dtype, backend, store=True
        )
        stored, sampled = padder.stored, {axis.name for axis in axes}
        self.order = tuple(dim.name for dim in stored if dim.name in sampled)
        self.shared = tuple(dim for dim in stored if dim.name in present and dim.name not in sampled)
        self.rest = tuple(dim for dim in stored if dim.name not in sampled and dim not in self.shared)
        padded = {axis.name: axis.padded for axis in axes}
        look_up = (*self.shared, *(dim for dim in stored if dim.name in sampled))
        self.leading = [*self.rest, *look_up] == list(stored)
        target = (*self.rest, *look_up) if self.leading else (*look_up, *self.rest)
        permute = permute_step([stored.index(dim) for dim in target], backend)
        count, others = 1, 1
        for dim in look_up:
            count *= padded.get(dim.name, cast("int", dim.size))
        for dim in self.rest:
            others *= cast("int", dim.size)
        self.count = count
        sizes = (others, count) if self.leading else (count, others)
        reshape, apply = backend.ops["reshape"], padder.apply

        def reshaped(native: Native) -> Native:
            return reshape(native, sizes if self.rest else (count,))

        flat = backend.look_up_table if reused and not self.rest else reshaped
        if permute is None:
            self.flat: Callable[[Native, Sequence[Any]], Native] = lambda x, c: flat(apply(x, c))
        else:
            self.flat = lambda x, c: flat(permute(apply(x, c)))

    @property
    def signature(self) -> tuple[Any, ...]:
        """Equal where one flat index serves several grids."""
        return self.shared, self.order


# --- coordinates as flat index and weights


class Located(NamedTuple):
    """Where points are.

    Attributes:
        index: Flat index of the lowest corner, 1-D.
        weights: Weight of the upper corner per sampled dim that has two, aligned with the result.
        shifts: How many samples the cells continue as straight lines per such dim, or None.
        negative: Where the sign changes, or None.
        fixed: Where the lower and the upper corner along each such dim are constants, which keep their sign.
    """

    index: Native
    weights: list[Native]
    shifts: list[Native | None]
    negative: Native | None
    fixed: list[tuple[Native, Native] | None]


class Locator:
    """Turns coordinates into a flat index and weights. Made once per plan.

    Attributes:
        dims: Stored dims of the points.
        strides: Distance of the two corners along each dim that has two, in the order of the weights.
        split: Names of these dims.
    """

    def __init__(
        self,
        axes: tuple[Axis, ...],
        grid: FlatGrid,
        components: Sequence[Dense],
        dims: tuple[Dim, ...],
        dtype: DType,
        backend: Backend,
    ) -> None:
        self.dims, self.backend = dims, backend
        by_name = dict(zip((axis.name for axis in axes), zip(axes, components, strict=True), strict=True))
        stride = 1
        index = backend.index_dtype if grid.count < 2**31 else INT64
        self.axes: list[tuple[int, Callable[[Native], tuple[Native, Native | None, Native | None]], int]] = []
        strides: dict[str, int] = {}
        for name in reversed(grid.order):
            axis, component = by_name[name]
            locate = _located(axis, component, dims, dtype, index, backend)
            self.axes.append((axes.index(axis), locate, stride))
            if axis.padded > 1:
                strides[name] = stride
            stride *= axis.padded
        kinds = [side for axis in axes for side in axis.pair if isinstance(side, Kind)]
        changed = not all(kind.pointwise for kind in kinds)
        self.constant = [
            _constant_corners(axes[position], backend) if changed else None for position, _, _ in self.axes
        ]
        self.sloped = [
            any(isinstance(side, Kind) and side.offset for side in axes[position].pair)
            for position, _, _ in self.axes
        ]
        self.split, self.strides = tuple(reversed(strides)), tuple(reversed(strides.values()))
        self.flat = flattener(grid.shared, dims, stride, index, backend)
        self.sizes = tuple(cast("int", dim.size) for dim in dims)

    def __call__(self, components: Sequence[Native]) -> Located:
        """Flat index and weights of points given by their components, one per sampled axis."""
        ops = self.backend.ops
        add, multiply = ops["add"], ops["multiply"]
        total: Native | None = None
        negative: Native | None = None
        weights: list[Native] = []
        shifts: list[Native | None] = []
        fixed: list[tuple[Native, Native] | None] = []
        for (position, locate, stride), constant, sloped in zip(
            self.axes, self.constant, self.sloped, strict=True
        ):
            cell, weight, flipped = locate(components[position])
            if weight is not None:
                shifts.append(_shift(weight, self.backend) if sloped else None)
                weights.append(ops["subtract"](weight, shifts[-1]) if sloped else weight)
                fixed.append(constant(cell) if constant else None)
                part = cell if stride == 1 else multiply(cell, stride)
                total = part if total is None else add(total, part)
            if flipped is not None:
                negative = flipped if negative is None else ops["logical_xor"](negative, flipped)
        return Located(self.flat(total, components[0]), weights[::-1], shifts[::-1], negative, fixed[::-1])


def flattener(
    shared: Sequence[Dim], dims: Sequence[Dim], stride: int, dtype: DType, backend: Backend
) -> Callable[[Native | None, Native], Native]:
    """Function that completes flat indices (None for 0): adds the offsets of shared dims and makes them 1-D.

    Args:
        shared: Dims that values and points have in common, slowest first.
        dims: Dims of the points.
        stride: Number of values per entry of the shared dims.
        dtype: Type of the indices.
        backend: Library.
    """
    ops, sizes = backend.ops, tuple(cast("int", dim.size) for dim in dims)
    count = (prod(sizes),)
    offsets: list[tuple[int, int, tuple[int, ...]]] = []
    stride = max(stride, 1)  # of values without entries, all of whose places are outside
    for dim in reversed(shared):
        size = cast("int", dim.size)
        offsets.append(
            (stride, stride * size, tuple(size if d is dim else 1 for d in dims[list(dims).index(dim) :]))
        )
        stride *= max(size, 1)

    def flat(total: Native | None, like: Native) -> Native:
        for step, stop, aligned in offsets:
            offset = ops["reshape"](ops["arange"](0, stop, step, dtype, backend.device(like)), aligned)
            total = offset if total is None else ops["add"](total, offset)
        if total is None:
            total = ops["reshape"](ops["arange"](0, 1, 1, dtype, backend.device(like)), (1,) * len(dims))
        if backend.shape(total) != sizes:
            total = ops["broadcast_to"](total, sizes)
        return ops["reshape"](total, count)

    return flat


def _located(
    axis: Axis, component: Dense, dims: tuple[Dim, ...], dtype: DType, index: DType, backend: Backend
) -> Callable[[Native], tuple[Native, Native | None, Native | None]]:
    """Function from one coordinate to `(cell, weight of the upper sample, where the sign changes)`."""
    ops, count = backend.ops, axis.padded
    prepare = chain(
        [
            convert_step(component, backend),
            cast_step(component.dtype, dtype, backend),
            align_step(component.stored, dims, backend),
        ]
    )
    mapped = coordinate_map(axis, backend)
    inside = clamp(backend, 0, count - 1)  # before the cast: coordinates may be infinite
    add, subtract, cast_to, minimum, maximum = (
        ops[name] for name in ("add", "subtract", "cast", "minimum", "maximum")
    )

    sloped = any(isinstance(side, Kind) and side.offset for side in axis.pair)

    def locate(c: Native) -> tuple[Native, Native | None, Native | None]:
        if prepare is not None:
            c = prepare(c)
        c, flipped = mapped(c)
        if count == 1:
            return None, None, flipped
        if axis.low:
            c = add(c, axis.low)
        cell = maximum(
            minimum(cast_to(inside(c) if sloped else c, index), count - 2), 0
        )  # the lower bound is for NaN, which then spreads by its weight
        return cell, subtract(c, cast_to(cell, dtype)), flipped

    return locate


def _shift(weight: Native, backend: Backend) -> Native:
    """Whole samples by which a weight is beyond [0, 1]."""
    ops = backend.ops
    above = ops["where"](ops["greater"](weight, 1), ops["subtract"](ops["ceil"](weight), 1), 0.0)
    return ops["where"](ops["less"](weight, 0), ops["floor"](weight), above)


def _constant_corners(axis: Axis, backend: Backend) -> Callable[[Native], tuple[Native, Native]] | None:
    """Function from cells to where their lower and upper corner are constants; None without constants."""
    if all(isinstance(side, Kind) for side in axis.pair):
        return None
    equal = backend.ops["equal"]
    lowest, highest = (
        -1 if isinstance(side, Kind) else cell
        for side, cell in zip(axis.pair, (0, axis.padded - 2), strict=True)
    )
    return lambda cell: (equal(cell, lowest), equal(cell, highest))


def coordinate_map(axis: Axis, backend: Backend) -> Callable[[Native], tuple[Native, Native | None]]:
    """Function that brings coordinates between the layers that exist."""
    maps = [_side_map(axis, place, backend) for place in (0, 1)]
    if axis.pair[0] is axis.pair[1] or not any(isinstance(side, Kind) for side in axis.pair):
        return maps[0]
    below, above = maps
    where, less, both, negate = (
        backend.ops[name] for name in ("where", "less", "logical_and", "logical_not")
    )

    def mapped(c: Native) -> tuple[Native, Native | None]:
        under = less(c, 0)
        (low, low_sign), (high, high_sign) = below(c), above(c)
        if low_sign is not None:
            low_sign = both(under, low_sign)
        if high_sign is not None:
            high_sign = both(negate(under), high_sign)
            low_sign = high_sign if low_sign is None else backend.ops["logical_or"](low_sign, high_sign)
        return where(under, low, high), low_sign

    return mapped


def _side_map(axis: Axis, place: int, backend: Backend) -> Callable[[Native], tuple[Native, Native | None]]:
    side = axis.pair[place]
    if isinstance(side, Kind):
        assert side.coordinates is not None, f"{side} is sampled in parts"
        return side.coordinates(backend, axis.size)
    limited = clamp(backend, -axis.low, axis.size - 1 + axis.up)
    return lambda c: (limited(c), None)


def points_dims(components: Sequence[Dense]) -> tuple[Dim, ...]:
    """Stored dims of points with these components."""
    return merged_order([component.stored for component in components]) if components else ()
