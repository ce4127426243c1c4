"""Traced operands of structural rows: what moves entries moves index maps, coefficients and bias."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from phi_tensor._dim import Dim, entry_of
from phi_tensor._plan import Row
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.backends._numpy import NUMPY
from phi_tensor.layouts._affine import Affine
from phi_tensor.layouts._layout import Dense, Parts
from phi_tensor.linear._affine_plan import (
    Call,
    by_entries,
    entries,
    handler,
    side_by_side,
    splitter,
    untraceable,
)
from phi_tensor.linear._terms import Terms, affine, fitted, terms_of
from phi_tensor.ops import _table as table
from phi_tensor.ops._slicing import picked


def moved(row: Row, x: Tensor, result: Any, *others: Any, **parameters: Any) -> Tensor:
    """Traced tensor whose index maps, coefficients and bias are what the row makes of those of `x`."""
    have = terms_of(x)
    terms = [
        replace(
            term,
            index={name: row(at, *others, **parameters) for name, at in term.index.items()},
            coefficient=row(term.coefficient, *others, **parameters),
        )
        for term in have.terms
    ]
    bias = None if have.bias is None else row(have.bias, *others, **parameters)
    return affine(result.shape, result.dtype, result.backend, have.unknown, terms, bias)


@handler("slice", "rename", "flip", "roll", "unpack")
def structural(call: Call) -> Tensor:
    """Rows of one operand."""
    return moved(call.row, call.operands[0], call.expected, **call.parameters)


@handler("expand")
def expand(call: Call) -> Tensor:
    """Dims are added to the bias alone; index maps and coefficients get theirs when they need them."""
    (x,) = call.operands
    return moved(call.row, x, call.expected, **call.parameters)


@handler("pack")
def pack(call: Call) -> Tensor:
    """The position of the new dim does not matter here: the order of latent dims differs."""
    names, dim = call.parameters["names"], call.parameters["dim"]
    return moved(call.row, call.operands[0], call.expected, names=names, dim=dim, position=None)


@handler("take", "gather")
def look_up(call: Call) -> Tensor:
    """Look-up at indices that are known; they may have numbers of any library."""
    x, indices = call.operands
    if not indices.available:
        raise untraceable(call.row, "the indices have no numbers yet. ")
    return moved(call.row, x, call.expected, on_numpy(indices), **call.parameters)


def on_numpy(x: Tensor) -> Tensor:
    """A tensor that has numbers, with NumPy."""
    layout = cast("Dense", x.layout)
    numpy = Dense.of(layout.stored, layout.shape, layout.dtype, NUMPY)
    return x if layout is numpy else Tensor(numpy, (layout.backend.to_numpy(x.natives[0]),))


@handler("cast")
def cast_(call: Call) -> Tensor:
    """Change of element type; the numbers stay in their libraries, which mix."""
    (x,), dtype = call.operands, call.expected.dtype
    have = terms_of(x)
    terms = [replace(term, coefficient=_cast(term.coefficient, dtype)) for term in have.terms]
    bias = None if have.bias is None else _cast(have.bias, dtype)
    return Tensor(
        Affine.of(x.shape, dtype, call.expected.backend), (Terms(x.shape, have.unknown, tuple(terms), bias),)
    )


def _cast(x: Tensor, dtype: Any) -> Tensor:
    return x if x.dtype is dtype else table.CAST(x, dtype=dtype)


# --- parts


@splitter("slice")
def slice_parts(call: Call) -> Tensor:
    """Slices of the parts that are selected."""
    (x,) = call.operands
    layout = cast("Parts", x.layout)
    selection = call.parameters["selection"]
    along = [item for name, item in selection if name == layout.dim.name]
    rest = tuple((name, item) for name, item in selection if name != layout.dim.name)
    parts = x.parts()
    where, dim = picked(layout.dim, along[0]) if along else (slice(None), layout.dim)
    if isinstance(where, int):
        return parts[where].sliced(rest) if rest else parts[where]
    chosen = where if isinstance(where, tuple) else range(len(parts))[where]
    if not chosen:
        return x.block().sliced(selection)
    return side_by_side([parts[i].sliced(rest) if rest else parts[i] for i in chosen], dim)


@splitter("rename")
def rename_parts(call: Call) -> Tensor:
    """The parts, each with its names."""
    (x,) = call.operands
    layout, renamed = cast("Parts", x.layout), dict(call.parameters["renamed"])
    new = renamed.pop(layout.dim.name, layout.dim)
    parts: list[Tensor] = []
    for i, part in enumerate(x.parts()):
        own = tuple((n, entry_of(d, layout.dim.name, i)) for n, d in renamed.items() if n in part.shape)
        parts.append(table.RENAME(part, renamed=own) if own else part)
    return side_by_side(parts, layout.dim.with_name(new.name) if new.labels is None else new)


@splitter("expand")
def expand_parts(call: Call) -> Tensor:
    """The parts, each with the new dims; a ragged shape takes the tensor apart."""
    (x,) = call.operands
    dims: tuple[Dim, ...] = call.parameters["dims"]
    name = x.layout.dim.name
    missing = tuple(dim for dim in dims if dim.name != name)
    parts = [
        table.EXPAND(part, dims=tuple(entry_of(dim, name, i) for dim in missing)) if missing else part
        for i, part in enumerate(x.parts())
    ]
    return side_by_side(parts, call.expected.shape.get_dim(name))


@splitter("flip", "roll", "pack", "unpack", "cast")
def untouched(call: Call) -> Tensor | None:
    """Part by part, unless the row moves entries along the dim of the parts."""
    (x,) = call.operands
    name, given = x.layout.dim.name, call.parameters
    touched: tuple[Any, ...] = (*given.get("names", ()), given.get("name"))
    if call.row.kind == "cast" or name not in touched:
        return by_entries(call, name)
    if call.row.name == "flip":
        parts = entries(x, name)[::-1]
        dim = x.layout.dim
        turned = side_by_side(list(parts), dim.with_size(dim.size, dim.labels[::-1] if dim.labels else None))
        rest = tuple(n for n in given["names"] if n != name)
        return table.FLIP(turned, names=rest) if rest else turned
    return None


@splitter("take", "gather")
def look_up_parts(call: Call) -> Tensor | None:
    """Part by part, where nothing is looked up along the dim of the parts."""
    x, indices = call.operands
    names = call.parameters.get("names") or (call.parameters["name"],)
    index = call.parameters.get("index", "")
    if isinstance(x.layout, Parts):
        if x.layout.dim.name in names:
            return None
        keep = (1,) if x.layout.dim.name == index else ()
        return by_entries(call, x.layout.dim.name, keep)
    if indices.shape.is_uniform:
        return None
    split = next(d.over[0] for d in indices.shape.non_uniform.dims)
    return by_entries(call, split, () if split in x.shape and split not in names else (0,))


def resized(x: Tensor, dim: Dim, size: int) -> Tensor:
    """`x`, which does not vary along `dim`, with another size of it."""
    shape = x.shape.without(dim.name)
    bare: Tensor = table.SLICE(x, selection=((dim.name, 0),))
    return fitted(bare, shape & Shape.of((dim.with_size(size),)))
