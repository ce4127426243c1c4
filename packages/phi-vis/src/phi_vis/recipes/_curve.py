"""Numbers along one axis: a curve, or one per channel with a legend."""

from __future__ import annotations

from phi_vis._marks import Axis, Curve, Panel, united
from phi_vis._source import Source
from phi_vis.recipes._recipe import Recipe, flat


def applies(source: Source) -> bool:
    """One axis, nothing unordered."""
    return source.values is not None and source.points is None and len(source.axes) == 1


def panel(source: Source) -> Panel:
    """Curves over the axis."""
    assert source.values is not None
    (axis,) = source.axes
    x = source.coordinates(axis)
    marks: list[Curve] = []
    for label, selection in source.entries():
        entry = source[selection]
        assert entry.values is not None
        error = None if entry.error is None else (flat(entry.error) + 0 * x)
        marks.append(
            Curve(x, flat(entry.values), " ".join(filter(None, (source.name, label))) or None, error)
        )
    limits = source.interval(axis) if source.lower is not None else (float(x[0]), float(x[-1]))
    return Panel(tuple(marks), Axis(axis, limits), Axis("", united(mark.y_range for mark in marks)))


RECIPE = Recipe("curve", applies, panel)
