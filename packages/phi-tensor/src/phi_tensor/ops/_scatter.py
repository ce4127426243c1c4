"""Writing values at index vectors: replacing, adding, and other ways to join what meets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from phi_tensor._context import local_settings
from phi_tensor._create import full
from phi_tensor._dim_types import instance
from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._plan import PlanCall, Row, layout_of
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._layout import Layout
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor
from phi_tensor.ops._inside import NO_INDEX, check_inside
from phi_tensor.ops._lookup import indexed_dims
from phi_tensor.ops._ragged_places import rows_of
from phi_tensor.ops._structure import expansion, pack_dims

Mode = Literal["update", "add", "mean", "min", "max", "prod", "any", "all"]
Outside = Literal["check", "discard", "clamp", "undefined"]

_MODES: dict[str, tuple[Row, complex]] = {
    "update": (table.SCATTER_UPDATE, float("nan")),
    "add": (table.SCATTER_ADD, 0),
    "mean": (table.SCATTER_MEAN, float("nan")),
    "min": (table.SCATTER_MIN, float("inf")),
    "max": (table.SCATTER_MAX, -float("inf")),
    "prod": (table.SCATTER_PROD, 1),
    "any": (table.SCATTER_ANY, False),
    "all": (table.SCATTER_ALL, True),
}
"""Row and start value of each mode."""

_OUTSIDE = ("check", "discard", "clamp", "undefined")


def scatter(
    base_grid: Tensor | Shape,
    indices: Any,
    values: Any,
    mode: Mode = "update",
    outside_handling: Outside = "check",
    indices_gradient: bool = False,
    default: complex | None = None,
    treat_as_batch: Any = None,
    pref_index_dim: str = "index",
) -> Tensor:
    """`base_grid` with `values` written at `indices`. Differentiable in both to any order.

    Args:
        base_grid: Tensor; or a shape, which starts from `default`.
        indices: Int vectors `(…, vector)`; labels of the vector dim name dims of the grid. Batch dims, and
            other dims that the grid has as well, are matched; all other dims list the entries to write.
        values: Number or tensor; dims that neither indices nor grid have become dims of the result.
        mode: What stays of the values that meet at one place, listed in row-major order of the dims of
            `indices`. `update`: the last one; `mean`: their mean (both replace the grid's value there, which
            then has gradient 0). With the grid's value: their sum (`add`), product (`prod`), least (`min`),
            greatest (`max`), logical or (`any`), logical and (`all`). Of equal least or greatest values the
            grid's, then the first one, has the gradient.
        outside_handling: Indices outside of the grid: `check` raises (as late as `checked` says), `discard`
            leaves them out, `clamp` writes to the nearest entry, `undefined` promises that there are none.
        indices_gradient: Must be False: what is written does not depend smoothly on ints.
        default: Start value for a shape; default: NaN for `update` and `mean`, else what changes nothing (0,
            1, ±∞, False, True).
        treat_as_batch: Dims of the indices that are matched with dims of the result, not consumed.
        pref_index_dim: Name of the vector dim among several channel dims.

    Returns:
        Tensor with the dims of the grid, matched dims, and further dims of `values`. Means are floats.
        On GPUs sums of floats may differ in the last digits from run to run; all else is deterministic.

    Raises:
        IndexError: An index is outside, for `check`.
        IncompatibleShapes: Indices are no ints, lack components, or have dims that they point at.
        Unsupported: The sizes of several indexed dims vary; `min` or `max` of complex numbers.

    >>> import phi_tensor as math
    >>> indices = math.wrap([[0], [0]], math.instance("p"), math.channel(vector="x"))
    >>> scatter(math.spatial(x=3), indices, 2, mode="add")
    (4, 0, 0) along (x:s=3) int64
    """
    row, start = _checked_options(mode, outside_handling, indices_gradient)
    at, new = as_tensor(indices), as_tensor(values)
    base = base_grid if isinstance(base_grid, Tensor) else _filled(base_grid, start, default, new, row)
    layouts = (base.layout, at.layout, new.layout)
    key = (local_settings(), *layouts, outside_handling, treat_as_batch, pref_index_dim)
    compose: Callable[[], PlanCall] = lambda: _writing(  # noqa: E731 typed by its name
        row, *layouts, outside_handling, treat_as_batch, pref_index_dim
    )
    try:
        plan = row.plans.get(key) or row.composed(key, compose)
    except TypeError:  # a list of dims
        plan = compose()
    return plan(base, at, new)


def _writing(
    row: Row, base: Layout, indices: Layout, values: Layout, outside: str, batched: Any, preferred: str
) -> PlanCall:
    """What `scatter` does with tensors of these layouts."""
    if indices.dtype.kind is not int:
        raise IncompatibleShapes(
            f"`scatter` needs int indices, but found {indices.dtype}. Use `to_int64`, or weights and both "
            f"neighbours for positions between entries."
        )
    shape = base.shape
    names, index = indexed_dims(shape, indices.shape, None, preferred)
    listed, matched = _listed(shape, indices.shape, values.shape, names, index, batched)
    further = [d for d in values.shape.without(listed).dims if d.name not in shape and d.name not in matched]
    widen = expansion(base, matched & Shape.of(tuple(further)))
    repeat = expansion(values, _with_outer(indices.shape, listed))
    if rows_of(shape, names) is not None:

        def in_rows(b: Tensor, at: Tensor, new: Tensor) -> Tensor:
            b, new = b if widen is None else widen(b), new if repeat is None else repeat(new)
            return _written_in_rows(row, b, at, new, names, index, listed, outside)

        return in_rows
    check = check_inside(indices, names, index, shape, "scatter") if outside == "check" else None
    settings: dict[str, Any] = {"names": names, "index": index}
    limit = "clamp" if outside == "check" else outside  # a report may come later
    if any(set(indices.shape.get_dim(n).over) & set(listed) for n in listed if n in indices.shape):

        def write(b: Tensor, at: Tensor, new: Tensor) -> Tensor:
            at, new, entries = _packed(at, new, listed)
            return row(b, at, new, **settings, listed=entries, outside=limit)

    elif base.symbolic or values.symbolic:

        def write(b: Tensor, at: Tensor, new: Tensor) -> Tensor:
            return row(b, at, new, **settings, listed=listed, outside=limit)

    else:
        write = row.plan(
            layout_of(widen) if widen else base,
            indices,
            layout_of(repeat) if repeat else values,
            **settings,
            listed=listed,
            outside=limit,
        )

    def call(b: Tensor, at: Tensor, new: Tensor) -> Tensor:
        if check is not None:
            check(at)
        return write(b if widen is None else widen(b), at, new if repeat is None else repeat(new))

    return call


def _written_in_rows(
    row: Row,
    base: Tensor,
    at: Tensor,
    new: Tensor,
    names: tuple[str, ...],
    index: str,
    listed: tuple[str, ...],
    outside: str,
) -> Tensor:
    """`base`, whose rows have different lengths, with values written at index vectors."""
    rows = rows_of(base.shape, names)
    assert rows is not None
    packed, (places, inner) = rows.packed(base), rows.vectors(at, names, index, outside == "clamp")
    within = index if len(inner) > 1 else NO_INDEX
    if outside == "check":
        sizes = {name: base.shape.get_size(name) for name in names}
        check_inside(places.layout, inner, within, packed.shape, "scatter", sizes)(places)
    if any(set(places.shape.get_dim(n).over) & set(listed) for n in listed if n in places.shape):
        places, new, listed = _packed(places, new, listed)
    limit = "clamp" if outside == "check" else outside
    return rows.unpacked(row(packed, places, new, names=inner, index=within, listed=listed, outside=limit))


def _checked_options(mode: str, outside: str, indices_gradient: bool) -> tuple[Row, complex]:
    if mode not in _MODES:
        raise Unsupported(f"`scatter` has no mode {mode!r}. Use one of {', '.join(map(repr, _MODES))}.")
    if outside not in _OUTSIDE:
        raise Unsupported(
            f"`scatter` cannot handle indices outside by {outside!r}. Use one of "
            f"{', '.join(map(repr, _OUTSIDE))}."
        )
    if indices_gradient:
        raise Unsupported(
            "`scatter(indices_gradient=True)`: ints have no derivative. Scatter to both neighbours "
            "with weights that depend on the position, and differentiate these."
        )
    return _MODES[mode]


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


def _filled(shape: Any, start: complex, default: complex | None, values: Tensor, row: Row) -> Tensor:
    """Grid to start from, of the kind of numbers that values and start value need."""
    if not isinstance(shape, Shape):
        raise TypeError(
            f"`scatter` writes into a tensor or into an array of a shape, but found {shape!r}. Use `wrap`."
        )
    value = start if default is None else default
    kinds = (bool, int, float, complex)
    kind = (
        bool
        if row.dtype == "logical"
        else max(values.dtype.kind, as_tensor(value).dtype.kind, key=kinds.index)
    )
    return full(value, shape, dtype=kind)


def _with_outer(shape: Shape, names: tuple[str, ...]) -> Shape:
    """Dims by name, with those along which their sizes vary."""
    chosen = shape.only(names)
    return shape.only({name for dim in chosen.dims for name in (dim.name, *dim.over)})


def _packed(
    indices: Tensor, values: Tensor, listed: tuple[str, ...]
) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Entries listed along dims whose sizes vary, listed along one dim."""
    present = [name for name in listed if name in indices.shape]
    outer = [name for name in present if not indices.shape.get_dim(name).over]
    order = (*outer, *(name for name in present if name not in outer))
    dim = instance("_entries")
    rest = tuple(name for name in listed if name not in present)
    return (
        pack_dims(indices, order, dim),
        pack_dims(values, order, dim),
        (dim.name, *rest),
    )
