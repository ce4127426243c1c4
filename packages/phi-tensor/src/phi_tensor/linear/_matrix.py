"""Matrices of linear functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from phi_tensor._dim import Dim
from phi_tensor._dim_types import dual
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._pattern import Pattern, unravelled
from phi_tensor.layouts._sparse import ENTRIES, Sparse
from phi_tensor.linear._axis_maps import scattered
from phi_tensor.linear._coo import Coo
from phi_tensor.linear._terms import positions
from phi_tensor.linear._traced import Traced, traced
from phi_tensor.ops import _table as table
from phi_tensor.transforms._flat import signature_of


def matrix_from_function(
    f: Callable[..., Any],
    *args: Any,
    auxiliary_args: str | None = None,
    auto_compress: bool = False,
    sparsify_batch: bool | None = None,
    separate_independent: bool = False,
    **kwargs: Any,
) -> tuple[Tensor, Tensor]:
    """`(A, b)` with f(x) = A x + b, of a function that does linear operations to its argument.

    The function is called once, with a tensor that records what happens to it. Dims of `x` become dual dims
    of the matrix and dims of the result its rows. Dims that the function handles entry by entry, all alike,
    are no dims of the matrix; batch dims along which coefficients vary are batch dims of its values.

    Args:
        f: Linear or affine function of one tensor.
        *args: Its arguments: the unknown, whose numbers do not matter, and constants.
        auxiliary_args: Names (comma list) of the constants. Without, all but the first argument are.
        auto_compress: Sort and store entries by row (`csr`) instead of as a list (`coo`).
        sparsify_batch: True: batch dims along which coefficients vary become rows and columns, too.
        separate_independent: True: other dims along which nothing is coupled, but coefficients vary, are dims
            of the values instead of rows and columns.
        **kwargs: Further arguments.

    Returns:
        `(matrix, bias)`. The matrix is sparse, or dense if it has no rows or no columns; the bias has the
        dims of the result. Both are differentiable in what they were computed from.

    Raises:
        NonlinearOperation: `f` is not linear in the unknown.
        Untraceable: `f` is linear, but by an operation without index maps, such as a Fourier transform.
        Unsupported: The unknown or the result is no single tensor of uniform sizes.

    >>> import phi_tensor as math
    >>> x = math.wrap([1.0, 2.0, 4.0], math.spatial("x"))
    >>> matrix, bias = matrix_from_function(lambda x: 2 * math.pad(x, (-1, 1)) + 1, x)
    >>> matrix @ x + bias
    (5.0, 9.0, 1.0) along (x:s=3) float32
    """
    function, x = linear_in(f, args, kwargs, auxiliary_args)
    return matrix_and_bias(traced(function, x), auto_compress, bool(sparsify_batch), separate_independent)


def linear_in(
    f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], auxiliary_args: str | None
) -> tuple[Callable[[Any], Any], Any]:
    """`(function of the unknown alone, unknown)` of a call."""
    auxiliary = {name.strip() for name in (auxiliary_args or "").split(",") if name.strip()}
    signature = signature_of(f)
    names = list(signature.parameters) if signature is not None else []
    candidates: list[int | str] = [
        i for i in range(len(args)) if i >= len(names) or names[i] not in auxiliary
    ]
    if not args:
        candidates = [name for name in kwargs if name not in auxiliary]
    if not candidates or (auxiliary and len(candidates) > 1):
        raise IncompatibleShapes(
            f"A linear function is traced by one argument, but found {len(candidates)} of {names} besides "
            f"the constants {sorted(auxiliary)}. Name all but one in `auxiliary_args`; several unknowns are "
            f"passed as one tuple or tree."
        )
    place = candidates[0]
    if isinstance(place, str):
        return lambda x: f(**{**kwargs, place: x}), kwargs[place]
    return lambda x: f(*args[:place], x, *args[place + 1 :], **kwargs), args[place]


def matrix_and_bias(
    function: Traced,
    compressed: bool = False,
    sparsify_batch: bool = False,
    separate_independent: bool = False,
) -> tuple[Tensor, Tensor]:
    """`(A, b)` of a traced function of one tensor."""
    coo = function.to_coo(sparsify_batch, separate_independent)
    return matrix_of(coo, compressed), cast("Tensor", function.bias)


def matrix_of(coo: Coo, compressed: bool = False) -> Tensor:
    """Entries as a sparse tensor; as a dense one where rows or columns are missing."""
    columns = Shape.of(tuple(_dual(dim) for dim in coo.columns.dims))
    twice = [name for name in columns.names if name in coo.rows or name in coo.values.shape]
    if twice:
        raise IncompatibleShapes(
            f"The columns of a matrix are dual dims, but {twice} are dims of the result already: {coo.rows}. "
            f"Rename the dual dims of the unknown, or of the result."
        )
    if not coo.rows and not coo.columns:
        return table.SUM(coo.values, names=(ENTRIES,))
    rows, across = (tuple(cast("int", dim.size) for dim in dims) for dims in (coo.rows.dims, columns.dims))
    if not coo.rows or not coo.columns:
        flat, dims, own = (coo.column, columns, across) if coo.columns else (coo.row, coo.rows, rows)
        entries = coo.values.shape.get_dim(ENTRIES)
        at = [positions(entries, np.asarray(index)) for index in unravelled(flat, own)]
        return _named(scattered(coo.values, at, tuple(d.with_size(d.size) for d in dims.dims)), dims)
    pattern = Pattern.of(rows, across, coo.row, coo.column)
    others = coo.values.shape.without(ENTRIES)
    shape = Shape.of((*others.dims, *coo.rows.dims, *columns.dims))
    layout = Sparse.of(coo.rows.dims, columns.dims, pattern, coo.values.layout, shape, compressed)
    return Tensor(layout, coo.values.natives)


def _dual(dim: Dim) -> Dim:
    return Dim.of(dual.dim_name(dim.name), dual, dim.size, dim.labels)


def _named(x: Tensor, dims: Shape) -> Tensor:
    renamed = tuple((dim.name, dim) for dim in dims.dims if dim.labels)
    return table.RENAME(x, renamed=renamed) if renamed else x
