"""Tensors as labelled arrays of pandas and xarray, and back: names, labels and types of dims are kept."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, cast

import numpy as np

from phi_tensor._create import wrap
from phi_tensor._dim import Dim
from phi_tensor._dim_types import dim_type
from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._shape import Shape, concat_shapes, merge_shapes
from phi_tensor._spec import parse_shape_spec
from phi_tensor._tensor import Tensor

TYPES = "phi_dims"
"""Attribute that keeps the types of dims as text, `x:s,vector:c`, which files keep, too."""


def _library(name: str, function: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(f"`{function}` needs the library `{name}`: `pip install {name}`.") from error


def to_xarray(value: Any, name: str | None = None) -> Any:
    """`xarray.DataArray` of a tensor, or `xarray.Dataset` of a dict of tensors.

    Labels become coordinates; types of dims are kept in the attribute `phi_dims`.

    Args:
        value: Tensor `(…)`, or dict from names to tensors.
        name: Name of the array.

    Raises:
        ImportError: xarray is not installed.
        Unsupported: Sizes vary.
        IncompatibleShapes: Entries of a dict have other sizes or labels of one dim, or the name of a dim.
    """
    xarray = _library("xarray", "to_xarray")
    if isinstance(value, dict):
        entries = cast("dict[str, Tensor]", value)
        names = merge_shapes(*(_uniform(entry, "to_xarray") for entry in entries.values())).names
        taken = sorted(set(entries).intersection(names))
        if taken:
            raise IncompatibleShapes(
                f"`to_xarray`: the names {taken} belong to dims, which a data set takes for coordinates. "
                f"Rename the entries."
            )
        return xarray.Dataset({key: to_xarray(entry, key) for key, entry in entries.items()})
    dims = _uniform(value, "to_xarray").dims
    coords = {dim.name: list(dim.labels) for dim in dims if dim.labels}
    names = [dim.name for dim in dims]
    return xarray.DataArray(value.numpy(names), coords, names, name, attrs={TYPES: _types(dims)})


def from_xarray(data: Any, *dims: Shape | str) -> Any:
    """Tensor of an `xarray.DataArray`, or dict of tensors of a `Dataset`. Text coordinates become labels.

    Args:
        data: Array or data set.
        *dims: Types of its dims, found by name, e.g. `batch('time'), spatial('x,y')`. Default: the attribute
            `phi_dims`, which `to_xarray` writes.

    Raises:
        IncompatibleShapes: The type of a dim is unknown.
    """
    if hasattr(data, "data_vars"):
        return {str(key): from_xarray(entry, *dims) for key, entry in data.data_vars.items()}
    _check_source(data, "from_xarray", "dims", "coords", "attrs")
    known = _known_types(data.attrs, dims)
    found = [
        _dim(str(name), known, size, data.coords[name].values if name in data.coords else None, "from_xarray")
        for name, size in zip(data.dims, data.shape, strict=True)
    ]
    return wrap(np.asarray(data.values), *(Shape.of((dim,)) for dim in found))


def to_pandas(value: Tensor, name: str | None = None) -> Any:
    """`pandas.Series` of a tensor of one dim, `pandas.DataFrame` of two, series with several levels of more.

    The columns of a frame are the channel dim if there is one, else the last dim. Labels become the index;
    types of dims are kept in the attribute `phi_dims`.

    Args:
        value: Tensor `(…)` with at least one dim.
        name: Name of a series.

    Raises:
        ImportError: pandas is not installed.
        Unsupported: Sizes vary.
        IncompatibleShapes: The tensor has no dims.
    """
    pandas = _library("pandas", "to_pandas")
    shape = _uniform(value, "to_pandas")
    if not shape:
        raise IncompatibleShapes(
            "`to_pandas` needs at least one dim, but found a single number. Use `item()`."
        )
    if shape.rank == 2 and shape.channel_rank == 1:
        shape = concat_shapes(shape.non_channel, shape.channel)
    array = value.numpy(shape.names)
    indices = [_index(pandas, dim) for dim in shape.dims]
    if shape.rank == 1:
        result = pandas.Series(array, indices[0], name=name)
    elif shape.rank == 2:
        result = pandas.DataFrame(array, indices[0], indices[1])
    else:
        result = pandas.Series(array.ravel(), pandas.MultiIndex.from_product(indices), name=name)
    result.attrs[TYPES] = _types(shape.dims)
    return result


def from_pandas(data: Any, *dims: Shape | str) -> Tensor:
    """Tensor of a `pandas.Series` or `DataFrame`. Indices of texts become labels, others are left out.

    Args:
        data: Series or frame of numbers.
        *dims: Its dims, one per level of the index, then one for the columns. Default: the names of the
            indices with the types in the attribute `phi_dims`, which `to_pandas` writes.

    Raises:
        IncompatibleShapes: Names or types of dims are unknown, or a series lacks combinations of its levels.
        TypeError: The entries are not numbers.
    """
    _check_source(data, "from_pandas", "index", "to_numpy", "attrs")
    levels = [
        level
        for index in ((data.index, data.columns) if hasattr(data, "columns") else (data.index,))
        for level in _levels(index)
    ]
    array = np.asarray(data.to_numpy())
    if array.dtype.kind not in "biufc":
        raise TypeError(
            f"`from_pandas` takes numbers, but found entries of type {array.dtype}. Select columns."
        )
    sizes = [len(entries) for _, entries in levels]
    given = _given(dims)
    if given and len(given) != len(levels):
        raise IncompatibleShapes(f"`from_pandas` found {len(levels)} axes {sizes}, but dims {given}.")
    names = [dim.name for dim in given] or [name for name, _ in levels]
    known = _known_types(data.attrs, dims)
    found = [
        _dim(str(name), known, size, entries, "from_pandas")
        for name, size, (_, entries) in zip(names, sizes, levels, strict=True)
    ]
    return wrap(array.reshape(sizes), *(Shape.of((dim,)) for dim in found))


def _check_source(data: Any, function: str, *attributes: str) -> None:
    if isinstance(data, Tensor) or not all(hasattr(data, name) for name in attributes):
        raise TypeError(
            f"`{function}` reads an object of {function[5:]}, but found {type(data).__name__}. Use `wrap` "
            f"for arrays."
        )


# --- dims


def _uniform(value: Tensor, function: str) -> Shape:
    if not isinstance(value, Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]  # user input
        raise TypeError(
            f"`{function}` converts tensors, but found {type(value).__name__}. Name its axes: "
            f"`wrap(value, spatial('x'))`."
        )
    if value.shape.is_non_uniform:
        raise Unsupported(
            f"`{function}` needs an array, but sizes of {value.shape} vary. Convert one slice, or the "
            f"result of `pack_dims`."
        )
    return value.shape


def _types(dims: Sequence[Dim]) -> str:
    return ",".join(f"{dim.name}:{dim.type.letter}" for dim in dims)


def _known_types(attributes: dict[Any, Any], dims: Sequence[Shape | str]) -> dict[str, str]:
    """Types by name, from an attribute and from given dims."""
    known = dict(entry.rsplit(":", 1) for entry in str(attributes.get(TYPES, "")).split(",") if entry)
    return known | {dim.name: dim.type.name for dim in _given(dims)}


def _given(dims: Sequence[Shape | str]) -> tuple[Dim, ...]:
    return concat_shapes(*(parse_shape_spec(d) if isinstance(d, str) else d for d in dims)).dims


def _dim(name: str, known: dict[str, str], size: int, entries: Sequence[object] | None, function: str) -> Dim:
    if name not in known:
        raise IncompatibleShapes(
            f"`{function}` does not know the type of dim `{name}`. Pass it: "
            f"`{function}(data, spatial({name!r}))`."
        )
    labels = [entry for entry in entries if isinstance(entry, str)] if entries is not None else []
    return dim_type(known[name]).dim(name, tuple(map(str, labels)) if len(labels) == size > 0 else size)


def _index(pandas: Any, dim: Dim) -> Any:
    if dim.labels:
        return pandas.Index(list(dim.labels), name=dim.name)
    return pandas.RangeIndex(cast("int", dim.size), name=dim.name)


def _levels(index: Any) -> list[tuple[Any, Any]]:
    """Name and entries of each level of an index."""
    if getattr(index, "nlevels", 1) == 1:
        return [(index.name, list(index))]
    if not len(index):
        return [(name, list(level)) for name, level in zip(index.names, index.levels, strict=True)]
    unique = [list(dict.fromkeys(index.get_level_values(i))) for i in range(index.nlevels)]
    full = np.prod([len(level) for level in unique]) == len(index)
    if not full or list(index) != list(index.from_product(unique)):
        raise IncompatibleShapes(
            f"The index has {len(index)} entries, not every combination of its levels {list(index.names)} in "
            f"order. Complete it: `data.reindex(pandas.MultiIndex.from_product(…))`."
        )
    return list(zip(index.names, unique, strict=True))
