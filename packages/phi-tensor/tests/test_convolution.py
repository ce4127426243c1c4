"""Convolutions: values beside direct sums, the transposed map, derivatives, dims by name, storage."""

import itertools

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import IncompatibleShapes, Unsupported, batch, channel, dual, instance, spatial, tensor
from phi_tensor.extrapolation import (
    ANTIREFLECT,
    ANTISYMMETRIC,
    PERIODIC,
    REFLECT,
    SYMMETRIC,
    SYMMETRIC_GRADIENT,
    ZERO,
    ZERO_GRADIENT,
    combine_sides,
)
from phi_tensor.layouts import Dense, Ragged
from phi_tensor.testing import assert_close, check_gradient

RULES = [ZERO, PERIODIC, ZERO_GRADIENT, SYMMETRIC, ANTISYMMETRIC, REFLECT, ANTIREFLECT, SYMMETRIC_GRADIENT]
NUMPY_MODES = {
    ZERO: "constant",
    PERIODIC: "wrap",
    ZERO_GRADIENT: "edge",
    SYMMETRIC: "symmetric",
    REFLECT: "reflect",
}
NAMES = ("x", "y", "z")


@pytest.fixture(autouse=True)
def double_precision():
    with math.precision(64):
        yield


def grid_of(array):
    return tensor(array, *(spatial(name) for name in NAMES[: array.ndim]))


def direct(x, w, size="same", mode="constant", stride=1, dilation=1):
    """Oracle: the sum over the kernel's entries, place by place."""
    reach = [(n - 1) * dilation for n in w.shape]
    widths = {
        "same": [((r + 1) // 2, r // 2) for r in reach],
        "full": [(r, r) for r in reach],
        "valid": [(0, 0)] * w.ndim,
    }[size]
    x = np.pad(x, widths, mode)
    starts = itertools.product(*(range(0, n - r, stride) for n, r in zip(x.shape, reach, strict=True)))
    values = {
        start: sum(
            w[k] * x[tuple(s + i * dilation for s, i in zip(start, k, strict=True))]
            for k in np.ndindex(w.shape)
        )
        for start in starts
    }
    result = np.empty(
        [max(s[axis] for s in values) // stride + 1 for axis in range(w.ndim)], np.result_type(x, w)
    )
    for start, value in values.items():
        result[tuple(s // stride for s in start)] = value
    return result


SHAPES = [((7,), (3,)), ((7,), (4,)), ((6, 5), (2, 3)), ((5, 4, 4), (3, 2, 1))]


@pytest.mark.parametrize("size", ["same", "valid", "full"])
@pytest.mark.parametrize(("sizes", "kernel"), SHAPES)
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2), (3, 1)])
def test_values_are_direct_sums(sizes, kernel, size, stride, dilation, backend, rng):
    if dilation > 1:
        sizes = tuple(n + 2 for n in sizes)
    x, w = rng.standard_normal(sizes), rng.standard_normal(kernel)
    found = math.convolve(grid_of(x), grid_of(w), size, strides=stride, dilations=dilation)
    np.testing.assert_allclose(
        found.numpy(NAMES[: x.ndim]), direct(x, w, size, "constant", stride, dilation), atol=1e-12
    )


@pytest.mark.parametrize("rule", NUMPY_MODES)
@pytest.mark.parametrize("size", ["same", "full"])
def test_outside_follows_the_rule(rule, size, backend, rng):
    x, w = rng.standard_normal((6, 5)), rng.standard_normal((3, 2))
    found = math.convolve(grid_of(x), grid_of(w), size, rule, strides={"x": 2, "y": 1})
    np.testing.assert_allclose(found.numpy("x,y"), direct(x, w, size, NUMPY_MODES[rule])[::2], atol=1e-12)


def test_outside_differs_between_sides(backend, rng):
    x, w = rng.standard_normal((6, 5)), rng.standard_normal((3, 3))
    rule = combine_sides(x=(2.0, REFLECT), y=(ZERO_GRADIENT, 1.0))
    padded = math.pad(grid_of(x), {"x,y": (1, 1)}, rule).numpy("x,y")
    np.testing.assert_allclose(
        math.convolve(grid_of(x), grid_of(w), "same", rule).numpy("x,y"),
        direct(padded, w, "valid"),
        atol=1e-12,
    )


def test_outside_is_known_when_it_runs(backend, execution, rng):
    x, w = rng.standard_normal((6, 5)), grid_of(rng.standard_normal((3, 3)))
    run = execution(lambda x, c: math.convolve(x, w, "same", c, ["x", "y"]))
    for constant in (2.0, -1.0):
        expected = direct(np.pad(x, 1, constant_values=constant), w.numpy("x,y"), "valid")
        np.testing.assert_allclose(run(grid_of(x), tensor(constant)).numpy("x,y"), expected, atol=1e-12)


def test_kernel_is_not_reversed(backend):
    x, later = grid_of(np.arange(1.0, 5)), grid_of(np.array([0.0, 0.0, 1.0]))
    assert math.convolve(x, later).numpy().tolist() == [2, 3, 4, 0]
    assert math.convolve(x, later, extrapolation="periodic").numpy().tolist() == [2, 3, 4, 1]
    assert math.convolve(x, later, extrapolation=None).numpy().tolist() == [3, 4]
    assert math.convolve(x, later, spatial(x=3)).numpy().tolist() == [2, 3, 4]
    assert math.convolve(x, later, spatial(x=6)).numpy().tolist() == [2, 3, 4, 0, 0, 0]
    even = grid_of(np.array([0.0, 1.0]))
    assert math.convolve(x, even).numpy().tolist() == [1, 2, 3, 4]


def test_large_kernels(backend, rng):
    x, w = rng.standard_normal((40, 30)), rng.standard_normal((21, 24))
    x3, w3 = math.expand(grid_of(x), channel(c=2)), math.stack([grid_of(w), -grid_of(w)], channel("c"))
    expected = direct(x, w, "valid")
    np.testing.assert_allclose(
        math.convolve(grid_of(x), grid_of(w), "valid").numpy("x,y"), expected, atol=1e-11
    )
    both = math.convolve(x3 * 1, w3, "valid", dilations=1)
    np.testing.assert_allclose(both.c[1].numpy("x,y"), -expected, atol=1e-11)
    x[0, 0] = np.nan
    spoiled = np.isnan(math.convolve(grid_of(x), grid_of(w), "valid").numpy("x,y"))
    assert spoiled.sum() == spoiled[0, 0] == 1


# --- dims by name


def test_dual_dims_are_contracted(backend, rng):
    x, w = rng.standard_normal((2, 6, 3)), rng.standard_normal((3, 3, 4))
    value = tensor(x, batch("b"), spatial("x"), channel("c"))
    kernel = tensor(w, spatial("x"), dual("c"), channel("o"))
    expected = [[sum(direct(x[b, :, c], w[:, c, o]) for c in range(3)) for o in range(4)] for b in range(2)]
    found = math.convolve(value, kernel)
    assert set(found.shape.names) == {"b", "x", "o"}
    np.testing.assert_allclose(found.numpy("b,o,x"), expected, atol=1e-12)
    square = math.rename_dims(kernel.o[:3], "o", channel("c"))
    np.testing.assert_allclose(
        math.convolve(value, square).numpy("b,c,x"), np.array(expected)[:, :3], atol=1e-12
    )


def test_shared_dims_have_kernels_of_their_own(backend, rng):
    x, w = rng.standard_normal((2, 3, 6, 5, 2)), rng.standard_normal((3, 3, 2, 2, 4))
    value = tensor(x, batch("b"), channel("g"), spatial("x,y"), channel("c"))
    kernel = tensor(w, channel("g"), spatial("x,y"), dual("c"), channel("o"))
    found = math.convolve(value, kernel, strides=2, dilations=2)
    for b, g, o in np.ndindex(2, 3, 4):
        one = sum(direct(x[b, g, :, :, c], w[g, :, :, c, o], stride=2, dilation=2) for c in range(2))
        np.testing.assert_allclose(found[{"b": b, "g": g, "o": o}].numpy("x,y"), one, atol=1e-12)
    depthwise = math.convolve(value.c[0], kernel[{"~c": 0, "o": 0}])
    np.testing.assert_allclose(
        depthwise.b[1].g[2].numpy("x,y"), direct(x[1, 2, ..., 0], w[2, ..., 0, 0]), atol=1e-12
    )


@pytest.mark.parametrize("groups", [3, 20])
def test_groups_are_independent(groups, backend, rng):
    value = tensor(
        rng.standard_normal((2, groups, 6, 2)), batch("b"), channel("g"), spatial("x"), channel("c")
    )
    kernel = tensor(
        rng.standard_normal((groups, 3, 2, 2)), channel("g"), spatial("x"), dual("c"), channel("o")
    )
    for settings in ({"strides": 2}, {"strides": 2, "transpose": True}):
        found = math.convolve(value, kernel, **settings)
        assert_close(found.g[-1], math.convolve(value.g[-1], kernel.g[-1], **settings))


def test_kernels_of_a_batch(backend, rng):
    x, w = rng.standard_normal((2, 6)), rng.standard_normal((2, 3))
    found = math.convolve(tensor(x, batch("b"), spatial("x")), tensor(w, batch("b"), spatial("x")))
    np.testing.assert_allclose(found.numpy("b,x"), [direct(x[b], w[b]) for b in range(2)], atol=1e-12)
    several = math.convolve(grid_of(x[0]), tensor(w, batch("b"), spatial("x")))
    np.testing.assert_allclose(several.numpy("b,x"), [direct(x[0], w[b]) for b in range(2)], atol=1e-12)


def test_other_dims_than_spatial(backend, rng):
    x, w = rng.standard_normal((6, 2)), rng.standard_normal((3, 2))
    value, kernel = tensor(x, instance("p"), spatial("x")), tensor(w, instance("p"), spatial("x"))
    found = math.convolve(value, kernel, dims="p")
    np.testing.assert_allclose(found.numpy("x,p"), [direct(x[:, i], w[:, i]) for i in range(2)], atol=1e-12)
    matrix = tensor(rng.standard_normal((2, 3)), dual("x"), channel("o"))
    assert_close(math.convolve(value, matrix), matrix @ value, because="without a window it is a product")


def test_constants_stacks_and_ragged_values(backend, rng):
    kernel = grid_of(rng.standard_normal(3))
    one = math.expand(tensor(rng.standard_normal(3), channel("c")), batch(b=4) & spatial(x=5))
    found = math.convolve(one, kernel)
    assert found.layout.constant == (batch(b=4).dim,)
    assert_close(found, math.convolve(math.copy(one * math.ones(one.shape)), kernel))
    parts = [grid_of(rng.standard_normal(n)) for n in (4, 6)]
    ragged = math.convolve(math.stack(parts, batch("b")), kernel, "full")
    assert isinstance(ragged.layout, Ragged)
    assert_close(ragged.b[1], math.convolve(parts[1], kernel, "full"))
    stacked = math.stack([parts[0], 2 * parts[0]], channel("c"))
    assert_close(math.convolve(stacked, kernel).c[1], 2 * math.convolve(parts[0], kernel))
    kernels = math.stack([kernel, kernel.x[:2]], batch("b"))
    assert_close(math.convolve(parts[0], kernels).b[1], math.convolve(parts[0], kernel.x[:2]))
    assert_close(math.convolve([parts[0]], kernel)[0], math.convolve(parts[0], kernel))


def test_element_types(backend, rng):
    x, w = rng.integers(-5, 5, (6, 5)), rng.integers(-5, 5, (3, 2))
    found = math.convolve(grid_of(x), grid_of(w), strides=2)
    assert found.dtype.kind is int
    np.testing.assert_array_equal(found.numpy("x,y"), direct(x, w, stride=2))
    back = math.convolve(found, grid_of(w), strides=2, transpose=True)
    assert_close(
        back,
        math.to_int64(
            math.convolve(math.to_float(found), math.to_float(grid_of(w)), strides=2, transpose=True)
        ),
    )
    assert math.convolve(grid_of(x > 0), grid_of(w > 0)).dtype.kind is int
    z, v = x + 1j * x[::-1], w + 1j * w[::-1]
    np.testing.assert_allclose(math.convolve(grid_of(z), grid_of(v)).numpy("x,y"), direct(z, v), atol=1e-12)
    np.testing.assert_allclose(
        math.convolve(grid_of(1.0 * x), grid_of(v)).numpy("x,y"), direct(x, v), atol=1e-12
    )
    with math.precision(32):
        assert math.convolve(grid_of(1.0 * x), grid_of(w)).dtype.precision == 32


def test_four_axes(backend, rng):
    x, w = rng.standard_normal((3, 3, 4, 3)), rng.standard_normal((2, 2, 1, 2))
    dims = [spatial(name) for name in "xyzw"]
    found = math.convolve(tensor(x, *dims), tensor(w, *dims))
    np.testing.assert_allclose(found.numpy("x,y,z,w"), direct(x, w), atol=1e-12)


# --- the transposed map


def inner(a, b):
    return math.sum(a * b, (a * b).shape)


@pytest.mark.parametrize("rule", [*RULES, combine_sides(x=(ZERO, SYMMETRIC), y=(REFLECT, None))])
@pytest.mark.parametrize("size", ["same", "full"])
def test_transpose_is_the_transposed_map(rule, size, backend, rng):
    x, w = grid_of(rng.standard_normal((6, 5))), grid_of(rng.standard_normal((3, 2)))
    y = math.convolve(x, w, size, rule) - math.convolve(0 * x, w, size, rule)  # without constants outside
    other = tensor(rng.standard_normal(y.shape.sizes), *y.shape)
    back = math.convolve(other, w, size, rule, transpose=True)
    assert_close(inner(y, other), inner(x, back))


@pytest.mark.parametrize("size", ["same", "valid", "full"])
@pytest.mark.parametrize(("sizes", "kernel"), SHAPES)
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (3, 1), (1, 2), (2, 2)])
def test_transpose_of_strides_and_dilations(sizes, kernel, size, stride, dilation, backend, rng):
    settings = {"strides": stride, "dilations": dilation, "transpose": True}
    y, w = grid_of(rng.standard_normal(sizes)), grid_of(rng.standard_normal(kernel))
    back = math.convolve(y, w, size, **settings)
    x = tensor(rng.standard_normal(back.shape.sizes), *back.shape)
    settings.pop("transpose")
    assert_close(inner(math.convolve(x, w, size, **settings), y), inner(x, back), atol=1e-10)


def test_transpose_to_a_size(backend, rng):
    w = grid_of(rng.standard_normal(3))
    for n in (5, 6):
        x, y = grid_of(rng.standard_normal(n)), grid_of(rng.standard_normal(3))
        back = math.convolve(y, w, x.shape, PERIODIC, strides=2, transpose=True)
        assert_close(inner(math.convolve(x, w, "same", PERIODIC, strides=2), y), inner(x, back))


def test_transpose_exchanges_channels(backend, rng):
    x = tensor(rng.standard_normal((2, 6, 3)), channel("g"), spatial("x"), channel("c"))
    w = tensor(rng.standard_normal((2, 3, 3, 4)), channel("g"), spatial("x"), dual("c"), channel("o"))
    y = math.convolve(x, w, strides=2)
    other = tensor(rng.standard_normal(y.shape.sizes), *y.shape)
    transposed = math.rename_dims(math.rename_dims(w, "~c", channel("c")), "o", dual("o"))
    back = math.convolve(other, transposed, strides=2, transpose=True)
    assert set(back.shape.names) == {"g", "x", "c"}
    assert_close(inner(y, other), inner(x, back))


# --- derivatives


@pytest.mark.needs("reverse")
@pytest.mark.parametrize(
    "settings",
    [
        {"size": "full", "strides": 2, "extrapolation": SYMMETRIC},
        {"extrapolation": ANTIREFLECT, "transpose": True},
    ],
)
def test_derivatives(settings, backend, rng):
    x = tensor(rng.standard_normal((5, 4, 2)), spatial("x,y"), channel("c"))
    w = tensor(rng.standard_normal((2, 3, 2, 3)), spatial("x,y"), dual("c"), channel("o"))
    check_gradient(lambda x, w: math.sum(math.convolve(x, w, **settings) ** 2), x, w)


@pytest.mark.needs("reverse")
def test_derivatives_of_groups_and_dilated_kernels(backend, rng):
    x = tensor(rng.standard_normal((5, 2)), spatial("x"), channel("c"))
    w = tensor(rng.standard_normal((2, 2)), spatial("x"), channel("c"))
    check_gradient(lambda x, w: math.sum(math.convolve(x, w, dilations=2) ** 2), x, w)


@pytest.mark.needs("reverse")
def test_gradient_is_the_transposed_map(backend, rng):
    x, w = grid_of(rng.standard_normal((6, 5))), grid_of(rng.standard_normal((3, 2)))
    y = tensor(rng.standard_normal((3, 3)), spatial("x,y"))
    gradient = math.gradient(lambda x: inner(math.convolve(x, w, strides=2), y), get_output=False)(x)
    assert_close(gradient, math.convolve(y, w, x.shape, strides=2, transpose=True))


# --- storage


def test_chains_do_not_rearrange(backend, rng):
    x = tensor(rng.standard_normal((2, 6, 5, 3)), batch("b"), spatial("x,y"), channel("c"))
    w = tensor(rng.standard_normal((3, 3, 3, 4)), spatial("x,y"), dual("c"), channel("o"))
    v = tensor(rng.standard_normal((3, 3, 4, 2)), spatial("x,y"), dual("o"), channel("u"))
    first = math.convolve(x, w)
    second = math.convolve(math.maximum(first, 0), v)
    assert isinstance(first.layout, Dense)
    order = [d.name.replace("u", "o") for d in second.layout.stored]
    assert order == [d.name for d in first.layout.stored]
    channels = order.index("o")
    assert channels == (1 if backend.channels_first else 3)


# --- errors


def test_errors(backend):
    x = math.zeros(spatial(x=4) & channel(c=3))
    with pytest.raises(IncompatibleShapes, match="slides along `y`"):
        math.convolve(x, math.zeros(spatial(y=3)))
    with pytest.raises(IncompatibleShapes, match="`d` of the value"):
        math.convolve(x, math.zeros(spatial(x=3) & dual(d=3)))
    with pytest.raises(IncompatibleShapes, match="must agree"):
        math.convolve(x, math.zeros(spatial(x=3) & dual(c=2)))
    with pytest.raises(IncompatibleShapes, match="no place for a kernel"):
        math.convolve(x, math.zeros(spatial(x=5)), "valid")
    with pytest.raises(IncompatibleShapes, match="Retype"):
        math.convolve(x, math.zeros(instance(x=3)), dims="x")
    with pytest.raises(IncompatibleShapes, match="size of the result along `x`"):
        math.convolve(x, math.zeros(spatial(x=3)), spatial(y=3))
    with pytest.raises(IncompatibleShapes, match="Ask for 7 to 8"):
        math.convolve(x, math.zeros(spatial(x=3)), spatial(x=6), strides=2, transpose=True)
    with pytest.raises(ValueError, match="'same', 'valid', 'full'"):
        math.convolve(x, math.zeros(spatial(x=3)), "SAME")
    with pytest.raises(ValueError, match="positive ints"):
        math.convolve(x, math.zeros(spatial(x=3)), strides=0)
    ragged = math.stack([math.zeros(spatial(x=3)), math.zeros(spatial(x=4))], spatial("y"))
    with pytest.raises(Unsupported, match="vary along `y`"):
        math.convolve(ragged, math.zeros(spatial(x=3, y=2)))
    choice = math.extrapolation.where(math.zeros(spatial(x=4)) > 0, ZERO, PERIODIC)
    with pytest.raises(Unsupported, match="no transpose"):
        math.convolve(math.zeros(spatial(x=4)), math.zeros(spatial(x=3)), "same", choice, transpose=True)
    by_component = math.extrapolation.combine_by_direction(normal=ZERO, tangential=PERIODIC)
    vectors = math.zeros(spatial(x=4, y=4) & channel(vector="x,y"))
    with pytest.raises(Unsupported, match="Take one component"):
        math.convolve(vectors, math.zeros(spatial(x=3)), "same", by_component, transpose=True)
