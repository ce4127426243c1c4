"""Products: contraction of dual with primal dims (`A @ v`), of named dims (`dot`), and lengths of vectors."""

from __future__ import annotations

import math
from functools import lru_cache, partial
from typing import Any, cast

from phi_tensor._dim import Dim
from phi_tensor._dim_changes import merged_dim
from phi_tensor._dim_types import channel
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._plan import PlanCall, Row, layout_of, planned, rule
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor.backends._backend import Backend
from phi_tensor.backends._registry import common_backend
from phi_tensor.layouts._dense_steps import Step, cast_step, chain, convert_step, store_step
from phi_tensor.layouts._layout import Dense, Layout, Parts, Ragged
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor
from phi_tensor.ops._dtype_rules import result_types
from phi_tensor.ops._elementwise import safe_div, where
from phi_tensor.ops._parts import pair_by_pair
from phi_tensor.ops._reductions import sum_
from phi_tensor.ops._structure import rename_dims


@rule("matmul")
def matmul_rule(row: Row, a: Layout, b: Layout, pairs: tuple[tuple[str, str], ...] | None = None) -> PlanCall:
    """Plan of Σ a·b over pairs of dims `(dim of a, dim of b)`.

    All other shared dims are batch dims of the product.
    """
    pairs = dual_pairs(a, b) if pairs is None else pairs
    for left, right in pairs:
        check_contracted(a.shape.get_dim(left), b.shape.get_dim(right))
    ragged = next((x for x in (a, b) if isinstance(x, Ragged)), None)
    if ragged is not None:
        if ragged.dim.name in {name for pair in pairs for name in pair}:
            raise row.unsupported(a, b, hint=f"Sizes vary along the contracted dim `{ragged.dim.name}`.")
        return pair_by_pair(a, b, ragged.dim.name, partial(matmul_rule, row, pairs=pairs))
    if isinstance(a, Parts) or isinstance(b, Parts):
        blocks = tuple(
            layout_of(table.JOIN.make((x,), (x,), {})) if isinstance(x, Parts) else x for x in (a, b)
        )
        plan = matmul_rule(row, *blocks, pairs=pairs)
        return planned(layout_of(plan), lambda x, y: plan(x.block(), y.block()))
    assert isinstance(a, Dense)
    assert isinstance(b, Dense)
    return _dense(row, a, b, pairs)


def dual_pairs(a: Layout, b: Layout) -> tuple[tuple[str, str], ...]:
    """Pairs of dims that `a @ b` contracts: dual dims of a with dims of b, else shared channel dims."""
    pairs = tuple((name, name.lstrip("~")) for name in a.shape.dual.names if name.lstrip("~") in b.shape)
    if pairs:
        return pairs
    shared = tuple(name for name in a.shape.channel.names if name in b.shape.channel)
    if a.shape.dual or not shared:
        raise IncompatibleShapes(
            f"`A @ b` contracts dual dims of A with dims of b of the same name, or shared channel dims, "
            f"but found {a.shape} and "
            f"{b.shape}. Rename a dim, or name both: `dot(a, 'x', b, 'y')`."
        )
    return tuple((name, name) for name in shared)


def check_contracted(left: Dim, right: Dim) -> None:
    """Raise unless two dims have one size and the same labels."""
    if left.size != right.size:
        raise IncompatibleShapes(f"Contracted dims must have one size, but found ({left}) and ({right}).")
    if left.labels and right.labels and left.labels != right.labels:
        raise IncompatibleShapes(
            f"Labels of contracted dims differ: {left.labels} and {right.labels}. Reorder or rename them."
        )


def _dense(row: Row, a: Dense, b: Dense, pairs: tuple[tuple[str, str], ...]) -> PlanCall:
    backend = common_backend((a.backend, b.backend))
    (want, _), result_type = result_types(row, (a, b))
    gone_a, gone_b = {left for left, _ in pairs}, {right for _, right in pairs}
    free_a = Shape.of(tuple(d for d in a.shape.dims if d.name not in gone_a))
    free_b = Shape.of(tuple(d for d in b.shape.dims if d.name not in gone_b))
    shape = merge_shapes(free_a, free_b)
    shared = tuple(
        merged_dim(d, free_b.get_dim(d.name))
        for d in free_a.dims
        if d.name in free_b and (d.name in a.axes or d.name in b.axes)
    )
    rows = tuple(d for d in a.stored if d.name in free_a and d.name not in free_b)
    columns = tuple(d for d in b.stored if d.name in free_b and d.name not in free_a)
    inner_a = tuple(a.shape.get_dim(left) for left, _ in pairs)
    inner_b = tuple(b.shape.get_dim(right) for _, right in pairs)
    stored = (*shared, *rows, *columns)
    result = Dense.of(stored, shape, result_type, backend)
    lead = tuple(cast("int", d.size) for d in shared)
    m, k, n = (math.prod(cast("int", d.size) for d in dims) for dims in (rows, inner_a, columns))
    first = matrix_step(a, (*shared, *rows, *inner_a), (*lead, m, k), want, backend)
    second = matrix_step(b, (*shared, *inner_b, *columns), (*lead, k, n), want, backend)
    matmul, reshape, sizes = backend.ops["matmul"], backend.ops["reshape"], result.sizes

    def call(x: Tensor, y: Tensor) -> Tensor:
        return Tensor(result, (reshape(matmul(first(x.natives[0]), second(y.natives[0])), sizes),))

    return planned(result, call)


def matrix_step(
    layout: Dense, target: tuple[Dim, ...], sizes: tuple[int, ...], dtype: Any, backend: Backend
) -> Step:
    """Step to an array of matrices: the axes `target`, joined to `sizes`."""
    moved = Dense.of(layout.stored, layout.shape, dtype, backend)
    reshape = backend.ops["reshape"]
    step = chain(
        [
            convert_step(layout, backend),
            cast_step(layout.dtype, dtype, backend),
            store_step(moved, target, backend),
            lambda native: reshape(native, sizes),
        ]
    )
    assert step is not None
    return step


def dot(x: Any, x_dims: Any, y: Any, y_dims: Any) -> Tensor:
    """Σ x·y over pairs of dims, first with first; all other shared dims stay.

    Args:
        x: Tensor `(x_dims, …)`.
        x_dims: Dims of `x` to contract.
        y: Tensor `(y_dims, …)`.
        y_dims: Dims of `y` to contract, as many and of equal sizes.

    >>> import phi_tensor as math
    >>> dot(math.vec(x=1.0, y=2.0), "vector", math.vec(x=3.0, y=4.0), "vector")
    11.0
    """
    a, b = as_tensor(x), as_tensor(y)
    simple = type(x_dims) is str and type(y_dims) is str
    find = _kept_pairs if simple else _named_pairs  # equal shapes differ in order, so they are no key
    pairs = find(a.layout.shape.dims, x_dims, b.layout.shape.dims, y_dims)
    if isinstance(a.layout, Parts) or isinstance(b.layout, Parts):
        left, right = (tuple(names) for names in zip(*pairs, strict=True))
        if _part_by_part(a, left, b, right):
            for one, other in pairs:
                check_contracted(a.shape.get_dim(one), b.shape.get_dim(other))
            renamed = rename_dims(b, right, a.shape.only(left, reorder=True)) if left != right else b
            return sum_(a * renamed, left)
    return table.MATMUL(a, b, pairs=pairs)


Pairs = tuple[tuple[str, str], ...]


def _named_pairs(a: tuple[Dim, ...], x_dims: Any, b: tuple[Dim, ...], y_dims: Any) -> Pairs:
    """`(name in a, name in b)` of the dims that `dot` contracts."""
    one, other = Shape.of(a), Shape.of(b)
    left, right = one.selected_names(x_dims), other.selected_names(y_dims)
    if len(left) != len(right):
        raise IncompatibleShapes(
            f"`dot` contracts dims in pairs, but found {left} of {one} and {right} of {other}."
        )
    if not left:
        raise IncompatibleShapes(
            f"`dot` found none of the dims {x_dims!r} in {one} and {y_dims!r} in {other}."
        )
    return tuple(zip(left, right, strict=True))


_kept_pairs = lru_cache(1024)(_named_pairs)


def _part_by_part(a: Tensor, left: tuple[str, ...], b: Tensor, right: tuple[str, ...]) -> bool:
    """Whether to sum products of parts: of ragged tensors, and where none is larger than its factors."""
    layouts = (a.layout, b.layout)
    if any(isinstance(layout, Ragged) for layout in layouts):
        return True
    free_a, free_b = set(a.shape.names) - set(left), set(b.shape.names) - set(right)
    return any(isinstance(x, Parts) for x in layouts) and (free_a <= free_b or free_b <= free_a)


def squared_norm(vec: Any, vec_dim: Any = channel) -> Any:
    """Squared Euclidean length Σ|x|² over the component dims.

    >>> import phi_tensor as math
    >>> squared_norm(math.vec(x=3.0, y=4.0))
    25.0
    """
    if hasattr(type(vec), "__reduction__"):
        return vec.__reduction__(lambda v: squared_norm(v, vec_dim), vec_dim)
    value = as_tensor(vec)
    square = (
        table.SQUARE(value)
        if value.dtype.kind is not complex
        else table.SQUARE(value.real) + table.SQUARE(value.imag)
    )
    return sum_(square, _components(value, vec_dim))


def norm(vec: Any, vec_dim: Any = channel, eps: float | None = None) -> Any:
    """Euclidean length √Σ|x|² over the component dims.

    Args:
        vec: Vector `(…, vector)`.
        vec_dim: Component dims.
        eps: Smallest length that is returned, √max(Σ|x|², eps²): keeps the derivative finite (0) at zero
            length.

    >>> import phi_tensor as math
    >>> norm(math.vec(x=3.0, y=4.0))
    5.0
    """
    if hasattr(type(vec), "__reduction__"):
        return vec.__reduction__(lambda v: norm(v, vec_dim, eps), vec_dim)
    squared = squared_norm(vec, vec_dim)
    if eps is not None:
        return table.SQRT(table.MAXIMUM(squared, eps * eps))
    zero = squared == 0
    return where(zero, 0, table.SQRT(where(zero, 1, squared)))


def normalize(
    vec: Any,
    vec_dim: Any = channel,
    epsilon: float | None = None,
    allow_infinite: bool = False,
    allow_zero: bool = False,
) -> Any:
    """Unit vector x/|x|.

    Args:
        vec: Vector `(…, vector)`.
        vec_dim: Component dims.
        epsilon: Vectors shorter than this count as zero.
        allow_infinite: Vectors with infinite components point along these.
        allow_zero: Zero vectors stay zero; otherwise they point along the first component.

    >>> import phi_tensor as math
    >>> normalize(math.vec(x=3.0, y=0.0))
    (x=1.0, y=0.0)
    """
    value = as_tensor(vec)
    if allow_infinite:
        infinite = table.ISINF(value)
        any_infinite = table.ANY(infinite, names=value.shape.selected_names(vec_dim))
        value = where(any_infinite, where(infinite, table.SIGN(value), 0), value)
    length = norm(value, vec_dim)
    small = length <= (epsilon or 0)
    unit = safe_div(value, where(small, 1, length))
    if allow_zero:
        return where(small, 0, unit)
    first = as_tensor(True)
    for name in _components(value, vec_dim):
        first = first & (_positions(value, name) == 0)
    return where(small, where(first, 1.0, 0.0), unit)


def _positions(value: Tensor, name: str) -> Tensor:
    from phi_tensor._create import arange  # noqa: PLC0415 creation is above

    return arange(value.shape[name], backend=value.backend)


def _components(value: Tensor, vec_dim: Any) -> Any:
    names = value.shape.selected_names(vec_dim)
    if not names:
        raise IncompatibleShapes(
            f"A vector has a component dim, but {value.shape} has none of {vec_dim!r}. Name it with "
            f"`vec_dim`."
        )
    return names
