"""Where the time goes: calls, seconds and plans of each operation on each backend."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from os import PathLike
from threading import get_ident, local
from typing import Any, NamedTuple

from phi_tensor._locks import new_lock
from phi_tensor._plan import WRAPPERS, PlanCall, Row, clear_plans
from phi_tensor._tensor import Tensor
from phi_tensor.backends._backend import Backend
from phi_tensor.backends._registry import init_backend
from phi_tensor.layouts._layout import Layout, Scalar


class Use(NamedTuple):
    """How one operation was used on one backend.

    Attributes:
        row: Name of the operation; `jit` for calls of compiled functions, `trace` for tracing and compiling.
        backend: Name of the backend.
        calls: Number of calls [-].
        seconds: Time inside these calls, without that of operations called from there [s].
        plans: Number of plans made, i.e. of different layouts met [-].
    """

    row: str
    backend: str
    calls: int
    seconds: float
    plans: int


class _Count:
    """Counters of one operation on one backend."""

    __slots__ = ("calls", "plans", "seconds")

    def __init__(self) -> None:
        self.calls, self.seconds, self.plans = 0, 0.0, 0


class Profile:
    """What `profile` measured; its text is a table, the slowest operations first.

    Attributes:
        duration: Time between the begin and the end of the block [s].
    """

    def __init__(self, backends: frozenset[str] | None, events: bool, subtract: bool) -> None:
        self.duration: float = 0.0
        self.subtract = subtract
        self._backends = backends
        self._counts: dict[tuple[str, str], _Count] = {}
        self._events: list[tuple[str, str, float, float, int]] | None = [] if events else None
        self._local = local()
        self._lock = new_lock()
        self._start = time.perf_counter()

    @property
    def uses(self) -> tuple[Use, ...]:
        """All operations used, by falling time."""
        found = [Use(*key, c.calls, c.seconds, c.plans) for key, c in self._counts.items()]
        return tuple(sorted(found, key=lambda use: -use.seconds))

    def count_of(self, row: str, backend: Backend) -> _Count | None:
        """Counters of an operation; None if its backend is not asked for."""
        if self._backends is not None and backend.name not in self._backends:
            return None
        return self._counts.setdefault((row, backend.name), _Count())

    def timed(self, row: str, backend: Backend, call: Callable[[], Any]) -> Any:
        """Result of `call`, whose time counts for `row`."""
        count = self.count_of(row, backend)
        if count is None:
            return call()
        inner: list[float] = self._local.__dict__.setdefault("inner", [])  # of the calls around, outer first
        inner.append(0.0)
        start = time.perf_counter()
        try:
            result = call()
            _wait_for(result)
        finally:
            seconds = time.perf_counter() - start
            within = inner.pop()
            if inner:
                inner[-1] += seconds
            with self._lock:
                count.calls += 1
                count.seconds += seconds - within
                if self._events is not None:
                    self._events.append((row, backend.name, start - self._start, seconds, get_ident()))
        return result

    def close(self) -> None:
        """End of the block."""
        self.duration = time.perf_counter() - self._start

    def save(self, json_file: str | PathLike[str]) -> None:
        """Write the calls as a trace that `chrome://tracing` and Perfetto show."""
        import json  # noqa: PLC0415 costs 1 ms of `import phi_tensor`

        events = [
            {
                "name": row, "cat": backend, "ph": "X", "pid": 0, "tid": thread,
                "ts": 1e6 * start, "dur": 1e6 * seconds,
            }
            for row, backend, start, seconds, thread in self._events or ()
        ]  # fmt: skip
        with open(json_file, "w", encoding="utf-8") as file:
            json.dump({"traceEvents": events}, file)

    def __str__(self) -> str:
        lines = [f"{'operation':20} {'backend':10} {'calls':>7} {'time [ms]':>10} {'plans':>6}"]
        lines += [
            f"{use.row:20} {use.backend:10} {use.calls:7} {1e3 * use.seconds:10.3f} {use.plans:6}"
            for use in self.uses
        ]
        within = sum(use.seconds for use in self.uses)
        return "\n".join(
            [*lines, f"{1e3 * within:.3f} ms in operations of {1e3 * self.duration:.3f} ms altogether"]
        )


def profile(
    backends: Sequence[Backend | str] | None = None,
    trace: bool = True,
    subtract_trace_time: bool = True,
    save: str | PathLike[str] | None = None,
) -> AbstractContextManager[Profile]:
    """Context that measures the operations called inside, by this thread or task.

    Threads that run in its context (`asyncio.to_thread`) count, too. Within another profile, only the inner
    one measures.

    Each operation is waited for, so that libraries that compute in the background are measured, too. Compiled
    functions count as one operation, `jit`; what they do inside is their library's to profile.

    Args:
        backends: Only operations on these.
        trace: Also keep when each call happened, for `save`.
        subtract_trace_time: Leave the time for making plans out of the operations that need them first.
        save: File that gets the trace (JSON) at the end.

    >>> import phi_tensor as math
    >>> x = math.vec(x=1.0, y=2.0)
    >>> with math.profile() as measured:
    ...     y = math.sin(x) + 1
    >>> sorted(use.row for use in measured.uses)
    ['add', 'sin']
    """
    names = None if backends is None else frozenset(init_backend(b).name for b in backends)
    return _profile(Profile(names, trace or save is not None, subtract_trace_time), save)


@contextmanager
def _profile(measured: Profile, save: str | PathLike[str] | None) -> Generator[Profile]:
    with _LOCK:
        if not _RUNNING:
            WRAPPERS.append(_wrapped)
        _RUNNING.append(measured)
        clear_plans()
    token = _CURRENT.set(measured)
    try:
        yield measured
    finally:
        _CURRENT.reset(token)
        measured.close()
        with _LOCK:
            _RUNNING.remove(measured)
            if not _RUNNING:
                WRAPPERS.remove(_wrapped)
                clear_plans()
    if save is not None:
        measured.save(save)


_RUNNING: list[Profile] = []
_LOCK = new_lock()
_CURRENT: ContextVar[Profile | None] = ContextVar("phi_tensor_profile", default=None)

current_profile = _CURRENT.get
"""The profile of the block around, or None."""


def _wrapped(row: Row, layouts: tuple[Layout, ...], plan: PlanCall, seconds: float) -> PlanCall:
    """`plan`, which took `seconds` to make, measured where a profile is taken."""
    backend = next((x.backend for x in layouts if not isinstance(x, Scalar)), None)
    measured = _CURRENT.get()
    count = None if measured is None or backend is None else measured.count_of(row.name, backend)
    if measured is not None and count is not None:
        count.plans += 1
        count.seconds += 0 if measured.subtract else seconds

    def call(*operands: Any) -> Any:
        current = _CURRENT.get()
        if current is None or backend is None:
            return plan(*operands)
        return current.timed(row.name, backend, lambda: plan(*operands))

    layout = getattr(plan, "layout", None)
    if layout is not None:
        call.layout = layout  # pyright: ignore[reportFunctionMemberAccess] what `layout_of` reads
    return call


def _wait_for(result: Any) -> None:
    """Wait until a tensor is computed."""
    if isinstance(result, Tensor) and result.available:
        result.layout.backend.wait(result.natives)
