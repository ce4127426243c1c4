"""Stacking, joining, packing, renaming: what moves numbers without computing."""

import pytest
from hypothesis import assume, given

import phi_tensor as math
from phi_tensor import IncompatibleShapes, batch, channel, dual, instance, spatial, tensor, vec, wrap
from phi_tensor.layouts import Dense, Ragged, Stacked
from phi_tensor.testing import assert_close, ragged, tensors


@given(x=tensors())
def test_inverses(x, backend):
    for dim in x.shape:
        assert_close(math.stack(math.unstack(x, dim), dim), x)
        assert_close(math.flip(math.flip(x, dim), dim), x)
        assert_close(math.concat([x[{dim.name: slice(1)}], x[{dim.name: slice(1, None)}]], dim.name), x)
        assert_close(math.roll(math.roll(x, 1, dim.name), -1, dim.name), x)
        assert_close(math.rename_dims(math.rename_dims(x, dim, instance("other")), "other", dim), x)
    assume(x.shape)
    packed = math.pack_dims(x, x.shape.names, instance("packed"))
    assert packed.shape.volume == x.shape.volume
    assert_close(math.unpack_dim(packed, "packed", x.shape), x)
    assert_close(math.squeeze(math.expand(x, batch(new=1)), "new"), x)


@given(x=ragged())
def test_ragged_inverses(x, backend):
    assert_close(math.stack(math.unstack(x, "b"), batch("b")), x)
    assert_close(math.flip(math.flip(x, "x"), "x"), x)
    assert_close(math.rename_dims(math.rename_dims(x, "b,x", "other,long"), "other,long", "b,x"), x)


def test_stacking_is_lazy(backend):
    a, b = tensor([1.0, 2.0], spatial("x")), tensor([3.0, 4.0], spatial("x"))
    stacked = math.stack([a, b], channel("c"))
    assert isinstance(stacked.layout, Stacked)
    assert [id(n) for n in stacked.natives] == [id(a.natives[0]), id(b.natives[0])]
    assert stacked.block() is stacked.block()
    assert isinstance(stacked.block().layout, Dense)
    assert_close(stacked.block(), stacked)
    assert a.block() is a


def test_stacking_needs_equal_dims(backend):
    with pytest.raises(IncompatibleShapes, match="expand_values"):
        math.stack([math.zeros(spatial(x=3)), tensor(1.0)], batch("b"))
    expanded = math.stack([math.zeros(spatial(x=3)), tensor(1.0)], batch("b"), expand_values=True)
    assert_close(expanded.b[1], math.ones(spatial(x=3)))
    assert math.stack([math.zeros(batch(b=3)), tensor(1.0)], channel("c")).shape == batch(b=3) & channel(c=2)
    with pytest.raises(IncompatibleShapes, match="agree"):
        math.stack([vec(x=1, y=2), vec(a=1, b=2)], batch("b"))
    with pytest.raises(IncompatibleShapes, match="new dim"):
        math.stack([math.zeros(spatial(x=3))], spatial("x"))
    with pytest.raises(IncompatibleShapes, match="at least one"):
        math.stack([], batch("b"))


def test_dicts_become_labels(backend):
    stacked = math.stack({"u": 1, "v": 2}, channel("c"))
    assert stacked.shape == channel(c="u,v")
    assert stacked["v"].item() == 2


def test_several_dims_fill_row_major(backend):
    assert math.stack([1, 2, 3, 4], batch(a=2, b=2)).a[1].b[0].item() == 3
    with pytest.raises(IncompatibleShapes, match="4 places"):
        math.stack([1, 2, 3], batch(a=2, b=2))
    assert math.stack([1, 2], "c:c").shape == channel(c=2)


def test_sizes_that_differ_are_ragged(backend):
    x = math.stack([math.zeros(spatial(x=3)), math.ones(spatial(x=4))], batch("b"))
    assert isinstance(x.layout, Ragged)
    assert x.shape.get_size("x") == (3, 4)
    assert x.shape.volume == 7
    assert math.zeros(x.shape).shape == x.shape
    assert_close((x + 1).b[1], 2 * math.ones(spatial(x=4)))
    with pytest.raises(IncompatibleShapes, match="vary"):
        x.native("b,x")


def test_a40_packing_ragged_dims(backend):
    x = math.stack([tensor([1, 2], spatial("x")), tensor([3], spatial("x"))], batch("b"))
    assert_close(math.pack_dims(x, "b,x", instance("p")), wrap([1, 2, 3], instance("p")))


def test_packing_within_entries_stays_ragged(backend):
    x = math.stack([math.ones(spatial(x=2, y=2)), math.ones(spatial(x=1, y=2))], batch("b"))
    assert math.pack_dims(x, "x,y", instance("p")).shape.get_size("p") == (4, 2)


def test_packing_follows_the_order_of_dims(backend):
    x = tensor([[0, 1], [2, 3]], spatial("x,y"))
    assert_close(math.pack_dims(x, "y,x", instance("p")), wrap([0, 2, 1, 3], instance("p")))
    assert_close(math.pack_dims(x, spatial, instance("p")), wrap([0, 1, 2, 3], instance("p")))
    assert_close(x.x.y.pack(instance("p")), wrap([0, 1, 2, 3], instance("p")))
    assert math.pack_dims(tensor(1), "q", instance("p")).rank == 0
    assert math.pack_dims(tensor(1), "q", instance(p=3)).shape == instance(p=3)
    with pytest.raises(IncompatibleShapes, match="4 entries"):
        math.pack_dims(x, "x,y", instance(p=5))


def test_unpacking_infers_one_size(backend):
    x = math.arange(instance(p=6))
    assert math.unpack_dim(x, "p", spatial(x=2, y=None)).shape == spatial(x=2, y=3)
    assert x.p.unpack(spatial(x=2, y=3)).x[1].y[0].item() == 3
    with pytest.raises(IncompatibleShapes, match="multiply to 6"):
        math.unpack_dim(x, "p", spatial(x=4, y=None))


def test_renaming(backend):
    x = math.ones(spatial(x=2, y=3))
    assert math.rename_dims(x, "x,z", "a,b").shape == spatial(a=2, y=3)
    assert math.rename_dims(x, spatial, channel).shape == channel(x=2, y=3)
    assert math.rename_dims(x, "x", batch("b")).shape == batch(b=2) & spatial(y=3)
    assert math.replace_dims(x, "x", dual("row")).shape == dual(row=2) & spatial(y=3)
    assert math.rename_dims(spatial(x=2), "x", "z") == spatial(z=2)
    with pytest.raises(IncompatibleShapes, match="one by one"):
        math.rename_dims(x, "x,y", "a")
    with pytest.raises(IncompatibleShapes, match="sizes differ"):
        math.rename_dims(x, "x", batch(b=5))
    assert x.x.as_batch().shape == batch(x=2) & spatial(y=3)
    assert x.x.as_dual("q").shape == dual(q=2) & spatial(y=3)
    assert x.x.as_instance().x.as_channel().x.as_spatial().shape == x.shape
    assert x.x.rename("z").shape == x.x.replace(spatial("z")).shape == spatial(z=2, y=3)


def test_concatenation(backend):
    assert_close(math.concat([vec(x=1), vec(y=2)], "vector"), vec(x=1, y=2))
    mixed = math.concat([vec(x=1), wrap([2], channel("vector"))], "vector")
    assert mixed.shape == channel(vector=2)
    assert math.concat([math.zeros(spatial(x=0)), math.ones(spatial(x=2))], "x").shape == spatial(x=2)
    with pytest.raises(IncompatibleShapes, match="missing"):
        math.concat([math.ones(spatial(x=2)), math.ones(spatial(x=2), channel(c=2))], "x")
    with pytest.raises(IncompatibleShapes, match="stack"):
        math.concat([math.ones(spatial(x=2))], "y")
    with pytest.raises(IncompatibleShapes, match="2 on one side and 3"):
        math.concat([math.ones(spatial(x=2, y=2)), math.ones(spatial(x=2, y=3))], "x")


def test_a18_labels_do_not_repeat(backend):
    with pytest.raises(IncompatibleShapes, match="repeat"):
        math.concat([vec(x=1), vec(x=2)], "vector")


def test_flattening_and_squeezing(backend):
    x = math.ones(batch(b=2), spatial(x=2, y=3))
    assert math.flatten(x).shape == batch(b=2) & instance(flat=6)
    assert math.flatten(x, channel("c"), flatten_batch=True).shape == channel(c=12)
    with pytest.raises(IncompatibleShapes, match="size 1"):
        math.squeeze(x, "y")


def test_flipping_reverses_labels(backend):
    assert_close(math.flip(vec(x=1, y=2), "vector"), vec(y=2, x=1))


def test_expanding_checks_present_dims(backend):
    assert math.expand(tensor(1.0), "b:b=3").shape == batch(b=3)
    with pytest.raises(IncompatibleShapes):
        math.expand(math.ones(spatial(x=2)), spatial(x=3))
    with pytest.raises(IncompatibleShapes, match="known sizes"):
        math.expand(tensor(1.0), spatial("x"))


def test_unstacking_many(backend):
    x = tensor([[0, 1], [2, 3]], spatial("x,y"))
    assert [int(v) for v in math.unstack(x, "x,y")] == [0, 1, 2, 3]
    assert math.unstack(x, batch) == (x,)
    assert len(x.x) == 2
    assert [v.shape for v in x.x] == [spatial(y=2)] * 2
    assert x.dimension("z").unstack(3) == (x,) * 3


def test_joined_values_agree_in_labels_and_types_however_they_are_stored(backend):
    named, plain = math.vec(x=1.0, y=2.0), tensor([3.0, 4.0], channel("vector"))
    for values in ([named, plain], [plain, named], [plain, named, plain]):
        both = math.stack(values, batch("b"))
        assert both.shape == batch(b=len(values)) & channel(vector="x,y")
        assert both.numpy("b,vector").tolist() == [v.numpy("vector").tolist() for v in values]
        joined = math.concat([math.stack([v, v], batch("b")) for v in values], "b")
        assert joined.shape == batch(b=2 * len(values)) & channel(vector="x,y")
        assert joined.numpy("b,vector").shape == (2 * len(values), 2)
    other, points = tensor([5.0, 6.0], channel(vector="u,v")), tensor([5.0, 6.0], spatial("vector"))
    for values in ([named, other], [plain, named, other], [named, points], [plain, points]):
        with pytest.raises(IncompatibleShapes, match="vector"):
            math.stack(values, batch("b"))
        with pytest.raises(IncompatibleShapes, match="vector"):
            math.concat([math.stack([v, v], batch("b")) for v in values], "b")
