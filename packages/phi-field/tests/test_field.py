"""What users write: constructors, slices, arithmetic with boundaries, resampling, trees, errors."""

import operator

import numpy as np
import pytest

import phi_tensor as math
from phi_field import (
    CenteredGrid,
    Field,
    Grid,
    Sampling,
    Site,
    StaggeredGrid,
    as_boundary,
    curl,
    divergence,
    integrate,
    laplace,
    mean,
    resample,
    sample,
    spatial_gradient,
)
from phi_geom import Box, Sphere, UniformGrid
from phi_tensor import IncompatibleShapes, Unsupported, batch, channel, spatial, vec, wrap
from phi_tensor.extrapolation import ONE, PERIODIC, ZERO, ZERO_GRADIENT, Undefined, combine_by_direction
from phi_tensor.testing import assert_close


def _sizes(field):
    return [tuple(v.shape.only("x,y", reorder=True).sizes) for v in field.values.vector]


# --- construction


def test_default_domain(backend):
    field = CenteredGrid(0, x=4, y=3)
    assert field.bounds == Box(x=4, y=3)
    assert_close(field.dx, vec(x=1.0, y=1.0))
    assert field.boundary == ZERO
    assert field.site is Site.CENTER
    assert isinstance(field.sampling, (Grid, Sampling))
    assert field.is_centered
    assert not field.is_staggered
    assert field.values.backend is backend


def test_bounds_decide_the_order_of_axes(backend):
    assert CenteredGrid(0, bounds=Box(y=2, x=1), x=4, y=3).resolution.names == ("y", "x")
    assert_close(CenteredGrid(0, bounds=1, x=4, y=3).dx, vec(x=0.25, y=1 / 3))


@pytest.mark.parametrize(
    "values",
    [
        lambda x, y: x + y,
        lambda y, x: x + y,
        lambda p: math.sum(p, "vector"),
        wrap([[1.0, 2], [2, 3]], spatial("x,y")),
    ],
)
def test_values_from_functions_and_tensors(values, backend):
    assert_close(CenteredGrid(values, x=2, y=2).values, wrap([[1.0, 2.0], [2.0, 3.0]], spatial("x,y")))


def test_functions_see_positions_as_a_batch(backend):
    """Reductions inside the function do not mix positions."""
    assert_close(
        CenteredGrid(lambda p: math.sum(p), x=2, y=2).values,
        CenteredGrid(lambda x, y: x + y, x=2, y=2).values,
    )


def test_values_from_geometries_numbers_and_sequences(backend):
    assert_close(CenteredGrid(Box(x=1.2), x=3).values, wrap([1.0, 0.0, 0.0], spatial("x")))
    assert CenteredGrid(Sphere(x=1, y=1, radius=1), x=2, y=2).values.shape == spatial(x=2, y=2)
    assert_close(CenteredGrid((1, 2), x=2, y=2).values.x[0].y[0], vec(x=1, y=2), rtol=1e-6)
    assert CenteredGrid(math.zeros(spatial(x=3) & batch(b=2))).shape == spatial(x=3) & batch(b=2)


def test_a_constant_takes_no_memory(backend):
    assert CenteredGrid(1.0, x=10**6, y=10**6).values.natives[0].shape == ()


def test_a_field_builds_nothing_that_is_not_used(backend):
    """Ten to the eighteen cells: points, faces and volumes would not fit."""
    field = CenteredGrid(1.0, PERIODIC, x=10**6, y=10**6, z=10**6)
    assert (field * 2 + field).boundary == PERIODIC


# --- staggered grids (SEM 120 to 126)


@pytest.mark.parametrize(
    ("boundary", "sizes"),
    [
        (0, [(3, 3), (4, 2)]),
        (ZERO_GRADIENT, [(5, 3), (4, 4)]),
        (PERIODIC, [(4, 3), (4, 3)]),
        (None, [(5, 3), (4, 4)]),
        ({"x": (0, ZERO_GRADIENT), "y": PERIODIC}, [(4, 3), (4, 3)]),
        (combine_by_direction(0, ZERO_GRADIENT), [(3, 3), (4, 2)]),
    ],
    ids=str,
)
def test_faces_stored(boundary, sizes, backend):
    field = StaggeredGrid(0, boundary, x=4, y=3)
    assert _sizes(field) == sizes
    assert field.shape == spatial(x=4, y=3) & channel(vector="x,y")
    if boundary is not None:  # nobody knows what is outside then
        assert field.staggered_tensor().shape == spatial(x=5, y=4) & channel(vector="x,y")


def test_component_is_a_centered_field(backend):
    field = StaggeredGrid(lambda x, y: (x, y), 0, x=4, y=3)
    for part in (field["x"], field.vector["x"]):
        assert part.is_centered
        assert part.resolution == spatial(x=3, y=3)
        assert_close(part.points.vector["x"].y[0], part.values.y[0])
    assert field["x"].bounds == Box(x=(0.5, 3.5), y=3)


def test_with_boundary_adds_and_drops_faces(backend):
    closed = StaggeredGrid(1, 0, x=4, y=3)
    opened = closed.with_boundary(ZERO_GRADIENT)
    assert _sizes(opened) == [(5, 3), (4, 4)]
    assert_close(opened.values.vector["x"].y[0], wrap([0.0, 1, 1, 1, 0], spatial("x")))
    assert_close(opened.with_boundary(0).values, closed.values)


def test_uniform_tensors_are_cut(backend):
    values = math.expand(vec(x=1.0, y=2.0), spatial(x=5, y=4))
    assert _sizes(StaggeredGrid(values, 0, x=4, y=3)) == [(3, 3), (4, 2)]
    again = StaggeredGrid(lambda x, y: (x * y, x + y), ZERO_GRADIENT, x=4, y=3)
    assert_close(StaggeredGrid(again.staggered_tensor(), ZERO_GRADIENT, x=4, y=3).values, again.values)
    assert _sizes(
        StaggeredGrid(math.zeros(spatial(x=4, y=3) & channel(vector="x,y")), PERIODIC, x=4, y=3)
    ) == [(4, 3), (4, 3)]


def test_at_centers_knows_the_walls(backend):
    centers = StaggeredGrid(1, 0, x=2, y=2).at_centers()
    assert_close(centers.values, 0.5 * math.ones(spatial(x=2, y=2) & channel(vector="x,y")))


@pytest.mark.parametrize("boundary", [0, ZERO_GRADIENT, PERIODIC])
@pytest.mark.parametrize("cells", [{"x": 1, "y": 1}, {"x": 1, "y": 3}], ids=str)
def test_single_cells(cells, boundary, backend):
    """A48: one cell per axis in every grid operation."""
    field = StaggeredGrid(1, boundary, **cells)
    for result in (
        field.at_centers(),
        divergence(field),
        laplace(field),
        field * 2 + field,
        field.with_boundary(ZERO_GRADIENT),
    ):
        assert bool(math.all(math.is_finite(result.values)))
    assert divergence(field).shape == spatial(**cells)
    assert bool(math.all(math.is_finite(sample(field, vec(x=0.3, y=0.7)))))


# --- arithmetic


@pytest.mark.parametrize(
    ("function", "before", "after"),
    [
        (lambda f: f * 2, ONE, 2),
        (lambda f: -f, ONE, -1),
        (lambda f: 1 + f, ONE, 2),
        (lambda f: 3 - f, ONE, 2),
        (lambda f: f / 2, ONE, 0.5),
        (lambda f: f * f + f, 2, 6),
        (abs, -2, 2),
        (lambda f: math.exp(f), ZERO, 1),
        (lambda f: math.sin(f), PERIODIC, PERIODIC),
        (lambda f: f + 1, ZERO_GRADIENT, ZERO_GRADIENT),
        (lambda f: f * 2, PERIODIC, PERIODIC),
        (lambda f: math.maximum(f, 3), ONE, 3),
        (lambda f: math.where(f > 0, f, 5), ONE, ONE),
        (lambda f: f + f, {"x": PERIODIC, "y": (0, 1)}, {"x": PERIODIC, "y": (0, 2)}),
    ],
)
def test_boundary_follows_the_operation(function, before, after, backend):
    result = function(CenteredGrid(lambda x, y: x + y, before, x=3, y=2))
    assert result.boundary == as_boundary(after)


def test_unknown_boundaries_are_undefined_and_say_so(backend):
    total = CenteredGrid(1, PERIODIC, x=3) + CenteredGrid(1, ONE, x=3)
    assert isinstance(total.boundary, Undefined)
    with pytest.raises(Exception, match="boundary"):
        spatial_gradient(total)
    assert spatial_gradient(total.with_boundary(0)).boundary == ZERO


def test_arithmetic_matches_that_of_values(backend):
    field = CenteredGrid(lambda x, y: x + 2 * y, 1, x=3, y=2)
    for op in (
        operator.add,
        operator.sub,
        operator.mul,
        operator.truediv,
        operator.pow,
        operator.mod,
        operator.lt,
        operator.ge,
        operator.gt,
        operator.le,
    ):
        assert_close(op(field, 2.0).values, op(field.values, 2.0))
        assert_close(op(field, field).values, op(field.values, field.values))
    for op in (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow):
        assert_close(op(2.0, field).values, op(2.0, field.values))
    assert_close(
        (~(field > 3) & (field > 2) | (field > 5)).values,
        ~(field.values > 3) & (field.values > 2) | (field.values > 5),
    )


def test_operands_are_resampled_to_the_left_one(backend):
    smoke, velocity = CenteredGrid(1, 0, x=4, y=3), StaggeredGrid(1, 0, x=4, y=3)
    assert (velocity + smoke).is_staggered
    assert (smoke * velocity).is_centered
    coarse = CenteredGrid(lambda x: x, ZERO_GRADIENT, bounds=4, x=2)
    assert (CenteredGrid(0, ZERO_GRADIENT, x=4) + coarse).resolution == spatial(x=4)


def test_buoyancy(backend):
    """Thesis style: a scalar times a sequence is a vector, taken to the faces of the velocity."""
    smoke, velocity = CenteredGrid(1, ZERO_GRADIENT, x=4, y=3), StaggeredGrid(0, 0, x=4, y=3)
    force = resample(smoke * (0, 0.1), to=velocity)
    assert_close(force.values.vector["y"], 0.1 + 0 * velocity.values.vector["y"])
    assert_close(force.values.vector["x"], 0 * velocity.values.vector["x"])
    assert (velocity + 0.5 * force).boundary == ZERO


def test_reductions_give_tensors(backend):
    field = CenteredGrid(lambda x, y: x + y, 1, x=2, y=2)
    assert isinstance(math.mean(field), math.Tensor)
    assert_close(math.sum(field), 8.0)
    assert_close(mean(field), 2.0)
    assert_close(math.max(field, "x"), wrap([2.0, 3.0], spatial("y")))
    assert_close(integrate(CenteredGrid(2, bounds=Box(x=1, y=3), x=4, y=4)), 6.0)
    assert_close(integrate(CenteredGrid(2, bounds=Box(x=4), x=4), Box(x=1)), 2.0)


def test_lengths_of_vectors_are_fields(backend):
    speed = math.vec_length(StaggeredGrid((3, 4), PERIODIC, x=3, y=3))
    assert speed.is_centered
    assert_close(speed.values, 5 * math.ones(spatial(x=3, y=3)))
    assert speed.boundary == PERIODIC


def test_equality(backend):
    field = CenteredGrid(1, x=3)
    assert field == CenteredGrid(1.000001, x=3)
    assert field != CenteredGrid(1, ONE, x=3)
    assert field != CenteredGrid(1.1, x=3)
    assert field != 1


# --- slices


def test_slices_crop_the_bounds(backend):
    field = CenteredGrid(lambda x, y: x * y, x=4, y=3)
    assert field.x[1:3].bounds == Box(x=(1, 3), y=3)
    assert field.x[1].bounds == Box(y=3)
    assert field.x[1].shape == spatial(y=3)
    assert_close(field.x[1:3].values, field.values.x[1:3])
    vectors = CenteredGrid((1, 2), x=2, y=2)
    assert_close(vectors["y"].values, vectors.values.vector["y"])
    assert math.stack([field, field], batch("b")).b[1] == field


# --- resampling


def test_resampling_between_grids_is_exact_for_linear_fields(backend):
    fine = CenteredGrid(lambda x, y: 2 * x + y, ZERO_GRADIENT, bounds=4, x=8, y=8)
    for target in (
        CenteredGrid(0, 0, bounds=Box(x=(1, 3), y=(1, 3)), x=3, y=5),
        StaggeredGrid(0, 0, bounds=Box(x=(1, 3), y=(1, 3)), x=3, y=5),
    ):
        moved = fine.at(target)
        expected = target.with_values(lambda x, y: 2 * x + y)
        assert_close(moved.values, expected.values, rtol=1e-5)
        assert moved.boundary == ZERO
        assert fine.at(target, keep_boundary=True).boundary == ZERO_GRADIENT
    assert_close(sample(fine, vec(x=1.3, y=2.1)), 4.7, rtol=1e-5)
    assert_close(
        fine.sample(UniformGrid(x=2, y=2, bounds=4)),
        CenteredGrid(lambda x, y: 2 * x + y, bounds=4, x=2, y=2).values,
        rtol=1e-5,
    )


def test_staggered_fields_are_sampled_by_component(backend):
    velocity = StaggeredGrid(lambda x, y: (x, y), ZERO_GRADIENT, x=4, y=4)
    assert_close(sample(velocity, vec(x=1.3, y=2.1)), vec(x=1.3, y=2.1), rtol=1e-5)
    whole = sample(velocity, velocity)
    assert_close(whole[{"~vector": "x"}].vector["x"], velocity.values.vector["x"])
    scalar = CenteredGrid(lambda x, y: x, ZERO_GRADIENT, x=4, y=4)
    assert_close(scalar.at_faces(0).values.vector["x"].y[0], wrap([1.0, 2.0, 3.0], spatial("x")))
    assert_close(
        velocity.at(CenteredGrid(0, x=2, y=2, bounds=4)).values.vector["x"].y[0],
        wrap([1.0, 3.0], spatial("x")),
        rtol=1e-6,
    )


def test_pull_back_with_bounds_limits_the_values(backend):
    field = CenteredGrid(lambda x, y: x * y, ZERO_GRADIENT, x=4, y=4)
    moved, lowest, highest = field.pull_back_with_bounds(field.points + 0.3)
    assert_close(moved.values, field.pull_back(field.points + 0.3).values)
    assert bool(math.all((lowest <= moved.values) & (moved.values <= highest)))


# --- operators: semantics of PhiFlow that are kept


def test_gradient_of_a_ramp(backend):
    slope = spatial_gradient(CenteredGrid(lambda x: x, ZERO_GRADIENT, x=3))
    assert_close(slope.values.vector["x"], wrap([0.5, 1.0, 0.5], spatial("x")))
    assert slope.boundary == ZERO


def test_laplace_of_a_constant(backend):
    result = laplace(CenteredGrid(1, ONE, x=3, y=2))
    assert_close(result.values, math.zeros(spatial(x=3, y=2)))
    assert result.boundary == ZERO


def test_operators_accept_some_axes_and_other_dims(backend):
    field = CenteredGrid(lambda x, y: x * x + y, ZERO_GRADIENT, x=5, y=4)
    assert spatial_gradient(field, dims="x").values.shape.get_labels("vector") == ("x",)
    assert (
        spatial_gradient(CenteredGrid((1, 2), x=3, y=3), stack_dim=channel("gradient")).shape.get_size(
            "gradient"
        )
        == 2
    )
    assert_close(laplace(field, axes="y").values.y[1:-1], 0 * field.values.y[1:-1])


def test_divergence_boundary_is_the_derivative(backend):
    assert divergence(StaggeredGrid(1, 0, x=4, y=3)).boundary == ZERO
    assert divergence(StaggeredGrid(1, PERIODIC, x=4, y=3)).boundary == PERIODIC


# --- trees


def test_stack_and_concat_add_missing_dims_where_asked(backend):
    a = CenteredGrid(1, 0, x=2)
    b = math.expand(CenteredGrid(2, 0, x=2), batch(b=3))
    assert math.stack([a, b], batch("s"), expand_values=True).values.shape.get_size("b") == 3
    assert math.concat([b, b], "b", expand_values=True).values.shape.get_size("b") == 6


def test_stack_and_unstack(backend):
    a, b = CenteredGrid(1, 0, x=3), CenteredGrid(2, 0, x=3)
    both = math.stack([a, b], batch("b"))
    assert both.shape == spatial(x=3) & batch(b=2)
    assert math.unstack(both, "b")[1] == b
    assert math.concat([both, both], "b").shape.get_size("b") == 4
    assert math.rename_dims(both, "b", batch("c")).shape.get_size("c") == 2
    assert math.expand(a, batch(b=3)).shape.get_size("b") == 3
    faces = math.stack([StaggeredGrid(1, 0, x=3, y=2), StaggeredGrid(2, 0, x=3, y=2)], batch("b"))
    assert faces.b[0] == StaggeredGrid(1, 0, x=3, y=2)
    ends = math.stack([CenteredGrid(1, 0, x=3), CenteredGrid(1, 1, x=3)], batch("b")).boundary
    assert ends.value.numpy("b").tolist() == [0, 1]


@pytest.mark.compiled
def test_jit_traces_once(backend):
    traces = []

    def step(smoke, velocity):
        traces.append(1)
        return smoke * 0.5 + laplace(smoke), velocity + resample(smoke * (0, 0.1), to=velocity)

    smoke, velocity = CenteredGrid(Box(x=1, y=1), 0, x=4, y=3), StaggeredGrid(0, 0, x=4, y=3)
    compiled = math.jit_compile(step)
    state = compiled(*compiled(smoke, velocity))
    expected = step(*step(smoke, velocity))
    for actual, wanted in zip(state, expected, strict=True):
        assert isinstance(actual, Field)
        assert_close(actual.values, wanted.values)
    if "compile" in backend.supports:
        assert len(traces) == 1 + 2


@pytest.mark.compiled
def test_traced_factors_leave_zero_boundaries_alone(backend):
    """The boundary 0 stays the number 0 whatever `dt` is, so that states keep their structure."""
    step = math.jit_compile(lambda f, dt: f + dt * laplace(f))
    field = CenteredGrid(lambda x: x, 0, x=4)
    assert step(step(field, 0.1), 0.1).boundary == ZERO
    inflow = step(CenteredGrid(lambda x: x, 0, x=4).with_boundary(1), 0.1)
    assert inflow.boundary == ONE


def test_gradient_with_respect_to_fields(backend):
    """d/du ½ Σ(∇·u)² = −∇∇·u."""
    if "reverse" not in backend.supports:
        pytest.skip(f"{backend.name} has no derivatives")
    with math.precision(64):
        velocity = StaggeredGrid(lambda x, y: (math.sin(x), x * y), 0, x=4, y=3)
        slope = math.gradient(lambda u: math.l2_loss(divergence(u)), get_output=False)(velocity)
        assert slope.is_staggered
        wanted = -spatial_gradient(divergence(velocity).with_boundary(ZERO_GRADIENT), boundary=0, at="face")
        assert_close(slope.values, wanted.values, atol=1e-10)


@pytest.mark.compiled
def test_iterate(backend):
    field = CenteredGrid(lambda x: math.sin(x), PERIODIC, bounds=2 * math.PI, x=16)
    result = math.iterate(lambda f: f + 0.01 * laplace(f), 5, field)
    wanted = field
    for _ in range(5):
        wanted = wanted + 0.01 * laplace(wanted)
    last = result.iterations[5] if "iterations" in result.shape else result
    assert_close(last.values, wanted.values, rtol=1e-5)


def test_numpy(backend):
    field = CenteredGrid(lambda x, y: x + y, x=2, y=3)
    assert field.numpy("y,x").shape == (3, 2)
    assert [v.shape for v in StaggeredGrid(0, 0, x=4, y=3).numpy("x,y,vector")] == [(3, 3), (4, 2)]
    assert isinstance(field.numpy(), np.ndarray)


# --- errors


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (lambda: CenteredGrid(0), IncompatibleShapes, "x=32"),
        (lambda: CenteredGrid(np.zeros((2, 2)), x=2, y=2), IncompatibleShapes, "spatial"),
        (lambda: CenteredGrid((1, 2, 3), x=2, y=2), IncompatibleShapes, "axis"),
        (lambda: CenteredGrid(0, resolution=4), IncompatibleShapes, "bounds"),
        (
            lambda: StaggeredGrid(math.zeros(spatial(x=9, y=9) & channel(vector="x,y")), x=4, y=3),
            IncompatibleShapes,
            "stores",
        ),
        (lambda: divergence(CenteredGrid(0, x=2, y=2)), IncompatibleShapes, "one component per axis"),
        (lambda: curl(CenteredGrid(0, x=2)), IncompatibleShapes, "not defined"),
        (lambda: spatial_gradient(CenteredGrid(0, x=2), at="middle"), Unsupported, "'center'"),
        (lambda: spatial_gradient(CenteredGrid((0, 0), x=2, y=2)), IncompatibleShapes, "stack_dim"),
        (lambda: StaggeredGrid(0, x=2, y=2).x[0], IncompatibleShapes, "at_centers"),
        (lambda: CenteredGrid(0, x=2) * (1, 2, 3), IncompatibleShapes, "axis"),
        (
            lambda: math.stack([CenteredGrid(0, x=2), CenteredGrid(0, x=3)], batch("b")),
            IncompatibleShapes,
            "at\\(other\\)",
        ),
        (lambda: sample(CenteredGrid(0, x=2), Sphere(x=0, radius=1)), TypeError, "center"),
        (lambda: resample(1, to=Sphere(x=0, radius=1)), TypeError, "field to follow"),
        (lambda: CenteredGrid(0, x=2).missing, AttributeError, "missing"),
    ],
)
def test_errors_name_what_to_do(wrong, error, words):
    with pytest.raises(error, match=words):
        wrong()


def test_staggered_values_list_components_along_either_vector_dim(backend):
    faces = {"x": math.ones(spatial(x=3, y=4)), "y": math.zeros(spatial(x=4, y=3))}
    for dim in (math.dual("vector"), math.channel("vector")):
        field = StaggeredGrid(math.stack(faces, dim), 0)
        assert field.resolution == spatial(x=4, y=4)
        assert float(math.min(field.vector["x"].values)) == 1
