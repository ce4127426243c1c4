"""Neighbours, half and double resolution, filled cells, windows."""

import numpy as np
import pytest
from scipy import ndimage

import phi_tensor as math
from phi_tensor import IncompatibleShapes, Unsupported, batch, channel, spatial, tensor, vec, wrap
from phi_tensor.testing import assert_close, check_gradient

X = spatial("x")
XY = spatial("x,y")


@pytest.fixture(autouse=True)
def double_precision():
    with math.precision(64):
        yield


def line(*values):
    return tensor(np.array(values), X)


# --- pairs


@pytest.mark.parametrize(
    ("function", "oracle"),
    [
        (math.neighbor_mean, np.mean),
        (math.neighbor_sum, np.sum),
        (math.neighbor_max, np.max),
        (math.neighbor_min, np.min),
        (lambda *args: math.neighbor_reduce(math.prod, *args), np.prod),
    ],
)
def test_pairs_are_reduced(function, oracle, backend, rng):
    x = rng.standard_normal((4, 5))
    windows = np.lib.stride_tricks.sliding_window_view(x, (2, 2))
    np.testing.assert_allclose(function(tensor(x, XY)).numpy("x,y"), oracle(windows, (2, 3)), rtol=1e-12)
    assert_close(function([tensor(x, XY)])[0], function(tensor(x, XY)))
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (0, 1)), "wrap"), 2, 1)
    padded = function(tensor(x, XY), "y", "periodic")
    np.testing.assert_allclose(padded.numpy("x,y"), oracle(windows, 2), rtol=1e-12)


def test_pairs_beyond_the_bounds(backend):
    assert math.neighbor_sum(line(1, 2), padding=0, extend_bounds=1).numpy().tolist() == [1, 3, 2, 0]
    assert math.neighbor_max(line(1, 2), padding=0, extend_bounds=(1, 0)).numpy().tolist() == [1, 2, 2]
    for function in (math.neighbor_sum, math.neighbor_min):
        with pytest.raises(ValueError, match="`padding` gives the values"):
            function(line(1, 2), extend_bounds=1)


def test_at_best_neighbor(backend, rng):
    keys, values = rng.standard_normal((2, 5, 4))
    windows = np.lib.stride_tricks.sliding_window_view(keys, (2, 2)).reshape(4, 3, 4)
    others = np.lib.stride_tricks.sliding_window_view(values, (2, 2)).reshape(4, 3, 4)
    for function, best in ((math.at_max_neighbor, np.argmax), (math.at_min_neighbor, np.argmin)):
        expected = np.take_along_axis(others, best(windows, 2)[..., None], 2)[..., 0]
        np.testing.assert_array_equal(function(tensor(values, XY), tensor(keys, XY)).numpy("x,y"), expected)
        tree = function({"a": tensor(values, XY), "b": tensor(1.0)}, tensor(keys, XY))
        np.testing.assert_array_equal(tree["a"].numpy("x,y"), expected)
    cross = math.at_max_neighbor(
        tensor(keys, XY), tensor(keys, XY), padding=-9, offsets=(-1, 0, 1), diagonal=False
    )
    footprint = ndimage.generate_binary_structure(2, 1)
    expected = ndimage.maximum_filter(keys, footprint=footprint, mode="constant", cval=-9)
    np.testing.assert_array_equal(cross.numpy("x,y"), expected)
    with pytest.raises(IncompatibleShapes, match="different sizes"):
        math.at_max_neighbor(tensor(keys, XY), tensor(keys, XY), diagonal=False)


def test_shifts_by_vectors(backend):
    x = tensor(np.arange(12.0).reshape(3, 4), XY)
    same, right, back = math.index_shift(x, [0, vec(x=1, y=1), {"y": -1}], "periodic")
    np.testing.assert_array_equal(same.numpy("x,y"), x.numpy("x,y"))
    np.testing.assert_array_equal(right.numpy("x,y"), np.roll(x.numpy("x,y"), (-1, -1), (0, 1)))
    np.testing.assert_array_equal(back.numpy("x,y"), np.roll(x.numpy("x,y"), 1, 1))
    inner = math.index_shift(x, [{"x": 1}, {"y": -1}])
    np.testing.assert_array_equal(inner[0].numpy("x,y"), x.numpy("x,y")[1:, 1:])
    np.testing.assert_array_equal(inner[1].numpy("x,y"), x.numpy("x,y")[:-1, :-1])
    later = math.index_shift([line(1, 2, 3)], [{"x": 1}, {"x": 2}], 0)
    assert [part[0].numpy().tolist() for part in later] == [[2, 3, 0], [3, 0, 0]]


def test_errors_of_shifts(backend):
    x = line(1, 2, 3)
    with pytest.raises(ValueError, match="at least one offset"):
        math.index_shift(x, [])
    with pytest.raises(IncompatibleShapes, match=r"missing in .*x:s=3"):
        math.index_shift(x, [{"y": 1}])
    with pytest.raises(IncompatibleShapes, match="along which dim"):
        math.index_shift(x, [1])
    for offset in (vec(x=1.0), wrap([1, 0])):
        with pytest.raises(IncompatibleShapes, match="int vectors"):
            math.index_shift(x, [offset])


@pytest.mark.needs("jit")
@pytest.mark.compiled
def test_unknown_offsets_and_starts_are_refused(backend):
    with pytest.raises(Unsupported, match="dicts of ints"):
        math.jit_compile(lambda x, i: math.index_shift(x, [vec(x=i)])[0])(line(1.0, 2.0), tensor(1))
    with pytest.raises(Unsupported, match="grid_sample"):
        math.jit_compile(lambda x, i: math.sample_subgrid(x, vec(x=i), spatial(x=1)))(
            line(1.0, 2.0), tensor(0.5)
        )


# --- resampling


def test_half_and_double_resolution(backend):
    assert math.downsample2x(line(0.0, 2.0, 4.0)).numpy().tolist() == [1, 4]
    assert math.upsample2x(line(0.0, 4.0)).numpy().tolist() == [0, 1, 3, 4]
    assert math.upsample2x(line(0.0, 4.0), "periodic").numpy().tolist() == [1, 1, 3, 3]
    x = tensor(np.add.outer(np.arange(4.0), 10 * np.arange(6.0)), XY)
    np.testing.assert_allclose(math.downsample2x(x).numpy("x,y"), np.add.outer([0.5, 2.5], [5.0, 25.0, 45.0]))
    assert_close(
        math.downsample2x(math.upsample2x([x], "periodic"), dims="x,y")[0],
        math.convolve(x, box(), extrapolation="periodic"),
    )


def box():
    weights = np.array([1, 6, 1]) / 8
    return tensor(np.outer(weights, weights), XY)


def test_window_between_samples(backend):
    x = tensor(np.add.outer(np.arange(5.0), 10 * np.arange(4.0)), XY)
    found = math.sample_subgrid(x, vec(x=1, y=0.25), spatial(x=3, y=2))
    np.testing.assert_allclose(found.numpy("x,y"), np.add.outer([1.0, 2, 3], [2.5, 12.5]))
    assert_close(math.sample_subgrid([x], wrap([1, 0.25]), spatial(x=3, y=2))[0], found)
    with pytest.raises(IncompatibleShapes, match="exceeds the 5 entries"):
        math.sample_subgrid(x, vec(x=2.5), spatial(x=3))
    with pytest.raises(IncompatibleShapes, match="one component per dim"):
        math.sample_subgrid(x, vec(x=1), spatial(x=3, y=2))


# --- filling


def test_masked_cells_are_filled(backend):
    x = tensor(np.array([[4.0, 9, 9], [9, 9, 9], [8.0, 9, 9]]), XY)
    valid = tensor(np.array([[1, 0, 0], [0, 0, 0], [1, 0, 0]]), XY)
    once, mask = math.masked_fill(x, valid)
    assert once.numpy("x,y").tolist() == [[4, 4, 9], [6, 6, 9], [8, 8, 9]]
    assert mask.numpy("x,y").tolist() == [[1, 1, 0]] * 3
    assert mask.dtype == valid.dtype
    twice, every = math.masked_fill(x, valid == 1, 9)
    assert twice.numpy("x,y").tolist() == [[4, 4, 5], [6, 6, 6], [8, 8, 7]]
    assert every.dtype.kind is bool
    assert math.all(every)
    hidden = math.where(valid == 1, x, math.NAN)
    assert_close(math.masked_fill(hidden, valid, 2)[0], twice)
    with pytest.raises(IncompatibleShapes, match="dims of one size"):
        math.masked_fill(math.zeros(batch(b=2)), math.zeros(batch(b=2)))


def test_non_finite_cells_are_filled(backend):
    nan, inf = np.nan, np.inf
    assert math.finite_fill(line(1.0, nan, 3.0)).numpy().tolist() == [1, 2, 3]
    assert math.finite_fill(line(1.0, inf, -inf, nan), distance=3).numpy().tolist() == [1, 1, 1, 1]
    assert math.finite_fill([line(nan, 3.0)], padding=1.0)[0].numpy().tolist() == [2, 3]
    assert math.finite_fill(line(nan, 3.0), padding=None).numpy().tolist() == [3, 3]
    assert math.finite_fill(line(nan, 3.0, 5.0), padding="periodic").numpy().tolist() == [4, 3, 5]
    x = tensor(np.array([[1.0, 2], [4, nan]]), XY)
    np.testing.assert_allclose(math.finite_fill(x).numpy("x,y")[1, 1], (1 + 2 * 2 + 2 * 4) / 5)
    np.testing.assert_allclose(math.finite_fill(x, padding=None).numpy("x,y")[1, 1], 7 / 3)
    np.testing.assert_allclose(math.finite_fill(x, padding=None, diagonal=False).numpy("x,y")[1, 1], 3)


@pytest.mark.needs("reverse")
def test_derivatives(backend, rng):
    x = tensor(rng.standard_normal((5, 4)), XY)
    hidden = tensor(rng.random((5, 4)) > 0.5, XY)

    def loss(x):
        copies = math.tile(math.repeat(x, 2, "x"), {"y": 2})
        windows = math.fold(math.unfold(x, "x", channel(w=3), 2, "reflect"), "x", "w", 2, "reflect", 5)
        return (
            math.sum(copies * copies.y[::-1])
            + math.sum(math.finite_fill(math.where(hidden, math.NAN, x)) ** 2)
            + math.sum(math.sample_subgrid(x, vec(x=0.5, y=1.2), spatial(x=3, y=2)) ** 2)
            + math.sum(windows**3)
        )

    check_gradient(loss, x)


# --- windows and copies


@pytest.mark.parametrize("rule", [None, 0, "periodic", "reflect", "antisymmetric"])
@pytest.mark.parametrize(("window", "stride"), [(3, 1), (2, 1), (3, 2), (4, 3), (1, 2)])
def test_folding_is_the_transpose_of_unfolding(window, stride, rule, backend, rng):
    x = tensor(rng.standard_normal((7, 2)), X, channel("c"))
    w = math.unfold(x, "x", channel(w=window), stride, rule)
    padded = np.pad(x.numpy("c,x"), ((0, 0), (window // 2, (window - 1) // 2)), "reflect")
    if rule == "reflect":
        views = np.lib.stride_tricks.sliding_window_view(padded, window, 1)[:, ::stride]
        np.testing.assert_allclose(w.numpy("c,x,w"), views)
    other = tensor(rng.standard_normal(w.shape.sizes), *w.shape)
    back = math.fold(other, "x", "w", stride, rule, 7)
    assert back.shape == x.shape
    assert_close(math.sum(w * other), math.sum(x * back))
    smallest = math.fold(other, "x", "w", stride)
    assert smallest.shape.get_size("x") == (w.shape.get_size("x") - 1) * stride + window


def test_windows_of_labelled_dims_and_trees(backend):
    x = tensor([1.0, 2, 3], channel(c="u,v,w"))
    assert math.unfold(x, "c", spatial(s=2)).s[1].numpy().tolist() == [2, 3]
    w = math.unfold([x], "c", spatial(s=2))
    assert math.fold(w, "c", "s")[0].numpy().tolist() == [1, 4, 3]


def test_errors_of_windows(backend):
    x = line(1.0, 2.0, 3.0)
    with pytest.raises(IncompatibleShapes, match="missing in"):
        math.unfold(x, "y", channel(w=2))
    with pytest.raises(IncompatibleShapes, match="new dim with a size"):
        math.unfold(x, "x", channel("w"))
    with pytest.raises(IncompatibleShapes, match="does not fit"):
        math.unfold(x, "x", channel(w=4))
    with pytest.raises(ValueError, match="positive int"):
        math.unfold(x, "x", channel(w=2), 0)
    with pytest.raises(IncompatibleShapes, match="4 to 5 entries"):
        math.fold(math.unfold(x, "x", channel(w=2)), "x", "w", 2, size=9)


def test_copies(backend, rng):
    x = rng.standard_normal((3, 2))
    value = tensor(x, XY)
    np.testing.assert_array_equal(math.tile(value, {"x": 2, "y": 3}).numpy("x,y"), np.tile(x, (2, 3)))
    np.testing.assert_array_equal(math.repeat(value, 3, "y").numpy("x,y"), np.repeat(x, 3, 1))
    assert math.tile([value], {"x": 0})[0].shape == spatial(x=0, y=2)
    assert math.repeat([value], 1, "x")[0] is value
    with pytest.raises(ValueError, match="at least 0"):
        math.repeat(value, -1, "x")
