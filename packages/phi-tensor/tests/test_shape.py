"""The algebra of shapes."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import assume, given

import phi_tensor as math
from phi_tensor import (
    EMPTY_SHAPE,
    IncompatibleShapes,
    Shape,
    batch,
    channel,
    concat_shapes,
    dual,
    instance,
    merge_shapes,
    non_batch,
    spatial,
    vec,
    wrap,
)
from phi_tensor.testing import assert_close, broadcastable, shapes


@given(shapes(), shapes())
def test_merging_is_commutative_and_idempotent(a, b):
    assume(a.is_compatible(b))
    assert a & b == b & a
    assert hash(a & b) == hash(b & a)
    assert a & a is a
    assert (a & b) & b == a & b
    assert set((a & b).names) == set(a.names) | set(b.names)
    assert merge_shapes(a, b) is (a & b)


@given(shapes())
def test_selection_splits(shape):
    assert shape.only(batch) & shape.without(batch) == shape
    assert shape.only("x,b").names == tuple(n for n in shape.names if n in ("x", "b"))
    assert shape.batch & shape.dual & shape.instance & shape.spatial & shape.channel == shape
    assert shape.primal & shape.non_primal == shape.non_batch & shape.batch == shape
    assert (
        shape.batch_rank + shape.dual_rank + shape.instance_rank + shape.spatial_rank + shape.channel_rank
        == shape.rank
    )
    assert (shape - "x") == shape.without("x")
    assert len(shape) == shape.rank == len(list(shape))


@given(shapes())
def test_a5_equal_shapes_hash_equally(shape):
    assert shape.reversed == shape
    assert hash(shape.reversed) == hash(shape)
    assert len({shape, shape.reversed}) == 1


@given(shapes())
def test_shapes_are_interned_and_copied_as_themselves(shape):
    assert Shape.of(shape.dims) is shape
    assert pickle.loads(pickle.dumps(shape)) is shape
    assert copy.copy(shape) is copy.deepcopy(shape) is shape


@given(broadcastable(2))
def test_results_have_merged_shapes(pair):
    assert (pair[0] + pair[1]).shape == pair[0].shape & pair[1].shape


@given(shapes())
def test_meshgrid_visits_every_position_once(shape):
    positions = [tuple(index.values()) for index in shape.meshgrid()]
    assert len(set(positions)) == len(positions) == shape.volume
    assert not shape or tuple(shape.first_index().values()) == positions[0]


def test_order_is_kept():
    assert (spatial(x=2) & batch(b=3)).names == ("x", "b")
    assert (spatial(x=2) + batch(b=3)).names == ("x", "b")
    assert spatial(x=1, y=2).only("y,x").names == ("x", "y")
    assert spatial(x=1, y=2).only("y,x", reorder=True).names == ("y", "x")


def test_a4_types_must_agree():
    with pytest.raises(IncompatibleShapes, match=r"spatial.*channel.*rename_dims"):
        spatial(x=2) & channel(x=2)
    with pytest.raises(IncompatibleShapes, match=r"spatial.*channel"):
        math.ones(spatial(x=2)) + math.ones(channel(x=2))


@pytest.mark.parametrize(
    ("make", "mentions"),
    [
        (lambda: spatial(x=2) & spatial(x=3), ["x", "2", "3"]),
        (lambda: spatial(x=1) & spatial(x=3), ["1 is not broadcast"]),
        (lambda: spatial(x=2) + spatial(x=3), ["unique"]),
        (lambda: channel(v="a,b") & channel(v="b,a"), ["Labels", "a", "b"]),
        (lambda: channel(v="a") & channel(v="b"), ["Labels"]),
        (lambda: batch(b=2) + 1, ["batch"]),
        (lambda: spatial(x=2, y=3).name, ["Exactly one dim"]),
        (lambda: EMPTY_SHAPE.size, ["Exactly one dim"]),
        (lambda: spatial(x=2, y=3).with_sizes([1]), ["2 sizes"]),
        (lambda: spatial(x=2, y=3).replace("x,y", batch("b")), ["one by one"]),
        (lambda: spatial(x=2).replace("x", batch(b=3)), ["sizes differ"]),
    ],
)
def test_errors(make, mentions):
    with pytest.raises(IncompatibleShapes) as caught:
        make()
    assert all(text in str(caught.value) for text in mentions)


def test_sizes_change_together():
    assert spatial(x=2, y=3) + 1 == spatial(x=3, y=4)
    assert spatial(x=2, y=3) - 1 == spatial(x=1, y=2)
    assert channel(vector="x,y") + 1 == channel(vector=3)


def test_membership_ignores_type_and_size():
    assert "x" in spatial(x=2)
    assert channel(x=5) in spatial(x=2)
    assert "x,y" in spatial(x=2, y=3)
    assert "z" not in spatial(x=2)
    assert spatial(x=2).isdisjoint("y")


def test_undefined_sizes_are_adopted():
    assert spatial("x") & spatial(x=3) == spatial(x=3)
    assert spatial("x").volume is None
    assert spatial("x").undefined == spatial("x")
    assert (spatial("x") & batch(b=2)).defined == batch(b=2)
    assert not spatial("x").well_defined
    assert channel(vector=2) & channel(vector="x,y") == channel(vector="x,y")


def test_look_up():
    shape = batch(b=2) & spatial(x=3) & channel(vector="x,y")
    assert shape["x"] == shape[1] == spatial(x=3)
    assert shape[1:] == shape["x,vector"] == shape[("x", "vector")]
    assert shape.get_size("x") == 3
    assert shape.get_size("y", 1) == 1
    assert shape.get_labels("vector") == ("x", "y")
    assert (spatial(x=2, y=2) & channel(c=2)).get_labels("c", fallback_spatial=True) == ("x", "y")
    assert shape.get_dim_type("b") is batch
    assert shape.index("vector") == 2
    assert shape.types == (batch, spatial, channel)
    assert shape.labels == (None, None, ("x", "y"))
    assert shape.untyped_dict == {"b": 2, "x": 3, "vector": ("x", "y")}
    assert shape.singleton == EMPTY_SHAPE
    with pytest.raises(KeyError, match="Did you mean `vector`"):
        shape.get_size("vectr")


def test_selectors_mix():
    shape = batch(b=2) & spatial(x=3, y=4) & channel(c=5)
    assert shape.only(["x", batch]) == batch(b=2) & spatial(x=3)
    assert shape.only({"x", "c"}) == spatial(x=3) & channel(c=5)
    assert shape.only(lambda s: s.spatial) == shape.spatial
    assert shape.without(non_batch) == batch(b=2)
    assert shape.only(spatial("y") & channel("q")) == spatial(y=4)
    with pytest.raises(TypeError, match="selected by"):
        shape.only(3)


def test_changed_copies():
    shape = spatial(x=2) & channel(vector="x,y")
    assert shape.with_dim_size("x", 5) == spatial(x=5) & channel(vector="x,y")
    assert shape.with_dim_size("vector", 2) == shape
    assert shape.with_dim_size("vector", 2, keep_labels=False) == spatial(x=2) & channel(vector=2)
    assert shape.with_sizes([3, 2]) == spatial(x=3) & channel(vector="x,y")
    assert shape.without_sizes() == spatial("x") & channel("vector")
    assert shape.replace("x", instance("p")) == instance(p=2) & channel(vector="x,y")
    assert spatial(x=2).with_size("a,b") == spatial(x="a,b")
    assert shape.as_batch() == batch(x=2, vector="x,y")
    assert shape.as_instance().instance_rank == shape.as_spatial().spatial_rank == 2
    assert shape & dual == concat_shapes(shape, dual(x=2, vector="x,y"))


def test_ragged_shapes():
    shape = batch(b=2) & spatial(x=wrap([3, 4], batch("b")), y=2)
    assert shape.volume == 14
    assert shape.unstack("b") == (spatial(x=3, y=2), spatial(x=4, y=2))
    assert shape.is_non_uniform
    assert not shape.is_uniform
    assert shape.non_uniform.names == ("x",)


def test_shape_of_anything():
    assert math.shape(3.5) == math.shape(None) == EMPTY_SHAPE
    assert math.shape(vec(x=1, y=2)) == channel(vector="x,y")
    assert math.shape({"a": math.ones(spatial(x=2)), "b": [math.ones(batch(b=3))]}) == spatial(x=2) & batch(
        b=3
    )
    assert math.shape("x:s=2") == spatial(x=2)
    with pytest.raises(TypeError, match="no dims"):
        math.shape(object())


def test_selection_follows_the_order_of_each_shape():
    """Equal shapes differ in order: neither may get what was kept for the other."""
    one, other = spatial(first=2, second=3), spatial(second=3, first=2)
    assert one.only(spatial, reorder=True).names == ("first", "second")
    assert other.only(spatial, reorder=True).names == ("second", "first")
    for shape in (one, other, one):
        assert math.stack([math.ones(shape), math.zeros(shape)], batch("b")).shape.names == (
            "b",
            *shape.names,
        )
        unpacked = math.unpack_dim(math.arange(instance(p=6)), "p", shape)
        assert_close(unpacked.numpy(shape), np.arange(6).reshape(shape.sizes))
