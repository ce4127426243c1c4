"""Cubic interpolation: Catmull-Rom splines of four samples along each dim, with any rule outside.

Each of the four is found by the rule for its integer coordinate, so that the spline continues across the
boundary as that of the padded grid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import prod
from typing import Any, NamedTuple, cast

from phi_tensor._context import context_dtype
from phi_tensor._dim import Dim
from phi_tensor._dtype import FLOAT32, INT64, DType
from phi_tensor._extrapolation_resolved import Sides
from phi_tensor._padding import Kind
from phi_tensor._plan import PlanCall, Row, planned
from phi_tensor._shape import merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor.backends._backend import Backend, Native
from phi_tensor.layouts._dense_steps import align_step, cast_step, chain, convert_step
from phi_tensor.layouts._layout import Dense, Layout, Parts
from phi_tensor.ops._dtype_rules import result_types
from phi_tensor.ops._interpolation import Axis, FlatGrid, coordinate_map, flattener, points_dims, sampled_axes
from phi_tensor.ops._parts import backend_for, components_of, constants_reader, joined_layout


class Tap(NamedTuple):
    """One of the four samples along a dim that a point needs.

    Attributes:
        index: Its part of the flat index.
        negative: Where its sign changes, or None.
        fixed: Where it is a constant, which keeps its sign, or None.
        weight: Its weight.
    """

    index: Native
    negative: Native | None
    fixed: Native | None
    weight: Native


def cubic_plan(
    row: Row,
    grid: Dense,
    coordinates: Layout,
    constants: Sequence[Layout],
    names: tuple[str, ...],
    index: str,
    sides: Sides,
) -> PlanCall | None:
    """Plan for one array of values; None if they do not vary along any sampled dim."""
    axes = sampled_axes(grid, names, sides)
    if not axes:
        return None
    blocks = [joined_layout(c) if isinstance(c, Parts) else c for c in constants]
    backend = backend_for((grid, coordinates, *blocks))
    dtype = result_types(row, (grid, *blocks))[1]
    wanted = [names.index(axis.name) for axis in axes]
    components, take_components = components_of(coordinates, index, wanted, backend)
    dims = points_dims(components)
    values = FlatGrid(grid, blocks, axes, {dim.name for dim in dims}, dtype, backend)
    shape = merge_shapes(coordinates.shape.without(index), grid.shape.without(names))
    stored = (*values.rest, *dims) if values.leading else (*dims, *values.rest)
    result = Dense.of(tuple(shape.get_dim(dim.name) for dim in stored), shape, dtype, backend)
    spline = _Spline(axes, values, components, dims, dtype, backend)
    read = constants_reader(blocks)

    def call(g: Tensor, points: Tensor, *outside: Any) -> Tensor:
        natives = take_components(points)
        return Tensor(result, (spline(values.flat(g.natives[0], read(outside)), natives),))

    return planned(result, call)


class _Spline:
    """Looks up and blends the samples around points. Made once per plan."""

    def __init__(
        self,
        axes: tuple[Axis, ...],
        grid: FlatGrid,
        components: Sequence[Dense],
        dims: tuple[Dim, ...],
        dtype: DType,
        backend: Backend,
    ) -> None:
        self.backend, self.dtype = backend, dtype
        index = backend.index_dtype if grid.count < 2**31 else INT64
        signs = any(isinstance(side, Kind) and not side.pointwise for axis in axes for side in axis.pair)
        by_name = {axis.name: position for position, axis in enumerate(axes)}
        self.taps: list[tuple[int, Callable[[Native], list[Tap]]]] = []
        stride = 1
        for name in reversed(grid.order):
            position = by_name[name]
            taps = _taps(axes[position], components[position], dims, stride, index, backend, signs)
            self.taps.insert(0, (position, taps))
            stride *= axes[position].padded
        self.complete = flattener(grid.shared, dims, stride, index, backend)
        sizes, rest = (tuple(cast("int", dim.size) for dim in d) for d in (dims, grid.rest))
        self.sizes = (*rest, *sizes) if grid.leading else (*sizes, *rest)
        self.axis = 1 if grid.leading and grid.rest else 0
        self.behind = 0 if grid.leading else len(rest)
        self.count = prod(sizes)

    def __call__(self, flat: Native, components: Sequence[Native]) -> Native:
        ops = self.backend.ops
        along = [taps(components[position]) for position, taps in self.taps]
        values: list[Native] = []
        for corner in product(*along):
            total = corner[0].index
            for tap in corner[1:]:
                total = ops["add"](total, tap.index)
            found = ops["take"](flat, self.complete(total, components[0]), self.axis)
            values.append(self._signed(ops["reshape"](found, self.sizes), corner))
        for taps in reversed(along):
            weights = [self._weight(tap.weight) for tap in taps]
            values = [self._sum(weights, values[i : i + 4]) for i in range(0, len(values), 4)]
        return self.backend.apart(values[0])

    def _sum(self, weights: list[Native], values: list[Native]) -> Native:
        add, multiply = self.backend.ops["add"], self.backend.ops["multiply"]
        total = multiply(weights[0], values[0])
        for weight, value in zip(weights[1:], values[1:], strict=True):
            total = add(total, multiply(weight, value))
        return total

    def _signed(self, value: Native, corner: Sequence[Tap]) -> Native:
        ops = self.backend.ops
        mask: Native | None = None
        for tap in corner:
            if tap.negative is not None:
                mask = tap.negative if mask is None else ops["logical_xor"](mask, tap.negative)
        if mask is None:
            return value
        for tap in corner:
            if tap.fixed is not None:
                mask = ops["logical_and"](mask, ops["logical_not"](tap.fixed))
        return ops["where"](self._behind(mask), ops["negative"](value), value)

    def _weight(self, weight: Native) -> Native:
        weight = self._behind(weight)
        return self.backend.ops["cast"](weight, self.dtype) if self.dtype.kind is complex else weight

    def _behind(self, native: Native) -> Native:
        """Aligned with the result, whose other dims may come last."""
        if not self.behind:
            return native
        return self.backend.ops["reshape"](native, (*self.backend.shape(native), *[1] * self.behind))


def _taps(
    axis: Axis,
    component: Dense,
    dims: tuple[Dim, ...],
    stride: int,
    index: DType,
    backend: Backend,
    signs: bool,
) -> Callable[[Native], list[Tap]]:
    """Function from one coordinate to the four samples around it."""
    ops, last, dtype = backend.ops, axis.padded - 1, context_dtype(FLOAT32)
    prepare = chain(
        [
            convert_step(component, backend),
            cast_step(component.dtype, dtype, backend),
            align_step(component.stored, dims, backend),
        ]
    )
    mapped = coordinate_map(axis, backend)
    add, subtract, multiply, floor = (ops[name] for name in ("add", "subtract", "multiply", "floor"))
    minimum, maximum, cast_to = ops["minimum"], ops["maximum"], ops["cast"]
    constants = [edge for edge, side in zip((0, last), axis.pair, strict=True) if not isinstance(side, Kind)]

    def tap(cell: Native, offset: int, weight: Native) -> Tap:
        c, negative = mapped(add(cell, offset) if offset else cell)
        at = cast_to(floor(add(c, axis.low + 0.5)), index)
        at = maximum(minimum(at, last), 0)  # the lower bound is for NaN, which then spreads by its weight
        fixed: Native | None = None
        for edge in constants if signs else ():
            here = ops["equal"](at, edge)
            fixed = here if fixed is None else ops["logical_or"](fixed, here)
        return Tap(at if stride == 1 else multiply(at, stride), negative, fixed, weight)

    def taps(c: Native) -> list[Tap]:
        if prepare is not None:
            c = prepare(c)
        cell = backend.stop_gradient(floor(c))
        weights = catmull_rom(subtract(c, cell), add, multiply)
        return [tap(cell, offset, weight) for offset, weight in zip((-1, 0, 1, 2), weights, strict=True)]

    return taps


def catmull_rom(t: Native, add: Any, multiply: Any) -> tuple[Native, Native, Native, Native]:
    """Catmull-Rom weights of samples −1, 0, 1, 2 at 0 ≤ t < 1."""
    square = multiply(t, t)
    return (
        multiply(t, add(multiply(t, add(multiply(t, -0.5), 1.0)), -0.5)),
        add(multiply(square, add(multiply(t, 1.5), -2.5)), 1.0),
        multiply(t, add(multiply(t, add(multiply(t, -1.5), 2.0)), 0.5)),
        multiply(square, add(multiply(t, 0.5), -0.5)),
    )
