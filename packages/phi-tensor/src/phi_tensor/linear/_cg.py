"""Conjugate gradients: symmetric (Hermitian) systems that are definite, positive or negative.

Hestenes & Stiefel 1952; preconditioned as in Saad, *Iterative Methods for Sparse Linear Systems*, alg. 9.1.
"""

from __future__ import annotations

from typing import Any

from phi_tensor._tensor import Tensor
from phi_tensor.linear._problem import Problem, Progress
from phi_tensor.ops._elementwise import safe_div, sign, sqrt, where


def cg(problem: Problem) -> Progress:
    """Conjugate gradients, two-term recurrences. Breaks down where pᵀA p changes its sign."""

    def step(now: Progress, r: Tensor, p: Tensor, rz: Tensor, sense: Tensor) -> tuple[Any, ...]:
        ap = problem.apply(p)
        curvature = problem.dot(p, ap).real
        sense = where(sense == 0, sign(curvature * rz), sense)
        alpha = safe_div(rz, curvature)
        r = problem.keep(now.active, r - alpha * ap, r)
        z = problem.preconditioned(r)
        following = problem.dot(r, z).real
        norm = problem.norm(r) if problem.precondition is not None else sqrt(abs(following))
        broke = ~(curvature * rz * sense > 0)
        after = problem.advanced(now, now.d + alpha * p, norm, broke)
        return after, r, z + safe_div(following, rz) * p, following, sense

    z = problem.preconditioned(problem.r)
    rz = problem.dot(problem.r, z).real
    return problem.loop(step, problem.r, z, rz, rz * 0)
