"""Axis-aligned boxes.

Intervals, rectangles, cuboids and their counterparts in n dimensions, also unbounded ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import phi_tensor as math
from phi_geom._geometry import Geometry, Number, as_vector
from phi_geom._lazy import lazy
from phi_tensor import INF, IncompatibleShapes, Shape, Tensor

Side = Number | tuple[Number | None, Number | None] | None
"""Extent along one axis: upper corner (the lower one is 0), `(lower, upper)`, None for unbounded."""


@dataclass(frozen=True, init=False, eq=False)
class Box(Geometry):
    """Points between two corners, including the surface; None makes a side unbounded.

    >>> Box(x=1, y=(2, 3)).size
    (x=1.0, y=1.0)

    Attributes:
        lower: Lower corner `(…, vector)`.
        upper: Upper corner `(…, vector)`.
    """

    lower: Tensor
    upper: Tensor

    def __init__(self, lower: Tensor | None = None, upper: Tensor | None = None, **sides: Side) -> None:
        """Box from two corners, or from one extent per axis.

        Args:
            lower: Lower corner; 0 if only `upper` is given.
            upper: Upper corner.
            **sides: Per axis: upper corner, `(lower, upper)`, or None.

        Raises:
            IncompatibleShapes: Both or neither were given, or a corner has no labelled `vector` dim.
        """
        if bool(sides) == (upper is not None):
            raise IncompatibleShapes(
                "A box has two corners, `Box(lower, upper)`, or extents by axis, `Box(x=1, y=(2, 3))`. "
                "Pass one of these."
            )
        if upper is None:
            axes = tuple(sides)
            pairs = [_interval(side) for side in sides.values()]
            lower, upper = (as_vector(tuple(pair[i] for pair in pairs), axes) for i in range(2))
        labels = upper.shape.get_dim("vector").labels if "vector" in upper.shape else None
        if not labels:
            raise IncompatibleShapes(
                f"Corners of a box need a `vector` dim labelled by axes, but found {upper.shape}. Use "
                f"`vec(x=…, y=…)`."
            )
        object.__setattr__(self, "lower", as_vector(0 if lower is None else lower, labels))
        object.__setattr__(self, "upper", upper)

    @lazy
    def size(self) -> Tensor:
        """Side lengths `(…, vector)`."""
        return self.upper - self.lower

    @lazy
    def half_size(self) -> Tensor:
        """Half side lengths `(…, vector)`."""
        return 0.5 * (self.upper - self.lower)

    @lazy
    def center(self) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride] a property that is kept
        """Midpoint `(…, vector)`."""
        return 0.5 * (self.lower + self.upper)

    @property
    def shape(self) -> Shape:
        """Dims of the collection and `vector`."""
        return self.lower.shape & self.upper.shape

    @property
    def volume(self) -> Tensor:
        """Product of the side lengths [length^n]."""
        return math.prod(self.size, "vector")

    def member_distance(self, location: Tensor) -> Tensor:
        """Exact: distance to the nearest point outside, to the nearest side inside."""
        beyond = self._beyond(location)
        return math.norm(math.maximum(beyond, 0), "vector") + math.minimum(math.max(beyond, "vector"), 0)

    def member_distance_and_normal(self, location: Tensor) -> tuple[Tensor, Tensor]:
        """Signed distance and its gradient."""
        beyond = self._beyond(location)
        side = math.where(location - self.upper >= self.lower - location, 1, -1)
        outside, deepest = math.maximum(beyond, 0), math.max(beyond, "vector")
        distance = math.norm(outside, "vector")
        nearest = math.where(beyond == deepest, 1.0, 0.0)
        direction = math.where(deepest > 0, outside, nearest)
        return distance + math.minimum(deepest, 0), side * math.normalize(
            direction, "vector", allow_zero=True
        )

    def _beyond(self, location: Tensor) -> Tensor:
        """Per axis: how far a point is beyond the nearer side, negative between the sides."""
        return math.maximum(self.lower - location, location - self.upper)

    def bounding_half_extent(self) -> Tensor:
        """Half side lengths."""
        return self.half_size

    def bounding_radius(self) -> Tensor:
        """Half diagonal."""
        return math.norm(self.half_size, "vector")

    def at(self, center: Tensor) -> Box:
        """Copy around `center`."""
        return Box(center - self.half_size, center + self.half_size)

    def shifted(self, delta: Tensor) -> Box:
        """Copy moved by `delta`; unbounded sides stay so."""
        return Box(self.lower + delta, self.upper + delta)

    def scaled(self, factor: Number) -> Box:
        """Copy with all sides multiplied by `factor`."""
        return Box(self.center - self.half_size * factor, self.center + self.half_size * factor)

    def bounding_box(self) -> Box:
        """Box around all members along instance and spatial dims."""
        members = self.shape.instance.names + self.shape.spatial.names
        return Box(math.min(self.lower, members), math.max(self.upper, members)) if members else self

    def without(self, axes: Any) -> Box:
        """Box over the remaining axes."""
        gone = [axes] if isinstance(axes, str) else list(axes)
        gone = [name.strip() for part in gone for name in part.split(",")]
        return self[{"vector": ",".join(axis for axis in self.axes if axis not in gone)}]

    def global_to_local(self, global_position: Tensor) -> Tensor:
        """Positions relative to the box: 0 at the lower and 1 at the upper corner [-]."""
        return (global_position - self.lower) / self.size

    def local_to_global(self, local_position: Tensor) -> Tensor:
        """Positions from coordinates relative to the box, where 0 is the lower and 1 the upper corner."""
        return local_position * self.size + self.lower

    def __mul__(self, other: Box) -> Box:
        """Product space of boxes over different axes."""
        return Box(
            math.concat([self.lower, other.lower], "vector"), math.concat([self.upper, other.upper], "vector")
        )

    def __repr__(self) -> str:
        return f"Box({self.lower!r}, {self.upper!r})"


def _interval(side: Side) -> tuple[Number, Number]:
    if isinstance(side, tuple):
        lower, upper = side
        return (-INF if lower is None else lower), (INF if upper is None else upper)
    return (-INF, INF) if side is None else (0, side)


def Cuboid(center: Number = 0, half_size: Tensor | None = None, **size: Number) -> Box:
    """Box given by its center and its half or (by axis) full side lengths.

    Args:
        center: Midpoint: a number for all axes or a tensor `(…, vector)`.
        half_size: Half side lengths `(…, vector)`.
        **size: Full side length per axis.

    >>> Cuboid(x=1, y=2).lower
    (x=-0.5, y=-1.0)
    """
    if (half_size is None) == (not size):
        raise IncompatibleShapes(
            "`Cuboid` needs its side lengths: by axis, `Cuboid(x=1, y=2)`, or `half_size=vec(x=…, y=…)`."
        )
    with math.precision(64):
        half = as_vector(tuple(size.values()), tuple(size)) * 0.5 if half_size is None else half_size
        middle = as_vector(center, half.shape.get_dim("vector").labels or ())
        return Box(middle - half, middle + half)


def center_of(center: Number | None, by_axis: Mapping[str, Number], function: str) -> Tensor:
    """Center given as a vector or one coordinate per axis."""
    if (center is None) == (not by_axis):
        raise IncompatibleShapes(
            f"`{function}` needs its center: a vector, or one coordinate per axis such as `x=0, y=0`. "
            f"Pass one of them."
        )
    vector = as_vector(tuple(by_axis.values()), tuple(by_axis)) if by_axis else center
    if (
        not isinstance(vector, Tensor)
        or "vector" not in vector.shape
        or not vector.shape.get_dim("vector").labels
    ):
        raise IncompatibleShapes(
            f"The center of `{function}` needs a `vector` dim labelled by axes, but found {vector!r}. Use "
            f"`vec(x=…, y=…)`."
        )
    return vector
