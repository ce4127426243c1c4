"""Differentiable simulation: advection, diffusion, pressure projection, integrators in time.

>>> from phi_field import CenteredGrid, StaggeredGrid
>>> from phi_physics import advect, fluid
>>> smoke, velocity = CenteredGrid(1, x=8, y=8), StaggeredGrid(0, x=8, y=8)
>>> smoke = advect.mac_cormack(smoke, velocity, dt=1)
>>> velocity, pressure = fluid.make_incompressible(velocity + (smoke * (0, 0.1)).at(velocity))
>>> pressure.shape
(x:s=8, y:s=8)
"""

from phi_physics import advect, diffuse, fluid, integrate

__all__ = ["advect", "diffuse", "fluid", "integrate"]
