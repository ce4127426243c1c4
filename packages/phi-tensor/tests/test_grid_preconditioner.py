"""Traced functions of neighbours as matrices of neighbours: equal products, few iterations, or none."""

import runpy
from pathlib import Path

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import Solve, spatial, tensor, wrap
from phi_tensor.linear._grid_preconditioner import neighbor_form
from phi_tensor.linear._traced import traced
from phi_tensor.testing import assert_close

GRIDS = runpy.run_path(str(Path(__file__).with_name("grids") / "matrices.py"))
iterations = GRIDS["iterations"]
GRID = spatial(x=24, y=17)
CONDUCTIVITY = wrap(np.random.default_rng(0).uniform(0.1, 1, GRID.sizes), GRID)


def variable(x):
    """∇·(k ∇x) in a closed box."""
    total = 0
    for axis in ("x", "y"):
        k, p = (math.pad(v, {axis: (1, 1)}, "zero-gradient") for v in (CONDUCTIVITY, x))
        below, above = {axis: slice(None, -1)}, {axis: slice(1, None)}
        flux = (k[above] + k[below]) / 2 * (p[above] - p[below])
        total = total + flux[above] - flux[below]
    return total


OPERATORS = {
    "closed": lambda x: math.laplace(x, padding="zero-gradient"),
    "open": lambda x: math.laplace(x, padding=0),
    "periodic": lambda x: math.laplace(x, padding="periodic"),
    "mixed": lambda x: math.laplace(x, padding={"x": 0, "y": "periodic"}),
    "implicit": lambda x: x - 3 * math.laplace(x, padding="zero-gradient"),
    "variable": variable,
}


@pytest.fixture(autouse=True)
def _in_64_bit():
    with math.precision(64):
        yield


@pytest.mark.parametrize("shape", [GRID, spatial(x=2, y=9), spatial(x=1, y=6)], ids=str)
@pytest.mark.parametrize("name", OPERATORS)
def test_same_products_and_few_iterations(name, shape, rng):
    if name == "variable" and shape is not GRID:
        return
    function = traced(OPERATORS[name], math.zeros(shape))
    form = neighbor_form(function)
    assert form is not None
    matrix, sign = form.matrix(function), form.sign
    assert sign == (1 if name == "implicit" else -1)
    x = wrap(rng.standard_normal(shape.sizes), shape)
    assert_close(sign * (matrix @ x), OPERATORS[name](x), rtol=1e-12, atol=1e-12)
    assert iterations(matrix) <= 20
    z = form.preconditioner(function)(x)
    assert np.sign(float(math.sum(x * z))) == sign


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x * 2,
        lambda x: math.laplace(math.laplace(x, padding=0), padding=0),
        lambda x: math.spatial_gradient(x, dims="x", padding=0).gradient[0] + x,
        lambda x: x - math.mean(x, "x"),
    ],
    ids=["diagonal", "far neighbours", "both signs", "mean"],
)
def test_other_functions_have_none(f):
    assert neighbor_form(traced(f, math.zeros(GRID))) is None


@pytest.mark.parametrize("contrast", [1e-4, 1e4])
def test_auto_solves_jumping_coefficients_by_multigrid(contrast, backend, rng):
    shape = spatial(x=60, y=57)
    places = math.meshgrid(shape).numpy("x,y,vector") - 30
    inside = (places**2).sum(-1) < 15**2
    conductivity = wrap(np.where(inside, contrast, 1.0), shape)

    def divergence_of_flux(x, c):
        total = 0
        for axis in ("x", "y"):
            k, p = (math.pad(v, {axis: (1, 1)}, "zero-gradient") for v in (c, x))
            below, above = {axis: slice(None, -1)}, {axis: slice(1, None)}
            flux = 2 * k[above] * k[below] / (k[above] + k[below]) * (p[above] - p[below])
            total = total + flux[above] - flux[below]
        return total

    right = tensor(rng.standard_normal(shape.sizes), shape)
    with math.SolveTape() as tape:
        x = math.solve_linear(divergence_of_flux, right, Solve(rel_tol=1e-8), conductivity)
    assert (tape[0].method, tape[0].preconditioner) == ("CG", "operator")
    assert int(tape[0].iterations) <= 30
    remaining = divergence_of_flux(x, conductivity) - (right - math.mean(right))
    size = [float(math.sum(v**2)) ** 0.5 for v in (remaining, right)]
    assert size[0] <= 2e-8 * size[1]
