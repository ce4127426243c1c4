"""Matrices of other libraries: SciPy's, and sparse arrays of the learning frameworks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._shape import Shape
from phi_tensor.backends._numpy import NUMPY
from phi_tensor.layouts._layout import Dense
from phi_tensor.layouts._pattern import Ints, raveled
from phi_tensor.layouts._sparse import Sparse, entries_dim
from phi_tensor.sparse._collect import at_pattern, groups, placed, sizes_of
from phi_tensor.sparse._entries import picked_entries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from phi_tensor._tensor import Tensor


def native_matrix(x: Tensor, axes: Sequence[tuple[str, ...]]) -> Any:
    """Sparse array of the tensor's library; each axis packs some of the sparse dims."""
    from phi_tensor._tensor import Tensor  # noqa: PLC0415 tensors need this module

    layout = x.layout
    assert isinstance(layout, Sparse)
    named = {name for axis in axes for name in axis}
    if len(axes) != 2 or named != {*layout.names} or layout.values.shape.rank > 1:
        raise Unsupported(
            f"Native sparse arrays are matrices: two axes that pack all sparse dims {layout.names}, no "
            f"further "
            f"dims, but found the axes {list(axes)} of {layout.shape}. Convert it first: `dense(x)`."
        )
    places, count = layout.coordinates(), layout.pattern.count
    sizes = [tuple(sizes_of([layout.shape.get_dim(name) for name in axis])) for axis in axes]
    rows, columns = (
        raveled([places[name] for name in axis], size, count) for axis, size in zip(axes, sizes, strict=True)
    )
    format = _format(layout, axes)
    order = np.lexsort((rows, columns)) if format == "csc" else np.lexsort((columns, rows))
    pick = picked_entries(layout.values, order)
    values = pick(Tensor(layout.values, x.natives)).block().natives[0]
    if layout.backend.shape(values) != (count,):
        values = layout.backend.ops["broadcast_to"](values, (count,))
    shape = tuple(int(np.prod(size, dtype=object)) for size in sizes)
    make = layout.backend.ops["sparse_matrix"]
    return make(values, rows[order], columns[order], shape, format)


def _format(layout: Sparse, axes: Sequence[tuple[str, ...]]) -> str:
    """Format for these axes: rows of a matrix may be the second one."""
    if layout.format == "coo" or not layout.inner:
        return "coo"
    return "csr" if {d.name for d in layout.outer} == {*axes[0]} else "csc"


def from_scipy(matrix: Any, dims: Shape) -> Tensor:
    """Tensor of a SciPy matrix, whose values it shares where their order allows; duplicates add up."""
    from phi_tensor._tensor import Tensor  # noqa: PLC0415 tensors need this module

    if dims.rank != matrix.ndim:
        raise IncompatibleShapes(
            f"The sparse array has {matrix.ndim} axes of sizes {matrix.shape}, but {dims.rank} dims were "
            f"given: "
            f"{dims}. Name every axis, e.g. `wrap(matrix, spatial('x'), dual('x'))`."
        )
    for dim, size in zip(dims.dims, matrix.shape, strict=True):
        if dim.size not in (None, size):
            raise IncompatibleShapes(
                f"Dim `{dim.name}` was given size {dim.size}, but the data has {size} entries there. Leave "
                f"the "
                f"size away."
            )
    shape = Shape.of(
        tuple(d.with_size(int(size), d.labels) for d, size in zip(dims.dims, matrix.shape, strict=True))
    )
    listed = matrix.tocoo()
    coordinates: Sequence[Ints] = getattr(listed, "coords", None) or (listed.row, listed.col)
    places = {n: np.asarray(c, np.int64) for n, c in zip(shape.names, coordinates, strict=True)}
    format = matrix.format if matrix.format in ("csr", "csc") and shape.rank > 1 else "coo"
    outer, inner = groups(shape.dims, format)
    pattern, ids = placed(outer, inner, places, listed.nnz)
    entries = (entries_dim(listed.nnz),)
    values = Dense.of(entries, Shape.of(entries), NUMPY.dtype(listed.data), NUMPY)
    plan = at_pattern(values, outer, inner, pattern, ids, shape.names, format != "coo")
    return plan(Tensor(values, (listed.data,)))
