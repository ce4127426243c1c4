"""Transport of fields of any sampling and site by a velocity, ∂φ/∂t + u·∇φ = 0, for a time `dt`."""

from phi_physics.advect._advect import advect
from phi_physics.advect._characteristics import Characteristics, euler, rk4
from phi_physics.advect._mac_cormack import mac_cormack, mac_cormack_unlimited
from phi_physics.advect._semi_lagrangian import semi_lagrangian

__all__ = [
    # schemes
    "advect",
    "mac_cormack",
    "mac_cormack_unlimited",
    "semi_lagrangian",
    # integrators of the characteristics
    "Characteristics",
    "euler",
    "rk4",
]
