"""Plans of operations on matrices. Rows and columns are dims, several are packed; all other dims are batched.

A matrix maps its columns (dual dims, as `@` contracts them) to its rows (primal dims): `A(x, ~x)` maps
vectors along `x` to vectors along `x`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast

from phi_tensor._context import context_dtype
from phi_tensor._dim import Dim
from phi_tensor._dim_changes import retyped
from phi_tensor._dim_types import DimType, dual
from phi_tensor._dtype import COMPLEX64, COMPLEX128, FLOAT16, FLOAT32, FLOAT64, DType
from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._plan import PlanCall, Row, planned, rule
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.backends._backend import Backend, Native
from phi_tensor.layouts._dense_steps import Step, cast_step, chain
from phi_tensor.layouts._layout import Dense, Layout, Parts, Ragged
from phi_tensor.ops._call import as_tensor
from phi_tensor.ops._composed import COMPOSED, backend_function
from phi_tensor.ops._dtype_rules import result_types
from phi_tensor.ops._parts import joined_layout
from phi_tensor.ops._products import matrix_step
from phi_tensor.ops._reductions import reduced_names

Dims = tuple[Dim, ...]
Result = tuple[Dims, DType]
"""Dims and element type of one result per matrix."""


def matrix_dims(
    shape: Shape, rows: Any, columns: Any, function: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """`(names of the rows, names of the columns)`.

    Columns are the dual dims unless named. Rows are the dims of the same names, else the only primal dim.
    """
    simple = all(dims is None or isinstance(dims, (str, DimType)) for dims in (rows, columns))
    find = _kept_dims if simple else _matrix_dims  # equal shapes differ in order, so they are no key
    return find(shape.dims, rows, columns, function)


def _matrix_dims(
    dims: Dims, rows: Any, columns: Any, function: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    shape = Shape.of(dims)
    second = shape.dual.names if columns is None else reduced_names(shape, columns, function)
    if not second:
        raise IncompatibleShapes(
            f"`{function}` needs a matrix, but {shape} has no dual dims that could be its columns. Name "
            f"both: `{function}(…, rows='x', columns='y')`."
        )
    if rows is not None:
        first = reduced_names(shape, rows, function)
    else:
        partners = tuple(name.lstrip("~") for name in second if name.startswith("~"))
        primal = tuple(name for name in shape.primal.names if name not in second)
        paired = len(partners) == len(second) and all(name in shape for name in partners)
        first = partners if paired else primal
        if not paired and len(primal) != 1:
            raise IncompatibleShapes(
                f"`{function}` cannot tell which dims of {shape} are the rows of a matrix with the columns "
                f"{second}. Name them: `{function}(…, rows='x')`."
            )
    if not first or set(first) & set(second):
        raise IncompatibleShapes(
            f"Rows and columns of a matrix are different dims, but `{function}` was given the rows {first} "
            f"and the columns {second} of {shape}."
        )
    return first, second


_kept_dims = lru_cache(1024)(_matrix_dims)


def of_matrix(row: Row, called: str, matrix: Any, rows: Any, columns: Any, new: Dim | None = None) -> Tensor:
    """Result of a row for what users call a matrix; `called` names the public function in errors."""
    value = as_tensor(matrix)
    first, second = matrix_dims(value.shape, rows, columns, called)
    return row(value, rows=first, columns=second, new=new)


class Matrix(NamedTuple):
    """The dims of a matrix.

    Attributes:
        rows: What it maps to.
        columns: What it maps from.
        new: Dim of what is listed per matrix, such as eigenvalues; its size is ignored.
    """

    rows: Dims
    columns: Dims
    new: Dim | None = None

    @property
    def height(self) -> int:
        """Number of rows [-]."""
        return volume(self.rows)

    @property
    def width(self) -> int:
        """Number of columns [-]."""
        return volume(self.columns)

    def transposed(self) -> Dims:
        """Rows, then columns of the inverse and the transposed matrix: primal and dual if the columns are."""
        types = [dim.type for dim in self.rows]
        like = types if len(types) == len(self.columns) else [types[0]] * len(self.columns)
        back = [
            retyped(dim, type) if dim.type is dual else dim
            for dim, type in zip(self.columns, like, strict=True)
        ]
        there = [retyped(dim, dual) if self.columns[0].type is dual else dim for dim in self.rows]
        return (*back, *there)

    def solution(self) -> Dims:
        """Dims of the vectors that the matrix maps."""
        return self.transposed()[: len(self.columns)]

    def listed(self, count: int) -> Dim:
        """`new` with `count` entries."""
        assert self.new is not None
        return self.new.with_size(count)


def volume(dims: Sequence[Dim]) -> int:
    """Number of entries along all dims together [-]."""
    return math.prod(cast("int", dim.size) for dim in dims)


def real_type(dtype: DType) -> DType:
    """Type of absolute values."""
    return {COMPLEX64: FLOAT32, COMPLEX128: FLOAT64}.get(dtype, dtype)


def complex_type(dtype: DType) -> DType:
    """Type of complex results for these numbers."""
    return {FLOAT16: COMPLEX64, FLOAT32: COMPLEX64, FLOAT64: COMPLEX128}.get(dtype, dtype)


def _same_map(m: Matrix, dtype: DType, **_: Any) -> tuple[Result, ...]:
    return (((*m.rows, *m.columns), dtype),)


def _inverse_map(m: Matrix, dtype: DType, **_: Any) -> tuple[Result, ...]:
    return ((m.transposed(), dtype),)


def _number(m: Matrix, dtype: DType, **_: Any) -> tuple[Result, ...]:
    return (((), dtype),)


def _eigenvectors(m: Matrix, dtype: DType, **_: Any) -> tuple[Result, ...]:
    entry = m.listed(m.height)
    return ((entry,), real_type(dtype)), ((*m.rows, entry), dtype)


def _singular_vectors(m: Matrix, dtype: DType, full: bool) -> tuple[Result, ...]:
    k = min(m.height, m.width)
    left, right = (m.listed(m.height if full else k), m.listed(m.width if full else k))
    return (
        ((*m.rows, left), dtype),
        ((m.listed(k),), real_type(dtype)),
        ((retyped(right, dual), *m.columns), dtype),
    )


def _triangular(m: Matrix, dtype: DType, **_: Any) -> tuple[Result, ...]:
    entry = m.listed(min(m.height, m.width))
    return ((*m.rows, retyped(entry, dual)), dtype), ((entry, *m.columns), dtype)


def _magnitude(m: Matrix, dtype: DType, **_: Any) -> tuple[Result, ...]:
    return (((), real_type(dtype)),)


def _complex_values(m: Matrix, dtype: DType, **_: Any) -> tuple[Result, ...]:
    return (((m.listed(m.height),), complex_type(dtype)),)


def _singular_values(m: Matrix, dtype: DType, **_: Any) -> tuple[Result, ...]:
    return (((m.listed(min(m.height, m.width)),), real_type(dtype)),)


RESULTS: dict[str, Callable[..., tuple[Result, ...]]] = {
    "inv": _inverse_map,
    "pinv": _inverse_map,
    "det": _number,
    "logabsdet": _magnitude,
    "trace": _number,
    "eigvals": _complex_values,
    "eigh": _eigenvectors,
    "svd": _singular_vectors,
    "svdvals": _singular_values,
    "qr": _triangular,
    "cholesky": _same_map,
}
"""What rows of the kind `matrix` give per matrix."""


@rule("matrix")
def matrix_rule(
    row: Row,
    layout: Layout,
    rows: tuple[str, ...],
    columns: tuple[str, ...],
    new: Dim | None = None,
    **options: Any,
) -> PlanCall:
    """Plan of a function of each matrix; a tuple of tensors where it has several results."""
    settings: dict[str, Any] = {"rows": rows, "columns": columns, "new": new, **options}
    if isinstance(layout, Ragged):
        return _of_each_part(row, layout, settings)
    if isinstance(layout, Parts):
        plan = matrix_rule(row, joined_layout(layout), **settings)

        def on_block(t: Tensor) -> Any:
            return plan(t.block())

        return _planned(_layouts_of(plan), on_block)
    assert isinstance(layout, Dense)
    m = Matrix(tuple(map(layout.shape.get_dim, rows)), tuple(map(layout.shape.get_dim, columns)), new)
    check_form(row, m)
    return _of_dense(row, layout, m, options)


def _of_dense(row: Row, layout: Dense, m: Matrix, options: dict[str, Any]) -> PlanCall:
    backend, matrix = layout.backend, (*m.rows, *m.columns)
    (wanted,), result_type = result_types(row, (layout,))
    wanted = result_type if row.dtype == "accumulate" else wanted
    compute = FLOAT32 if wanted is FLOAT16 else wanted  # no library decomposes matrices in 16 bit
    batch = tuple(dim for dim in layout.stored if dim not in matrix)
    rest = tuple(dim for dim in layout.shape.dims if dim not in matrix)
    sizes = (*(cast("int", dim.size) for dim in batch), m.height, m.width)
    results = tuple(
        Dense.of((*batch, *dims), Shape.of((*rest, *dims)), context_dtype(dtype), backend)
        for dims, dtype in RESULTS[row.name](m, wanted, **options)
    )
    prepare = matrix_step(layout, (*batch, *matrix), sizes, compute, backend)
    if row.options.get("hermitian"):
        prepare = cast("Step", chain([prepare, _hermitian_part(backend, len(sizes))]))
    function = backend_function(row.name, backend)
    if options.get("full") and m.height != m.width:
        function = _without_derivative(backend, function)
    arguments = tuple(options.values())
    finish = [finishing_step(result, compute) for result in results]
    if len(results) == 1:
        result, last = results[0], finish[0]

        def call(t: Tensor) -> Tensor:
            return Tensor(result, (last(function(prepare(t.natives[0]), *arguments)),))

        return _planned(results, call)

    def call_many(t: Tensor) -> tuple[Tensor, ...]:
        natives = function(prepare(t.natives[0]), *arguments)
        return tuple(
            Tensor(result, (last(n),)) for result, last, n in zip(results, finish, natives, strict=True)
        )

    return _planned(results, call_many)


def check_form(row: Row, m: Matrix) -> None:
    """Raise unless the matrix is square, or maps vectors to some with equal labels, as the row asks for."""
    form, called = row.options.get("form"), row.options["called"]
    if form is not None and m.height != m.width:
        raise IncompatibleShapes(
            f"`{called}` needs a square matrix, but found {m.height} rows {m.rows} and {m.width} columns "
            f"{m.columns}. {row.options.get('otherwise', 'Name other dims with `rows` and `columns`.')}"
        )
    if form == "endomorphism" and len(m.rows) == len(m.columns):
        for one, other in zip(m.rows, m.columns, strict=True):
            if one.size != other.size or (one.labels and other.labels and one.labels != other.labels):
                raise IncompatibleShapes(
                    f"`{called}` needs a matrix from vectors to vectors with the same entries, but found the "
                    f"row ({one}) beside the column ({other}). Reorder or rename the labels of one of them."
                )


def finishing_step(result: Dense, compute: DType) -> Step:
    """Step from results for arrays of matrices, computed as `compute`, to the axes and type of `result`."""
    reshape, sizes = result.backend.ops["reshape"], result.sizes
    cast = cast_step(FLOAT32, FLOAT16, result.backend) if result.dtype is FLOAT16 else None
    if cast is None:
        return lambda native: reshape(native, sizes)
    return lambda native: reshape(cast(native), sizes)


def _hermitian_part(backend: Backend, rank: int) -> Step:
    """½(A + Aᴴ): libraries read different triangles, and their derivatives agree for this alone."""
    axes = (*range(rank - 2), rank - 1, rank - 2)
    add, multiply, conj, permute = (backend.ops[name] for name in ("add", "multiply", "conj", "permute"))
    return lambda native: multiply(add(native, conj(permute(native, axes))), 0.5)


def _without_derivative(backend: Backend, function: Callable[..., Any]) -> Callable[..., Any]:
    def refuse(*_: Any) -> Any:
        raise Unsupported(
            f"`svd(…, full_matrices=True)` has no derivative on `{backend}`: the vectors that complete the "
            f"bases are arbitrary. Leave `full_matrices` away."
        )

    def ruled(x: Native, *settings: Any) -> Any:
        return backend.custom_gradient(lambda y: function(y, *settings), refuse)(x)

    return ruled


def _of_each_part(row: Row, layout: Ragged, settings: dict[str, Any]) -> PlanCall:
    if layout.dim.name in (*settings["rows"], *settings["columns"]):
        raise row.unsupported(layout, hint=f"Sizes vary along `{layout.dim.name}`, which must be batched.")
    plans = [matrix_rule(row, part, **settings) for part in layout.parts]
    columns = zip(*(_layouts_of(plan) for plan in plans), strict=True)
    results = tuple(Parts.of(layout.dim, parts) for parts in columns)

    def call(t: Tensor) -> Any:
        found = [plan(part) for plan, part in zip(plans, t.parts(), strict=True)]
        entries = zip(*(entry if isinstance(entry, tuple) else (entry,) for entry in found), strict=True)
        tensors = [
            Tensor(result, tuple(native for part in parts for native in part.natives))
            for result, parts in zip(results, entries, strict=True)
        ]
        return tuple(tensors) if len(tensors) > 1 else tensors[0]

    return _planned(results, call)


def _planned(layouts: Sequence[Layout], call: Callable[..., Any]) -> PlanCall:
    cast("Any", call).layouts = tuple(layouts)
    return call if len(layouts) > 1 else planned(layouts[0], call)


def _layouts_of(plan: PlanCall) -> tuple[Layout, ...]:
    return cast("Any", plan).layouts


def _trace(backend: Backend) -> Callable[[Native], Native]:
    reshape, getitem, total = (backend.ops[name] for name in ("reshape", "getitem", "sum"))

    def trace(x: Native) -> Native:
        *lead, n, _ = backend.shape(x)
        every = (*[slice(None)] * len(lead), slice(0, None, n + 1))
        return total(getitem(reshape(x, (*lead, n * n)), every), (len(lead),))

    return trace


COMPOSED["trace"] = _trace
