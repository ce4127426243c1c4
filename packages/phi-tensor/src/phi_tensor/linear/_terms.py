"""What a traced tensor is made of: weighted look-ups in the unknown, and a bias.

A term says `value[o] = Σ_l coefficient[o, l] · unknown[index(o, l)]` for entries o of the tensor and, where
it is a sum, l of private *latent* dims. Index maps and coefficients have all of these dims but store those
only along which they vary, so the terms of a stencil on a grid hold one vector of indices per dim and no
arrays of the grid's size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from phi_tensor._dim import Dim
from phi_tensor._dim_types import instance
from phi_tensor._dtype import INT64, DType
from phi_tensor._shape import Shape, concat_shapes
from phi_tensor._tensor import Tensor
from phi_tensor._trees import Structure
from phi_tensor.backends._backend import Backend
from phi_tensor.backends._numpy import NUMPY
from phi_tensor.layouts._affine import Affine
from phi_tensor.layouts._layout import Dense, Layout, Parts
from phi_tensor.ops import _table as table


@dataclass(frozen=True, eq=False)
class Unknown:
    """What is solved for: a tree whose tensors are cut into uniform blocks.

    Attributes:
        structure: The tree without its tensors.
        layouts: Layouts of the tree's tensors.
        blocks: Shapes of the uniform blocks, the parts of all ragged tensors one by one.
    """

    structure: Structure
    layouts: tuple[Any, ...]
    blocks: tuple[Shape, ...]


@dataclass(frozen=True, eq=False)
class Term:
    """Weighted look-up in one block of the unknown, see the module.

    Attributes:
        source: Number of the block.
        index: Position along each dim of the block: int tensors `(output…, latent…)` on NumPy.
        coefficient: Weights `(output…, latent…)`.
        latent: Dims that are summed over.
    """

    source: int
    index: dict[str, Tensor]
    coefficient: Tensor
    latent: tuple[Dim, ...] = ()

    def key(self) -> tuple[Any, ...]:
        """Equal for terms that look up the same entries, whose coefficients may be added."""
        return (self.source, self.latent, *((name, map_key(at)) for name, at in self.index.items()))

    def fitted(self, shape: Shape) -> Term:
        """The term with all dims of the output's `shape`."""
        full = shape if not self.latent else concat_shapes(shape, Shape.of(self.latent))
        index = {name: fitted(at, full) for name, at in self.index.items()}
        return replace(self, index=index, coefficient=fitted(self.coefficient, full))


@dataclass(frozen=True, eq=False)
class Terms:
    """The only native of a traced tensor: `Σ terms + bias`.

    Attributes:
        shape: Dims of the tensor.
        unknown: What the terms look up values in.
        terms: Weighted look-ups; no two have the same index maps.
        bias: Value where the unknown is zero `(output…)`; None: zero.
    """

    shape: Shape
    unknown: Unknown
    terms: tuple[Term, ...]
    bias: Tensor | None = None


def terms_of(x: Tensor) -> Terms:
    """What a traced tensor without parts is made of."""
    assert isinstance(x.layout, Affine)
    return cast("Terms", x.natives[0])


def affine(
    shape: Shape, dtype: DType, backend: Backend, unknown: Unknown, terms: Iterable[Term], bias: Tensor | None
) -> Tensor:
    """Traced tensor of `terms`, of which those with the same index maps are joined."""
    joined: dict[Any, Term] = {}
    for term in terms:
        term = term.fitted(shape)
        term = _continued(replace(term, coefficient=slim(term.coefficient)), unknown.blocks[term.source])
        key = term.key()
        known = joined.get(key)
        if known is None:
            joined[key] = term
        else:
            total = table.ADD(known.coefficient, term.coefficient)
            joined[key] = replace(known, coefficient=total)
    if bias is not None:
        bias = fitted(bias, shape)
    return Tensor(Affine.of(shape, dtype, backend), (Terms(shape, unknown, tuple(joined.values()), bias),))


def with_numbers(x: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Traced tensor of the same maps with other coefficients and bias; parts with numbers change likewise."""
    natives: tuple[Any, ...] = ()
    for native, layout in zip(x.natives, _leaves(x.layout), strict=True):
        if not isinstance(native, Terms):
            natives += change(Tensor(layout, (native,))).natives
            continue
        terms = tuple(replace(term, coefficient=change(term.coefficient)) for term in native.terms)
        bias = None if native.bias is None else change(native.bias)
        natives += (replace(native, terms=terms, bias=bias),)
    return Tensor(x.layout, natives)


def _leaves(layout: Layout) -> tuple[Layout, ...]:
    if not isinstance(layout, Parts):
        return (layout,)
    return tuple(leaf for part in layout.parts for leaf in _leaves(part))


def bias_of(x: Tensor) -> Tensor:
    """Value of a traced tensor where the unknown is zero."""
    bias = terms_of(x).bias
    return zeros_of(x.shape, x.dtype) if bias is None else bias


def without_bias(x: Tensor) -> Tensor:
    """The linear part of a traced tensor."""
    have = terms_of(x)
    return x if have.bias is None else Tensor(x.layout, (replace(have, bias=None),))


# --- tensors that store few dims

SMALL = 1 << 16
"""Coefficients of at most so many entries are searched for dims along which they do not vary."""


def slim(x: Tensor) -> Tensor:
    """`x` without storing dims along which its numbers are equal."""
    layout = cast("Dense", x.layout)
    native: Any = x.natives[0]
    if not layout.stored or not isinstance(native, np.ndarray) or not 0 < cast("Any", native).size <= SMALL:
        return x
    stored: list[Dim] = []
    index: list[Any] = []
    for axis, dim in enumerate(layout.stored):
        first = cast("Any", native).take([0], axis)
        same = bool((native == first).all())
        index.append(0 if same else slice(None))
        if not same:
            stored.append(dim)
    if len(stored) == len(layout.stored):
        return x
    layout = Dense.of(tuple(stored), layout.shape, layout.dtype, layout.backend)
    return Tensor(layout, (np.asarray(native[tuple(index)]),))


def _continued(term: Term, block: Shape) -> Term:
    """The term with maps that go on, within the block, where its coefficient is zero at either end.

    Nothing is looked up there. Terms that differ there alone get equal maps and are joined.
    """
    layout = cast("Dense", term.coefficient.layout)
    weights: Any = term.coefficient.natives[0]
    if not layout.stored or not isinstance(weights, np.ndarray):
        return term
    index = dict(term.index)
    for name, at in term.index.items():
        stored = cast("Dense", at.layout).stored
        if len(stored) != 1 or stored[0].name not in layout.axes or not stored[0].size:
            continue
        axis, places = layout.axes[stored[0].name], at.natives[0]
        low, up = zero_slices(weights, axis), zero_slices(np.flip(weights, axis), axis)
        if (low or up) and low < len(places):
            inner = places[low : len(places) - up]
            whole = [inner[0] - np.arange(low, 0, -1), inner, inner[-1] + np.arange(1, up + 1)]
            new = np.clip(np.concatenate(whole), 0, cast("int", block.get_size(name)) - 1)
            if (new != places).any():
                index[name] = Tensor(at.layout, (new,))
    return replace(term, index=index)


def zero_slices(weights: Any, axis: int) -> int:
    """Number of zero slices at the beginning."""
    count = 0
    while count < weights.shape[axis] and not weights.take(count, axis).any():
        count += 1
    return count


def map_key(at: Tensor) -> tuple[Any, ...]:
    """Equal for index maps with the same content."""
    layout = cast("Dense", at.layout)
    return layout.stored, at.natives[0].tobytes()


def fitted(x: Tensor, shape: Shape) -> Tensor:
    """`x` with all dims of `shape`, constant along those that it lacks."""
    missing = tuple(dim for dim in shape.dims if dim.name not in x.shape)
    return table.EXPAND(x, dims=missing) if missing else x


def zeros_of(shape: Shape, dtype: DType) -> Tensor:
    """Zeros that store nothing, on NumPy."""
    return number_of(0, shape, dtype)


def number_of(value: complex, shape: Shape, dtype: DType) -> Tensor:
    """One number that holds everywhere, on NumPy."""
    return Tensor(Dense.of((), shape, dtype, NUMPY), (np.full((), value, dtype.numpy),))


def along(dim: Dim, values: Any, shape: Shape, dtype: DType = INT64) -> Tensor:
    """Tensor of `shape` that varies along one of its dims."""
    return Tensor(Dense.of((dim,), shape, dtype, NUMPY), (np.asarray(values, dtype.numpy),))


def positions(dim: Dim, values: Any) -> Tensor:
    """Ints along a dim of that name, whatever its size was, and without labels."""
    new = dim.with_size(len(values))
    return along(new, values, Shape.of((new,)))


def identity(unknown: Unknown, source: int, dtype: DType, backend: Backend) -> Tensor:
    """The block `source` of the unknown as a traced tensor: itself, with coefficient 1."""
    shape = unknown.blocks[source]
    index = {dim.name: along(dim, np.arange(cast("int", dim.size)), shape) for dim in shape.dims}
    term = Term(source, index, number_of(1, shape, dtype))
    return Tensor(Affine.of(shape, dtype, backend), (Terms(shape, unknown, (term,)),))


def free_latents(taken: Sequence[Dim], dims: Sequence[Dim]) -> tuple[Dim, ...]:
    """Private dims in the place of `dims`, with names that the latent dims `taken` do not have."""
    names = {dim.name for dim in taken}
    free = (name for name in (f"_latent{i}" for i in range(len(taken) + len(dims))) if name not in names)
    return tuple(Dim.of(next(free), instance, dim.size) for dim in dims)
