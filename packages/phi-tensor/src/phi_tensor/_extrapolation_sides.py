"""Extrapolations that differ between sides, between components, or from place to place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from phi_tensor._errors import IncompatibleShapes
from phi_tensor._extrapolation import (
    NONE,
    PRIMITIVES,
    ConstantExtrapolation,
    Extrapolation,
    Undefined,
)
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor.backends._registry import backend_of

_PLACES = ("-", "+")


@dataclass(frozen=True, eq=False)
class SidesExtrapolation(Extrapolation):
    """One rule per side of each dim; `rest` holds for dims that are not listed.

    Attributes:
        sides: `(dim, upper side)` in the order given by the user.
        rules: The rule of each.
        rest: Rule of all other dims, or None where asking for them is an error.
    """

    sides: tuple[tuple[str, bool], ...]
    rules: tuple[Extrapolation, ...]
    rest: Extrapolation | None = None

    @property
    def shape(self) -> Shape:
        return merge_shapes(
            *(rule.shape for rule in self.rules), *(() if self.rest is None else (self.rest.shape,))
        )

    @property
    def differs_by_component(self) -> bool:
        return any(rule.differs_by_component for rule in (*self.rules, *([self.rest] if self.rest else [])))

    def side(self, dim: str, upper: bool) -> Extrapolation:
        if (dim, upper) in self.sides:
            return self.rules[self.sides.index((dim, upper))].side(dim, upper)
        if self.rest is None:
            known = list(dict.fromkeys(name for name, _ in self.sides))
            raise IncompatibleShapes(
                f"The boundary says nothing about dim `{dim}`, only about {known}. Add `{dim}=…` to "
                f"`combine_sides`."
            )
        return self.rest.side(dim, upper)

    def rewritten(self, change: Callable[[Extrapolation], Extrapolation]) -> Extrapolation:
        rest = None if self.rest is None else self.rest.rewritten(change)
        return simplest(self.sides, tuple(rule.rewritten(change) for rule in self.rules), rest)

    def __getitem__(self, item: dict[str, Any]) -> Extrapolation:
        rest = None if self.rest is None else self.rest[item]
        return simplest(
            self.sides,
            tuple(_component(rule, item, side) for rule, side in zip(self.rules, self.sides, strict=True)),
            rest,
        )

    def __variable_attrs__(self) -> tuple[str, ...]:
        return ("rules", "rest")

    def _table(self) -> dict[Any, Any]:
        return {**dict(zip(self.sides, self.rules, strict=True)), None: self.rest}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SidesExtrapolation) and self._table() == other._table()

    def __hash__(self) -> int:
        return hash((frozenset(zip(self.sides, self.rules, strict=True)), self.rest))

    def to_dict(self) -> dict[str, Any]:
        sides = {
            f"{dim}{_PLACES[upper]}": rule.to_dict()
            for (dim, upper), rule in zip(self.sides, self.rules, strict=True)
        }
        return {"type": "sides", "sides": sides, "rest": None if self.rest is None else self.rest.to_dict()}

    def __repr__(self) -> str:
        sides = [
            f"{dim}{_PLACES[upper]}: {rule!r}"
            for (dim, upper), rule in zip(self.sides, self.rules, strict=True)
        ]
        return "{" + ", ".join([*sides, *([f"rest: {self.rest!r}"] if self.rest else [])]) + "}"


@dataclass(frozen=True, eq=False)
class NormalTangential(Extrapolation):
    """One rule for the component normal to a side, another for those along it.

    Attributes:
        normal: Rule of component `x` at sides of dim `x`.
        tangential: Rule of all other components there.
    """

    normal: Extrapolation
    tangential: Extrapolation

    @property
    def shape(self) -> Shape:
        return merge_shapes(self.normal.shape, self.tangential.shape)

    @property
    def differs_by_component(self) -> bool:
        return True

    def side(self, dim: str, upper: bool) -> Extrapolation:
        """The normal part, which decides which faces a staggered grid stores."""
        return self.normal.side(dim, upper)

    def rewritten(self, change: Callable[[Extrapolation], Extrapolation]) -> Extrapolation:
        return combine_by_direction(self.normal.rewritten(change), self.tangential.rewritten(change))

    def __getitem__(self, item: dict[str, Any]) -> Extrapolation:
        label = next(
            (part for name, part in item.items() if name.lstrip("~") == "vector" and isinstance(part, str)),
            None,
        )
        if label is None or "," in label:
            return combine_by_direction(self.normal[item], self.tangential[item])
        normal, tangential = self.normal[item], self.tangential[item]
        return simplest(
            ((label, False), (label, True)), (normal.side(label, False), normal.side(label, True)), tangential
        )

    def __variable_attrs__(self) -> tuple[str, ...]:
        return "normal", "tangential"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NormalTangential) and (self.normal, self.tangential) == (
            other.normal,
            other.tangential,
        )

    def __hash__(self) -> int:
        return hash((self.normal, self.tangential))

    def to_dict(self) -> dict[str, Any]:
        return {
            "type": "normal-tangential",
            "normal": self.normal.to_dict(),
            "tangential": self.tangential.to_dict(),
        }

    def __repr__(self) -> str:
        return f"normal: {self.normal!r}, tangential: {self.tangential!r}"


@dataclass(frozen=True, eq=False)
class Chosen(Extrapolation):
    """One of two rules, place by place: `mask` at the nearest inner sample decides."""

    mask: Tensor
    true_rule: Extrapolation
    false_rule: Extrapolation

    @property
    def shape(self) -> Shape:
        return merge_shapes(self.true_rule.shape, self.false_rule.shape)

    @property
    def differs_by_component(self) -> bool:
        return self.true_rule.differs_by_component or self.false_rule.differs_by_component

    def side(self, dim: str, upper: bool) -> Extrapolation:
        """The rule where both agree, else undefined: it differs from place to place."""
        first, second = self.true_rule.side(dim, upper), self.false_rule.side(dim, upper)
        return first if first == second else Undefined(self)

    def rules_at(self, dim: str, upper: bool) -> tuple[Extrapolation, ...]:
        return (*self.true_rule.rules_at(dim, upper), *self.false_rule.rules_at(dim, upper))

    def branch(self, mask: Tensor, place: bool) -> Extrapolation:
        """The rule where `mask` is `place`; as it is for other masks."""
        if self.mask is not mask and ConstantExtrapolation(self.mask) != ConstantExtrapolation(mask):
            return self
        return self.true_rule if place else self.false_rule

    def rewritten(self, change: Callable[[Extrapolation], Extrapolation]) -> Extrapolation:
        return where(self.mask, self.true_rule.rewritten(change), self.false_rule.rewritten(change))

    def __getitem__(self, item: dict[str, Any]) -> Extrapolation:
        return where(self.mask[item], self.true_rule[item], self.false_rule[item])

    def __variable_attrs__(self) -> tuple[str, ...]:
        return "mask", "true_rule", "false_rule"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Chosen)
            and (self.true_rule, self.false_rule) == (other.true_rule, other.false_rule)
            and ConstantExtrapolation(self.mask) == ConstantExtrapolation(other.mask)
        )

    def __hash__(self) -> int:
        return hash((self.true_rule, self.false_rule))

    def to_dict(self) -> dict[str, Any]:
        mask = ConstantExtrapolation(self.mask).to_dict()
        return {
            "type": "chosen",
            "mask": mask,
            "true": self.true_rule.to_dict(),
            "false": self.false_rule.to_dict(),
        }

    def __repr__(self) -> str:
        return f"{self.true_rule!r} where {self.mask!r}, else {self.false_rule!r}"


def _component(rule: Extrapolation, item: dict[str, Any], side: tuple[str, bool]) -> Extrapolation:
    part = rule[item]
    return part.side(*side) if isinstance(part, SidesExtrapolation) else part


def simplest(
    sides: tuple[tuple[str, bool], ...], rules: tuple[Extrapolation, ...], rest: Extrapolation | None
) -> Extrapolation:
    """One rule for all sides if they agree; a choice by place is made for all sides at once."""
    absent = next((rule for rule in (*rules, rest) if isinstance(rule, Undefined)), None)
    if absent is not None:
        return absent
    mask = mask_of(*rules, rest)
    if mask is not None:
        either = (
            simplest(sides, tuple(branch(r, mask, place) for r in rules), rest and branch(rest, mask, place))
            for place in (True, False)
        )
        return where(mask, *either)
    if all(rule == rules[0] for rule in rules) and (rest is None or rest == rules[0]):
        return rules[0]
    return SidesExtrapolation(sides, rules, rest)


def mask_of(*rules: Extrapolation | None) -> Tensor | None:
    """Mask of the first rule that differs from place to place."""
    return next((rule.mask for rule in rules if isinstance(rule, Chosen)), None)


def branch(rule: Extrapolation, mask: Tensor, place: bool) -> Extrapolation:
    """The rule where `mask` is `place`."""
    return rule.branch(mask, place) if isinstance(rule, Chosen) else rule


# --- what users call


def combine_sides(
    boundary_dict: Mapping[str, Any] | None = None, rest: Any = ..., **extrapolations: Any
) -> Extrapolation:
    """Extrapolation with a rule per side.

    Args:
        boundary_dict: Rules by `x` (both sides), `x-`, `x+`; both sides also as a tuple (lower, upper).
        rest: Rule of all dims that are not named; by default asking for them is an error.
        **extrapolations: Like `boundary_dict`.

    Returns:
        Sides that all agree collapse to one rule.

    Raises:
        IncompatibleShapes: One side of a dim is missing, or periodic and something else.

    >>> combine_sides(x=(0, "zero-gradient"), y="periodic")
    {x-: 0, x+: zero-gradient, y-: periodic, y+: periodic}
    """
    table: dict[tuple[str, bool], Extrapolation] = {}
    for keys, value in {**(boundary_dict or {}), **extrapolations}.items():
        for key in _dim_keys(keys):
            table.update(_sides_of(key, value))
    if not table:
        raise IncompatibleShapes(
            "`combine_sides` needs at least one dim, e.g. `combine_sides(x=0, y=PERIODIC)`."
        )
    for name, upper in list(table):
        if (name, not upper) not in table:
            if rest is ...:
                raise IncompatibleShapes(
                    f"`combine_sides` needs both sides of `{name}`, but found "
                    f"{[f'{n}{_PLACES[u]}' for n, u in table]}."
                )
            table[name, not upper] = as_extrapolation(rest)
        if (table[name, False] == PRIMITIVES["periodic"]) != (table[name, True] == PRIMITIVES["periodic"]):
            raise IncompatibleShapes(
                f"Both sides of `{name}` or none must be periodic, but found {table[name, False]!r}, "
                f"{table[name, True]!r}."
            )
    return simplest(tuple(table), tuple(table.values()), None if rest is ... else as_extrapolation(rest))


def _dim_keys(keys: Any) -> tuple[str, ...]:
    names = keys.names if isinstance(keys, Shape) else keys.split(",") if isinstance(keys, str) else ()
    found = tuple(name.strip() for name in names)
    if not found or not all(name.rstrip("+-") for name in found):
        raise IncompatibleShapes(
            f"The sides of a grid are named by dims, e.g. `x` (both sides), `x-`, `x+`, but found {keys!r}."
        )
    return found


def _sides_of(key: str, value: Any) -> dict[tuple[str, bool], Extrapolation]:
    if key[-1] in _PLACES:
        return {(key[:-1], key[-1] == "+"): as_extrapolation(value)}
    pair = cast("tuple[Any, ...]", value) if isinstance(value, tuple) else (value, value)
    if len(pair) != 2:
        raise IncompatibleShapes(
            f"Dim `{key}` has two sides, but found {len(pair)} rules: {value!r}. Use `{key}=(lower, upper)`."
        )
    return {(key, False): as_extrapolation(pair[0]), (key, True): as_extrapolation(pair[1])}


def combine_by_direction(normal: Any, tangential: Any) -> Extrapolation:
    """Extrapolation with one rule for components normal to a side and another for those along it.

    >>> combine_by_direction(0, "zero-gradient")[{"vector": "x"}]
    {x-: 0, x+: 0, rest: zero-gradient}
    """
    first, second = as_extrapolation(normal), as_extrapolation(tangential)
    for absent in (first, second):
        if isinstance(absent, Undefined):
            return absent
    mask = mask_of(first, second)
    if mask is not None:
        either = (
            combine_by_direction(branch(first, mask, p), branch(second, mask, p)) for p in (True, False)
        )
        return where(mask, *either)
    return first if first == second else NormalTangential(first, second)


def where(mask: Any, true_ext: Any, false_ext: Any) -> Extrapolation:
    """Extrapolation `true_ext` where `mask` is true at the nearest inner sample, else `false_ext`."""
    first, second = as_extrapolation(true_ext), as_extrapolation(false_ext)
    if isinstance(mask, (bool, np.bool_)):
        return first if mask else second
    if not isinstance(mask, Tensor):
        raise TypeError(
            f"`extrapolation.where` chooses by a mask with dims of the grid, but found "
            f"{type(mask).__name__}. Name its axes: `wrap(mask, spatial('x,y'))`."
        )
    return first if first == second else Chosen(mask, first, second)


def as_extrapolation(obj: Any) -> Extrapolation:
    """`obj` as an extrapolation.

    Args:
        obj: Extrapolation; number or tensor (constant); name of a rule; None (no outside values); dict of
            sides (`x`, `x-`, `x+`),
            or of exactly `normal` and `tangential`.

    >>> as_extrapolation("antireflect")
    antireflect
    """
    if isinstance(obj, Extrapolation):
        return obj
    if obj is None:
        return NONE
    if isinstance(obj, str):
        return _named(obj)
    if isinstance(obj, Mapping):
        table = cast("Mapping[str, Any]", obj)
        return (
            combine_by_direction(**table) if set(table) == {"normal", "tangential"} else combine_sides(table)
        )
    if isinstance(obj, (bool, int, float, complex, Tensor, np.generic)):
        return ConstantExtrapolation(cast("Any", obj.item() if isinstance(obj, np.generic) else obj))
    if backend_of(obj) is not None or isinstance(obj, (list, tuple)):
        from phi_tensor._create import wrap  # noqa: PLC0415 creation needs operations

        return ConstantExtrapolation(wrap(obj))
    raise TypeError(
        f"{type(obj).__name__} is no extrapolation. Use a number, tensor, dict of sides, None, or one of "
        f"{', '.join(_NAMES)}."
    )


_NAMES: dict[str, Extrapolation] = {
    **PRIMITIVES,
    "zero": ConstantExtrapolation(0),
    "one": ConstantExtrapolation(1),
    "boundary": PRIMITIVES["zero-gradient"],
    "zero_gradient": PRIMITIVES["zero-gradient"],
    "none": NONE,
}


def _named(name: str) -> Extrapolation:
    if name.lower() not in _NAMES:
        raise ValueError(
            f"There is no extrapolation `{name}`. Use one of {', '.join(_NAMES)}, a number or a tensor."
        )
    return _NAMES[name.lower()]
