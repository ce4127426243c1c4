"""Running sums, products and extremes along a dim, and their inverse, differences."""

from __future__ import annotations

from typing import Any

from phi_tensor._dim_types import channel
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._plan import Row
from phi_tensor._shape import Shape
from phi_tensor._spec import parse_shape_spec
from phi_tensor._tensor import Tensor
from phi_tensor._trees import tree_map
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor, is_container
from phi_tensor.ops._padding import pad
from phi_tensor.ops._reductions import in_one_dim, reduced_names
from phi_tensor.ops._sorting import along_one_dim, one_dim, unlabelled
from phi_tensor.ops._structure import expand, unpack_dim


def cumulative_sum(
    x: Any,
    dim: Any,
    include_0: bool = False,
    include_sum: bool = True,
    index_dim: Shape | str | None = None,
) -> Any:
    """Running sum along a dim, including the element itself.

    Args:
        x: Tensor or tree.
        dim: The dim; several are summed as if they were one, row-major in this order.
        include_0: Start with 0, before the first element.
        include_sum: End with the total; else leave it out.
        index_dim: Dim to add, labelled by `dim`, which makes index vectors of the sums.

    Raises:
        IncompatibleShapes: Several dims, and the number of sums is not that of the elements.

    >>> import phi_tensor as math
    >>> cumulative_sum(math.wrap([1.0, 2.0, 4.0], math.spatial("x")), "x")
    (1.0, 3.0, 7.0) along (x:s=3) float32
    >>> cumulative_sum(math.wrap([1, 2, 4], math.spatial("x")), "x", include_0=True, include_sum=False)
    (0, 1, 3) along (x:s=3) int64
    """
    if include_sum and not include_0 and index_dim is None:
        return along_one_dim(table.CUMSUM, x, dim, _sums)
    return _sums(x, dim, include_0, include_sum, index_dim)


def _sums(
    x: Any,
    dim: Any,
    include_0: bool = False,
    include_sum: bool = True,
    index_dim: Shape | str | None = None,
) -> Any:
    if is_container(x):
        return tree_map(lambda leaf: cumulative_sum(leaf, dim, include_0, include_sum, index_dim), x)
    value = as_tensor(x)
    names = reduced_names(value.shape, dim, "cumulative_sum")
    if not names or (len(names) > 1 and (include_0 == include_sum or index_dim is not None)):
        raise IncompatibleShapes(
            f"`cumulative_sum` along {names} of {value.shape} needs one dim, or exactly one of `include_0` "
            f"and `include_sum`, so that there are as many sums as elements. Pack the dims with `pack_dims`."
        )
    name, (flat,) = in_one_dim(names, value)
    sums: Tensor = table.CUMSUM(flat, name=name)
    widths = (int(include_0), int(include_sum) - 1)
    if any(widths):
        sums = pad(unlabelled(sums, name), {name: widths}, 0)
    if index_dim is not None:
        new = parse_shape_spec(index_dim, channel) if isinstance(index_dim, str) else index_dim
        sums = expand(sums, Shape.of((new.dim.with_size(1, names),)))
    return sums if len(names) == 1 else unpack_dim(sums, name, value.shape.only(names, reorder=True))


def cumulative_prod(x: Any, dim: Any) -> Any:
    """Running product along one dim, including the element itself.

    >>> import phi_tensor as math
    >>> cumulative_prod(math.wrap([1.0, 2.0, 4.0], math.spatial("x")), "x")
    (1.0, 2.0, 8.0) along (x:s=3) float32
    """
    return _running(table.CUMPROD, x, dim, "cumulative_prod")


def cumulative_max(x: Any, dim: Any) -> Any:
    """Largest of all elements up to each one along one dim. Its derivative is not unique where several are.

    >>> import phi_tensor as math
    >>> cumulative_max(math.wrap([2.0, 1.0, 4.0], math.spatial("x")), "x")
    (2.0, 2.0, 4.0) along (x:s=3) float32
    """
    return _running(table.CUMMAX, x, dim, "cumulative_max")


def cumulative_min(x: Any, dim: Any) -> Any:
    """Smallest of all elements up to each one along one dim, see `cumulative_max`.

    >>> import phi_tensor as math
    >>> cumulative_min(math.wrap([2.0, 1.0, 4.0], math.spatial("x")), "x")
    (2.0, 1.0, 1.0) along (x:s=3) float32
    """
    return _running(table.CUMMIN, x, dim, "cumulative_min")


def _running(row: Row, x: Any, dim: Any, function: str) -> Any:
    return along_one_dim(row, x, dim, lambda x, dim: _running_slowly(row, x, dim, function))


def _running_slowly(row: Row, x: Any, dim: Any, function: str) -> Any:
    if is_container(x):
        return tree_map(lambda leaf: _running(row, leaf, dim, function), x)
    value = as_tensor(x)
    return row(value, name=one_dim(value.shape, dim, function))


def differences(x: Any, dim: Any, order: int = 1) -> Any:
    """Differences xᵢ₊₁ − xᵢ of neighbours along one dim, which shrinks by 1 and loses its labels.

    Args:
        x: Tensor or tree.
        dim: The dim.
        order: How often differences are taken.

    >>> import phi_tensor as math
    >>> differences(math.wrap([1.0, 2.0, 4.0], math.spatial("x")), "x")
    (1.0, 2.0) along (x:s=2) float32
    """
    if is_container(x):
        return tree_map(lambda leaf: differences(leaf, dim, order), x)
    value = as_tensor(x)
    name = one_dim(value.shape, dim, "differences")
    value = unlabelled(value, name)
    for _ in range(order):
        value = value[{name: slice(1, None)}] - value[{name: slice(None, -1)}]
    return value
