"""Looking at numbers while a program runs, eager or compiled: call-backs, times, printed gradients."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from phi_tensor._context import settings
from phi_tensor._convert import layout_on
from phi_tensor._errors import Unsupported
from phi_tensor._hidden import observe
from phi_tensor._tensor import Tensor
from phi_tensor._trees import flatten, tree_map
from phi_tensor.backends._numpy import NUMPY
from phi_tensor.transforms._custom import custom_gradient
from phi_tensor.transforms._flat import flat_arguments, tensors_of


def all_available(*values: Any) -> bool:
    """Whether all tensors of some trees have numbers, i.e. none is traced or differentiated.

    >>> import phi_tensor as math
    >>> math.all_available(math.vec(x=1.0), "text", [math.wrap(2)])
    True
    """
    return all(leaf.available for leaf in flatten(values, "all")[0])


def when_available(runnable: Callable[..., Any], *tensor_args: Any) -> None:
    """Call `runnable(*tensor_args)` with numbers: now, or after each call of the compiled function around.

    Compiled code returns the observed values as hidden outputs; inside `iterate` the call-back runs once per
    step. What it returns is ignored; what it raises reaches the caller of the compiled function. With
    `checked('never')` compiled code drops observed values.

    Args:
        runnable: Function of the values.
        *tensor_args: Tensors, numbers and trees, intermediate results as well as arguments.

    Raises:
        Unsupported: Inside transformations of another library (`jax.jit`) and compiled `while_loop`.

    >>> import phi_tensor as math
    >>> math.when_available(print, math.vec(x=1.0, y=2.0))
    (x=1.0, y=2.0)
    """
    leaves, structure = flat_arguments(tensor_args)
    observe(tuple(leaves), lambda *values: runnable(*structure.build(values)))


def perf_counter(wait_for_tensor: Any, *wait_for_tensors: Any) -> float:
    """Time [s] of a clock for durations, read when the given values are computed.

    A Python number: seconds since the start of the machine do not fit into 32 bits.

    Args:
        wait_for_tensor: Tensor or tree; libraries with accelerators compute in the background.
        *wait_for_tensors: More of them.

    Raises:
        Unsupported: Inside compiled code, which has no clock.

    >>> import phi_tensor as math
    >>> start = math.perf_counter(math.vec(x=1.0))
    >>> math.perf_counter(math.vec(x=2.0)) >= start
    True
    """
    values = (wait_for_tensor, *wait_for_tensors)
    if settings().traced == "jit" or not all_available(*values):
        raise Unsupported(
            "`perf_counter` reads a clock, which compiled or differentiated code cannot. Read it outside, "
            "before the call and for its results, or use `profile()`."
        )
    for leaf in flatten(values, "all")[0]:
        leaf.layout.backend.wait(leaf.natives)
    return time.perf_counter()


def print_gradient(value: Any, name: str = "", detailed: bool = False) -> Any:
    """`value`, whose gradient is printed whenever one flows back through it.

    Args:
        value: Tensor or tree.
        name: Text in front.
        detailed: Print all numbers, else a summary.

    >>> import phi_tensor as math
    >>> with math.on_backend("torch"):
    ...     gradient = math.gradient(lambda x: 3 * math.print_gradient(x, "x"), get_output=False)(2.0)
    gradient of x: 3.0
    """

    def show(dy: Tensor) -> None:
        text = str(dy.numpy(dy.shape.names)) if detailed and dy.shape.is_uniform else repr(dy)
        print(f"gradient of {name or 'a value'}: {text}")  # noqa: T201 what it is for

    def rule(inputs: Any, y: Any, dy: Tensor) -> dict[str, Any]:
        on_host = layout_on(dy.layout, NUMPY)
        if dy.available or not dy.layout.backend.show(
            dy.natives, lambda *arrays: show(tensors_of([on_host], arrays)[0])
        ):
            observe((dy,), show)
        return {"x": dy}

    return tree_map(custom_gradient(lambda x: x, rule), value)
