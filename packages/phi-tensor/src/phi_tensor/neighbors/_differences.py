"""Differences of all pairs of positions, or of those within a distance as a sparse tensor."""

from __future__ import annotations

from typing import Any

from phi_tensor._dim_changes import retyped
from phi_tensor._dim_types import dual
from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.neighbors._points import domain_of, listed_points, nearest_image
from phi_tensor.neighbors._search import Method, neighbor_graph
from phi_tensor.ops._call import as_tensor
from phi_tensor.ops._elementwise import where
from phi_tensor.ops._products import squared_norm
from phi_tensor.ops._structure import rename_dims
from phi_tensor.sparse._create import FORMATS


def pairwise_differences(
    positions: Any,
    max_distance: Any = None,
    format: str = "dense",
    domain: tuple[Any, Any] | None = None,
    periodic: Any = False,
    method: Method = "auto",
    default: float = float("nan"),
    avg_neighbors: float = 8.0,
) -> Tensor:
    """Differences x_j − x_i of all pairs of points: vectors from the point i (primal) to the point j (dual).

    Args:
        positions: Points `(…, points, vector)` [length]; instance and spatial dims list them.
        max_distance: Pairs farther apart get `default`, or are not stored [length]. Number, or `(…, points)`
            for the point i.
        format: `dense`; or `coo`, `csr`, `csc`: a sparse tensor that stores the pairs within `max_distance`,
            points with themselves included. Its pattern is a constant, so it is not for compiled functions:
            use `neighbor_graph` there.
        domain: Lower and upper corner [length], needed for `periodic`. Sparse formats raise for points
            outside along components that are not periodic.
        periodic: True, or one bool per component: the difference to the closest periodic image.
        method: How neighbours of sparse formats are found, see `neighbor_graph`.
        default: Dense: components of pairs farther apart than `max_distance`. Sparse tensors are 0 there.
        avg_neighbors: Guess for sparse formats, see `neighbor_graph`.

    Returns:
        Differences `(…, points, ~points, vector)` [length]. Derivatives of lengths at i = j need
        `norm(…, eps=…)`.

    Raises:
        IncompatibleShapes: A sparse format without `max_distance`; `periodic` without `domain`.
        Unsupported: There is no such format, or positions of a sparse one are traced.

    >>> import phi_tensor as math
    >>> x = math.wrap([[0.0], [2.0]], math.instance("points"), math.channel(vector="x"))
    >>> pairwise_differences(x).points[0].points.dual[1]
    (x=2.0)
    """
    if format == "dense":
        return _dense(positions, max_distance, domain, periodic, default)
    if format not in FORMATS:
        raise Unsupported(
            f"`pairwise_differences` has the formats 'dense', {', '.join(map(repr, FORMATS))}, but found "
            f"{format!r}. Use one of these."
        )
    if max_distance is None:
        raise IncompatibleShapes(
            f"`pairwise_differences(format={format!r})` stores pairs within a `max_distance`, but it is "
            f"None. Pass one, or use `format='dense'`."
        )
    if default == default and default != 0:
        raise Unsupported(
            f"`pairwise_differences(format={format!r}, default={default})`: a sparse tensor is 0 where "
            f"nothing is stored. Use `format='dense'` for other values."
        )
    x, _, _ = listed_points(positions, "pairwise_differences")
    graph = neighbor_graph(
        x, max_distance, domain, periodic, method, avg_neighbors=avg_neighbors, include_self=True
    )
    if not graph.indices.available:
        raise Unsupported(
            f"`pairwise_differences(format={format!r})` needs known positions, but these are traced. Use "
            f"`neighbor_graph(positions, …)` and its `differences` and `sum`, or `format='dense'`."
        )
    return graph.to_sparse(graph.differences(x), format)


def _dense(positions: Any, max_distance: Any, domain: Any, periodic: Any, default: float) -> Tensor:
    x, points, dim = listed_points(positions, "pairwise_differences")
    box = domain_of(domain, periodic, dim, "pairwise_differences")
    others = rename_dims(x, points.names, Shape.of(tuple(retyped(d, dual) for d in points.dims)))
    difference = nearest_image(others - x, None if box is None else box.period)
    if max_distance is None:
        return difference
    near = squared_norm(difference, dim.name) <= as_tensor(max_distance) ** 2
    return where(near, difference, default)
