"""Objects and strings along dims: `layout(…)` makes a tree that slices, stacks and prints by dims.

It is no tensor: there are no numbers, no arithmetic, no backend.

>>> import phi_tensor as math
>>> names = math.layout(["left", "right"], math.channel("side"))
>>> names.side[1]
'right'
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from phi_tensor._bound_dim import BoundDim, hashable_selection, selection_of
from phi_tensor._dim import KNOWN_NAMES, Dim, suggestion
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._shape import EMPTY_SHAPE, Shape, concat_shapes, merge_shapes
from phi_tensor._spec import parse_shape_spec
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._concat import concat_dim
from phi_tensor.layouts._layout import stacked_shape
from phi_tensor.ops._comparison import equal
from phi_tensor.ops._slicing import picked
from phi_tensor.ops._structure import rename_dims

Position = Mapping[str, int]


class Objects:
    """Python objects along named, typed dims; made by `layout`. Immutable.

    Slicing down to one place returns the object there. `==` compares shapes and all objects and gives a bool.

    Attributes:
        shape: Dims with names, types, sizes and labels.
    """

    __slots__ = ("_cells", "shape")

    shape: Shape

    __array_ufunc__ = None

    def __init__(self, shape: Shape, at: Callable[[dict[str, int]], Any]) -> None:
        self.shape = shape
        self._cells = {tuple(place.values()): at(place) for place in positions(shape)}

    def at(self, position: Position) -> Any:
        """The object at one place, given by all dims; further dims are ignored."""
        return self._cells[tuple([position[name] for name in self.shape.names])]

    def native(self, order: Any = None) -> Any:
        """The objects as nested lists in the given order of dims; without dims, the object itself."""
        names = self.shape.names if order is None else self.shape.selected_names(order)
        if set(names) != set(self.shape.names) or (order is None and self.shape.rank > 1):
            raise IncompatibleShapes(
                f"`native` needs the order of all dims of {self.shape}, but found {order!r}. Write e.g. "
                f"`native({','.join(self.shape.names)!r})`."
            )
        return self._nested(names, self.shape, {})

    def _nested(self, names: Sequence[str], shape: Shape, place: dict[str, int]) -> Any:
        if not names:
            return self.at(place)
        size = shape.get_size(names[0])
        if not isinstance(size, int):
            raise IncompatibleShapes(
                f"The size of `{names[0]}` varies along `{shape.get_dim(names[0]).over[0]}`. List that first."
            )
        parts = shape.unstack(names[0])
        return [self._nested(names[1:], parts[i], {**place, names[0]: i}) for i in range(size)]

    # --- dims

    def __getattr__(self, name: str) -> BoundDim[Objects]:
        if name.startswith("_") or (name not in KNOWN_NAMES and name not in self.shape):
            raise AttributeError(
                f"Objects have no attribute `{name}`, and no dim of this name was ever created; these have "
                f"{self.shape}.{suggestion(name, (*self.shape.names, *dir(Objects)))}"
            )
        return BoundDim(self, name)

    def __getitem__(self, item: Any) -> Any:
        result: Objects = self
        for name, selected in selection_of(self.shape, item).items():
            if name not in self.shape:
                continue
            if isinstance(selected, Tensor) and selected.rank == 1 and selected.shape.names != (name,):
                result = result._looked_up(name, selected)
            else:
                result = result._sliced(name, _plain(selected, name))
        return result if result.shape.rank or not self.shape.rank else result.at({})

    def _sliced(self, name: str, item: Any) -> Objects:
        dim = self.shape.get_dim(name)
        if dim.over:
            return self._part_wise(dim, item)
        where, new = picked(dim, item)
        if isinstance(where, int):
            return Objects(self.shape.unstack(name)[where], lambda place: self.at({**place, name: where}))
        assert new is not None
        chosen = where if isinstance(where, tuple) else range(cast("int", dim.size))[where]
        parts = [self._sliced(name, i) for i in chosen]
        return _stacked(parts, new) if parts else Objects(_without_entries(self.shape, new), self.at)

    def _looked_up(self, name: str, indices: Tensor) -> Objects:
        """The objects at positions along a dim, which stand along the dim of the positions then."""
        dim, places = indices.shape.dim, _plain(indices, name)
        if dim.name in self.shape or not places:
            raise IncompatibleShapes(
                f"Objects are looked up along `{name}` by positions along a new dim, at least one, but found "
                f"{indices.shape} for {self.shape}. Rename the dim of the positions."
            )
        return _stacked([self._sliced(name, i) for i in places], dim)

    def _part_wise(self, dim: Dim, item: Any) -> Objects:
        along = self.shape.get_dim(dim.over[0])
        parts = [self._sliced(along.name, i)._sliced(dim.name, item) for i in range(cast("int", along.size))]
        return _stacked(parts, along)

    def __iter__(self) -> Iterator[Any]:
        """All objects, row-major."""
        return iter(self._cells.values())

    def __len__(self) -> int:
        """Number of objects."""
        return len(self._cells)

    def __bool__(self) -> bool:
        return bool(self._cells)

    # --- structure: what `stack`, `concat`, `expand`, `rename_dims`, `pack_dims`, `unpack_dim` call

    @staticmethod
    def __stack__(values: Sequence[Any], dim: Shape, expand_values: bool = False) -> Objects:
        parts = [as_objects(value) for value in values]
        if dim.size not in (None, len(parts)):
            raise IncompatibleShapes(
                f"{len(parts)} values cannot be stacked along {dim}. Leave the size away."
            )
        shape = merge_shapes(*(part.shape.without_sizes() for part in parts))
        missing = [part.shape for part in parts if set(part.shape.names) != set(shape.names)]
        if missing and expand_values:
            whole = merge_shapes(*(part.shape for part in parts))
            return Objects.__stack__([part.__expand__(whole) for part in parts], dim)
        if missing or dim.name in shape:
            raise IncompatibleShapes(
                f"`stack` along {dim} needs objects with the same other dims, but found "
                f"{[part.shape for part in parts]}. Expand or rename some."
            )
        return _stacked(parts, dim.dim.with_size(len(parts), dim.dim.labels))

    @staticmethod
    def __concat__(values: Sequence[Any], name: str, expand_values: bool = False) -> Objects:
        parts = [as_objects(value) for value in values]
        if expand_values:
            others = merge_shapes(*(part.shape.without(name) for part in parts))
            parts = [part.__expand__(others) for part in parts]
        for part in parts:
            if name not in part.shape or part.shape.get_dim(name).over:
                raise IncompatibleShapes(
                    f"`concat` along `{name}`: the dim is missing or its size varies in {part.shape}. Use "
                    f"`stack`."
                )
        new = concat_dim([part.shape.get_dim(name) for part in parts])
        sizes = [cast("int", part.shape.get_size(name)) for part in parts]
        entries = [
            part._sliced(name, i) for part, size in zip(parts, sizes, strict=True) for i in range(size)
        ]
        return _stacked(entries, new) if entries else parts[0]

    def __expand__(self, dims: Shape) -> Objects:
        return Objects(merge_shapes(dims, self.shape), self.at)

    def __replace_dims__(self, dims: Any, names: Any) -> Objects:
        shape = rename_dims(self.shape, dims, names)
        back = dict(zip(shape.names, self.shape.names, strict=True))
        return Objects(shape, lambda place: self.at({back[name]: i for name, i in place.items()}))

    def __pack_dims__(self, dims: Any, packed_dim: Shape | str, pos: int | None = None) -> Objects:
        new = (parse_shape_spec(packed_dim) if isinstance(packed_dim, str) else packed_dim).dim
        names = self.shape.selected_names(dims)
        if not names:
            return self if new.size is None else self.__expand__(Shape.of((new,)))
        inner = self.shape.only(names, reorder=True)
        needed = {name for dim in self.shape.non_uniform.dims for name in (dim.name, *dim.over)}
        if needed & set(names) and not needed <= set(names):
            raise IncompatibleShapes(
                f"Packing {names} of {self.shape} would leave sizes that vary. Pack {sorted(needed)}."
            )
        places = list(positions(inner))
        if new.size not in (None, len(places)):
            raise IncompatibleShapes(
                f"Packing {names} of {self.shape} gives {len(places)} entries, but {new} was asked for."
            )
        rest = list(self.shape.without(names).dims)
        at = min(self.shape.names.index(name) for name in names) if pos is None else pos
        rest.insert(at, new.with_size(len(places), new.labels))
        return Objects(Shape.of(tuple(rest)), lambda place: self.at({**place, **places[place[new.name]]}))

    def __unpack_dim__(self, dim: Any, unpacked_dims: Sequence[Shape | str]) -> Objects:
        names = self.shape.selected_names(dim)
        if not names:
            return self
        old = self.shape.get_dim(names[0])
        given = merge_shapes(*unpacked_dims)
        size, known = cast("int", old.size), given.defined.volume or 1
        new = Shape.of(tuple(d.with_size(size // known) if d.size is None else d for d in given.dims))
        if given.undefined.rank > 1 or new.volume != size:
            raise IncompatibleShapes(
                f"Dim `{old.name}` of size {size} cannot be split into {given}: sizes must multiply to it."
            )
        index = {tuple(place.values()): i for i, place in enumerate(positions(new))}
        start = self.shape.names.index(old.name)
        shape = concat_shapes(self.shape[:start], new, self.shape[start + 1 :])
        return Objects(
            shape, lambda place: self.at({**place, old.name: index[tuple([place[n] for n in new.names])]})
        )

    # --- as a value

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Objects) or self.shape != other.shape:
            return False
        return all(_same(self.at(place), other.at(place)) for place in positions(self.shape))

    def __hash__(self) -> int:
        return hash(self.shape)

    def __repr__(self) -> str:
        if not self.shape.rank:
            return f"layout({self.at({})!r})"
        if self.shape.rank == 1 and self.shape.dims[0].labels:
            return (
                f"({', '.join(f'{k}={v!r}' for k, v in zip(self.shape.dims[0].labels, self, strict=True))})"
            )
        if len(self._cells) > MOST_PRINTED:
            kinds = sorted({type(value).__name__ for value in self})
            return f"{self.shape} {' or '.join(kinds)}"
        ordered = sorted(self.shape.dims, key=lambda dim: len(dim.over))
        nested = self._nested([dim.name for dim in ordered], self.shape, {})
        return f"{_text(nested, self.shape.rank)} along {self.shape}"

    def __reduce__(self) -> tuple[Any, ...]:
        return objects_of, (self.shape, list(self))


MOST_PRINTED = 16
"""More objects are not listed in texts."""


def layout(objects: Any, *shape: Shape | str) -> Objects:
    """Objects along dims: strings, functions, or whatever cannot be numbers of a tensor.

    Args:
        objects: Nested lists, tuples or dicts, one level per dim; keys of dicts become labels. Everything
            below is an object, also a list or a tensor. Lists of different lengths give sizes that vary.
        *shape: One dim per level; sizes may be left away. Without dims, `objects` is one object.

    Returns:
        Tree with a shape: it slices (`x.name[0]`, `x['label']`), stacks, concatenates, expands, renames,
        packs and iterates by dims, and has no arithmetic.

    Raises:
        IncompatibleShapes: Fewer levels than dims, or sizes and keys that do not fit.

    >>> import phi_tensor as math
    >>> layout({"u": 1, "v": "one"}, math.channel("k"))["v"]
    'one'
    """
    dims = concat_shapes(*(parse_shape_spec(s) if isinstance(s, str) else s for s in shape))
    return _laid_out(objects, dims)


def as_objects(value: Any) -> Objects:
    """`value` as objects: itself, or one object without dims."""
    return value if isinstance(value, Objects) else Objects(EMPTY_SHAPE, lambda _: value)


def positions(shape: Shape) -> Iterator[dict[str, int]]:
    """All places of a shape with sizes that may vary; indices by name in the order of the dims, row-major."""
    if shape.is_uniform:
        yield from shape.meshgrid()
        return
    along = next(dim for dim in shape.dims if not dim.over)
    for i, rest in enumerate(shape.unstack(along.name)):
        for place in positions(rest):
            whole = {**place, along.name: i}
            yield {name: whole[name] for name in shape.names}


def _laid_out(objects: Any, dims: Shape) -> Objects:
    if not dims.rank:
        return as_objects(objects)
    if isinstance(objects, dict):
        items = cast("dict[Any, Any]", objects)
        entries, labels = list(items.values()), tuple(str(key) for key in items)
    elif isinstance(objects, (list, tuple)):
        entries, labels = list(cast("Sequence[Any]", objects)), None
    else:
        raise IncompatibleShapes(
            f"`layout` needs one level of lists, tuples or dicts per dim of {dims}, but found {objects!r} in "
            f"place of `{dims.names[0]}`. Repeat objects with `expand`."
        )
    dim = dims.dims[0]
    if dim.size not in (None, len(entries)) or (dim.labels and labels and dim.labels != labels):
        raise IncompatibleShapes(
            f"`layout` was given the dim `{dim}`, but there are {len(entries)} entries {labels or ''}. Leave "
            f"size and labels away."
        )
    new = dim.with_size(len(entries), dim.labels or labels)
    if not entries:
        rest = tuple(d.with_size(d.size or 0, d.labels) for d in dims.dims[1:])
        return Objects(Shape.of((new, *rest)), as_objects(None).at)
    return _stacked([_laid_out(entry, dims[1:]) for entry in entries], new)


def _stacked(parts: Sequence[Objects], dim: Dim) -> Objects:
    for entry in parts[0].shape.dims:
        others = [part.shape.get_dim(entry.name) for part in parts]
        other = next((other for other in others if not _may_meet(entry, other)), None)
        if other is not None:
            raise IncompatibleShapes(
                f"Objects side by side along `{dim.name}` need the same labels and types of dims, but found "
                f"({entry}) and ({other}). Put them in one order."
            )
    shape = stacked_shape(dim, tuple(part.shape.dims for part in parts))
    return Objects(shape, lambda place: parts[place[dim.name]].at(place))


def _may_meet(a: Dim, b: Dim) -> bool:
    return a.type is b.type and (a.labels == b.labels or a.size != b.size)


def _without_entries(shape: Shape, dim: Dim) -> Shape:
    """Shape without any entry along `dim`; sizes that vary along it are 0."""
    rest = (d.with_size(0) if dim.name in d.over else d for d in shape.dims)
    return Shape.of(tuple(dim if d.name == dim.name else d for d in rest))


def _plain(item: Any, name: str) -> Any:
    """Selection without tensors: masks and indices become lists."""
    if isinstance(item, Tensor):
        array = item.numpy(item.shape.names)
        is_mask = item.dtype.kind is bool
        if item.rank > 1 or (is_mask and item.shape.names != (name,)) or item.dtype.kind not in (bool, int):
            raise IncompatibleShapes(
                f"Objects are sliced along `{name}` by indices or a mask of one dim, but found {item.shape}."
            )
        if is_mask:
            return tuple(int(i) for i in array.nonzero()[0])
        return tuple(int(i) for i in array) if item.rank else int(array)
    return hashable_selection(item)


def _same(a: Any, b: Any) -> bool:
    """Whether two objects are equal; number by number where comparing gives no bool."""
    if a is b:
        return True
    try:
        return bool(a == b)
    except (ValueError, TypeError):
        return equal(a, b, equal_nan=True)


def _text(nested: Any, depth: int) -> str:
    if not depth:
        return repr(nested)
    return f"({', '.join(_text(entry, depth - 1) for entry in nested)})"


def objects_of(shape: Shape, values: Sequence[Any]) -> Objects:
    """Objects with this shape, row-major."""
    entries = iter(values)
    return Objects(shape, lambda _: next(entries))
