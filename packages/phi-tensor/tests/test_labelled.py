"""pandas and xarray: names, labels and types of dims survive."""

import builtins

import numpy as np
import pandas
import pytest
import xarray

import phi_tensor as math
from phi_tensor import IncompatibleShapes, Unsupported, batch, channel, dual, instance, spatial, tensor, vec
from phi_tensor.testing import assert_close


def tensors():
    data = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)
    x = tensor(data, batch("b"), spatial("x"), channel(vector="u,v,w,p"))
    return {"one": vec(x=1.0, y=2.0), "two": x.b[0], "three": x, "ints": tensor([1, 2], instance("p"))}


@pytest.mark.parametrize("name", ["one", "two", "three", "ints"])
def test_pandas_and_back(name, backend):
    x = tensors()[name]
    found = math.to_pandas(x, "values")
    assert isinstance(found, pandas.DataFrame if name == "two" else pandas.Series)
    assert_close(math.from_pandas(found), x)


def test_frames_of_others(backend):
    frame = pandas.DataFrame({"mass": [1.0, 2.0, 3.0], "charge": [0.0, 1.0, 2.0]})
    x = math.from_pandas(frame, instance("particles"), channel("quantity"))
    assert x.shape == instance(particles=3) & channel(quantity="mass,charge")
    with pytest.raises(IncompatibleShapes, match="type of dim"):
        math.from_pandas(frame)
    with pytest.raises(IncompatibleShapes, match="2 axes"):
        math.from_pandas(frame, instance("particles"))
    with pytest.raises(TypeError, match="numbers"):
        math.from_pandas(pandas.DataFrame({"name": ["a"]}), instance("p"), channel("c"))
    series = math.to_pandas(tensors()["three"])
    with pytest.raises(IncompatibleShapes, match="combination"):
        math.from_pandas(series.iloc[1:])
    with pytest.raises(IncompatibleShapes, match="item"):
        math.to_pandas(tensor(1.0))


@pytest.mark.parametrize("name", ["one", "two", "three", "ints"])
def test_xarray_and_back(name, backend):
    x = tensors()[name]
    found = math.to_xarray(x, "values")
    assert set(found.dims) == set(x.shape.names)
    assert_close(math.from_xarray(found), x)
    assert_close(math.from_xarray(found.transpose()), x)
    found.attrs.clear()
    with pytest.raises(IncompatibleShapes, match="type of dim"):
        math.from_xarray(found)
    assert_close(math.from_xarray(found, *x.shape), x)


def test_data_sets(backend):
    tree = {"a": tensors()["two"], "b": math.ones(dual(x=3))}
    found = math.to_xarray(tree)
    assert isinstance(found, xarray.Dataset)
    assert_close(math.from_xarray(found), tree)
    with pytest.raises(IncompatibleShapes, match="belong to dims"):
        math.to_xarray({"x": math.ones(spatial(x=3))})
    with pytest.raises(IncompatibleShapes):
        math.to_xarray({"a": vec(x=1.0, y=2.0), "b": vec(y=1.0, x=2.0)})


@pytest.mark.parametrize("library", ["pandas", "xarray"])
def test_missing_libraries_are_named(library, monkeypatch):
    real = builtins.__import__
    monkeypatch.setattr("phi_tensor._labelled.import_module", lambda name: real(f"missing_{name}"))
    with pytest.raises(ImportError, match=f"pip install {library}"):
        (math.to_pandas if library == "pandas" else math.to_xarray)(vec(x=1.0))


@pytest.mark.parametrize("library", ["pandas", "xarray"])
def test_varying_sizes_are_refused(library, backend):
    ragged = math.stack([tensor([1.0], spatial("x")), tensor([2.0, 3.0], spatial("x"))], batch("b"))
    with pytest.raises(Unsupported, match="vary"):
        (math.to_pandas if library == "pandas" else math.to_xarray)(ragged)


@pytest.mark.parametrize("sizes", [{"x": 0, "c": 3}, {"b": 2, "x": 0, "c": 3}])
def test_empty_tensors_keep_their_sizes(sizes, backend):
    x = math.zeros(
        *[{"b": batch, "x": spatial, "c": channel}[name](**{name: n}) for name, n in sizes.items()]
    )
    assert math.from_pandas(math.to_pandas(x)).shape == x.shape
    assert math.from_xarray(math.to_xarray(x)).shape == x.shape


@pytest.mark.parametrize("function", [math.to_pandas, math.to_xarray])
def test_only_tensors_are_converted(function):
    for value in (3.0, [1, 2], np.ones(3)):
        with pytest.raises(TypeError, match="wrap"):
            function(value)


def test_arrays_mean_the_same_by_name(backend, rng):
    """Sums and selections by name in the other library are those of tensors."""
    x = tensor(rng.normal(size=(2, 3, 4)), batch("b"), spatial("x"), channel(vector="u,v,w,p"))
    found = math.to_xarray(x)
    np.testing.assert_allclose(found.sum("x").sel(vector="v"), math.sum(x, "x")["v"].numpy("b"), rtol=1e-5)
    series = math.to_pandas(x)
    np.testing.assert_allclose(series.groupby("b").mean(), math.mean(x, "x,vector").numpy("b"), rtol=1e-5)
    np.testing.assert_allclose(series.loc[1, 2, "w"], float(x.b[1].x[2]["w"]))
    frame = math.to_pandas(x.b[1])
    np.testing.assert_allclose(frame["w"][2], float(x.b[1].x[2]["w"]))
    assert_close(math.from_pandas(frame.T, channel("vector"), spatial("x")), x.b[1])
