"""MacCormack advection: semi-Lagrangian, corrected by half of the error that going there and back makes."""

from __future__ import annotations

import phi_tensor as math
from phi_field import Field, sample
from phi_physics.advect._characteristics import Characteristics, euler
from phi_tensor import Tensor


def mac_cormack(
    field: Field,
    velocity: Field,
    dt: float | Tensor,
    correction_strength: float | Tensor = 1.0,
    integrator: Characteristics = euler,
) -> Field:
    """Field after transport along `velocity` for `dt`: second order where it is smooth, without new extrema.

    φ* = φ(x − dt·u), φ° = φ*(x + dt·u), φ(t+dt) = φ* + ½ (φ − φ°), limited to the values that φ* was
    interpolated between.
    With `euler`, second order in time holds where u is constant along the path; take `rk4` elsewhere.

    Args:
        field: Transported quantity φ `(batch…, spatial…, …)`; may be the velocity itself.
        velocity: Velocity u `(batch…, spatial…, vector)` [length/time]; its sampling may differ from
            `field`'s.
        dt: Time step [time], scalar or `(batch…)`. Negative values trace forwards.
        correction_strength: Factor of the correction [-]: 0 is `semi_lagrangian`.
        integrator: Integrator of the characteristics.

    Returns:
        Field with the sampling, site and boundary of `field`.

    Reference: Selle et al., *An Unconditionally Stable MacCormack Method*, J. Sci. Comput. 35 (2008).
    """
    back, forth = _characteristics(field, velocity, dt, integrator)
    predicted, lowest, highest = field.pull_back_with_bounds(back)
    corrected = _corrected(field, predicted, forth, correction_strength)
    return field.with_values(math.minimum(math.maximum(corrected, lowest), highest))


def mac_cormack_unlimited(
    field: Field,
    velocity: Field,
    dt: float | Tensor,
    correction_strength: float | Tensor = 1.0,
    integrator: Characteristics = euler,
) -> Field:
    """`mac_cormack` without the limiter: second order at extrema, too; oscillates at steep fronts.

    Args:
        field: Transported quantity φ `(batch…, spatial…, …)`.
        velocity: Velocity u `(batch…, spatial…, vector)` [length/time].
        dt: Time step [time], scalar or `(batch…)`.
        correction_strength: Factor of the correction [-].
        integrator: Integrator of the characteristics.
    """
    back, forth = _characteristics(field, velocity, dt, integrator)
    predicted = field.pull_back(back)
    return field.with_values(_corrected(field, predicted, forth, correction_strength))


def _characteristics(
    field: Field, velocity: Field, dt: float | Tensor, integrator: Characteristics
) -> tuple[Tensor, Tensor]:
    """Where the values at the sites come from, and where they go."""
    v0 = sample(velocity, field)
    return integrator(field, velocity, -dt, v0), integrator(field, velocity, dt, v0)


def _corrected(field: Field, predicted: Field, forth: Tensor, strength: float | Tensor) -> Tensor:
    returned = predicted.pull_back(forth)
    return predicted.values + (0.5 * strength) * (field.values - returned.values)
