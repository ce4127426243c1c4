"""Semi-Lagrangian advection."""

from __future__ import annotations

from phi_field import Field
from phi_physics.advect._characteristics import Characteristics, euler
from phi_tensor import Tensor


def semi_lagrangian(
    field: Field, velocity: Field, dt: float | Tensor, integrator: Characteristics = euler
) -> Field:
    """Field after transport along `velocity` for `dt`, by tracing sample points backwards.

    Solves ∂φ/∂t + u·∇φ = 0 as φ(x, t+dt) = φ(x − dt·u, t), multilinear between the samples. First order in
    time,
    unconditionally stable, diffusive; creates no new extrema.

    Args:
        field: Transported quantity φ `(batch…, spatial…, …)`; may be the velocity itself.
        velocity: Velocity u `(batch…, spatial…, vector)` [length/time]; its sampling may differ from
            `field`'s.
        dt: Time step [time], scalar or `(batch…)`. Negative values trace forwards.
        integrator: Integrator of the characteristics.

    Returns:
        Field with the sampling, site and boundary of `field`.

    Reference: Stam, *Stable Fluids*, SIGGRAPH 1999 (method of characteristics).

    >>> from phi_field import CenteredGrid
    >>> ramp = CenteredGrid(lambda x: x, "zero-gradient", x=4)
    >>> semi_lagrangian(ramp, CenteredGrid((1,), 1, x=4), dt=1).values
    (0.5, 0.5, 1.5, 2.5) along (x:s=4) float32
    """
    return field.pull_back(integrator(field, velocity, -dt))
