"""Rules that put operands side by side along a new dim, or one after the other along a present one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from phi_tensor._dim import Dim
from phi_tensor._dim_changes import merged_dim
from phi_tensor._dtype import DType
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._plan import PlanCall, Row, layout_of, planned, rule
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor.backends._backend import Backend
from phi_tensor.layouts._cast import cast_rule, common_form
from phi_tensor.layouts._dense_steps import Step, cast_step, chain, convert_step, merged_order, store_step
from phi_tensor.layouts._elementwise import entries_of
from phi_tensor.layouts._join import block_layout
from phi_tensor.layouts._layout import Dense, Layout, Parts, Scalar, entry_layout
from phi_tensor.ops._table import CAST as _NO_ROW


@rule("stack")
def stack_rule(row: Row, *layouts: Layout, dim: Dim) -> PlanCall:
    """Plan that keeps the operands as parts along a new dim; numbers are only cast or converted."""
    merged = [layout for layout in layouts if not isinstance(layout, Scalar)]
    dtype, backend = common_form(tuple(merged))
    plans = [cast_rule(row, layout, dtype=dtype, backend=backend) for layout in merged]
    parts = agreeing([layout_of(plan) for plan in plans], "stacked")
    result = Parts.of(dim.with_size(len(layouts), dim.labels), parts)
    if all(
        layout_of(plan) is layout and layout.count == 1 for plan, layout in zip(plans, merged, strict=True)
    ):

        def firsts(*operands: Tensor) -> Tensor:
            return Tensor(result, tuple([x.natives[0] for x in operands]))

        return planned(result, firsts)

    def call(*operands: Tensor) -> Tensor:
        natives: tuple[Any, ...] = ()
        for plan, x in zip(plans, operands, strict=True):
            natives += plan(x).natives
        return Tensor(result, natives)

    return planned(result, call)


def agreeing(layouts: Sequence[Layout], joined: str) -> tuple[Layout, ...]:
    """The layouts with the labels that some of them have; dims of one name must agree in type and labels."""
    known: dict[str, Dim] = {}
    for dim in (dim for layout in layouts for dim in layout.shape.dims):
        other = known.setdefault(dim.name, dim)
        if dim.type is not other.type or (dim.labels and other.labels and dim.labels != other.labels):
            raise IncompatibleShapes(
                f"Dims of {joined} values must agree, but found ({other}) and ({dim}). Rename or reorder "
                f"labels."
            )
        if dim.labels:
            known[dim.name] = dim
    return tuple(_labelled(layout, known) for layout in layouts)


def _labelled(layout: Layout, known: dict[str, Dim]) -> Layout:
    adopted = {
        dim.name: known[dim.name]
        for dim in layout.shape.dims
        if dim.labels is None and known[dim.name].labels and dim.size == known[dim.name].size
    }
    shape = Shape.of(tuple(adopted.get(dim.name, dim) for dim in layout.shape.dims))
    return layout.with_shape(adopted, shape) if adopted else layout


@rule("concat")
def concat_rule(row: Row, *layouts: Layout, dim: str) -> PlanCall:
    """Plan that joins operands along a present dim."""
    if all(isinstance(layout, Parts) and layout.dim.name == dim for layout in layouts):
        return concat_parts(layouts, dim)
    over = [name for layout in layouts for d in layout.shape.non_uniform.dims for name in d.over]
    if over:
        return _concat_ragged(row, layouts, dim, next((name for name in over if name != dim), None))
    blocks = [block_layout(layout) for layout in layouts]
    dtype, backend = common_form(tuple(blocks))
    rest = merged_order([tuple(d for d in block.stored if d.name != dim) for block in blocks])
    new = concat_dim([block.shape.get_dim(dim) for block in blocks])
    leader = max(blocks, key=lambda block: len(block.stored))
    axis = leader.axes.get(dim, len(rest)) if len(leader.stored) == len(rest) + 1 else len(rest)
    shape = merge_shapes(*(block.shape.without(dim) for block in blocks))
    order = [name if name != dim else new.name for name in blocks[0].shape.names]
    dims = {**{d.name: d for d in shape.dims}, dim: new}
    shape = Shape.of((*(dims[name] for name in order), *(d for d in shape.dims if d.name not in order)))
    stored = (*rest[:axis], new, *rest[axis:])
    result = Dense.of(stored, shape, dtype, backend)
    steps = [
        _concat_step(block, (*rest[:axis], block.shape.get_dim(dim), *rest[axis:]), dtype, backend)
        for block in blocks
    ]
    concat = backend.ops["concat"]
    if not any(steps) and all(isinstance(layout, Dense) for layout in layouts):

        def joined(*operands: Tensor) -> Tensor:
            return Tensor(result, (concat([x.natives[0] for x in operands], axis),))

        return planned(result, joined)

    def call(*operands: Tensor) -> Tensor:
        natives = [x.block().natives[0] for x in operands]
        return Tensor(
            result, (concat([n if s is None else s(n) for n, s in zip(natives, steps, strict=True)], axis),)
        )

    return planned(result, call)


def _concat_step(block: Dense, target: tuple[Dim, ...], dtype: DType, backend: Backend) -> Step | None:
    moved = Dense.of(block.stored, block.shape, dtype, backend)
    return chain(
        [
            convert_step(block, backend),
            cast_step(block.dtype, dtype, backend),
            store_step(moved, target, backend),
        ]
    )


def concat_dim(dims: list[Dim]) -> Dim:
    """The dim that dims of one name make one after the other."""
    labels: tuple[str, ...] | None = ()
    for dim in dims:
        labels = None if labels is None or dim.labels is None else (*labels, *dim.labels)
    if labels is not None and len(set(labels)) != len(labels):
        raise IncompatibleShapes(
            f"Concatenating along `{dims[0].name}` would repeat labels: {labels}. Rename or drop them first."
        )
    if len({dim.type for dim in dims}) > 1:
        raise IncompatibleShapes(f"Dims to concatenate must have one type, but found {dims}.")
    return dims[0].with_size(sum(cast("int", dim.size) for dim in dims), labels)


def concat_parts(layouts: tuple[Layout, ...], dim: str) -> PlanCall:
    """Plan that keeps the entries along `dim` apart."""
    entries = [
        [entry_layout(layout, dim, i) for i in range(cast("int", layout.shape.get_size(dim)))]
        for layout in layouts
    ]
    dtype, backend = common_form(tuple(part for parts in entries for part in parts))
    casts = [[cast_rule(_NO_ROW, part, dtype=dtype, backend=backend) for part in parts] for parts in entries]
    new = concat_dim([layout.shape.get_dim(dim) for layout in layouts])
    result = Parts.of(new, agreeing([layout_of(plan) for plans in casts for plan in plans], "joined"))

    def call(*operands: Tensor) -> Tensor:
        natives: tuple[Any, ...] = ()
        for x, plans in zip(operands, casts, strict=True):
            for part, plan in zip(entries_of(x, dim, len(plans)), plans, strict=True):
                natives += plan(part).natives
        return Tensor(result, natives)

    return planned(result, call)


def _concat_ragged(row: Row, layouts: tuple[Layout, ...], dim: str, split: str | None) -> PlanCall:
    """Plan for operands of which some have sizes that vary, along `split` or along `dim` alone."""
    others = {frozenset((d.name, d.size) for d in layout.shape.dims if d.name != dim) for layout in layouts}
    countable = all(isinstance(layout.shape.get_size(dim), int) for layout in layouts)
    if split is None or (countable and len(others) > 1):
        return concat_parts(layouts, dim)
    return _concat_each(row, layouts, dim, split)


def _concat_each(row: Row, layouts: tuple[Layout, ...], dim: str, split: str) -> PlanCall:
    along = _merged_dim([layout.shape.get_dim(split) for layout in layouts])
    count = cast("int", along.size)
    plans = [
        concat_rule(row, *(entry_layout(layout, split, i) for layout in layouts), dim=dim)
        for i in range(count)
    ]
    result = Parts.of(along, tuple(layout_of(plan) for plan in plans))

    def call(*operands: Tensor) -> Tensor:
        columns = [entries_of(x, split, count) for x in operands]
        natives: tuple[Any, ...] = ()
        for plan, *xs in zip(plans, *columns, strict=True):
            natives += plan(*xs).natives
        return Tensor(result, natives)

    return planned(result, call)


def _merged_dim(dims: list[Dim]) -> Dim:
    result = dims[0]
    for dim in dims[1:]:
        result = merged_dim(result, dim)
    return result
