"""Operations on sparse tensors beside the same on dense tensors of the same numbers, which NumPy made."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given as given_all
from hypothesis import settings

import phi_tensor as math
from phi_tensor import Unsupported, batch, channel, dual, instance, spatial, tensor, wrap
from phi_tensor.testing import assert_close
from phi_tensor.testing._laws import check_storage

SPARSE = (
    spatial(x=4) & dual(x=4),
    spatial(x=3) & dual(y=4),
    spatial(x=2, y=3) & dual(x=2, y=3),
    spatial(x=3, y=4),
    spatial(x=2, y=3) & dual(y=2),
    instance(p=5),
    dual(x=4),
)
OTHERS = (math.EMPTY_SHAPE, batch(b=2), channel(vector="u,v"), batch(b=2) & channel(vector="u,v"))


def given(**strategies):
    """Few examples per test: libraries that compile each new shape are slow."""
    return lambda test: settings(max_examples=5)(given_all(**strategies)(test))


@st.composite
def pairs(draw, sparse=SPARSE, others=OTHERS, kind=float, dense=0.4):
    """`(sparse tensor, dense tensor of the same numbers)`; places may repeat, values are small ints."""
    dims, more = draw(st.sampled_from(sparse)), draw(st.sampled_from(others))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    count = draw(st.integers(0, int(dims.volume * dense) + 1))
    places = np.stack([rng.integers(0, size, count) for size in dims.sizes], -1)
    values = rng.integers(-3, 4, (count, *more.sizes)).astype(np.int64)
    if kind is bool:
        values = values > 0
    numbers = np.zeros((*dims.sizes, *more.sizes), values.dtype)
    (np.logical_or if kind is bool else np.add).at(numbers, tuple(places.T), values)
    if kind is float:
        values, numbers = values.astype(np.float32), numbers.astype(np.float32)
    formats = [None, "coo"] if dims.rank < 2 else [None, "coo", "csr", "csc"]
    at = wrap(places, instance("entries"), channel(index=",".join(dims.names)))
    x = math.sparse_tensor(
        at, tensor(values, instance("entries") & more), dims & more, format=draw(st.sampled_from(formats))
    )
    return x, tensor(numbers, dims & more)


def both(operation, *given_pairs, atol=1e-5):
    """Raise unless `operation` gives the same on sparse and dense tensors; returns the former."""
    actual = operation(*(pair[0] for pair in given_pairs))
    desired = operation(*(pair[1] for pair in given_pairs))
    check_storage(actual)
    assert actual.dtype == desired.dtype
    assert_close(math.dense(actual), desired, atol=atol)
    assert math.dense(actual).shape.names == actual.shape.names
    return actual


# --- creation and products


@given(pair=pairs())
def test_places_that_repeat_add_up(pair, backend):
    x, desired = pair
    assert math.is_sparse(x)
    check_storage(x)
    assert_close(math.dense(x), desired)
    assert x.shape == desired.shape


@given(data=st.data(), pair=pairs(sparse=[s for s in SPARSE if s.dual]))
def test_product_with_dense(data, pair, backend, rng):
    contracted = [n.lstrip("~") for n in pair[1].shape.dual.names]
    sizes = [pair[1].shape.get_size("~" + n) for n in contracted]
    more = data.draw(st.sampled_from(OTHERS))
    columns = data.draw(st.sampled_from([math.EMPTY_SHAPE, dual(x=4), spatial(z=2)]))
    shape = spatial(**dict(zip(contracted, sizes, strict=True))) & columns & more
    vector = tensor(rng.integers(-3, 4, shape.sizes).astype(np.float32), shape)
    both(lambda a: a @ vector, pair)
    assert not math.is_sparse(pair[0] @ vector) or columns.dual


@given(pair=pairs(sparse=[spatial(x=4) & dual(x=4)]))
def test_product_of_dense_with_sparse(pair, backend, rng):
    row = tensor(rng.integers(-3, 4, 4).astype(np.float32), dual(x=4))
    both(lambda a: row @ a, pair)
    both(lambda a: math.dot(a, "x", row, "~x"), pair)


@given(pair=pairs(sparse=[spatial(x=2, y=3)], others=[channel(vector="u,v")]))
def test_contraction_of_dims_of_the_values(pair, backend, rng):
    matrix = tensor(rng.integers(-3, 4, (2, 2, 3)).astype(np.float32), channel(vector="u,v"), spatial("x,y"))
    both(lambda a: math.dot(a, "vector", matrix, "vector"), pair)
    both(lambda a: math.dot(a, "vector,x", matrix, "vector,x"), pair)


@given(data=st.data())
def test_product_of_sparse_tensors(data, backend):
    square = [spatial(x=4) & dual(x=4)]
    a, b = data.draw(pairs(sparse=square)), data.draw(pairs(sparse=square))
    assert math.is_sparse(both(lambda a, b: a @ b, a, b))
    cells = [spatial(x=2, y=3) & dual(x=2, y=3)]
    a, b = data.draw(pairs(sparse=cells)), data.draw(pairs(sparse=cells))
    assert math.is_sparse(both(lambda a, b: a @ b, a, b))
    vector = data.draw(pairs(sparse=[spatial(x=2, y=3)]))
    assert not math.is_sparse(both(lambda a, v: a @ v, a, vector))
    both(lambda a, b: math.dot(a, "~x", b, "x"), a, b)


@given(pair=pairs(sparse=[s for s in SPARSE if s.dual and s.spatial]))
def test_transposed(pair, backend):
    turned = both(lambda a: math.transpose(a, a.shape.spatial.names, a.shape.dual.names), pair)
    assert math.is_sparse(turned)
    swap = {"coo": "coo", "csr": "csc", "csc": "csr"}
    assert math.get_format(turned) == swap[math.get_format(pair[0])]


# --- element-wise


KEEPING = (
    lambda x: -x,
    abs,
    math.sin,
    math.tanh,
    math.sqrt,
    math.expm1,
    math.round,
    math.sign,
    math.is_nan,
    lambda x: x * 2,
    lambda x: 2 * x,
    lambda x: x / 2,
    lambda x: x // 2,
    lambda x: x % 3,
    lambda x: x**2,
    lambda x: math.to_complex(x),
    lambda x: math.to_int64(x),
    lambda x: math.safe_div(x, 0),
)
FILLING = (
    math.cos,
    math.exp,
    lambda x: x + 1,
    lambda x: 1 - x,
    lambda x: x == 0,
    lambda x: x > -1,
    lambda x: x**0,
    lambda x: math.maximum(x, 1),
    lambda x: math.where(x > 0, x, 7),
    lambda x: math.clip(x, 1, 2),
    lambda x: math.is_finite(x),
    lambda x: 1 / (x + 8),
)


@pytest.mark.parametrize("function", KEEPING)
@given(pair=pairs())
def test_functions_that_keep_zeros_are_sparse(function, pair, backend):
    pair = (abs(pair[0]), abs(pair[1]))
    assert math.is_sparse(both(function, pair))


@pytest.mark.parametrize("function", FILLING)
@given(pair=pairs())
def test_other_functions_are_exact(function, pair, backend):
    assert not math.is_sparse(both(function, pair))


@given(data=st.data(), pair=pairs())
def test_times_dense(data, pair, backend, rng):
    shape = pair[1].shape
    some = shape.only(data.draw(st.lists(st.sampled_from(shape.names), unique=True)))
    for dims in (some, some & spatial(extra=2)):
        factor = tensor(rng.integers(1, 4, dims.sizes).astype(np.float32), dims)
        assert math.is_sparse(both(lambda x, factor=factor: x * factor, pair))
        assert math.is_sparse(both(lambda x, factor=factor: factor * x, pair))
        assert math.is_sparse(both(lambda x, factor=factor: x / factor, pair))
        assert not math.is_sparse(both(lambda x, factor=factor: x + factor, pair))


@given(data=st.data())
def test_two_sparse_tensors(data, backend):
    dims = [data.draw(st.sampled_from(SPARSE))]
    one, other = data.draw(pairs(sparse=dims)), data.draw(pairs(sparse=dims))
    for operation in (
        lambda a, b: a + b,
        lambda a, b: a - b,
        lambda a, b: a * b,
        math.maximum,
        lambda a, b: a != b,
        lambda a, b: a > b,
        lambda a, b: math.where(a > b, a, b),
        lambda a, b: math.safe_div(a, b),
    ):
        assert math.is_sparse(both(operation, one, other))
    assert not math.is_sparse(both(lambda a, b: a == b, one, other))
    same = math.tensor_like(one[0], math.stored_values(one[0]) * 3)
    assert (same + one[0]).layout.pattern is one[0].layout.pattern


@given(data=st.data())
def test_sparse_along_some_dims(data, backend):
    matrix = data.draw(pairs(sparse=[spatial(x=3, y=4)]))
    row = data.draw(pairs(sparse=[spatial(x=3)]))
    assert math.is_sparse(both(lambda a, b: a * b, matrix, row))
    assert math.is_sparse(both(lambda a, b: b * a, matrix, row))
    both(lambda a, b: a + b, matrix, row)


@given(pair=pairs(kind=bool))
def test_bools(pair, backend):
    assert math.is_sparse(both(lambda x: x & True, pair))
    assert not math.is_sparse(both(lambda x: ~x, pair))
    both(math.sum, pair)
    both(math.any, pair)
    both(math.all, pair)


def test_where_with_a_dense_condition(backend, rng):
    mask = tensor(rng.random((3, 4)) > 0.5, spatial("x,y"))

    @given(data=st.data())
    def check(data):
        dims = [spatial(x=3, y=4)]
        one, other = data.draw(pairs(sparse=dims)), data.draw(pairs(sparse=dims))
        assert math.is_sparse(both(lambda a, b: math.where(mask, a, b), one, other))

    check()


# --- reductions


REDUCTIONS = (math.sum, math.mean, math.max, math.min, math.any, math.all, math.prod)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@given(data=st.data(), pair=pairs())
def test_reductions_count_zeros(reduction, data, pair, backend):
    names = data.draw(st.lists(st.sampled_from(pair[1].shape.names), unique=True, min_size=1))
    both(lambda x: reduction(x, ",".join(names)), pair)
    full = math.sparse_tensor(  # no place is missing
        wrap([[0, 0], [0, 1], [1, 0], [1, 1]], instance("e"), channel(index="x,~x")),
        tensor([-1.0, -2.0, -3.0, -4.0], instance("e")),
        spatial(x=2) & dual(x=2),
    )
    dense = tensor([[-1.0, -2.0], [-3.0, -4.0]], spatial(x=2), dual(x=2))
    for dim in ("x", "~x", "x,~x"):
        both(lambda x, d=dim: reduction(x, d), (full, dense))


@given(data=st.data(), pair=pairs())
def test_positions_of_extremes(data, pair, backend):
    name = data.draw(st.sampled_from(pair[1].shape.names))
    for function in (math.argmax, math.argmin):
        both(lambda x, f=function: f(x, name), pair)
    both(lambda x: math.at_max(x, x, name), pair)


def test_the_first_of_several_extremes_may_not_be_stored(backend):
    at = wrap([[0, 0], [0, 2], [1, 0], [1, 1], [1, 2]], instance("e"), channel(index="x,y"))
    values = tensor([-1.0, 0.0, -3.0, -1.0, -1.0], instance("e"))
    x = math.sparse_tensor(at, values, spatial(x=2, y=3))
    assert math.argmax(x, "y").numpy("x,index").tolist() == [[1], [1]]
    assert math.argmin(-x, "y").numpy("x,index").tolist() == [[1], [1]]


def test_rows_of_very_different_lengths(backend, rng):
    rows = np.concatenate([np.zeros(300, int), np.arange(1, 200), np.full(40, 5), np.full(300, 7)])
    columns = np.concatenate([np.arange(300), np.zeros(199, int), np.arange(1, 41), np.arange(300)])
    at = wrap(np.stack([rows, columns], -1), instance("e"), channel(index="x,~y"))
    values = rng.standard_normal(len(rows)).astype(np.float32)
    numbers = np.zeros((200, 300), np.float32)
    np.add.at(numbers, (rows, columns), values)
    pair = (
        math.sparse_tensor(at, tensor(values, instance("e")), "x:s=200,~y:d=300"),
        tensor(numbers, spatial("x"), dual("y")),
    )
    vector = tensor(rng.standard_normal(300).astype(np.float32), spatial("y"))
    for operation in (
        lambda a: a @ vector,
        lambda a: math.sum(a, "~y"),
        lambda a: math.max(a, "~y"),
        lambda a: math.max(a, "x"),
        lambda a: math.argmax(a, "~y"),
        lambda a: math.transpose(a, "x", "~y") @ math.ones(spatial(x=200)),
    ):
        both(operation, pair, atol=1e-3)


# --- slices, joining, moving


@given(data=st.data(), pair=pairs())
def test_slices(data, pair, backend):
    for name in pair[1].shape.names:
        size = pair[1].shape.get_size(name)
        index = data.draw(st.integers(-size, size - 1))
        both(lambda x, n=name, i=index: x[{n: i}], pair)
        ends = st.none() | st.integers(-size - 1, size + 1)
        steps = st.none() | st.sampled_from([1, 2, -1, -3])
        part = slice(data.draw(ends), data.draw(ends), data.draw(steps))
        cut = both(lambda x, n=name, p=part: x[{n: p}], pair)
        assert math.is_sparse(cut)
        chosen = data.draw(st.lists(st.integers(-size, size - 1), max_size=5))
        both(lambda x, n=name, c=chosen: x[{n: c}], pair)
    everywhere = dict.fromkeys(pair[1].shape.names, 0)
    both(lambda x: x[everywhere], pair)


def test_a44_entries_along_a_single_sparse_dim(backend):
    at = wrap([[3], [0]], instance("e"), channel(index="x"))
    A = math.sparse_tensor(at, tensor([2.0, 5.0], instance("e")), spatial(x=5))
    assert [float(A.x[i]) for i in range(5)] == [5, 0, 0, 2, 0]


def test_a16_zeros_that_are_not_stored(backend):
    at = wrap([[3], [0]], instance("e"), channel(index="x"))
    A = math.sparse_tensor(at, tensor([2.0, 5.0], instance("e")), spatial(x=5))
    assert_close(math.cos(A), wrap(np.cos([5, 0, 0, 2, 0]), spatial("x")))
    assert_close(A + 1, wrap([6, 1, 1, 3, 1], spatial("x")))
    assert math.dense(A == 0).numpy().tolist() == [False, True, True, False, True]


def test_slices_by_label(backend):
    at = wrap([[0, 1], [1, 0]], instance("e"), channel(index="vector,~vector"))
    shape = channel(vector="u,v") & dual(vector="u,v")
    A = math.sparse_tensor(at, tensor([2.0, 3.0], instance("e")), shape)
    assert_close(A.vector["v"], tensor([3.0, 0.0], dual(vector="u,v")))
    assert A["v"].shape == A.vector["v"].shape
    assert math.flip(A, "vector").shape.get_labels("vector") == ("v", "u")


@given(data=st.data())
def test_joined(data, backend):
    dims, more = data.draw(st.sampled_from(SPARSE)), data.draw(st.sampled_from(OTHERS))
    given_pairs = [data.draw(pairs(sparse=[dims], others=[more])) for _ in range(3)]
    for name in (dims & more).names:
        if not (dims & more).get_labels(name):
            assert math.is_sparse(both(lambda *x, n=name: math.concat(x, n), *given_pairs))
    assert math.is_sparse(both(lambda *x: math.stack(x, channel(c="i,j,k")), *given_pairs))
    assert math.is_sparse(both(lambda *x: math.stack(x, batch("l")).l[1], *given_pairs))
    dense = given_pairs[0][1]
    both(lambda x: math.stack([x, dense], batch("l")), given_pairs[1])


@given(data=st.data(), pair=pairs())
def test_moved(data, pair, backend):
    names = data.draw(st.permutations(pair[1].shape.names))
    chosen = names[: data.draw(st.integers(1, len(names)))]
    both(lambda x: math.flip(x, chosen), pair)
    both(lambda x: math.roll(x, 3, names[0]), pair)
    both(lambda x: math.pack_dims(x, chosen, instance("packed")), pair)
    both(lambda x: math.expand(x, batch(more=2)), pair)
    both(lambda x: math.rename_dims(x, names[0], instance("renamed")), pair)
    both(lambda x: math.rename_dims(x, names[0], dual("renamed")), pair)
    six = pair[1].shape.only([n for n in pair[1].shape.names if pair[1].shape.get_size(n) == 4])
    for name in six.names:
        both(lambda x, n=name: math.unpack_dim(x, n, spatial(i=2, j=2)), pair)


@given(pair=pairs(sparse=[spatial(x=4) & dual(x=4), spatial(x=2, y=3) & dual(x=2, y=3)]))
def test_trace_and_dense_decompositions(pair, backend):
    both(math.trace, pair)
    both(lambda x: math.matrix_norm(x), pair)
    both(lambda x: math.cumulative_sum(x, "x"), pair)


# --- what is too large


def test_large_tensors_are_never_made_dense_in_silence(backend):
    at = wrap([[5, 7]], instance("e"), channel(index="x,~x"))
    A = math.sparse_tensor(at, 2.0, spatial(x=100_000) & dual(x=100_000))
    for operation in (math.cos, lambda x: x + 1, lambda x: x == 0, lambda x: math.cumulative_sum(x, "x")):
        with pytest.raises(Unsupported, match=r"dense\(x\)"):
            operation(A)
    assert float(math.sum(A * 3)) == 6
    assert float((A + A).x[5].dimension("~x")[7]) == 4
