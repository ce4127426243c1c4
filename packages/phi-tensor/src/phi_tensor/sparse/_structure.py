"""Rules that change dims and types of sparse tensors but not where entries are: cast, expand, rename."""

from __future__ import annotations

from typing import Any

from phi_tensor._dim import Dim
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._plan import RULES, PlanCall, Row, layout_of, planned
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._layout import Dense
from phi_tensor.layouts._sparse import Sparse
from phi_tensor.sparse._rules import sparse_rule


def on_values(row: Row, layout: Sparse, **parameters: Any) -> PlanCall:
    """Plan of an operation that acts on the stored values and keeps zeros."""
    plan: PlanCall = RULES[row.kind](row, layout.values, **parameters)
    values = layout.values
    found = layout.with_values(layout_of(plan))
    return planned(found, lambda t: Tensor(found, plan(Tensor(values, t.natives)).natives))


@sparse_rule("cast")
def cast_rule(row: Row, layout: Sparse, **parameters: Any) -> PlanCall:
    """Plan that changes element type or library of the values."""
    return on_values(row, layout, **parameters)


@sparse_rule("rename")
def rename_rule(row: Row, layout: Sparse, renamed: tuple[tuple[str, Dim], ...]) -> PlanCall:
    """Plan that exchanges dims; a matrix is transposed by it, and its rows become columns where they are."""
    shape = RULES["rename"](row, Dense.of((), layout.shape, layout.dtype, layout.backend), renamed=renamed)
    dims = {name: layout_of(shape).shape.dims[layout.shape.names.index(name)] for name, _ in renamed}
    result = layout.with_shape(dims, layout_of(shape).shape)
    return planned(result, lambda t: Tensor(result, t.natives))


@sparse_rule("expand")
def expand_rule(row: Row, layout: Sparse, dims: tuple[Dim, ...]) -> PlanCall:
    """Plan that adds dims along which the tensor is constant; present ones are checked."""
    shape = merge_shapes(Shape.of(dims), layout.shape)
    if not shape.well_defined or not shape.is_uniform:
        raise IncompatibleShapes(f"Expanding a sparse tensor needs known, uniform sizes, but found {shape}.")
    added = tuple(shape.get_dim(d.name) for d in dims if d.name not in layout.names)
    plan = RULES["expand"](row, layout.values, dims=added)
    outer, inner = (tuple(shape.get_dim(d.name) for d in dims) for dims in (layout.outer, layout.inner))
    result = Sparse.of(outer, inner, layout.pattern, layout_of(plan), shape, layout.compressed)
    values = layout.values
    return planned(result, lambda t: Tensor(result, plan(Tensor(values, t.natives)).natives))
