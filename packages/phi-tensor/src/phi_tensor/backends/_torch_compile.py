"""Private parts of PyTorch that tracing (make_fx) and derivatives need; `_torch_inductor` has the others.

A flat function is traced once, on fake arrays, into one graph of native operations; derivatives that it asks
for are part of that graph. Dead code goes, constants become hidden inputs.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import traceback
import warnings
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.autograd.forward_ad as forward_ad
from torch._C import _functorch as functorch  # pyright: ignore[reportAttributeAccessIssue]  # without stubs
from torch._functorch.pyfunctorch import (
    retrieve_current_functorch_interpreter,
    temporarily_clear_interpreter_stack,
)
from torch._functorch.utils import enable_single_level_autograd_function
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
)
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import _disable_current_modes  # pyright: ignore[reportPrivateUsage]  # see above

from phi_tensor._errors import Unsupported
from phi_tensor.backends._backend import Flat, Native

_EAGER = (torch.Tensor, torch.nn.Parameter)
_OURS = str(Path(__file__).parents[1])
_THEIRS = str(Path(torch.__file__).parent)


def is_wrapped(native: Native) -> bool:
    """True for an array that a derivative or a map of the library has wrapped."""
    return functorch.is_functorch_wrapped_tensor(native)


def mapped_axis(native: Native) -> int | None:
    """Axis that `torch.func.vmap` hides, None for other arrays."""
    axis = functorch.maybe_get_bdim(native)
    return axis if axis >= 0 else None


def peeled(native: Native) -> Native:
    """The array without the wrappers of derivatives to which it is a constant."""
    while functorch.is_gradtrackingtensor(native) and not native.requires_grad:
        if forward_ad.unpack_dual(native, level=0).tangent is not None:
            break
        native = functorch.get_unwrapped(native)
    return native


def is_traced(native: Native) -> bool:
    """True if the array holds no numbers that Python could read."""
    return type(native) not in _EAGER or functorch.is_functorch_wrapped_tensor(native)


@functools.cache
def prepare_forward_mode() -> None:
    """Load the library's forward rules, which warns about how it does so."""
    with known_warnings():
        import torch._decomp.decompositions_for_jvp  # noqa: F401, PLC0415  # pyright: ignore[reportUnusedImport]  # warns


# --- levels of differentiation

SingleLevelFunction: Any = torch.autograd.function._SingleLevelFunction  # pyright: ignore[reportPrivateUsage]  # see above
_forward_enabled: Any = forward_ad._set_fwd_grad_enabled  # pyright: ignore[reportPrivateUsage]  # see above
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
def raised(levels: Sequence[Level]) -> Generator[None]:
    """Context in which `levels`, set aside from the innermost on, are under way again."""
    for level in reversed(levels):
        functorch.push_dynamic_layer_stack(level.layer)
    try:
        yield
    finally:
        for level in levels:
            level.layer = functorch.pop_dynamic_layer_stack()


@contextlib.contextmanager
def at_level_of(natives: Sequence[Native]) -> Generator[None]:
    """Context of the innermost derivative or map that these arrays belong to; later ones are set aside."""
    level = max(functorch.maybe_get_level(native) for native in natives)
    layers: list[Any] = []
    while (top := functorch.peek_interpreter_stack()) is not None and top.level() > level:
        layers.append(functorch.pop_dynamic_layer_stack())
    try:
        yield
    finally:
        for layer in reversed(layers):
            functorch.push_dynamic_layer_stack(layer)


def writable(native: Native) -> Native:
    """`native` with memory for each entry: a tangent takes the layout of its array, which broadcasts lack."""
    strides = zip(native.stride(), native.shape, strict=True)
    return native.contiguous() if any(not stride and size > 1 for stride, size in strides) else native


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
    def lowered(self) -> Generator[None]:
        """Context of the next level, with derivatives on."""
        self.layer = functorch.pop_dynamic_layer_stack()
        try:
            with torch.enable_grad(), _forward_enabled(True):
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
        with self.lowered():
            native = writable(native)
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


class _UnderWay(threading.local):
    """Traces that this thread is in: their modes and their devices."""

    def __init__(self) -> None:
        self.modes: list[Any] = []
        self.devices: list[Any] = []


_UNDER_WAY = _UnderWay()


@contextlib.contextmanager
def faking(mode: Any = None) -> Generator[Any]:
    """Context outside of everything under way where operations compute shapes and dtypes only.

    Gives its mode.
    """
    mode = mode or fake_mode()
    _UNDER_WAY.modes.append(mode)
    try:
        with suspended(), mode:
            yield mode
    finally:
        _UNDER_WAY.modes.pop()


def fake_mode() -> Any:
    """Owner of fake arrays; eager constants may take part in their operations."""
    return FakeTensorMode(allow_non_fake_inputs=True)


@contextlib.contextmanager
def _on_device_of(natives: Sequence[Native]) -> Generator[None]:
    """Context of a trace for arrays on one device (numbers may stay in main memory)."""
    devices = [native.device for native in natives]
    _UNDER_WAY.devices.append(next((device for device in devices if device.type != "cpu"), None))
    try:
        yield
    finally:
        _UNDER_WAY.devices.pop()


def device_of_trace() -> Any:
    """Where the trace under way computes; None: where arrays are created by default."""
    devices = _UNDER_WAY.devices
    return devices[-1] if devices else None


def is_foreign(native: Native) -> bool:
    """True for an array of an enclosing trace or derivative, which the innermost trace cannot use."""
    inner = bottom(native)
    if isinstance(inner, FakeTensor):
        return inner.fake_mode is not _UNDER_WAY.modes[-1]
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
def suspended() -> Generator[None]:
    """Context outside of all derivatives, maps and traces that are under way."""
    with temporarily_clear_interpreter_stack(), _disable_current_modes(), torch.enable_grad():
        yield


def trace(f: Flat, like: Sequence[Native]) -> Traced:
    """Graph of `f` for contiguous arrays like `like`. Calls `f` once; what fails leaves nothing behind."""
    mode = fake_mode()
    inputs = [fake_like(native, mode) for native in like]
    with faking(mode), _on_device_of(like), known_warnings():
        try:
            graph: Any = make_fx(f)(*inputs)
        except RuntimeError as error:  # the class of all refusals to tell the numbers of a fake array
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
                raise Unsupported(FOREIGN)
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


FOREIGN = (
    "A function that is compiled with torch uses an array of an enclosing derivative or trace. Pass it as "
    "an argument: "
    "what a compiled function takes from outside is a constant and has no derivative."
)


def _explain(error: RuntimeError) -> None:
    """Raise `Unsupported` where `error` says that `f` asked a traced array for its numbers."""
    reads = isinstance(error, (DataDependentOutputException, DynamicOutputShapeException))
    if reads or ".numpy() is not supported" in str(error):
        frames = traceback.extract_tb(error.__traceback__)
        users = [frame for frame in frames if not frame.filename.startswith((_OURS, _THEIRS))]
        line = f" at {users[-1].filename}:{users[-1].lineno} (`{users[-1].line}`)" if users else ""
        raise Unsupported(
            f"The function cannot be compiled with torch: it reads the numbers of a traced array{line}. "
            f"Use `where` or "
            f"`while_loop` instead of Python's `if` and `while`, or make the value a static argument."
        ) from error


@contextlib.contextmanager
def known_warnings() -> Generator[None]:
    """Context that hides what PyTorch says about itself.

    Deprecations inside, and slow complex numbers in Inductor.
    """
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
