"""Padding and cropping: slices of the array, or constants, are joined to it side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from phi_tensor._errors import IncompatibleShapes
from phi_tensor._extrapolation import NONE, Undefined
from phi_tensor._extrapolation_resolved import PerComponent, Sides, resolved
from phi_tensor._extrapolation_sides import Chosen, as_extrapolation
from phi_tensor._padding import ABSENT
from phi_tensor._plan import PlanCall, Row, layout_of, planned, rule
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor._trees import tree_map
from phi_tensor.layouts._join import ragged_outside
from phi_tensor.layouts._layout import Dense, Layout, Parts, Ragged, Scalar
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor, is_container
from phi_tensor.ops._dense_padding import DensePadder, Widths
from phi_tensor.ops._dtype_rules import result_types
from phi_tensor.ops._parts import backend_for, joined_layout, part_by_part


def pad(value: Any, widths: Any, mode: Any = 0, **kwargs: object) -> Any:
    """`value` with more (or, for negative widths, fewer) entries along some dims.

    Where sides differ, zero-gradient is applied before symmetric, reflect and constants (periodic first):
    corners follow the last.

    Args:
        value: Tensor or tree.
        widths: `{dims: (lower, upper)}` or `{dims: both}`; dims by name, shape or filter. One pair for a
            value of one dim.
        mode: Rule for the new entries, see `extrapolation.as_extrapolation`; with `vector` components
            possibly one for each.
        **kwargs: Ignored, for PhiFlow's callers.

    Returns:
        Padded value; padded dims lose their labels.

    >>> import phi_tensor as math
    >>> pad(math.wrap([1, 2, 3], math.spatial("x")), {"x": (1, -1)}, 0)
    (0, 1, 2) along (x:s=3) int64
    """
    if not isinstance(value, Tensor) and is_container(value):
        return tree_map(lambda leaf: pad(leaf, widths, mode), value)
    x = as_tensor(value)
    extrapolation = as_extrapolation(mode)
    normal = _widths(x.shape, widths)
    if not normal:
        return x
    if isinstance(extrapolation, Chosen):
        chosen = pad(
            extrapolation.mask, {n: w for n, *w in normal if n in extrapolation.mask.shape}, "zero-gradient"
        )
        return table.WHERE(
            chosen, pad(x, widths, extrapolation.true_rule), pad(x, widths, extrapolation.false_rule)
        )
    if isinstance(extrapolation, Undefined) and all(low <= 0 and up <= 0 for _, low, up in normal):
        extrapolation = NONE  # nothing outside is needed
    sides, constants = resolved(extrapolation, tuple(name for name, *_ in normal), x.shape)
    return table.PAD(x, *constants, widths=normal, sides=sides)


def _widths(shape: Shape, widths: Any) -> Widths:
    if not isinstance(widths, dict):
        if shape.rank != 1:
            raise IncompatibleShapes(
                f"One pair of widths needs a value with one dim, but found {shape}. Pass a dict from "
                f"dims to widths."
            )
        widths = {shape.name: widths}
    found: dict[str, tuple[int, int]] = {}
    for dims, pair in cast("dict[Any, Any]", widths).items():
        lower, upper = _pair(dims, pair)
        for name in shape.selected_names(dims):
            size = shape.get_size(name)
            if isinstance(size, int) and size + lower + upper < 0:
                raise IncompatibleShapes(
                    f"Widths {(lower, upper)} remove more than the {size} entries of dim `{name}`."
                )
            if (lower, upper) != (0, 0):
                found[name] = lower, upper
    return tuple((name, *pair) for name, pair in found.items())


def _pair(dims: object, widths: Any) -> tuple[int, int]:
    if type(widths) is int:
        return widths, widths
    pair = cast("tuple[Any, ...]", widths) if isinstance(widths, (tuple, list)) else (widths, widths)
    if len(pair) == 2 and type(pair[0]) is int is type(pair[1]):
        return pair[0], pair[1]
    if len(pair) != 2 or not all(isinstance(w, (int, np.integer)) for w in pair):
        raise TypeError(
            f"The widths of a dim are one int or a pair (lower, upper) of ints, but found {widths!r} for "
            f"{dims!r}."
        )
    return int(pair[0]), int(pair[1])


# --- plans


@rule("pad")
def pad_rule(
    row: Row, layout: Layout, *constants: Layout, widths: Widths, sides: Sides | PerComponent
) -> PlanCall:
    """Plan of padding, linear in value and constants together; new numbers need no new plan."""
    if isinstance(sides, PerComponent) and (not isinstance(layout, Parts) or layout.dim.name == sides.dim):
        dim, entries = sides
        return part_by_part(
            (layout, *constants), dim, lambda i, x, *c: pad_rule(row, x, *c, widths=widths, sides=entries[i])
        )
    if isinstance(layout, Parts):
        if any(layout.dim.name == name for name, *_ in widths):
            if isinstance(layout, Ragged):
                raise row.unsupported(
                    layout, hint=f"Sizes vary along `{layout.dim.name}`; pad the slices along it instead."
                )
            if not layout.shape.is_uniform:
                outside, regroup = ragged_outside(layout)
                apart = pad_rule(row, outside, *constants, widths=widths, sides=sides)
                return planned(layout_of(apart), lambda t, *c: apart(regroup(t), *c))
            plan = pad_rule(row, joined_layout(layout), *constants, widths=widths, sides=sides)
            return planned(layout_of(plan), lambda t, *c: plan(t.block(), *c))
        return part_by_part(
            (layout, *constants),
            layout.dim.name,
            lambda i, x, *c: pad_rule(row, x, *c, widths=widths, sides=sides),
        )
    assert isinstance(layout, Dense)
    assert not isinstance(sides, PerComponent)
    return _dense(row, layout, constants, *_without_absent(widths, sides))


def _without_absent(widths: Widths, sides: Sides) -> tuple[Widths, Sides]:
    """Sides without a rule are only cropped."""
    kept = [
        (name, min(low, 0) if a is ABSENT else low, min(up, 0) if b is ABSENT else up)
        for (name, low, up), (a, b) in zip(widths, sides, strict=True)
    ]
    return tuple(kept), sides


def _dense(row: Row, layout: Dense, constants: tuple[Layout, ...], widths: Widths, sides: Sides) -> PlanCall:
    blocks = [joined_layout(c) if isinstance(c, Parts) else c for c in constants]
    backend = backend_for((layout, *blocks))
    dtype = _dtype(row, layout, blocks)
    shape = _padded_shape(layout.shape, blocks, widths)
    padder = DensePadder(layout, blocks, widths, sides, dtype, backend)
    result = Dense.of(tuple(shape.get_dim(dim.name) for dim in padder.stored), shape, dtype, backend)
    apply = padder.apply
    if not constants:
        return planned(result, lambda t: Tensor(result, (apply(t.natives[0], ()),)))
    numbers = [isinstance(c, Scalar) for c in blocks]

    def call(t: Tensor, *outside: Any) -> Tensor:
        natives = [c if n else c.block().natives[0] for c, n in zip(outside, numbers, strict=True)]
        return Tensor(result, (apply(t.natives[0], natives),))

    return planned(result, call)


def _dtype(row: Row, layout: Dense, constants: Sequence[Layout]) -> Any:
    """Element type of the result; masks stay masks when numbers are padded."""
    if not constants or (
        layout.dtype.kind is bool
        and all(isinstance(c, Scalar) and c.dtype.kind in (bool, int) for c in constants)
    ):
        return layout.dtype
    return result_types(table.MULTIPLY, (layout, *constants))[1]


def _padded_shape(shape: Shape, constants: Sequence[Layout], widths: Widths) -> Shape:
    sizes = {
        name: cast("int", shape.get_size(name)) + low + up for name, low, up in widths if (low, up) != (0, 0)
    }
    dims = [dim.with_size(sizes[dim.name]) if dim.name in sizes else dim for dim in shape.dims]
    padded = Shape.of(tuple(dims))
    added = merge_shapes(*(c.shape.without(shape.names) for c in constants))
    return padded & added
