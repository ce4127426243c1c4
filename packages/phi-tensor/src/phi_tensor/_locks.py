"""Locks that are free in the child process after a fork, whichever thread held them."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from threading import RLock
from typing import Any, cast


def new_lock() -> AbstractContextManager[Any]:
    """A lock that one thread may take several times."""
    lock = RLock()
    register = cast("Any", getattr(os, "register_at_fork", None))
    if register is not None:  # POSIX: forking waits for other threads to leave
        register(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
    return lock
