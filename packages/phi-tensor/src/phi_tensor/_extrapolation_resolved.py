"""Extrapolations as plans see them: static rules per side, and constants as operands."""

from __future__ import annotations

from typing import Any, NamedTuple

from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._extrapolation import (
    ConstantExtrapolation,
    CopyExtrapolation,
    Extrapolation,
    NoExtrapolation,
    Number,
    Undefined,
)
from phi_tensor._padding import ABSENT, Kind
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._tensor import Tensor

Side = Kind | int
"""One side of one dim, as plans see it: a rule, or the position of a constant among the operands."""
Sides = tuple[tuple[Side, Side], ...]


class PerComponent(NamedTuple):
    """Sides that differ between the components of a vector.

    Attributes:
        dim: Name of the component dim.
        entries: The sides for each component.
    """

    dim: str
    entries: tuple[Sides, ...]


def resolved(
    extrapolation: Extrapolation, names: tuple[str, ...], shape: Shape
) -> tuple[Sides | PerComponent, tuple[Tensor | Number, ...]]:
    """`(sides, constants)` for padding the dims `names` of a tensor of `shape`."""
    component = component_dim(shape, names) if extrapolation.differs_by_component else None
    if extrapolation.differs_by_component and component is None:
        raise IncompatibleShapes(
            f"The boundary differs between components ({extrapolation!r}), but {shape} has no dim labelled "
            f"by {names}. Take the boundary of one component: `boundary[{{'vector': 'x'}}]`."
        )
    key = (names, component)
    memory: dict[Any, Any] = vars(extrapolation).setdefault("_resolved", {})
    if key not in memory:
        constants: list[Tensor | Number] = []
        if component is None:
            sides: Sides | PerComponent = _sides(extrapolation, names, constants)
        else:
            name, labels = component
            sides = PerComponent(
                name, tuple(_sides(extrapolation[{name: label}], names, constants) for label in labels)
            )
        memory[key] = sides, tuple(constants)
    return memory[key]


def _sides(rule: Extrapolation, names: tuple[str, ...], constants: list[Tensor | Number]) -> Sides:
    return tuple((_side(rule.side(n, False), constants), _side(rule.side(n, True), constants)) for n in names)


def _side(rule: Extrapolation, constants: list[Tensor | Number]) -> Side:
    if isinstance(rule, CopyExtrapolation):
        return rule.kind
    if isinstance(rule, NoExtrapolation):
        return ABSENT
    if isinstance(rule, Undefined):
        raise Unsupported(
            f"Values outside are needed, but the boundary is {rule!r}. Give the field a boundary first."
        )
    if not isinstance(rule, ConstantExtrapolation):
        raise Unsupported(f"`{rule!r}` cannot be one side of a composition. Use constants and copying rules.")
    for i, known in enumerate(constants):
        if known is rule.value or (
            type(known) is type(rule.value) and not isinstance(known, Tensor) and known == rule.value
        ):
            return i
    constants.append(rule.value)
    return len(constants) - 1


def component_dim(shape: Shape, names: tuple[str, ...]) -> tuple[str, tuple[str, ...]] | None:
    """Name and labels of the dim whose components belong to the dims `names`."""
    fitting = [
        d for d in merge_shapes(shape.channel, shape.dual).dims if d.labels and set(d.labels) & set(names)
    ]
    if not fitting:
        return None
    best = next((d for d in fitting if d.name.lstrip("~") == "vector"), fitting[0])
    return best.name, best.labels or ()
