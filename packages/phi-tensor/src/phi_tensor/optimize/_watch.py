"""Looking at nonlinear solves while they run: trajectories, the best state for errors, progress."""

from __future__ import annotations

from phi_tensor._progress import Progress
from phi_tensor._tensor import Tensor
from phi_tensor.linear._results import as_numpy
from phi_tensor.optimize._outcome import Found


class Watch:
    """Keeps states of a solve and tells a listener.

    Attributes:
        every: Whether all states are kept.
        states: The states, if they are.
        latest: The last one.
    """

    def __init__(self, progress: Progress | None, every: bool, limit: int | Tensor) -> None:
        self._progress = progress
        self._total = limit if isinstance(limit, int) else None
        self._done = -1
        self.every = every
        self.states: list[Found] = []
        self.latest: Found | None = None

    def keep(self, found: Found) -> None:
        """Take note of a state."""
        if found.value_available():
            self.latest = found
            if self.every:
                self.states.append(found)

    def tell(self, done: int, name: str, value: float) -> None:
        """Report a finished iteration."""
        if self._progress is not None and done != self._done:
            self._done = done
            self._progress(done, self._total, {name: value})

    def tell_of(self, found: Found, name: str, numbers: Tensor) -> None:
        """Report a state, if there are numbers, by the mean of those of all entries."""
        if self._progress is not None and found.value_available():
            done = int(as_numpy(found.iterations).max(initial=0))
            self.tell(done, name, float(as_numpy(numbers).mean()))
