"""What holds outside of a field, and how it follows the operations on the inside."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

from phi_tensor import Tensor
from phi_tensor.extrapolation import (
    ConstantExtrapolation,
    CopyExtrapolation,
    Extrapolation,
    Undefined,
    as_extrapolation,
    derived,
)
from phi_tensor.extrapolation import map as map_rules


def follow(function: Callable[..., Any], rules: list[Any]) -> Extrapolation:
    """Boundary of `function(field, …)` for a function applied point by point.

    Undefined where nothing is known.

    Args:
        function: Function of values.
        rules: Boundaries of the fields among the operands; numbers and tensors without positions as they are.
    """
    if all(map(_is_plain, rules)):
        return _follow_kept(function, tuple(rules))
    return _simplified(derived(function, *rules))


def _is_plain(rule: Any) -> bool:
    kind = type(cast("object", rule))
    return (
        kind is CopyExtrapolation
        or kind is int
        or kind is float
        or (kind is ConstantExtrapolation and not isinstance(rule.value, Tensor))
    )


@lru_cache(1024)
def _follow_kept(function: Callable[..., Any], rules: tuple[Any, ...]) -> Extrapolation:
    return _simplified(derived(function, *rules))


def follow_each(function: Callable[[Extrapolation], Any], boundary: Extrapolation) -> Extrapolation:
    """Boundary with `function` applied to each single rule."""
    return _simplified(map_rules(function, boundary))


def _simplified(boundary: Extrapolation) -> Extrapolation:
    """Constants that are single numbers as Python numbers, which are no data of the field."""
    return map_rules(_as_number, boundary)


def _as_number(rule: Extrapolation) -> Any:
    if not isinstance(rule, ConstantExtrapolation) or not isinstance(rule.value, Tensor):
        return rule
    value = rule.value
    return value.item() if not value.rank and value.available and value.backend.mixes else rule


def unknown(boundary: Extrapolation) -> Extrapolation:
    """Undefined boundary of values that came from a field with `boundary`.

    The same outer faces are stored.
    """
    return boundary if isinstance(boundary, Undefined) else Undefined(boundary)


def with_arrays(boundary: Extrapolation) -> Extrapolation:
    """Boundary of a field combined with an array of values on its cells.

    An array is read with the field's own rule where that copies inner values; constants outside become
    undefined.
    """
    constant: list[bool] = []
    map_rules(lambda rule: constant.append(isinstance(rule, ConstantExtrapolation)) or rule, boundary)
    return unknown(boundary) if any(constant) else boundary


def second_derivative(boundary: Extrapolation) -> Extrapolation:
    """Boundary of the Laplacian: 0 where the field is constant outside.

    Copies of inner values stay what they are.
    """
    return map_rules(lambda rule: 0 if isinstance(rule, ConstantExtrapolation) else rule, boundary)


def as_boundary(obj: Any) -> Extrapolation:
    """Boundary condition of a number, tensor, name (`'periodic'`), dict of sides.

    Or None (no values outside).

    >>> as_boundary({"x": "periodic", "y": 0})
    {x-: periodic, x+: periodic, y-: 0, y+: 0}
    """
    return as_extrapolation(obj)
