"""Matrices that couple each cell of a grid with its nearest neighbours, stored as one array per neighbour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from phi_tensor._tensor import Tensor
from phi_tensor.extrapolation import PERIODIC
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
            below, above = self._neighbors(x, axis)
            total = total + (self.lower[axis] * (x - below) + self.upper[axis] * (x - above))
        return total

    def _neighbors(self, x: Tensor, axis: str) -> tuple[Tensor, Tensor]:
        padded = pad(x, {axis: (1, 1)}, PERIODIC if axis in self.periodic else 0)
        return padded[{axis: slice(None, -2)}], padded[{axis: slice(2, None)}]
