"""Constants as null space: right-hand sides lose their mean, which is reported, solutions have mean 0."""

from __future__ import annotations

from phi_tensor._errors import IncompatibleShapes
from phi_tensor._tensor import Tensor
from phi_tensor.linear._operator import CONSTANTS, REGULAR, SYMMETRIC, LinearOperator
from phi_tensor.linear._problem import Function
from phi_tensor.ops._reductions import mean


def declared(operator: LinearOperator, rank_deficiency: int | None) -> LinearOperator:
    """The operator with the null space that the settings declare."""
    if rank_deficiency == 1:
        return operator.with_tags(CONSTANTS)
    if rank_deficiency == 0:
        tags = (operator.tags - {CONSTANTS}) | {REGULAR}
        return LinearOperator(**{**vars(operator), "tags": tags})
    return operator


def projection(operator: LinearOperator, names: tuple[str, ...]) -> Function | None:
    """`v ↦ v − mean(v)` where the null space is that of constants, else None."""
    if CONSTANTS not in operator.tags:
        return None
    return lambda v: v - mean(v, names)


def check_declared(operator: LinearOperator, image: Tensor, size: float) -> None:
    """Raise where `image` = A·1 shows that constants are not the null space, as was declared.

    Args:
        operator: A.
        image: A·1.
        size: Estimate of ‖A‖.
    """
    if image.available and SYMMETRIC in operator.tags | {SYMMETRIC}:
        largest = float(abs(image).max) if image.shape.volume else 0.0
        if largest > 1e-3 * size:
            raise IncompatibleShapes(
                f"`Solve(rank_deficiency=1)` declares that constants solve A x = 0, but A maps 1 to up to "
                f"{largest:.3g}. Leave it away, or use 'MINRES' or 'GMRES' for other null spaces."
            )
