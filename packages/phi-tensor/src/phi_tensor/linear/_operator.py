"""Linear operators: pure functions of coefficients and a vector, with what is known about them.

`A x` couples the entries of x along the operator's `domain`; all other dims of x and of the coefficients list
independent systems. Only coefficients have derivatives: whatever else the functions of an operator use is
constant.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

import numpy as np

from phi_tensor._context import settings
from phi_tensor._dim_types import batch
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.ops._elementwise import conjugate, maximum, sqrt
from phi_tensor.ops._matrices import Matrix, matrix_dims
from phi_tensor.ops._products import dot
from phi_tensor.ops._reductions import max_, sum_
from phi_tensor.ops._structure import rename_dims

Coefficients = tuple[Tensor, ...]
Apply = Callable[[Coefficients, Tensor], Tensor]
AxisMatrices = Mapping[str, Any]

SYMMETRIC = "symmetric"
"""Tag: A = Aᴴ."""
DEFINITE = "definite"
"""Tag: xᴴA x has one sign for all x outside of the null space."""
CONSTANTS = "constants"
"""Tag: A maps constants to 0, and so does Aᴴ."""
REGULAR = "regular"
"""Tag: A has no null space."""


@dataclasses.dataclass(frozen=True, eq=False)
class LinearOperator:
    """A linear map with its adjoint and what is known about it.

    Attributes:
        domain: Dims of vectors that it couples, with sizes.
        codomain: Dims of the results in their place.
        function: `(coefficients, x) -> A x`.
        transposed: `(coefficients, y) -> Aᴴ y`; None where it is not known.
        coefficients: What A depends on, differentiably.
        bias: c of the affine map A x + c that A belongs to; None for 0.
        tags: What is known: `symmetric`, `definite`, `constants` (the null space), `regular`.
        axis_matrices: Symmetric or circulant (n, n) matrices by dim of A = Σ_axis s_axis I ⊗ A_axis ⊗ I; None
            for operators of another form. NumPy arrays or SciPy's sparse arrays (CSR).
        axis_scales: `coefficients -> ` numbers s > 0 by dim; None: all are 1.
        diagonal: `coefficients -> ` diagonal of A along `domain`; None where it is not known.
        bound: `coefficients -> ` number that is ≥ ‖A‖ and near it; None: it is estimated.
        matrix: `coefficients -> ` dense matrix with dual dims; None where there is none.
        preconditioner: `coefficients -> (r -> z)` with z ≈ A⁻¹ r that the operator offers; None for none.
        box: `coefficients -> (r -> z)` with z ≈ A⁻¹ r by the transforms of a box that A differs from by
            obstacles; tried before `preconditioner`. None for others.
        null_space: `coefficients -> (v -> ` projection of v beside the null spaces of A and Aᴴ`)`, where
            these are one space that is known but not that of constants; None else.
        closure: `coefficients -> (x -> A x)` where something is worth computing once for many products.

    >>> import phi_tensor as math
    >>> A = LinearOperator.from_matrix(math.wrap([[2.0, 1.0], [0.0, 4.0]], math.spatial("x"), math.dual("x")))
    >>> A.apply(math.wrap([1.0, 1.0], math.spatial("x")))
    (3.0, 4.0) along (x:s=2) float32
    """

    domain: Shape
    codomain: Shape
    function: Apply
    transposed: Apply | None = None
    coefficients: Coefficients = ()
    bias: Tensor | None = None
    tags: frozenset[str] = frozenset()
    axis_matrices: AxisMatrices | None = None
    diagonal: Callable[[Coefficients], Tensor] | None = None
    bound: Callable[[Coefficients], Tensor] | None = None
    matrix: Callable[[Coefficients], Tensor] | None = None
    preconditioner: Callable[[Coefficients], Callable[[Tensor], Tensor]] | None = None
    box: Callable[[Coefficients], Callable[[Tensor], Tensor]] | None = None
    closure: Callable[[Coefficients], Callable[[Tensor], Tensor]] | None = None
    null_space: Callable[[Coefficients], Callable[[Tensor], Tensor]] | None = None
    axis_scales: Callable[[Coefficients], Mapping[str, Tensor]] | None = None

    @staticmethod
    def from_matrix(matrix: Tensor, tags: frozenset[str] | set[str] = frozenset()) -> LinearOperator:
        """Operator of a dense matrix: its dual dims are contracted, the primal dims of the same names result.

        Symmetry and constant null spaces are proven by comparing numbers where there are some.

        Args:
            matrix: `(…, rows…, ~columns…)`.
            tags: What is known otherwise.
        """
        rows, columns = matrix_dims(matrix.shape, None, None, "solve_linear")
        return _of_matrix(matrix, rows, columns, frozenset(tags))

    def apply(self, x: Tensor) -> Tensor:
        """A x."""
        return self.function(self.coefficients, x)

    def many(self) -> Callable[[Tensor], Tensor]:
        """`x ↦ A x` for many products."""
        if self.closure is not None:
            return self.closure(self.coefficients)
        return self.apply

    def adjoint(self, y: Tensor) -> Tensor:
        """Aᴴ y."""
        assert self.transposed is not None
        return self.transposed(self.coefficients, y)

    def with_coefficients(self, values: Coefficients) -> LinearOperator:
        """The same operator for other coefficients of the same dims."""
        return dataclasses.replace(self, coefficients=tuple(values))

    def with_tags(self, *tags: str) -> LinearOperator:
        """The same operator, of which more is known."""
        return dataclasses.replace(self, tags=self.tags | frozenset(tags))

    @property
    def h(self) -> LinearOperator:
        """The adjoint operator Aᴴ."""
        assert self.transposed is not None
        diagonal, matrix, rows, columns = self.diagonal, self.matrix, self.codomain, self.domain
        axes = self.axis_matrices
        offered, box = (self.preconditioner, self.box) if SYMMETRIC in self.tags else (None, None)
        return LinearOperator(
            self.codomain,
            self.domain,
            self.transposed,
            self.function,
            self.coefficients,
            None,
            self.tags,
            None if axes is None else {name: a.T for name, a in axes.items()},
            None if diagonal is None else lambda c: conjugate(diagonal(c)),
            self.bound,
            None if matrix is None else lambda c: _adjoint_matrix(matrix(c), rows, columns),
            offered,
            box,
            null_space=self.null_space,
            axis_scales=self.axis_scales,
        )

    @property
    def is_square(self) -> bool:
        """Whether vectors and results have as many entries."""
        return self.domain.volume == self.codomain.volume


def _of_matrix(
    value: Tensor, rows: tuple[str, ...], columns: tuple[str, ...], tags: frozenset[str]
) -> LinearOperator:
    shape = value.shape
    m = Matrix(tuple(map(shape.get_dim, rows)), tuple(map(shape.get_dim, columns)))
    domain, codomain = Shape.of(m.solution()), Shape.of(m.rows)
    clash = [name for name in domain.names if name in shape.without((*rows, *columns))]
    if clash:
        raise IncompatibleShapes(
            f"The matrix {shape} maps vectors along {domain.names}, but has {clash} among its further dims. "
            f"Rename them, as `~x` is paired with `x`."
        )
    if m.height == m.width:
        tags |= _proven(value, rows, columns)

    def function(c: Coefficients, x: Tensor) -> Tensor:
        return dot(c[0], columns, x, domain.names)

    def transposed(c: Coefficients, y: Tensor) -> Tensor:
        matrix = conjugate(c[0]) if c[0].dtype.kind is complex else c[0]
        return rename_dims(dot(matrix, rows, y, rows), columns, domain)

    def diagonal(c: Coefficients) -> Tensor:
        return _diagonal(c[0], rows, columns, domain)

    square = m.height == m.width
    return LinearOperator(
        domain,
        codomain,
        function,
        transposed,
        (value,),
        tags=tags,
        diagonal=diagonal if square else None,
        bound=partial(_matrix_bound, rows, columns),
        matrix=lambda c: c[0],
    )


def _adjoint_matrix(matrix: Tensor, rows: Shape, columns: Shape) -> Tensor:
    """Aᴴ with the former columns as rows."""
    from phi_tensor.ops._linalg import transpose  # noqa: PLC0415 only where solved directly

    turned = transpose(matrix)
    return conjugate(turned) if turned.dtype.kind is complex else turned


def _diagonal(matrix: Tensor, rows: tuple[str, ...], columns: tuple[str, ...], domain: Shape) -> Tensor:
    from phi_tensor.ops._structure import pack_dims, unpack_dim  # noqa: PLC0415 with the others below

    sizes = cast("int", domain.volume)
    packed = pack_dims(pack_dims(matrix, rows, batch("_row")), columns, batch("_column"))
    flat = pack_dims(packed, ("_row", "_column"), batch("_entry"))
    entries = flat[{"_entry": slice(0, None, sizes + 1)}]
    return unpack_dim(entries, "_entry", *(domain[name] for name in domain.names))


def _matrix_bound(rows: tuple[str, ...], columns: tuple[str, ...], c: Coefficients) -> Tensor:
    """√(‖A‖₁ ‖A‖∞) ≥ ‖A‖₂."""
    size = abs(c[0])
    return sqrt(maximum(max_(sum_(size, rows), columns) * max_(sum_(size, columns), rows), 0))


def _proven(value: Tensor, rows: tuple[str, ...], columns: tuple[str, ...]) -> frozenset[str]:
    """What the numbers of square matrices show, where there are some, for all matrices of a batch."""
    if not value.available or (settings().traced == "jit" and not value.backend.mixes):
        return frozenset()
    rest = value.shape.without((*rows, *columns)).names
    n = math.prod(cast("int", value.shape.get_size(name)) for name in rows)
    with value.backend.outside(value.block().natives) as natives:
        a = Tensor(value.block().layout, natives).numpy((*rest, *rows, *columns)).reshape(-1, n, n)
    found: set[str] = set()
    scale = np.abs(a).max(axis=(1, 2), keepdims=True, initial=0)
    tiny = 4 * np.finfo(a.dtype).eps * scale if a.dtype.kind in "fc" else 0 * scale
    if (np.abs(a - a.conj().swapaxes(1, 2)) <= tiny).all():
        found.add(SYMMETRIC)
    if n and (np.abs(a.sum(1)) <= n * tiny[:, 0]).all() and (np.abs(a.sum(2)) <= n * tiny[:, 0]).all():
        found.add(CONSTANTS)
    return frozenset(found)
