"""Matrices that couple each cell of a grid with its nearest neighbours, stored as one array per neighbour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.extrapolation import PERIODIC
from phi_tensor.layouts._layout import Dense
from phi_tensor.ops._padding import pad


@dataclass(frozen=True)
class Stencil:
    """The matrix (A x)ᵢ = remainderᵢ xᵢ + Σ_axis lowerᵢ (xᵢ − xᵢ₋₁) + upperᵢ (xᵢ − xᵢ₊₁).

    The links of a Laplacian are positive (A = −∇²); what belongs to a cell alone, as the 1 of implicit
    diffusion or a link to a value outside, is its remainder. Links that leave the grid along an axis that is
    not periodic must be 0.

    >>> import phi_tensor as math
    >>> links = math.wrap([0.0, 1.0, 1.0], math.spatial("x")), math.wrap([1.0, 1.0, 0.0], math.spatial("x"))
    >>> A = Stencil(math.zeros(math.spatial(x=3)), {"x": links[0]}, {"x": links[1]})
    >>> A @ math.wrap([1.0, 2.0, 4.0], math.spatial("x"))
    (-1.0, -1.0, 2.0) along (x:s=3) float32

    Attributes:
        remainder: Row sums of A `(batch…, spatial…)`, with all dims of the grid.
        lower: Links to the neighbour below `(batch…, spatial…)`, per axis.
        upper: Links to the neighbour above, per axis.
        periodic: Axes whose last cell is the neighbour of the first one.
    """

    remainder: Tensor
    lower: Mapping[str, Tensor]
    upper: Mapping[str, Tensor]
    periodic: frozenset[str] = frozenset()

    @property
    def is_known(self) -> bool:
        """Whether there are numbers of all coefficients."""
        return all(c.available for c in (self.remainder, *self.lower.values(), *self.upper.values()))

    def size(self, axis: str) -> int:
        """Number of cells along an axis [-]."""
        return cast("int", self.remainder.shape.get_size(axis))

    @property
    def axes(self) -> tuple[str, ...]:
        """Axes along which cells are linked."""
        return tuple(self.lower)

    @property
    def diagonal(self) -> Tensor:
        """Diagonal of A `(batch…, spatial…)`."""
        links = [
            links[axis] for links in (self.lower, self.upper) for axis in self.axes if self.size(axis) > 1
        ]
        return sum(links, self.remainder)

    def __matmul__(self, x: Tensor) -> Tensor:
        """A x, for x `(batch…, spatial…)`."""
        total = self.remainder * x
        for axis in self.axes:
            padded = pad(x, {axis: (1, 1)}, PERIODIC if axis in self.periodic else 0)
            steps = padded[{axis: slice(1, None)}] - padded[{axis: slice(None, -1)}]
            below, above = steps[{axis: slice(None, -1)}], steps[{axis: slice(1, None)}]
            total = total + (self.lower[axis] * below - self.upper[axis] * above)
        return total


def known_numbers(x: Tensor, shape: Shape) -> npt.NDArray[Any]:
    """Numbers of a coefficient with an axis per dim of `shape`; read-only.

    Also within traces, where operations on arrays that have numbers would lose them.
    """
    layout, native = cast("Dense", x.layout), x.natives[0]
    array = layout.backend.to_numpy(native)
    stored = list(layout.axes)
    order = [name for name in shape.names if name in stored]
    array = array.transpose([stored.index(name) for name in order])
    array = array.reshape([cast("int", dim.size) if dim.name in stored else 1 for dim in shape.dims])
    return np.broadcast_to(array, cast("tuple[int, ...]", shape.sizes))
