"""Matrices by names: what rows and columns are, labels, batches, singular ones, precisions, derivatives."""

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import (
    IncompatibleShapes,
    Unsupported,
    batch,
    channel,
    dual,
    instance,
    spatial,
    tensor,
    vec,
    wrap,
)
from phi_tensor.testing import assert_close, check_gradient

SQUARE = (
    math.inverse,
    math.determinant,
    math.log_determinant,
    math.trace,
    math.eigenvalues,
    math.eigh,
    math.cholesky,
)
ANY_FORM = (math.pinv, math.singular_values, math.matrix_rank, math.matrix_norm, math.qr)


def regular(rng, *batch_sizes, n=4, kind=float):
    numbers = rng.standard_normal((*batch_sizes, n, n)) + 4 * np.eye(n)
    return numbers + 1j * rng.standard_normal(numbers.shape) if kind is complex else numbers


# --- rows and columns


def test_several_dims_are_packed_in_the_order_of_the_columns(backend, rng):
    numbers = regular(rng, n=6).reshape(2, 3, 3, 2)  # rows (x, y), columns (~y, ~x)
    A = tensor(numbers, spatial("x,y"), dual("y,x"))
    b = tensor(rng.standard_normal((3, 2)), spatial("y,x"))
    with math.precision(64):
        assert_close(A @ math.solve_dense(A, b), math.to_float(b))
        flat = np.asarray(A.numpy("y,x,~y,~x"), np.float64).reshape(6, 6)
        assert_close(math.determinant(A).numpy(), np.linalg.det(flat))
        assert_close(math.trace(A).numpy(), np.trace(flat))
        inverse = math.inverse(A)
        assert inverse.shape == A.shape
        assert_close(inverse.numpy("y,x,~y,~x").reshape(6, 6), np.linalg.inv(flat))


def test_inverse_maps_rows_to_columns_with_their_labels(backend):
    A = tensor([[1.0, 2.0], [3.0, 4.0]], channel(r="a,b"), dual(q="u,v"))
    assert math.inverse(A).shape == channel(q="u,v") & dual(r="a,b")
    assert math.pinv(A).shape == channel(q="u,v") & dual(r="a,b")
    assert math.transpose(A).shape == channel(q="u,v") & dual(r="a,b")
    assert_close(
        math.inverse(A) @ (A @ wrap([1.0, 2.0], channel(q="u,v"))), wrap([1.0, 2.0], channel(q="u,v"))
    )
    x = math.solve_dense(A, wrap([5.0, 11.0], channel(r="a,b")))
    assert_close(x, wrap([1.0, 2.0], channel(q="u,v")))


def test_any_two_dims_are_a_matrix_by_name(backend):
    A = tensor([[2.0, 1.0], [0.0, 4.0]], spatial(x=2), channel(vector="u,v"))
    assert math.determinant(A, "x", "vector").item() == pytest.approx(8)
    inverse = math.inverse(A, "x", "vector")
    assert inverse.shape == A.shape
    assert_close(inverse.numpy("vector,x"), np.linalg.inv([[2.0, 1.0], [0.0, 4.0]]).astype(np.float32))
    exchanged = math.transpose(A, "x", "vector")
    assert exchanged.numpy("vector,x").tolist() == [[2, 1], [0, 4]]
    assert exchanged.shape == spatial(x="u,v") & channel(vector=2)


@pytest.mark.parametrize("named", [str, list, "shape"], ids=["text", "list", "shape"])
def test_the_order_of_named_dims_counts(named, rng):
    A = wrap(rng.standard_normal((2, 2, 2, 2)), spatial("x,y"), channel("u,v"))

    def dims(names):
        return A.shape[names] if named == "shape" else list(names.split(",")) if named is list else names

    one, exchanged = (math.determinant(A, dims(rows), "u,v") for rows in ("x,y", "y,x"))
    assert exchanged.item() == pytest.approx(-one.item(), rel=1e-5), "two rows are exchanged"


def test_transposing_is_a_change_of_names(backend, rng):  # WEAKNESSES B6
    numbers = rng.standard_normal((3, 2, 4)).astype(np.float32)
    A = tensor(numbers, batch("b"), spatial("y"), dual("x"))
    turned = math.transpose(A)
    assert turned.shape == batch(b=3) & dual(y=2) & spatial(x=4)
    assert turned.numpy("b,x,~y").tolist() == numbers.transpose(0, 2, 1).tolist()
    assert math.transpose(turned).shape == A.shape
    square = math.transpose(tensor(numbers[0, :, :2], spatial("x"), dual("x")))
    assert square.numpy("x,~x").tolist() == numbers[0, :, :2].T.tolist()


@pytest.mark.parametrize("function", [*SQUARE, *ANY_FORM, math.transpose], ids=lambda f: f.__name__)
def test_what_is_no_matrix_is_refused(function):
    with pytest.raises(IncompatibleShapes, match=rf"{function.__name__}.*no dual dims"):
        function(math.ones(spatial(x=2, y=2)))
    with pytest.raises(IncompatibleShapes, match="cannot tell which dims"):
        function(math.ones(spatial(x=2, y=2), dual(q=2)))
    with pytest.raises(IncompatibleShapes, match="no such dim"):
        function(math.ones(spatial(x=2, y=2)), rows="x", columns="z")
    with pytest.raises(IncompatibleShapes, match="different dims"):
        function(math.ones(spatial(x=2, y=2)), rows="x", columns="x")


@pytest.mark.parametrize("function", SQUARE, ids=lambda f: f.__name__)
def test_matrices_that_are_not_square_are_refused(function):
    with pytest.raises(IncompatibleShapes, match=rf"`{function.__name__}` needs a square matrix"):
        function(math.ones(spatial(x=2), dual(x=3)))


@pytest.mark.parametrize("function", [f for f in SQUARE if f is not math.inverse], ids=lambda f: f.__name__)
def test_labels_of_rows_and_columns_are_compared(function):
    with pytest.raises(IncompatibleShapes, match="same entries"):
        function(math.ones(channel(vector="x,y"), dual(vector="y,x")))


def test_systems_that_do_not_fit_are_refused():
    A = math.ones(channel(vector="x,y"), dual(vector="x,y"))
    with pytest.raises(IncompatibleShapes, match="Labels"):
        math.solve_dense(A, vec(u=1.0, v=2.0))
    with pytest.raises(IncompatibleShapes, match=r"missing in .*Rename"):
        math.solve_dense(A, wrap([1.0, 2.0], spatial("x")))
    with pytest.raises(IncompatibleShapes, match="pinv"):
        math.solve_dense(math.ones(spatial(x=3), dual(x=2)), math.ones(spatial(x=3)))
    with pytest.raises(IncompatibleShapes, match="already"):
        math.solve_dense(math.ones(spatial(y=2), dual(x=2)), math.ones(spatial(y=2, x=2)))


def test_a_constant_matrix_solves_all_right_hand_sides_at_once(backend, rng):
    A = math.expand(tensor(regular(rng), spatial("x"), dual("x")), batch(b=3))
    b = tensor(rng.standard_normal((3, 4)), batch("b"), spatial("x"))
    x = math.solve_dense(A, b)
    assert x.shape == b.shape
    assert_close(x.numpy("b,x"), np.linalg.solve(A.x[:].numpy("b,x,~x"), b.numpy("b,x")[..., None])[..., 0])
    alone = math.solve_dense(A.b[0], b.b[0])
    assert_close(x.b[0], alone)


def test_ragged_matrices_are_taken_one_by_one(backend, rng):
    numbers = [regular(rng, n=n) for n in (2, 3)]
    A = math.stack([tensor(m, spatial("x"), dual("x")) for m in numbers], batch("b"))
    b = math.stack([math.ones(spatial(x=n)) for n in (2, 3)], batch("b"))
    expected = [np.linalg.det(m) for m in numbers]
    assert_close(math.determinant(A).numpy("b"), np.asarray(expected, np.float32))
    values, vectors = math.eigh(A)
    assert values.shape.get_size("eigenvalues") == (2, 3) == vectors.shape.get_size("eigenvalues")
    x = math.solve_dense(A, b)
    assert_close(x.b[1].numpy("x"), np.linalg.solve(numbers[1], np.ones(3)).astype(np.float32))
    assert_close(math.solve_dense(A.b[0], math.stack([b.b[0], b.b[0]], batch("b"))).b[1], x.b[0])
    with pytest.raises(Unsupported, match="must be batched"):
        math.determinant(A, rows="b", columns="x")
    with pytest.raises(Unsupported, match="must be batched"):
        math.solve_dense(A, b, rows="b", columns="~x")


# --- values


@pytest.mark.parametrize("kind", [float, complex], ids=["real", "complex"])
def test_decompositions_give_the_matrix_back(kind, backend, rng):
    numbers = regular(rng, 2, kind=kind)
    with math.precision(64):
        A = tensor(numbers, batch("b"), spatial("x"), dual("x"))
        q, r = math.qr(A)
        assert_close(q @ r, A)
        assert_close(np.triu(r.numpy("b,orthogonal,~x")), r.numpy("b,orthogonal,~x"), atol=1e-12)
        columns = q.numpy("b,x,~orthogonal")
        assert_close(
            columns.conj().swapaxes(1, 2) @ columns, np.stack([np.eye(4)] * 2) + 0 * columns, atol=1e-12
        )
        H = A @ math.conjugate(math.transpose(math.rename_dims(A, "x", "y")))
        H = math.rename_dims(H, "~y", dual("x"))
        lower = math.cholesky(H)
        assert_close(np.tril(lower.numpy("b,x,~x")), np.linalg.cholesky(H.numpy("b,x,~x")), atol=1e-11)
        values, vectors = math.eigh(H)
        assert_close(H @ vectors, vectors * values, atol=1e-11)
        assert_close(math.norm(vectors, "x"), math.ones_like(values), because="unit vectors")
        assert values.dtype.kind is float
        u, s, f = math.svd(A, dual, "x")
        assert_close(math.dot(f, "~singular", u * s, "singular"), A, atol=1e-12)
        assert_close(s, math.singular_values(A))
        assert_close(s.numpy("b,singular"), np.linalg.svd(numbers, compute_uv=False))
        found = np.sort_complex(math.eigenvalues(A).numpy("b,eigenvalues"))
        assert_close(found, np.sort_complex(np.linalg.eigvals(numbers)), atol=1e-11)
        assert_close(math.log_determinant(A).numpy(), np.linalg.slogdet(numbers)[1])
        assert_close(math.determinant(A).numpy(), np.linalg.det(numbers))
        assert_close(math.pinv(A), math.inverse(A), atol=1e-12)


def test_labelled_factors(backend, rng):
    x = tensor(rng.standard_normal((5, 3)), instance("points"), channel(vector="x,y,z"))
    latents, values, features = math.svd(x)
    assert latents.shape == instance(points=5) & channel(singular=3)
    assert features.shape == dual(singular=3) & channel(vector="x,y,z")
    assert_close(features @ (latents * values), math.to_float(x), atol=1e-6)
    latents, values, features = math.svd(x, latent_dim=spatial(k=2))
    assert [part.shape.only("k,~k").size for part in (latents, values, features)] == [2, 2, 2]
    full = math.svd(x, full_matrices=True)
    assert [part.shape.volume for part in full] == [25, 3, 9]
    with pytest.raises(IncompatibleShapes, match="features and examples"):
        math.svd(x, channel, "")
    with pytest.raises(IncompatibleShapes, match="Leave the size away"):
        math.svd(x, latent_dim=spatial(k=2), full_matrices=True)
    with pytest.raises(IncompatibleShapes, match="has 3"):
        math.svd(x, latent_dim=spatial(k=4))


@pytest.mark.parametrize("order", ["frobenius", "nuclear", "spectral", 2, -2, 1, -1, np.inf, -np.inf])
def test_norms(order, backend, rng):
    numbers = rng.standard_normal((2, 3, 4)).astype(np.float32)
    A = tensor(numbers, batch("b"), spatial("y"), dual("x"))
    numpys = {"frobenius": "fro", "nuclear": "nuc", "spectral": 2}.get(order, order)
    assert_close(math.matrix_norm(A, order).numpy("b"), np.linalg.norm(numbers, numpys, (1, 2)))


def test_unknown_norms_are_refused():
    with pytest.raises(Unsupported, match="orders"):
        math.matrix_norm(math.ones(spatial(y=2), dual(x=2)), "max")


def test_rank(backend, rng):
    numbers = rng.standard_normal((2, 5, 2)) @ rng.standard_normal((2, 2, 4))
    numbers[0] = 0
    A = tensor(numbers, batch("b"), spatial("y"), dual("x"))
    assert math.matrix_rank(A).numpy("b").tolist() == [0, 2]
    assert math.matrix_rank(A, rel_tol=1.0).numpy("b").tolist() == [0, 0]
    assert math.matrix_rank(math.stack([A.y[:3], A], batch("c"))).numpy("b,c").tolist() == [[0, 0], [2, 2]]


def test_pinv_is_that_of_moore_and_penrose(backend, rng):
    numbers = (rng.standard_normal((5, 2)) @ rng.standard_normal((2, 4))).astype(np.float32)
    A = tensor(numbers, spatial("y"), dual("x"))
    P = math.pinv(A)
    assert_close(P.numpy("x,~y"), np.linalg.pinv(numbers, 1e-5), atol=1e-5)
    first = np.linalg.svd(numbers, compute_uv=False)
    only = math.pinv(A, rel_tol=(first[1] / first[0] + 1) / 2)
    assert math.matrix_rank(only, rel_tol=1e-3).item() == 1


@pytest.mark.parametrize("precision", [pytest.param(16, marks=pytest.mark.needs("float16")), 32, 64])
def test_precision_is_that_of_the_context(precision, backend):
    with math.precision(precision):
        A = tensor([[2, 0], [0, 4]], spatial("x"), dual("x"))
        for function in (*SQUARE, *ANY_FORM):
            result = function(A)
            for part in result if isinstance(result, tuple) else (result,):
                width = part.dtype.precision
                assert width in (None, max(precision, 32) if part.dtype.kind is complex else precision)
                assert np.isfinite(part.numpy(part.shape.names)).all()
        assert math.solve_dense(A, wrap([1, 1], spatial("x"))).numpy().tolist() == [0.5, 0.25]
    assert math.trace(A).dtype.kind is int


def test_singular_matrices_do_not_spoil_a_batch(backend):
    A = tensor([[[1.0, 2.0], [2.0, 4.0]], [[2.0, 0.0], [0.0, 4.0]]], batch("b"), spatial("x"), dual("x"))
    for result in (math.inverse(A), math.solve_dense(A, math.ones(spatial(x=2)))):
        assert not np.isfinite(result.b[0].numpy(result.b[0].shape.names)).any()
        assert np.isfinite(result.b[1].numpy(result.b[1].shape.names)).all()
    assert math.log_determinant(A).numpy("b").tolist() == [-np.inf, pytest.approx(np.log(8))]
    indefinite = math.cholesky(A - tensor([[0.0, 0.0], [0.0, 5.0]], spatial("x"), dual("x"))).b[0]
    assert np.isnan(indefinite.numpy("x,~x")).any()


def test_matrices_with_nan_do_not_spoil_a_batch(backend):
    A = tensor([[[np.nan, 2.0], [2.0, 4.0]], [[2.0, 0.0], [0.0, 4.0]]], batch("b"), spatial("x"), dual("x"))
    for function in (*SQUARE, math.pinv, math.singular_values, math.qr, math.matrix_norm):
        result = function(A)
        for part in result if isinstance(result, tuple) else (result,):
            assert np.isnan(part.b[0].numpy(part.b[0].shape.names)).any(), function.__name__
            assert np.isfinite(part.b[1].numpy(part.b[1].shape.names)).all(), function.__name__


@pytest.mark.needs("jit")
@pytest.mark.compiled
def test_complex_matrices_in_jit(backend, rng):
    with math.precision(64):
        A = tensor(regular(rng, 2, kind=complex), batch("b"), spatial("x"), dual("x"))
        plain = (math.determinant, math.log_determinant, math.inverse, math.pinv, math.singular_values)
        for functions in (plain[:3], plain[3:4], plain[4:]):

            def every(a, functions=functions):
                return [f(a) for f in functions]

            try:
                assert_close(math.jit_compile(every)(A), every(A), atol=1e-11)
            except Unsupported as error:
                assert "complex matrices cannot be compiled" in str(error)  # noqa: PT017 on some backends


# --- derivatives


@pytest.mark.needs("reverse")
@pytest.mark.parametrize(
    "function", [math.cholesky, math.eigenvalues, math.pinv, math.singular_values, math.matrix_norm]
)
def test_derivatives_of_functions_of_complex_matrices(function, backend, rng):
    def parts(real, imaginary):
        result = function(real + 1j * imaginary)
        return result.real, result.imag

    numbers = regular(rng, kind=complex) + 4 * np.eye(4)
    check_gradient(parts, *(tensor(x, spatial("x"), dual("x")) for x in (numbers.real, numbers.imag)))


@pytest.mark.needs("reverse")
def test_derivatives_of_complex_decompositions(backend, rng):
    def parts(real, imaginary):
        A = real + 1j * imaginary
        values, vectors = math.eigh(A)
        turned = math.rename_dims(vectors, "x", dual("x"))
        rebuilt = math.contract(vectors, math.conjugate(turned), values**3, dims="eigenvalues")
        Q, R = math.qr(A)
        return values, rebuilt.real, rebuilt.imag, (Q @ R).real, math.abs(R)

    numbers = regular(rng, kind=complex)
    check_gradient(parts, *(tensor(x, spatial("x"), dual("x")) for x in (numbers.real, numbers.imag)))


@pytest.mark.needs("reverse")
def test_derivative_of_a_determinant_beside_a_singular_matrix(backend):
    A = tensor([[[1.0, 2.0], [2.0, 4.0]], [[2.0, 1.0], [0.0, 4.0]]], batch("b"), spatial("x"), dual("x"))
    slope = math.gradient(math.determinant, get_output=False)(A)
    assert_close(slope.b[1].numpy("x,~x"), np.array([[4.0, 0.0], [-1.0, 2.0]]))


@pytest.mark.needs("reverse")
@pytest.mark.parametrize("height", [2, 4])
def test_derivative_of_pinv_where_singular_values_repeat(height, backend):
    """There, that of the singular vectors is not finite."""
    check_gradient(math.pinv, wrap(np.eye(height, 3), spatial("y"), dual("x")))


@pytest.mark.needs("reverse")
def test_derivative_of_pinv_at_lower_rank(backend, rng):
    A = wrap(np.outer(rng.standard_normal(4), rng.standard_normal(3)), spatial("y"), dual("x"))
    check_gradient(lambda scale: math.pinv(scale * A), tensor([1.5, 0.5, 2.0], dual("x")))


@pytest.mark.needs("reverse")
def test_derivative_of_full_bases_is_refused(backend):
    A = tensor(np.arange(6.0).reshape(2, 3), spatial("y"), dual("x"))

    def total(a):
        return math.sum(math.svd(a, dual, "y", full_matrices=True)[2])

    with pytest.raises(Unsupported, match="full_matrices"):
        math.gradient(total)(A)
    with pytest.raises(Unsupported, match="full_matrices"):
        math.jvp(total, (A,), (A,))


@pytest.mark.needs("reverse")
def test_derivative_of_eigenvalues_that_are_complex(backend):
    """λ = a ± i b for the matrix ((a, −b), (b, a)): |λ|² = a² + b²."""

    def f(p):
        a, b = p.vector["a"], p.vector["b"]
        matrix = math.stack([math.stack([a, -b], dual("x")), math.stack([b, a], dual("x"))], spatial("x"))
        return math.sum(math.abs_square(math.eigenvalues(matrix)), "eigenvalues")

    p = vec(a=1.0, b=2.0)
    with math.precision(64):
        assert f(p).item() == pytest.approx(10)
        assert_close(math.gradient(f, get_output=False)(p), math.to_float(4 * p), because="4 (a, b)")


@pytest.mark.needs("reverse")
def test_derivative_of_eigenvectors(backend, rng):
    numbers = rng.standard_normal((3, 3))
    A = wrap(numbers + numbers.T + np.diag([0.0, 4.0, 8.0]), spatial("x"), dual("x"))

    def projector(a):
        """Onto the first eigenvector: independent of its sign."""
        first = math.eigh(a)[1].eigenvalues[0]
        return first * math.rename_dims(first, "x", dual("x"))

    check_gradient(projector, A)
