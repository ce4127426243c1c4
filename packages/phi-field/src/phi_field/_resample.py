"""Values of one field where another one has its own."""

from __future__ import annotations

from typing import Any

from phi_field._boundary import as_boundary
from phi_field._field import Field
from phi_field.sampling._grid import grid_on
from phi_field.sampling._sampling import Sampling
from phi_field.sampling._site import Site
from phi_geom import Geometry, UniformGrid
from phi_tensor import Tensor


def resample(value: Any, to: Any, keep_boundary: bool = False) -> Field:
    """Field with the values of `value` at the sites of `to`.

    On the cells of `value` itself neighbours are averaged; elsewhere values are interpolated multilinearly.
    At faces each gets the component of a vector that is normal to it, or the scalar.

    Args:
        value: Field; or number, tensor, geometry or function of position, as in `CenteredGrid`.
        to: Field, or geometry whose centers are meant.
        keep_boundary: Keep the boundary of `value` instead of taking that of `to`.
    """
    if not isinstance(value, Field):
        if not isinstance(to, Field):
            raise TypeError(
                f"`resample` of a {type(value).__name__} needs a field to follow, but found "
                f"{type(to).__name__}. Make one by `CenteredGrid`."
            )
        return to.with_values(value)
    sampling, site = (to.sampling, to.site) if isinstance(to, Field) else (sampling_of(to), Site.CENTER)
    boundary = to.boundary if isinstance(to, Field) and not keep_boundary else value.boundary
    if value.sampling is sampling or value.sampling == sampling:
        if value.site is site:
            return value.with_boundary(boundary)
        values = value.sampling.interpolate(value.values, value.site, value.boundary, site, boundary)
    else:
        values = value.sampling.pull_back(
            value.values, value.site, value.boundary, sampling.points(site, boundary)
        )
    return Field(sampling, values, site, boundary)


def sample(field: Field, geometry: Any, at: str = "center", boundary: Any = None) -> Tensor:
    """Values of a field at points: whole vectors at each.

    Args:
        field: Field to look at.
        geometry: Points `(…, vector)`; or a geometry; or a field, whose sites are meant, along `~vector`
            where its components sit at different ones.
        at: Site of the geometry's cells.
        boundary: Boundary that says which outer faces of the geometry count; by default all.

    >>> import phi_tensor as math
    >>> from phi_field import CenteredGrid
    >>> float(sample(CenteredGrid(lambda x: x, x=4), math.vec(x=1.0)))
    1.0
    """
    if isinstance(geometry, Tensor):
        return field.sampling.evaluate(field.values, field.site, field.boundary, geometry)
    if isinstance(geometry, Field):
        sampling, site, rule = geometry.sampling, geometry.site, geometry.boundary
    else:
        sampling, site, rule = sampling_of(geometry), Site.of(at), as_boundary(boundary)
    if field.sampling is sampling or field.sampling == sampling:
        return field.sampling.surround(field.values, field.site, field.boundary, site, rule)
    return field.sampling.evaluate(field.values, field.site, field.boundary, sampling.points(site, rule))


def sampling_of(geometry: Any) -> Sampling:
    """Discretisation by the cells of a geometry."""
    if isinstance(geometry, Sampling):
        return geometry
    if isinstance(geometry, UniformGrid):
        return grid_on(geometry)
    kind = type(geometry).__name__
    hint = (
        "Sample its centers: `sample(field, geometry.center)`."
        if isinstance(geometry, Geometry)
        else "Pass a field or a geometry."
    )
    raise TypeError(f"No field can be sampled on a {kind}. {hint}")
