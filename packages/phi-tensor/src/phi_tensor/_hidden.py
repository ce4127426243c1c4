"""Hidden outputs: outcomes of solves, searches and limits inside compiled code.

Checked when a result is first read.

Code inside a compiled function cannot raise. It calls `report(failed, error)` instead; the compiled function
returns `failed` as an additional output, reduced through `iterate`, and the check follows the context's
setting: `late` (when numbers are first read), `now` (when the call returns) or `never`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

from phi_tensor._context import Check, changed_settings, settings
from phi_tensor._errors import Unsupported

if TYPE_CHECKING:
    from phi_tensor._tensor import Tensor


class Report(NamedTuple):
    """One reported outcome, or values that somebody wants to see.

    Attributes:
        failed: 0-d (or batched) bool or number; non-zero means failure. Observed: tuple of tensors.
        error: Makes the exception from the NumPy value of `failed`. Observed: is called with the tensors.
        observed: True for values that are shown to `error` after each call.
    """

    failed: Any
    error: Callable[..., Any]
    observed: bool = False


def reported_tensors(reports: Sequence[Report]) -> list[Any]:
    """All tensors (or layouts) of some reports, one after the other."""
    return [x for entry in reports for x in (entry.failed if entry.observed else (entry.failed,))]


def with_tensors(reports: Sequence[Report], tensors: Sequence[Any]) -> list[Report]:
    """The reports with other tensors (or layouts), in the order of `reported_tensors`."""
    rest = iter(tensors)
    return [
        entry._replace(failed=tuple(next(rest) for _ in entry.failed) if entry.observed else next(rest))
        for entry in reports
    ]


_COLLECTING: ContextVar[list[Report] | None] = ContextVar("phi_tensor_reports", default=None)
_PENDING: deque[Report] = deque()
"""Outcomes that no thread has looked at; any thread that reads numbers does, so that none is lost."""


def report(failed: Tensor, error: Callable[[Any], Exception]) -> bool:
    """Report an outcome; raises `error(value)` if `failed` holds a non-zero value, now or when it is known.

    Args:
        failed: Bool or number, any dims; non-zero entries are failures.
        error: Exception for the NumPy array of `failed`.

    Returns:
        False where nobody will look, inside transformations of another library (`jax.jit`, `tf.function`):
        mark the result instead, `where(failed, NAN, result)`. With `checked('never')` nobody wants to.
    """
    if settings().check == "never":
        return True
    collecting = _COLLECTING.get()
    if failed.available:
        _raise_if_failed(Report(failed, error))
    elif collecting is None:
        return False
    else:
        collecting.append(Report(failed, error))
    return True


def observe(values: tuple[Tensor, ...], action: Callable[..., Any]) -> None:
    """Call `action(*values)` now, or with the numbers of each call of the compiled function around."""
    collecting = _COLLECTING.get()
    if all(value.available for value in values):
        action(*values)
    elif settings().check == "never":
        return
    elif collecting is not None:
        collecting.append(Report(values, action, True))
    else:
        raise Unsupported(
            "Values inside a transformation of another library (`jax.jit`, `tf.function`, …) cannot be "
            "observed. Compile with `jit_compile`, or return the values."
        )


def report_again(entry: Report) -> None:
    """Report what came out of an inner transformation to the one around it, or deal with it."""
    if entry.observed:
        observe(entry.failed, entry.error)
    else:
        report(entry.failed, entry.error)


@contextmanager
def collected_reports() -> Generator[list[Report]]:
    """Context whose reports of traced values are collected instead of checked."""
    reports: list[Report] = []
    token = _COLLECTING.set(reports)
    try:
        yield reports
    finally:
        _COLLECTING.reset(token)


@contextmanager
def uncollected() -> Generator[None]:
    """Context in which nobody collects: traced values reported here could not leave the trace they are in."""
    token = _COLLECTING.set(None)
    try:
        yield
    finally:
        _COLLECTING.reset(token)


def returned_reports(reports: list[Report]) -> None:
    """Take outcomes that a compiled call returned.

    Check, keep for later, or pass on to an enclosing trace.
    """
    for entry in reports:
        if entry.observed or (_COLLECTING.get() is not None and not entry.failed.available):
            report_again(entry)
        elif settings().check == "now":
            _raise_if_failed(entry)
        elif settings().check == "late":
            _PENDING.append(entry)


def raise_pending() -> None:
    """Raise the first failure among outcomes that were not looked at yet."""
    while _PENDING:
        try:
            entry = _PENDING.popleft()
        except IndexError:  # another thread was faster
            return
        _raise_if_failed(entry)


def checked(check: Check) -> AbstractContextManager[None]:
    """Context that sets when hidden outcomes are checked: `late`, `now` or `never`.

    Pending ones are checked when it closes.
    """
    return _checked(check)


@contextmanager
def _checked(check: Check) -> Generator[None]:
    with changed_settings(check=check):
        yield
    raise_pending()


def _raise_if_failed(entry: Report) -> None:
    failed = entry.failed
    value = failed.layout.backend.to_numpy(failed.block().natives[0])
    if value.any():
        raise entry.error(value)
