"""Regular grids at half or double resolution, and windows of them between the samples."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from phi_tensor._dim_types import channel, spatial
from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._extrapolation_sides import as_extrapolation
from phi_tensor._shape import Shape
from phi_tensor._spec import as_shape
from phi_tensor._tensor import Tensor
from phi_tensor._trees import tree_map
from phi_tensor.ops._call import as_tensor, is_container
from phi_tensor.ops._padding import pad
from phi_tensor.ops._ragged import entry_by_entry
from phi_tensor.ops._structure import pack_dims, stack

_DEFAULT = as_extrapolation("zero-gradient")
_HALF = channel("_half")


def downsample2x(grid: Any, padding: Any = _DEFAULT, dims: Any = spatial) -> Any:
    """Grid of half the resolution: means of pairs of cells along each dim.

    Args:
        grid: Cell values `(…, spatial…)`, or a tree of them.
        padding: Rule for the value that odd sizes lack.
        dims: Along which dims.

    >>> import phi_tensor as math
    >>> downsample2x(math.wrap([0.0, 2.0, 4.0], math.spatial("x")))
    (1.0, 4.0) along (x:s=2) float32
    """
    if not isinstance(grid, Tensor) and is_container(grid):
        return tree_map(lambda leaf: downsample2x(leaf, padding, dims), grid)
    value = as_tensor(grid)
    names = value.shape.selected_names(dims)
    apart = entry_by_entry(lambda entry: downsample2x(entry, padding, dims), value, names)
    if apart is not None:
        return apart
    odd = [name for name in names if cast("int", value.shape.get_size(name)) % 2]
    value = pad(value, dict.fromkeys(odd, (0, 1)), padding)
    for name in names:
        value = (value[{name: slice(0, None, 2)}] + value[{name: slice(1, None, 2)}]) * 0.5
    return value


def upsample2x(grid: Any, padding: Any = _DEFAULT, dims: Any = spatial, padding_kwargs: object = None) -> Any:
    """Grid of twice the resolution by linear interpolation: ¾ of the cell and ¼ of the nearer neighbour.

    Args:
        grid: Cell values `(…, spatial…)`, or a tree of them.
        padding: Rule for values outside.
        dims: Along which dims.
        padding_kwargs: Ignored, for PhiFlow's callers.

    >>> import phi_tensor as math
    >>> upsample2x(math.wrap([0.0, 4.0], math.spatial("x")))
    (0.0, 1.0, 3.0, 4.0) along (x:s=4) float32
    """
    if not isinstance(grid, Tensor) and is_container(grid):
        return tree_map(lambda leaf: upsample2x(leaf, padding, dims), grid)
    value = as_tensor(grid)
    names = value.shape.selected_names(dims)
    apart = entry_by_entry(lambda entry: upsample2x(entry, padding, dims), value, names)
    if apart is not None:
        return apart
    for name in names:
        wide = pad(value, {name: (1, 1)}, padding)
        inner = wide[{name: slice(1, -1)}] * 0.75
        halves = [wide[{name: where}] * 0.25 + inner for where in (slice(None, -2), slice(2, None))]
        dim = Shape.of((value.shape.get_dim(name).with_size(None),))
        value = pack_dims(stack(halves, _HALF), (name, _HALF.name), dim)
    return value


def sample_subgrid(grid: Any, start: Tensor, size: Shape) -> Any:
    """Window of a grid, by linear interpolation where it begins between samples.

    Args:
        grid: Values `(…, spatial…)`, or a tree of them.
        start: Index coordinates of the first sample `(vector)` [cells]; labels name the dims, else it counts
            along those of `size`.
        size: Dims and sizes of the window, which must lie inside of the grid.

    Raises:
        Unsupported: `start` is not known yet (inside `jit_compile`) or differentiated.
        IncompatibleShapes: The window exceeds the grid.

    >>> import phi_tensor as math
    >>> sample_subgrid(math.wrap([1.0, 2.0, 4.0], math.spatial("x")), math.vec(x=0.5), math.spatial(x=2))
    (1.5, 3.0) along (x:s=2) float32
    """
    if not isinstance(grid, Tensor) and is_container(grid):
        return tree_map(lambda leaf: sample_subgrid(leaf, start, size), grid)
    value, corner, size = as_tensor(grid), as_tensor(start), as_shape(size, "sample_subgrid")
    if not corner.available:
        raise Unsupported(
            "`sample_subgrid` cuts at a `start` that is known and has no derivative. Interpolate at "
            "coordinates with `grid_sample` instead."
        )
    labels = (corner.shape.dims[0].labels or size.names) if corner.rank == 1 else ()
    if corner.rank != 1 or corner.shape.volume != len(labels) or not set(size.names) <= set(labels):
        raise IncompatibleShapes(
            f"`start` of `sample_subgrid` needs one component per dim of {size}, but has shape "
            f"{corner.shape}. Write e.g. `vec(x=1, y=0.5)`."
        )
    if not size.well_defined or corner.dtype.kind is complex or not np.all(np.isfinite(corner.numpy())):
        raise IncompatibleShapes(
            f"`sample_subgrid` needs sizes and a real, finite `start`, but found {size} and {corner}."
        )
    places = dict(zip(labels, np.asarray(corner.numpy(), np.float64).tolist(), strict=True))
    for dim in size.dims:
        value = _cut(value, dim.name, places[dim.name], cast("int", dim.size))
    return value


def _cut(value: Tensor, name: str, start: float, size: int) -> Tensor:
    first = int(np.floor(start))
    weight = start - first
    needed, available = first + size + (weight > 0), value.shape.get_size(name)
    if first < 0 or needed > cast("int", available):
        raise IncompatibleShapes(
            f"`sample_subgrid` from {start} with size {size} exceeds the {available} entries along `{name}`. "
            f"Pad the grid first."
        )
    lower = value[{name: slice(first, first + size)}]
    if weight == 0:
        return lower
    upper = value[{name: slice(first + 1, first + 1 + size)}]
    return lower * (1 - weight) + upper * weight
