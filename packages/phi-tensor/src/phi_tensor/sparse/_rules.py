"""Which rule plans an operation on sparse tensors, and what happens where the result is not sparse.

An operation without a rule of its own is exact, too: small operands are made dense, for others it raises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from phi_tensor._errors import Unsupported
from phi_tensor._plan import RULES, SPECIAL, PlanCall, Row, Rule, layout_of, planned
from phi_tensor._shape import EMPTY_SHAPE
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._layout import Layout
from phi_tensor.layouts._sparse import Sparse
from phi_tensor.sparse._entries import dense_plan

SPARSE_RULES: dict[str, Rule] = {}
"""Planning rules for operands of which some are sparse, by kind of operation."""

MOST_DENSE = 2**24
"""Most elements of a sparse tensor that an operation makes dense by itself."""


def sparse_rule(kind: str) -> Callable[[Rule], Rule]:
    """Decorator that registers the rule of one kind of operation for sparse operands."""

    def register(function: Rule) -> Rule:
        assert kind not in SPARSE_RULES, f"two rules for sparse {kind}"
        SPARSE_RULES[kind] = function
        return function

    return register


def _special(row: Row, layouts: tuple[Layout, ...]) -> tuple[Rule, dict[Any, PlanCall]] | None:
    """Rule of an operation with sparse operands; plans are kept with a pattern, whose indices they hold."""
    found = next((layout for layout in layouts if isinstance(layout, Sparse)), None)
    if found is None:
        return None
    plans: dict[Any, PlanCall] = found.pattern.kept.setdefault("plans", {})
    return SPARSE_RULES.get(row.kind, made_dense), plans


SPECIAL.append(_special)


def made_dense(row: Row, *layouts: Layout, **parameters: Any) -> PlanCall:
    """Plan of an operation whose result is dense, of operands that are made dense first."""
    for layout in layouts:
        if isinstance(layout, Sparse) and (layout.shape.volume or 0) > MOST_DENSE:
            raise Unsupported(
                f"`{row.name}` has no sparse result or no sparse rule for {_described(layouts)}, and "
                f"{layout.shape} has {layout.shape.volume} elements, more than are made dense in silence "
                f"(2**24). Call `dense(x)` first if memory allows, or work on `stored_values(x)`."
            )
    opened = [dense_plan(layout) if isinstance(layout, Sparse) else None for layout in layouts]
    given = [layout if p is None else layout_of(p) for p, layout in zip(opened, layouts, strict=True)]
    plan: PlanCall = RULES[row.kind](row, *given, **parameters)

    def call(*operands: Any) -> Tensor:
        return plan(*(x if p is None else p(x) for p, x in zip(opened, operands, strict=True)))

    return planned(layout_of(plan), call) if hasattr(plan, "layout") else call


def _described(layouts: tuple[Layout, ...]) -> str:
    words = [
        "sparse" if isinstance(layout, Sparse) else "dense" if layout.shape is not EMPTY_SHAPE else "a number"
        for layout in layouts
    ]
    return " and ".join(words)
