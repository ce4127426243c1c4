"""Pytest plugin: every test that takes `backend` runs on each requested backend.

The environment variable `PHI_BACKENDS` lists them (default: all that are installed). A requested backend that
is missing is a usage error; one that was not requested is never imported.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
import pytest

from phi_tensor.backends._registry import ENTRIES, init_backend, on_backend

if TYPE_CHECKING:
    from phi_tensor.backends._backend import Backend


def requested_backends() -> tuple[str, ...]:
    """Names that `PHI_BACKENDS` lists, or all whose library is installed.

    Raises:
        pytest.UsageError: A listed backend is unknown or not installed.
    """
    listed = tuple(name.strip() for name in os.environ.get("PHI_BACKENDS", "").split(",") if name.strip())
    for name in listed:
        if name not in ENTRIES:
            raise pytest.UsageError(
                f"PHI_BACKENDS names `{name}`, which is no backend. Use some of {', '.join(ENTRIES)}."
            )
        if not _installed(name):
            raise pytest.UsageError(
                f"PHI_BACKENDS asks for `{name}`, which is missing: `pip install {ENTRIES[name].extra}`."
            )
    return listed or tuple(name for name in ENTRIES if _installed(name))


def _installed(name: str) -> bool:
    return find_spec(ENTRIES[name].library) is not None


def pytest_configure(config: pytest.Config) -> None:
    """Fail before any test where a requested backend is missing."""
    config.addinivalue_line(
        "markers", "needs(feature, …): skip backends without `jit`, `reverse` or `forward`"
    )
    requested_backends()


def pytest_report_header(config: pytest.Config) -> str:
    """Which backends the tests run on, and which they do not."""
    requested = requested_backends()
    others = [
        f"{name} ({'installed' if _installed(name) else 'missing'})"
        for name in ENTRIES
        if name not in requested
    ]
    return f"backends: {', '.join(requested)}" + (f"; not tested: {', '.join(others)}" if others else "")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that take `backend` once per requested backend."""
    if "backend" in metafunc.fixturenames and not _is_parametrized(metafunc, "backend"):
        metafunc.parametrize("backend", requested_backends(), indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip docstring examples that name a backend which is not requested."""
    others = {name for name in ENTRIES if name != "numpy"}.difference(requested_backends())
    for item in items:
        example = getattr(item, "dtest", None)
        missing = {name for name in others if example is not None and f'"{name}"' in example.docstring}
        if missing:
            item.add_marker(pytest.mark.skip(reason=f"names {', '.join(sorted(missing))}"))


def _is_parametrized(metafunc: pytest.Metafunc, name: str) -> bool:
    return any(
        name in str(mark.args[0]).split(",")
        for mark in metafunc.definition.iter_markers("parametrize")
        if mark.args
    )


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> None:
    """Settings of property tests, before the first module that has some; others load no hypothesis."""
    if b"hypothesis" in module_path.read_bytes() and "hypothesis" not in sys.modules:
        _set_up_hypothesis()


def _set_up_hypothesis() -> None:
    """Reproducible examples, no deadlines (compilers take seconds), fixtures such as `backend` allowed."""
    try:
        from hypothesis import HealthCheck, settings  # noqa: PLC0415 optional
    except ImportError:
        return  # the test module says that it is missing
    allowed = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    profile = settings(max_examples=30, derandomize=True, deadline=None, suppress_health_check=allowed)
    settings.register_profile("phi_tensor", profile)
    settings.load_profile("phi_tensor")


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Backend that the test runs on; tensors are created there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what libraries warn of when they load is not ours
        loaded = init_backend(request.param)
    for mark in request.node.iter_markers("needs"):
        if not loaded.supports.issuperset(mark.args):
            pytest.skip(f"{loaded} has no {', '.join(mark.args)}")
    with on_backend(loaded):
        yield loaded


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Random numbers seeded by file and name of the test, equal on all backends."""
    name = getattr(request.node, "originalname", None) or request.node.name
    return np.random.default_rng(crc32(f"{request.node.path.name}::{name}".encode()))


@pytest.fixture(params=["eager", pytest.param("jit", marks=pytest.mark.compiled)])
def execution(
    request: pytest.FixtureRequest, backend: Backend
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Runs a function as it is or compiled: `execution(f)(*args)`. NumPy has no compiler and is skipped."""
    if request.param == "eager":
        return lambda f: f
    if "jit" not in backend.supports:
        pytest.skip(f"{backend} does not compile")
    import phi_tensor  # noqa: PLC0415 tests of the backends alone do not need it

    return phi_tensor.jit_compile
