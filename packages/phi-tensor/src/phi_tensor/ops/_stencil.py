"""Plans of finite differences: one padding per dim, then slices are subtracted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from phi_tensor._dim import Dim
from phi_tensor._dim_types import channel
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._extrapolation_resolved import PerComponent, Sides
from phi_tensor._padding import ABSENT
from phi_tensor._plan import PlanCall, Row, layout_of, planned, rule
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.backends._backend import Backend, Native
from phi_tensor.layouts._elementwise import elementwise
from phi_tensor.layouts._layout import Dense, Layout, Parts, Ragged, Scalar, entry_layout
from phi_tensor.layouts._reduction import reduction
from phi_tensor.ops import _table as table
from phi_tensor.ops._dense_padding import DensePadder, Widths
from phi_tensor.ops._dtype_rules import result_types
from phi_tensor.ops._parts import backend_for, joined_layout, part_by_part

_TERMS = channel("_terms").dim

Offsets = tuple[int, int]
"""The lowest and the highest neighbour that a difference needs."""


@rule("stencil")
def stencil_rule(
    row: Row,
    layout: Layout,
    dx: Layout,
    *constants: Layout,
    names: tuple[str, ...],
    sides: Sides | PerComponent | None,
    offsets: Offsets,
    dim: Dim | None,
) -> PlanCall:
    """Plan of finite differences: linear in values and constants together."""
    if isinstance(sides, PerComponent) and (not isinstance(layout, Parts) or layout.dim.name == sides.dim):
        split, entries = sides
        return part_by_part(
            (layout, dx, *constants),
            split,
            lambda i, *e: stencil_rule(row, *e, names=names, sides=entries[i], offsets=offsets, dim=dim),
            keep=(1,),
        )
    if isinstance(layout, Parts) and layout.dim.name in names:
        if isinstance(layout, Ragged):
            raise row.unsupported(layout, hint=f"Sizes vary along `{layout.dim.name}`.")
        plan = stencil_rule(
            row, joined_layout(layout), dx, *constants, names=names, sides=sides, offsets=offsets, dim=dim
        )
        return planned(layout_of(plan), lambda t, *rest: plan(t.block(), *rest))
    if isinstance(layout, Parts):
        return part_by_part(
            (layout, dx, *constants),
            layout.dim.name,
            lambda i, *e: stencil_rule(row, *e, names=names, sides=sides, offsets=offsets, dim=dim),
            keep=(1,),
        )
    assert isinstance(layout, Dense)
    assert not isinstance(sides, PerComponent)
    blocks = [joined_layout(c) if isinstance(c, Parts) else c for c in constants]
    along = [
        _along(row, layout, blocks, name, sides[i] if sides else None, offsets)
        for i, name in enumerate(names)
    ]
    plan = _components(row, layout, dx, blocks, names, along, dim or _TERMS)
    if row is table.LAPLACE:
        total = reduction(table.SUM, layout_of(plan), names=((dim or _TERMS).name,))
        return planned(layout_of(total), lambda *operands: total(plan(*operands)))
    if dim is not None:
        return plan
    part = cast("Parts", layout_of(plan)).parts[0]
    return planned(part, lambda *operands: Tensor(part, plan(*operands).natives))


Difference = Callable[[Native, Sequence[Any]], Native]


def _components(
    row: Row,
    layout: Dense,
    dx: Layout,
    blocks: Sequence[Layout],
    names: Sequence[str],
    along: Sequence[tuple[Dense, Difference]],
    dim: Dim,
) -> PlanCall:
    """Plan with one component per dim."""
    backend = along[0][0].backend
    multiply, power = backend.ops["multiply"], 2 if row is table.LAPLACE else 1
    numbers = [isinstance(c, Scalar) for c in blocks]
    differences = [difference for _, difference in along]
    if isinstance(dx, Scalar):
        result = Parts.of(dim.with_size(len(names), dim.labels), tuple(part for part, _ in along))

        def call(t: Tensor, step: float, *constants: Any) -> Tensor:
            x = t.natives[0]
            c = (
                [v if n else v.block().natives[0] for v, n in zip(constants, numbers, strict=True)]
                if constants
                else ()
            )
            if step == 1:
                return Tensor(result, tuple([d(x, c) for d in differences]))
            scale = 1 / step**power
            return Tensor(result, tuple([multiply(d(x, c), scale) for d in differences]))

        return planned(result, call)
    split = next((d.name for d in dx.shape.channel.dims if d.labels and set(names) <= set(d.labels)), None)
    steps = [
        dx if split is None else entry_layout(dx, split, (dx.shape.get_dim(split).labels or ()).index(name))
        for name in names
    ]
    squares = [elementwise(table.SQUARE, s) if power == 2 else planned(s, lambda s: s) for s in steps]
    divisions = [
        elementwise(table.DIVIDE, part, layout_of(s)) for (part, _), s in zip(along, squares, strict=True)
    ]
    divided = Parts.of(dim.with_size(len(names), dim.labels), tuple(layout_of(d) for d in divisions))

    def call_by_tensor(t: Tensor, step: Tensor, *constants: Any) -> Tensor:
        x = t.natives[0]
        c = [v if n else v.block().natives[0] for v, n in zip(constants, numbers, strict=True)]
        entries = (step,) * len(names) if split is None else [step[{split: name}] for name in names]
        natives: tuple[Native, ...] = ()
        for (part, difference), square, divide, entry in zip(along, squares, divisions, entries, strict=True):
            natives += divide(Tensor(part, (difference(x, c),)), square(entry)).natives
        return Tensor(divided, natives)

    return planned(divided, call_by_tensor)


def _along(
    row: Row, layout: Dense, blocks: Sequence[Layout], name: str, pair: Any, offsets: Offsets
) -> tuple[Dense, Difference]:
    """Layout and function of the undivided difference along one dim."""
    backend = backend_for((layout, *blocks))
    dtype = result_types(table.MEAN, (layout, *blocks))[1]
    low, up = -offsets[0], offsets[1]
    size = cast("int", layout.shape.get_size(name))
    pair = pair or (ABSENT, ABSENT)
    around = [0 if side is ABSENT or not size else width for side, width in zip(pair, (low, up), strict=True)]
    widths: Widths = ((name, around[0], around[1]),)
    padder = DensePadder(layout, blocks, widths, (pair,), dtype, backend, store=True)
    size = padder.grown_size(name) - low - up if size else 0
    if size < 0:
        raise IncompatibleShapes(
            f"Dim `{name}` of {layout.shape} is too short for this difference without padding."
        )
    shape = Shape.of(
        tuple(
            d.with_size(size, d.labels if size == d.size else None) if d.name == name else d
            for d in layout.shape.dims
        )
    )
    shape = shape & Shape.of(tuple(d for d in padder.stored if d.name not in shape))
    result = Dense.of(tuple(shape.get_dim(d.name) for d in padder.stored), shape, dtype, backend)
    return result, _difference(row, backend, padder, padder.axes[name], low + up, size, offsets)


def _difference(
    row: Row,
    backend: Backend,
    padder: DensePadder,
    axis: int,
    reach: int,
    size: int,
    offsets: Offsets,
) -> Difference:
    before: tuple[slice, ...] = (slice(None),) * axis
    first, middle, last = ((*before, slice(start, start + size)) for start in (0, 1, reach))
    getitem, subtract, add, multiply = (backend.ops[k] for k in ("getitem", "subtract", "add", "multiply"))
    apply = padder.apply
    if row is table.LAPLACE:

        def second(x: Native, c: Sequence[Any]) -> Native:
            padded = apply(x, c)
            return subtract(
                add(getitem(padded, first), getitem(padded, last)), multiply(getitem(padded, middle), 2)
            )

        return second

    def difference(x: Native, c: Sequence[Any]) -> Native:
        padded = apply(x, c)
        return subtract(getitem(padded, last), getitem(padded, first))

    if reach == 1:
        return difference
    return lambda x, c: multiply(difference(x, c), 1 / reach)
