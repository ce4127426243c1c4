"""L-BFGS on the device of the variables, for all batch entries side by side.

Every entry has its own direction, line search and stopping point; finished ones rest while the others go on.
One step is one evaluation, so an entry may search along its line while another one already takes a new
direction.

Reference: Nocedal, *Updating quasi-Newton matrices with limited storage*, Math. Comp. 35 (1980); Nocedal,
Wright, *Numerical Optimization*, 2nd ed. (2006), algorithm 7.4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from phi_tensor._create import zeros_like
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.ops import _table as table
from phi_tensor.ops._elementwise import to_int64, where
from phi_tensor.optimize import _line_search as line_search
from phi_tensor.optimize._line_search import Search, rounding
from phi_tensor.optimize._vectors import (
    Loss,
    Vector,
    along_entries,
    chosen,
    decided,
    dot,
    finite,
    largest,
    minus,
    nothing,
    on_host,
    plus,
    some,
    times,
)
from phi_tensor.transforms._iterate import while_loop

MEMORY = 10
"""Pairs that L-BFGS remembers [-]."""
STALLED = 8
"""Iterations without any progress that show that rounding errors prevent it [-]."""

RUNNING, CONVERGED, PRECISION_LIMIT, STUCK, DIVERGED = range(5)
"""Outcomes of an entry, those of linear solves and two kinds of not having converged: running ones have
reached their limit of iterations, stuck ones found nothing better nearby."""


class Pair(NamedTuple):
    """Step s and change y of the gradient along it, with 1/⟨s, y⟩ `(batch…)`, 0 where there is none."""

    step: Vector
    change: Vector
    inverse: Tensor


class Minimum(NamedTuple):
    """State of the minimisation; numbers are `(batch…)`.

    Attributes:
        x: Best point of each entry.
        gradient: Gradient there.
        value: Loss there.
        size: Largest entry of the gradient.
        direction: Direction d of the line search from x.
        slope: ⟨gradient, d⟩.
        search: Stage of the line search.
        pairs: Remembered pairs, the latest first.
        scale: ⟨s, y⟩/⟨y, y⟩ of the latest pair, 0 where there is none.
        steepest: Whether d points along the negative gradient.
        stalled: Iterations without progress [-].
        iterations: Accepted steps [-].
        evaluations: Evaluations of the loss and its gradient [-].
        tolerance: Size of the gradient that counts as zero.
        outcome: One of the outcomes above.
    """

    x: Vector
    gradient: Vector
    value: Tensor
    size: Tensor
    direction: Vector
    slope: Tensor
    search: Search
    pairs: tuple[Pair, ...]
    scale: Tensor
    steepest: Tensor
    stalled: Tensor
    iterations: Tensor
    evaluations: Tensor
    tolerance: Tensor
    outcome: Tensor


def minimum(
    loss: Loss,
    x0: Vector,
    tolerance: Callable[[Tensor], Tensor],
    limit: Any,
    memory: int = MEMORY,
    observe: Callable[[Minimum, Tensor], None] | None = None,
) -> Minimum:
    """Where the gradient of `loss` vanishes, searched downhill from `x0`.

    Args:
        loss: Loss and gradient at a vector. The dims of the loss are those of the problem.
        x0: First point; gets the dims of the problem.
        tolerance: Of the largest entry of the first gradient: what counts as zero, `(batch…)`.
        limit: Largest number of iterations `(batch…)` [-].
        memory: Pairs to remember; 0 for steepest descent with the step lengths of Barzilai and Borwein.
        observe: Called with the state and the entries that moved, after every evaluation; not compiled.
    """
    first = _started(loss, x0, tolerance, memory)
    entries = first.value.shape

    def going(state: Minimum) -> Tensor:
        return some(_active(state, limit))

    def step(state: Minimum) -> tuple[Minimum]:
        after, moved = _stepped(state, loss, entries, limit)
        if observe is not None:
            observe(after, moved)
        return (after,)

    if observe is not None:
        observe(first, first.outcome < 0)
    return while_loop(going, step, first)


def _active(state: Minimum, limit: Any) -> Tensor:
    return (state.outcome == RUNNING) & (state.iterations < limit)


def _started(loss: Loss, x0: Vector, tolerance: Callable[[Tensor], Tensor], memory: int) -> Minimum:
    value, gradient = loss(x0)
    entries = value.shape
    evaluations = 1
    if any(entries.without(x.shape).rank for x in x0):  # derivatives are per entry from now on
        x0 = along_entries(x0, entries)
        value, gradient = loss(x0)
        evaluations = 2
    value, size = on_host(value), on_host(largest(gradient, entries))
    zero = zeros_like(value)
    none = to_int64(zero)
    goal = zero + tolerance(size)
    outcome = where(finite(value, size), where(size <= goal, CONVERGED, RUNNING), DIVERGED)
    empty = nothing(x0)
    pairs = (Pair(empty, empty, zero),) * memory
    direction, slope, search = _downhill(value, gradient, zero, entries)
    return Minimum(
        *(x0, gradient, value, size, direction, slope, search, pairs, zero),
        *(zero <= 0, none, none, none + evaluations, goal, none + to_int64(outcome)),
    )


def _downhill(
    value: Tensor, gradient: Vector, scale: Tensor, entries: Shape
) -> tuple[Vector, Tensor, Search]:
    """Direction of steepest descent, with a first step of length 1 or, if known, of the curvature's."""
    squares = on_host(dot(gradient, gradient, entries))
    length = table.SQRT(where(squares > 0, squares, 1.0))
    return (
        times(-1, gradient),
        -squares,
        line_search.begin(value, -squares, where(scale > 0, scale, 1 / length)),
    )


def _stepped(state: Minimum, loss: Loss, entries: Shape, limit: Any) -> tuple[Minimum, Tensor]:
    """State after one evaluation, and which entries have accepted the evaluated point."""
    active = _active(state, limit)
    step = where(active, state.search.step, 0.0)
    point = chosen(active, plus(state.x, step, state.direction), state.x)
    value, gradient = loss(point)
    value, slope = on_host(value), on_host(dot(gradient, state.direction, entries))
    search, accepted, failed = line_search.advance(state.search, state.value, state.slope, value, slope)
    accepted, failed = accepted & active, failed & active
    unbounded = active & (value == float("-inf"))
    state = state._replace(
        search=search,
        evaluations=state.evaluations + to_int64(active),
        outcome=where(unbounded, DIVERGED, state.outcome),
    )
    if decided(accepted | failed) is False:
        return state, accepted
    moved = _moved(state, step, value, gradient, slope, accepted, entries)
    return _turned(moved, accepted, failed, entries), accepted


@np.errstate(all="ignore")  # of entries that did not move
def _moved(
    state: Minimum,
    step: Tensor,
    value: Tensor,
    gradient: Vector,
    slope: Tensor,
    accepted: Tensor,
    entries: Shape,
) -> Minimum:
    """State with the accepted points and what was learnt about the curvature on the way there."""
    change = minus(gradient, state.gradient)
    product = step * (slope - state.slope)  # ⟨s, y⟩
    squares = on_host(dot(change, change, entries))
    curved = accepted & (product > rounding() * squares * step) & (squares > 0)
    product, squares = where(curved, product, 1.0), where(curved, squares, 1.0)
    latest = Pair(times(step, state.direction), change, where(curved, 1 / product, 0.0))
    size = on_host(largest(gradient, entries))
    better = (value < state.value - rounding() * abs(state.value)) | (size < 0.9 * state.size)
    stalled = where(better, 0, state.stalled + 1)
    reached = where(size <= state.tolerance, CONVERGED, where(stalled >= STALLED, PRECISION_LIMIT, RUNNING))
    return state._replace(
        x=chosen(accepted, plus(state.x, step, state.direction), state.x),
        gradient=chosen(accepted, gradient, state.gradient),
        value=where(accepted, value, state.value),
        size=where(accepted, size, state.size),
        pairs=_remembered(state.pairs, latest, accepted),
        scale=where(accepted, where(curved, product / squares, 0.0), state.scale),
        stalled=where(accepted, stalled, state.stalled),
        iterations=state.iterations + to_int64(accepted),
        outcome=where(accepted, reached, state.outcome),
    )


def _remembered(pairs: tuple[Pair, ...], latest: Pair, accepted: Tensor) -> tuple[Pair, ...]:
    """The pairs with the latest one in front, where there is one."""
    later = (latest, *pairs[:-1]) if pairs else ()
    return tuple(
        Pair(
            chosen(accepted, new.step, old.step),
            chosen(accepted, new.change, old.change),
            where(accepted, new.inverse, old.inverse),
        )
        for new, old in zip(later, pairs, strict=True)
    )


@np.errstate(all="ignore")  # of entries that go on
def _turned(state: Minimum, accepted: Tensor, failed: Tensor, entries: Shape) -> Minimum:
    """State with a new direction where a point was accepted, or where the search along the old one failed."""
    lost = -state.slope * state.search.high <= rounding() * abs(state.value)
    ended = failed & state.steepest
    outcome = where(ended, where(lost, PRECISION_LIMIT, STUCK), state.outcome)
    pairs = tuple(pair._replace(inverse=where(failed, 0.0, pair.inverse)) for pair in state.pairs)
    scale = where(failed, 0.0, state.scale)
    newton = times(-1, _inverse_hessian(state.gradient, pairs, scale, entries))
    slope = on_host(dot(newton, state.gradient, entries))
    known = (scale > 0) & finite(slope) & (slope < 0) if pairs else scale < 0
    down, down_slope, down_search = _downhill(state.value, state.gradient, scale, entries)
    turned = accepted | failed
    search = line_search.begin(
        state.value, where(known, slope, down_slope), where(known, 1.0, down_search.step)
    )
    return state._replace(
        pairs=tuple(pair._replace(inverse=where(turned & ~known, 0.0, pair.inverse)) for pair in pairs),
        scale=scale,
        outcome=outcome,
        direction=chosen(turned, chosen(known, newton, down), state.direction),
        slope=where(turned, search.low_slope, state.slope),
        steepest=where(turned, ~known, state.steepest),
        search=Search(*(where(turned, new, old) for new, old in zip(search, state.search, strict=True))),
    )


def _inverse_hessian(gradient: Vector, pairs: tuple[Pair, ...], scale: Tensor, entries: Shape) -> Vector:
    """H·gradient by the two-loop recursion."""
    q = gradient
    weights: list[Tensor] = []
    for pair in pairs:
        weights.append(pair.inverse * dot(pair.step, q, entries))
        q = plus(q, -weights[-1], pair.change)
    q = times(scale, q)
    for pair, weight in zip(reversed(pairs), reversed(weights), strict=True):
        q = plus(q, weight - pair.inverse * dot(pair.change, q, entries), pair.step)
    return q
