"""Divergence."""

from __future__ import annotations

from phi_field._field import Field
from phi_field.sampling._site import Site
from phi_tensor import IncompatibleShapes
from phi_tensor.extrapolation import get_normal


def divergence(field: Field) -> Field:
    """Divergence ∇·u: the net outflow of each cell per volume.

    Exact conservation: the sum over all cells is the flux through the domain's surface (Gauss). Centered
    vectors are taken to the faces first, which gives central differences.

    Args:
        field: Vector field u `(batch…, spatial…, vector)`.

    Returns:
        Field at cell centers `(batch…, spatial…)`; its boundary is the derivative of the field's.

    Raises:
        IncompatibleShapes: `field` lacks a component for an axis.
    """
    sampling = field.sampling
    labels = field.values.shape.get_labels("vector") if "vector" in field.values.shape else None
    if labels is None or set(labels) != set(sampling.axes):
        raise IncompatibleShapes(
            f"`divergence(field)` needs one component per axis, but `field` has components {labels} and "
            f"axes {sampling.axes}. "
            f"Stack them along `channel(vector='{','.join(sampling.axes)}')`."
        )
    flux = sampling.interpolate(field.values, field.site, field.boundary, Site.FACE, None)
    return Field(
        sampling,
        sampling.collect(flux, sampling.axes),
        Site.CENTER,
        get_normal(field.boundary).spatial_gradient(),
    )
