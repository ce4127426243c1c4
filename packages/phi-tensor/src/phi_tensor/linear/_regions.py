"""Regions of linked cells: the null space of a matrix of neighbours is one constant per closed region.

A region is closed if no cell of it has a remainder. Regions are found once by SciPy where the links are known
numbers, else on the device: every cell takes the largest number among its neighbours, then the number of the
cell that its own number names, until nothing changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from phi_tensor._context import settings
from phi_tensor._create import wrap, zeros
from phi_tensor._dim_types import instance
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.extrapolation import PERIODIC
from phi_tensor.linear._stencil import Stencil, known_numbers
from phi_tensor.ops._arranging import range_tensor
from phi_tensor.ops._elementwise import maximum, safe_div, to_float, to_int64, where
from phi_tensor.ops._lookup import gather
from phi_tensor.ops._padding import pad
from phi_tensor.ops._products import dot
from phi_tensor.ops._reductions import any_, sum_
from phi_tensor.ops._scatter import scatter
from phi_tensor.ops._structure import expand, pack_dims, unpack_dim
from phi_tensor.transforms._iterate import while_loop

_CELLS = instance("_cells")
_REGIONS = instance("_regions")


MOST_MASKS = 8
"""Up to so many regions are averaged by masks, which is faster than sorting sums into a list."""


def closed_regions(matrix: Stencil) -> Callable[[Tensor], Tensor]:
    """Function that takes from values `(batch…, spatial…)` their mean over each closed region.

    The orthogonal projection beside the null space of `matrix`.
    """
    if matrix.is_known:
        return _projection(_Pattern(matrix))
    count, labels = regions(matrix)
    shape = matrix.remainder.shape
    sizes = _sums(to_float(expand(labels * 0 + 1, shape)), labels, count)
    is_closed = _sums(abs(matrix.remainder), labels, count) == 0
    return _by_sums(count, labels, sizes, is_closed)


@lru_cache(8)
def _projection(pattern: _Pattern) -> Callable[[Tensor], Tensor]:
    """The projection for known numbers, on the host."""
    count, labels = pattern.labelled()
    array = labels.numpy(pattern.shape.names).ravel()
    sizes = np.bincount(array, minlength=count)
    is_closed = np.bincount(array, pattern.remains.ravel(), count) == 0
    of_many = is_closed & (sizes > 1)
    if of_many.sum() <= MOST_MASKS:
        alone = to_float(
            wrap((is_closed & (sizes == 1))[array].reshape(pattern.remains.shape), pattern.shape)
        )
        return _by_masks(labels, np.flatnonzero(of_many), alone)
    return _by_sums(count, labels, to_float(wrap(sizes, _REGIONS)), wrap(is_closed, _REGIONS))


def _by_sums(count: int, labels: Tensor, sizes: Tensor, is_closed: Tensor) -> Callable[[Tensor], Tensor]:
    weight = where(is_closed, safe_div(1.0, sizes), 0.0)

    def project(x: Tensor) -> Tensor:
        return x - _spread(_sums(x, labels, count) * weight, labels)

    return project


def _by_masks(labels: Tensor, numbers: npt.NDArray[Any], alone: Tensor) -> Callable[[Tensor], Tensor]:
    """The projection for a few regions of several cells, and cells that are one for themselves."""
    names = labels.shape.spatial.names
    masks = [to_float(labels == int(number)) for number in numbers]
    means = [safe_div(mask, sum_(mask, names)) for mask in masks]
    kept = 1 - alone

    def project(x: Tensor) -> Tensor:
        result = x * kept
        for mask, mean in zip(masks, means, strict=True):
            result = result - mask * dot(mean, names, x, names)
        return result

    return project


def regions(matrix: Stencil) -> tuple[int, Tensor]:
    """`(number of labels, label of each cell)`, ints `(batch…, spatial…)` that linked cells share."""
    if matrix.is_known:
        return _Pattern(matrix).labelled()
    shape = matrix.remainder.shape
    return cast("int", shape.volume), _on_device(matrix)


class _Pattern:
    """Which numbers of a matrix are not 0, compared by content: solves ask again while nothing moves.

    Attributes:
        shape: Dims of the matrix.
        linked: By axis of the arrays, cells that are linked with the next one.
        remains: Cells with a remainder.
    """

    def __init__(self, matrix: Stencil) -> None:
        self.shape: Shape = matrix.remainder.shape
        names = self.shape.names
        self.linked: dict[int, npt.NDArray[np.bool_]] = {}
        for axis in matrix.axes:
            upper, lower = (
                known_numbers(links, self.shape) != 0 for links in (matrix.upper[axis], matrix.lower[axis])
            )
            number = names.index(axis)
            self.linked[number] = upper | np.roll(lower, -1, number)
        self.remains: npt.NDArray[np.bool_] = known_numbers(matrix.remainder, self.shape) != 0
        import hashlib  # noqa: PLC0415 costs 2 ms of `import phi_tensor`

        content = hashlib.blake2b(digest_size=16)
        for part in (*self.linked.values(), self.remains):
            content.update(np.packbits(part).data)
        self._key = (self.shape, tuple(self.linked), settings().precision, content.digest())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Pattern) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def labelled(self) -> tuple[int, Tensor]:
        """`(number of labels, label of each cell)`."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        sizes = cast("tuple[int, ...]", self.shape.sizes)
        count = math.prod(sizes)
        cells: npt.NDArray[np.int64] = np.arange(count).reshape(sizes)
        first = [cells[linked] for linked in self.linked.values()]
        second = [np.roll(cells, -1, number)[linked] for number, linked in self.linked.items()]
        pairs = (np.concatenate([cells[:0].ravel(), *first]), np.concatenate([cells[:0].ravel(), *second]))
        graph: Any = coo_array((np.ones(len(pairs[0]), bool), pairs), (count, count))
        found: Any = connected_components(graph, directed=False)
        labels: npt.NDArray[np.int64] = found[1].reshape(sizes).astype(np.int64)
        return int(found[0]), wrap(labels, self.shape)


def _on_device(matrix: Stencil) -> Tensor:
    shape = matrix.remainder.shape
    own = to_int64(expand(range_tensor(shape), shape)) + to_int64(0 * matrix.remainder)

    def step(label: Tensor, changed: Tensor) -> tuple[Tensor, Tensor]:
        found = label
        for axis in matrix.axes:
            padded = pad(label, {axis: (1, 1)}, PERIODIC if axis in matrix.periodic else -1)
            below, above = padded[{axis: slice(None, -2)}], padded[{axis: slice(2, None)}]
            found = maximum(found, where(matrix.lower[axis] != 0, below, -1))
            found = maximum(found, where(matrix.upper[axis] != 0, above, -1))
        flat = pack_dims(found, shape, _CELLS)
        found = unpack_dim(gather(flat, flat, _CELLS), _CELLS, shape)
        return found, any_(found != label, found.shape)

    start = any_(own >= 0, own.shape)
    return while_loop(lambda _, changed: changed, step, own, start)[0]


def _sums(x: Tensor, labels: Tensor, count: int) -> Tensor:
    """Sums over the cells of each label `(batch…, _regions)`."""
    shape = labels.shape
    flat, at = pack_dims(x, shape, _CELLS), pack_dims(labels, shape, _CELLS)
    zero = zeros(_REGIONS.with_size(count), dtype=x.dtype)
    return scatter(zero, at, flat, mode="add", outside_handling="undefined")


def _spread(sums: Tensor, labels: Tensor) -> Tensor:
    return gather(sums, labels, _REGIONS)
