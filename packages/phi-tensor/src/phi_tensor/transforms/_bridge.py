"""Functions that compute on one library and are called, and differentiated, from another one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from phi_tensor._context import changed_settings
from phi_tensor._convert import convert
from phi_tensor._errors import Unsupported
from phi_tensor._tensor import Tensor
from phi_tensor._trees import flatten
from phi_tensor.backends._backend import Backend, Natives
from phi_tensor.backends._registry import common_backend, init_backend
from phi_tensor.transforms._flat import (
    Output,
    flat_arguments,
    flat_output,
    natives_as,
    require,
    stored_layout,
    tensors_of,
)
from phi_tensor.transforms._gradient import vjp
from phi_tensor.transforms._jit import jit_compile


def computed_on(f: Callable[..., Any], backend: Backend | str, jit: bool = True) -> Callable[..., Any]:
    """`f` computed by another library; arguments and results belong to the caller's, and so do the gradients.

    Numbers are exchanged by DLPack, without copies on one device. A PyTorch network trains through a solver
    on
    JAX: `loss.native().backward()` and `gradient` of the caller's library go through the pullback of `f`.
    Reverse mode, first derivatives, outside compiled code.

    Args:
        f: Function of tensors and trees of them.
        backend: Library that computes it.
        jit: Compile `f` and its pullback.

    Raises:
        Unsupported: The call is compiled, nested in a derivative of JAX, or asks for other derivatives.

    >>> import phi_tensor as math
    >>> energy = math.computed_on(math.l2_loss, "jax")
    >>> with math.on_backend("torch"):
    ...     math.gradient(energy, get_output=False)(math.tensor([1.0, 2.0], math.channel("c")))
    (1.0, 2.0) along (c:c=2) float32
    """
    target = init_backend(backend)
    forward = jit_compile(f) if jit else f

    def pulled(args: Any, cotangent: Any) -> Any:
        return vjp(lambda given: f(*given[0], **given[1]), args)[1](cotangent)[0]

    backward = jit_compile(pulled) if jit else pulled

    @functools.wraps(f)
    def elsewhere(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = flat_arguments((args, kwargs))
        source = common_backend(tuple(leaf.layout.backend for leaf in leaves))
        if source is target:
            return f(*args, **kwargs)
        if source.mixes or "reverse" not in target.supports:
            return convert(
                _call(forward, structure.build([_moved(x, target) for x in leaves]), target), source
            )
        layouts = tuple(stored_layout(leaf.layout, source) for leaf in leaves)
        given_natives = tuple(
            n for leaf, layout in zip(leaves, layouts, strict=True) for n in natives_as(leaf, layout)
        )
        described: list[Output] = []

        def flat(*natives: Any) -> Natives:
            given = structure.build([_moved(x, target) for x in tensors_of(layouts, natives)])
            results = _returned(_call(forward, given, target), source)
            natives, output = flat_output(results, source, canonical=False)
            described.append(output)
            return natives

        def pull(*natives: Any) -> Natives:
            primals, cotangents = natives[: len(given_natives)], natives[len(given_natives) :]
            given = structure.build([_moved(x, target) for x in tensors_of(layouts, primals)])
            output = described[-1]
            dy = output.structure.build([_moved(x, target) for x in tensors_of(output.layouts, cotangents)])
            with changed_settings(traced="", backend=target.name):
                found = backward(given, dy)
            back = [_moved(x, source) for x in flat_arguments(found)[0]]
            return tuple(n for x, layout in zip(back, layouts, strict=True) for n in natives_as(x, layout))

        def pullback(primals: Natives, outputs: Natives, cotangents: Natives) -> Natives:
            return source.custom_gradient(pull, _refuse)(*primals, *cotangents)

        require(target, "computed_on", "reverse")
        results = source.custom_gradient(flat, pullback)(*given_natives)
        return described[-1].build(results)

    return elsewhere


def _call(f: Callable[..., Any], given: Any, target: Backend) -> Any:
    args, kwargs = given
    with changed_settings(traced="", backend=target.name):
        return f(*args, **kwargs)


def _refuse(primals: Natives, outputs: Natives, cotangents: Natives) -> Natives:
    raise Unsupported(
        "`computed_on` has first derivatives only: the pullback of the other library has none here. Take "
        "second derivatives inside the function, on its own library."
    )


def _moved(x: Tensor, target: Backend) -> Tensor:
    """The numbers of `x` on another library, without its derivatives."""
    source = x.layout.backend
    with source.outside(x.natives) as natives:
        if not all(map(source.is_concrete, natives)):
            raise Unsupported(
                f"`computed_on` exchanges numbers between {source} and {target}, which compiled code and "
                f"derivatives of {source} around it have not. Call it outside of `jit_compile`, and "
                f"differentiate once, backwards; or write the function for {source}."
            )
        return convert(Tensor(x.layout, natives), target)


def _returned(tree: Any, source: Backend) -> Any:
    leaves, structure = flatten(tree, "variable")
    return structure.build([_moved(x, source) for x in leaves])
