"""Order along a dim: sorting, positions of extremes, searching in sorted values."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, Literal, cast

from phi_tensor._context import local_settings
from phi_tensor._create import arange
from phi_tensor._dim import Dim
from phi_tensor._dim_types import DimFilter, DimType, channel, non_batch
from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._plan import PlanCall, Row, layout_of, planned, rule
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._spec import parse_shape_spec
from phi_tensor._tensor import Tensor
from phi_tensor._trees import tree_map
from phi_tensor.backends._backend import Backend
from phi_tensor.backends._registry import common_backend
from phi_tensor.layouts._dense_steps import Step, cast_step, chain, convert_step, store_step
from phi_tensor.layouts._layout import Dense, Layout, Parts, Ragged
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor, is_container
from phi_tensor.ops._dtype_rules import result_types
from phi_tensor.ops._lookup import unravel_index
from phi_tensor.ops._parts import joined_layout, part_by_part, swapped
from phi_tensor.ops._reductions import check_not_empty, in_one_dim, reduced_names
from phi_tensor.ops._structure import expand

Side = Literal["left", "right"]


def one_dim(shape: Shape, dim: Any, function: str) -> str:
    """Name of the one dim of `shape` that `dim` selects."""
    names = reduced_names(shape, dim, function)
    if len(names) != 1:
        raise IncompatibleShapes(
            f"`{function}` works along one dim, but {dim!r} selects {names} of {shape}. Name one, or merge "
            f"several with `pack_dims`."
        )
    return names[0]


def along_one_dim(row: Row, x: Any, dim: Any, slowly: Callable[[Any, Any], Any]) -> Any:
    """Result of a row along one dim; `slowly(x, dim)` unless there is a plan for a tensor without labels."""
    try:
        plan = row.plans[local_settings(), x.layout, dim]
    except (KeyError, AttributeError, TypeError):
        result = slowly(x, dim)
        if type(x) is Tensor and isinstance(dim, (str, DimType, DimFilter)):
            names = reduced_names(x.shape, dim, row.name)
            if len(names) == 1 and not x.shape.get_labels(names[0]):
                row.composed((local_settings(), x.layout, dim), lambda: row.plan(x.layout, name=names[0]))
        return result
    return plan(x)


def unlabelled(value: Tensor, name: str) -> Tensor:
    """`value` without the labels of a dim."""
    if not value.shape.get_labels(name):
        return value
    return table.RENAME(
        value, renamed=((name, value.shape.get_dim(name).with_size(value.shape.get_size(name))),)
    )


# --- sorting


def sort(x: Any, dim: Any = non_batch, key: Any = None) -> Any:
    """Elements in ascending order along one dim, which loses its labels with a warning; NaNs come last.

    Args:
        x: Tensor or tree.
        dim: The dim.
        key: Tensor; if given, slices of `x` are put in the ascending order of the key. Equal ones stay in
            order.

    >>> import phi_tensor as math
    >>> sort(math.wrap([2.0, 1.0], math.spatial("x")))
    (1.0, 2.0) along (x:s=2) float32
    >>> sort(math.wrap([2.0, 1.0], math.spatial("x")), key=math.wrap([3, 4], math.spatial("x")))
    (2.0, 1.0) along (x:s=2) float32
    """
    if key is None:
        return along_one_dim(table.SORT, x, dim, _sorted)
    order = as_tensor(key)
    name = one_dim(order.shape, dim, "sort")
    order = table.ARGSORT(unlabelled(order, name), name=name)

    def ordered(leaf: Any) -> Any:
        value = as_tensor(leaf)
        if name not in value.shape:
            return expand(value, order.shape.only(name))
        return table.TAKE(_without_labels(value, name), order, name=name)

    return tree_map(ordered, x) if is_container(x) else ordered(x)


def _sorted(x: Any, dim: Any) -> Any:
    if is_container(x):
        return tree_map(lambda leaf: sort(leaf, dim), x)
    value = as_tensor(x)
    name = one_dim(value.shape, dim, "sort")
    return table.SORT(_without_labels(value, name, 5), name=name)


def _without_labels(value: Tensor, name: str, stacklevel: int = 3) -> Tensor:
    if value.shape.get_labels(name):
        warnings.warn(
            f"`sort` drops the labels {value.shape.get_labels(name)} of `{name}`, which no longer name "
            f"the same entries. Drop them before with `rename_dims`.",
            RuntimeWarning,
            stacklevel=stacklevel,
        )
    return unlabelled(value, name)


def argsort(x: Any, dim: Any = non_batch) -> Tensor:
    """Positions [-] that put the elements in ascending order along one dim; equal ones stay in order.

    >>> import phi_tensor as math
    >>> argsort(math.wrap([2.0, 1.0], math.spatial("x")))
    (1, 0) along (x:s=2) int64
    """
    return along_one_dim(table.ARGSORT, x, dim, _argsorted)


def _argsorted(x: Any, dim: Any) -> Tensor:
    value = as_tensor(x)
    name = one_dim(value.shape, dim, "argsort")
    return table.ARGSORT(unlabelled(value, name), name=name)


def top_k(x: Any, k: int, dim: Any = non_batch) -> tuple[Tensor, Tensor]:
    """`(values, positions)` of the `k` largest elements along one dim, the largest first; NaNs are largest.

    Args:
        x: Tensor.
        k: Number of elements; the dim's size in the results.
        dim: The dim.

    Raises:
        IncompatibleShapes: There are fewer than `k` elements.

    >>> import phi_tensor as math
    >>> top_k(math.wrap([2, 5, 4], math.spatial("x")), 2)
    ((5, 4) along (x:s=2) int64, (1, 2) along (x:s=2) int64)
    """
    value = as_tensor(x)
    name = one_dim(value.shape, dim, "top_k")
    value, size = unlabelled(value, name), value.shape.get_size(name)
    if not isinstance(size, int) or not 0 <= k <= size:
        raise IncompatibleShapes(
            f"`top_k` needs at least k={k} elements along `{name}`, but found {value.shape}. Take "
            f"min(k, size), or pad with -∞."
        )
    backwards = table.ARGSORT(
        table.FLIP(value, names=(name,)), name=name
    )  # so that the first of equal ones wins
    positions = size - 1 - backwards[{name: slice(None, -k - 1 if k < size else None, -1)}] if k else None
    if positions is None:
        positions = backwards[{name: slice(0)}]
    return table.TAKE(value, positions, name=name), positions


# --- positions of extremes


def argmax(x: Any, dim: Any, index_dim: Shape | str | None = channel("index")) -> Tensor:  # noqa: B008 immutable
    """Position [-] of the largest element along `dim`, the first of several; as index vector for `gather`.

    Args:
        x: Tensor.
        dim: Dims to search and reduce.
        index_dim: Dim of the index vector, whose labels will be the names of `dim`. With None the position
            along the only dim is a number.

    >>> import phi_tensor as math
    >>> argmax(math.wrap([[1.0, 2.0], [4.0, 3.0]], math.spatial("x,y")), "x,y")
    (x=1, y=0)
    """
    return _position(table.ARGMAX, x, dim, index_dim)


def argmin(x: Any, dim: Any, index_dim: Shape | str | None = channel("index")) -> Tensor:  # noqa: B008 immutable
    """Position [-] of the smallest element along `dim`, see `argmax`.

    >>> import phi_tensor as math
    >>> argmin(math.wrap([3.0, 1.0], math.spatial("x")), "x", index_dim=None)
    1
    """
    return _position(table.ARGMIN, x, dim, index_dim)


def _position(row: Row, x: Any, dim: Any, index_dim: Shape | str | None) -> Tensor:
    try:
        plan = row.plans[local_settings(), x.layout, dim, index_dim]
    except (KeyError, AttributeError, TypeError):
        return _position_slowly(row, x, dim, index_dim)
    return plan(x)


def _position_slowly(row: Row, x: Any, dim: Any, index_dim: Shape | str | None) -> Tensor:
    value, function = as_tensor(x), row.name
    names = reduced_names(value.shape, dim, function)
    if index_dim is None:
        return row(value, name=one_dim(value.shape, dim, function))
    if not names:
        raise IncompatibleShapes(
            f"`{function}` searches at least one dim, but {dim!r} selects none of {value.shape}."
        )
    check_not_empty(value.shape, names, function)
    name, (flat,) = in_one_dim(names, value)
    position = row(flat, name=name)
    if len(names) > 1:
        return unravel_index(position, value.shape.only(names, reorder=True), index_dim)
    new = parse_shape_spec(index_dim, channel) if isinstance(index_dim, str) else index_dim
    vectors = (new.dim.with_size(1, names),)
    if type(x) is Tensor and isinstance(dim, str) and new.dim.name not in position.shape:
        key = (local_settings(), x.layout, dim, index_dim)
        search = row.plan(x.layout, name=name)
        widen = table.EXPAND.plan(position.layout, dims=vectors)
        row.composed(key, lambda: lambda t: widen(search(t)))
    return expand(position, Shape.of(vectors))


# --- searching


def searchsorted(sorted_values: Any, values: Any, dim: Any = non_batch, side: Side = "left") -> Tensor:
    """Position [-] along `dim` where each of `values` would keep `sorted_values` in order.

    Args:
        sorted_values: Ascending along `dim`. Other dims are matched with those of `values`.
        values: Tensor; all its dims stay.
        dim: The dim of `sorted_values` that is searched.
        side: Before (`left`) or behind (`right`) equal elements.

    >>> import phi_tensor as math
    >>> searchsorted(math.wrap([1.0, 2.0, 4.0], math.spatial("x")), 2.0, side="right")
    2
    """
    if side not in ("left", "right"):
        raise IncompatibleShapes(f"`searchsorted` has the sides `left` and `right`, but found {side!r}.")
    keys, wanted = as_tensor(sorted_values), as_tensor(values)
    name = one_dim(keys.shape, dim, "searchsorted")
    return table.SEARCHSORTED(keys, wanted, name=name, right=side == "right")


@rule("searchsorted")
def searchsorted_rule(row: Row, keys: Layout, values: Layout, name: str, right: bool) -> PlanCall:
    """Plan of searching: arrays `(dims of the keys, entries)` and `(same dims, other dims of the values)`."""
    if isinstance(keys, Ragged) and keys.dim.name != name:
        return part_by_part(
            (keys, values),
            keys.dim.name,
            lambda _, k, v: searchsorted_rule(row, k, v, name=name, right=right),
        )
    if isinstance(values, Ragged):
        plan = part_by_part(
            (values, keys),
            values.dim.name,
            lambda _, v, k: swapped(searchsorted_rule(row, k, v, name=name, right=right)),
            (1,) if values.dim.name == name else (),
        )
        return swapped(plan)
    if isinstance(keys, Parts) or isinstance(values, Parts):
        plan = searchsorted_rule(row, joined_layout(keys), joined_layout(values), name=name, right=right)
        return planned(layout_of(plan), lambda k, v: plan(k.block(), v.block()))
    assert isinstance(keys, Dense)
    assert isinstance(values, Dense)
    return _dense_search(row, keys, values, name, right)


def _dense_search(row: Row, keys: Dense, values: Dense, name: str, right: bool) -> PlanCall:
    backend = common_backend((keys.backend, values.backend))
    (dtype, _), result_type = result_types(row, (keys, values))
    lead = tuple(dim for dim in keys.stored if dim.name != name)
    columns = tuple(dim for dim in values.stored if dim.name not in {d.name for d in lead})
    free = Shape.of(tuple(dim for dim in keys.shape.dims if dim.name != name))
    shape = merge_shapes(free, values.shape)
    result = Dense.of(tuple(shape.get_dim(d.name) for d in (*lead, *columns)), shape, result_type, backend)
    first = _matrix(keys, (*lead, keys.shape.get_dim(name)), len(lead), dtype, backend)
    second = _matrix(values, (*lead, *columns), len(lead), dtype, backend)
    search, reshape, sizes = backend.ops["searchsorted"], backend.ops["reshape"], result.sizes

    def call(k: Tensor, v: Tensor) -> Tensor:
        return Tensor(result, (reshape(search(first(k.natives[0]), second(v.natives[0]), right), sizes),))

    return planned(result, call)


def _matrix(layout: Dense, target: tuple[Dim, ...], leading: int, dtype: Any, backend: Backend) -> Step:
    """Step to an array of two axes, the first of which holds the `leading` dims of `target`."""
    sizes = [cast("int", dim.size) for dim in target]
    shape = math.prod(sizes[:leading]), math.prod(sizes[leading:])
    moved = Dense.of(layout.stored, layout.shape, dtype, backend)
    reshape = backend.ops["reshape"]
    step = chain(
        [
            convert_step(layout, backend),
            cast_step(layout.dtype, dtype, backend),
            store_step(moved, target, backend),
            lambda native: reshape(native, shape),
        ]
    )
    assert step is not None
    return step


def first_true(mask: Tensor, name: str, size: int) -> tuple[Tensor, Tensor]:
    """`(positions of the first `size` True entries along a dim, which of them exist)`."""
    length = mask.shape.get_size(name)
    if not isinstance(length, int):
        raise Unsupported(
            f"The first `{size}` of entries whose number varies: {mask.shape}. Leave the size of "
            f"the result away, or `pad_to_uniform` the values."
        )
    order = table.ARGSORT(~mask, name=name)
    entry = arange(Shape.of((mask.shape.get_dim(name).with_size(size),)), backend=mask.backend)
    positions = table.TAKE(order, table.MINIMUM(entry, max(length - 1, 0)), name=name)
    return positions, entry < table.SUM(mask, names=(name,))
