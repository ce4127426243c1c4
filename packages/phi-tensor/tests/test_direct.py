"""Direct methods: transforms of separable systems beside Kronecker products, LU, and SciPy's solvers."""

import dataclasses

import numpy as np
import pytest
import scipy.sparse

import phi_tensor as math
from phi_tensor import Diverged, LinearOperator, Solve, batch, channel, dual, spatial, tensor
from phi_tensor.linear._modes import modes_of
from phi_tensor.linear._transforms import separable


def second_difference(n, lower, upper):
    """Rows of 1, −2, 1; the ends by what lies outside."""
    a = np.eye(n, k=1) + np.eye(n, k=-1) - 2 * np.eye(n)
    if lower == "periodic":
        a[0, -1] += 1
        a[-1, 0] += 1
        return a
    a[0, 0] += {"mirror": 1, "zero": 0, "odd": -1}[lower]
    a[-1, -1] += {"mirror": 1, "zero": 0, "odd": -1}[upper]
    return a


def ends(kind, n):
    if kind == "DCT-I":  # mirror images around the outer samples
        a = second_difference(n, "zero", "zero")
        a[0, 1] = a[-1, -2] = 2
        return a
    if kind == "upwind":
        return np.eye(n) - np.roll(np.eye(n), 1, 0) + 0.5 * np.eye(n)
    if kind == "irregular":
        weights = np.linspace(1, 3, n)
        return -np.diag(weights) + second_difference(n, "zero", "zero")
    return second_difference(n, *kind.split("-"))


EXPECTED = {
    "periodic-periodic": ("fourier", 0),
    "upwind": ("fourier", 0),
    "mirror-mirror": ("dct", 2),
    "DCT-I": ("dct", 1),
    "mirror-odd": ("dct", 4),
    "zero-zero": ("dst", 1),
    "odd-odd": ("dst", 2),
    "odd-mirror": ("dst", 4),
    "mirror-zero": ("basis", 0),
    "irregular": ("basis", 0),
}


@pytest.mark.parametrize("kind", EXPECTED)
@pytest.mark.parametrize("n", [2, 3, 8, 65, 150])
def test_modes_are_recognised(kind, n):
    found = modes_of(ends(kind, n))
    assert found is not None
    if n > 3:  # shorter ones look like each other
        short = kind == "periodic-periodic" and n <= 64  # takes products with real waves
        assert (found.kind, found.type) == (("basis", 0) if short else EXPECTED[kind])
    values = np.linalg.eigvals(ends(kind, n))
    ours, theirs = (np.sort_complex(np.round(v + 0j, 9)) for v in (found.values, values))
    np.testing.assert_allclose(ours, theirs, atol=2e-9)


@pytest.mark.parametrize("kind", [k for k in EXPECTED if "-" in k and k != "DCT-I"])
@pytest.mark.parametrize("n", [5, 8, 65, 128])
def test_modes_of_sparse_matrices_follow_from_formulas(kind, n):
    matrix = 3 * np.eye(n) - 0.7 * ends(kind, n)
    found, dense = modes_of(scipy.sparse.csr_array(matrix)), modes_of(matrix)
    assert found[:2] == dense[:2]
    np.testing.assert_allclose(found.values, dense.values, rtol=1e-12)
    assert modes_of(scipy.sparse.csr_array(ends(kind, n))).constants == (
        kind in ("periodic-periodic", "mirror-mirror")
    )


@pytest.mark.parametrize("change", [(0, 3), (3, 3), (1, 0), (0, 0), (69, 0)])
def test_long_sparse_matrices_must_be_second_differences(change, monkeypatch):
    monkeypatch.setattr("phi_tensor.linear._modes.LONGEST_DECOMPOSED", 65)
    matrix = ends("mirror-odd", 70)
    assert modes_of(scipy.sparse.csr_array(matrix)).kind == "dct"
    matrix[change] += 0.25
    assert modes_of(scipy.sparse.csr_array(matrix)) is None


@pytest.mark.parametrize("padding", ["periodic", "zero-gradient", 0, "antisymmetric"])
def test_long_lines(padding, backend):
    n = 20_011
    with math.precision(64):
        x = math.random_normal(spatial(x=n), key=math.random_key(1))
        x = x - math.mean(x)
        b = math.laplace(x, padding=padding)
        with math.SolveTape() as tape:
            found = math.solve_linear(lambda p: math.laplace(p, padding=padding), b)
        assert tape[0].method == "transform"
        np.testing.assert_allclose(found.numpy(), x.numpy(), atol=1e-6)  # κ = 2e8


def test_matrices_without_orthogonal_modes_are_left_to_other_methods(backend):
    assert modes_of(np.triu(np.ones((5, 5)))) is None
    shape = spatial(x=5)
    operator = LinearOperator(shape, shape, lambda c, x: x, axis_matrices={"x": np.triu(np.ones((5, 5)))})
    with pytest.raises(math.Unsupported, match="separable"):
        math.solve_linear(operator, math.ones(shape), Solve("transform"))


def operator_of(shape, matrices):
    factors = {name: tensor(a, channel("_row"), channel("_column")) for name, a in matrices.items()}

    def product(x, left, right):
        parts = [
            math.rename_dims(math.dot(x, name, a, right), left, shape[name]) for name, a in factors.items()
        ]
        return sum(parts[1:], parts[0])

    return LinearOperator(
        shape,
        shape,
        lambda c, x: product(x, "_row", "_column"),
        lambda c, x: product(x, "_column", "_row"),
        axis_matrices=matrices,
    )


def kronecker(matrices):
    total = 0
    for name in matrices:
        factor = np.eye(1)
        for other, a in matrices.items():
            factor = np.kron(factor, a if other == name else np.eye(len(a)))
        total = total + factor
    return total


SYSTEMS = {
    "line": {"x": ("zero-zero", 9)},
    "closed box": {"x": ("mirror-mirror", 6), "y": ("mirror-mirror", 5)},
    "periodic box": {"x": ("periodic-periodic", 6), "y": ("periodic-periodic", 7)},
    "mixed": {"x": ("periodic-periodic", 5), "y": ("mirror-odd", 4), "z": ("mirror-mirror", 3)},
    "transport": {"x": ("upwind", 5), "y": ("upwind", 6)},
    "any symmetric": {"x": ("irregular", 6), "y": ("mirror-zero", 5)},
    "long": {"x": ("mirror-mirror", 140)},
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_transforms_solve_separable_systems(name, backend, rng):
    matrices = {dim: ends(kind, n) for dim, (kind, n) in SYSTEMS[name].items()}
    shape = spatial(**{dim: n for dim, (_, n) in SYSTEMS[name].items()})
    b = rng.normal(size=(2, *shape.sizes))
    with math.precision(64):
        operator = operator_of(shape, matrices)
        assert separable(operator) is not None
        with math.SolveTape() as tape:
            x = math.solve_linear(operator, tensor(b, batch("b"), shape)).numpy(["b", *shape.names])
        expected = (np.linalg.pinv(kronecker(matrices)) @ b.reshape(2, -1).T).T.reshape(b.shape)
        np.testing.assert_allclose(x, expected, atol=1e-10 * abs(expected).max())
    assert (tape[0].method, tape[0].outcome) == ("transform", "converged")
    with math.precision(32):
        x = math.solve_linear(operator, tensor(b, batch("b"), shape)).numpy(["b", *shape.names])
        np.testing.assert_allclose(x, expected, atol=2e-4 * abs(expected).max())


def scaled_operator(matrices, scales):
    """A = Σ s A_axis with s as coefficients."""
    shape, names = spatial(**{name: len(a) for name, a in matrices.items()}), tuple(matrices)
    parts = [operator_of(shape, {name: a}).function for name, a in matrices.items()]

    def function(c, x):
        return sum(s * part((), x) for s, part in zip(c, parts, strict=True))

    return LinearOperator(
        shape, shape, function, function, tuple(scales[n] for n in names), axis_matrices=matrices,
        axis_scales=lambda c: dict(zip(names, c, strict=True)),
    )  # fmt: skip


AXES = {"x": ends("mirror-zero", 6), "y": ends("periodic-periodic", 70), "z": ends("mirror-mirror", 3)}


def test_sparse_matrices_and_their_transposes(backend, rng):
    n = 70
    matrix = ends("upwind", n)
    operator = operator_of(spatial(x=n), {"x": matrix})
    given = dataclasses.replace(operator, axis_matrices={"x": scipy.sparse.csr_array(matrix)})
    with math.precision(64):
        b = rng.normal(size=n)
        for some, dense in ((given, matrix), (given.h, matrix.T)):
            found = math.solve_linear(some, tensor(b, spatial("x")), Solve("transform"))
            np.testing.assert_allclose(found.numpy(), np.linalg.solve(dense, b), atol=1e-10)


def test_scaled_axes(backend, rng):
    with math.precision(64):
        b = tensor(rng.normal(size=(6, 70, 3)), spatial("x,y,z"))
        each = [(1.0, 0.5, 2.0), (4.0, 1.0, 1.0)]
        alone = []
        for scales in each:
            numbers = dict(zip("xyz", scales, strict=True))
            x = math.solve_linear(scaled_operator(AXES, {n: tensor(s) for n, s in numbers.items()}), b)
            direct = operator_of(b.shape, {name: numbers[name] * a for name, a in AXES.items()})
            np.testing.assert_allclose(
                x.numpy("x,y,z"), math.solve_linear(direct, b).numpy("x,y,z"), atol=1e-10
            )
            alone.append(x)
        together = {n: tensor([s[i] for s in each], batch("b")) for i, n in enumerate("xyz")}
        found = math.solve_linear(scaled_operator(AXES, together), b)
        np.testing.assert_allclose(
            found.numpy("b,x,y,z"), math.stack(alone, batch("b")).numpy("b,x,y,z"), atol=1e-10
        )


@pytest.mark.needs("reverse")
@pytest.mark.parametrize("execution", ["eager", "jit"])
def test_derivatives_by_scales(execution, backend, rng):
    with math.precision(64):
        b = tensor(rng.normal(size=(6, 70, 3)), spatial("x,y,z"))
        weights = tensor(rng.normal(size=(6, 70, 3)), spatial("x,y,z"))
        start = {"x": tensor(0.7), "y": tensor(1.3), "z": tensor(2.0)}

        def loss(scales):
            return math.sum(weights * math.solve_linear(scaled_operator(AXES, scales), b))

        gradient = math.gradient(loss, "scales", get_output=False)
        found = (math.jit_compile(gradient) if execution == "jit" else gradient)(start)
        for name, value in start.items():
            h = 1e-5
            up, down = (float(loss({**start, name: value + s * h})) for s in (1, -1))
            assert float(found[name]) == pytest.approx((up - down) / (2 * h), rel=1e-6)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # of NumPy's products with infinity
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_right_hand_sides_that_are_not_finite(bad, backend, execution):
    operator = operator_of(spatial(x=4), {"x": ends("zero-zero", 4)})
    b = tensor([1.0, bad, 0.0, 2.0], spatial("x"))
    with math.checked("now"), pytest.raises(Diverged, match=r"not finite|diverged"):
        execution(lambda y: math.solve_linear(operator, y))(b)
    quiet = execution(lambda y: math.solve_linear(operator, y, Solve(suppress=[Diverged])))(b)
    assert not np.isfinite(quiet.numpy()).all()


def test_what_constants_cannot_reach_is_reported(backend, rng):
    shape = spatial(x=8, y=6)
    operator = operator_of(shape, {"x": ends("mirror-mirror", 8), "y": ends("mirror-mirror", 6)})
    b = rng.normal(size=(8, 6))
    with math.SolveTape() as tape:
        math.solve_linear(operator, tensor(b + 3, shape))
        math.solve_linear(operator, tensor(b - b.mean(), shape))
    assert "lost its mean" in tape[0].msg
    assert "lost its mean" not in tape[1].msg


@pytest.mark.compiled
@pytest.mark.needs("jit")
def test_transforms_compile(backend, rng):
    shape = spatial(x=12, y=10)
    matrices = {"x": ends("periodic-periodic", 12), "y": ends("mirror-mirror", 10)}
    with math.precision(64):
        operator = operator_of(shape, matrices)
        b = rng.normal(size=(12, 10))
        x = math.jit_compile(lambda y: math.solve_linear(operator, y))(tensor(b, shape)).numpy("x,y")
        expected = np.linalg.pinv(kronecker(matrices)) @ b.reshape(-1)
        np.testing.assert_allclose(x.reshape(-1), expected, atol=1e-10)


# --- dense matrices


def test_dense_systems_of_several_dims_batches_and_right_hand_sides(backend, rng):
    with math.precision(64):
        a = rng.normal(size=(2, 3, 4, 3, 4)) + 6 * np.eye(12).reshape(3, 4, 3, 4)
        b = rng.normal(size=(3, 4, 5))
        matrix = tensor(a, batch("b"), spatial("x,y"), dual("x,y"))
        x = math.solve_linear(matrix, tensor(b, spatial("x,y"), channel("c"))).numpy("b,x,y,c")
        expected = np.linalg.solve(a.reshape(2, 12, 12), np.broadcast_to(b.reshape(12, 5), (2, 12, 5)))
        np.testing.assert_allclose(x.reshape(2, 12, 5), expected, atol=1e-10)


@pytest.mark.parametrize("method", ["auto", "GMRES", "scipy-direct"])
def test_rows_may_be_other_dims_than_columns(method, backend, rng):
    with math.precision(64):
        a, b = rng.normal(size=(6, 6)) + 6 * np.eye(6), rng.normal(size=6)
        x = math.solve_linear(tensor(a, channel("y"), dual("x")), tensor(b, channel("y")), Solve(method))
        assert x.shape.names == ("x",)
        np.testing.assert_allclose(x.numpy("x"), np.linalg.solve(a, b), atol=1e-8)


@pytest.mark.parametrize("method", ["auto", "dense", "CG", "MINRES", "GMRES", "scipy-direct", "scipy-CG"])
def test_constants_as_null_space(method, backend):  # SEM 176
    a = second_difference(4, "periodic", "periodic")
    y = np.array([2.0, 1, 0, 1])
    with math.precision(64):
        for given in (Solve(method), Solve(method, rank_deficiency=1)):
            with math.SolveTape() as tape:
                x = math.solve_linear(tensor(a, spatial("x"), dual("x")), tensor(y, spatial("x")), given)
            np.testing.assert_allclose(x.numpy("x"), [-0.5, 0, 0.5, 0], atol=1e-9)
            assert "lost its mean" in tape[0].msg


@pytest.mark.parametrize(
    "method",
    [
        "scipy-direct",
        "scipy-CG",
        "scipy-GMres",
        "scipy-biCG",
        "scipy-biCG-stab",
        "scipy-CGS",
        "scipy-QMR",
        "scipy-GCrotMK",
        "scipy-MINRES",
    ],
)
def test_methods_of_scipy(method, backend, rng):
    with math.precision(64):
        a, b = rng.normal(size=(2, 9, 9)), rng.normal(size=(2, 9))
        a = a @ a.swapaxes(1, 2) + np.eye(9)
        given = (tensor(a, batch("b"), spatial("x"), dual("x")), tensor(b, batch("b"), spatial("x")))
        x = math.solve_linear(*given, Solve(method, rel_tol=1e-6)).numpy("b,x")
        np.testing.assert_allclose(x, np.linalg.solve(a, b[..., None])[..., 0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("preconditioner", ["ilu", "ic"])
def test_incomplete_factors(preconditioner, backend, rng):
    n = 60
    a, b = -second_difference(n, "zero", "zero"), rng.normal(size=n)
    with math.precision(64), math.SolveTape() as tape:
        given = (tensor(a, spatial("x"), dual("x")), tensor(b, spatial("x")))
        x = math.solve_linear(*given, Solve("scipy-CG", preconditioner=preconditioner)).numpy("x")
    np.testing.assert_allclose(x, np.linalg.solve(a, b), rtol=1e-6, atol=1e-6)
    assert int(tape[0].iterations) <= 3


@pytest.mark.compiled
@pytest.mark.needs("jit")
def test_hosts_are_not_called_from_compiled_code(backend):
    solve = math.jit_compile(lambda a, y: math.solve_linear(a, y, Solve("scipy-direct")))
    with pytest.raises(math.Unsupported, match="host"):
        solve(tensor(np.eye(2), spatial("x"), dual("x")), math.ones(spatial(x=2)))
