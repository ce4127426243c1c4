"""Regular grids. Every operation is one step along one axis: between cells and the faces that separate them.

Along an axis, n cells lie between n + 1 faces. The boundary decides which outer faces are stored and gives the others, so a
step pads by what is missing and combines neighbours. Steps along several axes commute, which gives faces, edges and vertices
in any number of dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, cast

import numpy as np

import phi_tensor as math
from phi_geom import Box, UniformGrid
from phi_tensor import IncompatibleShapes, Shape, Tensor, channel, dual, wrap
from phi_tensor.extrapolation import NONE, Extrapolation
from phi_field.sampling._sampling import Sampling
from phi_field.sampling._site import Site

Kernel = Callable[[Tensor, Tensor], Tensor]
"""Combines the upper and the lower one of two neighbours."""

Component = tuple[Tensor, Extrapolation, tuple[str, ...]]
"""Values and boundary of one component, and the axes along which it is staggered."""

_FIRST = (slice, None, -1, None)
_REST = (slice, 1, None, None)


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

    def spacing(self, axis: str) -> Tensor:
        """Side length of a cell along one axis."""
        return self._kept(("spacing", axis, math.get_precision()), lambda: self.cells.dx.vector[axis])

    def resolution(self, staggered: Sequence[str], boundary: Extrapolation | None) -> Shape:
        """Number of stored values along each axis for a component that is staggered along some axes."""
        sizes = {axis: cast("int", size) for axis, size in zip(self.axes, self.shape.sizes, strict=True)}
        for axis in staggered:
            sizes[axis] += sum(_outer(boundary, axis)) - 1
        return self.shape.with_sizes(tuple(sizes.values()))

    def component_shape(self, site: Site, boundary: Extrapolation) -> Shape:
        """Dims of the values stored at a site; sizes vary along `vector` where components differ."""
        parts = [math.expand(wrap(0.0), self.resolution(s, part(boundary, c))) for c, s in site.staggered(self.axes).items()]
        return self.stack(parts, site, "vector").shape

    def points(self, site: Site, boundary: Extrapolation) -> Tensor:
        """Positions of the stored values."""
        staggered = site.staggered(self.axes)
        outer = tuple(_outer(part(boundary, c), axis) for c, axes in staggered.items() for axis in axes)
        return self._kept(("points", site, outer, math.get_precision()), lambda: self._points(staggered, boundary))

    def _points(self, staggered: dict[str | None, tuple[str, ...]], boundary: Extrapolation) -> Tensor:
        parts: list[Tensor] = []
        for component, axes in staggered.items():
            rule = part(boundary, component)
            offsets = {axis: (1.0 - _outer(rule, axis)[0] if axis in axes else 0.5) for axis in self.axes}
            with math.precision(64):
                exact = self.cells.points(offsets, self.resolution(axes, rule))
            parts.append(math.to_float(exact))
        return parts[0] if len(parts) == 1 and None in staggered else math.stack(parts, dual(vector=tuple(cast("Any", staggered))))

    def staggered_cells(self, staggered: tuple[str, ...], boundary: Extrapolation) -> UniformGrid:
        """Cells around the stored values of one component."""
        with math.precision(64):
            dx = self.cells.dx
            shift = [(0.5 - _outer(boundary, axis)[0] if axis in staggered else 0.0) for axis in self.axes]
            sizes = self.resolution(staggered, boundary)
            lower = self.bounds.lower + dx * wrap(np.asarray(shift), channel(vector=self.axes))
            upper = lower + dx * wrap(np.asarray(sizes.sizes, np.float64), channel(vector=self.axes))
            return UniformGrid(sizes, Box(lower, upper))

    def measure(self, site: Site) -> Tensor:
        """Volume of a cell; areas of faces along `vector`; lengths of edges; 1 for vertices."""
        def extent(axes: tuple[str, ...]) -> Tensor:
            return reduce(lambda a, b: a * b, [self.spacing(axis) for axis in self.axes if axis not in axes], wrap(1.0))

        return self.stack([extent(axes) for axes in site.staggered(self.axes).values()], site, "vector")

    # --- components

    def unstack(self, values: Tensor, site: Site, boundary: Extrapolation) -> list[Component]:
        """`(values, boundary, staggered axes)` of each component of a site."""
        staggered = site.staggered(self.axes)
        if None in staggered:
            return [(values, boundary, staggered[None])]
        dim = face_dim(values)
        if dim not in values.shape:
            raise IncompatibleShapes(f"Values at {site.value}s need one entry per axis along `vector`, but have {values.shape}.")
        return [
            (values.sliced(((dim, cast("str", c)),)), part(boundary, c) if dim == "vector" else boundary, axes)
            for c, axes in staggered.items()
        ]

    def one(self, values: Tensor, site: Site, boundary: Extrapolation, component: str | None) -> Component:
        """One component; of vectors where a site holds whole ones."""
        components = self.unstack(values, site, boundary)
        if component is None or len(components) > 1:
            return components[0 if component is None else self.axes.index(component)]
        return component_of(values, component, self.axes), part(boundary, component), components[0][2]

    def stack(self, parts: list[Tensor], site: Site, dim: str) -> Tensor:
        """Components of a site as one tensor."""
        staggered = site.staggered(self.axes)
        if None in staggered:
            return parts[0]
        labels = cast("tuple[str, ...]", tuple(staggered))
        new = dual(vector=labels) if dim == "~vector" or any("vector" in p.shape for p in parts) else channel(vector=labels)
        return math.stack(parts, new, expand_values=True)

    # --- steps along one axis

    def to_faces(self, values: Tensor, axis: str, kernel: Kernel, boundary: Extrapolation, target: Extrapolation | None) -> Tensor:
        """Cell → face: neighbours combined at the faces that `target` stores (all of them for None)."""
        return _paired(_padded(values, axis, _outer(target, axis), boundary), axis, kernel)

    def to_cells(self, values: Tensor, axis: str, kernel: Kernel, boundary: Extrapolation) -> Tensor:
        """Face → cell: the two faces of each cell combined; those that are not stored come from the boundary."""
        lower, upper = _outer(boundary, axis)
        return _paired(_padded(values, axis, (not lower, not upper), boundary), axis, kernel)

    def slope(self, axis: str) -> Kernel:
        """Kernel of the derivative along an axis."""
        dx = self.spacing(axis)
        return lambda upper, lower: (upper - lower) / dx

    # --- primitives

    def difference(self, values: Tensor, site: Site, boundary: Extrapolation, target: Extrapolation | None, axes: tuple[str, ...]) -> Tensor:
        """Derivative along each axis between neighbours."""
        parts = [
            self.stack([self._dual_slope(v, axis, b, target) for v, b, _ in self.unstack(values, site, boundary)], site, "vector") for axis in axes
        ]
        return math.stack(parts, dual(vector=axes), expand_values=True)

    def _dual_slope(self, values: Tensor, axis: str, boundary: Extrapolation, target: Extrapolation | None) -> Tensor:
        return self.to_faces(values, axis, self.slope(axis), boundary, target)

    def collect(self, flux: Tensor, axes: tuple[str, ...]) -> Tensor:
        """Net outflow per volume."""
        dim = face_dim(flux)
        return reduce(add, [_paired(flux.sliced(((dim, axis),)), axis, self.slope(axis)) for axis in axes])

    def centered(self, faces: Tensor, axes: tuple[str, ...]) -> Tensor:
        """Mean of the two faces of each cell for values at all faces along `~vector` (face → cell)."""
        parts = [_paired(faces.sliced((("~vector", axis),)), axis, _mean) for axis in axes]
        return math.stack(parts, dual(vector=axes))

    def laplace(self, values: Tensor, site: Site, boundary: Extrapolation, axes: tuple[str, ...]) -> Tensor:
        """Sum of second differences along each axis: `collect` of `difference`, for every component at its own sites."""
        parts = [
            reduce(add, [self._second_slope(v, axis, b) for axis in axes]) for v, b, _ in self.unstack(values, site, boundary)
        ]
        return self.stack(parts, site, "vector")

    def _second_slope(self, values: Tensor, axis: str, boundary: Extrapolation) -> Tensor:
        slope = self.slope(axis)
        return _paired(self.to_faces(values, axis, slope, boundary, None), axis, slope)

    def slope_at(
        self, values: Tensor, site: Site, boundary: Extrapolation, component: str | None, axis: str, target: Site, target_boundary: Extrapolation
    ) -> Tensor:
        """Derivative of one component along one axis, half a cell aside; at centers the mean of both sides."""
        v, b, have = self.one(values, site, boundary, component)
        for other in have:
            if other != axis:
                v = _padded(v, other, _missing(_outer(b, other), _outer(target_boundary, other)), b)
        if axis in have:
            return self.to_cells(v, axis, self.slope(axis), b)
        if target is site:
            return _paired(self.to_faces(v, axis, self.slope(axis), b, None), axis, _mean)
        return self.to_faces(v, axis, self.slope(axis), b, target_boundary)

    def interpolate(self, values: Tensor, site: Site, boundary: Extrapolation, target: Site, target_boundary: Extrapolation | None) -> Tensor:
        """Values at other sites, the mean of neighbours along each axis in turn; vectors by component."""
        sources = self.unstack(values, site, boundary)
        parts = [
            self._joined([self._moved(*source, wanted, part(target_boundary, c)) for source in self._matching(sources, c)])
            for c, wanted in target.staggered(self.axes).items()
        ]
        return self.stack(parts, target, "vector")

    def surround(self, values: Tensor, site: Site, boundary: Extrapolation, target: Site, target_boundary: Extrapolation | None) -> Tensor:
        """Whole values at each site, along `~vector` where sites have several components."""
        sources = self.unstack(values, site, boundary)
        parts = [
            self._joined([self._moved(*source, wanted, part(target_boundary, c)) for source in sources])
            for c, wanted in target.staggered(self.axes).items()
        ]
        return self.stack(parts, target, "~vector")

    def _matching(self, sources: list[Component], component: str | None) -> list[Component]:
        """What makes one component of the target: that component of a vector; all of them where a site holds whole vectors."""
        if component is None:
            return sources
        if len(sources) == len(self.axes) and sources[0][2]:
            return [sources[self.axes.index(component)]]
        values, boundary, staggered = sources[0]
        return [(component_of(values, component, self.axes), part(boundary, component), staggered)]

    def _joined(self, parts: list[Tensor]) -> Tensor:
        return parts[0] if len(parts) == 1 else math.stack(parts, channel(vector=self.axes))

    def _moved(self, values: Tensor, boundary: Extrapolation, have: tuple[str, ...], want: tuple[str, ...], target: Extrapolation | None) -> Tensor:
        for axis in have:
            if axis not in want:
                values = self.to_cells(values, axis, _mean, boundary)
            else:
                values = _padded(values, axis, _missing(_outer(boundary, axis), _outer(target, axis)), boundary)
        for axis in want:
            if axis not in have:
                values = self.to_faces(values, axis, _mean, boundary, target)
        return values

    def with_faces(self, values: Tensor, site: Site, boundary: Extrapolation, target: Extrapolation) -> Tensor:
        """Values with the outer sites that `target` stores: missing ones come from `boundary`, others are dropped."""
        parts: list[Tensor] = []
        for (v, b, axes), component in zip(self.unstack(values, site, boundary), site.staggered(self.axes), strict=True):
            for axis in axes:
                v = _padded(v, axis, _missing(_outer(b, axis), _outer(part(target, component), axis)), b)
            parts.append(v)
        return self.stack(parts, site, "vector")

    def uniform(self, values: Tensor, site: Site, boundary: Extrapolation) -> Tensor:
        """All components with n + 1 values along every axis, those outside from the boundary, along `vector`."""
        parts: list[Tensor] = []
        for v, b, axes in self.unstack(values, site, boundary):
            for axis in self.axes:
                lower, upper = _outer(b, axis) if axis in axes else (True, False)
                v = _padded(v, axis, (not lower, not upper), b)
            parts.append(v)
        return self.stack(parts, site, "vector")

    def trimmed(self, values: Tensor, site: Site, boundary: Extrapolation) -> Tensor:
        """Stored values of a uniform tensor that lists n + 1 values along each axis (the inverse of `uniform`)."""
        parts: list[Tensor] = []
        for c, axes in site.staggered(self.axes).items():
            b = part(boundary, c)
            v = values if c is None else component_of(values, c, self.axes)
            parts.append(self._trimmed(v, axes, b))
        return self.stack(parts, site, "vector")

    def _trimmed(self, values: Tensor, staggered: tuple[str, ...], boundary: Extrapolation) -> Tensor:
        wanted = self.resolution(staggered, boundary)
        for axis in self.axes:
            size, cells = values.shape.get_size(axis, None), cast("int", self.shape.get_size(axis))
            if size is None or size == wanted.get_size(axis):
                continue
            if size != cells + 1:
                raise IncompatibleShapes(
                    f"A component staggered along {staggered} stores {wanted} values, or {cells + 1} along `{axis}` before cutting, but found {values.shape}."
                )
            lower, upper = _outer(boundary, axis) if axis in staggered else (True, False)
            values = _padded(values, axis, _missing((True, True), (lower, upper)), boundary)
        return math.expand(values, wanted)

    # --- values at points

    def evaluate(self, values: Tensor, site: Site, boundary: Extrapolation, points: Tensor) -> Tensor:
        """Values at any points, each component between its own sites."""
        parts = [self._lookup(v, b, axes, points) for v, b, axes in self.unstack(values, site, boundary)]
        return parts[0] if None in site.staggered(self.axes) else math.stack(parts, channel(vector=self.axes))

    def pull_back(self, values: Tensor, site: Site, boundary: Extrapolation, points: Tensor) -> Tensor:
        """Values at points of which there is one per component along `~vector`: each component at its own points."""
        if "~vector" not in points.shape:
            return self.evaluate(values, site, boundary, points)
        parts = [self._lookup(*source, own) for source, own in self._with_points(values, site, boundary, points)]
        return math.stack(parts, channel(vector=self.axes))

    def pull_back_with_bounds(self, values: Tensor, site: Site, boundary: Extrapolation, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`pull_back`, and the lowest and highest of the stored and outer values that each of its values was made of."""
        found = [
            math.grid_sample_with_bounds(v, self.indices(own, axes, b), b)
            for (v, b, axes), own in self._with_points(values, site, boundary, points)
        ]
        if len(found) == 1 and None in site.staggered(self.axes):
            return found[0]
        value, lowest, highest = (math.stack(list(parts), channel(vector=self.axes)) for parts in zip(*found, strict=True))
        return value, lowest, highest

    def _with_points(self, values: Tensor, site: Site, boundary: Extrapolation, points: Tensor) -> list[tuple[Any, Tensor]]:
        """Components `(values, boundary, staggered axes)` with the points at which each is wanted."""
        sources = self.unstack(values, site, boundary)
        if "~vector" not in points.shape:
            return [(source, points) for source in sources]
        return [
            (source, points.sliced((("~vector", component),))) for component in self.axes for source in self._matching(sources, component)
        ]

    def _lookup(self, values: Tensor, boundary: Extrapolation, staggered: tuple[str, ...], points: Tensor) -> Tensor:
        return math.grid_sample(values, self.indices(points, staggered, boundary), boundary)

    def indices(self, points: Tensor, staggered: tuple[str, ...], boundary: Extrapolation) -> Tensor:
        """Positions in units of cells, 0 at the first stored value of a component that is staggered along some axes [-]."""
        offsets = tuple(1.0 - _outer(boundary, axis)[0] if axis in staggered else 0.5 for axis in self.axes)
        origin, scale = self._kept(("indices", offsets, math.get_precision()), lambda: self._index_map(offsets))
        return points * scale + origin

    def _index_map(self, offsets: tuple[float, ...]) -> tuple[Tensor, Tensor]:
        with math.precision(64):
            scale = 1 / self.cells.dx
            origin = -self.bounds.lower * scale - wrap(np.asarray(offsets), channel(vector=self.axes))
        return math.to_float(origin), math.to_float(scale)

    def deposit(self, values: Tensor, points: Tensor, site: Site, boundary: Extrapolation) -> Tensor:
        """Values at points summed into the sites around them."""
        parts = [
            self._scattered(self._component(values, component), points, axes, part(boundary, component))
            for component, axes in site.staggered(self.axes).items()
        ]
        return self.stack(parts, site, "vector")

    def _component(self, values: Tensor, component: str | None) -> Tensor:
        return values if component is None else values.sliced((("vector", component),))

    def _scattered(self, values: Tensor, points: Tensor, staggered: tuple[str, ...], boundary: Extrapolation) -> Tensor:
        raise NotImplementedError

    # --- derived data

    def _kept(self, key: Any, derive: Callable[[], Any]) -> Any:
        """Result of `derive`, kept with the grid unless it is traced."""
        kept = self.__dict__.get(key)
        if kept is None:
            kept = derive()
            if all(t.available for t in (kept if isinstance(kept, tuple) else (kept,))):
                self.__dict__[key] = kept
        return kept

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Grid) and (self.cells is other.cells or self.cells == other.cells))

    def __hash__(self) -> int:
        return hash(self.cells.resolution)

    def __repr__(self) -> str:
        return f"Grid({self.shape}, {self.bounds!r})"


def face_dim(values: Tensor) -> str:
    """Dim that lists the axes of faces: the components normal to them, or a dim of its own beside whole vectors."""
    return "~vector" if "~vector" in values.shape else "vector"


def part(boundary: Any, component: str | None) -> Any:
    """Boundary of one component."""
    return boundary if component is None or boundary is None else boundary[{"vector": component}]


def component_of(values: Tensor, component: str, axes: tuple[str, ...]) -> Tensor:
    """One component of vectors; scalars are the same for every component."""
    is_vector = "vector" in values.shape and values.shape.get_dim("vector").labels == axes
    return values.sliced((("vector", component),)) if is_vector else values


def _outer(boundary: Extrapolation | None, axis: str) -> tuple[bool, bool]:
    """Whether the lowest and the highest face along an axis are stored."""
    return (True, True) if boundary is None else boundary.valid_outer_faces(axis)


def _missing(have: tuple[bool, bool], want: tuple[bool, bool]) -> tuple[int, int]:
    """How many outer sites are to be added (or, negative, dropped) at each side."""
    return int(want[0]) - have[0], int(want[1]) - have[1]


def _padded(values: Tensor, axis: str, widths: tuple[int, int], boundary: Extrapolation) -> Tensor:
    if widths == (0, 0):
        return values
    lower, upper = widths
    if lower < 0 or upper < 0:
        values = values.sliced(((axis, (slice, max(0, -lower), -max(0, -upper) or None, None)),))
    padded = max(0, lower), max(0, upper)
    return math.pad(values, {axis: padded}, boundary) if any(padded) else values


def _paired(values: Tensor, axis: str, kernel: Kernel) -> Tensor:
    return kernel(values.sliced(((axis, _REST),)), values.sliced(((axis, _FIRST),)))


def _mean(upper: Tensor, lower: Tensor) -> Tensor:
    return (upper + lower) * 0.5


ALL = NONE
"""Boundary of values that are stored at every site, outer ones included."""
