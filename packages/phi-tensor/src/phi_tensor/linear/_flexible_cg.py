"""Flexible conjugate gradients: for preconditioners that change or are only nearly symmetric.

Notay, *Flexible Conjugate Gradients*, SIAM J. Sci. Comput. 22 (2000), with one stored direction.
"""

from __future__ import annotations

from typing import Any

from phi_tensor._tensor import Tensor
from phi_tensor.linear._problem import Problem, Progress
from phi_tensor.ops._elementwise import safe_div, sign, where


def flexible_cg(problem: Problem) -> Progress:
    """Conjugate gradients with β = zₖ₊₁ᵀ(rₖ₊₁ − rₖ) / zₖᵀrₖ (Polak, Ribière)."""

    def step(now: Progress, r: Tensor, p: Tensor, rz: Tensor, sense: Tensor) -> tuple[Any, ...]:
        ap = problem.apply(p)
        curvature = problem.dot(p, ap).real
        sense = where(sense == 0, sign(curvature), sense)
        alpha = safe_div(rz, curvature)
        change = -alpha * ap
        r = problem.keep(now.active, r + change, r)
        z = problem.preconditioned(r)
        beta = safe_div(problem.dot(change, z), rz)
        after = problem.advanced(now, now.d + alpha * p, problem.norm(r), ~(curvature * sense > 0))
        return after, r, z + beta * p, problem.dot(r, z).real, sense

    z = problem.preconditioned(problem.r)
    rz = problem.dot(problem.r, z).real
    return problem.loop(step, problem.r, z, rz, rz * 0)
