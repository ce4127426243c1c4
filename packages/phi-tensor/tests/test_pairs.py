"""Differences of all pairs of points, functions of pairs, closest points."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

import phi_tensor as math
from phi_tensor import IncompatibleShapes, Unsupported, batch, channel, instance, spatial, tensor, vec, wrap
from phi_tensor.testing import assert_close

METHODS = ["kd", "dense"]


def cloud(rng, *dims, labels="x,y"):
    shape = math.concat_shapes(*dims, channel(vector=labels))
    return tensor(rng.uniform(-1, 1, shape.sizes).astype(np.float32), shape)


# --- differences


def test_differences_point_from_the_primal_to_the_dual_point(backend, rng):
    x = cloud(rng, batch(b=2), instance(p=3))
    d = math.pairwise_differences(x)
    assert set(d.shape.names) == {"b", "p", "~p", "vector"}
    numbers = x.numpy("b,p,vector")
    assert_close(d.numpy("b,p,~p,vector"), numbers[:, None] - numbers[:, :, None])
    assert_close(math.pairwise_distances(x), d)


def test_differences_in_a_grid_of_points(backend, rng):
    d = math.pairwise_differences(cloud(rng, spatial(x=2, y=3)))
    assert_close(
        d.x[1].y[2].dimension("~x")[0].dimension("~y")[1], -d.x[0].y[1].dimension("~x")[1].dimension("~y")[2]
    )


def test_far_pairs(backend):
    x = wrap([[0.0], [1.0], [3.0]], instance("p"), channel(vector="x"))
    near = math.pairwise_differences(x, max_distance=1.5, default=-9).vector["x"].numpy("p,~p")
    assert near.tolist() == [[0, 1, -9], [-1, 0, -9], [-9, -9, 0]]
    assert np.isnan(math.pairwise_differences(x, 1.5).numpy("p,~p,vector")[0, 2])
    each = math.pairwise_differences(x, wrap([3.0, 0.5, 2.0], instance("p")), default=-9)
    assert each.vector["x"].numpy("p,~p").tolist() == [[0, 1, 3], [-9, 0, -9], [-9, -2, 0]]


@pytest.mark.parametrize("periodic", [True, vec(x=True, y=False)])
def test_periodic_images(periodic, backend):
    x = wrap([[0.5, 0.5], [3.5, 3.5]], instance("p"), channel(vector="x,y"))
    domain = (vec(x=0.0, y=0.0), vec(x=4.0, y=4.0))
    d = math.pairwise_differences(x, domain=domain, periodic=periodic).p[0][{"~p": 1}]
    assert d.numpy().tolist() == [-1, -1 if periodic is True else 3]
    near = math.pairwise_differences(x, 1.5, domain=domain, periodic=True, default=0)
    assert near.numpy("p,~p,vector")[0, 1].tolist() == [-1, -1]


def test_differences_that_make_no_sense_are_refused():
    x = math.ones(instance(p=2), channel(vector="x"))
    with pytest.raises(IncompatibleShapes, match="domain"):
        math.pairwise_differences(x, periodic=True)
    with pytest.raises(IncompatibleShapes, match="instance or spatial"):
        math.pairwise_differences(x.p[0])
    with pytest.raises(IncompatibleShapes, match="component dim"):
        math.pairwise_differences(math.ones(instance(p=2)))


@pytest.mark.needs("reverse")
def test_derivative_of_forces(backend):
    """A repulsion Σ 1/|d|: pairs of a point with itself do not spoil it."""
    x = wrap([[0.0], [2.0]], instance("p"), channel(vector="x"))

    def energy(x):
        return math.sum(math.safe_div(1, math.norm(math.pairwise_differences(x))), "p,~p")

    assert math.gradient(energy, get_output=False)(x).vector["x"].numpy("p").tolist() == [0.5, -0.5]


# --- functions of pairs


def test_pairs_that_are_not_connected_give_0(backend):
    x = tensor([1.0, 2.0, 4.0], instance("p"))
    numbers = np.asarray([[0, 1, 0], [0, 0, 2], [1, 0, 0]])
    for connections in (numbers, numbers > 0):
        matrix = tensor(connections, instance("p"), math.dual("p"))
        result = math.map_pairs(lambda a, b: b - a, x, matrix)
        assert result.numpy("p,~p").tolist() == [[0, 1, 0], [0, 0, 2], [-3, 0, 0]]


def test_connections_that_do_not_fit_are_refused():
    with pytest.raises(IncompatibleShapes, match="map_pairs"):
        math.map_pairs(lambda a, b: a, math.ones(instance(p=2)), math.ones(instance(q=2), math.dual(q=2)))
    with pytest.raises(IncompatibleShapes, match="map_pairs"):
        math.map_pairs(lambda a, b: a, math.ones(instance(p=2)), math.ones(instance(p=2)))


# --- closest points


@pytest.mark.parametrize("method", METHODS)
def test_closest_points(method, backend, rng):
    points, query = cloud(rng, batch(b=2), instance(p=20)), cloud(rng, batch(b=2), instance(p=7))
    index = math.find_closest(points, query, method=method)
    assert index.shape == batch(b=2) & instance(p=7) & channel(index="p")
    assert index.dtype.kind is int
    for b in range(2):
        expected = cKDTree(points.b[b].numpy("p,vector")).query(query.b[b].numpy("p,vector"))[1]
        assert index.b[b].numpy("p,index")[:, 0].tolist() == expected.tolist()


@pytest.mark.parametrize("method", METHODS)
def test_closest_points_of_a_grid(method, backend, rng):
    points, query = cloud(rng, spatial(x=4, y=5)), cloud(rng, batch(b=3), instance(q=6))
    closest = math.find_closest(points, method=method)
    index = closest(query)
    assert index.shape == batch(b=3) & instance(q=6) & channel(index="x,y")
    distance = math.norm(points[index] - query)
    every = math.norm(points - query)
    assert_close(distance, math.min(every, "x,y"))
    assert_close(closest(query.b[0]), index.b[0])
    flat = math.find_closest(points, query, method=method, index_dim=None)
    assert_close(flat, index["x"] * 5 + index["y"])


@pytest.mark.parametrize("method", METHODS)
def test_batches_of_one_side(method, backend, rng):
    points, query = cloud(rng, batch(b=2), instance(p=20)), cloud(rng, instance(q=3))
    index = math.find_closest(points, query, method=method)
    assert index.shape == batch(b=2) & instance(q=3) & channel(index="p")
    assert_close(index.b[1], math.find_closest(points.b[1], query, method="dense"))


@pytest.mark.needs("jit")
@pytest.mark.compiled
def test_closest_points_in_jit(backend, rng):
    points, query = cloud(rng, instance(p=20)), cloud(rng, instance(q=3))
    dense = math.jit_compile(lambda p, q: math.find_closest(p, q, method="dense"))
    assert_close(dense(points, query), math.find_closest(points, query))
    with pytest.raises(Unsupported, match=r"method='dense'"):
        math.jit_compile(math.find_closest)(points, query)


def test_searches_that_make_no_sense_are_refused():
    points = math.ones(instance(p=2), channel(vector="x,y"))
    with pytest.raises(Unsupported, match="methods"):
        math.find_closest(points, points, method="ball")
    for method in METHODS:
        with pytest.raises(IncompatibleShapes, match="components"):
            math.find_closest(points, math.ones(instance(p=2)), method=method)
        with pytest.raises(IncompatibleShapes, match="Labels"):
            math.find_closest(points, vec(y=1.0, x=2.0), method=method)
    ragged = math.stack([points, points.p[:1]], batch("b"))
    with pytest.raises(IncompatibleShapes, match="one size"):
        math.find_closest(ragged, vec(x=1.0, y=2.0))
