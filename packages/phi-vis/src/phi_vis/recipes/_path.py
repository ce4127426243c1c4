"""Positions along one axis, such as a trajectory: a path through the plane."""

from __future__ import annotations

from phi_vis._marks import Axis, Curve, Panel
from phi_vis._source import VECTOR, Source
from phi_vis.recipes._recipe import Recipe, flat, with_margin


def applies(source: Source) -> bool:
    """One axis, and vectors over other axes."""
    labels = source.labels
    return (
        len(source.axes) == 1
        and source.points is None
        and len(labels) >= 2
        and source.axes[0] not in labels
        and source.channel.rank == 1
    )


def panel(source: Source) -> Panel:
    """The path in the plane of the first two components."""
    assert source.values is not None
    labels = source.labels
    x, y = (flat(source.values[{VECTOR: i}]) for i in range(2))
    note = f"seen along {', '.join(labels[2:])}" if labels[2:] else ""
    sides = Axis(labels[0], with_margin(x)), Axis(labels[1], with_margin(y))
    return Panel((Curve(x, y, source.name),), *sides, is_space=True, note=note)


RECIPE = Recipe("path", applies, panel)
