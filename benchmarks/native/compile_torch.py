"""A flat PyTorch function traced to one aten graph and compiled by Inductor, without guards."""

from collections.abc import Callable

import torch
from torch._inductor.compile_fx import compile_fx_inner
from torch._inductor.decomposition import select_decomp_table
from torch._subclasses import FakeTensorMode
from torch.func import functionalize
from torch.fx.experimental.proxy_tensor import make_fx


def compiled(function: Callable, *inputs: torch.Tensor) -> Callable:
    """`function` of flat tensors to a tensor or a tuple of tensors, compiled for the shapes of `inputs`."""
    single = []
    inputs = tuple(
        x.detach().clone() for x in inputs
    )  # tracing would take one tensor given twice for one input

    def flat(*args: torch.Tensor) -> list[torch.Tensor]:
        result = function(*args)
        single.append(isinstance(result, torch.Tensor))
        # Compiled code trusts the strides it was traced with, and results are the next call's inputs.
        return [r.contiguous() for r in ((result,) if single[-1] else result)]

    with torch.no_grad():
        graph = make_fx(functionalize(flat), decomposition_table=select_decomp_table(), tracing_mode="fake")(
            *inputs
        )
        graph.graph.eliminate_dead_code()
        graph.recompile()
        mode = next(
            (n.meta["val"].fake_mode for n in graph.graph.nodes if hasattr(n.meta.get("val"), "fake_mode")),
            None,
        )
        with mode or FakeTensorMode():
            fakes = [n.meta["val"] for n in graph.graph.nodes if n.op == "placeholder"]
        with torch._guards.tracing(torch._guards.TracingContext(mode)):
            run = compile_fx_inner(graph, fakes)
    if single[-1]:
        return lambda *args: run(list(args))[0]
    return lambda *args: run(list(args))


def compiled_vjp(function: Callable, inputs: tuple, cotangents: tuple, constants: tuple) -> Callable:
    """`(inputs…, cotangents…, constants…) → gradients` for `inputs` of `function(*inputs, *constants)`.

    The forward pass is repeated in the same compiled graph.
    """
    end = len(inputs) + len(cotangents)

    def pull_back(*args: torch.Tensor) -> tuple[torch.Tensor, ...]:
        _, pull = torch.func.vjp(lambda *x: function(*x, *args[end:]), *args[: len(inputs)])
        return pull(args[len(inputs) : end])

    return compiled(pull_back, *inputs, *cotangents, *constants)
