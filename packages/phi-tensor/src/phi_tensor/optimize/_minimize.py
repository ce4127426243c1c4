"""`minimize`: where a loss is smallest, for every batch entry by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from phi_tensor._context import get_precision, settings
from phi_tensor._create import wrap
from phi_tensor._errors import Diverged, Unsupported
from phi_tensor._progress import Progress
from phi_tensor._tensor import Tensor
from phi_tensor.linear._results import trajectories_wanted
from phi_tensor.linear._solve_settings import Solve
from phi_tensor.ops import _table as table
from phi_tensor.ops._elementwise import stop_gradient, where
from phi_tensor.optimize._arguments import Call, called, first_output, limits
from phi_tensor.optimize._bounds import bounds_of
from phi_tensor.optimize._by_entry import by_entry
from phi_tensor.optimize._implicit import captured, implicit, is_concrete
from phi_tensor.optimize._lbfgs import MEMORY, Minimum, minimum
from phi_tensor.optimize._outcome import Found, Kind, info, passed_on, path_of
from phi_tensor.optimize._scipy import Method, method_named
from phi_tensor.optimize._vectors import Vector
from phi_tensor.optimize._watch import Watch
from phi_tensor.transforms._gradient import gradient

OWN = {"L-BFGS": MEMORY, "GD": 0}
"""Methods on the device of the variables, and the steps that they remember."""
REL_TOL = {16: 1e-2, 32: 1e-6, 64: 1e-10}
"""Default reduction of the gradient by precision [bit]."""


def minimize(
    f: Callable[..., Any],
    solve: Solve,
    *f_args: Any,
    bounds: tuple[Any, Any] | None = None,
    finite_differences: bool = False,
    progress: Progress | None = None,
    f_kwargs: dict[str, Any] | None = None,
    **f_kwargs_: Any,
) -> Any:
    """Variables x for which the loss f(x, *f_args, **f_kwargs) is smallest nearby.

    Losses may have batch dims: each entry is a problem of its own, which has its own line searches and stops
    for itself. x gets the batch dims of the loss; its other dims, and batch dims that the loss lacks, belong
    to one problem. Converged means: no entry of the gradient is larger than max(rel_tol·max|∇f(x0)|,
    abs_tol).

    The result is differentiable any number of times, forwards and backwards, by `f_args`, through the
    Hessian at the minimum (`Solve.gradient_solve`, default conjugate gradients); by `x0` its derivative is 0.

    Args:
        f: Loss `f(x, …) -> loss (batch…)`. Of several outputs the first is the loss. If `x0` is a tuple or
            list, its entries are separate arguments. Arrays that `f` captures cannot be differentiated by,
            which
            raises: pass these in `f_args`.
        solve: First values `x0` (tensor, number or tree) and settings. `method`: 'L-BFGS' (as 'auto') or 'GD'
            (steepest descent) on the device of the variables, also compiled; or by SciPy on the host:
            'BFGS', 'CG', 'L-BFGS-B', 'TNC', 'SLSQP', 'Newton-CG', 'trust-…' with, 'Nelder-Mead', 'Powell',
            'COBYLA', 'COBYQA' without gradients. `rel_tol` (default 1e-6 in 32 bit, 1e-10 in 64 bit, 0 if
            `abs_tol` is given), `abs_tol`, `max_iterations`.
        *f_args: Further arguments of `f`.
        bounds: Lowest and highest values: numbers, trees like `x0`, or None; for methods that keep bounds,
            by default 'L-BFGS-B'.
        finite_differences: Replace gradients by central differences (two losses per variable), for losses
            without derivatives, by default with 'L-BFGS-B'.
        progress: Listener that is told the iterations and the mean loss. Not in compiled code.
        f_kwargs: Further arguments of `f` by name, such as those that this function has, too.
        **f_kwargs_: More of them.

    Returns:
        x, a tree like `x0`.

    Raises:
        NotConverged: The gradient is too large after all iterations; `error.result` is the `SolveInfo`,
            whose `x` is the best state, `residual` the loss.
        Diverged: The loss or its gradient is not finite, or `f` raised an error after it had returned a
            loss: the cause of this one.
        Unsupported: The library has no derivatives (NumPy), or cannot do this in compiled code.

    >>> import phi_tensor as math
    >>> with math.on_backend("jax"):
    ...     math.round(minimize(lambda x: (x - 3) ** 2, Solve(x0=0.0)))
    3.0
    """
    x0 = solve.x0 if isinstance(solve, Solve) else 0.0  # pyright: ignore[reportUnnecessaryIsInstance] from users
    call = called("minimize", f, solve, x0, f_args, {**(f_kwargs or {}), **f_kwargs_})
    limited = bounds_of(bounds, call)
    name, method = _method(solve, limited is not None, finite_differences)
    _check_derivatives(call, method, finite_differences)
    kind = _kind(name, call)
    concrete = is_concrete(*call.x0, *call.given)
    watch = Watch(progress, trajectories_wanted(solve), limits(solve, call.x0))
    if method is not None and settings().traced == "jit":
        raise Unsupported(
            f"The method {name!r} is SciPy's, which compiled code cannot call. Use 'L-BFGS', or call "
            "`minimize` outside "
            f"of `jit_compile`."
        )
    if progress is not None and not concrete:
        raise Unsupported(
            "`minimize(progress=…)` cannot report from compiled or differentiated code. Leave it away."
        )

    def run(x0: Vector, given: Vector) -> Found:
        if method is not None:
            return by_entry(call, x0, given, solve, method, limited, finite_differences, watch, kind)
        return _on_device(call, x0, given, solve, OWN[name], watch if concrete else None, kind)

    def slope(x: Vector, given: Vector) -> Vector:
        if limited is None:
            return gradient(lambda v: _loss(call, v, given), get_output=False)(x)
        return limited.slope(lambda v: gradient(lambda w: _loss(call, w, given), get_output=False)(v), x)

    start = time.perf_counter()
    if concrete:
        found = run(call.x0, call.given)
        if not found.value_available():
            raise captured("minimize")
    else:
        adjoint = solve.gradient_solve or Solve("CG")
        found = implicit(run, slope, adjoint, True)(tuple(map(stop_gradient, call.x0)), call.given)
    duration = time.perf_counter() - start if concrete else None
    return call.variables.build(list(passed_on(found, solve, kind, duration, path_of(watch.states))))


def _method(solve: Solve, bounded: bool, differences: bool) -> tuple[str, Method | None]:
    """Name of the method, and SciPy's method where it is one of these."""
    name = solve.method
    if name == "auto":
        name = "L-BFGS-B" if bounded or differences else "L-BFGS"
    own = {key.lower(): key for key in OWN}.get(name.lower())
    if own is not None:
        if bounded or differences:
            what = "bounds" if bounded else "finite differences"
            raise Unsupported(f"The method {own!r} has no {what}. Use 'L-BFGS-B' or leave the method away.")
        return own, None
    method = method_named(name, list(OWN))
    if bounded and not method.bounds:
        raise Unsupported(
            f"The method {method.name!r} has no bounds. Use 'L-BFGS-B', 'TNC', 'SLSQP', 'Nelder-Mead' "
            "or 'Powell'."
        )
    if differences and (method.hessian or not method.gradient):
        raise Unsupported(
            f"`finite_differences` are for methods that use gradients alone, which {method.name!r} does not."
        )
    return method.name, method


def _check_derivatives(call: Call, method: Method | None, differences: bool) -> None:
    needed = method is None or (method.gradient and not differences)
    if needed and "reverse" not in call.backend.supports:
        raise Unsupported(
            f"`minimize` needs the gradient of the loss, which the backend `{call.backend}` has not. "
            "Create the variables "
            f"on another backend (`use('jax')`), or choose a method without gradients, "
            "`Solve('Nelder-Mead', x0=…)`, or ask for difference quotients: `minimize(…, "
            "finite_differences=True)`."
        )


def _kind(name: str, call: Call) -> Kind:
    return Kind(
        name,
        "largest entry of the gradient",
        (
            "Allow more iterations (`max_iterations`) or a larger `abs_tol`, or start nearer; a loss "
            "with kinks needs "
            "'Nelder-Mead' or 'Powell'.",
            "The loss or its gradient is not finite, or has no lower bound. `error.result.x` is the "
            "best state; start "
            "from another `x0`.",
        ),
        lambda x: call.variables.build(list(x)),
        lambda residual: residual[0],
    )


def _loss(call: Call, x: Vector, given: Vector) -> Tensor:
    value = first_output(call(x, given))
    return value if isinstance(value, Tensor) else wrap(value)


def _on_device(
    call: Call, x0: Vector, given: Vector, solve: Solve, memory: int, watch: Watch | None, kind: Kind
) -> Found:
    """Minimum by our own method."""
    with_gradient = gradient(lambda v: _loss(call, v, given))
    raised: list[Exception] = []

    def loss(x: Vector) -> tuple[Tensor, Vector]:
        try:
            value, slope = with_gradient(x)
        except Exception as error:  # re-raised below, with the best state
            raised.append(error)
            raise
        if watch is not None and not value.available:
            raise captured("minimize")
        return value, tuple(slope)

    def observe(state: Minimum, _: Tensor) -> None:
        assert watch is not None
        found = _found(state)
        watch.keep(found)
        watch.tell_of(found, "loss", state.value)

    try:
        last = minimum(loss, x0, _goal(solve), limits(solve, x0), memory, None if watch is None else observe)
    except Exception as error:
        if watch is None or watch.latest is None or error not in raised:
            raise
        best = watch.latest._replace(outcome=watch.latest.outcome * 0 + 4)
        remark = f"The function raised {type(error).__name__}: {error}."
        raise Diverged(info(best, solve, kind, remark=remark)) from error
    return _found(last)


def _found(state: Minimum) -> Found:
    return Found(
        *(state.x, (state.value,), state.size, state.tolerance),
        *(state.iterations, state.evaluations, state.outcome),
    )


def _goal(solve: Solve) -> Callable[[Tensor], Tensor]:
    """Tolerance by the size of the first gradient."""
    relative, absolute = tolerances(solve)

    def goal(size: Tensor) -> Tensor:
        return table.MAXIMUM(where(size == size, size, 0.0) * relative, size * 0 + absolute)

    return goal


def tolerances(solve: Solve) -> tuple[Any, Any]:
    """`(rel_tol, abs_tol)` of a minimisation."""
    relative = solve.rel_tol
    if relative is None:
        relative = REL_TOL[get_precision()] if solve.abs_tol is None else 0.0
    absolute = 0.0 if solve.abs_tol is None else solve.abs_tol
    return relative, absolute
