"""Rules of reductions: dense axes at once, parts one by one and then combined.

Constant dims count without being stored.
"""

from __future__ import annotations

from typing import cast

from phi_tensor._errors import IncompatibleShapes
from phi_tensor._plan import PlanCall, Row, layout_of, planned, rule
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._dense_steps import Step, cast_step, chain
from phi_tensor.layouts._elementwise import elementwise
from phi_tensor.layouts._join import each_part, on_block
from phi_tensor.layouts._layout import Dense, Layout, Parts, number_layout
from phi_tensor.ops._dtype_rules import result_types
from phi_tensor.ops._table import DIVIDE, SUM


@rule("reduction")
def reduction(row: Row, layout: Layout, names: tuple[str, ...]) -> PlanCall:
    """Plan that reduces the dims `names`."""
    if isinstance(layout, Parts):
        return _parts(row, layout, names)
    assert isinstance(layout, Dense)
    return _dense(row, layout, names)


def _dense(row: Row, layout: Dense, names: tuple[str, ...]) -> PlanCall:
    (wanted,), result_type = result_types(row, (layout,))
    if row.dtype == "accumulate" and layout.dtype.kind in (bool, int):
        wanted = result_type
    shape = Shape.of(tuple(dim for dim in layout.shape.dims if dim.name not in names))
    stored = tuple(dim for dim in layout.stored if dim.name not in names)
    axes = tuple(layout.axes[name] for name in names if name in layout.axes)
    repeats = 1
    for dim in layout.constant:
        repeats *= cast("int", dim.size) if dim.name in names else 1
    _check_empty(row, layout, names)
    result = Dense.of(stored, shape, result_type, layout.backend)
    function = layout.backend.ops[row.name]
    steps: list[Step | None] = [cast_step(layout.dtype, wanted, layout.backend)]
    if axes:
        steps.append(lambda native: function(native, axes))
    steps.append(_repeated(row, result, repeats))
    step = chain(steps)
    if step is None:
        return planned(result, lambda t: Tensor(result, t.natives))
    if axes and len([s for s in steps if s]) == 1:
        return planned(result, lambda t: Tensor(result, (function(t.natives[0], axes),)))
    return planned(result, lambda t: Tensor(result, (step(t.natives[0]),)))


def _repeated(row: Row, layout: Dense, repeats: int) -> Step | None:
    """Effect of the constant dims: sums multiply, products take powers, the others do not change."""
    if repeats == 0:
        backend, sizes = layout.backend, layout.sizes
        return lambda native: backend.full(sizes, row.options["empty"], layout.dtype)
    if repeats == 1 or row.name not in ("sum", "prod"):
        return None
    function = layout.backend.ops["multiply" if row.name == "sum" else "pow"]
    return lambda native: function(native, repeats)


def _check_empty(row: Row, layout: Layout, names: tuple[str, ...]) -> None:
    if (
        "empty" not in row.options
        and row.kind in ("reduction", "arg_reduction")
        and any(layout.shape.get_size(name) == 0 for name in names)
    ):
        raise IncompatibleShapes(
            f"`{row.name}` of no elements is undefined, but {names} of {layout.shape} are empty. Test the "
            f"size first."
        )


def _parts(row: Row, layout: Parts, names: tuple[str, ...]) -> PlanCall:
    inner = tuple(name for name in names if name != layout.dim.name)
    if layout.dim.name not in names:
        plans = [reduction(row, part, names=inner) for part in layout.parts]
        shape = Shape.of(tuple(dim for dim in layout.shape.dims if dim.name not in names))
        return each_part(layout, plans, None, shape if shape.is_uniform == layout.shape.is_uniform else None)
    left = [dim.name for dim in layout.shape.dims if layout.dim.name in dim.over and dim.name not in names]
    if left:
        raise IncompatibleShapes(
            f"`{row.name}` over `{layout.dim.name}` would join different sizes of {left}. Reduce these "
            f"dims, too."
        )
    plans = [reduction(row, part, names=inner) for part in layout.parts]
    combine = cast("Row", row.options["combine"])
    shape = Shape.of(tuple(dim for dim in layout.shape.dims if dim.name not in names))
    joins: list[PlanCall] = []
    have = layout_of(plans[0])
    for plan in plans[1:]:
        joins.append(elementwise(combine, have, layout_of(plan)))
        have = layout_of(joins[-1])

    def call(t: Tensor) -> Tensor:
        results = [plan(part) for plan, part in zip(plans, t.parts(), strict=True)]
        total = results[0]
        for join, other in zip(joins, results[1:], strict=True):
            total = join(total, other)
        return total

    assert have.shape == shape
    return planned(have, call)


@rule("mean")
def mean(row: Row, layout: Layout, names: tuple[str, ...]) -> PlanCall:
    """Plan of the arithmetic mean, weighting ragged entries by their true counts."""
    if isinstance(layout, Dense):
        return _dense_mean(layout, names)
    assert isinstance(layout, Parts)
    if layout.dim.name not in names:
        return each_part(layout, [mean(row, part, names=names) for part in layout.parts])
    total = reduction(SUM, layout, names=names)
    count = Shape.of(tuple(dim for dim in layout.shape.dims if dim.name in names)).volume
    divide = elementwise(DIVIDE, layout_of(total), number_layout(float))
    return planned(layout_of(divide), lambda t: divide(total(t), float(cast("int", count))))


def _dense_mean(layout: Dense, names: tuple[str, ...]) -> PlanCall:
    (wanted,), result_type = result_types(DIVIDE, (layout,))
    axes = tuple(layout.axes[name] for name in names if name in layout.axes)
    shape = Shape.of(tuple(dim for dim in layout.shape.dims if dim.name not in names))
    stored = tuple(dim for dim in layout.stored if dim.name not in names)
    result = Dense.of(stored, shape, result_type, layout.backend)
    function = layout.backend.ops["mean"]
    step = cast_step(layout.dtype, wanted, layout.backend)
    if not axes:
        return planned(
            result, lambda t: Tensor(result, (t.natives[0] if step is None else step(t.natives[0]),))
        )
    if step is None:
        return planned(result, lambda t: Tensor(result, (function(t.natives[0], axes),)))
    return planned(result, lambda t: Tensor(result, (function(step(t.natives[0]), axes),)))


@rule("arg_reduction")
def arg_reduction(row: Row, layout: Layout, name: str) -> PlanCall:
    """Plan of the position of an extremum along one dim."""
    if isinstance(layout, Parts):
        if layout.dim.name == name:
            return on_block(row, layout, name=name)
        return each_part(layout, [arg_reduction(row, part, name=name) for part in layout.parts])
    assert isinstance(layout, Dense)
    _check_empty(row, layout, (name,))
    _, result_type = result_types(row, (layout,))
    shape = Shape.of(tuple(dim for dim in layout.shape.dims if dim.name != name))
    result = Dense.of(
        tuple(dim for dim in layout.stored if dim.name != name), shape, result_type, layout.backend
    )
    axis, function, backend = layout.axes.get(name), layout.backend.ops[row.name], layout.backend
    if axis is None:
        stored = Dense.of((layout.shape.get_dim(name), *layout.stored), layout.shape, layout.dtype, backend)
        sizes = stored.sizes
        return planned(
            result, lambda t: Tensor(result, (function(backend.ops["broadcast_to"](t.natives[0], sizes), 0),))
        )
    return planned(result, lambda t: Tensor(result, (function(t.natives[0], axis),)))


@rule("along")
def along(row: Row, layout: Layout, name: str) -> PlanCall:
    """Plan of an operation along one dim that keeps the shape (running sum, sorting)."""
    if isinstance(layout, Parts):
        if layout.dim.name == name:
            return on_block(row, layout, name=name)
        return each_part(layout, [along(row, part, name=name) for part in layout.parts])
    assert isinstance(layout, Dense)
    (wanted,), result_type = result_types(row, (layout,))
    wanted = result_type if row.dtype == "accumulate" else wanted
    stored = layout.stored if name in layout.axes else (layout.shape.get_dim(name), *layout.stored)
    result = Dense.of(stored, layout.shape, result_type, layout.backend)
    function, axis = layout.backend.ops[row.name], result.axes[name]
    sizes, broadcast = result.sizes, layout.backend.ops["broadcast_to"]
    step = chain(
        [
            cast_step(layout.dtype, wanted, layout.backend),
            None if name in layout.axes else lambda native: broadcast(native, sizes),
            lambda native: function(native, axis),
        ]
    )
    assert step is not None
    return planned(result, lambda t: Tensor(result, (step(t.natives[0]),)))
