"""Dense linear algebra by names: a matrix has row dims and column dims, all other dims are batched.

Columns are the dual dims, rows the dims of the same names (else the only primal dim), or those that `rows`
and `columns` name. Several dims are packed on the way, labels are kept. `A(x, ~x)` maps vectors along `x` to
vectors along `x`, as `A @ v` does.

Matrices that have no result (singular ones, those with NaN) give numbers that are not finite, for themselves
and not for the rest of a batch; compiled by TensorFlow, inverses of singular ones may be huge instead.
Derivatives exist to any order where eigenvalues and singular values are distinct; where they repeat, those of
the vectors are what the backend gives, mostly not finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, cast

import numpy as np

from phi_tensor._dim import Dim
from phi_tensor._dim_types import channel, dual
from phi_tensor._dtype import DType
from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._tensor import Tensor
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor
from phi_tensor.ops._decompositions import singular_values
from phi_tensor.ops._dtype_rules import result_types
from phi_tensor.ops._matrices import Matrix, matrix_dims, of_matrix, real_type
from phi_tensor.ops._products import norm
from phi_tensor.ops._reductions import max_, min_, sum_

Order = Literal["frobenius", "nuclear", "spectral"] | float


def solve_dense(matrix: Any, vector: Any, rows: Any = None, columns: Any = None) -> Tensor:
    """Solution x of A x = b for square matrices A, by LU decomposition.

    Args:
        matrix: A `(…, rows, columns)`.
        vector: b `(…, rows)`; dims that A does not have are further right-hand sides.
        rows: Row dims of A, see the module; default: those named like the columns.
        columns: Column dims of A; default: all dual dims.

    Returns:
        x `(…, columns)` with primal dims, such that `matrix @ x` is `vector`. Not finite where A is singular.

    Raises:
        IncompatibleShapes: A is not square, or sizes or labels of its rows and of b differ.

    >>> import phi_tensor as math
    >>> A = math.wrap([[2.0, 0.0], [0.0, 4.0]], math.spatial("x"), math.dual("x"))
    >>> solve_dense(A, math.wrap([2.0, 8.0], math.spatial("x")))
    (1.0, 2.0) along (x:s=2) float32
    """
    a, b = as_tensor(matrix), as_tensor(vector)
    first, second = matrix_dims(a.shape, rows, columns, "solve_dense")
    return table.SOLVE(a, b, rows=first, columns=second)


def inverse(matrix: Any, rows: Any = None, columns: Any = None) -> Tensor:
    """Inverse A⁻¹ of square matrices: it maps the rows of A to its columns.

    Args:
        matrix: A `(…, rows, columns)`.
        rows: Row dims of A; default: those named like the columns.
        columns: Column dims of A; default: all dual dims.

    Returns:
        Matrix whose rows are the primal columns of A and whose columns are the dual rows of A, with their
        labels. Not finite where A is singular.

    >>> import phi_tensor as math
    >>> inverse(math.wrap([[2.0]], math.spatial("x"), math.dual("x"))).shape
    (x:s=1, ~x:d=1)
    """
    return of_matrix(table.INV, "inverse", matrix, rows, columns)


def pinv(matrix: Any, rows: Any = None, columns: Any = None, rel_tol: float | None = None) -> Tensor:
    """Pseudo-inverse A⁺ (Moore, Penrose): `pinv(A) @ b` is the least-squares solution of A x = b.

    Args:
        matrix: A `(…, rows, columns)`, of any numbers of rows and columns.
        rows: Row dims of A; default: those named like the columns.
        columns: Column dims of A; default: all dual dims.
        rel_tol: Singular values up to this part of the largest count as 0; default: max(n, m)·ε.

    >>> import phi_tensor as math
    >>> pinv(math.wrap([[2.0], [0.0]], math.spatial("y"), math.dual("x"))).shape
    (x:s=1, ~y:d=2)
    """
    value = as_tensor(matrix)
    first, second = matrix_dims(value.shape, rows, columns, "pinv")
    tolerance = _tolerance(value, first, second) if rel_tol is None else float(rel_tol)
    return table.PINV(value, rows=first, columns=second, new=None, rel_tol=tolerance)


def determinant(matrix: Any, rows: Any = None, columns: Any = None) -> Tensor:
    """Determinant of square matrices.

    >>> import phi_tensor as math
    >>> determinant(math.wrap([[2.0, 1.0], [0.0, 4.0]], math.spatial("x"), math.dual("x")))
    8.0
    """
    return of_matrix(table.DET, "determinant", matrix, rows, columns)


def log_determinant(matrix: Any, rows: Any = None, columns: Any = None) -> Tensor:
    """log|det A| of square matrices, without overflow; −∞ for singular ones.

    >>> import phi_tensor as math
    >>> log_determinant(math.wrap([[1.0, 1.0], [0.0, -1.0]], math.spatial("x"), math.dual("x")))
    0.0
    """
    return of_matrix(table.LOGABSDET, "log_determinant", matrix, rows, columns)


def trace(matrix: Any, rows: Any = None, columns: Any = None) -> Tensor:
    """Sum of the diagonal of square matrices.

    >>> import phi_tensor as math
    >>> trace(math.wrap([[2.0, 1.0], [0.0, 4.0]], math.spatial("x"), math.dual("x")))
    6.0
    """
    return of_matrix(table.TRACE, "trace", matrix, rows, columns)


def matrix_rank(matrix: Any, rows: Any = None, columns: Any = None, rel_tol: float | None = None) -> Tensor:
    """Number of linearly independent rows [-]: of the singular values above `rel_tol` times the largest.

    Args:
        matrix: A `(…, rows, columns)`.
        rows: Row dims of A; default: those named like the columns.
        columns: Column dims of A; default: all dual dims.
        rel_tol: Default: max(n, m)·ε.

    >>> import phi_tensor as math
    >>> matrix_rank(math.ones(math.spatial(x=3), math.dual(x=3)))
    1
    """
    value = as_tensor(matrix)
    first, second = matrix_dims(value.shape, rows, columns, "matrix_rank")
    tolerance = _tolerance(value, first, second) if rel_tol is None else float(rel_tol)
    found = singular_values(value, _SINGULAR, first, second)
    return sum_(found > tolerance * max_(found, _SINGULAR), _SINGULAR)


def matrix_norm(matrix: Any, order: Order = "frobenius", rows: Any = None, columns: Any = None) -> Tensor:
    """Norm of matrices.

    Args:
        matrix: A `(…, rows, columns)`.
        order: `frobenius` √Σ|aᵢⱼ|², `nuclear` (sum of the singular values), `spectral` or 2 (the largest), -2
            (the smallest), 1 or inf (largest sum of magnitudes in a column or row), -1 or -inf (smallest).
        rows: Row dims of A; default: those named like the columns.
        columns: Column dims of A; default: all dual dims.

    >>> import phi_tensor as math
    >>> matrix_norm(math.wrap([[3.0, 0.0], [0.0, -4.0]], math.spatial("x"), math.dual("x")))
    5.0
    """
    value = as_tensor(matrix)
    if order not in _NORMS:
        raise Unsupported(f"`matrix_norm` has the orders {tuple(_NORMS)}, but found {order!r}.")
    return _NORMS[order](value, *matrix_dims(value.shape, rows, columns, "matrix_norm"))


def transpose(matrix: Any, rows: Any = None, columns: Any = None) -> Tensor:
    """Transposed matrix Aᵀ: rows become columns and columns rows, without conjugation or copying.

    `A(y, ~x)` gives `(~y, x)`; dims that are not dual exchange their names.

    Args:
        matrix: A `(…, rows, columns)`.
        rows: Row dims of A; default: those named like the columns.
        columns: Column dims of A; default: all dual dims.

    >>> import phi_tensor as math
    >>> transpose(math.ones(math.spatial(y=3), math.dual(x=2))).shape
    (~y:d=3, x:s=2)
    """
    value = as_tensor(matrix)
    first, second = matrix_dims(value.shape, rows, columns, "transpose")
    shape = value.shape
    m = Matrix(tuple(map(shape.get_dim, first)), tuple(map(shape.get_dim, second)))
    new: tuple[Dim, ...] = m.transposed()
    if not all(dim.type is dual for dim in m.columns):
        if len(first) != len(second):
            raise IncompatibleShapes(
                f"`transpose` exchanges the names of rows and columns in pairs, but found {first} and "
                f"{second}."
            )
        new = (
            *(_like(r, c) for r, c in zip(m.rows, m.columns, strict=True)),
            *(_like(c, r) for r, c in zip(m.rows, m.columns, strict=True)),
        )
        return table.RENAME(value, renamed=tuple(zip((*second, *first), new, strict=True)))
    return table.RENAME(value, renamed=tuple(zip((*second, *first), new, strict=True)))


_SINGULAR = channel("_singular")


def _like(named: Dim, sized: Dim) -> Dim:
    """Name and type of one dim with size and labels of another."""
    return named.with_size(sized.size, sized.labels)


def _tolerance(value: Tensor, rows: tuple[str, ...], columns: tuple[str, ...]) -> float:
    """max(n, m)·ε of the type that is computed with."""
    sizes = [math.prod(max(_sizes(value.shape.get_size(n))) for n in names) for names in (rows, columns)]
    dtype: DType = real_type(result_types(table.SVDVALS, (value.layout,))[1])
    return max(sizes) * float(np.finfo(dtype.numpy).eps)


def _sizes(size: Any) -> tuple[int, ...]:
    """All sizes that a dim has."""
    if not isinstance(size, tuple):
        return (size,)
    return tuple(s for part in cast("tuple[Any, ...]", size) for s in _sizes(part))


Names = tuple[str, ...]


def _extreme_sum(
    extreme: Callable[[Any, Any], Any], of_rows: bool
) -> Callable[[Tensor, Names, Names], Tensor]:
    def extreme_sum(value: Tensor, rows: Names, columns: Names) -> Tensor:
        summed, listed = (columns, rows) if of_rows else (rows, columns)
        return extreme(sum_(table.ABS(value), summed), listed)

    return extreme_sum


def _by_singular_values(reduce: Callable[[Any, Any], Any]) -> Callable[[Tensor, Names, Names], Tensor]:
    return lambda value, rows, columns: reduce(singular_values(value, _SINGULAR, rows, columns), _SINGULAR)


_NORMS: dict[Any, Callable[[Tensor, Names, Names], Tensor]] = {
    "frobenius": lambda value, rows, columns: norm(value, (*rows, *columns)),
    "nuclear": _by_singular_values(sum_),
    "spectral": _by_singular_values(max_),
    2: _by_singular_values(max_),
    -2: _by_singular_values(min_),
    1: _extreme_sum(max_, of_rows=False),
    -1: _extreme_sum(min_, of_rows=False),
    math.inf: _extreme_sum(max_, of_rows=True),
    -math.inf: _extreme_sum(min_, of_rows=True),
}
