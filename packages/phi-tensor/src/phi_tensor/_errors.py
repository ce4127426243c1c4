"""Errors: what was wrong, what was found, what to do.

All derive from `PhiError` and from the fitting built-in.
"""

from __future__ import annotations


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


class NotConverged(PhiError, RuntimeError):
    """An iteration reached its limit before its goal."""


class Diverged(PhiError, RuntimeError):
    """An iteration cannot continue: its state is not finite or it broke down."""
