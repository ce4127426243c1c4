"""Geometries: the area where the signed distance is negative. In three dimensions: on the middle plane."""

from __future__ import annotations

from typing import cast

import numpy as np

import phi_tensor as math
from phi_geom import Geometry
from phi_tensor import IncompatibleShapes, channel, spatial, wrap
from phi_vis._marks import Array, Axis, Panel, Region
from phi_vis._source import Source
from phi_vis.recipes._recipe import Recipe

SAMPLES = 200
"""Points along each side at which the distance is evaluated [-]."""


def applies(source: Source) -> bool:
    """A geometry without numbers."""
    return source.geometry is not None and source.geometry.spatial_rank >= 2


def panel(source: Source) -> Panel:
    """Its cross section, with a margin around."""
    geometry = cast("Geometry", source.geometry)
    box = geometry.bounding_box()
    low, high = (corner.numpy(("vector",)).astype(np.float64) for corner in (box.lower, box.upper))
    if not np.all(np.isfinite([low, high])):
        raise IncompatibleShapes(
            f"`plot` needs finite bounds, but `{type(geometry).__name__}` reaches from {low} to {high}. "
            f"Intersect it with a `Box` first."
        )
    margin = 0.1 * float((high - low).max())
    sides = [(float(a - margin), float(b + margin)) for a, b in zip(low[:2], high[:2], strict=True)]
    x, y = (a + (np.arange(SAMPLES) + 0.5) * ((b - a) / SAMPLES) for a, b in sides)
    middle = 0.5 * (low + high)
    extent = (*sides[0], *sides[1])
    note = ", ".join(f"{axis} = {c:.4g}" for axis, c in zip(geometry.axes[2:], middle[2:], strict=True))
    region = Region(_distance(geometry, x, y, middle), extent, source.name)
    axes = Axis(geometry.axes[0], sides[0]), Axis(geometry.axes[1], sides[1])
    return Panel((region,), *axes, is_space=True, note=f"cut at {note}" if note else "")


def _distance(geometry: Geometry, x: Array, y: Array, middle: Array) -> Array:
    components = [wrap(x, spatial("_x")), wrap(y, spatial("_y")), *(wrap(c) for c in middle[2:])]
    location = math.stack(components, channel(vector=geometry.axes), expand_values=True)
    return geometry.approximate_signed_distance(location).numpy("_y,_x")


RECIPE = Recipe("region", applies, panel)
