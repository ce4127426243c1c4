"""Plans of scattering: grid and values become matrices `(places, other dims)`, indices one flat index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, cast

from phi_tensor._dim import Dim
from phi_tensor._dtype import INT64, DType
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._plan import PlanCall, Row, layout_of, planned, rule
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor.backends._backend import Backend, Native
from phi_tensor.layouts._dense_steps import Step, cast_step, chain, convert_step, merged_order, store_step
from phi_tensor.layouts._layout import Dense, Layout, Parts
from phi_tensor.ops._composed import backend_function
from phi_tensor.ops._dtype_rules import result_types
from phi_tensor.ops._interpolation import flattener
from phi_tensor.ops._lookup import aligned_ints, flat_index, flat_strides
from phi_tensor.ops._parts import backend_for, components_of, joined_layout, part_by_part


@rule("scatter")
def scatter_rule(
    row: Row,
    base: Layout,
    indices: Layout,
    values: Layout,
    names: tuple[str, ...],
    index: str,
    listed: tuple[str, ...],
    outside: str,
) -> PlanCall:
    """Plan of writing values at index vectors.

    Args:
        row: What becomes of values that meet.
        base: Grid.
        indices: Index vectors.
        values: What is written.
        names: Dims of the grid that are indexed.
        index: Dim of the components of index vectors.
        listed: Dims of indices and values that list entries.
        outside: Indices outside of the grid: `discard`, `clamp`, or `undefined`.
    """
    settings: dict[str, Any] = {"names": names, "index": index, "listed": listed, "outside": outside}
    along = _ragged_dim((base, indices, values))
    if along is not None:
        if along in (*names, *listed):
            raise row.unsupported(
                base,
                indices,
                values,
                hint=f"Sizes vary along `{along}`, which is indexed or listed. Scatter part by part.",
            )
        return part_by_part(
            (base, indices, values), along, lambda i, *entries: scatter_rule(row, *entries, **settings)
        )
    if isinstance(indices, Parts) and indices.dim.name != index:
        plan = scatter_rule(row, base, joined_layout(indices), values, **settings)

        def joined(b: Tensor, i: Tensor, v: Tensor) -> Tensor:
            return plan(b, i.block(), v)

        return planned(layout_of(plan), joined)
    grid = joined_layout(base) if isinstance(base, Parts) else base
    new = joined_layout(values) if isinstance(values, Parts) else values
    assert isinstance(grid, Dense)
    assert isinstance(new, Dense)
    backend = backend_for((grid, indices, new))
    types, dtype = result_types(row, (grid, new))
    if dtype.kind is complex and row.name in ("scatter_min", "scatter_max"):
        raise row.unsupported(
            base, indices, values, hint="Complex numbers have no order. Compare their magnitudes."
        )
    components, take_components = components_of(indices, index, range(len(names)), backend)
    for component in components:
        if any(d.name in grid.shape and d.name in names for d in component.stored):
            raise IncompatibleShapes(
                f"Indices {indices.shape} must not have the dims {names} that they point at. Rename them."
            )
    matched = tuple(d for d in indices.shape.dims if d.name != index and d.name not in listed)
    indexed = tuple(grid.shape.get_dim(name) for name in names)
    places = (*matched, *indexed)
    rest = tuple(
        d
        for d in merged_order([grid.stored, new.stored])
        if d.name not in {p.name for p in places} and d.name not in listed
    )
    full = merge_shapes(grid.shape, indices.shape, new.shape)
    entries = (*matched, *(full.get_dim(name) for name in listed))
    shape = merge_shapes(grid.shape, Shape.of(matched), Shape.of(rest))
    result = Dense.of(tuple(shape.get_dim(d.name) for d in (*places, *rest)), shape, dtype, backend)
    columns, rows, count = _volume(rest), _volume(places), _volume(entries)
    store_base = _stored(grid, (*places, *rest), types[0], backend)
    if not rows * columns * count:
        _check_target(indexed, count, outside)

        def unchanged(b: Tensor, i: Tensor, v: Tensor) -> Tensor:
            return Tensor(result, (store_base(b.block().natives[0]),))

        return planned(result, unchanged)
    store_new = _stored(new, (*entries, *rest), types[1], backend)
    flat = _flat_places(components, names, indexed, matched, entries, rows, outside, backend)
    write = _write(backend_function(row.name, backend), rows, outside, backend)
    reshape, sizes = backend.ops["reshape"], result.sizes

    def call(b: Tensor, i: Tensor, v: Tensor) -> Tensor:
        at = flat(take_components(i))
        start, added = store_base(b.block().natives[0]), store_new(v.block().natives[0])
        written = write(reshape(start, (rows, columns)), at, reshape(added, (count, columns)))
        return Tensor(result, (reshape(written, sizes),))

    return planned(result, call)


def _ragged_dim(layouts: Sequence[Layout]) -> str | None:
    """Dim along which the sizes of some operand vary, also below another one."""
    for layout in layouts:
        ragged = layout.shape.non_uniform.dims
        if ragged:
            return ragged[0].over[0]
    return None


def _volume(dims: Sequence[Dim]) -> int:
    return prod(cast("int", d.size) for d in dims)


def _check_target(indexed: Sequence[Dim], count: int, outside: str) -> None:
    if count and outside == "clamp" and not _volume(indexed):
        raise IncompatibleShapes(
            f"Nothing can be written to {indexed}, which has no entries. Pass "
            f"`outside_handling='discard'` to leave all values out."
        )


def _flat_places(
    components: Sequence[Dense],
    names: Sequence[str],
    indexed: Sequence[Dim],
    matched: Sequence[Dim],
    entries: Sequence[Dim],
    rows: int,
    outside: str,
    backend: Backend,
) -> Callable[[Sequence[Native]], Native]:
    """Function from components of index vectors to flat positions; discarded ones are `rows`."""
    ops, sizes = backend.ops, [cast("int", dim.size) for dim in indexed]
    strides = flat_strides(list(zip(names, sizes, strict=True)))
    prepare = [aligned_ints(component, entries, backend) for component in components]
    parts = [(None, i, strides[name]) for i, name in enumerate(names)]
    complete = flattener(matched, entries, prod(sizes), INT64, backend)
    every = tuple(cast("int", dim.size) for dim in entries)

    def flat(natives: Sequence[Native]) -> Native:
        aligned = [n if step is None else step(n) for n, step in zip(natives, prepare, strict=True)]
        if outside == "clamp":
            aligned = [
                ops["maximum"](ops["minimum"](n, size - 1), 0) for n, size in zip(aligned, sizes, strict=True)
            ]
        found = complete(flat_index(aligned, parts, backend), natives[0])
        if outside != "discard":
            return found
        inside: Native = None
        for n, size in zip(aligned, sizes, strict=True):
            within = ops["logical_and"](ops["greater_equal"](n, 0), ops["less"](n, size))
            inside = within if inside is None else ops["logical_and"](inside, within)
        inside = ops["reshape"](ops["broadcast_to"](inside, every), (prod(every),))
        return ops["where"](inside, found, rows)

    return flat


def _write(
    scatter: Callable[[Native, Native, Native], Native], rows: int, outside: str, backend: Backend
) -> Callable[[Native, Native, Native], Native]:
    """`scatter`; with a spare row for what is discarded."""
    if outside != "discard":
        return scatter
    concat, getitem = backend.ops["concat"], backend.ops["getitem"]

    def write(base: Native, at: Native, values: Native) -> Native:
        wide = concat([base, getitem(base, (slice(0, 1),))], 0)
        return getitem(scatter(wide, at, values), (slice(0, rows),))

    return write


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
