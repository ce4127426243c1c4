"""Faces that obstacles cut: what a box and a matrix of neighbours differ by, as a list where it is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from phi_tensor._create import wrap, zeros_like
from phi_tensor._dim_types import instance
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.linear._stencil import Stencil, known_numbers
from phi_tensor.ops._elementwise import to_float
from phi_tensor.ops._lookup import gather
from phi_tensor.ops._scatter import scatter
from phi_tensor.ops._structure import pack_dims, unpack_dim

LARGEST_PART = 1 / 16
"""Lists of more entries than this part of the cells are slower than products with all cells."""

_CELLS = instance("_cells")
_FACES = instance("_faces")


@dataclass(frozen=True)
class CutFaces:
    """Links that a matrix lacks, at the cells that have others.

    Attributes:
        dims: Dims of the grid.
        cells: Position of each cell `(_faces)` among all.
        neighbors: That of the one that it is not linked with.
        links: Link that is missing.
    """

    dims: Shape
    cells: Tensor
    neighbors: Tensor
    links: Tensor

    @property
    def none(self) -> bool:
        """Whether no link is missing."""
        return self.cells.shape.volume == 0

    def outflow(self, x: Tensor) -> Tensor:
        """Σ over the missing links of each cell, link · (x − x of the neighbour)."""
        flat = pack_dims(x, self.dims, _CELLS)
        steps = gather(flat, self.cells, _CELLS) - gather(flat, self.neighbors, _CELLS)
        total = scatter(
            zeros_like(flat), self.cells, self.links * steps, mode="add", outside_handling="undefined"
        )
        return unpack_dim(total, _CELLS, self.dims)


def cut_faces(matrix: Stencil, links: Mapping[str, float]) -> CutFaces | None:
    """Faces at which a matrix lacks links; None where these are not known, for batches, or for too many.

    Args:
        matrix: Links are those of `links`, or 0.
        links: Links of the box by axis.
    """
    shape = matrix.remainder.shape
    if not matrix.is_known or shape != shape.spatial:
        return None
    sides = {
        (number, step): known_numbers(some[axis], shape) == 0
        for number, axis in enumerate(shape.names)
        if links.get(axis) and matrix.size(axis) > 1
        for step, some in ((-1, matrix.lower), (1, matrix.upper))
    }
    if not sides:
        return None
    linked: npt.NDArray[np.bool_] = ~np.logical_and.reduce(list(sides.values()))
    places: npt.NDArray[np.int64] = np.arange(linked.size, dtype=np.int64).reshape(linked.shape)
    parts: list[tuple[Any, Any, Any]] = []
    for (number, step), missing in sides.items():
        cut = missing & linked
        if shape.names[number] not in matrix.periodic:
            cut[(*[slice(None)] * number, 0 if step < 0 else -1)] = False
        own: npt.NDArray[np.int64] = places[cut]
        other: npt.NDArray[np.int64] = np.roll(places, -step, number)[cut]
        parts.append((own, other, np.full(len(own), links[shape.names[number]])))
    cells, neighbors, values = (np.concatenate(part) for part in zip(*parts, strict=True))
    if len(cells) > LARGEST_PART * linked.size:
        return None
    return CutFaces(shape, wrap(cells, _FACES), wrap(neighbors, _FACES), to_float(wrap(values, _FACES)))
