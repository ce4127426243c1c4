"""Counting by bins."""

from __future__ import annotations

from typing import Any, cast

from phi_tensor._create import linspace
from phi_tensor._dim_types import batch, channel, instance, spatial
from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._spec import as_shape
from phi_tensor._tensor import Tensor
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor
from phi_tensor.ops._elementwise import where
from phi_tensor.ops._scatter import scatter
from phi_tensor.ops._sorting import one_dim, unlabelled
from phi_tensor.ops._statistics import finite_max, finite_min
from phi_tensor.ops._structure import expand, pack_dims

MOST_BINS = 2**31
"""Bins that `bincount` makes without being asked for their number."""

_BINS, _LISTED = spatial(bins=30), instance("_listed")


def histogram(
    values: Any,
    bins: Shape | str | Tensor = _BINS,
    weights: Any = 1,
    same_bins: Any = None,
    eps: float = 1e-5,
) -> tuple[Tensor, Tensor, Tensor]:
    """`(histogram, edges of the bins, their centers)`: sums of weights of the values in each bin.

    Bins include their lower edge, the last one also its upper edge; values outside and NaNs are not counted.

    Args:
        values: Tensor; its batch dims stay, all other dims list the values.
        bins: Dim and number of equal bins from the smallest to the largest finite value; or the ascending
            edges of all bins, with one dim that is not a batch dim.
        weights: Number or tensor, the weight of each value; the histogram has its element type.
        same_bins: Batch dims whose entries share equal bins. Others have bins of their own.
        eps: Added to the largest value for the last edge.

    Raises:
        IncompatibleShapes: `bins` has not exactly one dim that is not a batch dim.

    >>> import phi_tensor as math
    >>> histogram(math.wrap([0.0, 0.2, 1.0], math.instance("p")), math.spatial(bins=2))[0]
    (2, 1) along (bins:s=2) int64
    """
    x, weight = as_tensor(values), as_tensor(weights)
    edges = bins if isinstance(bins, Tensor) else _equal_bins(x, bins, same_bins, eps)
    name = one_dim(edges.shape, edges.shape.non_batch.names, "histogram")
    count = cast("int", edges.shape.get_size(name)) - 1
    edges = unlabelled(edges, name)
    listed = merge_shapes(x.shape, weight.shape).non_batch
    x, weight = (pack_dims(expand(v, listed), listed.names, _LISTED) if listed else v for v in (x, weight))
    behind = table.SEARCHSORTED(edges, x, name=name, right=True)
    at = where(x == edges[{name: -1}], count - 1, behind - 1)
    new = edges.shape.get_dim(name)
    found = _added(at, Shape.of((new.with_size(count),)), weight, "discard")
    centers = (edges[{name: slice(1, None)}] + edges[{name: slice(None, -1)}]) / 2
    return found, edges, centers


def _equal_bins(x: Tensor, bins: Shape | str, same: Any, eps: float) -> Tensor:
    shape = as_shape(bins, "histogram", spatial)
    if shape.rank != 1 or not isinstance(shape.size, int) or shape.size < 1:
        raise IncompatibleShapes(
            f"`histogram` needs one dim and the number of its bins, or a tensor of edges, but found "
            f"{bins!r}. Try `spatial(bins=30)`."
        )
    shared = () if same is None else x.shape.selected_names(same)
    names = tuple(n for n in x.shape.names if n not in x.shape.batch.names or n in shared)
    dim = Shape.of((shape.dim.with_size(shape.size + 1),))
    return linspace(finite_min(x, names), finite_max(x, names) + eps, dim)


def bincount(values: Any, bins: Shape | str, weights: Any = 1) -> Tensor:
    """How often each of the ints 0, 1, … occurs, or the sums of their weights.

    Args:
        values: Tensor of ints; its batch dims stay, all other dims list the values.
        bins: Dim of the result and its size, above the largest value. The size may be left away where the
            values are known.
        weights: Number or tensor, the weight of each value; the result has its element type.

    Raises:
        IndexError: A value is negative or too large (found out as late as `check` says, see `checked`).
        Unsupported: `bins` has no size and the values are not known yet.

    >>> import phi_tensor as math
    >>> bincount(math.wrap([0, 2, 2], math.instance("p")), math.spatial("bins"))
    (1, 0, 2) along (bins:s=3) int64
    """
    x, weight = as_tensor(values), as_tensor(weights)
    if x.dtype.kind is not int:
        raise IncompatibleShapes(
            f"`bincount` counts ints, but found {x.dtype}. Use `histogram` or `to_int64`."
        )
    shape = as_shape(bins, "bincount", spatial)
    listed = merge_shapes(x.shape, weight.shape).non_batch
    x, weight = (pack_dims(expand(v, listed), listed.names, _LISTED) if listed else v for v in (x, weight))
    if shape.size is None:
        if not x.available:
            raise Unsupported(
                f"`bincount` finds the number of bins only of known values. Inside `jit_compile` on "
                f"{x.backend} give it: `bins={shape.type!r}({shape.name}=…)`."
            )
        largest = table.MAX(x, names=x.shape.names) if x.shape.volume else -1
        if largest >= MOST_BINS:
            raise IncompatibleShapes(
                f"`bincount` found the value {int(largest)}, which would need more than {MOST_BINS} bins. "
                f"Pass their number, or use `histogram` or `unique`."
            )
        shape = shape.with_size(int(largest) + 1)
    return _added(x, shape, weight, "check")


def _added(positions: Tensor, bins: Shape, weights: Tensor, outside: Any) -> Tensor:
    """Sums of the weights at each position along the one dim `bins`."""
    if _LISTED.name not in positions.shape:
        positions, weights = (expand(v, _LISTED.with_size(1)) for v in (positions, weights))
    vectors = expand(positions, channel(_index=bins.name))
    return scatter(bins, vectors, weights, mode="add", outside_handling=outside, treat_as_batch=batch)
