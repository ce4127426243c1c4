"""Operators of Python functions: A x = f(x) − f(0), with the adjoint by reverse-mode derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from phi_tensor._create import zeros_like
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.linear._operator import Coefficients, LinearOperator
from phi_tensor.linear._packing import Packing, packing_of
from phi_tensor.ops._structure import expand
from phi_tensor.transforms._flat import backend_for
from phi_tensor.transforms._gradient import vjp


def operator_of_function(
    f: Callable[..., Any],
    unknown: Packing,
    example: Tensor,
    coefficients: Coefficients,
    arguments: Callable[[Coefficients], tuple[tuple[Any, ...], dict[str, Any]]],
) -> tuple[LinearOperator, Packing]:
    """Matrix-free operator and how its results are packed.

    Args:
        f: Affine function of a tree and further arguments.
        unknown: How its first argument is packed.
        example: Any packed vector, with all batch dims.
        coefficients: Tensors of the further arguments.
        arguments: What makes further arguments `(args, kwargs)` of them.
    """

    def raw(c: Coefficients, x: Tensor) -> Any:
        args, kwargs = arguments(c)
        return f(unknown.unpack(x), *args, **kwargs)

    zero = zeros_like(example)
    bias_tree = raw(coefficients, zero)
    results = packing_of(bias_tree)
    bias = results.pack(bias_tree)
    domain, codomain = unknown.dims, results.dims

    def whole(c: Coefficients, x: Tensor) -> Tensor:
        return results.pack(raw(c, x))

    def function(c: Coefficients, x: Tensor) -> Tensor:
        return whole(c, x) - whole(c, zero_of(x, domain))

    def closure(c: Coefficients) -> Callable[[Tensor], Tensor]:
        constant = whole(c, zero)
        return lambda x: whole(c, x) - constant

    def transposed(c: Coefficients, y: Tensor) -> Tensor:
        at = expand(zero_of(zero, domain), y.shape.without(codomain))
        pulled = vjp(lambda x: whole(c, x), at)[1](y)[0]
        return pulled

    reverse = "reverse" in backend_for([example, bias, *coefficients]).supports
    operator = LinearOperator(
        domain, codomain, function, transposed if reverse else None, coefficients, bias, closure=closure
    )
    return operator, results


def zero_of(x: Tensor, domain: Shape) -> Tensor:
    """0 for all systems at once: what a function maps it to has its own batch dims."""
    return zeros_like(x[dict.fromkeys(x.shape.without(domain).names, 0)])
