"""Parts of composed extrapolations: by direction, by component, each rule alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from phi_tensor._extrapolation import NONE, ConstantExtrapolation, Extrapolation
from phi_tensor._extrapolation_sides import (
    Chosen,
    NormalTangential,
    SidesExtrapolation,
    as_extrapolation,
    combine_by_direction,
    simplest,
    where,
)
from phi_tensor._shape import Shape


def get_normal(ext: Extrapolation) -> Extrapolation:
    """The part that acts on components normal to a side."""
    if isinstance(ext, SidesExtrapolation):
        return simplest(
            ext.sides, tuple(get_normal(rule) for rule in ext.rules), ext.rest and get_normal(ext.rest)
        )
    if isinstance(ext, Chosen):
        return where(ext.mask, get_normal(ext.true_rule), get_normal(ext.false_rule))
    return ext.normal if isinstance(ext, NormalTangential) else ext


def get_tangential(ext: Extrapolation) -> Extrapolation:
    """The part that acts on components along a side."""
    if isinstance(ext, SidesExtrapolation):
        return simplest(
            ext.sides,
            tuple(get_tangential(rule) for rule in ext.rules),
            ext.rest and get_tangential(ext.rest),
        )
    if isinstance(ext, Chosen):
        return where(ext.mask, get_tangential(ext.true_rule), get_tangential(ext.false_rule))
    return ext.tangential if isinstance(ext, NormalTangential) else ext


def map(f: Callable[[Extrapolation], Any], extrapolation: Any) -> Extrapolation:
    """The same composition of other rules: `f` is applied to each constant or copying rule inside."""
    return as_extrapolation(extrapolation).rewritten(lambda leaf: as_extrapolation(f(leaf)))


def remove_constant_offset(extrapolation: Any) -> Extrapolation:
    """The linear part: constants become 0."""
    return map(lambda leaf: 0 if isinstance(leaf, ConstantExtrapolation) else leaf, extrapolation)


def domain_slice(ext: Extrapolation, item: dict[str, Any], domain_dims: Any) -> Extrapolation:
    """Extrapolation of `values[item]`.

    Args:
        ext: Extrapolation of the values.
        item: Positions, labels or slices by dim. A component may be given by its position among
            `domain_dims`.
        domain_dims: All dims of the grid, in the order of the components: shape, names, or `'x,y'`.

    Returns:
        Rule of the component; sides of dims that ints take away are no longer in it.

    Raises:
        IndexError: There is no such component.

    >>> from phi_tensor.extrapolation import combine_sides
    >>> domain_slice(combine_sides(x=0, y="periodic"), {"x": 0}, "x,y")
    periodic
    """
    names = _names(domain_dims)
    labelled = {key: _label(key, part, names) for key, part in item.items()}
    removed = [n for n in names if isinstance(item.get(n), int)]
    return _without(ext[labelled], removed)


def _names(dims: Any) -> tuple[str, ...]:
    if isinstance(dims, Shape):
        return dims.names
    return tuple(part.strip() for part in (dims.split(",") if isinstance(dims, str) else dims))


def _label(key: str, part: Any, names: tuple[str, ...]) -> Any:
    if key.lstrip("~") != "vector" or not isinstance(part, int):
        return part
    if not -len(names) <= part < len(names):
        raise IndexError(
            f"`domain_slice` found component {part} of `{key}`, but the grid has the dims {names}. Use one "
            f"of these names."
        )
    return names[part]


def _without(ext: Extrapolation, removed: list[str]) -> Extrapolation:
    if isinstance(ext, SidesExtrapolation):
        kept = [
            (side, rule) for side, rule in zip(ext.sides, ext.rules, strict=True) if side[0] not in removed
        ]
        if not kept:
            return NONE if ext.rest is None else ext.rest
        return simplest(tuple(side for side, _ in kept), tuple(rule for _, rule in kept), ext.rest)
    if isinstance(ext, NormalTangential):
        return combine_by_direction(_without(ext.normal, removed), _without(ext.tangential, removed))
    if isinstance(ext, Chosen):
        return where(ext.mask, _without(ext.true_rule, removed), _without(ext.false_rule, removed))
    return ext
