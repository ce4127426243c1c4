"""Solutions as differentiable functions of coefficients and right-hand sides.

x = A(c)⁻¹ b is one function with a rule of its own: λ = A⁻ᴴ dx, db = λ, dc = −(∂(A(c) x)/∂c)ᴴ λ. Solver
iterations
are never differentiated. The rule itself solves by this function, so that all nestings follow.
"""

from __future__ import annotations

from typing import Any, cast

from phi_tensor._create import zeros_like
from phi_tensor._errors import Unsupported
from phi_tensor._hidden import uncollected
from phi_tensor._tensor import Tensor
from phi_tensor.linear._choose import Choice, choices, direct_solver, leaves_nothing, ways_of
from phi_tensor.linear._operator import SYMMETRIC, Coefficients, LinearOperator
from phi_tensor.linear._refine import DIVERGED, NOT_CONVERGED, Goal, Record, Result, refined
from phi_tensor.linear._results import SolveInfo, advice_for, as_numpy, described, error_class
from phi_tensor.linear._solve_settings import Solve
from phi_tensor.ops._elementwise import stop_gradient, where
from phi_tensor.transforms._custom import custom_gradient
from phi_tensor.transforms._gradient import vjp


def solved(
    operator: LinearOperator,
    b: Tensor,
    x0: Tensor | None,
    solve: Solve,
    chosen: list[Choice],
    adjoint: bool = False,
    record: Record | None = None,
) -> Result:
    """Solution of A x = b with its derivatives.

    Args:
        operator: A, with equal dims of vectors and results.
        b: Right-hand sides with all dims of the systems.
        x0: Initial guess.
        solve: Settings.
        chosen: Methods.
        adjoint: Whether A is the adjoint of what a user's preconditioner belongs to.
        record: Called after every iteration.
    """
    limit = solve.limit(cast("tuple[int, ...]", operator.domain.sizes))
    goal = Goal(_fixed(solve.relative()), _fixed(0 if solve.abs_tol is None else solve.abs_tol), limit)

    def run(coefficients: Coefficients, b: Tensor) -> Result:
        given = operator.with_coefficients(coefficients)
        ways = ways_of(chosen, given, solve, goal, b, adjoint)
        return refined(given, b, x0, goal, ways, record)

    def pull(inputs: dict[str, Any], y: Result, dy: Result) -> dict[str, Any]:
        return _pulled_back(operator.with_coefficients(inputs["coefficients"]), y.x, dy.x, solve, adjoint)

    if record is not None:
        return run(operator.coefficients, b)
    return custom_gradient(run, pull)(operator.coefficients, b)


def solved_directly(operator: LinearOperator, b: Tensor, solve: Solve, adjoint: bool = False) -> Tensor:
    """`solved(…).x` by transforms that leave nothing, without residuals: these are rounding, where finite.

    Transforms have derivatives of their own; a rule is needed for those by coefficients.
    """
    if solve.gradient_solve is None and all(c.layout.backend.mixes for c in operator.coefficients):
        return direct_solver(operator)(b)

    def run(coefficients: Coefficients, b: Tensor) -> Tensor:
        return direct_solver(operator.with_coefficients(coefficients))(b)

    def pull(inputs: dict[str, Any], x: Tensor, dx: Tensor) -> dict[str, Any]:
        return _pulled_back(operator.with_coefficients(inputs["coefficients"]), x, dx, solve, adjoint)

    return custom_gradient(run, pull)(operator.coefficients, b)


def _pulled_back(
    operator: LinearOperator, x: Tensor, dx: Tensor, solve: Solve, adjoint: bool
) -> dict[str, Any]:
    if operator.transposed is None:
        raise Unsupported("The operator has no adjoint, which derivatives of its solves need.")
    turned = operator.h
    with uncollected():
        backward = solve.for_gradient()
        if solve.gradient_solve is not None and backward.preprocess_y is not None:
            dx = backward.preprocess_y(dx, *backward.preprocess_y_args)
        names = choices(turned, backward)
        if leaves_nothing(names, turned):
            adjoint_x = solved_directly(turned, dx, backward, not adjoint)
        else:
            found = solved(turned, dx, None, backward, names, adjoint=not adjoint)
            adjoint_x = _marked(turned, found, backward, names)
        cotangents: dict[str, Any] = {"b": adjoint_x}
        if operator.coefficients:
            _, back = vjp(lambda *c: operator.function(c, x), *operator.coefficients)
            cotangents["coefficients"] = tuple(back(-adjoint_x))
    return cotangents


def _fixed(tolerance: float | Tensor) -> float | Tensor:
    return stop_gradient(tolerance) if isinstance(tolerance, Tensor) else tolerance


def failures_of(result: Result, solve: Solve) -> Tensor:
    """0 for what is fine or suppressed; else how often the residual is above its bound, ∞ where diverged.

    One number, as loops of compiled code keep only the largest.
    """
    failed = zeros_like(result.norm)
    for code in (NOT_CONVERGED, DIVERGED):
        error = error_class(code)
        if error is not None and not solve.suppresses(error):
            size = 1 + result.norm / (result.bound + 1e-30) if code == NOT_CONVERGED else float("inf")
            failed = where(result.outcome == code, size, failed)
    return failed


def _marked(operator: LinearOperator, result: Result, solve: Solve, chosen: list[Choice]) -> Tensor:
    """Solution of an adjoint solve: failures raise where there are numbers, else they are NaN."""
    if result.outcome.available:
        code = int(as_numpy(result.outcome).max(initial=0))
        error = error_class(code)
        if error is not None and not solve.suppresses(error):
            raise error(info_of(operator, result, solve, chosen, None, "Adjoint solve of a derivative: "))
        return result.x
    failures = failures_of(result, solve)
    return where(failures > 0, float("nan"), result.x)


def info_of(
    operator: LinearOperator,
    result: Result,
    solve: Solve,
    chosen: list[Choice],
    duration: float | None,
    prefix: str = "",
) -> SolveInfo:
    method, preconditioner = (", ".join(dict.fromkeys(names)) for names in zip(*chosen, strict=True))
    advice = advice_for(int(as_numpy(result.outcome).max(initial=0)), method, SYMMETRIC in operator.tags)
    msg = prefix + described(
        result.outcome,
        result.iterations,
        result.norm,
        result.bound,
        result.removed,
        result.size,
        method,
        preconditioner,
        advice,
    )
    return SolveInfo(
        solve,
        result.x,
        result.residual,
        result.iterations,
        2 + result.iterations,
        result.outcome < NOT_CONVERGED,
        result.outcome == DIVERGED,
        method,
        preconditioner,
        result.outcome,
        result.norm,
        result.bound,
        msg,
        duration,
    )
