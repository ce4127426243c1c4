"""Tensors among NumPy's functions, in pickles and copies, as arrays of other libraries."""

import copy
import multiprocessing
import pickle
import subprocess
import sys

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import (
    IncompatibleShapes,
    Unsupported,
    batch,
    channel,
    extrapolation,
    instance,
    spatial,
    tensor,
    vec,
    wrap,
)
from phi_tensor._dtype import FLOAT32
from phi_tensor.backends._registry import common_backend
from phi_tensor.testing import assert_close

# --- NumPy's functions


def test_elementwise_functions_of_numpy_keep_dims(backend, rng):
    data = rng.uniform(0.5, 1.5, (2, 3)).astype(np.float32)
    x = tensor(data, spatial("x,y"))
    for function in (np.sin, np.exp, np.sqrt, np.negative, np.floor, np.isfinite, np.real, np.zeros_like):
        result = function(x)
        assert result.backend is backend
        assert_close(result, wrap(function(data), spatial("x,y")), rtol=1e-5)
    assert_close(np.add(x, 1), x + 1)
    assert_close(np.maximum(x, x * 0 + 1), math.maximum(x, 1))
    assert_close(np.power(x, 2), x**2)
    assert_close(np.where(x > 1, x, 0 * x), math.where(x > 1, x, 0 * x))
    for rounded in (np.round(x, 1), np.around(x, decimals=1)):
        assert_close(rounded, wrap(np.round(data, 1), spatial("x,y")), rtol=1e-5)
    assert_close(np.ones(2) * vec(x=1.0, y=2.0), vec(x=1.0, y=2.0))
    assert_close(np.float32(2) * x, 2 * x)
    assert_close(np.float64(2) - x, 2 - x)
    assert_close(np.array([1.0, 2.0]) == vec(x=1.0, y=1.0), vec(x=True, y=False))


def test_other_functions_of_numpy_take_one_dim(backend):
    x = tensor([3.0, 1.0, 2.0], spatial("x"))
    assert np.median(x) == 2
    assert np.add.reduce(x) == 6
    assert np.allclose(np.concatenate([x, [4.0]]), [3, 1, 2, 4])
    matrix = math.ones(spatial(x=2, y=3))
    with pytest.raises(IncompatibleShapes, match=r"phi_tensor\.mean.*numpy\('x,y'\)"):
        np.mean(matrix)
    with pytest.raises(IncompatibleShapes, match="no fixed order"):
        np.median(matrix)
    with pytest.raises(IncompatibleShapes, match="no fixed order"):
        np.add.reduce(matrix)


def test_arrays_are_not_written_into(backend):
    array = np.ones(3)
    with pytest.raises(TypeError, match="immutable"):
        array += tensor([1.0, 2.0, 3.0], spatial("x"))
    with pytest.raises(TypeError, match="cannot combine"):
        np.add(tensor([1.0], spatial("x")), object())


def test_a7_arrays_need_the_order_of_all_dims(backend):
    x = math.ones(batch(b=2), spatial(x=3))
    with pytest.raises(IncompatibleShapes, match="'b'"):
        x.numpy("x")
    with pytest.raises(IncompatibleShapes, match="order"):
        np.asarray(x)
    assert x.numpy("x,b").shape == (3, 2)


def test_arrays_copy_on_demand(backend):
    x = tensor([1.0, 2.0], spatial("x"))
    copied = np.array(x, copy=True)
    copied[0] = 9
    assert float(x.x[0]) == 1
    assert np.asarray(x, dtype=np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="needs a copy"):
        np.asarray(x, dtype=np.float64, copy=False)
    with pytest.raises(ValueError, match="needs a copy"):
        np.asarray(vec(x=tensor(1.0), y=tensor(2.0)), copy=False)


def test_numpy_shares_memory():
    data = np.ones(3)
    assert np.shares_memory(np.asarray(wrap(data, spatial("x")), copy=False), data)


# --- DLPack


def test_dlpack_shares_memory():
    data = np.arange(6.0).reshape(2, 3)
    x = math.from_dlpack(data, spatial("x,y"), backend="numpy")
    assert np.shares_memory(x.native("x,y"), data)
    assert_close(x, wrap(data, spatial("x,y")))
    assert np.shares_memory(np.from_dlpack(x.x[0]), data)


def test_dlpack_on_each_backend(backend):
    x = math.from_dlpack(np.arange(3.0), spatial("x"))
    assert x.backend is backend
    assert_close(x, wrap(np.arange(3.0), spatial("x")))
    assert np.allclose(np.from_dlpack(x), [0, 1, 2])
    with pytest.raises(TypeError, match="wrap"):
        math.from_dlpack([1.0, 2.0], spatial("x"))
    with pytest.raises(IncompatibleShapes):
        math.from_dlpack(np.ones((2, 2)), spatial("x"))
    with pytest.raises(IncompatibleShapes, match="order"):
        math.ones(spatial(x=2, y=2)).__dlpack__()


# --- backends


def test_a3_conversion_to_devices_can_be_refused(backend):
    x = tensor([1.0], spatial("x"))
    with math.on_backend("numpy"), pytest.raises(math.NoBackendFound, match=backend.name):
        math.to_device(x, "TPU", convert=False)
    assert math.to_device(x, "CPU", convert=False).device.device_type == "CPU"


def test_a24_the_default_backend_is_no_operand(backend):
    """PhiML passes its flag `prefer_default` on as a further value when it looks into trees."""
    with math.on_backend("numpy"):
        tree = {"a": [tensor([1.0], spatial("x"))], "b": (math.convert(vec(x=1.0), backend),)}
        assert common_backend((tree["a"][0].backend, tree["b"][0].backend)) is backend
        assert math.tree_map(lambda v: v + 1, tree)["b"][0].backend is backend
        assert math.stack([tree["a"][0], math.convert(tree["a"][0], backend)], batch("s")).backend is backend


# --- pickles and copies


def stored(backend):
    a = tensor([[1.0, 2.0], [3.0, 4.0]], spatial("x,y"))
    return {
        "dense": a,
        "transposed": math.swap_axes(a, "y,x"),
        "constant": math.expand(tensor([1.0, 2.0], spatial("x")), batch(b=3)),
        "stacked": vec(x=a, y=a + 1),
        "ragged": math.stack([a.x[:1], a], instance("p")),
        "bool": a > 2,
        "complex": tensor([1 + 2j], channel(c="u")),
        "empty": math.zeros(spatial(x=0)),
        "scalar": tensor(1),
    }


def test_pickled_tensors_are_stored_the_same_way(backend):
    for name, x in stored(backend).items():
        for protocol in (2, pickle.HIGHEST_PROTOCOL):
            y = pickle.loads(pickle.dumps(x, protocol))
            assert y.layout is x.layout, name
            assert_close(y, x)
        assert copy.copy(x) is copy.deepcopy(x) is x


INTERNED = {
    "dim": spatial(x=3).dim,
    "labelled dim": channel(vector="x,y").dim,
    "shape": batch(b=2) & spatial(x=3),
    "type": spatial,
    "filter": math.non_batch,
    "dtype": FLOAT32,
    "rule": extrapolation.as_extrapolation("periodic"),
}


@pytest.mark.parametrize("name", INTERNED)
def test_interned_objects_stay_interned(name):
    value = INTERNED[name]
    for other in (pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value)):
        assert other is value


def test_backends_layouts_and_functions_are_pickled(backend):
    assert pickle.loads(pickle.dumps(backend)) is backend is copy.deepcopy(backend)
    layout = vec(x=1.0, y=2.0).layout
    assert pickle.loads(pickle.dumps(layout)) is layout
    f = pickle.loads(pickle.dumps(math.jit_compile(math.l2_loss)))
    assert float(f(vec(x=3.0, y=4.0))) == 12.5
    assert not copy.deepcopy(math.jit_compile(math.l2_loss)).traces
    if "jit" in backend.supports:
        with pytest.raises(Unsupported, match="cannot be pickled"):
            math.jit_compile(lambda x: pickle.dumps(x) and x)(tensor(1.0))


EXTRAPOLATIONS = ("zero", "one", "periodic", "symmetric", "antisymmetric", "reflect", "zero-gradient", "none")


@pytest.mark.parametrize("name", EXTRAPOLATIONS)
def test_extrapolations_are_pickled(name):
    rule = extrapolation.as_extrapolation(name)
    sides = extrapolation.combine_sides(x=rule, y=extrapolation.as_extrapolation(2.0))
    for value in (rule, sides):
        for other in (pickle.loads(pickle.dumps(value)), copy.deepcopy(value)):
            assert other == value
            assert repr(other) == repr(value)


def test_interned_objects_in_another_process():
    """What comes back from another process is the object that is here."""
    program = (
        "import pickle, sys; from phi_tensor import *; data = pickle.load(sys.stdin.buffer); "
        "s, t = data; assert s is spatial(x=3) and t.shape is s and (t + 1).shape is s; "
        "sys.stdout.buffer.write(pickle.dumps((s, t + 1)))"
    )
    x = wrap([1.0, 2.0, 3.0], spatial("x"))
    done = subprocess.run(
        [sys.executable, "-c", program], input=pickle.dumps((x.shape, x)), capture_output=True, check=True
    )
    shape, result = pickle.loads(done.stdout)
    assert shape is result.shape is x.shape
    assert_close(result, x + 1)


def test_worker_processes_take_tensors():
    x = wrap([1.0, 2.0], spatial("x"))
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        result = pool.apply(math.sin, (x,))
    assert result.layout is math.sin(x).layout
    assert_close(result, math.sin(x))
