"""Conjugate gradients: symmetric (Hermitian) systems that are definite, positive or negative.

Hestenes & Stiefel 1952; preconditioned as in Saad, *Iterative Methods for Sparse Linear Systems*, alg. 9.1.
"""

from __future__ import annotations

from typing import Any

from phi_tensor._tensor import Tensor
from phi_tensor.linear._problem import Problem, Progress
from phi_tensor.ops._elementwise import safe_div, sign, sqrt, where


def cg(problem: Problem) -> Progress:
    """Conjugate gradients, two-term recurrences. Breaks down where pᵀA p changes its sign.

    An iteration starts with the preconditioner, so that the last residual does not pay for one.
    """

    def step(
        now: Progress, r: Tensor, p: Tensor, squared: Tensor, before: Tensor, sense: Tensor
    ) -> tuple[Any, ...]:
        z = problem.preconditioned(r)
        rz = squared if problem.precondition is None else problem.dot(r, z).real
        p = z + safe_div(rz, before) * p
        ap = problem.apply(p)
        curvature = problem.dot(p, ap).real
        sense = where(sense == 0, sign(curvature * rz), sense)
        alpha = safe_div(rz, curvature)
        r = problem.keep(now.active, r - alpha * ap, r)
        squared = problem.dot(r, r).real
        broke = ~(curvature * rz * sense > 0)
        after = problem.advanced(now, now.d + alpha * p, sqrt(abs(squared)), broke)
        return after, r, p, squared, rz, sense

    squared = problem.dot(problem.r, problem.r).real
    return problem.loop(step, problem.r, 0 * problem.r, squared, 0 * squared, 0 * squared)
