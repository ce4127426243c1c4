"""The layouts. Each is interned: equal descriptions are the same object, so plans are found by identity.

A layout holds everything about a tensor but its numbers: dims, order of storage, element type and backend.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, ClassVar
from weakref import WeakValueDictionary

from phi_tensor._dim import Dim, Size, entry_of
from phi_tensor._dtype import BOOL, COMPLEX128, FLOAT64, INT64, DType
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._locks import new_lock
from phi_tensor._shape import EMPTY_SHAPE, Shape
from phi_tensor.backends._backend import Backend


class Layout(ABC):
    """How a tensor is stored.

    Attributes:
        shape: What the user sees.
        dtype: Element type of all natives.
        backend: Library of all natives.
        count: Number of native arrays [-].
    """

    __slots__ = ("__weakref__", "backend", "count", "dtype", "shape")

    shape: Shape
    dtype: DType
    backend: Backend
    count: int

    @abstractmethod
    def with_shape(self, renamed: dict[str, Dim], shape: Shape) -> Layout:
        """Same storage under other dims: `renamed` maps old names to new dims of the same sizes."""


class Dense(Layout):
    """One native array with one axis per stored dim.

    The tensor is constant along all other dims of its shape.

    Attributes:
        stored: Dims of the native axes, in order.
    """

    __slots__ = ("axes", "stored")

    stored: tuple[Dim, ...]
    axes: dict[str, int]

    @staticmethod
    def of(stored: tuple[Dim, ...], shape: Shape, dtype: DType, backend: Backend) -> Dense:
        """The layout with this description; all `stored` dims belong to `shape`."""
        return interned(
            (Dense, stored, shape.dims, dtype.name, backend),
            lambda: _new_dense(stored, shape, dtype, backend),
        )

    def with_shape(self, renamed: dict[str, Dim], shape: Shape) -> Dense:
        return Dense.of(
            tuple(renamed.get(dim.name, dim) for dim in self.stored), shape, self.dtype, self.backend
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return Dense.of, (self.stored, self.shape, self.dtype, self.backend)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sizes of the native axes."""
        return tuple(_known(dim) for dim in self.stored)

    @property
    def constant(self) -> tuple[Dim, ...]:
        """Dims of the shape that are not stored."""
        return tuple(dim for dim in self.shape.dims if dim.name not in self.axes)

    def __repr__(self) -> str:
        constant = [f"constant along {self.constant}"] if self.constant else []
        return f"Dense({', '.join([*map(repr, self.stored), *constant])}; {self.dtype}, {self.backend})"


class Parts(Layout):
    """One layout per entry of a dim; the natives of all parts follow each other.

    Attributes:
        dim: The dim whose entries are stored separately.
        parts: Their layouts; no part's shape contains `dim`.
    """

    __slots__ = ("dim", "offsets", "parts")

    dim: Dim
    parts: tuple[Layout, ...]
    offsets: tuple[int, ...]
    word: ClassVar[str]

    @staticmethod
    def of(dim: Dim, parts: tuple[Layout, ...], shape: Shape | None = None) -> Parts:
        """`Stacked` if all parts have one shape, else `Ragged`; `shape` fixes the order of the dims."""
        if not parts:
            raise IncompatibleShapes(
                f"Nothing can be stacked along `{dim.name}`: there are no parts. Use `zeros` for size 0."
            )
        uniform = all(part.shape == parts[0].shape for part in parts[1:])
        merged = stacked_shape(dim, tuple(part.shape.dims for part in parts))
        if shape is not None:
            assert shape == merged, f"{shape} is not {merged}"
            merged = shape
        cls = Stacked if uniform else Ragged
        return interned((cls, dim, parts, merged.dims), lambda: _new_parts(cls, dim, parts, merged))

    def with_shape(self, renamed: dict[str, Dim], shape: Shape) -> Parts:
        dim = renamed.get(self.dim.name, self.dim)
        parts: list[Layout] = []
        for i, part in enumerate(self.parts):
            inner = {name: entry_of(new, dim.name, i) for name, new in renamed.items() if name in part.shape}
            inner_shape = Shape.of(
                tuple(inner.get(d.name, _over_renamed(d, renamed)) for d in part.shape.dims)
            )
            parts.append(part.with_shape(inner, inner_shape))
        return Parts.of(dim, tuple(parts), shape)

    def __reduce__(self) -> tuple[Any, ...]:
        return Parts.of, (self.dim, self.parts, self.shape)

    def __repr__(self) -> str:
        return f"{self.word}({self.dim!r}; {'; '.join(map(repr, self.parts))})"


class Stacked(Parts):
    """Uniform parts along one dim, kept apart until a block is needed."""

    __slots__ = ()
    word = "Stacked"


class Ragged(Parts):
    """Parts along one dim whose other sizes differ."""

    __slots__ = ()
    word = "Ragged"


class Scalar(Layout):
    """A Python number as operand: its type is known, its precision is the context's."""

    __slots__ = ("value",)

    value: float | None

    def with_shape(self, renamed: dict[str, Dim], shape: Shape) -> Layout:
        raise AssertionError("numbers have no dims")

    def __repr__(self) -> str:
        return f"{self.dtype.kind.__name__}" if self.value is None else repr(self.value)


def number_layout(kind: type, value: float | None = None) -> Scalar:
    """Layout of a Python number of type `kind`; with `value` where the plan depends on it (powers)."""
    return _number_layout(kind, value)


@lru_cache(512)
def _number_layout(kind: type, value: float | None) -> Scalar:
    layout = object.__new__(Scalar)
    layout.shape, layout.dtype, layout.count, layout.value = EMPTY_SHAPE, _NUMBER_TYPES[kind], 0, value
    return layout


_NUMBER_TYPES: dict[type, DType] = {bool: BOOL, int: INT64, float: FLOAT64, complex: COMPLEX128}
NUMBERS = {kind: number_layout(kind) for kind in _NUMBER_TYPES}
"""Layouts of Python numbers by type."""


def entry_layout(layout: Layout, name: str, index: int) -> Layout:
    """Layout of one entry along the dim `name` (the layout itself where the dim is absent)."""
    if name not in layout.shape:
        return layout
    shape = layout.shape.unstack(name)[index]
    if isinstance(layout, Dense):
        return Dense.of(
            tuple(dim for dim in layout.stored if dim.name != name), shape, layout.dtype, layout.backend
        )
    assert isinstance(layout, Parts)
    if layout.dim.name == name:
        return layout.parts[index]
    return Parts.of(layout.dim, tuple(entry_layout(part, name, index) for part in layout.parts), shape)


def full_layout(shape: Shape, dtype: DType, backend: Backend) -> Layout:
    """Layout that stores every element of `shape`, in the canonical order: by type, then by name.

    Jitted functions exchange tensors in this layout, so that equal shapes share one trace however they are
    stored. Vectors of few labelled components are separate arrays, which compilers fuse better.
    """
    ragged = next((dim for dim in shape.dims if dim.over), None)
    if ragged is not None:
        along = shape.get_dim(ragged.over[0])
        return Parts.of(along, tuple(full_layout(part, dtype, backend) for part in shape.unstack(along.name)))
    stored = canonical_order(shape.dims)
    vector = next((dim for dim in stored if _is_vector(dim)), None)
    if vector is None:
        return Dense.of(stored, Shape.of(stored), dtype, backend)
    component = tuple(dim for dim in stored if dim is not vector)
    part = Dense.of(component, Shape.of(component), dtype, backend)
    return Parts.of(vector, (part,) * len(vector.labels or ()), Shape.of(stored))


def canonical_order(dims: Iterable[Dim]) -> tuple[Dim, ...]:
    """Dims by type, then by name."""
    return tuple(sorted(dims, key=lambda dim: (_ORDER.index(dim.type.name), dim.name)))


MOST_COMPONENTS = 4
"""Longest vectors that compiled functions exchange as separate arrays."""


def _is_vector(dim: Dim) -> bool:
    return dim.type.name == "channel" and dim.labels is not None and 0 < len(dim.labels) <= MOST_COMPONENTS


_ORDER = ("batch", "dual", "instance", "spatial", "channel")


def _new_dense(stored: tuple[Dim, ...], shape: Shape, dtype: DType, backend: Backend) -> Dense:
    layout = object.__new__(Dense)
    layout.stored, layout.shape, layout.dtype, layout.backend, layout.count = stored, shape, dtype, backend, 1
    layout.axes = {dim.name: axis for axis, dim in enumerate(stored)}
    return layout


def _new_parts(cls: type[Parts], dim: Dim, parts: tuple[Layout, ...], shape: Shape) -> Parts:
    layout = object.__new__(cls)
    layout.dim, layout.parts, layout.shape = dim, parts, shape
    layout.dtype, layout.backend = parts[0].dtype, parts[0].backend
    layout.offsets = tuple(sum(part.count for part in parts[:i]) for i in range(len(parts)))
    layout.count = sum(part.count for part in parts)
    return layout


@lru_cache(4096)
def stacked_shape(dim: Dim, ordered: tuple[tuple[Dim, ...], ...]) -> Shape:
    """Shape of parts with these shapes along `dim`: differing sizes become ragged."""
    shapes = [Shape.of(dims) for dims in ordered]  # equal shapes differ in order, so they are no key
    dims: list[Dim] = [dim]
    for first in shapes[0].dims:
        entries = [shape.get_dim(first.name) for shape in shapes]
        if all(entry is first for entry in entries):
            dims.append(first)
            continue
        labels = first.labels if all(entry.labels == first.labels for entry in entries) else None
        if any(entry.size is None for entry in entries):
            raise IncompatibleShapes(
                f"Dim `{first.name}` cannot be stacked along `{dim.name}`: sizes {[e.size for e in entries]}."
            )
        over = _varying_over(entries)
        sizes = tuple(_sizes_over(shape, first.name, over) for shape in shapes)
        same = all(size == sizes[0] for size in sizes)
        dims.append(
            Dim.of(first.name, first.type, sizes[0], labels, over)
            if same
            else Dim.of(first.name, first.type, sizes, labels, (dim.name, *over))
        )
    return Shape.of(tuple(dims))


def _varying_over(dims: Sequence[Dim]) -> tuple[str, ...]:
    """Names of the dims over which the size of at least one of `dims` varies, outer ones first."""
    deepest_first = sorted({dim.over for dim in dims}, key=len, reverse=True)
    return tuple(dict.fromkeys(name for over in deepest_first for name in over))


def _sizes_over(shape: Shape, name: str, over: tuple[str, ...]) -> Size:
    """Size of a dim as nested tuples, one level per dim in `over`, along some of which it may be constant."""
    dim = shape.get_dim(name)
    if dim.over == over:
        return dim.size
    return tuple(_sizes_over(entry, name, over[1:]) for entry in shape.unstack(over[0]))


def _over_renamed(dim: Dim, renamed: dict[str, Dim]) -> Dim:
    over = tuple(renamed[name].name if name in renamed else name for name in dim.over)
    return dim if over == dim.over else Dim.of(dim.name, dim.type, dim.size, dim.labels, over)


def _known(dim: Dim) -> int:
    if not isinstance(dim.size, int):
        raise IncompatibleShapes(f"Dim `{dim.name}` of a stored array needs an int size, but has {dim.size}.")
    return dim.size


def interned(key: tuple[Any, ...], build: Callable[[], Any]) -> Any:
    """The layout under `key`; the key holds ordered dims because shapes compare without order."""
    found = _INTERNED.get(key)
    if found is None:
        with _LOCK:
            found = _INTERNED.get(key)
            if found is None:
                found = _INTERNED[key] = build()
    return found


_INTERNED: WeakValueDictionary[tuple[Any, ...], Layout] = WeakValueDictionary()
_LOCK = new_lock()
