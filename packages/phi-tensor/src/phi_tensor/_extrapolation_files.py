"""Extrapolations from and to their serialised form: strings, numbers, lists and dicts only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np

from phi_tensor._create import wrap
from phi_tensor._dim import Dim
from phi_tensor._dim_types import dim_type
from phi_tensor._extrapolation import NONE, PRIMITIVES, ConstantExtrapolation, Extrapolation, Undefined
from phi_tensor._extrapolation_sides import combine_by_direction, simplest, where
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor


def from_dict(dictionary: Mapping[str, Any]) -> Extrapolation:
    """The extrapolation that `to_dict` wrote.

    Raises:
        ValueError: `to_dict` did not write it.
    """
    read = _READERS.get(dictionary.get("type", ""))
    if read is None:
        raise ValueError(
            f"`from_dict` needs what `to_dict` wrote, with a `type` among {', '.join(_READERS)}, but found "
            f"{dict(dictionary)}."
        )
    try:
        return read(dictionary)
    except KeyError as missing:
        raise ValueError(f"`from_dict` finds no {missing} in {dict(dictionary)}.") from None


def constant_to_dict(value: Any) -> dict[str, Any]:
    """Serialised form of a constant: numbers as they are, complex ones as pairs, tensors with their dims."""
    if not isinstance(value, Tensor):
        if isinstance(value, complex):
            return {"type": "constant", "value": [value.real, value.imag]}
        return {"type": "constant", "value": value}
    array: Any = value.numpy(value.shape.names)
    pairs: Any = np.stack([array.real, array.imag], -1) if np.iscomplexobj(array) else array
    dims = [
        {"name": d.name, "type": d.type.name, "size": d.size, "labels": d.labels and list(d.labels)}
        for d in value.shape.dims
    ]
    return {"type": "constant", "value": pairs.tolist(), "dtype": value.dtype.name, "dims": dims}


def _constant(data: Mapping[str, Any]) -> Extrapolation:
    found = data["value"]
    if "dims" not in data:
        return ConstantExtrapolation(complex(*found) if isinstance(found, list) else found)
    dtype = np.dtype(data.get("dtype", "float64"))
    pairs = np.asarray(found, np.float64 if dtype.kind == "c" else dtype)
    shape = Shape.of(
        tuple(
            Dim.of(d["name"], dim_type(d["type"]), d["size"], d["labels"] and tuple(d["labels"]))
            for d in data["dims"]
        )
    )
    array = pairs[..., 0] + 1j * pairs[..., 1] if dtype.kind == "c" else pairs
    sizes = [d["size"] for d in data["dims"]]
    return ConstantExtrapolation(wrap(array.astype(dtype).reshape(sizes), *(shape[d] for d in shape.names)))


_READERS: dict[str, Callable[[Mapping[str, Any]], Extrapolation]] = {
    **{name: lambda d: PRIMITIVES[d["type"]] for name in PRIMITIVES},
    "none": lambda d: NONE,
    "constant": _constant,
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
