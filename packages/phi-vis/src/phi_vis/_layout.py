"""Which subplot shows what: rows and columns by dim, one block of columns per object."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, cast

import phi_tensor as math
from phi_tensor import IncompatibleShapes, Shape
from phi_vis._source import Source, as_series, entry_text, source, with_channels_as_batch

WIDEST = 5
"""Subplots beside each other before they are wrapped [-]."""


@dataclass(frozen=True, eq=False)
class Overlay:
    """Objects that share one subplot; see `overlay`."""

    layers: tuple[tuple[str | None, Any], ...]


@dataclass(frozen=True, eq=False)
class Cell:
    """One subplot.

    Attributes:
        row: From the top [-].
        column: From the left [-].
        title: What distinguishes it.
        layers: What it shows, from back to front; the only batch dim left is that of the frames.
    """

    row: int
    column: int
    title: str
    layers: tuple[Source, ...]


@dataclass(frozen=True)
class Dims:
    """Which dims are laid out how; selectors as in `Shape.only`.

    Attributes:
        rows: One row each.
        columns: One column each.
        frames: Name of the dim that is time in an animation, or None.
        overlay: Drawn on top of each other.
    """

    rows: Any
    columns: Any
    frames: str | None
    overlay: Any


def overlay(*fields: Any) -> Overlay:
    """What `plot` draws in one subplot, the first at the back.

    Args:
        *fields: Tensors, fields, geometries, or dicts of these, whose keys become entries of the legend.

    >>> import phi_tensor as math
    >>> len(overlay({"sine": math.zeros(math.spatial(x=8))}, math.ones(math.spatial(x=8))).layers)
    2
    """
    return Overlay(tuple(layer for field in fields for layer in _named(field)))


def arranged(fields: Sequence[Any], dims: Dims, error: Any = None, limit: int = 20) -> list[Cell]:
    """All subplots.

    Args:
        fields: What was passed to `plot`: objects, dicts and lists of them.
        dims: Layout of the dims.
        error: Half width of error bands.
        limit: Largest number of subplots [-].

    Raises:
        IncompatibleShapes: There is nothing to plot, or there would be more than `limit` subplots.
    """
    blocks = [_block(name, field, dims, error) for entry in fields for name, field in _named(entry)]
    cells = _side_by_side(blocks)
    if not cells:
        raise IncompatibleShapes(
            "`plot` needs something to draw, but found no fields. Pass tensors, fields, geometries or a dict "
            "of these."
        )
    if len(cells) > limit:
        shapes = ", ".join(str(block.shape) for block in blocks)
        raise IncompatibleShapes(
            f"`plot` would draw {len(cells)} subplots for {shapes}, more than `max_subfigures={limit}`. "
            f"Slice a batch dim, show it as frames with `animate='name'` or in one subplot "
            f"with `overlay='name'`, or raise the limit."
        )
    return _wrapped(cells)


@dataclass(frozen=True, eq=False)
class _Block:
    """All subplots of one object: a table with its own rows and columns."""

    name: str | None
    shape: Shape
    rows: Shape
    columns: Shape
    layers: tuple[Source, ...]

    def cells(self, first_column: int) -> Iterator[Cell]:
        for (r, row), (c, column) in itertools.product(
            enumerate(indices(self.rows)), enumerate(indices(self.columns))
        ):
            texts = [
                self.name or "",
                *(entry_text(self.shape[name], i) for name, i in (row | column).items()),
            ]
            layers = tuple(layer[row | column] for layer in self.layers)
            yield Cell(r, first_column + c, ", ".join(filter(None, texts)), layers)


def _named(entry: Any) -> list[tuple[str | None, Any]]:
    if isinstance(entry, Mapping):
        return [(str(key), value) for key, value in cast("Mapping[Any, Any]", entry).items()]
    if isinstance(entry, (tuple, list)):
        return [named for item in cast("Sequence[Any]", entry) for named in _named(item)]
    return [(None, entry)]


def _block(name: str | None, field: Any, dims: Dims, error: Any) -> _Block:
    parts = field.layers if isinstance(field, Overlay) else ((None, field),)
    sources = [source(part, label, error) for label, part in parts]
    layers = [layer for found in sources for layer in _overlaid(found, dims)]
    layers = [with_channels_as_batch(as_series(layer, dims.frames)) for layer in layers]
    shape = math.merge_shapes(*(layer.shape.batch for layer in layers))
    laid_out = shape.without(dims.frames or ())
    rows = laid_out.only(() if dims.rows is None else dims.rows, reorder=True)
    columns = laid_out.without(rows).only(dims.columns, reorder=True)
    left = laid_out.without(rows).without(columns)
    if dims.rows is None:
        rows = rows & left
    else:
        columns = columns & left
    return _Block(name, shape, rows, columns, tuple(layers))


def _overlaid(found: Source, dims: Dims) -> list[Source]:
    over = found.shape.batch.only(dims.overlay)
    if not over:
        return [found]
    return [
        replace(
            found[index],
            name=", ".join(filter(None, (found.name, *(entry_text(over[d], i) for d, i in index.items())))),
        )
        for index in indices(over)
    ]


def indices(shape: Shape) -> list[dict[str, int]]:
    """Index of every entry."""
    return [
        dict(zip(shape.names, index, strict=True))
        for index in itertools.product(*(range(cast("int", s)) for s in shape.sizes))
    ]


def _side_by_side(blocks: list[_Block]) -> list[Cell]:
    cells: list[Cell] = []
    first = 0
    for block in blocks:
        cells += block.cells(first)
        first += block.columns.volume or 1
    return cells


def _wrapped(cells: list[Cell]) -> list[Cell]:
    """A single long row broken into several of equal length."""
    count = len(cells)
    if count <= WIDEST or any(cell.row for cell in cells):
        return cells
    per_row = ceil(count / ceil(count / WIDEST))
    return [replace(cell, row=i // per_row, column=i % per_row) for i, cell in enumerate(cells)]
