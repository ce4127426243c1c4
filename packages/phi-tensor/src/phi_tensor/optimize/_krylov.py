"""Linear systems within nonlinear ones: conjugate residuals for trees, every batch entry for itself.

Each step makes A p orthogonal to the remembered A pᵢ and removes its part from the residual, so that ‖b − A
x‖ is as small as the remembered directions allow: with all of them that is GMRES, with two of them and a
symmetric A it is MINRES. Where the residual stops to fall the next direction is A p instead of the residual,
which GCR lacks.

Reference: Eisenstat, Elman, Schultz, *Variational iterative methods for nonsymmetric systems*, SIAM J.
Numer. Anal. 20 (1983); Jiránek, Rozložník, *Adaptive version of Simpler GMRES*, Numer. Algorithms 53 (2010).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from phi_tensor._create import arange, zeros_like
from phi_tensor._dim_types import batch
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.ops import _table as table
from phi_tensor.ops._elementwise import to_int64, where
from phi_tensor.ops._reductions import sum_
from phi_tensor.ops._structure import expand
from phi_tensor.optimize._line_search import rounding
from phi_tensor.optimize._vectors import (
    Vector,
    along_entries,
    chosen,
    dot,
    finite,
    nothing,
    on_host,
    plus,
    some,
    times,
)
from phi_tensor.transforms._iterate import while_loop

Apply = Callable[[Vector], Vector]

SLOTS = "_remembered"
"""Dim along which remembered directions are stored."""
MEMORY = 20
"""Directions that are remembered for operators without structure [-]."""
SLOW = 0.9
"""Reduction of the residual by one step [-] from which on the next direction is A p."""


class Directions(NamedTuple):
    """Remembered directions p and their images q, which are orthonormal, along `SLOTS`; unused ones are 0."""

    directions: Vector
    images: Vector
    number: Tensor


def no_directions(like: Vector, memory: int) -> Directions:
    """Room for `memory` directions."""
    empty = tuple(expand(x, batch(**{SLOTS: memory})) for x in nothing(like))
    return Directions(empty, empty, to_int64(arange(batch(SLOTS), 1))[{SLOTS: 0}])


def length(a: Vector, entries: Shape) -> Tensor:
    """‖a‖ for every entry `(batch…)`."""
    return on_host(table.SQRT(dot(a, a, entries)))


def components(known: Directions, a: Vector, entries: Shape) -> Tensor:
    """Components of `a` along the images `(SLOTS, batch…)`."""
    slots = known.images[0].shape.only(SLOTS)
    return dot(known.images, a, slots & entries)


def without(a: Vector, weights: Tensor, remembered: Vector) -> Vector:
    """A − Σ weights·remembered."""
    return tuple(x - sum_(weights * y, SLOTS) for x, y in zip(a, remembered, strict=True))


def orthonormal(
    known: Directions, direction: Vector, image: Vector, entries: Shape
) -> tuple[Vector, Vector, Tensor]:
    """`(p, q, new)`: the pair without its parts along known images, ‖q‖ = 1; is anything `new` in it?"""
    before = length(image, entries)
    for _ in range(2):  # twice is enough
        weights = components(known, image, entries)
        image = without(image, weights, known.images)
        direction = without(direction, weights, known.directions)
    after = length(image, entries)
    new = finite(after) & (after > 10 * rounding() * before)
    factor = 1 / where(new, after, 1.0)
    zero = nothing(image)
    return (
        chosen(new, times(factor, direction), zero),
        chosen(new, times(factor, image), zero),
        new,
    )


def remembered(known: Directions, direction: Vector, image: Vector) -> Directions:
    """With one more pair, in place of the oldest one where there is no room."""
    memory = known.images[0].shape.only(SLOTS).volume
    here = to_int64(arange(batch(SLOTS), memory)) == known.number % memory
    return Directions(
        chosen(here, direction, known.directions),
        chosen(here, image, known.images),
        known.number + 1,
    )


class _Solution(NamedTuple):
    x: Vector
    residual: Vector
    direction: Vector
    known: Directions
    norm: Tensor
    steps: Tensor
    active: Tensor


def solved(
    apply: Apply, b: Vector, entries: Shape, tolerance: Any, limit: int, memory: int = MEMORY
) -> tuple[Vector, Tensor]:
    """`(x, iterations)` with A x ≈ b, from x = 0.

    Args:
        apply: x ↦ A x.
        b: Right-hand side.
        entries: Dims of independent systems.
        tolerance: Relative residual at which an entry stops `(batch…)` [-].
        limit: Largest number of iterations [-].
        memory: Directions to remember; 2 are all for symmetric A.
    """
    b = along_entries(b, entries)
    size = length(b, entries)
    zero = nothing(b)
    residual = chosen(size > 0, times(1 / where(size > 0, size, 1.0), b), zero)
    norm = where(size > 0, 1.0, size)
    first = _Solution(
        *(zero, residual, residual, no_directions(b, memory), norm, to_int64(zeros_like(size))),
        (norm > tolerance) & finite(size),
    )

    def step(state: _Solution) -> tuple[_Solution]:
        p, q, new = orthonormal(state.known, state.direction, apply(state.direction), entries)
        weight = where(state.active & new, dot(q, state.residual, entries), 0.0)
        residual = plus(state.residual, -weight, q)
        norm = length(residual, entries)
        count = state.steps + to_int64(state.active)
        following = chosen(norm <= SLOW * state.norm, times(1 / where(norm > 0, norm, 1.0), residual), q)
        return (
            _Solution(
                plus(state.x, weight, p),
                residual,
                following,
                remembered(state.known, p, q),
                where(state.active, norm, state.norm),
                count,
                state.active & new & (norm > tolerance) & (count < limit),
            ),
        )

    def going(state: _Solution) -> Tensor:
        return some(state.active)

    last = while_loop(going, step, first)
    return times(size, last.x), last.steps
