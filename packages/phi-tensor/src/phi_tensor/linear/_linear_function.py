"""Linear functions that are traced once per shape of their argument."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from phi_tensor._context import settings
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._locks import new_lock
from phi_tensor._tensor import Tensor
from phi_tensor._trees import flatten
from phi_tensor.linear._matrix import linear_in, matrix_and_bias
from phi_tensor.linear._trace import blocks_of, from_blocks
from phi_tensor.linear._traced import Traced, traced
from phi_tensor.ops import _table as table
from phi_tensor.transforms._flat import flat_arguments

P = ParamSpec("P")
R = TypeVar("R")

MOST_TRACES = 64
"""Traces that a function keeps; the oldest are forgotten first."""


class LinearFunction(Generic[P, R]):
    """An affine function f(x, …) = A x + b whose terms are known. Call it like the original one.

    Traced once per shapes of the unknown, constants and precision. Constants that are numbers or text are
    compared by value, tensors by identity, as whatever `f` takes from outside is not compared at all.

    Attributes:
        f: The original function.
        auxiliary_args: Names of the constants, see `matrix_from_function`.
    """

    def __init__(
        self, f: Callable[P, R], auxiliary_args: str | None = None, forget_traces: bool | None = None
    ) -> None:
        self.f = f
        self.auxiliary_args = auxiliary_args
        self._forget = bool(forget_traces)
        self._traces: dict[Any, tuple[Traced, list[Tensor]]] = {}
        self._lock = new_lock()
        functools.update_wrapper(self, f)

    @property
    def traces(self) -> int:
        """Number of traces that are kept [-]."""
        return len(self._traces)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        leaves, _ = flat_arguments((args, kwargs))
        if any(leaf.layout.symbolic for leaf in leaves):
            return self.f(*args, **kwargs)
        _, x = linear_in(self.f, args, kwargs, self.auxiliary_args)
        function = self.traced(*args, **kwargs)
        values, biases = (blocks_of(tree) for tree in (function.apply(x), function.bias))
        results = [table.ADD(value, bias) for value, bias in zip(values, biases, strict=True)]
        return cast("R", from_blocks(function.result, results))

    def traced(self, *args: Any, **kwargs: Any) -> Traced:
        """The function as terms, for arguments like these; numbers of the unknown do not matter."""
        function, x = linear_in(self.f, args, kwargs, self.auxiliary_args)
        others = [a for a in (*args, *kwargs.values()) if a is not x]
        leaves, structure = flat_arguments(x)
        constants, rest = flatten(others, "all")
        key = (structure, *[leaf.layout for leaf in leaves], rest, *map(id, constants), settings())
        try:
            known = self._traces.get(key)
        except TypeError as error:
            raise IncompatibleShapes(
                f"The constants of a linear function must be hashable or tensors, but found {others!r}."
            ) from error
        if known is not None:
            return known[0]
        found = traced(function, x)
        numbers = (*found.coefficients, *blocks_of(found.bias))
        if all(number.available for number in numbers):  # else they belong to another transformation
            with self._lock:
                if self._forget:
                    self._traces.clear()
                elif len(self._traces) >= MOST_TRACES:
                    self._traces.pop(next(iter(self._traces)))
                self._traces[key] = found, constants
        return found

    def sparse_matrix(self, *args: P.args, **kwargs: P.kwargs) -> Tensor:
        """Matrix for arguments of these shapes, see `matrix_from_function`.

        Raises:
            IncompatibleShapes: The function is affine: f(0) is not 0.
        """
        matrix, bias = self.sparse_matrix_and_bias(*args, **kwargs)
        if bias.available and (bias != 0).any(bias.shape):
            raise IncompatibleShapes(
                f"`{self!r}` is affine, f(0) = {bias}, so that a matrix alone does not describe it. Use "
                f"`sparse_matrix_and_bias`."
            )
        return matrix

    def sparse_matrix_and_bias(self, *args: P.args, **kwargs: P.kwargs) -> tuple[Tensor, Tensor]:
        """Matrix and bias for arguments of these shapes, see `matrix_from_function`."""
        return matrix_and_bias(self.traced(*args, **kwargs), compressed=True)

    def __repr__(self) -> str:
        return f"linear({getattr(self.f, '__name__', self.f)})"


@overload
def jit_compile_linear(
    f: Callable[P, R], auxiliary_args: str | None = ..., forget_traces: bool | None = ...
) -> LinearFunction[P, R]: ...
@overload
def jit_compile_linear(
    f: None = ..., auxiliary_args: str | None = ..., forget_traces: bool | None = ...
) -> Callable[[Callable[P, R]], LinearFunction[P, R]]: ...
def jit_compile_linear(
    f: Any = None, auxiliary_args: str | None = None, forget_traces: bool | None = None
) -> Any:
    """`f` as a function whose matrix is known; usable as decorator, with or without arguments.

    Args:
        f: Linear or affine function of its first argument.
        auxiliary_args: Names (comma list) of the constants. Without, all but the first argument are.
        forget_traces: Keep only the latest trace.

    Returns:
        `LinearFunction`, for `solve_linear` and for matrices.

    >>> import phi_tensor as math
    >>> @jit_compile_linear
    ... def double(x):
    ...     return 2 * x
    >>> double(math.wrap([1.5, 2.0], math.spatial("x")))
    (3.0, 4.0) along (x:s=2) float32
    """
    if f is None:
        return functools.partial(LinearFunction, auxiliary_args=auxiliary_args, forget_traces=forget_traces)
    return LinearFunction(cast("Callable[..., Any]", f), auxiliary_args, forget_traces)
