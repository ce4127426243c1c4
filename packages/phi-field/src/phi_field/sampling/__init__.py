"""Discretisations of space. One file each; all operators are composed of their primitives."""

from phi_field.sampling._grid import Grid
from phi_field.sampling._sampling import Sampling
from phi_field.sampling._site import Site

__all__ = ["Grid", "Sampling", "Site"]
