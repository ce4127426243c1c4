"""Projection by dense least squares, written down from its definition in NumPy and SciPy."""

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array, diags_array, vstack
from scipy.sparse.csgraph import connected_components

LARGEST = 700
"""Cells up to which least squares are dense."""


class Reference(NamedTuple):
    """What a projection has to be.

    Attributes:
        imposed: Velocity that follows the bodies at closed faces, all faces as one vector.
        open: Which faces the pressure acts on.
        gradient: Gradient of the pressure at all faces, sparse `(face, cell)`; its negative
            transpose is the divergence.
        fluid: Which cells are fluid.
        matrix: −∇·(open ∇) at cells of fluid, 0 elsewhere, sparse.
        right: −∇·imposed at cells of fluid, 0 elsewhere.
        closed: Number of the closed region of each cell, −1 in others.
    """

    imposed: np.ndarray
    open: np.ndarray
    gradient: Any
    fluid: np.ndarray
    matrix: Any
    right: np.ndarray
    closed: np.ndarray

    def project(self, values: np.ndarray) -> np.ndarray:
        """Without the mean over each closed region."""
        values = values.copy()
        for region in range(self.closed.max(initial=-1) + 1):
            values[self.closed == region] -= values[self.closed == region].mean()
        return values

    @property
    def norm(self) -> float:
        """Bound of ‖A‖: √(‖A‖₁ ‖A‖∞)."""
        return float(np.max(np.abs(self.matrix).sum(0), initial=0))

    def solved(self) -> tuple[np.ndarray, np.ndarray, float]:
        """`(velocity, pressure, smallest eigenvalue beside the null space)` by dense least squares."""
        cells = np.flatnonzero(self.fluid)
        pressure = np.zeros(len(self.fluid))
        smallest = np.inf
        if cells.size:
            matrix = self.matrix.toarray()[np.ix_(cells, cells)]
            for _ in range(3):  # least squares lose digits where the matrix is badly conditioned
                left = self.project(self.right - self.matrix @ pressure)[cells]
                change, _, rank, singular = np.linalg.lstsq(matrix, left)
                pressure[cells] += change
            assert rank == cells.size - self.closed.max(initial=-1) - 1
            smallest = singular[rank - 1] if rank else np.inf
        slope = self.gradient @ pressure
        return self.imposed - self.open * slope, pressure, smallest


def reference(
    case: Any, faces: list[np.ndarray], bodies: list[Any], flow: int, arrangement: int
) -> Reference:
    """Of one flow and one arrangement of the bodies."""
    rank, sizes, dx = len(case.resolution), case.resolution, np.array(case.dx)
    centers = cell_centers(case)
    numbers = np.arange(np.prod(sizes)).reshape(sizes)
    fluid = np.ones(sizes, bool)
    opened = [_open(case, fluid, axis) for axis in range(rank)]
    values = [faces[axis][min(flow, len(faces[axis]) - 1)].copy() for axis in range(rank)]
    for body in bodies:
        fluid = fluid & ~body.contains(arrangement, centers)
        for axis in range(rank):
            now = _open(case, fluid, axis)
            index = np.indices(now.shape).T + 0.5
            index[..., axis] -= 0.5
            points = np.moveaxis(index * dx, range(rank), range(rank)[::-1])
            hit = opened[axis] & ~now
            values[axis][hit] = body.velocity_at(arrangement, points)[hit][:, axis]
            opened[axis] = now
    for axis, (lower, upper) in enumerate(case.sides):  # what is given at sides stays, whatever touches them
        for end, kind in ((0, lower), (-1, upper)):
            at = (slice(None),) * axis + (end,)
            if kind in ("closed", "inflow"):
                opened[axis][at], values[axis][at] = False, faces[axis][min(flow, len(faces[axis]) - 1)][at]
    gradient = [_gradient(case, numbers, axis) for axis in range(rank)]
    stacked = _stack(gradient)
    flat = np.concatenate([o.ravel() for o in opened])
    imposed = np.concatenate([v.ravel() for v in values])
    inside = fluid.ravel()
    matrix = stacked.T @ diags_array(flat.astype(float)) @ stacked
    right = np.where(inside, stacked.T @ imposed, 0)
    return Reference(imposed, flat, stacked, inside, csr_array(matrix), right, _closed(stacked, flat, inside))


def cell_centers(case: Any) -> np.ndarray:
    """Points `(…, vector)`."""
    rank = len(case.resolution)
    return np.moveaxis(
        (np.indices(case.resolution).T + 0.5) * np.array(case.dx), range(rank), range(rank)[::-1]
    )


def _open(case: Any, fluid: np.ndarray, axis: int) -> np.ndarray:
    """Faces with fluid, or the outside, on both sides."""
    if case.sides[axis][0] == "periodic":
        return fluid & np.roll(fluid, 1, axis)
    outside = np.ones_like(np.take(fluid, [0], axis))
    return np.concatenate([outside, fluid], axis) & np.concatenate([fluid, outside], axis)


def _gradient(case: Any, numbers: np.ndarray, axis: int) -> Any:
    """Gradient at all faces normal to an axis."""
    outside = np.full_like(np.take(numbers, [0], axis), -1)
    below, above = np.roll(numbers, 1, axis), numbers
    if case.sides[axis][0] != "periodic":
        below, above = np.concatenate([outside, numbers], axis), np.concatenate([numbers, outside], axis)
    below, above = below.ravel(), above.ravel()
    rows = np.arange(below.size)
    entries = [(rows[x >= 0], x[x >= 0], sign) for x, sign in ((below, -1.0), (above, 1.0))]
    row, column = (np.concatenate([e[i] for e in entries]) for i in (0, 1))
    value = np.concatenate([np.full(e[0].size, e[2] / case.dx[axis]) for e in entries])
    return csr_array((value, (row, column)), (below.size, numbers.size))


def _stack(parts: list[Any]) -> Any:
    return csr_array(vstack(parts))


def _closed(gradient: Any, opened: np.ndarray, fluid: np.ndarray) -> np.ndarray:
    """Number of the closed region of each cell: no open face leads out of it."""
    links = csr_array(diags_array(opened.astype(float)) @ gradient)
    links.eliminate_zeros()
    _, labels = connected_components(links.T @ links + diags_array(np.ones(fluid.size)), directed=False)
    leak = np.abs(links.sum(1)) > 1e-9 * np.abs(links).sum(1)  # a face with one cell
    leaky = {
        labels[cell]
        for face in np.flatnonzero(leak)
        for cell in links.indices[links.indptr[face] : links.indptr[face + 1]]
    }
    found = dict.fromkeys(leaky, -1)
    result = np.full(fluid.size, -1)
    for cell in np.flatnonzero(fluid):
        label = labels[cell]
        if label not in found:
            found[label] = 1 + max(found.values(), default=-1)
        result[cell] = found[label]
    return result
