"""Products of sparse tensors with dense and sparse ones: `A @ v` and `dot`."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from phi_tensor._dim import Dim
from phi_tensor._dim_types import channel
from phi_tensor._plan import RULES, PlanCall, Row, layout_of, planned
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor.backends._registry import common_backend
from phi_tensor.layouts._cast import cast_rule
from phi_tensor.layouts._elementwise import elementwise
from phi_tensor.layouts._layout import Dense, Layout, Parts
from phi_tensor.layouts._pattern import meeting, raveled
from phi_tensor.layouts._sparse import ENTRIES, Sparse
from phi_tensor.ops import _table as table
from phi_tensor.ops._composed import backend_function
from phi_tensor.ops._dtype_rules import result_types
from phi_tensor.ops._parts import joined_layout
from phi_tensor.ops._products import check_contracted, dual_pairs, matrix_step
from phi_tensor.sparse._collect import Dims, Places, collected, sizes_of, stays_sparse
from phi_tensor.sparse._constants import Contraction, Segments
from phi_tensor.sparse._entries import picked_entries, values_at
from phi_tensor.sparse._rules import made_dense, sparse_rule

Pairs = tuple[tuple[str, str], ...]

PRIVATE = "_contracted"
"""Start of the names of dims within a product."""


@sparse_rule("matmul")
def matmul_rule(row: Row, a: Layout, b: Layout, pairs: Pairs | None = None) -> PlanCall:
    """Plan of Σ a·b over pairs of dims `(dim of a, dim of b)`, as of dense tensors.

    The result is sparse where rows and columns remain.
    """
    pairs = dual_pairs(a, b) if pairs is None else pairs
    for left, right in pairs:
        check_contracted(a.shape.get_dim(left), b.shape.get_dim(right))
    _, dtype = result_types(row, (a, b))
    gone_a, gone_b = (set(names) for names in zip(*pairs, strict=True))
    shape = merge_shapes(a.shape.without(gone_a), b.shape.without(gone_b))
    if dtype.kind is bool or not all(x.shape.is_uniform for x in (a, b)):
        return made_dense(row, a, b, pairs=pairs)
    if isinstance(a, Sparse) and isinstance(b, Sparse):
        if not _all_listed(a, b, pairs):
            return made_dense(row, a, b, pairs=pairs)
        return _of_sparse(row, a, b, pairs, shape)
    if isinstance(a, Sparse):
        return _of_dense(row, a, b, pairs, shape)
    assert isinstance(b, Sparse)
    plan = _of_dense(row, b, a, tuple((right, left) for left, right in pairs), shape)
    return planned(layout_of(plan), lambda x, y: plan(y, x))


def _of_dense(row: Row, a: Sparse, b: Layout, pairs: Pairs, shape: Shape) -> PlanCall:
    """Plan of a sparse tensor times a dense one."""
    gone = {left for left, _ in pairs}
    kept = tuple(shape.get_dim(d.name) for d in a.sparse if d.name not in gone)
    places = a.coordinates()
    if (
        isinstance(a.values, Dense)
        and all(d.name == ENTRIES for d in a.values.stored)
        and gone <= set(a.names)
        and not any(d.name in b.shape.without([right for _, right in pairs]) for d in kept)
        and not stays_sparse(kept, a.sparse, a.pattern.count)
    ):
        return _matrix_times_dense(row, a, b, pairs, kept, shape)
    renamed_a = _private(a.values, [left for left, _ in pairs], a.names)
    renamed_b = _private(b, [right for _, right in pairs])
    looked_up = {f"{PRIVATE}{i}": places[left] for i, (left, _) in enumerate(pairs) if left in a.names}
    found = values_at(
        layout_of(renamed_b), {**{d.name: places[d.name] for d in kept}, **looked_up}, a.pattern.count
    )
    values = layout_of(renamed_a)
    plan = _products(row, values, layout_of(found), kept, a.sparse, places, shape)
    return planned(
        layout_of(plan), lambda x, y: plan(renamed_a(Tensor(a.values, x.natives)), found(renamed_b(y)))
    )


def _private(layout: Layout, contracted: Sequence[str], listed: Sequence[str] = ()) -> PlanCall:
    """Plan that gives contracted dims names that no other dim has, except those `listed` by a pattern."""
    renamed = tuple(
        (name, Dim.of(f"{PRIVATE}{i}", channel, layout.shape.get_size(name)))
        for i, name in enumerate(contracted)
        if name not in listed
    )
    return RULES["rename"](table.RENAME, layout, renamed=renamed)


def _products(
    row: Row, one: Layout, other: Layout, kept: Dims, source: Dims, places: Places, shape: Shape
) -> PlanCall:
    """Plan of products of values, added up along private dims and where the kept places meet."""
    multiply = elementwise(table.MULTIPLY, one, other)
    dtype = layout_of(multiply).dtype
    names = tuple(n for n in layout_of(multiply).shape.names if n.startswith(PRIVATE))
    total = RULES["reduction"](table.SUM, layout_of(multiply), names=names) if names else None
    have = layout_of(total or multiply)
    collect = collected(have, kept, places, shape.names, source)
    result = (
        cast_rule(row, layout_of(collect), dtype=dtype) if layout_of(collect).dtype is not dtype else None
    )

    def call(x: Tensor, y: Tensor) -> Tensor:
        found = multiply(x, y)
        found = collect(found if total is None else total(found))
        return found if result is None else result(found)

    return planned(layout_of(result or collect), call)


def _matrix_times_dense(row: Row, a: Sparse, b: Layout, pairs: Pairs, kept: Dims, shape: Shape) -> PlanCall:
    """Plan of a matrix of numbers times vectors: one native product."""
    if isinstance(b, Parts):
        plan = _matrix_times_dense(row, a, joined_layout(b), pairs, kept, shape)
        return planned(layout_of(plan), lambda x, y: plan(x, y.block()))
    assert isinstance(b, Dense)
    backend = common_backend((a.backend, b.backend))
    (want, _), dtype = result_types(row, (a, b))
    gone = {right for _, right in pairs}
    inner = tuple(b.shape.get_dim(right) for _, right in pairs)
    free = tuple(d for d in b.stored if d.name not in gone)
    contraction = contraction_of(a, tuple(left for left, _ in pairs), kept)
    columns = prod(sizes_of(free))
    result = Dense.of((*kept, *(shape.get_dim(d.name) for d in free)), shape, dtype, backend)
    entries = (a.values.shape.get_dim(ENTRIES),)
    values = matrix_step(a.values, entries, (a.pattern.count,), want, backend)
    vectors = matrix_step(b, (*inner, *free), (contraction.places, columns), want, backend)
    product, reshape, sizes = backend_function("sparse_matmul", backend), backend.ops["reshape"], result.sizes

    def call(x: Tensor, y: Tensor) -> Tensor:
        return Tensor(
            result, (reshape(product(values(x.natives[0]), vectors(y.natives[0]), contraction), sizes),)
        )

    return planned(result, call)


def contraction_of(a: Sparse, contracted: tuple[str, ...], kept: Dims) -> Contraction:
    """How entries turn places along the contracted dims into places along the kept ones."""
    by_name = {d.name: d for d in a.sparse}
    names = tuple(d.name for d in kept)
    key = ("contraction", tuple(a.names.index(n) for n in contracted), tuple(a.names.index(n) for n in names))
    found = a.pattern.kept.get(key)
    if found is None:
        places, count = a.coordinates(), a.pattern.count
        sizes = sizes_of([by_name[n] for n in contracted])
        source = raveled([places[n] for n in contracted], sizes, count)
        kept_sizes = sizes_of(kept)
        ids = raveled([places[n] for n in names], kept_sizes, count)
        found = Contraction(source, prod(sizes), Segments(ids, prod(kept_sizes)))
        a.pattern.kept[key] = found
    return found


def _all_listed(a: Sparse, b: Sparse, pairs: Pairs) -> bool:
    """Whether matched dims are dims of both patterns or of neither."""
    gone_a, gone_b = (set(names) for names in zip(*pairs, strict=True))
    matched = [
        *pairs,
        *((n, n) for n in a.shape.names if n not in gone_a and n in b.shape and n not in gone_b),
    ]
    return all((left in a.names) == (right in b.names) for left, right in matched)


def _of_sparse(row: Row, a: Sparse, b: Sparse, pairs: Pairs, shape: Shape) -> PlanCall:
    """Plan of sparse times sparse: one product for each two entries whose contracted places meet."""
    listed = tuple((left, right) for left, right in pairs if left in a.names)
    gone_a, gone_b = {left for left, _ in pairs}, {right for _, right in pairs}
    shared = tuple((n, n) for n in a.names if n not in gone_a and n in b.names and n not in gone_b)
    at_a, at_b = a.coordinates(), b.coordinates()
    first, second = meeting(
        [at_a[left] for left, _ in (*listed, *shared)],
        [at_b[right] for _, right in (*listed, *shared)],
        a.pattern.count,
        b.pattern.count,
    )
    kept = tuple(
        shape.get_dim(d.name)
        for d in (
            *(d for d in a.sparse if d.name not in gone_a),
            *(d for d in b.sparse if d.name not in gone_b and (d.name, d.name) not in shared),
        )
    )
    places = {n: at_b[n][second] for n in b.names if n not in gone_b}
    places |= {n: at_a[n][first] for n in a.names if n not in gone_a}
    renamed_a = _private(a.values, [left for left, _ in pairs], a.names)
    renamed_b = _private(b.values, [right for _, right in pairs], b.names)
    picked_a = picked_entries(layout_of(renamed_a), first)
    picked_b = picked_entries(layout_of(renamed_b), second)
    plan = _products(
        row, layout_of(picked_a), layout_of(picked_b), kept, (*a.sparse, *b.sparse), places, shape
    )
    return planned(
        layout_of(plan),
        lambda x, y: plan(
            picked_a(renamed_a(Tensor(a.values, x.natives))), picked_b(renamed_b(Tensor(b.values, y.natives)))
        ),
    )
