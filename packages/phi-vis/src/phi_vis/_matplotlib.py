"""The Matplotlib drawer: panels into a `Figure` of its own, without pyplot, windows or global settings."""

# pyright: reportUnknownMemberType=false
# Matplotlib's stubs leave keyword arguments untyped.

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from phi_tensor import Unsupported
from phi_vis._marks import Array, Arrows, Bars, Curve, Image, Mark, Panel, Points, Range, Region
from phi_vis._scene import Scene

COLORS = (
    "#3f90da",
    "#e76300",
    "#2a9d6f",
    "#bd1f01",
    "#832db6",
    "#a96b59",
    "#94a4a2",
    "#b9ac70",
    "#717581",
    "#5bb9c9",
)
"""Colours of curves, told apart also by colour-blind readers (after Petroff 2021)."""

STYLE: dict[str, Any] = {
    "axes.edgecolor": "#888888",
    "axes.labelcolor": "#333333",
    "axes.linewidth": 0.8,
    "axes.titlesize": "medium",
    "figure.titlesize": "large",
    "font.size": 9.0,
    "grid.color": "#e4e4e4",
    "image.cmap": "viridis",
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "svg.hashsalt": "phi_vis",
    "xtick.color": "#555555",
    "ytick.color": "#555555",
}
NAN_COLOR = "#bdbdbd"
SIGNED_MAP = "RdBu_r"

Update = Callable[[Any], None]
"""Replaces the mark that an artist shows by that of another frame."""


@dataclass(frozen=True)
class Look:
    """How things are drawn.

    Attributes:
        colors: Colours of curves, points and arrows, or one name of a colour map for images.
        alpha: Opacity [-].
        has_color_bar: Whether colours are explained.
        settings: Matplotlib's `rcParams`.
        title: Above the picture, or one per subplot.
        size: Width and height [inch]; chosen by content if None.
    """

    colors: tuple[str, ...] = ()
    alpha: float = 1.0
    has_color_bar: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    title: str | Sequence[str] | None = None
    size: tuple[float, float] | None = None

    @property
    def style(self) -> Any:
        """Settings for `rc_context`."""
        return {**STYLE, **self.settings}

    def color_map(self, is_signed: bool) -> Colormap:
        """Map for numbers: the one asked for, else a sequential or diverging one."""
        named = next((color for color in self.colors if color in mpl.colormaps), None)
        chosen = named or (
            SIGNED_MAP if is_signed and "image.cmap" not in self.settings else str(self.style["image.cmap"])
        )
        return mpl.colormaps[chosen].with_extremes(bad=NAN_COLOR)

    def color(self, index: int) -> str:
        """Colour of the curve number `index`."""
        plain = [color for color in self.colors if color not in mpl.colormaps] or list(COLORS)
        return plain[index % len(plain)]


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
        self.frame = 0
        self._heading: Artist | None = None
        self._drawn: tuple[Any, Any] | None = None
        panels = scene.panels(0)
        with mpl.rc_context(look.style):
            columns, rows, size = _table(scene, panels)
            self.figure = Figure(
                figsize=look.size or size, layout=ConstrainedLayoutEngine(w_pad=0.09, h_pad=0.07)
            )
            FigureCanvasAgg(self.figure)
            grid = self.figure.add_gridspec(len(rows), len(columns), width_ratios=columns, height_ratios=rows)
            self.axes = [self.figure.add_subplot(grid[cell.row, cell.column]) for cell in scene.cells]
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


# --- size and place


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


# --- panels


def _draw_panel(axes: Axes, panel: Panel, look: Look) -> list[Update]:
    updates = [_DRAW[type(mark)](axes, mark, panel, look) for mark in panel.marks]
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


def _order(panel: Panel, mark: Mark) -> int:
    """Number of a mark among those that take a colour of their own."""
    return next(
        i for i, other in enumerate(m for m in panel.marks if not isinstance(m, Image)) if other is mark
    )


def _draw_curve(axes: Axes, mark: Curve, panel: Panel, look: Look) -> Update:
    color = look.color(_order(panel, mark))
    single = "o" if len(mark.x) == 1 else ""
    (line,) = axes.plot(mark.x, mark.y, color=color, alpha=look.alpha, label=mark.label, marker=single)
    bands = [_band(axes, mark, color)] if mark.error is not None else []

    def update(new: Curve) -> None:
        line.set_data(new.x, new.y)
        if bands:
            bands.pop().remove()
            bands.append(_band(axes, new, color))

    return update


def _band(axes: Axes, mark: Curve, color: str) -> Any:
    return axes.fill_between(
        mark.x, mark.y - mark.error, mark.y + mark.error, color=color, alpha=0.2, linewidth=0
    )


def _draw_bars(axes: Axes, mark: Bars, panel: Panel, look: Look) -> Update:
    bars: Any = axes.bar(range(len(mark.heights)), mark.heights, 0.7, color=look.color(0), alpha=look.alpha)
    axes.set_xticks(range(len(mark.labels)), mark.labels)
    axes.axhline(0, color="#888888", linewidth=0.8)

    def update(new: Bars) -> None:
        for bar, height in zip(bars, new.heights, strict=True):
            bar.set_height(height)

    return update


def _draw_image(axes: Axes, mark: Image, panel: Panel, look: Look) -> Update:
    norm, color_map = _colors(panel, look)
    image = axes.imshow(
        mark.values, extent=mark.extent, origin="lower", norm=norm, cmap=color_map, alpha=look.alpha
    )
    return lambda new: image.set_data(new.values)


def _draw_arrows(axes: Axes, mark: Arrows, panel: Panel, look: Look) -> Update:
    fastest = panel.lengths[1] if panel.lengths else 1.0
    on_image = any(isinstance(other, Image) for other in panel.marks)
    settings: dict[str, Any] = {"color": look.color(0) if look.colors else "white" if on_image else "#222222"}
    if not on_image and not look.colors:
        norm, color_map = _arrow_colors(panel, look)
        settings = {"norm": norm, "cmap": color_map}
    args = () if "color" in settings else (np.hypot(mark.u, mark.v),)
    quiver = axes.quiver(
        mark.x, mark.y, mark.u, mark.v, *args,
        angles="xy", scale_units="xy", scale=fastest / mark.spacing,
        width=0.0045, headwidth=4, alpha=look.alpha, **settings,
    )  # fmt: skip

    def update(new: Arrows) -> None:
        quiver.set_offsets(np.stack([new.x, new.y], -1))
        quiver.set_UVC(new.u, new.v, *((np.hypot(new.u, new.v),) if args else ()))

    return update


def _draw_points(axes: Axes, mark: Points, panel: Panel, look: Look) -> Update:
    size = float(np.clip(4000 / max(1, len(mark.x)), 6, 40))
    if mark.values is None:
        scatter = axes.scatter(
            mark.x,
            mark.y,
            size,
            color=look.color(_order(panel, mark)),
            alpha=look.alpha,
            label=mark.label,
            linewidths=0,
        )
    else:
        norm, color_map = _colors(panel, look)
        scatter = axes.scatter(
            mark.x,
            mark.y,
            size,
            mark.values,
            norm=norm,
            cmap=color_map,
            alpha=look.alpha,
            label=mark.label,
            linewidths=0,
        )

    def update(new: Points) -> None:
        scatter.set_offsets(np.stack([new.x, new.y], -1))
        if new.values is not None:
            scatter.set_array(new.values)

    return update


def _draw_region(axes: Axes, mark: Region, panel: Panel, look: Look) -> Update:
    color = (
        look.color(_order(panel, mark))
        if not any(isinstance(other, Image) for other in panel.marks) or look.colors
        else "#dddddd"
    )
    if mark.label:
        axes.fill([], [], color=color, alpha=0.5, label=mark.label)
    artists = _region(axes, mark, color)

    def update(new: Region) -> None:
        while artists:
            artists.pop().remove()
        artists.extend(_region(axes, new, color))

    return update


def _region(axes: Axes, mark: Region, color: str) -> list[Any]:
    left, right, bottom, top = mark.extent
    height, width = mark.distance.shape
    x = left + (np.arange(width, dtype=np.float64) + 0.5) * ((right - left) / width)
    y = bottom + (np.arange(height, dtype=np.float64) + 0.5) * ((top - bottom) / height)
    if not (mark.distance.min() < 0 < mark.distance.max()):
        return []
    filled = axes.contourf(
        x, y, mark.distance, [float(mark.distance.min()) - 1, 0.0], colors=[color], alpha=0.35
    )
    return [filled, axes.contour(x, y, mark.distance, [0.0], colors=[color], linewidths=1.4)]


_DRAW: dict[type[Any], Callable[[Axes, Any, Panel, Look], Update]] = {
    Curve: _draw_curve,
    Bars: _draw_bars,
    Image: _draw_image,
    Arrows: _draw_arrows,
    Points: _draw_points,
    Region: _draw_region,
}


# --- colours


def _colors(panel: Panel, look: Look) -> tuple[Normalize, Colormap]:
    """Range and map of the numbers: a diverging map, symmetric about 0, where both signs matter."""
    low, high = panel.values or (0.0, 1.0)
    if panel.is_log:
        return LogNorm(low, high), look.color_map(is_signed=False)
    if is_signed((low, high)):
        most = max(-low, high)
        return Normalize(-most, most), look.color_map(is_signed=True)
    return Normalize(low, high), look.color_map(is_signed=False)


def _arrow_colors(panel: Panel, look: Look) -> tuple[Normalize, Colormap]:
    """Fast arrows are dark, so that they stand out from the white paper."""
    return Normalize(*(panel.lengths or (0.0, 1.0))), look.color_map(is_signed=False).reversed()


def is_signed(values: Range) -> bool:
    """True if zero is well inside: the smaller side has at least a tenth of the larger one."""
    low, high = values
    return low < 0 < high and min(-low, high) > 0.1 * max(-low, high)


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
        return _colors(panel, look)
    if any(isinstance(mark, Arrows) for mark in panel.marks) and not look.colors:
        return _arrow_colors(panel, look)
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
