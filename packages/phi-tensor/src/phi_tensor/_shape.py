"""Shapes: ordered, immutable, interned collections of dims with a memoised algebra.

>>> from phi_tensor import batch, spatial
>>> (batch(b=2) & spatial(x=4)).names
('b', 'x')
>>> spatial(x=4, y=3) == spatial(y=3, x=4)
True
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any
from weakref import WeakValueDictionary

from phi_tensor._dim import Dim, Size, entry_of, suggestion, volume_of
from phi_tensor._dim_changes import int_size, merged_dims, retyped
from phi_tensor._dim_types import (
    TYPES,
    DimFilter,
    DimType,
    dual,
)
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._locks import new_lock
from phi_tensor._shape_changes import ShapeChanges
from phi_tensor._shape_views import ShapeViews


class Shape(ShapeViews, ShapeChanges):
    """Ordered dims with unique names. Interned by order; `==` and `hash` ignore the order.

    Attributes:
        dims: The dims in order.
        names: Their names.
        sizes: Their sizes: ints, None where undefined, nested tuples where they vary.
        rank: Number of dims [-].
    """

    __slots__ = ("__weakref__", "_by_name", "_key", "dims", "names", "rank", "sizes")

    dims: tuple[Dim, ...]
    names: tuple[str, ...]
    sizes: tuple[Size, ...]
    rank: int
    _by_name: dict[str, Dim]
    _key: frozenset[Dim]

    @staticmethod
    def of(dims: tuple[Dim, ...]) -> Shape:
        """The shape with these dims in this order."""
        shape = _INTERNED.get(dims)
        if shape is None:
            with _LOCK:
                shape = _INTERNED.get(dims)
                if shape is None:
                    shape = _INTERNED[dims] = _new_shape(dims)
        return shape

    # --- one-dim shapes

    @property
    def dim(self) -> Dim:
        """The only dim; an error for any other rank."""
        if self.rank != 1:
            raise IncompatibleShapes(
                f"Exactly one dim is needed here, but {self} has {self.rank}. Select one with `only`."
            )
        return self.dims[0]

    @property
    def name(self) -> str:
        """Name of the only dim."""
        return self.dim.name

    @property
    def size(self) -> Size:
        """Size of the only dim."""
        return self.dim.size

    @property
    def type(self) -> DimType:
        """Type of the only dim."""
        return self.dim.type

    @property
    def dim_type(self) -> str:
        """Name of the type of the only dim."""
        return self.dim.type.name

    # --- properties

    @property
    def types(self) -> tuple[DimType, ...]:
        """Types of all dims."""
        return tuple(dim.type for dim in self.dims)

    @property
    def labels(self) -> tuple[tuple[str, ...] | None, ...]:
        """Labels of all dims, None where there are none."""
        return tuple(dim.labels for dim in self.dims)

    @property
    def untyped_dict(self) -> dict[str, Any]:
        """Labels or size by name."""
        return {dim.name: dim.labels or dim.size for dim in self.dims}

    @property
    def volume(self) -> int | None:
        """Number of elements [-], exact for ragged sizes, None if a size is undefined."""
        return _volume(self.dims)

    @property
    def is_empty(self) -> bool:
        """True if there are no dims."""
        return not self.dims

    @property
    def well_defined(self) -> bool:
        """True if no size is None."""
        return None not in self.sizes

    @property
    def is_uniform(self) -> bool:
        """True if no size varies."""
        return not any(dim.over for dim in self.dims)

    @property
    def is_non_uniform(self) -> bool:
        """True if some size varies along another dim."""
        return not self.is_uniform

    @property
    def reversed(self) -> Shape:
        """Same dims in reverse order."""
        return Shape.of(self.dims[::-1])

    # --- look-up

    def __getitem__(self, key: int | str | slice | Shape | Sequence[str]) -> Shape:
        if isinstance(key, int):
            return Shape.of((self.dims[key],))
        if isinstance(key, slice):
            return Shape.of(self.dims[key])
        if isinstance(key, str):
            key = [name.strip() for name in key.split(",")]
        names = key.names if isinstance(key, Shape) else key
        return Shape.of(tuple(self.get_dim(name) for name in names))

    def get_dim(self, name: str) -> Dim:
        """Dim by name."""
        try:
            return self._by_name[name]
        except KeyError:
            raise KeyError(f"There is no dim `{name}` in {self}.{suggestion(name, self.names)}") from None

    def index(self, dim: str | Shape) -> int:
        """Position of a dim [-]."""
        return self.dims.index(self.get_dim(dim if isinstance(dim, str) else dim.name))

    def get_size(self, dim: str | Shape, default: Size | type[KeyError] = KeyError) -> Size:
        """Size by name; `default` if absent and given."""
        name = dim if isinstance(dim, str) else dim.name
        if name not in self._by_name and default is not KeyError:
            return default  # pyright: ignore[reportReturnType] the sentinel was excluded
        return self.get_dim(name).size

    def get_dim_type(self, dim: str | Shape) -> DimType:
        """Type by name."""
        return self.get_dim(dim if isinstance(dim, str) else dim.name).type

    def get_labels(self, dim: str | Shape, fallback_spatial: bool = False) -> tuple[str, ...] | None:
        """Labels by name, or None; with `fallback_spatial` the spatial names if there is one per entry."""
        found = self.get_dim(dim if isinstance(dim, str) else dim.name)
        if found.labels is None and fallback_spatial and found.size == self.spatial_rank:
            return self.spatial.names
        return found.labels

    def __contains__(self, dim: object) -> bool:
        if isinstance(dim, str):
            return all(name.strip() in self._by_name for name in dim.split(","))
        return isinstance(dim, Shape) and all(name in self._by_name for name in dim.names)

    def __iter__(self) -> Iterator[Shape]:
        return iter(Shape.of((dim,)) for dim in self.dims)

    def __len__(self) -> int:
        return self.rank

    def __bool__(self) -> bool:
        return bool(self.dims)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Shape) and self._key == other._key)

    def __hash__(self) -> int:
        return hash(self._key)

    # --- selection

    def only(self, dims: Any, reorder: bool = False) -> Shape:
        """Dims matched by a selector, in the order of this shape (or of the selector with `reorder`).

        Absent names are ignored.
        """
        names = self.selected_names(dims)
        if reorder:
            return Shape.of(tuple(self._by_name[name] for name in names))
        return Shape.of(tuple(dim for dim in self.dims if dim.name in names))

    def without(self, dims: Any) -> Shape:
        """All dims but those matched by a selector."""
        names = self.selected_names(dims)
        return Shape.of(tuple(dim for dim in self.dims if dim.name not in names))

    def selected_names(self, dims: Any) -> tuple[str, ...]:
        """Names of the present dims that a selector matches, in the selector's order."""
        if isinstance(dims, (DimType, DimFilter)):
            return _names_of_type(self.dims, dims)
        if isinstance(dims, str):
            found = [name for part in dims.split(",") if (name := part.strip()) in self._by_name]
            return tuple(dict.fromkeys(found))
        if isinstance(dims, Shape):
            return tuple(name for name in dims.names if name in self._by_name)
        if isinstance(dims, (tuple, list, set, frozenset)):
            parts: list[Any] = sorted(dims) if isinstance(dims, (set, frozenset)) else list(dims)
            return tuple(dict.fromkeys(name for part in parts for name in self.selected_names(part)))
        if callable(dims):
            return self.selected_names(dims(self))
        raise TypeError(
            f"Dims are selected by names, shapes, types or filters, but found {dims!r}. Try 'x,y' or "
            f"`spatial`."
        )

    def isdisjoint(self, other: Shape | str) -> bool:
        """True if no dim name is shared."""
        return not self.only(other)

    def is_compatible(self, *others: Shape) -> bool:
        """True if this shape can be merged with all `others`."""
        try:
            merge_shapes(self, *others)
        except IncompatibleShapes:
            return False
        return True

    # --- algebra

    def __and__(self, other: Any) -> Shape:
        if other is dual:
            return concat_shapes(self, Shape.of(tuple(retyped(dim, dual) for dim in self.primal.dims)))
        return _merge(self.dims, shape_of(other).dims)

    __rand__ = __and__

    def __add__(self, other: Any) -> Shape:
        return self._resized(other) if isinstance(other, int) else concat_shapes(self, shape_of(other))

    def __sub__(self, other: Any) -> Shape:
        return self._resized(-other) if isinstance(other, int) else self.without(other)

    def _resized(self, change: int) -> Shape:
        if self.batch or any(not isinstance(size, int) for size in self.sizes):
            raise IncompatibleShapes(
                f"Sizes of {self} cannot be changed by {change}: they are batch dims, undefined or ragged."
            )
        return Shape.of(
            tuple(dim.with_size(dim.size + change) for dim in self.dims if isinstance(dim.size, int))
        )

    def meshgrid(self, names: bool = False) -> Iterator[dict[str, Any]]:
        """All positions as dicts from name to index, row-major; labels instead of indices with `names`."""
        ranges = [dim.labels if names and dim.labels else range(int_size(dim)) for dim in self.dims]
        for position in itertools.product(*ranges):
            yield dict(zip(self.names, position, strict=True))

    def first_index(self) -> dict[str, int]:
        """First position of `meshgrid`."""
        return dict.fromkeys(self.names, 0)

    def unstack(self, dim: str | Shape) -> tuple[Shape, ...]:
        """Shapes of the slices along one dim."""
        name = dim if isinstance(dim, str) else dim.name
        rest = self.without(name).dims
        count = int_size(self.get_dim(name))
        return tuple(Shape.of(tuple(entry_of(d, name, i) for d in rest)) for i in range(count))

    def __reduce__(self) -> tuple[Any, ...]:
        return Shape.of, (self.dims,)

    def __repr__(self) -> str:
        return f"({', '.join(map(repr, self.dims))})"


def _new_shape(dims: tuple[Dim, ...]) -> Shape:
    names = tuple(dim.name for dim in dims)
    if len(set(names)) != len(names):
        raise IncompatibleShapes(
            f"Names of dims must be unique in a shape, but found {dims}. Rename one of them."
        )
    shape = object.__new__(Shape)
    shape.dims, shape.names, shape.rank = dims, names, len(dims)
    shape.sizes = tuple(dim.size for dim in dims)
    shape._by_name = dict(zip(names, dims, strict=True))  # pyright: ignore[reportPrivateUsage] its own constructor
    shape._key = frozenset(dims)  # pyright: ignore[reportPrivateUsage] its own constructor
    return shape


@lru_cache(4096)
def _names_of_type(
    dims: tuple[Dim, ...], selector: DimType | DimFilter
) -> tuple[str, ...]:  # equal shapes differ in order
    types = selector.types if isinstance(selector, DimFilter) else (selector,)
    return tuple(dim.name for dim in dims if dim.type in types)


@lru_cache(4096)
def _volume(dims: tuple[Dim, ...]) -> int | None:
    return volume_of(dims)


@lru_cache(8192)
def _merge(a: tuple[Dim, ...], b: tuple[Dim, ...]) -> Shape:
    return Shape.of(merged_dims(a, b))


def shape_of(obj: Any, allow_unshaped: bool = False) -> Shape:
    """Dims of a shape, a tensor, a number, a tree of these, or an object with `shape` or `__shape__()`.

    Args:
        obj: The value; a text describes dims, see `parse_shape_spec`.
        allow_unshaped: Whether anything else has no dims; otherwise it is an error.

    Raises:
        TypeError: `obj` is neither a tensor nor made of tensors.

    >>> from phi_tensor import spatial, zeros
    >>> shape_of({"a": zeros(spatial(x=2)), "b": 1.0})
    (x:s=2)
    """
    if isinstance(obj, Shape):
        return obj
    found = getattr(obj, "shape", None)
    if isinstance(found, Shape):
        return found
    if obj is None or isinstance(obj, (int, float, complex)):
        return EMPTY_SHAPE
    if isinstance(obj, str):
        from phi_tensor._spec import parse_shape_spec  # noqa: PLC0415 specs build shapes

        return parse_shape_spec(obj)
    from phi_tensor._hooks import asked  # noqa: PLC0415 hooks know tensors, which have shapes
    from phi_tensor._trees import opened, tree_shape  # noqa: PLC0415 likewise

    answer = asked(obj, "__shape__")
    if answer is not NotImplemented:
        return answer
    return EMPTY_SHAPE if allow_unshaped and opened(obj) is None else tree_shape(obj)


def merge_shapes(*objs: Any, allow_varying_sizes: bool = False) -> Shape:
    """Union of the dims of all objects; dims of one name must agree in type, size and labels.

    Args:
        *objs: Shapes or what has one.
        allow_varying_sizes: Whether sizes and labels may differ; such dims then have neither.

    Raises:
        IncompatibleShapes: Dims of one name do not agree.

    >>> from phi_tensor import channel, spatial
    >>> merge_shapes(spatial(x=2), channel(vector="x,y"))
    (x:s=2, vector:c=x,y)
    >>> merge_shapes(spatial(x=2), spatial(x=3), allow_varying_sizes=True)
    (x:s=None)
    """
    shapes = [shape_of(obj) for obj in objs]
    if allow_varying_sizes:
        differing = _differing(shapes)
        shapes = [
            Shape.of(tuple(dim.with_size(None) if dim.name in differing else dim for dim in shape.dims))
            for shape in shapes
        ]
    result = EMPTY_SHAPE
    for shape in shapes:
        result = result & shape
    return result


def _differing(shapes: Sequence[Shape]) -> set[str]:
    """Names of the dims whose sizes or labels differ."""
    found: dict[str, set[tuple[Any, ...]]] = {}
    for dim in itertools.chain.from_iterable(shape.dims for shape in shapes):
        found.setdefault(dim.name, set()).add((dim.size, dim.labels, dim.over))
    return {name for name, variants in found.items() if len(variants) > 1}


def concat_shapes(*shapes: Any) -> Shape:
    """All dims in the given order; names must not repeat."""
    return Shape.of(tuple(dim for shape in shapes for dim in shape_of(shape).dims))


_INTERNED: WeakValueDictionary[tuple[Dim, ...], Shape] = WeakValueDictionary()
_LOCK = new_lock()

EMPTY_SHAPE = Shape.of(())
assert len(TYPES) == 5
