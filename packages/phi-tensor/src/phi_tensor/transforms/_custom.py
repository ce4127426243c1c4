"""Functions with a derivative of their own."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable, Sequence
from inspect import BoundArguments
from typing import Any

from phi_tensor._create import zeros_like
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._tensor import Tensor
from phi_tensor._trees import flatten
from phi_tensor.backends._backend import Backend, Natives
from phi_tensor.transforms._flat import (
    Outcomes,
    Output,
    backend_for,
    differentiating,
    flat_arguments,
    flat_output,
    natives_as,
    signature_of,
    stored_layout,
    tensors_of,
)


def custom_gradient(
    f: Callable[..., Any], gradient: Callable[..., dict[str, Any]], auxiliary_args: str = ""
) -> Callable[..., Any]:
    """`f` with its own reverse rule; the forward rule is its transpose.

    Args:
        f: Function of trees.
        gradient: `gradient(inputs, y, dy) -> dict`: from the arguments by name, the output and the output's
            cotangent to the cotangents of any subset of the arguments; missing ones are zero. Must be linear
            in `dy`. What `*args` and `**kwargs` take is one argument, a tuple or dict, by that name.
        auxiliary_args: Names (comma list) of arguments that have no derivative and are passed as they are.

    >>> import phi_tensor as math
    >>> identity = custom_gradient(lambda x: x, lambda inputs, y, dy: {"x": 7 * dy})
    """
    static = {name.strip() for name in auxiliary_args.split(",") if name.strip()}

    @functools.wraps(f)
    def with_rule(*args: Any, **kwargs: Any) -> Any:
        bound = _bound(f, args, kwargs)
        values = bound.arguments
        dynamic = [name for name in values if name not in static]
        leaves, structure = flat_arguments([values[name] for name in dynamic])
        backend = backend_for(leaves) if leaves else None
        symbolic = any(leaf.layout.symbolic for leaf in leaves)  # traced as a linear function
        if symbolic or backend is None or "reverse" not in backend.supports:
            return f(*args, **kwargs)
        layouts = tuple(stored_layout(leaf.layout, backend) for leaf in leaves)
        primals = tuple(
            n for leaf, layout in zip(leaves, layouts, strict=True) for n in natives_as(leaf, layout)
        )
        described: list[Output] = []
        outcomes = Outcomes(backend)

        def inputs(natives: Sequence[Any]) -> dict[str, Any]:
            trees = structure.build(tensors_of(layouts, natives))
            return {
                **{name: values[name] for name in static if name in values},
                **dict(zip(dynamic, trees, strict=True)),
            }

        def flat(*natives: Any) -> Natives:
            with differentiating(backend), outcomes.collected():
                given = BoundArguments(bound.signature, OrderedDict(inputs(natives)))
                natives, description = flat_output(f(*given.args, **given.kwargs), backend, canonical=False)
            described.append(description)
            return natives + outcomes.natives()

        def pullback(primals: Natives, outputs: Natives, cotangents: Natives) -> Natives:
            with differentiating(backend):
                given = inputs(primals)
                y, dy = described[-1].build(outputs), described[-1].build(cotangents)
                found = gradient(given, y, dy)
                return _cotangents(found, given, dynamic, layouts, backend)

        results = backend.custom_gradient(flat, pullback)(*primals)
        return described[-1].build(outcomes.pass_on(results))

    return with_rule


def _bound(f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> BoundArguments:
    signature = signature_of(f)
    if signature is None:
        raise IncompatibleShapes(
            f"`custom_gradient` needs a function whose argument names Python knows, but found {f!r}. Wrap "
            f"it in a `def`."
        )
    return signature.bind(*args, **kwargs)


def _cotangents(
    found: dict[str, Any],
    given: dict[str, Any],
    dynamic: list[str],
    layouts: tuple[Any, ...],
    backend: Backend,
) -> Natives:
    unknown = [name for name in found if name not in dynamic]
    if unknown:
        raise IncompatibleShapes(
            f"The gradient rule returned cotangents for {unknown}, but the arguments are {dynamic}."
        )
    leaves: list[Tensor] = []
    for name in dynamic:
        tree = found.get(name)
        leaves += flatten(zeros_like(given[name]) if tree is None else tree, "variable")[0]
    if len(leaves) != len(layouts):
        raise IncompatibleShapes(
            f"Cotangents must have the structure of their arguments {dynamic}, but found {found!r}."
        )
    natives: list[Any] = []
    for leaf, layout in zip(leaves, layouts, strict=True):
        if leaf.shape != layout.shape:
            raise IncompatibleShapes(
                f"A cotangent must have the dims of its argument {layout.shape}, but found {leaf.shape}. "
                f"Sum over the rest."
            )
        natives.extend(natives_as(leaf, layout))
    return tuple(natives)
