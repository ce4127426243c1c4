"""Pairs of points: functions of pairs, the closest points. `neighbors/` has those within a distance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, cast

import numpy as np

from phi_tensor._create import wrap
from phi_tensor._dim import Dim
from phi_tensor._dim_changes import merged_dim, retyped
from phi_tensor._dim_types import dual, instance
from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor.ops._call import as_tensor
from phi_tensor.ops._elementwise import where
from phi_tensor.ops._lookup import unravel_index
from phi_tensor.ops._products import squared_norm
from phi_tensor.ops._sorting import argmin
from phi_tensor.ops._structure import as_dim, expand, pack_dims, rename_dims

Method = Literal["kd", "dense"]


def map_pairs(map_function: Callable[[Any, Any], Any], values: Any, connections: Any) -> Any:
    """`map_function(value i, value j)` for all pairs that are connected, 0 for all others.

    Args:
        map_function: Function of two tensors, called once: values `(…, points)` of the first points (primal)
            and `(…, ~points)` of the second (dual) of all pairs.
        values: Values `(…, points)`.
        connections: Matrix `(…, points, ~points)`; pairs with entries other than 0 (or False) are connected.

    Returns:
        What `map_function` returns, with the dims of `connections`. Where it is not finite for pairs that are
        not connected, its derivative is not either: let it divide by `safe_div`.

    >>> import phi_tensor as math
    >>> x, every_pair = math.wrap([1.0, 3.0], math.instance("p")), math.ones(math.instance(p=2) & math.dual)
    >>> map_pairs(lambda a, b: b - a, x, every_pair).p[0]
    (0.0, 2.0) along (~p:d=2) float32
    """
    x, matrix = as_tensor(values), as_tensor(connections)
    names = tuple(name.lstrip("~") for name in matrix.shape.dual.names)
    if not names or x.shape.dual or any(name not in matrix.shape or name not in x.shape for name in names):
        raise IncompatibleShapes(
            f"`map_pairs` needs values along dims that `connections` has as primal and as dual dims, but "
            f"found {x.shape} and {matrix.shape}."
        )
    second = Shape.of(tuple(retyped(x.shape.get_dim(name), dual) for name in names))
    result = map_function(x, rename_dims(x, names, second))
    connected = matrix if matrix.dtype.kind is bool else matrix != 0
    return where(connected, result, 0)


def find_closest(
    vectors: Any, query: Any = None, /, method: Method = "kd", index_dim: Shape | str | None = "index:c"
) -> Any:
    """Positions in `vectors` of the points closest to those of `query`: `vectors[find_closest(vectors, q)]`.

    Args:
        vectors: Points `(batch…, points, vector)`; instance and spatial dims list them.
        query: Points `(…, vector)`; batch dims of `vectors` are matched. None: a function of `query` that
            keeps its k-d tree is returned.
        method: `kd` searches k-d trees on the host, in 64 bit; it needs numbers, so it cannot be compiled or
            differentiated through. `dense` computes all distances on the device.
        index_dim: Dim that lists the positions along the dims of the points; None gives flat indices,
            row-major.

    Returns:
        Ints `(…, index_dim)` with the names of the points' dims as labels. No derivative.

    Raises:
        Unsupported: `kd` with tensors that are traced or differentiated.

    >>> import phi_tensor as math
    >>> x = math.wrap([[0.0], [2.0]], math.instance("points"), math.channel(vector="x"))
    >>> math.find_closest(x, math.vec(x=1.5), index_dim=None)
    1
    """
    points = as_tensor(vectors)
    if method not in _METHODS:
        raise Unsupported(f"`find_closest` has the methods {tuple(_METHODS)}, but found {method!r}.")
    shape = points_of(points, "find_closest")
    components = components_of(points, "find_closest")
    if not points.shape.volume:
        raise IncompatibleShapes(
            f"`find_closest` needs at least one point with one component, but found {points.shape}. Test the "
            f"sizes first."
        )
    search = _METHODS[method](points, shape, components)

    def closest(query: Any) -> Tensor:
        flat = search(as_tensor(query))
        return flat if index_dim is None else unravel_index(flat, shape, Shape.of((as_dim(index_dim),)))

    return closest if query is None else closest(query)


def _by_distances(points: Tensor, shape: Shape, dim: Dim) -> Callable[[Tensor], Tensor]:
    hidden = Shape.of(tuple(instance(**{f"_{d.name}": d.size}).dim for d in shape.dims))
    apart = rename_dims(points, shape.names, hidden)

    def search(query: Tensor) -> Tensor:
        merged_dim(dim, _samecomponents_of(query, dim))
        distances = squared_norm(apart - query, dim.name)
        flat = pack_dims(distances, hidden.names, instance("_points"))
        return argmin(flat, flat.shape.only([*hidden.names, "_points"]).names, index_dim=None)

    return search


def _by_tree(points: Tensor, shape: Shape, dim: Dim) -> Callable[[Tensor], Tensor]:
    from scipy import spatial

    _check_known(points)
    entries = points.shape.without(shape.names).without(dim.name)
    arrays = _matrices_of(points, entries, shape, dim)
    trees = [spatial.cKDTree(array) for array in arrays]

    def search(query: Tensor) -> Tensor:
        merged_dim(dim, _samecomponents_of(query, dim))
        _check_known(query)
        matched = merge_shapes(entries, query.shape.only(entries.names))
        listed = query.shape.without(dim.name).without(entries.names)
        where_to = _matrices_of(expand(query, matched), matched, listed, dim)
        found = np.stack([tree.query(array)[1] for tree, array in zip(trees, where_to, strict=True)])
        dims = (*matched.dims, *listed.dims)
        native = found.astype(np.int64).reshape([cast("int", d.size) for d in dims])
        backend = points.backend if query.backend.mixes else query.backend
        return wrap(backend.as_native(native, None), Shape.of(dims))

    return search


_METHODS: dict[str, Callable[[Tensor, Shape, Dim], Callable[[Tensor], Tensor]]] = {
    "kd": _by_tree,
    "dense": _by_distances,
}


def _matrices_of(x: Tensor, batch: Shape, points: Shape, dim: Dim) -> Any:
    """Points of all batch entries, as an array (batch, points, components)."""
    array = x.numpy([*batch.names, *points.names, dim.name])
    return array.reshape((cast("int", batch.volume), cast("int", points.volume), cast("int", dim.size)))


def _check_known(x: Tensor) -> None:
    if not x.available:
        raise Unsupported(
            f"`find_closest(method='kd')` searches on the host and needs numbers, but a tensor of shape "
            f"{x.shape} on `{x.backend}` is being traced or differentiated. Use `method='dense'`."
        )


def points_of(x: Tensor, function: str) -> Shape:
    """Dims that list points."""
    points = x.shape.non_batch.non_channel.non_dual
    if not points or not points.is_uniform:
        raise IncompatibleShapes(
            f"`{function}` needs points along instance or spatial dims of one size, but found {x.shape}. "
            f"Slice dims along which sizes vary."
        )
    return points


def components_of(x: Tensor, function: str) -> Dim:
    """The component dim: `vector`, else the only channel dim."""
    channels = x.shape.channel
    if "vector" in channels:
        return channels.get_dim("vector")
    if channels.rank != 1:
        raise IncompatibleShapes(
            f"`{function}` needs points with one component dim, but found {x.shape}. Name it `vector`."
        )
    return channels.dim


def _samecomponents_of(query: Tensor, dim: Dim) -> Dim:
    if dim.name not in query.shape:
        raise IncompatibleShapes(
            f"`find_closest` needs a query with components ({dim}), but found {query.shape}."
        )
    return query.shape.get_dim(dim.name)
