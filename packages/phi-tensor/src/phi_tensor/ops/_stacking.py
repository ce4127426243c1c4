"""Stacks of what does not stack as numbers: equal values as one, others as objects along the dim."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from phi_tensor._errors import IncompatibleShapes
from phi_tensor._objects import Objects, objects_of
from phi_tensor._shape import Shape
from phi_tensor._spec import parse_shape_spec
from phi_tensor._trees import flatten
from phi_tensor.ops._comparison import equal
from phi_tensor.ops._structure import stack


def objects_along(entries: Sequence[Any], dims: Shape) -> Objects:
    """Any values along new dims, row-major; whatever they are, each is one object.

    Raises:
        IncompatibleShapes: The dims have another number of places.
    """
    shape = Shape.of((dims.dim.with_size(len(entries), dims.dim.labels),)) if dims.rank == 1 else dims
    if shape.volume != len(entries) or (dims.rank == 1 and dims.dim.size not in (None, len(entries))):
        raise IncompatibleShapes(
            f"{len(entries)} values cannot be stacked along {dims}. Leave the size away."
        )
    return objects_of(shape, entries)


def stack_leniently(
    values: Any, dim: Shape | str, expand_values: bool, simplify: bool, layout_non_matching: bool
) -> Any:
    """`stack` where equal values may be simplified and values that do not fit may become objects."""
    named = cast("dict[str, Any]", values) if isinstance(values, dict) else None
    entries = list(values if named is None else named.values())
    if simplify and entries and all(_is_known_to_equal(entries[0], entry) for entry in entries[1:]):
        return entries[0]
    shape = parse_shape_spec(dim) if isinstance(dim, str) else dim
    shape = shape if named is None else shape.with_size(tuple(named))
    try:
        return stack(entries, shape, expand_values)
    except IncompatibleShapes:
        if not layout_non_matching or not entries:
            raise
        return objects_along(entries, shape)


def _is_known_to_equal(a: Any, b: Any) -> bool:
    if a is b:
        return True
    leaves = [leaf for value in (a, b) for leaf in flatten(value, "all")[0]]
    return all(leaf.available for leaf in leaves) and equal(a, b, equal_nan=True)
