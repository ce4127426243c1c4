"""How things look: colours, colour maps, Matplotlib's settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib as mpl
from matplotlib.colors import Colormap, LogNorm, Normalize

from phi_vis._marks import Panel, Range

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


def colors_of(panel: Panel, look: Look) -> tuple[Normalize, Colormap]:
    """Range and map of the numbers: a diverging map, symmetric about 0, where both signs matter."""
    low, high = panel.values or (0.0, 1.0)
    if panel.is_log:
        return LogNorm(low, high), look.color_map(is_signed=False)
    if is_signed((low, high)):
        most = max(-low, high)
        return Normalize(-most, most), look.color_map(is_signed=True)
    return Normalize(low, high), look.color_map(is_signed=False)


def arrow_colors(panel: Panel, look: Look) -> tuple[Normalize, Colormap]:
    """Fast arrows are dark, so that they stand out from the white paper."""
    return Normalize(*(panel.lengths or (0.0, 1.0))), look.color_map(is_signed=False).reversed()


def is_signed(values: Range) -> bool:
    """True if zero is well inside: the smaller side has at least a tenth of the larger one."""
    low, high = values
    return low < 0 < high and min(-low, high) > 0.1 * max(-low, high)
