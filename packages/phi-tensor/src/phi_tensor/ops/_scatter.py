"""Writing values at index vectors, by sums: adding, and with counts also means and replacements."""

from __future__ import annotations

from math import prod
from typing import Any, Literal, cast

from phi_tensor._create import zeros
from phi_tensor._dim import Dim
from phi_tensor._dtype import INT64, DType
from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._plan import PlanCall, Row, planned, rule
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor.backends._backend import Backend, Native
from phi_tensor.layouts._dense_steps import Step, cast_step, chain, convert_step, merged_order, store_step
from phi_tensor.layouts._layout import Dense, Layout, Parts
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor
from phi_tensor.ops._dtype_rules import result_types
from phi_tensor.ops._elementwise import where
from phi_tensor.ops._interpolation import flattener
from phi_tensor.ops._lookup import (
    aligned_ints,
    check_inside,
    clamped_indices,
    flat_index,
    flat_strides,
    indexed_dims,
)
from phi_tensor.ops._parts import backend_for, components_of, joined_layout
from phi_tensor.ops._structure import expand

Mode = Literal["update", "add", "mean"]
Outside = Literal["check", "discard", "clamp", "undefined"]


def scatter(
    base_grid: Tensor | Shape,
    indices: Any,
    values: Any,
    mode: Mode = "update",
    outside_handling: Outside = "check",
    indices_gradient: bool = False,
    default: complex | None = None,
    treat_as_batch: Any = None,
) -> Tensor:
    """`base_grid` with `values` written at `indices`. Deterministic and differentiable in base and values.

    Args:
        base_grid: Tensor; or a shape, which starts from `default`.
        indices: Int vectors `(…, vector)`; labels of the vector dim name dims of the grid. Batch dims, and
            other dims that the grid has as well, are matched; all other dims list the entries to write.
        values: Number or tensor; dims that neither indices nor grid have become dims of the result.
        mode: `add` to the grid; write the `mean` of all entries that meet; `update`: like `mean`, meant for
            entries that do not meet.
        outside_handling: Indices outside of the grid: `check` raises (as late as `checked` says), `discard`
            leaves them out, `clamp` writes to the nearest entry, `undefined` promises that there are none.
        indices_gradient: Must be False.
        default: Start value for a shape; default: 0 for `add`, else NaN.
        treat_as_batch: Dims of the indices that are matched with dims of the result, not consumed.

    >>> import phi_tensor as math
    >>> indices = math.wrap([[0], [0]], math.instance("p"), math.channel(vector="x"))
    >>> scatter(math.spatial(x=3), indices, 2, mode="add")
    (4, 0, 0) along (x:s=3) int64
    """
    if mode not in ("update", "add", "mean") or indices_gradient:
        raise Unsupported(
            f"`scatter` supports the modes `update`, `add`, `mean` without gradients of indices, but found "
            f"{mode!r}."
        )
    at, new = as_tensor(indices), as_tensor(values)
    shape = base_grid if isinstance(base_grid, Shape) else base_grid.shape
    names, index = indexed_dims(shape, at.shape, None)
    listed, batched = _listed(shape, at.shape, new.shape, names, index, treat_as_batch)
    base = _start(base_grid, mode, default, new)
    base = expand(
        base,
        batched
        & Shape.of(
            tuple(d for d in new.shape.without(listed).dims if d.name not in shape and d.name not in batched)
        ),
    )
    if outside_handling == "check":
        check_inside(at, names, index, shape, "scatter")
    at, inside = clamped_indices(at, names, index, shape)
    new = expand(new, at.shape.only(listed))
    if outside_handling == "discard":
        new = where(inside, new, 0)
    settings: dict[str, Any] = {"names": names, "index": index, "listed": listed}
    if mode == "add":
        return table.SCATTER_ADD(base, at, new, **settings)
    ones = table.CAST(inside, dtype=INT64) if outside_handling == "discard" else 1
    count = table.SCATTER_ADD(
        _zeros(base.shape.only(names) & batched, new),
        at,
        expand(as_tensor(ones), at.shape.only(listed)),
        **settings,
    )
    total = table.SCATTER_ADD(_zeros(base.shape, new), at, new, **settings)
    written = where(count > 0, count, 1)
    mean = total // written if total.dtype.kind is int else total / written
    return where(count > 0, mean, base)


def _listed(
    grid: Shape, indices: Shape, values: Shape, names: tuple[str, ...], index: str, batched: Any
) -> tuple[tuple[str, ...], Shape]:
    """`(dims that list the entries to write, dims that are matched)`."""
    matched = (
        indices.batch.names if batched is None else (*indices.batch.names, *indices.selected_names(batched))
    )
    rest = [d for d in indices.dims if d.name != index]
    kept = [
        d
        for d in rest
        if d.name in matched or (d.name in grid and d.name not in names and d.type.name != "instance")
    ]
    listed = [d.name for d in rest if d not in kept]
    listed += [d.name for d in values.instance.dims if d.name not in listed and d.name not in grid]
    return tuple(listed), Shape.of(tuple(kept))


def _start(base: Tensor | Shape, mode: Mode, default: complex | None, values: Tensor) -> Tensor:
    if isinstance(base, Tensor):
        return base
    start = default if default is not None else 0 if mode == "add" else float("nan")
    return _zeros(base, values) + start


def _zeros(shape: Shape, values: Tensor) -> Tensor:
    return zeros(shape, dtype=int if values.dtype.kind in (bool, int) else values.dtype.kind)


@rule("scatter_add")
def scatter_add_rule(
    row: Row,
    base: Layout,
    indices: Layout,
    values: Layout,
    names: tuple[str, ...],
    index: str,
    listed: tuple[str, ...],
) -> PlanCall:
    """Plan of adding values at index vectors: everything as `(places, other dims)`."""
    grid = joined_layout(base) if isinstance(base, Parts) else base
    new = joined_layout(values) if isinstance(values, Parts) else values
    assert isinstance(grid, Dense)
    assert isinstance(new, Dense)
    backend = backend_for((grid, indices, new))
    dtype = result_types(row, (grid, new))[1]
    components, take_components = components_of(indices, index, range(len(names)), backend)
    for component in components:
        if any(d.name in grid.shape and d.name in names for d in component.stored):
            raise IncompatibleShapes(
                f"Indices {indices.shape} must not have the dims {names} that they point at. Rename them."
            )
    matched = tuple(d for d in indices.shape.dims if d.name != index and d.name not in listed)
    places = (*matched, *(grid.shape.get_dim(name) for name in names))
    rest = tuple(
        d
        for d in merged_order([grid.stored, new.stored])
        if d.name not in {p.name for p in places} and d.name not in listed
    )
    full = merge_shapes(grid.shape, indices.shape, new.shape)
    entries = (*matched, *(full.get_dim(name) for name in listed))
    shape = merge_shapes(grid.shape, Shape.of(matched), Shape.of(rest))
    result = Dense.of(tuple(shape.get_dim(d.name) for d in (*places, *rest)), shape, dtype, backend)
    k = prod(cast("int", d.size) for d in rest)
    flat_base, flat_new = (
        (prod(cast("int", d.size) for d in places), k),
        (prod(cast("int", d.size) for d in entries), k),
    )
    store_base = _stored(grid, (*places, *rest), dtype, backend)
    store_new = _stored(new, (*entries, *rest), dtype, backend)
    strides = flat_strides([(name, cast("int", grid.shape.get_size(name))) for name in names])
    parts = [
        (aligned_ints(components[i], entries, backend), i, strides[name]) for i, name in enumerate(names)
    ]
    complete = flattener(
        matched, entries, prod(cast("int", grid.shape.get_size(name)) for name in names), INT64, backend
    )
    add, reshape, sizes = backend.ops["scatter_add"], backend.ops["reshape"], result.sizes

    def call(b: Tensor, i: Tensor, v: Tensor) -> Tensor:
        natives = take_components(i)
        at = complete(flat_index(natives, parts, backend), natives[0])
        start, added = store_base(b.block().natives[0]), store_new(v.block().natives[0])
        return Tensor(result, (reshape(add(reshape(start, flat_base), at, reshape(added, flat_new)), sizes),))

    return planned(result, call)


def _stored(layout: Dense, target: tuple[Dim, ...], dtype: DType, backend: Backend) -> Step:
    moved = Dense.of(layout.stored, layout.shape, dtype, backend)
    step = chain(
        [
            convert_step(layout, backend),
            cast_step(layout.dtype, dtype, backend),
            store_step(moved, target, backend),
        ]
    )
    return step or _unchanged


def _unchanged(native: Native) -> Native:
    return native
