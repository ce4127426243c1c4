"""The multigrid cycle: matrices of neighbours against dense ones, symmetry, iterations at every size."""

import runpy
from pathlib import Path

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import spatial, wrap
from phi_tensor.linear._multigrid import coarsened, multigrid
from phi_tensor.linear._stencil import Stencil

GRIDS = runpy.run_path(str(Path(__file__).with_name("grids") / "matrices.py"))
GRID, of_cells, dense, iterations = (GRIDS[name] for name in ("GRID", "of_cells", "dense", "iterations"))
disc, lognormal = GRIDS["disc"], GRIDS["lognormal"]


@pytest.fixture(autouse=True)
def _in_64_bit():
    with math.precision(64):
        yield


@pytest.mark.parametrize("periodic", [(), ("x",), ("x", "y")])
def test_matrix_couples_neighbours(periodic):
    c = np.random.default_rng(0).uniform(1, 2, (4, 3))
    matrix = dense(of_cells(c, True, periodic=periodic))
    assert np.allclose(matrix, matrix.T)
    by_hand = np.zeros((4, 3, 4, 3))
    for i, j in np.ndindex(4, 3):
        for axis, (k, m) in enumerate([((i + 1), j), (i, j + 1)]):
            if k >= 4 or m >= 3:
                if "xy"[axis] not in periodic:
                    continue
                k, m = k % 4, m % 3
            face = 2 * c[i, j] * c[k, m] / (c[i, j] + c[k, m])
            for a, b, sign in [
                ((i, j), (i, j), 1),
                ((k, m), (k, m), 1),
                ((i, j), (k, m), -1),
                ((k, m), (i, j), -1),
            ]:
                by_hand[(*a, *b)] += sign * face
    by_hand[0, range(3), 0, range(3)] += 2 * c[0]
    assert np.allclose(matrix, by_hand.reshape(12, 12))
    assert np.allclose(of_cells(c, True, periodic=periodic).diagonal.numpy("x,y").ravel(), np.diag(matrix))


@pytest.mark.parametrize("sizes", [(8, 6), (7, 5), (1, 4), (9,)])
@pytest.mark.parametrize("periodic", [(), ("x",)])
def test_coarse_matrix_is_the_galerkin_product(monkeypatch, sizes, periodic):
    monkeypatch.setattr("phi_tensor.linear._multigrid.STIFFNESS", 1)
    fine = of_cells(np.random.default_rng(0).uniform(1, 2, sizes), True, periodic=periodic)
    axes = [name for name, size in zip(GRID.names, sizes, strict=False) if size > 1]
    blocks = [np.kron(np.eye(-(-n // 2)), np.ones((1, 2)))[:, :n] for n in sizes if n > 1]
    transfer = blocks[0]
    for block in blocks[1:]:
        transfer = np.kron(transfer, block)
    assert np.allclose(dense(coarsened(fine, axes)), transfer @ dense(fine) @ transfer.T)


@pytest.mark.parametrize("open_", [True, False])
def test_cycle_is_symmetric_and_positive(open_):
    matrix = of_cells(disc(12, 2, 1e3, 1.0), open_)
    cycle, shape = multigrid(matrix), matrix.remainder.shape
    units = np.eye(shape.volume).reshape(shape.volume, *shape.sizes)
    inverse = cycle(wrap(units, math.batch("unit"), shape)).numpy("x,y,unit").reshape(144, 144)
    assert np.allclose(inverse, inverse.T, atol=1e-12 * abs(inverse).max())
    smallest = np.linalg.eigvalsh(inverse)[0]
    assert smallest > 0


@pytest.mark.parametrize("n", [16, 64, 250])
@pytest.mark.parametrize("open_", [False, True])
def test_iterations_do_not_grow_with_size(n, open_):
    assert iterations(of_cells(np.ones((n, n)), open_)) <= 20


@pytest.mark.parametrize(
    "matrix",
    [
        of_cells(np.ones((16, 16, 16))),
        of_cells(disc(64, 2, 0.0, 1.0)),
        of_cells(disc(64, 2, 1.0, 0.0)),
        of_cells(np.ones((64, 33)), weights=(1, 100)),
        of_cells(np.ones((64, 33)), weights=(100, 1)),
        of_cells(np.ones((65, 32)), periodic=("x", "y")),
        of_cells(np.ones((48, 48)), True, periodic=("y",)),
    ],
    ids=["3d", "hole", "pocket", "long-y", "long-x", "periodic-odd", "half-periodic"],
)
def test_iterations_of_other_boxes(matrix):
    assert iterations(matrix) <= 20


@pytest.mark.parametrize(
    "c", [disc(100, 2, 1e4, 1.0), disc(100, 2, 1e-4, 1.0), disc(24, 3, 1e4, 1.0), lognormal(100)]
)
def test_iterations_with_jumping_coefficients(c):
    assert iterations(of_cells(c)) <= 30


def test_implicit_diffusion():
    matrix = of_cells(np.ones((50, 50)))
    assert iterations(Stencil(matrix.remainder + 0.1, matrix.lower, matrix.upper)) <= 20


@pytest.mark.needs("jit")
def test_compiled_with_traced_coefficients(backend):
    c = disc(20, 2, 0.0, 1.0)
    matrix = of_cells(c, True)
    right = wrap(np.random.default_rng(0).standard_normal((20, 20)) * c, spatial("x,y"))
    expected = multigrid(matrix)(right)

    def solve(right, remainder, lower, upper):
        return multigrid(Stencil(remainder, lower, upper))(right)

    given = [math.convert(x, backend) for x in (right, matrix.remainder)]
    links = [
        {name: math.convert(x, backend) for name, x in pair.items()} for pair in (matrix.lower, matrix.upper)
    ]
    math.assert_close(
        math.jit_compile(solve)(*given, *links), expected, rel_tolerance=1e-10, abs_tolerance=1e-10
    )
