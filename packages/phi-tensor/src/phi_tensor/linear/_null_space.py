"""Constants as null space: right-hand sides lose their mean, which is reported, solutions have mean 0."""

from __future__ import annotations

from dataclasses import replace

from phi_tensor.linear._operator import CONSTANTS, REGULAR, LinearOperator
from phi_tensor.linear._problem import Function
from phi_tensor.ops._reductions import mean


def declared(operator: LinearOperator, rank_deficiency: int | None) -> LinearOperator:
    """The operator with the null space that the settings declare."""
    if rank_deficiency == 1:
        return operator.with_tags(CONSTANTS)
    if rank_deficiency == 0:
        return replace(operator, tags=(operator.tags - {CONSTANTS}) | {REGULAR})
    return operator


def projection(operator: LinearOperator, names: tuple[str, ...]) -> Function | None:
    """`v ↦ v − mean(v)` where the null space is that of constants, else None."""
    if CONSTANTS not in operator.tags:
        return None
    return lambda v: v - mean(v, names)
