"""Rules that add, rename, reverse and shift dims, without other sizes: expand, rename, flip, roll."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from phi_tensor._dim import Dim, entry_of
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._plan import PlanCall, Row, layout_of, planned, rule
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._join import each_part
from phi_tensor.layouts._layout import Dense, Layout, Parts, entry_layout


@rule("expand")
def expand_rule(row: Row, layout: Layout, dims: tuple[Dim, ...]) -> PlanCall:
    """Plan that adds dims along which the tensor is constant; present ones are checked."""
    shape = merge_shapes(Shape.of(dims), layout.shape)
    if not shape.well_defined:
        raise IncompatibleShapes(f"Expanding needs known sizes, but found {shape}.")
    for dim in shape.non_uniform.dims:
        outer = dim.over[0]
        if outer not in shape or len(cast("tuple[object, ...]", dim.size)) != shape.get_size(outer):
            raise IncompatibleShapes(
                f"The sizes {dim.size} of `{dim.name}` vary along `{outer}`, which does not fit {shape}. "
                f"Slice or expand `{outer}` first."
            )
    if isinstance(layout, Dense):
        if shape.is_uniform:
            stored = tuple(shape.get_dim(dim.name) for dim in layout.stored)
            result = Dense.of(stored, shape, layout.dtype, layout.backend)
            return planned(result, lambda t: Tensor(result, t.natives))
        along = shape.get_dim(shape.non_uniform.dims[0].over[0])
        return _expanded_ragged(row, layout, along, shape)
    assert isinstance(layout, Parts)
    name = layout.dim.name
    missing = tuple(dim for dim in shape.dims if dim.name != name)
    plans = [
        expand_rule(row, part, dims=tuple(entry_of(dim, name, i) for dim in missing))
        for i, part in enumerate(layout.parts)
    ]
    return each_part(layout, plans, shape.get_dim(name), shape)


def _expanded_ragged(row: Row, layout: Dense, along: Dim, shape: Shape) -> PlanCall:
    entries = shape.unstack(along.name)
    plans = [
        expand_rule(row, entry_layout(layout, along.name, i), dims=entry.dims)
        for i, entry in enumerate(entries)
    ]
    result = Parts.of(along, tuple(layout_of(plan) for plan in plans), shape)

    def call(t: Tensor) -> Tensor:
        natives: tuple[Any, ...] = ()
        for i, plan in enumerate(plans):
            natives += plan(t.sliced(((along.name, i),))).natives
        return Tensor(result, natives)

    return planned(result, call)


@rule("rename")
def rename_rule(row: Row, layout: Layout, renamed: tuple[tuple[str, Dim], ...]) -> PlanCall:
    """Plan that exchanges dims for others of the same sizes; no native is touched."""
    table = dict(renamed)
    dims = tuple(_renamed_dim(dim, table) for dim in layout.shape.dims)
    result = layout.with_shape({name: dims[layout.shape.names.index(name)] for name in table}, Shape.of(dims))
    return planned(result, lambda t: Tensor(result, t.natives))


def _renamed_dim(dim: Dim, table: dict[str, Dim]) -> Dim:
    new = table.get(dim.name, dim)
    over = tuple(table[name].name if name in table else name for name in dim.over)
    if new is dim and over == dim.over:
        return dim
    labels = new.labels if new.labels or new.size is not None else dim.labels
    return Dim.of(new.name, new.type, dim.size, labels, over)


@rule("flip")
def flip_rule(row: Row, layout: Layout, names: tuple[str, ...]) -> PlanCall:
    """Plan that reverses dims."""
    if isinstance(layout, Parts):
        count, dim = len(layout.parts), layout.dim
        if dim.name not in names:
            return each_part(layout, [flip_rule(row, part, names=names) for part in layout.parts])
        plans = [flip_rule(row, part, names=names) for part in layout.parts]
        turned = dim.with_size(count, dim.labels[::-1] if dim.labels else None)
        return _rearranged(layout, plans, range(count)[::-1], turned)
    assert isinstance(layout, Dense)
    dims = {
        d.name: d.with_size(d.size, d.labels[::-1] if d.labels else None) if d.name in names else d
        for d in layout.shape.dims
    }
    shape = Shape.of(tuple(dims.values()))
    result = Dense.of(tuple(dims[d.name] for d in layout.stored), shape, layout.dtype, layout.backend)
    axes = tuple(layout.axes[name] for name in names if name in layout.axes)
    flip = layout.backend.ops["flip"]
    if not axes:
        return planned(result, lambda t: Tensor(result, t.natives))
    return planned(result, lambda t: Tensor(result, (flip(t.natives[0], axes),)))


@rule("roll")
def roll_rule(row: Row, layout: Layout, name: str, shift: int) -> PlanCall:
    """Plan that shifts cyclically along a dim: entry i moves to i + shift."""
    if isinstance(layout, Parts):
        if layout.dim.name == name:
            count, kept = len(layout.parts), [planned(part, lambda t: t) for part in layout.parts]
            return _rearranged(layout, kept, [(i - shift) % count for i in range(count)], layout.dim)
        return each_part(layout, [roll_rule(row, part, name=name, shift=shift) for part in layout.parts])
    assert isinstance(layout, Dense)
    axis, roll = layout.axes.get(name), layout.backend.ops["roll"]
    if axis is None:
        return planned(layout, lambda t: t)
    return planned(layout, lambda t: Tensor(layout, (roll(t.natives[0], shift, axis),)))


def _rearranged(layout: Parts, plans: Sequence[PlanCall], order: Sequence[int], dim: Dim) -> PlanCall:
    """Plan that puts the results of one plan per part into another order along `dim`."""
    result = Parts.of(dim, tuple(layout_of(plans[i]) for i in order))

    def call(t: Tensor) -> Tensor:
        parts = t.parts()
        natives: tuple[Any, ...] = ()
        for i in order:
            natives += plans[i](parts[i]).natives
        return Tensor(result, natives)

    return planned(result, call)
