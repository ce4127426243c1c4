"""Layout of tensors that are affine functions of an unknown, while a linear function is traced.

Such a tensor has no numbers. Its only native is a `Terms`: index maps, coefficients and bias, see
`phi_tensor.linear`.
"""

from __future__ import annotations

from typing import Any

from phi_tensor._dim import Dim
from phi_tensor._dtype import DType
from phi_tensor._shape import Shape
from phi_tensor.backends._backend import Backend
from phi_tensor.layouts._layout import Dense, Layout, Parts, interned


class Affine(Layout):
    """An affine function of an unknown; what it is made of is in the tensor's only native."""

    __slots__ = ()

    symbolic = True

    @staticmethod
    def of(shape: Shape, dtype: DType, backend: Backend) -> Affine:
        """The layout with this description; sizes do not vary."""
        return interned((Affine, shape.dims, dtype.name, backend), lambda: _new_affine(shape, dtype, backend))

    def with_shape(self, renamed: dict[str, Dim], shape: Shape) -> Affine:
        return Affine.of(shape, self.dtype, self.backend)

    def __reduce__(self) -> tuple[Any, ...]:
        return Affine.of, (self.shape, self.dtype, self.backend)

    def __repr__(self) -> str:
        return f"Affine({', '.join(map(repr, self.shape.dims))}; {self.dtype}, {self.backend})"


def _new_affine(shape: Shape, dtype: DType, backend: Backend) -> Affine:
    layout = object.__new__(Affine)
    layout.shape, layout.dtype, layout.backend, layout.count = shape, dtype, backend, 1
    return layout


def stand_in(layout: Layout) -> Layout:
    """Layout of a tensor with numbers in the place of one that has none: what ordinary rules can plan."""
    if isinstance(layout, Affine):
        return Dense.of(layout.shape.dims, layout.shape, layout.dtype, layout.backend)
    if isinstance(layout, Parts) and layout.symbolic:
        return Parts.of(layout.dim, tuple(map(stand_in, layout.parts)), layout.shape)
    return layout
