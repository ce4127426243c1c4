"""Index vectors and masks: reading, writing, their storage and derivatives."""

import itertools

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import batch, channel, instance, spatial, tensor, vec, wrap
from phi_tensor.ops._lookup import ravel_index, unravel_index
from phi_tensor.ops._scatter import scatter
from phi_tensor.testing import assert_close


@pytest.fixture(autouse=True)
def double_precision():
    with math.precision(64):
        yield


def points(array, *dims, labels="x,y"):
    return tensor(array, *dims, channel(vector=labels))


# --- reading


def test_gather_by_labels(backend):
    values = tensor([[1, 2], [3, 4]], spatial("x,y"))
    assert math.gather(values, vec(x=1, y=0)).item() == 3
    assert values[vec(y=1, x=0)].item() == 2
    assert values.x[tensor([1, 1, 0], instance("p"))].numpy("p,y").tolist() == [[3, 4], [3, 4], [1, 2]]


@pytest.mark.parametrize("order", list(itertools.permutations(("b", "x", "y", "c")))[::5])
def test_gather_matches_shared_dims(order, backend, rng):
    values, index = rng.standard_normal((3, 4, 5, 2)), rng.integers(0, 4, (3, 7, 2))
    dims = {"b": batch("b"), "x": spatial("x"), "y": spatial("y"), "c": channel("c")}
    x = tensor(values.transpose([tuple(dims).index(n) for n in order]).copy(), *(dims[n] for n in order))
    at = points(index, batch("b"), instance("p"), labels="y,x")
    expected = np.stack([values[b][index[b, :, 1], index[b, :, 0]] for b in range(3)])
    np.testing.assert_array_equal(math.gather(x, at).numpy("b,p,c"), expected)
    stacked = math.stack([x.c[0], x.c[1]], channel("c"))
    np.testing.assert_array_equal(math.gather(stacked, at).numpy("b,p,c"), expected)
    one = np.stack([values[b][index[0, :, 1], index[0, :, 0]] for b in range(3)])
    np.testing.assert_array_equal(math.gather(x, at.b[0]).numpy("b,p,c"), one)


def test_gather_outside_is_an_error(backend):
    with pytest.raises(IndexError, match="x"):
        math.gather(tensor([1, 2], spatial("x")), vec(x=2))
    with pytest.raises(math.IncompatibleShapes, match="int"):
        math.gather(tensor([1, 2], spatial("x")), vec(x=0.5))


def test_masks(backend):
    values = tensor([[1, 2], [3, 4]], batch("b"), spatial("x"))
    chosen = values.x[values > 1]
    assert chosen.shape.get_size("x") == (1, 2)
    assert [part.numpy().tolist() for part in math.unstack(chosen, "b")] == [[2], [3, 4]]
    grid = tensor([[1, 2], [3, 4]], spatial("x,y"))
    assert grid[grid > 1].numpy().tolist() == [2, 3, 4]
    assert grid.x[tensor([False, True], spatial("x"))].numpy("x,y").tolist() == [[3, 4]]
    assert grid.x[tensor([False, False], spatial("x"))].shape.get_size("x") == 0


@pytest.mark.needs("jit")
@pytest.mark.compiled
def test_masks_that_are_not_known_are_an_error(backend):
    with pytest.raises(math.Unsupported, match="where"):
        math.jit_compile(lambda x: x.x[x > 1])(tensor([1.0, 2.0], spatial("x")))


def test_flat_indices(backend):
    sizes = spatial(x=3, y=4)
    assert ravel_index(tensor(vec(x=1, y=2)), sizes).item() == 6
    assert_close(unravel_index(tensor(6), sizes).numpy("index"), np.array([1, 2]))
    assert ravel_index(tensor(vec(x=-1, y=5)), sizes, mode="clamp").item() == 3
    assert ravel_index(tensor(vec(x=-1, y=5)), sizes, mode="periodic").item() == 9


# --- writing


def test_scatter_modes(backend):
    at, values = points([[0], [0]], instance("p"), labels="x"), tensor([1.0, 2.0], instance("p"))
    assert scatter(spatial(x=2), at, values, "add").numpy().tolist() == [3, 0]
    assert scatter(math.ones(spatial(x=2)), at, values, "add").numpy().tolist() == [4, 1]
    assert scatter(math.ones(spatial(x=2)), at, values, "mean").numpy().tolist() == [1.5, 1]
    np.testing.assert_array_equal(
        scatter(spatial(x=3), points([[1]], instance("p"), labels="x"), 5.0).numpy(), [np.nan, 5, np.nan]
    )
    with pytest.raises(math.Unsupported, match=r"median.*'max'"):
        scatter(spatial(x=2), at, values, "median")


def test_scatter_outside(backend):
    at, values = points([[0], [5]], instance("p"), labels="x"), tensor([1.0, 2.0], instance("p"))
    with pytest.raises(IndexError, match="x"):
        scatter(spatial(x=2), at, values, "add")
    assert scatter(spatial(x=2), at, values, "add", "clamp").numpy().tolist() == [1, 2]
    assert scatter(spatial(x=2), at, values, "add", "discard").numpy().tolist() == [1, 0]
    assert scatter(math.zeros(spatial(x=2)), at, values, "mean", "discard").numpy().tolist() == [1, 0]


def test_scatter_batches_and_components(backend, rng):
    index, values = rng.integers(0, 4, (3, 7, 2)), rng.standard_normal((7, 2))
    found = scatter(
        spatial(x=4, y=5), points(index, batch("b"), instance("p")), points(values, instance("p")), "add"
    )
    expected = np.zeros((3, 4, 5, 2))
    for b in range(3):
        np.add.at(expected[b], (index[b, :, 0], index[b, :, 1]), values)
    np.testing.assert_allclose(found.numpy("b,x,y,vector"), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.needs("reverse")
def test_scatter_is_the_transpose_of_gather(backend, rng):
    values, weights = (
        tensor(rng.standard_normal((4, 5)), spatial("x,y")),
        tensor(rng.standard_normal(9), instance("p")),
    )
    at = points(rng.integers(0, 4, (9, 2)), instance("p"))
    gradient = math.gradient(lambda v: math.sum(weights * math.gather(v, at)), get_output=False)(values)
    assert_close(gradient, scatter(spatial(x=4, y=5), at, weights, "add"), rtol=1e-12)
    back = math.gradient(
        lambda w: math.sum(values * scatter(spatial(x=4, y=5), at, w, "add")), get_output=False
    )(weights)
    assert_close(back, math.gather(values, at), rtol=1e-12)


@pytest.mark.needs("jit")
@pytest.mark.compiled
def test_compiled_look_up_reports_indices_outside(backend):
    values = tensor([1.0, 2.0, 3.0], spatial("x"))
    step = math.jit_compile(lambda v, i: math.gather(v, i))
    assert step(values, tensor(vec(x=2))).item() == 3
    with pytest.raises(IndexError, match="x"):
        step(values, tensor(vec(x=3))).item()


def test_indices_are_looked_at_in_every_call(backend):
    x = tensor(wrap([1.0, 2.0, 3.0], spatial("x")))
    for position in [2, 0]:
        at = tensor(wrap([[position]], instance("p"), channel(vector="x")))
        assert_close(math.gather(x, at), wrap([position + 1.0], instance("p")))
        assert_close(math.scatter(x, at, 0.0).x[position], wrap(0.0))
    for position in [-1, 3]:
        at = tensor(wrap([[position]], instance("p"), channel(vector="x")))
        for call in [lambda at: math.gather(x, at), lambda at: math.scatter(x, at, 0.0)]:
            with pytest.raises(IndexError, match="outside"):
                call(at)
            with math.checked("never"):
                call(tensor(wrap([[1]], instance("p"), channel(vector="x"))))
