"""Functions called slice by slice or in chunks, under other types of dims, with native arrays."""

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import (
    EMPTY_SHAPE,
    IncompatibleShapes,
    Unsupported,
    batch,
    channel,
    dual,
    instance,
    spatial,
    stack,
    tensor,
    vec,
    wrap,
)
from phi_tensor.testing import assert_close, check_gradient

# --- map


def test_map_calls_every_slice(backend, rng):  # SEM 97
    a, b = rng.normal(size=3), rng.normal(size=2)
    result = math.map(lambda x, y: x * y, tensor(a, spatial("x")), tensor(b, batch("b")))
    assert_close(result, tensor(np.outer(a, b), spatial("x"), batch("b")))


def test_map_unwraps_numbers_of_numpy_alone(backend):
    found = []
    math.map(lambda x: found.append(x), tensor([1.0, 2.0], spatial("x")))
    assert [isinstance(x, np.float32 | np.float64) for x in found] == [backend.mixes] * 2
    found.clear()
    math.map(lambda x: found.append(x), wrap([1.0], spatial("x")), unwrap_scalars=False)
    assert isinstance(found[0], math.Tensor)


def test_map_takes_dims_trees_keywords_and_other_values(backend, rng):
    data = rng.normal(size=(3, 4)).astype(np.float32)
    tree = {"a": tensor(data, spatial("x,y")), "name": "text"}
    result = math.map(
        lambda t, scale, word: (math.max(t["a"], "y") * scale, t["name"] == word == "text", None),
        tree,
        scale=tensor([1.0, 2.0, 3.0], spatial("x")),
        word="text",
        dims="x",
    )
    assert_close(result[0], tensor(data.max(1) * [1, 2, 3], spatial("x")), rtol=1e-6)
    assert_close(result[1], wrap([True] * 3, spatial("x")))
    assert result[2] is None
    assert math.map(lambda x: x, 3.0) == 3


def test_map_options(backend):
    x = tensor([1.0, 2.0], spatial("x"))
    steps = []
    assert_close(math.map(lambda v: v * 0 + 7, x, simplify=True), tensor(7.0))
    math.map(lambda v: v, x, range=lambda n: steps.append(n) or range(n))
    assert steps == [2]
    grown = math.map(
        lambda v: v if float(v) == 1 else v * tensor([1.0, 1.0], channel("c")), x, expand_results=True
    )
    assert_close(grown, tensor([[1.0, 1.0], [2.0, 2.0]], spatial("x"), channel("c")))
    assert_close(x.map(lambda v: v + 1), x + 1)


def test_map_lays_out_what_does_not_stack(backend):  # SEM 97
    x = tensor([1.0, 2.0], spatial("x"))
    assert math.map(lambda v: "n" * int(v), x) == math.layout(["n", "nn"], spatial("x"))
    assert math.map(lambda v: "n", x) == math.layout(["n", "n"], spatial("x"))
    assert math.map(lambda v: "n", x, simplify=True) == "n"
    mixed = math.map(lambda v: "n" if float(v) == 1 else x, x)
    assert mixed == math.layout(["n", x], spatial("x"))


def test_chunks_within_chunks(backend, rng):
    data = rng.normal(size=(3, 4))
    x = tensor(data, spatial("x,y"))
    rows = lambda row: math.map(lambda v: 2 * v, row, dims="y", chunk=2)  # noqa: E731 a function of a row
    assert_close(math.map(rows, x, dims="x", chunk=2), tensor(2 * data, spatial("x,y")))


def test_map_of_ragged_tensors(backend):
    ragged = stack([tensor([1.0], spatial("x")), tensor([2.0, 3.0], spatial("x"))], batch("b"))
    assert_close(math.map(lambda x: math.sum(x, "x"), ragged, dims=batch), tensor([1.0, 5.0], batch("b")))
    doubled = math.map(lambda x: 2 * x, ragged, dims=batch)
    assert_close(doubled, 2 * ragged)
    with pytest.raises(Unsupported, match="dims='b'"):
        math.map(lambda x: x, ragged)


@pytest.mark.parametrize("chunk", [1, 2, 4, 6, 100])
def test_chunks_are_batches(chunk, backend, rng):
    data = rng.normal(size=(3, 2, 5)).astype(np.float32)
    x = tensor(data, instance("p"), channel(vector="x,y"), spatial("s"))
    calls = []

    def f(part, weight, same):
        calls.append(part.shape.batch.volume)
        return {"sum": math.sum(part, "s") * weight + same, "rest": part, "same": 2 * same}

    result = math.map(f, x, tensor([1.0, 2.0, 3.0], instance("p")), tensor(0.5), dims="p,vector", chunk=chunk)
    expected = data.sum(2) * np.array([1, 2, 3])[:, None] + 0.5
    assert_close(result["sum"], tensor(expected, instance("p"), channel(vector="x,y")), rtol=1e-5)
    assert_close(result["rest"], x)
    assert_close(result["same"], math.ones(instance(p=3), channel(vector="x,y")))
    assert len(calls) == -(-6 // chunk)
    assert max(calls) == min(chunk, 6)


@pytest.mark.needs("reverse")
def test_map_is_differentiable(backend, execution, rng):
    x = tensor(rng.normal(size=(4, 3)), batch("b"), spatial("x"))
    for chunk in (None, 3):

        def f(x, chunk=chunk):
            return math.map(lambda t: math.sum(math.sin(t), "x"), x, dims="b", chunk=chunk)

        assert_close(execution(f)(x), math.sum(math.sin(x), "x"))
        check_gradient(f, x)


def test_map_says_where_it_failed(backend):
    x = tensor([1.0, 2.0], spatial("x"))
    with pytest.raises(IncompatibleShapes, match="None for all"):
        math.map(lambda v: None if float(v) == 1 else v, x)
    with pytest.raises(IncompatibleShapes, match="no slice"):
        math.map(lambda v: v, math.zeros(spatial(x=0)))
    with pytest.raises(ValueError, match="at least 1"):
        math.map(lambda v: v, x, chunk=0)
    with pytest.raises(IncompatibleShapes) as caught:
        math.map(
            lambda v: v.native("q,r"), x.x[:1] * tensor([1.0], batch("b")), dims="b", map_name="my function"
        )
    assert any("my function" in note and "'b': 0" in note for note in caught.value.__notes__)


def test_broadcast_decorates(backend):
    @math.broadcast
    def larger(a, b, names=()):
        return a if float(a) > float(b) else b

    assert_close(larger(vec(x=1.0, y=5.0), 3.0, names=("n",)), vec(x=3.0, y=5.0))

    @math.broadcast(dims="x")
    def total(row, scale=1):
        return math.sum(row, "y") * scale

    assert_close(total(math.ones(spatial(x=2, y=3)), scale=2), tensor([6.0, 6.0], spatial("x")))
    assert total.__name__ == "total"


# --- types of dims


def test_dims_are_seen_under_another_type(backend):
    x = math.ones(spatial(x=3, y=2), channel(c=2))
    seen = []

    def f(x, shape, k):
        seen.append((x.shape, shape, k))
        return {"sum": math.sum(x, "c"), "k": k}

    result = math.map_types(f, "y", batch)(x, spatial(y=2), 3)
    assert seen[0][0].batch.names == ("y",)
    assert seen[0][1] == batch(y=2)
    assert seen[0][2] == result["k"] == 3
    assert_close(result["sum"], 2 * math.ones(spatial(x=3, y=2)))


ALIASES = {
    "map_s2b": (spatial, batch),
    "map_i2b": (instance, batch),
    "map_c2b": (channel, batch),
    "map_d2b": (dual, batch),  # WEAKNESSES A21: PhiML maps to channel
    "map_d2c": (dual, channel),
    "map_c2d": (channel, dual),
}


@pytest.mark.parametrize("name", ALIASES)
def test_a21_names_say_what_the_aliases_do(name, backend):
    old, new = ALIASES[name]
    function = getattr(math, name)
    assert function.__name__ == name
    seen = []
    x = math.ones(old(q=2), spatial(x=3) if old is not spatial else channel(c=3))
    result = function(lambda t: seen.append(t.shape) or 2 * t)(x)
    assert seen[0].get_dim_type(new.dim_name("q")) is new
    assert not seen[0].only(old)
    assert_close(result, 2 * x)


def test_aliases_take_other_dims_and_types():
    x = math.ones(spatial(x=2, y=2))
    for alias in (math.map_s2b, math.map_i2b, math.map_c2b, math.map_d2b, math.map_d2c, math.map_c2d):
        seen = []
        alias(lambda t, seen=seen: seen.append(t.shape.instance.names), dims="x", dim_type=instance)(x)
        assert seen == [("x",)]


def test_names_must_not_meet(backend):
    with pytest.raises(IncompatibleShapes, match="there already"):
        math.map_d2c(lambda t: t)(math.ones(channel(q=2), dual(q=2)))


def test_dims_of_one_name_and_two_types_are_no_batch_dim(backend):
    a = math.ones(spatial(x=2))
    for other in (instance(x=2), batch(x=2)):
        with pytest.raises(IncompatibleShapes, match="different arguments"):
            math.map_types(lambda a, b: a + b, "x", batch)(a, math.ones(other))
    assert math.map_s2b(lambda a, b: a + b)(a, b=a).shape == spatial(x=2)


# --- native arrays


def test_native_call_lays_out_axes(backend, rng):
    data = rng.normal(size=(2, 3, 4, 5)).astype(np.float32)
    x = tensor(data, channel("c"), spatial("y"), batch("b"), spatial("x"))
    sizes = []
    for last in (True, False):
        result = math.native_call(
            lambda a: sizes.append(tuple(a.shape)) or 2 * a, x, channels_last=last, channel_dim="c"
        )
        assert_close(result, 2 * x)
    assert sizes == [(4, 3, 5, 2), (4, 2, 3, 5)]
    math.native_call(lambda a: sizes.append(tuple(a.shape)) or a, x, channel_dim="c")
    assert sizes[-1] == ((4, 2, 3, 5) if backend.name == "torch" else (4, 3, 5, 2))


def test_native_call_adds_missing_dims_and_drops_single_channels(backend):
    a, b = math.ones(spatial(x=3)), math.ones(batch(b=2), channel(c=2, d=2))
    result = math.native_call(lambda p, q: p + 3 * q[..., 2:3], a, b, channels_last=True)
    assert_close(result, 4 * math.ones(batch(b=2), spatial(x=3)))
    scores = math.native_call(lambda p: p[:, 0], a, channels_last=True, spatial_dim=EMPTY_SHAPE)
    assert_close(scores, tensor(1.0))
    pooled = math.native_call(lambda p: p[:, ::2], a, channels_last=True)
    assert pooled.shape == spatial(x=2)
    plain = math.native_call(lambda p: p[..., 0], a, channels_last=True, channel_dim=None)
    assert_close(plain, a)
    renamed = math.native_call(lambda p: p, a, channels_last=True, spatial_dim="k")
    assert renamed.shape == spatial(k=3)


def test_native_call_refuses(backend):
    with pytest.raises(IncompatibleShapes, match="spatial_dim"):
        math.native_call(lambda a: a[0], math.ones(spatial(x=3)))
    with pytest.raises(IncompatibleShapes, match="Retype"):
        math.native_call(lambda a: a, math.ones(instance(p=3)))
    with pytest.raises(IncompatibleShapes, match="one native array"):
        math.native_call(lambda a: (a, a), math.ones(spatial(x=3)))


@pytest.mark.needs("reverse")
def test_native_call_is_differentiable(backend, rng):
    x = tensor(rng.normal(size=(2, 3)), batch("b"), spatial("x"))
    check_gradient(lambda x: math.native_call(lambda a: a * a, x), x)
