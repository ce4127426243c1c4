"""Sources: what is plotted, in one form: numbers in main memory together with where they are."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np

import phi_tensor as math
from phi_geom import Geometry, UniformGrid
from phi_tensor import Shape, Tensor, Unsupported, batch, spatial, wrap
from phi_vis._marks import Array, Range

VECTOR = "vector"


@runtime_checkable
class FieldLike(Protocol):
    """What a field must offer to be plotted."""

    @property
    def geometry(self) -> Geometry:
        """Where it is sampled."""
        ...

    @property
    def values(self) -> Tensor:
        """The samples."""
        ...

    def at_centers(self) -> FieldLike:
        """The same field sampled at the cell centres."""
        ...


@dataclass(frozen=True, eq=False)
class Source:
    """Numbers and their places.

    Attributes:
        values: Numbers, None for plain geometry.
        axes: Spatial dims in the order of drawing: horizontal first.
        lower: Lower corner of the sampled box `(…, vector)`, None where positions are indices.
        upper: Upper corner of the sampled box `(…, vector)`.
        points: Places of unordered samples `(…, vector)`.
        geometry: Shape to be drawn itself.
        error: Half width of an error band.
        name: What to call it.
    """

    values: Tensor | None = None
    axes: tuple[str, ...] = ()
    lower: Tensor | None = None
    upper: Tensor | None = None
    points: Tensor | None = None
    geometry: Geometry | None = None
    error: Tensor | None = None
    name: str | None = None

    @property
    def shape(self) -> Shape:
        """Dims of all parts."""
        return math.merge_shapes(*(math.shape(part).non_channel for part in self._parts()), self.channel)

    @property
    def channel(self) -> Shape:
        """Channel dims of the numbers."""
        return math.EMPTY_SHAPE if self.values is None else self.values.shape.channel

    @property
    def labels(self) -> tuple[str, ...]:
        """Components of vectors, empty for anything else."""
        if VECTOR not in self.channel:
            return ()
        assert self.values is not None
        return self.values.shape.get_labels(VECTOR, fallback_spatial=True) or ()

    def _parts(self) -> list[Any]:
        parts = (self.values, self.lower, self.upper, self.points, self.geometry, self.error)
        return [part for part in parts if part is not None]

    def __getitem__(self, selection: Mapping[str, int]) -> Source:
        """Slice along batch dims; absent ones do not matter."""

        def part(x: Any) -> Any:
            known = {name: i for name, i in selection.items() if x is not None and name in x.shape}
            return x[known] if x is not None and known else x

        return replace(
            self,
            values=part(self.values),
            lower=part(self.lower),
            upper=part(self.upper),
            points=part(self.points),
            geometry=part(self.geometry),
            error=part(self.error),
        )

    def entries(self) -> Iterator[tuple[str, dict[str, int]]]:
        """(label, selection) of every combination of channels; one without label if there are no channels."""
        dims = self.channel
        for index in itertools.product(*(range(cast("int", size)) for size in dims.sizes)):
            texts = [entry_text(dims[i : i + 1], k) for i, k in enumerate(index)]
            yield ", ".join(texts) if dims.volume != 1 else "", dict(zip(dims.names, index, strict=True))

    def coordinates(self, axis: str) -> Array:
        """Positions of the samples along an axis."""
        size = self._size(axis)
        if self.lower is None or self.upper is None:
            return np.arange(size, dtype=np.float64)
        low, high = self.interval(axis)
        return low + (np.arange(size) + 0.5) * ((high - low) / size)

    def interval(self, axis: str) -> Range:
        """Outer edges of the outer cells along an axis."""
        if self.lower is None or self.upper is None:
            return -0.5, self._size(axis) - 0.5
        return float(self.lower.vector[axis]), float(self.upper.vector[axis])

    def _size(self, axis: str) -> int:
        assert self.values is not None
        return cast("int", self.values.shape.get_size(axis))


def source(data: Any, name: str | None = None, error: Any = None) -> Source:
    """`data` (tensor, field or geometry) as a source.

    Raises:
        Unsupported: `data` is none of these, has no numbers yet, or its sizes vary.
    """
    if isinstance(data, Tensor):
        found = _of_tensor(_in_memory(data))
    elif isinstance(data, Geometry):
        found = Source(geometry=data)
    elif isinstance(data, FieldLike):
        found = _of_field(data)
    elif isinstance(data, (int, float, np.generic)):
        found = Source(values=wrap(data))
    else:
        raise Unsupported(
            f"`plot` draws tensors, fields, geometries, and dicts or lists of these, but found "
            f"`{type(data).__name__}`. "
            f"Name the axes of an array first, e.g. `wrap(array, spatial('x,y'))`."
        )
    if error is not None:
        found = replace(found, error=_in_memory(error) if isinstance(error, Tensor) else wrap(error))
    return replace(found, name=name)


def _of_tensor(values: Tensor) -> Source:
    if values.shape.dual:
        raise Unsupported(
            f"`plot` cannot draw the dual dims of {values.shape}. Make them spatial: "
            f"`rename_dims(value, dual, spatial('column'))`."
        )
    labels = values.shape.get_dim(VECTOR).labels if VECTOR in values.shape else None
    if labels and values.shape.instance and not values.shape.spatial:
        return Source(points=values, axes=labels)
    return Source(values=values, axes=_ordered(values.shape.spatial.names, labels or ()))


def _ordered(axes: tuple[str, ...], labels: tuple[str, ...]) -> tuple[str, ...]:
    """x, y, z in this order; else as the vector's components are listed; else as stored."""
    for order in ("xyz", labels):
        if set(axes) <= set(order):
            return tuple(axis for axis in order if axis in axes)
    return axes


def _of_field(field: FieldLike) -> Source:
    if not getattr(field, "is_centered", True):
        field = field.at_centers()
    geometry = field.geometry
    values = _in_memory(field.values)
    if isinstance(geometry, UniformGrid):
        box = geometry.bounds
        lower, upper = _in_memory(box.lower), _in_memory(box.upper)
        values = math.expand(values, geometry.resolution.without(values.shape))
        return Source(values, box.axes, lower, upper)
    return Source(values, geometry.axes, points=_in_memory(geometry.center))


def _in_memory(x: Tensor) -> Tensor:
    """Numbers as NumPy arrays, which are sliced without compiling; complex numbers by magnitude."""
    if not x.available:
        raise Unsupported(
            "Inside `jit_compile` or a derivative a tensor has no numbers that could be plotted. "
            "Return it and plot the result."
        )
    if not x.shape.is_uniform:
        raise Unsupported(
            f"`plot` needs equal sizes, but they vary in {x.shape}. Plot the slices one by one, or in a list."
        )
    array = x.numpy(x.shape.names)
    if array.dtype.kind == "c":
        array = np.abs(array)
    return wrap(array.astype(np.float32) if array.dtype.itemsize < 4 else array, x.shape)


def as_series(found: Source, frame_dim: str | None) -> Source:
    """Source whose last batch dim (such as time) is the horizontal axis, if it has no other."""
    if found.values is None or found.axes or found.points is not None:
        return found
    shape = found.values.shape
    dims = shape.instance or shape.batch
    if not dims:
        return found
    name = frame_dim if frame_dim in dims else dims.names[-1]
    assert name is not None
    error = found.error

    def axis(x: Tensor) -> Tensor:
        return math.rename_dims(x, name, spatial(name)) if name in x.shape else x

    return replace(
        found, values=axis(found.values), error=None if error is None else axis(error), axes=(name,)
    )


def with_channels_as_batch(found: Source) -> Source:
    """Source whose channels, except components along the axes, become subplots of a heat map."""
    if found.values is None or (len(found.axes) < 2 and found.points is None):
        return found
    extra = found.channel.without(VECTOR) if set(found.axes[:2]) <= set(found.labels) else found.channel
    extra = extra.non_singleton
    return (
        replace(found, values=math.rename_dims(found.values, extra, extra.as_type(batch))) if extra else found
    )


def entry_text(dim: Shape, index: int) -> str:
    """Name of one entry of a dim: its label, or `name=index`."""
    labels = dim.labels[0]
    return labels[index] if labels else f"{dim.name}={index}"
