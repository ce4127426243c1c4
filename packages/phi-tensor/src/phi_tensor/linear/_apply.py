"""Terms at work: the values that they look up, and the transposed map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np

from phi_tensor._dim import Dim
from phi_tensor._dim_types import channel, instance
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._layout import Dense
from phi_tensor.linear._axis_maps import picked, put_back, scattered
from phi_tensor.linear._terms import Term, fitted, slim, zero_slices, zeros_of
from phi_tensor.ops import _table as table


class Places(NamedTuple):
    """How a term looks up values, one dim after the other where that is possible.

    Attributes:
        fixed: Position by dim of the source, for maps that do not vary.
        axes: `(dim of the source, dim of the result, positions)`, no dim of the result twice.
        gathered: Index maps by dim of the source, for all others.
    """

    fixed: tuple[tuple[str, int], ...]
    axes: tuple[tuple[str, Dim, Any], ...]
    gathered: tuple[tuple[str, Tensor], ...]

    @property
    def targets(self) -> set[str]:
        """Dims of the result along which something else is looked up."""
        return {dim.name for _, dim, _ in self.axes} | {n for _, at in self.gathered for n in at.shape.names}


def places_of(term: Term) -> Places:
    """How a term looks up values."""
    layouts = {name: cast("Dense", at.layout) for name, at in term.index.items()}
    used = [dim.name for layout in layouts.values() for dim in layout.stored]
    fixed: list[tuple[str, int]] = []
    axes: list[tuple[str, Dim, Any]] = []
    gathered: list[tuple[str, Tensor]] = []
    for name, at in term.index.items():
        stored, native = layouts[name].stored, at.natives[0]
        if not stored:
            fixed.append((name, int(native)))
        elif len(stored) == 1 and used.count(stored[0].name) == 1:
            axes.append((name, stored[0], native))
        else:
            layout = Dense.of(stored, Shape.of(stored), at.dtype, layouts[name].backend)
            gathered.append((name, Tensor(layout, at.natives)))
    return Places(tuple(fixed), tuple(axes), tuple(gathered))


def applied(term: Term, x: Tensor) -> Tensor:
    """Values that a term takes from a block of the unknown; dims along which they are equal may miss."""
    places = places_of(term)
    return _summed(term, _looked_up(places, x))


def _looked_up(places: Places, x: Tensor) -> Tensor:
    if places.fixed:
        x = x.sliced(places.fixed)
    for name, _, at in places.axes:
        x = picked(x, name, at)
    private = tuple(
        (name, Dim.of(f"_source{i}", instance, x.shape.get_size(name)))
        for i, (name, _) in enumerate(places.gathered)
    )
    renamed = (*((name, dim) for name, dim, _ in places.axes if x.shape.get_dim(name) is not dim), *private)
    if renamed:
        x = table.RENAME(x, renamed=renamed)
    if not places.gathered:
        return x
    index = channel(_place=len(private)).dim
    every = Shape.of(tuple({d.name: d for _, at in places.gathered for d in at.shape.dims}.values()))
    at = table.STACK(*(fitted(at, every) for _, at in places.gathered), dim=index)
    return table.GATHER(x, at, names=tuple(dim.name for _, dim in private), index=index.name)


def _summed(term: Term, values: Tensor) -> Tensor:
    """Product with the coefficient, summed over latent dims without an array of all products."""
    stored = cast("Dense", term.coefficient.layout).axes
    alone = tuple(d.name for d in term.latent if d.name not in stored)
    looked_up = tuple(n for n in alone if n in values.shape)
    if looked_up:
        values = table.SUM(values, names=looked_up)
    coefficient, repeats = term.coefficient, 1
    for dim in term.latent:
        if dim.name in alone and dim.name not in looked_up:
            repeats *= cast("int", dim.size)
    coefficient = bare(coefficient)
    shared = tuple(d.name for d in term.latent if d.name in stored)
    missing = [n for n in shared if n not in values.shape]
    if missing:
        coefficient = table.SUM(coefficient, names=tuple(missing))
    pairs = tuple((n, n) for n in shared if n in values.shape)
    found = table.MATMUL(coefficient, values, pairs=pairs) if pairs else _scaled(coefficient, values)
    return found if repeats == 1 else table.MULTIPLY(found, repeats)


def _scaled(coefficient: Tensor, values: Tensor) -> Tensor:
    native: Any = coefficient.natives[0]
    if isinstance(native, np.ndarray) and not cast("Any", native).shape and native == 1:
        return values
    return table.MULTIPLY(values, coefficient)


def bare(x: Tensor) -> Tensor:
    """`x` without the dims along which it is constant."""
    layout = cast("Dense", x.layout)
    return Tensor(Dense.of(layout.stored, Shape.of(layout.stored), layout.dtype, layout.backend), x.natives)


def transposed(term: Term, shape: Shape, y: Tensor, block: Shape) -> Tensor:
    """Transpose of `applied`: what values `y` of the output's `shape` add to a block of the unknown."""
    places = places_of(term)
    targets = places.targets
    y, coefficient, places = _within(y, bare(term.coefficient), places)
    sizes = {dim.name: dim for _, dim, _ in places.axes}
    kept = [sizes.get(d.name, d) for d in (*shape.dims, *term.latent) if d.name in targets]
    gone = [d.name for d in (*shape.dims, *term.latent) if d.name not in targets]
    first = tuple(n for n in gone if n not in coefficient.shape and n in shape)
    values: Tensor = table.SUM(y, names=first) if first else y
    for dim in term.latent:
        if dim.name in gone and dim.name not in coefficient.shape:
            values = table.MULTIPLY(values, cast("int", dim.size))
    own = tuple(n for n in gone if n in coefficient.shape and n not in values.shape)
    if own:
        coefficient = table.SUM(coefficient, names=own)
    pairs = tuple((n, n) for n in gone if n in coefficient.shape)
    values = table.MATMUL(coefficient, values, pairs=pairs) if pairs else _scaled(coefficient, values)
    values = fitted(values, Shape.of(tuple(kept)))
    return _returned(places, values, block)


def _within(y: Tensor, coefficient: Tensor, places: Places) -> tuple[Tensor, Tensor, Places]:
    """The same without the entries at either end whose coefficient is known to be zero."""
    axes: list[tuple[str, Dim, Any]] = []
    for name, dim, at in places.axes:
        native, layout = coefficient.natives[0], cast("Dense", coefficient.layout)
        low = up = 0
        if isinstance(native, np.ndarray) and dim.name in layout.axes:
            axis = layout.axes[dim.name]
            low = zero_slices(native, axis)
            up = zero_slices(np.flip(native, axis), axis) if low < len(at) else 0
        if low or up:
            inner = ((dim.name, (slice, low, len(at) - up, None)),)
            y = y.sliced(inner) if dim.name in y.shape else y
            coefficient = bare(slim(coefficient.sliced(inner)))
            kept = at[low : len(at) - up]
            axes.append((name, dim.with_size(len(kept)), kept))
        else:
            axes.append((name, dim, at))
    return y, coefficient, places._replace(axes=tuple(axes))


def _returned(places: Places, values: Tensor, block: Shape) -> Tensor:
    if places.gathered:
        new = tuple(
            Dim.of(f"_source{i}", instance, block.get_size(name))
            for i, (name, _) in enumerate(places.gathered)
        )
        values = scattered(values, [at for _, at in places.gathered], new)
    for name, dim, at in places.axes:
        values = put_back(values, dim.name, at, cast("int", block.get_size(name)))
    renamed = [(dim.name, block.get_dim(name)) for name, dim, _ in places.axes]
    renamed += [(f"_source{i}", block.get_dim(name)) for i, (name, _) in enumerate(places.gathered)]
    renamed = [(name, dim) for name, dim in renamed if values.shape.get_dim(name) is not dim]
    if renamed:
        values = table.RENAME(values, renamed=tuple(renamed))
    for name, place in places.fixed:
        dim = block.get_dim(name)
        before = zeros_like_slices(values, dim, place)
        after = zeros_like_slices(values, dim, cast("int", dim.size) - place - 1)
        one = fitted(values, Shape.of((dim.with_size(1),)))
        values = table.CONCAT(*before, one, *after, dim=name) if before or after else one
        if dim.labels:
            values = table.RENAME(values, renamed=((name, dim),))
    return values


def zeros_like_slices(values: Tensor, dim: Dim, count: int) -> list[Tensor]:
    """Zeros beside `values` along a new dim."""
    return [zeros_of(values.shape & Shape.of((dim.with_size(count),)), values.dtype)] if count else []


def total(parts: Sequence[Tensor], shape: Shape, dtype: Any) -> Tensor:
    """Sum of parts, with all dims of `shape`."""
    result: Tensor | None = None
    for part in parts:
        result = part if result is None else table.ADD(result, part)
    if result is None:
        return zeros_of(shape, dtype)
    result = fitted(result, shape)
    other = tuple((dim.name, dim) for dim in shape.dims if result.shape.get_dim(dim.name) is not dim)
    return table.RENAME(result, renamed=other) if other else result
