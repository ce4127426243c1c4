"""Slicing by dims, labels, masks and index vectors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import phi_tensor as math
from phi_tensor import IncompatibleShapes, batch, channel, spatial, tensor, vec, wrap
from phi_tensor.testing import assert_close, tensors

BOUND = st.integers(-6, 6) | st.none()


@given(x=tensors(spatial(x=4, y=3)), start=BOUND, stop=BOUND, step=st.sampled_from([None, 1, 2, -1, -2]))
def test_slices_are_those_of_numpy(x, start, stop, step, backend):
    index = slice(start, stop, step)
    desired = x.numpy("x,y")[index]
    assert_close(x.x[index].numpy("x,y"), desired)


@given(x=tensors(batch(b=2) & spatial(x=3)))
def test_ints_remove_the_dim(x, backend):
    assert_close(x.x[-1], x.x[2])
    assert_close(x.b[1].x[0], x[{"x": 0, "b": 1}])
    assert x.x[0].shape == batch(b=2)


def test_a6_slices_beyond_the_end_are_empty(backend):
    x = math.ones(spatial(x=3))
    assert x.x[10:].shape == spatial(x=0)
    assert x.x[1:10].shape == spatial(x=2)
    with pytest.raises(IndexError, match=r"10.*size 3"):
        x.x[10]


def test_labels_permute_select_and_rename(backend):
    v = vec(x=1, y=2, z=3)
    assert v["y"].item() == v.vector["y"].item() == 2
    assert_close(v["z,x"], vec(z=3, x=1))
    assert_close(v.vector["x,y->u,w"], vec(u=1, w=2))
    assert_close(v.vector["x,y->?"], wrap([1, 2], channel("vector")))
    assert_close(v.vector[["x", "z"]], vec(x=1, z=3))
    assert_close(v.vector["y":], vec(y=2, z=3))
    assert dict(v.vector.items()).keys() == {"x", "y", "z"}
    assert v.vector.keys() == v.vector.labels == ("x", "y", "z")
    for missing in (lambda: v["q"], lambda: v.vector["q"]):
        with pytest.raises(KeyError, match="q"):
            missing()


def test_brackets_without_a_name(backend):
    assert vec(x=1, y=2)[1].item() == 2
    assert math.ones(spatial(x=3))[1:].shape == spatial(x=2)
    with pytest.raises(IncompatibleShapes, match="Name the dim"):
        math.ones(spatial(x=3, y=2))[0]
    with pytest.raises(TypeError, match="sliced by"):
        math.ones(spatial(x=3))[1.5]


def test_absent_dims(backend):
    x = math.ones(spatial(x=3))
    batch("known_name")
    assert_close(x.known_name[0], x)
    assert not x.known_name.exists
    assert x.known_name.size is None
    assert x.known_name.size_or_1 == 1
    with pytest.raises(KeyError, match="known_name"):
        x.known_name.type  # noqa: B018 the access itself is tested
    with pytest.raises(AttributeError, match="never_seen_name"):
        x.never_seen_name  # noqa: B018 the access itself is tested
    with pytest.raises(AttributeError, match="Did you mean `shape`"):
        x.shapee  # noqa: B018 the access itself is tested


def test_several_dims_at_once(backend):
    x = tensor(np.arange(6).reshape(2, 3), spatial("x,y"))
    assert x.x.y[1, 2].item() == 5
    assert_close(x.x.y[0, 1:], wrap([1, 2], spatial("y")))
    with pytest.raises(IncompatibleShapes, match="one selection each"):
        x.x.y[1]


def test_masks_select(backend):
    x = tensor([1, 2, 3], spatial("x"))
    assert_close(x.x[x > 1], wrap([2, 3], spatial("x")))
    assert_close(x[x > 1].numpy(), np.array([2, 3]))


def test_masks_that_differ_between_examples_give_ragged_results(backend):
    x = tensor([[1, 2], [3, 4]], batch("b"), spatial("x"))
    picked = math.boolean_mask(x, "x", x > 1)
    assert picked.shape.get_size("x") == (1, 2)
    assert_close(picked.b[1], wrap([3, 4], spatial("x")))
    assert_close(
        math.boolean_mask(
            vec(x=1, y=2), "vector", wrap([False, True], channel("vector")), preserve_names=True
        ),
        vec(y=2),
    )
    with pytest.raises(IncompatibleShapes, match="no dim"):
        math.boolean_mask(x, "y", x > 1)


def test_index_vectors_select(backend):
    x = tensor([[1, 2], [3, 4]], spatial("x,y"))
    assert x[vec(x=1, y=0)].item() == 3
    assert_close(x.x[wrap([1, 1, 0], batch("b"))], wrap([[3, 4], [3, 4], [1, 2]], batch("b"), spatial("y")))
    assert x.x[tensor(1)].y[0].item() == 3


def test_trees_are_sliced_leaf_by_leaf(backend):
    tree = {"a": math.ones(spatial(x=3)), "b": [math.zeros(batch(b=2))]}
    assert_close(math.slice(tree, {"x": 0}), {"a": wrap(1.0), "b": [math.zeros(batch(b=2))]})


def test_selections_as_a_dict(backend):
    x = math.ones(spatial(x=3)) * vec(x=1.0, y=2.0)
    assert math.slicing_dict(x, "y") == {"vector": "y"}
    assert math.slicing_dict(x, {"x": 0, "q": 1}) == {"x": 0}
    assert math.slicing_dict(x, {"x": 0, "q": 1}, existing_only=False) == {"x": 0, "q": 1}


def test_bound_dims_describe(backend):
    x = math.ones(spatial(x=3)) * vec(x=1.0, y=2.0)
    assert isinstance(x.vector, math.BoundDim)
    assert x.x.size == len(x.x) == 3
    assert x.x.type is spatial
    assert x.vector.dual.name == "~vector"
    assert x.shape.names[x.x.index] == "x"
    assert repr(x.x) == "Tensor.x"
