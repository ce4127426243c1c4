"""Rule of changes of element type and library."""

from __future__ import annotations

from phi_tensor._context import context_dtype
from phi_tensor._dtype import DType, widest
from phi_tensor._plan import PlanCall, Row, planned, rule
from phi_tensor._tensor import Tensor
from phi_tensor.backends._backend import Backend
from phi_tensor.backends._registry import common_backend
from phi_tensor.layouts._dense_steps import cast_step, chain, convert_step
from phi_tensor.layouts._join import each_part
from phi_tensor.layouts._layout import Dense, Layout, Parts


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


def common_form(layouts: tuple[Layout, ...]) -> tuple[DType, Backend]:
    """Element type and library that all operands can share."""
    dtype = context_dtype(widest(tuple(layout.dtype for layout in layouts)))
    return dtype, common_backend(tuple(layout.backend for layout in layouts))
