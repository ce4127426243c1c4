"""Compilation by tracing. The key of a trace is ours.

Tree structure, dims and types, devices, static arguments, settings.

Values never trace again, nor does the way a tensor is stored: arguments enter in one canonical layout.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from threading import RLock
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast, overload

import numpy as np

from phi_tensor._context import Settings, changed_settings, settings
from phi_tensor._dtype import INT64
from phi_tensor._hidden import (
    Report,
    collected_reports,
    reported_tensors,
    returned_reports,
    with_tensors,
)
from phi_tensor._profile import Profile, current_profile
from phi_tensor._random import KeyNeeded, RandomKey, drawing_from, fresh_words
from phi_tensor._shape import EMPTY_SHAPE
from phi_tensor._tensor import Tensor
from phi_tensor._trees import Structure
from phi_tensor.backends._backend import Backend, Flat, Natives
from phi_tensor.layouts._layout import Dense, Layout
from phi_tensor.transforms._flat import (
    Output,
    backend_for,
    canonical_layout,
    flat_arguments,
    flat_output,
    signature_of,
    storing_steps,
    tensors_of,
)

P = ParamSpec("P")
R = TypeVar("R")


class Trace(NamedTuple):
    """One compiled version of a function.

    Attributes:
        backend: Backend that compiled it.
        compiled: Flat native function; its last results are the reported outcomes.
        output: What it returns.
        reports: Layouts of reported outcomes and what becomes of them.
        words: True if the function draws random numbers: its last two inputs are the words of a new key.
    """

    backend: Backend
    compiled: Flat
    output: Output
    reports: list[Report]
    words: Callable[[], Natives] | None


class Entry(NamedTuple):
    """How a call with certain layouts reaches its trace.

    Attributes:
        steps: Per argument: natives in the canonical layout.
        trace: The trace.
    """

    steps: tuple[Callable[[Tensor], Natives], ...]
    trace: Trace


class Key(NamedTuple):
    """What decides whether two calls share one trace.

    Attributes:
        structure: Tree of the arguments without their tensors; equal ones have equal static values.
        orders: Dims of static shapes in order.
        layouts: Dims, element types and backend of all tensors, in the layout in which they enter.
        devices: Names of the devices that hold them, where there are several.
        static: Values of the arguments that are constants of the trace.
        settings: Precision, default backend, when outcomes are checked.
    """

    structure: Structure
    orders: Any
    layouts: tuple[Layout, ...]
    devices: tuple[str, ...]
    static: Any
    settings: Settings


class JitFunction(functools.partial[Any]):
    """A compiled function. Call it like the original one.

    Attributes:
        traces: Compiled versions by key; their number is the number of times the Python code ran for tracing.
    """

    traces: dict[Key, Trace]
    entries: dict[Any, Entry | None]
    static_names: tuple[str, ...]
    forget: bool
    lock: AbstractContextManager[Any]

    def __new__(
        cls, f: Callable[..., Any], static_names: tuple[str, ...] = (), forget: bool = False
    ) -> JitFunction:
        self = super().__new__(cls, f)
        self.traces, self.entries, self.static_names, self.forget = {}, {}, static_names, forget
        self.lock = RLock()
        functools.update_wrapper(self, f)
        return self

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        static: Any = None
        if self.static_names:
            args, kwargs, static = self.split_static(args, kwargs)
        leaves, structure = flat_arguments((args, kwargs) if kwargs else args)
        key = (
            structure,
            structure.orders(),
            *[leaf.layout for leaf in leaves],
            _key_of(static),
            settings(),
        )
        try:
            entry = self.entries[key]
        except KeyError:
            entry = self._enter(key, leaves, structure, bool(kwargs), static)
        if entry is None or entry.trace is None:  # pyright: ignore[reportUnnecessaryComparison] None: runs uncompiled
            return self._inline(args, kwargs, static)
        natives: list[Any] = []
        for step, leaf in zip(entry.steps, leaves, strict=True):
            natives.extend(step(leaf))
        trace = entry.trace
        if trace.words is not None:
            natives.extend(trace.words())
        measured = current_profile()
        results = trace.compiled(*natives) if measured is None else _measured(measured, trace, natives)
        if trace.reports:
            layouts = reported_tensors(trace.reports)
            count = len(results) - sum(layout.count for layout in layouts)
            returned_reports(with_tensors(trace.reports, tensors_of(layouts, results[count:])))
            results = results[:count]
        return trace.output.build(results)

    def _inline(self, args: Any, kwargs: Any, static: Any) -> Any:
        return self.func(*args, **kwargs, **(static or {}))

    def split_static(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any], dict[str, Any]]:
        """Arguments of a call that are traced, and those that are constants of the trace."""
        signature = signature_of(self.func)
        assert signature is not None
        bound = signature.bind(*args, **kwargs)
        arguments = {**bound.arguments}
        for name, parameter in signature.parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                arguments.update(arguments.pop(name, {}))
        static = {name: arguments.pop(name) for name in self.static_names if name in arguments}
        return (), arguments, static

    def _enter(
        self, key: Any, leaves: list[Tensor], structure: Structure, has_kwargs: bool, static: Any
    ) -> Entry | None:
        backend = backend_for(leaves)
        if self.why_uncompiled(leaves, backend):
            if settings().traced or "jit" not in backend.supports:
                self.entries[key] = None
            return None
        trace_key = self.trace_key(leaves, structure, static, backend)
        steps = tuple(
            storing_steps(leaf.layout, layout) for leaf, layout in zip(leaves, trace_key.layouts, strict=True)
        )
        with self.lock:  # threads that come with the same key wait for one trace
            trace = self.traces.get(trace_key)
            if trace is None:
                if self.forget:
                    self.traces.clear()
                    self.entries.clear()
                examples = tuple(n for step, leaf in zip(steps, leaves, strict=True) for n in step(leaf))

                def make() -> Trace:
                    given = (backend, trace_key.layouts, structure, has_kwargs, static, examples)
                    try:
                        return self._trace(*given, None)
                    except KeyNeeded:
                        return self._trace(*given, lambda: _new_words(backend))

                measured = current_profile()
                trace = make() if measured is None else measured.timed("trace", backend, make)
                self.traces[trace_key] = trace
        entry = Entry(steps, trace)
        if not trace_key.devices:
            self.entries[key] = entry
        return entry

    def why_uncompiled(self, leaves: Sequence[Tensor], backend: Backend) -> str:
        """Why a call with these arguments runs as Python code; empty if it is compiled."""
        if "jit" not in backend.supports:
            return f"the backend `{backend}` has no compiler"
        if settings().traced:
            return "it is called inside another transformation, which traces it as part of its own function"
        if not all(leaf.available for leaf in leaves):
            return "its arguments are traced or differentiated"
        return ""

    def trace_key(self, leaves: Sequence[Tensor], structure: Structure, static: Any, backend: Backend) -> Key:
        """Key of the trace that serves a call with these arguments."""
        layouts = tuple(canonical_layout(leaf.layout, backend) for leaf in leaves)
        devices = tuple(leaf.device.name for leaf in leaves) if len(backend.list_devices()) > 1 else ()
        return Key(structure, structure.orders(), layouts, devices, _key_of(static), settings())

    def _trace(
        self,
        backend: Backend,
        layouts: tuple[Layout, ...],
        structure: Structure,
        has_kwargs: bool,
        static: Any,
        examples: Natives,
        words: Callable[[], Natives] | None,
    ) -> Trace:
        found: list[tuple[Output, list[Report]]] = []

        def flat(*natives: Any) -> Natives:
            key = None if words is None else _key_from(backend, natives[-2:])
            built = structure.build(tensors_of(layouts, natives))
            args, kwargs = cast("tuple[Any, dict[str, Any]]", built if has_kwargs else (built, {}))
            with (
                changed_settings(traced="jit", backend=backend.name),
                collected_reports() as reports,
                drawing_from(key),
            ):
                result = self.func(*args, **kwargs, **(static or {}))
                natives, output = flat_output(result, backend, canonical=True)
                hidden, described = flat_output(reported_tensors(reports), backend, canonical=True)
            found.append((output, with_tensors(reports, described.layouts)))
            return natives + hidden

        compiled = backend.compile(flat, examples if words is None else (*examples, *words()))
        output, reports = found[-1]
        return Trace(backend, compiled, output, reports, words)

    def __reduce__(self) -> tuple[Any, ...]:
        return JitFunction, (self.func, self.static_names, self.forget)  # without traces, which hold arrays

    def __repr__(self) -> str:
        return f"jit_compile({getattr(self.func, '__name__', self.func)!s})"


def _measured(measured: Profile, trace: Trace, natives: list[Any]) -> Natives:
    """Results of a compiled call that a profile measures."""

    def call() -> Natives:
        results = trace.compiled(*natives)
        trace.backend.wait(results)
        return results

    return measured.timed("jit", trace.backend, call)


def _new_words(backend: Backend) -> Natives:
    """Words of a new random key as natives."""
    return tuple(backend.as_native(np.asarray(word, np.int64)) for word in fresh_words())


def _key_from(backend: Backend, natives: Natives) -> RandomKey:
    layout = Dense.of((), EMPTY_SHAPE, INT64, backend)
    return RandomKey(*(Tensor(layout, (native,)) for native in natives))


def _key_of(static: Any) -> Any:
    """Static arguments as part of a key: hashable ones by value, tensors among them by their numbers."""
    if not static:
        return None
    leaves, structure = flat_arguments(static)
    return (
        structure,
        structure.orders(),
        *((leaf.layout, *(leaf.backend.to_numpy(n).tobytes() for n in leaf.natives)) for leaf in leaves),
    )


@overload
def jit_compile(
    f: Callable[P, R], auxiliary_args: str = ..., forget_traces: bool | None = ...
) -> Callable[P, R]: ...
@overload
def jit_compile(
    f: None = ..., auxiliary_args: str = ..., forget_traces: bool | None = ...
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def jit_compile(f: Any = None, auxiliary_args: str = "", forget_traces: bool | None = None) -> Any:
    """`f` compiled for the backend of its arguments; usable as decorator, with or without arguments.

    Traced once per structure, dims, element types, devices, static arguments and precision; other values, and
    other ways in which equal dims are stored, never trace again. Python numbers are inputs; strings, bools
    and None are static. Tensors that `f` takes from outside keep the value that they had when traced. NumPy
    has no compiler: there `f` runs as it is, unless the default backend has one.

    Args:
        f: Function of tensors, numbers, trees and static values that returns such.
        auxiliary_args: Names (comma list) of arguments that are constants of the trace.
        forget_traces: Keep only the latest trace.

    >>> import phi_tensor as math
    >>> @jit_compile
    ... def double(x):
    ...     return 2 * x
    >>> double(math.wrap(1.5))
    3.0
    """
    names = tuple(name.strip() for name in auxiliary_args.split(",") if name.strip())
    if f is None:
        return functools.partial(JitFunction, static_names=names, forget=bool(forget_traces))
    return JitFunction(cast("Callable[..., Any]", f), names, bool(forget_traces))
