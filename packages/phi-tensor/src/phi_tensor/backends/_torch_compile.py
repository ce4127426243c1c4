"""The one place that touches private parts of PyTorch: tracing (make_fx) and compiling (Inductor).

A flat function is traced once, on fake arrays, into one graph of native operations; derivatives that it asks for are
part of that graph. Dead code goes, constants become hidden inputs, Inductor compiles the rest. The result is called
directly: no frame evaluation, no guards (the caller's cache key is ours).
"""

from __future__ import annotations

import contextlib
import functools
import logging
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch._C import _functorch as functorch  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue] the adapter's job

from phi_tensor._errors import Unsupported
from phi_tensor.backends._backend import Flat, Native, Natives

_EAGER = (torch.Tensor, torch.nn.Parameter)
_OURS = str(Path(__file__).parents[1])
_THEIRS = str(Path(torch.__file__).parent)


def is_wrapped(native: Native) -> bool:
    """True for an array that a derivative or a map of the library has wrapped."""
    return functorch.is_functorch_wrapped_tensor(native)


def is_traced(native: Native) -> bool:
    """True if the array holds no numbers that Python could read."""
    return type(native) not in _EAGER or functorch.is_functorch_wrapped_tensor(native)


@functools.cache
def prepare_forward_mode() -> None:
    """Load the library's forward rules, which warns about how it does so."""
    with _known_warnings():
        import torch._decomp.decompositions_for_jvp  # noqa: F401  # pyright: ignore[reportUnusedImport] registers rules


# --- tracing


@dataclass
class Traced:
    """A graph of native operations.

    Attributes:
        graph: Callable module: arguments, then `constants` → list of results.
        constants: Arrays from outside, with the values that they had while tracing.
        mode: Fake mode that owns `inputs`.
        inputs: Fake arrays for arguments and constants.
    """

    graph: Any
    constants: list[Native]
    mode: Any
    inputs: list[Native]


def fake_mode() -> Any:
    """Context in which operations compute shapes and dtypes only; eager constants may take part."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    return FakeTensorMode(allow_non_fake_inputs=True)


def fake_like(native: Native, mode: Any) -> Native:
    """Array of `mode` with the shape, dtype and device of `native`, contiguous."""
    with suspended(), mode:
        return torch.empty(tuple(native.shape), dtype=native.dtype, device=native.device)


@contextlib.contextmanager
def suspended() -> Iterator[None]:
    """Context outside of all derivatives, maps and traces that are under way."""
    from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack
    from torch.utils._python_dispatch import _disable_current_modes

    with temporarily_clear_interpreter_stack(), _disable_current_modes(), torch.enable_grad():
        yield


def trace(f: Flat, inputs: Sequence[Native], mode: Any) -> Traced:
    """Graph of `f` for the fake arrays `inputs` of `mode`. Calls `f` once; what fails leaves nothing behind."""
    from torch.fx.experimental.proxy_tensor import make_fx

    with suspended(), mode, _known_warnings():
        try:
            graph = make_fx(f)(*inputs)
        except Exception as error:
            _explain(error)
            raise
    graph.graph.eliminate_dead_code()
    constants = _lift_constants(graph)
    with suspended():
        fakes = [fake_like(constant, mode) for constant in constants]
    return Traced(graph, constants, mode, [*inputs, *fakes])


def _lift_constants(graph: Any) -> list[Native]:
    """Turn embedded arrays into inputs behind the others; returns them."""
    hidden: dict[str, Any] = {}
    constants: list[Native] = []
    last = [node for node in graph.graph.nodes if node.op == "placeholder"][-1:]
    for node in list(graph.graph.nodes):
        if node.op != "get_attr":
            continue
        if node.target not in hidden:
            value = getattr(graph, node.target)
            point = graph.graph.inserting_after(last[0]) if last else graph.graph.inserting_before()
            with point:
                last = [graph.graph.placeholder(f"hidden{len(constants)}")]
            hidden[node.target] = last[0]
            constants.append(value.detach().clone(memory_format=torch.contiguous_format))
        node.replace_all_uses_with(hidden[node.target])
        graph.graph.erase_node(node)
    for node in list(graph.graph.nodes):
        if node.target in (torch.ops.aten.lift_fresh_copy.default, torch.ops.aten.lift_fresh.default):
            node.replace_all_uses_with(node.args[0])
            graph.graph.erase_node(node)
    graph.recompile()
    return constants


def _explain(error: Exception) -> None:
    """Raise `Unsupported` where `error` says that `f` asked a traced array for its numbers."""
    from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException
    from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode

    reads = isinstance(
        error, (DataDependentOutputException, DynamicOutputShapeException, GuardOnDataDependentSymNode)
    )
    if reads or (isinstance(error, RuntimeError) and "meta tensors" in str(error)):
        frames = traceback.extract_tb(error.__traceback__)
        users = [frame for frame in frames if not frame.filename.startswith((_OURS, _THEIRS))]
        line = f" at {users[-1].filename}:{users[-1].lineno} (`{users[-1].line}`)" if users else ""
        raise Unsupported(
            f"The function cannot be compiled with torch: it reads the numbers of a traced array{line}. Use `where` or "
            f"`while_loop` instead of Python's `if` and `while`, or make the value a static argument."
        ) from error


# --- compiling


def compile_flat(f: Flat, examples: Natives) -> Flat:
    """Compiled `f`, see `Backend.compile`."""
    if any(is_traced(example) for example in examples):
        return f  # part of an enclosing trace
    mode = fake_mode()
    traced = trace(f, [fake_like(example, mode) for example in examples], mode)
    run = build(traced)
    constants = traced.constants

    def compiled(*natives: Native) -> Natives:
        return tuple(run([*natives, *constants]))

    return compiled


def build(traced: Traced) -> Callable[[list[Native]], Sequence[Native]]:
    """Machine code for a graph (or the graph itself where there is no compiler), for arrays of any strides."""
    run = _inductor(traced)
    complex_at = [index for index, fake in enumerate(traced.inputs) if fake.is_complex()]

    def contiguous(natives: list[Native]) -> Sequence[Native]:
        for index, native in enumerate(natives):
            if native.requires_grad:
                raise Unsupported(_REQUIRES_GRAD)
            if not native.is_contiguous():
                natives[index] = native.contiguous()
        for index in complex_at:
            natives[index] = natives[index].resolve_conj()
        return run(natives)

    return contiguous


_REQUIRES_GRAD = (
    "A compiled function got a torch array with `requires_grad=True`, but records no derivative for `backward()`. "
    "Use `gradient` or `vjp` inside the compiled function, or pass `x.detach()`."
)


def _inductor(traced: Traced) -> Callable[[list[Native]], Sequence[Native]]:
    graph = traced.graph
    if not any(node.op == "call_function" for node in graph.graph.nodes):
        return lambda natives: graph(*natives)  # nothing to compute
    with _known_warnings():
        from torch._guards import TracingContext, tracing
        from torch._inductor.compile_fx import compile_fx_inner
        from torch._inductor.decomposition import select_decomp_table
        from torch._inductor.exc import CppCompileError, InvalidCxxCompiler
        from torch._inductor.fx_passes.joint_graph import joint_graph_passes
        from torch.fx.experimental.proxy_tensor import make_fx

        with suspended(), tracing(TracingContext(traced.mode)), traced.mode, torch.no_grad():
            functional = torch.func.functionalize(
                lambda *natives: graph(*natives), remove="mutations_and_views"
            )
            lowered = make_fx(functional, decomposition_table=select_decomp_table())(*traced.inputs)
            lowered.graph.eliminate_dead_code()
            joint_graph_passes(lowered)
            try:
                return compile_fx_inner(lowered, traced.inputs)  # pyright: ignore[reportReturnType] no ahead-of-time code here
            except (InvalidCxxCompiler, CppCompileError):
                _warn_slow()
            except Exception as error:
                if not isinstance(
                    error.__cause__, InvalidCxxCompiler | CppCompileError
                ) and "CxxCompiler" not in str(error):
                    raise
                _warn_slow()
    return lambda natives: graph(*natives)


_WARNED: list[bool] = []


def _warn_slow() -> None:
    if not _WARNED:
        _WARNED.append(True)
        warnings.warn(
            "PyTorch found no working C++ compiler: compiled functions run as traced graphs, several times slower. Install "
            "g++ or clang (Linux, macOS) or the MSVC build tools (Windows).",
            RuntimeWarning,
            stacklevel=2,
        )


@contextlib.contextmanager
def _known_warnings() -> Iterator[None]:
    """Context that hides what PyTorch says about itself: deprecations inside, and slow complex numbers in Inductor."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"torch\.")
        warnings.filterwarnings("ignore", message=".*deprecated", category=FutureWarning, module=r"torch\.")
        warnings.filterwarnings(
            "ignore", message="Torchinductor does not support code generation for complex"
        )
        logging.getLogger("torch._inductor").addFilter(_not_complex)
        yield


def _not_complex(record: logging.LogRecord) -> bool:
    return "complex operators" not in record.getMessage()
