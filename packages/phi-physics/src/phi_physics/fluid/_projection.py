"""Projection of a velocity on its divergence-free part."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import phi_tensor as math
from phi_field import Field, Grid, Site, divergence, spatial_gradient
from phi_physics.fluid._box_poisson import solve_poisson
from phi_physics.fluid._modes import End, Ends
from phi_tensor import Tensor, Unsupported
from phi_tensor.extrapolation import (
    PERIODIC,
    ZERO_GRADIENT,
    ConstantExtrapolation,
    Extrapolation,
    combine_sides,
)

_PRESSURE: dict[End, Any] = {"periodic": PERIODIC, "closed": ZERO_GRADIENT, "open": 0}
"""Boundary of the pressure by what the velocity does at a side."""


def make_incompressible(
    velocity: Field, obstacles: Sequence[Any] = (), solve: Any = None
) -> tuple[Field, Field]:
    """`(velocity, pressure)`: the divergence-free part of a velocity, and the pressure that makes it so.

    Solves ∇²p = ∇·u and returns u − ∇p, directly by transforms along the axes, for any number of cells. At
    each side the pressure is 0 outside where the velocity has zero gradient (open), has zero gradient where
    the velocity is given (closed), and is periodic where the velocity is. For velocities at faces this is the
    exact, orthogonal projection: applied again it changes nothing, and kinetic energy never grows. Velocities
    at centers are corrected by the mean of the faces' ∇p, which leaves a divergence of second order.

    In boxes without an open side the pressure has zero mean, and the net inflow through the walls must
    vanish: what is left over is spread over all cells, and a warning tells so where the numbers are known.

    Args:
        velocity: Velocity u `(batch…, spatial…, vector)` [length/time] on a grid.
        obstacles: Must be empty for now.
        solve: Must be None for now: the direct solution needs no settings.

    Returns:
        velocity: With the sampling, site and boundary of the given one.
        pressure: p at cell centers `(batch…, spatial…)`, for a time step and density of 1 [length²/time].

    Raises:
        Unsupported: There are obstacles or solver settings; the sampling is no grid; a boundary is neither
            constant, periodic nor zero-gradient.

    Reference: Chorin, *Numerical Solution of the Navier–Stokes Equations*, Math. Comp. 22 (1968).

    >>> from phi_field import StaggeredGrid
    >>> u, p = make_incompressible(StaggeredGrid(lambda x, y: (x * y, y), 0, x=5, y=4))
    >>> bool(math.max(math.abs(divergence(u).values)) < 1e-5)
    True
    """
    _check_supported(velocity, obstacles, solve)
    ends = {axis: _ends(velocity.boundary, axis) for axis in velocity.sampling.axes}
    faces = velocity.at_faces()
    outflow = divergence(faces).values
    if not any("open" in pair for pair in ends.values()) and _has_inflow(velocity):
        _warn_if_unbalanced(outflow)
    sides = {axis: (_PRESSURE[lower], _PRESSURE[upper]) for axis, (lower, upper) in ends.items()}
    boundary = combine_sides(sides)
    pressure = Field(velocity.sampling, solve_poisson(outflow, ends, velocity.dx), Site.CENTER, boundary)
    correction = spatial_gradient(pressure, velocity.boundary, at="face")
    if velocity.site is Site.CENTER:
        correction = correction.at_centers()
    return velocity.with_values(velocity.values - correction.values), pressure


def _ends(boundary: Extrapolation, axis: str) -> Ends:
    normal = boundary[{"vector": axis}]
    return _end(normal.side(axis, False), axis), _end(normal.side(axis, True), axis)


def _end(rule: Extrapolation, axis: str) -> End:
    if isinstance(rule, ConstantExtrapolation):
        return "closed"
    if rule == PERIODIC:
        return "periodic"
    if rule == ZERO_GRADIENT:
        return "open"
    raise Unsupported(
        f"`make_incompressible` needs velocities that are constant, periodic or zero-gradient outside, "
        f"but along `{axis}` the boundary "
        f"is {rule!r}. Set one by `velocity.with_boundary(…)`."
    )


def _check_supported(velocity: Field, obstacles: Sequence[Any], solve: Any) -> None:
    if len(obstacles):
        raise Unsupported(
            f"`make_incompressible` solves in boxes without obstacles for now, "
            f"but `obstacles` has {len(obstacles)}. Pass `()`."
        )
    if solve is not None:
        raise Unsupported(
            f"`make_incompressible` solves directly and takes no settings for now, "
            f"but `solve` is {solve!r}. Leave it away."
        )
    if not isinstance(velocity.sampling, Grid):
        raise Unsupported(
            f"`make_incompressible` needs a grid for now, "
            f"but the velocity is sampled on {velocity.sampling!r}."
        )


def _has_inflow(velocity: Field) -> bool:
    """Whether something may flow through the walls: some side has another constant than 0."""
    sides = [
        velocity.boundary[{"vector": a}].side(a, upper)
        for a in velocity.sampling.axes
        for upper in (False, True)
    ]
    return any(isinstance(rule, ConstantExtrapolation) and not rule.is_number(0) for rule in sides)


def _warn_if_unbalanced(outflow: Tensor) -> None:
    net, largest = math.abs(math.mean(outflow)), math.max(math.abs(outflow))
    tolerance = {16: 1e-2, 32: 1e-5, 64: 1e-13}[math.get_precision()]
    unbalanced = math.any(net > tolerance * largest, lambda shape: shape)
    if unbalanced.available and bool(unbalanced):
        warnings.warn(
            f"`make_incompressible` cannot remove all divergence: the walls let in as much "
            "as a mean divergence of "
            f"{float(math.max(net, lambda shape: shape)):.3g} and no side is open. "
            "The rest is spread over all cells. Balance the constants "
            "of the boundary, or open a side with 'zero-gradient'.",
            stacklevel=3,
        )
