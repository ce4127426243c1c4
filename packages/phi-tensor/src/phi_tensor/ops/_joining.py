"""Values joined along dims of one type or by labels, cut apart, and brought to one size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from phi_tensor._bound_dim import hashable_selection
from phi_tensor._dim import Dim, flat_sizes
from phi_tensor._dim_changes import int_size
from phi_tensor._dim_types import DimType
from phi_tensor._dim_types import dim_type as as_dim_type
from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._shape import EMPTY_SHAPE, Shape, shape_of
from phi_tensor._spec import as_shape
from phi_tensor._tensor import Tensor
from phi_tensor._trees import tree_map
from phi_tensor.ops._call import as_tensor, is_container
from phi_tensor.ops._padding import pad
from phi_tensor.ops._slicing import picked
from phi_tensor.ops._structure import concat, expand, pack_dims, stack


def tcat(
    values: Sequence[Any], dim_type: DimType, expand_values: bool = False, default_name: str = "tcat"
) -> Any:
    """Values one after the other along the dims of one type, which are packed into one first.

    Args:
        values: Tensors or trees; those without such a dim count as one slice.
        dim_type: Type of the dims.
        expand_values: Add other dims that only some values have; without, only batch dims are added.
        default_name: Name of the resulting dim where the values have none, or several of which this is one;
            else the first name that is found.

    >>> import phi_tensor as math
    >>> tcat([math.vec(x=1.0, y=2.0), math.vec("vector", z=3.0)], math.channel)
    (x=1.0, y=2.0, z=3.0)
    """
    values, dim_type = _entries(values, "tcat"), as_dim_type(dim_type)
    if not values:
        raise IncompatibleShapes("`tcat` needs at least one value, but `values` is empty.")
    shapes = [shape_of(value).only(dim_type) for value in values]
    names = list(dict.fromkeys(name for shape in shapes for name in shape.names))
    default = dim_type.dim_name(default_name)
    name = default if not names or default in names else names[0]
    packed = [
        pack_dims(value, shape, dim_type(name)) if shape else expand(value, dim_type(**{name.lstrip("~"): 1}))
        for value, shape in zip(values, shapes, strict=True)
    ]
    return concat(packed, name, expand_values)


def ncat(values: Sequence[Any], dim: Shape, expand_values: bool = False) -> Any:
    """Labelled components side by side along `dim`, in the order of its labels.

    Args:
        values: Tensors or trees with some components along `dim`, labelled; those without the dim are one
            component each and get the remaining labels in order.
        dim: One dim with labels.
        expand_values: Add other dims that only some values have; without, only batch dims are added.

    >>> import phi_tensor as math
    >>> ncat([math.vec(y=2.0), 1.0], math.channel(vector="x,y"))
    (x=1.0, y=2.0)
    """
    values, dim = _entries(values, "ncat"), as_shape(dim, "ncat")
    new, labels = dim.dim, dim.dim.labels
    if labels is None:
        raise IncompatibleShapes(
            f"`ncat` orders components by the labels of `dim`, but ({new}) has none. Write e.g. "
            f"`channel(vector='x,y')`."
        )
    named: dict[str, Any] = {}
    single: list[Any] = []
    for value in values:
        if new.name in shape_of(value):
            given = shape_of(value).get_dim(new.name)
            named |= {label: value[{new.name: i}] for i, label in enumerate(given.labels or ())}
        else:
            single.append(value)
    missing = [label for label in labels if label not in named]
    unknown = [label for label in named if label not in labels]
    if len(missing) != len(single) or unknown:
        raise IncompatibleShapes(
            f"`ncat` along ({new}) found components {list(named)} and {len(single)} without label, but needs "
            f"each of {labels} once. Pass the missing ones, or relabel."
        )
    named |= dict(zip(missing, single, strict=True))
    return stack([named[label] for label in labels], dim, expand_values)


def _entries(values: Any, function: str) -> list[Any]:
    if isinstance(values, (Tensor, str)) or not isinstance(values, Iterable):
        raise TypeError(
            f"`{function}` joins a sequence of values, but found {type(values).__name__}. Try "
            f"`{function}([a, b], …)`."
        )
    return list(cast("Iterable[Any]", values))


def slice_off(x: Any, *slices: Mapping[str, Any]) -> Any:
    """`x` without the entries that the slices select.

    Args:
        x: Tensor or tree.
        *slices: Dicts from dim to what is removed: an index, a slice, labels or a list of these. A dict of
            several dims removes where all of them hold, which leaves sizes that vary. Absent dims are
            ignored.

    >>> import phi_tensor as math
    >>> slice_off(math.wrap([1, 2, 3], math.spatial("x")), {"x": -1})
    (1, 2) along (x:s=2) int64
    """
    if not isinstance(x, Tensor) and is_container(x):
        return tree_map(lambda leaf: slice_off(leaf, *slices), x)
    value = as_tensor(x)
    regions = [
        {name: _positions(value.shape.get_dim(name), item) for name, item in s.items() if name in value.shape}
        for s in slices
    ]
    return _without(value, [region for region in regions if region])


def _positions(dim: Dim, item: Any) -> frozenset[int]:
    if not isinstance(dim.size, int):
        raise Unsupported(
            f"`slice_off` along `{dim.name}`, whose size varies: {dim.size}. Take slices along {dim.over} "
            f"one by one and `stack` them."
        )
    found, _ = picked(dim, hashable_selection(item))
    if isinstance(found, slice):
        return frozenset(range(int_size(dim))[found])
    return frozenset(found if isinstance(found, tuple) else (found,))


def _without(value: Tensor, regions: list[dict[str, frozenset[int]]]) -> Tensor:
    crossing = next((region for region in regions if len(region) > 1), None)
    if crossing is None:
        for name in dict.fromkeys(name for region in regions for name in region):
            gone = frozenset[int]().union(*(region.get(name, ()) for region in regions))
            kept = [i for i in range(int_size(value.shape.get_dim(name))) if i not in gone]
            value = value[{name: _range_or_list(kept)}]
        return value
    along = next(iter(crossing))
    parts: list[Tensor] = []
    kept_labels: list[int] = []
    for i in range(int_size(value.shape.get_dim(along))):
        here = [region for region in regions if i in region.get(along, (i,))]
        inner = [{name: p for name, p in region.items() if name != along} for region in here]
        if all(inner):
            parts.append(_without(value[{along: i}], inner))
            kept_labels.append(i)
    dim = value.shape.get_dim(along)
    labels = tuple(dim.labels[i] for i in kept_labels) if dim.labels else None
    return stack(parts, Shape.of((dim.with_size(len(parts), labels),)))


def _range_or_list(kept: list[int]) -> slice | list[int]:
    first = kept[0] if kept else 0
    return slice(first, first + len(kept)) if kept == list(range(first, first + len(kept))) else kept


def pad_to_uniform(x: Any, target_shape: Shape = EMPTY_SHAPE, pad_value: Any = 0) -> Any:
    """`x` with `pad_value` behind shorter entries, so that no size varies.

    Args:
        x: Tensor or tree.
        target_shape: Sizes to pad to; default: the largest along each dim.
        pad_value: New entries.

    Raises:
        IncompatibleShapes: `target_shape` is smaller than the values.

    >>> import phi_tensor as math
    >>> pad_to_uniform(math.stack([math.ones(math.spatial(x=n)) for n in (1, 3)], math.batch("b"))).b[0]
    (1.0, 0.0, 0.0) along (x:s=3) float32
    """
    if not isinstance(x, Tensor) and is_container(x):
        return tree_map(lambda leaf: pad_to_uniform(leaf, target_shape, pad_value), x)
    value = as_tensor(x)
    target_shape = as_shape(target_shape, "pad_to_uniform")
    targets = {dim.name: _target(dim, target_shape) for dim in value.shape.dims}
    return _padded(value, targets, pad_value)


def _target(dim: Dim, target: Shape) -> int:
    longest = max(flat_sizes(dim.size))
    if dim.name not in target or target.get_size(dim.name) is None:
        return longest
    size = int_size(target.get_dim(dim.name))
    if size < longest:
        raise IncompatibleShapes(
            f"`pad_to_uniform` cannot pad `{dim.name}` with {longest} entries to {size}. Slice the values, "
            f"or ask for at least {longest}."
        )
    return size


def _padded(value: Tensor, targets: dict[str, int], pad_value: Any) -> Tensor:
    ragged = next((dim for dim in value.shape.dims if dim.over), None)
    if ragged is not None:
        along = value.shape[ragged.over[0]]
        entries = range(int_size(along.dim))
        value = stack([_padded(value[{along.name: i}], targets, pad_value) for i in entries], along)
    sizes = {dim.name: cast("int", dim.size) for dim in value.shape.dims}
    return pad(value, {name: (0, targets[name] - size) for name, size in sizes.items()}, pad_value)
