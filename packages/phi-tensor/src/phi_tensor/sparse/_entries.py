"""Plans that take values along the entries of a sparse tensor to other entries, sums or dense arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, cast

import numpy as np

from phi_tensor._dim import Dim
from phi_tensor._dtype import INT32
from phi_tensor._plan import PlanCall, layout_of, planned
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.backends._backend import Backend, Native
from phi_tensor.layouts._dense_steps import chain, store_step
from phi_tensor.layouts._join import each_part
from phi_tensor.layouts._layout import Dense, Layout, Parts
from phi_tensor.layouts._pattern import Ints, raveled
from phi_tensor.layouts._sparse import ENTRIES, Sparse, entries_dim
from phi_tensor.ops._call import as_tensor
from phi_tensor.ops._composed import backend_function
from phi_tensor.ops._parts import joined_layout
from phi_tensor.sparse._constants import Constant, Segments
from phi_tensor.sparse._native import with_zero

Change = Callable[[Native], Native]
"""Function from values `(entries, columns)` to results `(places, columns)`."""


def along_entries(
    values: Layout,
    into: Sequence[Dim],
    change_on: Callable[[Backend], Change],
    order: Sequence[str] = (),
) -> PlanCall:
    """Plan that exchanges the entries of values for the dims `into`.

    Args:
        values: Layout of the values.
        into: Dims that the places of the result make.
        change_on: Makes the native function of a backend.
        order: Names of dims in the order of the result's shape; others come last.
    """
    if isinstance(values, Parts):
        plans = [along_entries(part, into, change_on, order) for part in values.parts]
        return each_part(values, plans)
    assert isinstance(values, Dense)
    backend = values.backend
    others = tuple(d for d in values.stored if d.name != ENTRIES)
    dims = {d.name: d for d in (*into, *(d for d in values.shape.dims if d.name != ENTRIES))}
    ranked = sorted(dims, key=lambda name: list(order).index(name) if name in order else len(order))
    result = Dense.of((*into, *others), Shape.of(tuple(dims[n] for n in ranked)), values.dtype, backend)
    step = store_step(values, (values.shape.get_dim(ENTRIES), *others), backend)
    count, columns = cast("int", values.shape.get_size(ENTRIES)), prod(_size(d) for d in others)
    change, reshape, sizes = change_on(backend), backend.ops["reshape"], result.sizes

    def call(t: Tensor) -> Tensor:
        native = t.natives[0] if step is None else step(t.natives[0])
        return Tensor(result, (reshape(change(reshape(native, (count, columns))), sizes),))

    return planned(result, call)


def _size(dim: Dim) -> int:
    return cast("int", dim.size)


def picked_entries(values: Layout, positions: Ints) -> PlanCall:
    """Plan of the values at these positions; the number of entries stands for one that is zero."""
    have = cast("int", values.shape.get_size(ENTRIES))
    missing = bool(len(positions)) and int(positions.max()) >= have
    same = len(positions) == have and np.array_equal(positions, np.arange(have))
    if same:
        return planned(values, lambda t: t)
    at = Constant(positions)

    def change_on(backend: Backend) -> Change:
        take = backend.ops["take"]
        if missing:
            return lambda v: take(with_zero(backend, v), at.beside(v, backend), 0)
        return lambda v: take(v, at.beside(v, backend), 0)

    return along_entries(values, (entries_dim(len(positions)),), change_on)


def summed_entries(
    values: Layout, segments: Segments, into: Sequence[Dim], order: Sequence[str] = ()
) -> PlanCall:
    """Plan of sums of values, which make the dims `into`; of bools their logical or."""

    def change_on(backend: Backend) -> Change:
        add_up = backend_function("segment_sum", backend)
        if values.dtype.kind is not bool:
            return lambda v: add_up(v, segments)
        cast, greater = backend.ops["cast"], backend.ops["greater"]
        return lambda v: greater(add_up(cast(v, INT32), segments), 0)

    return along_entries(values, into, change_on, order)


def dense_plan(layout: Sparse) -> PlanCall:
    """Plan that stores all entries of a sparse tensor."""
    dims = layout.sparse
    sizes = tuple(map(_size, dims))
    count, volume = layout.pattern.count, prod(sizes)
    places = raveled(list(layout.coordinates().values()), sizes, count)
    if count == volume and np.array_equal(places, np.arange(count)):
        return _of_tensor(layout, along_entries(layout.values, dims, _kept, layout.shape.names))
    at = Constant(places)

    def change_on(backend: Backend) -> Change:
        dtype = layout.dtype
        names = ("scatter_any",) if dtype.kind is bool else ("scatter_update", "scatter_add")
        name = next((n for n in names if n in backend.ops), names[-1])  # no two entries meet
        scatter = backend_function(name, backend)

        def stored(v: Native) -> Native:
            zero = backend.full((), 0, dtype, backend.device(v))
            base = backend.ops["broadcast_to"](zero, (volume, backend.shape(v)[1]))
            return scatter(base, at.beside(v, backend), v) if count else base

        return stored

    return _of_tensor(layout, along_entries(layout.values, dims, change_on, layout.shape.names))


def _of_tensor(layout: Sparse, plan: PlanCall) -> PlanCall:
    """Plan that takes the sparse tensor instead of its values."""
    values = layout.values
    return planned(layout_of(plan), lambda t: plan(Tensor(values, t.natives)))


def _kept(backend: Backend) -> Change:
    return lambda v: v


def dense(x: Any) -> Tensor:
    """`x` with all entries stored. Differentiable.

    >>> import phi_tensor as math
    >>> x = math.sparse_tensor(math.wrap([2], math.instance("entries")), 5.0, math.spatial(x=4))
    >>> dense(x)
    (0.0, 0.0, 5.0, 0.0) along (x:s=4) float32
    """
    value = as_tensor(x)
    layout = value.layout
    if not isinstance(layout, Sparse):
        return value
    plan = layout.pattern.kept.get(("dense", layout))
    if plan is None:
        plan = layout.pattern.kept["dense", layout] = dense_plan(layout)
    return plan(value)


def values_at(layout: Layout, coordinates: Mapping[str, Ints], count: int) -> PlanCall:
    """Plan of the values of a dense tensor at `count` places, given by their index along some of its dims."""
    names = [name for name in coordinates if name in layout.shape]
    entries = entries_dim(count)
    if isinstance(layout, Parts):
        if layout.dim.name in names:
            plan = values_at(joined_layout(layout), coordinates, count)
            return planned(layout_of(plan), lambda t: plan(t.block()))
        return each_part(layout, [values_at(part, coordinates, count) for part in layout.parts])
    assert isinstance(layout, Dense)
    backend = layout.backend
    looked_up = tuple(d for d in layout.stored if d.name in names)
    others = tuple(d for d in layout.stored if d.name not in names)
    shape = Shape.of((entries, *(d for d in layout.shape.dims if d.name not in names)))
    if not looked_up:
        constant = Dense.of(others, shape, layout.dtype, backend)
        return planned(constant, lambda t: Tensor(constant, t.natives))
    sizes = tuple(map(_size, looked_up))
    at = Constant(raveled([coordinates[d.name] for d in looked_up], sizes, count))
    result = Dense.of((entries, *others), shape, layout.dtype, backend)
    rest = tuple(map(_size, others))
    reshape, take = backend.ops["reshape"], backend.ops["take"]
    step = chain(
        [
            store_step(layout, (*looked_up, *others), backend),
            lambda native: reshape(native, (prod(sizes), *rest)),
        ]
    )
    assert step is not None

    def call(t: Tensor) -> Tensor:
        native = step(t.natives[0])
        return Tensor(result, (take(native, at.beside(native, backend), 0),))

    return planned(result, call)
