"""Geometry in any number of dimensions: shapes, signed distance, transforms, set operations, grids of cells.

>>> import phi_tensor as math
>>> ball = Sphere(x=0, y=0, radius=1)
>>> float(ball.approximate_signed_distance(math.vec(x=2.0, y=0.0)))
1.0
"""

from phi_geom._box import Box, Cuboid
from phi_geom._combined import GeometryUnion, InvertedGeometry, intersection, invert, union
from phi_geom._geometry import ClosestSurface, Geometry
from phi_geom._grid import UniformGrid
from phi_geom._sphere import Sphere

__all__ = [
    # shapes
    "Box",
    "Cuboid",
    "Geometry",
    "Sphere",
    "UniformGrid",
    # set operations
    "GeometryUnion",
    "InvertedGeometry",
    "intersection",
    "invert",
    "union",
    # results
    "ClosestSurface",
]
