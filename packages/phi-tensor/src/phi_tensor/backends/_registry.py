"""Which backends exist, which are loaded, and which one a value belongs to.

Nothing is imported before it is needed.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

from phi_tensor._context import change_global, changed_settings, settings
from phi_tensor._errors import NoBackendFound
from phi_tensor.backends._backend import Backend
from phi_tensor.backends._numpy import NUMPY


class Entry(NamedTuple):
    """Registry row of one backend.

    Attributes:
        library: Top-level module of the native library.
        module: Module of ours that adapts it; its `BACKEND` is the backend.
        extra: How to install it.
    """

    library: str
    module: str
    extra: str


ENTRIES = {
    "numpy": Entry("numpy", "phi_tensor.backends._numpy", "phi-tensor"),
    "torch": Entry("torch", "phi_tensor.backends._torch", "phi-tensor[torch]"),
    "jax": Entry("jax", "phi_tensor.backends._jax", "phi-tensor[jax]"),
    "tensorflow": Entry("tensorflow", "phi_tensor.backends._tensorflow", "phi-tensor[tensorflow]"),
}

BACKENDS: list[Backend] = [NUMPY]
"""Loaded backends."""

LOADED: dict[str, Backend] = {"numpy": NUMPY}
"""Loaded backends by name."""


def init_backend(backend: str | Backend) -> Backend:
    """The backend with this name, loaded if necessary.

    Args:
        backend: `numpy`, `torch`, `jax`, `tensorflow`, or a backend, which is returned.

    Raises:
        NoBackendFound: The name is unknown or the library is not installed; the message says how to install
            it.
    """
    if isinstance(backend, Backend):
        return backend
    if backend in LOADED:
        return LOADED[backend]
    if backend not in ENTRIES:
        raise NoBackendFound(f"There is no backend `{backend}`. Use one of {', '.join(ENTRIES)}.")
    entry = ENTRIES[backend]
    if find_spec(entry.library) is None:
        raise NoBackendFound(
            f"The backend `{backend}` needs the library `{entry.library}`: `pip install {entry.extra}`."
        )
    loaded: Backend = import_module(entry.module).BACKEND
    LOADED[backend] = loaded
    if loaded not in BACKENDS:
        BACKENDS.append(loaded)
    return loaded


def init_installed_backends() -> tuple[Backend, ...]:
    """Load every backend whose library is installed."""
    return tuple(
        init_backend(name) for name, entry in ENTRIES.items() if find_spec(entry.library) is not None
    )


def default_backend() -> Backend:
    """Backend on which tensors are created here."""
    return init_backend(settings().backend)


def use(backend: str | Backend) -> Backend:
    """Create tensors on `backend` from now on, in the whole process.

    >>> import phi_tensor as math
    >>> math.use("numpy")
    numpy
    """
    loaded = init_backend(backend)
    change_global(backend=loaded.name)
    return loaded


@contextmanager
def on_backend(backend: str | Backend) -> Generator[Backend]:
    """Context in which tensors are created on `backend`; `with backend:` is short for it."""
    loaded = init_backend(backend)
    with changed_settings(backend=loaded.name, entered=loaded.name):
        yield loaded


def context_backend() -> Backend | None:
    """Backend of the innermost `with backend:` around, None outside."""
    entered = settings().entered
    return init_backend(entered) if entered else None


def backend_of(native: Any) -> Backend | None:
    """Backend whose array `native` is, or None. Libraries that nobody imported own nothing."""
    for name, entry in ENTRIES.items():
        if name in LOADED or entry.library in sys.modules:
            backend = init_backend(name)
            if backend.is_native(native):
                return backend
    return None


def common_backend(backends: tuple[Backend, ...]) -> Backend:
    """Backend that can handle data of all `backends`.

    NumPy mixes with any other, two learning libraries do not mix.
    """
    learning = {backend.name: backend for backend in backends if not backend.mixes}
    if len(learning) > 1:
        raise NoBackendFound(
            f"Tensors of {' and '.join(learning)} were mixed in one operation. Convert one side: "
            f"`convert(value, '{next(iter(learning))}')`."
        )
    return next(iter(learning.values()), NUMPY)
