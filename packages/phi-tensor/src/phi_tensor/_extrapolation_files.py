"""Extrapolations from their serialised form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from phi_tensor._create import wrap
from phi_tensor._dim import Dim
from phi_tensor._dim_types import dim_type
from phi_tensor._extrapolation import NONE, PRIMITIVES, ConstantExtrapolation, Extrapolation, Undefined
from phi_tensor._extrapolation_sides import combine_by_direction, simplest, where
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.ops._structure import rename_dims


def from_dict(dictionary: Mapping[str, Any]) -> Extrapolation:
    """The extrapolation that `to_dict` wrote."""
    found = registered(dictionary)
    return found if found is not None else _COMPOSITIONS[dictionary["type"]](dictionary)


_COMPOSITIONS: dict[str, Callable[[Mapping[str, Any]], Extrapolation]] = {
    "undefined": lambda d: Undefined(from_dict(d["derived_from"])),
    "normal-tangential": lambda d: combine_by_direction(from_dict(d["normal"]), from_dict(d["tangential"])),
    "sides": lambda d: simplest(
        tuple((key[:-1], key[-1] == "+") for key in d["sides"]),
        tuple(from_dict(rule) for rule in d["sides"].values()),
        None if d["rest"] is None else from_dict(d["rest"]),
    ),
    "chosen": lambda d: where(
        cast("Tensor", cast("ConstantExtrapolation", from_dict(d["mask"])).value),
        from_dict(d["true"]),
        from_dict(d["false"]),
    ),
}


def registered(data: Mapping[str, Any]) -> Extrapolation | None:
    """The primitive that `to_dict` wrote; None for compositions."""
    kind = data["type"]
    if kind in PRIMITIVES:
        return PRIMITIVES[kind]
    if kind == "none":
        return NONE
    if kind == "constant":
        return ConstantExtrapolation(_constant_from(data))
    return None


def _constant_from(data: Mapping[str, Any]) -> Any:
    if "dims" not in data:
        return data["value"]

    values = wrap(
        data["value"], *(Shape.of((Dim.of(d["name"], dim_type(d["type"]), None),)) for d in data["dims"])
    )

    for d in data["dims"]:
        if d["labels"]:
            dim = values.shape.get_dim(d["name"])
            values = rename_dims(
                values, d["name"], Shape.of((Dim.of(dim.name, dim.type, dim.size, tuple(d["labels"])),))
            )
    return values
