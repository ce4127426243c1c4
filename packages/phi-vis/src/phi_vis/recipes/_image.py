"""Numbers on a plane: colours. In more than two dimensions: on the middle plane."""

from __future__ import annotations

from phi_vis._marks import Axis, Image, Panel, finite_range
from phi_vis._source import Source
from phi_vis.recipes._recipe import Recipe, middle_plane


def applies(source: Source) -> bool:
    """At least two axes, one number per place."""
    return (
        source.values is not None
        and source.points is None
        and len(source.axes) >= 2
        and source.channel.volume == 1
    )


def panel(source: Source) -> Panel:
    """A heat map with physical extent."""
    source, note = middle_plane(source)
    assert source.values is not None
    x, y = source.axes
    values = source.values[dict.fromkeys(source.channel.names, 0)].numpy((y, x))
    sides = source.interval(x), source.interval(y)
    image = Image(values, (*sides[0], *sides[1]))
    return Panel(
        (image,), Axis(x, sides[0]), Axis(y, sides[1]), finite_range(values), is_space=True, note=note
    )


RECIPE = Recipe("image", applies, panel)
