"""Cases that time native, peer and ours in turns, and the verdict against a budget.

One process per backend; in it every contender of a case is built and warmed up, then measured in turns, so
that all meet the same load of the machine. The time of a contender is its minimum over the turns. Results are
compared as well: a fast wrong answer of ours is reported as `differs`, one of a peer is marked `wrong`.
"""

import signal
import sys
import time
import traceback
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace

import numpy as np

Call = Callable[[], object]
SECONDS = {
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "iterations": 1.0,
    "arrays": 1.0,
    "of CSR": 1.0,
    "of b": 1.0,
    "of bound": 1.0,
    "": 1.0,
}
"""Printed unit → its size; what is counted, not timed, has the size 1."""


class NotAvailable(Exception):
    """A contender that cannot run here; the message says why."""


@dataclass(frozen=True)
class Task:
    """The call to time, and how to read the native arrays from its result: nested tuples of them."""

    call: Call
    natives: Callable[[object], object] = lambda result: result


@dataclass(frozen=True)
class Reported:
    """Seconds, or a count, that a build found itself: what cannot be called twice, iterations, bytes."""

    seconds: float


Build = Callable[[], Task | Call | Reported]


@dataclass(frozen=True)
class Budget:
    """Upper bound `factor · native + extra` for ours; or `most`, whatever native takes.

    `extra` is in microseconds, `most` in seconds, or a count.
    """

    factor: float = 0.0
    extra: float = 0.0
    most: float | None = None

    def limit(self, native: float) -> float:
        return self.factor * native + self.extra * 1e-6 if self.most is None else self.most

    def __str__(self) -> str:
        if self.most is not None:
            return f"{self.most:.3g}"
        terms = [f"{self.factor:.3g} x"] if self.factor else []
        return " ".join([*terms, *([f"+{self.extra:g} us"] if self.extra else [])]) or "-"


@dataclass(frozen=True)
class Case:
    """One row of the table for one backend.

    Attributes:
        name: Row, the same for all backends.
        budget: Bound for ours, None where the row only informs.
        native: Hand-written variants by name; the faster one is the reference, or the one named `listing`.
        peer: The same task with PhiML / PhiFlow.
        ours: The same task with our packages.
        unit: Unit of the printed times.
        tolerance: Allowed largest difference to native, relative to native's largest value.
        patience: Seconds in which the peer must have answered once (where the system has timers).
    """

    name: str
    budget: Budget | None
    native: dict[str, Build]
    peer: Build | None
    ours: Build | None
    unit: str = "us"
    tolerance: float = 1e-3
    patience: float = 120


@dataclass
class Measurement:
    """Seconds per call and result of one contender, or the reason why there are none."""

    seconds: float | None = None
    arrays: list[np.ndarray] = field(default_factory=list)
    reason: str = ""
    first: float = 0.0  # seconds of build and first call


@dataclass(frozen=True)
class Effort:
    """Seconds per contender and of one turn: short, so that some turns meet no other process."""

    seconds: float = 1.0
    turn: float = 3e-3


QUICK = Effort(seconds=0.15)


@contextmanager
def at_most(seconds: float) -> Generator[None]:
    """Context whose Python code is interrupted after `seconds`."""

    def stop(*_: object) -> None:
        raise NotAvailable(f"no answer after {seconds:g} s")

    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


MINIMUM_TURNS = 3


def measure(case: Case, effort: Effort) -> dict:
    """Row of the table: times, ratios, difference and status of one case."""
    builds = {("native", name): build for name, build in case.native.items()}
    builds |= {(who, ""): build for who, build in (("peer", case.peer), ("ours", case.ours)) if build}
    calls, results = {}, {key: Measurement() for key in builds}
    for key, build in builds.items():
        start = time.perf_counter()
        try:
            with at_most(case.patience) if key[0] == "peer" else nullcontext():
                built = build()
                if isinstance(built, Reported):
                    results[key].seconds = built.seconds
                else:
                    calls[key] = built if isinstance(built, Task) else Task(built)
                    results[key].arrays = as_arrays(calls[key])
        except NotAvailable as reason:
            results[key].reason = str(reason)
            calls.pop(key, None)
        except Exception as error:  # noqa: BLE001 - a contender that fails must not end the run
            results[
                key
            ].reason = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"
            calls.pop(key, None)
            if key[0] == "native":
                traceback.print_exc()
        results[key].first = time.perf_counter() - start
    for key, seconds in time_in_turns(calls, effort).items():
        results[key].seconds = seconds
    return verdict(case, results)


def time_in_turns(calls: dict, effort: Effort) -> dict:
    """Least seconds per call of each contender; all take turns until each had its seconds."""
    repeats = {key: _repeats(task, effort.turn) for key, task in calls.items()}
    best = dict.fromkeys(calls, np.inf)
    spent = dict.fromkeys(calls, 0.0)
    turn, waiting = 0, list(calls)
    while waiting:
        for key in waiting:
            elapsed = _timed(calls[key], repeats[key])
            spent[key] += elapsed
            best[key] = min(best[key], elapsed / repeats[key])
        turn += 1
        least = effort.seconds if turn >= MINIMUM_TURNS else 5 * effort.seconds
        waiting = [key for key in waiting if spent[key] < least]
    return best


def _repeats(task: Task, seconds: float) -> int:
    once = _timed(task, 1)
    if once < 0.3:
        once = min(_timed(task, 1) for _ in range(2))  # the first calls are slower
    if once < seconds / 10:
        once = _timed(task, 10) / 10
    return max(1, min(10_000, int(seconds / once)))


def _timed(task: Task, repeats: int) -> float:
    """Seconds for `repeats` calls; waits for the last result only, as a user's loop does."""
    call = task.call
    start = time.perf_counter()
    for _ in range(repeats):
        result = call()
    block(stored(result) or task.natives(result))
    return time.perf_counter() - start


def stored(result: object) -> list:
    """Natives of our tensors and fields as they are stored: waiting must not reorder or join them."""
    if isinstance(result, (tuple, list)):
        return [native for entry in result for native in stored(entry)]
    natives = getattr(result, "natives", None)  # asked first: tensors refuse unknown names slowly
    if not isinstance(natives, tuple):
        natives = getattr(getattr(result, "values", None), "natives", None)
    return list(natives) if isinstance(natives, tuple) else []


def verdict(case: Case, results: dict) -> dict:
    natives = {name: m for (who, name), m in results.items() if who == "native" and m.seconds}
    reference = (
        "listing" if "listing" in natives else min(natives, key=lambda n: natives[n].seconds, default=None)
    )
    native = natives[reference].seconds if natives else None
    row = {
        "case": case.name,
        "unit": case.unit,
        "tolerance": case.tolerance,
        "budget": str(case.budget) if case.budget else "-",
        "native": native,
        "no native": "failed" if case.native else "–",
        "reference": reference,
        "variants": {name: m.seconds for name, m in natives.items()},
        "first": {"/".join(filter(None, key)): m.first for key, m in results.items()},
    }
    for who in ("peer", "ours"):
        found = results.get((who, ""), Measurement())
        row[who] = found.seconds
        row[f"{who} reason"] = found.reason
        if found.seconds and natives:
            row[f"{who} ratio"] = found.seconds / native
            row[f"{who} difference"] = difference(found.arrays, natives[reference].arrays)
    row["status"] = _status(case, row)
    return row


def _status(case: Case, row: dict) -> str:
    if row["ours"] is None:
        return "missing"
    if row["native"] is None:
        if case.native or case.budget is None or case.budget.most is None:
            return "no native" if case.native else "-"
        return "ok" if row["ours"] <= case.budget.most else "over"
    if not row["ours difference"] <= case.tolerance:
        return "differs"
    if case.budget is None:
        return "ok"
    return "ok" if row["ours"] <= case.budget.limit(row["native"]) else "over"


def difference(actual: list[np.ndarray], desired: list[np.ndarray]) -> float:
    """Largest difference relative to the largest desired value; infinite where the arrays do not match."""
    if [a.shape for a in actual] != [d.shape for d in desired]:
        return np.inf
    if not desired:
        return 0.0
    return max(
        float(np.abs(a - d).max() / max(np.abs(d).max(), 1e-30)) for a, d in zip(actual, desired, strict=True)
    )


def block(natives: object) -> None:
    """Wait until all arrays are computed."""
    for leaf in leaves(natives):
        if hasattr(leaf, "block_until_ready"):
            leaf.block_until_ready()
        elif type(leaf).__module__.startswith("tensorflow"):
            leaf.numpy()


def leaves(natives: object) -> Iterable[object]:
    if isinstance(natives, (tuple, list)):
        for item in natives:
            yield from leaves(item)
    else:
        yield natives


def as_arrays(task: Task) -> list[np.ndarray]:
    natives = task.natives(task.call())
    return [np.asarray(leaf.detach() if hasattr(leaf, "detach") else leaf) for leaf in leaves(natives)]


def table(rows: list[dict]) -> str:
    """Rows as text, one line each, below a header; reasons follow."""
    head = ("case", "native", "variant", "peer", "ours", "budget", "diff", "status")
    lines = [head] + [_cells(row) for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([text[0], "-" * len(text[0]), *text[1:]])


def _cells(row: dict) -> tuple[str, ...]:
    def contender(who: str) -> str:
        ratio = f" ({row[f'{who} ratio']:.2f} x)" if row.get(f"{who} ratio") else ""
        wrong = " wrong" if row.get(f"{who} difference", 0) > row["tolerance"] else ""
        unit = "" if row["native"] else f" {row['unit']}"
        return f"{_number(row[who] / SECONDS[row['unit']])}{unit}{ratio}{wrong}" if row[who] else "-"

    native = row["no native"]
    if row["native"]:
        native = f"{_number(row['native'] / SECONDS[row['unit']])} {row['unit']}"
    diff = f"{row['ours difference']:.0e}" if "ours difference" in row else "-"
    name = f"{row.get('backend', '')} {row['case']}".strip()
    return (
        name,
        native,
        row["reference"] or "-",
        contender("peer"),
        contender("ours"),
        row["budget"],
        diff,
        row["status"],
    )


def _number(value: float) -> str:
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def reasons(rows: list[dict]) -> str:
    """Why contenders are missing, each reason once."""
    found: dict[str, list[str]] = {}
    for row in rows:
        for who in ("peer", "ours"):
            if row[who] is None and row[f"{who} reason"]:
                found.setdefault(f"{who}: not available ({row[f'{who} reason']})", []).append(
                    f"{row.get('backend', '')} {row['case']}".strip()
                )
    return "\n".join(f"{reason}: {', '.join(names)}" for reason, names in found.items())


def without_peer(case: Case) -> Case:
    return replace(case, peer=None)


def report_progress(name: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{name} …")
        sys.stderr.flush()
