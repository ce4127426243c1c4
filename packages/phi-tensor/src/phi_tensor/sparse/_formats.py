"""Formats of sparse tensors: what they are, conversion between them, and access to what is stored."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from phi_tensor._create import wrap
from phi_tensor._dim_types import batch, channel, instance
from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._shape import Shape
from phi_tensor._spec import parse_shape_spec
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._sparse import ENTRIES, Sparse, entries_dim
from phi_tensor.ops._call import as_tensor
from phi_tensor.ops._structure import expand, rename_dims
from phi_tensor.sparse._collect import collected
from phi_tensor.sparse._create import FORMATS, Format, sparse_tensor
from phi_tensor.sparse._entries import dense, values_at

_ENTRIES = instance("entries")
_INDEX = channel("index")


def is_sparse(x: Any) -> bool:
    """True if `x` is a tensor of which only some entries are stored.

    >>> import phi_tensor as math
    >>> is_sparse(math.ones(math.spatial(x=3)))
    False
    """
    return isinstance(x, Tensor) and isinstance(x.layout, Sparse)


def get_format(x: Any) -> str:
    """`dense`, `coo`, `csr` or `csc`.

    >>> get_format(1.0)
    'dense'
    """
    layout = as_tensor(x).layout
    return layout.format if isinstance(layout, Sparse) else "dense"


def get_sparsity(x: Any) -> float:
    """Stored fraction of the entries along the sparse dims [-]; 1 for dense tensors."""
    layout = as_tensor(x).layout
    if not isinstance(layout, Sparse):
        return 1.0
    volume = layout.pattern.outer_volume * layout.pattern.inner_volume
    return layout.pattern.count / volume if volume else 1.0


def values_of(x: Tensor) -> Tensor:
    """Stored values of a sparse tensor along the dim `ENTRIES`."""
    assert isinstance(x.layout, Sparse)
    return Tensor(x.layout.values, x.natives)


def _required(x: Any, function: str) -> tuple[Tensor, Sparse]:
    value = as_tensor(x)
    if not isinstance(value.layout, Sparse):
        raise Unsupported(
            f"`{function}` lists what a sparse tensor stores, but found a dense one {value.shape}. Call "
            f"`to_format(x, 'coo')` first."
        )
    return value, value.layout


def stored_values(x: Any, list_dim: Shape | str = _ENTRIES, invalid: str = "discard") -> Tensor:
    """Stored values of a sparse tensor, in the order of `stored_indices`.

    Args:
        x: Sparse tensor.
        list_dim: Dim that lists the entries.
        invalid: As in `stored_indices`.

    Returns:
        Values `(list_dim, …)`.
    """
    value, _ = _required(x, "stored_values")
    _check_invalid(invalid)
    dim = parse_shape_spec(list_dim) if isinstance(list_dim, str) else list_dim
    return rename_dims(values_of(value), ENTRIES, dim)


def stored_indices(
    x: Any, list_dim: Shape | str = _ENTRIES, index_dim: Shape | str = _INDEX, invalid: str = "discard"
) -> Tensor:
    """Places of the stored entries of a sparse tensor, as 64-bit int vectors on NumPy.

    Args:
        x: Sparse tensor.
        list_dim: Dim that lists the entries.
        index_dim: Dim of the components, which are labelled by the sparse dims.
        invalid: What becomes of entries outside of the tensor (`discard`, `clamp`, `keep`): there are none.

    Returns:
        Ints `(list_dim, index_dim)`.
    """
    _, layout = _required(x, "stored_indices")
    _check_invalid(invalid)
    along, component = (
        parse_shape_spec(dim) if isinstance(dim, str) else dim for dim in (list_dim, index_dim)
    )
    numbers = np.stack(list(layout.coordinates().values()), -1)
    return wrap(numbers, along.with_size(None), component.with_size(layout.names))


def _check_invalid(invalid: str) -> None:
    if invalid not in ("discard", "clamp", "keep"):
        raise Unsupported(
            f"Invalid entries are handled by 'discard', 'clamp' or 'keep', but found {invalid!r}."
        )


def tensor_like(existing_tensor: Tensor, values: Any, value_order: str | None = None) -> Tensor:
    """Other values at the places where a tensor stores its own.

    Args:
        existing_tensor: Sparse tensor; of a dense one the dims alone are taken.
        values: Number or tensor; along a dim that lists entries, they are in the order of `stored_values`.
        value_order: None or `as existing`: that order.

    Raises:
        IncompatibleShapes: No dim of `values` has one entry per stored one.
    """
    new, existing_tensor = as_tensor(values), as_tensor(existing_tensor)
    layout = existing_tensor.layout
    if value_order not in (None, "as existing"):
        raise Unsupported(
            f"`tensor_like` takes values in the order of `stored_values` ('as existing'), but found "
            f"{value_order!r}. Pass the original indices to `sparse_tensor` again."
        )
    if not isinstance(layout, Sparse):
        return expand(new, existing_tensor.shape)
    count = layout.pattern.count
    lists = [d for d in new.shape.instance.dims if d.name not in layout.shape]
    if not lists:
        listed = expand(new, Shape.of((entries_dim(count),)))
    elif len(lists) == 1 and lists[0].size == count:
        listed = rename_dims(new, lists[0].name, Shape.of((entries_dim(count),)))
    else:
        raise IncompatibleShapes(
            f"`tensor_like` needs one value per stored entry, of which there are {count}, but found "
            f"{new.shape}."
        )
    if set(listed.shape.names) & set(layout.names):
        raise IncompatibleShapes(
            f"Values {new.shape} must not have the sparse dims {layout.names}. Multiply by a tensor instead."
        )
    return Tensor(layout.with_values(listed.layout), listed.natives)


def to_format(x: Any, format: Format | Literal["dense", "sparse"]) -> Tensor:
    """`x` stored in another way.

    Args:
        x: Tensor. Of a dense one, dual dims, dims with a dual partner, and all but batch and channel dims
            become sparse (all but batch dims where that leaves none); entries that are 0 everywhere else are
            left out.
        format: `dense`, `coo`, `csr` (sorted by rows), `csc` (sorted by columns), or `sparse`: as it is if
            sparse, else `coo`.

    Raises:
        Unsupported: There is no such format, or the numbers of a dense tensor are not known yet.

    >>> import phi_tensor as math
    >>> to_format(math.wrap([0.0, 2.0, 0.0], math.spatial("x")), "coo")
    (x:s=3) coo storing (2.0) along (entries:i=1) float32
    """
    value = as_tensor(x)
    if format not in ("dense", "sparse", *FORMATS):
        raise Unsupported(
            f"`to_format` knows 'dense', 'sparse', {', '.join(map(repr, FORMATS))}, but found {format!r}."
        )
    if format == "dense":
        return dense(value)
    if isinstance(value.layout, Sparse):
        return value if format in ("sparse", value.layout.format) else _resorted(value, format)
    return _of_dense(value, "coo" if format == "sparse" else format)


def _resorted(x: Tensor, format: str) -> Tensor:
    assert isinstance(x.layout, Sparse)
    layout, key = x.layout, ("format", x.layout, format)
    plan = layout.pattern.kept.get(key)
    if plan is None:
        places = layout.coordinates()
        plan = collected(layout.values, layout.sparse, places, layout.shape.names, None, format)
        layout.pattern.kept[key] = plan
    return plan(values_of(x))


def _of_dense(x: Tensor, format: Format) -> Tensor:
    partners = {name.lstrip("~") for name in x.shape.dual.names}
    names = [d.name for d in x.shape.dims if d.type not in (batch, channel) or d.name in partners]
    names = names or list(x.shape.non_batch.names)
    if not x.available or not x.shape.is_uniform or not names:
        raise Unsupported(
            f"`to_format(x, {format!r})` needs a tensor with dims whose numbers are known, but found {x!r}. "
            f"List "
            f"the places instead: `sparse_tensor(indices, values, shape)`."
        )
    others = [n for n in x.shape.names if n not in names]
    numbers = x.numpy([*names, others])
    stored = np.argwhere(numbers.any(-1))
    at = wrap(stored, _ENTRIES, channel(index=tuple(names)))
    places = {n: stored[:, i] for i, n in enumerate(names)}
    found = values_at(x.layout, places, len(stored))(x)
    listed = rename_dims(found, ENTRIES, _ENTRIES)
    return sparse_tensor(at, listed, x.shape, can_contain_double_entries=False, format=format)
