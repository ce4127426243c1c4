"""Explicit diffusion."""

from __future__ import annotations

import warnings

import phi_tensor as math
from phi_field import Field, laplace
from phi_tensor import Tensor


def differential(u: Field, diffusivity: float | Tensor) -> Field:
    """Rate of change by diffusion, κ∇²u, second order in space.

    Args:
        u: Diffusing quantity `(batch…, spatial…, …)`.
        diffusivity: κ [length²/time], constant in space; scalar or `(batch…)`.

    Returns:
        Field with the sampling and site of `u` [u/time].
    """
    return laplace(u) * diffusivity


def explicit(u: Field, diffusivity: float | Tensor, dt: float | Tensor, substeps: int = 1) -> Field:
    """Field after diffusion for `dt` by forward Euler steps u + dt·κ∇²u: order 1 in time, 2 in space.

    Stable for κ·dt·Σ 1/dx² ≤ ½ in each substep; a larger step is warned about where its numbers are known.

    Args:
        u: Diffusing quantity `(batch…, spatial…, …)`.
        diffusivity: κ [length²/time], constant in space; scalar or `(batch…)`.
        dt: Time step [time], scalar or `(batch…)`.
        substeps: Number of equal steps [-].

    Returns:
        Field with the sampling, site and boundary of `u`.

    >>> from phi_field import CenteredGrid
    >>> explicit(CenteredGrid(lambda x: x * x, x=4), 0.5, 0.5).values.x[1:-1]
    (2.75, 6.75) along (x:s=2) float32
    """
    step = dt / substeps
    _warn_if_unstable(u, diffusivity, step)
    for _ in range(substeps):
        u = u.with_values(u.values + step * differential(u, diffusivity).values)
    return u


def _warn_if_unstable(u: Field, diffusivity: float | Tensor, dt: float | Tensor) -> None:
    number = math.max(math.sum(diffusivity * dt / u.dx**2, "vector"), lambda shape: shape)
    if number.available and float(number) > 0.5:
        warnings.warn(
            f"`diffuse.explicit` is unstable: κ·dt·Σ 1/dx² is {float(number):.3g} in each substep, "
            "but must not exceed 0.5. "
            f"Use at least {-(-2 * float(number) // 1):.0f} times as many substeps.",
            stacklevel=3,
        )
