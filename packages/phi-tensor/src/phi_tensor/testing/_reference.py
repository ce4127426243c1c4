"""Named arrays in plain NumPy: the oracle that structural operations are compared with.

Written without the code under test: an array, the names of its axes, and one obvious way to do each thing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Named(NamedTuple):
    """An array whose axes have names.

    Attributes:
        dims: Name of each axis.
        array: The numbers.
    """

    dims: tuple[str, ...]
    array: Array

    def sizes(self) -> dict[str, int]:
        """Size by name."""
        return dict(zip(self.dims, self.array.shape, strict=True))

    def ordered(self, dims: Sequence[str]) -> Array:
        """The numbers with axes in another order, size 1 where a dim is missing."""
        array = self.array.transpose([self.dims.index(dim) for dim in dims if dim in self.dims])
        return array.reshape([self.sizes().get(dim, 1) for dim in dims])


def union(*xs: Named) -> dict[str, int]:
    """Sizes of the dims of all arrays."""
    sizes: dict[str, int] = {}
    for x in xs:
        sizes |= x.sizes()
    return sizes


def apply(f: Callable[..., Array], *xs: Named) -> Named:
    """Element-wise function of arrays aligned by name."""
    sizes = union(*xs)
    arrays = np.broadcast_arrays(*(x.ordered(tuple(sizes)) for x in xs))
    return Named(tuple(sizes), f(*arrays))


def reduce(f: Callable[..., Array], x: Named, dims: Sequence[str]) -> Named:
    """Reduction over dims by a NumPy function with `axis`."""
    axes = [x.dims.index(dim) for dim in dims]
    kept = tuple(dim for dim in x.dims if dim not in dims)
    return Named(kept, f(x.array, axis=tuple(axes) if len(axes) > 1 else axes[0]))


def along(f: Callable[..., Array], x: Named, dim: str) -> Named:
    """Function along one axis that keeps it."""
    return Named(x.dims, f(x.array, axis=x.dims.index(dim)))


def select(x: Named, selection: Mapping[str, int | slice | Sequence[int]]) -> Named:
    """Slices: ints remove their dim, slices and lists keep it."""
    for dim, item in selection.items():
        if dim in x.dims:
            array = x.array[
                (slice(None),) * x.dims.index(dim) + (item if isinstance(item, (int, slice)) else list(item),)
            ]
            x = Named(tuple(d for d in x.dims if d != dim) if isinstance(item, int) else x.dims, array)
    return x


def expand(x: Named, sizes: Mapping[str, int]) -> Named:
    """Copies along new dims."""
    new = {dim: size for dim, size in sizes.items() if dim not in x.dims}
    return Named((*new, *x.dims), np.broadcast_to(x.array, (*new.values(), *x.array.shape)))


def rename(x: Named, names: Mapping[str, str]) -> Named:
    """Other names for some axes."""
    return Named(tuple(names.get(dim, dim) for dim in x.dims), x.array)


def stack(xs: Sequence[Named], dim: str) -> Named:
    """Arrays side by side along a new axis."""
    sizes = union(*xs)
    return Named(
        (dim, *sizes), np.stack([np.broadcast_to(x.ordered(tuple(sizes)), tuple(sizes.values())) for x in xs])
    )


def concat(xs: Sequence[Named], dim: str) -> Named:
    """Arrays one after the other along a present axis."""
    dims = xs[0].dims
    return Named(dims, np.concatenate([x.ordered(dims) for x in xs], dims.index(dim)))


def pack(x: Named, dims: Sequence[str], dim: str) -> Named:
    """Several axes merged into one, row-major."""
    rest = tuple(d for d in x.dims if d not in dims)
    array = x.ordered((*rest, *dims))
    return Named((*rest, dim), array.reshape((*array.shape[: len(rest)], -1)))


def unpack(x: Named, dim: str, sizes: Mapping[str, int]) -> Named:
    """One axis split into several, row-major."""
    rest = tuple(d for d in x.dims if d != dim)
    array = x.ordered((*rest, dim))
    return Named((*rest, *sizes), array.reshape((*array.shape[:-1], *sizes.values())))


def flip(x: Named, dims: Sequence[str]) -> Named:
    """Axes in reverse order."""
    return Named(x.dims, np.flip(x.array, tuple(x.dims.index(dim) for dim in dims)))


def roll(x: Named, shift: int, dim: str) -> Named:
    """Cyclic shift: entry i moves to i + shift."""
    return Named(x.dims, np.roll(x.array, shift, x.dims.index(dim)))


def pad(x: Named, widths: Mapping[str, tuple[int, int]], mode: str, **options: Any) -> Named:
    """`numpy.pad` by names."""
    return Named(x.dims, np.pad(x.array, [widths.get(dim, (0, 0)) for dim in x.dims], mode, **options))  # pyright: ignore[reportCallIssue,reportArgumentType] overloads per mode


def take(x: Named, indices: Sequence[int], dim: str) -> Named:
    """Entries at positions along one axis."""
    return Named(x.dims, np.take(x.array, list(indices), x.dims.index(dim)))


def gather(x: Named, indices: Named, dims: Sequence[str], vector: str, batch: Sequence[str] = ()) -> Named:
    """X at index vectors: `indices` holds positions along `dims` in the order of its axis `vector`."""
    places = tuple(d for d in indices.dims if d != vector and d not in batch)
    rest = tuple(d for d in x.dims if d not in dims and d not in batch)
    points = indices.ordered((*batch, *places, vector))
    values = x.ordered((*batch, *dims, *rest))
    shape = points.shape[len(batch) : -1]
    result = np.empty(
        (*values.shape[: len(batch)], *shape, *values.shape[len(batch) + len(dims) :]), values.dtype
    )
    for at in np.ndindex(values.shape[: len(batch)]):
        source = tuple(at) if points.shape[: len(batch)] == values.shape[: len(batch)] else (0,) * len(batch)
        for place in np.ndindex(shape):
            result[(*at, *place)] = values[(*at, *(int(i) for i in points[(*source, *place)]))]
    return Named((*batch, *places, *rest), result)


def sample(x: Named, points: Mapping[str, Named], mode: str) -> Named:
    """Multilinear interpolation at coordinates per dim, at most one entry outside; `mode` as for `pad`."""
    padded = pad(x, dict.fromkeys(points, (1, 1)), mode)
    low = {dim: apply(lambda c: np.floor(c).astype(int) + 1, point) for dim, point in points.items()}
    weight = {dim: apply(lambda c: c - np.floor(c), point) for dim, point in points.items()}
    shared = tuple(d for d in x.dims if all(d in point.dims for point in points.values()))
    total: Named | None = None
    for corner in np.ndindex(*(2,) * len(points)):
        at = {dim: apply(lambda i, k=k: i + k, low[dim]) for dim, k in zip(points, corner, strict=True)}
        value = gather(padded, stack(list(at.values()), "_index"), tuple(points), "_index", shared)
        for dim, k in zip(points, corner, strict=True):
            value = apply(lambda v, w, k=k: v * (w if k else 1 - w), value, weight[dim])
        total = value if total is None else apply(np.add, total, value)
    assert total is not None
    return total


def scatter_add(
    base: Named, indices: Named, values: Named, dims: Sequence[str], vector: str, batch: Sequence[str] = ()
) -> Named:
    """`base` plus all values at their index vectors."""
    places = tuple(d for d in indices.dims if d != vector and d not in batch)
    rest = tuple(d for d in base.dims if d not in dims and d not in batch)
    result = base.ordered((*batch, *dims, *rest)).copy()
    points, numbers = indices.ordered((*batch, *places, vector)), values.ordered((*batch, *places, *rest))
    for at in np.ndindex(result.shape[: len(batch)]):
        for place in np.ndindex(points.shape[len(batch) : -1]):
            source = tuple(min(i, n - 1) for i, n in zip((*at, *place), points.shape, strict=False))
            number = tuple(min(i, n - 1) for i, n in zip((*at, *place), numbers.shape, strict=False))
            result[(*at, *(int(i) for i in points[source]))] += numbers[number]
    return Named((*batch, *dims, *rest), result)


def matmul(a: Named, b: Named, pairs: Sequence[tuple[str, str]]) -> Named:
    """Σ a·b over pairs of axes; all other shared axes stay."""
    letters: dict[str, str] = {}
    for left, right in pairs:
        letters[f"a {left}"] = letters[f"b {right}"] = chr(97 + len(letters))
    gone = set(letters)
    for x, side in ((a, "a"), (b, "b")):
        for dim in x.dims:
            if f"{side} {dim}" not in gone:
                letters.setdefault(dim, chr(97 + len(letters)))
    left, right = (
        [letters.get(f"{side} {dim}") or letters[dim] for dim in x.dims] for x, side in ((a, "a"), (b, "b"))
    )
    result = [dim for dim in letters if not dim.startswith(("a ", "b "))]
    return Named(
        tuple(result),
        np.einsum(
            f"{''.join(left)},{''.join(right)}->{''.join(letters[d] for d in result)}", a.array, b.array
        ),
    )


def transform(f: Callable[..., Array], x: Named, dims: Sequence[str], **options: Any) -> Named:
    """n-dimensional transform by a NumPy or SciPy function with `axes`."""
    return Named(x.dims, f(x.array, axes=tuple(x.dims.index(dim) for dim in dims), **options))
