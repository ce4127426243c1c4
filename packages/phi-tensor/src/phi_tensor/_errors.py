"""Errors: what was wrong, what was found, what to do.

All derive from `PhiError` and from the fitting built-in.
"""

from __future__ import annotations

from typing import Any


class PhiError(Exception):
    """Base of all errors that our packages raise on purpose."""


class IncompatibleShapes(PhiError, ValueError):
    """Shapes, sizes, labels or dim types do not fit together."""


class NoBackendFound(PhiError, ValueError):
    """No backend can handle the data, the requested backend is not installed.

    Or two learning frameworks were mixed.
    """


class Unsupported(PhiError, NotImplementedError):
    """The operation exists, but not for this layout or backend.

    The message names the nearest supported way.
    """


class NonlinearOperation(PhiError, ValueError):
    """A function that should be linear in its unknown is not; the message names the line."""


class Untraceable(Unsupported):
    """An operation is linear in the unknown, but has no matrix that could be traced."""


class ConvergenceException(PhiError, RuntimeError):
    """An iteration did not reach its goal.

    Attributes:
        result: `SolveInfo` of the solve; None where there is none.
    """

    def __init__(self, result: Any) -> None:
        """From a `SolveInfo`, whose `msg` becomes the text, or from a text."""
        text = result if isinstance(result, str) else result.msg
        super().__init__(text)
        self.result = None if isinstance(result, str) else result

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.args[0] if self.result is None else self.result,)


class NotConverged(ConvergenceException):
    """An iteration reached its limit before its goal."""


class Diverged(ConvergenceException):
    """An iteration cannot continue: its state is not finite or it broke down."""


class ConvergenceWarning(UserWarning):
    """A solve did not reach its goal where nothing can be raised."""
