"""Cells of a regular grid: a box divided into equal parts along each axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

import phi_tensor as math
from phi_geom._box import Box
from phi_geom._geometry import Geometry, Number, as_vector
from phi_geom._lazy import lazy
from phi_tensor import IncompatibleShapes, Shape, Tensor, spatial, wrap


@dataclass(frozen=True, init=False, eq=False)
class UniformGrid(Geometry):
    """All cells of a regular grid.

    As boxes along spatial dims named like the axes. Nothing is built before it is used.

    >>> UniformGrid(x=4, y=2, bounds=Box(x=1, y=1)).dx
    (x=0.25, y=0.5)

    Attributes:
        resolution: Number of cells per axis; spatial dims.
        bounds: Box that the cells fill; its axes are those of the resolution, in the same order.
    """

    resolution: Shape
    bounds: Box

    def __init__(
        self, resolution: Shape | None = None, bounds: Box | Number | None = None, **resolution_: int
    ) -> None:
        """Grid from its resolution and bounds.

        Args:
            resolution: Cells per axis.
            bounds: Box with the same axes, whose order wins; a number for a cube of that size; default [0, n]
                per axis.
            **resolution_: Cells per axis.
        """
        sizes = (math.EMPTY_SHAPE if resolution is None else resolution.spatial) & spatial(**resolution_)
        if not sizes or not sizes.well_defined:
            raise IncompatibleShapes(
                f"A grid needs the number of cells along each axis, but found {sizes}. Write for example "
                f"`x=32, y=32`."
            )
        box = _bounds(bounds, sizes)
        object.__setattr__(self, "resolution", sizes[box.axes])
        object.__setattr__(self, "bounds", box)

    @property
    def shape(self) -> Shape:
        """Spatial dims, dims of the bounds, and `vector`."""
        return self.bounds.shape.non_channel & self.resolution & self.bounds.shape.channel

    @lazy
    def dx(self) -> Tensor:
        """Side lengths of a cell `(…, vector)`."""
        return (self.bounds.upper - self.bounds.lower) / as_vector(
            tuple(cast("tuple[int, ...]", self.resolution.sizes)), self.axes
        )

    @property
    def size(self) -> Tensor:
        """Side lengths of a cell `(…, vector)`."""
        return self.dx

    @lazy
    def center(self) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride] a property that is kept
        """Midpoints of the cells `(…, spatial…, vector)`."""
        return self.points(dict.fromkeys(self.axes, 0.5), self.resolution)

    def points(self, offset: dict[str, float], resolution: Shape) -> Tensor:
        """Positions lower + (i + offset)·dx for i in `resolution` `(…, spatial…, vector)`.

        One component varies along one dim. In compiled functions they are part of the program.

        Args:
            offset: Per axis, position within a cell [-]: 0 at the lower face, 0.5 at the center.
            resolution: Number of points per axis.
        """
        positions = [self._positions(axis, offset[axis], resolution[axis]) for axis in self.axes]
        return math.stack(
            [math.expand(p, resolution) for p in positions],
            math.channel(vector=self.axes),
            expand_values=True,
        )

    def _positions(self, axis: str, offset: float, dim: Shape) -> Tensor:
        lower, dx = self.bounds.lower.vector[axis], self.dx.vector[axis]
        if not math.is_compiling():
            return lower + dx * _indices(dim, offset)
        if lower.rank or dx.rank or not lower.available or not dx.available:
            return lower + dx * math.counted(dim, offset)
        return math.counted(dim, float(lower) + offset * float(dx), float(dx))

    @property
    def volume(self) -> Tensor:
        """Volume of a cell [length^n]."""
        return math.prod(self.dx, "vector")

    def member_distance(self, location: Tensor) -> Tensor:
        """Distance to the box that all cells together fill."""
        return self.bounds.member_distance(location)

    def member_distance_and_normal(self, location: Tensor) -> tuple[Tensor, Tensor]:
        """Distance to the box that all cells together fill, and its gradient."""
        return self.bounds.member_distance_and_normal(location)

    def bounding_half_extent(self) -> Tensor:
        """Half side lengths of a cell."""
        return 0.5 * self.dx

    def bounding_radius(self) -> Tensor:
        """Half diagonal of a cell."""
        return 0.5 * math.norm(self.dx, "vector")

    def bounding_box(self) -> Box:
        """The box that the cells fill."""
        return self.bounds

    def at(self, center: Tensor) -> UniformGrid:
        """Copy whose box is centred at `center`."""
        return UniformGrid(self.resolution, self.bounds.at(center))

    def shifted(self, delta: Tensor) -> UniformGrid:
        """Copy moved by `delta`."""
        return UniformGrid(self.resolution, self.bounds.shifted(delta))

    def scaled(self, factor: Number) -> UniformGrid:
        """Copy with all sides multiplied by `factor`."""
        return UniformGrid(self.resolution, self.bounds.scaled(factor))

    def __getitem__(self, item: Any) -> UniformGrid:
        """Part of the grid: slices of axes keep the cell size and crop the bounds, ints remove an axis."""
        selection = math.slicing_dict(self, item)
        lower, upper = self.bounds.lower, self.bounds.upper
        kept = list(self.axes)
        resolution = self.resolution
        changes: dict[str, Tensor] = {}
        for axis in self.axes:
            where = selection.pop(axis, None)
            if where is None:
                continue
            if not isinstance(where, slice):
                kept.remove(axis)
                continue
            start, stop, step = where.indices(cast("int", self.resolution.get_size(axis)))
            if step != 1:
                raise IncompatibleShapes(
                    f"Grids are sliced with step 1, but found step {step} along `{axis}`. Use `downsample2x`."
                )
            resolution = resolution.with_dim_size(axis, max(0, stop - start))
            changes[axis] = as_vector((start, stop), ("lower", "upper"))
        with math.precision(64):
            corners = [_cropped(lower, upper, self.dx, changes, kept, side) for side in ("lower", "upper")]
        box = Box(*corners)
        return UniformGrid(resolution.only(kept), box[selection] if selection else box)

    def __repr__(self) -> str:
        return f"UniformGrid({self.resolution}, {self.bounds!r})"


def _cropped(
    lower: Tensor, upper: Tensor, dx: Tensor, changes: dict[str, Tensor], kept: list[str], side: str
) -> Tensor:
    corner = lower if side == "lower" else upper
    entries = {
        a: lower.vector[a] + dx.vector[a] * changes[a].vector[side] if a in changes else corner.vector[a]
        for a in kept
    }
    return math.stack(entries, math.channel("vector"), expand_values=True)


def _indices(dim: Shape, offset: float) -> Tensor:
    """0, 1, … + offset along a dim, in 64 bit and in main memory, so that it can be kept across traces."""
    return wrap(np.arange(cast("int", dim.size)) + offset, dim)


def _bounds(bounds: Box | Number | None, sizes: Shape) -> Box:
    if isinstance(bounds, Box):
        if set(bounds.axes) != set(sizes.names):
            raise IncompatibleShapes(
                f"Bounds need the axes {sizes.names} of the resolution, but have {bounds.axes}. Name the "
                f"same axes."
            )
        return bounds
    upper = tuple(cast("tuple[int, ...]", sizes.sizes)) if bounds is None else bounds
    return Box(as_vector(0, sizes.names), as_vector(upper, sizes.names))
