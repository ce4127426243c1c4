"""Recipes: one file per kind of picture. The first that applies draws; a new one is a file and a row here."""

from phi_tensor import Unsupported
from phi_vis._marks import Panel
from phi_vis._source import Source
from phi_vis.recipes import _arrows, _bars, _curve, _image, _path, _points, _region

RECIPES = (
    _region.RECIPE,
    _points.RECIPE,
    _path.RECIPE,
    _curve.RECIPE,
    _arrows.RECIPE,
    _image.RECIPE,
    _bars.RECIPE,
)


def panel_of(source: Source) -> Panel:
    """Panel drawn by the first recipe that applies.

    Raises:
        Unsupported: No recipe applies.
    """
    left = (
        source.values.shape.non_channel.without(source.axes)
        if source.values is not None and source.points is None
        else None
    )
    if left:
        raise Unsupported(
            f"`plot` has no place for the dims {left} beside the axes {source.axes}. Slice or reduce them, "
            f"or make them batch dims for subplots: `rename_dims(value, '{','.join(left.names)}', batch)`."
        )
    for recipe in RECIPES:
        if recipe.applies(source):
            return recipe.panel(source)
    raise Unsupported(
        f"There is no recipe for {source.shape} over the axes {source.axes}, only for "
        f"{', '.join(recipe.name for recipe in RECIPES)}. Reduce or slice dims first."
    )
