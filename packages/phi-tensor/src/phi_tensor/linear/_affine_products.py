"""Traced operands of products with matrices and of running sums: the contracted dims become latent."""

from __future__ import annotations

from math import prod
from typing import Any, cast

import numpy as np

from phi_tensor._dim import Dim
from phi_tensor._dim_types import channel, dual, instance
from phi_tensor._dtype import INT64, DType
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.backends._numpy import NUMPY
from phi_tensor.layouts._layout import Dense, Parts
from phi_tensor.layouts._pattern import raveled
from phi_tensor.layouts._sparse import ENTRIES, Sparse
from phi_tensor.linear._affine_elementwise import SHORT, is_traced
from phi_tensor.linear._affine_plan import Call, by_entries, first_parts, handler, splitter, untraceable
from phi_tensor.linear._terms import Term, affine, free_latents, terms_of
from phi_tensor.ops import _table as table
from phi_tensor.ops._products import dual_pairs


@splitter("matmul")
def matmul_parts(call: Call) -> Tensor | None:
    """Part by part along dims that are not contracted and where sizes vary."""
    ragged = first_parts(tuple(x for x in call.operands if not x.shape.is_uniform))
    if ragged is None:
        return _short(call)
    return by_entries(call, ragged.dim.name)


@handler("matmul")
def matmul(call: Call) -> Tensor:
    """Product of a constant and a traced tensor, contracted over pairs of dims."""
    a, b = call.operands
    pairs = _pairs(call)
    if isinstance(a.layout, Sparse) or isinstance(b.layout, Sparse):
        return _sparse_product(call, pairs)
    short = _short(call)
    if short is not None:
        return short
    x, constant = (a, b) if is_traced(a) else (b, a)
    order = 0 if is_traced(a) else 1
    own, other = tuple(p[order] for p in pairs), tuple(p[1 - order] for p in pairs)
    have = terms_of(x)
    dims = tuple(x.shape.get_dim(name) for name in own)
    terms: list[Term] = []
    for term in have.terms:
        latent = free_latents(term.latent, dims)
        renamed = tuple((name, new) for name, new in zip(own, latent, strict=True))
        factor = table.RENAME(
            constant, renamed=tuple((name, new) for name, new in zip(other, latent, strict=True))
        )
        index = {name: table.RENAME(at, renamed=renamed) for name, at in term.index.items()}
        coefficient = table.MULTIPLY(table.RENAME(term.coefficient, renamed=renamed), factor)
        terms.append(Term(term.source, index, coefficient, (*term.latent, *latent)))
    bias = None
    if have.bias is not None:
        bias = call.again(*(have.bias if each is x else each for each in (a, b)))
    expected = call.expected
    return affine(expected.shape, expected.dtype, expected.backend, have.unknown, terms, bias)


def _sparse_product(call: Call, pairs: tuple[tuple[str, str], ...]) -> Tensor:
    """Product with a sparse matrix: each row looks up as many entries as the longest row stores."""
    a, b = call.operands
    matrix, x = (a, b) if is_traced(b) else (b, a)
    order = 0 if is_traced(b) else 1
    contracted = {pair[order]: pair[1 - order] for pair in pairs}
    layout = cast("Sparse", matrix.layout)
    rows = tuple(dim for dim in layout.sparse if dim.name not in contracted)
    shared = [dim for dim in rows if dim.name in x.shape and dim.name not in contracted.values()]
    if shared or not set(contracted) <= set(layout.names):
        raise untraceable(call.row, "rows and columns of a sparse matrix are dims of the other factor, too. ")
    places = layout.coordinates()
    sizes = tuple(cast("int", dim.size) for dim in rows)
    flat = raveled([places[dim.name] for dim in rows], sizes, layout.pattern.count)
    order_by_row = np.argsort(flat, kind="stable")
    counts = np.bincount(flat, minlength=prod(sizes))
    longest = int(counts.max(initial=0))
    starts = np.cumsum(counts) - counts
    at = starts[:, None] + np.arange(longest)
    inside = np.arange(longest) < counts[:, None]
    entry = order_by_row[np.where(inside, at, 0)] if layout.pattern.count else np.zeros_like(at)
    if not entry.size:
        return _nothing(call, x)
    dim = Dim.of("_in_row", instance, longest)
    renamed = tuple(Dim.of(f"_row{i}", instance, d.size) for i, d in enumerate(rows))
    shape = Shape.of((*renamed, dim))

    def listed(numbers: Any, dtype: DType) -> Tensor:
        array = np.asarray(numbers, dtype.numpy).reshape([*sizes, longest])
        return Tensor(Dense.of(shape.dims, shape, dtype, NUMPY), (array,))

    values = Tensor(layout.values, matrix.natives).block()
    weights = table.TAKE(values, listed(entry, INT64), name=ENTRIES)
    weights = table.MULTIPLY(weights, listed(inside, values.dtype))
    names = tuple(contracted.values())
    index = channel(_place=len(names)).dim
    columns = table.STACK(*(listed(places[name][entry], INT64) for name in contracted), dim=index)
    product: Tensor = table.MULTIPLY(table.GATHER(x, columns, names=names, index=index.name), weights)
    product = table.SUM(product, names=(dim.name,))
    return table.RENAME(
        product, renamed=tuple((new.name, old) for new, old in zip(renamed, rows, strict=True))
    )


def _nothing(call: Call, x: Tensor) -> Tensor:
    expected = call.expected
    return affine(expected.shape, expected.dtype, expected.backend, terms_of(x).unknown, (), None)


def _pairs(call: Call) -> tuple[tuple[str, str], ...]:
    given = call.parameters.get("pairs")
    return dual_pairs(*(x.layout for x in call.operands)) if given is None else given


def _short(call: Call) -> Tensor | None:
    """Product written out where few entries are contracted: their maps stay as simple as they are."""
    a, b = call.operands
    pairs = _pairs(call)
    if isinstance(a.layout, Sparse) or isinstance(b.layout, Sparse):
        return None
    short = next((p for p in pairs if 0 < cast("int", a.shape.get_size(p[0])) <= SHORT), None)
    if short is None:
        return None
    rest = tuple(p for p in pairs if p is not short)
    total: Any = None
    for i in range(cast("int", a.shape.get_size(short[0]))):
        left, right = a.sliced(((short[0], i),)), b.sliced(((short[1], i),))
        part = table.MATMUL(left, right, pairs=rest) if rest else table.MULTIPLY(left, right)
        total = part if total is None else table.ADD(total, part)
    return total


# --- running sums


@splitter("along")
def along_parts(call: Call) -> Tensor | None:
    """Part by part, unless the sum runs over the parts."""
    (x,) = call.operands
    along = cast("Parts", x.layout).dim.name
    return None if along == call.parameters["name"] else by_entries(call, along)


@handler("along")
def running(call: Call) -> Tensor:
    """Product with a triangle of ones."""
    if call.row is not table.CUMSUM:
        raise untraceable(call.row)
    (x,), name = call.operands, call.parameters["name"]
    dim = x.shape.get_dim(name)
    column = dual(**{name.lstrip("~"): dim.size}).dim.with_name("~_running")
    ones = np.tri(cast("int", dim.size), dtype=x.dtype.numpy)
    layout = Dense.of((dim, column), Shape.of((dim, column)), x.dtype, NUMPY)
    return table.MATMUL(Tensor(layout, (ones,)), x, pairs=(("~_running", name),))
