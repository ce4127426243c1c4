"""Sampling of grids whose rule outside has no map of coordinates of its own.

Sampling is linear in the grid, so that such grids are split into parts whose rules have one: where the two
sides of a dim need different layers, each side is sampled as if its rule held at both; point reflections of
the values at the edges are the straight line through the edge values plus a remainder that is antireflected.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from operator import add, mul
from typing import Any, cast

import numpy as np

from phi_tensor._context import context_dtype
from phi_tensor._create import wrap
from phi_tensor._dim_types import channel
from phi_tensor._dtype import FLOAT32
from phi_tensor._extrapolation_resolved import PerComponent, Side, Sides
from phi_tensor._padding import KINDS, Kind
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._layout import Ragged
from phi_tensor.ops import _table as table
from phi_tensor.ops._cubic import catmull_rom
from phi_tensor.ops._lookup import component_of
from phi_tensor.ops._structure import stack

Sampler = Callable[..., Tensor]
"""`(values, coordinates, sides, constants) -> samples` for sides that need no split."""


@lru_cache(1024)
def needs_split(sides: Sides | PerComponent) -> bool:
    """Whether a rule must be sampled in several parts."""
    entries = sides.entries if isinstance(sides, PerComponent) else (sides,)
    return any(_is_mixed(pair) or _is_sloped(pair[0]) for entry in entries for pair in entry)


@lru_cache(1024)
def continues(sides: Sides | PerComponent) -> bool:
    """Whether values outside continue a slope, so that looking up one sample does not give them."""
    entries = sides.entries if isinstance(sides, PerComponent) else (sides,)
    return any(
        isinstance(s, Kind) and s.offset is not None for entry in entries for pair in entry for s in pair
    )


@lru_cache(1024)
def mirrors(sides: Sides | PerComponent) -> bool:
    """Whether a map of coordinates exchanges the lower and the upper corner of a cell."""
    entries = sides.entries if isinstance(sides, PerComponent) else (sides,)
    return any(isinstance(s, Kind) and s.mirrored for entry in entries for pair in entry for s in pair)


def _is_sloped(side: Side) -> bool:
    return isinstance(side, Kind) and side.coordinates is None


def _is_mixed(pair: tuple[Side, Side]) -> bool:
    """Two sides of which one needs layers at both, also for points far away."""
    return pair[0] is not pair[1] and any(
        isinstance(side, Kind) and (side.coordinates is None or side.layers != (0, 0)) for side in pair
    )


@dataclass(frozen=True)
class Splitter:
    """Samples grids part by part.

    Attributes:
        sample: Samples one part.
        names: Sampled dims.
        index: Name of the component dim of the coordinates.
    """

    sample: Sampler
    names: tuple[str, ...]
    index: str

    def __call__(
        self, values: Tensor, coordinates: Tensor, sides: Sides | PerComponent, constants: tuple[Any, ...]
    ) -> Tensor:
        """Samples of `values`."""
        if not needs_split(sides):
            return self.sample(values, coordinates, sides, constants)
        layout = values.layout
        if isinstance(layout, Ragged) and not isinstance(sides, PerComponent):
            sides = PerComponent(layout.dim.name, (sides,) * layout.count)
        if isinstance(sides, PerComponent):
            return self._by_component(values, coordinates, sides, constants)
        for axis, pair in enumerate(sides):
            if _is_mixed(pair):
                return self._by_side(values, coordinates, sides, constants, axis)
        axis = next(i for i, pair in enumerate(sides) if _is_sloped(pair[0]))
        return self._by_slope(values, coordinates, sides, constants, axis)

    def _by_component(
        self, values: Tensor, coordinates: Tensor, sides: PerComponent, constants: tuple[Any, ...]
    ) -> Tensor:
        dim = values.shape.get_dim(sides.dim)
        parts: list[Tensor] = []
        for i, entry in enumerate(sides.entries):
            at = {dim.name: i}
            outside = tuple(c[at] if isinstance(c, Tensor) and dim.name in c.shape else c for c in constants)
            points = (
                coordinates[at] if dim.name in coordinates.shape and dim.name != self.index else coordinates
            )
            parts.append(self(values[at], points, entry, outside))
        return stack(parts, Shape.of((dim,)), expand_values=True)

    def _by_side(
        self, values: Tensor, coordinates: Tensor, sides: Sides, constants: tuple[Any, ...], axis: int
    ) -> Tensor:
        below, above = (
            self(values, coordinates, _replaced(sides, axis, side), constants) for side in sides[axis]
        )
        return table.WHERE(component_of(coordinates, self.names[axis]) < 0, below, above)

    def _by_slope(
        self, values: Tensor, coordinates: Tensor, sides: Sides, constants: tuple[Any, ...], axis: int
    ) -> Tensor:
        name = self.names[axis]
        size = cast("int", values.shape.get_size(name))
        if size < 2:
            return self(values, coordinates, _replaced(sides, axis, KINDS["zero-gradient"]), constants)
        first, last = values[{name: 0}], values[{name: size - 1}]
        ramp = wrap(
            np.linspace(0, 1, size, dtype=context_dtype(FLOAT32).numpy),
            Shape.of((values.shape.get_dim(name).with_size(None),)),
        )
        line = first + ramp * (last - first)
        rest = self(
            values - line, coordinates, _replaced(sides, axis, KINDS["antireflect"]), (0,) * len(constants)
        )
        return self(line, coordinates, _replaced(sides, axis, KINDS["linear"]), constants) + rest


def _replaced(sides: Sides, axis: int, side: Side) -> Sides:
    return (*sides[:axis], (side, side), *sides[axis + 1 :])


def spline(coordinates: Tensor, names: tuple[str, ...], index: str, sample: Callable[[Tensor], Any]) -> Any:
    """Catmull-Rom interpolation from samples at the 4ᵈ integer coordinates around, whatever lies outside."""
    nodes = [channel(**{f"_node_{name}": 4}) for name in names]
    component = coordinates.shape.get_dim(index)
    offsets = np.stack(np.meshgrid(*[np.arange(-1.0, 3.0)] * len(names), indexing="ij"), -1)
    cell = table.FLOOR(coordinates)
    found = sample(cell + wrap(offsets, *nodes, Shape.of((component,))))
    for i, node in enumerate(nodes):
        t = (coordinates - cell)[{index: i}]
        weights = stack(list(catmull_rom(t, add, mul)), node, expand_values=True)
        found = table.SUM(weights * found, names=node.names)
    return found
