"""Bodies in a fluid: geometries that move and turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import phi_tensor as math
from phi_field import Field, Sampling, Site
from phi_geom import Geometry
from phi_tensor import IncompatibleShapes, Tensor, Unsupported
from phi_tensor.extrapolation import ZERO_GRADIENT


@dataclass(frozen=True, eq=False)
class Obstacle:
    """A solid body: a geometry, or a mask on the cells of a grid.

    >>> from phi_geom import Sphere
    >>> ball = Obstacle(Sphere(x=0, y=0, radius=1), velocity=(1, 0), angular_velocity=2)
    >>> ball.velocity_at(math.vec(x=0, y=1))
    (x=-1.0, y=0.0)

    Attributes:
        geometry: Shape and place of the body; or a field at cell centers that is not 0 inside of it.
        velocity: Of its center: number, or vector `(…, vector)` [length/time].
        angular_velocity: Counter-clockwise in two dimensions, a vector in three [1/time].
    """

    geometry: Geometry | Field
    velocity: Any = 0
    angular_velocity: Any = 0

    @property
    def is_stationary(self) -> bool:
        """Whether it neither moves nor turns."""
        return not self.is_moving and not self.is_rotating

    @property
    def is_moving(self) -> bool:
        """Whether its center moves, as far as is known."""
        return not _is_zero(self.velocity)

    @property
    def is_rotating(self) -> bool:
        """Whether it turns, as far as is known."""
        return not _is_zero(self.angular_velocity)

    def with_geometry(self, geometry: Geometry | Field) -> Obstacle:
        """The body with another geometry."""
        return replace(self, geometry=geometry)

    def at(self, position: Tensor) -> Obstacle:
        """The body with its center at a position `(…, vector)`."""
        return replace(self, geometry=self._movable("at").at(position))

    def shifted(self, delta: Tensor) -> Obstacle:
        """The body moved by a vector `(…, vector)` [length]."""
        return replace(self, geometry=self._movable("shifted").shifted(delta))

    def _movable(self, function: str) -> Geometry:
        if isinstance(self.geometry, Geometry):
            return self.geometry
        raise Unsupported(
            f"`Obstacle.{function}` needs a geometry, but this body is a mask on a grid. Use `with_geometry`."
        )

    def covers(self, sampling: Sampling) -> Tensor:
        """1 in cells whose center is inside of the body, else 0 `(batch…, spatial…)`."""
        if isinstance(self.geometry, Geometry):
            return math.to_float(self.geometry.lies_inside(sampling.points(Site.CENTER, ZERO_GRADIENT)))
        mask = self.geometry
        if mask.site is not Site.CENTER or mask.sampling != sampling:
            raise IncompatibleShapes(
                f"A mask for an obstacle has values at the cell centers of the velocity's grid {sampling}, "
                f"but found {mask}. Resample it with `mask.at(…)`."
            )
        return math.to_float(mask.values != 0)

    def velocity_at(self, points: Tensor) -> Tensor:
        """Velocity v + ω × (x − c) of the body at positions x `(…, vector)` [length/time]."""
        names = points.shape.get_labels("vector") or ()
        linear = _vector(self.velocity, names)
        result = linear + 0 * points
        if not self.is_rotating:
            return result
        from_center = points - self._movable("velocity_at").center
        rank = len(names)
        if rank not in (2, 3):
            raise IncompatibleShapes(f"Bodies turn in two or three dimensions, but this one has {rank}.")
        turning = self.angular_velocity
        if rank == 3:
            return result + math.cross(_vector(turning, names), from_center)
        x, y = (from_center.vector[name] for name in names)
        return result + turning * math.stack(dict(zip(names, (-y, x), strict=True)), math.channel("vector"))


def as_obstacles(obstacles: Any) -> tuple[Obstacle, ...]:
    """Bodies of a body, a geometry, a mask, or a sequence of these."""
    entries = cast("Sequence[Any]", obstacles if isinstance(obstacles, Sequence) else (obstacles,))
    return tuple(_as_obstacle(entry) for entry in entries)


def _as_obstacle(entry: Any) -> Obstacle:
    if isinstance(entry, Obstacle):
        return entry
    if isinstance(entry, (Geometry, Field)):
        return Obstacle(entry)
    raise TypeError(
        f"Obstacles are geometries, masks or `Obstacle(geometry, velocity)`, but found "
        f"{type(entry).__name__}. Write e.g. `Obstacle(Sphere(x=1, y=1, radius=0.5))`."
    )


def _vector(value: Any, names: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value
    if isinstance(value, (tuple, list)):
        return math.stack(dict(zip(names, value, strict=True)), math.channel("vector"))
    return math.expand(math.wrap(value), math.channel(vector=names))


def _is_zero(value: Any) -> bool:
    if isinstance(value, (int, float)):
        return value == 0
    entries = math.wrap(value)
    return entries.available and not bool(math.any(entries != 0, lambda shape: shape))
