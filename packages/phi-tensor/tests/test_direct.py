"""Direct methods: transforms of separable systems beside Kronecker products, LU, and SciPy's solvers."""

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import LinearOperator, Solve, batch, channel, dual, spatial, tensor
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
        assert (found.kind, found.type) == EXPECTED[kind]
    values = np.linalg.eigvals(ends(kind, n))
    ours, theirs = (np.sort_complex(np.round(v + 0j, 9)) for v in (found.values, values))
    np.testing.assert_allclose(ours, theirs, atol=2e-9)


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
