"""Incompressible fluids: pressure projection around obstacles, CFL number."""

from phi_physics.fluid._cfl import cfl_number
from phi_physics.fluid._obstacle import Obstacle
from phi_physics.fluid._projection import make_incompressible

__all__ = ["Obstacle", "cfl_number", "make_incompressible"]
