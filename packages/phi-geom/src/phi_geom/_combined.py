"""Complement, union and intersection of regions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any, cast

import phi_tensor as math
from phi_geom._box import Box
from phi_geom._geometry import Geometry, Number, as_vector
from phi_tensor import INF, IncompatibleShapes, Shape, Tensor, Unsupported, instance, merge_shapes


@dataclass(frozen=True, eq=False)
class InvertedGeometry(Geometry):
    """Everything outside of a region, without its surface.

    Attributes:
        geometry: The region whose complement this is.
    """

    geometry: Geometry

    @property
    def center(self) -> Tensor:
        """Center of the excluded region."""
        return self.geometry.center

    @property
    def shape(self) -> Shape:
        """Dims of the collection and `vector`."""
        return self.geometry.shape

    @property
    def volume(self) -> Tensor:
        """Infinite."""
        return self.geometry.volume * 0 + INF

    def approximate_signed_distance(self, location: Tensor) -> Tensor:
        """Negative distance to the excluded region, whose members are united first."""
        return -self.geometry.approximate_signed_distance(location)

    def lies_inside(self, location: Tensor) -> Tensor:
        """True where the excluded region is not."""
        return ~self.geometry.lies_inside(location)

    def member_distance(self, location: Tensor) -> Tensor:
        """Negative distance to each excluded member."""
        return -self.geometry.member_distance(location)

    def member_distance_and_normal(self, location: Tensor) -> tuple[Tensor, Tensor]:
        """Negative distance and its gradient."""
        distance, normal = self.geometry.member_distance_and_normal(location)
        return -distance, -normal

    def bounding_half_extent(self) -> Tensor:
        """Infinite."""
        return self.geometry.bounding_half_extent() * 0 + INF

    def bounding_radius(self) -> Tensor:
        """Infinite."""
        return self.geometry.bounding_radius() * 0 + INF

    def at(self, center: Tensor) -> InvertedGeometry:
        """Complement of the moved region."""
        return InvertedGeometry(self.geometry.at(center))

    def shifted(self, delta: Tensor) -> InvertedGeometry:
        """Complement of the moved region."""
        return InvertedGeometry(self.geometry.shifted(delta))

    def scaled(self, factor: Number) -> InvertedGeometry:
        """Complement of the scaled region."""
        return InvertedGeometry(self.geometry.scaled(factor))

    def bounding_box(self) -> Box:
        """All of space."""
        return Box(as_vector(-INF, self.axes), as_vector(INF, self.axes))


@dataclass(frozen=True, eq=False)
class GeometryUnion(Geometry):
    """Points that lie in any of some unlike regions.

    The signed distance is exact outside; inside it is at least the depth in one region.

    Attributes:
        geometries: The regions; each is united over its own instance dims first.
    """

    geometries: tuple[Geometry, ...]

    @property
    def center(self) -> Tensor:
        """Center of the enclosing box."""
        return self.bounding_box().center

    @property
    def shape(self) -> Shape:
        """Merged dims of the regions without instance dims."""
        return merge_shapes(*(geometry.shape.non_instance for geometry in self.geometries))

    @property
    def volume(self) -> Tensor:
        """Not known in closed form.

        Raises:
            Unsupported: Always.
        """
        raise Unsupported(
            f"`volume` of a `GeometryUnion` of {len(self.geometries)} regions depends on how they overlap, "
            f"which has no closed form. If they are disjoint, sum the volumes of its `geometries`."
        )

    def member_distance(self, location: Tensor) -> Tensor:
        """Smallest distance to any region."""
        return reduce(
            math.minimum, [geometry.approximate_signed_distance(location) for geometry in self.geometries]
        )

    def lies_inside(self, location: Tensor) -> Tensor:
        """True in any region."""
        return reduce(lambda a, b: a | b, [geometry.lies_inside(location) for geometry in self.geometries])

    def member_distance_and_normal(self, location: Tensor) -> tuple[Tensor, Tensor]:
        """Smallest distance to any region and its gradient."""
        pairs = [_nearest_member(geometry, location) for geometry in self.geometries]
        return reduce(_nearer, pairs)

    def bounding_half_extent(self) -> Tensor:
        """Half size of the enclosing box."""
        return self.bounding_box().half_size

    def bounding_radius(self) -> Tensor:
        """Half diagonal of the enclosing box."""
        return self.bounding_box().bounding_radius()

    def bounding_box(self) -> Box:
        """Box around all regions."""
        boxes = [geometry.bounding_box() for geometry in self.geometries]
        return Box(
            reduce(math.minimum, [box.lower for box in boxes]),
            reduce(math.maximum, [box.upper for box in boxes]),
        )

    def at(self, center: Tensor) -> GeometryUnion:
        """All regions moved together."""
        return self.shifted(center - self.center)

    def shifted(self, delta: Tensor) -> GeometryUnion:
        """All regions moved together."""
        return GeometryUnion(tuple(geometry.shifted(delta) for geometry in self.geometries))

    def scaled(self, factor: Number) -> GeometryUnion:
        """All regions scaled about the common center."""
        pivot = self.center
        return GeometryUnion(
            tuple(g.scaled(factor).at(pivot + (g.center - pivot) * factor) for g in self.geometries)
        )


def _nearest_member(geometry: Geometry, location: Tensor) -> tuple[Tensor, Tensor]:
    distance, normal = geometry.member_distance_and_normal(location)
    members = geometry.shape.only(instance).without(location.shape)
    for name in members.names:
        entries = [
            (distance[{name: i}], normal[{name: i}])
            for i in range(cast("int", distance.shape.get_size(name)))
        ]
        distance, normal = reduce(_nearer, entries)
    return distance, normal


def _nearer(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return math.minimum(a[0], b[0]), math.where(a[0] <= b[0], a[1], b[1])


def invert(geometry: Geometry) -> Geometry:
    """Complement of a region; that of a complement is the region itself."""
    return geometry.geometry if isinstance(geometry, InvertedGeometry) else InvertedGeometry(geometry)


_UNION = instance("union")


def union(*geometries: Any, dim: Shape | str = _UNION) -> Geometry:
    """Region of all points in any of the regions.

    Args:
        *geometries: Regions, or one sequence of them.
        dim: Instance dim that lists shapes of one kind; unlike shapes make a `GeometryUnion`.

    >>> bool(union(Box(x=1), Box(x=(2, 3))).lies_inside(math.vec(x=2.5)))
    True
    """
    members = _members(geometries, "union")
    if len(members) == 1:
        return members[0]
    alike = not isinstance(members[0], (InvertedGeometry, GeometryUnion))  # their members do not unite
    if alike and all(type(g) is type(members[0]) and g.shape == members[0].shape for g in members):
        return math.stack(list(members), dim)
    return GeometryUnion(members)


def intersection(*geometries: Any) -> Geometry:
    """Region of all points that lie in every one of the regions (with their surface)."""
    return invert(GeometryUnion(tuple(map(invert, _members(geometries, "intersection")))))


def _members(geometries: tuple[Any, ...], function: str) -> tuple[Geometry, ...]:
    flat: list[Any] = (
        list(geometries[0])
        if len(geometries) == 1 and not isinstance(geometries[0], Geometry)
        else list(geometries)
    )
    if not flat or not all(isinstance(g, Geometry) for g in flat):
        raise IncompatibleShapes(
            f"`{function}` combines geometries, but found {flat!r}. Pass at least one `Box`, `Sphere`, …."
        )
    return tuple(flat)
