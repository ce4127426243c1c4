"""Plots, animations and a live viewer for tensors and fields.

>>> import phi_tensor as math
>>> figure = plot(math.linspace(0, 1, math.spatial(x=16)), title="A ramp")
>>> type(figure).__name__
'Figure'
"""

from phi_vis._animation import Animation
from phi_vis._layout import overlay
from phi_vis._marks import Arrows, Axis, Bars, Curve, Image, Panel, Points, Region
from phi_vis._plot import animate, close, plot, save, show

savefig = save

__all__ = [
    # pictures
    "animate",
    "overlay",
    "plot",
    "show",
    # files and figures
    "Animation",
    "close",
    "save",
    "savefig",
    # marks
    "Arrows",
    "Axis",
    "Bars",
    "Curve",
    "Image",
    "Panel",
    "Points",
    "Region",
]
