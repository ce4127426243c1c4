"""Compiled functions in PyTorch, and the opaque node that runs a loop inside them.

A loop node knows its steps by number; the compiled function keeps them alive. Each step is compiled once.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch

from phi_tensor.backends import _torch_compile as adapter
from phi_tensor.backends import _torch_inductor as inductor
from phi_tensor.backends._backend import Flat, Native, Natives
from phi_tensor.backends._torch_closure import Watcher
from phi_tensor.backends._torch_compile import Traced

_LOCK = threading.RLock()


class _Sessions(threading.local):
    """Bodies of loops that were traced for each compilation under way in this thread."""

    def __init__(self) -> None:
        self.bodies: list[list[LoopBody]] = []


_SESSIONS = _Sessions()


def compiling() -> bool:
    """True while a function is traced for compilation."""
    return bool(_SESSIONS.bodies)


def compile_flat(f: Flat, examples: Natives) -> Flat:
    """Compiled `f`, see `Backend.compile`."""
    if compiling() or any(adapter.is_traced(example) for example in examples):
        return f  # part of an enclosing trace
    with _LOCK:
        _SESSIONS.bodies.append([])
        try:
            traced = adapter.trace(f if adapter.innermost() is None else _without_derivatives(f), examples)
            bodies = prepare_loops(traced.graph)
            run = inductor.build(traced)
        finally:
            _SESSIONS.bodies.pop()
    with adapter.suspended():
        constants = [
            constant.detach().clone(memory_format=torch.contiguous_format) for constant in traced.constants
        ]

    def compiled(*natives: Native) -> Natives:
        return tuple(run([*natives, *constants]))

    compiled.bodies = bodies  # pyright: ignore[reportFunctionMemberAccess] keeps alive what the loop nodes only number
    return compiled


def _without_derivatives(f: Flat) -> Flat:
    """`f`, which must not use arrays of a derivative that is under way."""

    def watched(*natives: Native) -> Natives:
        with Watcher(message=adapter.FOREIGN) as watcher:
            return tuple(map(watcher.inside, f(*natives)))

    return watched


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
        return inductor.build(self.traced)

    @functools.cached_property
    def bodies(self) -> list[LoopBody]:
        """Compiled bodies of the loops inside."""
        return prepare_loops(self.traced.graph)


_BODIES: weakref.WeakValueDictionary[int, LoopBody] = weakref.WeakValueDictionary()


def register(traced: Traced, state: int) -> int:
    """Number by which loop nodes of this compilation know a step.

    It follows from the graph, as do Inductor's caches.
    """
    like = [(tuple(native.shape), str(native.dtype), str(native.device)) for native in traced.inputs]
    digest = hashlib.sha256(f"{traced.graph.code}{like}{state}".encode()).digest()
    handle = int.from_bytes(digest[:7], "little") + 1
    _SESSIONS.bodies[-1].append(_BODIES.setdefault(handle, LoopBody(traced, state)))
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
        "loop(int body, int condition, int[] sizes, int count, bool reverse, bool keeps, Tensor[] "
        "operands) -> Tensor[]"
    )
    library.impl("loop", _run_loop, "CompositeExplicitAutograd")
    torch.library.register_fake("phi_tensor::loop", _fake_loop, lib=library)
    node = torch.ops.phi_tensor.loop.default
    inductor.OPAQUE.add(node)
    return node


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
        sizes: How many operands are the length, constants of the condition, constants, state; inputs are the
            rest.
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
    """`natives`, copied where they share memory with `others` or each other.

    What compiled code may reuse.
    """
    seen = {native.untyped_storage().data_ptr() for native in others}
    results: list[Native] = []
    for native in natives:
        address = native.untyped_storage().data_ptr()
        results.append(
            native.clone(memory_format=torch.contiguous_format) if address in seen else native.contiguous()
        )
        seen.add(address)
    return results
