"""Newton's method with Krylov-subspace steps and backtracking, every batch entry for itself.

Each step solves J(x) d = −r(x) only as accurately as the outer iteration can use it and goes along d until
‖r‖ falls.

Reference: Knoll, Keyes, *Jacobian-free Newton–Krylov methods*, J. Comput. Phys. 193 (2004); Eisenstat,
Walker, *Choosing the forcing terms in an inexact Newton method*, SIAM J. Sci. Comput. 17 (1996), choice 2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from phi_tensor._create import zeros_like
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.ops import _table as table
from phi_tensor.ops._elementwise import to_int64, where
from phi_tensor.optimize._krylov import length, solved
from phi_tensor.optimize._lbfgs import CONVERGED, DIVERGED, PRECISION_LIMIT, RUNNING, STUCK
from phi_tensor.optimize._line_search import rounding
from phi_tensor.optimize._vectors import Vector, chosen, finite, plus, some, times
from phi_tensor.transforms._iterate import while_loop

Residual = Callable[[Vector], Vector]
Product = Callable[[Vector, Vector], Vector]
"""`(x, v) -> J(x) v`."""

INNER = 200
"""Largest number of inner iterations per step [-]."""
HALVINGS = 30
"""Largest number of halvings of a step [-]."""


class Root(NamedTuple):
    """State of the search; numbers are `(batch…)`.

    Attributes:
        x: Best point of each entry.
        residual: r(x).
        norm: ‖r(x)‖.
        forcing: Relative accuracy of the next inner solve [-].
        iterations: Steps [-].
        evaluations: Evaluations of r and products with its derivative [-].
        outcome: One of the outcomes of `_lbfgs`.
    """

    x: Vector
    residual: Vector
    norm: Tensor
    forcing: Tensor
    iterations: Tensor
    evaluations: Tensor
    outcome: Tensor


def started(residual: Residual, x0: Vector, entries: Shape, tolerance: Any) -> Root:
    """State at `x0`."""
    r = residual(x0)
    norm = length(r, entries)
    none = to_int64(zeros_like(norm))
    outcome = where(finite(norm), where(norm <= tolerance, CONVERGED, RUNNING), DIVERGED)
    return Root(x0, r, norm, zeros_like(norm) + 0.5, none, none + 1, none + to_int64(outcome))


def newton_krylov(
    residual: Residual,
    product: Product,
    x0: Vector,
    entries: Shape,
    tolerance: Any,
    limit: Any,
    size: Callable[[Vector], Tensor],
    observe: Callable[[Root, Tensor], None] | None = None,
) -> Root:
    """Where `residual` vanishes, searched from `x0`.

    Args:
        residual: r(x), a vector like x.
        product: J(x) v.
        x0: First point with all dims of the problem.
        entries: Dims of independent systems.
        tolerance: ‖r‖ that counts as zero `(batch…)`.
        limit: Largest number of steps `(batch…)` [-].
        size: ‖r‖ that is lost by rounding at x, relative to the distance of 1 from the next number.
        observe: Called with the state and the entries that moved, after every step; not compiled.
    """

    def active(state: Root) -> Tensor:
        return (state.outcome == RUNNING) & (state.iterations < limit)

    def step(state: Root) -> tuple[Root]:
        going = active(state)
        direction, inner = solved(
            lambda v: product(state.x, v),
            chosen(going, times(-1, state.residual), times(0, state.residual)),
            entries,
            state.forcing,
            INNER,
        )
        x, r, norm, tries = _backtracked(residual, state, direction, going, entries)
        moved = going & (norm < state.norm)
        noise = rounding() * size(x)
        small = length(direction, entries) <= 10 * rounding() * length(state.x, entries)
        lost = (norm <= 10 * noise) | small
        reached = where(
            norm <= tolerance, CONVERGED, where(moved, RUNNING, where(lost, PRECISION_LIMIT, STUCK))
        )
        after = Root(
            *(x, r, norm, _forcing(state, norm, tolerance), state.iterations + to_int64(moved)),
            state.evaluations + to_int64(going) * (inner + tries),
            where(going, reached, state.outcome),
        )
        if observe is not None:
            observe(after, moved)
        return (after,)

    first = started(residual, x0, entries, tolerance)
    if observe is not None:
        observe(first, first.outcome < 0)
    return while_loop(lambda state: some(active(state)), step, first)


def _forcing(state: Root, norm: Tensor, tolerance: Any) -> Tensor:
    """η = 0.9 (‖r‖/‖r before‖)², safeguarded, but no more accurate than half the tolerance."""
    ratio = norm / where(state.norm > 0, state.norm, 1.0)
    last = 0.9 * state.forcing**2
    fresh = table.MAXIMUM(0.9 * ratio**2, where(last > 0.1, last, 0.0))
    enough = 0.5 * tolerance / where(norm > 0, norm, 1.0)
    return table.MINIMUM(table.MAXIMUM(fresh, table.MAXIMUM(enough, 10 * rounding())), 0.5)


def _backtracked(
    residual: Residual, state: Root, direction: Vector, going: Tensor, entries: Shape
) -> tuple[Vector, Vector, Tensor, Tensor]:
    """`(x, r, ‖r‖, evaluations)` where the norm has fallen along the direction, else as before."""

    def enough(t: Tensor, norm: Tensor) -> Tensor:
        return finite(norm) & (norm <= (1 - 1e-4 * t) * state.norm)

    def tried(t: Tensor) -> tuple[Vector, Vector, Tensor]:
        x = chosen(going, plus(state.x, t, direction), state.x)
        r = residual(x)
        return x, r, length(r, entries)

    one = zeros_like(state.norm) + 1
    x, r, norm = tried(one)

    def searching(t: Tensor, norm: Tensor, tries: Tensor) -> Tensor:
        return going & ~enough(t, norm) & (tries < HALVINGS)

    def halve(
        t: Tensor, x: Vector, r: Vector, norm: Tensor, tries: Tensor
    ) -> tuple[Tensor, Vector, Vector, Tensor, Tensor]:
        again = searching(t, norm, tries)
        t = where(again, 0.5 * t, t)
        x, r, norm = tried(t)
        return t, x, r, norm, tries + to_int64(again)

    t, x, r, norm, tries = while_loop(
        lambda t, x, r, norm, tries: some(searching(t, norm, tries)),
        halve,
        *(one, x, r, norm, state.evaluations * 0 + 1),
    )
    better = enough(t, norm)
    return (
        chosen(better, x, state.x),
        chosen(better, r, state.residual),
        where(better, norm, state.norm),
        tries,
    )
