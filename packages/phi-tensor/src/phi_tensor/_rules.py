"""Loads every planning rule, so that the table of operations is complete on import."""

from phi_tensor.layouts import _cast, _concat, _elementwise, _join, _pack, _reduction, _structure
from phi_tensor.linear import (
    _affine_elementwise,
    _affine_grid,
    _affine_joining,
    _affine_plan,
    _affine_products,
    _affine_sampling,
    _affine_scatter,
    _affine_structure,
)
from phi_tensor.ops import (
    _convolution,
    _grid,
    _grid_sample,
    _lookup,
    _matrices,
    _padding,
    _products,
    _scatter_plan,
    _signal,
    _slicing,
    _sorting,
    _systems,
)
from phi_tensor.sparse import _products as _sparse_products
from phi_tensor.sparse import _structure as _sparse_structure

RULE_MODULES = (
    _affine_elementwise,
    _affine_grid,
    _affine_joining,
    _affine_plan,
    _affine_products,
    _affine_sampling,
    _affine_scatter,
    _affine_structure,
    _cast,
    _concat,
    _elementwise,
    _join,
    _pack,
    _reduction,
    _structure,
    _convolution,
    _grid,
    _grid_sample,
    _lookup,
    _matrices,
    _padding,
    _products,
    _scatter_plan,
    _signal,
    _slicing,
    _sorting,
    _systems,
    _sparse_products,
    _sparse_structure,
)
"""The modules that register rules."""
