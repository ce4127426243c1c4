"""Values at other sites of the same grid, the mean of neighbours along each axis in turn."""

from __future__ import annotations

from phi_field.sampling._components import Component, component_of, part, stacked, unstacked
from phi_field.sampling._neighbors import mean_of_neighbors, missing_faces, outer_faces, padded
from phi_field.sampling._site import Site
from phi_tensor import Tensor
from phi_tensor.extrapolation import Extrapolation


def interpolated(
    values: Tensor,
    site: Site,
    boundary: Extrapolation,
    target: Site,
    target_boundary: Extrapolation | None,
    axes: tuple[str, ...],
) -> Tensor:
    """Values at other sites, the mean of neighbours along each axis in turn; vectors by component."""
    sources = unstacked(values, site, boundary, axes)
    parts = [
        _gathered(
            site if c is None else Site.CENTER,
            matching(sources, site, c, axes),
            wanted,
            part(target_boundary, c),
            axes,
        )
        for c, wanted in target.staggered(axes).items()
    ]
    return stacked(parts, target, "vector", axes)


def surrounding(
    values: Tensor,
    site: Site,
    boundary: Extrapolation,
    target: Site,
    target_boundary: Extrapolation | None,
    axes: tuple[str, ...],
) -> Tensor:
    """Whole values at each site, along `~vector` where sites have several components."""
    sources = unstacked(values, site, boundary, axes)
    parts = [
        _gathered(site, sources, wanted, part(target_boundary, c), axes)
        for c, wanted in target.staggered(axes).items()
    ]
    return stacked(parts, target, "~vector", axes)


def matching(
    sources: list[Component], site: Site, component: str | None, axes: tuple[str, ...]
) -> list[Component]:
    """What makes one component of the target: that component of a vector.

    All of them where a site holds whole vectors.
    """
    if component is None:
        return sources
    if None not in site.staggered(axes):
        return [sources[axes.index(component)]]
    values, boundary, staggered = sources[0]
    return [(component_of(values, component, axes), part(boundary, component), staggered)]


def _gathered(
    site: Site,
    sources: list[Component],
    wanted: tuple[str, ...],
    target: Extrapolation | None,
    axes: tuple[str, ...],
) -> Tensor:
    """All components of a site moved to the same place.

    As a vector where the site holds one component each.
    """
    return stacked([_moved(*source, wanted, target) for source in sources], site, "vector", axes)


def _moved(
    values: Tensor,
    boundary: Extrapolation,
    have: tuple[str, ...],
    want: tuple[str, ...],
    target: Extrapolation | None,
) -> Tensor:
    between: list[str] = []  # axes along which neighbours remain to be averaged

    def grown(values: Tensor, axis: str, widths: tuple[int, int]) -> Tensor:
        if any(widths):
            values = mean_of_neighbors(values, *between)
            between.clear()
        return padded(values, axis, widths, boundary)

    for axis in have:
        stored = outer_faces(target if axis in want else None, axis)
        values = grown(values, axis, missing_faces(outer_faces(boundary, axis), stored))
        if axis not in want:
            between.append(axis)
    for axis in want:
        if axis not in have:
            values = grown(values, axis, outer_faces(target, axis))
            between.append(axis)
    return mean_of_neighbors(values, *between)
