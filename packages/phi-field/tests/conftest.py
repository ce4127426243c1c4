"""Grids on which the laws are tested.

One to three dimensions, any boundary, cells of unequal sides, single cells, batches.
"""

import numpy as np
import pytest

import phi_tensor as math
from phi_field import Field, Grid, Site
from phi_geom import Box, UniformGrid
from phi_tensor import batch
from phi_tensor.extrapolation import PERIODIC, ZERO, ZERO_GRADIENT, as_extrapolation
from phi_tensor.extrapolation import map as map_rules

BOXES = {
    "1D": ({"x": 5}, {"x": (0.5, 2.0)}),
    "2D": ({"x": 4, "y": 3}, {"x": 1, "y": (1, 2.5)}),
    "3D": ({"x": 3, "y": 4, "z": 2}, {"x": 1, "y": 2, "z": (0, 0.5)}),
    "one cell": ({"x": 1, "y": 4}, {"x": 0.3, "y": 2}),
}

BOUNDARIES = {
    "periodic": PERIODIC,
    "closed": ZERO,
    "open": ZERO_GRADIENT,
    "mixed": as_extrapolation({"x": (0, "zero-gradient"), "y": "periodic", "z": 0}),
}
"""Boundaries of a velocity; see `scalar_boundary` for the matching ones of a scalar."""


@pytest.fixture(params=BOXES)
def grid(request):
    resolution, sides = BOXES[request.param]
    return Grid(UniformGrid(bounds=Box(**sides), **resolution))


@pytest.fixture(params=BOUNDARIES)
def boundary(request, grid):
    rule = BOUNDARIES[request.param]
    if request.param == "mixed":
        rule = as_extrapolation(
            {a: ("periodic" if a == "y" else (0, "zero-gradient") if a == "x" else 0) for a in grid.axes}
        )
    return rule


@pytest.fixture
def scalar_boundary(boundary):
    """What makes ∇ the negative adjoint of ∇·.

    Zero gradient where the velocity is fixed, 0 where it is free.
    """
    swapped = {"0": ZERO_GRADIENT, "zero-gradient": ZERO, "periodic": PERIODIC}
    return map_rules(lambda rule: swapped[repr(rule)], boundary)


@pytest.fixture
def draw(rng, backend):
    """`draw(grid, site, boundary)`: field of normal random numbers with a batch of two."""

    def field(grid, site, boundary, components=""):
        rule = as_extrapolation(boundary)
        shape = grid.component_shape(Site.of(site), rule) & batch(b=2)
        if components:
            shape = shape & math.channel(vector=components)
        labels = shape.get_dim("vector").labels if shape.is_non_uniform or "vector" in shape else None
        if labels is None:
            return Field(grid, random(shape), Site.of(site), rule)
        parts = [random(part) for part in shape.unstack("vector")]
        return Field(grid, math.stack(parts, math.channel(vector=labels)), Site.of(site), rule)

    def random(shape):
        return math.tensor(rng.standard_normal(tuple(shape.sizes)).astype(np.float64), shape)

    return field
