"""Progress: one small protocol that loops report to and that consoles, notebooks and viewers listen to."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, TextIO


class Progress(Protocol):
    """Listener of a loop: called after every step with the number done, the total, and values to show."""

    def __call__(self, done: int, total: int | None, values: Mapping[str, float]) -> None:
        """Take note of `done` of `total` steps (None: unknown) and the current `values`."""
        ...


class ConsoleProgress:
    """Progress bar with values and the seconds left, on one line of a terminal.

    One line every few seconds elsewhere.

    Attributes:
        title: Text before the bar.
        every: Shortest time between updates [s].
    """

    def __init__(self, title: str = "", stream: TextIO | None = None, every: float | None = None) -> None:
        self.title = title
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._filled, self._empty, self._more = _signs(self._stream)
        self.every: float = every if every is not None else 0.1 if self._live else 5.0
        self._start = time.perf_counter()
        self._last = -1e9
        self._first = 0

    def __call__(self, done: int, total: int | None, values: Mapping[str, float]) -> None:
        """Write the bar if it is time to."""
        now = time.perf_counter()
        if self._last < -1e8:
            self._start, self._first = now, done
        if now - self._last < self.every and done != total:
            return
        self._last = now
        line = self._line(done, total, values, now - self._start)
        self._stream.write(f"\r{line}\x1b[K" if self._live else line + "\n")
        if self._live and done == total:
            self._stream.write("\n")
        self._stream.flush()

    def _line(self, done: int, total: int | None, values: Mapping[str, float], seconds: float) -> str:
        shown = "  ".join(f"{name} {value:.4g}" for name, value in values.items())
        if not total:
            return f"{self.title} {done}  {shown}".strip()
        filled = round(24 * done / total)
        bar = self._filled * filled + self._empty * (24 - filled)
        here = done - self._first
        left = f"{seconds / here * (total - done):.0f} s left" if here else self._more
        return f"{self.title} {bar} {done}/{total}  {shown}  {left}".strip()


def _signs(stream: TextIO) -> tuple[str, str, str]:
    """Signs of what is done, what is not, and of an unknown time, as far as the stream can write them."""
    signs = ("█", "·", "…")
    try:
        "".join(signs).encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return "#", ".", "..."
    return signs


def progress_range(count: int, listener: Progress | None = None, start: int = 0) -> Iterator[int]:
    """Like `range(start, count)`; reports every finished step to `listener` (default: a console bar).

    >>> list(progress_range(3, lambda done, total, values: None))
    [0, 1, 2]
    """
    notify = ConsoleProgress() if listener is None else listener
    for i in range(start, count):
        yield i
        notify(i + 1, count, {})


def watched(
    items: Iterable[object], total: int | None = None, listener: Progress | None = None
) -> Iterator[object]:
    """The items one by one; reports every finished one to `listener` (default: a console bar)."""
    notify = ConsoleProgress() if listener is None else listener
    for done, item in enumerate(items, 1):
        yield item
        notify(done, total, {})
