"""Advection by the scheme that suits a field."""

from __future__ import annotations

from phi_field import Field
from phi_physics.advect._characteristics import Characteristics, euler
from phi_physics.advect._semi_lagrangian import semi_lagrangian
from phi_tensor import Tensor


def advect(field: Field, velocity: Field, dt: float | Tensor, integrator: Characteristics = euler) -> Field:
    """Field after transport along `velocity` for `dt` by `semi_lagrangian`: stable for every step.

    Args:
        field: Transported quantity φ `(batch…, spatial…, …)`.
        velocity: Velocity u [length/time].
        dt: Time step [time], scalar or `(batch…)`.
        integrator: Integrator of the characteristics.
    """
    return semi_lagrangian(field, velocity, dt, integrator)
