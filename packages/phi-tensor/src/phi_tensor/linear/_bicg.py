"""Biconjugate gradients: any regular system whose adjoint can be applied.

Fletcher 1976; Saad, *Iterative Methods for Sparse Linear Systems*, alg. 7.3.
"""

from __future__ import annotations

from typing import Any

from phi_tensor._errors import Unsupported
from phi_tensor._tensor import Tensor
from phi_tensor.linear._problem import Problem, Progress
from phi_tensor.ops._elementwise import conjugate, is_finite, safe_div


def bicg(problem: Problem) -> Progress:
    """Two coupled recurrences, with A and with its adjoint; without preconditioner."""
    adjoint = problem.adjoint
    if adjoint is None:
        raise Unsupported(
            "The method 'biCG' applies the adjoint of the operator, which has none here: functions have one "
            "on backends with derivatives (torch, jax, tensorflow). Use 'biCG-stab(2)' or 'GMRES'."
        )

    def step(
        now: Progress, r: Tensor, shadow: Tensor, p: Tensor, dual_p: Tensor, rho: Tensor
    ) -> tuple[Any, ...]:
        ap = problem.apply(p)
        alpha = safe_div(rho, problem.dot(dual_p, ap))
        r = problem.keep(now.active, r - alpha * ap, r)
        shadow = problem.keep(now.active, shadow - conjugate(alpha) * adjoint(dual_p), shadow)
        following = problem.dot(shadow, r)
        broke = ~((abs(alpha) > 0) & is_finite(abs(alpha)))
        after = problem.advanced(now, now.d + alpha * p, problem.norm(r), broke)
        beta = safe_div(following, rho)
        return after, r, shadow, r + beta * p, shadow + conjugate(beta) * dual_p, following

    r = problem.r
    return problem.loop(step, r, r, r, r, problem.dot(r, r))
