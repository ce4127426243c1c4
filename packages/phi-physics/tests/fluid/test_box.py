import numpy as np
import pytest
import scipy.fft

import phi_tensor as math
from phi_physics.fluid._box import box_laplacian
from phi_tensor import batch, spatial
from phi_tensor.testing import assert_close

PAIRS = [
    ("periodic", "periodic"),
    ("closed", "closed"),
    ("open", "open"),
    ("closed", "open"),
    ("open", "closed"),
]
SIZES = [1, 2, 9, 127, 300]


def second_difference(ends, n):
    """D² as a dense matrix, written down from its definition."""
    matrix = np.diag(np.full(n, -2.0)) + np.diag(np.ones(n - 1), 1) + np.diag(np.ones(n - 1), -1)
    if ends[0] == "periodic":
        matrix[0, -1] += 1
        matrix[-1, 0] += 1
    matrix[0, 0] += ends[0] == "closed"
    matrix[-1, -1] += ends[1] == "closed"
    return matrix


def solve_poisson(right, ends, dx):
    cells = right.shape.only(tuple(ends))
    return math.solve_linear(box_laplacian(cells, ends, dx), right)


def laplacian(ends, sizes, dx):
    total = 0
    for axis, (pair, n, h) in enumerate(zip(ends, sizes, dx, strict=True)):
        factors = [np.eye(m) for m in sizes]
        factors[axis] = second_difference(pair, n) / h**2
        product = np.ones((1, 1))
        for factor in factors:
            product = np.kron(product, factor)
        total = total + product
    return total


def solved(values, ends, dx, execution=lambda f: f):
    names = "xyz"[: len(ends)]
    right = math.tensor(values, batch("b"), spatial(",".join(names)))
    pairs = dict(zip(names, ends, strict=True))
    spacing = math.vec(**dict(zip(names, dx, strict=True)))
    return execution(lambda b: solve_poisson(b, pairs, spacing))(right).numpy(["b", *names])


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("ends", PAIRS)
def test_inverts_second_difference(ends, n, backend, rng):
    right = rng.normal(size=(2, n))
    with math.precision(64):
        p = solved(right, [ends], [0.3])
    matrix = laplacian([ends], [n], [0.3])
    if "open" not in ends:
        right = right - right.mean(1, keepdims=True)
        np.testing.assert_allclose(p.mean(1), 0, atol=1e-10)
    np.testing.assert_allclose(p @ matrix.T, right, atol=1e-11 * max(1, abs(matrix).max() * abs(p).max()))


@pytest.mark.parametrize(
    ("sizes", "dx"),
    [((12, 7), (0.1, 0.25)), ((1, 5), (1, 2)), ((4, 3, 5), (0.5, 1, 2)), ((6, 1, 4), (1, 1, 0.1))],
)
def test_inverts_laplacian_with_mixed_ends(sizes, dx, backend, rng):
    right = rng.normal(size=(2, *sizes))
    for shift in range(len(PAIRS)):
        ends = [PAIRS[(shift + 2 * i) % len(PAIRS)] for i in range(len(sizes))]
        with math.precision(64):
            p = solved(right, ends, dx)
        expected = right.reshape(2, -1)
        if not any("open" in pair for pair in ends):
            expected = expected - expected.mean(1, keepdims=True)
        np.testing.assert_allclose(p.reshape(2, -1) @ laplacian(ends, sizes, dx).T, expected, atol=1e-10)


@pytest.mark.parametrize("n", [96, 100, 127])
def test_equals_scipy_cosine_transform(n, backend, rng):
    right = rng.normal(size=(n, n))
    eigenvalues = -4 * np.sin(np.pi * np.arange(n) / (2 * n)) ** 2
    total = eigenvalues[:, None] + eigenvalues[None, :]
    total[0, 0] = np.inf
    expected = scipy.fft.idctn(scipy.fft.dctn(right) / total)
    with math.precision(64):
        p = solved(right[None], [("closed", "closed")] * 2, [1, 1])
    np.testing.assert_allclose(p[0], expected, atol=1e-11 * abs(expected).max())


def test_cell_size_may_be_traced_and_batched(backend, rng):
    right = math.tensor(rng.normal(size=(5, 4)), spatial("x,y"))
    ends = {"x": ("closed", "open"), "y": ("periodic", "periodic")}
    sizes = math.tensor([0.5, 2.0], batch("b"))
    together = solve_poisson(right, ends, math.vec(x=sizes, y=1.0))
    alone = [solve_poisson(right, ends, math.vec(x=h, y=1.0)) for h in (0.5, 2.0)]
    assert_close(together, math.stack(alone, batch("b")))


@pytest.mark.compiled
def test_jit_equals_eager_in_both_precisions(backend, rng):
    right = rng.normal(size=(2, 16, 9))
    ends, dx = [("open", "closed"), ("periodic", "periodic")], (0.5, 1)
    for bits, tolerance in ((32, 1e-5), (64, 1e-12)):
        with math.precision(bits):
            eager, compiled = solved(right, ends, dx), solved(right, ends, dx, math.jit_compile)
        assert compiled.dtype == eager.dtype == np.dtype(f"float{bits}")
        np.testing.assert_allclose(compiled, eager, atol=tolerance * abs(eager).max())
