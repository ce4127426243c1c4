"""Rules of element-wise operations for every layout: dense arrays directly, parts one by one."""

from __future__ import annotations

from typing import Any

from phi_tensor._dtype import FLOAT16, FLOAT32, DType
from phi_tensor._plan import PlanCall, Row, TensorCall, layout_of, planned, rule
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor.backends._backend import Backend
from phi_tensor.backends._registry import common_backend
from phi_tensor.layouts._dense_steps import Step, align_step, cast_step, chain, convert_step, merged_order
from phi_tensor.layouts._layout import Dense, Layout, Parts, Ragged, Scalar, entry_layout
from phi_tensor.ops._composed import NativeFunction, native_function
from phi_tensor.ops._dtype_rules import result_types


@rule("elementwise")
def elementwise(row: Row, *layouts: Layout) -> PlanCall:
    """Plan of an element-wise operation."""
    shape = merge_shapes(*(layout.shape for layout in layouts))
    along = split_dim(layouts)
    if along is None:
        return _dense(row, layouts, shape)
    return part_wise(row, layouts, along, shape)


def split_dim(layouts: tuple[Layout, ...]) -> str | None:
    """Dim along which operands are handled part by part.

    That of the first ragged operand, else of the first stacked one.
    """
    parts = [layout for layout in layouts if isinstance(layout, Parts)]
    ragged = [layout for layout in parts if isinstance(layout, Ragged)]
    return (ragged or parts)[0].dim.name if parts else None


def part_wise(row: Row, layouts: tuple[Layout, ...], along: str, shape: Shape) -> PlanCall:
    """Plan that applies the operation to each entry along a dim."""
    dim = shape.get_dim(along)
    assert isinstance(dim.size, int)
    plans: list[PlanCall] = []
    results: list[Layout] = []
    for i in range(dim.size):
        entries = tuple(
            layout if isinstance(layout, Scalar) else entry_layout(layout, along, i) for layout in layouts
        )
        plan = elementwise(row, *entries)
        plans.append(plan)
        results.append(layout_of(plan))
    layout = Parts.of(dim, tuple(results), shape)

    def call(*operands: Any) -> Tensor:
        columns = [entries_of(x, along, len(plans)) for x in operands]
        natives: tuple[Any, ...] = ()
        for plan, *xs in zip(plans, *columns, strict=True):
            natives += plan(*xs).natives
        return Tensor(layout, natives)

    return planned(layout, call)


def entries_of(x: Any, along: str, count: int) -> tuple[Any, ...]:
    """Entries of a tensor along a dim; the tensor or number itself, repeated, where it lacks the dim."""
    if not isinstance(x, Tensor) or along not in x.layout.shape:
        return (x,) * count
    if isinstance(x.layout, Parts) and x.layout.dim.name == along:
        return x.parts()
    return tuple(x.sliced(((along, i),)) for i in range(count))


def _dense(row: Row, layouts: tuple[Layout, ...], shape: Shape) -> PlanCall:
    dense = [layout for layout in layouts if isinstance(layout, Dense)]
    backend = common_backend(tuple(layout.backend for layout in dense))
    stored = merged_order([layout.stored for layout in dense])
    types, result = result_types(row, layouts)
    layout = Dense.of(tuple(shape.get_dim(dim.name) for dim in stored), shape, result, backend)
    function = native_function(row, backend, layouts, types)
    wide = result is FLOAT16 and row.name in backend.in_32_bit
    types = tuple(FLOAT32 if wide and dtype is FLOAT16 else dtype for dtype in types)
    of_numbers = row.name == "where" and all(isinstance(each, Scalar) for each in layouts[1:])
    if wide or of_numbers or (result is FLOAT16 and types[0].kind is complex):
        function = _cast_result(function, result, backend)
    steps = [
        _operand_step(each, dtype, stored, backend, row.dtype != "compare")
        for each, dtype in zip(layouts, types, strict=True)
    ]
    return planned(layout, _dense_call(function, steps, layouts, layout))


def _cast_result(function: NativeFunction, dtype: DType, backend: Backend) -> NativeFunction:
    """`function` with results of type `dtype`.

    Libraries choose their own for two Python numbers, and for parts of complex numbers in 16 bit.
    """
    cast = backend.ops["cast"]
    return lambda *operands: cast(function(*operands), dtype)


def _operand_step(layout: Layout, dtype: Any, stored: Any, backend: Backend, checked: bool) -> Step | None:
    if isinstance(layout, Scalar):
        if dtype.kind is not layout.dtype.kind:
            return dtype.kind
        return _held_by(dtype) if dtype.kind is int and dtype.bits < 64 and checked else None
    assert isinstance(layout, Dense)
    return chain(
        [
            convert_step(layout, backend),
            cast_step(layout.dtype, dtype, backend),
            align_step(layout.stored, stored, backend),
        ]
    )


def _held_by(dtype: DType) -> Step:
    """Function that returns an int which the type holds: only NumPy refuses others, which wrap around."""
    limit = 1 << (dtype.bits - 1)

    def held(number: int) -> int:
        if -limit <= number < limit:
            return number
        raise OverflowError(f"{dtype} does not hold {number}")

    return held


def _dense_call(
    function: NativeFunction, steps: list[Step | None], layouts: tuple[Layout, ...], layout: Dense
) -> TensorCall:
    """The straight-line call, specialised so that a hit costs little more than `function`."""
    numbers = [isinstance(each, Scalar) for each in layouts]
    if len(steps) == 1 and steps[0] is None:
        return _of_one(function, layout)
    if len(steps) == 2 and not any(steps):
        if not any(numbers):
            return _of_two(function, layout)
        if numbers[1]:
            return _of_one_and_number(function, layout)
    if len(steps) == 2 and not any(numbers):
        first, second = steps
        if first is None and second is not None:
            return lambda a, b: Tensor(layout, (function(a.natives[0], second(b.natives[0])),))
        if second is None and first is not None:
            return lambda a, b: Tensor(layout, (function(first(a.natives[0]), b.natives[0]),))
    if len(steps) == 2 and numbers == [False, True] and steps[0] is None and (number := steps[1]) is not None:
        return lambda a, b: Tensor(layout, (function(a.natives[0], number(b)),))

    if len(steps) == 3 and not any(steps) and not any(numbers):
        return _of_three(function, layout)

    def call(*operands: Any) -> Tensor:
        natives = [x if number else x.natives[0] for x, number in zip(operands, numbers, strict=True)]
        return Tensor(
            layout, (function(*[n if s is None else s(n) for n, s in zip(natives, steps, strict=True)]),)
        )

    return call


_new = object.__new__
"""What the calls below fill themselves: a constructor's frame costs a third of what NumPy takes for 8x8."""


def _of_one(function: NativeFunction, layout: Dense) -> TensorCall:
    def call(a: Tensor) -> Tensor:
        result = _new(Tensor)
        result.layout, result.natives = layout, (function(a.natives[0]),)
        return result

    return call


def _of_two(function: NativeFunction, layout: Dense) -> TensorCall:
    def call(a: Tensor, b: Tensor) -> Tensor:
        result = _new(Tensor)
        result.layout, result.natives = layout, (function(a.natives[0], b.natives[0]),)
        return result

    return call


def _of_three(function: NativeFunction, layout: Dense) -> TensorCall:
    def call(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        return Tensor(layout, (function(a.natives[0], b.natives[0], c.natives[0]),))

    return call


def _of_one_and_number(function: NativeFunction, layout: Dense) -> TensorCall:
    def call(a: Tensor, b: Any) -> Tensor:
        result = _new(Tensor)
        result.layout, result.natives = layout, (function(a.natives[0], b),)
        return result

    return call
