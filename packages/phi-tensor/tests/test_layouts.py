"""How tensors are stored: interning, plans, what is explained and what is unsupported."""

import gc

import pytest
from hypothesis import given

import phi_tensor as math
from phi_tensor import Unsupported, batch, channel, spatial, tensor, vec
from phi_tensor._plan import ROWS, clear_plans
from phi_tensor.layouts import Dense, Ragged, Stacked
from phi_tensor.testing import assert_close, ragged, tensors
from phi_tensor.testing._laws import check_storage


@given(x=tensors())
def test_storage_is_as_announced(x, backend):
    for result in (
        x,
        x + 1,
        x > 0,
        math.sum(x, lambda shape: shape),
        math.to_int64(x),
        math.expand(x, batch(more=2)),
    ):
        check_storage(result)


@given(x=ragged())
def test_ragged_storage_is_as_announced(x, backend):
    for result in (x, x + 1, x > 0, math.sum(x, "x"), math.to_int64(x)):
        check_storage(result)


def test_equal_layouts_are_one_object(backend):
    a, b = math.ones(spatial(x=3)) + 0, math.zeros(spatial(x=3)) + 1
    assert a.layout is b.layout
    assert vec(x=1.0, y=2.0).layout is vec(x=3.0, y=4.0).layout
    assert (a + b).layout is a.layout


def test_plans_are_made_once(backend):
    a = tensor([1.0, 2.0], spatial("x"))
    clear_plans()
    plans = ROWS["add"].plans
    a + a
    made = dict(plans)
    for _ in range(3):
        a + a
    assert dict(plans) == made
    assert len(made) == 1
    clear_plans()
    gc.collect()
    assert_close(a + a, 2 * a)


def test_precision_is_part_of_the_plan(backend):
    a = tensor([1.0, 2.0], spatial("x"))
    for bits in (64, 32, 16, 64, 32):
        with math.precision(bits):
            assert (a + a).dtype.precision == bits


def test_constant_dims_are_not_stored(backend):
    x = math.expand(tensor([1.0, 2.0], spatial("x")), batch(b=3))
    assert isinstance(x.layout, Dense)
    assert [dim.name for dim in x.layout.stored] == ["x"]
    assert [dim.name for dim in x.layout.constant] == ["b"]
    assert math.sum(x, "b").layout.stored == x.layout.stored
    assert "constant along" in repr(x.layout)


def test_parts_stay_apart_under_element_wise_operations(backend):
    v = vec(x=tensor([1.0, 2.0], spatial("s")), y=tensor([3.0, 4.0], spatial("s")))
    for result in (v + 1, v * v, math.sin(v), math.sum(v, "s"), v.s[0]):
        assert isinstance(result.layout, Stacked)
    assert isinstance(math.sum(v, "vector").layout, Dense)


def test_explain_names_operations_and_layouts(backend):
    text = math.explain(lambda a: math.sum(a + 1), math.ones(spatial(x=3)))
    assert text.splitlines()[0].startswith("add: Dense(")
    assert "sum: " in text
    assert " -> Dense(" in text


def test_unsupported_names_operation_and_layout(backend):
    x = math.stack([math.ones(spatial(x=2)), math.ones(spatial(x=3))], batch("b"))
    assert isinstance(x.layout, Ragged)
    with pytest.raises(Unsupported, match=r"(?s)join.*Ragged.*b:b=2"):
        x.block()
    with pytest.raises(Unsupported, match=r"pad.*Ragged"):
        math.pad(x, {"b": (1, 1)}, 0)


def test_results_do_not_depend_on_the_layout_of_channels(backend):
    dense = tensor([[1.0, 2.0], [3.0, 4.0]], channel(vector="x,y"), spatial("s"))
    stacked = vec(x=dense["x"], y=dense["y"])
    assert_close(math.norm(dense), math.norm(stacked))
    assert_close(dense * stacked, stacked * dense)
