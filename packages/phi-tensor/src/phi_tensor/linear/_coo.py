"""Terms as matrix entries: row, column, value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from phi_tensor._dim import Dim
from phi_tensor._dim_types import batch, instance
from phi_tensor._dtype import FLOAT32
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._layout import Dense
from phi_tensor.layouts._sparse import ENTRIES
from phi_tensor.linear._apply import bare
from phi_tensor.linear._axis_maps import scattered
from phi_tensor.linear._terms import Term, Terms, along, fitted, positions
from phi_tensor.ops import _table as table

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Coo:
    """Entries of a matrix from some dims of the unknown to some of the result; all others are batch dims.

    Attributes:
        rows: Dims of the result that are rows.
        columns: Dims of the unknown that are columns, under their own names.
        row: Row-major flat row of each entry; ascending, columns ascending in each row, none twice.
        column: Row-major flat column of each entry.
        values: Values `(batch…, _stored)`.
    """

    rows: Shape
    columns: Shape
    row: Ints
    column: Ints
    values: Tensor


def is_identity(name: str, at: Tensor) -> bool:
    """Whether an index map says: the entry of the same position along the same dim."""
    stored = cast("Dense", at.layout).stored
    if len(stored) != 1 or stored[0].name != name:
        return False
    native = at.natives[0]
    return bool((native == np.arange(len(native))).all())


def uncoupled(terms: Sequence[Term], shape: Shape, block: Shape) -> set[str]:
    """Dims of unknown and result that all terms look up in place, so that they are batch dims of a matrix."""
    found = {dim.name for dim in block.dims if dim.name in shape and shape.get_size(dim.name) == dim.size}
    for term in terms:
        for name, at in term.index.items():
            if not is_identity(name, at):
                found -= {name, *(d.name for d in cast("Dense", at.layout).stored)}
    return found


def to_coo(terms: Terms, source: int, sparsify_batch: bool = False, separate: bool = False) -> Coo:
    """Matrix entries from one block of the unknown.

    Entries whose numbers are known to be zero are left out.

    Args:
        terms: The function.
        source: Number of the block.
        sparsify_batch: Batch dims along which coefficients vary are rows and columns.
        separate: Other dims along which coefficients vary, but nothing is coupled, are none.
    """
    own = [term for term in terms.terms if term.source == source]
    block, shape = terms.unknown.blocks[source], terms.shape
    apart = uncoupled(own, shape, block)
    varying = {name for term in own for name in cast("Dense", term.coefficient.layout).axes}
    kept = {
        n for n in apart & varying if (sparsify_batch if shape.get_dim(n).type is batch else not separate)
    }
    apart -= kept
    used = {d.name for term in own for at in term.index.values() for d in cast("Dense", at.layout).stored}
    batches = {d.name for d in shape.dims if d.type is batch and d.name not in {*used, *block.names}}
    rows = shape.without([name for name in shape.names if name in apart | batches])
    columns = block.without([name for name in block.names if name in apart])
    own_order = [name for name in columns.names if name in rows]  # as the columns, so that squares are square
    rows = Shape.of((*(rows.get_dim(name) for name in own_order), *rows.without(own_order).dims))
    return _entries(own, rows, columns)


def _entries(terms: Sequence[Term], rows: Shape, columns: Shape) -> Coo:
    count = cast("int", rows.volume)
    at = [_columns(term, rows, columns) for term in terms]  # (rows, latents) each
    order = sorted(range(len(terms)), key=lambda i: float(at[i].mean()) if at[i].size else 0.0)
    terms, at = [terms[i] for i in order], [at[i] for i in order]
    widths = [a.shape[1] for a in at]
    column: Ints = np.concatenate([np.zeros((count, 0), np.int64), *at], 1).ravel()
    row: Ints = np.repeat(np.arange(count), sum(widths))
    values = [fitted(bare(term.coefficient), Shape.of((*rows.dims, *term.latent))) for term in terms]
    keep = _nonzero(values, terms, rows)
    flat = _listed(values, terms, rows)
    chosen = np.flatnonzero(keep)
    if len(chosen) < len(row):
        row, column, flat = row[chosen], column[chosen], _taken(flat, chosen)
    key = row * max(cast("int", columns.volume), 1) + column
    steps = np.diff(key)
    if (steps > 0).all():
        return Coo(rows, columns, row, column, flat)
    unique, inverse = np.unique(key, return_inverse=True)
    if len(unique) == len(key):
        sorting = np.argsort(key, kind="stable")
        return Coo(rows, columns, row[sorting], column[sorting], _taken(flat, sorting))
    entries = Dim.of(ENTRIES, instance, len(unique))
    summed = scattered(
        flat, [positions(Dim.of(ENTRIES, instance, len(key)), inverse.astype(np.int64))], (entries,)
    )
    wide = max(cast("int", columns.volume), 1)
    return Coo(rows, columns, unique // wide, unique % wide, summed)


def _columns(term: Term, rows: Shape, columns: Shape) -> Ints:
    """Flat columns `(rows, latents)`."""
    order = (*rows.dims, *term.latent)
    sizes = [cast("int", dim.size) for dim in order]
    total: Any = np.zeros([1] * len(order), np.int64)
    stride = 1
    for dim in reversed(columns.dims):
        at = term.index[dim.name]
        total = total + _aligned(at.natives[0], cast("Dense", at.layout).stored, order) * stride
        stride *= cast("int", dim.size)
    count = cast("int", rows.volume)
    return np.broadcast_to(total, sizes).reshape(count, prod(sizes[len(rows.dims) :]))


def _aligned(native: Any, stored: Sequence[Dim], order: Sequence[Dim]) -> Any:
    names = [dim.name for dim in stored]
    present = [dim for dim in order if dim.name in names]
    native = native.transpose([names.index(dim.name) for dim in present])
    return native.reshape([dim.size if dim.name in names else 1 for dim in order])


def _nonzero(values: Sequence[Tensor], terms: Sequence[Term], rows: Shape) -> Any:
    """Mask of entries that are not known to be zero, in the order of `_listed`."""
    masks: list[Any] = [np.zeros((cast("int", rows.volume), 0), bool)]
    for x, term in zip(values, terms, strict=True):
        order = (*rows.dims, *term.latent)
        names, stored = {dim.name for dim in order}, cast("Dense", x.layout).stored
        some: Any = np.ones([1] * len(order), bool)
        if isinstance(x.natives[0], np.ndarray):
            batches = tuple(i for i, dim in enumerate(stored) if dim.name not in names)
            some = (x.natives[0] != 0).any(batches)
            some = _aligned(some, [dim for dim in stored if dim.name in names], order)
        width = prod(cast("int", dim.size) for dim in term.latent)
        sizes = [cast("int", dim.size) for dim in order]
        masks.append(np.broadcast_to(some, sizes).reshape(len(masks[0]), width))
    return np.concatenate(masks, 1).ravel()


def _listed(values: Sequence[Tensor], terms: Sequence[Term], rows: Shape) -> Tensor:
    """Coefficients `(batch…, _stored)`: row by row, in each row term by term."""
    if not values:
        dim = Dim.of(ENTRIES, instance, 0)
        return along(dim, [], Shape.of((dim,)), FLOAT32)
    parts: list[Tensor] = []
    for x, term in zip(values, terms, strict=True):
        by_row = _packed(x, rows.names, "_row")
        parts.append(_packed(by_row, tuple(dim.name for dim in term.latent), "_width"))
    joined = table.CONCAT(*(_same_dims(part, parts) for part in parts), dim="_width")
    return _packed(joined, ("_row", "_width"), ENTRIES)


def _packed(x: Tensor, names: tuple[str, ...], name: str) -> Tensor:
    if not names:
        return fitted(x, Shape.of((Dim.of(name, instance, 1),)))
    return table.PACK(x, names=names, dim=Dim.of(name, instance, None), position=None)


def _same_dims(x: Tensor, others: Sequence[Tensor]) -> Tensor:
    for other in others:
        x = fitted(x, other.shape.without("_width"))
    return x


def _taken(values: Tensor, at: Ints) -> Tensor:
    return table.TAKE(values, positions(values.shape.get_dim(ENTRIES), at), name=ENTRIES)
