"""Anderson acceleration of x ← x + β·r(x), every batch entry for itself; needs no derivatives.

From the last changes of x and r it takes the combination with the smallest linearised residual. The changes
of r are kept orthonormal, so that no small least-squares problem remains.

Reference: Anderson, *Iterative procedures for nonlinear integral equations*, J. ACM 12 (1965); Walker, Ni,
*Anderson acceleration for fixed-point iterations*, SIAM J. Numer. Anal. 49 (2011).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from phi_tensor._create import zeros_like
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.ops._elementwise import to_int64, where
from phi_tensor.optimize._krylov import (
    Directions,
    components,
    length,
    no_directions,
    orthonormal,
    remembered,
    without,
)
from phi_tensor.optimize._lbfgs import CONVERGED, DIVERGED, PRECISION_LIMIT, RUNNING, STUCK
from phi_tensor.optimize._line_search import rounding
from phi_tensor.optimize._newton import Residual, Root, started
from phi_tensor.optimize._vectors import Vector, chosen, finite, minus, plus, some
from phi_tensor.transforms._iterate import while_loop

MEMORY = 8
"""Changes that are remembered [-]."""
GROWTH = 10.0
"""‖r‖ relative to the smallest one from which on an entry starts again there, with half of β [-]."""
SMALLEST = 1e-8
"""β at which an entry gives up [-]."""
STALLED = 30
"""Steps without a smaller residual after which an entry gives up [-]."""


class _Mixed(NamedTuple):
    best: Root
    x: Vector
    residual: Vector
    mixing: Tensor
    known: Directions
    stalled: Tensor


def anderson(
    residual: Residual,
    x0: Vector,
    entries: Shape,
    tolerance: Any,
    limit: Any,
    size: Callable[[Vector], Tensor],
    observe: Callable[[Root, Tensor], None] | None = None,
) -> Root:
    """Where `residual` vanishes, searched from `x0`; arguments as for `newton_krylov`."""

    def active(state: _Mixed) -> Tensor:
        return (state.best.outcome == RUNNING) & (state.best.iterations < limit)

    def step(state: _Mixed) -> tuple[_Mixed]:
        after = _stepped(state, residual, entries, tolerance, active(state), size)
        if observe is not None:
            observe(after.best, active(state))
        return (after,)

    best = started(residual, x0, entries, tolerance)
    if observe is not None:
        observe(best, best.outcome < 0)
    one = zeros_like(best.norm) + 1
    first = _Mixed(best, x0, best.residual, one, no_directions(x0, MEMORY), best.iterations)
    return while_loop(lambda state: some(active(state)), step, first)[0]


def _stepped(
    state: _Mixed,
    residual: Residual,
    entries: Shape,
    tolerance: Any,
    going: Tensor,
    size: Callable[[Vector], Tensor],
) -> _Mixed:
    best, known = state.best, state.known
    weights = components(known, state.residual, entries)
    x = without(state.x, weights, known.directions)
    rest = without(state.residual, weights, known.images)
    x = chosen(going, plus(x, state.mixing, rest), state.x)
    r = residual(x)
    norm = length(r, entries)
    wild = going & ~(finite(norm) & (norm <= GROWTH * best.norm))
    better = going & ~wild & (norm < best.norm)
    stalled = where(better & (norm < 0.99 * best.norm), 0, state.stalled + to_int64(going))
    p, q, _ = orthonormal(known, minus(x, state.x), minus(r, state.residual), entries)
    mixing = where(wild, 0.5 * state.mixing, state.mixing)
    pairs = remembered(known, *(chosen(going & ~wild, a, tuple(0 * x for x in a)) for a in (p, q)))
    kept = Directions(
        tuple(where(wild, 0.0, a) for a in pairs.directions),
        tuple(where(wild, 0.0, a) for a in pairs.images),
        pairs.number,
    )
    lowest = where(better, norm, best.norm)
    given_up = (mixing < SMALLEST) | (stalled >= STALLED)
    lost = lowest <= 10 * rounding() * size(best.x)
    reached = where(
        lowest <= tolerance,
        CONVERGED,
        where(given_up, where(lost, PRECISION_LIMIT, where(wild, DIVERGED, STUCK)), RUNNING),
    )
    after = best._replace(
        x=chosen(better, x, best.x),
        residual=chosen(better, r, best.residual),
        norm=lowest,
        iterations=best.iterations + to_int64(going),
        evaluations=best.evaluations + to_int64(going),
        outcome=where(going, reached, best.outcome),
    )
    return _Mixed(
        after,
        chosen(wild, after.x, x),
        chosen(wild, after.residual, r),
        mixing,
        kept,
        stalled,
    )
