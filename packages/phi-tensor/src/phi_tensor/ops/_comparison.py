"""Comparison of whole tensors and trees, where `==` compares number by number."""

from __future__ import annotations

from typing import Any

import numpy as np

from phi_tensor._context import changed_settings, settings
from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._shape import merge_shapes, shape_of
from phi_tensor._tensor import Tensor
from phi_tensor._trees import flatten
from phi_tensor.backends._registry import backend_of
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor
from phi_tensor.ops._elementwise import abs_, is_finite, is_nan, maximum, to_complex, to_float, where
from phi_tensor.ops._reductions import all_
from phi_tensor.ops._structure import expand
from phi_tensor.testing import _assert as strict


def close(
    *tensors: Any,
    rel_tolerance: float = 1e-5,
    abs_tolerance: float = 0,
    equal_nan: bool = False,
    reduce: Any = shape_of,
) -> Any:
    """Whether all values agree with the first one within tolerances, after aligning their dims.

    |a − b| ≤ max(abs_tolerance, rel_tolerance · max(|a|, |b|)); equal infinities agree.

    Args:
        *tensors: Tensors and numbers `(…)` whose dims fit together; missing dims are added.
        rel_tolerance: Relative tolerance [-].
        abs_tolerance: Absolute tolerance.
        equal_nan: Whether NaN agrees with NaN.
        reduce: Over which dims all entries must agree. Default: all, batch dims too.

    Returns:
        A bool if all dims are reduced, else a tensor along the others; in compiled code always a tensor.

    Raises:
        IncompatibleShapes: Sizes, types or labels of dims differ. See `equal` and `always_close`.

    >>> import phi_tensor as math
    >>> math.close(math.vec(x=1.0, y=1.0), 1 + 1e-7)
    True
    """
    if len(tensors) < 2:
        return True
    first, *others = (as_tensor(value) for value in tensors)
    found: Any = None
    for other in others:
        same = _agree(first, other, rel_tolerance, abs_tolerance, equal_nan)
        found = same if found is None else found & same
    found = all_(found, found.shape.only(reduce)) if found.shape.only(reduce) else found
    return bool(found) if not found.rank and found.available else found


def _agree(a: Tensor, b: Tensor, rel: float, absolute: float, equal_nan: bool) -> Tensor:
    exact = [x for x in (a, b) if x.dtype.kind in (bool, int)]
    bits = max([settings().precision, *(x.dtype.precision or 0 for x in (a, b))])
    with changed_settings(precision=64 if exact else bits):  # no value is rounded before it is compared
        same = table.EQUAL(a, b)
        if equal_nan and not exact:
            same = same | (is_nan(a) & is_nan(b))
        if not rel and not absolute:
            return same
        x, y = (where(same, 0, to_complex(v) if v.dtype.kind is complex else to_float(v)) for v in (a, b))
        distance = abs_(x - y)
        allowed = rel * maximum(abs_(x), abs_(y))
        return same | (is_finite(distance) & (distance <= maximum(allowed, absolute)))


def always_close(
    t1: Any, t2: Any, rel_tolerance: float = 1e-5, abs_tolerance: float = 0, equal_nan: bool = False
) -> bool:
    """Whether two values are known to agree within tolerances: `close` that never raises.

    Values with other dims never agree. Traced tensors agree if they are the same one.

    Args:
        t1: Tensor or number.
        t2: Tensor or number.
        rel_tolerance: Relative tolerance [-].
        abs_tolerance: Absolute tolerance.
        equal_nan: Whether NaN agrees with NaN.

    >>> import phi_tensor as math
    >>> math.always_close(math.zeros(math.spatial(x=3)), math.zeros(math.spatial(x=4)))
    False
    """
    a, b = as_tensor(t1), as_tensor(t2)
    if not (a.available and b.available):
        return a is b or (
            a.layout is b.layout and all(x is y for x, y in zip(a.natives, b.natives, strict=True))
        )
    if a.shape != b.shape:
        return False
    return close(a, b, rel_tolerance=rel_tolerance, abs_tolerance=abs_tolerance, equal_nan=equal_nan)


def equal(*objects: Any, equal_nan: bool = False) -> bool:
    """Whether all objects are the same: structure, dims, labels and exact numbers.

    The order of dims, storage, backend and element type do not matter: 1 equals 1.0.

    Args:
        *objects: Tensors, numbers, arrays, shapes, anything with `==`, and trees of these.
        equal_nan: Whether NaN equals NaN.

    Raises:
        Unsupported: A tensor is traced and has no numbers yet.

    >>> import phi_tensor as math
    >>> math.equal({"a": math.vec(x=1, y=2)}, {"a": math.vec(x=1.0, y=2.0)})
    True
    >>> math.equal(math.vec(x=1, y=2), math.vec(y=1, x=2))
    False
    """
    return all(_same(objects[0], other, equal_nan) for other in objects[1:])


def _same(a: Any, b: Any, equal_nan: bool) -> bool:
    if a is b and equal_nan:
        return True
    left, structure = flatten(a, "all", _leaf)
    right, other = flatten(b, "all", _leaf)
    if structure != other:
        return False
    return all(_same_numbers(x, y, equal_nan) for x, y in zip(left, right, strict=True))


def _leaf(x: Any) -> Any:
    """Numbers and native arrays are leaves, too."""
    return x if isinstance(x, (bool, int, float, complex)) or backend_of(x) is not None else None


def _same_numbers(a: Any, b: Any, equal_nan: bool) -> bool:
    for x in (a, b):
        if isinstance(x, Tensor) and not x.available:
            raise Unsupported(
                "`equal` needs numbers, but a tensor is traced or differentiated and has none yet. Use "
                "`close`, whose result is a tensor, or `always_close`."
            )
    shapes = [strict.dims_of(x) for x in (a, b)]
    if shapes[0] != shapes[1]:
        return False
    pairs = strict.blocks(a, b) if shapes[0] is not None else [(strict.array_of(a), strict.array_of(b))]
    return all(
        np.array_equal(x, y, equal_nan=equal_nan and {x.dtype.kind, y.dtype.kind} <= set("fc"))
        for x, y in pairs
    )


def assert_close(
    *values: Any,
    rel_tolerance: float = 1e-5,
    abs_tolerance: float = 0,
    msg: str = "",
    verbose: bool = True,
    equal_nan: bool = True,
) -> None:
    """Raises `AssertionError` unless all values agree with the first one, after aligning their dims.

    |a − b| ≤ abs_tolerance + rel_tolerance · |b|. Trees must have one structure. For tests that compare dims,
    labels and storage strictly, with tolerances that follow from the element type, see
    `phi_tensor.testing.assert_close`.

    Args:
        *values: Tensors, numbers, arrays and trees; missing dims are added.
        rel_tolerance: Relative tolerance [-].
        abs_tolerance: Absolute tolerance.
        msg: Text at the end of the error.
        verbose: Whether the error shows the first numbers that differ.
        equal_nan: Whether NaN agrees with NaN.

    >>> import phi_tensor as math
    >>> math.assert_close(math.ones(math.spatial(x=3)), 1)
    """
    for other in values[1:]:
        left, structure = flatten(values[0], "all", _leaf)
        right, found = flatten(other, "all", _leaf)
        if structure != found:
            raise AssertionError(f"Structures differ: {structure} and {found}. {msg}".rstrip())
        for a, b in zip(left, right, strict=True):
            try:
                strict.assert_close(
                    *_aligned(a, b), rtol=rel_tolerance, atol=abs_tolerance, because=msg, equal_nan=equal_nan
                )
            except AssertionError:
                if verbose:
                    raise
                raise AssertionError(f"Values are not close. {msg}".rstrip()) from None


def _aligned(a: Any, b: Any) -> tuple[Any, Any]:
    if not isinstance(a, Tensor) and not isinstance(b, Tensor):
        return a, b
    a, b = as_tensor(a), as_tensor(b)
    try:
        shape = merge_shapes(a.shape, b.shape)
    except IncompatibleShapes as error:
        raise AssertionError(str(error)) from None
    return expand(a, shape), expand(b, shape)
