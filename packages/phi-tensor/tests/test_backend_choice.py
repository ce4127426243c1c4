"""Which library and device: chosen by values, by contexts, by default; native values and their types."""

import contextvars
import subprocess
import sys

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import DType, NoBackendFound, batch, spatial, tensor, wrap
from phi_tensor._context import change_global


def test_backend_of_values(backend):
    x = tensor([1.0, 2.0], spatial("x"))
    for values in ((x,), (1.0, x), (x.native(),), (wrap(1.0), {"a": [x, "text"]}), (x, None, np.zeros(2))):
        assert math.choose_backend(*values) is backend
    assert math.choose_backend(1, 2.0, [wrap(True)]) is math.choose_backend() is math.NUMPY
    with pytest.raises(NoBackendFound, match="function"):
        math.choose_backend(x, lambda: 0)


@pytest.mark.interop
def test_two_libraries_have_no_common_backend():  # WEAKNESSES A24
    x = [math.convert(wrap(1.0), name) for name in ("torch", "jax")]
    with pytest.raises(NoBackendFound, match="torch and jax"):
        math.choose_backend(*x)
    with pytest.raises(NoBackendFound, match="torch and jax"):
        math.choose_backend([x[0]], [[x[1]]])


def test_backend_of_the_context(backend):
    assert math.context_backend() is backend
    with math.NUMPY:
        assert math.context_backend() is math.NUMPY
    with backend:
        assert math.context_backend() is backend
        with math.on_backend(math.NUMPY), math.precision(64):
            assert math.context_backend() is math.NUMPY
        assert math.context_backend() is backend
    assert contextvars.Context().run(math.context_backend) is None
    assert math.get_backend(backend.name) is backend
    assert backend in math.BACKENDS
    assert math.BACKENDS[0] is math.NUMPY


def test_what_a_backend_supports(backend):
    assert backend.supports("float16")
    assert backend.supports("sin")
    assert not backend.supports("time travel")
    assert "sin" in backend.supports
    assert backend.supports("reverse") == ("reverse" in backend.features)
    assert not backend.features & backend.ops.keys()


@pytest.fixture
def device_setting(backend):
    yield
    change_global(devices=())
    backend.chosen_device = None


@pytest.mark.usefixtures("device_setting")
def test_devices(backend):
    devices = backend.list_devices()
    assert backend.get_default_device() == devices[0]
    (cpu, *_) = backend.list_devices("CPU")
    assert backend.list_devices("cpu")[0] == cpu
    assert {d.device_type for d in backend.list_devices("CPU")} == {"CPU"}
    assert not backend.set_default_device("quantum")
    for device in (cpu, cpu.name, "CPU"):
        assert backend.set_default_device(device)
        assert backend.get_default_device() == cpu
        assert backend.list_devices()[0] == cpu
        for x in (tensor([1.0]), math.zeros(spatial(x=2)), math.arange(spatial(x=2)), math.random_uniform()):
            assert x.device == cpu
    assert math.to_cpu({"x": tensor(1.0)})["x"].device.device_type == "CPU"
    if backend.list_devices("GPU"):
        assert math.to_gpu(tensor(1.0)).device.device_type == "GPU"
    else:
        with pytest.raises(NoBackendFound, match="GPU"):
            math.to_gpu(tensor(1.0))


TWO_DEVICES = """
import os
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
if "{name}" == "tensorflow":
    import tensorflow as tf
    two = [tf.config.LogicalDeviceConfiguration(), tf.config.LogicalDeviceConfiguration()]
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
import phi_tensor as math
backend = math.use("{name}")
first, *others = backend.list_devices()
follows = backend.name != "tensorflow"  # which places results of operations itself, on a GPU if there is one
dim = math.spatial(x=2)
for device in others:
    f = math.jit_compile(lambda x: x + math.linspace(0, 1, dim) + math.arange(dim))
    assert f(math.zeros(dim)).device == first or not follows
    assert backend.set_default_device(device) and backend.get_default_device() == device
    made = math.zeros(dim), math.tensor([1.0]), math.arange(dim)
    made += (f(math.zeros(dim)), math.random_uniform(), math.counted(dim)) if follows else ()
    assert {x.device.name for x in made} == {device.name}, [x.device.name for x in made]
print(len(others))
"""


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.needs("jit")
def test_arrays_are_made_on_the_chosen_device(backend):
    command = [sys.executable, "-c", TWO_DEVICES.replace("{name}", backend.name)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_native_values(backend):
    x = tensor([1.0, 2.0], spatial("x"))
    assert backend.is_native(math.native(x))
    assert math.native("text") == "text"
    for value in (x, x.native()):
        assert isinstance(math.numpy(value), np.ndarray)
        assert math.numpy(value).tolist() == [1, 2]
    assert math.numpy(3).item() == 3
    with pytest.raises(math.IncompatibleShapes, match="order"):
        math.numpy(math.ones(spatial(x=2, y=2)))
    assert math.dtype(x) is math.dtype(x.native()) is DType(float, 32)
    assert math.dtype(1j).kind is complex


def test_element_types():
    assert (
        DType(float, 64) is DType(float, precision=64) is DType.as_dtype((float, 64)) is DType.of("float64")
    )
    assert (DType(bool).bits, DType(int).bits, DType(complex).bits) == (8, 32, 64)
    with math.precision(64):
        assert DType(float) is DType.as_dtype(float) is DType(float, 64)
        assert DType(complex).bits == 128
        assert DType.as_dtype(int) is DType(int, 32)
    assert DType.as_dtype(None) is None
    assert DType.as_dtype("int8") is DType(int, bits=8)
    with pytest.raises(ValueError, match="float8"):
        DType(float, 8)
    with pytest.raises(TypeError, match="str"):
        DType(str)


def test_dim_filters_are_a_type():
    def dims(value: math.Tensor, which: math.DimFilter) -> math.Shape:
        return value.shape.only(which)

    assert dims(math.zeros(spatial(x=2), batch(b=3)), ["x", batch]).rank == 2


def test_printing(backend, capsys):
    x = tensor([[1, 2], [3, 4]], spatial("x,y"))
    math.print(math.stack([x, x], batch("b")) + math.vec(u=0, v=10), "x")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("x (")
    assert lines[1:4] == ["b=0, vector=u", "[[1 2]", " [3 4]]"]
    assert lines[-3:] == ["b=1, vector=v", "[[11 12]", " [13 14]]"]
    math.print({"a": [tensor(1.5), "text"]}, "tree")
    math.print()
    math.print(3, "three")
    assert capsys.readouterr().out.splitlines() == [
        "tree['a'][0] float32",
        "1.5",
        "tree['a'][1] text",
        "",
        "three 3",
    ]
    math.print(math.stack([math.ones(spatial(x=2)), math.zeros(spatial(x=1))], batch("b")))
    assert capsys.readouterr().out.splitlines()[1:] == ["b=0", "[1. 1.]", "b=1", "[0.]"]


@pytest.mark.compiled
@pytest.mark.needs("jit")
def test_printing_while_compiling(backend, capsys):
    math.jit_compile(lambda x: math.print(x, "x") or x)(math.ones(spatial(x=2)))
    assert capsys.readouterr().out == "x (x:s=2) float32\ntraced, without numbers\n"


def test_older_words():
    assert math.set_global_default_backend("numpy") is math.NUMPY
