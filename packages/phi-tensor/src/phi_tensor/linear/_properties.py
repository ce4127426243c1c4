"""What terms prove about a matrix: stencil, diagonal, symmetry, sum of matrices along single axes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, cast

import numpy as np

from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._layout import Dense
from phi_tensor.linear import _axis_matrix as along_axis
from phi_tensor.linear._apply import places_of
from phi_tensor.linear._coo import is_identity
from phi_tensor.linear._modes import LONGEST_DECOMPOSED
from phi_tensor.linear._terms import Term, along
from phi_tensor.ops import _table as table

Offset = tuple[int, ...]


def numbers(x: Tensor) -> Any:
    """Numbers of a tensor as float64 (or complex) array of its stored dims; None while they are traced."""
    if not x.available:
        return None
    array = x.layout.backend.to_numpy(x.natives[0])
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def stencil(terms: Sequence[Term], shape: Shape, block: Shape) -> dict[Offset, Tensor] | None:
    """Coefficients by offset, as far as all terms look up neighbours along the same dims.

    Args:
        terms: Terms of one block of the unknown.
        shape: Dims of the result.
        block: Dims of the unknown, which are among them.

    Returns:
        `{(offset along each dim of the block): coefficient}`, where the neighbour of entry o is that at
        `(o + offset) mod size`; coefficients are 0 where there is none. None if the terms are no stencil.
    """
    if any(name not in shape or shape.get_size(name) != block.get_size(name) for name in block.names):
        return None
    found: dict[Offset, Tensor] = {}
    for term in terms:
        parts = [_offsets(term, name, cast("int", block.get_size(name))) for name in block.names]
        if term.latent or any(part is None for part in parts):
            return None
        for chosen in product(*cast("list[list[tuple[int, Any]]]", parts)):
            coefficient = term.coefficient
            for name, (_, mask) in zip(block.names, chosen, strict=True):
                if mask is not None:
                    dim = coefficient.shape.get_dim(name)
                    weights = along(dim, mask, coefficient.shape, coefficient.dtype)
                    coefficient = table.MULTIPLY(coefficient, weights)
            key = tuple(offset for offset, _ in chosen)
            found[key] = table.ADD(found[key], coefficient) if key in found else coefficient
    return found


def _offsets(term: Term, name: str, size: int) -> list[tuple[int, Any]] | None:
    """`(offset, mask where it holds or None)` along one dim; None if the map is no shift along it."""
    layout = cast("Dense", term.index[name].layout)
    if [dim.name for dim in layout.stored] != [name]:
        return [(0, None)] if size == 1 and not layout.stored else None
    native: Any = term.index[name].natives[0]
    shifts: Any = (native - np.arange(size)) % size
    shifts = cast("Any", np.where(shifts > size // 2, shifts - size, shifts))
    distinct: list[int] = np.unique(shifts[_used_along(term.coefficient, name, size)]).tolist()
    if len(distinct) > 5:
        return None
    return [(offset, shifts == offset if len(distinct) > 1 else None) for offset in distinct]


def _used_along(coefficient: Tensor, name: str, size: int) -> Any:
    """Where along a dim a coefficient is not known to be zero."""
    layout = cast("Dense", coefficient.layout)
    native: Any = coefficient.natives[0]
    if not isinstance(native, np.ndarray) or name not in layout.axes:
        return np.ones(size, bool)
    others = tuple(axis for other, axis in layout.axes.items() if other != name)
    return (native != 0).any(others)


def diagonal(terms: Sequence[Term], shape: Shape, block: Shape) -> Tensor | None:
    """Coefficients of each entry in its own equation; None where the maps do not tell."""
    total: Tensor | None = None
    for term in terms:
        part = _own(term, shape, block)
        if part is None:
            return None
        total = part if total is None else table.ADD(total, part)
    return total


def _own(term: Term, shape: Shape, block: Shape) -> Tensor | None:
    coefficient = term.coefficient
    mask: Tensor | None = None
    for name in block.names:
        at = term.index[name]
        layout = cast("Dense", at.layout)
        if name not in shape or len(layout.stored) > 1:
            return None
        place = along(shape.get_dim(name), np.arange(cast("int", shape.get_size(name))), shape)
        dim = layout.stored[0] if layout.stored else None
        if dim is not None and dim in term.latent:
            if not (at.natives[0] == np.arange(len(at.natives[0]))).all():
                return None
            coefficient = _on_diagonal(coefficient, dim.name, name)
            continue
        if is_identity(name, at):
            continue
        same = table.EQUAL(at, place)
        mask = same if mask is None else table.LOGICAL_AND(mask, same)
    left = [dim.name for dim in term.latent if dim.name in coefficient.shape]
    if left:
        return None
    if mask is not None:
        latent = tuple(dim.name for dim in term.latent)
        mask = mask if not latent else mask.sliced(tuple((name, 0) for name in latent if name in mask.shape))
        coefficient = table.MULTIPLY(coefficient, mask)
    return coefficient


def _on_diagonal(coefficient: Tensor, latent: str, name: str) -> Tensor:
    """Coefficients where a latent dim is at the position of the dim of the result that it stands for."""
    axes = cast("Dense", coefficient.layout).axes
    if latent not in axes:
        return coefficient.sliced(((latent, 0),))
    dim = coefficient.shape.get_dim(name)
    if name not in axes:
        bare: Tensor = coefficient.sliced(((name, 0),))
        return table.RENAME(bare, renamed=((latent, dim),))
    size = cast("int", dim.size)
    flat = table.PACK(coefficient, names=(name, latent), dim=dim.with_size(None), position=None)
    return flat.sliced(((name, (slice, None, None, size + 1)),))


# --- one axis at a time


def axis_matrices(terms: Sequence[Term], shape: Shape, block: Shape) -> dict[str, Any] | None:
    """Matrices `(n, n)` by dim with A = Σ I ⊗ A_dim ⊗ I, where the terms say so and have numbers."""
    if shape != block:
        return None
    found: dict[str, Any] = {}
    middle: list[Term] = []
    for term in terms:
        active = [name for name, at in term.index.items() if not is_identity(name, at)]
        if not active:
            middle.append(term)
            continue
        values = numbers(term.coefficient)
        places = places_of(term)
        if len(active) > 1 or values is None or places.gathered:
            return None
        name = active[0]
        allowed = {name, *(dim.name for dim in term.latent)}
        if not set(cast("Dense", term.coefficient.layout).axes) <= allowed:
            return None
        n = cast("int", block.get_size(name))
        if term.latent and n > LONGEST_DECOMPOSED:
            return None
        matrix = found.get(name, along_axis.empty(n))
        found[name] = matrix + _axis_matrix(term, name, n, values)
    for term in middle:
        if term.latent or not _spread(term, block, found):
            return None
    return found


def _axis_matrix(term: Term, name: str, n: int, values: Any) -> Any:
    dims = (term.coefficient.shape.get_dim(name), *term.latent)
    order = [dim.name for dim in dims]
    layout, at = cast("Dense", term.coefficient.layout), term.index[name]
    columns = _broadcast(at.natives[0], list(cast("Dense", at.layout).axes), order, dims)
    weights = _broadcast(values, list(layout.axes), order, dims)
    rows = np.broadcast_to(np.arange(n).reshape([-1] + [1] * len(term.latent)), columns.shape)
    return along_axis.entries(n, rows.ravel(), columns.ravel(), weights.ravel())


def _broadcast(native: Any, names: list[str], order: list[str], dims: Sequence[Any]) -> Any:
    native = native.transpose([names.index(name) for name in order if name in names])
    native = native.reshape([dim.size if dim.name in names else 1 for dim in dims])
    return np.broadcast_to(native, [dim.size for dim in dims])


def _spread(term: Term, block: Shape, found: dict[str, Any]) -> bool:
    """Add the coefficient of each entry itself to the axes, if it is a sum of functions of one dim each.

    Each axis gets what makes its rows add up to zero, the first the rest: axes of a Laplacian are Laplacians.
    """
    values = numbers(term.coefficient)
    layout = cast("Dense", term.coefficient.layout)
    if values is None or not set(layout.axes) <= set(block.names) or not block.names:
        return False
    centre = tuple(size // 2 for size in values.shape)
    constant = values[centre]
    rest = values - constant
    for name, axis in layout.axes.items():
        line = rest[tuple(slice(None) if a == axis else c for a, c in enumerate(centre))]
        n = len(line)
        found[name] = found.get(name, along_axis.empty(n)) + along_axis.diagonal(line)
        rest = rest - line.reshape([-1 if a == axis else 1 for a in range(values.ndim)])
    if np.abs(rest).max(initial=0) > 8 * _epsilon(term.coefficient) * np.abs(values).max(initial=0):
        return False
    left = constant
    for name in block.names:
        if name in found:
            n = cast("int", block.get_size(name))
            share = -along_axis.row_sum(found[name], n // 2)
            found[name] = found[name] + along_axis.diagonal(np.full(n, share))
            left = left - share
    name = next(iter(found), block.names[0])
    n = cast("int", block.get_size(name))
    found[name] = found.get(name, along_axis.empty(n)) + along_axis.diagonal(np.full(n, left))
    return True


def _epsilon(x: Tensor) -> float:
    return float(np.finfo(x.dtype.numpy).eps) if x.dtype.kind in (float, complex) else 0.0


# --- symmetry


def is_symmetric(terms: Sequence[Term], shape: Shape, block: Shape) -> bool | None:
    """Whether A = Aᵀ up to rounding; None where that is unknown (traced coefficients, other maps)."""
    if shape != block:
        return False
    rest = [term for term in terms if not _is_mean(term, block)]
    found = stencil(rest, shape, block)
    if found is None or any(not c.available for c in found.values()):
        return (
            None
            if found is not None or any(not t.coefficient.available for t in rest)
            else _by_axes(rest, shape, block)
        )
    largest = max((np.abs(numbers(c)).max(initial=0) for c in found.values()), default=0.0)
    for offset, coefficient in found.items():
        moved = coefficient
        for name, step in zip(block.names, offset, strict=True):
            if step:
                moved = table.ROLL(moved, name=name, shift=step)
        mirror = found.get(tuple(_folded(-o, n) for o, n in zip(offset, block.sizes, strict=True)))
        difference = moved if mirror is None else table.SUBTRACT(moved, mirror)
        if np.abs(numbers(difference)).max(initial=0) > 8 * _epsilon(coefficient) * largest:
            return False
    return True


def _folded(offset: int, size: Any) -> int:
    shift = offset % size
    return shift - size if shift > size // 2 else shift


def _by_axes(terms: Sequence[Term], shape: Shape, block: Shape) -> bool | None:
    found = axis_matrices(terms, shape, block)
    if found is None:
        return None
    largest = max(map(along_axis.largest, found.values()), default=0.0)
    epsilon = max((_epsilon(t.coefficient) for t in terms), default=0.0)
    return all(along_axis.largest(m - m.T) <= 8 * epsilon * largest for m in found.values())


def _is_mean(term: Term, block: Shape) -> bool:
    """Whether a term adds up entries with one weight along some dims and leaves the others alone."""
    if cast("Dense", term.coefficient.layout).stored:
        return False
    for name, at in term.index.items():
        stored = cast("Dense", at.layout).stored
        latent = len(stored) == 1 and stored[0] in term.latent
        if not is_identity(name, at) and not (
            latent and (at.natives[0] == np.arange(cast("int", block.get_size(name)))).all()
        ):
            return False
    return True
