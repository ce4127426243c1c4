"""Dims and dim types: constructors, filters, names, sizes, labels."""

import copy
import pickle

import pytest

from phi_tensor import (
    IncompatibleShapes,
    batch,
    channel,
    dual,
    instance,
    non_batch,
    non_channel,
    non_dual,
    non_instance,
    non_primal,
    non_spatial,
    parse_shape_spec,
    primal,
    spatial,
    vec,
    wrap,
    zeros,
)

EVERY = batch(b=2) & dual(q=3) & instance(p=4) & spatial(x=5) & channel(c=6)
FILTERS = {
    batch: "b",
    dual: "~q",
    instance: "p",
    spatial: "x",
    channel: "c",
    non_batch: "~q,p,x,c",
    non_dual: "b,p,x,c",
    non_instance: "b,~q,x,c",
    non_spatial: "b,~q,p,c",
    non_channel: "b,~q,p,x",
    primal: "p,x,c",
    non_primal: "b,~q",
}


@pytest.mark.parametrize(("selector", "names"), FILTERS.items(), ids=[f.name for f in FILTERS])
def test_types_and_filters_select(selector, names, backend):
    assert selector(EVERY).names == tuple(names.split(","))
    assert selector(zeros(EVERY)).names == selector(EVERY).names
    assert repr(selector) == selector.name


@pytest.mark.parametrize("dim_type", [batch, instance, spatial, channel], ids=repr)
def test_constructors(dim_type):
    assert dim_type(x=4, y=3).names == ("x", "y")
    assert dim_type("x,y").sizes == (None, None)
    assert dim_type("x", "y") == dim_type("x,y")
    labelled = dim_type(vector="x,y")
    assert labelled.size == 2
    assert labelled.labels == (("x", "y"),)
    assert dim_type(vector=("x", "y")) == dim_type(vector=spatial("x,y")) == labelled
    assert labelled.type is dim_type
    assert labelled.dim_type == dim_type.name


def test_numbers_have_no_dims():
    assert not spatial(3.5)
    assert not batch(None)


def test_dual_names_carry_a_tilde():
    assert dual(q=2).names == ("~q",)
    assert dual("~q") == dual("q")
    assert dual(q=2).as_channel().names == ("q",)
    assert channel(q=2).as_dual().names == ("~q",)


def test_sizes_that_vary_come_from_tensors():
    shape = batch(b=2) & spatial(x=wrap([3, 4], batch("b")))
    assert shape.volume == 7
    assert shape["x"].size == (3, 4)
    assert shape.non_uniform_shape == batch(b=2)


def test_equal_sizes_do_not_vary():
    assert spatial(x=wrap([3, 3], batch("b"))) == spatial(x=3)


@pytest.mark.parametrize(
    ("make", "error", "mentions"),
    [
        (lambda: spatial(x=-1), IncompatibleShapes, ["x", "-1"]),
        (lambda: channel(vector="x,x"), IncompatibleShapes, ["vector", "unique"]),
        (lambda: spatial(x=2.5), IncompatibleShapes, ["x", "2.5"]),
        (lambda: channel(vector=[1, 2]), TypeError, ["vector", "1"]),
        (lambda: spatial(**{"": 1}), ValueError, ["name"]),
        (lambda: spatial(1, 2), TypeError, ["1"]),
    ],
)
def test_errors_name_the_dim(make, error, mentions):
    with pytest.raises(error) as caught:
        make()
    assert all(text in str(caught.value) for text in mentions)


def test_dims_are_interned():
    assert spatial(x=3).dim is spatial(x=3).dim
    assert pickle.loads(pickle.dumps(channel(vector="x,y").dim)) is channel(vector="x,y").dim
    assert copy.deepcopy(spatial(x=3)).dim is spatial(x=3).dim
    assert pickle.loads(pickle.dumps(non_batch)) is non_batch
    assert pickle.loads(pickle.dumps(spatial)) is spatial


@pytest.mark.parametrize(
    ("spec", "shape"),
    [
        ("x", spatial("x")),
        ("x:b=2", batch(x=2)),
        ("b:b=2, x:s=4, vector:c=(x,y)", batch(b=2) & spatial(x=4) & channel(vector="x,y")),
        ("(x,y)", channel(vector="x,y")),
        ("~row:d=3", dual(row=3)),
        ("~row", dual("row")),
        ("vector", channel("vector")),
        ("points:i", instance("points")),
    ],
)
def test_specs(spec, shape):
    assert parse_shape_spec(spec) == shape


@pytest.mark.parametrize(("spec", "mentions"), [("rows", "rows"), ("x:q", "q"), ("x=y=z", "x=y=z")])
def test_wrong_specs_say_what_to_write(spec, mentions):
    with pytest.raises(ValueError, match=mentions):
        parse_shape_spec(spec)


def test_labels_select_their_position():
    assert vec(x=1, y=2).vector["y"].item() == 2
    with pytest.raises(KeyError, match="z"):
        vec(x=1, y=2).vector["z"]
