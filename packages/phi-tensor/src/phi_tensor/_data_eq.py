"""Equality of dataclasses of tensors, by dims and numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

import numpy as np
import numpy.typing as npt

from phi_tensor._create import wrap
from phi_tensor._shape import shape_of
from phi_tensor._sliceable import config_fields, data_fields
from phi_tensor._tensor import Tensor
from phi_tensor._trees import flatten
from phi_tensor.layouts._layout import NUMBERS
from phi_tensor.sparse._align import comparable

C = TypeVar("C", bound=type)


@overload
def data_eq(
    cls: C,
    /,
    *,
    rel_tolerance: float = 0.0,
    abs_tolerance: float = 0.0,
    equal_nan: bool = True,
    compare_tensors_by_ref: bool = False,
) -> C: ...
@overload
def data_eq(
    cls: None = None,
    /,
    *,
    rel_tolerance: float = 0.0,
    abs_tolerance: float = 0.0,
    equal_nan: bool = True,
    compare_tensors_by_ref: bool = False,
) -> Callable[[C], C]: ...
def data_eq(
    cls: Any = None,
    /,
    *,
    rel_tolerance: float = 0.0,
    abs_tolerance: float = 0.0,
    equal_nan: bool = True,
    compare_tensors_by_ref: bool = False,
) -> Any:
    """Dataclass whose `==` compares tensors by dims and numbers and gives one bool.

    Equal objects have equal hashes, which come from configuration and dims alone.

    Args:
        cls: The dataclass.
        rel_tolerance: Tolerated difference relative to the larger number.
        abs_tolerance: Tolerated difference.
        equal_nan: Whether NaN equals NaN.
        compare_tensors_by_ref: Whether tensors are equal only if they are the same object.

    >>> import phi_tensor as math
    >>> from dataclasses import dataclass
    >>> @data_eq
    ... @dataclass(frozen=True)
    ... class Points:
    ...     position: math.Tensor
    >>> Points(math.vec(x=1.0, y=2.0)) == Points(math.vec(x=1.0, y=2.0))
    True
    """
    if cls is None:
        return lambda cls: data_eq(  # pyright: ignore[reportUnknownVariableType]  # the class is not known yet
            cls,
            rel_tolerance=rel_tolerance,
            abs_tolerance=abs_tolerance,
            equal_nan=equal_nan,
            compare_tensors_by_ref=compare_tensors_by_ref,
        )

    def is_equal(self: Any, other: Any) -> Any:
        if type(self) is not type(other):
            return NotImplemented
        if compare_tensors_by_ref:
            return self is other or _agree(self, other, same_object)
        return equal(self, other, rel_tolerance, abs_tolerance, equal_nan)

    def same_object(a: Any, b: Any) -> bool:
        if isinstance(a, Tensor) or isinstance(b, Tensor):
            return a is b
        return _equal_tensors(wrap(a), wrap(b), rel_tolerance, abs_tolerance, equal_nan)

    cls.__eq__, cls.__hash__ = is_equal, _hash
    return cls


def equal(
    obj1: Any, obj2: Any, rel_tolerance: float = 0.0, abs_tolerance: float = 0.0, equal_nan: bool = True
) -> bool:
    """Whether two dataclasses, or other trees, have one structure, the same dims and equal numbers.

    Args:
        obj1: Tree of tensors.
        obj2: Tree of tensors.
        rel_tolerance: Tolerated difference relative to the larger number.
        abs_tolerance: Tolerated difference.
        equal_nan: Whether NaN equals NaN.
    """
    return (obj1 is obj2 and equal_nan) or _agree(
        obj1, obj2, lambda a, b: _equal_tensors(wrap(a), wrap(b), rel_tolerance, abs_tolerance, equal_nan)
    )


def _agree(a: Any, b: Any, compare: Callable[[Any, Any], bool]) -> bool:
    mine, structure = flatten(a, "all", _leaf)
    others, other = flatten(b, "all", _leaf)
    return structure == other and all(compare(x, y) for x, y in zip(mine, others, strict=True))


def _leaf(x: Any) -> Any:
    """Numbers are leaves, too."""
    return x if type(x) in NUMBERS else None


def _equal_tensors(a: Tensor, b: Tensor, rel: float, abs_: float, equal_nan: bool) -> bool:
    if a is b and equal_nan:
        return True
    if a.shape != b.shape:
        return False
    if not a.shape.is_uniform:
        along = a.shape.non_uniform_shape.names[0]
        pairs = [({along: i}) for i in range(int(a.shape.get_dim(along).size or 0))]  # pyright: ignore[reportArgumentType]  # uniform
        return all(_equal_tensors(a[at], b[at], rel, abs_, equal_nan) for at in pairs)
    a, b = comparable(a, b)
    x, y = (t.numpy(a.shape.names) for t in (a, b))
    same = x == y
    if equal_nan:
        same |= (x != x) & (y != y)
    if rel or abs_:
        x, y = _wide(x), _wide(y)
        with np.errstate(invalid="ignore"):
            distance = np.abs(x - y)
            allowed = np.maximum(abs_, rel * np.maximum(np.abs(x), np.abs(y)))
            same |= np.isfinite(distance) & (distance <= allowed)
    return bool(np.all(same))


def _wide(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Numbers whose differences are numbers: those of bools and unsigned ints are not."""
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


def _hash(self: Any) -> int:
    shapes = tuple(shape_of(getattr(self, field.name), allow_unshaped=True) for field in data_fields(self))
    config = tuple(_hash_or_0(getattr(self, field.name)) for field in config_fields(self))
    return hash((type(self), shapes, config))


def _hash_or_0(value: Any) -> int:
    try:
        return hash(value)
    except TypeError:
        return 0
