"""Sparse tensors: creation, formats, patterns of any size, derivatives, compiled functions, messages."""

import gc
import pickle
import weakref

import numpy as np
import pytest
from scipy import sparse

import phi_tensor as math
from phi_tensor import IncompatibleShapes, Unsupported, batch, channel, dual, instance, spatial, tensor, wrap
from phi_tensor.testing import assert_close, check_gradient

ENTRIES = instance("entries")


def places(numbers, dims):
    return wrap(np.asarray(numbers), ENTRIES, channel(index=dims))


def random_matrix(rng, rows=6, columns=5, format=None, more=math.EMPTY_SHAPE):
    """`(sparse tensor (x, ~y), SciPy's matrix or array of the same numbers)`."""
    numbers = rng.standard_normal((rows, columns, *more.sizes))
    numbers[rng.random((rows, columns)) < 0.6] = 0
    at = np.argwhere(numbers.reshape(rows, columns, -1).any(-1))
    values = tensor(numbers[tuple(at.T)], ENTRIES & more)
    A = math.sparse_tensor(
        places(at, "x,~y"), values, spatial(x=rows) & dual(y=columns) & more, format=format
    )
    return A, numbers


def laplacian(n):
    """Matrix (x, ~x) of second differences, 0 outside."""
    i = np.arange(n)
    at = np.concatenate([np.stack([i, i], -1), np.stack([i[1:], i[:-1]], -1), np.stack([i[:-1], i[1:]], -1)])
    values = np.concatenate([np.full(n, -2.0), np.ones(2 * n - 2)])
    return math.sparse_tensor(places(at, "x,~x"), tensor(values, ENTRIES), spatial(x=n) & dual(x=n))


# --- what is stored


def test_places_that_repeat_add_up(backend):
    x = math.sparse_tensor(wrap([0, 0], ENTRIES), tensor([1.0, 2.0], ENTRIES), spatial(x=2))
    assert_close(math.dense(x), tensor([3.0, 0.0], spatial("x")))
    assert math.stored_values(x).numpy().tolist() == [3]
    assert_close(x.x[0], 3.0)
    assert_close(x.x[1], 0.0)


@pytest.mark.parametrize("format", ["coo", "csr", "csc"])
def test_formats_order_entries(format, backend, rng):
    A, numbers = random_matrix(rng, format=format)
    expected = sparse.csc_array(numbers).tocoo() if format == "csc" else sparse.csr_array(numbers).tocoo()
    found = math.stored_indices(A)
    order = found.shape.get_labels("index")
    assert_close(found[{"index": order.index("x")}].numpy(), expected.coords[0])
    assert_close(found[{"index": order.index("~y")}].numpy(), expected.coords[1])
    assert_close(math.stored_values(A).numpy(), expected.data.astype(np.float32))
    assert math.get_format(A) == format
    assert math.get_sparsity(A) == len(expected.data) / 30
    for other in ("coo", "csr", "csc", "dense", "sparse"):
        converted = math.to_format(A, other)
        assert math.get_format(converted) == (format if other == "sparse" else other)
        assert_close(math.dense(converted).numpy("x,~y"), numbers.astype(np.float32))
        back = math.to_format(converted, format)
        assert back.layout is A.layout
    with math.precision(64):
        check = math.to_format(tensor(numbers, spatial("x"), dual("y")), format)
        assert check.layout.pattern is A.layout.pattern


def test_formats_without_dual_dims(backend, rng):
    numbers = rng.standard_normal((3, 4, 2)) * (rng.random((3, 4, 1)) > 0.5)
    for format, first in (("csr", "x"), ("csc", "y")):
        x = math.to_format(tensor(numbers, spatial("x,y"), batch("b")), format)
        assert math.get_format(x) == format
        assert x.layout.outer[0].name == first
        assert_close(math.dense(x).numpy("x,y,b"), numbers.astype(np.float32))


def test_equal_patterns_are_one_object(backend):
    a = math.sparse_tensor(places([[0, 1], [2, 0]], "x,~x"), 1.0, spatial(x=3) & dual(x=3))
    b = math.sparse_tensor(places([[2, 0], [0, 1]], "x,~x"), 2.0, spatial(x=3) & dual(x=3))
    c = math.sparse_tensor(places([[2, 0], [0, 2]], "x,~x"), 2.0, spatial(x=3) & dual(x=3))
    assert a.layout.pattern is b.layout.pattern
    assert a.layout.pattern is not c.layout.pattern
    assert (a + b).layout.pattern is a.layout.pattern
    assert (a + c).layout.pattern.count == 3


def test_patterns_and_their_plans_are_freed(backend):
    A = math.sparse_tensor(places([[0, 1], [2, 3]], "x,~x"), 1.0, spatial(x=4) & dual(x=7))
    pattern = weakref.ref(A.layout.pattern)
    float(math.sum((A * 2) @ math.ones(spatial(x=7))))
    del A
    gc.collect()
    assert pattern() is None


def test_other_values_at_the_same_places(backend):
    A = math.sparse_tensor(places([[0, 1], [1, 0]], "x,~x"), 1.0, spatial(x=2) & dual(x=2))
    B = math.tensor_like(A, tensor([[1.0, 2.0], [3.0, 4.0]], ENTRIES, batch("b")))
    assert B.layout.pattern is A.layout.pattern
    assert_close(math.dense(B).b[1].numpy("x,~x"), np.array([[0, 2], [4, 0]], np.float32))
    assert_close(math.dense(math.tensor_like(A, 5.0)).numpy("x,~x"), np.array([[0, 5], [5, 0]], np.float32))
    assert math.tensor_like(math.zeros(spatial(x=3)), 1.0).shape == spatial(x=3)


def test_text(backend, capsys):
    A = math.sparse_tensor(places([[0, 1]], "x,~x"), tensor([2.0], ENTRIES), spatial(x=2) & dual(x=2))
    assert repr(A) == "(x:s=2, ~x:d=2) coo storing (2.0) along (entries:i=1) float32"
    math.print(A)
    assert "[[0. 2.]\n [0. 0.]]" in capsys.readouterr().out
    math.print(laplacian(100_000))
    assert "coo storing" in capsys.readouterr().out


def test_files_and_pickles(backend, rng, tmp_path):
    A, _ = random_matrix(rng, format="csc", more=channel(vector="u,v"))
    for copy in (pickle.loads(pickle.dumps(A)),):
        assert copy.layout is A.layout
        assert_close(math.dense(copy), math.dense(A))
    math.save(str(tmp_path / "matrix"), {"A": A})
    loaded = math.load(str(tmp_path / "matrix"))["A"]
    assert loaded.layout.pattern is A.layout.pattern
    assert math.get_format(loaded) == "csc"
    assert_close(math.dense(loaded), math.dense(A))


def test_exchange_with_scipy(backend, rng):
    A, numbers = random_matrix(rng)
    for format, cls in (("coo", sparse.coo_array), ("csr", sparse.csr_array), ("csc", sparse.csc_array)):
        array = math.to_format(A, format).numpy("x,~y")
        assert isinstance(array, cls)
        assert_close(array.toarray(), numbers.astype(np.float32))
        assert_close(math.to_format(A, format).numpy("~y,x").toarray(), numbers.T.astype(np.float32))
        back = wrap(array, spatial("x"), dual("y"))
        assert math.get_format(back) == format
        assert back.layout.pattern is math.to_format(A, format).layout.pattern
        assert_close(math.dense(back).numpy("x,~y"), numbers.astype(np.float32))
    cells = math.unpack_dim(A, "x", spatial(u=2, v=3))
    assert_close(cells.numpy(["u,v", "~y"]).toarray(), numbers.astype(np.float32))
    with pytest.raises(Unsupported, match="dense"):
        cells.numpy("u,v,~y")


def test_native_matrices(backend, rng):
    A, numbers = random_matrix(rng)
    vector = tensor(rng.standard_normal(5), spatial("y"))
    for format in ("coo", "csr", "csc"):
        native = math.to_format(A, format).native("x,~y")
        assert tuple(native.shape) == (6, 5)
        dense = {"torch": "to_dense", "jax": "todense", "numpy": "toarray"}.get(backend.name)
        if dense:
            assert_close(np.asarray(getattr(native, dense)()), numbers.astype(np.float32))
            assert_close(np.asarray(native @ vector.native()), (A @ vector).numpy())


# --- sizes


def test_matrices_of_unknowns_beyond_64_bit_flat_indices(backend, rng):
    n = 70_000  # n² unknowns, n⁴ > 2⁶⁴ places
    shape = spatial(x=n, y=n) & dual(x=n, y=n)
    at = rng.integers(0, n, (50, 4))
    at[:3] = [[n - 1] * 4, [0, n - 1, n - 1, 0], [n - 1, 0, 0, n - 1]]
    at[10:20, :2] = at[9, :2]
    values = rng.standard_normal(50)
    with math.precision(64):
        A = math.sparse_tensor(places(at, "x,y,~x,~y"), tensor(values, ENTRIES), shape)
        found = {tuple(int(i) for i in where): float(v) for where, v in zip(
            math.stored_indices(A).numpy("entries,index"), math.stored_values(A).numpy(), strict=True)}  # fmt: skip
        assert found == {tuple(map(int, where)): v for where, v in zip(at, values, strict=True)}
        assert_close(math.sum(A), values.sum())
        assert_close(math.sum(A, "~x,~y")[{"x": int(at[9, 0]), "y": int(at[9, 1])}], values[9:20].sum())
        square = math.transpose(A) @ A
        assert_close(math.trace(square), (values**2).sum())
        assert_close(math.sum(A.x[n - 1].y[n - 1].dimension("~x")[n - 1]), values[0])
        union = A + math.sparse_tensor(places(at[:1], "x,y,~x,~y"), 1.0, shape)
        assert union.layout.pattern is A.layout.pattern
        assert_close(math.sum(union), values.sum() + 1)
        assert_close(math.sum(math.concat([A, A], "x")), 2 * values.sum())
        part = A[{"x": slice(n // 2, None), "~y": slice(None, None, -1)}]
        assert_close(math.sum(part), values[at[:, 0] >= n // 2].sum())


def test_too_many_rows_for_64_bits(backend):
    with pytest.raises(IncompatibleShapes, match="64-bit"):
        math.sparse_tensor(places([[0, 0]], "x,y"), 1.0, spatial(x=2**40, y=2**40))


@pytest.mark.slow
def test_large_laplacian(backend, rng):
    n = 300_000
    x = tensor(rng.standard_normal(n), spatial("x"))
    found = (laplacian(n) @ x).numpy()
    padded = np.pad(x.numpy().astype(np.float64), 1)
    assert_close(found, (padded[2:] - 2 * padded[1:-1] + padded[:-2]).astype(np.float32), atol=1e-5)


# --- derivatives and compiled functions


@pytest.mark.needs("reverse")
@pytest.mark.parametrize("format", ["coo", "csr", "csc"])
def test_derivatives_by_values_and_vectors(format, backend, rng, execution):
    more = channel(vector="u,v")
    _, numbers = random_matrix(rng)
    at = np.argwhere(numbers)
    at = np.concatenate([at, at[:3]])  # some places twice
    with math.precision(64):
        values = tensor(rng.standard_normal(len(at)), ENTRIES)
        x, y = (
            tensor(rng.standard_normal((5, 2)), spatial("y"), more),
            tensor(rng.standard_normal(6), dual("x")),
        )

        @execution
        def products(values, x, y):
            A = math.sparse_tensor(places(at, "x,~y"), values, spatial(x=6) & dual(y=5), format=format)
            return [
                A @ x,
                y @ A,
                math.stored_values(math.transpose(A, "x", "~y") @ A),
                math.dense(A * A + 2 * A),
                math.sum(A, "x") ** 2,
                math.max(A, "~y"),
                A.x[1] * A.x[::-1].x[0],
                math.dense(math.sin(A.x[1:4])),
                math.concat([A, A * A], "x") @ x,
            ]

        check_gradient(products, values, x, y)


@pytest.mark.needs("reverse")
def test_derivatives_are_sparse_like_their_tensor(backend, rng):
    A, numbers = random_matrix(rng)
    x = tensor(rng.standard_normal(5), spatial("y"))

    def loss(A, x):
        return math.l2_loss(A @ x)

    _, (by_matrix, by_vector) = math.gradient(loss, "A,x")(A, x)
    assert by_matrix.layout is A.layout
    image = numbers @ x.numpy()
    assert_close(
        math.dense(by_matrix).numpy("x,~y"), ((numbers != 0) * np.outer(image, x.numpy())), rtol=1e-4
    )
    assert_close(by_vector.numpy(), numbers.T @ image, rtol=1e-4)
    _, pullback = math.vjp(lambda A: A * 3, A)
    assert_close(math.dense(pullback(A)[0]), math.dense(A * 3))


@pytest.mark.needs("reverse")
def test_rules_of_their_own(backend, rng):
    A, _ = random_matrix(rng)
    x = tensor(rng.standard_normal(5), spatial("y"))

    def rule(inputs, y, dy):
        return {"x": math.rename_dims(math.transpose(inputs["A"], "x", "~y") @ dy, "y", "y")}

    product = math.custom_gradient(lambda A, x: A @ x, rule)
    _, (by_matrix, by_vector) = math.gradient(lambda A, x: math.sum(product(A, x)), "A,x")(A, x)
    assert_close(math.dense(by_matrix), 0 * math.dense(A))
    assert_close(by_vector, math.sum(math.dense(A), "x").dimension("~y").as_spatial("y"))


@pytest.mark.compiled
@pytest.mark.needs("jit")
def test_equal_patterns_share_a_trace(backend, rng):
    A, _ = random_matrix(rng, format="csr")
    x = tensor(rng.standard_normal(5), spatial("y"))
    compiled = math.jit_compile(lambda A, x: (A * 2) @ x)
    assert_close(compiled(A, x), 2 * (A @ x))
    assert_close(compiled(A * 3, x), 6 * (A @ x))
    assert len(compiled.traces) == 1
    doubled = math.jit_compile(lambda A: A + A)(A)
    assert doubled.layout.pattern is A.layout.pattern
    assert math.get_format(doubled) == "csr"
    assert_close(math.dense(doubled), 2 * math.dense(A))
    B, _ = random_matrix(rng, format="csr")
    compiled(B, x)
    assert len(compiled.traces) == 2


@pytest.mark.compiled
@pytest.mark.needs("jit")
def test_matrices_as_states_of_loops(backend):
    A = laplacian(4) * 0.1
    step = math.jit_compile(lambda A, x: math.iterate(lambda A, x: (A * 1.0, A @ x), 3, A, x))
    x = math.ones(spatial(x=4))
    after, found = step(A, x)
    assert_close(found, A @ (A @ (A @ x)))
    assert after.layout.pattern is A.layout.pattern


# --- messages


def test_messages(backend, rng):
    at, one = places([[0, 1]], "x,~x"), tensor([1.0], ENTRIES)
    square = spatial(x=2) & dual(x=2)
    with pytest.raises(IndexError, match=r"`~x`.*size 1"):
        math.sparse_tensor(at, one, spatial(x=2) & dual(x=1))
    with pytest.raises(IndexError, match="from -1"):
        math.sparse_tensor(places([[-1, 0]], "x,~x"), one, square)
    with pytest.raises(IncompatibleShapes, match="channel dim"):
        math.sparse_tensor(places([[0, 1]], "x,~z"), one, square)
    with pytest.raises(IncompatibleShapes, match="to_int64"):
        math.sparse_tensor(math.to_float(at), one, square)
    with pytest.raises(IncompatibleShapes, match="'b'"):
        math.sparse_tensor(at, math.expand(one, batch(b=2)), square)
    with pytest.raises(Unsupported, match="coo, csr, csc"):
        math.sparse_tensor(at, one, square, format="ell")
    with pytest.raises(IncompatibleShapes, match="rows and columns"):
        math.sparse_tensor(wrap([0], ENTRIES), one, spatial(x=2), format="csr")
    with pytest.raises(IncompatibleShapes, match="repeat"):
        math.sparse_tensor(places([[0, 1], [0, 1]], "x,~x"), 1.0, square, can_contain_double_entries=False)
    with pytest.raises(IncompatibleShapes, match="indices_sorted"):
        math.sparse_tensor(places([[1, 1], [0, 1]], "x,~x"), 1.0, square, indices_sorted=True)
    with pytest.raises(Unsupported, match="scatter"):
        math.sparse_tensor(at, one, square, indices_constant=False)
    with pytest.raises(Unsupported, match="to_format"):
        math.stored_values(one)
    with pytest.raises(Unsupported, match="to_format"):
        math.stored_indices(1.0)
    A = math.sparse_tensor(at, one, square)
    with pytest.raises(IncompatibleShapes, match="there are 1"):
        math.tensor_like(A, tensor([1.0, 2.0], ENTRIES))
    with pytest.raises(Unsupported, match="'original'"):
        math.tensor_like(A, one, "original")
    with pytest.raises(Unsupported, match="'rgb'"):
        math.to_format(A, "rgb")
    with pytest.raises(Unsupported, match="'zero'"):
        math.stored_values(A, invalid="zero")
    with pytest.raises(IncompatibleShapes, match="one size"):
        A @ math.ones(spatial(x=3))
    with pytest.raises(Unsupported, match=r"dense\(x\)"):
        math.sparse_tensor(wrap([0], ENTRIES), 1.0, spatial(x=2)).native("x")


@pytest.mark.compiled
@pytest.mark.needs("jit")
def test_places_must_be_known(backend):
    @math.jit_compile
    def made(at):
        return math.sparse_tensor(at, 1.0, spatial(x=3)) @ math.ones(spatial(x=3))

    with pytest.raises(Unsupported, match="known constants"):
        made(tensor([1], ENTRIES))
