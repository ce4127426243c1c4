"""Parts of fields: axes crop the grid, components and batch entries select values."""

from __future__ import annotations

from typing import Any

from phi_field._field import Field
from phi_field.sampling._components import part
from phi_field.sampling._grid import Grid, grid_on
from phi_field.sampling._site import Site
from phi_geom import UniformGrid
from phi_tensor import IncompatibleShapes


def sliced(field: Field, selection: dict[str, Any]) -> Field:
    """Part of a field by a dict from dim names to selections.

    Slices of axes keep the cell size and crop the bounds; ints remove the axis. One component of a staggered
    field is a centered field whose cells lie around the faces.
    """
    chosen = dict(selection)
    if field.site is not Site.CENTER and "vector" in chosen and "vector" in field.values.shape:
        label = chosen.pop("vector")
        if isinstance(label, int):
            label = field.sampling.axes[label]
        if not isinstance(label, str) or label not in field.sampling.axes:
            raise IncompatibleShapes(
                f"Staggered components are selected one by one by label {field.sampling.axes}, but found "
                f"{label!r}."
            )
        field = component(field, label)
    axes = {name: chosen.pop(name) for name in tuple(chosen) if name in field.sampling.axes}
    if chosen:
        label = chosen.get("vector")
        boundary = field.boundary[{"vector": label}] if isinstance(label, str) else field.boundary
        batch_part = {
            name: where for name, where in chosen.items() if name != "vector" and name in boundary.shape
        }
        boundary = boundary[batch_part] if batch_part else boundary
        field = Field(field.sampling, field.values[chosen], field.site, boundary)
    return cropped(field, axes) if axes else field


def component(field: Field, axis: str) -> Field:
    """One component of a staggered field as a centered field on cells around its faces."""
    grid = field.sampling
    if not isinstance(grid, Grid):
        raise IncompatibleShapes(f"Only grids have staggered components, but found {grid!r}.")
    rule = part(field.boundary, axis)
    staggered = field.site.staggered(grid.axes)[axis]
    cells = grid.staggered_cells(staggered, rule)
    return Field(grid_on(cells), field.values.vector[axis], Site.CENTER, rule)


def cropped(field: Field, axes: dict[str, Any]) -> Field:
    """Part of a grid along its axes."""
    geometry = field.geometry
    if field.site is not Site.CENTER or not isinstance(geometry, UniformGrid):
        raise IncompatibleShapes(
            f"Values at {field.site.value}s cannot be cropped. Use `field.at_centers()` or one component, "
            f"`field['x']`."
        )
    ints = {axis: slice(i, i + 1 or None) if isinstance(i, int) else i for axis, i in axes.items()}
    part_ = geometry[ints]
    removed = [axis for axis, where in axes.items() if isinstance(where, int)]
    if removed:
        part_ = UniformGrid(part_.resolution.without(removed), part_.bounds.without(removed))
    return Field(grid_on(part_), field.values[axes], Site.CENTER, field.boundary)
