"""Marks as Matplotlib artists: one function per kind, which returns how to show another frame of it."""

# pyright: reportUnknownMemberType=false
# Matplotlib's stubs leave keyword arguments untyped.

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from phi_vis._look import Look, arrow_colors, colors_of
from phi_vis._marks import Arrows, Bars, Curve, Image, Mark, Panel, Points, Region

Update = Callable[[Any], None]
"""Replaces the mark that an artist shows by that of another frame."""


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
    norm, color_map = colors_of(panel, look)
    image = axes.imshow(
        mark.values, extent=mark.extent, origin="lower", norm=norm, cmap=color_map, alpha=look.alpha
    )
    return lambda new: image.set_data(new.values)


def _draw_arrows(axes: Axes, mark: Arrows, panel: Panel, look: Look) -> Update:
    fastest = panel.lengths[1] if panel.lengths else 1.0
    on_image = any(isinstance(other, Image) for other in panel.marks)
    settings: dict[str, Any] = {"color": look.color(0) if look.colors else "white" if on_image else "#222222"}
    if not on_image and not look.colors:
        norm, color_map = arrow_colors(panel, look)
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
        norm, color_map = colors_of(panel, look)
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


DRAW: dict[type[Any], Callable[[Axes, Any, Panel, Look], Update]] = {
    Curve: _draw_curve,
    Bars: _draw_bars,
    Image: _draw_image,
    Arrows: _draw_arrows,
    Points: _draw_points,
    Region: _draw_region,
}
