"""Comparison of values with their dims, labels and structure; tolerances follow from the element type."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from phi_tensor._dtype import DType
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor._trees import flatten
from phi_tensor.backends._registry import backend_of
from phi_tensor.sparse._align import comparable

RTOL = {16: 1e-2, 32: 1e-5, 64: 1e-12}
"""Relative tolerance by precision [bit]."""


def assert_close(
    actual: Any,
    desired: Any,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    because: str = "",
    equal_nan: bool = True,
) -> None:
    """Raises `AssertionError` unless two values agree in structure, dims, types, sizes, labels and numbers.

    Numbers agree where |actual − desired| ≤ atol + rtol·|desired|; infinities agree with themselves, NaN with
    NaN. The order of dims, the storage, the backend and the precision do not matter. Ints and bools agree
    exactly.

    Args:
        actual: Tensor, number, native array, or tree of these.
        desired: Likewise. Numbers compare with tensors without dims, arrays (which have no dims) only with
            arrays.
        rtol: Relative tolerance; by default that of the least precise side: 1e-5 (32 bit), 1e-12 (64 bit).
        atol: Absolute tolerance; by default `rtol` times the largest finite magnitude in `desired`.
        because: Reason of a tolerance, or what the comparison shows; part of the message.
        equal_nan: Whether NaN agrees with NaN.

    >>> from phi_tensor import vec
    >>> assert_close(vec(x=1.0, y=2.0) + 1, vec(x=2, y=3))
    >>> assert_close(vec(x=1.0, y=2.0), vec(y=1.0, x=2.0))
    Traceback (most recent call last):
    AssertionError: Labels or sizes differ: actual (vector:c=x,y), desired (vector:c=y,x).
    """
    left, structure = flatten(actual, "all", _leaf)
    right, other = flatten(desired, "all", _leaf)
    if structure != other:
        raise AssertionError(_text(f"Structures differ: actual {structure}, desired {other}.", because))
    for i, (a, b) in enumerate(zip(left, right, strict=True)):
        place = f" (tensor {i} of {structure})" if len(left) > 1 else ""
        _compare(a, b, _Rule(rtol, atol, equal_nan), f"{because}{place}")


class _Rule(NamedTuple):
    """What counts as close."""

    rtol: float | None
    atol: float | None
    equal_nan: bool


def _leaf(x: Any) -> Any:
    """Numbers and native arrays are leaves, too."""
    return x if isinstance(x, (bool, int, float, complex)) or backend_of(x) is not None else None


def _compare(a: Any, b: Any, rule: _Rule, because: str) -> None:
    named_a, named_b = dims_of(a), dims_of(b)
    if named_a is None or named_b is None:
        if named_a or named_b:
            raise AssertionError(
                _text(
                    f"An array without dims was compared with {named_a or named_b}. Name its axes: `wrap`.",
                    because,
                )
            )
        return _numbers(array_of(a), array_of(b), rule, because)
    _check_dims(named_a, named_b, because)
    for left, right in blocks(a, b):
        _numbers(left, right, rule, because)


def dims_of(x: Any) -> Shape | None:
    """Dims of a value; None for arrays with axes but without names."""
    if isinstance(x, Tensor):
        return x.shape
    return None if np.ndim(array_of(x)) else Shape.of(())


def array_of(x: Any) -> npt.NDArray[Any]:
    backend = backend_of(x)
    return np.asarray(x) if backend is None else backend.to_numpy(x)


def _check_dims(a: Shape, b: Shape, because: str) -> None:
    if a == b:
        return
    if set(a.names) != set(b.names):
        raise AssertionError(_text(f"Dims differ: actual {a}, desired {b}.", because))
    if any(a.get_dim_type(name) is not b.get_dim_type(name) for name in a.names):
        raise AssertionError(_text(f"Types of dims differ: actual {a}, desired {b}.", because))
    raise AssertionError(_text(f"Labels or sizes differ: actual {a}, desired {b}.", because))


def blocks(a: Any, b: Any) -> list[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
    """Pairs of arrays with equal axes; several where sizes vary."""
    if not isinstance(a, Tensor) or not isinstance(b, Tensor):
        return [(_without_dims(a), _without_dims(b))]
    a, b = comparable(a, b)
    ragged = a.shape.non_uniform_shape
    if not ragged:
        return [(a.numpy(a.shape.names), b.numpy(a.shape.names))]
    name, size = ragged.names[0], ragged.dims[0].size
    assert isinstance(size, int)
    return [pair for i in range(size) for pair in blocks(a[{name: i}], b[{name: i}])]


def _without_dims(x: Any) -> npt.NDArray[Any]:
    return np.asarray(x.numpy()) if isinstance(x, Tensor) else array_of(x)


def _numbers(a: npt.NDArray[Any], b: npt.NDArray[Any], rule: _Rule, because: str) -> None:
    rtol, atol, equal_nan = rule
    if a.shape != b.shape:
        raise AssertionError(_text(f"Sizes differ: actual {a.shape}, desired {b.shape}.", because))
    inexact = [DType.of(x.dtype).precision for x in (a, b) if x.dtype.kind in "fc"]
    default = RTOL[min(bits for bits in inexact if bits)] if inexact else 0.0
    rtol = default if rtol is None else rtol
    wide = np.complex128 if "c" in (a.dtype.kind, b.dtype.kind) else np.float64
    exact = a == b
    if not inexact and not rtol and not atol:
        good = exact
    else:
        x, y = a.astype(wide), b.astype(wide)
        size = np.abs(y)
        atol = rtol * float(size[np.isfinite(size)].max(initial=0)) if atol is None else atol
        with np.errstate(invalid="ignore"):
            good = (
                exact
                | (equal_nan & np.isnan(x) & np.isnan(y))
                | (np.abs(x - y) <= atol + rtol * np.where(np.isfinite(size), size, 0))
            )
        good &= exact | ~(np.isinf(x) | np.isinf(y))
    if np.all(good):
        return
    at = tuple(int(i) for i in np.argwhere(~good)[0])
    raise AssertionError(
        _text(
            f"{int(np.sum(~good))} of {good.size} numbers differ, first at {at}: actual {a[at]}, "
            f"desired {b[at]} "
            f"(tolerances: relative {rtol:.0e}, absolute {atol or 0:.0e}).",
            because,
        )
    )


def _text(message: str, because: str) -> str:
    return f"{message} {because}".rstrip()
