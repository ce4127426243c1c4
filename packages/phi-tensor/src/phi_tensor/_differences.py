"""Where two trees differ, as a list of places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from phi_tensor._attributes import Attributes
from phi_tensor._tensor import Tensor
from phi_tensor._trees import opened
from phi_tensor.ops._comparison import equal

Difference = tuple[str, str, Any, Any]
"""`(what differs, where: as Python code behind the tree, value in the first, value in the second tree)`."""


def find_differences(
    tree1: Any,
    tree2: Any,
    compare_tensors_by_id: bool = False,
    attr_type: Attributes = "value",
    tensor_equality: Callable[[Any, Any], bool] | None = None,
) -> list[Difference]:
    """Places where two trees differ, each as `(what, where, first, second)`; empty if there are none.

    Args:
        tree1: Tensors, numbers, and containers and objects made of them.
        tree2: As `tree1`.
        compare_tensors_by_id: Whether two tensors agree only if they are the same object.
        attr_type: Which attributes of objects are compared: `value`, `variable` or `all`.
        tensor_equality: Tells whether two tensors agree. Default: `equal`, where NaN equals NaN.

    >>> import phi_tensor as math
    >>> math.find_differences({"a": 1, "b": [2, 3]}, {"a": 1, "b": [2, 4]})
    [('values differ', "['b'][1]", 3, 4)]
    """
    agree = tensor_equality or _equal
    if compare_tensors_by_id:
        agree = _identical
    return _differences(tree1, tree2, "", agree, attr_type)


def _equal(a: Any, b: Any) -> bool:
    return equal(a, b, equal_nan=True)


def _identical(a: Any, b: Any) -> bool:
    return a is b


def _differences(
    a: Any, b: Any, where: str, agree: Callable[[Any, Any], bool], attributes: Attributes
) -> list[Difference]:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return [] if agree(a, b) else [("tensors differ", where, a, b)]
    first, second = opened(a, attributes), opened(b, attributes)
    if first is None and second is None:
        return [] if equal(a, b, equal_nan=True) else [("values differ", where, a, b)]
    if first is None or second is None or first[1] != second[1]:
        return [("structures differ", where, a, b)]
    found: list[Difference] = []
    for key, x, y in zip(first[1].keys(), first[0], second[0], strict=True):
        found += _differences(x, y, where + key, agree, attributes)
    return found
