"""Preconditioner of grids with obstacles: the direct solution of the box without them.

Obstacles remove links from a matrix L of neighbours with one link per axis, whose transforms are known:
A = R (L − removed links) Rᵀ with R the restriction to the cells that are left. T = R L⁻¹ Rᵀ is the inverse of
A plus what the inside of the obstacles adds at their surface (a Schur complement), so the eigenvalues of T A
are 1 away from surfaces and about ½ on them, whatever the number of cells: a body answers to pressure at
its surface about as its surroundings do. They lie within 0 and 1. Two steps,

    M⁻¹ = T (1 + ω) − ω T A T,    whose error is (1 − T A)(1 − ω T A),

remove both clusters. Walls that are much thinner than long, and gaps of that form, have eigenvalues down
to thickness / length, which takes more iterations; multigrid serves these better.

Reference: Buzbee, Dorr, George & Golub, *The direct solution of the discrete Poisson equation on irregular
regions*, SIAM J. Numer. Anal. 8 (1971); Proskurowski & Widlund, Math. Comp. 30 (1976).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from phi_tensor._context import settings
from phi_tensor._create import wrap
from phi_tensor._dim import Dim
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.linear._axis_matrix import diagonal, entries
from phi_tensor.linear._cut_faces import CutFaces, cut_faces
from phi_tensor.linear._modes import modes_of
from phi_tensor.linear._problem import PATIENCE, inner, length
from phi_tensor.linear._regions import closed_regions
from phi_tensor.linear._stencil import Stencil, known_numbers
from phi_tensor.linear._transforms import Separable
from phi_tensor.ops._elementwise import safe_div, to_float, where

OVERSHOOT = 2.5
"""ω: surfaces of bodies have eigenvalues of T A between 0.3 and 0.8; below 1.4 M is positive."""
RATE = 0.5
"""Least reduction of the residual per iteration for which transforms are cheaper than multigrid."""
ROUNDING = 64
"""How many roundings of the diagonal links and remainders of a box may differ by."""

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class Line(NamedTuple):
    """One axis of a box.

    Attributes:
        link: Link of neighbours; 0 where there is none.
        lower: Remainder of the first cell.
        upper: Remainder of the last cell.
        periodic: Whether the last cell is the neighbour of the first one.
    """

    link: float
    lower: float
    upper: float
    periodic: bool

    def matrix(self, size: int) -> Any:
        """The matrix of neighbours (size, size) along this axis."""
        cells: npt.NDArray[np.int64] = np.arange(size)
        first, second = (cells, np.roll(cells, -1)) if self.periodic else (cells[:-1], cells[1:])
        rows = np.concatenate([first, second, first, second, cells[[0, -1]]])
        columns = np.concatenate([first, second, second, first, cells[[0, -1]]])
        link = np.full(len(first), self.link)
        return entries(
            size, rows, columns, np.concatenate([link, link, -link, -link, [self.lower, self.upper]])
        )


@dataclass(frozen=True)
class Box:
    """A matrix of neighbours with the same link between all cells along an axis.

    Attributes:
        dims: Dims of the grid.
        lines: Links and sides per dim.
        remainder: What every cell has for itself, besides the sides.
    """

    dims: tuple[Dim, ...]
    lines: tuple[Line, ...]
    remainder: float

    @property
    def system(self) -> Separable | None:
        """The matrix in its modes; None where an axis is too long to find those."""
        return _system(self)

    def preconditioner(self, matrix: Stencil) -> Callable[[Tensor], Tensor]:
        """Function z ≈ A⁻¹ r for a matrix A that differs from this box by links that it lacks.

        Symmetric and positive, beside the null space of A.

        Args:
            matrix: A. Cells without links are solved for themselves.
        """
        system = self.system
        assert system is not None  # see `suitable_box`
        solve = system.solve
        axes = [axis for axis in matrix.axes if matrix.size(axis) > 1]
        links = sum((matrix.lower[axis] + matrix.upper[axis] for axis in axes), 0 * matrix.remainder)
        linked = to_float(links != 0)
        missing = self._missing(matrix)
        alone = safe_div(1.0, where(links != 0, 0.0, matrix.remainder))
        own = None if alone.available and not alone.numpy(alone.shape.names).any() else alone

        def left(inside: Tensor, first: Tensor) -> Tensor:
            """(1 − A T) r; as L T r = r, only what flows through faces that A does not have is left."""
            if missing is not None:
                return missing.outflow(first)
            return inside - linked * (matrix @ (linked * first))

        def approximate(r: Tensor) -> Tensor:
            inside = linked * r
            z = solve(inside)
            if missing is None or not missing.none:
                z = z + OVERSHOOT * solve(left(inside, z))
            return linked * z if own is None else linked * z + own * r

        return approximate

    def _missing(self, matrix: Stencil) -> CutFaces | None:
        """List of the links that a matrix lacks, if it has the remainders of this box."""
        found = cut_faces(
            matrix, {dim.name: line.link for dim, line in zip(self.dims, self.lines, strict=True)}
        )
        if found is None:
            return None
        shape = matrix.remainder.shape
        difference = known_numbers(matrix.remainder, shape) - self._remainders(shape)
        linked = np.logical_or.reduce(
            [known_numbers(c, shape) != 0 for c in (*matrix.lower.values(), *matrix.upper.values())]
        )
        scale = sum(2 * line.link for line in self.lines) + self.remainder
        eps = float(np.finfo(matrix.remainder.dtype.numpy).eps)
        return found if (np.abs(difference[linked]) <= ROUNDING * eps * scale).all() else None

    def _remainders(self, shape: Shape) -> Array:
        """Remainders of all cells, with an axis per dim of `shape`."""
        total = np.full(cast("tuple[int, ...]", shape.sizes), self.remainder)
        for dim, line in zip(self.dims, self.lines, strict=True):
            before = [slice(None)] * shape.names.index(dim.name)
            total[(*before, 0)] += line.lower
            total[(*before, -1)] += line.upper
        return total


@lru_cache(16)
def _system(box: Box) -> Separable | None:
    modes: list[Any] = []
    for number, (dim, line) in enumerate(zip(box.dims, box.lines, strict=True)):
        size = cast("int", dim.size)
        own = line.matrix(size)
        modes.append(modes_of(own + diagonal(np.full(size, box.remainder)) if number == 0 else own))
    return None if None in modes else Separable(box.dims, tuple(modes))


def suitable_box(matrix: Stencil, whole: Stencil | None = None) -> Box | None:
    """The box that preconditions a matrix, None for none.

    Solves that are not compiled find out by themselves whether the box helps. Compiled ones contain either
    transforms or multigrid: where the numbers of the matrix are known, a few iterations decide here.

    Args:
        matrix: A.
        whole: What A would be without obstacles, where that is known.
    """
    box = box_of(matrix if whole is None else whole)
    if box is None or box.system is None:
        return None
    if settings().traced != "jit" or not matrix.is_known:
        return box
    return box if _helps(box, matrix) else None


def _helps(box: Box, matrix: Stencil) -> bool:
    """Whether conjugate gradients reduce a residual fast enough in their first iterations."""
    matrix = _on_host(matrix)
    names, dims = matrix.remainder.shape.spatial.names, matrix.remainder.shape
    precondition, project = box.preconditioner(matrix), closed_regions(matrix)
    noise = np.random.default_rng(0).standard_normal(cast("tuple[int, ...]", dims.sizes))
    r = project(wrap(noise, dims))
    size = length(r, names)
    p, before = 0 * r, 0 * size
    for _ in range(PATIENCE):
        z = project(precondition(r))
        rz = inner(r, z, names)
        p = z + safe_div(rz, before) * p
        ap = matrix @ p
        r, before = r - safe_div(rz, inner(p, ap, names)) * ap, rz
    return bool((length(r, names) <= RATE**PATIENCE * size).numpy().all())


def _on_host(matrix: Stencil) -> Stencil:
    shape = matrix.remainder.shape

    def on_host(x: Tensor) -> Tensor:
        return wrap(known_numbers(x, shape), shape)

    lower, upper = ({axis: on_host(c) for axis, c in some.items()} for some in (matrix.lower, matrix.upper))
    return Stencil(on_host(matrix.remainder), lower, upper, matrix.periodic)


# --- boxes from numbers


def box_of(matrix: Stencil) -> Box | None:
    """The box that obstacles make a matrix of; None if it is of another form, or its numbers are not known.

    Links must be 0 or one number per axis, remainders at most those of a box, which has one number
    inside and one per side.
    """
    if not matrix.is_known or set(matrix.axes) != set(matrix.remainder.shape.spatial.names):
        return None
    shape = matrix.remainder.shape
    lower, upper = (
        {axis: _array(links[axis], shape) for axis in matrix.axes} for links in (matrix.lower, matrix.upper)
    )
    eps = float(np.finfo(matrix.remainder.dtype.numpy).eps)
    links = {axis: _link(lower[axis], upper[axis], ROUNDING * eps) for axis in matrix.axes}
    known = {axis: link for axis, link in links.items() if link is not None}
    if len(known) < len(links):
        return None
    tiny = ROUNDING * eps * 2 * sum(known.values())
    active = {axis: link for axis, link in known.items() if link and matrix.size(axis) > 1}
    missing = {
        (axis, below): side[axis] == 0 for axis in active for below, side in ((True, lower), (False, upper))
    }
    return _with_remainders(matrix, active, missing, tiny)


def _array(x: Tensor, shape: Shape) -> Array:
    """Numbers with an axis per dim, the batch dims first."""
    return known_numbers(x, Shape.of((*shape.without(shape.spatial).dims, *shape.spatial.dims)))


def _link(lower: Array, upper: Array, tolerance: float) -> float | None:
    """The number that all links along an axis have which are not 0; None if they differ."""
    largest = float(max(lower.max(initial=0), upper.max(initial=0)))
    for links in (lower, upper):
        if ((links != 0) & (np.abs(links - largest) > tolerance * largest)).any():
            return None
    return largest


def _with_remainders(
    matrix: Stencil, links: Mapping[str, float], missing: Mapping[tuple[str, bool], Flags], tiny: float
) -> Box | None:
    """The box with given links, if remainders are those of one.

    Args:
        matrix: A.
        links: Links of the axes that have some.
        missing: Where those to the neighbours below (True) and above are missing.
        tiny: Size of differences that are rounding.
    """
    remainder = _array(matrix.remainder, matrix.remainder.shape)
    count: npt.NDArray[np.int8] = np.zeros(remainder.shape, np.int8)
    for gaps in missing.values():
        count += gaps
    inside = _common(remainder[count == 0], tiny)
    if inside is None or not (count == 0).any():
        return None
    constant = _simple(inside, tiny, 0.0)
    allowed, lines = np.full_like(remainder, constant), list[Line]()
    for name in matrix.remainder.shape.spatial.names:
        ends = [0.0, 0.0]
        for side, below in enumerate((True, False)):
            if name in matrix.periodic or name not in links:
                continue
            outermost = _outermost(matrix, name, below)
            alone = (count[outermost] == 1) & missing[name, below][outermost]
            found = _common(remainder[outermost][alone] - constant, tiny)
            if found is None:
                return None
            ends[side] = _simple(found, tiny, links[name])
            allowed[outermost] += ends[side]
        lines.append(Line(links.get(name, 0.0), ends[0], ends[1], name in matrix.periodic))
    linked = count < len(missing)
    if (linked & (remainder > allowed + tiny)).any():
        return None
    return Box(matrix.remainder.shape.spatial.dims, tuple(lines), constant)


def _outermost(matrix: Stencil, name: str, below: bool) -> tuple[Any, ...]:
    """Index of the first or last cells along an axis."""
    names = matrix.remainder.shape.spatial.names
    return (..., *(slice(None) if other != name else 0 if below else -1 for other in names))


def _common(values: Array, tiny: float) -> float | None:
    """The number that all values are, 0 for none; None if they differ or are negative."""
    if not values.size:
        return 0.0
    if values.max() - values.min() > tiny or values.min() < -tiny:
        return None
    return float(values[0])


def _simple(value: float, tiny: float, link: float) -> float:
    """The value without noise: simple multiples of the link have modes that are known."""
    return next((simple for simple in (0.0, link, 2 * link) if abs(value - simple) <= tiny), value)
