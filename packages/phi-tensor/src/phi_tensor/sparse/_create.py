"""Creation of sparse tensors from lists of places and values."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._shape import Shape
from phi_tensor._spec import as_shape
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._pattern import Ints, is_increasing, raveled
from phi_tensor.layouts._sparse import entries_dim
from phi_tensor.ops._call import as_tensor
from phi_tensor.ops._structure import expand, pack_dims
from phi_tensor.sparse._collect import Dims, at_pattern, groups, placed, sizes_of

Format = Literal["coo", "csr", "csc"]

FORMATS = ("coo", "csr", "csc")


def sparse_tensor(
    indices: Any,
    values: Any,
    dense_shape: Shape | str,
    can_contain_double_entries: bool = True,
    indices_sorted: bool = False,
    format: Format | None = None,
    indices_constant: bool = True,
) -> Tensor:
    """Tensor that stores `values` at `indices` and is zero elsewhere. Differentiable in the values.

    Where entries are stored is a constant: functions that `jit_compile` compiles trace once per pattern, not
    per values. In products and quotients an entry that is not stored stays zero whatever the other factor.

    Args:
        indices: Int vectors `(entries…, index)`, known numbers. The labels of the channel dim name the dims
            that are sparse; without labels it counts through `dense_shape`. Without channel dim the one dim
            is sparse. All other dims list entries.
        values: Number, or tensor `(entries…, …)`. Its further dims are dims of the result.
        dense_shape: Dims of the result. Those that are not indexed must be dims of `values`, or it is
            repeated.
        can_contain_double_entries: Whether places may repeat; their values are added up.
        indices_sorted: Whether entries are listed by row, then by column (for `csc` by column first) without
            repetition, which saves sorting.
        format: `coo` (default), `csr` or `csc`: sorted by rows, by rows, or by columns. Columns are the dual
            dims; without any, of the sparse dims the first is the row.
        indices_constant: Must be True.

    Returns:
        Tensor `dense_shape`.

    Raises:
        IndexError: An index is outside of its dim.
        IncompatibleShapes: Indices are no ints or not named, sizes do not fit, places repeat or are not
            sorted although it was said.
        Unsupported: The indices are not known yet, as in compiled functions.

    >>> import phi_tensor as math
    >>> places = math.wrap([[0, 1], [1, 0]], math.instance("entries"), math.channel(index="x,~x"))
    >>> A = math.sparse_tensor(places, math.wrap([2.0, 3.0], math.instance("entries")), "x:s=2,~x:d=2")
    >>> A @ math.wrap([1.0, 10.0], math.spatial("x"))
    (20.0, 3.0) along (x:s=2) float32
    """
    shape, at = as_shape(dense_shape, "sparse_tensor"), as_tensor(indices)
    if format not in (None, *FORMATS):
        raise Unsupported(
            f"`sparse_tensor` has the formats {', '.join(FORMATS)}, but found {format!r}. Leave it away."
        )
    if not indices_constant or not at.available:
        raise Unsupported(
            "`sparse_tensor` needs indices that are known constants: equal patterns share compiled "
            "functions. "
            "Make the tensor outside of `jit_compile` or derivatives, or write values with `scatter`."
        )
    names, index = _indexed(shape, at)
    dims = tuple(map(shape.get_dim, names))
    numbers, listing = _lists(at, index, len(names))
    _check_inside(numbers, dims)
    if format in ("csr", "csc") and len(dims) < 2:
        raise IncompatibleShapes(
            f"The format {format!r} needs rows and columns, but the only sparse dim is {dims}. Use 'coo'."
        )
    outer, inner = groups(sorted(dims, key=lambda d: shape.index(d.name)), format or "coo")
    places = dict(zip(names, numbers, strict=True))
    if indices_sorted or not can_contain_double_entries:
        _check_order(places, outer, inner, indices_sorted, can_contain_double_entries)
    pattern, ids = placed(outer, inner, places, len(numbers[0]))
    listed = _listed_values(values, listing, shape.without(names), names)
    plan = at_pattern(listed.layout, outer, inner, pattern, ids, shape.names, format in ("csr", "csc"))
    return plan(listed)


def _indexed(shape: Shape, at: Tensor) -> tuple[tuple[str, ...], str | None]:
    """`(names of the sparse dims in the order of components, dim of the components)`."""
    if at.dtype.kind is not int:
        raise IncompatibleShapes(
            f"`sparse_tensor` needs int indices, but found {at.dtype}. Use `to_int64(indices)`."
        )
    if not shape.well_defined or not shape.is_uniform:
        raise IncompatibleShapes(f"`sparse_tensor` needs a `dense_shape` of known sizes, but found {shape}.")
    if not at.shape.channel and shape.rank == 1:
        return shape.names, None
    labelled = [d for d in at.shape.channel.dims if d.labels and all(n in shape for n in d.labels)]
    counted = [d for d in at.shape.channel.dims if d.labels is None and d.size == shape.rank]
    found = labelled or counted
    if len(found) != 1:
        raise IncompatibleShapes(
            f"The indices of a sparse tensor have one channel dim whose labels name dims of {shape}, but "
            f"found "
            f"{at.shape}. Try `wrap(indices, instance('entries'), channel(index='{','.join(shape.names)}'))`."
        )
    return found[0].labels or shape.names, found[0].name


def _lists(at: Tensor, index: str | None, count: int) -> tuple[list[Ints], Shape]:
    """`(index of each entry along each sparse dim, dims that list entries)`."""
    listing = at.shape.without(index or ())
    if not at.shape.is_uniform:
        raise IncompatibleShapes(f"Indices of a sparse tensor need uniform sizes, but found {at.shape}.")
    parts = [at if index is None else at[{index: i}] for i in range(count)]
    return [
        np.ascontiguousarray(part.numpy([listing.names] if listing else ()), np.int64).reshape(-1)
        for part in parts
    ], listing


def _check_inside(numbers: list[Ints], dims: Dims) -> None:
    for index, dim in zip(numbers, dims, strict=True):
        size = sizes_of([dim])[0]
        if len(index) and not 0 <= index.min() <= index.max() < size:
            raise IndexError(
                f"`sparse_tensor` found indices from {index.min()} to {index.max()} along `{dim.name}`, "
                f"which has "
                f"size {size}. Indices count from 0; correct them or the `dense_shape`."
            )


def _check_order(
    places: dict[str, Ints], outer: Dims, inner: Dims, is_sorted: bool, may_repeat: bool
) -> None:
    count = len(next(iter(places.values())))
    flat = [raveled([places[d.name] for d in dims], sizes_of(dims), count) for dims in (outer, inner)]
    if is_sorted and not is_increasing(*flat):
        raise IncompatibleShapes(
            f"`sparse_tensor(indices_sorted=True)`: entries must be listed by {outer}, then by {inner}, "
            f"without "
            f"repetition, but are not. Leave `indices_sorted` away."
        )
    if not may_repeat and len(np.unique(np.stack(flat), axis=1).T) < count:
        raise IncompatibleShapes(
            "`sparse_tensor(can_contain_double_entries=False)`: some places repeat. Allow it to add their "
            "values "
            "up, or pass each place once."
        )


def _listed_values(values: Any, listing: Shape, others: Shape, names: tuple[str, ...]) -> Tensor:
    """Values along the dim of entries, with all dims of the result that are not sparse."""
    x = as_tensor(values)
    unknown = x.shape.without(listing).without(others).names
    if unknown:
        raise IncompatibleShapes(
            f"The values {x.shape} of a sparse tensor have the dims of its indices {listing} and those of "
            f"`dense_shape` that are not sparse {others}, but found {unknown}. Add them to `dense_shape`."
        )
    full = expand(x, listing & others)
    entries = entries_dim(listing.volume or 0)
    if not listing:
        return expand(full, Shape.of((entries,)))
    return pack_dims(full, listing.names, Shape.of((entries,)))
