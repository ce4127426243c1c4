"""Cheap estimates of the size of operators."""

from __future__ import annotations

from typing import cast

from phi_tensor._create import arange, ones_like
from phi_tensor._tensor import Tensor
from phi_tensor.linear._operator import LinearOperator
from phi_tensor.linear._problem import Function, length
from phi_tensor.ops._elementwise import maximum, safe_div, sin, to_float

STEPS = 4
"""Power iterations: from a rough vector they find stencils' norms within 30 %, from below."""


def norm_of(operator: LinearOperator, apply: Function, like: Tensor) -> Tensor:
    """‖A‖: a bound where the operator has one (√(‖A‖₁‖A‖∞) of matrices), else by power iteration.

    Args:
        operator: A.
        apply: x ↦ A x.
        like: Any vector with all dims of the systems.
    """
    if operator.bound is not None:
        return operator.bound(operator.coefficients)
    return largest_eigenvalue(apply, like, operator.domain.names)


def largest_eigenvalue(apply: Function, like: Tensor, names: tuple[str, ...]) -> Tensor:
    """Size of the largest eigenvalue of a normal operator, from below, by a few power iterations."""
    v = rough(like, names)
    size = length(v, names)
    for _ in range(STEPS):
        v = safe_div(v, maximum(size, TINY))
        v = apply(v)
        size = length(v, names)
    return size


TINY = 1e-30


def rough(like: Tensor, names: tuple[str, ...]) -> Tensor:
    """Vector with entries of both signs that no direction, wave length or symmetry is special to."""
    phase: Tensor | float = 0.3
    for k, name in enumerate(names):
        i = to_float(
            arange(
                like.shape[name].with_size(None), cast("int", like.shape.get_size(name)), backend=like.backend
            )
        )
        phase = phase + (0.5 + 0.618 * k) * i * i + (1.7 + k) * i
    return sin(ones_like(like).real * phase)
