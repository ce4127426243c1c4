"""Trees of unknowns as vectors: lists of tensors that share the batch dims of the problem.

Dims of a problem are those of its loss or residual norm; all others count as components of one vector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

from phi_tensor._convert import convert
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.backends._numpy import NUMPY
from phi_tensor.ops import _table as table
from phi_tensor.ops._elementwise import conjugate, is_finite, real, where
from phi_tensor.ops._reductions import all_, any_, max_, sum_
from phi_tensor.ops._structure import expand

Vector = tuple[Tensor, ...]
"""Tensors `(batch…, …)` that together are one vector per batch entry."""


def dot(a: Vector, b: Vector, entries: Shape) -> Tensor:
    """Re ⟨a, b⟩ for every entry `(batch…)`."""
    return reduce(table.ADD, [_sum(_product(x, y), entries) for x, y in zip(a, b, strict=True)])


def _product(x: Tensor, y: Tensor) -> Tensor:
    return real(conjugate(x) * y) if complex in (x.dtype.kind, y.dtype.kind) else x * y


def _sum(x: Tensor, entries: Shape) -> Tensor:
    inner = x.shape.without(entries)
    return sum_(x, inner) if inner.rank else x


def largest(a: Vector, entries: Shape) -> Tensor:
    """Max |aᵢ| for every entry `(batch…)`; NaN if any number is."""
    found = [abs(x) for x in a]
    inner = [x.shape.without(entries) for x in found]
    return reduce(
        table.MAXIMUM, [max_(x, dims) if dims.rank else x for x, dims in zip(found, inner, strict=True)]
    )


def plus(a: Vector, factor: Any, b: Vector) -> Vector:
    """A + factor·b."""
    return tuple(x + factor * y for x, y in zip(a, b, strict=True))


def minus(a: Vector, b: Vector) -> Vector:
    """A − b."""
    return tuple(x - y for x, y in zip(a, b, strict=True))


def times(factor: Any, a: Vector) -> Vector:
    """factor·a."""
    return tuple(factor * x for x in a)


def nothing(a: Vector) -> Vector:
    """Vector of zeros with the dims of `a`, stored."""
    return tuple(x - x for x in a)


def chosen(condition: Tensor, a: Vector, b: Vector) -> Vector:
    """Vector `a` where the condition `(batch…)` holds, else b; without any work if one number decides."""
    known = decided(condition)
    if known is not None:
        return a if known else b
    return tuple(where(condition, x, y) for x, y in zip(a, b, strict=True))


def decided(condition: Tensor) -> bool | None:
    """The value that all entries of a condition have; None where they differ or are not known yet."""
    if not condition.available:
        return None
    if not condition.rank:
        return bool(condition)
    values = condition.numpy(condition.shape.names)
    return True if values.all() else None if values.any() else False


def some(condition: Tensor) -> Tensor:
    """Whether any entry fulfils a condition, without dims."""
    return any_(condition, condition.shape.names) if condition.rank else condition


def every(condition: Tensor) -> Tensor:
    """Whether all entries fulfil a condition, without dims."""
    return all_(condition, condition.shape.names) if condition.rank else condition


def along_entries(a: Sequence[Tensor], entries: Shape) -> Vector:
    """The tensors with all batch dims of the problem."""
    return tuple(expand(x, entries) for x in a)


def on_host(x: Tensor) -> Tensor:
    """Numbers per entry where Python decides by them: on the host as soon as they are known."""
    return convert(x, NUMPY) if x.available and not x.backend.mixes else x


def finite(*values: Tensor) -> Tensor:
    """Whether all of some numbers per entry are finite."""
    return reduce(table.LOGICAL_AND, map(is_finite, values))


Loss = Callable[[Vector], tuple[Tensor, Vector]]
"""Loss `(batch…)` and gradient at a vector."""
