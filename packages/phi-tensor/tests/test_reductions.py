"""Reductions, norms and losses."""

import numpy as np
import pytest
from hypothesis import given

import phi_tensor as math
from phi_tensor import IncompatibleShapes, batch, channel, instance, non_batch, spatial, tensor, vec, wrap
from phi_tensor.testing import assert_close, ragged, tensors


def everything(shape):
    return shape


@given(x=tensors())
def test_all_dims_at_once_or_one_by_one(x, backend):
    total = x
    for name in x.shape.names:
        total = math.sum(total, name)
    assert_close(math.sum(x, everything), total)
    assert_close(math.mean(x, everything) * x.shape.volume, total, atol=1e-3)
    assert_close(math.max(x, everything), -math.min(-x, everything))


@given(x=ragged())
def test_ragged_entries_count_once_each(x, backend):
    parts = x.b.unstack()
    total = sum(float(math.sum(part, everything)) for part in parts)
    assert_close(math.sum(x, everything), wrap(total), atol=1e-3)
    assert_close(math.mean(x, everything), wrap(total / x.shape.volume), atol=1e-3)
    largest = max(float(math.max(part, everything)) for part in parts)
    assert_close(math.max(x, everything), wrap(largest))


def test_mean_of_ragged_weighs_by_counts(backend):
    x = math.stack([math.ones(spatial(x=3)), 2 * math.ones(spatial(x=4))], batch("b"))
    assert_close(math.mean(x, "b,x"), wrap(11 / 7))


def test_default_is_all_but_batch(backend):
    x = math.ones(batch(b=2), spatial(x=3), channel(c=4))
    for reduce in (math.sum, math.prod, math.mean, math.max, math.min, math.std):
        assert reduce(x).shape == batch(b=2)
    assert math.all(x > 0).shape == math.any(x > 0).shape == batch(b=2)
    assert_close(math.sum(x, ["x", batch]), 6 * math.ones(channel(c=4)))
    assert_close(math.sum(x, spatial), math.sum(x, "x"))
    assert_close(math.sum(x, instance), x)
    assert_close(x.x.sum(), math.sum(x, "x"))


def test_absent_names_are_errors(backend):
    x = math.ones(spatial(x=3, y=2))
    with pytest.raises(IncompatibleShapes, match="no such dim"):
        math.sum(x, "z")
    with pytest.raises(IncompatibleShapes, match="Did you mean `vector`"):
        math.sum(vec(x=1, y=2), "vectr")
    with pytest.raises(IncompatibleShapes, match="ambiguous"):
        math.sum(x, None)


def test_empty_dims(backend):
    empty = math.zeros(spatial(x=0))
    assert math.sum(empty).item() == 0
    assert math.prod(empty).item() == 1
    assert math.all(empty > 0).item()
    assert not math.any(empty > 0).item()
    for reduce in (math.max, math.min):
        with pytest.raises(IncompatibleShapes, match="no elements"):
            reduce(empty)


def test_sequences_reduce_along_their_entries(backend):
    assert math.sum([tensor(1.0), tensor(2.0)], "0").item() == 3
    assert_close(math.sum([vec(x=1.0, y=2.0), vec(x=3.0, y=4.0)]), [wrap(3.0), wrap(7.0)])


def test_nan_propagates(backend):
    x = tensor([1.0, np.nan], spatial("x"))
    assert np.isnan(math.max(x).item())
    assert np.isnan(math.min(x).item())
    assert math.nan_to_0(x).numpy().tolist() == [1, 0]


def test_norms(backend):
    v = vec(x=3.0, y=4.0)
    assert math.norm(v).item() == 5
    assert math.vec_length(v).item() == math.length(v).item() == 5
    assert math.squared_norm(v).item() == math.vec_squared(v).item() == 25
    assert_close(math.normalize(v), vec(x=0.6, y=0.8))
    assert_close(math.vec_normalize(v), math.normalize(v))
    assert_close(math.normalize(vec(x=0.0, y=0.0)), vec(x=1.0, y=0.0))
    assert_close(math.normalize(vec(x=0.0, y=0.0), allow_zero=True), vec(x=0.0, y=0.0))
    assert_close(math.normalize(vec(x=math.INF, y=1.0), allow_infinite=True), vec(x=1.0, y=0.0))
    assert math.norm(wrap([3 + 4j], channel("vector"))).item() == pytest.approx(5)
    with pytest.raises(IncompatibleShapes, match="component dim"):
        math.norm(math.ones(spatial(x=2)))


def test_a8_eps_is_the_smallest_length(backend):
    assert math.norm(vec(x=0.05, y=0.0), eps=0.1).item() == pytest.approx(0.1)
    assert math.norm(vec(x=0.2, y=0.0), eps=0.1).item() == pytest.approx(0.2)


def test_trees_reduce_leaf_by_leaf(backend):
    tree = {"a": math.ones(spatial(x=2)), "b": math.ones(spatial(y=3))}
    assert_close(math.sum(tree), {"a": wrap(2.0), "b": wrap(3.0)})


def test_products_contract_with_at_only(backend):
    a, b = vec(x=1.0, y=2.0), vec(x=3.0, y=4.0)
    assert (a @ b).item() == 11
    assert (a.vector @ b.vector).item() == 11
    assert_close(a.vector * b, a * b)
    assert_close(a.vector + b.vector, a + b)
    assert_close(a.vector - b.vector, a - b)
    assert math.dot(a, "vector", b, "vector").item() == 11
    matrix = tensor([[1.0, 2.0], [3.0, 4.0]], channel("r"), math.dual("q"))
    assert_close(matrix @ tensor([1.0, 1.0], channel("q")), tensor([3.0, 7.0], channel("r")))
    with pytest.raises(IncompatibleShapes, match="pairs"):
        math.dot(a, "vector", b, ())
    with pytest.raises(IncompatibleShapes, match="none of the dims"):
        math.dot(a, "x", b, "x")


def test_a17_products_compare_labels(backend):
    matrix = tensor([[1.0, 2.0]], channel("r"), math.dual(vector="x,y"))
    with pytest.raises(IncompatibleShapes, match="Labels"):
        matrix @ vec(a=1.0, b=1.0)
    assert_close(matrix @ vec(x=1.0, y=1.0), tensor([3.0], channel("r")))


def test_a43_products_contract_no_other_dim(backend):
    matrix = tensor([[1.0]], channel("r"), math.dual("q"))
    for size in (1, 2):
        with pytest.raises(IncompatibleShapes, match="contracts"):
            matrix @ math.ones(channel(w=size))


def test_non_batch_is_a_filter(backend):
    x = math.ones(batch(b=2), spatial(x=3))
    assert_close(math.sum(x, non_batch), math.sum(x))
