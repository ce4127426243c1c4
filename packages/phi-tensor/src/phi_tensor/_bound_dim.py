"""Access to one dim of anything with dims: `tensor.x[1:-1]`, `field.vector['y']`, `a.vector @ b.vector`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, Protocol, TypeVar, cast

from phi_tensor._dim import Dim, Size
from phi_tensor._dim_types import DimType, batch, channel, dual, instance, spatial
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._shape import Shape, shape_of

Selection = tuple[tuple[str, Any], ...]
"""Normalised, hashable selections.

`(name, int | (slice, start, stop, step) | label text | tuple of these)`.
"""


class HasDims(Protocol):
    """Anything with dims that can be sliced by a dict from dim names to selections."""

    @property
    def shape(self) -> Shape:
        """Dims."""
        ...

    def __getitem__(self, item: Any) -> Any:
        """Slice."""
        ...


Obj = TypeVar("Obj", bound=HasDims)


class BoundDim(Generic[Obj]):
    """One dim of one object, present or not. Slicing an absent (but known) dim returns the object.

    Attributes:
        obj: The object.
        name: Name of the dim.
    """

    __slots__ = ("name", "obj")

    def __init__(self, obj: Obj, name: str) -> None:
        self.obj: Obj = obj
        self.name: str = name

    def __getitem__(self, item: Any) -> Obj:
        obj: Any = self.obj  # tensors have the fast path
        try:
            if type(item) is slice:
                return obj.sliced(((self.name, (slice, item.start, item.stop, item.step)),))
            if type(item) is int or type(item) is str:
                return obj.sliced(((self.name, item),))
        except AttributeError:
            if hasattr(self.obj, "sliced"):
                raise
        return self.obj[{self.name: item}]

    def __getattr__(self, name: str) -> DimChain[Obj]:
        if name.startswith("_"):
            raise AttributeError(name)
        return DimChain(self.obj, (self.name, name))

    def __iter__(self) -> Iterator[Obj]:
        return iter(self.unstack())

    def __len__(self) -> int:
        return self._size()

    @property
    def exists(self) -> bool:
        """True if the object has the dim."""
        return self.name in self.obj.shape

    @property
    def size(self) -> Size:
        """Size, None if absent."""
        return self.obj.shape.get_size(self.name, None)

    @property
    def size_or_1(self) -> Size:
        """Size, 1 if absent."""
        return self.obj.shape.get_size(self.name, 1)

    @property
    def type(self) -> DimType:
        """Type of the dim."""
        return self._dim().type

    @property
    def labels(self) -> tuple[str, ...] | None:
        """Labels, or None."""
        return self._dim().labels

    @property
    def index(self) -> int:
        """Position in the shape [-]."""
        return self.obj.shape.index(self.name)

    @property
    def dual(self) -> BoundDim[Obj]:
        """Accessor of the dual dim of the same name."""
        return BoundDim(self.obj, "~" + self.name.lstrip("~"))

    def keys(self) -> tuple[str | int, ...]:
        """Labels, or indices where there are none."""
        return self._dim().labels or tuple(range(self._size()))

    def items(self) -> tuple[tuple[str | int, Obj], ...]:
        """Pairs of label or index and slice."""
        return tuple((key, self[i]) for i, key in enumerate(self.keys()))

    def unstack(self, size: int | None = None) -> tuple[Obj, ...]:
        """Slices in order; `size` times the object where the dim is absent."""
        if not self.exists and size is not None:
            return (self.obj,) * size
        return tuple(self[i] for i in range(self._size()))

    def rename(self, name: str) -> Obj:
        """The object with this dim under another name."""
        return self.replace(Shape.of((self._dim().with_name(name),)))

    def replace(self, dim: Shape) -> Obj:
        """The object with this dim replaced by another one of the same size."""
        from phi_tensor.ops._structure import rename_dims  # noqa: PLC0415 operations need tensors, tensors need this class

        return rename_dims(self.obj, self.name, dim)

    def as_type(self, dim_type: DimType, name: str | None = None) -> Obj:
        """The object with another type (and name) of this dim."""
        return self.replace(dim_type(name or self.name)) if self.exists else self.obj

    def as_batch(self, name: str | None = None) -> Obj:
        """The object with this dim as batch dim."""
        return self.as_type(batch, name)

    def as_dual(self, name: str | None = None) -> Obj:
        """The object with this dim as dual dim."""
        return self.as_type(dual, name)

    def as_instance(self, name: str | None = None) -> Obj:
        """The object with this dim as instance dim."""
        return self.as_type(instance, name)

    def as_spatial(self, name: str | None = None) -> Obj:
        """The object with this dim as spatial dim."""
        return self.as_type(spatial, name)

    def as_channel(self, name: str | None = None) -> Obj:
        """The object with this dim as channel dim."""
        return self.as_type(channel, name)

    def unpack(self, *dims: Shape) -> Obj:
        """The object with this dim split into several."""
        from phi_tensor.ops._structure import unpack_dim  # noqa: PLC0415 see `replace`

        return unpack_dim(self.obj, self.name, *dims)

    def sum(self) -> Obj:
        """Sum along this dim."""
        from phi_tensor.ops._reductions import sum_  # noqa: PLC0415 see `replace`

        return sum_(self.obj, self.name)

    def __matmul__(self, other: Any) -> Any:
        from phi_tensor.ops._products import dot  # noqa: PLC0415 see `replace`

        if isinstance(other, BoundDim):
            return dot(self.obj, self.name, other.obj, other.name)  # pyright: ignore[reportUnknownMemberType]  # any object
        return dot(self.obj, self.name, other, self.name)

    def __add__(self, other: Any) -> Any:
        return self.obj + _object_of(other)

    def __sub__(self, other: Any) -> Any:
        return self.obj - _object_of(other)

    def __mul__(self, other: Any) -> Any:
        return self.obj * _object_of(other)

    def _dim(self) -> Dim:
        return self.obj.shape.get_dim(self.name)

    def _size(self) -> int:
        size = self._dim().size
        if not isinstance(size, int):
            raise IncompatibleShapes(
                f"Dim `{self.name}` has no single size but {size}. Slice the dim first along which it varies."
            )
        return size

    def __repr__(self) -> str:
        return f"{type(self.obj).__name__}.{self.name}"


class DimChain(Generic[Obj]):
    """Several dims of one object: `tensor.x.y[1, 2:]`."""

    __slots__ = ("names", "obj")

    def __init__(self, obj: Obj, names: tuple[str, ...]) -> None:
        self.obj: Obj = obj
        self.names: tuple[str, ...] = names

    def __getattr__(self, name: str) -> DimChain[Obj]:
        if name.startswith("_"):
            raise AttributeError(name)
        return DimChain(self.obj, (*self.names, name))

    def __getitem__(self, items: Any) -> Obj:
        if not isinstance(items, tuple) or len(items) != len(self.names):
            raise IncompatibleShapes(f"Dims {self.names} need one selection each, but found {items!r}.")
        return self.obj[dict(zip(self.names, items, strict=True))]

    def pack(self, packed_dim: Shape | str, pos: int | None = None) -> Obj:
        """The object with these dims packed into one, at position `pos` of the shape."""
        from phi_tensor.ops._structure import pack_dims  # noqa: PLC0415 see `BoundDim.replace`

        return pack_dims(self.obj, self.names, packed_dim, pos)


def _object_of(other: Any) -> Any:
    return cast("BoundDim[Any]", other).obj if isinstance(other, BoundDim) else other


def selection_of(shape: Shape, item: Any) -> dict[str, Any]:
    """Dict from dim names to selections for what users write in brackets.

    Args:
        shape: Dims of the sliced object.
        item: A dict by dim name, label text searched among all dims, or an int / slice where there is one
            channel dim.
    """
    if isinstance(item, dict):
        return {_name(key): value for key, value in cast("dict[Any, Any]", item).items()}
    if isinstance(item, str):
        wanted = {label for part in item.split("->")[0].split(",") if (label := part.strip())}
        for dim in shape.dims:
            if dim.labels and wanted and wanted <= set(dim.labels):
                return {dim.name: item}
        raise KeyError(
            f"No dim of {shape} has the label(s) {sorted(wanted)}. Slice by dim and index instead: "
            f"`value.x[0]`."
        )
    if isinstance(item, (int, slice)):
        if shape.rank == 1 or shape.channel_rank == 1:
            return {(shape if shape.rank == 1 else shape.channel).name: item}
        raise IncompatibleShapes(
            f"`value[{item}]` needs exactly one dim (or one channel dim), but found {shape}. Name the dim."
        )
    raise TypeError(
        f"Values are sliced by dims and labels, but found {item!r}. Write `value.x[0]`, `value['x']` or "
        f"`value[{{'x': 0}}]`."
    )


def _name(key: Any) -> str:
    return key if isinstance(key, str) else key.name


def hashable_selection(item: Any) -> Any:
    """A selection as part of a plan key."""
    if isinstance(item, slice):
        selected = cast("slice[Any, Any, Any]", item)
        return (slice, selected.start, selected.stop, selected.step)
    if isinstance(item, (list, tuple)):
        return tuple(hashable_selection(entry) for entry in cast("tuple[Any, ...]", item))
    return item


def slicing_dict(obj: Any, item: Any, existing_only: bool = True) -> dict[str, Any]:
    """Any selection as a dict from dim names to ints, slices, labels, masks or index tensors.

    Args:
        obj: Object with dims.
        item: What was written in brackets.
        existing_only: Leave out dims that `obj` does not have.
    """
    shape = shape_of(obj)
    selection = selection_of(shape, item)
    return {name: value for name, value in selection.items() if not existing_only or name in shape}
