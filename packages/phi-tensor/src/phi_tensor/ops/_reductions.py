"""Reductions over named dims.

Without `dim` they run over all but batch dims; naming an absent dim is an error.

`dim` is a comma list, a shape, a dim type or filter (`spatial`, `non_batch`), or several of these. Filters
may match nothing.
"""

from __future__ import annotations

from typing import Any

from phi_tensor._context import local_settings
from phi_tensor._dim import suggestion
from phi_tensor._dim_types import DimFilter, DimType, batch, non_batch
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._plan import Row
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor._trees import tree_map
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor, is_container
from phi_tensor.ops._elementwise import safe_div, where
from phi_tensor.ops._structure import stack


def reduced_names(shape: Shape, dim: Any, function: str) -> tuple[str, ...]:
    """Names that a reduction runs over; absent strings and None raise."""
    if dim is None:
        raise IncompatibleShapes(
            f"`{function}(value, None)` is ambiguous. Name the dims, or leave `dim` away for all but batch "
            f"dims."
        )
    if isinstance(dim, str):
        names = tuple(name.strip() for name in dim.split(",") if name.strip())
        for name in names:
            if name not in shape:
                raise IncompatibleShapes(
                    f"`{function}` over `{name}`: there is no such dim in "
                    f"{shape}.{suggestion(name, shape.names)} "
                    f"To ignore absent dims pass a filter such as `spatial` or `shape.only('{name}')`."
                )
        return names
    if isinstance(dim, (list, tuple)):
        return tuple(dict.fromkeys(n for part in dim for n in reduced_names(shape, part, function)))  # pyright: ignore[reportUnknownVariableType]
    return shape.selected_names(dim)


def _reduce(row: Row, value: Any, dim: Any) -> Any:
    try:
        plan = row.plans[value.layout, dim, local_settings()]
    except (KeyError, AttributeError, TypeError):
        return _reduce_slowly(row, value, dim)
    return plan(value)


def _reduce_slowly(row: Row, value: Any, dim: Any) -> Any:
    if isinstance(value, Tensor):
        names = reduced_names(value.layout.shape, dim, row.name)
        if isinstance(dim, (str, DimType, DimFilter)):
            plan = row.make((value.layout, dim, local_settings()), (value.layout,), {"names": names})
            return plan(value)
        return row(value, names=names)
    if isinstance(value, (tuple, list)) and dim == "0":
        values = [as_tensor(v) for v in value]  # pyright: ignore[reportUnknownVariableType]
        return _reduce(row, stack(values, _ENTRIES.with_size(len(values)), expand_values=True), _ENTRIES.name)
    if is_container(value):
        hook = getattr(type(value), "__reduction__", None)
        if hook is not None:
            return hook(value, lambda leaf: _reduce(row, leaf, dim), dim)
        return tree_map(lambda leaf: _reduce(row, leaf, dim), value)
    return _reduce(row, as_tensor(value), dim)


_ENTRIES = batch("_entries")


def sum_(value: Any, dim: Any = non_batch) -> Any:
    """Sum along `dim`; ints and bools give 64-bit ints, constants are multiplied without being stored.

    >>> from phi_tensor import spatial, wrap
    >>> sum_(wrap([1.0, 2.0, 3.0], spatial("x")))
    6.0
    """
    return _reduce(table.SUM, value, dim)


def prod(value: Any, dim: Any = non_batch) -> Any:
    """Product along `dim`.

    >>> import phi_tensor as math
    >>> math.prod(math.vec(x=2.0, y=3.0))
    6.0
    """
    return _reduce(table.PROD, value, dim)


def mean(
    value: Any,
    dim: Any = non_batch,
    weight: Any = None,
    where_no_weight: Any = float("nan"),
    epsilon: float = 1e-10,
) -> Any:
    """Arithmetic mean along `dim`, optionally weighted; ragged entries count once each.

    Args:
        value: Tensor or tree of tensors.
        dim: Dims to reduce.
        weight: Non-negative weights; the result is Σ w·x / Σ w.
        where_no_weight: Result where the weights sum up to less than `epsilon`.
        epsilon: Smallest total weight that counts.

    >>> import phi_tensor as math
    >>> math.mean(math.wrap([[1.0, 2.0], [3.0, 4.0]], math.spatial("x,y")), "x")
    (2.0, 3.0) along (y:s=2) float32
    """
    if weight is None:
        return _reduce(table.MEAN, value, dim)
    weighted = as_tensor(value) * as_tensor(weight)
    total = _reduce(table.SUM, as_tensor(weight) + 0 * weighted, dim)
    return where(
        total >= epsilon,
        safe_div(_reduce(table.SUM, weighted, dim), where(total >= epsilon, total, 1)),
        where_no_weight,
    )


def std(value: Any, dim: Any = non_batch) -> Any:
    """Standard deviation of the population, √(mean of squared differences from the mean).

    >>> import phi_tensor as math
    >>> math.std(math.vec(x=1.0, y=3.0))
    1.0
    """
    if is_container(value):
        return tree_map(lambda leaf: std(leaf, dim), value)
    x = as_tensor(value)
    return table.SQRT(_reduce(table.MEAN, table.SQUARE(table.ABS(x - mean(x, dim))), dim))


def max_(value: Any, dim: Any = non_batch) -> Any:
    """Largest element along `dim`; NaN if any is. Raises for no elements.

    >>> import phi_tensor as math
    >>> math.max(math.vec(x=2.0, y=3.0))
    3.0
    """
    return _reduce(table.MAX, value, dim)


def min_(value: Any, dim: Any = non_batch) -> Any:
    """Smallest element along `dim`; NaN if any is. Raises for no elements."""
    return _reduce(table.MIN, value, dim)


def any_(boolean_value: Any, dim: Any = non_batch) -> Any:
    """True if some element along `dim` is True.

    >>> import phi_tensor as math
    >>> math.any(math.vec(x=2.0, y=3.0) > 2)
    True
    """
    return _reduce(table.ANY, boolean_value, dim)


def all_(boolean_value: Any, dim: Any = non_batch) -> Any:
    """True if every element along `dim` is True."""
    return _reduce(table.ALL, boolean_value, dim)


def cumulative_sum(x: Any, dim: Any) -> Any:
    """Running sum along one dim, including the element itself.

    >>> import phi_tensor as math
    >>> math.cumulative_sum(math.wrap([1.0, 2.0, 4.0], math.spatial("x")), "x")
    (1.0, 3.0, 7.0) along (x:s=3) float32
    """
    value = as_tensor(x)
    (name,) = reduced_names(value.shape, dim, "cumulative_sum")
    return table.CUMSUM(value, name=name)


def sort(x: Any, dim: Any) -> Any:
    """Elements in ascending order along one dim, which loses its labels.

    >>> import phi_tensor as math
    >>> math.sort(math.wrap([2.0, 1.0], math.spatial("x")), "x")
    (1.0, 2.0) along (x:s=2) float32
    """
    value = as_tensor(x)
    (name,) = reduced_names(value.shape, dim, "sort")
    unlabelled = value.shape.get_dim(name).with_size(value.shape.get_size(name))
    if value.shape.get_labels(name):
        value = table.RENAME(value, renamed=((name, unlabelled),))
    return table.SORT(value, name=name)


def argmax(x: Any, dim: Any) -> Any:
    """Position [-] of the largest element along one dim.

    >>> import phi_tensor as math
    >>> math.argmax(math.wrap([1.0, 2.0, 4.0], math.spatial("x")), "x")
    2
    """
    value = as_tensor(x)
    (name,) = reduced_names(value.shape, dim, "argmax")
    return table.ARGMAX(value, name=name)


def argmin(x: Any, dim: Any) -> Any:
    """Position [-] of the smallest element along one dim."""
    value = as_tensor(x)
    (name,) = reduced_names(value.shape, dim, "argmin")
    return table.ARGMIN(value, name=name)
