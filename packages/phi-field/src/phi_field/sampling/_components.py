"""Components of values at the sites of a grid: taken apart and put together."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import phi_tensor as math
from phi_field.sampling._site import Site
from phi_tensor import IncompatibleShapes, Shape, Tensor, channel, dual
from phi_tensor.extrapolation import CopyExtrapolation, Extrapolation

Component = tuple[Tensor, Extrapolation, tuple[str, ...]]
"""Values and boundary of one component, and the axes along which it is staggered."""


def unstacked(values: Tensor, site: Site, boundary: Extrapolation, axes: tuple[str, ...]) -> list[Component]:
    """`(values, boundary, staggered axes)` of each component of a site."""
    if site is Site.CENTER:
        return [(values, boundary, ())]
    staggered = site.staggered(axes)
    if None in staggered:
        return [(values, boundary, staggered[None])]
    dim = face_dim(values)
    if dim == "vector":
        return [(values.sliced((("vector", c),)), part(boundary, c), along) for c, along in staggered.items()]
    return [(values.sliced((("~vector", c),)), boundary, along) for c, along in staggered.items()]


def one_component(
    values: Tensor, site: Site, boundary: Extrapolation, component: str | None, axes: tuple[str, ...]
) -> Component:
    """One component; of vectors where a site holds whole ones."""
    components = unstacked(values, site, boundary, axes)
    if component is None or len(components) > 1:
        return components[0 if component is None else axes.index(component)]
    return component_of(values, component, axes), part(boundary, component), components[0][2]


def stacked(parts: list[Tensor], site: Site, dim: str, axes: tuple[str, ...]) -> Tensor:
    """Components of a site as one tensor."""
    if site is Site.CENTER or site is Site.VERTEX:
        return parts[0]
    apart = dim == "~vector" or any("vector" in p.shape.names for p in parts)
    return math.stack(parts, axes_dim(axes, apart), expand_values=True)


def component_of(values: Tensor, component: str, axes: tuple[str, ...]) -> Tensor:
    """One component of vectors; scalars are the same for every component."""
    is_vector = "vector" in values.shape and values.shape.get_dim("vector").labels == axes
    return values.sliced((("vector", component),)) if is_vector else values


def part(boundary: Any, component: str | None) -> Any:
    """Boundary of one component."""
    if component is None or type(boundary) is CopyExtrapolation or boundary is None:
        return boundary
    return boundary[{"vector": component}]


def face_dim(values: Tensor) -> str:
    """Dim that lists the axes of faces.

    The components normal to them, or a dim of its own beside whole vectors.
    """
    names = values.shape.names
    if "~vector" in names:
        return "~vector"
    if "vector" not in names:
        raise IncompatibleShapes(
            f"Values at faces or edges need one entry per axis along `vector`, but have {values.shape}."
        )
    return "vector"


@lru_cache(64)
def axes_dim(axes: tuple[str, ...], apart: bool) -> Shape:
    """Dim that lists the axes: `vector`, or apart from it `~vector`."""
    return (dual if apart else channel)(vector=axes)
