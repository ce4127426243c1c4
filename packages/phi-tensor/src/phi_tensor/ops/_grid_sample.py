"""Multilinear interpolation between the samples of a grid, at real index coordinates (0 is the first sample).

Along each dim the grid gets the layers that its boundary needs, coordinates are mapped between them, and the
2ᵈ values around each
point are looked up in the flat array.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal, cast

import numpy as np

from phi_tensor._context import context_dtype
from phi_tensor._create import wrap
from phi_tensor._dim_types import channel
from phi_tensor._dtype import FLOAT32
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._extrapolation_resolved import PerComponent, Sides, resolved
from phi_tensor._extrapolation_sides import Chosen, as_extrapolation
from phi_tensor._plan import PlanCall, Row, layout_of, planned, rule
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor._trees import tree_map
from phi_tensor.backends._backend import Native
from phi_tensor.layouts._dense_steps import cast_step, chain, convert_step
from phi_tensor.layouts._elementwise import entries_of
from phi_tensor.layouts._join import join
from phi_tensor.layouts._layout import Dense, Layout, Parts, Ragged, Scalar, entry_layout
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor, is_container
from phi_tensor.ops._corners import Corners
from phi_tensor.ops._cubic import cubic_plan
from phi_tensor.ops._dtype_rules import result_types
from phi_tensor.ops._grid_split import Splitter, continues, mirrors, needs_split, spline
from phi_tensor.ops._interpolation import FlatGrid, Located, Locator, points_dims, sampled_axes
from phi_tensor.ops._lookup import index_dim_of
from phi_tensor.ops._parts import (
    at_points,
    backend_for,
    components_of,
    constants_reader,
    joined_layout,
    part_by_part,
)
from phi_tensor.ops._structure import slice_, stack

Give = Literal["value", "cubic", "corners", "bounds"]


def grid_sample(
    grid: Any,
    coordinates: Tensor,
    extrap: Any,
    method: Literal["linear", "cubic"] = "linear",
    **kwargs: object,
) -> Any:
    """Multilinear (or cubic) interpolation of `grid` at `coordinates`.

    Linear: φ(c) = Σ over corners k of φₖ ∏ (1 − |c − k|), exact on linear functions. Differentiable in the
    grid and, within cells, in the coordinates; at samples the derivative is the one towards higher
    coordinates.

    Cubic: Catmull-Rom splines, from four samples along each dim. They pass through the samples, are exact on
    quadratic functions and have a continuous derivative, but may exceed the values around.

    Args:
        grid: Values `(…, x, y, …)`, or a tree of them.
        coordinates: Index coordinates `(…, vector)` [cells]; 0 is the first sample. Labels of `vector` name
            the dims of `grid`; other
            dims that both have are matched, even if the grid's `x` is sampled and the coordinates have an
            `x` of their own.
        extrap: Rule for values outside, see `extrapolation.as_extrapolation`.
        method: `linear` or `cubic`.
        **kwargs: Ignored, for PhiFlow's callers.

    Returns:
        Values with the dims of `coordinates` (without `vector`) and the remaining ones of `grid`.

    >>> import phi_tensor as math
    >>> grid_sample(math.wrap([1.0, 2.0, 3.0], math.spatial("x")), math.vec(x=-0.5), 0)
    0.5
    """
    if method not in ("linear", "cubic"):
        raise ValueError(f"`grid_sample` has the methods 'linear' and 'cubic', but found {method!r}.")
    return _sample(grid, coordinates, extrap, "value" if method == "linear" else "cubic")


def grid_sample_with_bounds(grid: Tensor, coordinates: Tensor, extrap: Any) -> tuple[Tensor, Tensor, Tensor]:
    """`(value, lowest, highest)`: the interpolated value and the range of the corner values around it."""
    result = _sample(grid, coordinates, extrap, "bounds")
    return tuple(slice_(result, {"bound": i}) for i in range(3))


def grid_sample_bounds(grid: Tensor, coordinates: Tensor, extrap: Any) -> tuple[Tensor, Tensor]:
    """Smallest and largest of the values that `grid_sample` interpolates between."""
    return grid_sample_with_bounds(grid, coordinates, extrap)[1:]


def closest_grid_values(
    grid: Any, coordinates: Tensor, extrap: Any, stack_dim_prefix: str = "closest_", **kwargs: object
) -> Any:
    """The values that `grid_sample` interpolates between.

    Args:
        grid: Values `(…, x, y, …)`.
        coordinates: Index coordinates `(…, vector)` [cells].
        extrap: Rule for values outside.
        stack_dim_prefix: The result has one channel dim of size 2 (lower, upper) per sampled dim, named with
            this prefix.
        **kwargs: Ignored, for PhiFlow's callers.
    """
    return _sample(grid, coordinates, extrap, "corners", stack_dim_prefix)


def _sample(grid: Any, coordinates: Tensor, extrap: Any, give: Give, prefix: str = "") -> Any:
    if not isinstance(grid, Tensor) and is_container(grid):
        return tree_map(lambda leaf: _sample(leaf, coordinates, extrap, give, prefix), grid)
    values, extrapolation = as_tensor(grid), as_extrapolation(extrap)
    index = index_dim_of(coordinates.shape, values.shape)
    names = index.labels or values.shape.spatial.names
    if index.size != len(names):
        raise IncompatibleShapes(
            f"Coordinates need one component for each of the dims {names} of {values.shape}, but "
            f"({index}) has {index.size}. Label them: `channel({index.name}='{','.join(names)}')`."
        )
    if isinstance(extrapolation, Chosen):
        mask = table.CAST(
            table.EXPAND(extrapolation.mask, dims=values.shape.only(names).dims), dtype=context_dtype(FLOAT32)
        )
        chosen = _sample(mask, coordinates, "zero-gradient", "value") > 0.5
        rules = (extrapolation.true_rule, extrapolation.false_rule)
        return table.WHERE(chosen, *(_sample(values, coordinates, rule, give, prefix) for rule in rules))
    sides, constants = resolved(extrapolation, names, values.shape)
    if give == "cubic" and (needs_split(sides) or continues(sides)):
        return spline(coordinates, names, index.name, lambda at: _sample(values, at, extrapolation, "value"))
    if needs_split(sides) or (give == "corners" and mirrors(sides)):
        return _split(values, coordinates, sides, constants, names, index.name, give, prefix)
    return table.GRID_SAMPLE(
        values, coordinates, *constants, names=names, index=index.name, sides=sides, give=give, prefix=prefix
    )


def _split(
    values: Tensor,
    coordinates: Tensor,
    sides: Sides | PerComponent,
    constants: tuple[Any, ...],
    names: tuple[str, ...],
    index: str,
    give: Give,
    prefix: str,
) -> Tensor:
    """Samples by parts of the grid; values at corners are samples, too, the lower one first."""

    def sample(part: Tensor, points: Tensor, rules: Any, outside: tuple[Any, ...]) -> Tensor:
        return table.GRID_SAMPLE(
            part, points, *outside, names=names, index=index, sides=rules, give="value", prefix=""
        )

    sampled = Splitter(sample, names, index)
    if give == "value":
        return sampled(values, coordinates, sides, constants)
    closest = [channel(**{f"{prefix}{name}": 2}) for name in names]
    component = coordinates.shape.get_dim(index)
    offsets = np.stack(np.meshgrid(*[np.arange(2.0)] * len(names), indexing="ij"), -1)
    corners = table.FLOOR(coordinates) + wrap(offsets, *closest, Shape.of((component,)))
    found = sampled(values, corners, sides, constants)
    if give == "corners":
        return found
    around = tuple(dim.name for dim in closest)
    bounds = (table.MIN(found, names=around), table.MAX(found, names=around))
    return stack(
        [sampled(values, coordinates, sides, constants), *bounds], channel(bound=3), expand_values=True
    )


@dataclass(frozen=True)
class Request:
    """What is sampled: settings that all plans of one call share.

    Attributes:
        names: Sampled dims.
        index: Name of the coordinates' component dim.
        sides: Rules outside, per sampled dim.
        give: What to return.
        prefix: For the names of corner dims.
    """

    names: tuple[str, ...]
    index: str
    sides: Sides | PerComponent
    give: Give
    prefix: str


@rule("grid_sample")
def grid_sample_rule(
    row: Row,
    grid: Layout,
    coordinates: Layout,
    *constants: Layout,
    names: tuple[str, ...],
    index: str,
    sides: Sides | PerComponent,
    give: Give,
    prefix: str,
) -> PlanCall:
    """Plan of interpolation, linear in grid and constants together."""
    return _planned(row, (grid, coordinates, *constants), Request(names, index, sides, give, prefix))


def _planned(row: Row, layouts: tuple[Layout, ...], request: Request) -> PlanCall:
    grid, coordinates, *constants = layouts
    if isinstance(request.sides, PerComponent) and (
        not isinstance(grid, Parts) or grid.dim.name == request.sides.dim
    ):
        dim, entries = request.sides
        return _apart(row, layouts, dim, lambda i: replace(request, sides=entries[i]))
    apart = at_points(
        row, layouts, request.names, request.index, lambda *entries: _planned(row, entries, request)
    )
    if apart is not None:
        return apart
    if isinstance(grid, Parts):
        together = request.give != "cubic" and not isinstance(grid, Ragged)
        if together and grid.dim.name not in coordinates.shape.without(request.index):
            parts = tuple(
                layout_of(join(table.JOIN, part)) if isinstance(part, Parts) else part for part in grid.parts
            )
            return parts_sampled(row, cast("tuple[Dense, ...]", parts), coordinates, constants, request, grid)
        return _apart(row, layouts, grid.dim.name, lambda i: request)
    assert isinstance(grid, Dense)
    if request.give == "cubic":
        assert not isinstance(request.sides, PerComponent)
        cubic = cubic_plan(row, grid, coordinates, constants, request.names, request.index, request.sides)
        return cubic or dense_sampled(row, grid, coordinates, constants, replace(request, give="value"))
    return dense_sampled(row, grid, coordinates, constants, request)


def _apart(
    row: Row, layouts: tuple[Layout, ...], along: str, request_of: Callable[[int], Request]
) -> PlanCall:
    keep = (1,) if along == request_of(0).index else ()
    return part_by_part(layouts, along, lambda i, *entries: _planned(row, entries, request_of(i)), keep)


# --- dense grids


def dense_sampled(
    row: Row, grid: Dense, coordinates: Layout, constants: Sequence[Layout], request: Request
) -> PlanCall:
    """Plan for one array of values."""
    sampled = _Sampled(row, [grid], coordinates, [constants], request)
    return sampled.plan() if sampled.axes else sampled.constant_plan(grid)


def parts_sampled(
    row: Row,
    parts: tuple[Dense, ...],
    coordinates: Layout,
    constants: Sequence[Layout],
    request: Request,
    grid: Parts,
) -> PlanCall:
    """Plan for components stored apart: points are located once for all of them, if they are stored alike."""
    entries = [
        tuple(c if isinstance(c, Scalar) else entry_layout(c, grid.dim.name, i) for c in constants)
        for i in range(len(parts))
    ]
    sampled = _Sampled(row, parts, coordinates, entries, request)
    return (
        sampled.plan(grid)
        if sampled.alike
        else _apart(row, (grid, coordinates, *constants), grid.dim.name, lambda i: request)
    )


class _Sampled:
    """What the plans of one or several arrays share."""

    def __init__(
        self,
        row: Row,
        parts: Sequence[Dense],
        coordinates: Layout,
        constants: Sequence[Sequence[Layout]],
        request: Request,
    ) -> None:
        assert not isinstance(request.sides, PerComponent)
        self.blocks = [
            [joined_layout(c) if isinstance(c, Parts) else c for c in entry] for entry in constants
        ]
        self.request = request
        self.backend = backend_for((*parts, coordinates, *self.blocks[0]))
        self.dtype = result_types(row, (parts[0], *self.blocks[0]))[1]
        found = [sampled_axes(part, request.names, request.sides) for part in parts]
        self.axes = found[0]
        wanted = [request.names.index(axis.name) for axis in self.axes]
        components, self.take = components_of(coordinates, request.index, wanted, self.backend)
        self.components = components
        dims = points_dims(components)
        present = {dim.name for dim in dims}
        self.grids = [
            FlatGrid(part, entry, axes, present, self.dtype, self.backend)
            for part, entry, axes in zip(parts, self.blocks, found, strict=True)
        ]
        self.alike = (
            bool(self.axes)
            and all(axes == found[0] for axes in found)
            and all(g.signature == self.grids[0].signature for g in self.grids)
        )
        self.shapes = [
            merge_shapes(
                coordinates.shape.without(request.index),
                *(values.shape.without(request.names) for values in (part, *outside)),
            )
            for part, outside in zip(parts, self.blocks, strict=True)
        ]
        if self.alike:
            self.locator = Locator(
                self.axes, self.grids[0], components, dims, context_dtype(FLOAT32), self.backend
            )
            self.corners = [Corners(g, self.locator, self.dtype, self.backend) for g in self.grids]

    def constant_plan(self, grid: Dense) -> PlanCall:
        """Plan for values that do not vary along any sampled dim."""
        step = chain([convert_step(grid, self.backend), cast_step(grid.dtype, self.dtype, self.backend)])
        stored = tuple(self.shapes[0].get_dim(dim.name) for dim in grid.stored)
        layout: Layout = Dense.of(stored, self.shapes[0], self.dtype, self.backend)
        if self.request.give == "bounds":
            layout = Parts.of(channel(bound=3).dim, (layout,) * 3)
        for name in reversed(self.request.names if self.request.give == "corners" else ()):
            layout = Parts.of(channel(**{f"{self.request.prefix}{name}": 2}).dim, (layout, layout))
        count = layout.count
        return planned(
            layout,
            lambda g, *_: Tensor(layout, (g.natives[0] if step is None else step(g.natives[0]),) * count),
        )

    def plan(self, grid: Parts | None = None) -> PlanCall:
        """Plan for one array, or for the parts of `grid`."""
        finish = {"value": self._value, "bounds": self._bounds, "corners": self._corners}[self.request.give]
        layouts: list[Layout] = []
        endings: list[Callable[[list[Native], Located], tuple[Native, ...]]] = []
        for corners, shape in zip(self.corners, self.shapes, strict=True):
            stored = tuple(shape.get_dim(dim.name) for dim in corners.stored)
            layout, ending = finish(corners, Dense.of(stored, shape, self.dtype, self.backend))
            layouts.append(layout)
            endings.append(ending)
        locator, take, steps = (
            self.locator,
            self.take,
            list(zip(self.grids, self.corners, endings, strict=True)),
        )
        if grid is None:
            flat, look_up, ending = self.grids[0].flat, self.corners[0].look_up, endings[0]
            constants_of = constants_reader(self.blocks[0])

            def single(g: Tensor, coordinates: Tensor, *constants: Any) -> Tensor:
                at = locator(take(coordinates))
                return Tensor(
                    layouts[0], ending(look_up(flat(g.natives[0], constants_of(constants)), at), at)
                )

            return planned(layouts[0], single)
        result = Parts.of(grid.dim, tuple(layouts))
        along, count = grid.dim.name, len(layouts)
        readers = [constants_reader(entry) for entry in self.blocks]

        def each(g: Tensor, coordinates: Tensor, *constants: Any) -> Tensor:
            at = locator(take(coordinates))
            columns = [entries_of(c, along, count) for c in constants]
            natives: tuple[Native, ...] = ()
            for i, (part, (values, corners, ending)) in enumerate(zip(g.parts(), steps, strict=True)):
                flat = values.flat(part.block().natives[0], readers[i]([column[i] for column in columns]))
                natives += ending(corners.look_up(flat, at), at)
            return Tensor(result, natives)

        return planned(result, each)

    def _value(
        self, corners: Corners, layout: Dense
    ) -> tuple[Layout, Callable[[list[Native], Located], tuple[Native, ...]]]:
        return layout, lambda values, at: (corners.blend(corners.outside(values, at), at),)

    def _bounds(
        self, corners: Corners, layout: Dense
    ) -> tuple[Layout, Callable[[list[Native], Located], tuple[Native, ...]]]:
        def ending(values: list[Native], at: Located) -> tuple[Native, ...]:
            values = corners.outside(values, at)
            return corners.blend(values, at), *corners.bounds(values)

        return Parts.of(channel(bound=3).dim, (layout,) * 3), ending

    def _corners(
        self, corners: Corners, layout: Dense
    ) -> tuple[Layout, Callable[[list[Native], Located], tuple[Native, ...]]]:
        names, split = self.request.names, self.locator.split
        order: list[int] = []
        for places in product((0, 1), repeat=len(names)):
            upper = dict(zip(names, places, strict=True))
            order.append(sum(upper[name] << (len(split) - 1 - i) for i, name in enumerate(split)))
        nested: Layout = layout
        for name in reversed(names):
            nested = Parts.of(channel(**{f"{self.request.prefix}{name}": 2}).dim, (nested, nested))

        def ending(values: list[Native], at: Located) -> tuple[Native, ...]:
            values = corners.outside(values, at)
            return tuple(values[i] for i in order)

        return nested, ending
