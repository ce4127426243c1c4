"""Vectors on a plane: arrows, thinned out. In more than two dimensions: on the middle plane."""

from __future__ import annotations

from math import ceil

import numpy as np

from phi_vis._marks import Arrows, Axis, Panel, finite_range
from phi_vis._source import VECTOR, Source
from phi_vis.recipes._recipe import Recipe, middle_plane

ARROWS = 24
"""Largest number of arrows along the longer side [-]."""


def applies(source: Source) -> bool:
    """At least two axes and components along the first two."""
    return source.points is None and len(source.axes) >= 2 and set(source.axes[:2]) <= set(source.labels)


def panel(source: Source) -> Panel:
    """Arrows at every n-th cell centre."""
    source, note = middle_plane(source)
    assert source.values is not None
    x, y = source.axes
    sides = source.interval(x), source.interval(y)
    spacing = max(high - low for low, high in sides) / ARROWS
    picked = {axis: _every(source.coordinates(axis), spacing) for axis in source.axes}
    at_x, at_y = np.meshgrid(source.coordinates(x)[picked[x]], source.coordinates(y)[picked[y]])
    vectors = [source.values[{VECTOR: source.labels.index(axis)}].numpy((y, x)) for axis in (x, y)]
    u, v = (component[picked[y], picked[x]].ravel() for component in vectors)
    gaps = [float(c[1] - c[0]) for c in (at_x[0], at_y[:, 0]) if len(c) > 1]
    arrows = Arrows(at_x.ravel(), at_y.ravel(), u, v, max(gaps, default=spacing))
    speed = finite_range(np.hypot(*vectors))
    return Panel((arrows,), Axis(x, sides[0]), Axis(y, sides[1]), lengths=speed, is_space=True, note=note)


def _every(coordinates: np.ndarray[tuple[int], np.dtype[np.float64]], spacing: float) -> slice:
    if len(coordinates) < 2:
        return slice(None)
    step = max(1, ceil(spacing / float(coordinates[1] - coordinates[0]) - 1e-6))
    return slice((len(coordinates) - 1) % step // 2, None, step)


RECIPE = Recipe("arrows", applies, panel)
