"""Regular grids. Every operation is one step along one axis: between cells and the faces that separate them.

Along an axis, n cells lie between n + 1 faces. The boundary decides which outer faces are stored and gives
the others, so a step pads by what is missing and combines neighbours. Steps along several axes commute, which
gives faces, edges and vertices in any number of dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, cast
from weakref import WeakValueDictionary

import numpy as np

import phi_tensor as math
from phi_field.sampling._between_sites import interpolated, matching, surrounding
from phi_field.sampling._components import (
    Component,
    axes_dim,
    component_of,
    face_dim,
    one_component,
    part,
    stacked,
    unstacked,
)
from phi_field.sampling._deposit import deposited
from phi_field.sampling._neighbors import (
    FIRST,
    REST,
    mean_of_neighbors,
    missing_faces,
    outer_faces,
    padded,
    to_cells,
    to_faces,
    with_faces_of,
)
from phi_field.sampling._sampling import Sampling
from phi_field.sampling._site import Site
from phi_geom import Box, UniformGrid
from phi_tensor import IncompatibleShapes, Shape, Tensor, dual, wrap
from phi_tensor.extrapolation import Extrapolation


@dataclass(frozen=True, eq=False)
class Grid(Sampling):
    """Cells of a regular grid.

    Attributes:
        cells: The cells.
    """

    cells: UniformGrid

    # --- description

    @property
    def geometry(self) -> UniformGrid:
        """The cells."""
        return self.cells

    @property
    def shape(self) -> Shape:
        """Spatial dims with the number of cells along each axis."""
        return self.cells.resolution

    @property
    def bounds(self) -> Box:
        """Box that the cells fill."""
        return self.cells.bounds

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the axes."""
        return self.cells.resolution.names

    @property
    def dx(self) -> Tensor:
        """Side lengths of a cell `(…, vector)`."""
        return self.cells.dx

    def spacing(self, axis: str) -> Tensor | float:
        """Side length of a cell along one axis.

        A Python number where it is known and the same for all batch entries.
        """
        kept = self.__dict__.get(axis)
        if kept is not None:
            return kept
        with math.precision(64):
            dx = self.cells.dx.vector[axis]
        if dx.rank or not dx.available:
            return dx
        number = vars(self)[axis] = float(dx)
        return number

    @property
    def step(self) -> Tensor | float:
        """Cell size as one number where all sides are equal and known, else `(vector)`."""
        kept = self.__dict__.get("step")
        if kept is None:
            sizes = {self.spacing(axis) for axis in self.axes}
            (first, *rest) = sizes
            kept = self.dx if rest or isinstance(first, Tensor) else first
            if isinstance(kept, float):
                vars(self)["step"] = kept
        return kept

    def resolution(self, staggered: Sequence[str], boundary: Extrapolation | None) -> Shape:
        """Number of stored values along each axis for a component that is staggered along some axes."""
        sizes = {axis: cast("int", size) for axis, size in zip(self.axes, self.shape.sizes, strict=True)}
        for axis in staggered:
            sizes[axis] += sum(outer_faces(boundary, axis)) - 1
        return self.shape.with_sizes(tuple(sizes.values()))

    def component_shape(self, site: Site, boundary: Extrapolation) -> Shape:
        """Dims of the values stored at a site; sizes vary along `vector` where components differ."""
        parts = [
            math.expand(wrap(0.0), self.resolution(s, part(boundary, c)))
            for c, s in site.staggered(self.axes).items()
        ]
        return stacked(parts, site, "vector", self.axes).shape

    def points(self, site: Site, boundary: Extrapolation) -> Tensor:
        """Positions of the stored values."""
        staggered = site.staggered(self.axes)
        outer = tuple(outer_faces(part(boundary, c), axis) for c, axes in staggered.items() for axis in axes)
        if math.is_compiling():
            return self._points(staggered, boundary)
        key = ("points", site, outer, math.get_precision())
        return self._kept(key, lambda: self._exact_points(staggered, boundary))

    def _exact_points(self, staggered: dict[str | None, tuple[str, ...]], boundary: Extrapolation) -> Tensor:
        with math.precision(64):
            exact = self._points(staggered, boundary)
        return math.to_float(exact)

    def _points(self, staggered: dict[str | None, tuple[str, ...]], boundary: Extrapolation) -> Tensor:
        parts: list[Tensor] = []
        for component, axes in staggered.items():
            rule = part(boundary, component)
            offsets = {
                axis: (1.0 - outer_faces(rule, axis)[0] if axis in axes else 0.5) for axis in self.axes
            }
            parts.append(self.cells.points(offsets, self.resolution(axes, rule)))
        return (
            parts[0]
            if len(parts) == 1 and None in staggered
            else math.stack(parts, dual(vector=tuple(cast("Any", staggered))))
        )

    def staggered_cells(self, staggered: tuple[str, ...], boundary: Extrapolation) -> UniformGrid:
        """Cells around the stored values of one component."""
        with math.precision(64):
            dx = self.cells.dx
            shift = [
                (0.5 - outer_faces(boundary, axis)[0] if axis in staggered else 0.0) for axis in self.axes
            ]
            sizes = self.resolution(staggered, boundary)
            lower = self.bounds.lower + dx * wrap(np.asarray(shift), axes_dim(self.axes, False))
            upper = lower + dx * wrap(np.asarray(sizes.sizes, np.float64), axes_dim(self.axes, False))
            return UniformGrid(sizes, Box(lower, upper))

    def measure(self, site: Site) -> Tensor:
        """Volume of a cell; areas of faces along `vector`; lengths of edges; 1 for vertices."""

        def extent(axes: tuple[str, ...]) -> Tensor:
            return reduce(
                lambda a, b: a * b, [self.spacing(axis) for axis in self.axes if axis not in axes], wrap(1.0)
            )

        return stacked(
            [extent(axes) for axes in site.staggered(self.axes).values()], site, "vector", self.axes
        )

    def slope(self, values: Tensor, axis: str) -> Tensor:
        """Difference of neighbours over their distance."""
        return (values.sliced(((axis, REST),)) - values.sliced(((axis, FIRST),))) / self.spacing(axis)

    # --- primitives

    def difference(
        self,
        values: Tensor,
        site: Site,
        boundary: Extrapolation,
        target: Extrapolation | None,
        axes: tuple[str, ...],
    ) -> Tensor:
        """Derivative along each axis between neighbours."""
        parts = [
            stacked(
                [
                    self._dual_slope(v, axis, b, target)
                    for v, b, _ in unstacked(values, site, boundary, self.axes)
                ],
                site,
                "vector",
                self.axes,
            )
            for axis in axes
        ]
        return math.stack(parts, axes_dim(axes, True), expand_values=True)

    def _dual_slope(
        self, values: Tensor, axis: str, boundary: Extrapolation, target: Extrapolation | None
    ) -> Tensor:
        return to_faces(values, axis, self.slope, boundary, target)

    def collect(self, flux: Tensor, axes: tuple[str, ...]) -> Tensor:
        """Net outflow per volume."""
        dim = face_dim(flux)
        return reduce(add, [self.slope(flux.sliced(((dim, axis),)), axis) for axis in axes])

    def central_difference(
        self, values: Tensor, boundary: Extrapolation, axes: tuple[str, ...], dim: Shape
    ) -> Tensor:
        """Mean of the differences at both faces of each cell, (φᵢ₊₁ − φᵢ₋₁)/2dx.

        Along `dim` (cell → cell).
        """
        return math.spatial_gradient(values, self.step, "central", boundary, axes, dim)

    def laplace(self, values: Tensor, boundary: Extrapolation, axes: tuple[str, ...]) -> Tensor:
        """`collect` of `difference`, for every component at its own sites.

        (φᵢ₊₁ − 2φᵢ + φᵢ₋₁)/dx² summed over axes.
        """
        return math.laplace(values, self.step, boundary, axes)

    def slope_at(
        self,
        values: Tensor,
        site: Site,
        boundary: Extrapolation,
        component: str | None,
        axis: str,
        target: Site,
        target_boundary: Extrapolation,
    ) -> Tensor:
        """Derivative of one component along one axis, half a cell aside.

        At centers the mean of both sides.
        """
        v, b, have = one_component(values, site, boundary, component, self.axes)
        for other in have:
            if other != axis:
                v = with_faces_of(v, other, b, target_boundary)
        if axis in have:
            return to_cells(v, axis, self.slope, b)
        if target is site:
            return mean_of_neighbors(to_faces(v, axis, self.slope, b, None), axis)
        return to_faces(v, axis, self.slope, b, target_boundary)

    def interpolate(
        self,
        values: Tensor,
        site: Site,
        boundary: Extrapolation,
        target: Site,
        target_boundary: Extrapolation | None,
    ) -> Tensor:
        """Values at other sites, the mean of neighbours along each axis in turn; vectors by component."""
        return interpolated(values, site, boundary, target, target_boundary, self.axes)

    def surround(
        self,
        values: Tensor,
        site: Site,
        boundary: Extrapolation,
        target: Site,
        target_boundary: Extrapolation | None,
    ) -> Tensor:
        """Whole values at each site, along `~vector` where sites have several components."""
        return surrounding(values, site, boundary, target, target_boundary, self.axes)

    def with_faces(
        self, values: Tensor, site: Site, boundary: Extrapolation, target: Extrapolation
    ) -> Tensor:
        """Values with the outer sites that `target` stores.

        Missing ones come from `boundary`, others are dropped.
        """
        staggered = site.staggered(self.axes)
        if all(
            outer_faces(part(boundary, c), axis) == outer_faces(part(target, c), axis)
            for c, axes in staggered.items()
            for axis in axes
        ):
            return values
        parts: list[Tensor] = []
        for (v, b, axes), component in zip(
            unstacked(values, site, boundary, self.axes), site.staggered(self.axes), strict=True
        ):
            for axis in axes:
                v = with_faces_of(v, axis, b, part(target, component))
            parts.append(v)
        return stacked(parts, site, "vector", self.axes)

    def uniform(self, values: Tensor, site: Site, boundary: Extrapolation) -> Tensor:
        """All components with n + 1 values along every axis, those outside from the boundary.

        Along `vector`.
        """
        parts: list[Tensor] = []
        for v, b, axes in unstacked(values, site, boundary, self.axes):
            for axis in self.axes:
                lower, upper = outer_faces(b, axis) if axis in axes else (True, False)
                v = padded(v, axis, (not lower, not upper), b)
            parts.append(v)
        return stacked(parts, site, "vector", self.axes)

    def trimmed(self, values: Tensor, site: Site, boundary: Extrapolation) -> Tensor:
        """Stored values of a tensor with n + 1 values along each axis, the inverse of `uniform`."""
        parts: list[Tensor] = []
        for c, axes in site.staggered(self.axes).items():
            b = part(boundary, c)
            v = values if c is None else component_of(values, c, self.axes)
            parts.append(self._trimmed(v, axes, b))
        return stacked(parts, site, "vector", self.axes)

    def _trimmed(self, values: Tensor, staggered: tuple[str, ...], boundary: Extrapolation) -> Tensor:
        wanted = self.resolution(staggered, boundary)
        for axis in self.axes:
            size, cells = values.shape.get_size(axis, None), cast("int", self.shape.get_size(axis))
            if size is None or size == wanted.get_size(axis):
                continue
            if size != cells + 1:
                raise IncompatibleShapes(
                    f"A component staggered along {staggered} stores {wanted} values, or {cells + 1} "
                    f"along `{axis}` before cutting, but found {values.shape}."
                )
            lower, upper = outer_faces(boundary, axis) if axis in staggered else (True, False)
            values = padded(values, axis, missing_faces((True, True), (lower, upper)), boundary)
        return math.expand(values, wanted)

    # --- values at points

    def evaluate(self, values: Tensor, site: Site, boundary: Extrapolation, points: Tensor) -> Tensor:
        """Values at any points, each component between its own sites."""
        parts = [
            self._lookup(v, b, axes, points) for v, b, axes in unstacked(values, site, boundary, self.axes)
        ]
        return (
            parts[0] if None in site.staggered(self.axes) else math.stack(parts, axes_dim(self.axes, False))
        )

    def pull_back(self, values: Tensor, site: Site, boundary: Extrapolation, points: Tensor) -> Tensor:
        """Values at points of which there is one per component along `~vector`.

        Each component at its own points.
        """
        if "~vector" not in points.shape:
            return self.evaluate(values, site, boundary, points)
        located = self._with_points(values, site, boundary, points)
        parts = [self._lookup(v, b, axes, own) for (v, b, axes), own in located]
        return math.stack(parts, axes_dim(self.axes, False))

    def pull_back_with_bounds(
        self, values: Tensor, site: Site, boundary: Extrapolation, points: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """`pull_back`.

        And the lowest and highest of the stored and outer values that each of its values was made of.
        """
        found = [
            math.grid_sample_with_bounds(*self._located(v, b, axes, own), b)
            for (v, b, axes), own in self._with_points(values, site, boundary, points)
        ]
        if len(found) == 1 and None in site.staggered(self.axes):
            return found[0]
        value, lowest, highest = (
            math.stack(list(parts), axes_dim(self.axes, False)) for parts in zip(*found, strict=True)
        )
        return value, lowest, highest

    def _with_points(
        self, values: Tensor, site: Site, boundary: Extrapolation, points: Tensor
    ) -> list[tuple[Component, Tensor]]:
        """Components `(values, boundary, staggered axes)` with the points at which each is wanted."""
        sources = unstacked(values, site, boundary, self.axes)
        if "~vector" not in points.shape:
            return [(source, points) for source in sources]
        return [
            (source, points.sliced((("~vector", component),)))
            for component in self.axes
            for source in matching(sources, site, component, self.axes)
        ]

    def _lookup(
        self, values: Tensor, boundary: Extrapolation, staggered: tuple[str, ...], points: Tensor
    ) -> Tensor:
        return math.grid_sample(*self._located(values, boundary, staggered, points), boundary)

    def _located(
        self, values: Tensor, boundary: Extrapolation, staggered: tuple[str, ...], points: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Values with at least one sample per axis, and the points as indices into them."""
        empty = [axis for axis in staggered if values.shape.get_size(axis) == 0]
        for axis in empty:  # one cell between two walls: both faces come from the boundary
            values = padded(values, axis, (1, 1), boundary)
        return values, self.indices(points, staggered, None if empty else boundary)

    def indices(self, points: Tensor, staggered: tuple[str, ...], boundary: Extrapolation | None) -> Tensor:
        """Positions in units of cells.

        0 at the first stored value of a component that is staggered along some axes [-].
        """
        offsets = tuple(
            1.0 - outer_faces(boundary, axis)[0] if axis in staggered else 0.5 for axis in self.axes
        )
        origin, scale = self._kept(
            ("indices", offsets, math.get_precision()), lambda: self._index_map(offsets)
        )
        if math.is_compiling() and scale.rank == origin.rank == 1 and scale.available and origin.available:
            parts = [  # compilers fold numbers into the code
                points.vector[axis] * float(scale.vector[axis]) + float(origin.vector[axis])
                for axis in self.axes
            ]
            return math.stack(parts, axes_dim(self.axes, False))
        return points * scale + origin

    def _index_map(self, offsets: tuple[float, ...]) -> tuple[Tensor, Tensor]:
        with math.precision(64):
            scale = 1 / self.cells.dx
            origin = -self.bounds.lower * scale - wrap(np.asarray(offsets), axes_dim(self.axes, False))
        return math.to_float(origin), math.to_float(scale)

    def deposit(self, values: Tensor, points: Tensor, site: Site, boundary: Extrapolation) -> Tensor:
        """Values at points summed into the sites around them."""
        parts = [
            self._deposited(self._component(values, component), points, axes, part(boundary, component))
            for component, axes in site.staggered(self.axes).items()
        ]
        return stacked(parts, site, "vector", self.axes)

    def _component(self, values: Tensor, component: str | None) -> Tensor:
        return values if component is None else values.sliced((("vector", component),))

    def _deposited(
        self, values: Tensor, points: Tensor, staggered: tuple[str, ...], boundary: Extrapolation
    ) -> Tensor:
        at, sizes = self.indices(points, staggered, boundary), self.resolution(staggered, boundary)
        return deposited(values, at, sizes, boundary, self.axes)

    # --- derived data

    def _kept(self, key: Any, derive: Callable[[], Any]) -> Any:
        """Result of `derive`, kept with the grid unless it is traced."""
        kept = self.__dict__.get(key)
        if kept is None:
            kept = derive()
            made = cast("tuple[Any, ...]", kept) if isinstance(kept, tuple) else (kept,)
            if all(tensor.available for tensor in made):
                vars(self)[key] = kept
        return cast("Any", kept)

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Grid) and (self.cells is other.cells or self.cells == other.cells)
        )

    def __hash__(self) -> int:
        return hash(self.cells.resolution)

    def __repr__(self) -> str:
        return f"Grid({self.shape}, {self.bounds!r})"


def grid_on(cells: UniformGrid) -> Grid:
    """The grid with these cells.

    The same object for the same numbers, so that fields find by identity that they share it.
    """
    lower, upper = cells.bounds.lower, cells.bounds.upper
    if lower.rank != 1 or upper.rank != 1 or not lower.available or not upper.available:
        return Grid(cells)
    key = (cells.resolution.dims, tuple(lower.numpy().tolist()), tuple(upper.numpy().tolist()))
    found = _GRIDS.get(key)
    if found is None:
        found = _GRIDS[key] = Grid(cells)
    return found


_GRIDS: WeakValueDictionary[Any, Grid] = WeakValueDictionary()
