"""Whole tensors compared: `close`, `equal`, `always_close`, `assert_close`."""

import math as python_math

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import IncompatibleShapes, Unsupported, batch, channel, instance, spatial, tensor, vec, wrap
from phi_tensor.testing import assert_close as strict

CASES = [
    (1.0, 1.0 + 1e-6),
    (1.0, 1.0 + 1e-4),
    (0.0, 1e-30),
    (np.inf, np.inf),
    (np.inf, -np.inf),
    (np.inf, 1.0),
    (np.nan, np.nan),
    (3, 3),
    (2**62, -(2**62)),
    (3, 4),
]


@pytest.mark.parametrize(("a", "b"), CASES)
def test_close_is_python_isclose(a, b, backend):
    for absolute in (0, 1e-3):
        expected = python_math.isclose(a, b, rel_tol=1e-5, abs_tol=absolute)
        with math.precision(64):
            assert math.close(tensor(a), tensor(b), abs_tolerance=absolute) is expected
            assert math.always_close(tensor(a), tensor(b), abs_tolerance=absolute) is expected


def test_close_aligns_reduces_and_keeps_precision(backend):
    x = tensor([[1.0, 2.0], [1.0, 1.0]], batch("b"), spatial("x"))
    assert math.close(x, 1.0) is False
    assert math.close() is math.close(x) is True
    per_entry = math.close(x, tensor(1.0), reduce=spatial)
    strict(per_entry, wrap([False, True], batch("b")))
    fine = wrap(np.float64([1, 1 + 1e-9]), spatial("x"))
    assert math.close(fine, 1.0, rel_tolerance=0) is False
    assert math.close(fine.x[:1], 1.0, rel_tolerance=0)
    nan = tensor([1.0, math.NAN], spatial("x"))
    assert math.close(nan, nan, equal_nan=True)
    with pytest.raises(IncompatibleShapes):
        math.close(math.ones(spatial(x=2)), math.ones(spatial(x=3)))
    assert math.close(tensor(1 + 1j), tensor(1 + 1.000001j))


@pytest.mark.compiled
@pytest.mark.needs("jit")
def test_close_in_compiled_code(backend):
    f = math.jit_compile(lambda a, b: math.close(a, b))
    x = tensor([1.0, 2.0], spatial("x"))
    assert [bool(f(x, x)), bool(f(x, x + 1))] == [True, False]
    assert math.jit_compile(lambda a: 1 if math.always_close(a, a) else 0)(tensor(1.0)) == 1
    with pytest.raises(Unsupported, match="always_close"):
        math.jit_compile(lambda a: math.equal(a, a + 1))(tensor(1.0))


def test_equal_compares_structure_dims_labels_and_numbers(backend):
    x = tensor([[1, 2], [3, 4]], spatial("x,y"))
    assert math.equal(x, math.rename_dims(x, "x,y", "x,y"), math.to_float(x))
    assert math.equal({"a": x, "b": "text"}, {"a": x, "b": "text"})
    assert not math.equal({"a": x}, {"b": x})
    assert not math.equal(x, x + 1)
    assert not math.equal(x.x[0], x)
    assert not math.equal(vec(x=1, y=2), vec(y=1, x=2))
    assert not math.equal(tensor([1], batch("b")), tensor([1], instance("b")))
    assert math.equal(spatial(x=3), spatial(x=3))
    assert not math.equal(spatial(x=3), spatial(x=4))
    assert math.equal(1, 1.0, wrap(1))
    assert math.equal(np.ones(2), np.ones(2))
    assert not math.equal(1, "1")
    assert math.equal()
    nan = tensor([math.NAN], spatial("x"))
    assert not math.equal(nan, nan)
    assert math.equal(nan, nan, equal_nan=True)


def test_equal_of_ragged_tensors(backend):
    ragged = math.stack([tensor([1.0], spatial("x")), tensor([2.0, 3.0], spatial("x"))], batch("b"))
    assert math.equal(ragged, ragged)
    assert not math.equal(ragged, ragged + 1)
    assert math.always_close(ragged, ragged + 1e-9)


def test_assert_close_aligns_all_values(backend):
    math.assert_close(math.ones(spatial(x=3)), 1, tensor([1.0], channel("c")))
    math.assert_close({"a": vec(x=1.0)}, {"a": 1.0})
    math.assert_close(1.0, 1.1, rel_tolerance=0, abs_tolerance=0.2)
    with pytest.raises(AssertionError, match=r"1 of 3 .* because"):
        math.assert_close(tensor([1.0, 2.0, 1.0], spatial("x")), 1, msg="because")
    with pytest.raises(AssertionError, match="not close"):
        math.assert_close(1, 2, verbose=False)
    with pytest.raises(AssertionError, match="Structures"):
        math.assert_close([1], (1,))
    with pytest.raises(AssertionError, match="x"):
        math.assert_close(math.ones(spatial(x=3)), math.ones(spatial(x=2)))


@pytest.mark.parametrize("check", [math.assert_close, strict])
def test_a19_equal_nan_is_followed(check, backend):
    nan = tensor([1.0, math.NAN], spatial("x"))
    check(nan, nan)
    with pytest.raises(AssertionError, match="1 of 2"):
        check(nan, nan, equal_nan=False)


def test_differences_are_listed_by_place(backend):
    x = tensor([1.0, math.NAN], spatial("x"))
    tree = {"a": x, "b": [2, (x, "text")], "c": 1.0}
    assert math.find_differences(tree, {"a": x + 0, "b": [2, (x, "text")], "c": 1.0}) == []
    other = {"a": x + 1, "b": [2, (x, "other")], "c": x}
    found = math.find_differences(tree, other)
    assert [(what, where) for what, where, _, _ in found] == [
        ("tensors differ", "['a']"),
        ("values differ", "['b'][1][1]"),
        ("values differ", "['c']"),
    ]
    assert found[0][2] is tree["a"]
    assert found[0][3] is other["a"]
    (structures,) = math.find_differences([x], [x, x])
    assert structures[:2] == ("structures differ", "")


def test_differences_by_identity_and_by_a_function(backend):
    x = tensor([1.0, 2.0], spatial("x"))
    assert len(math.find_differences([x], [x + 0], compare_tensors_by_id=True)) == 1
    assert math.find_differences([x], [x + 1e-9], tensor_equality=math.always_close) == []
