"""Minimal residuals: symmetric (Hermitian) systems, indefinite and singular ones included.

Paige & Saunders, *Solution of sparse indefinite systems of linear equations*, SIAM J. Numer. Anal. 12 (1975).
"""

from __future__ import annotations

from typing import Any

from phi_tensor._create import zeros_like
from phi_tensor._tensor import Tensor
from phi_tensor.linear._problem import Problem, Progress
from phi_tensor.ops._elementwise import maximum, safe_div, sqrt, where


def minres(problem: Problem) -> Progress:
    """Lanczos recurrence with Givens rotations; a preconditioner must be symmetric and positive definite.

    The residual is known in the norm of the preconditioner; relative to its start it serves as the norm.
    """

    def step(
        now: Progress,
        v_before: Tensor,
        v: Tensor,
        q: Tensor,
        beta: Tensor,
        w_before: Tensor,
        w: Tensor,
        eta: Tensor,
        turns: tuple[Tensor, Tensor, Tensor, Tensor],
    ) -> tuple[Any, ...]:
        cs, sn, cs_before, sn_before = turns
        aq = problem.apply(q)
        alpha = problem.dot(q, aq).real
        v_next = aq - alpha * v - beta * v_before
        z = problem.preconditioned(v_next)
        beta_next = sqrt(maximum(problem.dot(v_next, z).real, 0))
        # two earlier rotations, then the one that clears the new subdiagonal entry
        above = cs * alpha - cs_before * sn * beta
        diagonal = sqrt(above * above + beta_next * beta_next)
        cs_next, sn_next = safe_div(above, diagonal), safe_div(beta_next, diagonal)
        first, second = sn * alpha + cs_before * cs * beta, sn_before * beta
        w_next = safe_div(q - second * w_before - first * w, diagonal)
        d = now.d + cs_next * eta * w_next
        eta = where(diagonal > 0, -sn_next * eta, eta)
        after = problem.advanced(now, d, abs(eta) * scale, ~(diagonal > 0))
        turns = (cs_next, sn_next, cs, sn)
        return after, v, safe_div(v_next, beta_next), safe_div(z, beta_next), beta_next, w, w_next, eta, turns

    z = problem.preconditioned(problem.r)
    start = sqrt(maximum(problem.dot(problem.r, z).real, 0))
    scale = safe_div(problem.norm(problem.r), start)
    zero = start * 0
    v, q = safe_div(problem.r, start), safe_div(z, start)
    nothing = zeros_like(v)
    return problem.loop(step, nothing, v, q, zero, nothing, nothing, start, (zero + 1, zero, zero + 1, zero))
