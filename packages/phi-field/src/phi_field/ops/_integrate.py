"""Mean and integral over space."""

from __future__ import annotations

from typing import Any

import phi_tensor as math
from phi_field._field import Field
from phi_field.sampling._site import Site
from phi_geom import Geometry
from phi_tensor import Tensor, spatial


def mean(field: Field, dim: Any = spatial) -> Tensor:
    """Mean over space, each stored value counting as much.

    Args:
        field: Field `(batch…, spatial…, …)`.
        dim: Dims to average over.
    """
    return math.mean(field.values, dim)


def integrate(field: Field, region: Geometry | None = None) -> Tensor:
    """Integral ∫φ dV: values times cell volumes, summed; vectors at faces are taken to the centers first.

    Args:
        field: Field `(batch…, spatial…, …)`.
        region: Where to integrate, cells at its surface counting in part; by default everywhere.
    """
    centered = field if field.site is Site.CENTER else field.at_centers()
    values = centered.values * centered.sampling.measure(Site.CENTER)
    if region is not None:
        values = values * region.approximate_fraction_inside(centered.geometry)
    return math.sum(values, spatial)
