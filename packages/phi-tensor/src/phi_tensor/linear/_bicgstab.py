"""Stabilised biconjugate gradients: any regular system, without its adjoint, in little memory.

Sleijpen & Fokkema, *BiCGstab(ell) for linear equations involving unsymmetric matrices with complex spectrum*,
Electron. Trans. Numer. Anal. 1 (1993), algorithm 3.1; ell = 1 is van der Vorst's BiCGSTAB.
"""

from __future__ import annotations

from typing import Any

from phi_tensor._create import zeros_like
from phi_tensor._tensor import Tensor
from phi_tensor.linear._problem import Problem, Progress
from phi_tensor.ops._elementwise import is_finite, safe_div


def bicgstab(problem: Problem, ell: int = 1) -> Progress:
    """One iteration is `ell` biconjugate steps (2·ell products) and a minimisation over `ell` dimensions.

    Preconditioned from the right. An iteration counts as `ell`.
    """

    def apply(v: Tensor) -> Tensor:
        return problem.apply(problem.preconditioned(v))

    def step(
        now: Progress, r: Tensor, u: Tensor, rho: Tensor, alpha: Tensor, omega: Tensor
    ) -> tuple[Any, ...]:
        rs, us, y = [r], [u], now.d  # the correction before the preconditioner
        rho = -omega * rho
        for j in range(ell):
            following = problem.dot(shadow, rs[j])
            beta = alpha * safe_div(following, rho)
            rho = following
            us = [a - beta * b for a, b in zip(rs, us, strict=True)]
            us.append(apply(us[j]))
            alpha = safe_div(rho, problem.dot(shadow, us[j + 1]))
            rs = [a - alpha * b for a, b in zip(rs, us[1:], strict=True)]
            y = y + alpha * us[0]
            rs.append(apply(rs[j]))
        steps, omega = _minimising(problem, rs)
        u, residual = us[0], rs[0]
        for gamma, before, power, direction in zip(steps, rs[:-1], rs[1:], us[1:], strict=True):
            y, residual, u = y + gamma * before, residual - gamma * power, u - gamma * direction
        broke = ~((abs(omega) > 0) & (abs(rho) > 0) & is_finite(abs(alpha)))
        after = problem.advanced(now, y, problem.norm(residual), broke, ell)
        return after, residual, u, rho, alpha, omega

    shadow = problem.r
    one = problem.dot(shadow, shadow) * 0 + 1
    nothing = zeros_like(shadow)
    last = problem.loop(step, shadow, nothing, one, one * 0, one)
    return last._replace(d=problem.preconditioned(last.d))


def _minimising(problem: Problem, rs: list[Tensor]) -> tuple[list[Tensor], Tensor]:
    """γ that minimises ‖r₀ − Σ γⱼ rⱼ‖, by modified Gram-Schmidt, and its last entry."""
    basis = list(rs)
    ell = len(rs) - 1
    tau: dict[tuple[int, int], Tensor] = {}
    sigma: dict[int, Tensor] = {}
    weights: dict[int, Tensor] = {}
    for j in range(1, ell + 1):
        for i in range(1, j):
            tau[i, j] = safe_div(problem.dot(basis[i], basis[j]), sigma[i])
            basis[j] = basis[j] - tau[i, j] * basis[i]
        sigma[j] = problem.dot(basis[j], basis[j])
        weights[j] = safe_div(problem.dot(basis[j], basis[0]), sigma[j])
    steps: dict[int, Tensor] = {}
    for j in range(ell, 0, -1):
        gamma = weights[j]
        for i in range(j + 1, ell + 1):
            gamma = gamma - tau[j, i] * steps[i]
        steps[j] = gamma
    return [steps[j] for j in range(1, ell + 1)], steps[ell]
