"""Sizes that vary, through everything that has a meaning for them; code that does not care about orders."""

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import IncompatibleShapes, Unsupported, batch, channel, instance, spatial, tensor, vec, wrap
from phi_tensor.layouts import Ragged, Stacked
from phi_tensor.testing import assert_close, check_gradient
from phi_tensor.testing._laws import check_storage


def ragged(*parts, dim="x"):
    return math.stack([tensor(list(part), spatial(dim)) for part in parts], batch("b"))


def nested(values):
    parts = [[tensor(list(row), spatial("x")) for row in rows] for rows in values]
    return math.stack([math.stack(part, batch("b")) for part in parts], batch("c"))


def elements(x):
    """Every element by its position."""
    if not x.rank:
        return {frozenset(): x.item()}
    dim = next(dim for dim in x.shape.dims if isinstance(dim.size, int))
    return {
        at | {(dim.name, i)}: value
        for i in range(dim.size)
        for at, value in elements(x[{dim.name: i}]).items()
    }


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
    with pytest.raises(IncompatibleShapes, match=r"gives 3 entries, but `p:i=4`"):
        math.pack_dims(x, "b,x", instance(p=4))
    assert math.pack_dims(x, "b,x", instance(p="u,v,w")).p["w"].item() == 3


@pytest.mark.parametrize("order", ["c,b", "b,c", "b,x", "c,b,x", "b,c,x"])
def test_packing_dims_of_ragged_tensors_in_any_order(order, backend):
    names = order.split(",")
    for x in (nested([[[1, 2], [3]], [[4], [5, 6, 7]]]), nested([[[1, 2], [3]], [[4, 5], [6]]])):
        before = elements(x)
        packed = math.pack_dims(x, order, instance("p"))
        rows = sorted(before, key=lambda at: [dict(at)[name] for name in names])
        kept = [n for n in ("c", "b", "x") if n not in names]
        places = list(dict.fromkeys(tuple(dict(at)[n] for n in names) for at in rows))
        found = elements(packed)
        for at, value in before.items():
            place = tuple(dict(at)[n] for n in names)
            outer = {n: dict(at)[n] for n in kept}
            first = [p for p in places if _exists(before, names, p, outer)] if "x" in names else places
            assert found[frozenset({**outer, "p": first.index(place)}.items())] == value
        assert len(found) == len(before)


def _exists(entries, names, place, outer):
    return frozenset({**outer, **dict(zip(names, place, strict=True))}.items()) in entries


def test_packed_dims_have_the_place_of_the_first(backend):
    dense = tensor([[[1, 2], [3, 4]]], spatial("x,y"), channel("c"))
    for x in (dense, math.stack(math.unstack(dense, "c"), channel("c"))):
        assert math.pack_dims(x, "x,y", instance("p"), pos=0).shape.names == ("p", "c")
        assert math.pack_dims(x, "x,y", instance("p"), pos=5).shape.names == ("c", "p")


def test_stacks_of_ragged_and_uniform_parts(backend):
    x, uniform = ragged([1, 2], [3]), tensor([[4, 5, 6], [7, 8, 9]], batch("b"), spatial("x"))
    for parts in ([x, uniform], [uniform, x], [x, tensor([4, 5, 6], spatial("x"))]):
        both = math.stack(parts, channel("c"))
        check_storage(both)
        sizes = [(2, 1) if part is x else (3, 3) for part in parts]
        assert both.shape.get_size("x") == tuple(sizes)
        assert both.shape.volume == 9
        assert both.b[0].shape.get_size("x") == tuple(size[0] for size in sizes)
        for i, part in enumerate(parts):
            assert lists(both.c[i]) == lists(math.expand(part, batch(b=2)))
        assert lists((2 * both + both).c[sizes.index((2, 1))]) == [[3, 6], [9]]
        assert math.sum(both, "x").b[0].c[sizes.index((2, 1))].item() == 3
    deep = math.stack([both, math.zeros(batch(b=2) & spatial(x=1) & channel(c=2))], batch("d"))
    assert deep.shape.volume == 13
    assert elements(math.zeros(deep.shape)).keys() == elements(deep).keys()


def test_concatenation_of_stacks_of_ragged_tensors(backend):
    x, y = ragged([1, 2], [3]), ragged([4], [5, 6, 7])
    equal, mixed = math.stack([x, 10 * x], channel("c")), math.stack([x, y], channel("c"))
    assert lists(math.concat([equal, equal], "x").c[1]) == [[10, 20, 10, 20], [30, 30]]
    assert lists(math.concat([equal, mixed], "x").c[1]) == [[10, 20, 4], [30, 5, 6, 7]]
    assert lists(math.concat([equal, mixed], "b").c[1]) == [[10, 20], [30], [4], [5, 6, 7]]
    assert lists(math.concat([equal, mixed], "c").c[3]) == [[4], [5, 6, 7]]
    dense = math.ones(batch(b=2) & spatial(x=1) & channel(c=2))
    for parts in ([equal, dense], [mixed, dense]):
        for dim in ("x", "b", "c"):
            check_storage(math.concat(parts, dim))
            assert math.sum(math.concat(parts, dim), "x,b,c").item() == sum(
                math.sum(part, "x,b,c").item() for part in parts
            )
    with pytest.raises(IncompatibleShapes, match="size"):
        math.concat([ragged([1], [2, 3]), math.ones(batch(b=3) & spatial(x=1))], "x")


def test_ragged_parts_in_another_order(backend):
    x = nested([[[1, 2], [3]], [[4], [5, 6, 7]]])
    assert lists(math.flip(x, "c").c[0]) == [[4], [5, 6, 7]]
    assert lists(math.flip(x, "b").c[0]) == [[3], [1, 2]]
    assert lists(math.flip(x, "c,x").c[0]) == [[4], [7, 6, 5]]
    assert lists(math.roll(x.c[1], 1, "b")) == [[5, 6, 7], [4]]
    assert lists(math.roll(x.c[1], -3, "b")) == [[5, 6, 7], [4]]
    labelled = math.stack({"u": x.c[0], "v": x.c[1]}, channel("c"))
    assert math.flip(labelled, "c").shape.get_dim("c").labels == ("v", "u")


def test_ragged_parts_in_groups(backend):
    x = ragged([1], [2, 3], [4, 5], [6])
    split = math.unpack_dim(x, "b", batch(b1=2, b2=None))
    assert split.shape.get_size("x") == ((1, 2), (2, 1))
    assert lists(split.b1[1], "b2") == [[4, 5], [6]]
    assert lists(math.pack_dims(split, "b1,b2", batch("b"))) == lists(x)
    with pytest.raises(IncompatibleShapes, match="must multiply to 4"):
        math.unpack_dim(x, "b", batch(b1=3, b2=2))


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


def rows():
    return math.stack(
        [tensor(row, spatial("x")) for row in ([1.0, 2.0], [3.0], [4.0, 5.0, 6.0])], spatial("y")
    )


def test_look_up_across_rows_of_different_lengths(backend):
    at = tensor([[0, 1], [2, 2], [1, 0]], instance("p"), channel(vector="y,x"))
    assert math.gather(rows(), at).numpy("p").tolist() == [2, 6, 3]
    assert math.gather(rows(), at.vector["x,y"]).numpy("p").tolist() == [2, 6, 3]
    assert rows()[at].numpy("p").tolist() == [2, 6, 3]
    layers = math.stack([rows(), 10 * rows()], spatial("z"))
    deep = math.stack(
        {"z": math.wrap([1, 0, 1], instance("p")), "y": at["y"], "x": at["x"]}, channel("vector")
    )
    assert math.gather(layers, deep).numpy("p").tolist() == [20, 6, 30]
    batched = nested([[[1, 2], [3]], [[4], [5, 6, 7]]])
    at = tensor([[[0, 1], [1, 0]], [[0, 0], [1, 2]]], batch("c"), instance("p"), channel(vector="b,x"))
    assert math.gather(batched, at, "b,x").numpy("c,p").tolist() == [[2, 3], [4, 7]]
    for wrong in ([1, 1], [3, 0], [-1, 0], [0, -1]):
        with pytest.raises(IndexError, match=r"outside of \{'y': 3, 'x': \(2, 1, 3\)\}"):
            math.gather(rows(), tensor(wrong, channel(vector="y,x")))


def test_writing_across_rows_of_different_lengths(backend):
    at = tensor([[0, 1], [2, 2], [2, 2]], instance("p"), channel(vector="y,x"))
    values = tensor([10.0, 20.0, 30.0], instance("p"))
    assert lists(math.scatter(rows(), at, values, "add"), "y") == [[1, 12], [3], [4, 5, 56]]
    assert lists(math.scatter(rows(), at, values), "y") == [[1, 10], [3], [4, 5, 30]]
    assert lists(math.scatter(rows().shape, at, values, "add"), "y") == [[0, 10], [0], [0, 0, 50]]
    outside = tensor([[0, 2], [1, -1], [5, 9]], instance("p"), channel(vector="y,x"))
    with pytest.raises(IndexError, match=r"'x': \(2, 1, 3\)"):
        math.scatter(rows(), outside, values)
    discarded = math.scatter(rows(), outside, values, outside_handling="discard")
    assert lists(discarded, "y") == lists(rows(), "y")
    clamped = math.scatter(rows(), outside, values, outside_handling="clamp")
    assert lists(clamped, "y") == [[1, 10], [20], [4, 5, 30]]
    layers = math.stack([rows(), 10 * rows()], batch("b"))
    assert lists(math.scatter(layers, at, values, "add").b[1], "y") == [[10, 30], [30], [40, 50, 110]]


@pytest.mark.needs("reverse", "forward")
def test_gradients_of_look_up_across_rows(backend):
    at = tensor([[0, 1], [2, 2], [2, 2]], instance("p"), channel(vector="y,x"))

    def looked_up(a, b, c):
        grid = math.stack([a, b, c], spatial("y"))
        return math.sum(math.gather(grid, at) ** 2) + math.sum(
            math.scatter(grid, at, grid[at], "mean") ** 3, "x,y"
        )

    with math.precision(64):
        check_gradient(looked_up, *math.unstack(math.to_float(rows()), "y"))


def test_operations_along_components_of_ragged_tensors(backend):
    x = ragged([1.0, 5.0, 2.0], [4.0, 3.0])
    both = math.stack([x, 10 * x], channel("c"))
    for operation in (
        lambda t: math.cumulative_sum(t, "c"),
        lambda t: math.sort(t, "c"),
        lambda t: math.real(math.fft(t, "c")),
        lambda t: math.pad(t, {"c": (1, 0), "x": (0, 1)}, 0),
        lambda t: math.unpack_dim(t, "c", channel(c1=2, c2=1)).c2[0],
        lambda t: t.c[5:],
    ):
        found = operation(both)
        check_storage(found)
        for i in range(2):
            assert_close(found.b[i], operation(both.b[i]))


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
