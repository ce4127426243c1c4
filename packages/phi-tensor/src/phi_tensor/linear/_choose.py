"""Which methods solve a system, in order.

`auto` takes, of what is known of the operator: its transforms where it is separable; LU where the matrix is
dense
and small; conjugate gradients where it is symmetric and definite; minimal residuals where it is symmetric;
else
BiCGSTAB(2), and GMRES for what that leaves. It never leaves the device and never loosens a tolerance.

Conjugate gradients are preconditioned by the transforms of a box that obstacles perturb, as long as these
converge fast; by multigrid what that leaves, and grids of other forms; by the diagonal for the rest. Compiled
solves around obstacles that are not known before stay with the transforms.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import Any
from weakref import WeakKeyDictionary

from phi_tensor._context import settings
from phi_tensor._create import wrap, zeros_like
from phi_tensor._errors import Unsupported
from phi_tensor._tensor import Tensor
from phi_tensor.linear import _dense, _scipy
from phi_tensor.linear._box_preconditioner import RATE
from phi_tensor.linear._methods import Method, method_named
from phi_tensor.linear._null_space import projection
from phi_tensor.linear._operator import CONSTANTS, DEFINITE, REGULAR, SYMMETRIC, Coefficients, LinearOperator
from phi_tensor.linear._preconditioners import NAMED
from phi_tensor.linear._problem import Function
from phi_tensor.linear._refine import Goal, Preconditioning, Way
from phi_tensor.linear._solve_settings import Solve
from phi_tensor.linear._transforms import Separable, direct, separable
from phi_tensor.ops import _table as table
from phi_tensor.transforms._gradient import vjp

Choice = tuple[str, str]
"""Names of a method and of its preconditioner, empty for none."""
DIRECT: list[Choice] = [("transform", "")]
"""What separable operators take."""
TRANSFORM = "transform"
OFFERED = {
    TRANSFORM: "a box of cells with one link per axis and obstacles, symmetric and definite",
    "multigrid": "a symmetric and definite matrix of neighbours on a grid",
}
"""Preconditioners that operators bring along, and what they must be for that."""

_KNOWN: WeakKeyDictionary[LinearOperator, LinearOperator] = WeakKeyDictionary()


def known(operator: LinearOperator) -> LinearOperator:
    """The operator with what its transforms prove."""
    found = _KNOWN.get(operator)
    if found is None:
        system = separable(operator)
        if system is None:
            return operator
        found = _KNOWN[operator] = _with_proofs(operator, system)
    return found


def _with_proofs(operator: LinearOperator, system: Separable) -> LinearOperator:
    scales = operator.axis_scales

    def bound(coefficients: Coefficients) -> Tensor:
        if scales is None:
            return wrap(system.norm)
        by_axis = scales(coefficients)
        parts = (by_axis[dim.name] * norm for dim, norm in zip(system.dims, system.norms, strict=True))
        return reduce(table.ADD, parts)

    return replace(operator, tags=operator.tags | system.tags, bound=bound)


def choices(operator: LinearOperator, solve: Solve, concrete: bool = False) -> list[Choice]:
    """Names of the methods in order, each with its preconditioner.

    Args:
        operator: A.
        solve: Settings.
        concrete: Whether there are numbers. Traced code is compiled for every method listed, also for one
        that
            only singular matrices need.
    """
    given = solve.preconditioner
    named = "" if given is None or given == "auto" else given if isinstance(given, str) else "user"
    if solve.method.lower() != "auto":
        method = method_named(solve.method)
        if given == "auto" and isinstance(method, Method) and method.preconditioned:
            return [(method.name, name) for name in _offered(operator, method.name)]
        return [(method if isinstance(method, str) else method.name, named)]
    n = operator.domain.volume or 0
    if named:
        return [(_krylov(operator), named), ("GMRES", named)][: 1 if SYMMETRIC in operator.tags else 2]
    if separable(operator) is not None:
        return DIRECT
    if operator.matrix is not None and n <= _dense.LARGEST:
        spare = "MINRES" if SYMMETRIC in operator.tags else "GMRES"
        return [("dense", ""), (spare, "")] if concrete else [("dense", "")]
    first = _krylov(operator)
    if first == "MINRES":
        return [(first, "")]
    found = [(first, name) for name in _offered(operator, first)]
    return found if SYMMETRIC in operator.tags else [*found, ("GMRES", found[-1][1])]


def _krylov(operator: LinearOperator) -> str:
    if SYMMETRIC in operator.tags:
        return "CG" if DEFINITE in operator.tags else "MINRES"
    return "biCG-stab(2)"


def _offered(operator: LinearOperator, method: str) -> list[str]:
    """Names of the preconditioners that `auto` takes, in order; transforms of a box if A is definite.

    Compiled code has only the first one: multigrid takes long to compile.
    """
    if operator.box is not None and "CG" in method:
        return [TRANSFORM] if settings().traced == "jit" else [TRANSFORM, "operator"]
    if operator.preconditioner is not None:
        return ["operator"]
    return ["jacobi" if operator.diagonal is not None else ""]


def ways_of(
    chosen: list[Choice], operator: LinearOperator, solve: Solve, goal: Goal, like: Tensor, adjoint: bool
) -> list[tuple[Way, Preconditioning]]:
    """The methods of these names for this operator.

    Args:
        chosen: Names.
        operator: A.
        solve: Settings, with the user's preconditioner.
        goal: When to stop.
        like: Any vector with all dims of the systems.
        adjoint: Whether A is the adjoint of what the user's preconditioner belongs to.
    """
    ways = [
        _way(method, preconditioner, operator, solve, goal, like, adjoint)
        for method, preconditioner in chosen
    ]
    for i, (way, make) in enumerate(ways[:-1]):
        if chosen[i][1] == TRANSFORM and isinstance(way, Method):
            ways[i] = way._replace(rate=RATE), make
    return ways


def _way(
    name: str,
    preconditioner: str,
    operator: LinearOperator,
    solve: Solve,
    goal: Goal,
    like: Tensor,
    adjoint: bool,
) -> tuple[Way, Preconditioning]:
    method = method_named(name)
    if isinstance(method, Method):
        if preconditioner and not method.preconditioned:
            raise Unsupported(
                f"The method '{method.name}' takes no preconditioner. Use 'biCG-stab(2)' or 'GMRES'."
            )
        _check_preconditioner(preconditioner, operator)
        return method, lambda: _preconditioner(preconditioner, operator, solve, like, adjoint)
    if method == "transform":
        return _transform(operator), _none
    if method == "dense":
        if operator.matrix is None:
            raise Unsupported(
                "The method 'dense' needs a matrix, but the operator is a function. Use 'auto', or a Krylov "
                "method such as 'GMRES'."
            )
        return _dense.dense_way(operator), _none
    own: Any = preconditioner or None
    if preconditioner not in ("", *_scipy.FACTORISED):
        _check_preconditioner(preconditioner, operator)
        own = _preconditioner(preconditioner, operator, solve, like, adjoint)
    return _scipy.scipy_way(method, operator, own, goal), _none


def _none() -> None:
    return None


def direct_solver(operator: LinearOperator) -> Function:
    """`r ↦ A⁻¹ r` by transforms."""
    solver = direct(operator)
    if solver is None:
        raise Unsupported(
            "The method 'transform' needs a separable operator with constant coefficients, A = Σ over axes, "
            "whose axes have modes; nothing shows that this one is. Use 'auto'."
        )
    return solver


def leaves_nothing(chosen: list[Choice], operator: LinearOperator) -> bool:
    """Whether the methods solve every system that has numbers: transforms that know the null space."""
    system = separable(operator) if chosen == DIRECT else None
    if system is None:
        return False
    return REGULAR in system.tags or CONSTANTS in system.tags & operator.tags


def _transform(operator: LinearOperator) -> Way:
    solver = direct_solver(operator)
    return lambda r: (solver(r), 0)


def _preconditioner(
    name: str, operator: LinearOperator, solve: Solve, like: Tensor, adjoint: bool
) -> Function | None:
    if not name:
        return None
    if name == "user":
        return _users(solve, operator, like, adjoint)
    if name in (*OFFERED, "operator"):
        offered = operator.box if name == TRANSFORM else operator.preconditioner
        assert offered is not None
        approximate, project = offered(operator.coefficients), projection(operator, operator.domain.names)
        if project is None:
            return approximate
        return lambda r: project(approximate(r))  # what rounding leaves in the null space would grow
    return NAMED[name](operator, like)


def _check_preconditioner(name: str, operator: LinearOperator) -> None:
    """Raise where there is no preconditioner of this name, or not for this operator."""
    if name in ("", "user", "operator", *NAMED):
        return
    if name in OFFERED:
        if (operator.box if name == TRANSFORM else operator.preconditioner) is None:
            raise Unsupported(
                f"The preconditioner '{name}' needs {OFFERED[name]}; nothing shows that this operator is "
                f"one. Use 'auto', 'jacobi' or 'chebyshev'."
            )
        return
    if name in _scipy.FACTORISED:
        raise Unsupported(
            f"The preconditioner '{name}' is SciPy's and runs on the host: use it with 'scipy-GMres', "
            f"'scipy-CG' or another method of SciPy, or take 'jacobi' or 'chebyshev'."
        )
    names = ", ".join(map(repr, (*OFFERED, *NAMED, *_scipy.FACTORISED)))
    raise Unsupported(f"There is no preconditioner {name!r}. Use one of {names}, or a function `r -> z`.")


def _users(solve: Solve, operator: LinearOperator, like: Tensor, adjoint: bool) -> Function:
    """The user's function; its transpose for the adjoint of an operator that is not symmetric."""
    given: Any = solve.preconditioner
    if not adjoint or SYMMETRIC in operator.tags:
        return given
    zero = zeros_like(like)
    return lambda r: vjp(given, zero)[1](r)[0]
