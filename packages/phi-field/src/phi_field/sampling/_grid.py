"""Regular grids. Every operation is one step along one axis: between cells and the faces that separate them.

Along an axis, n cells lie between n + 1 faces. The boundary decides which outer faces are stored and gives
the others, so a step pads by what is missing and combines neighbours. Steps along several axes commute, which
gives faces, edges and vertices in any number of dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import product
from operator import add, mul
from typing import Any, cast
from weakref import WeakValueDictionary

import numpy as np

import phi_tensor as math
from phi_field.sampling._sampling import Sampling
from phi_field.sampling._site import Site
from phi_geom import Box, UniformGrid
from phi_tensor import IncompatibleShapes, Shape, Tensor, channel, dual, instance, spatial, wrap
from phi_tensor.extrapolation import PERIODIC, CopyExtrapolation, Extrapolation, remove_constant_offset

Pairing = Callable[[Tensor, str], Tensor]
"""Combines each two neighbours along an axis; the result has one entry less."""

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
            sizes[axis] += sum(_outer(boundary, axis)) - 1
        return self.shape.with_sizes(tuple(sizes.values()))

    def component_shape(self, site: Site, boundary: Extrapolation) -> Shape:
        """Dims of the values stored at a site; sizes vary along `vector` where components differ."""
        parts = [
            math.expand(wrap(0.0), self.resolution(s, part(boundary, c)))
            for c, s in site.staggered(self.axes).items()
        ]
        return self.stack(parts, site, "vector").shape

    def points(self, site: Site, boundary: Extrapolation) -> Tensor:
        """Positions of the stored values."""
        staggered = site.staggered(self.axes)
        outer = tuple(_outer(part(boundary, c), axis) for c, axes in staggered.items() for axis in axes)
        return self._kept(
            ("points", site, outer, math.get_precision()), lambda: self._points(staggered, boundary)
        )

    def _points(self, staggered: dict[str | None, tuple[str, ...]], boundary: Extrapolation) -> Tensor:
        parts: list[Tensor] = []
        for component, axes in staggered.items():
            rule = part(boundary, component)
            offsets = {axis: (1.0 - _outer(rule, axis)[0] if axis in axes else 0.5) for axis in self.axes}
            with math.precision(64):
                exact = self.cells.points(offsets, self.resolution(axes, rule))
            parts.append(math.to_float(exact))
        return (
            parts[0]
            if len(parts) == 1 and None in staggered
            else math.stack(parts, dual(vector=tuple(cast("Any", staggered))))
        )

    def staggered_cells(self, staggered: tuple[str, ...], boundary: Extrapolation) -> UniformGrid:
        """Cells around the stored values of one component."""
        with math.precision(64):
            dx = self.cells.dx
            shift = [(0.5 - _outer(boundary, axis)[0] if axis in staggered else 0.0) for axis in self.axes]
            sizes = self.resolution(staggered, boundary)
            lower = self.bounds.lower + dx * wrap(np.asarray(shift), _axes_dim(self.axes, False))
            upper = lower + dx * wrap(np.asarray(sizes.sizes, np.float64), _axes_dim(self.axes, False))
            return UniformGrid(sizes, Box(lower, upper))

    def measure(self, site: Site) -> Tensor:
        """Volume of a cell; areas of faces along `vector`; lengths of edges; 1 for vertices."""

        def extent(axes: tuple[str, ...]) -> Tensor:
            return reduce(
                lambda a, b: a * b, [self.spacing(axis) for axis in self.axes if axis not in axes], wrap(1.0)
            )

        return self.stack([extent(axes) for axes in site.staggered(self.axes).values()], site, "vector")

    # --- components

    def unstack(self, values: Tensor, site: Site, boundary: Extrapolation) -> list[Component]:
        """`(values, boundary, staggered axes)` of each component of a site."""
        if site is Site.CENTER:
            return [(values, boundary, ())]
        staggered = site.staggered(self.axes)
        if None in staggered:
            return [(values, boundary, staggered[None])]
        dim = face_dim(values)
        if dim == "vector":
            return [
                (values.sliced((("vector", c),)), part(boundary, c), axes) for c, axes in staggered.items()
            ]
        return [(values.sliced((("~vector", c),)), boundary, axes) for c, axes in staggered.items()]

    def one(self, values: Tensor, site: Site, boundary: Extrapolation, component: str | None) -> Component:
        """One component; of vectors where a site holds whole ones."""
        components = self.unstack(values, site, boundary)
        if component is None or len(components) > 1:
            return components[0 if component is None else self.axes.index(component)]
        return component_of(values, component, self.axes), part(boundary, component), components[0][2]

    def stack(self, parts: list[Tensor], site: Site, dim: str) -> Tensor:
        """Components of a site as one tensor."""
        if site is Site.CENTER or site is Site.VERTEX:
            return parts[0]
        apart = dim == "~vector" or any("vector" in p.shape.names for p in parts)
        return math.stack(parts, _axes_dim(self.axes, apart), expand_values=True)

    # --- steps along one axis

    def to_faces(
        self, values: Tensor, axis: str, pair: Pairing, boundary: Extrapolation, target: Extrapolation | None
    ) -> Tensor:
        """Cell → face: neighbours combined at the faces that `target` stores (all of them for None)."""
        return pair(_padded(values, axis, _outer(target, axis), boundary), axis)

    def to_cells(self, values: Tensor, axis: str, pair: Pairing, boundary: Extrapolation) -> Tensor:
        """Face → cell: the two faces of each cell combined.

        Those that are not stored come from the boundary.
        """
        lower, upper = _outer(boundary, axis)
        return pair(_padded(values, axis, (not lower, not upper), boundary), axis)

    def slope(self, values: Tensor, axis: str) -> Tensor:
        """Difference of neighbours over their distance."""
        return (values.sliced(((axis, _REST),)) - values.sliced(((axis, _FIRST),))) / self.spacing(axis)

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
            self.stack(
                [self._dual_slope(v, axis, b, target) for v, b, _ in self.unstack(values, site, boundary)],
                site,
                "vector",
            )
            for axis in axes
        ]
        return math.stack(parts, _axes_dim(axes, True), expand_values=True)

    def _dual_slope(
        self, values: Tensor, axis: str, boundary: Extrapolation, target: Extrapolation | None
    ) -> Tensor:
        return self.to_faces(values, axis, self.slope, boundary, target)

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
        v, b, have = self.one(values, site, boundary, component)
        for other in have:
            if other != axis:
                v = _padded(v, other, _missing(_outer(b, other), _outer(target_boundary, other)), b)
        if axis in have:
            return self.to_cells(v, axis, self.slope, b)
        if target is site:
            return _mean(self.to_faces(v, axis, self.slope, b, None), axis)
        return self.to_faces(v, axis, self.slope, b, target_boundary)

    def interpolate(
        self,
        values: Tensor,
        site: Site,
        boundary: Extrapolation,
        target: Site,
        target_boundary: Extrapolation | None,
    ) -> Tensor:
        """Values at other sites, the mean of neighbours along each axis in turn; vectors by component."""
        sources = self.unstack(values, site, boundary)
        parts = [
            self._gathered(
                site if c is None else Site.CENTER,
                self._matching(sources, site, c),
                wanted,
                part(target_boundary, c),
            )
            for c, wanted in target.staggered(self.axes).items()
        ]
        return self.stack(parts, target, "vector")

    def surround(
        self,
        values: Tensor,
        site: Site,
        boundary: Extrapolation,
        target: Site,
        target_boundary: Extrapolation | None,
    ) -> Tensor:
        """Whole values at each site, along `~vector` where sites have several components."""
        sources = self.unstack(values, site, boundary)
        parts = [
            self._gathered(site, sources, wanted, part(target_boundary, c))
            for c, wanted in target.staggered(self.axes).items()
        ]
        return self.stack(parts, target, "~vector")

    def _gathered(
        self, site: Site, sources: list[Component], wanted: tuple[str, ...], target: Extrapolation | None
    ) -> Tensor:
        """All components of a site moved to the same place.

        As a vector where the site holds one component each.
        """
        return self.stack([self._moved(*source, wanted, target) for source in sources], site, "vector")

    def _matching(self, sources: list[Component], site: Site, component: str | None) -> list[Component]:
        """What makes one component of the target: that component of a vector.

        All of them where a site holds whole vectors.
        """
        if component is None:
            return sources
        if None not in site.staggered(self.axes):
            return [sources[self.axes.index(component)]]
        values, boundary, staggered = sources[0]
        return [(component_of(values, component, self.axes), part(boundary, component), staggered)]

    def _moved(
        self,
        values: Tensor,
        boundary: Extrapolation,
        have: tuple[str, ...],
        want: tuple[str, ...],
        target: Extrapolation | None,
    ) -> Tensor:
        between: list[str] = []  # axes along which neighbours remain to be averaged

        def padded(values: Tensor, axis: str, widths: tuple[int, int]) -> Tensor:
            if any(widths):
                values = _mean(values, *between)
                between.clear()
            return _padded(values, axis, widths, boundary)

        for axis in have:
            stored = _outer(target if axis in want else None, axis)
            values = padded(values, axis, _missing(_outer(boundary, axis), stored))
            if axis not in want:
                between.append(axis)
        for axis in want:
            if axis not in have:
                values = padded(values, axis, _outer(target, axis))
                between.append(axis)
        return _mean(values, *between)

    def with_faces(
        self, values: Tensor, site: Site, boundary: Extrapolation, target: Extrapolation
    ) -> Tensor:
        """Values with the outer sites that `target` stores.

        Missing ones come from `boundary`, others are dropped.
        """
        staggered = site.staggered(self.axes)
        if all(
            _outer(part(boundary, c), axis) == _outer(part(target, c), axis)
            for c, axes in staggered.items()
            for axis in axes
        ):
            return values
        parts: list[Tensor] = []
        for (v, b, axes), component in zip(
            self.unstack(values, site, boundary), site.staggered(self.axes), strict=True
        ):
            for axis in axes:
                v = _padded(v, axis, _missing(_outer(b, axis), _outer(part(target, component), axis)), b)
            parts.append(v)
        return self.stack(parts, site, "vector")

    def uniform(self, values: Tensor, site: Site, boundary: Extrapolation) -> Tensor:
        """All components with n + 1 values along every axis, those outside from the boundary.

        Along `vector`.
        """
        parts: list[Tensor] = []
        for v, b, axes in self.unstack(values, site, boundary):
            for axis in self.axes:
                lower, upper = _outer(b, axis) if axis in axes else (True, False)
                v = _padded(v, axis, (not lower, not upper), b)
            parts.append(v)
        return self.stack(parts, site, "vector")

    def trimmed(self, values: Tensor, site: Site, boundary: Extrapolation) -> Tensor:
        """Stored values of a tensor with n + 1 values along each axis, the inverse of `uniform`."""
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
                    f"A component staggered along {staggered} stores {wanted} values, or {cells + 1} "
                    f"along `{axis}` before cutting, but found {values.shape}."
                )
            lower, upper = _outer(boundary, axis) if axis in staggered else (True, False)
            values = _padded(values, axis, _missing((True, True), (lower, upper)), boundary)
        return math.expand(values, wanted)

    # --- values at points

    def evaluate(self, values: Tensor, site: Site, boundary: Extrapolation, points: Tensor) -> Tensor:
        """Values at any points, each component between its own sites."""
        parts = [self._lookup(v, b, axes, points) for v, b, axes in self.unstack(values, site, boundary)]
        return (
            parts[0] if None in site.staggered(self.axes) else math.stack(parts, _axes_dim(self.axes, False))
        )

    def pull_back(self, values: Tensor, site: Site, boundary: Extrapolation, points: Tensor) -> Tensor:
        """Values at points of which there is one per component along `~vector`.

        Each component at its own points.
        """
        if "~vector" not in points.shape:
            return self.evaluate(values, site, boundary, points)
        located = self._with_points(values, site, boundary, points)
        parts = [self._lookup(v, b, axes, own) for (v, b, axes), own in located]
        return math.stack(parts, _axes_dim(self.axes, False))

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
            math.stack(list(parts), _axes_dim(self.axes, False)) for parts in zip(*found, strict=True)
        )
        return value, lowest, highest

    def _with_points(
        self, values: Tensor, site: Site, boundary: Extrapolation, points: Tensor
    ) -> list[tuple[Component, Tensor]]:
        """Components `(values, boundary, staggered axes)` with the points at which each is wanted."""
        sources = self.unstack(values, site, boundary)
        if "~vector" not in points.shape:
            return [(source, points) for source in sources]
        return [
            (source, points.sliced((("~vector", component),)))
            for component in self.axes
            for source in self._matching(sources, site, component)
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
            values = _padded(values, axis, (1, 1), boundary)
        return values, self.indices(points, staggered, None if empty else boundary)

    def indices(self, points: Tensor, staggered: tuple[str, ...], boundary: Extrapolation | None) -> Tensor:
        """Positions in units of cells.

        0 at the first stored value of a component that is staggered along some axes [-].
        """
        offsets = tuple(1.0 - _outer(boundary, axis)[0] if axis in staggered else 0.5 for axis in self.axes)
        origin, scale = self._kept(
            ("indices", offsets, math.get_precision()), lambda: self._index_map(offsets)
        )
        return points * scale + origin

    def _index_map(self, offsets: tuple[float, ...]) -> tuple[Tensor, Tensor]:
        with math.precision(64):
            scale = 1 / self.cells.dx
            origin = -self.bounds.lower * scale - wrap(np.asarray(offsets), _axes_dim(self.axes, False))
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

    def _scattered(
        self, values: Tensor, points: Tensor, staggered: tuple[str, ...], boundary: Extrapolation
    ) -> Tensor:
        """Values added to the 2ᵈ neighbours of each point, on a grid with one layer around it.

        Which is then folded back.
        """
        sizes = self.resolution(staggered, boundary)
        at = self.indices(points, staggered, boundary)
        pairs = [
            _neighbors(
                at.vector[axis], cast("int", sizes.get_size(axis)), boundary.side(axis, True) == PERIODIC
            )
            for axis in self.axes
        ]
        base = math.zeros(sizes + 2, dtype=float)
        for corner in product((0, 1), repeat=len(self.axes)):
            chosen = [pair[i] for pair, i in zip(pairs, corner, strict=True)]
            index = math.stack([where for where, _ in chosen], _axes_dim(self.axes, False))
            base = math.scatter(
                base, index, reduce(mul, [share for _, share in chosen], values), "add", "undefined"
            )
        for axis in self.axes:
            base = _folded(base, axis, boundary)
        return base

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


def face_dim(values: Tensor) -> str:
    """Dim that lists the axes of faces.

    The components normal to them, or a dim of its own beside whole vectors.
    """
    names = values.shape.names
    if "~vector" in names:
        return "~vector"
    if "vector" not in names:
        raise IncompatibleShapes(
            f"Values at faces or edges need one entry per axis along `vector`, but have {values.shape}."
        )
    return "vector"


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


def part(boundary: Any, component: str | None) -> Any:
    """Boundary of one component."""
    if component is None or type(boundary) is CopyExtrapolation or boundary is None:
        return boundary
    return boundary[{"vector": component}]


@lru_cache(64)
def _axes_dim(axes: tuple[str, ...], apart: bool) -> Shape:
    """Dim that lists the axes: `vector`, or apart from it `~vector`."""
    return (dual if apart else channel)(vector=axes)


def component_of(values: Tensor, component: str, axes: tuple[str, ...]) -> Tensor:
    """One component of vectors; scalars are the same for every component."""
    is_vector = "vector" in values.shape and values.shape.get_dim("vector").labels == axes
    return values.sliced((("vector", component),)) if is_vector else values


def _outer(boundary: Extrapolation | None, axis: str) -> tuple[bool, bool]:
    """Whether the lowest and the highest face along an axis are stored."""
    if boundary is None:
        return True, True
    kept: dict[Any, tuple[bool, bool]] = vars(boundary).setdefault(
        "_outer", {}
    )  # with the boundary, whose lifetime it shares
    found = kept.get(axis)
    if found is None:
        found = kept[axis] = boundary.valid_outer_faces(axis)
    return found


def _neighbors(at: Tensor, size: int, periodic: bool) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """`(index, weight)` of the lower and the upper neighbour of positions along one axis.

    Counted from the layer below the grid.
    """
    at = at - size * math.floor(at / size) if periodic else math.clip(at, -1, size)
    lower = math.clip(math.floor(math.stop_gradient(at)), -1, size - 1)
    share = at - lower
    index = math.to_int32(lower) + 1
    return (index, 1 - share), (index + 1, share)


def _folded(values: Tensor, axis: str, boundary: Extrapolation) -> Tensor:
    """Transpose of padding by one layer along an axis.

    What lies outside goes where the boundary would have taken it from.
    """
    size = cast("int", values.shape.get_size(axis)) - 2
    inner = values.sliced(((axis, (slice, 1, -1, None)),))
    for outer, weights in _sources(boundary, axis, size):
        inner = inner + weights * values.sliced(((axis, outer),))
    return inner


def _sources(boundary: Extrapolation, axis: str, size: int) -> list[tuple[int, Tensor]]:
    """`(position, weights)` of each layer outside.

    The linear combination of inner values that the boundary puts there.
    """
    kept: dict[Any, list[tuple[int, Tensor]]] = vars(boundary).setdefault("_sources", {})
    if (axis, size) not in kept:
        unit = wrap(np.eye(size), spatial(axis), instance("_inner"))
        padded = math.pad(unit, {axis: (1, 1)}, remove_constant_offset(boundary))
        layers = [
            (outer, math.rename_dims(padded.sliced(((axis, outer),)), "_inner", spatial(axis)))
            for outer in (0, size + 1)
        ]
        kept[axis, size] = layers if padded.shape.get_size(axis) == size + 2 else []
    return kept[axis, size]


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


def _mean(values: Tensor, *axes: str) -> Tensor:
    """Mean of neighbours along each axis."""
    return _sum(values, *axes) * 0.5 ** len(axes) if axes else values


def _sum(values: Tensor, axis: str, *others: str) -> Tensor:
    """Sum of neighbours. Slices before it adds: XLA is 2.4 times slower the other way round."""
    upper, lower = values.sliced(((axis, _REST),)), values.sliced(((axis, _FIRST),))
    return _sum(upper, *others) + _sum(lower, *others) if others else upper + lower
