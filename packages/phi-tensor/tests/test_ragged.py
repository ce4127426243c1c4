"""Sizes that vary, through everything that has a meaning for them; code that does not care about orders."""

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import IncompatibleShapes, Unsupported, batch, channel, instance, spatial, tensor, vec, wrap
from phi_tensor.layouts import Ragged, Stacked
from phi_tensor.testing import assert_close
from phi_tensor.testing._laws import check_storage


def ragged(*parts, dim="x"):
    return math.stack([tensor(list(part), spatial(dim)) for part in parts], batch("b"))


def lists(x, dim="b"):
    check_storage(x)
    return [part.numpy().tolist() for part in math.unstack(x, dim)]


# --- making


def test_constants_of_ragged_shapes(backend):
    shape = ragged([1.0, 2.0], [3.0]).shape
    for make, value in ((math.zeros, 0), (math.ones, 1), (lambda s: math.full(2.5, s), 2.5)):
        x = make(shape)
        assert isinstance(x.layout, Ragged)
        assert x.shape == shape
        assert lists(x) == [[value, value], [value]]
    assert math.zeros_like(ragged([1.0], [2.0, 3.0])).shape.get_size("x") == (1, 2)
    deep = math.stack([math.zeros(shape), math.zeros(ragged([1.0], [2.0, 3.0, 4.0]).shape)], batch("c"))
    assert math.ones(deep.shape).shape == deep.shape
    assert math.sum(math.ones(deep.shape), deep.shape).item() == deep.shape.volume == 7


def test_a39_order_of_dims_of_nested_lists(backend):
    for rows in ([[1, 2]], [[1, 2], [3, 4]]):
        for make in (tensor, wrap):
            x = make(rows, "b:b", "vector:c")
            assert x.shape.names == ("b", "vector")
            assert x.numpy("b,vector").tolist() == rows


# --- slicing and masks


def test_slices_of_ragged_tensors(backend):
    x = ragged([1, 2, 3], [4])
    assert lists(x.x[:2]) == [[1, 2], [4]]
    assert lists(x.x[1:]) == [[2, 3], []]
    assert lists(x.x[::-1]) == [[3, 2, 1], [4]]
    assert x.x[0].numpy("b").tolist() == [1, 4]
    assert x.b[1].numpy().tolist() == [4]
    assert lists(x.b[::-1]) == [[4], [1, 2, 3]]
    uniform = x.x[:1]
    assert isinstance(uniform.layout, Stacked)
    assert uniform.numpy("b,x").tolist() == [[1], [4]]
    with pytest.raises(IndexError, match="size 1"):
        x.x[1]


def test_a6_ragged_slices_beyond_the_end(backend):
    x = ragged([1, 2, 3], [4])
    assert x.x[10:].shape == batch(b=2) & spatial(x=0)
    assert x.x[2:].shape.get_size("x") == (1, 0)
    with pytest.raises(Unsupported, match="No entry of dim `b`"):
        x.b[5:]


def test_masks_of_and_into_ragged(backend):
    x = ragged([1, 2, 3], [4])
    assert lists(x.x[x > 1]) == [[2, 3], [4]]
    assert lists(math.boolean_mask(x, "x", x > 2)) == [[3], [4]]
    assert lists(x.b[tensor([False, True], batch("b"))]) == [[4]]
    dense = tensor([[1, 2], [3, 4]], batch("b"), spatial("x"))
    assert lists(dense.x[dense > 1]) == [[2], [3, 4]]
    assert dense.x[dense > 2].shape.get_size("x") == (0, 2)


# --- joining


def test_concatenation_of_ragged_tensors(backend):
    x, y = ragged([1, 2], [3]), ragged([4], [5, 6, 7])
    assert lists(math.concat([x, y], "x")) == [[1, 2, 4], [3, 5, 6, 7]]
    assert lists(math.concat([x, y], "b")) == [[1, 2], [3], [4], [5, 6, 7]]
    dense = tensor([[8, 9, 10]], batch("b"), spatial("x"))
    assert lists(math.concat([x, dense], "b")) == [[1, 2], [3], [8, 9, 10]]
    assert lists(math.concat([dense, x], "b")) == [[8, 9, 10], [1, 2], [3]]
    assert lists(math.concat([x, tensor([[0], [1]], batch("b"), spatial("x"))], "x")) == [[1, 2, 0], [3, 1]]


def test_stacks_of_ragged_tensors(backend):
    x, y = ragged([1, 2], [3]), ragged([4, 5], [6])
    both = math.stack([x, y], channel("c"))
    assert both.shape.get_size("x") == (2, 1)
    assert lists(both.c[1]) == [[4, 5], [6]]
    other = math.stack([x, ragged([4], [5, 6, 7])], batch("c"))
    assert other.shape.volume == 7
    assert lists(other.c[1]) == [[4], [5, 6, 7]]


def test_a40_packing_the_stacked_and_the_ragged_dim(backend):
    x = ragged([1, 2], [3])
    assert math.pack_dims(x, "b,x", instance("p")).numpy().tolist() == [1, 2, 3]
    both = math.stack([x, 10 * x], channel("c"))
    assert math.pack_dims(both, "b,x", instance("p")).numpy("p,c").tolist() == [[1, 10], [2, 20], [3, 30]]
    assert math.pack_dims(math.zeros(x.shape), "b,x", instance("p")).shape == instance(p=3)
    with pytest.raises(Unsupported, match="Put `b` first"):
        math.pack_dims(x, "x,b", instance("p"))
    with pytest.raises(IncompatibleShapes, match="would leave sizes that vary"):
        math.pack_dims(math.expand(x, channel(c=2)), "b,c", instance("p"))


def test_ragged_tensors_have_no_block(backend):
    with pytest.raises(Unsupported, match=r"(?s)join.*Ragged.*pad to one size"):
        ragged([1, 2], [3]).block()


def test_reductions_weigh_by_true_counts(backend):
    x = ragged([1.0, 1.0, 1.0], [2.0, 2.0, 2.0, 2.0])
    assert_close(math.mean(x, "b,x"), wrap(11 / 7))
    assert_close(math.sum(x, "x"), wrap([3.0, 8.0], batch("b")))
    assert math.max(x, x.shape).item() == 2


def test_look_up_in_ragged_tensors(backend):
    x = ragged([1.0, 2.0], [3.0, 4.0, 5.0])
    at = tensor([[1], [2]], batch("b"), channel(vector="x"))
    assert_close(math.gather(x, at), wrap([2.0, 5.0], batch("b")))
    with pytest.raises(IndexError, match="outside"):
        math.gather(x, tensor([[2], [2]], batch("b"), channel(vector="x")))


# --- order of components


XYZ, ZYX = ("x", "y", "z"), ("z", "y", "x")


def both_orders(rng):
    values = rng.standard_normal((5, 3))
    xyz = tensor(values, instance("p"), channel(vector=XYZ))
    return xyz, xyz.vector["z,y,x"]


def test_arithmetic_wants_equal_orders(backend, rng):
    xyz, zyx = both_orders(rng)
    for operation in (
        lambda a, b: a + b,
        lambda a, b: math.maximum(a, b),
        lambda a, b: math.where(a > 0, a, b),
        lambda a, b: math.stack([a, b], batch("b")),
        lambda a, b: a @ b,
    ):
        with pytest.raises(IncompatibleShapes, match=r"(?s)x.*y.*z.*z.*y.*x"):
            operation(xyz, zyx)
    assert_close(xyz + zyx.vector["x,y,z"], 2 * xyz)


def test_results_do_not_depend_on_the_order(backend, rng):
    xyz, zyx = both_orders(rng)
    assert_close(math.norm(xyz), math.norm(zyx))
    assert_close(math.sum(xyz, "vector"), math.sum(zyx, "vector"))
    assert_close(xyz["y"], zyx["y"])
    assert_close((2 * xyz).vector["z,y,x"], 2 * zyx)
    assert_close(vec(x=1.0, y=2.0, z=3.0), vec(z=3.0, y=2.0, x=1.0).vector["x,y,z"])


@pytest.mark.parametrize("mode", [0, "zero-gradient", "periodic"])
def test_look_up_goes_by_labels(mode, backend, rng):
    grid = tensor(rng.standard_normal((3, 4, 5)), spatial("x,y,z"))
    xyz, zyx = both_orders(rng)
    assert_close(math.grid_sample(grid, xyz, mode), math.grid_sample(grid, zyx, mode))
    at = math.to_int64(math.clip(math.abs(xyz), 0, 2))
    assert_close(grid[at], grid[at.vector["z,y,x"]])
    for order in ("y,z,x", "z,x,y"):
        transposed = tensor(np.ascontiguousarray(grid.numpy(order)), spatial(order))
        assert_close(math.grid_sample(transposed, zyx, mode), math.grid_sample(grid, xyz, mode))


def test_padding_goes_by_names(backend, rng):
    array = rng.standard_normal((3, 4))
    x, transposed = tensor(array, spatial("x,y")), tensor(np.ascontiguousarray(array.T), spatial("y,x"))
    widths = {"x": (1, 0), "y": (0, 2)}
    swapped = dict(reversed(widths.items()))
    for mode in (0, "periodic", "symmetric", {"x": 0, "y": "zero-gradient"}):
        assert_close(math.pad(x, widths, mode), math.pad(transposed, swapped, mode))
