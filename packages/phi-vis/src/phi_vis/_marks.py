"""Marks: what a picture consists of, as plain NumPy arrays in physical coordinates, whatever draws them.

A recipe turns data into marks, a drawer turns marks into a picture. x points to the right, y upwards.

>>> import numpy as np
>>> Curve(np.arange(3), np.array([1.0, 5.0, np.nan])).y_range
(1.0, 5.0)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

Range = tuple[float, float]
"""Smallest and largest value."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Line through points in the order given.

    Attributes:
        x: Abscissae `(n,)`.
        y: Ordinates `(n,)`; the line is interrupted at NaN.
        label: Entry of the legend.
        error: Half width of the band around the line `(n,)`.
    """

    x: Array
    y: Array
    label: str | None = None
    error: Array | None = None

    @property
    def y_range(self) -> Range | None:
        """Range of the ordinates with their error."""
        if self.error is None:
            return finite_range(self.y)
        return united([finite_range(self.y - self.error), finite_range(self.y + self.error)])


@dataclass(frozen=True, eq=False)
class Bars:
    """One bar per labelled number.

    Attributes:
        labels: Names below the bars.
        heights: Their values `(n,)`.
    """

    labels: tuple[str, ...]
    heights: Array


@dataclass(frozen=True, eq=False)
class Image:
    """Colours on a regular grid.

    Attributes:
        values: Numbers `(y, x)`; the first row is the lowest. NaN is shown in grey.
        extent: Outer edges of the outer cells: left, right, bottom, top.
    """

    values: Array
    extent: tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Arrows:
    """Vectors at points.

    Attributes:
        x: Position of the tail `(n,)`.
        y: Position of the tail `(n,)`.
        u: Component to the right `(n,)`.
        v: Upward component `(n,)`.
        spacing: Length of the longest arrow in the picture [length].
    """

    x: Array
    y: Array
    u: Array
    v: Array
    spacing: float


@dataclass(frozen=True, eq=False)
class Points:
    """Unconnected points.

    Attributes:
        x: Position `(n,)`.
        y: Position `(n,)`.
        values: Numbers shown as colours `(n,)`, None for one colour.
        label: Entry of the legend.
    """

    x: Array
    y: Array
    values: Array | None = None
    label: str | None = None


@dataclass(frozen=True, eq=False)
class Region:
    """Part of the plane, filled and outlined.

    Attributes:
        distance: Signed distance at the cell centres of a grid `(y, x)`, negative inside.
        extent: Outer edges of the outer cells: left, right, bottom, top.
        label: Entry of the legend.
    """

    distance: Array
    extent: tuple[float, float, float, float]
    label: str | None = None


Mark = Curve | Bars | Image | Arrows | Points | Region


@dataclass(frozen=True)
class Axis:
    """One side of a panel.

    Attributes:
        label: Text beside it.
        limits: What it shows at least, None for what the marks need.
        is_log: Logarithmic or linear.
    """

    label: str = ""
    limits: Range | None = None
    is_log: bool = False


@dataclass(frozen=True, eq=False)
class Panel:
    """Everything in one subplot.

    Attributes:
        marks: What is drawn, from back to front.
        x: Horizontal axis.
        y: Vertical axis.
        values: Range of the numbers that are shown as colours.
        lengths: Range of the lengths of vectors.
        is_space: True where both axes are lengths and get the same scale.
        note: What a reader must know about the data shown, e.g. where it was cut.
        title: Text above.
        is_log: Colours are logarithmic.
    """

    marks: tuple[Mark, ...]
    x: Axis
    y: Axis
    values: Range | None = None
    lengths: Range | None = None
    is_space: bool = False
    note: str = ""
    title: str = ""
    is_log: bool = False

    @property
    def family(self) -> tuple[str, str, bool]:
        """Panels of one family can share their limits."""
        return self.x.label, self.y.label, self.is_space


def combined(panels: Iterable[Panel]) -> Panel:
    """One panel with the marks of all `panels` and limits that hold them all; the first one's texts."""
    first, *others = panels
    for other in others:
        first = replace(
            first,
            marks=first.marks + other.marks,
            x=_wider(first.x, other.x),
            y=_wider(first.y, other.y),
            values=united([first.values, other.values]),
            lengths=united([first.lengths, other.lengths]),
            is_space=first.is_space or other.is_space,
            note=first.note or other.note,
        )
    return first


def _wider(a: Axis, b: Axis) -> Axis:
    return replace(a, label=a.label or b.label, limits=united([a.limits, b.limits]))


def finite_range(values: Array) -> Range | None:
    """Smallest and largest finite number, None if there is none."""
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else None


def united(ranges: Iterable[Range | None]) -> Range | None:
    """Smallest range that holds all of `ranges`, None if there are none."""
    known = [r for r in ranges if r is not None]
    return (min(r[0] for r in known), max(r[1] for r in known)) if known else None
