"""Incompressible fluids: pressure projection, CFL number."""

from phi_physics.fluid._cfl import cfl_number
from phi_physics.fluid._projection import make_incompressible

__all__ = ["cfl_number", "make_incompressible"]
