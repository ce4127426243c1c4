"""Joining by type and by label, cutting off, one size for ragged values, short names, order of storage."""

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import (
    IncompatibleShapes,
    Unsupported,
    batch,
    channel,
    dual,
    instance,
    primal,
    spatial,
    tensor,
    vec,
    wrap,
)
from phi_tensor.layouts import Dense
from phi_tensor.testing import assert_close, check_gradient

EVERY = batch(b=2) & dual(d=2) & instance(i=2) & spatial(s=2) & channel(c=2)


@pytest.mark.parametrize(
    ("function", "old", "new"),
    [
        (math.b2i, batch, instance),
        (math.c2b, channel, batch),
        (math.c2d, channel, dual),
        (math.i2b, instance, batch),
        (math.s2b, spatial, batch),
        (math.si2d, (spatial, instance), dual),
        (math.p2d, primal, dual),
        (math.d2i, dual, instance),
        (math.d2s, dual, spatial),
    ],
)
def test_retyping(function, old, new, backend):
    changed = function(math.zeros(EVERY)).shape
    kept = EVERY.without(old)
    assert changed == kept & EVERY.only(old).as_type(new)
    assert function.__name__ in dir(math)
    assert "dims as" in function.__doc__


@pytest.mark.parametrize(
    ("function", "of_type"),
    [(math.dpack, dual), (math.ipack, instance), (math.spack, spatial), (math.cpack, channel)],
)
def test_packing(function, of_type, backend, rng):
    x = tensor(rng.standard_normal((2, 3, 4)), of_type("u"), of_type("v"), batch("b"))
    assert_close(
        function(x, of_type("w")), math.pack_dims(x, "~u,~v" if of_type is dual else "u,v", of_type("w"))
    )


@pytest.mark.parametrize(
    ("function", "of_type"),
    [
        (math.brange, batch),
        (math.drange, dual),
        (math.irange, instance),
        (math.srange, spatial),
        (math.crange, channel),
    ],
)
def test_ranges(function, of_type, backend):
    assert_close(function(n=3), math.arange(of_type(n=3)))
    assert function(2, n=5).numpy().tolist() == [2, 3, 4]
    with pytest.raises(IncompatibleShapes, match="makes one dim"):
        function(n=3, m=4)


@pytest.mark.parametrize(
    ("function", "of_type"),
    [(math.ccat, channel), (math.icat, instance), (math.dcat, dual), (math.scat, spatial)],
)
def test_joining_by_type(function, of_type, backend):
    name = of_type.dim_name("n")
    long = tensor(np.arange(6.0).reshape(2, 3), of_type("n"), of_type("m"))
    joined = function([long, tensor(6.0), tensor([7.0, 8.0], of_type("n"))])
    assert joined.shape.names == (name,)
    assert joined.numpy().tolist() == list(range(9))
    single = function([tensor(1.0), tensor(2.0)])
    assert single.shape == of_type(**{function.__name__: 2})
    assert function([tensor(1.0), math.ones(batch(b=2))]).shape.batch == batch(b=2)


def test_joining_names(backend):
    a, b = tensor([1.0], spatial("x")), tensor([2.0], spatial("y"))
    assert math.tcat([a, b], spatial).shape == spatial(x=2)
    assert math.tcat([a, b], spatial, default_name="y").shape == spatial(y=2)
    with pytest.raises(IncompatibleShapes, match="at least one value"):
        math.tcat([], spatial)
    with pytest.raises(IncompatibleShapes, match="missing in some"):
        math.tcat([a, math.zeros(spatial(x=1) & channel(c=2))], spatial)


def test_labelled_components(backend):
    dim = channel(vector="x,y,z")
    joined = math.ncat([vec(z=3.0, x=1.0), 2.0], dim)
    assert_close(joined, vec(x=1.0, y=2.0, z=3.0))
    with pytest.raises(IncompatibleShapes, match=r"components .* but needs"):
        math.ncat([vec(x=1.0)], dim)
    with pytest.raises(IncompatibleShapes, match=r"\['w'\]"):
        math.ncat([vec(w=1.0), 1.0, 2.0, 3.0], dim)
    with pytest.raises(IncompatibleShapes, match="has none"):
        math.ncat([1.0], channel(vector=1))


# --- cutting off


def test_slices_are_cut_off(backend):
    x = tensor(np.arange(12.0).reshape(3, 4), spatial("x,y"))
    for cut, kept in [
        ({"x": 0}, np.s_[1:]),
        ({"x": -1}, np.s_[:-1]),
        ({"y": slice(2, None)}, np.s_[:, :2]),
        ({"x": 1}, np.s_[[0, 2]]),
        ({"y": [0, 2]}, np.s_[:, [1, 3]]),
        ({"x": slice(None)}, np.s_[:0]),
        ({"z": 0}, np.s_[:]),
    ]:
        np.testing.assert_array_equal(math.slice_off(x, cut).numpy("x,y"), x.numpy("x,y")[kept])
    both = math.slice_off(x, {"x": 0}, {"y": 0}, {"x": 2})
    assert both.numpy("x,y").tolist() == [[5, 6, 7]]
    labelled = math.slice_off([vec(x=1, y=2, z=3)], {"vector": "x,z"})[0]
    assert_close(labelled, vec(y=2))


def test_corners_are_cut_off(backend):
    x = tensor(np.arange(12.0).reshape(3, 4), spatial("x,y"))
    rest = math.slice_off(x, {"x": 0, "y": slice(2)}, {"y": 3})
    assert [row.numpy().tolist() for row in rest.x] == [[2], [4, 5, 6], [8, 9, 10]]
    last = math.slice_off(x, {"x": 0, "y": 0}, {"x": 1})
    assert [row.numpy().tolist() for row in last.x] == [[1, 2, 3], [8, 9, 10, 11]]


@pytest.mark.needs("reverse")
def test_derivative_of_cutting_and_padding(backend, rng):
    x = tensor(rng.standard_normal((3, 4)), spatial("x,y"))

    def loss(x):
        rest = math.slice_off(x, {"x": 0, "y": slice(2)})
        return math.sum(math.pad_to_uniform(rest, pad_value=0.5) ** 2)

    check_gradient(loss, x)


def test_one_size(backend):
    ragged = math.stack([tensor(np.arange(1.0, n), spatial("x")) for n in (3, 2)], batch("b"))
    assert math.pad_to_uniform(ragged).numpy("b,x").tolist() == [[1, 2], [1, 0]]
    wide = math.pad_to_uniform([ragged], spatial(x=3), -1.0)[0]
    assert wide.numpy("b,x").tolist() == [[1, 2, -1], [1, -1, -1]]
    uniform = math.pad_to_uniform(tensor([1.0], spatial("x")), spatial(x=2))
    assert uniform.numpy().tolist() == [1, 0]
    deep = math.stack([ragged, 2 * ragged], channel("c"))
    assert math.pad_to_uniform(deep).numpy("c,b,x").tolist() == [[[1, 2], [1, 0]], [[2, 4], [2, 0]]]
    with pytest.raises(IncompatibleShapes, match="ask for at least 2"):
        math.pad_to_uniform(ragged, spatial(x=1))


# --- arranging


def test_order_of_storage(backend, rng):
    x = tensor(rng.standard_normal((3, 4)), spatial("x,y"))
    for axes in ("y,x", ("y", "x"), (1, 0), spatial("y,x")):
        turned = math.swap_axes(x, axes)
        assert isinstance(turned.layout, Dense)
        assert [dim.name for dim in turned.layout.stored] == ["y", "x"]
        assert_close(turned, x)
    assert math.swap_axes([x], "y,x")[0].shape.names == ("y", "x")
    assert backend.shape(math.swap_axes(x.native("x,y"), (1, 0))) == (4, 3)
    assert math.swap_axes(tensor(1.0), ()).rank == 0
    with pytest.raises(IncompatibleShapes, match="each dim"):
        math.swap_axes(x, "y")
    with pytest.raises(TypeError, match="tensors and arrays"):
        math.swap_axes("xy", (1, 0))


def test_arrays_of_grouped_axes(backend):
    data = np.arange(12.0).reshape(2, 6, 1)
    x = math.reshaped_tensor(data, [batch("b"), spatial(x=2, y=3), ""])
    assert x.shape == batch(b=2) & spatial(x=2, y=3)
    assert x.backend is backend
    np.testing.assert_array_equal(x.numpy("b,x,y"), data.reshape(2, 2, 3))
    inferred = math.reshaped_tensor(
        data, [batch("b"), spatial(x=2) & spatial("y"), channel(c=4)], convert=False
    )
    assert inferred.shape == batch(b=2) & spatial(x=2, y=3) & channel(c=4)
    with pytest.raises(IncompatibleShapes, match="cannot become"):
        math.reshaped_tensor(data, [batch("b"), spatial("x"), channel(c=4)], check_sizes=True)
    with pytest.raises(IncompatibleShapes, match="multiply to 6"):
        math.reshaped_tensor(data, [batch("b"), spatial(x=4, y=2), channel("c")])
    with pytest.raises(IncompatibleShapes, match="size 1"):
        math.reshaped_tensor(data, ["", spatial("x"), ""])


def test_counted_entries_and_vectors(backend):
    counted = math.range_tensor(spatial(x=2), channel(c=3))
    assert counted.numpy("x,c").tolist() == [[0, 1, 2], [3, 4, 5]]
    assert math.range_tensor().item() == 0
    with pytest.raises(IncompatibleShapes, match="known sizes"):
        math.range_tensor(spatial("x"))
    for dim in (spatial("x,y"), "x,y", ("x", "y"), channel(vector="x,y")):
        assert_close(math.const_vec(2, dim), wrap([2, 2], channel(vector="x,y")))
    assert math.const_vec(math.zeros(batch(b=2)), "x").shape == batch(b=2) & channel(vector="x")
    with pytest.raises(IncompatibleShapes, match="one dim with a size"):
        math.const_vec(1, channel("c"))
    assert_close(math.dim_mask(spatial("x,y"), "y"), wrap([False, True], channel(vector="x,y")))
    assert_close(math.dim_mask(("x", "y"), spatial, channel("c")), wrap([True, True], channel(c="x,y")))
    assert math.identity(counted) is counted


def test_shapes_after_slicing(backend):
    shape = batch(b=2) & spatial(x=4) & channel(vector="x,y")
    after = shape.after_gather({"x": slice(1, None, 2), "vector": "y", "z": 0})
    assert after == batch(b=2) & spatial(x=2)
    assert shape.after_gather({"vector": "y,x"}) == batch(b=2) & spatial(x=4) & channel(vector="y,x")
    ragged = batch(b=2) & spatial(x=wrap([1, 3], batch("b")))
    assert ragged.after_gather({"b": 1}) == spatial(x=3)
    with pytest.raises(IncompatibleShapes, match="known sizes"):
        spatial("x").after_gather({"x": 0})


def test_ragged_values_have_no_order_of_storage(backend):
    ragged = math.stack([math.zeros(spatial(x=n)) for n in (1, 2)], batch("b"))
    with pytest.raises((IncompatibleShapes, Unsupported)):
        math.swap_axes(ragged, "x,b")
