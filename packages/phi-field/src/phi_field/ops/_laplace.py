"""Laplace operator."""

from __future__ import annotations

from typing import Any

from phi_field._boundary import second_derivative
from phi_field._field import Field
from phi_tensor import spatial


def laplace(u: Field, axes: Any = spatial) -> Field:
    """Laplacian ∇²u = ∇·∇u, second order: (uᵢ₊₁ − 2uᵢ + uᵢ₋₁)/dx², summed over the axes.

    The divergence of the gradient at the sites between the values, component by component, so it is the same
    for centered and staggered fields.

    Args:
        u: Field `(batch…, spatial…, …)`.
        axes: Axes to differentiate along.

    Returns:
        Field with the sampling and site of `u`; its boundary is 0 where `u` is constant outside, else the
        rule of `u`.
    """
    names = u.sampling.shape.only(axes).names
    return Field(
        u.sampling, u.sampling.laplace(u.values, u.boundary, names), u.site, second_derivative(u.boundary)
    )
