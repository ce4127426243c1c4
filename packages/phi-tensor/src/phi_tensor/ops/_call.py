"""How public functions call rows: tensors at once, numbers and arrays wrapped, trees leaf by leaf."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from phi_tensor._attributes import attributes_of
from phi_tensor._create import wrap
from phi_tensor._plan import Row
from phi_tensor._tensor import Tensor
from phi_tensor._trees import tree_map
from phi_tensor.backends._registry import backend_of
from phi_tensor.layouts._layout import NUMBERS


def as_tensor(x: Any) -> Tensor:
    """`x` as a tensor: tensors as they are, numbers, lists and native arrays wrapped."""
    return x if isinstance(x, Tensor) else wrap(x)


def is_container(x: Any) -> bool:
    """True for trees that functions map over leaf by leaf."""
    if isinstance(x, (Tensor, *NUMBERS)) or backend_of(x) is not None:
        return False
    if isinstance(x, (tuple, list, dict)):
        return True
    return attributes_of(x, "value") is not None


def mapped(function: Callable[..., Any], *operands: Any) -> Any:
    """Result of operands that say themselves what a function applied point by point does to them.

    Else `NotImplemented`.

    Such objects (fields, whose boundary follows the operation) have `__elementwise__(function, *operands)`
    and, for reductions, `__reduction__(function, dim)`; `function` takes tensors and numbers.
    """
    for x in operands:
        hook = getattr(type(x), "__elementwise__", None)
        if hook is not None:
            return hook(x, function, *operands)
    return NotImplemented


@lru_cache(1024)
def _function_of(row: Row, parameters: tuple[tuple[str, Any], ...]) -> Callable[..., Any]:
    """The public function of a row, the same object each time."""
    one: Callable[[Any], Any] = lambda x: unary(row, x, **dict(parameters))  # noqa: E731 typed by its name
    two: Callable[[Any, Any], Any] = lambda x, y: binary(row, x, y)  # noqa: E731 typed by its name
    return one if parameters or row.options.get("arity") == 1 else two


def unary(row: Row, x: Any, **parameters: Any) -> Any:
    """Result of a row with one operand for a tensor, a number, an array or a tree."""
    if isinstance(x, Tensor):
        return row(x, **parameters)
    if is_container(x):
        found = mapped(_function_of(row, tuple(parameters.items())), x)
        if found is not NotImplemented:
            return found
        return tree_map(lambda leaf: row(leaf, **parameters), x)
    return row(wrap(x), **parameters)


def binary(row: Row, x: Any, y: Any) -> Any:
    """Result of a row with two operands; trees meet trees of the same structure or single operands."""
    if is_container(x) or is_container(y):
        found = mapped(_function_of(row, ()), x, y)
        if found is not NotImplemented:
            return found
        if is_container(x) and is_container(y):
            return tree_map(lambda a, b: row(a, b), x, y)
        return tree_map(lambda a: row(a, y), x) if is_container(x) else tree_map(lambda b: row(x, b), y)
    if isinstance(x, Tensor):
        return row(x, operand(y, x))
    return row(operand(x, y), y) if isinstance(y, Tensor) else row(wrap(x), operand(y, x))


def operand(x: Any, other: Any) -> Any:
    """`x` as a tensor or number beside `other`."""
    if isinstance(x, Tensor) or type(x) in NUMBERS:
        return x
    if isinstance(other, Tensor):
        from phi_tensor import _read  # noqa: PLC0415 unnamed arrays take the dims of `other`

        found = _read.operand(x, other)
        return wrap(x) if found is None else found
    return wrap(x)
