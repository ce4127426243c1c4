"""Several backends at once: zero-copy exchange, mixing rules, random numbers, agreement."""

import itertools

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import channel, instance, spatial, wrap
from phi_tensor.testing import assert_close

pytestmark = pytest.mark.interop
NAMES = ("numpy", "torch", "jax", "tensorflow")


def aligned(count, dtype=np.float32):
    """NumPy array whose memory starts at a multiple of 64 bytes, as JAX and TensorFlow want for sharing."""
    raw = np.zeros(count * np.dtype(dtype).itemsize + 64, np.uint8)
    start = -raw.ctypes.data % 64
    array = raw[start : start + count * np.dtype(dtype).itemsize].view(dtype)
    array[:] = np.arange(count)
    return array


def pointer(tensor):
    (native,) = tensor.natives
    if tensor.backend.name == "torch":
        return native.data_ptr()
    if tensor.backend.name == "jax":
        return native.unsafe_buffer_pointer()
    return np.asarray(native).ctypes.data


@pytest.mark.parametrize(("source", "target"), list(itertools.permutations(NAMES, 2)))
def test_a2_conversion_shares_memory(source, target):
    x = math.convert(wrap(aligned(64), spatial("x")), source)
    y = math.convert(x, target)
    assert y.backend.name == target
    assert y.shape == x.shape
    assert pointer(y) == pointer(x)  # WEAKNESSES A2
    assert_close(y, math.convert(x, "numpy"))


@pytest.mark.parametrize("name", NAMES)
def test_copies_where_sharing_is_not_asked_for(name):
    x = wrap(aligned(64), spatial("x"))
    y = math.convert(x, name, use_dlpack=False)
    assert_close(math.convert(y, "numpy"), x)


VIEWS = {
    "transposed": np.arange(12.0).reshape(3, 4).T,
    "reversed": np.arange(12.0)[::-1],
    "strided": np.arange(12.0)[::2],
    "repeated": np.broadcast_to(np.arange(3.0), (2, 3)),
    "empty": np.zeros((0, 3)),
    "image": np.arange(12, dtype=np.uint8).reshape(3, 4),
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", NAMES[1:])
def test_views_that_cannot_be_shared_are_copied(name, view):
    x = wrap(VIEWS[view], *[spatial(n) for n in "xy"[: VIEWS[view].ndim]])
    y = math.convert(x, name)
    assert_close(math.convert(y, "numpy"), x)


@pytest.mark.parametrize("name", NAMES[1:])
def test_numpy_mixes_with_every_library(name):
    x = math.convert(wrap(aligned(3), spatial("x")), name)
    for result in (
        x + wrap(np.ones(3), spatial("x")),
        wrap(np.ones(3), spatial("x")) + x,
        1 + x,
        x * np.float32(2),
    ):
        assert result.backend.name == name


@pytest.mark.parametrize(("a", "b"), list(itertools.combinations(NAMES[1:], 2)))
def test_learning_libraries_never_mix_silently(a, b):  # SEM 70
    x = wrap(aligned(3), spatial("x"))
    with pytest.raises(math.NoBackendFound, match="convert"):
        math.convert(x, a) + math.convert(x, b)


def test_trees_and_bools_convert():
    tree = {"a": wrap([True, False], spatial("x")), "b": (math.vec(x=1.0, y=2.0), None)}
    for name in NAMES:
        found = math.convert(tree, name)
        assert found["a"].backend.name == name
        assert found["b"][0].backend.name == name
        assert found["b"][0]["y"].item() == 2


def test_devices():
    for name in NAMES:
        backend = math.init_backend(name)
        x = math.to_device(math.convert(wrap([1.0]), name), "CPU")
        assert x.device.device_type == "CPU"
        assert x.device in backend.list_devices()
        with pytest.raises(math.NoBackendFound, match=name):
            math.to_device(x, "TPU", convert=False)


def test_backends_agree_on_a_program(rng):
    data = rng.normal(size=(4, 3))

    def program(x):
        centred = x - math.mean(x, "p")
        return math.sum(math.vec_squared(math.sin(centred)) ** 1.5, "p")

    with math.precision(64):
        x = wrap(data, instance("p"), channel(vector="x,y,z"))
        expected = program(x)
        for name in NAMES[1:]:
            assert_close(math.convert(program(math.convert(x, name)), "numpy"), expected)


def test_jit_follows_its_arguments_and_the_default(monkeypatch):  # SEM 72
    runs = []
    f = math.jit_compile(lambda x: runs.append(1) or x + 1)
    for name in NAMES[1:]:
        with math.on_backend(name):
            assert f(wrap([1.0])).backend.name == name
            assert f(wrap([2.0])).backend.name == name
    assert len(runs) == 3
