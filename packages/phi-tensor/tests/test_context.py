"""Ambient settings: precision, default backend; local to threads, tasks and `with` blocks."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

import phi_tensor as math
from phi_tensor import NoBackendFound, spatial
from phi_tensor._context import settings


def test_blocks_nest_and_end(backend):
    before = math.get_precision()
    with math.precision(64):
        with math.precision(16):
            assert math.get_precision() == 16
        assert math.get_precision() == 64
        with pytest.raises(RuntimeError), math.precision(32):
            raise RuntimeError
        assert math.get_precision() == 64
    assert math.get_precision() == before


def test_equal_settings_are_one_object():
    with math.precision(64):
        first = settings()
    with math.precision(64):
        assert settings() is first


def test_threads_and_tasks_have_their_own():
    with math.precision(64), ThreadPoolExecutor(1) as pool:
        assert pool.submit(math.get_precision).result() == 32

    async def bits(n):
        with math.precision(n):
            await asyncio.sleep(0)
            return math.get_precision()

    async def both():
        return await asyncio.gather(bits(16), bits(64))

    assert asyncio.run(both()) == [16, 64]


def test_global_precision_reaches_plans_made_before():
    x = math.wrap([1.0, 2.0], spatial("x"))
    try:
        for bits in (64, 32, 64):
            math.set_global_precision(bits)
            assert (x + 1).dtype.precision == math.get_precision() == bits
    finally:
        math.set_global_precision(32)


@pytest.mark.parametrize("bits", [0, 8, 128, "double"])
def test_unknown_precisions_are_refused(bits):
    for change in (math.precision, math.set_global_precision):
        with pytest.raises(ValueError, match="16, 32 or 64"):
            change(bits)


def test_default_backend_decides_creation(backend):
    assert math.default_backend() is backend
    assert math.zeros(spatial(x=2)).backend is backend
    with math.on_backend("numpy") as numpy:
        assert math.default_backend() is numpy is math.BACKENDS[0]
        assert math.zeros(spatial(x=2)).backend is numpy
    assert math.default_backend() is backend


def test_backends_are_contexts(backend):
    numpy = math.init_backend("numpy")
    with numpy, backend:
        assert math.default_backend() is backend
        with numpy:
            assert math.zeros(spatial(x=2)).backend is numpy
        assert math.default_backend() is backend


def test_use_is_for_the_process():
    try:
        assert math.use("numpy") is math.default_backend()
    finally:
        math.use("numpy")


def test_operations_follow_their_operands(backend):
    x = math.ones(spatial(x=2))
    with math.on_backend("numpy"):
        assert (x + math.ones(spatial(x=2))).backend is backend
        assert (math.wrap(1.0) + x).backend is backend


def test_backends_by_name(backend):
    assert math.init_backend(backend.name) is math.init_backend(backend) is backend
    assert isinstance(backend, math.Backend)
    assert all(isinstance(device, math.ComputeDevice) for device in backend.list_devices())
    with pytest.raises(NoBackendFound, match=r"caffe.*numpy"):
        math.init_backend("caffe")


def test_missing_libraries_say_how_to_install(monkeypatch):
    monkeypatch.setattr("phi_tensor.backends._registry.find_spec", lambda name: None)
    monkeypatch.setattr("phi_tensor.backends._registry.LOADED", {})
    with pytest.raises(NoBackendFound, match=r"pip install phi-tensor\[jax\]"):
        math.init_backend("jax")
    assert math.init_installed_backends() == ()


def test_absent_devices_are_listed(backend):
    with pytest.raises(NoBackendFound, match="has no device `quantum:0`"):
        math.to_device(math.ones(spatial(x=2)), "quantum:0")
