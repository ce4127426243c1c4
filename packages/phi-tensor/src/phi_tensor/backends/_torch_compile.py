"""The one place that touches private parts of PyTorch: tracing (make_fx) and compiling (Inductor).

A flat function is traced once, on fake arrays, into one graph of native operations; derivatives that it asks for are
part of that graph. Dead code goes, constants become hidden inputs, Inductor compiles the rest. The result is called
directly: no frame evaluation, no guards (the caller's cache key is ours).
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import logging
import operator
import threading
import traceback
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.autograd.forward_ad as forward_ad
from torch._C import _functorch as functorch  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue] the adapter's job
from torch._functorch.pyfunctorch import (
    retrieve_current_functorch_interpreter,
    temporarily_clear_interpreter_stack,
)
from torch._functorch.utils import enable_single_level_autograd_function
from torch._guards import TracingContext, tracing
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
)
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import _disable_current_modes

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


# --- levels of differentiation

SingleLevelFunction: Any = torch.autograd.function._SingleLevelFunction
single_level: Callable[[], Any] = enable_single_level_autograd_function


def innermost() -> Level | None:
    """The innermost derivative or map under way."""
    return (
        None
        if functorch.peek_interpreter_stack() is None
        else Level(retrieve_current_functorch_interpreter())
    )


def recording() -> bool:
    """True while a reverse derivative is under way."""
    stack = functorch.get_interpreter_stack() or ()
    return any(level.key() == functorch.TransformType.Grad for level in stack)


def alive(native: Native) -> Native:
    """`native` without the wrappers of finished derivatives."""
    return functorch.unwrap_if_dead(native) if functorch.is_functorch_wrapped_tensor(native) else native


@contextlib.contextmanager
def raised(levels: Sequence[Level]) -> Iterator[None]:
    """Context in which `levels`, set aside from the innermost on, are under way again."""
    for level in reversed(levels):
        functorch.push_dynamic_layer_stack(level.layer)
    try:
        yield
    finally:
        for level in levels:
            level.layer = functorch.pop_dynamic_layer_stack()


class Level:
    """One derivative or map that is under way; its arrays wrap those of the next level."""

    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        self.layer: Any = None
        self._level: int = interpreter.level()
        self.kind: str = interpreter.key().name

    @property
    def batch_size(self) -> int:
        """Length of the mapped axis."""
        return self._interpreter.batch_size()

    def lift(self, natives: Sequence[Native]) -> Sequence[Native]:
        """Arrays of this level (a map takes others as they are)."""
        return natives if self.kind == "Vmap" else self._interpreter.lift(tuple(natives), {})[0]

    @contextlib.contextmanager
    def lowered(self) -> Iterator[None]:
        """Context of the next level, with derivatives on."""
        self.layer = functorch.pop_dynamic_layer_stack()
        try:
            with torch.enable_grad(), forward_ad._set_fwd_grad_enabled(True):
                yield
        finally:
            functorch.push_dynamic_layer_stack(self.layer)

    def is_active(self, native: Native) -> bool:
        """True if this level, the innermost one, differentiates or maps `native`."""
        if self.kind == "Grad":
            return native.requires_grad
        if self.kind == "Jvp":
            return forward_ad.unpack_dual(native, level=0).tangent is not None
        return functorch.is_batchedtensor(native)

    def wrap(self, native: Native) -> Native:
        """Array of this level without derivative; a map takes arrays as they are."""
        return native if self.kind == "Vmap" else functorch._wrap_for_grad(native, self._level)

    def unwrap(self, native: Native) -> Native:
        """Array of the next level."""
        return functorch._unwrap_for_grad(native, self._level)

    def wrap_dual(self, native: Native, tangent: Native | None) -> Native:
        """Array of this level with a tangent."""
        if tangent is None:
            return self.wrap(native)
        return forward_ad.make_dual(self.wrap(native), self.wrap(tangent), level=0)

    def unwrap_dual(self, native: Native) -> tuple[Native, Native | None]:
        """Array of the next level and its tangent."""
        primal, tangent = forward_ad.unpack_dual(native, level=0)
        return self.unwrap(primal), None if tangent is None else self.unwrap(tangent)

    def wrap_batched(self, native: Native) -> Native:
        """Array mapped along its first axis."""
        return functorch._add_batch_dim(native, 0, self._level)

    def unwrap_batched(self, native: Native) -> tuple[Native, bool]:
        """Array with the mapped axis in front, and whether it has one."""
        if not functorch.is_batchedtensor(native) or functorch.maybe_get_level(native) != self._level:
            return native, False
        return functorch.get_unwrapped(native).movedim(functorch.maybe_get_bdim(native), 0), True


# --- tracing


@dataclass
class Traced:
    """A graph of native operations.

    Attributes:
        graph: Callable module: arguments, then `constants` → list of results.
        constants: Arrays from outside, with the values that they had while tracing.
        mode: Fake mode that owns `inputs`.
        inputs: Fake arrays for arguments and constants.
        outputs: Fake arrays like the results.
    """

    graph: Any
    constants: list[Native]
    mode: Any
    inputs: list[Native]
    outputs: list[Native]


_FAKING: list[Any] = []


@contextlib.contextmanager
def faking(mode: Any = None) -> Iterator[Any]:
    """Context outside of everything under way where operations compute shapes and dtypes only; gives its mode."""
    mode = mode or fake_mode()
    _FAKING.append(mode)
    try:
        with suspended(), mode:
            yield mode
    finally:
        _FAKING.pop()


def fake_mode() -> Any:
    """Owner of fake arrays; eager constants may take part in their operations."""
    return FakeTensorMode(allow_non_fake_inputs=True)


def is_foreign(native: Native) -> bool:
    """True for an array of an enclosing trace or derivative, which the innermost trace cannot use."""
    inner = bottom(native)
    if isinstance(inner, FakeTensor):
        return inner.fake_mode is not _FAKING[-1]
    return inner is not native


def bottom(native: Native) -> Native:
    """The array below all wrappers."""
    while functorch.is_functorch_wrapped_tensor(native):
        native = functorch.get_unwrapped(native)
    return native


def number(native: Native) -> Any:
    """The Python number in a 0-d array, below all derivatives. It has none itself."""
    if native.dtype.is_floating_point or functorch.is_batchedtensor(native):
        return native.item()
    return bottom(native).item()


def fake_like(native: Native, mode: Any) -> Native:
    """Array of `mode` with the shape, dtype and device of `native`, contiguous."""
    with suspended(), mode:
        return torch.empty(tuple(native.shape), dtype=native.dtype, device=native.device)


def fakes_like(natives: Sequence[Native]) -> list[Native]:
    """Descriptions of arrays: shapes, dtypes and devices without numbers."""
    mode = fake_mode()
    return [fake_like(native, mode) for native in natives]


@contextlib.contextmanager
def suspended() -> Iterator[None]:
    """Context outside of all derivatives, maps and traces that are under way."""
    with temporarily_clear_interpreter_stack(), _disable_current_modes(), torch.enable_grad():
        yield


def trace(f: Flat, like: Sequence[Native]) -> Traced:
    """Graph of `f` for contiguous arrays like `like`. Calls `f` once; what fails leaves nothing behind."""
    mode = fake_mode()
    inputs = [fake_like(native, mode) for native in like]
    with faking(mode), _known_warnings():
        try:
            graph = make_fx(f)(*inputs)
        except Exception as error:
            _explain(error)
            raise
    graph.graph.eliminate_dead_code()
    constants = _lift_constants(graph, mode)
    inputs += [fake_like(constant, mode) for constant in constants]
    outputs = [node.meta["val"] for node in graph.graph.output_node().args[0]]
    return Traced(graph, constants, mode, inputs, outputs)


def _lift_constants(graph: Any, mode: Any) -> list[Native]:
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
            if is_traced(value):
                raise Unsupported(_FOREIGN)
            last[0].meta["val"] = fake_like(value, mode)
            hidden[node.target] = last[0]
            constants.append(value)
        node.replace_all_uses_with(hidden[node.target])
        graph.graph.erase_node(node)
    for node in list(graph.graph.nodes):
        if node.target in (torch.ops.aten.lift_fresh_copy.default, torch.ops.aten.lift_fresh.default):
            node.replace_all_uses_with(node.args[0])
            graph.graph.erase_node(node)
    graph.recompile()
    return constants


_FOREIGN = (
    "A function that is compiled with torch uses an array of an enclosing derivative or trace. Pass it as an argument: "
    "what a compiled function takes from outside is a constant and has no derivative."
)


def _explain(error: Exception) -> None:
    """Raise `Unsupported` where `error` says that `f` asked a traced array for its numbers."""
    reads = isinstance(error, (DataDependentOutputException, DynamicOutputShapeException))
    if reads or (isinstance(error, RuntimeError) and "meta tensors" in str(error)):
        frames = traceback.extract_tb(error.__traceback__)
        users = [frame for frame in frames if not frame.filename.startswith((_OURS, _THEIRS))]
        line = f" at {users[-1].filename}:{users[-1].lineno} (`{users[-1].line}`)" if users else ""
        raise Unsupported(
            f"The function cannot be compiled with torch: it reads the numbers of a traced array{line}. Use `where` or "
            f"`while_loop` instead of Python's `if` and `while`, or make the value a static argument."
        ) from error


# --- compiling

_LOCK = threading.RLock()
_SESSIONS: list[list[LoopBody]] = []
"""Bodies of loops that were traced for each compilation under way."""


def compiling() -> bool:
    """True while a function is traced for compilation."""
    return bool(_SESSIONS)


def compile_flat(f: Flat, examples: Natives) -> Flat:
    """Compiled `f`, see `Backend.compile`."""
    if compiling() or any(is_traced(example) for example in examples):
        return f  # part of an enclosing trace
    with _LOCK:
        _SESSIONS.append([])
        try:
            traced = trace(f, examples)
            bodies = prepare_loops(traced.graph)
            run = build(traced)
        finally:
            _SESSIONS.pop()
    constants = [constant.detach().clone(memory_format=torch.contiguous_format) for constant in traced.constants]

    def compiled(*natives: Native) -> Natives:
        return tuple(run([*natives, *constants]))

    compiled.bodies = bodies  # pyright: ignore[reportFunctionMemberAccess] keeps alive what the loop nodes only number
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
    targets = {node.target for node in graph.graph.nodes if node.op == "call_function"}
    if targets <= {operator.getitem, _loop_op()}:
        return lambda natives: graph(*natives)  # nothing to fuse
    with _known_warnings():
        from torch._inductor.compile_fx import compile_fx_inner
        from torch._inductor.decomposition import select_decomp_table
        from torch._inductor.exc import CppCompileError, InvalidCxxCompiler
        from torch._inductor.fx_passes.joint_graph import joint_graph_passes

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


# --- loops


class LoopBody:
    """Traced step of a loop, compiled when first needed."""

    def __init__(self, traced: Traced, state: int) -> None:
        self.traced = traced
        self.state = state
        self.hidden = len(traced.constants)
        self.outputs = traced.outputs[state:]

    @functools.cached_property
    def run(self) -> Callable[[list[Native]], Sequence[Native]]:
        """Compiled step: constants, state, inputs, hidden constants → next state, outputs."""
        return build(self.traced)

    @functools.cached_property
    def bodies(self) -> list[LoopBody]:
        """Compiled bodies of the loops inside."""
        return prepare_loops(self.traced.graph)


_BODIES: weakref.WeakValueDictionary[int, LoopBody] = weakref.WeakValueDictionary()


def register(traced: Traced, state: int) -> int:
    """Number by which loop nodes of this compilation know a step. It follows from the graph, as do Inductor's caches."""
    like = [(tuple(native.shape), str(native.dtype), str(native.device)) for native in traced.inputs]
    digest = hashlib.sha256(f"{traced.graph.code}{like}{state}".encode()).digest()
    handle = int.from_bytes(digest[:7], "little") + 1
    _SESSIONS[-1].append(_BODIES.setdefault(handle, LoopBody(traced, state)))
    return handle


def prepare_loops(graph: Any) -> list[LoopBody]:
    """Compile the bodies of all loops in `graph`; returns them."""
    nodes = [node for node in graph.graph.nodes if node.target is _loop_op()]
    bodies = [_BODIES[handle] for node in nodes for handle in node.args[:2] if handle]
    for body in bodies:
        _ = body.bodies, body.run
    return bodies


def loop_node(*arguments: Any) -> list[Native]:
    """Opaque call of a loop, see `_run_loop` for the arguments."""
    return list(_loop_op()(*arguments))


@functools.cache
def _loop_op() -> Any:
    library = torch.library.Library("phi_tensor", "DEF")
    _LIBRARIES.append(library)
    library.define(
        "loop(int body, int condition, int[] sizes, int count, bool reverse, bool keeps, Tensor[] operands) -> Tensor[]"
    )
    library.impl("loop", _run_loop, "CompositeExplicitAutograd")
    torch.library.register_fake("phi_tensor::loop", _fake_loop, lib=library)
    return torch.ops.phi_tensor.loop.default


_LIBRARIES: list[Any] = []


def _fake_loop(
    body: int,
    condition: int,
    sizes: list[int],
    count: int,
    reverse: bool,
    keeps: bool,
    operands: list[Native],
) -> list[Native]:
    step = _BODIES[body]
    start = sum(sizes[:3])
    state = operands[start : start + sizes[3]]
    outputs = [torch.empty(native.shape, dtype=native.dtype, device=native.device) for native in state]
    stacked = [*step.outputs, *(state if keeps else ())]
    outputs += [
        torch.empty((count, *native.shape), dtype=native.dtype, device=native.device) for native in stacked
    ]
    return [*outputs, torch.empty((), dtype=torch.int64)] if condition else outputs


def _run_loop(
    body: int,
    condition: int,
    sizes: list[int],
    count: int,
    reverse: bool,
    keeps: bool,
    operands: list[Native],
) -> list[Native]:
    """Run the steps of a loop.

    Args:
        body: Number of the step.
        condition: Number of the condition, 0 if there is none.
        sizes: How many operands are the length, constants of the condition, constants, state; inputs are the rest.
        count: Largest number of steps, -1 if unlimited.
        reverse: Whether inputs are taken and outputs written from the end.
        keeps: Whether the states before each step are results.
        operands: All arrays.
    """
    step, test = _BODIES[body], _BODIES.get(condition)
    length, tested, constants, state, inputs = _parts(operands, sizes)
    constants, hidden = constants[: len(constants) - step.hidden], constants[len(constants) - step.hidden :]
    rows = [native.unbind(0) for native in inputs]
    buffers = [
        torch.zeros((max(count, 0), *native.shape), dtype=native.dtype, device=native.device)
        for native in (*step.outputs, *(state if keeps else ()))
    ]
    targets = [buffer.unbind(0) for buffer in buffers]
    steps = int(length[0]) if length else count
    order = range(steps - 1, -1, -1) if reverse else itertools.count() if steps < 0 else range(steps)
    done = 0
    for index in order:
        if test is not None and not _holds(test, tested, state):
            break
        after = step.run([*constants, *state, *(row[index] for row in rows), *hidden])
        for target, native in zip(targets, (*after[step.state :], *(state if keeps else ())), strict=True):
            target[index].copy_(native)
        state = list(after[: step.state])
        done += 1
    results = [*_unshared(state, operands), *buffers]
    return [*results, torch.tensor(done)] if test is not None else results


def _parts(natives: list[Native], sizes: list[int]) -> list[list[Native]]:
    ends = [0, *itertools.accumulate(sizes), len(natives)]
    return [natives[start:end] for start, end in itertools.pairwise(ends)]


def _holds(test: LoopBody, constants: list[Native], state: list[Native]) -> bool:
    split = len(constants) - test.hidden
    return bool(test.run([*constants[:split], *state[: test.state], *constants[split:]])[test.state])


def _unshared(natives: Sequence[Native], others: Sequence[Native]) -> list[Native]:
    """`natives`, copied where they share memory with `others` or each other (what compiled code may reuse)."""
    seen = {native.untyped_storage().data_ptr() for native in others}
    results: list[Native] = []
    for native in natives:
        address = native.untyped_storage().data_ptr()
        results.append(
            native.clone(memory_format=torch.contiguous_format) if address in seen else native.contiguous()
        )
        seen.add(address)
    return results
