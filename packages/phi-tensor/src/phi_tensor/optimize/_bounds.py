"""Lowest and highest values of variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

from phi_tensor._create import full
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._shape import EMPTY_SHAPE
from phi_tensor.ops._elementwise import stop_gradient, where
from phi_tensor.ops._structure import expand
from phi_tensor.optimize._arguments import Call
from phi_tensor.optimize._vectors import Vector
from phi_tensor.transforms._flat import flat_arguments


class Bounds(NamedTuple):
    """Bounds of each tensor of the variables."""

    lower: Vector
    upper: Vector

    def slope(self, gradient: Callable[[Vector], Vector], x: Vector) -> Vector:
        """What vanishes at a minimum: the gradient by variables inside; those at bounds stay there."""
        fixed = tuple(map(stop_gradient, x))
        inside = [
            (at > low) & (at < high) for at, low, high in zip(fixed, self.lower, self.upper, strict=True)
        ]
        moving = tuple(where(free, v, at) for free, v, at in zip(inside, x, fixed, strict=True))
        return tuple(
            where(free, g, v - at) for free, g, v, at in zip(inside, gradient(moving), x, fixed, strict=True)
        )


def bounds_of(bounds: Any, call: Call) -> Bounds | None:
    """Bounds like the variables, from numbers or trees."""
    if bounds is None:
        return None
    pair = cast("tuple[Any, ...]", bounds) if isinstance(bounds, (tuple, list)) else ()
    if len(pair) != 2:
        raise IncompatibleShapes(
            "`minimize(bounds=…)` takes the lowest and the highest values, `(lower, upper)`, but "
            f"found {bounds!r}."
        )
    lower, upper = (
        _like(bound, call, infinite)
        for bound, infinite in zip(pair, (-float("inf"), float("inf")), strict=True)
    )
    return Bounds(lower, upper)


def _like(bound: Any, call: Call, infinite: float) -> Vector:
    if bound is None:
        return tuple(full(infinite, EMPTY_SHAPE) for _ in call.x0)
    leaves, _ = flat_arguments(bound)
    if len(leaves) == 1:
        leaves = leaves * len(call.x0)
    if len(leaves) != len(call.x0):
        raise IncompatibleShapes(
            f"`minimize(bounds=…)` has one tensor per variable, but found {len(leaves)} for "
            f"{len(call.x0)}: {bound!r}."
        )
    for leaf, x in zip(leaves, call.x0, strict=True):
        extra = leaf.shape.non_batch.without(x.shape)
        if extra.rank:
            raise IncompatibleShapes(
                f"A bound has dims {extra} that its variable {x.shape} has not. Remove them."
            )
    return tuple(leaves)


def entry_of(bounds: Bounds, x: Vector, index: dict[str, Any]) -> tuple[Vector, Vector]:
    """Bounds of one entry, with all dims of its variables."""
    return (
        tuple(expand(b[index], v.shape) for b, v in zip(bounds.lower, x, strict=True)),
        tuple(expand(b[index], v.shape) for b, v in zip(bounds.upper, x, strict=True)),
    )
