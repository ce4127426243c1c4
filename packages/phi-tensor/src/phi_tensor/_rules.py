"""Loads every planning rule, so that the table of operations is complete on import."""

from phi_tensor.layouts import _cast, _concat, _elementwise, _join, _pack, _reduction, _structure
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
from phi_tensor.sparse import _elementwise as _sparse_elementwise
from phi_tensor.sparse import _joining as _sparse_joining
from phi_tensor.sparse import _moving as _sparse_moving
from phi_tensor.sparse import _products as _sparse_products
from phi_tensor.sparse import _reductions as _sparse_reductions
from phi_tensor.sparse import _slicing as _sparse_slicing
from phi_tensor.sparse import _structure as _sparse_structure

RULE_MODULES = (
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
    _sparse_elementwise,
    _sparse_joining,
    _sparse_moving,
    _sparse_products,
    _sparse_reductions,
    _sparse_slicing,
    _sparse_structure,
)
"""The modules that register rules."""
