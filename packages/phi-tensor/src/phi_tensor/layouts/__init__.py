"""Layouts: descriptions of how a tensor is stored. Formats are data; there is one tensor class."""

from phi_tensor.layouts._layout import Dense, Layout, Parts, Ragged, Scalar, Stacked

__all__ = ["Dense", "Layout", "Parts", "Ragged", "Scalar", "Stacked"]
