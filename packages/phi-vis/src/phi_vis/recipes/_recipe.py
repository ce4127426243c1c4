"""What a recipe is, and what several recipes need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from phi_tensor import Shape, Tensor
from phi_vis._marks import Array, Panel, Range, finite_range
from phi_vis._source import Source


@dataclass(frozen=True)
class Recipe:
    """One kind of picture.

    Attributes:
        name: For messages.
        applies: Whether it can draw a source (without batch dims).
        panel: Draws it.
    """

    name: str
    applies: Callable[[Source], bool]
    panel: Callable[[Source], Panel]


def flat(x: Tensor, order: Shape | None = None) -> Array:
    """The numbers in a row, dims in the given order."""
    return x.numpy([order or x.shape]) if x.rank else x.numpy().reshape(1)


def middle_plane(source: Source) -> tuple[Source, str]:
    """The first two axes of a source, cut in the middle of all others, and a note that says so."""
    cut = source.axes[2:]
    if not cut:
        return source, ""
    index = {axis: len(source.coordinates(axis)) // 2 for axis in cut}
    places = [f"{axis} = {source.coordinates(axis)[i]:.4g}" for axis, i in index.items()]
    return replace(source[index], axes=source.axes[:2]), f"cut at {', '.join(places)}"


def with_margin(x: Array) -> Range | None:
    """Range of coordinates with a margin around them."""
    found = finite_range(x)
    margin = 0.05 * (found[1] - found[0]) if found else 0
    return (found[0] - margin, found[1] + margin) if found else None
