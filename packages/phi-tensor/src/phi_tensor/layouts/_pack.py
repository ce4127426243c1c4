"""Rules that make one dim of several, and several of one."""

from __future__ import annotations

from typing import cast

from phi_tensor._dim import Dim
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._plan import PlanCall, Row, layout_of, planned, rule
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._concat import concat_parts, concat_rule
from phi_tensor.layouts._dense_steps import store_step
from phi_tensor.layouts._elementwise import entries_of
from phi_tensor.layouts._join import each_part, on_block
from phi_tensor.layouts._layout import Dense, Layout, Parts, Ragged, entry_layout
from phi_tensor.layouts._structure import rename_rule
from phi_tensor.ops._parts import part_by_part
from phi_tensor.ops._table import CONCAT as _CONCAT


@rule("pack")
def pack_rule(
    row: Row, layout: Layout, names: tuple[str, ...], dim: Dim, position: int | None = None
) -> PlanCall:
    """Plan that merges dims into one, row-major in the order of `names`."""
    if isinstance(layout, Dense) and layout.shape.is_uniform:
        return _pack_dense(layout, names, dim, position)
    assert isinstance(layout, Parts)
    plan = _pack_parts(row, layout, names, dim)
    return _placed(plan, layout.shape, names, position)


def _pack_dense(layout: Dense, names: tuple[str, ...], dim: Dim, position: int | None) -> PlanCall:
    sizes = [cast("int", layout.shape.get_size(name)) for name in names]
    volume = 1
    for size in sizes:
        volume *= size
    _check_volume(layout.shape, names, dim, volume)
    new = dim.with_size(volume, dim.labels)
    shape = _with_packed(layout.shape, layout.shape.without(names), names, new, position)
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


def _with_packed(
    before: Shape, rest: Shape, names: tuple[str, ...], packed: Dim, position: int | None
) -> Shape:
    """Shape with the new dim at `position`; default: where the first packed dim was."""
    at = min(before.names.index(name) for name in names) if position is None else position
    at = min(at, rest.rank)
    return Shape.of((*rest.dims[:at], packed, *rest.dims[at:]))


def _placed(plan: PlanCall, before: Shape, names: tuple[str, ...], position: int | None) -> PlanCall:
    """`plan` with the dims of its result in the order that one array would have."""
    found = layout_of(plan)
    (packed,) = (dim for dim in found.shape.dims if dim.name not in before or dim.name in names)
    rest = Shape.of(tuple(found.shape.get_dim(name) for name in before.without(names).names))
    result = found.with_shape({}, _with_packed(before, rest, names, packed, position))
    return planned(result, lambda t: Tensor(result, plan(t).natives))


def _pack_parts(row: Row, layout: Parts, names: tuple[str, ...], dim: Dim) -> PlanCall:
    if len(names) == 1 and isinstance(size := layout.shape.get_size(names[0]), int):
        _check_volume(layout.shape, names, dim, size)
        return rename_rule(row, layout, renamed=((names[0], dim.with_size(size, dim.labels)),))
    over = [name for varying in layout.shape.non_uniform.dims for name in varying.over]
    kept = [name for name in over if name not in names and isinstance(layout.shape.get_size(name), int)]
    if kept:
        return part_by_part((layout,), kept[0], lambda i, part: pack_rule(row, part, names=names, dim=dim))
    if over:
        return _pack_ragged(row, layout, names, dim)
    if layout.dim.name in names:
        return on_block(row, layout, names=names, dim=dim)
    return each_part(layout, [pack_rule(row, part, names=names, dim=dim) for part in layout.parts])


def _pack_ragged(row: Row, layout: Parts, names: tuple[str, ...], dim: Dim) -> PlanCall:
    """Plan that packs the entries along the first dim, whatever their sizes are, and joins them."""
    first, *rest = names
    count = layout.shape.get_size(first)
    if not isinstance(count, int):
        over = "`, `".join(layout.shape.get_dim(first).over)
        raise row.unsupported(layout, hint=f"Put `{over}` first: the sizes of `{first}` vary along it.")
    plans = [
        pack_rule(row, entry_layout(layout, first, i), names=tuple(rest), dim=dim.with_size(None))
        for i in range(count)
    ]
    packed = tuple(layout_of(plan) for plan in plans)
    others = {each.shape.without(dim.name) for each in packed}
    join = concat_rule(_CONCAT, *packed, dim=dim.name) if len(others) == 1 else concat_parts(packed, dim.name)
    size = layout_of(join).shape.get_size(dim.name)
    assert isinstance(size, int)
    _check_volume(layout.shape, names, dim, size)
    named = rename_rule(row, layout_of(join), renamed=((dim.name, dim.with_size(size, dim.labels)),))
    return planned(
        layout_of(named),
        lambda t: named(join(*(plan(x) for plan, x in zip(plans, entries_of(t, first, count), strict=True)))),
    )


def _check_volume(shape: Shape, names: tuple[str, ...], dim: Dim, volume: int) -> None:
    if isinstance(dim.size, int) and dim.size != volume:
        raise IncompatibleShapes(
            f"Packing {names} of {shape} gives {volume} entries, but `{dim}` was asked for. Leave the size "
            f"away."
        )


@rule("unpack")
def unpack_rule(row: Row, layout: Layout, name: str, dims: tuple[Dim, ...]) -> PlanCall:
    """Plan that splits one dim into several, row-major."""
    if isinstance(layout, Parts):
        if layout.dim.name == name and isinstance(layout, Ragged):
            return _unpack_parts(layout, dims)
        if layout.dim.name == name:
            return on_block(row, layout, name=name, dims=dims)
        return each_part(layout, [unpack_rule(row, part, name=name, dims=dims) for part in layout.parts])
    assert isinstance(layout, Dense)
    size = cast("int", layout.shape.get_size(name))
    split = inferred(Shape.of(dims), size, name).dims
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


def inferred(dims: Shape, size: int, name: str) -> Shape:
    """The dims, of which one may lack a size, that a dim of `size` entries is split into."""
    known = dims.defined.volume or 0
    if dims.undefined.rank == 1 and known and size % known == 0:
        dims = Shape.of(tuple(d.with_size(size // known) if d.size is None else d for d in dims.dims))
    if dims.undefined or dims.volume != size:
        raise IncompatibleShapes(
            f"Dim `{name}` of size {size} cannot be split into {dims}: the sizes must multiply to {size}."
        )
    return dims


def _unpack_parts(layout: Ragged, dims: tuple[Dim, ...]) -> PlanCall:
    """Plan that groups parts of different sizes, whose natives stay as they are."""
    split = inferred(Shape.of(dims), len(layout.parts), layout.dim.name).dims
    groups: tuple[Layout, ...] = layout.parts
    for dim in reversed(split):
        size = cast("int", dim.size)
        groups = tuple(Parts.of(dim, groups[i : i + size]) for i in range(0, len(groups), size))
    (result,) = groups
    return planned(result, lambda t: Tensor(result, t.natives))
