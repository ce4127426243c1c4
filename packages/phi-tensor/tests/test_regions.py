"""Closed regions of linked cells: projections against null spaces of dense matrices, labels on devices."""

import runpy
from pathlib import Path

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import Solve, Stencil, batch, spatial, stencil_operator, tensor, wrap
from phi_tensor.linear._regions import closed_regions, regions
from phi_tensor.linear._stencil_operator import transposed
from phi_tensor.testing import assert_close

GRIDS = runpy.run_path(str(Path(__file__).with_name("grids") / "matrices.py"))
dense, of_cells = GRIDS["dense"], GRIDS["of_cells"]


def rooms():
    """Two rooms and a pocket of one cell, in walls."""
    cells = np.ones((9, 8))
    cells[4, :] = cells[:4, 3] = cells[5, 6:] = cells[6:, 6] = cells[6, 7] = cells[8, 7] = 0
    return cells


@pytest.fixture(autouse=True)
def _in_64_bit():
    with math.precision(64):
        yield


def on(backend, matrix):
    links = [{n: math.convert(c, backend) for n, c in pair.items()} for pair in (matrix.lower, matrix.upper)]
    return Stencil(math.convert(matrix.remainder, backend), *links, matrix.periodic)


def without_null_space(matrix, x):
    values, vectors = np.linalg.eigh(matrix)
    null = vectors[:, np.abs(values) < 1e-10 * np.abs(values).max()]
    return x - null @ (null.T @ x)


@pytest.mark.parametrize("open_", [False, True])
@pytest.mark.parametrize("periodic", [(), ("y",), ("x", "y")])
def test_projection_beside_the_null_space(periodic, open_, backend, rng):
    matrix = of_cells(rooms(), open_ and "x" not in periodic, periodic=periodic)
    x = rng.standard_normal(72)
    found = closed_regions(on(backend, matrix))(tensor(x.reshape(9, 8), spatial("x,y")))
    assert_close(found.numpy("x,y").ravel(), without_null_space(dense(matrix), x), rtol=1e-10, atol=1e-10)


def test_many_regions(backend, rng):
    cells = np.ones((30, 10))
    cells[2::3] = 0
    matrix = of_cells(cells)
    x = rng.standard_normal((2, 300))
    values = tensor(x.reshape(2, 30, 10), batch("b"), spatial("x,y"))
    found = closed_regions(on(backend, matrix))(values).numpy("b,x,y").reshape(2, 300)
    desired = [without_null_space(dense(matrix), row) for row in x]
    assert_close(found, np.stack(desired), rtol=1e-10, atol=1e-10)


@pytest.mark.needs("jit")
@pytest.mark.parametrize("periodic", [(), ("x", "y")])
def test_traced_links(periodic, backend, rng):
    matrix = of_cells(rooms(), not periodic, periodic=periodic)
    x = tensor(rng.standard_normal((9, 8)), spatial("x,y"))

    def project(x, remainder, lower, upper):
        return closed_regions(Stencil(remainder, lower, upper, matrix.periodic))(x)

    given = on(backend, matrix)
    compiled = math.jit_compile(project)(x, given.remainder, dict(given.lower), dict(given.upper))
    assert_close(compiled, closed_regions(matrix)(x), rtol=1e-12, atol=1e-12)


def test_each_region_has_a_label():
    count, labels = regions(of_cells(rooms()))
    found = labels.numpy("x,y")
    assert count == len(np.unique(found)) == (rooms() == 0).sum() + 4
    assert (
        len(np.unique(found[:4, :3])) == len(np.unique(found[5:, :6])) == len(np.unique(found[:4, 4:])) == 1
    )
    assert found[7, 7] not in np.delete(found, 7, 0)


@pytest.mark.parametrize("periodic", [(), ("x",)])
def test_transposed(periodic, rng):
    c = rng.uniform(1, 2, (5, 4))
    matrix = of_cells(c, periodic=periodic)
    upper = {n: c * wrap(rng.uniform(0.5, 1, (5, 4)), spatial("x,y")) for n, c in matrix.upper.items()}
    skew = Stencil(matrix.remainder + 0.1, matrix.lower, upper, matrix.periodic)
    assert_close(dense(transposed(skew)), dense(skew).T)


@pytest.mark.parametrize("open_", [False, True])
def test_solve_with_pockets(open_, backend, rng):
    matrix = of_cells(rooms(), open_)
    a = dense(matrix)
    y = rng.standard_normal(72)
    with math.SolveTape() as tape:
        x = math.solve_linear(
            stencil_operator(on(backend, matrix)),
            tensor(y.reshape(9, 8), spatial("x,y")),
            Solve(rel_tol=1e-10),
        )
    assert tape[0].method == "CG"
    assert_close(x.numpy("x,y").ravel(), np.linalg.pinv(a, rcond=1e-10, hermitian=True) @ y, atol=1e-7)


def test_solve_of_a_skew_matrix(backend, rng):
    matrix = of_cells(rng.uniform(1, 2, (6, 5)), True)
    upper = {n: c * wrap(rng.uniform(0.5, 1, (6, 5)), spatial("x,y")) for n, c in matrix.upper.items()}
    skew = Stencil(matrix.remainder + 1, matrix.lower, upper)
    y = rng.standard_normal(30)
    operator = stencil_operator(on(backend, skew))
    x = math.solve_linear(operator, tensor(y.reshape(6, 5), spatial("x,y")), Solve(rel_tol=1e-10))
    assert_close(x.numpy("x,y").ravel(), np.linalg.solve(dense(skew), y), rtol=1e-7)


@pytest.mark.needs("reverse")
def test_derivative_by_links(backend, rng):
    cells = rng.uniform(1, 2, (4, 3))
    y = tensor(rng.standard_normal((4, 3)), spatial("x,y"))
    matrix = on(backend, of_cells(cells, True))

    def loss(scale):
        lower = {**matrix.lower, "x": matrix.lower["x"] * scale}
        upper = {**matrix.upper, "x": matrix.upper["x"] * scale}
        operator = stencil_operator(Stencil(matrix.remainder, lower, upper), symmetric=True)
        return math.l2_loss(math.solve_linear(operator, y, Solve(rel_tol=1e-12)))

    slope = math.gradient(loss, get_output=False)(tensor(1.0))
    step = 1e-4
    difference = (float(loss(tensor(1 + step))) - float(loss(tensor(1 - step)))) / (2 * step)
    assert float(slope) == pytest.approx(difference, rel=1e-6)
