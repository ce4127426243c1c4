"""What a Krylov method works on: A d = r for many systems at once, each of which stops for itself.

The driver scales every right-hand side to length 1 and starts at d = 0; it deals with tolerances, restarts
and
true residuals (`_refine`). A method is a function `Problem -> Progress`, written for named dims; the dims of
the unknown are reduced by inner products, all others list independent systems.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from phi_tensor._context import context_dtype
from phi_tensor._create import zeros_like
from phi_tensor._dtype import FLOAT32
from phi_tensor._tensor import Tensor
from phi_tensor.ops._elementwise import conjugate, maximum, sqrt, to_int64, where
from phi_tensor.ops._products import dot, squared_norm
from phi_tensor.ops._reductions import any_, max_
from phi_tensor.transforms._iterate import while_loop

Function = Callable[[Tensor], Tensor]
PATIENCE = 6
"""Iterations after which a rate of convergence shows [-]."""


class Progress(NamedTuple):
    """State of the systems that a method works on.

    Attributes:
        d: Corrections found so far.
        norm: Norms of their residuals, as the method knows them, relative to the right-hand sides.
        active: Which systems go on.
        iterations: Iterations of each system.
        broke: Which systems cannot go on.
    """

    d: Tensor
    norm: Tensor
    active: Tensor
    iterations: Tensor
    broke: Tensor


@dataclasses.dataclass(frozen=True)
class Problem:
    """Systems A d = r with ‖r‖ = 1.

    Attributes:
        apply: d ↦ A d.
        adjoint: y ↦ Aᴴ y; None where it is not known.
        precondition: r ↦ z ≈ A⁻¹ r, linear; None for z = r.
        r: Right-hand sides, with all dims of the systems.
        names: Dims that A couples.
        target: Norm of the residual at which a system stops.
        limit: Iterations that each system has left.
        active: Which systems are to be solved.
        record: Called with the progress after every iteration, outside of compiled code.
        rate: Systems end that are above this to the power of their iterations, after some; None: none do.
    """

    apply: Function
    adjoint: Function | None
    precondition: Function | None
    r: Tensor
    names: tuple[str, ...]
    target: Tensor
    limit: Tensor
    active: Tensor
    record: Callable[[Progress], None] | None = None
    rate: float | None = None

    def dot(self, a: Tensor, b: Tensor) -> Tensor:
        """Inner products Σ a* b."""
        return inner(a, b, self.names)

    def norm(self, a: Tensor) -> Tensor:
        """Euclidean norms."""
        return length(a, self.names)

    def preconditioned(self, r: Tensor) -> Tensor:
        """Z = M r."""
        return r if self.precondition is None else self.precondition(r)

    def start(self) -> Progress:
        """No correction yet."""
        count = to_int64(zeros_like(self.active * 1))
        one = self.norm(self.r)
        return Progress(zeros_like(self.r), one, self.active & (self.limit > 0), count, count != 0)

    def advanced(
        self, before: Progress, d: Tensor, norm: Tensor, broke: Tensor, iterations: int = 1
    ) -> Progress:
        """Progress after one more iteration; `broke`: it cannot go on, unless it need not."""
        count = before.iterations + before.active * iterations
        open_still = before.active & ~(norm <= self.target)
        broken = before.broke | (open_still & (broke | ~(norm < _lost())))
        active = open_still & ~broken & (count < self.limit)
        if self.rate is not None:
            active = active & ((count < PATIENCE) | (norm <= self.rate**count))
        return Progress(
            self.keep(before.active & ~broken, d, before.d),
            where(before.active, norm, before.norm),
            active,
            count,
            broken,
        )

    def keep(self, active: Tensor, new: Tensor, old: Tensor) -> Tensor:
        """`new` for active systems; a single one ends where it is not active, so it needs no choice."""
        return where(active, new, old) if active.rank else new

    def loop(self, step: Callable[..., Any], *state: Any) -> Progress:
        """Repeat `step(progress, *others) -> (progress, *others)` until no system is active."""

        def recorded(progress: Progress, *others: Any) -> Any:
            result = step(progress, *others)
            if self.record is not None:
                self.record(result[0])
            return result

        def goes_on(progress: Progress, *_: Any) -> Tensor:
            return any_(progress.active, progress.active.shape.names)

        return while_loop(goes_on, recorded, self.start(), *state)[0]


def _lost() -> float:
    """Norm of residuals, relative to the right-hand side, at which no digit of a solution is left: 1/ε²."""
    return float(np.finfo(context_dtype(FLOAT32).numpy).eps) ** -2


def inner(a: Tensor, b: Tensor, names: tuple[str, ...]) -> Tensor:
    """Inner products Σ a* b along `names`."""
    if not names:
        return conjugate(a) * b if a.dtype.kind is complex else a * b
    return dot(conjugate(a) if a.dtype.kind is complex else a, names, b, names)


def squared_length(a: Tensor, names: tuple[str, ...]) -> Tensor:
    """Σ |a|² along `names`."""
    if a.dtype.kind is complex or not names:
        return (
            squared_norm(a, names) if names else a.real**2 + a.imag**2 if a.dtype.kind is complex else a * a
        )
    return dot(a, names, a, names)


def length(a: Tensor, names: tuple[str, ...]) -> Tensor:
    """√Σ |a|² along `names`."""
    return sqrt(maximum(squared_length(a, names), 0))


def scaled_length(a: Tensor, names: tuple[str, ...]) -> Tensor:
    """The same for numbers whose squares are too large or too small for the precision."""
    largest = max_(abs(a), names) if names else abs(a)
    scale = where(largest > 0, largest, 1)
    return scale * length(a / scale, names)
