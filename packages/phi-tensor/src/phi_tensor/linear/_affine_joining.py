"""Traced operands side by side: parts stay apart as long as possible, joined ones share index maps.

Where operands are joined along a dim, each term continues one of the operand before: index maps and
coefficients follow each other, so that a padded array has as many terms as the array. Terms without a partner
continue with coefficient 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from phi_tensor._dim import Dim
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._layout import Dense, Parts
from phi_tensor.linear._affine_elementwise import is_traced
from phi_tensor.linear._affine_plan import Call, by_entries, handler, side_by_side, splitter
from phi_tensor.linear._affine_structure import resized
from phi_tensor.linear._terms import (
    Term,
    affine,
    bias_of,
    fitted,
    map_key,
    number_of,
    terms_of,
)
from phi_tensor.ops import _table as table


@handler("stack")
def stack(call: Call) -> Tensor:
    """Parts along a new dim."""
    return side_by_side(list(call.operands), call.parameters["dim"])


@splitter("stack")
def stack_parts(call: Call) -> Tensor:
    """As of operands without parts."""
    return stack(call)


@handler("join")
def join(call: Call) -> Tensor:
    """A traced tensor without parts is joined already."""
    return call.operands[0]


@splitter("join")
def join_parts(call: Call) -> Tensor:
    """Parts one after the other along a dim of size 1 each."""
    (x,) = call.operands
    dim = cast("Parts", x.layout).dim
    one = dim.with_size(1)
    parts = [table.EXPAND(part.block(), dims=(one,)) for part in x.parts()]
    return _joined(parts, call.expected, dim)


@handler("concat")
def concat(call: Call) -> Tensor:
    """Operands one after the other along a dim."""
    return _joined(list(call.operands), call.expected, call.expected.shape.get_dim(call.parameters["dim"]))


@splitter("concat")
def concat_parts(call: Call) -> Tensor | None:
    """Lists of parts are joined, ragged operands part by part."""
    name = call.parameters["dim"]
    layouts = [x.layout for x in call.operands]
    if all(isinstance(layout, Parts) and layout.dim.name == name for layout in layouts):
        dim = call.expected.shape.get_dim(name)
        return side_by_side([part for x in call.operands for part in x.parts()], dim)
    ragged = next((x for x in layouts if isinstance(x, Parts) and not x.shape.is_uniform), None)
    return None if ragged is None else by_entries(call, ragged.dim.name)


def _joined(parts: list[Tensor], expected: Any, dim: Dim) -> Tensor:
    """Traced and constant tensors one after the other along `dim` of the result, which all have."""
    unknown = next(terms_of(x).unknown for x in parts if is_traced(x))
    full = [
        Shape.of(tuple(d if d.name != dim.name else x.shape.get_dim(dim.name) for d in expected.shape.dims))
        for x in parts
    ]
    terms = [
        [term.fitted(shape) for term in terms_of(x).terms] if is_traced(x) else []
        for x, shape in zip(parts, full, strict=True)
    ]
    bias = None
    if not all(is_traced(x) and terms_of(x).bias is None for x in parts):
        biases = [fitted(bias_of(x) if is_traced(x) else x, s) for x, s in zip(parts, full, strict=True)]
        bias = table.CONCAT(*biases, dim=dim.name)
    joined = [_chained(slot, full, dim) for slot in _matched(terms, dim.name)]
    x = affine(_unlabelled(expected.shape, dim), expected.dtype, expected.backend, unknown, joined, bias)
    if dim.labels:
        x = table.RENAME(x, renamed=((dim.name, dim),))
    return x


def _unlabelled(shape: Shape, dim: Dim) -> Shape:
    return Shape.of(tuple(d.with_size(d.size) if d.name == dim.name else d for d in shape.dims))


Slot = list[Term | None]


def _matched(terms: list[list[Term]], name: str) -> list[Slot]:
    """Which terms of the operands continue each other: those whose maps along other dims are equal."""
    slots: list[Slot] = []
    by_key: dict[Any, list[Slot]] = {}
    for k, own in enumerate(terms):
        for term in own:
            key = (
                term.source,
                term.latent,
                *((n, None if name in _axes(at) else map_key(at)) for n, at in term.index.items()),
            )
            free = [slot for slot in by_key.get(key, ()) if slot[k] is None]
            best = next(
                (slot for slot in free if _continues(slot[:k], term, name)), free[0] if free else None
            )
            if best is None:
                best = cast("Slot", [None] * len(terms))
                slots.append(best)
                by_key.setdefault(key, []).append(best)
            best[k] = term
    return slots


def _axes(x: Tensor) -> dict[str, int]:
    return cast("Dense", x.layout).axes


def _continues(slot: Sequence[Term | None], term: Term, name: str) -> bool:
    """Whether the maps of `term` begin where those of the last term in the slot end."""
    last = next(t for t in reversed(slot) if t is not None)
    for before, after in zip(last.index.values(), term.index.values(), strict=True):
        if name not in _axes(before) or name not in _axes(after):
            continue
        ends, starts = (np.take(at.natives[0], i, _axes(at)[name]) for at, i in ((before, -1), (after, 0)))
        if ends.shape != starts.shape or not np.array_equal(ends + 1, starts):
            return False
    return True


def _chained(slot: Slot, shapes: list[Shape], dim: Dim) -> Term:
    present = [k for k, term in enumerate(slot) if term is not None]
    first = cast("Term", slot[present[0]])
    index: dict[str, Tensor] = {}
    for name in first.index:
        maps = [None if term is None else term.index[name] for term in slot]
        index[name] = _in_a_row([_edge(maps, k, shapes, dim) for k in range(len(maps))], dim)
    coefficients = [
        number_of(0, _with_latent(shapes[k], first), first.coefficient.dtype)
        if term is None
        else term.coefficient
        for k, term in enumerate(slot)
    ]
    return replace(first, index=index, coefficient=_in_a_row(coefficients, dim))


def _with_latent(shape: Shape, term: Term) -> Shape:
    return Shape.of((*shape.dims, *term.latent))


def _edge(maps: list[Tensor | None], k: int, shapes: list[Shape], dim: Dim) -> Tensor:
    """Index map of operand k; where it has none, the edge of that of its neighbour."""
    own = maps[k]
    if own is not None:
        return own
    before = next((i for i in range(k - 1, -1, -1) if maps[i] is not None), None)
    at = before if before is not None else next(i for i in range(k + 1, len(maps)) if maps[i] is not None)
    neighbour = cast("Tensor", maps[at])
    place = -1 if before is not None else 0
    if not neighbour.shape.get_size(dim.name):
        place = slice(0, 0)
    edge: Tensor = neighbour.sliced(((dim.name, place),))
    return fitted(edge, shapes[k]) if isinstance(place, int) else neighbour


def _in_a_row(parts: list[Tensor], dim: Dim) -> Tensor:
    """Tensors one after the other; one number that holds in all stays one number."""
    size = sum(cast("int", x.shape.get_size(dim.name)) for x in parts)
    bare = [_bare(x, dim.name) for x in parts]
    if all(dim.name not in _axes(x) for x in bare) and all(_same(bare[0], x) for x in bare[1:]):
        return resized(bare[0], dim, size)
    return table.CONCAT(*bare, dim=dim.name)


def _bare(x: Tensor, name: str) -> Tensor:
    dim = x.shape.get_dim(name)
    return table.RENAME(x, renamed=((name, dim.with_size(dim.size)),)) if dim.labels else x


def _same(a: Tensor, b: Tensor) -> bool:
    x, y = cast("Dense", a.layout), cast("Dense", b.layout)
    if x.stored != y.stored or x.dtype is not y.dtype:
        return False
    first, second = a.natives[0], b.natives[0]
    return first is second or (
        isinstance(first, np.ndarray) and isinstance(second, np.ndarray) and np.array_equal(first, second)
    )
