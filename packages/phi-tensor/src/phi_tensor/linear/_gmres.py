"""Generalised minimal residuals with restarts: any regular system; many vectors in memory.

Adaptive simpler GMRES: instead of Arnoldi's vectors it keeps an orthonormal basis W of A K and the directions
P with A P = W, so that solution and residual are known after every iteration. The next direction comes from
the
residual while that falls, else from the last basis vector, which keeps the directions independent where the
residual stagnates. Jiránek & Rozložník, *Adaptive version of simpler GMRES*, Numer. Algorithms 53 (2010).
"""

from __future__ import annotations

from typing import Any

from phi_tensor._create import arange, zeros_like
from phi_tensor._dim_types import channel
from phi_tensor._tensor import Tensor
from phi_tensor.linear._problem import Problem, Progress
from phi_tensor.ops._elementwise import safe_div, where
from phi_tensor.ops._products import dot
from phi_tensor.ops._structure import expand

FALLS = 0.9
"""Largest ratio of successive residuals that counts as progress."""
BASIS = "_basis"


def gmres(problem: Problem, restart: int = 30) -> Progress:
    """Minimal residuals over `restart` dimensions at a time; preconditioned from the right."""
    number = arange(channel(**{BASIS: restart}), backend=problem.r.backend)

    def step(
        now: Progress, r: Tensor, z: Tensor, ws: Tensor, ps: Tensor, index: Tensor, last: Tensor
    ) -> tuple[Any, ...]:
        """`z` is the next direction; `ws` and `ps` have entries along `_basis`, of which `index` are used."""
        p, w = z, problem.apply(problem.preconditioned(z))
        whole = problem.norm(w)
        for _ in range(2):  # Gram-Schmidt, twice is enough
            parts = problem.dot(ws, w)
            w, p = w - dot(ws, BASIS, parts, BASIS), p - dot(ps, BASIS, parts, BASIS)
        height = problem.norm(w)
        w, p = safe_div(w, height), safe_div(p, height)
        part = problem.dot(w, r)
        r_next = problem.keep(now.active, r - part * w, r)
        norm = problem.norm(r_next)
        broke = ~(height > EPSILON * whole)
        after = problem.advanced(now, now.d + part * p, norm, broke)
        full = index + 1 >= restart
        here = (number == index) & ~full
        ws = where(full, 0, where(here, w, ws))
        ps = where(full, 0, where(here, p, ps))
        falls = (norm <= FALLS * last) | full
        z = where(falls, safe_div(r_next, norm), w)
        return after, r_next, z, ws, ps, where(full, 0, index + 1), norm

    basis = expand(zeros_like(problem.r), channel(**{BASIS: restart}))
    first = problem.norm(problem.r)
    start = number[{BASIS: 0}] * 0
    last = problem.loop(step, problem.r, safe_div(problem.r, first), basis, basis, start, first)
    return last._replace(d=problem.preconditioned(last.d))


EPSILON = 1e-14
"""A new direction whose image lies in the span of the others up to this is none."""
