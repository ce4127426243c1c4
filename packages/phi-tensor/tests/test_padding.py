"""Padding and extrapolations: values, order of sides, arithmetic, trees, derivatives."""

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import batch, channel, extrapolation, spatial, tensor, vec
from phi_tensor.extrapolation import (
    ANTIREFLECT,
    ANTISYMMETRIC,
    LINEAR,
    NONE,
    ONE,
    PERIODIC,
    REFLECT,
    SYMMETRIC,
    SYMMETRIC_GRADIENT,
    ZERO,
    ZERO_GRADIENT,
    Undefined,
    as_extrapolation,
    combine_by_direction,
    combine_sides,
)
from phi_tensor.testing import assert_close

KINDS = [
    ZERO,
    ONE,
    PERIODIC,
    ZERO_GRADIENT,
    SYMMETRIC,
    ANTISYMMETRIC,
    REFLECT,
    ANTIREFLECT,
    SYMMETRIC_GRADIENT,
    LINEAR,
]
COMPOSED = [
    combine_sides(x=(0, ZERO_GRADIENT), y=PERIODIC),
    combine_sides({"x-": 1, "x+": SYMMETRIC}, rest=2),
    combine_by_direction(0, ZERO_GRADIENT),
    combine_by_direction(combine_sides(x=0, y=PERIODIC), combine_sides(x=ZERO_GRADIENT, y=PERIODIC)),
]


@pytest.fixture(autouse=True)
def double_precision():
    with math.precision(64):
        yield


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (0, [0, 0, 1, 2, 3, 0, 0]),
        ("zero-gradient", [1, 1, 1, 2, 3, 3, 3]),
        ("periodic", [2, 3, 1, 2, 3, 1, 2]),
        ("symmetric", [2, 1, 1, 2, 3, 3, 2]),
        ("antisymmetric", [-2, -1, 1, 2, 3, -3, -2]),
        ("reflect", [3, 2, 1, 2, 3, 2, 1]),
        ("antireflect", [-3, -2, 1, 2, 3, -2, -1]),
        ("symmetric-gradient", [-1, 0, 1, 2, 3, 4, 5]),
        ("linear", [-1, 0, 1, 2, 3, 4, 5]),
        (None, [1, 2, 3]),
    ],
)
def test_values_outside(rule, expected, backend):
    x = tensor([1, 2, 3], spatial("x"))
    assert math.pad(x, {"x": (2, 2)}, rule).numpy().tolist() == expected


@pytest.mark.parametrize(
    ("rule", "mode"),
    [(PERIODIC, "wrap"), (SYMMETRIC, "symmetric"), (REFLECT, "reflect"), (ZERO_GRADIENT, "edge")],
)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_widths_beyond_the_size_equal_numpy(rule, mode, size, backend, rng):
    x = rng.standard_normal(size)
    padded = math.pad(tensor(x, spatial("x")), {"x": (7, 9)}, rule)
    np.testing.assert_allclose(padded.numpy(), np.pad(x, (7, 9), mode=mode))


@pytest.mark.parametrize(("dims", "corner"), [("x", 9), ("y", 9)])
def test_constants_decide_corners(dims, corner, backend):
    x = tensor([[1, 2], [3, 4]], spatial("x,y"))
    rules = combine_sides({name: corner if name == dims else ZERO_GRADIENT for name in "xy"})
    padded = math.pad(x, {"x": (1, 1), "y": (1, 1)}, rules).numpy("x,y")
    assert (padded[[0, 0, -1, -1], [0, -1, 0, -1]] == corner).all()


def test_negative_widths_crop(backend):
    x = tensor([1, 2, 3], spatial("x"))
    assert math.pad(x, {"x": (1, -1)}, 0).numpy().tolist() == [0, 1, 2]
    assert math.pad(x, (-1, -1)).numpy().tolist() == [2]


def test_crop_beyond_the_size_names_the_dim(backend):
    with pytest.raises(math.IncompatibleShapes, match="`x`"):
        math.pad(tensor([1, 2, 3], spatial("x")), {"x": (-2, -2)})


@pytest.mark.parametrize("rule", [*KINDS, *COMPOSED])
def test_storage_does_not_matter(rule, backend, rng):
    values = rng.standard_normal((4, 5, 2, 3))
    block = tensor(values, spatial("x,y"), channel(vector="x,y"), batch("b"))
    stacked = math.stack([block.vector["x"], block.vector["y"]], channel(vector="x,y"))
    widths = {"x": (1, 2), "y": (2, 1)}
    padded = math.pad(block, widths, rule)
    assert_close(math.pad(stacked, widths, rule), padded)
    for i in range(3):
        assert_close(padded.b[i], math.pad(block.b[i], widths, rule))
    for label in "xy":
        assert_close(padded.vector[label], math.pad(block.vector[label], widths, rule[{"vector": label}]))


def test_ragged_parts_are_padded_one_by_one(backend, rng):
    parts = [tensor(rng.standard_normal(n), spatial("x")) for n in (3, 4)]
    padded = math.pad(math.stack(parts, batch("b")), {"x": (1, 1)}, PERIODIC)
    assert padded.shape.get_size("x") == (5, 6)
    for part, value in zip(parts, math.unstack(padded, "b"), strict=True):
        assert_close(value, math.pad(part, {"x": 1}, PERIODIC))


def test_copies_of_constants_take_no_memory(backend):
    padded = math.pad(math.zeros(spatial(x=4)), {"x": (1, 1)}, ZERO_GRADIENT)
    assert padded.shape.get_size("x") == 6
    assert padded.layout.stored == ()


def test_profiles_continue_with_their_edges(backend):
    x = tensor([[1.0, 2.0], [3.0, 4.0]], spatial("x,y"))
    rule = combine_sides(x=(tensor([50.0, 60.0], spatial("y")), 0), y=ZERO_GRADIENT)
    assert math.pad(x, {"x": (1, 0), "y": (1, 1)}, rule).numpy("x,y")[0].tolist() == [50, 50, 60, 60]


def test_vector_constants(backend):
    padded = math.pad(math.zeros(spatial(x=2), channel(vector="x,y")), {"x": (0, 1)}, vec(x=1.0, y=2.0))
    assert padded.x[2].numpy("vector").tolist() == [1, 2]


def test_one_of_two_rules_by_place(backend):
    rule = extrapolation.where(tensor([True, False], spatial("y")), 9.0, ZERO_GRADIENT)
    padded = math.pad(tensor([[1.0, 2.0], [3.0, 4.0]], spatial("x,y")), {"x": (1, 0)}, rule)
    assert padded.x[0].numpy().tolist() == [9, 2]


@pytest.mark.needs("reverse")
@pytest.mark.parametrize("rule", [*KINDS, COMPOSED[0], COMPOSED[1]])
def test_padding_is_transposed_exactly(rule, backend, rng):
    x = tensor(rng.standard_normal((4, 5)), spatial("x,y"))
    widths = {"x": (2, 1), "y": (1, 3)}
    padded = math.pad(x, widths, rule)
    w = tensor(rng.standard_normal((7, 9)), spatial("x,y"))
    gradient = math.gradient(lambda v: math.sum(w * math.pad(v, widths, rule)), get_output=False)(x)
    offset = math.sum(w * math.pad(x * 0, widths, rule))
    assert_close(math.sum(gradient * x), math.sum(w * padded) - offset, rtol=1e-10)


@pytest.mark.needs("reverse")
def test_constants_are_differentiable(backend):
    def f(rule):
        return math.sum(math.pad(math.zeros(spatial(x=3, y=3)), {"x": 1, "y": (0, 1)}, rule))

    rule = combine_sides(x=as_extrapolation(tensor(2.0)), y=0)
    found = math.gradient(f, get_output=False)(rule)
    assert found.side("x", True).value.item() == 3


@pytest.mark.needs("jit")
@pytest.mark.compiled
def test_boundary_as_argument_of_a_compiled_function(backend):
    step = math.jit_compile(lambda x, rule: math.pad(x, {"x": 1}, rule))
    x = tensor([1.0, 2.0], spatial("x"))
    assert step(x, as_extrapolation(tensor(5.0))).numpy().tolist() == [5, 1, 2, 5]
    assert step(x, PERIODIC).numpy().tolist() == [2, 1, 2, 1]
    assert step(x, ZERO).numpy().tolist() == [0, 1, 2, 0]


# --- arithmetic


@pytest.mark.parametrize("rule", KINDS)
@pytest.mark.parametrize("f", [lambda x: 2 * x, lambda x: x / 2, lambda x: -x, lambda x: x + x, abs])
def test_rule_of_the_result(rule, f, backend, rng):
    if f is abs and rule in (SYMMETRIC_GRADIENT, LINEAR):
        assert abs(rule) == Undefined(rule)
        return
    x, widths = tensor(rng.standard_normal(5), spatial("x")), {"x": (2, 2)}
    assert_close(math.pad(f(x), widths, f(rule)), f(math.pad(x, widths, rule)))


def test_sums_and_products():
    assert ZERO + PERIODIC == PERIODIC == PERIODIC * ONE == PERIODIC * 2 == PERIODIC + 1
    assert as_extrapolation(2) == ONE + ONE
    assert PERIODIC * ZERO == ZERO
    assert NONE + ONE == NONE
    assert ANTISYMMETRIC * ANTISYMMETRIC == SYMMETRIC
    assert combine_sides(x=0, y=PERIODIC) * 2 == combine_sides(x=0, y=PERIODIC)
    assert combine_sides(x=1, y=PERIODIC) + combine_sides(x=2, y=PERIODIC) == combine_sides(x=3, y=PERIODIC)


@pytest.mark.parametrize(
    "f", [lambda: PERIODIC + ONE, lambda: ANTISYMMETRIC + 1, lambda: ZERO_GRADIENT * SYMMETRIC]
)
def test_unknown_results_are_errors(f):
    with pytest.raises(TypeError, match="boundary"):
        f()


def test_derived_rules():
    assert extrapolation.derived(lambda a, b: a + b, PERIODIC, PERIODIC) == PERIODIC
    assert extrapolation.derived(lambda v: v * v + 1, as_extrapolation(2)) == as_extrapolation(5)
    assert isinstance(extrapolation.derived(lambda v: v + 1, ANTISYMMETRIC), Undefined)
    with pytest.raises(math.Unsupported, match="boundary"):
        math.pad(math.zeros(spatial(x=2)), {"x": 1}, Undefined(ONE))


def test_derivatives_of_rules():
    pairs = [
        (ONE, ZERO),
        (ZERO_GRADIENT, ZERO),
        (PERIODIC, PERIODIC),
        (SYMMETRIC, ANTISYMMETRIC),
        (REFLECT, ANTIREFLECT),
        (NONE, NONE),
    ]
    for rule, derivative in pairs:
        assert rule.spatial_gradient() == derivative
    assert combine_sides(x=1, y=PERIODIC).spatial_gradient() == combine_sides(x=0, y=PERIODIC)


@pytest.mark.parametrize(
    "rule", [*KINDS, *COMPOSED, NONE, Undefined(ONE), as_extrapolation(vec(x=1.0, y=2.0))]
)
def test_files_restore_rules(rule):
    assert extrapolation.from_dict(rule.to_dict()) == rule
    hash(rule)


def test_conversions():
    assert as_extrapolation("antireflect") == ANTIREFLECT
    assert as_extrapolation(None) == NONE
    assert as_extrapolation({"x-": 0, "x+": ZERO_GRADIENT}) == combine_sides(x=(0, ZERO_GRADIENT))
    assert as_extrapolation({"normal": 0, "tangential": ONE}) == combine_by_direction(0, ONE)
    assert combine_sides(x=(0, 0)) == ZERO
    with pytest.raises(ValueError, match="periodic"):
        as_extrapolation("circular")
    with pytest.raises(math.IncompatibleShapes, match="periodic"):
        combine_sides(x=(0, PERIODIC))


def test_faces_and_flexibility():
    mixed = combine_sides(x=(0, ZERO_GRADIENT), y=PERIODIC)
    assert mixed.valid_outer_faces("x") == (False, True)
    assert mixed.valid_outer_faces("y") == (True, False)
    assert combine_by_direction(0, ZERO_GRADIENT).valid_outer_faces("x") == (False, False)
    assert [rule.is_flexible for rule in (ZERO, PERIODIC, ZERO_GRADIENT, mixed)] == [False, False, True, True]
    assert mixed.determines_boundary_values("x-")
    assert not mixed.determines_boundary_values(("x", True))


def test_shortest_distance(backend):
    start, end = tensor(vec(x=0.5, y=0.5)), tensor(vec(x=9.5, y=9.5))
    distance = combine_sides(x=PERIODIC, y=0).shortest_distance(start, end, vec(x=10.0, y=10.0))
    assert_close(distance, tensor(vec(x=-1.0, y=9.0)))
    assert_close(PERIODIC.shortest_distance(start, end, 10.0), tensor(vec(x=-1.0, y=-1.0)))


def test_components_are_needed_where_rules_differ_by_direction(backend):
    with pytest.raises(math.IncompatibleShapes, match="vector"):
        math.pad(math.zeros(spatial(x=3)), {"x": 1}, combine_by_direction(0, ONE))
