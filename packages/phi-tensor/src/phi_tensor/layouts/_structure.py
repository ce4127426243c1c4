"""Rules of operations that move numbers without computing.

Join, expand, rename, stack, concat, pack, unpack, flip, roll.
"""

from __future__ import annotations

from typing import Any, cast

from phi_tensor._context import context_dtype
from phi_tensor._dim import Dim, entry_of
from phi_tensor._dtype import DType, widest
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._plan import PlanCall, Row, layout_of, planned, rule
from phi_tensor._shape import Shape, merge_shapes, merged_dim
from phi_tensor._tensor import Tensor
from phi_tensor.backends._backend import Backend
from phi_tensor.backends._registry import common_backend
from phi_tensor.layouts._dense_steps import Step, cast_step, chain, convert_step, merged_order, store_step
from phi_tensor.layouts._layout import Dense, Layout, Parts, Ragged, Scalar, entry_layout
from phi_tensor.ops._table import CAST as _NO_ROW
from phi_tensor.ops._table import CONCAT as _CONCAT


def on_block(row: Row, layout: Parts, **parameters: Any) -> PlanCall:
    """Plan for the joined block of a stacked tensor."""
    if isinstance(layout, Ragged):
        raise row.unsupported(
            layout, hint="Apply it to the slices along the dim where sizes vary, or pad them to one size."
        )
    assert layout.shape.is_uniform
    joined = _joined_layout(layout)
    plan = cast("PlanCall", _rule_of(row)(row, joined, **parameters))
    return planned(layout_of(plan), lambda t: plan(t.block()))


def _rule_of(row: Row) -> Any:
    from phi_tensor._plan import RULES  # noqa: PLC0415 the table of rules

    return RULES[row.kind]


def each_part(
    layout: Parts, plans: list[PlanCall], dim: Dim | None = None, shape: Shape | None = None
) -> PlanCall:
    """Plan that applies one plan to each part and keeps the parts apart."""
    result = Parts.of(dim or layout.dim, tuple(layout_of(plan) for plan in plans), shape)

    def call(t: Tensor) -> Tensor:
        natives: tuple[Any, ...] = ()
        for plan, part in zip(plans, t.parts(), strict=True):
            natives += plan(part).natives
        return Tensor(result, natives)

    return planned(result, call)


# --- join


@rule("join")
def join(row: Row, layout: Layout) -> PlanCall:
    """Plan that joins uniform parts into one array."""
    if isinstance(layout, Dense):
        return planned(layout, lambda t: t)
    if not isinstance(layout, Parts) or isinstance(layout, Ragged):
        raise row.unsupported(layout, hint="Sizes vary; pad to one size or handle the slices one by one.")
    inner = [join(row, part) for part in layout.parts]
    parts = [cast("Dense", layout_of(plan)) for plan in inner]
    result = _joined_layout(layout)
    stack = layout.backend.ops["stack"]
    rest = tuple(dim for dim in result.stored if dim is not layout.dim)
    axis = result.stored.index(layout.dim)
    steps = [store_step(part, rest, layout.backend) for part in parts]

    def call(t: Tensor) -> Tensor:
        natives = [plan(part).natives[0] for plan, part in zip(inner, t.parts(), strict=True)]
        return Tensor(
            result, (stack([n if s is None else s(n) for n, s in zip(natives, steps, strict=True)], axis),)
        )

    return planned(result, call)


def _joined_layout(layout: Layout) -> Dense:
    if isinstance(layout, Dense):
        return layout
    assert isinstance(layout, Parts)
    parts = [_joined_layout(part) for part in layout.parts]
    rest = merged_order([part.stored for part in parts])
    stored = (*rest, layout.dim) if layout.dim.type.name == "channel" else (layout.dim, *rest)
    return Dense.of(stored, layout.shape, layout.dtype, layout.backend)


# --- expand, rename


@rule("expand")
def expand_rule(row: Row, layout: Layout, dims: tuple[Dim, ...]) -> PlanCall:
    """Plan that adds dims along which the tensor is constant; present ones are checked."""
    shape = merge_shapes(Shape.of(dims), layout.shape)
    if not shape.well_defined:
        raise IncompatibleShapes(f"Expanding needs known sizes, but found {shape}.")
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


# --- stack, concat


def common_form(layouts: tuple[Layout, ...]) -> tuple[DType, Backend]:
    """Element type and library that all operands can share."""
    dtype = context_dtype(widest(tuple(layout.dtype for layout in layouts)))
    return dtype, common_backend(tuple(layout.backend for layout in layouts))


@rule("stack")
def stack_rule(row: Row, *layouts: Layout, dim: Dim) -> PlanCall:
    """Plan that keeps the operands as parts along a new dim; numbers are only cast or converted."""
    merged = [layout for layout in layouts if not isinstance(layout, Scalar)]
    dtype, backend = common_form(tuple(merged))
    plans = [cast_rule(row, layout, dtype=dtype, backend=backend) for layout in merged]
    result = Parts.of(dim.with_size(len(layouts), dim.labels), tuple(layout_of(plan) for plan in plans))
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


@rule("cast")
def cast_rule(row: Row, layout: Layout, dtype: DType, backend: Backend | None = None) -> PlanCall:
    """Plan that changes element type and, for constants, the library."""
    target = backend or layout.backend
    if isinstance(layout, Parts):
        return each_part(
            layout,
            [cast_rule(row, part, dtype=dtype, backend=target) for part in layout.parts],
            None,
            layout.shape,
        )
    assert isinstance(layout, Dense)
    result = Dense.of(layout.stored, layout.shape, dtype, target)
    step = chain([convert_step(layout, target), cast_step(layout.dtype, dtype, target)])
    if step is None:
        return planned(layout, lambda t: t)
    return planned(result, lambda t: Tensor(result, (step(t.natives[0]),)))


@rule("concat")
def concat_rule(row: Row, *layouts: Layout, dim: str) -> PlanCall:
    """Plan that joins operands along a present dim."""
    if all(isinstance(layout, Parts) and layout.dim.name == dim for layout in layouts):
        return _concat_parts(layouts, dim)
    split = next((layout.dim.name for layout in layouts if isinstance(layout, Ragged)), None)
    if split is not None and split != dim:
        return _concat_each(row, layouts, dim, split)
    if split is not None:
        raise row.unsupported(
            *layouts,
            hint="Only ragged tensors join along the dim whose entries differ; stack the others first.",
        )
    blocks = [_joined_layout(layout) for layout in layouts]
    dtype, backend = common_form(tuple(blocks))
    rest = merged_order([tuple(d for d in block.stored if d.name != dim) for block in blocks])
    new = _concat_dim([block.shape.get_dim(dim) for block in blocks])
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


def _concat_dim(dims: list[Dim]) -> Dim:
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


def _concat_parts(layouts: tuple[Layout, ...], dim: str) -> PlanCall:
    parts = tuple(part for layout in cast("tuple[Parts, ...]", layouts) for part in layout.parts)
    dtype, backend = common_form(parts)
    casts = [
        [cast_rule(_NO_ROW, part, dtype=dtype, backend=backend) for part in layout.parts]
        for layout in cast("tuple[Parts, ...]", layouts)
    ]
    new = _concat_dim([layout.shape.get_dim(dim) for layout in layouts])
    result = Parts.of(new, tuple(layout_of(plan) for plans in casts for plan in plans))

    def call(*operands: Tensor) -> Tensor:
        natives: tuple[Any, ...] = ()
        for x, plans in zip(operands, casts, strict=True):
            for part, plan in zip(x.parts(), plans, strict=True):
                natives += plan(part).natives
        return Tensor(result, natives)

    return planned(result, call)


def _concat_each(row: Row, layouts: tuple[Layout, ...], dim: str, split: str) -> PlanCall:
    from phi_tensor.layouts._elementwise import entries_of  # noqa: PLC0415 shares `entries_of`

    along = merged_dims([layout.shape.get_dim(split) for layout in layouts])
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


def merged_dims(dims: list[Dim]) -> Dim:
    """The dim that all have in common."""
    result = dims[0]
    for dim in dims[1:]:
        result = merged_dim(result, dim)
    return result


# --- pack, unpack


@rule("pack")
def pack_rule(
    row: Row, layout: Layout, names: tuple[str, ...], dim: Dim, position: int | None = None
) -> PlanCall:
    """Plan that merges dims into one, row-major in the order of `names`."""
    if isinstance(layout, Parts):
        if layout.dim.name in names:
            return (
                _pack_ragged(row, layout, names, dim)
                if isinstance(layout, Ragged)
                else on_block(row, layout, names=names, dim=dim, position=position)
            )
        return each_part(
            layout, [pack_rule(row, part, names=names, dim=dim, position=position) for part in layout.parts]
        )
    assert isinstance(layout, Dense)
    sizes = [cast("int", layout.shape.get_size(name)) for name in names]
    volume = 1
    for size in sizes:
        volume *= size
    if isinstance(dim.size, int) and dim.size != volume:
        raise IncompatibleShapes(
            f"Packing {names} of {layout.shape} gives {volume} entries, but `{dim}` was asked for. Leave "
            f"the size away."
        )
    new = dim.with_size(volume, dim.labels)
    at = min(layout.shape.names.index(name) for name in names) if position is None else position
    rest = [d for d in layout.shape.dims if d.name not in names]
    at = min(at, len(rest))
    shape = Shape.of((*rest[:at], new, *rest[at:]))
    present = [d for d in layout.stored if d.name in names]
    if not present:
        result = Dense.of(layout.stored, shape, layout.dtype, layout.backend)
        return planned(result, lambda t: Tensor(result, t.natives))
    first = min(layout.axes[d.name] for d in present)
    others = [d for d in layout.stored if d.name not in names]
    before = len([d for d in layout.stored[:first] if d.name not in names])
    target = (*others[:before], *(layout.shape.get_dim(name) for name in names), *others[before:])
    stored = (*others[:before], new, *others[before:])
    result = Dense.of(stored, shape, layout.dtype, layout.backend)
    step, reshape, flat = (
        store_step(layout, target, layout.backend),
        layout.backend.ops["reshape"],
        result.sizes,
    )
    if step is None:
        return planned(result, lambda t: Tensor(result, (reshape(t.natives[0], flat),)))
    return planned(result, lambda t: Tensor(result, (reshape(step(t.natives[0]), flat),)))


def _pack_ragged(row: Row, layout: Ragged, names: tuple[str, ...], dim: Dim) -> PlanCall:
    """Pack the dim of the parts together with the dims that vary along it: parts are flattened and joined."""
    varying = {d.name for d in layout.shape.dims if layout.dim.name in d.over}
    if layout.dim.name not in names or not varying <= set(names):
        needed = sorted({layout.dim.name, *varying})
        raise IncompatibleShapes(
            f"Packing {names} of {layout.shape} would leave sizes that vary. Pack {needed} together."
        )
    if names[0] != layout.dim.name:
        raise row.unsupported(
            layout, hint=f"Put `{layout.dim.name}` first: the order of the others varies along it."
        )
    inner = tuple(name for name in names if name != layout.dim.name)
    packed = [pack_rule(row, part, names=inner, dim=dim.with_size(None)) for part in layout.parts]
    joined = concat_rule(_CONCAT, *(layout_of(plan) for plan in packed), dim=dim.name)
    return planned(
        layout_of(joined),
        lambda t: joined(*(plan(part) for plan, part in zip(packed, t.parts(), strict=True))),
    )


@rule("unpack")
def unpack_rule(row: Row, layout: Layout, name: str, dims: tuple[Dim, ...]) -> PlanCall:
    """Plan that splits one dim into several, row-major."""
    if isinstance(layout, Parts):
        if layout.dim.name == name:
            return on_block(row, layout, name=name, dims=dims)
        return each_part(layout, [unpack_rule(row, part, name=name, dims=dims) for part in layout.parts])
    assert isinstance(layout, Dense)
    size = cast("int", layout.shape.get_size(name))
    split = _inferred(Shape.of(dims), size, name).dims
    at = layout.shape.names.index(name)
    shape = Shape.of((*layout.shape.dims[:at], *split, *layout.shape.dims[at + 1 :]))
    axis = layout.axes.get(name)
    if axis is None:
        result = Dense.of(layout.stored, shape, layout.dtype, layout.backend)
        return planned(result, lambda t: Tensor(result, t.natives))
    stored = (*layout.stored[:axis], *split, *layout.stored[axis + 1 :])
    result = Dense.of(stored, shape, layout.dtype, layout.backend)
    reshape, sizes = layout.backend.ops["reshape"], result.sizes
    return planned(result, lambda t: Tensor(result, (reshape(t.natives[0], sizes),)))


def _inferred(dims: Shape, size: int, name: str) -> Shape:
    known = dims.defined.volume or 0
    if dims.undefined.rank == 1 and known and size % known == 0:
        dims = Shape.of(tuple(d.with_size(size // known) if d.size is None else d for d in dims.dims))
    if dims.undefined or dims.volume != size:
        raise IncompatibleShapes(
            f"Dim `{name}` of size {size} cannot be split into {dims}: the sizes must multiply to {size}."
        )
    return dims


# --- flip, roll


@rule("flip")
def flip_rule(row: Row, layout: Layout, names: tuple[str, ...]) -> PlanCall:
    """Plan that reverses dims."""
    if isinstance(layout, Parts):
        if layout.dim.name in names:
            return on_block(row, layout, names=names)
        return each_part(layout, [flip_rule(row, part, names=names) for part in layout.parts])
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
            return on_block(row, layout, name=name, shift=shift)
        return each_part(layout, [roll_rule(row, part, name=name, shift=shift) for part in layout.parts])
    assert isinstance(layout, Dense)
    axis, roll = layout.axes.get(name), layout.backend.ops["roll"]
    if axis is None:
        return planned(layout, lambda t: t)
    return planned(layout, lambda t: Tensor(layout, (roll(t.natives[0], shift, axis),)))
