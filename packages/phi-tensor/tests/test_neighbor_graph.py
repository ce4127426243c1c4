"""Neighbouring points: against SciPy's k-d tree and all pairs, in lists and in sparse tensors."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

import phi_tensor as math
from phi_tensor import (
    IncompatibleShapes,
    Unsupported,
    batch,
    channel,
    dual,
    instance,
    precision,
    spatial,
    tensor,
    vec,
    wrap,
)
from phi_tensor.testing import assert_close, check_gradient

METHODS = ["kd", "cells", "dense"]
LABELS = ("x", "y", "z")


def cloud(rng, count, dims=2, low=0.0, high=1.0):
    points = rng.uniform(low, high, (count, dims)).astype(np.float32)
    return tensor(points, instance("p"), channel(vector=LABELS[:dims]))


def pairs_of(graph):
    """Pairs of a graph without batch; their list must name each once, in the order of the first point."""
    ends = graph.indices.numpy("pairs,end")[: int(graph.count)]
    assert np.all(np.diff(ends[:, 0]) >= 0)
    found = {(int(i), int(j)) for i, j in ends}
    assert len(found) == len(ends)
    return found


def pairs_by_tree(points, radius, boxsize=None, include_self=False):
    """Oracle."""
    one_way = cKDTree(points.astype(np.float64), boxsize=boxsize).query_pairs(radius)
    own = {(i, i) for i in range(len(points))} if include_self else set()
    return one_way | {(j, i) for i, j in one_way} | own


def corners(dims, size=1.0):
    return tuple(wrap([value] * dims, channel(vector=LABELS[:dims])) for value in (0.0, size))


# --- search


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_pairs_are_those_of_a_tree(method, dims, backend, rng):
    x = cloud(rng, 70, dims, -3)
    for radius in (0.15, 0.6):
        graph = math.neighbor_graph(x, radius, method=method)
        assert pairs_of(graph) == pairs_by_tree(x.numpy("p,vector"), radius)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("periodic", [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("radius", [0.11, 0.3, 0.45])
def test_periodic_pairs_are_those_of_a_tree(method, periodic, radius, backend, rng):
    """In 9, 3 and 2 cells per component, of which the last two are neighbours twice."""
    x = cloud(rng, 60)
    flags = True if all(periodic) else wrap(list(periodic), channel(vector="x,y"))
    graph = math.neighbor_graph(x, radius, corners(2), flags, method)
    boxsize = [1.0 if p else 0.0 for p in periodic]
    expected = pairs_by_tree(x.numpy("p,vector"), radius, boxsize)
    assert pairs_of(graph) == expected
    shifted = math.neighbor_graph(
        x + wrap([-7.0, 4.0], channel(vector="x,y")) * flags, radius, corners(2), flags, method
    )
    assert len(pairs_of(shifted) ^ expected) <= 2  # rounding


@pytest.mark.parametrize("method", METHODS)
def test_periodic_pairs_in_three_dimensions(method, backend, rng):
    x = cloud(rng, 60, 3)
    graph = math.neighbor_graph(x, 0.28, corners(3), True, method, include_self=True)
    assert pairs_of(graph) == pairs_by_tree(x.numpy("p,vector"), 0.28, 1.0, include_self=True)


@pytest.mark.parametrize("method", METHODS)
def test_batch_entries_have_their_own_pairs_and_radius(method, backend, rng):
    clouds = [cloud(rng, 30), cloud(rng, 30) * 0.3]
    x, radius = math.stack(clouds, batch("b")), tensor([0.2, 0.1], batch("b"))
    graph = math.neighbor_graph(x, radius, method=method)
    assert graph.count.shape == batch(b=2)
    for b, entry in enumerate(clouds):
        alone = math.neighbor_graph(entry, float(radius.b[b]), method="dense")
        assert_close(graph.degrees().b[b], alone.degrees())
        assert int(graph.count.b[b]) == int(alone.count)


@pytest.mark.parametrize("method", METHODS)
def test_the_radius_may_be_that_of_the_first_point(method, backend, rng):
    x = cloud(rng, 40)
    radii = rng.uniform(0.05, 0.3, 40)
    graph = math.neighbor_graph(x, tensor(radii, instance("p")), method=method)
    points = x.numpy("p,vector").astype(np.float64)
    distance = np.linalg.norm(points[:, None] - points, axis=-1)
    expected = {(i, j) for i, j in np.argwhere(distance <= radii[:, None]) if i != j}
    assert pairs_of(graph) == expected


@pytest.mark.parametrize("method", METHODS)
def test_few_points(method, backend):
    component = channel(vector="x,y")
    for count in (0, 1):
        x = math.ones(instance(p=count) & component)
        graph = math.neighbor_graph(x, 1.0, method=method)
        assert int(graph.count) == 0
        assert graph.degrees().numpy("p").tolist() == [0] * count
        assert graph.differences(x).shape.get_size("vector") == 2
        assert int(math.neighbor_graph(x, 1.0, method=method, include_self=True).count) == count
        sparse = math.pairwise_differences(x, 1.0, "csr", method=method)
        assert math.dense(sparse).shape.sizes == (count, count, 2)


@pytest.mark.parametrize("method", METHODS)
def test_all_points_in_one_cell(method, backend, rng):
    x = cloud(rng, 25) * 1e-3
    for radius in (1.0, float("inf")):
        graph = math.neighbor_graph(x, radius, corners(2), periodic=True, method=method)
        assert pairs_of(graph) == {(i, j) for i in range(25) for j in range(25) if i != j}
    equal = math.neighbor_graph(x * 0, 0.0, method=method)
    assert int(equal.count) == 25 * 24


@pytest.mark.parametrize("method", METHODS)
def test_points_far_away_do_not_spoil_cells(method, backend, rng):
    x = math.concat([cloud(rng, 30), cloud(rng, 2) * 1e6], "p")
    graph = math.neighbor_graph(x, 0.2, method=method)
    assert pairs_of(graph) == pairs_by_tree(x.numpy("p,vector"), 0.2)


def test_points_on_a_grid(backend):
    """A point has 4 neighbours at the distance 1, in a periodic grid."""
    x = math.meshgrid(spatial(x=5, y=4)) * 1.0
    graph = math.neighbor_graph(x, 1.2, (vec(x=0.0, y=0.0), vec(x=5.0, y=4.0)), True)
    assert graph.degrees().shape == spatial(x=5, y=4)
    assert (graph.degrees().numpy("x,y") == 4).all()
    assert_close(
        graph.sum(graph.differences(x)), math.zeros(spatial(x=5, y=4) & channel(vector="x,y")), atol=1e-6
    )


# --- what is computed with pairs


@pytest.mark.parametrize("method", METHODS)
def test_ends_differences_and_sums(method, backend, rng):
    x = cloud(rng, 40)
    graph = math.neighbor_graph(x, 0.3, corners(2), True, method)
    assert graph.capacity >= int(graph.count)
    mass = tensor(rng.uniform(1, 2, (40, 3)).astype(np.float32), instance("p"), spatial("s"))
    first, second = graph.gather(mass)
    numbers, points = mass.numpy("p,s").astype(np.float64), x.numpy("p,vector").astype(np.float64)
    expected = np.zeros((40, 3))
    force = np.zeros((40, 2))
    for i, j in pairs_of(graph):
        expected[i] += numbers[i] * numbers[j]
        step = points[j] - points[i]
        force[i] += step - np.round(step)
    assert_close(graph.sum(first * second).numpy("p,s"), expected.astype(np.float32), rtol=1e-5)
    assert_close(graph.sum(graph.differences(x)).numpy("p,vector"), force.astype(np.float32), atol=1e-5)


def potential(graph, x):
    """Σ over pairs of a smooth potential, which vanishes at the radius 0.4 with its first derivatives."""
    distance = math.norm(graph.differences(x))
    return math.sum(graph.sum((1 - distance / 0.4) ** 6 / (0.1 + distance)))


@pytest.mark.needs("reverse")
@pytest.mark.parametrize("method", ["kd", "cells"])
def test_derivatives_of_a_pair_potential(method, backend, rng):
    with precision(64):
        x = math.to_float(cloud(rng, 12))
        check_gradient(
            lambda x: potential(math.neighbor_graph(x, 0.4, corners(2), True, method), x), x, step=1e-4
        )


@pytest.mark.needs("reverse", "jit")
@pytest.mark.compiled
def test_derivatives_of_a_pair_potential_in_compiled_code(backend, rng):
    """The list is longer than the pairs; entries without pair must not spoil derivatives."""
    with precision(64):
        x = math.to_float(cloud(rng, 12))

        def energy(x):
            return potential(math.neighbor_graph(x, 0.4, corners(2), True, "cells", capacity=140), x)

        forces = math.jit_compile(math.gradient(energy, get_output=False))
        assert_close(forces(x), math.gradient(energy, get_output=False)(x))
        check_gradient(energy, x, step=1e-4)


# --- compiled functions


@pytest.mark.needs("jit")
@pytest.mark.compiled
@pytest.mark.parametrize("method", ["cells", "dense"])
def test_compiled_searches_find_the_same(method, backend, rng):
    search = math.jit_compile(
        lambda x: math.neighbor_graph(x, 0.15, corners(2), True, method, avg_neighbors=6.0)
    )
    for _ in range(2):
        x = cloud(rng, 50)
        graph = search(x)
        assert isinstance(graph, math.NeighborGraph)
        assert graph.capacity == 300
        assert pairs_of(graph) == pairs_by_tree(x.numpy("p,vector"), 0.15, 1.0)
        assert graph.differences(x).numpy("pairs,vector").shape == (300, 2)
    assert len(search.traces) == 1


@pytest.mark.needs("jit")
@pytest.mark.compiled
def test_too_many_pairs_raise_from_compiled_code(backend, rng):
    x = cloud(rng, 50)
    degrees = math.jit_compile(
        lambda x: math.neighbor_graph(x, 0.3, method="cells", avg_neighbors=4.0).degrees()
    )
    found = degrees(x)
    with pytest.raises(IncompatibleShapes, match=r"neighbor_graph.*room for"):
        found.numpy()
    assert degrees(x * 2).numpy("p").sum() == len(pairs_by_tree(2 * x.numpy("p,vector"), 0.3))


def test_too_many_pairs_for_the_capacity_raise(backend, rng):
    x = cloud(rng, 20)
    count = len(pairs_by_tree(x.numpy("p,vector"), 0.4))
    for method in METHODS:
        with pytest.raises(IncompatibleShapes, match=rf"{count} pairs.*room for {count - 1}"):
            math.neighbor_graph(x, 0.4, method=method, capacity=count - 1)
        assert math.neighbor_graph(x, 0.4, method=method, capacity=count).capacity == count


def test_results_are_nan_where_nobody_is_told(backend, rng, monkeypatch):
    monkeypatch.setattr("phi_tensor.neighbors._search.report", lambda failed, error: False)
    graph = math.neighbor_graph(cloud(rng, 10), 1.0, capacity=3)
    assert np.isnan(graph.sum(1.0).numpy()).all()
    assert np.isnan(graph.differences(cloud(rng, 10)).numpy("pairs,vector")).all()


@pytest.mark.needs("jit")
def test_searches_on_the_host_and_sparse_tensors_cannot_be_compiled(backend, rng):
    x = cloud(rng, 5)
    with pytest.raises(Unsupported, match="cells"):
        math.jit_compile(lambda x: math.neighbor_graph(x, 0.1, method="kd"))(x)
    with pytest.raises(Unsupported, match="neighbor_graph"):
        math.jit_compile(lambda x: math.dense(math.pairwise_differences(x, 0.1, "coo")))(x)


# --- sparse tensors


@pytest.mark.parametrize("format", ["coo", "csr", "csc"])
def test_sparse_differences_are_the_dense_ones(format, backend, rng):
    x = math.stack([cloud(rng, 15), cloud(rng, 15)], batch("b"))
    for periodic in (False, True):
        sparse = math.pairwise_differences(x, 0.3, format, corners(2), periodic)
        assert math.get_format(sparse) == format
        dense = math.pairwise_differences(x, 0.3, "dense", corners(2), periodic, default=0)
        assert_close(math.dense(sparse).numpy("b,p,~p,vector"), dense.numpy("b,p,~p,vector"))
        near = ~np.isnan(
            math.pairwise_differences(x, 0.3, "dense", corners(2), periodic).numpy("b,p,~p,vector")
        )
        assert math.stored_values(sparse).shape.get_size("entries") == near[..., 0].sum()


def test_sparse_differences_in_a_grid_of_points(backend, rng):
    x = tensor(rng.uniform(0, 1, (3, 4, 2)).astype(np.float32), spatial("x,y"), channel(vector="x,y"))
    sparse = math.dense(math.pairwise_differences(x, 0.4, "csr"))
    dense = math.pairwise_differences(x, 0.4, default=0)
    order = "x,y,~x,~y,vector"
    assert_close(sparse.numpy(order), dense.numpy(order))


@pytest.mark.needs("reverse")
def test_derivatives_of_sparse_differences(backend, rng):
    with precision(64):
        x = math.to_float(cloud(rng, 10))
        weights = tensor(rng.uniform(1, 2, (10, 2)), dual(p=10), channel(vector="x,y"))

        def f(x):
            return math.sum(math.pairwise_differences(x, 0.4, "csr") * weights, "~p") ** 2

        check_gradient(f, x, step=1e-4)


def test_a_matrix_of_pairs(backend, rng):
    x = cloud(rng, 30)
    graph = math.neighbor_graph(x, 0.2)
    values = tensor(rng.uniform(0, 1, 30).astype(np.float32), instance("p"))
    assert_close(graph.to_sparse(1.0, "csr") @ values, graph.sum(graph.gather(values)[1]), rtol=1e-5)


# --- bad input


@pytest.mark.parametrize("method", METHODS)
def test_positions_that_make_no_sense_are_refused(method, backend, rng):
    x = cloud(rng, 5)
    with pytest.raises(ValueError, match="outside of the `domain` along y"):
        math.neighbor_graph(x + 1, 0.1, corners(2), vec(x=True, y=False), method)
    with pytest.raises(ValueError, match="NaN"):
        math.neighbor_graph(math.where(x > 0.5, float("nan"), x), 0.1, method=method)


def test_searches_that_make_no_sense_are_refused(backend, rng):
    x = cloud(rng, 3)
    with pytest.raises(Unsupported, match="methods"):
        math.neighbor_graph(x, 0.1, method="ball")
    with pytest.raises(IncompatibleShapes, match="domain"):
        math.neighbor_graph(x, 0.1, periodic=True)
    with pytest.raises(IncompatibleShapes, match="periodic"):
        math.neighbor_graph(x, 0.1, corners(2), 3)
    with pytest.raises(IncompatibleShapes, match="radius"):
        math.neighbor_graph(x, vec(x=1.0, y=2.0))
    with pytest.raises(IncompatibleShapes, match="corners"):
        math.neighbor_graph(x, 1.0, (x, x + 1))
    with pytest.raises(IncompatibleShapes, match="capacity"):
        math.neighbor_graph(x, 1.0, capacity=-1)
    with pytest.raises(IncompatibleShapes, match="along the points"):
        math.neighbor_graph(x, 1.0).gather(math.ones(instance(q=3)))
    with pytest.raises(IncompatibleShapes, match="max_distance"):
        math.pairwise_differences(x, format="csr")
    with pytest.raises(Unsupported, match="formats"):
        math.pairwise_differences(x, 1.0, format="ell")
    with pytest.raises(Unsupported, match="default"):
        math.pairwise_differences(x, 1.0, format="csr", default=-1)
