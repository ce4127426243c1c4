"""Elements of collections: different ones, positions of non-zero ones, membership and counts."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from phi_tensor._create import tensor
from phi_tensor._dim import Dim
from phi_tensor._dim_types import channel, dual, instance, non_batch
from phi_tensor._dtype import INT64
from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._hidden import report
from phi_tensor._shape import Shape
from phi_tensor._spec import parse_shape_spec
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._layout import Dense
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor
from phi_tensor.ops._elementwise import where
from phi_tensor.ops._lookup import unravel_index
from phi_tensor.ops._masking import boolean_mask
from phi_tensor.ops._reductions import over_leaves, reduced_names
from phi_tensor.ops._sorting import first_true, unlabelled
from phi_tensor.ops._structure import concat, expand, pack_dims, rename_dims

_LISTED, _OTHERS = instance("_listed"), instance("_others")
_UNIQUE, _NONZERO, _VECTOR = instance("unique"), instance("nonzero"), channel("vector")


def unique(value: Any, dim: Any = non_batch, list_dim: Shape | str = _UNIQUE) -> Tensor:
    """Different elements along `dim` in ascending order; batch entries may have different numbers of them.

    Args:
        value: Tensor of real numbers. NaNs differ from each other.
        dim: Dims to reduce.
        list_dim: Dim that lists the result. With a size, the result has this size: the largest element is
            repeated, and more different elements are an error. Needed in compiled code.

    Raises:
        Unsupported: The elements are not known yet and `list_dim` has no size.
        IncompatibleShapes: There are more different elements than `list_dim` has entries.

    >>> import phi_tensor as math
    >>> unique(math.wrap([2, 1, 2], math.spatial("x")))
    (1, 2) along (unique:i=2) int64
    """
    x, new = as_tensor(value), _as_dim(list_dim)
    names = reduced_names(x.shape, dim, "unique")
    x = _listed(x, names)
    name, count = _LISTED.name, x.shape.get_size(_LISTED.name)
    _check_known(x, new, "unique")
    ordered = table.SORT(x, name=name)
    if count == 0:
        return rename_dims(ordered, name, new.without_sizes())
    changes = ordered[{name: slice(1, None)}] != ordered[{name: slice(None, -1)}]
    first = expand(tensor(True), changes.shape.without(name) & instance(**{name: 1}))
    starts = concat([first, changes], name)
    if new.size is None:
        ordered, starts = (rename_dims(t, name, new) for t in (ordered, starts))
        return boolean_mask(ordered, new.name, starts)
    positions, exists = first_true(starts, name, cast("int", new.size))
    number = table.SUM(starts, names=(name,))
    report(
        number > new.size,
        lambda _: IncompatibleShapes(
            f"`unique` found more different elements than `{new}` has entries. Choose a larger size."
        ),
    )
    chosen = table.TAKE(ordered, where(exists, positions, cast("int", count) - 1), name=name)
    return rename_dims(chosen, name, new)


def nonzero(
    value: Any,
    list_dim: Shape | str | int = _NONZERO,
    index_dim: Shape | str = _VECTOR,
    element_dims: Any = channel,
    list_dims: Any = non_batch,
    preserve_names: bool = False,
) -> Tensor:
    """Index vectors of the elements that are not zero, row-major; batch entries may have different numbers.

    Args:
        value: Tensor of numbers or bools.
        list_dim: Dim that lists the elements. With a size, only as many are listed, and -1 fills up where
            there are fewer; needed in compiled code. 1 instead of a dim: only the first, without a list.
        index_dim: Dim of the index vectors, whose labels will be the searched dims.
        element_dims: Components: elements are zero where all of them are.
        list_dims: Dims to search.
        preserve_names: List the labels of a single searched dim with its entries.

    Raises:
        Unsupported: The elements are not known yet and `list_dim` has no size.

    >>> import phi_tensor as math
    >>> nonzero(math.wrap([[0, 1], [0, 0]], math.spatial("x,y"))).numpy("nonzero,vector").tolist()
    [[0, 1]]
    """
    x = as_tensor(value)
    new = _NONZERO.with_size(1) if isinstance(list_dim, int) else _as_dim(list_dim)
    components = x.shape.selected_names(element_dims)
    names = tuple(n for n in reduced_names(x.shape, list_dims, "nonzero") if n not in components)
    if not names:
        raise IncompatibleShapes(
            f"`nonzero` searches at least one dim, but {x.shape} has only components. Name the dims to "
            f"search with `list_dims`, and `element_dims=()`."
        )
    if isinstance(list_dim, int) and list_dim != 1:
        raise IncompatibleShapes(f"`nonzero` takes 1 or a dim as `list_dim`, but found {list_dim}.")
    mask = table.ANY(x != 0, names=components)
    searched = mask.shape.only(names, reorder=True)
    _check_known(mask, new, "nonzero")
    if new.size is None:
        vector = parse_shape_spec(index_dim, channel) if isinstance(index_dim, str) else index_dim
        labels = searched.labels[0] if len(names) == 1 and preserve_names else None
        return _known_vectors(mask, new.dim, vector.dim.with_size(len(names), names), labels)
    mask = _listed(mask, names)
    entries = mask.shape.get_dim(_LISTED.name)
    positions, exists = first_true(mask, entries.name, cast("int", new.size))
    vectors = where(exists, unravel_index(positions, searched, index_dim), -1)
    return (
        vectors[{entries.name: 0}] if isinstance(list_dim, int) else rename_dims(vectors, entries.name, new)
    )


def _known_vectors(mask: Tensor, new: Dim, vector: Dim, labels: tuple[str, ...] | None) -> Tensor:
    """Positions of the True entries along the dims that label `vector`."""
    names = cast("tuple[str, ...]", vector.labels)
    others = mask.shape.without(names)
    if others:
        along = others[0]
        entries = [mask[{along.name: i}] for i in range(cast("int", along.size))]
        vectors = [_known_vectors(entry, new, vector, labels) for entry in entries]
        return table.STACK.once(*vectors, dim=along.dim)
    found = np.argwhere(mask.numpy(names)).astype(np.int64)
    kept = tuple(labels[int(i)] for i in cast("list[int]", found[:, 0].tolist())) if labels else None
    dims = (new.with_size(len(found), kept), vector)
    native = mask.backend.as_native(found, mask.device)
    return Tensor(Dense.of(dims, Shape.of(dims), INT64, mask.backend), (native,))


def count_nonzero(value: Any, dim: Any = non_batch) -> Any:
    """Number of elements along `dim` that are not zero.

    >>> import phi_tensor as math
    >>> count_nonzero(math.vec(x=0.0, y=2.0))
    1
    """
    return over_leaves(lambda x, names: table.SUM(x != 0, names=names), value, dim, "count_nonzero")


# --- membership


def contains(values: Any, query: Any, feature_dims: Any = channel) -> Tensor:
    """True where an item of `query` is among the items of `values`, see `count_occurrences`.

    >>> import phi_tensor as math
    >>> contains(math.wrap([1, 2, 2], math.instance("p")), math.wrap([2, 3], math.spatial("x")))
    (True, False) along (x:s=2) bool
    """
    return count_occurrences(values, query, feature_dims) > 0


def count_occurrences(values: Any, query: Any, feature_dims: Any = channel) -> Tensor:
    """How many items of `values` are equal to each item of `query`.

    Args:
        values: Tensor; its batch dims are matched with those of `query`, all other dims list the items.
        query: Tensor of the wanted items, whose dims the result has.
        feature_dims: Components of an item; items are equal if all of them are.

    >>> import phi_tensor as math
    >>> count_occurrences(math.wrap([1, 2, 2], math.instance("p")), math.wrap([2, 3], math.spatial("x")))
    (2, 0) along (x:s=2) int64
    """
    collection, wanted = as_tensor(values), as_tensor(query)
    features = collection.shape.selected_names(feature_dims)
    if set(features) != set(wanted.shape.only(features).names):
        raise IncompatibleShapes(
            f"Items of values {collection.shape} and query {wanted.shape} must have the same components "
            f"{features}. Name them with `feature_dims`."
        )
    names = tuple(n for n in collection.shape.non_batch.names if n not in features)
    collection = _listed(collection, names)
    if features:
        same = table.ALL(collection == wanted, names=features)
        return table.SUM(same, names=(_LISTED.name,))
    return _occurrences(table.SORT(collection, name=_LISTED.name), wanted, _LISTED.name)


def _occurrences(ordered: Tensor, wanted: Tensor, name: str) -> Tensor:
    behind = table.SEARCHSORTED(ordered, wanted, name=name, right=True)
    count = behind - table.SEARCHSORTED(ordered, wanted, name=name, right=False)
    return where(wanted == wanted, count, 0)


def count_intersections(
    values: Any, arg_dims: Any, list_dims: Any = instance, feature_dims: Any = channel
) -> Tensor:
    """How many items of each list are in each other list: `(…, lists, ~lists)`, counting those of `lists`.

    Args:
        values: Tensor `(lists, items, components, …)`.
        arg_dims: Dims that enumerate the lists.
        list_dims: Dims that list the items.
        feature_dims: Components of an item; items are equal if all of them are.

    >>> import phi_tensor as math
    >>> lists = math.wrap([[1, 2], [2, 3]], math.spatial("a"), math.instance("i"))
    >>> count_intersections(lists, "a").numpy("a,~a").tolist()
    [[2, 1], [1, 2]]
    """
    x = as_tensor(values)
    lists = reduced_names(x.shape, arg_dims, "count_intersections")
    features = tuple(n for n in x.shape.selected_names(feature_dims) if n not in lists)
    names = tuple(
        n for n in reduced_names(x.shape, list_dims, "count_intersections") if n not in (*lists, *features)
    )
    x = _listed(x, names)
    others = rename_dims(x, lists, dual)
    if features:
        pairs = table.ALL(x == rename_dims(others, _LISTED.name, _OTHERS), names=features)
        return table.SUM(table.ANY(pairs, names=(_OTHERS.name,)), names=(_LISTED.name,))
    found = _occurrences(
        table.SORT(others, name=_LISTED.name), rename_dims(x, _LISTED.name, _OTHERS), _LISTED.name
    )
    return table.SUM(found > 0, names=(_OTHERS.name,))


def _listed(x: Tensor, names: tuple[str, ...]) -> Tensor:
    """`x` with the dims `names` as one instance dim without labels."""
    if not names:
        return expand(x, _LISTED.with_size(1))
    if len(names) == 1:
        x = unlabelled(x, names[0])
    return pack_dims(x, names, _LISTED)


def _as_dim(dim: Shape | str) -> Shape:
    return parse_shape_spec(dim, instance) if isinstance(dim, str) else dim


def _check_known(x: Tensor, list_dim: Shape, function: str) -> None:
    if list_dim.size is None and not x.available:
        raise Unsupported(
            f"The number of results of `{function}` is unknown until its argument is known, on "
            f"{x.backend} as elsewhere. Inside `jit_compile` and derivatives give the list a size: "
            f"`list_dim=instance({list_dim.name}=…)`."
        )
