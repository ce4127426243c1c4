"""Compiling traced graphs by Inductor, and what it must be kept from.

With `_torch_compile` the only place that touches private parts of PyTorch. Compiled code is called directly:
no frame evaluation, no guards (the caller's cache key is ours).
"""

from __future__ import annotations

import contextlib
import operator
import warnings
from collections.abc import Callable, Generator, Sequence
from typing import Any, cast

import torch
from torch._guards import TracingContext, tracing
from torch.fx.experimental.proxy_tensor import make_fx

from phi_tensor._errors import Unsupported
from phi_tensor.backends import _torch_compile as adapter
from phi_tensor.backends._backend import Native
from phi_tensor.backends._torch_compile import Traced

OPAQUE: set[Any] = set()
"""Nodes that run code of ours; a graph of nothing else needs no compiler."""


def build(traced: Traced) -> Callable[[list[Native]], Sequence[Native]]:
    """Machine code for a graph (or the graph itself where there is no compiler).

    For arrays of any strides. Zeros without memory, which derivatives make, get some: Inductor reads it.
    """
    run = inductor(traced)
    complex_at = [index for index, fake in enumerate(traced.inputs) if fake.is_complex()]

    def contiguous(natives: list[Native]) -> Sequence[Native]:
        for index, native in enumerate(natives):
            if native.requires_grad:
                raise Unsupported(_REQUIRES_GRAD)
            if not native.is_contiguous():
                natives[index] = native.contiguous()
            elif native.is_neg():
                natives[index] = native.resolve_neg()
        for index in complex_at:
            natives[index] = natives[index].resolve_conj()
        return run(natives)

    return contiguous


_REQUIRES_GRAD = (
    "A compiled function got a torch array with `requires_grad=True`, but records no derivative for "
    "`backward()`. "
    "Use `gradient` or `vjp` inside the compiled function, or pass `x.detach()`."
)


def inductor(traced: Traced) -> Callable[[list[Native]], Sequence[Native]]:
    graph = traced.graph
    targets = {node.target for node in graph.graph.nodes if node.op == "call_function"}
    if targets <= {operator.getitem, *OPAQUE}:
        return lambda natives: graph(*natives)  # nothing to fuse
    with adapter.known_warnings():
        from torch._inductor.compile_fx import compile_fx_inner  # noqa: PLC0415 loading warns
        from torch._inductor.decomposition import select_decomp_table  # noqa: PLC0415 loading warns
        from torch._inductor.exc import CppCompileError, InductorError, InvalidCxxCompiler  # noqa: PLC0415 loading warns
        from torch._inductor.fx_passes.joint_graph import joint_graph_passes  # noqa: PLC0415 loading warns

        with adapter.suspended(), tracing(TracingContext(traced.mode)), traced.mode, torch.no_grad():
            rules = {**select_decomp_table(), torch.ops.aten._efficientzerotensor.default: torch.zeros}
            lowered = make_fx(functional(traced), decomposition_table=rules)(*traced.inputs)
            lowered.graph.eliminate_dead_code()
            joint_graph_passes(lowered)
            _own_memory_for_writes(lowered)
            try:
                with _reads_after_writes():
                    return compile_fx_inner(lowered, traced.inputs)
            except (InductorError, InvalidCxxCompiler, CppCompileError) as error:
                reason = error.inner_exception if isinstance(error, InductorError) else error
                if not isinstance(reason, (InvalidCxxCompiler, CppCompileError)):
                    raise
                _warn_slow()
    return interpreted(traced)


def _own_memory_for_writes(graph: Any) -> None:
    """Copy repeated values (strides of 0) before a scatter writes among them.

    Inductor scatters in place where it can, and takes an expanded array for one that it can write (PyTorch
    2.13: all entries then share one sum, or code generation fails).
    """
    for node in list(graph.graph.nodes):
        if node.op != "call_function" or not any(word in str(node.target) for word in _WRITES):
            continue
        base = node.args[0]
        value = base.meta["val"]
        if any(stride == 0 and size > 1 for stride, size in zip(value.stride(), value.shape, strict=True)):
            with graph.graph.inserting_before(node):
                copy = graph.graph.call_function(
                    torch.ops.aten.clone.default, (base,), {"memory_format": torch.contiguous_format}
                )
            copy.meta["val"] = value.clone(memory_format=torch.contiguous_format)
            node.replace_input_with(base, copy)
    graph.recompile()


_WRITES = ("scatter", "index_put", "index_add", "index_copy")


@contextlib.contextmanager
def _reads_after_writes() -> Generator[None]:
    """Context in which Inductor keeps the order of a scatter and what reads its result.

    To fuse a flat loop with a nested one on CPU, it derives the flat one's dependencies anew, by the name of
    the array before the scatter: the loop may then run before the scatter and read zeros (PyTorch 2.13,
    pytorch/pytorch#185509, mended by #185873). Here dependencies get their names after writes again. The tag
    keeps programs out of the compiler's caches on disk that were compiled without this.
    """
    from torch._inductor.dependencies import StarDep, WeakDep  # noqa: PLC0415 loading warns
    from torch._inductor.scheduler import SchedulerNode  # noqa: PLC0415 loading warns

    node_type, config = cast("Any", SchedulerNode), cast("Any", torch.compiler.config)
    derive = node_type.recompute_size_and_body

    def recompute_size_and_body(node: Any, *args: Any, **kwargs: Any) -> None:
        added = [dep for dep in node.read_writes.reads if isinstance(dep, (StarDep, WeakDep))]
        derive(node, *args, **kwargs)
        accesses = node.read_writes
        for dep in added:
            accesses = accesses.with_read(dep)
        node.set_read_writes(accesses.rename(getattr(node, "mutation_renames", {})))

    tag = f"{config.cache_key_tag}+reads-after-writes"
    node_type.recompute_size_and_body = recompute_size_and_body
    try:
        with config.patch(cache_key_tag=tag):
            yield
    finally:
        node_type.recompute_size_and_body = derive


def functional(traced: Traced) -> Callable[..., Any]:
    """The graph as a function without writing operations (which derivatives of the library contain)."""
    return torch.func.functionalize(lambda *natives: traced.graph(*natives))


def interpreted(traced: Traced) -> Callable[[list[Native]], Sequence[Native]]:
    """The graph, operation by operation."""
    with adapter.suspended(), traced.mode, torch.no_grad():
        graph = make_fx(functional(traced))(*traced.inputs)
    return lambda natives: graph(*natives)


_WARNED: list[bool] = []


def _warn_slow() -> None:
    if not _WARNED:
        _WARNED.append(True)
        warnings.warn(
            "PyTorch found no working C++ compiler: compiled functions run as traced graphs, several times "
            "slower. Install "
            "g++ or clang (Linux, macOS) or the MSVC build tools (Windows).",
            RuntimeWarning,
            stacklevel=2,
        )
