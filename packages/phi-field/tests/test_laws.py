"""Laws of a discretisation, on random fields in 64 bit.

What the continuous operators obey, the discrete ones obey exactly.
"""

import numpy as np
import pytest

import phi_tensor as math
from phi_field import (
    CenteredGrid,
    Field,
    Grid,
    Site,
    StaggeredGrid,
    curl,
    divergence,
    integrate,
    laplace,
    sample,
    spatial_gradient,
)
from phi_geom import Box, UniformGrid
from phi_tensor import batch, channel, spatial
from phi_tensor.extrapolation import NONE, PERIODIC, ZERO, ZERO_GRADIENT
from phi_tensor.testing import assert_close


@pytest.fixture(autouse=True)
def _double():
    with math.precision(64):
        yield


def _dot(a, b):
    """Σ a·b over all stored values of two fields on the same sites."""
    return math.sum(a.values * b.values)


def test_gauss(grid, boundary, draw):
    """The sum of all divergences is the flow through the surface of the domain."""
    velocity = draw(grid, "face", boundary)
    total = integrate(divergence(velocity))
    flux = 0
    for axis in grid.axes:
        faces = velocity.with_boundary(NONE).values.vector[axis]
        area = grid.measure(Site.FACE).vector[axis]
        ends = faces[{axis: slice(-1, None)}] - faces[{axis: slice(0, 1)}]
        flux = flux + math.sum(ends, spatial) * area
    assert_close(total, flux + 0 * total, atol=1e-12)


def test_gradient_and_divergence_are_adjoint(grid, boundary, scalar_boundary, draw):
    """⟨∇p, u⟩ = −⟨p, ∇·u⟩ where p is free at sides with fixed u, and 0 at sides with free u."""
    velocity = draw(grid, "face", boundary)
    pressure = draw(grid, "center", scalar_boundary)
    left = _dot(spatial_gradient(pressure, boundary=boundary, at="face"), velocity)
    right = _dot(pressure, divergence(velocity))
    assert_close(left, -right, atol=1e-11)


def test_laplace_is_the_divergence_of_the_gradient(grid, scalar_boundary, draw):
    field = draw(grid, "center", scalar_boundary)
    assert_close(
        laplace(field).values,
        divergence(spatial_gradient(field, boundary=NONE, at="face")).values,
        atol=1e-11,
    )


def test_laplace_is_symmetric(grid, boundary, draw):
    """⟨a, ∇²b⟩ = ⟨∇²a, b⟩ at centers, for constants 0, zero gradient and periodicity."""
    a, b = draw(grid, "center", boundary), draw(grid, "center", boundary)
    assert_close(_dot(a, laplace(b)), _dot(laplace(a), b), atol=1e-10)


@pytest.mark.parametrize("at", ["center", "face"])
def test_gradient_is_exact_on_linear_fields(grid, at, backend):
    """Everywhere at centers where the field continues linearly outside.

    At inner faces whatever is outside.
    """
    slopes = dict(zip("xyz", (2.0, -1.0, 0.5), strict=True))
    rule = "symmetric-gradient" if min(grid.shape.sizes) > 1 else NONE
    field = CenteredGrid(
        lambda p: 3 + sum(slopes[a] * p.vector[a] for a in grid.axes), rule, grid.bounds, grid.shape
    )
    if at == "center" and rule is NONE:
        field = field.x[0]
        field = field.with_boundary("symmetric-gradient")
    gradient = spatial_gradient(field, boundary=ZERO, at=at)
    for axis in field.sampling.axes:
        values = gradient.values.vector[axis]
        assert_close(values, slopes[axis] + 0 * values, rtol=1e-10)


def test_interpolation_is_exact_on_linear_fields(grid, draw):
    """From centers to faces and back inside, from faces to centers everywhere."""
    linear = StaggeredGrid(lambda p: p * 2 + 1, NONE, grid.bounds, grid.shape)
    centers = CenteredGrid(lambda p: p * 2 + 1, NONE, grid.bounds, grid.shape)
    assert_close(linear.at_centers().values, centers.values, rtol=1e-12)
    faces = centers.at_faces(ZERO)
    assert_close(faces.values, linear.with_boundary(ZERO).values, rtol=1e-12)


@pytest.mark.parametrize("site", ["center", "face"])
def test_evaluation_at_its_points_gives_the_field(grid, boundary, site, draw):
    """Evaluate ∘ points = identity."""
    field = draw(grid, site, boundary)
    assert_close(field.pull_back(field.points).values, field.values, atol=1e-11)


@pytest.mark.compiled
@pytest.mark.parametrize("site", ["center", "face"])
def test_compiled_points_are_those_of_the_grid(backend, site):
    """Compiled functions compute positions themselves, the kept ones are read."""
    domain = UniformGrid(spatial(x=5, y=4), Box(x=(-1.3, 0.4), y=(100, 100.7)))
    make = CenteredGrid if site == "center" else StaggeredGrid
    field = make(lambda x, y: (x + 2 * y, y - x), {"x": "periodic", "y": 0}, domain.bounds, domain.resolution)
    points, values = math.jit_compile(lambda f: (f.points, f.pull_back(f.points).values))(field)
    assert_close(points, field.points, rtol=1e-14)
    assert_close(values, field.values, atol=1e-11)


@pytest.mark.parametrize("site", ["center", "face"])
def test_deposition_is_the_transpose_of_evaluation(grid, boundary, site, draw, rng):
    """⟨deposit(w), φ⟩ = ⟨w, φ(points)⟩ for fields that are zero or copies outside."""
    field = draw(grid, site, boundary)
    inside = rng.uniform(0.1, 0.9, (7, len(grid.axes)))
    points = grid.bounds.local_to_global(
        math.tensor(inside, math.instance("points"), channel(vector=grid.axes))
    )
    values = sample(field, points)
    weights = math.tensor(rng.standard_normal((2, 7)), batch("b"), math.instance("points")) + 0 * values
    deposited = grid.deposit(weights, points, Site.of(site), boundary)
    assert_close(math.sum(deposited * field.values), math.sum(weights * values), atol=1e-11)


def test_curl_of_a_gradient_vanishes(draw, backend):
    """∇×∇p = 0 at all inner vertices or edges."""
    for resolution in ({"x": 4, "y": 3}, {"x": 3, "y": 4, "z": 2}):
        grid = Grid(UniformGrid(**resolution))
        pressure = draw(grid, "center", PERIODIC)
        gradient = spatial_gradient(pressure, at="face")
        assert_close(curl(gradient).values, 0 * curl(gradient).values, atol=1e-12)


@pytest.mark.parametrize("rule", [PERIODIC, ZERO, NONE])
@pytest.mark.parametrize("resolution", [{"x": 4, "y": 3}, {"x": 3, "y": 4, "z": 2}], ids=["2D", "3D"])
def test_curl_has_no_divergence(rule, resolution, draw):
    """∇·∇×ψ = 0 exactly, whatever ψ is at vertices (2D) or edges (3D)."""
    grid = Grid(UniformGrid(bounds=Box(**{a: 0.5 + i for i, a in enumerate(resolution)}), **resolution))
    potential = draw(grid, "vertex" if len(resolution) == 2 else "edge", rule)
    velocity = curl(potential)
    assert velocity.site is Site.FACE
    sources = divergence(velocity)
    assert_close(sources.values, 0 * sources.values, atol=1e-11)


@pytest.mark.parametrize("n", [2, 3])
def test_curl_of_a_rotation_is_twice_its_rate(n, backend):
    axes = ("x", "y", "z")[:n]
    box = Box(**dict.fromkeys(axes, 1))

    def rotation(p):
        parts = {"x": -p.vector["y"], "y": p.vector["x"], "z": 0 * p.vector["x"]}
        return math.stack({a: parts[a] for a in axes}, channel("vector"))

    spin = curl(StaggeredGrid(rotation, NONE, box, **dict.fromkeys(axes, 4)))
    values = spin.values if n == 2 else spin.values.vector["z"]
    assert values.shape.only("x,y").sizes == (3, 3)
    assert_close(values, 2 + 0 * values, atol=1e-9)


def _error(operator, exact, function, boundary, n, axes, site):
    size = dict.fromkeys(axes, 2 * np.pi)
    make = StaggeredGrid if site == "face" else CenteredGrid
    field = operator(make(function, boundary, Box(**size), **dict.fromkeys(axes, n)))
    wanted = field.with_values(exact)
    return float(math.max(math.abs(field.values - wanted.values)))


def _sines(p):
    return math.sin(p.vector["x"]) + sum(math.cos(p.vector[a]) for a in p.vector.labels[1:])


OPERATORS = {
    "laplace": (laplace, _sines, lambda p: -_sines(p), "center"),
    "staggered laplace": (laplace, lambda p: math.sin(p), lambda p: -math.sin(p), "face"),
    "gradient": (
        spatial_gradient,
        _sines,
        lambda p: math.stack(
            {a: math.cos(p.vector[a]) if a == "x" else -math.sin(p.vector[a]) for a in p.vector.labels},
            channel("vector"),
        ),
        "center",
    ),
    "divergence": (divergence, lambda p: math.sin(p), lambda p: math.sum(math.cos(p), "vector"), "face"),
    "centered divergence": (
        divergence,
        lambda p: math.sin(p),
        lambda p: math.sum(math.cos(p), "vector"),
        "center",
    ),
    "at centers": (lambda u: u.at_centers(), lambda p: math.sin(p), lambda p: math.sin(p), "face"),
}


@pytest.mark.parametrize("axes", ["x", "xy"])
@pytest.mark.parametrize("name", OPERATORS)
def test_second_order_convergence(name, axes, backend):
    operator, function, exact, site = OPERATORS[name]
    sizes = np.array([16, 24, 32, 48])
    errors = [_error(operator, exact, function, PERIODIC, int(n), tuple(axes), site) for n in sizes]
    order = -np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert order == pytest.approx(2, abs=0.1)


def test_operators_do_not_mix_batches(grid, boundary, draw):
    velocity = draw(grid, "face", boundary)
    whole = divergence(velocity).values
    for i in range(2):
        assert_close(divergence(velocity.b[i]).values, whole.b[i], atol=1e-13)


def test_order_of_axes_does_not_matter(draw, backend):
    """Same field on a box that names its axes in the opposite order."""
    field = CenteredGrid(lambda x, y: math.sin(x) * y, ZERO_GRADIENT, Box(x=2, y=1), x=4, y=3)
    other = CenteredGrid(lambda x, y: math.sin(x) * y, ZERO_GRADIENT, Box(y=1, x=2), x=4, y=3)
    assert_close(laplace(other).values, laplace(field).values)
    assert_close(spatial_gradient(other).values.vector["x"], spatial_gradient(field).values.vector["x"])


def test_translation_of_a_periodic_field_moves_results(draw, backend):
    grid = Grid(UniformGrid(x=5, y=4, bounds=Box(x=1, y=3)))
    field = draw(grid, "center", PERIODIC)
    moved = Field(grid, math.roll(field.values, 2, "x"), Site.CENTER, PERIODIC)
    assert_close(laplace(moved).values, math.roll(laplace(field).values, 2, "x"), atol=1e-11)
