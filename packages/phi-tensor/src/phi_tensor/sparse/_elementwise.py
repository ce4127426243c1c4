"""Element-wise operations on sparse tensors: sparse where entries that are not stored stay zero, else dense.

Which functions keep zeros follows from the oracles of the table of operations.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from phi_tensor._plan import PlanCall, Row, layout_of, planned
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._elementwise import elementwise
from phi_tensor.layouts._layout import Layout, Scalar
from phi_tensor.layouts._sparse import Sparse
from phi_tensor.sparse._align import Entries, at_entries, entries_of, intersection, union
from phi_tensor.sparse._rules import made_dense, sparse_rule

ABSORBED_BY_ANY = frozenset({"multiply", "logical_and", "bitwise_and"})
"""Zero where any operand is."""

ABSORBED_BY_FIRST = frozenset(
    {
        "divide",
        "safe_divide",
        "floor_divide",
        "remainder",
        "copysign",
        "bitwise_left_shift",
        "bitwise_right_shift",
    }
)
"""Zero where the first operand is, an entry that is not stored being zero whatever it is divided by."""


@sparse_rule("elementwise")
def elementwise_rule(row: Row, *layouts: Layout) -> PlanCall:
    """Plan of an element-wise operation, on the stored values where it keeps zeros."""
    shape = merge_shapes(*(layout.shape for layout in layouts))
    entries = _kept_entries(row, layouts) if shape.is_uniform else None
    if entries is None:
        return made_dense(row, *layouts)
    return on_entries(row, layouts, entries, shape)


def on_entries(row: Row, layouts: tuple[Layout, ...], entries: Entries, shape: Shape) -> PlanCall:
    """Plan of an operation on the values of all operands at some entries."""
    plans = [at_entries(layout, entries) for layout in layouts]
    plan = elementwise(row, *map(layout_of, plans))
    result = entries.with_values(layout_of(plan), shape)
    if len(plans) == 1:
        (only,) = plans
        return planned(result, lambda t: Tensor(result, plan(only(t)).natives))

    def call(*operands: Any) -> Tensor:
        return Tensor(result, plan(*[p(x) for p, x in zip(plans, operands, strict=True)]).natives)

    return planned(result, call)


def _kept_entries(row: Row, layouts: tuple[Layout, ...]) -> Entries | None:
    """Entries outside of which the result is zero; None where it is not zero everywhere else."""
    stored = [layout for layout in layouts if isinstance(layout, Sparse)]
    if row.name in ABSORBED_BY_ANY:
        return _common(stored)
    if row.name in ABSORBED_BY_FIRST and isinstance(layouts[0], Sparse):
        first, *others = (set(layout.names) for layout in stored)
        return entries_of(stored[0]) if all(names <= first for names in others) else None
    if row.name == "where":
        return _chosen(layouts)
    if any(set(layout.names) != set(stored[0].names) for layout in stored):
        return None
    zeros = [_zero(layout) for layout in layouts]
    if None in zeros:
        return None
    with np.errstate(all="ignore"):
        at_zero = row.oracle(*zeros)
    return union(stored) if at_zero == 0 else None


def _zero(layout: Layout) -> Any:
    """Value of an operand where nothing is stored; None if it is not known."""
    if isinstance(layout, Sparse):
        return layout.dtype.numpy.type(0)
    return layout.value if isinstance(layout, Scalar) else None


def _common(stored: list[Sparse]) -> Entries | None:
    """Entries that all operands store, if one of them has all sparse dims."""
    widest = max(stored, key=lambda layout: len(layout.names))
    others = [layout for layout in stored if layout is not widest]
    if not all(set(layout.names) <= set(widest.names) for layout in others):
        return None
    return intersection(widest, others)


def _chosen(layouts: tuple[Layout, ...]) -> Entries | None:
    """Entries of both values to choose from; the condition may be dense."""
    condition, *values = layouts
    stored = [layout for layout in values if isinstance(layout, Sparse)]
    if len(stored) < len(values):
        return None
    names = set(stored[0].names)
    if any(set(layout.names) != names for layout in stored):
        return None
    if isinstance(condition, Sparse) and not set(condition.names) <= names:
        return None
    return union(stored)
