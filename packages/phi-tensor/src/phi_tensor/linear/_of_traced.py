"""Operators of functions that can be traced: their coefficients have derivatives, and prove things.

Coefficients that are constants of the program stay on the host. Symmetry comes from the terms; diagonal
dominance
(Gershgorin) proves that no eigenvalue has the other sign; A·1 = 0 shows that constants are null.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np

from phi_tensor._context import settings
from phi_tensor._create import wrap
from phi_tensor._errors import Unsupported
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.linear._apply import bare
from phi_tensor.linear._axis_matrix import empty
from phi_tensor.linear._grid_preconditioner import neighbor_form
from phi_tensor.linear._matrix import matrix_of
from phi_tensor.linear._operator import CONSTANTS, DEFINITE, SYMMETRIC, Coefficients, LinearOperator
from phi_tensor.linear._packing import Packing, floating, packing_of
from phi_tensor.linear._terms import fitted
from phi_tensor.linear._traced import Traced
from phi_tensor.linear._transforms import separable
from phi_tensor.ops._elementwise import conjugate
from phi_tensor.ops._structure import expand
from phi_tensor.sparse._entries import dense

LARGEST_MATRIX = 1024
"""Unknowns up to which a dense matrix is offered."""


def operator_of_traced(function: Traced, unknown: Packing) -> tuple[LinearOperator, Packing]:
    """Operator of a traced function and how its results are packed.

    Args:
        function: Affine function of a tree, traced.
        unknown: How its argument is packed.
    """
    results = packing_of(function.bias)
    domain, codomain = unknown.dims, results.dims
    every = function.coefficients
    shapes = tuple(c.shape for c in every)
    free = [i for i, c in enumerate(every) if not constant(c)]

    def with_coefficients(c: Coefficients) -> Traced:
        changed = list(every)
        for i, value in zip(free, c, strict=True):
            changed[i] = fitted(value, shapes[i])
        return function.with_coefficients(changed)

    def forward(c: Coefficients, x: Tensor) -> Tensor:
        return results.pack(with_coefficients(c).apply(unknown.unpack(x)))

    def backward(c: Coefficients, y: Tensor) -> Tensor:
        if y.dtype.kind is complex or any(v.dtype.kind is complex for v in every):
            pulled = with_coefficients(c).adjoint(results.unpack(conjugate(floating(y))))
            return conjugate(unknown.pack(pulled))
        return unknown.pack(with_coefficients(c).adjoint(results.unpack(y)))

    def transposed(c: Coefficients, y: Tensor) -> Tensor:
        return backward(c, expand(y, codomain))

    def diagonal(c: Coefficients) -> Tensor:
        return cast("Tensor", with_coefficients(c).diagonal())

    def matrix(c: Coefficients) -> Tensor:

        return dense(matrix_of(with_coefficients(c).to_coo()))

    coefficients = tuple(bare(every[i]) for i in free)
    square = unknown.single and results.single and domain == codomain
    axes = _axis_matrices(function, domain) if square else None
    operator = LinearOperator(
        domain,
        codomain,
        forward,
        transposed,
        coefficients,
        results.pack(function.bias),
        axis_matrices=axes,
        diagonal=diagonal if square and function.diagonal() is not None else None,
        matrix=matrix if square and _has_matrix(function, domain) else None,
    )
    if square and separable(operator) is None:  # else its modes tell
        operator = operator.with_tags(*_proven(function, unknown, domain))
        form = neighbor_form(function) if {SYMMETRIC, DEFINITE} <= operator.tags else None
        if form is not None:
            operator = replace(
                operator,
                preconditioner=lambda c: form.preconditioner(with_coefficients(c)),
                box=None if form.box is None else lambda c: form.by_transform(with_coefficients(c)),
            )
    return operator, results


def constant(c: Tensor) -> bool:
    """Whether numbers are constants of the program: on NumPy, where no derivative follows them."""
    return c.layout.backend.mixes and c.available


def _readable(c: Tensor) -> bool:
    """Whether the numbers of a coefficient can be looked at here."""
    return constant(c) or (c.available and not settings().traced)


def _axis_matrices(function: Traced, domain: Shape) -> dict[str, Any] | None:
    if not all(map(_readable, function.coefficients)):
        return None
    found = function.axis_matrices()
    if (
        found is None
        or not set(found) <= set(domain.names)
        or any(np.iscomplexobj(a) for a in found.values())
    ):
        return None
    if not found:
        return None
    sizes = {name: cast("int", domain.get_size(name)) for name in domain.names}
    return {name: found.get(name, empty(n)) for name, n in sizes.items()}


def _has_matrix(function: Traced, domain: Shape) -> bool:
    if not domain or cast("int", domain.volume) > LARGEST_MATRIX:
        return False
    try:
        coo = function.to_coo()
    except Unsupported:
        return False
    return coo.rows == domain and coo.columns == domain


def _proven(function: Traced, unknown: Packing, domain: Shape) -> frozenset[str]:
    if not all(map(_readable, function.coefficients)):
        return frozenset()
    found: set[str] = set()
    symmetric = bool(function.is_symmetric())
    if symmetric:
        found.add(SYMMETRIC)
    block = function.unknown.blocks[0]
    ones = expand(wrap(np.ones([cast("int", size) for size in domain.sizes]), domain), block)
    sums = _numbers(function, unknown, ones, domain)
    sizes = [abs(c) for c in function.coefficients]
    whole = _numbers(function.with_coefficients(sizes), unknown, ones, domain)
    tiny = 16 * np.finfo(np.float32 if settings().precision < 64 else np.float64).eps * whole
    if symmetric and (np.abs(sums) <= tiny).all() and whole.any():
        found.add(CONSTANTS)
    own = function.diagonal()
    if symmetric and own is not None and own.dtype.kind is float:
        middle = expand(own, domain).numpy([*own.shape.without(domain).names, *domain.names])
        one_sign = (middle >= 0).all() or (middle <= 0).all()
        if one_sign and (np.abs(middle) >= _beside(function, domain, whole, middle) - tiny).all():
            found.add(DEFINITE)
    return frozenset(found)


def _beside(function: Traced, domain: Shape, whole: Any, middle: Any) -> Any:
    """Sum of the sizes of the entries beside the diagonal, in each row.

    Terms may cancel each other in an entry, as at a mirror: stencils add them up before.
    """
    offsets = function.offsets()
    if offsets is None:
        return whole - np.abs(middle)
    sizes = [abs(coefficient) for offset, coefficient in offsets.items() if any(offset)]
    total = expand(sum(sizes[1:], sizes[0]) if sizes else wrap(0.0), domain)
    return total.numpy([*total.shape.without(domain).names, *domain.names])


def _numbers(function: Traced, unknown: Packing, x: Tensor, domain: Shape) -> Any:
    """A x as an array of its batch dims and those of the domain."""
    y = function.apply(unknown.unpack(x))
    y = expand(y if isinstance(y, Tensor) else unknown.pack(y), domain)
    return y.numpy([*y.shape.without(domain).names, *domain.names])
