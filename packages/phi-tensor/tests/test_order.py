"""Sorting, positions, searching, sets, counts, running sums."""

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import IncompatibleShapes, Unsupported, batch, channel, instance, spatial, tensor, vec, wrap
from phi_tensor.testing import assert_close


def line(*values):
    return tensor(list(values), spatial("x"))


# --- sorting


def test_positions_and_order(backend):
    x = line(3.0, 1.0, 2.0)
    assert_close(math.sort(x), line(1.0, 2.0, 3.0))
    assert math.argsort(x, "x").numpy().tolist() == [1, 2, 0]
    assert_close(math.sort(x, "x", key=line(2, 3, 1)), line(2.0, 3.0, 1.0))
    assert_close(
        math.sort({"a": x, "b": wrap(7.0)}, key=line(2, 3, 1)),
        {"a": line(2.0, 3.0, 1.0), "b": math.expand(wrap(7.0), spatial(x=3))},
    )
    assert_close(math.sort([x, -x], "x"), [line(1.0, 2, 3), line(-3.0, -2, -1)])
    assert np.isnan(math.sort(line(math.NAN, 1.0)).numpy()).tolist() == [False, True]


def test_equal_keys_stay_in_order(backend):
    assert math.argsort(line(1, 0, 1, 0)).numpy().tolist() == [1, 3, 0, 2]


def test_sorting_drops_labels_with_a_warning(backend):
    with pytest.warns(RuntimeWarning, match="drops the labels"):
        assert_close(math.sort(vec(x=2, y=1)), wrap([1, 2], channel("vector")))


def test_sorting_takes_one_dim(backend):
    with pytest.raises(IncompatibleShapes, match="one dim"):
        math.sort(math.zeros(spatial(x=2, y=3)))
    with pytest.raises(Unsupported, match="real numbers"):
        math.sort(line(1j, 2j))


def test_largest_elements(backend):
    x = tensor([[2, 5, 5, 4], [1, 0, 3, 2]], batch("b"), spatial("x"))
    values, positions = math.top_k(x, 3)
    assert values.numpy("b,x").tolist() == [[5, 5, 4], [3, 2, 1]]
    assert positions.numpy("b,x").tolist() == [[1, 2, 3], [2, 3, 0]]
    assert math.top_k(x, 4)[0].numpy("b,x").tolist() == [[5, 5, 4, 2], [3, 2, 1, 0]]
    assert math.top_k(x, 0)[0].shape.get_size("x") == 0
    with pytest.raises(IncompatibleShapes, match="k=5"):
        math.top_k(x, 5)


def test_positions_are_index_vectors(backend):
    x = tensor([[1.0, 2.0], [5.0, 3.0]], spatial("x,y"))
    assert_close(math.argmax(x, "x,y"), vec("index", x=1, y=0))
    assert_close(math.argmin(x, "x").numpy("index,y"), np.array([[0, 0]]))
    assert math.argmax(x, "x").shape.get_labels("index") == ("x",)
    assert_close(math.gather(x, math.argmax(x, "x,y")), wrap(5.0))
    assert_close(math.gather(x, math.argmin(x, "y", "place:c")), math.min(x, "y"))
    assert math.argmax(x, "x", None).numpy().tolist() == [1, 1]
    assert math.argmax(line(1, 1), "x", index_dim=None).item() == 0
    with pytest.raises(IncompatibleShapes, match="no elements"):
        math.argmax(math.zeros(spatial(x=0)), "x")
    with pytest.raises(IncompatibleShapes, match="one dim"):
        math.argmax(x, "x,y", None)
    with pytest.raises(IncompatibleShapes, match="selects none"):
        math.argmin(x, channel)


# --- searching


@pytest.mark.parametrize("side", ["left", "right"])
def test_positions_in_sorted_values_are_numpys(side, backend, rng):
    keys, values = np.sort(rng.integers(0, 6, (2, 7)), 1), rng.integers(-1, 8, (2, 3, 4))
    sorted_values = tensor(keys, batch("b"), spatial("x"))
    found = math.searchsorted(sorted_values, tensor(values, batch("b"), spatial("u,v")), "x", side)
    expected = [np.searchsorted(k, v, side) for k, v in zip(keys, values, strict=True)]
    assert found.numpy("b,u,v").tolist() == np.array(expected).tolist()
    shared = math.searchsorted(sorted_values.b[0], tensor(values, batch("b"), spatial("u,v")), "x", side)
    assert shared.numpy("b,u,v").tolist() == np.searchsorted(keys[0], values, side).tolist()
    apart = math.searchsorted(sorted_values, tensor(values[0], spatial("u,v")), "x", side)
    assert apart.numpy("b,u,v").tolist() == [np.searchsorted(k, values[0], side).tolist() for k in keys]


def test_searching_errors(backend):
    with pytest.raises(IncompatibleShapes, match="sides"):
        math.searchsorted(line(1, 2), 1, side="above")


# --- sets


def test_unique(backend):
    assert math.unique(line(2, 1, 2)).numpy().tolist() == [1, 2]
    x = tensor([[2.0, 1.0, 2.0], [3.0, 1.0, 2.0]], batch("b"), spatial("x"))
    found = math.unique(x)
    assert found.shape.get_size("unique") == (2, 3)
    assert found.b[1].numpy().tolist() == [1, 2, 3]
    assert math.unique(x, ["b", "x"], "all:s").numpy("all").tolist() == [1, 2, 3]
    assert math.unique(x, list_dim=instance(u=3)).numpy("b,u").tolist() == [[1, 2, 2], [1, 2, 3]]
    assert math.unique(math.zeros(spatial(x=0))).shape.get_size("unique") == 0
    assert math.unique(line(1, 1), list_dim=instance(u=4)).numpy().tolist() == [1, 1, 1, 1]
    with pytest.raises(IncompatibleShapes, match="larger size"):
        math.unique(x, list_dim=instance(u=2))


def test_nonzero(backend):
    found = math.nonzero(tensor([[0, 1], [0, 0]], spatial("x,y")))
    assert found.numpy("nonzero,vector").tolist() == [[0, 1]]
    assert found.shape.get_labels("vector") == ("x", "y")
    components = tensor([[0, 1], [0, 0]], spatial("x"), channel("c"))
    assert math.nonzero(components).numpy("nonzero,vector").tolist() == [[0]]
    batched = math.nonzero(tensor([[1, 0], [1, 1]], batch("b"), spatial("x")))
    assert batched.shape.get_size("nonzero") == (1, 2)
    assert batched.b[1].numpy("nonzero,vector").tolist() == [[0], [1]]
    assert_close(math.nonzero(line(0, 3, 4), 1), vec(x=1))
    assert math.nonzero(line(0, 3), instance(p=3)).numpy("p,vector").tolist() == [[1], [-1], [-1]]
    assert math.nonzero(line(0, 0)).shape.get_size("nonzero") == 0
    labelled = math.nonzero(vec(u=0, v=1), element_dims=(), preserve_names=True)
    assert labelled.shape.get_labels("nonzero") == ("v",)
    assert math.count_nonzero(line(0, 3, 4)).item() == 2
    assert_close(math.count_nonzero({"a": line(True, False)}), {"a": wrap(1)})


def test_nonzero_errors(backend):
    with pytest.raises(IncompatibleShapes, match="at least one dim"):
        math.nonzero(vec(x=1, y=0))
    with pytest.raises(IncompatibleShapes, match="takes 1"):
        math.nonzero(line(1, 0), 2)


@pytest.mark.needs("jit")
@pytest.mark.compiled
def test_sizes_must_be_known_in_jit(backend):
    for function in (math.unique, math.nonzero, lambda x: math.bincount(math.to_int64(x), "q:s")):
        with pytest.raises(Unsupported, match="jit_compile"):
            math.jit_compile(function)(line(2.0, 0.0, 2.0))


@pytest.mark.needs("jit")
@pytest.mark.compiled
def test_sets_and_order_in_jit(backend):
    def compute(x):
        return {
            "unique": math.unique(x, list_dim=instance(u=2)),
            "nonzero": math.nonzero(x, instance(p=3)),
            "histogram": math.histogram(x, spatial(h=2))[0],
            "bincount": math.bincount(math.to_int64(x), spatial(q=3)),
            "top": math.top_k(x, 2)[1],
            "place": math.argmax(x, "x"),
            "median": math.quantile(x, 0.5),
            "count": math.count_occurrences(x, x),
        }

    found = math.jit_compile(compute)(line(2.0, 0.0, 2.0))
    expected = {
        "unique": [0, 2],
        "nonzero": [[0], [2], [-1]],
        "histogram": [1, 2],
        "bincount": [1, 0, 2],
        "top": [0, 2],
        "place": [0],
        "median": 2,
        "count": [2, 1, 2],
    }
    order = {"nonzero": "p,vector"}
    assert {name: x.numpy(order.get(name, x.shape.names)).tolist() for name, x in found.items()} == expected


def test_membership(backend):
    values = tensor([1.0, 2.0, 2.0, math.NAN], instance("p"))
    query = line(2.0, 3.0, math.NAN)
    assert math.contains(values, query).numpy().tolist() == [True, False, False]
    assert math.count_occurrences(values, query).numpy().tolist() == [2, 0, 0]
    points = tensor([[0, 1], [1, 1], [0, 1]], instance("p"), channel(vector="x,y"))
    assert math.count_occurrences(points, vec(x=0, y=1)).item() == 2
    assert math.contains(points, points).numpy().tolist() == [True] * 3
    batched = tensor([[1, 2], [3, 3]], batch("b"), instance("p"))
    assert math.count_occurrences(batched, 3).numpy().tolist() == [0, 2]
    with pytest.raises(IncompatibleShapes, match="same components"):
        math.contains(points, query)


def test_shared_items(backend):
    lists = tensor([[1, 2, 2], [2, 3, 4], [5, 6, 7]], spatial("a"), instance("i"))
    expected = [[3, 2, 0], [1, 3, 0], [0, 0, 3]]
    assert math.count_intersections(lists, "a").numpy("a,~a").tolist() == expected
    points = math.stack([lists, lists], channel("vector"))
    assert math.count_intersections(points, "a").numpy("a,~a").tolist() == expected


# --- histograms


def test_histogram_is_numpys(backend, rng):
    data, weights = rng.normal(size=(2, 3, 50)), rng.uniform(size=(2, 3, 50))
    values = tensor(data, batch("b"), spatial("x"), instance("p"))
    w = tensor(weights, batch("b"), spatial("x"), instance("p"))
    edges = np.array([-1.0, -0.2, 0.3, 2.0])
    counts, _, centers = math.histogram(values, tensor(edges, spatial("e")))
    expected = [np.histogram(d.astype(np.float32), edges)[0] for d in data]
    assert counts.numpy("b,e").tolist() == np.array(expected).tolist()
    assert_close(centers.numpy(), ((edges[1:] + edges[:-1]) / 2).astype(np.float32))
    sums = math.histogram(values, tensor(edges, spatial("e")), w)[0]
    expected = [np.histogram(d, edges, weights=v)[0] for d, v in zip(data, weights, strict=True)]
    assert_close(sums.numpy("b,e"), np.array(expected, np.float32), rtol=1e-5)


def test_histogram_with_equal_bins(backend):
    x = tensor([[0.0, 1.0, 4.0], [0.0, 1.0, 2.0]], batch("b"), instance("p"))
    counts, edges, centers = math.histogram(x, spatial(h=2), eps=0)
    assert counts.numpy("b,h").tolist() == [[2, 1], [1, 2]]
    assert edges.numpy("b,h").tolist() == [[0, 2, 4], [0, 1, 2]]
    assert centers.numpy("b,h").tolist() == [[1, 3], [0.5, 1.5]]
    counts, edges, _ = math.histogram(x, spatial(h=2), same_bins=batch, eps=0)
    assert edges.numpy().tolist() == [0, 2, 4]
    assert counts.numpy("b,h").tolist() == [[2, 1], [2, 1]]
    assert math.sum(math.histogram(x)[0], "b,bins").item() == 6
    assert math.histogram(line(0.0, math.NAN, 5.0), line(0.0, 1.0))[0].numpy().tolist() == [1]


def test_histogram_errors(backend):
    with pytest.raises(IncompatibleShapes, match="number of its bins"):
        math.histogram(line(1.0, 2.0), spatial("h"))
    with pytest.raises(IncompatibleShapes, match="one dim"):
        math.histogram(line(1.0, 2.0), math.zeros(spatial(h=3, k=2)))


def test_bincount(backend):
    x = tensor([[0, 2, 2], [1, 1, 1]], batch("b"), instance("p"))
    assert math.bincount(x, spatial(q=4)).numpy("b,q").tolist() == [[1, 0, 2, 0], [0, 3, 0, 0]]
    assert math.bincount(x, "q:s").shape.get_size("q") == 3
    assert_close(
        math.bincount(x.b[0], spatial("q"), tensor([0.5, 1.0, 2.0], instance("p"))).numpy(),
        np.array([0.5, 0, 3], np.float32),
    )
    with pytest.raises(IndexError, match="outside"):
        math.bincount(x, spatial(q=2))
    with pytest.raises(IncompatibleShapes, match="counts ints"):
        math.bincount(line(1.0, 2.0), spatial(q=2))


# --- running sums


def test_running_sums(backend):
    x = line(3, 1, 2)
    assert math.cumulative_sum(x, "x").numpy().tolist() == [3, 4, 6]
    assert math.cumulative_sum(x, "x", include_0=True).numpy().tolist() == [0, 3, 4, 6]
    assert math.cumulative_sum(x, "x", include_0=True, include_sum=False).numpy().tolist() == [0, 3, 4]
    assert math.cumulative_sum(x, "x", include_sum=False).numpy().tolist() == [3, 4]
    indices = math.cumulative_sum(x, "x", index_dim="index")
    assert indices.shape.get_labels("index") == ("x",)
    grid = tensor([[1, 2], [3, 4]], spatial("x,y"))
    assert math.cumulative_sum(grid, "x,y").numpy("x,y").tolist() == [[1, 3], [6, 10]]
    assert math.cumulative_sum(grid, "y,x").numpy("x,y").tolist() == [[1, 6], [4, 10]]
    assert_close(math.cumulative_sum([x, x], "x"), [math.cumulative_sum(x, "x")] * 2)
    assert math.cumulative_sum(line(True, True), "x").dtype.kind is int
    with pytest.raises(IncompatibleShapes, match="as many sums"):
        math.cumulative_sum(grid, "x,y", include_0=True)


def test_running_products_and_extremes(backend):
    x = line(3.0, 0.0, 5.0, 4.0)
    assert math.cumulative_prod(x, "x").numpy().tolist() == [3, 0, 0, 0]
    assert math.cumulative_max(x, "x").numpy().tolist() == [3, 3, 5, 5]
    assert math.cumulative_min(x, "x").numpy().tolist() == [3, 0, 0, 0]
    assert math.cumulative_max(line(False, True, False), "x").numpy().tolist() == [False, True, True]
    assert_close(math.cumulative_prod({"a": line(2, 3)}, "x"), {"a": line(2, 6)})
    assert np.isnan(math.cumulative_max(line(1.0, math.NAN, 2.0), "x").numpy()).tolist() == [
        False,
        True,
        True,
    ]
    with pytest.raises(IncompatibleShapes, match="one dim"):
        math.cumulative_max(math.zeros(spatial(x=2, y=2)), "x,y")


@pytest.mark.needs("reverse", "forward")
def test_running_products_have_derivatives_at_0(backend):
    x = line(3.0, 0.0, 5.0, 0.0)
    loss = lambda x: math.sum(math.cumulative_prod(x, "x") * line(1.0, 2.0, 3.0, 4.0))  # noqa: E731
    assert_close(math.gradient(loss, get_output=False)(x), line(1.0, 3 * (2 + 3 * 5.0), 0.0, 0.0))
    assert_close(math.jvp(loss, [x], [line(0.0, 1.0, 0.0, 0.0)])[1], wrap(51.0))


def test_differences(backend):
    assert math.differences(line(1, 2, 4), "x").numpy().tolist() == [1, 2]
    assert math.differences(line(1, 2, 4), "x", 2).numpy().tolist() == [1]
    assert math.differences(vec(u=1, v=3), "vector").shape == channel(vector=1)
    assert_close(math.differences([line(1, 2)], "x"), [line(1)])


def test_plans_of_unlabelled_values_do_not_silence_labels(backend):
    plain = tensor(wrap([2.0, 1.0], channel("vector")))
    labelled = tensor(vec(x=2.0, y=1.0))
    for _ in range(2):
        assert_close(math.sort(plain, "vector"), wrap([1.0, 2.0], channel("vector")))
        with pytest.warns(RuntimeWarning, match="drops the labels"):
            assert math.sort(labelled, "vector").shape.get_labels("vector") is None
        assert int(math.argmax(plain, "vector", index_dim=None)) == 0
        assert math.argmax(labelled, "vector").shape.get_labels("index") == ("vector",)
