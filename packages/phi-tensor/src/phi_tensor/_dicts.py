"""Shapes and tensors as dicts of text, numbers and lists, which JSON can hold, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from phi_tensor import _hidden
from phi_tensor._create import wrap
from phi_tensor._dim import Dim, Size
from phi_tensor._dim_types import dim_type
from phi_tensor._dtype import DType
from phi_tensor._errors import Unsupported
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._layout import Parts
from phi_tensor.ops._structure import stack


def to_dict(value: Tensor | Shape) -> dict[str, Any]:
    """Dims, labels, element type and numbers as what JSON can hold; the inverse of `from_dict`.

    Infinities and NaN are the texts `inf`, `-inf` and `nan`, complex numbers two lists. The library and the
    storage of a tensor are forgotten; `save` keeps large ones better.

    Raises:
        TypeError: `value` is neither tensor nor shape.
        Unsupported: The tensor has no numbers yet, inside `jit_compile` or a derivative.

    >>> from phi_tensor import vec
    >>> to_dict(vec(x=1.0, y=2.0))["data"]
    [1.0, 2.0]
    """
    if isinstance(value, Shape):
        return {"dims": [dim_to_dict(dim) for dim in value.dims]}
    if not isinstance(value, Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]  # user input
        raise TypeError(
            f"`to_dict` describes tensors and shapes, but found {type(value).__name__}. Try `save`."
        )
    check_available(value, "to_dict")
    found: dict[str, Any] = {**to_dict(value.shape), "dtype": value.dtype.name}
    if value.shape.is_uniform:
        return found | {"data": _to_lists(value.numpy(value.shape.names))}
    along = value.shape.non_uniform_shape[0].dim
    parts = [to_dict(value[{along.name: i}]) for i in range(cast("int", along.size))]
    return found | {"along": along.name, "parts": parts}


def from_dict(dict_: Mapping[str, Any], convert: bool = False) -> Any:
    """The tensor or shape that `to_dict` described.

    Args:
        dict_: What `to_dict` returned, also after a way through JSON.
        convert: Make tensors on the default backend; otherwise they are NumPy's.

    Raises:
        ValueError: The dict describes neither a tensor nor a shape.

    >>> from phi_tensor import batch, spatial
    >>> from_dict(to_dict(batch(b=2) & spatial(x=3)))
    (b:b=2, x:s=3)
    """
    if not isinstance(cast("Any", dict_), Mapping):
        raise TypeError(f"`from_dict` reads a dict that `to_dict` wrote, but found {type(dict_).__name__}.")
    if "dims" not in dict_ or ("dtype" in dict_ and not {"data", "parts"} & dict_.keys()):
        raise ValueError(f"`from_dict` reads what `to_dict` wrote, but found a dict of {sorted(dict_)}.")
    shape = Shape.of(tuple(dim_from_dict(dim) for dim in dict_["dims"]))
    if "dtype" not in dict_:
        return shape
    found = _tensor_from(dict_, shape)
    if convert:
        from phi_tensor._convert import convert as to_backend  # noqa: PLC0415 `convert` is an argument here

        return to_backend(found)
    return found


def _tensor_from(dict_: Mapping[str, Any], shape: Shape) -> Tensor:
    if "parts" in dict_:
        stacked = stack([from_dict(part) for part in dict_["parts"]], shape[dict_["along"]])
        layout = cast("Parts", stacked.layout)
        return Tensor(Parts.of(layout.dim, layout.parts, shape), stacked.natives)
    dtype = DType.of(dict_["dtype"])
    return wrap(_from_lists(dict_["data"], dtype, shape), shape)


def check_available(value: Tensor, function: str) -> None:
    """Raise unless the tensor has numbers."""
    _hidden.raise_pending()
    if not value.available:
        raise Unsupported(
            f"`{function}` needs numbers, but inside `jit_compile` or a derivative the tensor {value.shape} "
            f"has none yet. Return it from the function and call `{function}` there."
        )


def dim_to_dict(dim: Dim) -> dict[str, Any]:
    """Name, type, size, labels and, where the size varies, along what."""
    found: dict[str, Any] = {"name": dim.name, "type": dim.type.name, "size": dim.size}
    if dim.labels:
        found["labels"] = list(dim.labels)
    return found | ({"over": list(dim.over)} if dim.over else {})


def dim_from_dict(dict_: Mapping[str, Any]) -> Dim:
    """The dim that `dim_to_dict` described."""
    labels = dict_.get("labels")
    return Dim.of(
        dict_["name"],
        dim_type(dict_["type"]),
        _size(dict_["size"]),
        None if labels is None else tuple(labels),
        tuple(dict_.get("over", ())),
    )


def _size(size: Any) -> Size:
    return (
        tuple(_size(part) for part in cast("Sequence[Any]", size))
        if isinstance(size, (list, tuple))
        else size
    )


def _to_lists(array: npt.NDArray[Any]) -> Any:
    if array.dtype.kind == "c":
        return {"real": _to_lists(np.real(array)), "imag": _to_lists(np.imag(array))}
    lists: Any = array.tolist()
    return lists if array.dtype.kind != "f" or np.all(np.isfinite(array)) else _finite(lists)


def _finite(value: Any) -> Any:
    """Nested lists in which infinities and NaN are texts."""
    if isinstance(value, list):
        return [_finite(entry) for entry in cast("list[Any]", value)]
    return value if np.isfinite(value) else repr(value)


def _from_lists(data: Any, dtype: DType, shape: Shape) -> npt.NDArray[Any]:
    if isinstance(data, dict):
        parts = cast("dict[str, Any]", data)
        real, imag = (np.asarray(parts[key], np.float64) for key in ("real", "imag"))
        array = np.empty(real.shape, np.complex128)
        array.real, array.imag = real, imag
    else:
        array = np.asarray(data, np.float64 if dtype.kind is float else None)
    return array.astype(dtype.numpy).reshape(tuple(cast("int", size) for size in shape.sizes))
