"""Traced operands of element-wise rows, and of sums."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._layout import Dense, Parts
from phi_tensor.linear._affine_plan import Call, by_entries, first_parts, handler, splitter
from phi_tensor.linear._terms import (
    Term,
    affine,
    free_latents,
    terms_of,
    zeros_of,
)
from phi_tensor.ops import _table as table

SHORT = 4
"""Sums over at most so many entries are written as sums of terms, which keeps the maps of each simple."""


def is_traced(x: Any) -> bool:
    """Whether an operand is a traced tensor."""
    return isinstance(x, Tensor) and x.layout.symbolic


@handler("elementwise")
def elementwise(call: Call) -> Tensor:
    """Sums, differences, products with and quotients by constants, choices."""
    name = call.row.name
    if name in ("add", "subtract"):
        return _sum(call)
    if name == "where":
        return _choice(call)
    if name in ("real", "conj"):
        return call.operands[0]
    if name == "imag":
        return zeros_of(call.expected.shape, call.expected.dtype)
    return _scaled(call)


@splitter("elementwise")
def elementwise_parts(call: Call) -> Tensor:
    """Entry by entry along the dim of the parts."""
    return by_entries(call, cast("Parts", first_parts(call.operands)).dim.name)


def _sum(call: Call) -> Tensor:
    a, b = call.operands
    traced = [x for x in (a, b) if is_traced(x)]
    terms = list(terms_of(a).terms) if is_traced(a) else []
    if is_traced(b):
        minus = call.row.name == "subtract"
        terms += [_negated(term) if minus else term for term in terms_of(b).terms]
    biases = [terms_of(x).bias if is_traced(x) else x for x in (a, b)]
    if biases[0] is None:
        bias = biases[1] if biases[1] is None or call.row.name == "add" else _negative_of(biases[1])
        bias = _as_tensor(bias, call)
    else:
        bias = biases[0] if biases[1] is None else call.again(*biases)
        bias = _as_tensor(bias, call)
    return _result(call, traced[0], terms, bias)


def _negative_of(x: Any) -> Any:
    return table.NEGATIVE(x) if isinstance(x, Tensor) else -x


def _as_tensor(bias: Any, call: Call) -> Tensor | None:
    if bias is None or isinstance(bias, Tensor):
        return bias
    return table.ADD(zeros_of(call.expected.shape, call.expected.dtype), bias)


def _negated(term: Term) -> Term:
    return replace(term, coefficient=table.NEGATIVE(term.coefficient))


def _scaled(call: Call) -> Tensor:
    x = next(x for x in call.operands if is_traced(x))
    have = terms_of(x)

    def applied(part: Tensor) -> Tensor:
        return call.again(*(part if each is x else each for each in call.operands))

    terms = [replace(term, coefficient=applied(term.coefficient)) for term in have.terms]
    return _result(call, x, terms, None if have.bias is None else applied(have.bias))


def _choice(call: Call) -> Tensor:
    condition, a, b = call.operands
    terms: list[Term] = []
    for x in (a, b):
        if not is_traced(x):
            continue
        for term in terms_of(x).terms:
            chosen = (term.coefficient, 0) if x is a else (0, term.coefficient)
            terms.append(replace(term, coefficient=table.WHERE(condition, *chosen)))
    biases: list[Any] = [terms_of(x).bias if is_traced(x) else x for x in (a, b)]
    biases = [0 if bias is None else bias for bias in biases]
    known_zero = all(isinstance(c, (int, float)) and c == 0 for c in biases)
    bias = None
    if not known_zero:
        bias = call.again(condition, *biases)
    return _result(call, a if is_traced(a) else b, terms, bias)


def _result(call: Call, x: Tensor, terms: list[Term], bias: Tensor | None) -> Tensor:
    expected = call.expected
    return affine(expected.shape, expected.dtype, expected.backend, terms_of(x).unknown, terms, bias)


# --- sums


@handler("reduction")
def reduction(call: Call) -> Tensor:
    """Sums along dims: constant ones count, short ones are written out, long ones become latent."""
    (x,), names = call.operands, call.parameters["names"]
    short = next((n for n in names if 0 < cast("int", x.shape.get_size(n)) <= SHORT and _varies(x, n)), None)
    if short is not None:
        total: Any = 0
        for i in range(cast("int", x.shape.get_size(short))):
            part = x.sliced(((short, i),))
            total = part if i == 0 else table.ADD(total, part)
        rest = tuple(n for n in names if n != short)
        return table.SUM(total, names=rest) if rest else total
    have = terms_of(x)
    terms = [_summed(term, x.shape, names) for term in have.terms]
    bias = None if have.bias is None else call.again(have.bias)
    return _result(call, x, terms, bias)


def _varies(x: Tensor, name: str) -> bool:
    return any(
        name in cast("Dense", part.layout).axes
        for term in terms_of(x).terms
        for part in (term.coefficient, *term.index.values())
    )


def _summed(term: Term, shape: Shape, names: tuple[str, ...]) -> Term:
    looked_up = [n for n in names if any(n in cast("Dense", at.layout).axes for at in term.index.values())]
    counted = tuple(n for n in names if n not in looked_up)
    coefficient = table.SUM(term.coefficient, names=counted) if counted else term.coefficient
    index = {name: _at_first(at, counted) for name, at in term.index.items()}
    dims = tuple(shape.get_dim(n) for n in looked_up)
    latent = free_latents(term.latent, dims)
    renamed = tuple((dim.name, new) for dim, new in zip(dims, latent, strict=True))
    if renamed:
        index = {name: table.RENAME(at, renamed=renamed) for name, at in index.items()}
        coefficient = table.RENAME(coefficient, renamed=renamed)
    return Term(term.source, index, coefficient, (*term.latent, *latent))


def _at_first(at: Tensor, names: tuple[str, ...]) -> Tensor:
    """Index map without dims along which it is constant (and which may be empty)."""
    if not names:
        return at
    layout = cast("Dense", at.layout)
    shape = at.shape.without(names)
    return Tensor(Dense.of(layout.stored, shape, layout.dtype, layout.backend), at.natives)


@splitter("reduction")
def reduction_parts(call: Call) -> Tensor:
    """Sum of the sums of the parts."""
    (x,), names = call.operands, call.parameters["names"]
    along = x.layout.dim.name
    if along not in names:
        return by_entries(call, along)
    rest = tuple(n for n in names if n != along)
    total: Any = None
    for part in x.parts():
        inner = table.SUM(part, names=rest) if rest else part
        total = inner if total is None else table.ADD(total, inner)
    return total


@handler("mean")
def mean(call: Call) -> Tensor:
    """Sum divided by the number of entries."""
    (x,), names = call.operands, call.parameters["names"]
    count = cast("int", x.shape.only(names).volume)
    return table.DIVIDE(table.SUM(x, names=names), float(count))


@splitter("mean")
def mean_parts(call: Call) -> Tensor:
    """Part by part, or as of the whole where parts are averaged, too."""
    (x,), names = call.operands, call.parameters["names"]
    if x.layout.dim.name not in names:
        return by_entries(call, x.layout.dim.name)
    return mean(call)
