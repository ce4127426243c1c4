"""What lies outside of the result of an operation, from what lies outside of its operands."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from phi_tensor._create import wrap
from phi_tensor._extrapolation import (
    DIVISION,
    PRIMITIVES,
    ZERO,
    ConstantExtrapolation,
    CopyExtrapolation,
    Extrapolation,
    NoExtrapolation,
    Undefined,
)
from phi_tensor._extrapolation_parts import get_normal, get_tangential
from phi_tensor._extrapolation_sides import (
    Chosen,
    SidesExtrapolation,
    branch,
    combine_by_direction,
    mask_of,
    simplest,
    where,
)
from phi_tensor._tensor import Tensor
from phi_tensor.backends._registry import backend_of
from phi_tensor.layouts._layout import NUMBERS


def combined(operation: Callable[[Any, Any], Any], a: Any, b: Any) -> Extrapolation:
    """Rule of `operation(field a, field b)`; one side may be a number or tensor, which holds everywhere.

    Raises:
        TypeError: Nothing is known about the outside of the result (`PERIODIC + ONE`); see `derived` for an
            explicit `Undefined`.
    """
    if not isinstance(b, Extrapolation):
        return _with_value(operation, a, b, number_right=True)
    if not isinstance(a, Extrapolation):
        return _with_value(operation, b, a, number_right=False)
    for each in (a, b):
        if isinstance(each, (NoExtrapolation, Undefined)):
            return each
    return meeting(lambda x, y: _primitives(operation, x, y), a, b)


def _primitives(operation: Callable[[Any, Any], Any], a: Extrapolation, b: Extrapolation) -> Extrapolation:
    for each in (a, b):
        if isinstance(each, (NoExtrapolation, Undefined)):
            return each
    if isinstance(a, ConstantExtrapolation) and isinstance(b, ConstantExtrapolation):
        return ConstantExtrapolation(_value(operation, a.value, b.value))
    neutral = _neutral(operation, a, b)
    if neutral is not None:
        return neutral
    if a == b and isinstance(a, CopyExtrapolation):
        if operation in (operator.add, operator.sub) or a.kind.pointwise:
            return a
        if a.kind.magnitude and operation in (
            operator.mul,
            DIVISION,
        ):  # the signs cancel in products and quotients
            return PRIMITIVES[a.kind.magnitude]
    name = getattr(operation, "__name__", "the operation")
    raise TypeError(
        f"Nothing is known outside of the result of `{name}` for fields that are {a!r} and {b!r} "
        f"outside. Set its boundary."
    )


def _neutral(
    operation: Callable[[Any, Any], Any], a: Extrapolation, b: Extrapolation
) -> Extrapolation | None:
    """Result where one side is a constant 0 or 1 that decides it."""
    left = a.value if isinstance(a, ConstantExtrapolation) and not isinstance(a.value, Tensor) else None
    right = b.value if isinstance(b, ConstantExtrapolation) and not isinstance(b.value, Tensor) else None
    if operation is operator.mul and 0 in (left, right):
        return ZERO
    if operation is DIVISION and left == 0:
        return ZERO
    if (operation in (operator.add, operator.sub) and right == 0) or (
        operation in (operator.mul, DIVISION) and right == 1
    ):
        return a
    if (operation in (operator.add, operator.sub) and left == 0) or (operation is operator.mul and left == 1):
        return b  # rules are linear: −b obeys the rule of b
    return None


def _with_value(
    operation: Callable[[Any, Any], Any], rule: Extrapolation, value: Any, number_right: bool
) -> Extrapolation:
    """Rule of a field combined with a value that holds inside and outside."""
    if isinstance(value, np.generic):
        value = cast("np.generic[Any]", value).item()
    if not isinstance(value, (Tensor, *NUMBERS)):
        if backend_of(value) is None:
            return NotImplemented
        value = wrap(value)

    def changed(leaf: Extrapolation) -> Extrapolation:
        if isinstance(leaf, ConstantExtrapolation):
            if leaf.is_number(0) and (operation is operator.mul or (operation is DIVISION and number_right)):
                return leaf  # whatever the factor, which may be traced
            left, right = (leaf.value, value) if number_right else (value, leaf.value)
            return ConstantExtrapolation(_value(operation, left, right))
        assert isinstance(leaf, CopyExtrapolation)
        if operation is operator.mul or (operation is DIVISION and number_right) or leaf.kind.pointwise:
            return leaf
        unchanged = not isinstance(value, Tensor) and value == 0
        if operation in (operator.add, operator.sub) and (leaf.kind.shiftable or unchanged):
            return leaf
        raise TypeError(
            f"Nothing is known outside of `{operation.__name__}` of {value!r} and a field that is "
            f"{leaf!r} outside. Set its boundary."
        )

    return rule.rewritten(changed)


def _value(operation: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
    """The constant outside, as fields compute it: division by the number 0 gives infinity or NaN."""
    if operation is DIVISION and not isinstance(a, Tensor) and not isinstance(b, Tensor) and b == 0:
        return complex("nan+nanj") if isinstance(a, complex) else a * float("inf")
    return operation(a, b)


def derived(f: Callable[..., Any], *rules: Any) -> Extrapolation:
    """Rule of `f(field, …)` for a function applied point by point; `Undefined` where nothing is known.

    Args:
        f: Function of values, for example `math.sin` or `operator.add`.
        *rules: Rule of each field; numbers and tensors hold inside and outside.
    """
    known = [rule for rule in rules if isinstance(rule, Extrapolation)]
    if f in (operator.add, operator.sub, operator.mul, DIVISION) and len(rules) == 2:
        try:
            return combined(f, *rules)
        except TypeError:
            return Undefined(known[0])
    if len(known) == 1:
        return known[0].rewritten(
            lambda leaf: _pointwise(f, [leaf if rule is known[0] else rule for rule in rules])
        )
    if len(rules) == len(known) == 2:
        return meeting(lambda a, b: _pointwise(f, [a, b]), *known)
    return _pointwise(f, rules)


def _pointwise(f: Callable[..., Any], rules: Sequence[Any]) -> Extrapolation:
    known = [rule for rule in rules if isinstance(rule, Extrapolation)]
    absent = [rule for rule in known if isinstance(rule, (NoExtrapolation, Undefined))]
    if absent:
        return absent[0]
    if all(isinstance(rule, ConstantExtrapolation) for rule in known):
        return ConstantExtrapolation(
            f(*(rule.value if isinstance(rule, ConstantExtrapolation) else rule for rule in rules))
        )
    first = known[0]
    same = isinstance(first, CopyExtrapolation) and first.kind.pointwise
    return first if same and all(rule == first for rule in known) else Undefined(first)


# --- compositions


def meeting(
    rule_of: Callable[[Extrapolation, Extrapolation], Extrapolation], a: Extrapolation, b: Extrapolation
) -> Extrapolation:
    """`rule_of` applied to the single rules of two extrapolations, at each side and for each direction."""
    if isinstance(a, Chosen) or isinstance(b, Chosen):
        mask = cast("Tensor", mask_of(a, b))
        return where(mask, *(meeting(rule_of, branch(a, mask, p), branch(b, mask, p)) for p in (True, False)))
    if a.differs_by_component or b.differs_by_component:
        normal = meeting(rule_of, get_normal(a), get_normal(b))
        return combine_by_direction(normal, meeting(rule_of, get_tangential(a), get_tangential(b)))
    listed = [e for e in (a, b) if isinstance(e, SidesExtrapolation)]
    if not listed:
        return rule_of(a, b)
    sides = tuple(dict.fromkeys(side for e in listed for side in e.sides))
    rules = tuple(rule_of(a.side(*side), b.side(*side)) for side in sides)
    rests = [e.rest if isinstance(e, SidesExtrapolation) else e for e in (a, b)]
    rest = None if None in rests else rule_of(*(cast("Extrapolation", r) for r in rests))
    return simplest(sides, rules, rest)
