"""What `solve_linear` is given, as one system A x = b of vectors."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple, cast

from phi_tensor._dim_types import instance
from phi_tensor._errors import IncompatibleShapes, Untraceable
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor._trees import Structure
from phi_tensor.linear._linear_function import LinearFunction
from phi_tensor.linear._of_function import operator_of_function
from phi_tensor.linear._of_traced import operator_of_traced
from phi_tensor.linear._operator import SYMMETRIC, Coefficients, LinearOperator
from phi_tensor.linear._packing import Packing, floating, packing_of
from phi_tensor.linear._problem import Function
from phi_tensor.linear._solve_settings import Solve
from phi_tensor.linear._traced import traced
from phi_tensor.ops._elementwise import stop_gradient
from phi_tensor.ops._structure import expand, pack_dims, rename_dims, unpack_dim
from phi_tensor.transforms._flat import flat_arguments


class System(NamedTuple):
    """A x = b in one vector per system.

    Attributes:
        operator: A, with equal dims of vectors and results.
        b: Right-hand sides, with all dims of the systems.
        x0: Initial guess, or None.
        unknown: How unknowns are packed.
    """

    operator: LinearOperator
    b: Tensor
    x0: Tensor | None
    unknown: Packing


def system_of(f: Any, y: Any, solve: Solve, args: tuple[Any, ...], kwargs: dict[str, Any]) -> System:
    if isinstance(f, (Tensor, LinearOperator)):
        if args or kwargs:
            raise TypeError("`solve_linear` passes further arguments to functions, but `f` is no function.")
        operator = LinearOperator.from_matrix(floating(f)) if isinstance(f, Tensor) else f
        return _of_operator(operator, y, solve)
    if not callable(f):
        raise TypeError(
            f"`solve_linear(f, y)` needs a matrix with dual dims, a `LinearOperator` or a function, but "
            f"found "
            f"{f!r}."
        )
    return _of_function(f, y, solve, args, kwargs)


def _of_operator(operator: LinearOperator, y: Any, solve: Solve) -> System:
    right = packing_of(y)
    if not right.single:
        raise IncompatibleShapes(
            f"A matrix maps one tensor, but the right-hand side is a tree: {y!r}. Solve block systems by a "
            f"function of the tree."
        )
    b = right.pack(y)
    missing = [name for name in operator.codomain.names if name not in b.shape]
    if missing:
        raise IncompatibleShapes(
            f"The operator maps to vectors along {operator.codomain}, but the right-hand side {b.shape} "
            f"lacks "
            f"{missing}. Rename its dims, or expand it."
        )
    merge_shapes(operator.codomain, b.shape.only(operator.codomain.names))  # sizes and labels agree
    _check_square(operator)
    if operator.bias is not None:
        b = b - operator.bias
    guess = None if solve.x0 is None else flat_arguments(solve.x0)[0][0]
    leaf = flat_arguments(solve.x0 if guess is not None else y)[1]
    return _with_all_dims(operator, b, guess, Packing(leaf, right.blocks, True))


def _of_function(f: Any, y: Any, solve: Solve, args: tuple[Any, ...], kwargs: dict[str, Any]) -> System:
    leaves, structure = flat_arguments((args, kwargs))
    coefficients = tuple(leaves)
    like = y if solve.x0 is None else solve.x0
    unknown = packing_of(like)
    guess = unknown.pack(like)
    example = stop_gradient(guess)
    try:
        operator, results = _traced_operator(f, unknown, example, args, kwargs) or operator_of_function(
            f, unknown, example, coefficients, _arguments(structure)
        )
    except IncompatibleShapes as error:
        if solve.x0 is not None:
            raise
        error.add_note(
            "`solve_linear` took the unknown to be like the right-hand side, as no `x0` was given. Where "
            "it is "
            "not, describe it: `Solve(x0=zeros(…))`."
        )
        raise
    right = packing_of(y)
    if (not right.single and right.dims != results.dims) or (right.single and not results.single):
        raise IncompatibleShapes(
            f"Right-hand sides have the structure of what the function returns, but it returns "
            f"{results.dims} "
            f"for unknowns {unknown.dims}, and the right-hand side has {right.dims}."
        )
    _check_square(operator)
    b = results.pack(y)
    extra = b.shape.without(operator.codomain).non_batch
    if extra:
        raise IncompatibleShapes(
            f"The function maps {unknown.dims} to {operator.codomain}, but the right-hand side {b.shape} has "
            f"{extra}, too. Give the unknown in `Solve(x0=…)`, or make these dims batch dims."
        )
    assert operator.bias is not None
    return _with_all_dims(operator, b - operator.bias, None if solve.x0 is None else guess, unknown)


def _traced_operator(
    f: Callable[..., Any], unknown: Packing, example: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[LinearOperator, Packing] | None:
    """Operator of a function that can be traced, else None."""
    like = unknown.unpack(example)
    try:
        found = (
            f.traced(like, *args, **kwargs)
            if isinstance(f, LinearFunction)
            else traced(f, like, *args, **kwargs)
        )
    except Untraceable:
        return None
    return operator_of_traced(found, unknown)


def _arguments(
    structure: Structure,
) -> Callable[[Coefficients], tuple[tuple[Any, ...], dict[str, Any]]]:
    return lambda c: structure.build(list(c))


def _check_square(operator: LinearOperator) -> None:
    if not operator.is_square:
        raise IncompatibleShapes(
            f"`solve_linear` solves square systems, but the operator maps vectors {operator.domain} "
            f"({operator.domain.volume} entries) to {operator.codomain} ({operator.codomain.volume}). "
            f"For least "
            f"squares solve the normal equations, or use `pinv`."
        )


def _with_all_dims(operator: LinearOperator, b: Tensor, x0: Tensor | None, unknown: Packing) -> System:
    """The system with every dim of independent systems stored in the right-hand side."""
    same = _same_dims(operator)
    if same is not operator:
        b = _moved(b, operator.codomain, operator.domain)
    guess = None if x0 is None else floating(stop_gradient(x0))
    rest = b.shape.without(same.domain)
    if guess is not None:
        missing = [name for name in same.domain.names if name not in guess.shape]
        if missing:
            guess = expand(guess, same.domain)
        rest = merge_shapes(rest, guess.shape.without(same.domain))
    if same.closure is None:
        mapped = merge_shapes(
            *(c.shape.without(c.shape.dual).without(same.domain) for c in same.coefficients)
        )
        mapped = mapped.without(operator.codomain) if same.matrix is not None else Shape.of(())
        rest = merge_shapes(rest, mapped)
    full = merge_shapes(rest, same.domain)
    b = expand(b, full)
    return System(same, b, None if guess is None else expand(guess, full), unknown)


def _same_dims(operator: LinearOperator) -> LinearOperator:
    """The operator with results along the dims of vectors."""
    domain, codomain = operator.domain, operator.codomain
    if domain == codomain:
        return operator
    function, transposed = operator.function, operator.transposed
    closure = operator.closure
    tags = operator.tags if domain.sizes == codomain.sizes else operator.tags - {SYMMETRIC}
    return dataclasses.replace(
        operator,
        codomain=domain,
        tags=tags,
        function=lambda c, x: _moved(function(c, x), codomain, domain),
        transposed=None if transposed is None else lambda c, y: transposed(c, _moved(y, domain, codomain)),
        closure=None if closure is None else lambda c: _moving(closure(c), codomain, domain),
        matrix=None
        if operator.matrix is None
        else lambda c: _moved(cast("Any", operator.matrix)(c), codomain, domain),
        bias=None,
    )


def _moving(apply: Function, codomain: Shape, domain: Shape) -> Function:
    return lambda x: _moved(apply(x), codomain, domain)


def _moved(x: Tensor, old: Shape, new: Shape) -> Tensor:
    """Vectors along `old` as vectors along `new`, entry by entry in order."""
    if old.sizes == new.sizes:
        return rename_dims(x, old.names, new)
    packed = pack_dims(x, old.names, instance("_moved"))
    return unpack_dim(packed, "_moved", *(new[name] for name in new.names))
