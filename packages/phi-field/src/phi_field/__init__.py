"""Fields: values on grids with a boundary condition, resampling and differential operators.

>>> import phi_tensor as math
>>> wave = CenteredGrid(lambda x: math.sin(x), "periodic", bounds=2 * math.PI, x=32)
>>> bool(math.max(math.abs(laplace(wave).values + wave.values)) < 0.01)
True
"""

from phi_field._boundary import as_boundary
from phi_field._construct import CenteredGrid, StaggeredGrid
from phi_field._field import Field
from phi_field._resample import resample, sample
from phi_field.ops._curl import curl
from phi_field.ops._divergence import divergence
from phi_field.ops._gradient import spatial_gradient
from phi_field.ops._integrate import integrate, mean
from phi_field.ops._laplace import laplace
from phi_field.sampling._grid import Grid
from phi_field.sampling._sampling import Sampling
from phi_field.sampling._site import Site

__all__ = [
    # fields
    "CenteredGrid",
    "Field",
    "StaggeredGrid",
    "as_boundary",
    # samplings
    "Grid",
    "Sampling",
    "Site",
    # resampling
    "resample",
    "sample",
    # operators
    "curl",
    "divergence",
    "integrate",
    "laplace",
    "mean",
    "spatial_gradient",
]
