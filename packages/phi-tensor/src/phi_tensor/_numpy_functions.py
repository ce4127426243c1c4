"""NumPy's functions on tensors: those that act number by number keep the dims, others need at most one dim.

`numpy.sin(tensor)` and `array + tensor` are tensors. `numpy.median(tensor)` reads a tensor of one dim as an
array; with several dims there is no order of axes, and the error says what to call instead.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from phi_tensor._errors import IncompatibleShapes
from phi_tensor._plan import ROWS, Row

if TYPE_CHECKING:
    from phi_tensor._tensor import Tensor

NAMESAKES: dict[Callable[..., Any], str] = {
    np.real: "real",
    np.imag: "imag",
    np.angle: "angle",
    np.round: "round",
    np.around: "round",
    np.where: "where",
    np.zeros_like: "zeros_like",
    np.ones_like: "ones_like",
}
"""Our functions that do the same as NumPy's, number by number."""


def array(x: Tensor, dtype: npt.DTypeLike | None, copy: bool | None) -> npt.NDArray[Any]:
    """`numpy.asarray(x)`, see `numpy.ndarray.__array__`."""
    found = x.numpy()
    if copy is False:
        shared = [np.asarray(x.layout.backend.to_numpy(native)) for native in x.natives]
        if found.dtype != (dtype or found.dtype) or not any(np.may_share_memory(found, s) for s in shared):
            raise ValueError(
                f"`numpy.asarray(tensor, copy=False)`: an array of {x.shape} in {dtype or found.dtype} "
                f"needs a "
                f"copy, because the tensor is stored otherwise. Leave `copy` away."
            )
    if dtype is not None and found.dtype != dtype:
        return found.astype(dtype)
    return found.copy() if copy else found


def ufunc(called: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What `numpy.add(tensor, array)`, `numpy.sin(tensor)`, `array + tensor`, … return."""
    given = {name: value for name, value in kwargs.items() if value is not None}
    if "out" in given:
        raise TypeError(
            f"`numpy.{called.__name__}(…, out=…)` cannot write tensors, which are immutable, nor take one "
            f"into an "
            f"array without dims (`array += tensor`). Write `result = array + tensor`, or use "
            f"`tensor.numpy(order)`."
        )
    row = _rows().get(called) if method == "__call__" and not given else None
    if row is None:
        return getattr(called, method)(*_arrays(called, inputs), **kwargs)
    if len(inputs) == 1:
        return row(*inputs)
    from phi_tensor._tensor import binary  # noqa: PLC0415 tensors need this module

    result = binary(row, *inputs)
    if result is NotImplemented:
        raise TypeError(f"`numpy.{called.__name__}` cannot combine {' and '.join(map(_kind, inputs))}.")
    return result


def function(called: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What other functions of NumPy return for tensors."""
    if called in (np.round, np.around) and kwargs.keys() <= {"decimals"} and len(args) + len(kwargs) == 2:
        value, decimals = (*args, *kwargs.values())
        return round(value, decimals)
    if called in NAMESAKES and not kwargs:
        return getattr(sys.modules["phi_tensor"], NAMESAKES[called])(*args)
    return called(*_arrays(called, args), **_arrays(called, kwargs))


@functools.cache
def _rows() -> dict[Any, Row]:
    """Element-wise operations by the function of NumPy that is their oracle."""
    return {
        row.oracle: row
        for row in ROWS.values()
        if isinstance(row.oracle, np.ufunc)
        and row.kind == "elementwise"
        and row.options.get("arity") in (1, 2)
    }


def _arrays(called: Callable[..., Any], value: Any) -> Any:
    """`value` with arrays in place of tensors of at most one dim."""
    from phi_tensor._tensor import Tensor  # noqa: PLC0415 tensors need this module

    if isinstance(value, Tensor):
        if value.rank > 1:
            raise IncompatibleShapes(_ambiguous(called, value))
        return value.numpy()
    if isinstance(value, (tuple, list)):
        entries = [_arrays(called, entry) for entry in cast("list[Any]", value)]
        return entries if isinstance(value, list) else tuple(entries)
    if isinstance(value, dict):
        items = cast("dict[Any, Any]", value).items()
        return {key: _arrays(called, entry) for key, entry in items}
    return value


def _ambiguous(called: Callable[..., Any], value: Tensor) -> str:
    name = called.__name__
    ours = f"Use `phi_tensor.{name}`, or pass" if hasattr(sys.modules["phi_tensor"], name) else "Pass"
    return (
        f"`numpy.{name}` knows axes, not dims, and the dims of {value.shape} have no fixed order. {ours} "
        f"`value.numpy({','.join(value.shape.names)!r})`."
    )


def _kind(value: Any) -> str:
    return f"{type(value).__name__}"
