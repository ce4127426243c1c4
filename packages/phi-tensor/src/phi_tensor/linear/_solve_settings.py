"""What a user may say about a solve: method, tolerances, start, preconditioner. Immutable, all optional."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from phi_tensor._context import settings
from phi_tensor._errors import ConvergenceException
from phi_tensor._tensor import Tensor

REL_TOL = {16: 1e-2, 32: 1e-5, 64: 1e-10}
"""Default relative tolerance by precision [bit]."""
MOST_ITERATIONS = 100_000
"""Upper limit of the default number of iterations."""


@dataclasses.dataclass(frozen=True, eq=False)
class Solve:
    """How to solve a system of linear equations A x = y. Every field may be left away.

    Converged means: the residual y − A x, computed from x itself, is ≤ max(rel_tol·‖y‖, abs_tol), for every
    entry along dims that A does not couple (batch dims, further right-hand sides) by itself. A residual that
    is larger, but ≤ 10 ε ‖A‖ ‖x‖, is as small as the precision allows; this outcome is called
    `precision_limit`, reported, and no failure.

    Args:
        method: `auto` (default) or the name of a method: `CG`, `CG-adaptive`, `flexible-CG`, `MINRES`,
            `biCG`, `biCG-stab`, `biCG-stab(l)`, `GMRES`, `GMRES(restart)`, `transform`, `dense`, or on the
            host by SciPy: `scipy-direct`, `scipy-CG`, `scipy-GMres`, …
        rel_tol: Largest residual relative to ‖y‖ [-], number or tensor along batch dims; default: 1e-5 in
            32 bit, 1e-10 in 64 bit, 1e-2 in 16 bit.
        abs_tol: Largest residual [as y], number or tensor along batch dims; default 0.
        x0: Initial guess, tree like the unknown. Fixes the unknown's structure where y cannot.
            Has no derivative.
        max_iterations: Number or tensor along batch dims; default: 1000, or four times the cells along all
            dims of the unknown (added, not multiplied) if that is more; at most 100 000.
        suppress: Errors that are not raised, of `NotConverged` and `Diverged`: the result is what was found.
        preprocess_y: Function `(y, *preprocess_y_args) -> y`, applied before the solve and differentiated
        like any
            other; adjoint solves apply that of `gradient_solve`.
        preprocess_y_args: Further arguments of `preprocess_y`.
        preconditioner: `jacobi`, `chebyshev`, `transform` (of a box that obstacles perturb) or `multigrid`
            where the operator is of that form, `ilu`, `ic` (for `scipy-…` methods), or a linear
            function `r ↦ z` that approximates A⁻¹ r; `auto` takes what suits the operator. Default: none,
            except with the method `auto`.
        rank_deficiency: 1 declares that A maps constants to 0 and that its results sum to 0: right-hand
            sides lose their mean, which is reported, and solutions have mean 0. 0: A is regular, also if it
            looks singular. Default: found out where the operator is known.
        gradient_solve: Settings of the adjoint solve in derivatives; default: these without `x0`.

    >>> import phi_tensor as math
    >>> math.Solve("CG", rel_tol=1e-3).max_iterations is None
    True
    """

    method: str = "auto"
    rel_tol: float | Tensor | None = None
    abs_tol: float | Tensor | None = None
    x0: Any = None
    max_iterations: int | Tensor | None = None
    suppress: Sequence[type[ConvergenceException]] = ()
    preprocess_y: Callable[..., Any] | None = None
    preprocess_y_args: tuple[Any, ...] = ()
    preconditioner: str | Callable[[Any], Any] | None = None
    rank_deficiency: int | None = None
    gradient_solve: Solve | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.method, str):  # pyright: ignore[reportUnnecessaryIsInstance] from users
            raise TypeError(f"`Solve(method=…)` is a name such as 'CG', but found {self.method!r}.")
        for name in ("rel_tol", "abs_tol", "max_iterations"):
            value = getattr(self, name)
            if isinstance(value, (int, float)) and not value >= 0:
                raise ValueError(f"`Solve({name}=…)` must not be negative, but is {value}.")
        if self.rank_deficiency not in (None, 0, 1):
            raise ValueError(
                f"`Solve(rank_deficiency={self.rank_deficiency!r})`: 1 declares constants as the null "
                f"space, 0 "
                f"none. Solve for other null spaces with 'MINRES' or 'GMRES', which leave them out."
            )
        classes = tuple(self.suppress) if isinstance(self.suppress, Sequence) else (self.suppress,)  # pyright: ignore[reportUnnecessaryIsInstance] from users
        wrong = [
            c
            for c in classes
            if not (isinstance(c, type) and issubclass(c, ConvergenceException))  # pyright: ignore[reportUnnecessaryIsInstance] from users
        ]
        if wrong:
            raise TypeError(
                f"`Solve(suppress=…)` lists classes below `ConvergenceException`, such as "
                f"`NotConverged`, but "
                f"found {wrong}."
            )
        object.__setattr__(self, "suppress", classes)

    def with_(self, **changes: Any) -> Solve:
        """Changed copy.

        Args:
            **changes: Fields by name.
        """
        return dataclasses.replace(self, **changes)

    def with_preprocessing(self, preprocess_y: Callable[..., Any], *args: Any) -> Solve:
        """Copy that changes right-hand sides by `preprocess_y(y, *args)` before the solve."""
        return self.with_(preprocess_y=preprocess_y, preprocess_y_args=args)

    def for_gradient(self) -> Solve:
        """Settings of the adjoint solve: `gradient_solve`, or these without initial guess."""
        return self.gradient_solve or self.with_(x0=None)

    def suppresses(self, error: type[ConvergenceException]) -> bool:
        """Whether errors of this class are not raised."""
        return any(issubclass(error, c) for c in self.suppress)

    def relative(self) -> float | Tensor:
        """Relative tolerance that holds here [-]."""
        return REL_TOL[settings().precision] if self.rel_tol is None else self.rel_tol

    def limit(self, sizes: Sequence[int]) -> int | Tensor:
        """Largest number of iterations for unknowns with these sizes of their dims."""
        if self.max_iterations is not None:
            return self.max_iterations
        return max(1000, min(4 * sum(sizes), MOST_ITERATIONS))
