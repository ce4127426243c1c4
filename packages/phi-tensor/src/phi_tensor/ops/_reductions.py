"""Reductions over named dims.

Without `dim` they run over all but batch dims; naming an absent dim is an error.

`dim` is a comma list, a shape, a dim type or filter (`spatial`, `non_batch`), or several of these. Filters
may match nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from phi_tensor._context import local_settings
from phi_tensor._create import zeros_like
from phi_tensor._dim import suggestion
from phi_tensor._dim_types import DimFilter, DimType, batch, instance, non_batch
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._plan import Row
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor._trees import tree_map
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor, is_container
from phi_tensor.ops._elementwise import where
from phi_tensor.ops._structure import expand, pack_dims, stack


def reduced_names(shape: Shape, dim: Any, function: str) -> tuple[str, ...]:
    """Names that a reduction runs over; absent strings and None raise."""
    if dim is None:
        raise IncompatibleShapes(
            f"`{function}(value, None)` is ambiguous. Name the dims, or leave `dim` away for all but batch "
            f"dims."
        )
    if isinstance(dim, str):
        names = tuple(dict.fromkeys(name.strip() for name in dim.split(",") if name.strip()))
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


def reduce_by(row: Row, value: Any, dim: Any) -> Any:
    """Result of a row that reduces dims, for tensors, sequences and trees."""
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
        return reduce_by(
            row, stack(values, _ENTRIES.with_size(len(values)), expand_values=True), _ENTRIES.name
        )
    if is_container(value):
        hook = getattr(type(value), "__reduction__", None)
        if hook is not None:
            return hook(value, lambda leaf: reduce_by(row, leaf, dim), dim)
        return tree_map(lambda leaf: reduce_by(row, leaf, dim), value)
    return reduce_by(row, as_tensor(value), dim)


_ENTRIES = batch("_entries")
_PACKED = instance("_packed")


def over_leaves(
    function: Callable[[Tensor, tuple[str, ...]], Tensor], value: Any, dim: Any, name: str, *others: Any
) -> Any:
    """`function(tensor, reduced names)` of a tensor, a sequence along `"0"`, or each tensor of a tree.

    Args:
        function: What reduces one tensor.
        value: Tensor or tree; objects with `__reduction__` say themselves what happens.
        dim: Dims to reduce.
        name: Name of the public function, for messages.
        others: Operands whose dims may be reduced although the tensor lacks them.
    """
    if isinstance(value, Tensor):
        shape = (
            value.shape if not others else merge_shapes(value.shape, *(as_tensor(x).shape for x in others))
        )
        return function(value, reduced_names(shape, dim, name))
    if isinstance(value, (tuple, list)) and dim == "0":
        values = [as_tensor(v) for v in value]  # pyright: ignore[reportUnknownVariableType]
        stacked = stack(values, _ENTRIES.with_size(len(values)), expand_values=True)
        return over_leaves(function, stacked, _ENTRIES.name, name, *others)
    if is_container(value):
        hook = getattr(type(value), "__reduction__", None)
        if hook is not None:
            return hook(value, lambda leaf: over_leaves(function, leaf, dim, name, *others), dim)
        return tree_map(lambda leaf: over_leaves(function, leaf, dim, name, *others), value)
    return over_leaves(function, as_tensor(value), dim, name, *others)


def sum_(value: Any, dim: Any = non_batch) -> Any:
    """Sum along `dim`; ints and bools give 64-bit ints, constants are multiplied without being stored.

    >>> from phi_tensor import spatial, wrap
    >>> sum_(wrap([1.0, 2.0, 3.0], spatial("x")))
    6.0
    """
    return reduce_by(table.SUM, value, dim)


def prod(value: Any, dim: Any = non_batch) -> Any:
    """Product along `dim`.

    >>> import phi_tensor as math
    >>> math.prod(math.vec(x=2.0, y=3.0))
    6.0
    """
    return reduce_by(table.PROD, value, dim)


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
        return reduce_by(table.MEAN, value, dim)
    return over_leaves(
        lambda leaf, names: _weighted_mean(leaf, names, as_tensor(weight), where_no_weight, epsilon),
        value,
        dim,
        "mean",
        weight,
    )


def _weighted_mean(
    value: Tensor, names: tuple[str, ...], weight: Tensor, where_no_weight: Any, epsilon: float
) -> Tensor:
    weighted = value * weight
    total = table.SUM(weight + zeros_like(table.REAL(weighted)), names=names)
    enough = (total >= epsilon) & (total > 0)  # `epsilon` may be 0 in 16 bit
    return where(enough, table.SUM(weighted, names=names) / where(enough, total, 1), where_no_weight)


def max_(value: Any, dim: Any = non_batch, key: Any = None) -> Any:
    """Largest element along `dim`; NaN if any is. Elements that are equally large share its derivative.

    Args:
        value: Tensor or tree.
        dim: Dims to reduce.
        key: Tensor; if given, the result is the value where the key is largest, see `at_max`.

    Raises:
        IncompatibleShapes: There are no elements.

    >>> import phi_tensor as math
    >>> math.max(math.vec(x=2.0, y=3.0))
    3.0
    """
    return reduce_by(table.MAX, value, dim) if key is None else at_max(value, key, dim)


def min_(value: Any, dim: Any = non_batch, key: Any = None) -> Any:
    """Smallest element along `dim`, see `max`; with `key` the value where the key is smallest.

    >>> import phi_tensor as math
    >>> math.min(math.vec(x=2.0, y=3.0))
    2.0
    """
    return reduce_by(table.MIN, value, dim) if key is None else at_min(value, key, dim)


def at_max(value: Any, key: Any, dim: Any = non_batch) -> Any:
    """Value at the position along `dim` where `key` is largest; the first of several.

    Args:
        value: Tensor or tree; dims that it lacks do not change it.
        key: Tensor that decides.
        dim: Dims of `key` to search and reduce.

    Raises:
        IncompatibleShapes: There are no elements, or `key` lacks a dim.

    >>> import phi_tensor as math
    >>> at_max(math.wrap([1, 2], math.spatial("x")), math.wrap([5.0, 4.0], math.spatial("x")))
    1
    """
    return _at(table.ARGMAX, value, as_tensor(key), dim, "at_max")


def at_min(value: Any, key: Any, dim: Any = non_batch) -> Any:
    """Value at the position along `dim` where `key` is smallest, see `at_max`.

    >>> import phi_tensor as math
    >>> at_min(math.wrap([1, 2], math.spatial("x")), math.wrap([5.0, 4.0], math.spatial("x")))
    2
    """
    return _at(table.ARGMIN, value, as_tensor(key), dim, "at_min")


def _at(row: Row, value: Any, key: Tensor, dim: Any, function: str) -> Any:
    if not isinstance(value, Tensor):
        if is_container(value):
            return tree_map(lambda leaf: _at(row, leaf, key, dim, function), value)
        value = as_tensor(value)
    names = reduced_names(key.shape, dim, function)
    if not names:
        return value
    check_not_empty(key.shape, names, function)
    name, (key, value) = in_one_dim(names, key, expand(value, key.shape.only(names)))
    return table.TAKE(value, row(key, name=name), name=name)


def in_one_dim(names: tuple[str, ...], *values: Tensor) -> tuple[str, list[Tensor]]:
    """`(name, values)` with the dims `names` packed into the one dim `name`, if they are several."""
    if len(names) == 1:
        return names[0], list(values)
    return _PACKED.name, [pack_dims(value, names, _PACKED) for value in values]


def check_not_empty(shape: Shape, names: tuple[str, ...], function: str) -> None:
    """Raise where there are no elements to choose from."""
    if any(shape.get_size(name) == 0 for name in names):
        raise IncompatibleShapes(
            f"`{function}` of no elements is undefined, but {names} of {shape} are empty. Test the size "
            f"first."
        )


def any_(boolean_value: Any, dim: Any = non_batch) -> Any:
    """True if some element along `dim` is True.

    >>> import phi_tensor as math
    >>> math.any(math.vec(x=2.0, y=3.0) > 2)
    True
    """
    return reduce_by(table.ANY, boolean_value, dim)


def all_(boolean_value: Any, dim: Any = non_batch) -> Any:
    """True if every element along `dim` is True."""
    return reduce_by(table.ALL, boolean_value, dim)
