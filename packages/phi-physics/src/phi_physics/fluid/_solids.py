"""Projection in a box with bodies: faces between fluid cells are open, all others move with their body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import phi_tensor as math
from phi_field import Field, Site, divergence, spatial_gradient
from phi_physics.fluid._box import Ends
from phi_physics.fluid._obstacle import Obstacle
from phi_tensor import Stencil, Tensor, stencil_operator
from phi_tensor.extrapolation import ONE, PERIODIC, Extrapolation, combine_sides


@dataclass(frozen=True, eq=False)
class Solids:
    """Bodies on a grid.

    Attributes:
        fluid: 1 in cells whose center is outside of all bodies, else 0 `(batch…, spatial…)`.
        bodies: The bodies.
        open: 1 at faces between cells of fluid, else 0, as a velocity at faces.
        motion: Velocity of the body at closed faces, 0 at others.
    """

    fluid: Tensor
    bodies: tuple[Obstacle, ...]
    open: Field
    motion: Tensor

    @staticmethod
    def of(obstacles: tuple[Obstacle, ...], faces: Field, ends: Mapping[str, Ends]) -> Solids:
        """Bodies as the faces of a velocity see them."""
        sampling = faces.sampling
        fluid: Any = math.ones(sampling.shape)
        opened = _open(fluid, faces, ends)
        motion: Any = 0 * faces.values
        for obstacle in obstacles:  # of bodies that overlap the first one moves the fluid
            fluid, before = fluid * (1 - obstacle.covers(sampling)), opened
            opened = _open(fluid, faces, ends)
            if not obstacle.is_stationary:
                closed = before.values - opened.values
                motion = motion + closed * _normal(obstacle.velocity_at(faces.points), faces)
        return Solids(fluid, obstacles, opened, motion)

    def imposed(self, faces: Field) -> Field:
        """A velocity that follows the bodies at closed faces."""
        return faces.with_values(faces.values * self.open.values + self.motion)

    def followed(self, values: Tensor, points: Tensor) -> Tensor:
        """A velocity at cell centers that follows the bodies inside of them."""
        values, free = values * self.fluid, 1 + 0 * self.fluid
        for body in self.bodies:
            inside = body.covers(self.open.sampling)
            if not body.is_stationary:
                values = values + free * inside * body.velocity_at(points)
            free = free * (1 - inside)
        return values


def _open(fluid: Tensor, faces: Field, ends: Mapping[str, Ends]) -> Field:
    """1 at faces with fluid on both sides; what lies outside of the box is no body."""
    axes = faces.sampling.axes
    outside = combine_sides({axis: PERIODIC if "periodic" in ends[axis] else ONE for axis in axes})
    cells = Field(faces.sampling, math.expand(fluid, math.channel(vector=axes)), Site.CENTER, outside)
    means = cells.at_faces(faces.boundary)
    return means.with_values(math.to_float(means.values > 0.75))


def _normal(vectors: Tensor, faces: Field) -> Tensor:
    """Normal component of whole vectors at faces."""
    axes = faces.sampling.axes
    parts = {axis: vectors[{"~vector": axis, "vector": axis}] for axis in axes}
    return math.stack(parts, math.channel("vector"))


def pressure_matrix(fluid: Tensor, ends: Mapping[str, Ends], dx: Tensor) -> Stencil:
    """−∇·(open ∇) in cells of fluid, links [1/length²]; the pressure outside of open sides is 0."""
    lower: dict[str, Tensor] = {}
    upper: dict[str, Tensor] = {}
    remainder = 0 * fluid
    for axis, (below, above) in ends.items():
        rule: Extrapolation | int = PERIODIC if below == "periodic" else 0
        padded = math.pad(fluid, {axis: (1, 1)}, rule)
        scale = fluid / dx.vector[axis] ** 2
        lower[axis] = scale * padded[{axis: slice(None, -2)}]
        upper[axis] = scale * padded[{axis: slice(2, None)}]
        size = cast("int", fluid.shape.get_size(axis))
        cells = math.arange(math.spatial(axis), size)
        for end, outermost in ((below, 0), (above, size - 1)):
            if end == "open":
                remainder = remainder + scale * math.to_float(cells == outermost)
    periodic = frozenset(axis for axis, pair in ends.items() if "periodic" in pair)
    return Stencil(remainder, lower, upper, periodic)


def project_around(
    faces: Field,
    obstacles: tuple[Obstacle, ...],
    ends: Mapping[str, Ends],
    boundary: Extrapolation,
    solve: Any,
) -> tuple[Field, Tensor, Solids]:
    """`(divergence-free velocity, pressure, bodies)` for a velocity at faces."""
    solids = Solids.of(obstacles, faces, ends)
    imposed = solids.imposed(faces)
    outflow = divergence(imposed).values * solids.fluid
    matrix = pressure_matrix(solids.fluid, ends, faces.dx)
    everywhere = math.expand(math.wrap(1.0), faces.sampling.shape)  # stays on the host, where it has numbers
    box = pressure_matrix(everywhere, ends, faces.dx)
    operator = stencil_operator(matrix, symmetric=True, box=box)
    pressure = math.solve_linear(operator, -outflow, solve)
    slope = spatial_gradient(
        Field(faces.sampling, pressure, Site.CENTER, boundary), faces.boundary, at="face"
    )
    return imposed.with_values(imposed.values - slope.values * solids.open.values), pressure, solids
