"""`solve_linear`: systems from matrices, operators and plain functions; derivatives by adjoint solves.

x = A(c)⁻¹ b is one function with a rule of its own: λ = A⁻ᴴ dx, db = λ, dc = −(∂(A(c) x)/∂c)ᴴ λ. Solver iterations
are never differentiated. The rule itself solves by this function, so that all nestings follow.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Any, NamedTuple, cast

from phi_tensor._context import settings
from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._hidden import observe, report, uncollected
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor._trees import Structure
from phi_tensor.linear._choose import Choice, choices, known, ways_of
from phi_tensor.linear._null_space import declared
from phi_tensor.linear._of_function import operator_of_function
from phi_tensor.linear._operator import SYMMETRIC, Coefficients, LinearOperator
from phi_tensor.linear._packing import Packing, floating, packing_of
from phi_tensor.linear._problem import Progress, length
from phi_tensor.linear._refine import DIVERGED, NOT_CONVERGED, Goal, Result, State, refined
from phi_tensor.linear._results import (
    SolveInfo,
    add_to_tapes,
    advice_for,
    as_numpy,
    described,
    error_class,
    trajectories_wanted,
)
from phi_tensor.linear._solve_settings import Solve
from phi_tensor.ops._elementwise import stop_gradient, where
from phi_tensor.ops._reductions import max_
from phi_tensor.ops._structure import expand, pack_dims, rename_dims, unpack_dim
from phi_tensor.transforms._custom import custom_gradient
from phi_tensor.transforms._flat import flat_arguments
from phi_tensor.transforms._gradient import vjp


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
    matrices and operators, and by `f_args`, through adjoint solves (`Solve.gradient_solve`); those that fail in
    compiled or traced derivatives give NaN.

    Args:
        f: Matrix with dual dims (`A(x, ~x)` maps vectors along `x`), `LinearOperator`, or linear or affine
            function of x. Functions may not be differentiated by arrays that they capture, which raises: pass
            these in `f_args`.
        y: Right-hand side: tensor or tree of tensors.
        solve: Method, tolerances, initial guess; see `Solve`.
        *f_args: Further arguments of `f`.
        grad_for_f: Whether derivatives by `f_args`, matrices and operators are wanted; else these are constants.
        f_kwargs: Further arguments of `f` by name, such as those that this function has, too.
        **f_kwargs_: More of them.

    Returns:
        x, a tree like `Solve.x0` if that is given, else like `y` (with the primal dims that belong to the dual
        dims of a matrix).

    Raises:
        NotConverged: The residual is too large after all iterations; `error.result` is the `SolveInfo`.
        Diverged: The method broke down, or numbers are not finite.
        IncompatibleShapes: The system is not square, or dims do not fit.
        Unsupported: The method needs something that the operator does not have.

    >>> import phi_tensor as math
    >>> solve_linear(lambda x: 2 * x + 1, math.wrap([3.0, 5.0], math.spatial("x")))
    (1.0, 2.0) along (x:s=2) float32
    """
    chosen = Solve() if solve is None else solve
    if not isinstance(chosen, Solve):  # pyright: ignore[reportUnnecessaryIsInstance] from users
        raise TypeError(f"`solve_linear(f, y, solve)` needs settings `Solve(…)`, but found {chosen!r}.")
    if chosen.preprocess_y is not None:
        y = chosen.preprocess_y(y, *chosen.preprocess_y_args)
    kwargs = {**(f_kwargs or {}), **f_kwargs_}
    system = _system(f, y, chosen, f_args, kwargs)
    operator = declared(known(system.operator), chosen.rank_deficiency)
    if not grad_for_f:
        constants = tuple(stop_gradient(c) for c in operator.coefficients)
        operator = operator.with_coefficients(constants)
    x = _solution(operator, system, chosen)
    return system.unknown.unpack(x)


class System(NamedTuple):
    """A x = b in one vector per system.

    Attributes:
        operator: A, with equal dims of vectors and results.
        b: Right-hand sides, with all dims of the systems.
        x0: Initial guess, or None.
        unknown: How unknowns are packed.
        shown: Dims of vectors before they were packed for the operator; None if they were not.
    """

    operator: LinearOperator
    b: Tensor
    x0: Tensor | None
    unknown: Packing


def _system(f: Any, y: Any, solve: Solve, args: tuple[Any, ...], kwargs: dict[str, Any]) -> System:
    if isinstance(f, (Tensor, LinearOperator)):
        if args or kwargs:
            raise TypeError("`solve_linear` passes further arguments to functions, but `f` is no function.")
        operator = LinearOperator.from_matrix(floating(f)) if isinstance(f, Tensor) else f
        return _of_operator(operator, y, solve)
    if not callable(f):
        raise TypeError(
            f"`solve_linear(f, y)` needs a matrix with dual dims, a `LinearOperator` or a function, but found "
            f"{f!r}."
        )
    return _of_function(f, y, solve, args, kwargs)


def _of_operator(operator: LinearOperator, y: Any, solve: Solve) -> System:
    right = packing_of(y)
    if not right.single:
        raise IncompatibleShapes(
            f"A matrix maps one tensor, but the right-hand side is a tree: {y!r}. Solve block systems by a "
            f"function of the tree."
        )
    b = right.pack(y)
    missing = [name for name in operator.codomain.names if name not in b.shape]
    if missing:
        raise IncompatibleShapes(
            f"The operator maps to vectors along {operator.codomain}, but the right-hand side {b.shape} lacks "
            f"{missing}. Rename its dims, or expand it."
        )
    merge_shapes(operator.codomain, b.shape.only(operator.codomain.names))  # sizes and labels agree
    _check_square(operator)
    if operator.bias is not None:
        b = b - operator.bias
    guess = None if solve.x0 is None else flat_arguments(solve.x0)[0][0]
    leaf = flat_arguments(solve.x0 if guess is not None else y)[1]
    return _with_all_dims(operator, b, guess, Packing(leaf, right.blocks, True))


def _of_function(f: Any, y: Any, solve: Solve, args: tuple[Any, ...], kwargs: dict[str, Any]) -> System:
    leaves, structure = flat_arguments((args, kwargs))
    coefficients = tuple(leaves)
    like = y if solve.x0 is None else solve.x0
    unknown = packing_of(like)
    guess = unknown.pack(like)
    try:
        operator, results = operator_of_function(
            f, unknown, stop_gradient(guess), coefficients, _arguments(structure)
        )
    except IncompatibleShapes as error:
        if solve.x0 is not None:
            raise
        error.add_note(
            "`solve_linear` took the unknown to be like the right-hand side, as no `x0` was given. Where it is "
            "not, describe it: `Solve(x0=zeros(…))`."
        )
        raise
    right = packing_of(y)
    if not right.single and right.dims != results.dims or (right.single and not results.single):
        raise IncompatibleShapes(
            f"The function returns {results.dims} for unknowns {unknown.dims}, but the right-hand side has "
            f"{right.dims}."
        )
    _check_square(operator)
    b = results.pack(y)
    extra = b.shape.without(operator.codomain).non_batch
    if extra:
        raise IncompatibleShapes(
            f"The function maps {unknown.dims} to {operator.codomain}, but the right-hand side {b.shape} has "
            f"{extra}, too. Give the unknown in `Solve(x0=…)`, or make these dims batch dims."
        )
    assert operator.bias is not None
    return _with_all_dims(operator, b - operator.bias, None if solve.x0 is None else guess, unknown)


def _arguments(structure: Structure) -> Any:
    return lambda c: structure.build(list(c))


def _check_square(operator: LinearOperator) -> None:
    if not operator.is_square:
        raise IncompatibleShapes(
            f"`solve_linear` solves square systems, but the operator maps vectors {operator.domain} "
            f"({operator.domain.volume} entries) to {operator.codomain} ({operator.codomain.volume}). For least "
            f"squares solve the normal equations, or use `pinv`."
        )


def _with_all_dims(operator: LinearOperator, b: Tensor, x0: Tensor | None, unknown: Packing) -> System:
    """The system with every dim of independent systems stored in the right-hand side."""
    same = _same_dims(operator)
    if same is not operator:
        b = _moved(b, operator.codomain, operator.domain)
    guess = None if x0 is None else floating(stop_gradient(x0))
    rest = b.shape.without(same.domain)
    if guess is not None:
        missing = [name for name in same.domain.names if name not in guess.shape]
        if missing:
            guess = expand(guess, same.domain)
        rest = merge_shapes(rest, guess.shape.without(same.domain))
    if same.closure is None:
        mapped = merge_shapes(*(c.shape.without(c.shape.dual).without(same.domain) for c in same.coefficients))
        mapped = mapped.without(operator.codomain) if same.matrix is not None else Shape.of(())
        rest = merge_shapes(rest, mapped)
    full = merge_shapes(rest, same.domain)
    b = expand(b, full)
    return System(same, b, None if guess is None else expand(guess, full), unknown)


def _same_dims(operator: LinearOperator) -> LinearOperator:
    """The operator with results along the dims of vectors."""
    domain, codomain = operator.domain, operator.codomain
    if domain == codomain:
        return operator
    function, transposed = operator.function, operator.transposed
    closure = operator.closure
    tags = operator.tags if domain.sizes == codomain.sizes else operator.tags - {SYMMETRIC}
    return dataclasses.replace(
        operator,
        codomain=domain,
        tags=tags,
        function=lambda c, x: _moved(function(c, x), codomain, domain),
        transposed=None if transposed is None else lambda c, y: transposed(c, _moved(y, domain, codomain)),
        closure=None if closure is None else lambda c: _moving(closure(c), codomain, domain),
        matrix=None
        if operator.matrix is None
        else lambda c: _moved(cast("Any", operator.matrix)(c), codomain, domain),
        bias=None,
    )


def _moving(apply: Any, codomain: Shape, domain: Shape) -> Any:
    return lambda x: _moved(apply(x), codomain, domain)


def _moved(x: Tensor, old: Shape, new: Shape) -> Tensor:
    """Vectors along `old` as vectors along `new`, entry by entry in order."""
    if old.sizes == new.sizes:
        return rename_dims(x, old.names, new)
    from phi_tensor._dim_types import instance  # noqa: PLC0415 only here

    packed = pack_dims(x, old.names, instance("_moved"))
    return unpack_dim(packed, "_moved", *(new[name] for name in new.names))


# --- the rule


def _solution(operator: LinearOperator, system: System, solve: Solve) -> Tensor:
    chosen = choices(operator, solve)
    b, x0 = system.b, system.x0
    start = time.perf_counter()
    recorded: list[State] = []
    every = trajectories_wanted(solve)

    def keep(before: State, progress: Progress) -> None:
        moved = before.x + before.norm * progress.d if every else before.x
        counts = before.iterations + progress.count
        norm = before.norm * progress.norm
        recorded.append(State(moved, before.r, norm, progress.active, counts, progress.broke))

    concrete = settings().traced != "jit" and b.available and all(c.available for c in operator.coefficients)
    record = keep if concrete else None
    result = solved(operator, b, x0, solve, chosen, record=record)
    if concrete and not result.x.available:
        raise Unsupported(CAPTURED)
    duration = time.perf_counter() - start if result.x.available else None
    return _reported(operator, system, solve, chosen, result, duration, recorded)


CAPTURED = (
    "`solve_linear` cannot differentiate by an array that the function takes from outside. Pass it as a further "
    "argument: `solve_linear(f, y, solve, array)`, or wrap it in `stop_gradient` if it is a constant."
)


def solved(
    operator: LinearOperator,
    b: Tensor,
    x0: Tensor | None,
    solve: Solve,
    chosen: list[Choice],
    adjoint: bool = False,
    record: Any = None,
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
    tolerances = (solve.relative(), 0 if solve.abs_tol is None else solve.abs_tol, limit)
    goal = Goal(*(stop_gradient(t) if isinstance(t, Tensor) else t for t in tolerances))

    def run(coefficients: Coefficients, b: Tensor) -> Result:
        given = operator.with_coefficients(coefficients)
        ways = ways_of(chosen, given, solve, goal, b, adjoint)
        return refined(given, b, x0, goal, ways, record)

    def pull(inputs: dict[str, Any], y: Result, dy: Result) -> dict[str, Any]:
        given = operator.with_coefficients(inputs["coefficients"])
        if given.transposed is None:
            raise Unsupported("The operator has no adjoint, which derivatives of its solves need.")
        with uncollected():
            backward = solve.for_gradient()
            dx = dy.x
            if solve.gradient_solve is not None and backward.preprocess_y is not None:
                dx = backward.preprocess_y(dx, *backward.preprocess_y_args)
            names = choices(given.h, backward)
            found = solved(given.h, dx, None, backward, names, adjoint=not adjoint)
            adjoint_x = _marked(given.h, found, backward, names)
            cotangents: dict[str, Any] = {"b": adjoint_x}
            if given.coefficients:
                _, back = vjp(lambda *c: given.function(c, y.x), *given.coefficients)
                cotangents["coefficients"] = tuple(back(-adjoint_x))
        return cotangents

    if record is not None:
        return run(operator.coefficients, b)
    return custom_gradient(run, pull)(operator.coefficients, b)


def _failures(result: Result, solve: Solve) -> Tensor:
    """0 for what is fine or suppressed; else how often the residual is above its bound, ∞ where diverged.

    One number, as loops of compiled code keep only the largest.
    """
    failed = result.norm * 0
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
            raise error(_info(operator, result, solve, chosen, None, "Adjoint solve of a derivative: "))
        return result.x
    failures = _failures(result, solve)
    return where(failures > 0, float("nan"), result.x)


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
        made = _info(operator, Result(*values), solve, chosen, duration)
        history = tuple(as_numpy(entry.norm) for entry in recorded)
        steps = _trajectory(made, system, recorded) if trajectories_wanted(solve) else ()
        unpack = system.unknown.unpack
        return dataclasses.replace(
            made, x=unpack(made.x), residual=unpack(made.residual), history=history, trajectory=steps
        )

    shown = result._replace(x=stop_gradient(result.x))
    if settings().taped:
        observe(tuple(shown), lambda *values: add_to_tapes(info(*values)))
    failures = _failures(result, solve)

    def error(value: Any) -> Exception:
        code = DIVERGED if (value == float("inf")).any() else NOT_CONVERGED
        kind = cast("Any", error_class(code))
        if result.outcome.available and result.x.available:
            return kind(info(*shown))
        return kind(_compiled_message(value, solve, chosen, operator, code))

    if not report(max_(failures, failures.shape.names) if failures.rank else failures, error):
        return where(failures > 0, float("nan"), result.x)
    return result.x


def _compiled_message(
    value: Any, solve: Solve, chosen: list[Choice], operator: LinearOperator, code: int
) -> str:
    method = ", ".join(name for name, _ in chosen)
    limit = solve.limit(cast("tuple[int, ...]", operator.domain.sizes))
    largest = "" if code == DIVERGED else f", the residual is {float(value.max()) - 1:.3g} times its bound"
    state = "diverged" if code == DIVERGED else f"not converged within {limit} iterations"
    advice = advice_for(code, method, SYMMETRIC in operator.tags)
    return f"{method} in compiled code: {state}{largest}. {advice}"


def _info(
    operator: LinearOperator,
    result: Result,
    solve: Solve,
    chosen: list[Choice],
    duration: float | None,
    prefix: str = "",
) -> SolveInfo:
    method = ", ".join(name for name, _ in chosen)
    preconditioner = chosen[0][1]
    advice = advice_for(int(as_numpy(result.outcome).max(initial=0)), method, SYMMETRIC in operator.tags)
    scale = length(result.residual, operator.domain.names) * 0 + result.removed
    msg = prefix + described(
        result.outcome,
        result.iterations,
        result.norm,
        result.bound,
        result.removed,
        scale,
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


