"""Compact dim strings: `x:s=4`, `~row:d=3`, `vector:c=(x,y)`, `(x,y)`.

Labels of the channel dim `vector`), `x` (spatial.
"""

from __future__ import annotations

import re
from typing import Any

from phi_tensor._dim_types import DimType, channel, dim_type, dual, spatial
from phi_tensor._shape import Shape, concat_shapes

_DIM = re.compile(r"^(~?\w+)\s*(?::\s*(\w+))?\s*(?:=\s*(\(.*\)|\w+))?$")


def parse_shape_spec(input_string: str, default_type: DimType | None = None) -> Shape:
    """Shape described by a comma list of dims.

    Args:
        input_string: Dims as `name[:type][=size or (labels)]`. `(x,y)` alone means `vector:c=(x,y)`.
        default_type: Type where none is written. By default `~` names are dual, single letters spatial;
            others are an error.

    >>> parse_shape_spec("b:b=2, x:s=4, vector:c=(x,y)")
    (b:b=2, x:s=4, vector:c=x,y)
    """
    parts = [part for part in (p.strip() for p in re.split(r",(?![^(]*\))", input_string)) if part]
    return concat_shapes(*(_parse_dim(part, default_type) for part in parts))


def as_shape(given: Any, function: str, default_type: DimType | None = None) -> Shape:
    """Shape that an argument of the public `function` gives: a shape, or the text of one."""
    if isinstance(given, str):
        return parse_shape_spec(given, default_type)
    if not isinstance(given, Shape):
        raise TypeError(
            f"`{function}` needs a shape, but found {_described(given)}. Write e.g. "
            f"`spatial(x=4)` or 'x:s=4'."
        )
    return given


def _described(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"a tensor {shape}" if isinstance(shape, Shape) else f"{value!r} of type {type(value).__name__}"


def _parse_dim(part: str, default_type: DimType | None) -> Shape:
    if part.startswith("("):
        part = f"vector:c={part}"
    match = _DIM.match(part)
    if match is None:
        raise ValueError(
            f"`{part}` does not describe a dim. Write `name:type=size`, e.g. `x:s=4` or `vector:c=(x,y)`."
        )
    name, letter, size = match.groups()
    found = dim_type(letter) if letter else default_type or _guess_type(name)
    if size is None:
        return found(name)
    return found(**{name: size[1:-1] if size.startswith("(") else int(size) if size.isdigit() else size})


def _guess_type(name: str) -> DimType:
    if name.startswith("~"):
        return dual
    if len(name) == 1:
        return spatial
    if name == "vector":
        return channel
    raise ValueError(
        f"The type of dim `{name}` is missing. Write for example `{name}:b` (letters b, d, i, s, c)."
    )
