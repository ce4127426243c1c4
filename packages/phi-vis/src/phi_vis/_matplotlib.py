"""The Matplotlib drawer: panels into a `Figure` of its own, without pyplot, windows or global settings."""

# pyright: reportUnknownMemberType=false
# Matplotlib's stubs leave keyword arguments untyped.

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from phi_tensor import Unsupported
from phi_vis._artists import DRAW, Update
from phi_vis._look import Look, arrow_colors, colors_of
from phi_vis._marks import Array, Arrows, Image, Panel, Points
from phi_vis._scene import Scene


class Drawing:
    """A scene on a Matplotlib figure; `show_frame` replaces its contents.

    Attributes:
        figure: The figure.
        axes: Axes per subplot.
        frame: Which frame it shows.
    """

    def __init__(self, scene: Scene, look: Look) -> None:
        self.scene = scene
        self.look = look
        self.frame: int = 0
        self._heading: Artist | None = None
        self._drawn: tuple[Any, Any] | None = None
        panels = scene.panels(0)
        with mpl.rc_context(look.style):
            columns, rows, size = _table(scene, panels)
            self.figure: Figure = Figure(
                figsize=look.size or size, layout=ConstrainedLayoutEngine(w_pad=0.09, h_pad=0.07)
            )
            FigureCanvasAgg(self.figure)
            grid = self.figure.add_gridspec(len(rows), len(columns), width_ratios=columns, height_ratios=rows)
            self.axes: list[Axes] = [
                self.figure.add_subplot(grid[cell.row, cell.column]) for cell in scene.cells
            ]
            self._updates = [_draw_panel(a, p, look) for a, p in zip(self.axes, panels, strict=True)]
            _color_bars(scene, self.axes, panels, look)
            self._write_titles(panels)

    def show_frame(self, frame: int) -> None:
        """Replaces all marks by those of a frame."""
        if frame == self.frame:
            return
        panels = self.scene.panels(frame)
        with mpl.rc_context(self.look.style):
            for updates, panel in zip(self._updates, panels, strict=True):
                for update, mark in zip(updates, panel.marks, strict=True):
                    update(mark)
            self.frame = frame
            self._write_titles(panels)

    def pixels(self, dpi: float) -> Array:
        """The picture as `(height, width, rgba)` bytes. The layout of the first one is kept."""
        with mpl.rc_context(self.look.style):
            canvas = cast("FigureCanvasAgg", self.figure.canvas)
            canvas.restore_region(self._background(canvas, dpi))
            for artist in self._moving_artists():
                artist.draw(canvas.get_renderer())
            return np.asarray(canvas.buffer_rgba())

    def _background(self, canvas: FigureCanvasAgg, dpi: float) -> Any:
        """What all frames have in common; axes and their labels are what takes long to draw."""
        key = (dpi, *self.figure.get_size_inches())
        if self._drawn is None or self._drawn[0] != key:
            self.figure.set_dpi(dpi)
            canvas.draw()
            self.figure.set_layout_engine("none")
            moving = self._moving_artists()
            for artist in moving:
                artist.set_visible(False)
            canvas.draw()
            for artist in moving:
                artist.set_visible(True)
            self._drawn = key, canvas.copy_from_bbox(self.figure.bbox)
        return self._drawn[1]

    def _moving_artists(self) -> list[Artist]:
        """Artists that differ from frame to frame, and those on top of them, from back to front."""
        found: list[Artist] = [] if self._heading is None else [self._heading]
        for axes in self.axes:
            marks = [*axes.images, *axes.collections, *axes.patches, *axes.lines]
            legend = axes.get_legend()
            found += sorted(marks, key=Artist.get_zorder)
            found += [*axes.spines.values(), *([] if legend is None else [legend])]
        return [artist for artist in found if artist.get_visible()]

    def _write_titles(self, panels: Sequence[Panel]) -> None:
        title, text = self.look.title, self.scene.frame_text(self.frame)
        own = (title,) if isinstance(title, str) else tuple(title or ())
        above = own[0] if isinstance(title, str) and len(panels) > 1 else ""
        if isinstance(title, str) and len(panels) > 1:
            own = ()
        for i, (axes, panel) in enumerate(zip(self.axes, panels, strict=True)):
            lines = [own[i] if i < len(own) else panel.title, panel.note]
            axes.set_title("\n".join(filter(None, lines)))
        if above or text:
            self._heading = self.figure.suptitle("   ".join(filter(None, (above, text))))


def _table(scene: Scene, panels: Sequence[Panel]) -> tuple[list[float], list[float], tuple[float, float]]:
    """Widths of columns, heights of rows, and size of the figure [inch]."""
    columns = [1.0] * (1 + max(cell.column for cell in scene.cells))
    rows = [1.0] * (1 + max(cell.row for cell in scene.cells))
    for cell, panel in zip(scene.cells, panels, strict=True):
        ratio = min(5.0, max(0.2, _aspect(panel)))
        columns[cell.column] = max(columns[cell.column], 3.0 * ratio**0.5)
        rows[cell.row] = max(rows[cell.row], 3.0 / ratio**0.5)
    shrink = min(1.0, 14.0 / sum(columns), 10.0 / sum(rows))
    columns, rows = [w * shrink for w in columns], [h * shrink for h in rows]
    texts = 0.5 + 0.2 * any(panel.title or panel.note for panel in panels)
    return (
        columns,
        rows,
        (sum(columns) + len(columns), sum(rows) + texts * len(rows) + 0.2 * bool(scene.frames)),
    )


def _aspect(panel: Panel) -> float:
    """Width by height [-]."""
    if not panel.is_space or panel.x.limits is None or panel.y.limits is None:
        return 1.5
    return (panel.x.limits[1] - panel.x.limits[0]) / (panel.y.limits[1] - panel.y.limits[0])


def _draw_panel(axes: Axes, panel: Panel, look: Look) -> list[Update]:
    updates = [DRAW[type(mark)](axes, mark, panel, look) for mark in panel.marks]
    if panel.x.is_log:
        axes.set_xscale("log")
    if panel.y.is_log:
        axes.set_yscale("log")
    if panel.x.limits:
        axes.set_xlim(*panel.x.limits)
    if panel.y.limits:
        axes.set_ylim(*panel.y.limits)
    axes.set_xlabel(panel.x.label)
    axes.set_ylabel(panel.y.label)
    axes.set_axisbelow(True)
    _fix_tick_size(axes)
    if panel.is_space:
        axes.set_aspect("equal")
        axes.locator_params(nbins=6)
    else:
        axes.grid(True)
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    if labels:
        axes.legend(
            handles, labels, loc="best" if len(handles) < 7 else "upper right", ncols=1 + len(handles) // 8
        )
    return updates


def _color_bars(scene: Scene, axes: Sequence[Axes], panels: Sequence[Panel], look: Look) -> None:
    if not look.has_color_bar:
        return
    explained = [_explained(panel, look) for panel in panels]
    for i, (norm_and_map, cell) in enumerate(zip(explained, scene.cells, strict=True)):
        if norm_and_map is None:
            continue
        right = next(
            (
                j
                for j, other in enumerate(scene.cells)
                if (other.row, other.column) == (cell.row, cell.column + 1)
            ),
            None,
        )
        if right is not None and _same_colors(norm_and_map, explained[right]):
            continue
        _color_bar(axes[i], *norm_and_map, panels[i])


def _explained(panel: Panel, look: Look) -> tuple[Normalize, Colormap] | None:
    """What the colour bar of a panel shows, if it needs one."""
    if any(
        isinstance(mark, Image) or (isinstance(mark, Points) and mark.values is not None)
        for mark in panel.marks
    ):
        return colors_of(panel, look)
    if any(isinstance(mark, Arrows) for mark in panel.marks) and not look.colors:
        return arrow_colors(panel, look)
    return None


def _same_colors(a: tuple[Normalize, Colormap], b: tuple[Normalize, Colormap] | None) -> bool:
    return b is not None and (a[0].vmin, a[0].vmax, a[1].name) == (b[0].vmin, b[0].vmax, b[1].name)


def _color_bar(axes: Axes, norm: Normalize, color_map: Colormap, panel: Panel) -> None:
    """A bar as high as the image and as wide for wide images as for narrow ones."""
    ratio = min(5.0, max(0.2, _aspect(panel)))
    width = 0.05 / max(ratio**0.5, ratio**0.5 if ratio > 1 else ratio)
    place = axes.inset_axes((1 + 0.6 * width, 0.0, width, 1.0))
    bar = axes.figure.colorbar(ScalarMappable(norm, color_map), cax=place)
    _fix_tick_size(place)
    bar.outline.set_linewidth(0.6)


def _fix_tick_size(axes: Axes) -> None:
    """Ticks are placed by the size of their labels, so that must not depend on later settings."""
    axes.tick_params(labelsize=cast("float", mpl.rcParams["font.size"]))


def checked_library(lib: str | None) -> None:
    """Raises unless `lib` can draw."""
    if lib not in (None, "matplotlib"):
        raise Unsupported(
            f"`plot` draws with Matplotlib, but found `lib={lib!r}`. Leave `lib` out or pass 'matplotlib'."
        )
