"""How public functions call rows: tensors at once, numbers and arrays wrapped, trees leaf by leaf."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, update_wrapper
from types import FunctionType
from typing import Any, TypeVar, cast

from phi_tensor._attributes import attributes_of
from phi_tensor._context import local_settings
from phi_tensor._create import wrap
from phi_tensor._plan import Row
from phi_tensor._tensor import Tensor
from phi_tensor._trees import tree_map
from phi_tensor.backends._registry import backend_of
from phi_tensor.layouts._layout import NUMBERS

F = TypeVar("F", bound=Callable[..., Any])


def is_row(row: Row) -> Callable[[F], F]:
    """Decorator of a public function that is one element-wise row; its body only documents it.

    A hit in the plan cache costs one look-up and one call, as for operators: no arguments are passed on.
    """
    plans, settings, tensor, numbers = row.plans, local_settings, Tensor, NUMBERS
    call_one, call_two = unary, binary

    def one(x: Any) -> Any:
        plan = plans.get((x.layout, settings())) if type(x) is tensor else None
        return call_one(row, x) if plan is None else plan(x)

    def two(x: Any, y: Any) -> Any:
        layout = x.layout if type(x) is tensor else numbers.get(type(x))
        other = y.layout if type(y) is tensor else numbers.get(type(y))
        plan = plans.get((layout, other, settings()))
        try:
            return call_two(row, x, y) if plan is None else plan(x, y)
        except OverflowError:
            return row(x, y)  # raises our error

    template = cast("FunctionType", one if row.options["arity"] == 1 else two)

    def decorate(documented: F) -> F:
        public = cast("FunctionType", documented)
        # In the globals of the documented function, by which doctests tell whose function it is
        function = FunctionType(
            template.__code__, public.__globals__, public.__name__, None, template.__closure__
        )
        update_wrapper(function, public)
        function.__dict__.pop("__wrapped__")
        return cast("F", function)

    return decorate


def of_three(row: Row, slowly: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """Function of three operands that looks for a plan; `slowly` where there is none yet, and for trees."""
    plans, settings, tensor, numbers = row.plans, local_settings, Tensor, NUMBERS

    def three(x: Any, y: Any, z: Any) -> Any:
        layout = x.layout if type(x) is tensor else None
        second = y.layout if type(y) is tensor else numbers.get(type(y))
        third = z.layout if type(z) is tensor else numbers.get(type(z))
        plan = plans.get((layout, second, third, settings()))
        try:
            return slowly(x, y, z) if plan is None else plan(x, y, z)
        except OverflowError:
            return row(x, y, z)  # raises our error

    return three


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
            return tree_map(lambda a, b: binary(row, a, b), x, y)
        if is_container(x):
            return tree_map(lambda a: binary(row, a, y), x)
        return tree_map(lambda b: binary(row, x, b), y)
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
