"""What a nonlinear solve is called with: variables, further arguments, and the function of their tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

from phi_tensor._errors import IncompatibleShapes
from phi_tensor._tensor import Tensor
from phi_tensor._trees import Structure
from phi_tensor.backends._backend import Backend
from phi_tensor.linear._solve_settings import Solve
from phi_tensor.ops._elementwise import to_float
from phi_tensor.optimize._vectors import Vector
from phi_tensor.transforms._flat import backend_for, flat_arguments


class Call(NamedTuple):
    """A function of variables and further arguments.

    Attributes:
        function: What the user passed.
        x0: First values of the variables.
        given: Tensors of the further arguments.
        variables: Structure of the variables.
        others: Structure of the further arguments.
        backend: Library that computes.
    """

    function: Callable[..., Any]
    x0: Vector
    given: Vector
    variables: Structure
    others: Structure
    backend: Backend

    def __call__(self, x: Vector, given: Vector) -> Any:
        """What the function returns; tuples and lists of variables are several arguments."""
        variables = self.variables.build(list(x))
        args, kwargs = cast("tuple[tuple[Any, ...], dict[str, Any]]", self.others.build(list(given)))
        several = isinstance(variables, (tuple, list)) and not hasattr(variables, "_fields")
        return self.function(*cast("Any", variables if several else (variables,)), *args, **kwargs)


def called(name: str, f: Any, solve: Any, x0: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
    """Checked call of `f` for the public function `name`."""
    if not isinstance(solve, Solve):
        raise TypeError(f"`{name}` needs settings `Solve(x0=…)`, but found {solve!r}.")
    if not callable(f):
        raise TypeError(f"`{name}` needs a function, but found {f!r}.")
    for field in ("preprocess_y", "preconditioner", "rank_deficiency"):
        if getattr(solve, field) is not None:
            raise ValueError(
                f"`{name}` has no use for `Solve({field}=…)`, which is for `solve_linear`. Leave it away."
            )
    variables, structure = flat_arguments(x0)
    if not variables:
        raise IncompatibleShapes(
            f"`{name}` has nothing to vary: `Solve(x0={x0!r})` holds no tensors. Pass the first "
            "values of all variables."
        )
    wrong = [leaf for leaf in variables if leaf.dtype.kind is bool]
    if wrong:
        raise IncompatibleShapes(f"`{name}` varies real or complex numbers, but `Solve(x0=…)` holds bools.")
    given, others = flat_arguments((args, kwargs))
    backend = backend_for([*variables, *given])
    start = tuple(leaf if leaf.dtype.kind is complex else to_float(leaf) for leaf in variables)
    return Call(f, start, tuple(given), structure, others, backend)


def first_output(output: Any) -> Any:
    """What a function with further outputs is about."""
    several = isinstance(output, (tuple, list)) and not hasattr(output, "_fields")
    return cast("Any", output)[0] if several else cast("Any", output)


def limits(solve: Solve, x: Vector) -> int | Tensor:
    """Largest number of iterations, for each entry if the settings say so."""
    return solve.limit([size for leaf in x for size in leaf.shape.sizes if isinstance(size, int)])
