"""Scenes: the subplots of a picture and their limits, for one frame or many, before anything is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from phi_tensor import IncompatibleShapes, Shape, wrap
from phi_vis._layout import Cell
from phi_vis._marks import Panel, Range, combined
from phi_vis._source import Source, entry_text
from phi_vis.recipes import panel_of


@dataclass(frozen=True, eq=False)
class Scene:
    """What is drawn in each frame. Frames are made when they are needed.

    Attributes:
        cells: The subplots.
        limits: Per cell a panel without marks that holds the limits for all frames.
        frames: Dim of the frames, empty for a still picture.
    """

    cells: tuple[Cell, ...]
    limits: tuple[Panel, ...]
    frames: Shape

    @property
    def frame_count(self) -> int:
        """Number of frames [-]."""
        return cast("int", self.frames.volume)

    def panels(self, frame: int = 0) -> list[Panel]:
        """The subplots of one frame."""
        made = (_panel(cell, self.frames, frame) for cell in self.cells)
        return [
            replace(
                panel, x=limit.x, y=limit.y, values=limit.values, lengths=limit.lengths, is_log=limit.is_log
            )
            for panel, limit in zip(made, self.limits, strict=True)
        ]

    def frame_text(self, frame: int) -> str:
        """Which frame this is, empty for a still picture."""
        if not self.frames:
            return ""
        text = entry_text(self.frames, frame)
        return text if "=" not in text else f"{self.frames.name} = {frame}"


def scene(cells: Sequence[Cell], frames: Shape, same_scale: bool, log_dims: Sequence[str]) -> Scene:
    """Scene whose limits hold the numbers of all frames.

    Args:
        cells: The subplots.
        frames: Dim of the frames, or empty.
        same_scale: Whether subplots with the same axes get the same limits and colours.
        log_dims: Axes with logarithmic scale; `_` stands for the numbers.
    """
    count = cast("int", frames.volume)
    limits = [combined([replace(_panel(cell, frames, i), marks=()) for i in range(count)]) for cell in cells]
    if same_scale:
        limits = [_shared(panel, limits) for panel in limits]
    return Scene(tuple(cells), tuple(_final(panel, log_dims) for panel in limits), frames)


def frame_dim(cells: Sequence[Cell], name: str | None) -> Shape:
    """The dim called `name`, which turns into frames; empty without a name.

    Raises:
        IncompatibleShapes: No object has this dim, or sizes differ.
    """
    layers = [layer for cell in cells for layer in cell.layers]
    if name is None:
        return layers[0].shape.only(())
    found = [layer.shape[name] for layer in layers if name in layer.shape]
    if not found:
        shapes = ", ".join(dict.fromkeys(str(layer.shape) for layer in layers))
        raise IncompatibleShapes(
            f"There is no dim `{name}` to animate in {shapes}. Pass one of their dims as `animate` or `dim`."
        )
    sizes = sorted({cast("int", dim.size) for dim in found})
    if len(sizes) > 1:
        raise IncompatibleShapes(
            f"All objects need the same number of frames, but `{name}` has the sizes {sizes}. "
            f"Slice the longer ones."
        )
    return found[0]


def _panel(cell: Cell, frames: Shape, frame: int) -> Panel:
    panels = [panel_of(_at_frame(layer, frames, frame)) for layer in cell.layers]
    return replace(combined(panels), title=cell.title)


def _at_frame(layer: Source, frames: Shape, frame: int) -> Source:
    """One frame of a layer. A curve over the dim of the frames grows with it instead."""
    if not frames or frames.name not in layer.shape:
        return layer
    name = frames.name
    if layer.axes != (name,) or layer.values is None:
        return replace(layer[{name: frame}], axes=tuple(axis for axis in layer.axes if axis != name))
    dims = layer.values.shape.without(name) & layer.values.shape[name]
    numbers = layer.values.numpy(dims.names)
    reached = np.less_equal(np.arange(cast("int", frames.size)), frame)
    return replace(layer, values=wrap(np.where(reached, numbers, np.nan), dims))


def _shared(panel: Panel, others: Sequence[Panel]) -> Panel:
    family = combined([panel, *(other for other in others if other.family == panel.family)])
    return replace(panel, x=family.x, y=family.y, values=family.values, lengths=family.lengths)


def _final(panel: Panel, log_dims: Sequence[str]) -> Panel:
    is_log = "_" in log_dims
    x = replace(panel.x, is_log=panel.x.label in log_dims)
    y = replace(panel.y, is_log=(is_log if not panel.is_space else panel.y.label in log_dims))
    margin_y = not panel.is_space
    return replace(
        panel,
        x=replace(x, limits=_wide(x.limits, 0.0, x.is_log)),
        y=replace(y, limits=_wide(y.limits, 0.05 if margin_y else 0.0, y.is_log)),
        values=_wide(panel.values, 0.0, is_log),
        lengths=_from_zero(panel.lengths),
        is_log=is_log,
    )


def _from_zero(lengths: Range | None) -> Range | None:
    return None if lengths is None else (0.0, lengths[1] or 1.0)


def _wide(limits: Range | None, margin: float, is_log: bool) -> Range | None:
    """Limits that are apart, with a margin [-] relative to their distance; positive ones for logarithms."""
    if limits is None:
        return None
    low, high = limits
    if is_log:
        high = high if high > 0 else 1.0
        low = low if low > 0 else high * 1e-6
        factor = (high / low) ** margin if high > low else 2.0
        return low / factor, high * factor
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        half = 0.5 * abs(high) or 0.5
        return low - half, high + half
    return low - margin * (high - low), high + margin * (high - low)
