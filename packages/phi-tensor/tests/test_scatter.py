"""Scattering beyond the law suite: entries that meet, places outside, ragged lists, corners."""

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import IncompatibleShapes, Unsupported, batch, channel, instance, spatial, tensor, vec, wrap
from phi_tensor.testing import assert_close, check_gradient
from phi_tensor.testing._laws import check_storage

MODES = ("update", "add", "mean", "min", "max", "prod")


@pytest.fixture(autouse=True)
def double_precision():
    with math.precision(64):
        yield


def at_x(*positions):
    return tensor(np.array(positions)[:, None], instance("p"), channel(vector="x"))


def listed(*values):
    return tensor(np.array(values), instance("p"))


# --- what meets at one place


@pytest.mark.parametrize(
    ("mode", "on_shape", "on_twos"),
    [
        ("update", [1, np.nan, 5], [1, 2, 5]),
        ("add", [4, 0, 5], [6, 2, 7]),
        ("mean", [2, np.nan, 5], [2, 2, 5]),
        ("min", [1, np.inf, 5], [1, 2, 2]),
        ("max", [3, -np.inf, 5], [3, 2, 5]),
        ("prod", [3, 1, 5], [6, 2, 10]),
    ],
)
def test_modes(mode, on_shape, on_twos, backend):
    at, values = at_x(0, 0, 2), listed(3.0, 1.0, 5.0)
    np.testing.assert_array_equal(math.scatter(spatial(x=3), at, values, mode).numpy(), on_shape)
    np.testing.assert_array_equal(
        math.scatter(math.full(2.0, spatial(x=3)), at, values, mode).numpy(), on_twos
    )


def test_logical_modes(backend):
    at, values = at_x(0, 0, 2), listed(True, False, False)
    assert math.scatter(spatial(x=3), at, values, "any").numpy().tolist() == [True, False, False]
    assert math.scatter(spatial(x=3), at, values, "all").numpy().tolist() == [False, True, False]
    assert math.scatter(math.ones(spatial(x=3)), at, values, "any").numpy().tolist() == [True, True, True]


def test_the_last_entry_stays(backend, rng):
    index, values = rng.integers(0, 5, (3, 40)), rng.standard_normal((3, 40, 2))
    expected = np.full((3, 5, 2), np.nan)
    for b in range(3):
        for p in range(40):
            expected[b, index[b, p]] = values[b, p]
    found = math.scatter(
        spatial(x=5),
        tensor(index[..., None], batch("b"), instance("p"), channel(vector="x")),
        tensor(values, batch("b"), instance("p"), channel(c="u,v")),
    )
    np.testing.assert_array_equal(found.numpy("b,x,c"), expected)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_nan_spreads_from_entries_and_grid(mode, backend):
    found = math.scatter(
        listed(0.0, np.nan, 0.0, 1.0), tensor([[0], [0], [1], [2]], instance("q"), channel(vector="p")),
        tensor([1.0, np.nan, 5.0, -np.inf], instance("q")), mode,
    )  # fmt: skip
    low = -np.inf if mode == "min" else 0
    np.testing.assert_array_equal(found.numpy(), [np.nan, np.nan, low, 1])


def test_kinds_of_numbers(backend):
    at = at_x(0, 0)
    ints = math.scatter(math.zeros(spatial(x=2), dtype=int), at, listed(3, 2), "max")
    assert ints.dtype.kind is int
    assert ints.numpy().tolist() == [3, 0]
    mean = math.scatter(math.zeros(spatial(x=2), dtype=int), at, listed(3, 2), "mean")
    assert mean.dtype == math.DType.of("float64")
    assert mean.numpy().tolist() == [2.5, 0]
    product = math.scatter(spatial(x=2), at, listed(1j, 2.0), "prod")
    assert product.numpy().tolist() == [2j, 1]
    assert math.scatter(spatial(x=2), at, listed(True, True), "add").numpy().tolist() == [2, 0]
    assert math.scatter(spatial(x=2), at, 7, "max", default=0).numpy().tolist() == [7, 0]
    with pytest.raises(Unsupported, match="order"):
        math.scatter(spatial(x=2), at, listed(1j, 2.0), "max")


@pytest.mark.parametrize("mode", MODES)
def test_no_entries_and_no_places(mode, backend):
    grid, none = (
        math.full(2.0, spatial(x=3)),
        tensor(np.zeros((0, 1), int), instance("p"), channel(vector="x")),
    )
    assert_close(math.scatter(grid, none, 1.0, mode), grid)
    empty = math.zeros(spatial(x=0))
    assert math.scatter(empty, at_x(0), 1.0, mode, "discard").shape == spatial(x=0)
    with pytest.raises(IncompatibleShapes, match="no entries"):
        math.scatter(empty, at_x(0), 1.0, mode, "clamp")


# --- places outside


@pytest.mark.parametrize("mode", MODES)
def test_outside(mode, backend):
    at, values, grid = at_x(1, -1, 7, 1), listed(3.0, 4.0, 5.0, 6.0), math.full(2.0, spatial(x=3))
    assert_close(
        math.scatter(grid, at, values, mode, "discard"),
        math.scatter(grid, at_x(1, 1), listed(3.0, 6.0), mode),
    )
    assert_close(
        math.scatter(grid, at, values, mode, "clamp"), math.scatter(grid, at_x(1, 0, 2, 1), values, mode)
    )
    inside = at_x(1, 0, 2, 1)
    assert_close(
        math.scatter(grid, inside, values, mode, "undefined"), math.scatter(grid, inside, values, mode)
    )
    with pytest.raises(IndexError, match=r"outside.*'x': 3"):
        math.scatter(grid, at, values, mode)


def test_outside_of_one_dim_only(backend):
    at = wrap([[0, 5], [1, 1], [-1, 0]], instance("p"), channel(vector="x,y"))
    found = math.scatter(spatial(x=2, y=2), at, 1, "add", "discard")
    assert found.numpy("x,y").tolist() == [[0, 0], [0, 1]]


@pytest.mark.needs("jit")
@pytest.mark.compiled
def test_compiled_scatter_reports_and_discards(backend):
    grid = math.zeros(spatial(x=3))
    checked = math.jit_compile(lambda i: math.scatter(grid, i, 1.0, "max"))
    assert checked(at_x(0, 2)).numpy().tolist() == [1, 0, 1]
    with pytest.raises(IndexError, match="x"):
        checked(at_x(0, 3)).numpy()
    discarding = math.jit_compile(lambda i: math.scatter(grid, i, 1.0, "prod", "discard", default=1))
    assert discarding(at_x(0, 3)).numpy().tolist() == [0, 0, 0]


# --- dims


def test_order_of_components_does_not_matter(backend):
    grid = math.zeros(spatial(x=2, y=3, z=4))
    xyz, zyx = vec(x=1, y=2, z=3), vec(z=3, y=2, x=1)
    for mode in MODES:
        a, b = (math.scatter(grid, at, 5.0, mode) for at in (xyz, zyx))
        assert_close(a, b)
        assert_close(math.gather(a, xyz), math.gather(b, zyx))
    assert a[vec(y=2, x=1, z=3)].item() == math.prod(tensor([0.0, 5.0], spatial("x"))).item()


def test_dims_that_are_matched_by_wish(backend):
    at = tensor([[0, 1], [1, 1]], instance("q,p"))
    at = math.expand(at, channel(vector="x"))
    found = math.scatter(spatial(x=2), at, 1, "add", treat_as_batch="q")
    assert found.numpy("q,x").tolist() == [[1, 1], [0, 2]]
    assert math.scatter(spatial(x=2), at, 1, "add").numpy().tolist() == [1, 3]


def test_preferred_index_dim(backend):
    at = tensor([[[0, 1], [1, 1]]], instance("p"), channel("many"), channel(at="x,y"))
    found = math.scatter(spatial(x=2, y=2), at, 1, "add", treat_as_batch="many", pref_index_dim="at")
    assert found.numpy("many,x,y").tolist() == [[[0, 1], [0, 0]], [[0, 0], [0, 1]]]
    back = math.gather(math.arange(spatial(x=2)) * math.ones(spatial(y=2)), at, pref_index_dim="at")
    assert back.numpy("p,many").tolist() == [[0, 1]]


def test_ragged_lists_per_example(backend):
    parts = [at_x(0, 1), at_x(2, 2, 1)]
    at = math.stack(parts, batch("b"))
    for mode in MODES:
        found = math.scatter(math.full(3.0, spatial(x=3)), at, 2.0, mode)
        check_storage(found)
        for part, one in zip(math.unstack(found, "b"), parts, strict=True):
            assert_close(part, math.scatter(math.full(3.0, spatial(x=3)), one, 2.0, mode))


def test_ragged_lists_of_one_example(backend):
    at = math.stack([at_x(0, 1), at_x(2, 2, 1)], instance("q"))
    values = math.stack([listed(1.0, 2.0), listed(3.0, 4.0, 5.0)], instance("q"))
    whole, numbers = at_x(0, 1, 2, 2, 1), listed(1.0, 2.0, 3.0, 4.0, 5.0)
    for mode in MODES:
        assert_close(
            math.scatter(spatial(x=3), at, values, mode), math.scatter(spatial(x=3), whole, numbers, mode)
        )


def test_indices_stored_entry_by_entry(backend):
    whole = tensor([[0, 1], [1, 0], [1, 1]], instance("p"), channel(vector="x,y"))
    grid, values = math.zeros(spatial(x=2, y=2)), tensor([1.0, 2.0, 3.0], instance("p"))
    for indices in (whole, math.stack(math.unstack(whole, "vector"), whole.shape["vector"])):
        apart = math.stack(math.unstack(indices, "p"), instance("p"))
        found = math.scatter(grid, apart, math.stack(math.unstack(values, "p"), instance("p")), "add")
        assert found.numpy("x,y").tolist() == [[0, 1], [2, 3]]


def test_ragged_grids(backend):
    grid = math.stack([math.ones(spatial(x=2)), math.ones(spatial(x=3))], batch("b"))
    found = math.scatter(grid, tensor([[[1]], [[2]]], batch("b"), instance("p"), channel(vector="x")), 5.0)
    assert [part.numpy().tolist() for part in math.unstack(found, "b")] == [[1, 5], [1, 1, 5]]
    on_shape = math.scatter(grid.shape, at_x(0, 1), 1.0, "add")
    assert [part.numpy().tolist() for part in math.unstack(on_shape, "b")] == [[1, 1], [1, 1, 0]]
    twice = math.stack([math.ones(spatial(x=2, z=1)), math.ones(spatial(x=3, z=2))], spatial("y"))
    with pytest.raises(Unsupported, match="vary several times"):
        math.scatter(twice, vec(x=0, y=0, z=0), 1.0)


# --- derivatives where something special happens


def gradients(mode, grid, at, values):
    def loss(a, b):
        result = math.scatter(a, at, b, mode)
        return math.sum(result * math.arange(result.shape["x"], 1, result.shape.get_size("x") + 1))

    da, db = math.gradient(loss, "a,b", get_output=False)(grid, values)
    return da.numpy().tolist(), db.numpy().tolist()


@pytest.mark.needs("reverse")
def test_gradients_of_what_is_overwritten_are_zero(backend):
    grid, at, values = tensor([1.0, 2.0, 3.0], spatial("x")), at_x(0, 0, 2), listed(5.0, 6.0, 7.0)
    assert gradients("update", grid, at, values) == ([0, 2, 0], [0, 1, 3])
    assert gradients("mean", grid, at, values) == ([0, 2, 0], [0.5, 0.5, 3])


@pytest.mark.needs("reverse")
def test_gradients_at_ties_go_to_the_grid_then_to_the_first_entry(backend):
    grid, at, values = tensor([1.0, 6.0, 3.0], spatial("x")), at_x(0, 0, 1), listed(6.0, 6.0, 6.0)
    assert gradients("max", grid, at, values) == ([0, 2, 3], [1, 0, 0])
    assert gradients("min", -grid, at, -values) == ([0, 2, 3], [1, 0, 0])


@pytest.mark.needs("reverse", "forward")
def test_gradients_of_products_at_zeros(backend):
    grid, at, values = (
        tensor([2.0, 3.0, 4.0], spatial("x")),
        at_x(0, 0, 1, 1, 1),
        listed(0.0, 5.0, 0.0, 0.0, 7.0),
    )
    assert gradients("prod", grid, at, values) == ([0, 0, 3 * 1], [10, 0, 0, 0, 0])
    # ∂²(3 a b 7)/∂a∂b = 21 where both factors are 0
    weights = listed(0.0, 0.0, 1.0, 0.0, 0.0)

    def slope(v):
        gradient = math.gradient(lambda b: math.sum(math.scatter(grid, at, b, "prod")), get_output=False)(v)
        return math.sum(gradient * listed(0.0, 0.0, 0.0, 1.0, 0.0))

    assert math.jvp(slope, [values], [weights])[1].item() == 21


@pytest.mark.needs("reverse")
@pytest.mark.parametrize("outside", ["clamp", "discard"])
def test_gradients_with_places_outside(outside, backend, rng):
    at, values = at_x(1, -1, 7, 1), tensor(rng.standard_normal(4), instance("p"))
    grid = tensor(rng.standard_normal(3), spatial("x"))
    for mode in MODES:
        check_gradient(lambda a, b, mode=mode: math.scatter(a, at, b, mode, outside) ** 2, grid, values)


# --- errors


def test_errors(backend):
    grid = math.zeros(spatial(x=3))
    with pytest.raises(Unsupported, match=r"wrap.*'clamp'"):
        math.scatter(grid, at_x(0), 1.0, outside_handling="wrap")
    with pytest.raises(Unsupported, match="no derivative"):
        math.scatter(grid, at_x(0), 1.0, indices_gradient=True)
    with pytest.raises(IncompatibleShapes, match=r"int indices.*float"):
        math.scatter(grid, vec(x=0.5), 1.0)
    with pytest.raises(IncompatibleShapes, match="point at"):
        math.scatter(grid, tensor([[0], [1]], spatial("x"), channel(vector="x")), 1.0)
    with pytest.raises(IncompatibleShapes, match="components"):
        math.scatter(math.zeros(spatial(x=3, y=3)), tensor([0, 0, 0], channel("vector")), 1.0)
