"""Tensors as arguments of users' own `tf.function`: traced once per layout, whatever their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, final

import tensorflow as tf

from phi_tensor._tensor import Tensor
from phi_tensor.layouts._layout import Layout


@final
class TensorType(tf.types.experimental.TraceType):  # pyright: ignore[reportUntypedBaseClass] an untyped library
    """What `tf.function` knows of a tensor: its layout, and the shapes and types of its arrays."""

    def __init__(self, layout: Layout, specs: tuple[Any, ...]) -> None:
        self.layout = layout
        self.specs = specs

    def is_subtype_of(self, other: Any) -> bool:
        return (
            isinstance(other, TensorType)
            and self.layout is other.layout
            and all(a.is_subtype_of(b) for a, b in zip(self.specs, other.specs, strict=True))
        )

    def most_specific_common_supertype(self, others: Sequence[Any]) -> TensorType | None:
        return self if all(self == other for other in others) else None

    def placeholder_value(self, placeholder_context: Any) -> Tensor:
        return Tensor.__tf_unflatten__(
            self.layout, tuple(spec.placeholder_value(placeholder_context) for spec in self.specs)
        )

    def to_tensors(self, value: Tensor) -> list[Any]:
        _, natives = value.__tf_flatten__()
        pairs = zip(self.specs, natives, strict=True)
        return [found for spec, native in pairs for found in spec.to_tensors(native)]

    def from_tensors(self, tensors: Iterator[Any]) -> Tensor:
        return Tensor.__tf_unflatten__(self.layout, tuple(spec.from_tensors(tensors) for spec in self.specs))

    def flatten(self) -> list[Any]:
        return [part for spec in self.specs for part in spec.flatten()]

    def cast(self, value: Any, cast_context: Any) -> Tensor:
        layout, natives = value.__tf_flatten__()
        if layout is not self.layout:
            raise ValueError(f"`tf.function` was traced for {self.layout}, but found {layout}.")
        pairs = zip(self.specs, natives, strict=True)
        return Tensor.__tf_unflatten__(layout, tuple(spec.cast(n, cast_context) for spec, n in pairs))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TensorType) and self.layout is other.layout and self.specs == other.specs

    def __hash__(self) -> int:
        return hash((self.layout, self.specs))

    def __repr__(self) -> str:
        return f"TensorType({self.layout})"


def type_of(x: Tensor) -> TensorType:
    """Type of a tensor for `tf.function`; settings do not belong to it, they hold when it is traced."""
    layout, natives = x.__tf_flatten__()
    return TensorType(layout, tuple(tf.TensorSpec(native.shape, native.dtype) for native in natives))
