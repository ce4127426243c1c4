"""Entries chosen by masks. Their number depends on data, so that no plan for it is kept."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from phi_tensor._dim import Dim
from phi_tensor._dim_types import instance
from phi_tensor._dtype import INT64
from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor._trees import tree_map
from phi_tensor.backends._backend import Native
from phi_tensor.layouts._layout import Dense, Parts
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor, is_container
from phi_tensor.ops._structure import expand, pack_dims


def boolean_mask(x: Any, dim: Any, mask: Any, preserve_names: bool = False) -> Any:
    """Entries of `x` along `dim` where `mask` is true.

    Args:
        x: Tensor or tree.
        dim: The masked dim; several are packed into one instance dim first.
        mask: Bools along `dim`; with further dims, the number of entries varies along them and the result is
            ragged.
        preserve_names: Keep the labels of the entries.

    Raises:
        Unsupported: The mask is not known yet (inside `jit_compile`), so the size of the result is not
            either.

    >>> import phi_tensor as math
    >>> x = math.wrap([1.0, 2.0, 4.0], math.spatial("x"))
    >>> boolean_mask(x, "x", x > 1)
    (2.0, 4.0) along (x:s=2) float32
    """
    if not isinstance(x, Tensor) and is_container(x):
        return tree_map(lambda leaf: boolean_mask(leaf, dim, mask, preserve_names), x)
    value, chosen = as_tensor(x), as_tensor(mask)
    if not chosen.available:
        raise Unsupported(
            "The size of a masked tensor is unknown until the mask is. Inside `jit_compile` use "
            "`where(mask, value, 0)`."
        )
    names = chosen.shape.selected_names(dim)
    if len(names) > 1:
        packed = instance("entries")
        entries = merge_shapes(value.shape, chosen.shape).only(names)
        return boolean_mask(
            pack_dims(expand(value, entries), names, packed), packed, pack_dims(chosen, names, packed)
        )
    if not names:
        raise IncompatibleShapes(
            f"The mask {chosen.shape} has no dim {dim!r}. Masks vary along the dim that they select from."
        )
    name = names[0]
    others = chosen.shape.without(name)
    if others:
        along = next((dim for dim in others if isinstance(dim.size, int)), None)
        if along is None:
            raise Unsupported(
                f"A mask {chosen.shape} chooses entries along `{name}`, along which the sizes of others "
                f"vary. Mask slices of `{name}`, or along {others.names}."
            )
        parts = [
            boolean_mask(value[{along.name: i}], name, chosen[{along.name: i}], preserve_names)
            for i in range(cast("int", along.size))
        ]
        return table.STACK.once(*parts, dim=along.dim)
    selected = np.flatnonzero(chosen.numpy(name))
    return _selected(value, chosen.shape.get_dim(name), selected, preserve_names)


def _selected(value: Tensor, dim: Dim, selected: Any, preserve_names: bool) -> Tensor:
    size = value.shape.get_size(dim.name) if dim.name in value.shape else dim.size
    if size != dim.size:
        raise IncompatibleShapes(
            f"The mask has {dim.size} entries along `{dim.name}`, but the value has {size}. Slice or pad "
            f"one of them."
        )
    labels = value.shape.get_dim(dim.name).labels if dim.name in value.shape else None
    new = dim.with_size(len(selected))
    if preserve_names and labels:
        new = dim.with_size(len(selected), tuple(labels[i] for i in selected))
    if dim.name not in value.shape:
        return expand(value, Shape.of((new,)))
    if isinstance(value.layout, Parts) and value.layout.dim.name == dim.name and len(selected):
        return value[{dim.name: [int(i) for i in selected]}]
    native = value.backend.as_native(selected.astype(np.int64), value.device)
    if isinstance(value.layout, Dense) and dim.name in value.layout.axes:
        return _taken(value, value.layout, native, new)
    at = Tensor(Dense.of((new,), Shape.of((new,)), INT64, value.backend), (native,))
    return table.TAKE.once(value, at, name=dim.name)


def _taken(value: Tensor, layout: Dense, indices: Native, new: Dim) -> Tensor:
    """Entries of one array along a stored dim, without a plan: their number differs from call to call."""
    dims = {dim.name: dim for dim in layout.shape.dims} | {new.name: new}
    stored = tuple(dims[dim.name] for dim in layout.stored)
    result = Dense.of(stored, Shape.of(tuple(dims.values())), layout.dtype, layout.backend)
    return Tensor(result, (layout.backend.ops["take"](value.natives[0], indices, layout.axes[new.name]),))
