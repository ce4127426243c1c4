"""Spatial gradient."""

from __future__ import annotations

from typing import Any

import phi_tensor as math
from phi_field._boundary import as_boundary
from phi_field._field import Field
from phi_field.sampling._site import Site
from phi_tensor import IncompatibleShapes, Shape, channel, spatial

_VECTOR = channel("vector")


def spatial_gradient(
    field: Field,
    boundary: Any = None,
    at: str = "center",
    dims: Any = spatial,
    stack_dim: Shape | str = _VECTOR,
) -> Field:
    """Gradient ∇φ by central differences, second order.

    At faces (φᵢ₊₁ − φᵢ)/dx between the cells, at centers the mean of both faces, (φᵢ₊₁ − φᵢ₋₁)/2dx.

    Args:
        field: Field φ `(batch…, spatial…, …)`; values at faces are taken to the centers first.
        boundary: Boundary of the result, which decides about the outer faces; by default the derivative of
            the field's.
        at: `'center'`, or `'face'` for the component normal to each face.
        dims: Axes to differentiate along.
        stack_dim: Dim that lists the derivatives; another one than the components of a vector.

    Returns:
        Field `(batch…, spatial…, …, stack_dim)`.
    """
    if field.site is not Site.CENTER:
        field = field.at_centers()
    rule = field.boundary.spatial_gradient() if boundary is None else as_boundary(boundary)
    axes = field.sampling.shape.only(dims).names
    dim = math.parse_shape_spec(stack_dim) if isinstance(stack_dim, str) else stack_dim
    site = Site.of(at)
    if dim.name in field.values.shape:
        raise IncompatibleShapes(
            f"The field has a dim `{dim.name}` already: {field.shape}. Name another one, "
            f"`stack_dim=channel('gradient')`."
        )
    if site is Site.FACE and axes != field.sampling.axes:
        raise IncompatibleShapes(
            f"At faces there is one derivative per axis {field.sampling.axes}, but `dims` selects {axes}. "
            f"Use `at='center'`."
        )
    if site is Site.CENTER:
        values = field.sampling.central_difference(field.values, field.boundary, axes, dim)
    else:
        slopes = field.sampling.difference(field.values, field.site, field.boundary, rule, axes)
        values = math.rename_dims(slopes, "~vector", dim.with_size(axes))
    return Field(field.sampling, values, site, rule)
