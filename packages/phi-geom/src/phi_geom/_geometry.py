"""Regions of space: what all shapes have in common. A shape knows its signed distance; the rest follows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import numpy as np

import phi_tensor as math
from phi_tensor import BoundDim, IncompatibleShapes, Shape, Tensor, channel, instance, slicing_dict, wrap

if TYPE_CHECKING:
    from phi_geom._box import Box

Number = float | int | Tensor
"""What a coordinate or length may be given as."""

Self = TypeVar("Self", bound="Geometry")


class ClosestSurface(NamedTuple):
    """What `Geometry.approximate_closest_surface` finds for each location.

    Attributes:
        distance: Signed distance, negative inside `(…)`.
        delta: Vector from the location to the nearest point of the surface `(…, vector)`.
        normal: Outward unit normal there `(…, vector)`.
    """

    distance: Tensor
    delta: Tensor
    normal: Tensor


class Geometry(ABC):
    """One region of n-dimensional space, or a collection of regions along any dims.

    All tensor attributes carry a channel dim `vector` whose labels are the axes. Batch, instance and spatial
    dims list members; members along instance dims act as their union in `lies_inside` and
    `approximate_signed_distance`.

    Geometries are immutable trees: they can be stacked, sliced by dim, passed through `jit_compile` and
    differentiated.
    """

    # --- what a shape implements

    @property
    @abstractmethod
    def center(self) -> Tensor:
        """Reference point of each member `(…, vector)`."""

    @property
    @abstractmethod
    def shape(self) -> Shape:
        """Dims of the collection and `vector`."""

    @property
    @abstractmethod
    def volume(self) -> Tensor:
        """Length, area or volume of each member [length^n]."""

    @abstractmethod
    def member_distance(self, location: Tensor) -> Tensor:
        """Signed distance to each member, negative inside; members are not united."""

    @abstractmethod
    def bounding_half_extent(self) -> Tensor:
        """Half side lengths of the enclosing box around the center `(…, vector)`."""

    @abstractmethod
    def bounding_radius(self) -> Tensor:
        """Radius of the enclosing ball around the center."""

    @abstractmethod
    def at(self: Self, center: Tensor) -> Self:
        """Copy whose center is `center`."""

    @abstractmethod
    def scaled(self: Self, factor: Number) -> Self:
        """Copy scaled about its own center by `factor` [-]."""

    # --- what follows

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the physical axes."""
        return self.shape.get_dim("vector").labels or ()

    @property
    def spatial_rank(self) -> int:
        """Number of physical axes [-]."""
        return len(self.axes)

    def approximate_signed_distance(self, location: Tensor) -> Tensor:
        """Distance to the surface, negative inside; the smallest one over members along instance dims.

        Args:
            location: Points `(…, vector)`.
        """
        return self._united(math.min, self.member_distance(self._aligned(location)), location)

    def lies_inside(self, location: Tensor) -> Tensor:
        """True for points in the region or on its surface.

        Args:
            location: Points `(…, vector)`.
        """
        return self.approximate_signed_distance(location) <= 0

    def approximate_closest_surface(self, location: Tensor) -> ClosestSurface:
        """Nearest point of the surface of each member.

        Found by following the gradient of the signed distance.

        Args:
            location: Points `(…, vector)`. On the medial axis, where several points are nearest, any of their
                mean directions.
        """
        distance, normal = self.member_distance_and_normal(self._aligned(location))
        return ClosestSurface(distance, -distance * normal, normal)

    @abstractmethod
    def member_distance_and_normal(self, location: Tensor) -> tuple[Tensor, Tensor]:
        """Signed distance to each member, and its gradient.

        The unit vector that points away from the member.
        """

    def approximate_fraction_inside(self, other_geometry: Geometry, balance: float = 0.5) -> Tensor:
        """Fraction of each member of `other_geometry` that this region covers [-].

        From the signed distance of its center.

        Linear in the distance d: clip(balance − d/r, 0, 1) with the bounding radius r.

        Args:
            other_geometry: Cells.
            balance: Fraction for cells whose center lies on the surface.
        """
        distance = self.approximate_signed_distance(other_geometry.center)
        return math.clip(balance - distance / other_geometry.bounding_radius(), 0, 1)

    def bounding_box(self) -> Box:
        """Smallest known box around each member, united over instance and spatial dims."""
        from phi_geom._box import Box  # noqa: PLC0415 boxes are geometries

        half, center = self.bounding_half_extent(), self.center
        return Box(_reduced(math.min, center - half), _reduced(math.max, center + half))

    def shifted(self: Self, delta: Tensor) -> Self:
        """Copy moved by `delta` `(…, vector)`."""
        return self.at(self.center + delta)

    def __invert__(self) -> Geometry:
        from phi_geom._combined import invert  # noqa: PLC0415 complements are geometries

        return invert(self)

    def _united(self, reduce: Callable[..., Tensor], values: Tensor, location: Tensor) -> Tensor:
        members = self.shape.only(instance).without(location.shape)
        return reduce(values, members.names) if members else values

    def _aligned(self, location: Tensor) -> Tensor:
        labels = location.shape.get_dim("vector").labels if "vector" in location.shape else None
        if labels == self.axes:
            return location
        if labels is not None and set(labels) == set(self.axes):
            return location.vector[",".join(self.axes)]
        raise IncompatibleShapes(
            f"Points need the axes {self.axes} of the `{type(self).__name__}` along `vector`, but have "
            f"{location.shape}. "
            f"Write for example `vec({', '.join(f'{axis}=0' for axis in self.axes)})`."
        )

    # --- dims

    def __getitem__(self: Self, item: Any) -> Self:
        selection = slicing_dict(self, item)
        label = selection.get("vector")
        if isinstance(label, str) and "," not in label:
            selection["vector"] = f"{label},"  # the projection onto one axis still has a vector dim
        return math.slice(self, selection)

    def __getattr__(self, name: str) -> BoundDim[Any]:
        if name.startswith("_") or name not in self.shape:
            raise AttributeError(f"`{type(self).__name__}` has neither an attribute nor a dim `{name}`.")
        return BoundDim(self, name)

    def __eq__(self, other: object) -> bool:
        return self is other or (type(self) is type(other) and _equal_trees(self, cast("Geometry", other)))

    def __hash__(self) -> int:
        return hash((type(self), self.shape))


def _reduced(reduce: Callable[..., Tensor], values: Tensor) -> Tensor:
    members = values.shape.instance.names + values.shape.spatial.names
    return reduce(values, members) if members else values


def _equal_trees(a: Geometry, b: Geometry) -> bool:
    if a.shape != b.shape:
        return False
    mine: list[Tensor] = []
    other: list[Tensor] = []
    math.tree_map(lambda x: mine.append(x) or x, a, attributes="all")
    math.tree_map(lambda x: other.append(x) or x, b, attributes="all")
    return len(mine) == len(other) and all(map(_close, mine, other))


def _close(a: Tensor, b: Tensor) -> bool:
    if a is b:
        return True
    if a.shape != b.shape or not a.available or not b.available:
        return False
    return bool(np.allclose(a.numpy(a.shape.names), b.numpy(a.shape.names), rtol=1e-5, atol=1e-12))


def as_vector(value: Number | tuple[Any, ...] | None, axes: tuple[str, ...]) -> Tensor:
    """`value` as a vector along `axes`.

    Tensors keep their dims, numbers count for every axis, exact in 64 bit.
    """
    if isinstance(value, Tensor) and "vector" in value.shape:
        return value
    entries = value if isinstance(value, (tuple, list)) else (value,) * len(axes)
    with math.precision(64):
        return math.stack([exact(entry) for entry in entries], channel(vector=axes), expand_values=True)


def exact(value: Any) -> Tensor:
    """`value` as a tensor that keeps Python numbers in 64 bit whatever the precision of the context."""
    return value if isinstance(value, Tensor) else wrap(np.asarray(value, np.float64))
