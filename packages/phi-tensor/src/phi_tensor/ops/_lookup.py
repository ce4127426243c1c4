"""Look-up by index: gather, scatter, masks."""

from __future__ import annotations

from typing import Any

from phi_tensor._dim import Dim
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor


def index_dim_of(indices: Shape, values: Shape | None) -> Dim:
    """The dim of index vectors whose entries belong to dims of `values`: labelled by their names, `vector`, or the only channel dim."""
    channels = indices.channel.dims
    labelled = [d for d in channels if d.labels and (values is None or all(label in values for label in d.labels))]
    fitting = labelled or [d for d in channels if d.labels is None or values is None]
    if not fitting:
        raise IncompatibleShapes(
            f"Index vectors need a channel dim whose labels name dims of {values}, but have shape {indices}. Label it, e.g. `vec(x=…, y=…)`."
        )
    return next((d for d in fitting if d.name == "vector"), fitting[0])


def component_of(value: Any, label: str) -> Any:
    """Component of a vector; numbers and tensors without components stand for all."""
    if not isinstance(value, Tensor):
        return value
    dim = next((d for d in value.shape.channel.dims if d.labels and label in d.labels), None)
    return value if dim is None else value[{dim.name: label}]


def gather(values: Any, indices: Any, dims: Any = None) -> Any:
    raise NotImplementedError


def boolean_mask(x: Any, dim: Any, mask: Any) -> Any:
    raise NotImplementedError
