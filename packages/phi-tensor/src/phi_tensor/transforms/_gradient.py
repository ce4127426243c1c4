"""Derivatives of functions of trees. Losses keep batch dims: every example gets its own gradient."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, cast

from phi_tensor._create import ones_like
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.backends._backend import Backend, Natives
from phi_tensor.ops._reductions import sum_
from phi_tensor.ops._structure import expand
from phi_tensor.transforms._arguments import Arguments, Wrt
from phi_tensor.transforms._flat import (
    Outcomes,
    Output,
    differentiating,
    flat_arguments,
    flat_output,
    natives_as,
    number_leaf,
    require,
    stored_layout,
)


def gradient(f: Callable[..., Any], wrt: Wrt = None, get_output: bool = True) -> Callable[..., Any]:
    """Function that returns the value of `f` and its gradient.

    The first output of `f` is the loss; it may have batch dims (their sum is differentiated), no others.
    Further outputs are passed on.

    The gradient of a loss L by complex z = x + iy is ∂L/∂x + i ∂L/∂y, the direction of steepest ascent, on
    every backend; hence z − step·gradient descends. L changes along dz by Σ Re(conj(gradient)·dz).

    Args:
        f: Function `f(…) -> loss` or `(loss, …)`.
        wrt: Names of arguments: one name gives one tree, several (comma list or sequence) a list. Default:
            the first argument.
        get_output: Return `(output of f, gradient)`, else the gradient alone.

    Returns:
        Function with the arguments of `f`. Gradients have the structure and shapes of the arguments; ints
        count as floats.

    Raises:
        Unsupported: The arguments are on NumPy, which has no derivatives, and so is the default backend.
        IncompatibleShapes: The loss has other than batch dims.

    >>> import phi_tensor as math
    >>> with math.on_backend("jax"):
    ...     gradient(math.l2_loss)(math.vec(x=1.0, y=2.0))
    (2.5, (x=1.0, y=2.0))
    """

    @functools.wraps(f)
    def with_gradient(*args: Any, **kwargs: Any) -> Any:
        arguments = Arguments(f, wrt, args, kwargs)
        backend = arguments.backend
        require(backend, "gradient", "reverse")
        described: list[Output] = []
        outcomes = Outcomes(backend)

        def flat(*natives: Any) -> tuple[Natives, Natives]:
            with outcomes.collected():
                output = arguments.call(natives)
            with differentiating(backend):
                loss = _total_loss(output[0] if isinstance(output, (tuple, list)) else output)
                total = natives_as(loss, stored_layout(loss.layout, backend))
                aux, description = flat_output(output, backend, canonical=False)
            described.append(description)
            return total, aux + outcomes.natives()

        outputs, pullback, aux = backend.vjp(flat, arguments.natives)
        aux = outcomes.pass_on(aux)
        one = backend.full((), 1, backend.dtype(outputs[0]))
        gradients = arguments.result(pullback((one,)), wrt)
        return (described[-1].build(aux), gradients) if get_output else gradients

    return with_gradient


def _total_loss(loss: Any) -> Tensor:
    value = loss if isinstance(loss, Tensor) else number_leaf(loss)
    if value is None:
        raise IncompatibleShapes(
            f"The first output of a differentiated function is its loss, but found {loss!r}. Return a "
            f"tensor first."
        )
    if value.shape.non_batch:
        raise IncompatibleShapes(
            f"A loss has batch dims only, but found {value.shape}. Reduce it, e.g. with `sum` or "
            f"`l2_loss`, or use `jacobian`."
        )
    if value.dtype.kind is not float:
        raise IncompatibleShapes(
            f"A loss is a real floating-point number, but found {value.dtype}. Convert it with `to_float`."
        )
    return sum_(value, lambda shape: shape) if value.rank else value


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], Any]]:
    """`(f(*primals), pullback)`; `pullback(cotangent)` returns one cotangent tree per primal.

    The cotangent has the structure and dims of the output. Reverse mode: cost of a few evaluations whatever
    the number of primals. With complex numbers the pullback applies the conjugate transpose Jᴴ of the
    Jacobian, so that pulling back gradients gives gradients, see `gradient`; rules of `custom_gradient` do.

    >>> import phi_tensor as math
    >>> with math.on_backend("jax"):
    ...     value, pullback = vjp(lambda x: x * x, 3.0)
    ...     pullback(1.0)
    (6.0,)
    """
    arguments = Arguments(lambda all_primals: f(*all_primals), None, (primals,), {})
    require(arguments.backend, "vjp", "reverse")
    described: list[Output] = []

    outcomes = Outcomes(arguments.backend)

    def flat(*natives: Any) -> tuple[Natives, Natives]:
        with differentiating(arguments.backend), outcomes.collected():
            natives, description = _flat_result(arguments.call(natives), arguments.backend, "vjp")
        described.append(description)
        return natives, outcomes.natives()

    outputs, native_pullback, hidden = arguments.backend.vjp(flat, arguments.natives)
    outcomes.pass_on(hidden)
    description = described[-1]

    def pullback(cotangent: Any) -> Any:
        natives = _natives_like(cotangent, description, arguments.backend)
        return arguments.result(native_pullback(natives), None)

    return description.build(outputs), pullback


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """`(f(*primals), directional derivative along tangents)`, by forward mode.

    Args:
        f: Function of trees.
        primals: Its arguments.
        tangents: One tree per primal, of the same structure and dims.

    >>> import phi_tensor as math
    >>> with math.on_backend("jax"):
    ...     jvp(lambda x: x * x, [3.0], [1.0])
    (9.0, 6.0)
    """
    if not all(isinstance(cast("Any", given), (tuple, list)) for given in (primals, tangents)):
        raise TypeError(
            f"`jvp` takes one sequence of primals and one of tangents, but found {type(primals).__name__} "
            f"and {type(tangents).__name__}. Try `jvp(f, [x], [dx])`."
        )
    arguments = Arguments(lambda all_primals: f(*all_primals), None, (tuple(primals),), {})
    require(arguments.backend, "jvp", "forward")
    directions = _natives_like(
        tuple(tangents), Output(arguments.structure.children[0], arguments.layouts), arguments.backend
    )
    described: list[Output] = []

    outcomes = Outcomes(arguments.backend)

    def flat(*natives: Any) -> Natives:
        with differentiating(arguments.backend), outcomes.collected():
            natives, description = _flat_result(arguments.call(natives), arguments.backend, "jvp")
        described.append(description)
        return natives + outcomes.natives()

    outputs, derivatives = arguments.backend.jvp(flat, arguments.natives, directions)
    outputs = outcomes.pass_on(outputs)
    return described[-1].build(outputs), described[-1].build(derivatives)


def _flat_result(output: Any, backend: Backend, function: str) -> tuple[Natives, Output]:
    natives, description = flat_output(output, backend, canonical=False)
    if not natives:
        raise IncompatibleShapes(
            f"`{function}` differentiates the tensors that a function returns, but found {output!r}. "
            f"Return a tensor."
        )
    return natives, description


def _natives_like(tree: Any, like: Output, backend: Backend) -> Natives:
    """Natives of a (co)tangent tree in given layouts."""
    leaves, _ = flat_arguments(tree)
    if len(leaves) != len(like.layouts):
        raise IncompatibleShapes(
            f"A (co)tangent has one tensor per tensor of {like.structure}, but found {len(leaves)}."
        )
    natives: list[Any] = []
    for leaf, layout in zip(leaves, like.layouts, strict=True):
        missing = Shape.of(tuple(dim for dim in layout.shape.dims if dim.name not in leaf.shape))
        if leaf.shape.without(layout.shape) or (missing and leaf.rank):
            raise IncompatibleShapes(
                f"A (co)tangent has the dims of its tensor {layout.shape}, but found {leaf.shape}."
            )
        full = cast("Tensor", ones_like(leaf) * leaf)
        natives.extend(natives_as(expand(full, layout.shape) if missing else full, layout))
    return tuple(natives)
