"""A few numbers without a place: bars."""

from __future__ import annotations

import numpy as np

from phi_vis._marks import Axis, Bars, Panel, finite_range, united
from phi_vis._source import Source
from phi_vis.recipes._recipe import Recipe, flat


def applies(source: Source) -> bool:
    """No axes, no places."""
    return source.values is not None and not source.axes and source.points is None


def panel(source: Source) -> Panel:
    """One bar per channel."""
    assert source.values is not None
    entries = [(label, flat(source.values[selection])[0]) for label, selection in source.entries()]
    heights = np.array([height for _, height in entries])
    labels = tuple(label or source.name or "" for label, _ in entries)
    return Panel(
        (Bars(labels, heights),),
        Axis("", (-0.6, len(labels) - 0.4)),
        Axis("", united([(0.0, 0.0), finite_range(heights)])),
    )


RECIPE = Recipe("bars", applies, panel)
