"""What nonlinear solves hand back: records for tapes, errors with the best state, NaN where nobody looks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from phi_tensor._context import settings
from phi_tensor._errors import ConvergenceException
from phi_tensor._hidden import observe, report
from phi_tensor._tensor import Tensor
from phi_tensor.linear._results import NAMES, SolveInfo, add_to_tapes, as_numpy, error_class
from phi_tensor.linear._solve_settings import Solve
from phi_tensor.ops._elementwise import stop_gradient, where
from phi_tensor.ops._reductions import max_
from phi_tensor.optimize._lbfgs import DIVERGED, RUNNING, STUCK
from phi_tensor.optimize._vectors import Vector, chosen

NOT_CONVERGED = STUCK


class Found(NamedTuple):
    """Result of a nonlinear solve; numbers are `(batch…)`.

    Attributes:
        x: Best point.
        residual: What `SolveInfo` calls so: the loss, or y − f(x).
        size: What has to vanish: largest entry of the gradient, or ‖y − f(x)‖.
        tolerance: Size that counts as zero.
        iterations: Iterations [-].
        evaluations: Evaluations of the function [-].
        outcome: 1 converged, 2 precision limit, 3 not converged, 4 diverged; 0 where the iterations were
            used up.
    """

    x: Vector
    residual: Vector
    size: Tensor
    tolerance: Tensor
    iterations: Tensor
    evaluations: Tensor
    outcome: Tensor

    def value_available(self) -> bool:
        """Whether there are numbers, neither traced nor differentiated."""
        return self.outcome.available and all(leaf.available for leaf in self.x)


class Kind(NamedTuple):
    """Words of a nonlinear solve.

    Attributes:
        method: Name of the method.
        size: What has to vanish.
        advice: What to do about iterations that do not converge, and about those that diverge.
        build: Tree of the variables from its tensors.
        residual: Tree of the residual from its tensors.
    """

    method: str
    size: str
    advice: tuple[str, str]
    build: Callable[[Any], Any]
    residual: Callable[[Any], Any]


def info(
    found: Found,
    solve: Solve,
    kind: Kind,
    duration: float | None = None,
    path: Sequence[Found] = (),
    remark: str = "",
) -> SolveInfo:
    """Record of a solve; `path` are its states after each iteration."""
    outcomes = where(found.outcome == RUNNING, NOT_CONVERGED, found.outcome)
    made = SolveInfo(
        solve,
        kind.build(found.x),
        kind.residual(found.residual),
        found.iterations,
        found.evaluations,
        outcomes < NOT_CONVERGED,
        outcomes == DIVERGED,
        kind.method,
        "",
        outcomes,
        found.size,
        found.tolerance,
        _message(found, kind, remark),
        duration,
        tuple(as_numpy(state.size) for state in path),
    )
    return dataclasses.replace(made, trajectory=tuple(_snapshot(made, state, kind) for state in path))


def _snapshot(last: SolveInfo, state: Found, kind: Kind) -> SolveInfo:
    outcome = state.outcome
    return dataclasses.replace(
        last,
        x=kind.build(state.x),
        residual=kind.residual(state.residual),
        iterations=state.iterations,
        function_evaluations=state.evaluations,
        converged=(outcome > RUNNING) & (outcome < NOT_CONVERGED),
        diverged=outcome == DIVERGED,
        outcomes=outcome,
        residual_norm=state.size,
        history=(),
    )


def _message(found: Found, kind: Kind, remark: str) -> str:
    codes, counts, sizes, bounds = np.broadcast_arrays(
        *(np.ravel(as_numpy(x)) for x in (found.outcome, found.iterations, found.size, found.tolerance))
    )
    if not codes.size:
        return f"{kind.method} had nothing to solve."
    shown = np.where(codes == RUNNING, NOT_CONVERGED, codes)
    code = int(shown.max())
    among = np.flatnonzero(shown == code)
    worst = among[np.argmax(np.nan_to_num(sizes[among], nan=np.inf))]
    which = "" if codes.size == 1 else f", {len(among)} of {codes.size} entries,"
    text = f"{kind.method}: {NAMES[code]}{which} after {int(counts[worst])} iterations"
    if np.isfinite(sizes[worst]) and np.isfinite(bounds[worst]):
        text += f"; the {kind.size} is {sizes[worst]:.3g}, the bound {bounds[worst]:.3g}"
    advice = {NOT_CONVERGED: kind.advice[0], DIVERGED: kind.advice[1]}.get(code, "")
    if codes[worst] == STUCK:
        advice = f"No better point was found nearby: {advice}"
    return " ".join(filter(None, (text + ".", remark, advice)))


def passed_on(
    found: Found, solve: Solve, kind: Kind, duration: float | None, path: Sequence[Found]
) -> Vector:
    """The solution, when what happened was recorded and failures were reported."""
    shown = Found(
        tuple(map(stop_gradient, found.x)),
        tuple(map(stop_gradient, found.residual)),
        *map(stop_gradient, found[2:]),
    )
    count = len(shown.x)

    def told(*values: Tensor) -> SolveInfo:
        rest = len(values) - 5
        return info(Found(values[:count], values[count:rest], *values[rest:]), solve, kind, duration, path)

    if settings().taped:
        observe((*shown.x, *shown.residual, *shown[2:]), lambda *values: add_to_tapes(told(*values)))
    failures = _failures(shown, solve)

    def error(value: Any) -> ConvergenceException:
        code = DIVERGED if (value == float("inf")).any() else NOT_CONVERGED
        raised = error_class(code)
        assert raised is not None
        if shown.outcome.available:
            return raised(info(shown, solve, kind, duration, path))
        return raised(f"{kind.method} in compiled code: {NAMES[code]}. {kind.advice[code == DIVERGED]}")

    if report(max_(failures, failures.shape.names) if failures.rank else failures, error):
        return found.x
    return chosen(failures > 0, tuple(x * float("nan") for x in found.x), found.x)


def _failures(found: Found, solve: Solve) -> Tensor:
    """0 for what is fine or suppressed, 1 for what did not converge, ∞ for what diverged."""
    failed = found.size * 0
    failed = where(failed == 0, failed, 0.0)
    stopped = (found.outcome == RUNNING) | (found.outcome == STUCK)
    for code, entries, mark in (
        (NOT_CONVERGED, stopped, 1.0),
        (DIVERGED, found.outcome == DIVERGED, float("inf")),
    ):
        error = error_class(code)
        if error is not None and not solve.suppresses(error):
            failed = where(entries, mark, failed)
    return failed


def path_of(states: Sequence[Found]) -> list[Found]:
    """States after iteration 0, 1, … of each entry, from states after any work."""
    if not states:
        return []
    counts = np.stack([np.asarray(as_numpy(state.iterations)) for state in states])
    last = states[-1].iterations
    found: list[Found] = []
    for k in range(int(counts.max(initial=0)) + 1):
        latest = (counts <= k).sum(0) - 1
        which = [int(i) for i in np.unique(latest)]
        state: Found = states[which[0]]
        for index in which[1:]:
            state = _merged(_like(latest, last) == index, states[index], state)
        found.append(state)
    return found


def _like(numbers: Any, x: Tensor) -> Tensor:
    from phi_tensor._create import wrap  # noqa: PLC0415 only where paths are recorded

    return wrap(np.asarray(numbers), x.shape) if x.rank else wrap(int(numbers))


def _merged(here: Tensor, a: Found, b: Found) -> Found:
    return Found(
        chosen(here, a.x, b.x),
        chosen(here, a.residual, b.residual),
        *(where(here, x, y) for x, y in zip(a[2:], b[2:], strict=True)),
    )
