"""`solve_linear`: systems from matrices, operators and plain functions; derivatives by adjoint solves."""

from __future__ import annotations

import dataclasses
import time
from typing import Any, cast

import numpy as np

from phi_tensor._context import settings
from phi_tensor._errors import Diverged, Unsupported
from phi_tensor._hidden import observe, report
from phi_tensor._tensor import Tensor
from phi_tensor.linear._choose import DIRECT, Choice, choices, known, leaves_nothing
from phi_tensor.linear._null_space import declared
from phi_tensor.linear._operator import SYMMETRIC, LinearOperator
from phi_tensor.linear._problem import Progress
from phi_tensor.linear._refine import DIVERGED, NOT_CONVERGED, Result, State
from phi_tensor.linear._results import (
    SolveInfo,
    add_to_tapes,
    advice_for,
    as_numpy,
    error_class,
    trajectories_wanted,
)
from phi_tensor.linear._rule import failures_of, info_of, solved, solved_directly
from phi_tensor.linear._solve_settings import Solve
from phi_tensor.linear._system import System, system_of
from phi_tensor.ops._elementwise import is_finite, stop_gradient, where
from phi_tensor.ops._reductions import max_


def solve_linear(
    f: Any,
    y: Any,
    solve: Solve | None = None,
    *f_args: Any,
    grad_for_f: bool = True,
    f_kwargs: dict[str, Any] | None = None,
    **f_kwargs_: Any,
) -> Any:
    """Solution x of f(x, *f_args, **f_kwargs) = y.

    Entries along batch dims, and along dims that a matrix does not contract, are systems of their own: each
    converges, or fails, for itself. Differentiable any number of times, forwards and backwards, by `y`, by
    matrices and operators, and by `f_args`, through adjoint solves (`Solve.gradient_solve`); those that fail
    in
    compiled or traced derivatives give NaN.

    Args:
        f: Matrix with dual dims (`A(x, ~x)` maps vectors along `x`), `LinearOperator`, or linear or affine
            function of x. Functions may not be differentiated by arrays that they capture, which raises: pass
            these in `f_args`.
        y: Right-hand side: tensor or tree of tensors.
        solve: Method, tolerances, initial guess; see `Solve`.
        *f_args: Further arguments of `f`.
        grad_for_f: Whether derivatives by `f_args`, matrices and operators are wanted; else these are
        constants.
        f_kwargs: Further arguments of `f` by name, such as those that this function has, too.
        **f_kwargs_: More of them.

    Returns:
        x, a tree like `Solve.x0` if that is given, else like `y` (with the primal dims that belong to the
        dual
        dims of a matrix).

    Raises:
        NotConverged: The residual is too large after all iterations; `error.result` is the `SolveInfo`.
        Diverged: The method broke down, or numbers are not finite.
        IncompatibleShapes: The system is not square, or dims do not fit.
        Unsupported: The method needs something that the operator does not have.

    >>> import phi_tensor as math
    >>> a = math.wrap([2.0, 4.0], math.spatial("x"))
    >>> solve_linear(lambda x: a * x + 1, math.wrap([3.0, 9.0], math.spatial("x")))
    (1.0, 2.0) along (x:s=2) float32
    """
    chosen = Solve() if solve is None else solve
    if not isinstance(chosen, Solve):  # pyright: ignore[reportUnnecessaryIsInstance] from users
        raise TypeError(f"`solve_linear(f, y, solve)` needs settings `Solve(…)`, but found {chosen!r}.")
    if chosen.preprocess_y is not None:
        y = chosen.preprocess_y(y, *chosen.preprocess_y_args)
    kwargs = {**(f_kwargs or {}), **f_kwargs_}
    system = system_of(f, y, chosen, f_args, kwargs)
    operator = declared(known(system.operator), chosen.rank_deficiency)
    if not grad_for_f:
        constants = tuple(stop_gradient(c) for c in operator.coefficients)
        operator = operator.with_coefficients(constants)
    x = _solution(operator, system, chosen)
    return system.unknown.unpack(x)


def _solution(operator: LinearOperator, system: System, solve: Solve) -> Tensor:
    b, x0 = system.b, system.x0
    start = time.perf_counter()
    recorded: list[State] = []
    every = trajectories_wanted(solve)

    def keep(before: State, progress: Progress) -> None:
        moved = before.x + before.norm * progress.d if every else before.x
        counts = before.iterations + progress.iterations
        norm = before.norm * progress.norm
        recorded.append(State(moved, before.r, norm, progress.active, counts, progress.broke))

    concrete = settings().traced != "jit" and b.available and all(c.available for c in operator.coefficients)
    record = keep if concrete else None
    chosen = choices(operator, solve, concrete)
    if not settings().taped and leaves_nothing(chosen, operator):
        return _direct_solution(operator, system, solve, concrete)
    result = solved(operator, b, x0, solve, chosen, record=record)
    if concrete and not result.x.available:
        raise Unsupported(CAPTURED)
    duration = time.perf_counter() - start if result.x.available else None
    return _reported(operator, system, solve, chosen, result, duration, recorded)


def _direct_solution(operator: LinearOperator, system: System, solve: Solve, concrete: bool) -> Tensor:
    """The solution by transforms, whose residual nobody looks at: it fails where it is not finite.

    Transforms mix all entries of a system, so that one entry tells of all. Compiled code looks at it when
    `checked('now')` asks for it: at 64² that costs a quarter of the solve, and what is not finite is seen in
    the solution.
    """
    x = solved_directly(operator, system.b, solve)
    if concrete and not x.available:
        raise Unsupported(CAPTURED)
    unseen = settings().traced == "jit" and settings().check != "now"
    if unseen or solve.suppresses(Diverged) or not x.shape.volume:
        return x
    failed = ~is_finite(stop_gradient(x[dict.fromkeys(operator.domain.names, 0)]))

    def error(value: Any) -> Exception:
        if not x.available:
            return Diverged(_compiled_message(np.inf * value, solve, DIRECT, operator, DIVERGED))
        result = solved(operator, system.b, None, solve, DIRECT)
        return Diverged(_info(operator, system, solve, DIRECT, None, [], result))

    return x if report(failed, error) else where(failed, float("nan"), x)


CAPTURED = (
    "`solve_linear` cannot differentiate by an array that the function takes from outside. Pass it as a "
    "further "
    "argument: `solve_linear(f, y, solve, array)`, or wrap it in `stop_gradient` if it is a constant."
)


def _reported(
    operator: LinearOperator,
    system: System,
    solve: Solve,
    chosen: list[Choice],
    result: Result,
    duration: float | None,
    recorded: list[State],
) -> Tensor:
    """The solution, when what happened was recorded and failures were reported."""
    result = result._replace(**{k: stop_gradient(v) for k, v in result._asdict().items() if k != "x"})

    def info(*values: Tensor) -> SolveInfo:
        return _info(operator, system, solve, chosen, duration, recorded, Result(*values))

    shown = result._replace(x=stop_gradient(result.x))
    if settings().taped:
        observe(tuple(shown), lambda *values: add_to_tapes(info(*values)))
    failures = failures_of(result, solve)

    def error(value: Any) -> Exception:
        code = DIVERGED if (value == float("inf")).any() else NOT_CONVERGED
        kind = cast("Any", error_class(code))
        if result.outcome.available and result.x.available:
            return kind(info(*shown))
        return kind(_compiled_message(value, solve, chosen, operator, code))

    if not report(max_(failures, failures.shape.names) if failures.rank else failures, error):
        return where(failures > 0, float("nan"), result.x)
    return result.x


def _info(
    operator: LinearOperator,
    system: System,
    solve: Solve,
    chosen: list[Choice],
    duration: float | None,
    recorded: list[State],
    result: Result,
) -> SolveInfo:
    made = info_of(operator, result, solve, chosen, duration)
    history = tuple(as_numpy(entry.norm) for entry in recorded)
    steps = _trajectory(made, system, recorded) if trajectories_wanted(solve) else ()
    unpack = system.unknown.unpack
    return dataclasses.replace(
        made, x=unpack(made.x), residual=unpack(made.residual), history=history, trajectory=steps
    )


def _compiled_message(
    value: Any, solve: Solve, chosen: list[Choice], operator: LinearOperator, code: int
) -> str:
    method = ", ".join(dict.fromkeys(name for name, _ in chosen))
    limit = solve.limit(cast("tuple[int, ...]", operator.domain.sizes))
    largest = "" if code == DIVERGED else f", the residual is {float(value.max()) - 1:.3g} times its bound"
    state = "diverged" if code == DIVERGED else f"not converged within {limit} iterations"
    advice = advice_for(code, method, SYMMETRIC in operator.tags)
    return f"{method} in compiled code: {state}{largest}. {advice}"


def _trajectory(last: SolveInfo, system: System, recorded: list[State]) -> tuple[SolveInfo, ...]:
    return tuple(
        dataclasses.replace(
            last,
            x=system.unknown.unpack(entry.x),
            residual=None,
            residual_norm=entry.norm,
            iterations=entry.iterations,
            converged=~entry.active & ~entry.broke,
            diverged=entry.broke,
        )
        for entry in recorded
    )
