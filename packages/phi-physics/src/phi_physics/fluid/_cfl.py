"""CFL number."""

from __future__ import annotations

import phi_tensor as math
from phi_field import Field
from phi_tensor import Tensor


def cfl_number(velocity: Field, dt: float | Tensor) -> Tensor:
    """CFL number `(batch…)` [-]: the largest Σ |uᵢ| dt/dxᵢ of all cells.

    Args:
        velocity: Velocity u `(batch…, spatial…, vector)` [length/time]; values at faces are averaged to the
            cells.
        dt: Time step [time], scalar or `(batch…)`.

    >>> from phi_field import CenteredGrid
    >>> float(cfl_number(CenteredGrid((1, -2), x=4, y=4), dt=0.5))
    1.5
    """
    speed = math.abs(velocity.at_centers().values) / velocity.dx
    return math.max(math.sum(speed, "vector") * abs(dt))
