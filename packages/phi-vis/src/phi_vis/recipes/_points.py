"""Unordered samples: a scatter plot, coloured by their numbers, or with arrows where they carry vectors."""

from __future__ import annotations

import numpy as np

import phi_tensor as math
from phi_vis._marks import Array, Arrows, Axis, Panel, Points, finite_range, united
from phi_vis._source import VECTOR, Source
from phi_vis.recipes._recipe import Recipe, flat, with_margin


def applies(source: Source) -> bool:
    """There are places."""
    return source.points is not None


def panel(source: Source) -> Panel:
    """Points in the plane of the first two axes; on a line, over their index."""
    assert source.points is not None
    places = [
        flat(source.points[{VECTOR: i}], source.points.shape.non_channel) for i in range(len(source.axes))
    ]
    if len(places) == 1:
        return _on_a_line(source, places[0])
    x, y = places[:2]
    values, arrows = _numbers(source, x, y)
    lengths = united(finite_range(np.hypot(a.u, a.v)) for a in arrows)
    shown = None if values is None else finite_range(values)
    note = f"seen along {', '.join(source.axes[2:])}" if source.axes[2:] else ""
    sides = Axis(source.axes[0], with_margin(x)), Axis(source.axes[1], with_margin(y))
    return Panel(
        (Points(x, y, values, source.name), *arrows), *sides, shown, lengths, is_space=True, note=note
    )


def _on_a_line(source: Source, x: Array) -> Panel:
    y = (
        np.zeros_like(x)
        if source.values is None
        else _per_point(source, dict.fromkeys(source.channel.names, 0))
    )
    return Panel(
        (Points(x, y, None, source.name),), Axis(source.axes[0], finite_range(x)), Axis("", finite_range(y))
    )


def _numbers(source: Source, x: Array, y: Array) -> tuple[Array | None, tuple[Arrows, ...]]:
    """Colours and arrows of the points."""
    if source.values is None:
        return None, ()
    if set(source.axes[:2]) <= set(source.labels):
        u, v = (_per_point(source, {VECTOR: source.labels.index(axis)}) for axis in source.axes[:2])
        size = max((high - low for low, high in filter(None, map(finite_range, (x, y)))), default=1.0)
        return None, (Arrows(x, y, u, v, 0.1 * (size or 1.0)),)
    if not source.values.shape.non_channel:
        return None, ()
    return _per_point(source, dict.fromkeys(source.channel.names, 0)), ()


def _per_point(source: Source, selection: dict[str, int]) -> Array:
    """One number for each place, in the order of the places."""
    assert source.points is not None
    assert source.values is not None
    return flat(
        math.expand(source.values[selection], source.points.shape.non_channel),
        source.points.shape.non_channel,
    )


RECIPE = Recipe("points", applies, panel)
