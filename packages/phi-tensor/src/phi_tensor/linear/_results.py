"""What solves did: one record per solve, tapes that collect them, and the errors of those that failed."""

from __future__ import annotations

import dataclasses
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, Self

import numpy as np

from phi_tensor._context import changed_settings
from phi_tensor._errors import ConvergenceException, Diverged, NotConverged
from phi_tensor._tensor import Tensor
from phi_tensor.linear._refine import CONVERGED, DIVERGED, NOT_CONVERGED, PRECISION_LIMIT
from phi_tensor.linear._solve_settings import Solve

NAMES = {
    CONVERGED: "converged",
    PRECISION_LIMIT: "precision_limit",
    NOT_CONVERGED: "not_converged",
    DIVERGED: "diverged",
}
"""Outcomes by code."""


@dataclasses.dataclass(frozen=True, eq=False)
class SolveInfo:
    """What a solve did. Tensors have the dims that list independent systems.

    Attributes:
        solve: Its settings.
        x: Solution, or what was found of it; None in errors of compiled code.
        residual: y − A x, computed from x, less what of y is out of reach where the null space is known.
        iterations: Iterations of each system.
        function_evaluations: Products with the operator.
        converged: Whether the residual is small enough, or as small as the precision allows.
        diverged: Whether the method broke down or the numbers are not finite.
        method: Names of the methods used.
        preconditioner: Its name, empty for none.
        outcomes: 1 converged, 2 precision limit, 3 not converged, 4 diverged.
        residual_norm: ‖residual‖.
        tolerance: Largest norm that counts as converged.
        msg: All of this in words.
        solve_time: Time [s]; None for compiled code.
        history: Norms of the residuals after each iteration, as the method knew them, of what was recorded;
            empty in compiled code.
        trajectory: Records of each iteration where the tape asked for them.
    """

    solve: Solve
    x: Any
    residual: Any
    iterations: Any
    function_evaluations: Any
    converged: Any
    diverged: Any
    method: str
    preconditioner: str
    outcomes: Any
    residual_norm: Any
    tolerance: Any
    msg: str
    solve_time: float | None = None
    history: tuple[Any, ...] = ()
    trajectory: tuple[SolveInfo, ...] = ()

    variable_attrs = ("x", "residual", "iterations", "converged", "diverged", "outcomes", "residual_norm")
    value_attrs = ("x",)

    @property
    def outcome(self) -> str:
        """`converged`, `precision_limit`, `not_converged` or `diverged`: the worst of all systems."""
        return NAMES[int(np.max(as_numpy(self.outcomes), initial=CONVERGED))]

    def snapshot(self, index: int) -> SolveInfo:
        """The state after iteration `index`, of a solve whose trajectory was recorded."""
        if not self.trajectory:
            raise IndexError(
                "This solve has no trajectory. Record it: `SolveTape(record_trajectories=True)`, outside of "
                "compiled code."
            )
        return self.trajectory[index]

    def convergence_check(self, only_warn: bool = False) -> None:
        """Raise, or warn of, a solve that did not converge, whatever is suppressed."""
        error = error_class(int(np.max(as_numpy(self.outcomes), initial=CONVERGED)))
        if error is None:
            return
        if not only_warn:
            raise error(self)
        import warnings  # noqa: PLC0415 rarely needed

        from phi_tensor._errors import ConvergenceWarning  # noqa: PLC0415 rarely needed

        warnings.warn(self.msg, ConvergenceWarning, stacklevel=2)

    def __repr__(self) -> str:
        return f"SolveInfo({self.msg})"


def as_numpy(x: Any) -> Any:
    """Numbers of a tensor without dims' names, or of a number."""
    return x.numpy(x.shape.names) if isinstance(x, Tensor) else np.asarray(x)


def error_class(code: int) -> type[ConvergenceException] | None:
    """Error of an outcome, None for none."""
    return {NOT_CONVERGED: NotConverged, DIVERGED: Diverged}.get(code)


_TAPES: ContextVar[tuple[SolveTape, ...]] = ContextVar("phi_tensor_tapes", default=())


class SolveTape:
    """Records the solves that run while it is open, also those in compiled functions.

    A compiled function is traced again the first time it runs under a tape: recorded solves return more.

    Args:
        *solves: Settings whose solves are recorded; default: all.
        record_trajectories: Also record every iteration, outside of compiled code; ends where the solve does.

    >>> import phi_tensor as math
    >>> A = math.wrap([[2.0, 0.0], [0.0, 4.0]], math.spatial("x"), math.dual("x"))
    >>> with math.SolveTape() as tape:
    ...     x = math.solve_linear(A, math.wrap([2.0, 8.0], math.spatial("x")))
    >>> tape[0].outcome
    'converged'
    """

    def __init__(self, *solves: Solve, record_trajectories: bool = False) -> None:
        wrong = [s for s in solves if not isinstance(s, Solve)]  # pyright: ignore[reportUnnecessaryIsInstance] from users
        if wrong:
            raise TypeError(f"`SolveTape` takes settings of the class `Solve`, but found {wrong}.")
        self.solves = solves
        self.record_trajectories = record_trajectories
        self.infos: list[SolveInfo] = []
        self._settings: AbstractContextManager[object] | None = None

    def __enter__(self) -> Self:
        _TAPES.set((*_TAPES.get(), self))
        self._settings = changed_settings(taped=True)
        self._settings.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        assert self._settings is not None
        self._settings.__exit__(*error)
        _TAPES.set(tuple(tape for tape in _TAPES.get() if tape is not self))

    def wants(self, solve: Solve) -> bool:
        """Whether solves with these settings are recorded here."""
        return not self.solves or any(solve is wanted for wanted in self.solves)

    def __getitem__(self, item: int | Solve) -> SolveInfo:
        """Record by position, or the last one of some settings."""
        if not isinstance(item, Solve):
            return self.infos[item]
        found = [info for info in self.infos if info.solve is item]
        if not found:
            raise KeyError(f"No solve with these settings was recorded; {len(self.infos)} others were.")
        return found[-1]

    def __len__(self) -> int:
        return len(self.infos)

    def __iter__(self) -> Any:
        return iter(self.infos)


def add_to_tapes(info: SolveInfo) -> None:
    """Record a solve on all open tapes that want it."""
    for tape in _TAPES.get():
        if tape.wants(info.solve):
            tape.infos.append(info if tape.record_trajectories else dataclasses.replace(info, trajectory=()))


def trajectories_wanted(solve: Solve) -> bool:
    """Whether an open tape records every iteration of solves with these settings."""
    return any(tape.record_trajectories and tape.wants(solve) for tape in _TAPES.get())


INCOMPATIBLE = 1e-6
"""Part of a right-hand side that must be out of reach to be reported."""


def described(
    outcomes: Any,
    iterations: Any,
    norm: Any,
    tolerance: Any,
    removed: Any,
    size: Any,
    method: str,
    preconditioner: str,
    advice: str,
) -> str:
    """What a solve did in words; numbers are arrays with one entry per system."""
    given = (outcomes, iterations, norm, tolerance, removed, size)
    codes, counts, norms, bounds, lost, sizes = (np.ravel(as_numpy(x)).astype(float) for x in given)
    if not codes.size:
        return f"{method} had no system to solve."
    worst = int(np.lexsort((norms / np.maximum(bounds, 1e-300), codes))[-1])
    code = int(codes[worst])
    which = "" if codes.size == 1 else f", {int((codes == code).sum())} of {codes.size} systems"
    by = method + (f" with preconditioner '{preconditioner}'" if preconditioner else "")
    text = (
        f"{by}: {NAMES[code]}{which} after {int(counts.max())} iterations; the residual is "
        f"{norms[worst]:.3g}, "
        f"the bound {bounds[worst]:.3g}."
    )
    if (lost > INCOMPATIBLE * sizes).any():
        text += (
            f" The operator maps constants to 0: the right-hand side lost its mean, up to "
            f"{(lost / np.maximum(sizes, 1e-300)).max():.3g} of its norm."
        )
    return text + (f" {advice}" if code >= NOT_CONVERGED else "")


def advice_for(code: int, method: str, symmetric: bool) -> str:
    """What to do about a failure."""
    if code == DIVERGED:
        if "CG" in method and "stab" not in method:
            return (
                "Conjugate gradients need a symmetric operator whose eigenvalues have one sign, a right-hand "
                "side within its range, and finite numbers. Use 'auto', 'MINRES' (symmetric) or 'GMRES'."
            )
        advice = (
            "The numbers are not finite, the operator is singular, or it maps the residual to 0. Check the "
            "right-hand side and the operator; declare constants as null space by `Solve(rank_deficiency=1)`."
        )
        if method != "dense":
            return advice
        return (
            f"{advice} LU, which 'auto' takes for small matrices in compiled code, solves no singular "
            "systems: name 'MINRES' (symmetric) or 'GMRES' for singular matrices."
        )
    return (
        "Is the system consistent? If it is singular with constants as null space, declare "
        "`Solve(rank_deficiency=1)`. Otherwise allow more iterations or a larger tolerance, "
        + ("or pass a preconditioner." if symmetric else "or use another method or a preconditioner.")
    )
