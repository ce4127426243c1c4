"""Plans of operations with several operands, some of which are stored in parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from phi_tensor._errors import IncompatibleShapes
from phi_tensor._plan import PlanCall, Row, layout_of, planned
from phi_tensor._tensor import Tensor
from phi_tensor.backends._backend import Backend, Native
from phi_tensor.backends._registry import common_backend
from phi_tensor.layouts._elementwise import entries_of
from phi_tensor.layouts._join import join
from phi_tensor.layouts._layout import Dense, Layout, Parts, Ragged, Scalar, entry_layout
from phi_tensor.ops import _table as table


def joined_layout(layout: Layout) -> Dense:
    """Layout of `tensor.block()`."""
    return cast("Dense", layout_of(join(table.JOIN, layout)))


def backend_for(layouts: Sequence[Layout]) -> Backend:
    """Library for all operands that are tensors."""
    return common_backend(tuple(layout.backend for layout in layouts if not isinstance(layout, Scalar)))


def part_by_part(
    layouts: Sequence[Layout], along: str, plan_of: Callable[..., PlanCall], keep: Sequence[int] = ()
) -> PlanCall:
    """Plan that applies `plan_of(i, *entries)` to each entry along a dim and keeps the results apart.

    Args:
        layouts: Layouts of the operands; the first has the dim.
        along: Name of the dim.
        plan_of: Makes the plan of one entry.
        keep: Positions of operands that are not taken apart.
    """
    dim = layouts[0].shape.get_dim(along)
    assert isinstance(dim.size, int)
    others = [layout.shape for i, layout in enumerate(layouts) if i not in keep and along in layout.shape]
    if any(shape.get_size(along) != dim.size for shape in others):
        raise IncompatibleShapes(
            f"The operands have different sizes along `{along}`: {', '.join(map(repr, others))}. Slice or "
            f"rename one of them."
        )
    whole = [i in keep or isinstance(layout, Scalar) for i, layout in enumerate(layouts)]
    plans = [
        plan_of(i, *(x if w else entry_layout(x, along, i) for x, w in zip(layouts, whole, strict=True)))
        for i in range(dim.size)
    ]
    result = Parts.of(dim, tuple(layout_of(plan) for plan in plans))
    count = len(plans)

    def call(*operands: Any) -> Tensor:
        columns = [
            (x,) * count if w else entries_of(x, along, count) for x, w in zip(operands, whole, strict=True)
        ]
        natives: tuple[Any, ...] = ()
        for plan, *xs in zip(plans, *columns, strict=True):
            natives += plan(*xs).natives
        return Tensor(result, natives)

    return planned(result, call)


def pair_by_pair(a: Layout, b: Layout, along: str, plan_of: Callable[..., PlanCall]) -> PlanCall:
    """Plan that applies `plan_of(a, b)` to each entry along a dim that one of two operands may lack."""
    if along in a.shape:
        return part_by_part((a, b), along, lambda i, x, y: plan_of(x, y))
    return swapped(part_by_part((b, a), along, lambda i, y, x: swapped(plan_of(x, y))))


def at_points(
    row: Row, layouts: Sequence[Layout], names: Sequence[str], index: str, plan_of: Callable[..., PlanCall]
) -> PlanCall | None:
    """Plan of looking values up at points, if one is stored in parts to take apart or join first.

    Args:
        row: For messages.
        layouts: Values, points, and further operands.
        names: Dims of the values that points have components for.
        index: Dim of the points' components.
        plan_of: Makes the plan for entries of all operands.

    Returns:
        None if nothing is left to do: points are dense or stacked by component, values are not split along
        `names`.
    """
    values, points, *others = layouts
    if isinstance(values, Parts) and values.dim.name in names:
        if isinstance(values, Ragged):
            raise row.unsupported(
                *layouts,
                hint=f"Sizes vary along the looked-up dim `{values.dim.name}`. Take the parts one by one.",
            )
        plan = plan_of(joined_layout(values), *layouts[1:])
        return planned(layout_of(plan), lambda v, *rest: plan(v.block(), *rest))
    split = _split_of(points, index)
    if split is None:
        return None
    if split in values.shape and split not in names:
        return part_by_part(layouts, split, lambda i, *entries: plan_of(*entries))
    keep = range(1, 2 + len(others))  # an equal name there is another dim, in which values are looked up
    return swapped(
        part_by_part((points, values, *others), split, lambda i, p, v, *o: swapped(plan_of(v, p, *o)), keep)
    )


def _split_of(points: Layout, index: str) -> str | None:
    """Dim along which points are stored apart: the parts' dim, or that of ragged components."""
    if not isinstance(points, Parts):
        return None
    if points.dim.name != index:
        return points.dim.name
    return next((part.dim.name for part in points.parts if isinstance(part, Ragged)), None)


def swapped(plan: PlanCall) -> PlanCall:
    """Plan of the first two operands in the other order."""
    return planned(layout_of(plan), lambda a, b, *rest: plan(b, a, *rest))


def components_of(
    coordinates: Layout, index: str, wanted: Sequence[int], backend: Backend
) -> tuple[list[Dense], Callable[[Tensor], list[Native]]]:
    """Layouts of the wanted components, and the function that takes them from a tensor."""
    if isinstance(coordinates, Parts):
        parts = cast("list[Dense]", [layout_of(join(table.JOIN, coordinates.parts[i])) for i in wanted])
        if all(isinstance(coordinates.parts[i], Dense) for i in wanted):
            starts = [coordinates.offsets[i] for i in wanted]
            return parts, lambda t: [t.natives[i] for i in starts]
        return parts, lambda t: [part.block().natives[0] for part in (t.parts()[i] for i in wanted)]
    assert isinstance(coordinates, Dense)
    if not index or index not in coordinates.shape:
        return [coordinates for _ in wanted], lambda t: [t.natives[0] for _ in wanted]
    entries = [cast("Dense", entry_layout(coordinates, index, i)) for i in wanted]
    axis, getitem = coordinates.axes.get(index), coordinates.backend.ops["getitem"]
    if axis is None:
        return entries, lambda t: [t.natives[0] for _ in wanted]
    items = [(*[slice(None)] * axis, i) for i in wanted]
    return entries, lambda t: [getitem(t.natives[0], item) for item in items]


def constants_reader(constants: Sequence[Layout]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """Function from constant operands to natives and numbers."""
    if not constants:
        return lambda operands: ()
    numbers = [isinstance(c, Scalar) for c in constants]
    return lambda operands: [x if n else x.block().natives[0] for x, n in zip(operands, numbers, strict=True)]
