"""Laws of all padding rules: values by their definitions, derivatives, arithmetic, files, parts.

Also the defects A9 to A15 of earlier libraries, by name.
"""

import copy
import json
import pickle
from operator import add, gt, lt, mul, sub, truediv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import phi_tensor as math
from phi_tensor import batch, channel, extrapolation, instance, spatial, tensor, vec
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
    ConstantExtrapolation,
    CopyExtrapolation,
    Undefined,
    as_extrapolation,
    combine_by_direction,
    combine_sides,
    domain_slice,
    from_dict,
    get_normal,
    get_tangential,
    remove_constant_offset,
    where,
)
from phi_tensor.testing import assert_close, boundaries, check_gradient

NAMES = ("x", "y", "z")


@pytest.fixture(autouse=True)
def double_precision():
    with math.precision(64):
        yield


# --- values, by definitions that fold once after the other

FOLDS = {  # value at i outside of n samples: (place below, place above, factor, weight of the edge value)
    "periodic": (lambda i, n: i + n, lambda i, n: i - n, 1, 0),
    "zero-gradient": (lambda i, n: 0, lambda i, n: n - 1, 1, 0),
    "symmetric": (lambda i, n: -1 - i, lambda i, n: 2 * n - 1 - i, 1, 0),
    "antisymmetric": (lambda i, n: -1 - i, lambda i, n: 2 * n - 1 - i, -1, 0),
    "reflect": (lambda i, n: -i, lambda i, n: 2 * n - 2 - i, 1, 0),
    "symmetric-gradient": (lambda i, n: -i, lambda i, n: 2 * n - 2 - i, -1, 2),
}


def extended(x, name, i):
    """Value at position `i` of the 1-D array `x` that goes on as rule `name`."""
    n = len(x)
    if 0 <= i < n:
        return x[i]
    if name == "linear":
        edge, inner, far = (0, min(1, n - 1), -i) if i < 0 else (n - 1, max(n - 2, 0), i - n + 1)
        return x[edge] + far * (x[edge] - x[inner])
    if name == "antireflect" and n > 1:
        folded, sign = i, 1
        while not 0 <= folded < n:  # the edge itself keeps its sign at the first fold only
            folded, sign = (-folded if folded < 0 else 2 * n - 2 - folded), -sign
        return sign * x[folded]
    if n == 1:
        return x[0] * ((-1) ** i if name in ("antisymmetric", "antireflect") else 1)
    below, above, factor, edge = FOLDS[name]
    return edge * x[0 if i < 0 else -1] + factor * extended(x, name, (below if i < 0 else above)(i, n))


def padded_by_definition(x, widths, rules):
    """Copies along all axes first, then constants axis by axis, then the crop."""
    for axis, ((low, up), pair) in enumerate(zip(widths, rules, strict=True)):
        around = [max(low, 0), max(up, 0)]
        names = [rule if isinstance(rule, str) else "zero-gradient" for rule in pair]
        positions = range(-around[0], x.shape[axis] + around[1])
        x = np.apply_along_axis(
            lambda a, names=names, positions=positions: np.array(
                [extended(a, names[0] if i < 0 else names[1], i) for i in positions]
            ),
            axis,
            x,
        )
    for axis, ((low, up), pair) in enumerate(zip(widths, rules, strict=True)):
        for rule, where_ in zip(
            pair, (slice(0, max(low, 0)), slice(x.shape[axis] - max(up, 0), None)), strict=True
        ):
            if not isinstance(rule, str):
                x[(slice(None),) * axis + (where_,)] = rule
    cropped = tuple(
        slice(max(-low, 0), size - max(-up, 0)) for size, (low, up) in zip(x.shape, widths, strict=True)
    )
    return x[cropped]


SIDED = [name for name in (*FOLDS, "antireflect", "linear") if name != "periodic"]


@st.composite
def paddings(draw):
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    side = st.sampled_from(SIDED) | st.integers(-3, 3).map(float)
    rules = draw(st.lists(st.tuples(side, side) | st.just(("periodic",) * 2), min_size=3, max_size=3))
    most = 9 if len(sizes) < 3 else 3
    widths = [
        draw(st.tuples(st.integers(-2, most), st.integers(-2, most)).filter(lambda w, n=n: n + sum(w) >= 0))
        for n in sizes
    ]
    return sizes, widths, rules[: len(sizes)]


@settings(max_examples=40)
@given(case=paddings(), seed=st.integers(0, 99))
def test_values_outside_obey_the_definition(case, seed, backend):
    sizes, widths, rules = case
    x = np.random.default_rng(seed).integers(-9, 10, sizes).astype(float)
    rule = combine_sides(dict(zip(NAMES, rules, strict=False)))
    value = tensor(x, *(spatial(name) for name in NAMES[: x.ndim]))
    found = math.pad(value, dict(zip(NAMES, widths, strict=False)), rule).numpy(NAMES[: x.ndim])
    np.testing.assert_array_equal(found, padded_by_definition(x, widths, rules))


@pytest.mark.parametrize("size", [1, 2, 5])
def test_odd_reflection_equals_numpy_beyond_the_size(size, backend, rng):
    x = rng.standard_normal(size)
    found = math.pad(tensor(x, spatial("x")), {"x": (11, 13)}, SYMMETRIC_GRADIENT).numpy()
    expected = np.pad(x, (11, 13), mode="reflect", reflect_type="odd")
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rule", ["periodic", "symmetric", "linear", "antireflect", 2.0])
def test_cropping_one_side_takes_what_is_cropped_to_the_other(rule, backend):
    x = tensor([1.0, 2.0, 4.0], spatial("x"))
    far = math.pad(x, {"x": 5}, rule)
    for low, up in ((2, -1), (-1, 2), (-4, 5), (5, -4), (0, -1)):
        assert_close(math.pad(x, {"x": (low, up)}, rule), far.x[5 - low : 8 + up])


@pytest.mark.parametrize("rule", [PERIODIC, SYMMETRIC, ANTISYMMETRIC, LINEAR])
def test_constants_go_on_as_the_values_beside_them(rule, backend, rng):
    profile = tensor(rng.standard_normal(4), spatial("y"))
    x = tensor(rng.standard_normal((3, 4)), spatial("x,y"))
    found = math.pad(x, {"x": (1, 0), "y": (3, 2)}, combine_sides(x=(profile, 0), y=rule))
    same = {PERIODIC: PERIODIC, LINEAR: ZERO_GRADIENT}.get(rule, SYMMETRIC)
    assert_close(found.x[0], math.pad(profile, {"y": (3, 2)}, same))
    assert_close(found.x[1:], math.pad(x, {"y": (3, 2)}, rule))


def test_empty_dims(backend):
    empty = tensor(np.zeros((0, 2)), spatial("x,y"))
    assert_close(math.pad(empty, {"x": (1, 2)}, 3), math.zeros(spatial(x=3, y=2)) + 3)
    assert math.pad(empty, {"y": 1}, PERIODIC).shape.sizes == (0, 4)
    for rule in (PERIODIC, ZERO_GRADIENT, LINEAR):
        for value in (empty, math.zeros(spatial(x=0, y=2))):
            with pytest.raises(math.IncompatibleShapes, match="`x` has no entries"):
                math.pad(value, {"x": 1}, rule)
        assert math.laplace(empty, padding=rule).shape.sizes == (0, 2)
        assert math.spatial_gradient(empty, padding=rule).shape.get_size("x") == 0


def test_batches_and_labels_of_constants(backend):
    x = math.ones(spatial(x=2), channel(vector="x,y"))
    found = math.pad(x, {"x": (1, 0)}, vec(x=tensor([3.0, 4.0], batch("b")), y=5.0))
    assert found.x[0].numpy("b,vector").tolist() == [[3, 5], [4, 5]]
    for constant in (vec(y=1.0, x=2.0), tensor([1.0, 2.0, 3.0], channel(vector="x,y,z"))):
        with pytest.raises(math.IncompatibleShapes, match="vector"):
            math.pad(x, {"x": 1}, constant)
    with pytest.raises(math.IncompatibleShapes, match="`y`"):
        math.pad(math.ones(spatial(x=2, y=3)), {"x": 1}, tensor([1.0, 2.0], spatial("y")))
    with pytest.raises(math.IncompatibleShapes, match="vary along `x`"):
        math.pad(math.ones(spatial(x=2, y=3)), {"x": 1}, tensor([1.0, 2.0], spatial("x")))


def test_element_types(backend):
    mask = tensor([True, False], spatial("x"))
    assert math.pad(mask, {"x": 1}, 0).dtype == bool
    assert math.pad(mask, {"x": 1}, SYMMETRIC).numpy().tolist() == [True, True, False, False]
    for rule in (ANTISYMMETRIC, LINEAR):
        with pytest.raises(math.Unsupported, match="negative"):
            math.pad(mask, {"x": 1}, rule)
    whole = tensor(np.array([1, 3], np.int32), spatial("x"))
    assert math.pad(whole, {"x": 2}, LINEAR).numpy().tolist() == [-3, -1, 1, 3, 5, 7]
    with pytest.raises(ValueError, match="int32"):
        math.pad(whole, {"x": 1}, 2**40)
    wave = tensor(np.array([1 + 1j, 3j]), spatial("x"))
    np.testing.assert_allclose(math.pad(wave, {"x": (2, 0)}, LINEAR).numpy()[0], 3 - 3j)


@pytest.mark.parametrize("widths", [(1, 2, 3), 1.5, None, "x", (1, None)])
def test_widths_are_ints(widths):
    with pytest.raises(TypeError, match="one int or a pair"):
        math.pad(math.ones(spatial(x=2)), {"x": widths})


# --- rules that differ from place to place


def test_choice_by_place_beside_other_sides(backend, rng):
    x = tensor(rng.standard_normal((3, 4)), spatial("x,y"))
    mask = tensor([True, False, False, True], spatial("y"))
    rule = combine_sides(x=(where(mask, 7.0, LINEAR), 1), y=PERIODIC)
    found = math.pad(x, {"x": (2, 1), "y": 1}, rule)
    first, second = (
        math.pad(x, {"x": (2, 1), "y": 1}, combine_sides(x=(part, 1), y=PERIODIC)) for part in (7.0, LINEAR)
    )
    for i, chosen in enumerate([True, True, False, False, True, True]):
        assert_close(found.y[i], (first if chosen else second).y[i])
    assert rule.side("y", True) == PERIODIC
    assert rule.valid_outer_faces("x") == (True, False)


def test_choices_by_several_places():
    masks = [tensor(values, spatial("y")) for values in ([True, False], [False, False])]
    first, second = where(masks[0], 1, ZERO_GRADIENT), where(masks[1], 2, ZERO_GRADIENT)
    assert where(masks[0], 1, 3) + where(tensor([True, False], spatial("y")), 2, 5) == where(masks[0], 3, 8)
    both = combine_sides(x=(first, second), y=0)
    x = math.zeros(spatial(x=1, y=2)) + 9
    assert math.pad(x, {"x": 1}, both).numpy("x,y").tolist() == [[1, 9], [9, 9], [9, 9]]
    assert where(True, 1, 2) == ONE
    assert where(masks[0], ZERO, ONE).determines_boundary_values("x-")
    assert where(masks[0], PERIODIC, SYMMETRIC).is_copy_pad("x", True)
    assert not first.is_copy_pad("x", True)
    chosen = where(masks[0], combine_by_direction(1, 2), 3)
    assert get_normal(chosen) == where(masks[0], 1, 3)
    assert get_tangential(chosen) == where(masks[0], 2, 3)
    with pytest.raises(TypeError, match="mask"):
        where([True], 1, 2)


# --- derivatives


@pytest.mark.needs("reverse")
@pytest.mark.parametrize("name", ["periodic", "symmetric-gradient", "linear", "antireflect", "mixed"])
def test_derivatives_of_values_and_constants(name, backend, rng):
    x = tensor(rng.standard_normal((4, 3)), spatial("x,y"))
    profile, batched = (
        tensor(rng.standard_normal(3), spatial("y")),
        tensor(rng.standard_normal(2), batch("b")),
    )
    weights = tensor(rng.standard_normal((9, 5)), spatial("x,y"))
    points = tensor(rng.uniform(-4, 7, (12, 2)), instance("points"), channel(vector="x,y"))

    def padded(x, a, b):
        upper = LINEAR if name == "mixed" else b
        rule = combine_sides(x=(a, upper), y=(b, ANTISYMMETRIC) if name == "mixed" else name)
        return [
            weights * math.pad(x, {"x": (3, 2), "y": 1}, rule),
            math.grid_sample(x, points, rule) ** 2,
            math.laplace(x, padding=rule),
        ]

    modes = [mode for mode in ("reverse", "forward") if mode in backend.supports]
    check_gradient(padded, x, profile, batched, modes=modes)


@pytest.mark.needs("jit")
@pytest.mark.compiled
def test_compiled_functions_take_boundaries(backend, rng):
    x = tensor(rng.standard_normal((4, 3)), spatial("x,y"))
    points = tensor(rng.uniform(-4, 7, (12, 2)), instance("points"), channel(vector="x,y"))

    def rule(constant):
        return combine_sides(x=(constant, LINEAR), y=REFLECT)

    def f(x, constant):
        return math.pad(x, {"x": (3, -1), "y": 2}, rule(constant)), math.grid_sample(
            x, points, rule(constant)
        )

    compiled = math.jit_compile(f)
    for constant in (tensor(2.0), tensor(3.0)):
        for found, expected in zip(compiled(x, constant), f(x, constant), strict=True):
            assert_close(found, expected, rtol=1e-11, atol=1e-11)


# --- laws of all rules

RULE = boundaries()
VECTOR_RULE = boundaries(vector=True)
WIDTHS = {"x": (2, 1), "y": (0, 3)}


def vectors(seed):
    values = np.random.default_rng(seed).integers(-9, 10, (3, 4, 2)).astype(float)
    return tensor(values, spatial("x,y"), channel(vector="x,y"))


@given(rule=VECTOR_RULE)
def test_rules_survive_files_and_pickles(rule):
    for found in (
        from_dict(json.loads(json.dumps(rule.to_dict()))),
        pickle.loads(pickle.dumps(rule)),
        copy.deepcopy(rule),
    ):
        assert found == rule
        assert hash(found) == hash(rule)
        assert repr(found) == repr(rule)


@pytest.mark.parametrize(
    "value",
    [2j, float("nan"), True, np.float32(3), np.array([1 + 2j]), np.zeros((0, 3)), np.array([1, 2], np.int16)],
)
def test_constants_survive_files(value, backend):
    dims = [batch("b"), channel(c="u,v,w")][-np.ndim(value) :] if np.size(value) == 0 else [batch("b")]
    constant = tensor(value, *dims, convert=False) if isinstance(value, np.ndarray) else value
    rule = as_extrapolation(constant)
    found = from_dict(json.loads(json.dumps(rule.to_dict())))
    assert found == rule == pickle.loads(pickle.dumps(rule))
    assert found.shape == rule.shape
    if isinstance(constant, math.Tensor):
        assert found.value.dtype is constant.dtype


@given(rule=VECTOR_RULE, seed=st.integers(0, 9))
def test_components_are_padded_by_their_parts(rule, seed, backend):
    v = vectors(seed)
    padded = math.pad(v, WIDTHS, rule)
    for i, label in enumerate("xy"):
        assert_close(padded.vector[label], math.pad(v.vector[label], WIDTHS, rule[{"vector": label}]))
        assert_close(
            padded.vector[i], math.pad(v.vector[i], WIDTHS, domain_slice(rule, {"vector": i}, spatial("x,y")))
        )
    normal, tangential = get_normal(rule), get_tangential(rule)
    for one in (normal, tangential):
        assert not one.differs_by_component
    if not rule.shape:
        sides = {name: (normal, tangential)["xy".index(name) != 0] for name in "xy"}
        expected = math.pad(
            v.vector["x"],
            WIDTHS,
            combine_sides({n: (r.side(n, False), r.side(n, True)) for n, r in sides.items()}),
        )
        assert_close(padded.vector["x"], expected)


@given(rule=VECTOR_RULE, seed=st.integers(0, 9))
def test_padding_is_affine(rule, seed, backend):
    a, b = vectors(seed), vectors(seed + 10)
    linear = remove_constant_offset(rule)
    offset = math.pad(a, WIDTHS, rule) - math.pad(a, WIDTHS, linear)
    assert_close(offset, math.pad(a * 0, WIDTHS, rule))
    assert_close(
        math.pad(a + 2 * b, WIDTHS, linear), math.pad(a, WIDTHS, linear) + 2 * math.pad(b, WIDTHS, linear)
    )
    assert linear.spatial_gradient() == rule.spatial_gradient()


@given(rule=RULE, seed=st.integers(0, 9))
def test_arithmetic_of_rules_is_that_of_padded_values(rule, seed, backend):
    a, b = vectors(seed), vectors(seed + 10) + 0.5
    other = extrapolation.map(lambda leaf: 3.0 if isinstance(leaf, ConstantExtrapolation) else leaf, rule)
    known = 0
    for f in (add, sub, mul, truediv, lt, gt, lambda x, y: 2 * x / 4, lambda x, y: -y, lambda x, y: abs(x)):
        try:
            result = f(rule, other)
        except TypeError:  # nothing is known outside of the result
            continue
        if not isinstance(result, Undefined):
            known += 1
            outside = f(math.pad(a, WIDTHS, rule), math.pad(b, WIDTHS, other))
            assert_close(math.pad(f(a, b), WIDTHS, result), outside)
    assert known >= 4


@given(rule=RULE)
def test_numbers_hold_everywhere(rule):
    assert rule + 0 == rule * 1 == rule / 1 == rule
    assert 2 * rule == rule * 2 == rule * np.float32(2) == np.float64(2) * rule
    assert extrapolation.map(lambda leaf: leaf, rule) == rule
    assert rule * ZERO == remove_constant_offset(rule * ZERO)


# --- places


@pytest.mark.parametrize(
    "rule",
    [PERIODIC, ZERO_GRADIENT, SYMMETRIC, REFLECT, combine_sides(x=(SYMMETRIC, ZERO_GRADIENT), y=REFLECT)],
)
def test_values_outside_are_those_at_transformed_coordinates(rule, backend, rng):
    grid = tensor(rng.standard_normal((5, 4)), spatial("x,y"))
    points = tensor(rng.integers(-9, 13, (30, 2)), instance("points"), channel(vector="x,y"))
    inner = rule.transform_coordinates(points, grid.shape)
    assert ((inner.numpy("points,vector") >= 0) & (inner.numpy("points,vector") < [5, 4])).all()
    assert_close(math.grid_sample(grid, inner, rule), math.grid_sample(grid, points, rule), atol=1e-12)


def test_places_of_rules_without_inner_values():
    for rule in (ONE, LINEAR, Undefined(ONE)):
        with pytest.raises(math.Unsupported, match="`x`"):
            rule.transform_coordinates(vec(x=-1.0), spatial(x=3))
    assert NONE.transform_coordinates(vec(x=-1.0), spatial(x=3)).numpy().tolist() == [0]


def test_nearest_displacement_with_batches(backend):
    rule = combine_by_direction(combine_sides(x=PERIODIC, y=0), combine_sides(x=PERIODIC, y=1))
    end = vec(x=tensor([4.0, 6.0], batch("b")), y=9.0)
    found = rule.shortest_distance(vec(x=0.0, y=0.0), end, vec(x=10.0, y=10.0))
    assert found.numpy("b,vector").tolist() == [[4, 9], [-4, 9]]


def test_parts_of_domains():
    mixed = combine_sides(x=(1, ZERO_GRADIENT), y=PERIODIC, z=vec(x=1.0, y=2.0, z=3.0))
    assert domain_slice(mixed, {"y": 0}, "x,y,z").sides == (
        ("x", False),
        ("x", True),
        ("z", False),
        ("z", True),
    )
    assert domain_slice(mixed, {"x": 0, "z": 1}, ("x", "y", "z")) == PERIODIC
    assert domain_slice(mixed, {"x": slice(0, 2)}, "x,y,z") == mixed
    assert domain_slice(mixed, {"vector": "y", "x": 0, "y": 0}, "x,y,z") == as_extrapolation(tensor(2.0))
    assert domain_slice(combine_sides(x=1, y=2), {"x": 0, "y": 0}, "x,y") == NONE
    profile = combine_sides(x=tensor([1.0, 2.0], spatial("y")), y=0)
    assert domain_slice(profile, {"y": 1}, "x,y") == as_extrapolation(tensor(2.0))
    with pytest.raises(IndexError, match="component 3"):
        domain_slice(mixed, {"vector": 3}, "x,y,z")


@pytest.mark.parametrize("keys", ["", 3, "-", "x,,y"])
def test_sides_are_named_by_dims(keys):
    with pytest.raises(math.IncompatibleShapes, match="sides"):
        combine_sides({keys: 1})


def test_sides_by_shape_and_list():
    assert combine_sides({spatial("x,y"): (0, 1)}) == combine_sides({"x-,y-": 0, "x+,y+": 1})
    with pytest.raises(math.IncompatibleShapes, match="two sides"):
        combine_sides(x=(0, 1, 2))
    with pytest.raises(ValueError, match="to_dict"):
        from_dict({"type": "circular"})
    with pytest.raises(ValueError, match="normal"):
        from_dict({"type": "normal-tangential"})


def test_what_sides_determine():
    mixed = combine_sides(x=(0, ZERO_GRADIENT), y=1)
    assert [mixed.determines_boundary_values(key) for key in ("x-", "x+", "x", "y", ("y", True))] == [
        True,
        False,
        False,
        True,
        True,
    ]
    assert Undefined(mixed).valid_outer_faces("x") == mixed.valid_outer_faces("x") == (False, True)
    assert isinstance(PERIODIC, CopyExtrapolation)
    assert [rule.is_flexible for rule in (SYMMETRIC, REFLECT, LINEAR, ONE)] == [
        True,
        True,
        True,
        False,
    ]


def test_division_by_zero_is_that_of_values():
    assert ONE / 0 == ONE / ZERO == as_extrapolation(math.INF)
    assert as_extrapolation(-1) / ZERO == as_extrapolation(-math.INF)
    assert np.isnan((ZERO / 0.0).value) or (ZERO / 0.0) == ZERO


# --- defects of earlier libraries


@pytest.mark.parametrize(
    "rule",
    [PERIODIC, ZERO_GRADIENT, SYMMETRIC, ANTISYMMETRIC, REFLECT, ANTIREFLECT, SYMMETRIC_GRADIENT, LINEAR],
)
def test_a9_names_resolve_to_their_rules(rule):
    assert (
        as_extrapolation(repr(rule)) is from_dict(rule.to_dict()) is pickle.loads(pickle.dumps(rule)) is rule
    )


def test_a10_undefined_pads_nothing_and_crops():
    x = tensor([1.0, 2.0, 3.0], spatial("x"))
    assert Undefined(ONE).pad(x, {"x": (0, 0)}) is x
    assert Undefined(ONE).pad(x, {"x": (-1, 0)}).numpy().tolist() == [2, 3]
    with pytest.raises(math.Unsupported, match="boundary"):
        Undefined(ONE).pad(x, {"x": (1, 0)})


def test_a11_none_has_no_values_outside(backend):
    x = tensor([[1.0, 2.0]], spatial("x,y"))
    assert NONE.pad_values(x, 2, "y", True).shape.get_size("y") == 0
    assert PERIODIC.pad_values(x, 1, "y", True).numpy("x,y").tolist() == [[1]]
    assert math.spatial_gradient(x, padding=NONE, dims="y", stack_dim=None).shape.get_size("y") == 0
    assert math.laplace(tensor([0.0, 1.0, 4.0], spatial("x")), padding=NONE).numpy().tolist() == [2]


def test_a12_negative_widths_are_errors_where_they_mean_nothing():
    x = tensor([1.0, 2.0], spatial("x"))
    with pytest.raises(math.IncompatibleShapes, match="width -1"):
        PERIODIC.pad_values(x, -1, "x", True)
    with pytest.raises(math.IncompatibleShapes, match="2 entries"):
        math.pad(x, {"x": (-2, -1)}, PERIODIC)


def test_a13_sides_keep_their_order():
    for order in (("x", "y", "z"), ("z", "x", "y"), ("y", "z", "x")):
        rule = combine_sides({name: i for i, name in enumerate(order)})
        assert rule.sides == tuple((name, up) for name in order for up in (False, True))
        for i, name in enumerate("xyz"):
            part = domain_slice(combine_by_direction(rule, 7), {"vector": i}, "x,y,z")
            assert part.side(name, True) == as_extrapolation(order.index(name))
            assert part.side("yzx"[i], True) == as_extrapolation(7)


@pytest.mark.parametrize(
    "rule",
    [PERIODIC, ZERO_GRADIENT, SYMMETRIC, ANTISYMMETRIC, REFLECT, ANTIREFLECT, SYMMETRIC_GRADIENT, LINEAR],
)
def test_a14_derivative_of_the_rule_is_the_rule_of_the_derivative(rule, backend, rng):
    values = rng.standard_normal(6)
    values[[0, -1]] = 0  # where antireflect is odd
    x = tensor(values, spatial("x"))
    wide = math.spatial_gradient(math.pad(x, {"x": 3}, rule), padding=None, stack_dim=None)
    narrow = math.spatial_gradient(x, padding=rule, stack_dim=None)
    outside = math.pad(narrow, {"x": 2}, rule.spatial_gradient())
    where_constant = slice(1, -1) if rule != ZERO_GRADIENT else slice(None)
    assert_close(wide.x[where_constant], outside.x[where_constant], atol=1e-12)
    assert SYMMETRIC.spatial_gradient() is ANTISYMMETRIC


def test_a15_numbers_scale_every_rule():
    assert PERIODIC * 2 is PERIODIC
    assert ONE * 2 == as_extrapolation(2) == 2 * ONE == ONE * np.float32(2) == np.int64(2) * ONE
    assert PERIODIC * ONE is PERIODIC is np.float32(2) * PERIODIC
    assert PERIODIC * np.array([1.0, 2.0]) is PERIODIC is np.ones(2) * PERIODIC
    assert (ONE < 2) == as_extrapolation(True)
    for wrong in ("2", object(), None):
        with pytest.raises(TypeError):
            PERIODIC * wrong
