"""Functions that rearrange dims: stack, concat, expand, rename, pack, unpack, flip, roll.

Trees are rearranged leaf by leaf.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from phi_tensor._context import local_settings
from phi_tensor._dim import Dim
from phi_tensor._dim_changes import retyped
from phi_tensor._dim_types import DimFilter, DimType, dim_type, instance, non_batch
from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._hooks import asked, is_shaped, is_structured, joined, rearranged, sliced
from phi_tensor._plan import PlanCall
from phi_tensor._shape import Shape, merge_shapes, shape_of
from phi_tensor._spec import parse_shape_spec
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._layout import Layout
from phi_tensor.ops import _table as table


def _by_parts(hook: str, function: Any, value: Any, *args: Any, **options: Any) -> Any:
    """`function` applied to a wrapped number or to the parts of a tree, see `_hooks`."""
    found = rearranged(hook, function, value, *args, **options)
    if found is not NotImplemented:
        return found
    if is_shaped(value):
        raise Unsupported(
            f"`{function.__name__}` moves numbers of tensors, but found {type(value).__name__} {value!r}. "
            f"Slice and `stack` objects instead, e.g. `value.x[::-1]`, or give the class the hook "
            f"`{hook or '__variable_attrs__'}`."
        )
    return function(_leaf(value), *args, **options)


def as_dim(dim: Shape | str, default_type: DimType | None = None) -> Dim:
    """The single dim that a shape or a spec string describes."""
    return (parse_shape_spec(dim, default_type) if isinstance(dim, str) else dim).dim


def expand(value: Any, *dims: Shape | str) -> Any:
    """`value` with more dims, along which it is constant and takes no memory; present dims must agree.

    >>> import phi_tensor as math
    >>> expand(math.wrap(1.0), math.batch(b=1000)).shape
    (b:b=1000)
    """
    only = dims[0] if len(dims) == 1 else None
    shape = only if isinstance(only, Shape) else _merged(dims)
    if not isinstance(value, Tensor):
        return _by_parts("__expand__", expand, value, shape)
    key = (local_settings(), value.layout, shape.dims)
    plan = table.EXPAND.plans.get(key) or table.EXPAND.composed(
        key, lambda: expansion(value.layout, shape) or _unchanged
    )
    return plan(value)


def _merged(dims: tuple[Shape | str, ...]) -> Shape:
    return merge_shapes(*(parse_shape_spec(d) if isinstance(d, str) else d for d in dims))


def _unchanged(value: Tensor) -> Tensor:
    return value


def expansion(layout: Layout, shape: Shape) -> PlanCall | None:
    """Plan that adds the dims of `shape`; None where they are there."""
    present = all(dim.name in layout.shape for dim in shape.dims)
    if present and merge_shapes(layout.shape, shape) == layout.shape:
        return None
    return table.EXPAND.plan(layout, dims=shape.dims)


def rename_dims(value: Any, dims: Any, names: Any) -> Any:
    """`value` with other names, types or labels of the selected dims. Absent dims are ignored.

    Args:
        value: Tensor or tree.
        dims: Which dims, e.g. `'x,y'`, `spatial`.
        names: As many new dims: a shape (`instance('others')`), names (types stay), or a dim type (names
            stay).

    >>> import phi_tensor as math
    >>> rename_dims(math.zeros(math.spatial(x=3)), "x", math.batch("b")).shape
    (b:b=3)
    """
    if not isinstance(value, Tensor):
        if isinstance(value, Shape):
            return _renamed_shape(value, dims, names)
        return _by_parts("__replace_dims__", rename_dims, value, dims, names)
    table_ = _renaming(value.shape, dims, names)
    return table.RENAME(value, renamed=table_) if table_ else value


def _renaming(shape: Shape, dims: Any, names: Any) -> tuple[tuple[str, Dim], ...]:
    wanted = (
        [name.strip() for name in dims.split(",")]
        if isinstance(dims, str)
        else list(shape.selected_names(dims))
    )
    if isinstance(dims, Shape):
        wanted = list(dims.names)
    if isinstance(dims, (tuple, list)) and all(isinstance(d, str) for d in cast("list[Any]", dims)):
        wanted = [str(name) for name in cast("list[Any]", dims)]
    if isinstance(names, (DimType, DimFilter)):
        new_type = dim_type(cast("DimType", names))
        return tuple((name, retyped(shape.get_dim(name), new_type)) for name in wanted if name in shape)
    new: list[Any] = (
        [n.strip() for n in names.split(",")]
        if isinstance(names, str)
        else list(names.dims if isinstance(names, Shape) else names)
    )
    if len(new) != len(wanted):
        raise IncompatibleShapes(
            f"`rename_dims` exchanges dims one by one, but {wanted} are {len(wanted)} and {names!r} are "
            f"{len(new)}."
        )
    return tuple(
        (old, _new_dim(shape.get_dim(old), n)) for old, n in zip(wanted, new, strict=True) if old in shape
    )


def _new_dim(old: Dim, new: Any) -> Dim:
    if isinstance(new, str):
        return old.with_name(new) if ":" not in new else _new_dim(old, parse_shape_spec(new).dim)
    dim = cast("Dim", new if isinstance(new, Dim) else new.dim)
    if dim.size is not None and dim.size != old.size:
        raise IncompatibleShapes(
            f"Dim `{old.name}` of size {old.size} cannot become `{dim}`: the sizes differ."
        )
    return Dim.of(dim.name, dim.type, old.size, dim.labels or old.labels, old.over)


def _renamed_shape(shape: Shape, dims: Any, names: Any) -> Shape:
    renamed = dict(_renaming(shape, dims, names))
    return Shape.of(tuple(renamed.get(dim.name, dim) for dim in shape.dims))


def stack(
    values: Any,
    dim: Shape | str,
    expand_values: bool = False,
    simplify: bool = False,
    layout_non_matching: bool = False,
) -> Any:
    """Values side by side along a new dim. Lazy: nothing is copied until one array is needed.

    Args:
        values: Sequence of tensors, numbers or trees of one structure, or a dict whose keys become labels.
            Texts and other objects, of which no value is a tensor, become the objects of a `layout`; None
            alone stays None.
        dim: The new dim; its size may be undefined. Several dims are filled row-major.
        expand_values: Add dims that only some values have; without, only batch dims are added.
        simplify: Return the first value, without the dim, if all are known to be equal.
        layout_non_matching: Values that do not fit together become the objects of a `layout`.

    Raises:
        IncompatibleShapes: Structures, dims or labels do not fit. Sizes may differ: the result is ragged.

    >>> import phi_tensor as math
    >>> stack({"x": 1.0, "y": 2.0}, math.channel("vector"))
    (x=1.0, y=2.0)
    """
    if simplify or layout_non_matching:
        from phi_tensor.ops._stacking import stack_leniently  # noqa: PLC0415 objects need this module

        return stack_leniently(values, dim, expand_values, simplify, layout_non_matching)
    try:
        plan = table.STACK.plans[dim, expand_values, local_settings(), *[value.layout for value in values]]
    except (KeyError, AttributeError, TypeError):
        return _stack_slowly(values, dim, expand_values)
    return plan(*values)


def _stack_slowly(values: Any, dim: Shape | str, expand_values: bool) -> Any:
    shape = parse_shape_spec(dim) if isinstance(dim, str) else dim
    if isinstance(values, dict):
        items = cast("dict[str, Any]", values)
        return stack(list(items.values()), shape.with_size(tuple(items)), expand_values)
    if not isinstance(values, Iterable):
        raise TypeError(f"`stack` needs a sequence or dict of values, but found {type(values).__name__}.")
    entries: list[Any] = list(cast("Iterable[Any]", values))
    if not entries:
        raise IncompatibleShapes(f"`stack` along {shape} needs at least one value. Use `zeros` for size 0.")
    if not any(is_structured(entry) or is_arraylike(entry) for entry in entries):
        from phi_tensor.ops._stacking import objects_along  # noqa: PLC0415 objects need this module

        return None if all(entry is None for entry in entries) else objects_along(entries, shape)
    if shape.rank > 1:
        return _stack_many(entries, shape, expand_values)
    if not all(is_arraylike(entry) for entry in entries):
        options = {"expand_values": True} if expand_values else {}
        return joined("__stack__", stack, entries, shape, **options)
    tensors = [_leaf(entry) for entry in entries]
    size = shape.dim.size
    if size is not None and size != len(tensors):
        raise IncompatibleShapes(
            f"{len(tensors)} values cannot be stacked along {shape}. Leave the size away or pass {size} "
            f"values."
        )
    new = shape.dim.with_size(len(tensors), shape.dim.labels)
    equal = _equal_dims(tensors, new, expand_values)
    if all(a is b for a, b in zip(equal, entries, strict=True)):
        key = (dim, expand_values, local_settings(), *[x.layout for x in equal])
        return table.STACK.make(key, tuple(x.layout for x in equal), {"dim": new})(*equal)
    return table.STACK(*equal, dim=new)


def is_arraylike(x: Any) -> bool:
    """True for tensors, numbers and native arrays."""
    from phi_tensor.backends._registry import backend_of  # noqa: PLC0415 backends need shapes

    return isinstance(x, (Tensor, bool, int, float, complex)) or backend_of(x) is not None


def _leaf(x: Any) -> Tensor:
    from phi_tensor._create import wrap  # noqa: PLC0415 creation needs `stack`

    return x if isinstance(x, Tensor) else wrap(x)


def _stack_many(entries: list[Any], shape: Shape, expand_values: bool) -> Any:
    if shape.volume != len(entries):
        raise IncompatibleShapes(
            f"{len(entries)} values cannot fill {shape}, which has {shape.volume} places."
        )
    step = len(entries) // cast("int", shape[0].size)
    inner = [stack(entries[i : i + step], shape[1:], expand_values) for i in range(0, len(entries), step)]
    return stack(inner, shape[0], expand_values)


def _equal_dims(tensors: list[Tensor], new: Dim, expand_values: bool) -> list[Tensor]:
    names = [set(t.shape.names) for t in tensors]
    if new.name in set().union(*names):
        raise IncompatibleShapes(
            f"`stack` makes a new dim, but `{new.name}` exists in {[t.shape for t in tensors]}. Use "
            f"`concat` or rename."
        )
    if all(n == names[0] for n in names):
        return tensors
    union: dict[str, Dim] = {}
    for t in tensors:
        for dim in t.shape.dims:
            union.setdefault(dim.name, dim)
    missing = [dim for dim in union.values() if not all(dim.name in n for n in names)]
    refused = [dim for dim in missing if dim.type.name != "batch" and not expand_values]
    if refused:
        raise IncompatibleShapes(
            f"`stack` needs values with the same non-batch dims, but {refused} are missing in some of "
            f"{[t.shape for t in tensors]}. "
            f"Pass `expand_values=True` to repeat values along them."
        )
    return [expand(t, Shape.of(tuple(dim for dim in missing if dim.name not in t.shape))) for t in tensors]


def concat(values: Any, dim: Any, expand_values: bool = False) -> Any:
    """Values one after the other along a dim that they have.

    Args:
        values: Sequence of tensors or of trees of one structure.
        dim: Name, or shape of the dim.
        expand_values: Add dims (other than `dim`) that only some values have; without, only batch dims are
            added.

    Raises:
        IncompatibleShapes: Sizes of other dims differ, labels repeat, dims are missing.

    >>> import phi_tensor as math
    >>> concat([math.vec(x=1.0), math.vec(y=2.0)], "vector")
    (x=1.0, y=2.0)
    """
    try:
        plan = table.CONCAT.plans[dim, expand_values, local_settings(), *[value.layout for value in values]]
    except (KeyError, AttributeError, TypeError):
        return _concat_slowly(values, dim, expand_values)
    return plan(*values)


def _concat_slowly(values: Any, dim: Any, expand_values: bool) -> Any:
    if not isinstance(values, Iterable) or not isinstance(dim, (str, Shape)):
        raise TypeError(
            f"`concat` joins a sequence of values along one dim, but found {type(values).__name__} and "
            f"{dim!r}. Try `concat([a, b], 'x')`."
        )
    entries: list[Any] = list(cast("Iterable[Any]", values))
    given = entries
    if not entries:
        raise IncompatibleShapes("`concat` needs at least one value.")
    name = dim if isinstance(dim, str) else dim.name
    if any(not isinstance(entry, Tensor) for entry in entries):
        options = {"expand_values": True} if expand_values else {}
        return joined("__concat__", _concat_leaves, entries, name, **options)
    for entry in entries:
        if name not in entry.shape:
            raise IncompatibleShapes(
                f"`concat` along `{name}`: the dim is missing in {entry.shape}. Use `stack` for a new dim."
            )
    if len(entries) > 1:
        entries = [entry for entry in entries if entry.shape.get_size(name) != 0] or entries[:1]
    if len(entries) == 1:
        return entries[0]
    union: dict[str, Dim] = {}
    for entry in entries:
        for d in entry.shape.dims:
            union.setdefault(d.name, d)
    missing = [
        d for d in union.values() if d.name != name and not all(d.name in entry.shape for entry in entries)
    ]
    refused = [d for d in missing if d.type.name != "batch" and not expand_values]
    if refused:
        raise IncompatibleShapes(
            f"`concat` needs values with the same dims, but {refused} are missing in some of "
            f"{[e.shape for e in entries]}."
        )
    same = [
        expand(entry, Shape.of(tuple(d for d in missing if d.name not in entry.shape))) for entry in entries
    ]
    if len(same) == len(given) and all(a is b for a, b in zip(same, given, strict=True)):
        key = (dim, expand_values, local_settings(), *[x.layout for x in same])
        return table.CONCAT.make(key, tuple(x.layout for x in same), {"dim": name})(*same)
    return table.CONCAT(*same, dim=name)


def _concat_leaves(values: list[Any], dim: str, expand_values: bool = False) -> Any:
    """Values along `dim`; numbers, which lack it, stay as they are where they are equal."""
    if all(isinstance(value, Tensor) for value in values):
        return concat(values, dim, expand_values)
    if len({value if isinstance(value, (bool, int, float, complex)) else None for value in values}) > 1:
        raise IncompatibleShapes(
            f"`concat` along `{dim}`: numbers lack this dim, but found {values}. Use `stack` for a new dim."
        )
    return values[0]


_expanded = expand
"""`expand` where an argument has this name."""


def unstack(value: Any, dim: Any, expand: bool = False) -> tuple[Any, ...]:
    """Slices along one dim, or along several in row-major order.

    Args:
        value: Tensor or tree.
        dim: Which dims. Without any of them, `value` alone.
        expand: Repeat `value` along dims that it lacks; `dim` is a shape with sizes then.

    >>> import phi_tensor as math
    >>> unstack(math.vec(x=1.0, y=2.0), "vector")
    (1.0, 2.0)
    """
    shape = shape_of(value)
    if expand and isinstance(dim, Shape) and dim.without(shape):
        return unstack(_expanded(value, dim.without(shape)), dim.names)
    names = shape.selected_names(dim)
    if not names:
        return (value,)
    answer = asked(value, "__unstack__", names)
    if answer is not NotImplemented:
        return tuple(answer)
    first, *rest = names
    size = shape.get_dim(first).size
    if not isinstance(size, int):
        raise IncompatibleShapes(
            f"`unstack` found dim `{first}` of varying size {size} in {shape}. Unstack the dim it varies "
            f"along first."
        )
    slices = [sliced(value, {first: i}) for i in range(size)]
    return tuple(slices) if not rest else tuple(s for part in slices for s in unstack(part, rest))


def slice_(value: Any, slices: dict[str, Any]) -> Any:
    """`value` sliced by a dict from dim names to selections; trees part by part, absent dims ignored.

    >>> import phi_tensor as math
    >>> slice_([math.vec(x=1.0, y=2.0), 3.0, "text"], {"vector": "y"})
    [2.0, 3.0, 'text']
    """
    return sliced(value, slices)


def pack_dims(value: Any, dims: Any, packed_dim: Shape | str, pos: int | None = None) -> Any:
    """`value` with several dims merged into one, row-major in the order of `dims`. Absent dims are ignored.

    Args:
        value: Tensor or tree.
        dims: Dims to merge.
        packed_dim: The new dim; without any dim to pack it is added only if it has a size.
        pos: Position of the new dim in the shape.

    >>> import phi_tensor as math
    >>> pack_dims(math.zeros(math.spatial(x=2, y=3)), "x,y", instance("points")).shape
    (points:i=6)
    """
    if not isinstance(value, Tensor):
        return _by_parts("__pack_dims__", pack_dims, value, dims, packed_dim, pos)
    new = as_dim(packed_dim)
    names = value.shape.selected_names(dims)
    if not names:
        return value if new.size is None else expand(value, Shape.of((new,)))
    if len(names) == 1 and not value.shape.get_dim(names[0]).over and new.labels is None:
        return rename_dims(value, names[0], Shape.of((new,)))
    return table.PACK(value, names=names, dim=new, position=pos)


def unpack_dim(value: Any, dim: Any, *unpacked_dims: Shape | str) -> Any:
    """`value` with one dim split into several, row-major; one new size may be undefined.

    >>> import phi_tensor as math
    >>> unpack_dim(math.arange(math.spatial(x=6)), "x", math.spatial(y=2, z=3)).shape
    (y:s=2, z:s=3)
    """
    dims = _merged(unpacked_dims)
    if not isinstance(value, Tensor):
        return _by_parts("__unpack_dim__", unpack_dim, value, dim, dims)
    names = value.shape.selected_names(dim)
    if not names:
        return value
    return table.UNPACK(value, name=names[0], dims=dims.dims)


def flatten(value: Any, flat_dim: Shape | str | None = None, flatten_batch: bool = False) -> Any:
    """`value` with all dims but batch dims packed into one (default: instance `flat`)."""
    if not isinstance(value, Tensor):
        return _by_parts("__flatten__", flatten, value, flat_dim, flatten_batch)
    dims = _all if flatten_batch else non_batch
    return pack_dims(value, dims, instance("flat") if flat_dim is None else flat_dim)


def _all(shape: Shape) -> Shape:
    return shape


def squeeze(x: Any, dims: Any) -> Any:
    """`x` without the selected dims, which must have size 1."""
    for name in shape_of(x).selected_names(dims):
        if shape_of(x).get_size(name) != 1:
            raise IncompatibleShapes(
                f"`squeeze` drops dims of size 1, but `{name}` has size {shape_of(x).get_size(name)}. "
                f"Slice it."
            )
        x = sliced(x, {name: 0})
    return x


def flip(value: Any, dims: Any) -> Any:
    """`value` with the entries (and labels) of the selected dims in reverse order.

    >>> import phi_tensor as math
    >>> flip(math.vec(x=1.0, y=2.0), "vector")
    (y=2.0, x=1.0)
    """
    if not isinstance(value, Tensor):
        return _by_parts("", flip, value, dims)
    names = value.shape.selected_names(dims)
    return table.FLIP(value, names=names) if names else value


def roll(value: Any, shift: int, dim: str) -> Any:
    """`value` shifted cyclically along one dim: entry i moves to i + `shift`.

    >>> import phi_tensor as math
    >>> roll(math.arange(math.spatial(x=3)), 1, "x")
    (2, 0, 1) along (x:s=3) int64
    """
    if not isinstance(value, Tensor):
        return _by_parts("", roll, value, shift, dim)
    return table.ROLL(value, name=dim, shift=shift)
