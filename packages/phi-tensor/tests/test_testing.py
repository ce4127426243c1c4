"""What `phi_tensor.testing` publishes: every check is seen to fail."""

import os
import subprocess
import sys
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given

import phi_tensor as math
from phi_tensor import batch, channel, instance, spatial, tensor, vec, wrap
from phi_tensor.testing import _laws as laws
from phi_tensor.testing import (
    assert_close,
    broadcastable,
    check_gradient,
    dims,
    fitted_order,
    ragged,
    shapes,
    tensors,
)
from phi_tensor.testing.plugin import requested_backends

PAIRS = {
    "numbers": (vec(x=1.0, y=2.0), vec(x=1.0, y=2.0 + 1e-4), "1 of 2 numbers differ"),
    "names of dims": (wrap([1.0], spatial("x")), wrap([1.0], spatial("y")), "Dims differ"),
    "missing dims": (wrap([1.0], spatial("x")), wrap(1.0), "Dims differ"),
    "types of dims": (wrap([1.0], spatial("x")), wrap([1.0], batch("x")), "Types of dims differ"),
    "labels": (vec(x=1.0, y=1.0), vec(x=1.0, z=1.0), "Labels"),
    "absent labels": (vec(x=1.0), wrap([1.0], channel("vector")), "Labels"),
    "sizes": (math.ones(spatial(x=2)), math.ones(spatial(x=3)), "sizes differ"),
    "structure": ((vec(x=1.0), 1.0), [vec(x=1.0), 1.0], "Structures differ"),
    "static parts": ({"a": 1.0, "name": "u"}, {"a": 1.0, "name": "v"}, "Structures differ"),
    "unnamed axes": (wrap([1.0, 2.0], spatial("x")), np.array([1.0, 2.0]), "without dims"),
    "ints": (wrap([1, 2], spatial("x")), wrap([1, 3], spatial("x")), "1 of 2"),
    "bools": (wrap(True), wrap(False), "1 of 1"),
    "nan": (wrap(float("nan")), wrap(1.0), "1 of 1"),
    "infinities": (wrap(float("inf")), wrap(-float("inf")), "1 of 1"),
    "infinity and a number": (wrap(1.0), wrap(float("inf")), "1 of 1"),
    "imaginary part": (wrap(1 + 1j), wrap(1 + 2j), "1 of 1"),
    "arrays": (np.ones(3), np.ones(4), "Sizes differ"),
}


@pytest.mark.parametrize(("actual", "desired", "message"), PAIRS.values(), ids=PAIRS)
def test_assert_close_sees(actual, desired, message):
    with pytest.raises(AssertionError, match=message):
        assert_close(actual, desired)
    assert_close(actual, actual)
    assert_close(desired, desired)


def test_assert_close_has_tolerances_of_the_dtype():
    assert_close(wrap(1 + 1e-6), wrap(1.0))
    with pytest.raises(AssertionError):
        assert_close(np.float64(1 + 1e-6), np.float64(1))
    assert_close(np.float64(1 + 1e-13), np.float64(1))
    assert_close(wrap(1.001), wrap(1.0), rtol=1e-2, because="coarse")
    assert_close(wrap(1e-9), wrap(0.0), atol=1e-8)
    with pytest.raises(AssertionError, match="coarse"):
        assert_close(wrap(1e-9), wrap(2e-9), because="coarse")


def test_assert_close_takes_two_positional_values():
    with pytest.raises(TypeError):
        assert_close(1.0, 1.0, 1e-5)


def test_a19_assert_close_compares_every_number():
    with pytest.raises(AssertionError, match=r"first at \(2,\)"):
        assert_close(wrap([1.0, np.nan, 3.0], spatial("x")), wrap([1.0, np.nan, np.nan], spatial("x")))


def test_assert_close_ignores_order_and_storage(backend):
    a = tensor([[1.0, 2.0], [3.0, 4.0]], spatial("x,y"))
    transposed = tensor([[1.0, 3.0], [2.0, 4.0]], spatial("y,x"))
    assert_close(a, transposed)
    assert_close(a, math.stack([a.x[0], a.x[1]], spatial("x")))
    assert_close(a, wrap([[1.0, 2.0], [3.0, 4.0]], spatial("x,y")))


def test_assert_close_compares_ragged_tensors(backend):
    a = math.stack([tensor([1.0, 2.0], spatial("x")), tensor([3.0], spatial("x"))], batch("b"))
    b = math.stack([tensor([1.0, 2.0], spatial("x")), tensor([4.0], spatial("x"))], batch("b"))
    assert_close(a, a + 0)
    with pytest.raises(AssertionError, match="numbers differ"):
        assert_close(a, b)
    with pytest.raises(AssertionError, match="sizes differ"):
        assert_close(a, math.ones(batch(b=2), spatial(x=2)))


@pytest.mark.needs("reverse", "forward")
def test_check_gradient_accepts_derivatives(backend, rng):
    x = tensor(rng.uniform(1, 2, (3, 2)), batch("b"), spatial("x"))
    check_gradient(lambda a, b: {"product": a * b, "sine": math.sin(a)}, x, 2.0)
    check_gradient(lambda parts: parts["a"] / parts["b"], {"a": x, "b": x + 1})


@pytest.mark.needs("reverse", "forward")
@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_check_gradient_sees_wrong_derivatives(mode, backend, rng):
    x = tensor(rng.uniform(1, 2, 3), spatial("x"))
    with pytest.raises(AssertionError, match=f"The {mode} derivative"):
        check_gradient(lambda a: math.stop_gradient(a) * a, x, modes=(mode,))


def test_fitted_order():
    assert fitted_order({8: 1e-2, 16: 2.5e-3, 32: 6.25e-4}) == pytest.approx(2)
    assert fitted_order({10: 1.0, 20: 1.0, 40: 1.0}) == pytest.approx(0)
    with pytest.raises(AssertionError):
        fitted_order({8: 1e-2})


@given(shapes(max_rank=3))
def test_shapes_are_small_and_uniform(shape):
    assert shape.rank <= 3
    assert shape.is_uniform
    assert all(1 <= size <= 4 for size in shape.sizes)


@given(dims())
def test_dims_are_single(shape):
    assert shape.rank == 1


@given(pair=broadcastable(3))
def test_broadcastable_tensors_fit(pair, backend):
    assert all(x.backend is backend for x in pair)
    assert_close(pair[0] + pair[1] + pair[2], pair[2] + pair[1] + pair[0])


@given(x=tensors(spatial(x=2, y=3), int))
def test_tensors_have_the_shape_and_type(x, backend):
    assert x.shape == spatial(x=2, y=3)
    assert x.dtype == int


@given(x=ragged())
def test_ragged_tensors_vary(x, backend):
    assert x.shape.is_non_uniform
    assert x.shape.non_uniform.names == ("x",)


def test_requested_backends(monkeypatch):
    monkeypatch.setenv("PHI_BACKENDS", "numpy")
    assert requested_backends() == ("numpy",)
    monkeypatch.delenv("PHI_BACKENDS")
    assert "numpy" in requested_backends()
    monkeypatch.setenv("PHI_BACKENDS", "numpy, caffe")
    with pytest.raises(pytest.UsageError, match="caffe"):
        requested_backends()


def test_a_missing_requested_backend_is_an_error(monkeypatch):
    monkeypatch.setenv("PHI_BACKENDS", "numpy,jax")
    monkeypatch.setattr("phi_tensor.testing.plugin._installed", lambda name: name == "numpy")
    with pytest.raises(pytest.UsageError, match=r"phi-tensor\[jax\]"):
        requested_backends()


def test_random_numbers_repeat(rng):
    same = np.random.default_rng(crc32(b"test_testing.py::test_random_numbers_repeat"))
    assert rng.integers(1 << 30) == same.integers(1 << 30)


INNER = """
import sys
import phi_tensor as math
from phi_tensor.testing import assert_close

def test_inner(backend, rng, execution):
    x = math.tensor(rng.normal(size=3), math.spatial("x"))
    assert x.backend is backend
    assert_close(execution(lambda a: a + 1)(x), x + 1)
    assert not {"torch", "jax", "tensorflow"} & set(sys.modules)
"""


def test_a_run_on_numpy_imports_nothing_else(tmp_path):
    (tmp_path / "test_inner.py").write_text(INNER, "utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-rs",
        "-p",
        "phi_tensor.testing.plugin",
        "-p",
        "no:cacheprovider",
        str(tmp_path),
    ]
    done = subprocess.run(
        command,
        env=os.environ | {"PHI_BACKENDS": "numpy"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed, 1 skipped" in done.stdout, done.stdout + done.stderr
    assert "numpy does not compile" in done.stdout


@pytest.mark.needs("jit")
@pytest.mark.compiled
def test_execution_compiles(backend, execution):
    x = tensor([1.0, 2.0], instance("p"))
    assert_close(execution(lambda a: 2 * a)(x), tensor([2.0, 4.0], instance("p")))


def test_support_table_tells_why_gaps_are_there(tmp_path):
    table = laws.Support()
    table.add("sin", "dense", "value", "numpy", None)
    table.add("join", "ragged", "value", "numpy", "there is no single array")
    table.add("join", "ragged", "value", "numpy", None)
    table.write(tmp_path / "support.md")
    text = (tmp_path / "support.md").read_text("utf-8")
    assert "| join | · |" in text
    assert "| join | ragged | value | numpy | there is no single array |" in text
    assert "| sin | v |" in text
    assert "see the gaps" in text
