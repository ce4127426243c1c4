"""Curl."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import phi_tensor as math
from phi_field._boundary import as_boundary
from phi_field._field import Field
from phi_field.sampling._components import part
from phi_field.sampling._grid import Grid
from phi_field.sampling._site import Site
from phi_tensor import IncompatibleShapes, Tensor, channel
from phi_tensor.extrapolation import NONE, PERIODIC, ZERO, Extrapolation, Undefined, get_normal
from phi_tensor.extrapolation import map as map_rules

Term = tuple[str | None, str, int]
"""Component of the field, axis of its derivative, sign."""


def _stored(boundary: Extrapolation) -> Extrapolation:
    """Boundary of values that are stored at all outer sites that can be known.

    One derivative of two is unknown outside.
    """
    normal = get_normal(boundary)
    if normal == NONE or isinstance(normal, Undefined):
        return Undefined(ZERO)
    return map_rules(lambda rule: rule if rule == PERIODIC else NONE, normal)


def _derivative(boundary: Extrapolation) -> Extrapolation:
    return boundary.spatial_gradient()


_TARGETS: dict[tuple[Site, int], tuple[Site, Callable[[Extrapolation], Extrapolation]]] = {
    (Site.FACE, 2): (Site.VERTEX, _stored),
    (Site.FACE, 3): (Site.EDGE, _stored),
    (Site.VERTEX, 2): (Site.FACE, _derivative),
    (Site.EDGE, 3): (Site.FACE, _derivative),
    (Site.CENTER, 2): (Site.CENTER, _derivative),
    (Site.CENTER, 3): (Site.CENTER, _derivative),
}
"""Where the curl of values at a site of an n-dimensional grid sits (derivatives lie half a cell aside).

And its boundary.
"""


def curl(field: Field, at: Any = None, boundary: Any = None) -> Field:
    """Curl ∇×u.

    | field | result |
    | --- | --- |
    | vectors at faces (staggered), 2D or 3D | scalar at vertices, or vectors at edges |
    | scalar ψ at vertices, vectors at edges | vectors at faces without divergence: (∂ψ/∂y, −∂ψ/∂x) |
    | at centers, vectors or in 2D a scalar | at centers, central differences |

    Args:
        field: Vector field `(batch…, spatial…, vector)`, or in 2D a scalar field (stream function).
        at: Site of the result; `'corner'` is another word for a vertex. By default as in the table.
        boundary: Boundary of the result, which decides about the outer sites; by default all are stored from
            faces (periodic axes stay periodic), else it is the derivative of the field's.

    Raises:
        IncompatibleShapes: The grid is neither 2D nor 3D, or `at` is another site than that of the table.
    """
    grid = field.sampling
    target, derive = _TARGETS.get((field.site, len(grid.axes)), (None, _derivative))
    if target is None or not isinstance(grid, Grid) or (at is not None and Site.of(at) is not target):
        raise IncompatibleShapes(
            f"`curl` at {at!r} of values at {field.site!r} on a {len(grid.axes)}D grid is not defined. "
            f"From faces it goes to vertices "
            f"(2D) or edges (3D), from these to faces, from centers to centers: use `at_centers()` or "
            f"`at_faces()` first."
        )
    rule = derive(field.boundary) if boundary is None else as_boundary(boundary)
    terms = _terms(grid.axes, "vector" in field.values.shape)
    parts = {c: _component(field, grid, target, rule, c, sum_) for c, sum_ in terms.items()}
    if None in parts:
        return Field(grid, parts[None], target, rule)
    return Field(
        grid, math.stack([parts[axis] for axis in grid.axes], channel(vector=grid.axes)), target, rule
    )


def _terms(axes: tuple[str, ...], vector: bool) -> dict[str | None, list[Term]]:
    """Terms of each component of the result (Levi-Civita)."""
    if len(axes) == 3:
        return {k: [(j, i, 1), (i, j, -1)] for k, i, j in (axes, (*axes[1:], axes[0]), (axes[2], *axes[:2]))}
    x, y = axes
    return {None: [(y, x, 1), (x, y, -1)]} if vector else {x: [(None, y, 1)], y: [(None, x, -1)]}


def _component(
    field: Field, grid: Grid, target: Site, rule: Any, component: str | None, terms: list[Term]
) -> Tensor:
    result: Tensor | None = None
    for source, axis, sign in terms:
        slope = grid.slope_at(
            field.values, field.site, field.boundary, source, axis, target, part(rule, component)
        )
        result = sign * slope if result is None else result + slope if sign > 0 else result - slope
    assert result is not None
    return result
