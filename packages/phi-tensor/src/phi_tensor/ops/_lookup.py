"""Look-up by index vectors: gather and flat indices. Writing is in `_scatter.py`, masks in `_masking.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from phi_tensor._context import local_settings
from phi_tensor._dim import Dim
from phi_tensor._dim_types import channel
from phi_tensor._dtype import INT64
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._padding import ABSENT
from phi_tensor._plan import PlanCall, Row, layout_of, planned, rule
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._spec import as_shape
from phi_tensor._tensor import Tensor
from phi_tensor._trees import tree_map
from phi_tensor.layouts._dense_steps import align_step, cast_step, chain, convert_step
from phi_tensor.layouts._layout import Dense, Layout, Parts
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor, is_container
from phi_tensor.ops._inside import NO_INDEX, check_inside
from phi_tensor.ops._interpolation import Axis, FlatGrid, flattener, points_dims
from phi_tensor.ops._parts import at_points, backend_for, components_of, part_by_part
from phi_tensor.ops._ragged_places import rows_of, sizes_along
from phi_tensor.ops._structure import stack


def index_dim_of(indices: Shape, values: Shape | None) -> Dim:
    """The dim of index vectors: labelled by dims of `values`, else `vector`, else the first channel dim."""
    channels = indices.channel.dims
    labelled = [
        d for d in channels if d.labels and (values is None or all(label in values for label in d.labels))
    ]
    fitting = labelled or [d for d in channels if d.labels is None or values is None]
    if not fitting:
        raise IncompatibleShapes(
            f"Index vectors need a channel dim whose labels name dims of {values}, but have shape {indices}. "
            f"Label it, e.g. `vec(x=…, y=…)`."
        )
    return next((d for d in fitting if d.name == "vector"), fitting[0])


def component_of(value: Any, label: str) -> Any:
    """Component of a vector; numbers and tensors without components stand for all."""
    if not isinstance(value, Tensor):
        return value
    dim = next((d for d in value.shape.channel.dims if d.labels and label in d.labels), None)
    return value if dim is None else value[{dim.name: label}]


def gather(values: Any, indices: Any, dims: Any = None, pref_index_dim: str = "index") -> Any:
    """Values at integer index vectors.

    Args:
        values: Tensor or tree.
        indices: Ints `(…, vector)`; labels of the vector dim name dims of `values`. Other dims that both
            have are matched.
        dims: Dims that are indexed, in the order of the components; default: the labels, else all spatial,
            else all instance dims.
            For one dim, `indices` may be plain positions without a vector dim.
        pref_index_dim: Name of the vector dim among several channel dims.

    Returns:
        Values with the dims of `indices` (without the vector dim) and the remaining ones of `values`.

    Raises:
        IndexError: An index is outside (found out as late as `check` says, see `checked`).

    >>> import phi_tensor as math
    >>> gather(math.wrap([[1, 2], [3, 4]], math.spatial("x,y")), math.vec(x=1, y=0))
    3
    """
    if not isinstance(values, Tensor) and is_container(values):
        return tree_map(lambda leaf: gather(leaf, indices, dims, pref_index_dim), values)
    x, at = as_tensor(values), as_tensor(indices)
    key = (local_settings(), x.layout, at.layout, dims, pref_index_dim)
    compose: Callable[[], PlanCall] = lambda: _gathering(x.layout, at.layout, dims, pref_index_dim)  # noqa: E731 typed
    try:
        plan = table.GATHER.plans.get(key) or table.GATHER.composed(key, compose)
    except TypeError:  # a list of dims
        plan = compose()
    return plan(x, at)


def _gathering(values: Layout, indices: Layout, dims: Any, preferred: str) -> PlanCall:
    """What `gather` does with tensors of these layouts."""
    if indices.dtype.kind is not int:
        raise IncompatibleShapes(
            f"`gather` needs int indices, but found {indices.dtype}. Use `to_int64` or interpolate with "
            f"`grid_sample`."
        )
    names, index = indexed_dims(values.shape, indices.shape, dims, preferred)
    if rows_of(values.shape, names) is not None:

        def in_rows(x: Tensor, at: Tensor) -> Tensor:
            return _gathered_in_rows(x, at, names, index)

        return in_rows
    check = check_inside(indices, names, index, values.shape, "gather")
    look_up = table.GATHER.plan(values, indices, names=names, index=index)

    def call(x: Tensor, at: Tensor) -> Tensor:
        check(at)
        if at.available:
            return look_up(x, at)
        within, _ = clamped_indices(at, names, index, x.shape)  # until the report is read
        return table.GATHER(x, within, names=names, index=index)

    return call if values.symbolic else planned(layout_of(look_up), call)


def _gathered_in_rows(x: Tensor, at: Tensor, names: tuple[str, ...], index: str) -> Tensor:
    """Entries of rows of different lengths."""
    rows = rows_of(x.shape, names)
    assert rows is not None
    packed, (places, inner) = rows.packed(x), rows.vectors(at, names, index)
    within = index if len(inner) > 1 else NO_INDEX
    sizes = {name: x.shape.get_size(name) for name in names}
    check_inside(places.layout, inner, within, packed.shape, "gather", sizes)(places)
    if not places.available:  # compiled code must stay within the array until the report is read
        places, _ = clamped_indices(places, inner, within, packed.shape)
    return table.GATHER(packed, places, names=inner, index=within)


def indexed_dims(
    values: Shape, indices: Shape, dims: Any, preferred: str = "index"
) -> tuple[tuple[str, ...], str]:
    """`(names of the indexed dims in the order of components, name of the index dim or NO_INDEX)`."""
    wanted = None if dims is None else values.selected_names(dims)
    if wanted is not None and len(wanted) == 1:
        fitting = [
            d
            for d in indices.channel.dims
            if d.size == 1 and (d.labels == wanted or d.name in (preferred, "vector"))
        ]
        return wanted, fitting[0].name if fitting else NO_INDEX
    if preferred in indices:
        index = indices.get_dim(preferred)
    elif wanted is None and not indices.channel_rank and (values.spatial_rank or values.instance_rank) == 1:
        return (values.spatial or values.instance).names, NO_INDEX
    else:
        index = index_dim_of(indices, values)
    names = wanted or index.labels or values.spatial.names or values.instance.names
    if index.labels and set(index.labels) == set(names):
        names = index.labels
    if index.size != len(names):
        raise IncompatibleShapes(
            f"Index vectors along `{index.name}` have {index.size} components, but {names} of {values} "
            f"are indexed."
        )
    return tuple(names), index.name


def clamped_indices(
    indices: Tensor, names: tuple[str, ...], index: str, grid: Shape
) -> tuple[Tensor, Tensor]:
    """`(indices clamped to the grid, where they were inside)`."""
    entries = [indices if index == NO_INDEX else indices[{index: i}] for i in range(len(names))]
    clamped = [
        table.CLIP(entry, 0, sizes_along(grid, name) - 1) for entry, name in zip(entries, names, strict=True)
    ]
    inside = entries[0] == clamped[0]
    for entry, limited in zip(entries[1:], clamped[1:], strict=True):
        inside = inside & (entry == limited)
    return clamped[0] if index == NO_INDEX else stack(
        clamped, indices.shape[index], expand_values=True
    ), inside


@rule("gather")
def gather_rule(row: Row, values: Layout, indices: Layout, names: tuple[str, ...], index: str) -> PlanCall:
    """Plan of looking up: one flat index, one native look-up."""
    apart = at_points(
        row, (values, indices), names, index, lambda v, i: gather_rule(row, v, i, names=names, index=index)
    )
    if apart is not None:
        return apart
    if isinstance(values, Parts):
        keep = (1,) if values.dim.name == index else ()
        return part_by_part(
            (values, indices),
            values.dim.name,
            lambda k, v, i: gather_rule(row, v, i, names=names, index=index),
            keep,
        )
    assert isinstance(values, Dense)
    backend = backend_for((values, indices))
    stored = [name for name in names if name in values.axes]
    components, take_components = components_of(
        indices, index, [names.index(name) for name in stored], backend
    )
    dims = points_dims(components)
    axes = tuple(
        Axis(name, cast("int", values.shape.get_size(name)), (ABSENT, ABSENT), 0, 0) for name in stored
    )
    grid = FlatGrid(values, (), axes, {dim.name for dim in dims}, values.dtype, backend, reused=False)
    shape = merge_shapes(
        indices.shape.without(index) if index else indices.shape, values.shape.without(names)
    )
    axes_of_result = (*grid.rest, *dims) if grid.leading else (*dims, *grid.rest)
    result = Dense.of(tuple(shape.get_dim(dim.name) for dim in axes_of_result), shape, values.dtype, backend)
    if not stored:
        convert = convert_step(values, backend)
        return planned(
            result, lambda v, i: Tensor(result, v.natives if convert is None else (convert(v.natives[0]),))
        )
    strides = flat_strides([(name, cast("int", values.shape.get_size(name))) for name in grid.order])
    parts = [
        (aligned_ints(components[stored.index(name)], dims, backend), stored.index(name), strides[name])
        for name in grid.order
    ]
    complete = flattener(grid.shared, dims, int(np.prod([axis.size for axis in axes])), INT64, backend)
    take, reshape, sizes = backend.ops["take"], backend.ops["reshape"], result.sizes
    axis = 1 if grid.leading and grid.rest else 0

    def call(v: Tensor, i: Tensor) -> Tensor:
        natives = take_components(i)
        at = complete(flat_index(natives, parts, backend), natives[0])
        return Tensor(result, (reshape(take(grid.flat(v.natives[0], ()), at, axis), sizes),))

    return planned(result, call)


@rule("take")
def take_rule(row: Row, values: Layout, indices: Layout, name: str) -> PlanCall:
    """Plan of looking up positions along one dim."""
    return gather_rule(row, values, indices, names=(name,), index=NO_INDEX)


def flat_strides(sizes: Sequence[tuple[str, int]]) -> dict[str, int]:
    """Distance in the flat array per dim; the last is the fastest."""
    strides: dict[str, int] = {}
    stride = 1
    for name, size in reversed(sizes):
        strides[name] = stride
        stride *= size
    return strides


def aligned_ints(component: Dense, dims: Sequence[Dim], backend: Any) -> Any:
    """Step that brings indices to 64-bit ints, aligned with `dims`."""
    return chain(
        [
            convert_step(component, backend),
            cast_step(component.dtype, INT64, backend),
            align_step(component.stored, dims, backend),
        ]
    )


def flat_index(natives: Sequence[Any], parts: Sequence[tuple[Any, int, int]], backend: Any) -> Any:
    """Σ index · stride over `(step, position in natives, stride)`."""
    add, multiply = backend.ops["add"], backend.ops["multiply"]
    total = None
    for step, position, stride in parts:
        part = natives[position] if step is None else step(natives[position])
        part = part if stride == 1 else multiply(part, stride)
        total = part if total is None else add(total, part)
    return total


# --- flat indices


def ravel_index(index: Tensor, resolution: Shape, dim: Any = channel, mode: str = "undefined") -> Tensor:
    """Row-major flat index of index vectors in an array of the sizes `resolution`.

    Args:
        index: Int vectors `(…, vector)`.
        resolution: Dims and sizes, in the order of the components (or named by the labels).
        dim: The vector dim.
        mode: Outside of the array: `undefined`, `clamp`, or `periodic`.
    """
    index, resolution = as_tensor(index), as_shape(resolution, "ravel_index")
    _check_ints(index, "ravel_index")
    vector = index.shape.only(dim).dim
    if not resolution.well_defined or vector.size != resolution.rank:
        raise IncompatibleShapes(
            f"`ravel_index` needs a size for each component along `{vector.name}`, but ({vector}) indexes "
            f"{resolution}."
        )
    names = (
        vector.labels if vector.labels and set(vector.labels) == set(resolution.names) else resolution.names
    )
    total: Any = 0
    for name in resolution.names:
        part = index[{vector.name: names.index(name)}]
        size = cast("int", resolution.get_size(name))
        if mode == "clamp":
            part = table.CLIP(part, 0, size - 1)
        total = total * size + (part % size if mode == "periodic" else part)
    return total


def _check_ints(index: Tensor, function: str) -> None:
    if index.dtype.kind is not int:
        raise IncompatibleShapes(f"`{function}` needs int indices, but found {index.dtype}. Use `to_int64`.")


def unravel_index(index: Tensor, resolution: Shape, index_dim: Shape | str = "index:c") -> Tensor:
    """Index vectors of row-major flat indices in an array of the sizes `resolution`."""
    index, resolution = as_tensor(index), as_shape(resolution, "unravel_index")
    _check_ints(index, "unravel_index")
    if not resolution.well_defined:
        raise IncompatibleShapes(f"`unravel_index` needs all sizes, but found {resolution}.")
    parts: list[Tensor] = []
    for dim in reversed(resolution.dims):
        parts.append(index % cast("int", dim.size))
        index = index // cast("int", dim.size)
    new = as_shape(index_dim, "unravel_index")
    return stack(parts[::-1], Shape.of((new.dim.with_size(resolution.rank, resolution.names),)))
