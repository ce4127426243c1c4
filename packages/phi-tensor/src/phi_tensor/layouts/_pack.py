"""Rules that make one dim of several, and several of one."""

from __future__ import annotations

from typing import cast

from phi_tensor._dim import Dim
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._plan import PlanCall, Row, layout_of, planned, rule
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._concat import concat_rule
from phi_tensor.layouts._dense_steps import store_step
from phi_tensor.layouts._join import each_part, on_block
from phi_tensor.layouts._layout import Dense, Layout, Parts, Ragged
from phi_tensor.ops._table import CONCAT as _CONCAT


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
