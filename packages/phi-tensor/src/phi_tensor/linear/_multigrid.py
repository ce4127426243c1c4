"""Geometric multigrid for matrices on grids with nearest neighbours: a preconditioner of conjugate gradients.

Two cells per axis become one; the coarse matrix is the Galerkin product with piecewise constant transfer,
which links coarse cells by what links the fine ones across their common side. Constant transfer makes these
links too stiff by the ratio of the cell sizes, so they are halved; with this factor the number of iterations
hardly depends on the size of the grid, jumps of the coefficients or holes. The smoother is red-black
Gauss–Seidel, in reverse order after the coarse correction, so that the cycle of a symmetric matrix is
symmetric.

Reference: Braess, *Towards algebraic multigrid for elliptic problems of second order*, Computing 55 (1995).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

from phi_tensor._create import arange, wrap
from phi_tensor._dim_types import spatial
from phi_tensor._tensor import Tensor
from phi_tensor.linear._stencil import Stencil
from phi_tensor.ops._elementwise import safe_div, where
from phi_tensor.ops._folding import repeat
from phi_tensor.ops._padding import pad
from phi_tensor.ops._reductions import mean

STIFFNESS = 0.5
"""Factor of links along a coarsened axis: the distance of coarse cells is twice that of fine ones."""
STRONG = 0.25
"""Axes whose links are weaker than this part of the strongest ones are not coarsened."""
COARSEST = 2
"""Largest size of the coarsest grid along any axis [-]."""
COARSE_SWEEPS = 4
"""Symmetric sweeps that solve the system of the coarsest grid."""


@dataclass(frozen=True)
class Level:
    """One grid of the hierarchy.

    Attributes:
        matrix: The matrix on this grid.
        inverse: 1 / its diagonal `(batch…, spatial…)`, 0 where that is 0.
        red: Every other cell, as a chessboard `(spatial…)`.
        coarsened: Axes along which the next level has half the cells.
    """

    matrix: Stencil
    inverse: Tensor
    red: Tensor
    coarsened: tuple[str, ...]


def multigrid(matrix: Stencil) -> Callable[[Tensor], Tensor]:
    """Function that approximates the solution of A x = b by one V-cycle, linear in b.

    Symmetric and positive if A is symmetric with positive links. The number of levels follows from the sizes.
    Where coefficients are known numbers, axes with weak links wait until the others are as weak
    (semi-coarsening).

    Args:
        matrix: A; where its null space is the constants of some region, those of b must be 0 there.

    >>> import phi_tensor as math
    >>> one = math.ones(spatial(x=8))
    >>> cycle = multigrid(Stencil(one, {}, {}))
    >>> float(math.max(math.abs(cycle(one) - 1)))
    0.0
    """
    levels = _levels(matrix)
    return lambda right: _cycle(levels, 0, right)


def _levels(matrix: Stencil) -> list[Level]:
    levels: list[Level] = []
    while True:
        axes = _to_coarsen(matrix)
        levels.append(Level(matrix, safe_div(1.0, matrix.diagonal), _chessboard(matrix), axes))
        if not axes:
            return levels
        matrix = coarsened(matrix, axes)


def _to_coarsen(matrix: Stencil) -> tuple[str, ...]:
    """Axes along which the next grid is coarser; none for the coarsest one."""
    if all(matrix.size(axis) <= COARSEST for axis in matrix.axes):
        return ()
    axes = [axis for axis in matrix.axes if matrix.size(axis) > 1]
    means = [mean(abs(matrix.lower[a]) + abs(matrix.upper[a]), lambda s: s) for a in axes]
    if not all(mean.available for mean in means):
        return tuple(axes)
    strengths = [float(mean) for mean in means]
    # An axis that is short already must not decide that the others wait
    strongest = max(s for s, axis in zip(strengths, axes, strict=True) if matrix.size(axis) > COARSEST)
    return tuple(a for a, s in zip(axes, strengths, strict=True) if s >= STRONG * strongest)


def _chessboard(matrix: Stencil) -> Tensor:
    positions = [arange(spatial(axis), matrix.size(axis)) for axis in matrix.axes]
    return sum(positions, wrap(0)) % 2 == 0


# --- transfer between grids


def coarsened(matrix: Stencil, axes: Sequence[str]) -> Stencil:
    """Pᵀ A P with piecewise constant P of two cells along each of `axes`, its links along these scaled."""
    lower, upper, remainder = dict(matrix.lower), dict(matrix.upper), matrix.remainder
    for axis in axes:
        size = matrix.size(axis)
        last = slice(1, None, 2) if size % 2 == 0 else [*range(1, size, 2), size - 1]
        remainder = pair_sums(remainder, axis)
        for links, outermost in ((lower, slice(None, None, 2)), (upper, last)):
            for other in links:
                links[other] = (
                    STIFFNESS * links[other][{axis: outermost}]
                    if other == axis
                    else pair_sums(links[other], axis)
                )
    return Stencil(remainder, lower, upper, matrix.periodic)


def pair_sums(x: Tensor, axis: str) -> Tensor:
    """Sums of two neighbours each, the last alone where their number is odd."""
    size = x.shape.get_size(axis)
    assert isinstance(size, int)
    if size % 2:
        x = pad(x, {axis: (0, 1)}, 0)
    return x[{axis: slice(None, None, 2)}] + x[{axis: slice(1, None, 2)}]


def _repeated(x: Tensor, matrix: Stencil, axes: Sequence[str]) -> Tensor:
    for axis in axes:
        x = repeat(x, 2, axis)[{axis: slice(None, matrix.size(axis))}]
    return x


# --- the cycle


def _cycle(levels: Sequence[Level], index: int, right: Tensor) -> Tensor:
    level = levels[index]
    x = _apart(where(level.red, right * level.inverse, 0.0))  # the first half sweep from x = 0
    x = _relaxed(level, x, right, not_red=True)
    if not level.coarsened:
        for _ in range(COARSE_SWEEPS - 1):
            x = _relaxed(level, _relaxed(level, x, right, not_red=False), right, not_red=True)
        for _ in range(COARSE_SWEEPS):
            x = _relaxed(level, _relaxed(level, x, right, not_red=True), right, not_red=False)
        return x
    residual = right - level.matrix @ x
    coarse = _apart(reduce(pair_sums, level.coarsened, residual))
    correction = _cycle(levels, index + 1, coarse)
    x = _apart(x + _repeated(correction, level.matrix, level.coarsened))
    return _relaxed(level, _relaxed(level, x, right, not_red=True), right, not_red=False)


def _relaxed(level: Level, x: Tensor, right: Tensor, not_red: bool) -> Tensor:
    """X after solving for each cell of one colour with the others fixed."""
    change = (right - level.matrix @ x) * level.inverse
    return _apart(x + (where(level.red, 0.0, change) if not_red else where(level.red, change, 0.0)))


def _apart(x: Tensor) -> Tensor:
    """x, which compiled code computes once.

    Merged loops over neighbours would compute each value many times, and compile for minutes.
    """
    return Tensor(x.layout, tuple(x.layout.backend.apart(native, 2) for native in x.natives))
