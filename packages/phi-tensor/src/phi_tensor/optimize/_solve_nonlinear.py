"""`solve_nonlinear`: where a function has a given value, for every batch entry by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from phi_tensor._errors import Diverged, IncompatibleShapes
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor.linear._results import trajectories_wanted
from phi_tensor.linear._solve_settings import Solve
from phi_tensor.ops import _table as table
from phi_tensor.ops._elementwise import stop_gradient, to_float, where
from phi_tensor.optimize._anderson import anderson
from phi_tensor.optimize._arguments import Call, called, limits
from phi_tensor.optimize._implicit import captured, implicit, is_concrete
from phi_tensor.optimize._krylov import length
from phi_tensor.optimize._line_search import rounding
from phi_tensor.optimize._newton import Root, newton_krylov
from phi_tensor.optimize._outcome import Found, Kind, info, passed_on, path_of
from phi_tensor.optimize._vectors import Vector, along_entries, minus, on_host, plus, times
from phi_tensor.optimize._watch import Watch
from phi_tensor.transforms._flat import flat_arguments
from phi_tensor.transforms._gradient import jvp

METHODS = ("Newton-Krylov", "Anderson")


def solve_nonlinear(
    f: Callable[..., Any],
    y: Any,
    solve: Solve | None = None,
    *f_args: Any,
    f_kwargs: dict[str, Any] | None = None,
    **f_kwargs_: Any,
) -> Any:
    """Solution x of f(x, *f_args, **f_kwargs) = y.

    Entries along batch dims are systems of their own: each has its own steps and stops for itself. Converged
    means: ‖y − f(x)‖ ≤ max(rel_tol·‖y‖, abs_tol), where y = 0 with ‖f(x0)‖ in place of ‖y‖.

    The result is differentiable any number of times, forwards and backwards, by `y` and `f_args`, through the
    adjoint of the linearised system (`Solve.gradient_solve`); by `x0` its derivative is 0.

    Args:
        f: Function `f(x, …)` whose results have the dims of x. If `x0` is a tuple or list, its entries are
            separate arguments, and so many results are wanted. Arrays that `f` captures cannot be
            differentiated by, which
            raises: pass these in `f_args`.
        y: Tensor, number or tree: wanted result.
        solve: Settings: `x0` (default: zeros like `y`), `method` 'Newton-Krylov' (as 'auto'; steps by GMRES
            on the derivative of `f`, on NumPy on its difference quotient, and backtracking) or 'Anderson'
            (acceleration of x ← x + y − f(x), without derivatives, for f near the identity), `rel_tol`,
            `abs_tol`, `max_iterations`.
        *f_args: Further arguments of `f`.
        f_kwargs: Further arguments of `f` by name, such as those that this function has, too.
        **f_kwargs_: More of them.

    Returns:
        x, a tree like `x0`.

    Raises:
        NotConverged: Too large a residual after all iterations; `error.result` is the `SolveInfo`, whose `x`
            is the best state.
        Diverged: The residual is not finite, or `f` raised an error after the first evaluation: the cause of
            this one.
        IncompatibleShapes: `f` does not return as many tensors as it takes, with the same dims.

    >>> import phi_tensor as math
    >>> math.round(100 * solve_nonlinear(lambda x: x**2, 4.0, Solve(x0=1.0)))
    200.0
    """
    chosen = Solve() if solve is None else solve
    x0 = getattr(chosen, "x0", None)
    wanted, _ = flat_arguments(y)
    right = tuple(leaf if leaf.dtype.kind is complex else to_float(leaf) for leaf in wanted)
    start_tree = _zeros(y) if x0 is None else x0
    call = called("solve_nonlinear", f, chosen, start_tree, f_args, {**(f_kwargs or {}), **f_kwargs_})
    name = _method(chosen)
    count = len(right)
    concrete = is_concrete(*call.x0, *call.given, *right)
    watch = Watch(None, trajectories_wanted(chosen), limits(chosen, call.x0))
    kind = _kind(name, call)

    def residual(x: Vector, given: Vector) -> Vector:
        return minus(_results(call, x, given[count:]), given[:count])

    def run(x0: Vector, given: Vector) -> Found:
        return _run(call, residual, x0, given, count, chosen, name, watch if concrete else None, kind)

    start = time.perf_counter()
    if concrete:
        found = run(call.x0, (*right, *call.given))
        if not found.value_available():
            raise captured("solve_nonlinear")
    else:
        adjoint = chosen.gradient_solve or Solve()
        found = implicit(run, residual, adjoint, False)(
            tuple(map(stop_gradient, call.x0)), (*right, *call.given)
        )
    duration = time.perf_counter() - start if concrete else None
    return call.variables.build(list(passed_on(found, chosen, kind, duration, path_of(watch.states))))


def _zeros(y: Any) -> Any:
    leaves, structure = flat_arguments(y)
    return structure.build([0 * leaf for leaf in leaves])


def _method(solve: Solve) -> str:
    if solve.method == "auto":
        return METHODS[0]
    found = {name.lower(): name for name in METHODS}.get(solve.method.lower())
    if found is None:
        raise ValueError(
            f"`solve_nonlinear` has no method {solve.method!r}. Choose 'auto', 'Newton-Krylov' or 'Anderson'."
        )
    return found


def _kind(name: str, call: Call) -> Kind:
    return Kind(
        name,
        "residual",
        (
            "Allow more iterations (`max_iterations`) or a larger tolerance, or start nearer to a "
            "solution: is there one?",
            "The residual is not finite, or grows. `error.result.x` is the best state; start from "
            "another `x0`, or use "
            "'Newton-Krylov'.",
        ),
        lambda x: call.variables.build(list(x)),
        lambda residual: call.variables.build(list(residual)),
    )


def _results(call: Call, x: Vector, given: Vector) -> Vector:
    """Tensors that the function returns, one per tensor of the unknown."""
    leaves, _ = flat_arguments(call(x, given))
    if len(leaves) != len(x):
        raise IncompatibleShapes(
            f"`solve_nonlinear` needs as many results as unknowns, but the function takes {len(x)} "
            "tensors and returns "
            f"{len(leaves)}. For least squares use `minimize(lambda x: l2_loss(f(x) - y), …)`."
        )
    for leaf, v in zip(leaves, x, strict=True):
        _check_dims(leaf, v)
    return tuple(leaves)


def _check_dims(found: Tensor, unknown: Tensor) -> None:
    if found.shape.non_batch != unknown.shape.non_batch:
        raise IncompatibleShapes(
            f"`solve_nonlinear` needs results with the dims of the unknown, but the function or `y` has "
            f"{found.shape} where the unknown has {unknown.shape}. Describe the unknown by `Solve(x0=…)`, "
            f"rename dims, or for least squares use `minimize(lambda x: l2_loss(f(x) - y), …)`."
        )


def _run(
    call: Call,
    residual: Callable[[Vector, Vector], Vector],
    x0: Vector,
    given: Vector,
    count: int,
    solve: Solve,
    name: str,
    watch: Watch | None,
    kind: Kind,
) -> Found:
    x0, entries = _started(residual(x0, given), x0, watch)
    raised: list[Exception] = []

    def r(x: Vector) -> Vector:
        try:
            found = residual(x, given)
        except Exception as error:  # re-raised below, with the best state
            raised.append(error)
            raise
        return along_entries(found, entries)

    goal = _goal(solve, given[:count], r(x0), entries)

    def size(x: Vector) -> Tensor:
        return length(plus(r(x), 1, given[:count]), entries) + length(given[:count], entries)

    def observe(state: Root, _: Tensor) -> None:
        assert watch is not None
        watch.keep(_found(state, goal))

    limit = limits(solve, x0)
    seen = None if watch is None else observe
    try:
        if name == "Anderson":
            last = anderson(lambda x: times(-1, r(x)), x0, entries, goal, limit, size, seen)
        else:
            last = newton_krylov(r, _product(call, r, entries), x0, entries, goal, limit, size, seen)
            last = last._replace(residual=times(-1, last.residual))
    except Exception as error:
        if watch is None or watch.latest is None or error not in raised:
            raise
        best = watch.latest._replace(outcome=watch.latest.outcome * 0 + 4)
        remark = f"The function raised {type(error).__name__}: {error}."
        raise Diverged(info(best, solve, kind, remark=remark)) from error
    return _found(last, goal)


def _started(found: Vector, x0: Vector, watch: Watch | None) -> tuple[Vector, Shape]:
    """First unknown with the batch dims of the problem, and these dims."""
    if watch is not None and not all(leaf.available for leaf in found):
        raise captured("solve_nonlinear")
    entries = merge_shapes(*(leaf.shape.batch for leaf in (*found, *x0)))
    for leaf, x in zip(found, x0, strict=True):
        _check_dims(leaf, x)
    return along_entries(x0, entries), entries


def _goal(solve: Solve, y: Vector, first: Vector, entries: Shape) -> Tensor:
    wanted = length(along_entries(y, entries), entries)
    scale = where(wanted > 0, wanted, length(first, entries))
    scale = where(scale == scale, scale, 0.0)
    absolute = 0.0 if solve.abs_tol is None else solve.abs_tol
    return on_host(table.MAXIMUM(scale * solve.relative(), scale * 0 + absolute))


def _product(call: Call, r: Callable[[Vector], Vector], entries: Shape) -> Callable[[Vector, Vector], Vector]:
    """Products J(x) v by forward mode, on NumPy by difference quotients: residuals stay exact."""
    if "forward" in call.backend.supports:
        return lambda x, v: jvp(lambda *at: r(at), x, v)[1]

    def quotient(x: Vector, v: Vector) -> Vector:
        norm = length(v, entries)
        step = rounding() ** 0.5 * (1 + length(x, entries)) / where(norm > 0, norm, 1.0)
        return times(1 / step, minus(r(plus(x, step, v)), r(x)))

    return quotient


def _found(state: Root, goal: Tensor) -> Found:
    return Found(
        state.x, state.residual, state.norm, goal, state.iterations, state.evaluations, state.outcome
    )
