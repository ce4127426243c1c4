"""Transforms of a box with obstacles: symmetric, definite, few iterations at every size, right solutions."""

import runpy
from pathlib import Path

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import Solve, Stencil, Unsupported, batch, spatial, stencil_operator, tensor, wrap
from phi_tensor._context import changed_settings
from phi_tensor.linear._box_preconditioner import box_of, suitable_box
from phi_tensor.testing import assert_close

GRIDS = runpy.run_path(str(Path(__file__).with_name("grids") / "matrices.py"))
GRID, of_cells, dense = (GRIDS[name] for name in ("GRID", "of_cells", "dense"))


@pytest.fixture(autouse=True)
def _in_64_bit():
    with math.precision(64):
        yield


def body(kind, sizes):
    """1 in cells of fluid, 0 inside of a body."""
    n = sizes[0]
    places = [(x + 0.5) / n for x in np.indices(sizes)]
    centers = (0.5, 0.45, 0.55)
    if kind == "sphere":
        solid = sum((x - c) ** 2 for x, c in zip(places, centers, strict=False)) < 0.2**2
    elif kind == "box":
        solid = np.all([abs(x - c) < 0.15 for x, c in zip(places, centers, strict=False)], axis=0)
    elif kind == "pocket":
        distance = np.sqrt(sum((x - 0.5) ** 2 for x in places))
        solid = (distance < 0.3) & (distance > 0.15)
    else:
        solid = np.zeros(sizes, bool)
        for i, wall in enumerate(range(n // 8, n - 1, n // 8)):
            solid[wall] = True
            solid[wall, slice(0, 3) if i % 2 else slice(-3, None)] = False
    return 1.0 - solid


def on(backend, matrix):
    links = [{n: math.convert(c, backend) for n, c in pair.items()} for pair in (matrix.lower, matrix.upper)]
    return Stencil(math.convert(matrix.remainder, backend), *links, matrix.periodic)


def mixed(fluid):
    """Periodic along y, open at both ends of x, closed along z, other distances of cells per axis."""
    matrix = of_cells(fluid, True, weights=(1, 2, 3), periodic=("y",))
    at_end = wrap(np.arange(fluid.shape[0]) == fluid.shape[0] - 1, spatial("x"))
    remainder = matrix.remainder + 0.5 * at_end * wrap(fluid, matrix.remainder.shape)
    return Stencil(remainder, matrix.lower, matrix.upper, matrix.periodic)


SIDES = {
    "closed": of_cells,
    "open": lambda fluid: of_cells(fluid, True),
    "periodic": lambda fluid: of_cells(fluid, periodic=GRID.names[: fluid.ndim]),
    "mixed": mixed,
    "implicit": lambda fluid: Stencil((m := of_cells(fluid)).remainder + 0.1, m.lower, m.upper, m.periodic),
}


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("sizes", [(13,), (9, 8), (4, 5, 6)])
def test_box_without_obstacles_is_inverted(sides, sizes, rng):
    if sides == "mixed" and len(sizes) == 1:
        return
    matrix = SIDES[sides](np.ones(sizes))
    shape = matrix.remainder.shape
    right = matrix @ wrap(rng.standard_normal(sizes), shape)
    x = box_of(matrix).preconditioner(matrix)(right)
    assert_close(matrix @ x, right, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize(("kind", "sizes"), [("sphere", (12, 11)), ("pocket", (12, 12)), ("box", (7, 6, 8))])
def test_symmetric_with_eigenvalues_around_one(sides, kind, sizes):
    matrix = SIDES[sides](body(kind, sizes))
    shape = matrix.remainder.shape
    n = shape.volume
    approximate = box_of(matrix).preconditioner(matrix)
    columns = approximate(wrap(np.eye(n).reshape(n, *sizes), batch("unit"), shape))
    inverse = columns.numpy((*shape.names, "unit")).reshape(n, n)
    a = dense(matrix)
    values, vectors = np.linalg.eigh(a)
    range_ = vectors[:, values > 1e-10]
    inverse, a = (range_.T @ m @ range_ for m in (inverse, a))
    assert np.allclose(inverse, inverse.T, atol=1e-12 * abs(inverse).max())
    half = np.linalg.cholesky(a)
    found = np.linalg.eigvalsh(half.T @ inverse @ half)
    lowest = 0.35 if kind == "pocket" else 0.6  # walls that are thin or near each other answer more weakly
    assert lowest < found[0] <= found[-1] < 1.23


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize(("kind", "sizes"), [("sphere", (20, 17)), ("pocket", (16, 16)), ("box", (7, 6, 8))])
def test_equals_the_dense_solve(sides, kind, sizes, backend, rng):
    matrix = SIDES[sides](body(kind, sizes))
    y = rng.standard_normal(sizes)
    with math.SolveTape() as tape:
        x = math.solve_linear(
            stencil_operator(on(backend, matrix)), tensor(y, matrix.remainder.shape), Solve(rel_tol=1e-12)
        )
    assert tape[0].method == "CG"
    assert tape[0].preconditioner.startswith("transform")
    assert int(tape[0].iterations) <= 12
    exact = np.linalg.pinv(dense(matrix), rcond=1e-10, hermitian=True) @ y.ravel()
    assert_close(x.numpy(matrix.remainder.shape.names).ravel(), exact, atol=1e-9 * abs(exact).max())


@pytest.mark.parametrize("kind", ["sphere", "box"])
@pytest.mark.parametrize("sides", ["closed", "open", "periodic"])
@pytest.mark.parametrize("sizes", [(64, 64), (128, 120), (257, 256), (32, 32, 32)])
def test_iterations_around_bodies_do_not_grow(kind, sides, sizes, rng):
    fluid = body(kind, sizes)
    matrix = SIDES[sides](fluid)
    shape = matrix.remainder.shape
    with math.SolveTape() as tape:
        math.solve_linear(stencil_operator(matrix), wrap(rng.standard_normal(sizes) * fluid, shape), Solve())
    assert int(tape[0].iterations) <= 10


def test_thin_walls_are_left_to_multigrid(backend, rng):
    matrix = on(backend, of_cells(body("walls", (64, 64))))
    y = tensor(rng.standard_normal((64, 64)), spatial("x,y"))
    counts = []
    for settings in (
        Solve(),
        Solve("CG", preconditioner="transform"),
        Solve("CG", preconditioner="multigrid"),
    ):
        with math.SolveTape() as tape:
            math.solve_linear(stencil_operator(matrix), y, settings)
        assert tape[0].outcome == "converged"
        counts.append(int(tape[0].iterations))
    assert counts[0] < counts[2] + 10
    assert counts[0] < counts[1]


def laplace_of_fluid(x, fluid):
    """−∇·(open ∇x) in a closed box; x itself in bodies."""
    total = x * (1 - fluid)
    for axis in x.shape.spatial.names:
        (f, p), below, above = (
            [math.pad(v, {axis: (1, 1)}, 0) for v in (fluid, x)],
            {axis: slice(None, -1)},
            {axis: slice(1, None)},
        )
        flux = f[above] * f[below] * (p[above] - p[below])
        total = total - (flux[above] - flux[below])
    return total


@pytest.mark.parametrize("sign", [1, -1])
def test_function_of_neighbours(sign, backend, rng):
    fluid = body("sphere", (36, 31))
    y = rng.standard_normal((36, 31)) * fluid
    y -= fluid * y.sum() / fluid.sum()
    mask = tensor(fluid, spatial("x,y"))
    with math.SolveTape() as tape:
        x = math.solve_linear(lambda x: sign * laplace_of_fluid(x, mask), tensor(y, spatial("x,y")), Solve())
    assert tape[0].preconditioner.startswith("transform")
    assert int(tape[0].iterations) <= 10
    assert_close(sign * laplace_of_fluid(x, mask), wrap(y, spatial("x,y")), atol=1e-8)


def masked(fluid):
    """Matrix of a closed box with a mask `(…, x, y)`."""
    lower, upper = {}, {}
    for axis in ("x", "y"):
        padded = math.pad(fluid, {axis: (1, 1)}, 0)
        lower[axis] = fluid * padded[{axis: slice(None, -2)}]
        upper[axis] = fluid * padded[{axis: slice(2, None)}]
    return Stencil(0 * fluid, lower, upper)


def test_batch_of_masks(backend, rng):
    masks = np.stack([body(kind, (20, 18)) for kind in ("sphere", "box", "pocket")])
    y = rng.standard_normal((3, 20, 18))
    mask = tensor(masks, batch("b"), spatial("x,y"))
    with math.SolveTape() as tape:
        x = math.solve_linear(stencil_operator(masked(mask)), tensor(y, batch("b"), spatial("x,y")), Solve())
    assert (tape[0].iterations.numpy("b") <= 12).all()
    for one, mask, right in zip(x.numpy("b,x,y"), masks, y, strict=True):
        exact = np.linalg.pinv(dense(of_cells(mask)), rcond=1e-10, hermitian=True) @ right.ravel()
        assert_close(one.ravel(), exact, atol=1e-7)


@pytest.mark.compiled
@pytest.mark.needs("jit")
def test_compiled_with_traced_masks(backend, rng):
    """One program for bodies anywhere, also for one that closes a pocket."""
    y = rng.standard_normal((20, 18))
    box = masked(math.ones(spatial(x=20, y=18)))

    def solve(mask, y):
        return math.solve_linear(stencil_operator(masked(mask), True, box), y, Solve())

    compiled = math.jit_compile(solve)
    for kind in ("sphere", "box", "pocket"):
        mask = body(kind, (20, 18))
        with math.SolveTape() as tape:
            x = compiled(tensor(mask, spatial("x,y")), tensor(y, spatial("x,y")))
        assert (tape[0].method, tape[0].preconditioner) == ("CG", "transform")
        assert int(tape[0].iterations) <= 12
        exact = np.linalg.pinv(dense(of_cells(mask)), rcond=1e-10, hermitian=True) @ y.ravel()
        assert_close(x.numpy("x,y").ravel(), exact, atol=1e-7)


def test_compiled_solves_choose_by_the_numbers(backend):
    with changed_settings(traced="jit"):
        found = [suitable_box(on(backend, of_cells(body(kind, (64, 64))))) for kind in ("sphere", "walls")]
    assert found[0] is not None
    assert found[1] is None


def test_form_of_boxes(rng):
    fluid = body("sphere", (12, 10))
    assert box_of(mixed(fluid)) == box_of(mixed(np.ones((12, 10))))
    lines = box_of(mixed(fluid)).lines
    assert [tuple(line) for line in lines] == [(1.0, 2.0, 0.5, False), (2.0, 0.0, 0.0, True)]
    closed = of_cells(fluid)
    held = np.zeros((12, 10))
    held[2, 2] = 1.0
    others = {
        "links that vary": of_cells(rng.uniform(1, 2, (12, 10))),
        "cell held at a value": Stencil(
            closed.remainder + wrap(held, spatial("x,y")), closed.lower, closed.upper
        ),
        "negative remainder": Stencil(closed.remainder - 0.1, closed.lower, closed.upper),
    }
    for why, matrix in others.items():
        assert box_of(matrix) is None, why


def test_operator_without_box_says_so():
    matrix = of_cells(np.random.default_rng(0).uniform(1, 2, (6, 5)))
    with pytest.raises(Unsupported, match="box of cells with one link per axis"):
        math.solve_linear(
            stencil_operator(matrix), math.ones(spatial(x=6, y=5)), Solve("CG", preconditioner="transform")
        )


def test_long_lines_with_gaps(backend):
    """No matrix of all cells by all cells is made."""
    n = 20_011
    with math.precision(64):
        cells = math.arange(spatial("x"), n)
        fluid = math.to_float((cells < 9000) | (cells > 9100))
        faces = fluid.x[1:] * fluid.x[:-1]

        def poisson(p):
            flow = math.pad(faces * (p.x[1:] - p.x[:-1]), {"x": (1, 1)}, 0)
            return flow.x[:-1] - flow.x[1:] + (1 - fluid) * p + 1e-3 * p

        expected = math.random_normal(spatial(x=n), key=math.random_key(0))
        found = math.solve_linear(poisson, poisson(expected))
        assert math.close(found, expected, abs_tolerance=1e-5)
