"""Places outside of a grid and the inner ones that they stand for, by rules that copy values."""

from __future__ import annotations

from typing import Any, cast

from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._extrapolation import PERIODIC, CopyExtrapolation, Extrapolation, NoExtrapolation
from phi_tensor._padding import ABSENT
from phi_tensor._plan import ROWS
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.backends._backend import Backend
from phi_tensor.ops._lookup import component_of, index_dim_of
from phi_tensor.ops._structure import stack


def pad_values(rule: Extrapolation, value: Tensor, width: int, dim: str, upper: bool) -> Tensor:
    """Only the `width` values outside one side of `value`."""
    if width < 0 or dim not in value.shape:
        raise IncompatibleShapes(
            f"`pad_values` gives values outside of a dim, but found width {width} for `{dim}` of "
            f"{value.shape}. Crop with `pad`."
        )
    size = cast("int", value.shape.get_size(dim))
    padded = rule.pad(value, {dim: (0, width) if upper else (width, 0)})
    if padded.shape.get_size(dim) == size:
        return value[{dim: slice(0, 0)}]
    return padded[{dim: slice(size, None) if upper else slice(0, width)}]


def shortest_distance(rule: Extrapolation, start: Tensor, end: Tensor, size: Tensor | float) -> Tensor:
    """Displacement from `start` to `end`; along periodic dims the one through the nearer side."""
    difference = end - start
    dim = index_dim_of(difference.shape, None)
    names = dim.labels or ()
    if not any(rule.side(name, True) == PERIODIC for name in names):
        return difference
    components = [difference[{dim.name: name}] for name in names]
    near = [
        _nearest(d, component_of(size, name)) if rule.side(name, True) == PERIODIC else d
        for name, d in zip(names, components, strict=True)
    ]
    return stack(near, Shape.of((dim,)), expand_values=True)


def _nearest(distance: Tensor, size: Any) -> Tensor:
    return (distance + size / 2) % size - size / 2


class _Tensors:
    """Stands for a backend whose natives are tensors, so that coordinate maps of the table apply to them."""

    ops = ROWS
    supports = frozenset({"reverse"})


def transform_coordinates(rule: Extrapolation, coordinates: Tensor, shape: Shape) -> Tensor:
    """Inner places with the values (up to their sign) that hold at `coordinates`."""
    dim = index_dim_of(coordinates.shape, shape)
    names = dim.labels or shape.spatial.names
    inner = [
        _inner(rule, name, cast("int", shape.get_size(name)), coordinates[{dim.name: i}] * 1.0)
        for i, name in enumerate(names)
    ]
    return stack(inner, Shape.of((dim,)), expand_values=True)


def _inner(rule: Extrapolation, name: str, size: int, c: Tensor) -> Tensor:
    lower, upper = (_mapped(rule.side(name, up), name, size, c) for up in (False, True))
    return lower if rule.side(name, False) == rule.side(name, True) else ROWS["where"](c < 0, lower, upper)


def _mapped(rule: Extrapolation, name: str, size: int, c: Tensor) -> Tensor:
    kind = ABSENT if isinstance(rule, NoExtrapolation) else getattr(rule, "kind", None)
    if not isinstance(rule, (CopyExtrapolation, NoExtrapolation)) or kind is None or kind.offset:
        raise Unsupported(
            f"No places inside have the values outside of dim `{name}`, which is {rule!r} there. Use "
            f"`grid_sample`, which takes coordinates outside."
        )
    coordinates = kind.unsigned.coordinates
    assert coordinates is not None
    return coordinates(cast("Backend", _Tensors), size)(c)[0]
