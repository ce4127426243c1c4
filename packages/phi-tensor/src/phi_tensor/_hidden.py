"""Hidden outputs: outcomes of solves, searches and limits inside compiled code.

Checked when a result is first read.

Code inside a compiled function cannot raise. It calls `report(failed, error)` instead; the compiled function
returns `failed` as an additional output, reduced through `iterate`, and the check follows the context's
setting: `late` (when numbers are first read), `now` (when the call returns) or `never`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

from phi_tensor._context import Check, changed_settings, settings

if TYPE_CHECKING:
    from phi_tensor._tensor import Tensor


class Report(NamedTuple):
    """One reported outcome.

    Attributes:
        failed: 0-d (or batched) bool or number; non-zero means failure.
        error: Makes the exception from the NumPy value of `failed`.
    """

    failed: Any
    error: Callable[[Any], Exception]


_COLLECTING: ContextVar[list[Report] | None] = ContextVar("phi_tensor_reports", default=None)
_PENDING: list[Report] = []


def report(failed: Tensor, error: Callable[[Any], Exception]) -> None:
    """Report an outcome; raises `error(value)` if `failed` holds a non-zero value, now or when it is known.

    Args:
        failed: Bool or number, any dims; non-zero entries are failures.
        error: Exception for the NumPy array of `failed`.
    """
    if settings().check == "never":
        return
    collecting = _COLLECTING.get()
    if collecting is not None and not failed.available:
        collecting.append(Report(failed, error))
    elif not failed.available:
        return  # inside a foreign transformation, which has no place for hidden outputs
    else:
        _raise_if_failed(Report(failed, error))


@contextmanager
def collected_reports() -> Generator[list[Report]]:
    """Context whose reports of traced values are collected instead of checked."""
    reports: list[Report] = []
    token = _COLLECTING.set(reports)
    try:
        yield reports
    finally:
        _COLLECTING.reset(token)


def returned_reports(reports: list[Report]) -> None:
    """Take outcomes that a compiled call returned.

    Check, keep for later, or pass on to an enclosing trace.
    """
    for entry in reports:
        if _COLLECTING.get() is not None and not entry.failed.available:
            report(entry.failed, entry.error)
        elif settings().check == "now":
            _raise_if_failed(entry)
        elif settings().check == "late":
            _PENDING.append(entry)


def raise_pending() -> None:
    """Raise the first failure among outcomes that were not looked at yet."""
    while _PENDING:
        _raise_if_failed(_PENDING.pop(0))


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
