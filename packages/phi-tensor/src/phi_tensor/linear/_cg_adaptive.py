"""Conjugate gradients whose coefficients come from the actual directions rather than from recurrences.

Each new direction is made A-orthogonal to the last one explicitly, so that products that are not exact, or
operators that are only nearly symmetric, do less harm than in `_cg`. Two more inner products per iteration.
"""

from __future__ import annotations

from typing import Any

from phi_tensor._tensor import Tensor
from phi_tensor.linear._problem import Problem, Progress
from phi_tensor.ops._elementwise import safe_div, sign, where


def cg_adaptive(problem: Problem) -> Progress:
    """Conjugate gradients with α = pᵀr / pᵀAp and β = −zᵀAp / pᵀAp."""

    def step(now: Progress, r: Tensor, p: Tensor, sense: Tensor) -> tuple[Any, ...]:
        ap = problem.apply(p)
        curvature = problem.dot(p, ap).real
        sense = where(sense == 0, sign(curvature), sense)
        alpha = safe_div(problem.dot(p, r), curvature)
        r = problem.keep(now.active, r - alpha * ap, r)
        z = problem.preconditioned(r)
        beta = -safe_div(problem.dot(ap, z), curvature)
        after = problem.advanced(now, now.d + alpha * p, problem.norm(r), ~(curvature * sense > 0))
        return after, r, z + beta * p, sense

    p = problem.preconditioned(problem.r)
    return problem.loop(step, problem.r, p, problem.norm(problem.r) * 0)
