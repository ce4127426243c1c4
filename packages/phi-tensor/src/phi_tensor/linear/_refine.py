"""Solving with true residuals: methods start again from what is left until every system has converged.

A pass solves A d = r/‖r‖ from d = 0 and adds ‖r‖ d to x; then r = y − A x is computed anew. Passes go on for
the
systems whose residual is above max(rel_tol·‖y‖, abs_tol) and above 10 ε ‖A‖ ‖x‖ while they have iterations
left and
the last pass has at least halved it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from phi_tensor._context import context_dtype
from phi_tensor._create import zeros_like
from phi_tensor._dtype import FLOAT32
from phi_tensor._tensor import Tensor
from phi_tensor.linear._methods import Method
from phi_tensor.linear._norm import norm_of
from phi_tensor.linear._null_space import projection
from phi_tensor.linear._operator import REGULAR, LinearOperator
from phi_tensor.linear._problem import Function, Problem, Progress, scaled_length
from phi_tensor.ops._elementwise import is_finite, maximum, safe_div, to_int64, where
from phi_tensor.ops._reductions import all_, any_
from phi_tensor.transforms._iterate import while_loop

CONVERGED, PRECISION_LIMIT, NOT_CONVERGED, DIVERGED = 1, 2, 3, 4
"""Outcomes of a system."""
ROUNDING = 10
"""How many roundings of ‖A‖ ‖x‖ a residual may have."""
HALVED = 0.5
"""Largest ratio of the residuals before and after a pass that is worth another one."""
SAFETY = 0.9
"""Where a method stops, relative to the tolerance: its own residual is not quite the true one."""

Direct = Callable[[Tensor], tuple[Tensor, Tensor | int]]
"""r ↦ (A⁻¹ r, iterations); 0 where there are none, so that nothing more can be done about what is left."""
Way = Method | Direct
Preconditioning = Callable[[], Function | None]
"""Sets up a preconditioner, once a method is used."""

Record = Callable[["State", Progress], None]
"""Called after every iteration with the state before the pass and the progress since."""


class Result(NamedTuple):
    """What became of the systems.

    Attributes:
        x: Solutions.
        residual: y − A x, where y has lost what lies outside of the range of A.
        norm: ‖residual‖.
        bound: Largest norm that counts as converged.
        removed: Norm of what y has lost.
        size: ‖y‖.
        iterations: Iterations of all passes.
        outcome: 1 converged, 2 precision limit, 3 not converged, 4 diverged.
    """

    x: Tensor
    residual: Tensor
    norm: Tensor
    bound: Tensor
    removed: Tensor
    size: Tensor
    iterations: Tensor
    outcome: Tensor


class State(NamedTuple):
    """Systems between passes.

    Attributes:
        x: Solutions found so far.
        r: Their residuals.
        norm: Norms of the residuals.
        active: Which systems are worked on.
        iterations: Iterations so far.
        broke: Which systems broke down.
    """

    x: Tensor
    r: Tensor
    norm: Tensor
    active: Tensor
    iterations: Tensor
    broke: Tensor


@dataclasses.dataclass(frozen=True)
class Goal:
    """When a solve ends.

    Attributes:
        rel_tol: Relative tolerance [-].
        abs_tol: Absolute tolerance.
        limit: Most iterations.
    """

    rel_tol: float | Tensor
    abs_tol: float | Tensor
    limit: int | Tensor


def refined(
    operator: LinearOperator,
    y: Tensor,
    x0: Tensor | None,
    goal: Goal,
    ways: list[tuple[Way, Preconditioning]],
    record: Record | None = None,
) -> Result:
    """Solve A x = y, system by system.

    Args:
        operator: A, square, with equal dims of vectors and results.
        y: Right-hand sides with all dims of the systems.
        x0: Initial guess with all dims, or None.
        goal: When to stop.
        ways: Methods in order, each with what sets up its preconditioner; a later one takes what an earlier
            one leaves.
        record: Called after every iteration.
    """
    names = operator.domain.names
    apply = operator.many()
    project = projection(operator, names)
    size = scaled_length(y, names)
    b = y if project is None else project(y)
    tolerance = maximum(size * goal.rel_tol, goal.abs_tol)
    floor = _Floor(operator, apply, names, b)
    if x0 is None:
        x, r = zeros_like(b), b
    else:
        x = x0 if project is None else project(x0)
        r = b - apply(x)
        r = r if project is None else project(r)
    norm = scaled_length(r, names)
    if not norm.available:  # loops trace their steps: what is computed once comes before
        floor.prepare()
    count = to_int64(zeros_like((norm > 0) * 1))
    unsolved = norm > tolerance
    state = State(x, r, norm, unsolved & is_finite(norm), count, count != 0)

    def after_pass(state: State, d: Tensor, iterations: Tensor, broke: Tensor) -> State:
        new = state.x + where(state.active, state.norm, 0) * d
        new = new if project is None else project(new)
        r = b - apply(new)
        r = r if project is None else project(r)
        norm = scaled_length(r, names)
        better = state.active & (norm < state.norm)
        active = state.active & (norm > tolerance) & (norm <= HALVED * state.norm)
        kept = where(better, norm, state.norm)
        x = where(better, new, state.x)
        active = active & (iterations < goal.limit)
        if not _all(~active):
            active = active & (kept > floor.of(x, size))
        return State(x, where(better, r, state.r), kept, active, iterations, broke)

    for number, (way, make) in enumerate(ways):
        if isinstance(way, Method):
            # What most systems do not need is set up inside of the loop, which then does not run
            precondition = make if number else _made(make())
            state = _passes(operator, apply, way, precondition, state, tolerance, goal, after_pass, record)
        else:
            scaled = safe_div(state.r, where(state.active, state.norm, 1))
            d, iterations = way(scaled)
            broke = state.broke | (
                state.active if isinstance(iterations, int) else state.active & ~_finite(d, names)
            )
            state = after_pass(state, d, state.iterations + state.active * iterations, broke)
        if len(ways) > 1:
            left = is_finite(state.norm) & (state.norm > tolerance) & (state.iterations < goal.limit)
            state = state._replace(active=left & (state.norm > floor.of(state.x, size)))
            if _all(~state.active):
                break
    limit = floor.last(state.x, size) if not _all(state.norm <= tolerance) else tolerance * 0
    failed = where(is_finite(state.norm) & ~state.broke, NOT_CONVERGED, DIVERGED)
    outcome = where(state.norm <= limit, PRECISION_LIMIT, failed)
    outcome = to_int64(where(state.norm <= tolerance, CONVERGED, outcome))
    removed = size * 0 if project is None else scaled_length(y - b, names)
    return Result(
        state.x, state.r, state.norm, maximum(tolerance, limit), removed, size, state.iterations, outcome
    )


def _made(precondition: Function | None) -> Preconditioning:
    return lambda: precondition


def _finite(x: Tensor, names: tuple[str, ...]) -> Tensor:
    """Which systems have numbers only."""
    return all_(is_finite(x), names) if names else is_finite(x)


def _all(x: Tensor) -> bool:
    """Whether all entries are known to be True."""
    return x.available and bool(all_(x, x.shape.names))


def _passes(
    operator: LinearOperator,
    apply: Function,
    method: Method,
    make: Preconditioning,
    state: State,
    tolerance: Tensor,
    goal: Goal,
    after_pass: Callable[[State, Tensor, Tensor, Tensor], State],
    record: Record | None,
) -> State:
    adjoint = operator.adjoint if operator.transposed is not None else None

    def one_pass(state: State) -> State:
        scale = where(state.active, state.norm, 1)
        problem = Problem(
            apply,
            adjoint,
            make(),
            state.r / scale,
            operator.domain.names,
            maximum(SAFETY * tolerance / scale, _epsilon()),
            to_int64(goal.limit - state.iterations),
            state.active,
            None if record is None else partial(record, state),
            method.rate,
        )
        progress = method.run(problem)
        after = after_pass(state, progress.d, state.iterations + progress.iterations, progress.broke)
        if method.rate is None:
            return after
        return after._replace(active=after.active & (progress.norm <= problem.target))

    def goes_on(*state: Any) -> Tensor:
        return any_(State(*state).active, State(*state).active.shape.names)

    return State(*while_loop(goes_on, lambda *state: tuple(one_pass(State(*state))), *state))


class _Floor:
    """10 ε ‖A‖ ‖x‖; the norm is estimated when it is first needed."""

    def __init__(
        self, operator: LinearOperator, apply: Function, names: tuple[str, ...], like: Tensor
    ) -> None:
        self._operator, self._apply, self._names, self._like = operator, apply, names, like
        self._norm: Tensor | None = None

    def prepare(self) -> Tensor:
        """‖A‖."""
        if self._norm is None:
            self._norm = norm_of(self._operator, self._apply, self._like)
        return self._norm

    def of(self, x: Tensor, size: Tensor) -> Tensor:
        """Smallest residual that the precision allows for x, in systems with right-hand sides of norm `size`.

        0 where it is as large as these: A is singular as far as the precision tells, and x means nothing.
        """
        floor = self._of(x)
        return where(floor < size, floor, 0)

    def last(self, x: Tensor, size: Tensor) -> Tensor:
        """The same at the end, when x counts if A is known to be regular beside its null space."""
        operator = self._operator
        return (
            self._of(x) if operator.null_space is not None or REGULAR in operator.tags else self.of(x, size)
        )

    def _of(self, x: Tensor) -> Tensor:
        return ROUNDING * _epsilon() * self.prepare() * scaled_length(x, self._names)


def _epsilon() -> float:
    return float(np.finfo(context_dtype(FLOAT32).numpy).eps)
