"""Layouts of tensors that another library took apart and put together again, with other arrays inside.

Transformations of JAX, PyTorch and TensorFlow pass tensors as their arrays. Most keep the shapes; those that
map take one axis away on the way in and put one in front on the way out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from phi_tensor._dim import Dim
from phi_tensor._dim_types import batch
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._shape import Shape
from phi_tensor.backends._backend import Backend
from phi_tensor.layouts._layout import Dense, Layout, Parts
from phi_tensor.layouts._sparse import ENTRIES, Sparse

MAPPED = "vmap"
"""Name of the batch dim of results whose leading axis another library has added."""

Removed = Callable[[Any], int | None]
"""Which axis a library has taken away from an array, None where it cannot tell."""


def fitted(layout: Layout, natives: Sequence[Any], backend: Backend, removed: Removed) -> Layout:
    """`layout` as it describes `natives`, arrays of `backend`.

    Args:
        layout: How the tensor was stored before.
        natives: Its new arrays.
        backend: Their library.
        removed: Finds out which axis is missing.

    Raises:
        IncompatibleShapes: The arrays have other sizes, or nobody can tell which axis is missing.
    """
    if isinstance(layout, Parts):
        parts = tuple(
            fitted(part, natives[start : start + part.count], backend, removed)
            for part, start in zip(layout.parts, layout.offsets, strict=True)
        )
        if all(a is b for a, b in zip(parts, layout.parts, strict=True)):
            return layout
        return Parts.of(layout.dim, parts)
    if isinstance(layout, Sparse):
        values = fitted(layout.values, natives, backend, removed)
        if ENTRIES not in values.shape:
            raise IncompatibleShapes(
                f"A sparse tensor {layout.shape} cannot be mapped along the list of its stored entries by "
                f"another library. Map along a batch dim, or `dense(x)`."
            )
        return layout if values is layout.values else layout.with_values(values)
    assert isinstance(layout, Dense)
    (native,) = natives
    sizes, dtype = backend.shape(native), backend.dtype(native)
    if sizes == layout.sizes:
        if dtype is layout.dtype and backend is layout.backend:
            return layout
        return Dense.of(layout.stored, layout.shape, dtype, backend)
    if len(sizes) < len(layout.sizes):
        gone = layout.stored[_missing(layout, sizes, removed(native))]
        stored = tuple(dim for dim in layout.stored if dim is not gone)
        return Dense.of(stored, layout.shape.without(gone.name), dtype, backend)
    if sizes[1:] != layout.sizes or MAPPED in layout.shape:
        raise IncompatibleShapes(_text(layout, sizes, "Map along the leading axis (`out_axes=0`), once."))
    new = Dim.of(MAPPED, batch, sizes[0])
    return Dense.of((new, *layout.stored), Shape.of((new, *layout.shape.dims)), dtype, backend)


def _missing(layout: Dense, sizes: tuple[int, ...], known: int | None) -> int:
    """Position of the axis that `sizes` lacks."""
    have = layout.sizes
    fits = [i for i in range(len(have)) if have[:i] + have[i + 1 :] == sizes]
    if known is not None and known in fits:
        return known
    if len(fits) != 1:
        raise IncompatibleShapes(_text(layout, sizes, "Keep all axes, or name them anew: `wrap(array, …)`."))
    return fits[0]


def _text(layout: Dense, sizes: tuple[int, ...], hint: str) -> str:
    return (
        f"A tensor stored as {layout.stored} came back from a transformation of another library with an "
        f"array "
        f"of shape {sizes}, whose dims are unknown. {hint} Batch dims need no `vmap`."
    )
