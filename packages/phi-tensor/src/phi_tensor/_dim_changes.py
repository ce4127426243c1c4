"""Dims that follow from others: merged with one of the same name, put in place of another, retyped."""

from __future__ import annotations

from phi_tensor._dim import Dim
from phi_tensor._dim_types import DimType
from phi_tensor._errors import IncompatibleShapes


def merged_dims(a: tuple[Dim, ...], b: tuple[Dim, ...]) -> tuple[Dim, ...]:
    """Dims of `a`, then those of `b` that are new; those of one name must agree."""
    merged = {dim.name: dim for dim in a}
    for dim in b:
        merged[dim.name] = merged_dim(merged[dim.name], dim) if dim.name in merged else dim
    return tuple(merged.values())


def merged_dim(a: Dim, b: Dim) -> Dim:
    """The dim that two dims of one name have in common, adopting known sizes and labels."""
    if a is b:
        return a
    if a.type is not b.type:
        raise IncompatibleShapes(
            f"Dim `{a.name}` is {a.type} on one side and {b.type} on the other: ({a}) and ({b}). "
            f"Retype one of them, e.g. `rename_dims(value, '{b.name}', {a.type}('{a.name}'))`."
        )
    if a.size is None or b.size is None:
        known = b if a.size is None else a
        return known
    if a.size != b.size or a.over != b.over:
        raise IncompatibleShapes(
            f"Dim `{a.name}` has size {a.size} on one side and {b.size} on the other. Sizes must match "
            f"exactly "
            f"(1 is not broadcast); slice, pad or rename one of them."
        )
    if a.labels and b.labels:
        raise IncompatibleShapes(
            f"Labels of dim `{a.name}` differ: {a.labels} and {b.labels}. Reorder with "
            f"`value.{a.name}['{','.join(a.labels)}']` "
            f"or rename them."
        )
    return a if a.labels else b


def adopted(new: Dim, old: Dim) -> Dim:
    """`new` in place of `old`, whose size it takes if it has none."""
    if new.size is None:
        return new.with_size(old.size, old.labels, old.over)
    if new.size != old.size:
        raise IncompatibleShapes(
            f"Dim `{old.name}` of size {old.size} cannot become `{new}`: the sizes differ."
        )
    return new


def retyped(dim: Dim, new_type: DimType) -> Dim:
    """`dim` with another type."""
    return Dim.of(new_type.dim_name(dim.name), new_type, dim.size, dim.labels, dim.over)


def int_size(dim: Dim) -> int:
    """The one known size of `dim`."""
    if not isinstance(dim.size, int):
        raise IncompatibleShapes(
            f"Dim `{dim.name}` needs one known size here, but has {dim.size}. Give it a size or slice it."
        )
    return dim.size
