"""Fields on grids from numbers, tensors, functions of position, geometries and other fields."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, cast

import numpy as np

import phi_tensor as math
from phi_field._boundary import as_boundary
from phi_field._field import Field
from phi_field._resample import resample
from phi_field.sampling._grid import grid_on
from phi_field.sampling._sampling import Sampling
from phi_field.sampling._site import Site
from phi_geom import Box, Geometry, UniformGrid
from phi_tensor import IncompatibleShapes, Shape, Tensor, batch, channel, default_backend, spatial, wrap
from phi_tensor.extrapolation import Extrapolation

Values = float | Tensor | Geometry | Field | Callable[..., Any] | tuple[float, ...]
"""What fields are made from: see `CenteredGrid`."""


def CenteredGrid(
    values: Values = 0.0,
    boundary: Any = 0.0,
    bounds: Box | float | None = None,
    resolution: Shape | int | None = None,
    **resolution_: int,
) -> Field:
    """Field with values at the centers of grid cells.

    Args:
        values: Number or tensor; function of position, called with one vector or with one argument per axis
            named like it; geometry, for 1 inside and 0 outside; sequence with one number per axis, for a
            constant vector; or field, which is resampled.
        boundary: Values outside: number, tensor, name of a rule, dict of sides; see `as_boundary`.
        bounds: Box that the cells fill, or a number for a cube of that size; default 0 to n along each axis.
        resolution: Cells per axis.
        **resolution_: Cells per axis.

    >>> CenteredGrid(lambda x, y: x + y, x=2, y=2).values
    ((1.0, 2.0), (2.0, 3.0)) along (x:s=2, y:s=2) float32
    """
    return _grid_field(values, Site.CENTER, boundary, bounds, resolution, resolution_)


def StaggeredGrid(
    values: Values = 0.0,
    boundary: Any = 0.0,
    bounds: Box | float | None = None,
    resolution: Shape | int | None = None,
    **resolution_: int,
) -> Field:
    """Field of vectors of which each component is stored at its own faces (marker-and-cell, Arakawa C).

    Of n + 1 faces along an axis those are stored that the boundary does not determine: n − 1 between
    constants, n if periodic, n + 1 between copies of inner values.

    Args:
        values: As for `CenteredGrid`; tensors list the components along `vector`, with n or n + 1 values
            along each axis.
        boundary: Values outside; `{'normal': …, 'tangential': …}` differ by direction.
        bounds: Box that the cells fill, or a number for a cube of that size; default 0 to n along each axis.
        resolution: Cells per axis.
        **resolution_: Cells per axis.

    >>> [v.shape for v in StaggeredGrid(0, 0, x=4, y=3).values.vector]
    [(x:s=3, y:s=3), (x:s=4, y:s=2)]
    """
    return _grid_field(values, Site.FACE, boundary, bounds, resolution, resolution_)


def _grid_field(
    values: Any,
    site: Site,
    boundary: Any,
    bounds: Any,
    resolution: Shape | int | None,
    resolution_: dict[str, int],
) -> Field:
    rule = as_boundary(boundary)
    if isinstance(values, Tensor) and "~vector" in values.shape and "vector" not in values.shape:
        values = math.rename_dims(values, "~vector", channel("vector"))
    sampling = _grid_of(values, bounds, resolution, resolution_)
    return Field(sampling, sampled_values(values, sampling, site, rule), site, rule)


def _grid_of(values: Any, bounds: Any, resolution: Shape | int | None, sizes: dict[str, int]) -> Sampling:
    if isinstance(values, Field) and bounds is None and resolution is None and not sizes:
        return values.sampling
    if isinstance(resolution, int):
        if not isinstance(bounds, Box):
            raise IncompatibleShapes(
                f"`resolution={resolution}` counts cells along each axis of a box, but `bounds` is "
                f"{bounds!r}. Name the axes: `x=…`."
            )
        resolution = spatial(**dict.fromkeys(bounds.axes, resolution))
    if resolution is None and not sizes and isinstance(values, Tensor):
        resolution = _cells_of(values)
    return grid_on(UniformGrid(resolution, bounds, **sizes))


def _cells_of(values: Tensor) -> Shape | None:
    """Cells of the grid that a tensor fills: across its normal each component has one value per cell."""
    if values.shape.is_uniform:
        return values.shape.spatial
    axes = values.shape.spatial.names
    sizes: dict[str, int] = {}
    for axis in axes:
        across = [v for name, v in values.vector.items() if name != axis]
        sizes |= {axis: cast("int", across[0].shape.get_size(axis))} if across else {}
    return spatial(**sizes) if len(sizes) == len(axes) else None


def sampled_values(values: Any, sampling: Sampling, site: Site, boundary: Extrapolation) -> Tensor:
    """Stored values for what users pass as `values`, see `CenteredGrid`."""
    if isinstance(values, Field):
        return resample(values, Field(sampling, wrap(0.0), site, boundary)).values
    if isinstance(values, Geometry):
        return _at_sites(lambda points: math.to_float(values.lies_inside(points)), sampling, site, boundary)
    if callable(values):
        return _at_sites(_of_vector(values, sampling.axes), sampling, site, boundary)
    return sampling.trimmed(_as_tensor(values, sampling.axes), site, boundary)


def _as_tensor(values: Any, axes: tuple[str, ...]) -> Tensor:
    if isinstance(values, Tensor):
        return values
    if isinstance(values, (tuple, list)):
        if len(values) != len(axes):
            raise IncompatibleShapes(
                f"A sequence of values is one number per axis {axes}, but found {values!r}."
            )
        return math.stack([math.tensor(v) for v in values], channel(vector=axes))  # pyright: ignore[reportUnknownVariableType] user input
    if isinstance(values, np.ndarray):
        raise IncompatibleShapes(
            f"An array of {cast('Any', values).ndim} axes has no names. "
            f"Name them: `tensor(array, spatial('x,y'))`."
        )
    return (
        math.to_float(math.tensor(values))
        if isinstance(values, (int, float)) and not isinstance(values, bool)
        else math.tensor(values)
    )


def _of_vector(function: Callable[..., Any], axes: tuple[str, ...]) -> Callable[[Tensor], Any]:
    """`function` as one of a vector, whether it takes that or one argument per axis."""
    try:
        names = tuple(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return function
    if sorted(names) == sorted(axes):
        return lambda points: function(**{name: points.vector[name] for name in names})
    return function


def _at_sites(
    function: Callable[[Tensor], Any], sampling: Sampling, site: Site, boundary: Extrapolation
) -> Tensor:
    """Values of a function of position: each component at its own sites. It sees positions as a batch."""
    points = sampling.points(site, boundary)
    axes = sampling.axes
    if "~vector" not in points.shape:
        return _called(function, points, axes)
    parts = [_called(function, points.sliced((("~vector", axis),)), axes) for axis in axes]
    picked = [
        part.vector[axis] if "vector" in part.shape else part for part, axis in zip(parts, axes, strict=True)
    ]
    return math.stack(picked, channel(vector=axes), expand_values=True)


def _called(function: Callable[[Tensor], Any], points: Tensor, axes: tuple[str, ...]) -> Tensor:
    places = points.shape.only(axes, reorder=True)
    found = function(math.rename_dims(points, places.names, batch(**dict.fromkeys(places.names))))
    if isinstance(found, (tuple, list)):
        found = math.stack([math.wrap(v) for v in found], channel(vector=axes), expand_values=True)  # pyright: ignore[reportUnknownVariableType] user function
    values = math.wrap(found)
    values = math.expand(math.rename_dims(values, places.names, places.without_sizes()), places)
    return math.to_float(math.convert(values, default_backend()) if values.backend.mixes else values)
