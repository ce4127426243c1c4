"""Projection of a velocity on its divergence-free part."""

from __future__ import annotations

import warnings
from typing import Any

import phi_tensor as math
from phi_field import Field, Grid, Site, divergence, spatial_gradient
from phi_physics.fluid._box import End, Ends, box_laplacian, has_transforms
from phi_physics.fluid._obstacle import Obstacle, as_obstacles
from phi_physics.fluid._solids import project_around
from phi_tensor import Solve, Tensor, Unsupported
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
    velocity: Field, obstacles: Any = (), solve: Solve | None = None
) -> tuple[Field, Field]:
    """`(velocity, pressure)`: the divergence-free part of a velocity, and the pressure that makes it so.

    Solves ∇²p = ∇·u and returns u − ∇p. At each side the pressure is 0 outside where the velocity has zero
    gradient (open), has zero gradient where the velocity is given (closed), and is periodic where the
    velocity is. For velocities at faces this is the exact, orthogonal projection: applied again it changes
    nothing, and kinetic energy never grows. Velocities at centers are corrected by the mean of the faces' ∇p,
    which leaves a divergence of second order.

    Boxes without obstacles are solved directly by transforms along the axes, for any number of cells; others
    by conjugate gradients, preconditioned by these transforms, or by multigrid where thin walls or gaps make
    them converge slowly; around bodies the iterations do not depend on the number of cells. Cells whose
    center is inside of an obstacle are solid: their faces move with the body. In regions without an open side
    the pressure has zero mean, and the net inflow must vanish: what is left over is spread over their cells,
    and `SolveInfo.msg`, in boxes without obstacles also a warning where the numbers are known, tells so.

    Args:
        velocity: Velocity u `(batch…, spatial…, vector)` [length/time] on a grid.
        obstacles: Bodies: `Obstacle`, geometry, centered field that is not 0 inside, or a sequence of these.
        solve: Settings; default: `Solve()`.

    Returns:
        velocity: With the sampling, site and boundary of the given one.
        pressure: p at cell centers `(batch…, spatial…)`, for a time step and density of 1 [length²/time];
            0 in solid cells.

    Raises:
        NotConverged: The solve reached its limit of iterations.
        Unsupported: The sampling is no grid; a boundary is neither constant, periodic nor zero-gradient.

    Reference: Chorin, *Numerical Solution of the Navier–Stokes Equations*, Math. Comp. 22 (1968).

    >>> from phi_field import StaggeredGrid
    >>> u, p = make_incompressible(StaggeredGrid(lambda x, y: (x * y, y), 0, x=5, y=4))
    >>> bool(math.max(math.abs(divergence(u).values)) < 1e-5)
    True
    """
    _check_supported(velocity, solve)
    bodies = as_obstacles(obstacles)
    ends = {axis: _ends(velocity.boundary, axis) for axis in velocity.sampling.axes}
    sides = {axis: (_PRESSURE[lower], _PRESSURE[upper]) for axis, (lower, upper) in ends.items()}
    boundary, faces = combine_sides(sides), velocity.at_faces()
    if bodies or not has_transforms(velocity.sampling.shape, ends):
        return _around(velocity, faces, bodies, ends, boundary, solve)
    outflow = divergence(faces).values
    if not any("open" in pair for pair in ends.values()) and _has_inflow(velocity):
        _warn_if_unbalanced(outflow)
    laplacian = box_laplacian(velocity.sampling.shape, ends, velocity.dx)
    values = math.solve_linear(laplacian, outflow, solve)
    pressure = Field(velocity.sampling, values, Site.CENTER, boundary)
    correction = spatial_gradient(pressure, velocity.boundary, at="face")
    if velocity.site is Site.CENTER:
        correction = correction.at_centers()
    return velocity.with_values(velocity.values - correction.values), pressure


def _around(
    velocity: Field,
    faces: Field,
    bodies: tuple[Obstacle, ...],
    ends: dict[str, Ends],
    boundary: Extrapolation,
    solve: Solve | None,
) -> tuple[Field, Field]:
    """Projection by an iterative solve; velocities at centers change by the mean of what their faces do."""
    projected, values, solids = project_around(faces, bodies, ends, boundary, solve)
    pressure = Field(velocity.sampling, values, Site.CENTER, boundary)
    if velocity.site is Site.FACE:
        return velocity.with_values(projected.values), pressure
    change = faces.with_values(projected.values - faces.values).at_centers()
    return velocity.with_values(solids.followed(velocity.values + change.values, velocity.points)), pressure


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


def _check_supported(velocity: Field, solve: Any) -> None:
    if solve is not None and not isinstance(solve, Solve):
        raise TypeError(
            f"`make_incompressible` takes the settings of its solve as `Solve(…)`, but found {solve!r}."
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
