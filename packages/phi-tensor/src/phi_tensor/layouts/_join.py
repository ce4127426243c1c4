"""Rules for tensors stored in parts: joined into one block, or part by part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from phi_tensor._dim import Dim
from phi_tensor._plan import PlanCall, Row, layout_of, planned, rule
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._dense_steps import merged_order, store_step
from phi_tensor.layouts._layout import Dense, Layout, Parts, Ragged, entry_layout


@rule("join")
def join(row: Row, layout: Layout) -> PlanCall:
    """Plan that joins uniform parts into one array."""
    if isinstance(layout, Dense):
        return planned(layout, lambda t: t)
    if not isinstance(layout, Parts) or isinstance(layout, Ragged):
        raise row.unsupported(layout, hint="Sizes vary; pad to one size or handle the slices one by one.")
    inner = [join(row, part) for part in layout.parts]
    parts = [cast("Dense", layout_of(plan)) for plan in inner]
    result = block_layout(layout)
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


def block_layout(layout: Layout) -> Dense:
    """Layout of the one array that uniform parts make."""
    if isinstance(layout, Dense):
        return layout
    assert isinstance(layout, Parts)
    parts = [block_layout(part) for part in layout.parts]
    rest = merged_order([part.stored for part in parts])
    stored = (*rest, layout.dim) if layout.dim.type.name == "channel" else (layout.dim, *rest)
    return Dense.of(stored, layout.shape, layout.dtype, layout.backend)


def on_block(row: Row, layout: Parts, **parameters: Any) -> PlanCall:
    """Plan for the joined block of a stacked tensor."""
    if isinstance(layout, Ragged):
        raise row.unsupported(
            layout, hint="Apply it to the slices along the dim where sizes vary, or pad them to one size."
        )
    if not layout.shape.is_uniform:
        outside, regroup = ragged_outside(layout)
        inner = cast("PlanCall", _rule_of(row)(row, outside, **parameters))
        return planned(layout_of(inner), lambda t: inner(regroup(t)))
    joined = block_layout(layout)
    plan = cast("PlanCall", _rule_of(row)(row, joined, **parameters))
    return planned(layout_of(plan), lambda t: plan(t.block()))


def ragged_outside(layout: Parts) -> tuple[Parts, Callable[[Tensor], Tensor]]:
    """Layout with one part per entry of the dim that sizes vary along, and the function to it.

    Components of vectors in grids of different sizes become vectors in one grid after the other.
    """
    name = layout.shape.non_uniform.dims[0].over[0]
    dim = layout.shape.get_dim(name)
    count = cast("int", dim.size)
    outside = Parts.of(dim, tuple(entry_layout(layout, name, i) for i in range(count)))

    def regroup(t: Tensor) -> Tensor:
        natives: tuple[Any, ...] = ()
        for i in range(count):
            natives += t.sliced(((name, i),)).natives
        return Tensor(outside, natives)

    return outside, regroup


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
