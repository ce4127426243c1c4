"""Balls in n dimensions: intervals, discs, spheres."""

from __future__ import annotations

from dataclasses import dataclass
from math import gamma, pi

import phi_tensor as math
from phi_geom._box import center_of
from phi_geom._geometry import Geometry, Number, exact
from phi_tensor import IncompatibleShapes, Shape, Tensor


@dataclass(frozen=True, init=False, eq=False)
class Sphere(Geometry):
    """Points within a radius of the center, including the surface.

    >>> float(Sphere(x=0, y=0, radius=1).approximate_signed_distance(math.vec(x=3.0, y=4.0)))
    4.0

    Attributes:
        midpoint: Center `(…, vector)`.
        radius: Radius [length].
    """

    midpoint: Tensor
    radius: Tensor

    def __init__(
        self,
        center: Tensor | None = None,
        radius: Number | None = None,
        volume: Number | None = None,
        **center_: Number,
    ) -> None:
        """Ball from a center, as a vector or by axis, and a radius or volume.

        Args:
            center: Midpoint `(…, vector)`.
            radius: Radius [length].
            volume: Volume [length^n], instead of the radius.
            **center_: Coordinates of the midpoint by axis.
        """
        middle = center_of(center, center_, "Sphere")
        if (radius is None) == (volume is None):
            raise IncompatibleShapes(
                "A sphere needs its radius or its volume, `Sphere(x=0, y=0, radius=1)`. Pass one of them."
            )
        if volume is not None:
            rank = len(middle.shape.get_dim("vector").labels or ())
            with math.precision(64):
                radius = (exact(volume) / unit_ball_volume(rank)) ** (1 / rank)
        object.__setattr__(self, "midpoint", middle)
        object.__setattr__(self, "radius", exact(radius))

    @property
    def center(self) -> Tensor:
        """Midpoint `(…, vector)`."""
        return self.midpoint

    @property
    def shape(self) -> Shape:
        """Dims of the collection and `vector`."""
        return self.center.shape & self.radius.shape

    @property
    def volume(self) -> Tensor:
        """π^(n/2) rⁿ / Γ(n/2 + 1) [length^n]."""
        return unit_ball_volume(self.spatial_rank) * self.radius**self.spatial_rank

    def member_distance(self, location: Tensor) -> Tensor:
        """Exact: |x − c| − r."""
        return math.norm(location - self.center, "vector") - self.radius

    def member_distance_and_normal(self, location: Tensor) -> tuple[Tensor, Tensor]:
        """Signed distance and its gradient; at the center the first axis."""
        offset = location - self.center
        return math.norm(offset, "vector") - self.radius, math.normalize(offset, "vector")

    def bounding_half_extent(self) -> Tensor:
        """The radius along every axis."""
        return math.expand(math.to_float(self.radius), self.shape["vector"])

    def bounding_radius(self) -> Tensor:
        """The radius."""
        return math.to_float(self.radius)

    def at(self, center: Tensor) -> Sphere:
        """Copy around `center`."""
        return Sphere(center, self.radius)

    def scaled(self, factor: Number) -> Sphere:
        """Copy with `factor` times the radius."""
        return Sphere(self.center, self.radius * factor)

    def __repr__(self) -> str:
        return f"Sphere({self.center!r}, radius={self.radius!r})"


def unit_ball_volume(rank: int) -> float:
    """Volume of the ball of radius 1 in `rank` dimensions [-]."""
    return pi ** (rank / 2) / gamma(rank / 2 + 1)
