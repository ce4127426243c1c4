"""Bad arguments that the fuzz has found: errors that say what was found, and values that were wrong."""

import pytest

import phi_tensor as math
from phi_tensor import IncompatibleShapes, Unsupported, batch, channel, instance, spatial, stack, tensor
from phi_tensor.testing import assert_close


def ragged():
    return stack([tensor([2.0], spatial("x")), tensor([3.0, 9.0], spatial("x"))], batch("b"))


def line():
    return tensor([1.0, 2.0, 3.0], spatial("x"))


def ints():
    return tensor([1, 2], spatial("x"))


ERRORS = {
    "sort along absent dim": (lambda: math.sort(line(), "nope"), IncompatibleShapes, "nope"),
    "argmax along absent dim": (lambda: math.argmax(line(), "nope"), IncompatibleShapes, "nope"),
    "argmin along empty dim": (
        lambda: math.argmin(math.zeros(spatial(x=0)), "x"),
        IncompatibleShapes,
        "no elements",
    ),
    "scatter into text": (lambda: math.scatter("text", ints(), 1), TypeError, "scatter"),
    "index of bools": (
        lambda: math.ravel_index(tensor([True], channel(vector="x")), spatial(x=2)),
        IncompatibleShapes,
        "int indices",
    ),
    "index without sizes": (
        lambda: math.unravel_index(ints(), spatial("x")),
        IncompatibleShapes,
        "needs all sizes",
    ),
    "index in no shape": (lambda: math.unravel_index(ints(), 3), TypeError, "needs a shape, but found 3"),
    "components without sizes": (
        lambda: math.ravel_index(tensor([1, 2], channel("vector")), spatial(x=2)),
        IncompatibleShapes,
        "each component",
    ),
    "ragged mask along its outer dim": (
        lambda: math.boolean_mask(ragged(), "b", ragged() > 2),
        Unsupported,
        "Mask slices",
    ),
    "mask of another size": (
        lambda: math.boolean_mask(line(), "x", tensor([True] * 4, spatial("x")), preserve_names=True),
        IncompatibleShapes,
        "has 4 entries",
    ),
    "ragged sizes along another outer dim": (
        lambda: math.expand(ragged(), batch(b=4)),
        IncompatibleShapes,
        "b",
    ),
    "coordinates without components": (
        lambda: math.grid_sample(line(), math.zeros(instance(p=2), channel(vector=2)), 0),
        IncompatibleShapes,
        "one component for each",
    ),
    "closest of no points": (
        lambda: math.find_closest(
            math.zeros(instance(p=0), channel(vector="x")), math.zeros(channel(vector="x"))
        ),
        IncompatibleShapes,
        "at least one point",
    ),
    "neighbours without offsets": (
        lambda: math.at_max_neighbor(line(), line(), offsets=()),
        IncompatibleShapes,
        "`offsets` is empty",
    ),
    "neighbours reduced to nothing": (
        lambda: math.neighbor_reduce(lambda x, dim: None, line()),
        IncompatibleShapes,
        "NoneType",
    ),
    "slice off a ragged dim": (lambda: math.slice_off(ragged(), {"x": 0}), Unsupported, "size varies"),
    "slice by None": (lambda: math.slice_off(line(), {"x": None}), TypeError, "found None"),
    "too many bins": (
        lambda: math.bincount(math.to_int64(tensor([2**40], instance("p"))), "x:s"),
        IncompatibleShapes,
        "bins",
    ),
    "joined number": (lambda: math.tcat(3.0, spatial), TypeError, "sequence"),
    "joined by text": (lambda: math.ncat([1.0], 3), TypeError, "needs a shape"),
    "copies by number": (lambda: math.tile(line(), 2), TypeError, "by dim"),
    "changed number": (lambda: math.copy_with(3.0, x=1), TypeError, "copy_with"),
    "dict of a tensor": (lambda: math.from_dict(line()), TypeError, "to_dict"),
    "frame of a number": (lambda: math.from_pandas(3.0), TypeError, "pandas"),
    "array of a list": (lambda: math.numpy([line()]), TypeError, "tree_map"),
    "random floats as limits": (
        lambda: math.random_integers(spatial(x=2), high=2.5),
        TypeError,
        "ints or int tensors",
    ),
    "random rate of text": (lambda: math.random_poisson(spatial(x=2), rate="a"), TypeError, "rate"),
    "window without size": (
        lambda: math.sample_subgrid(line(), tensor(0.0), spatial("x")),
        IncompatibleShapes,
        "start",
    ),
    "unique of ragged values with a size": (
        lambda: math.unique(ragged(), "x", instance(u=2)),
        Unsupported,
        "number varies",
    ),
}
"""Call, class, and what the message mentions."""


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name, backend):
    call, error, mentions = ERRORS[name]
    with pytest.raises(error) as caught:
        call()
    assert mentions in str(caught.value)


def test_items_of_ragged_queries_are_counted(backend):
    found = math.contains(line(), ragged())
    assert_close(found.b[0], tensor([True], spatial("x")))
    assert_close(found.b[1], tensor([True, False], spatial("x")))
    equal_sizes = stack([tensor([9.0, 2.0], spatial("x")), tensor([3.0], spatial("x"))], batch("b"))
    below = math.searchsorted(tensor([1.0, 5.0], instance("i")), equal_sizes, "i")
    assert_close(below.b[0], tensor([2, 1], spatial("x")))


def test_ints_divided_by_zero_are_zero(backend):
    x, zero = tensor([5, -5], spatial("x")), tensor([0, 2], spatial("x"))
    assert_close(x // zero, tensor([0, -3], spatial("x")))
    assert_close(x % zero, tensor([0, 1], spatial("x")))
    assert_close(7 // zero, tensor([0, 3], spatial("x")))
    assert_close(x % 0, tensor([0, 0], spatial("x")))


def test_types_of_results(backend):
    assert math.angle(tensor([-1, 1], spatial("x"))).dtype.kind is float
    assert_close(math.bitwise_left_shift(tensor([True]), 1), math.to_int32(tensor([2])))
    assert math.round(tensor(True)).dtype.kind is bool


def test_convolution_without_channels_is_empty(backend):
    x = math.zeros(spatial(x=3), channel(c=0))
    assert math.convolve(x, math.ones(spatial(x=2), channel(c=0))).shape == x.shape


@pytest.mark.parametrize(
    "compute",
    [
        lambda x: x + 2**40,
        lambda x: 2**40 - x,
        lambda x: x * -(2**31) - x * 2**31,
        lambda x: math.maximum(x, 2**31),
    ],
)
def test_ints_that_a_type_does_not_hold_are_errors(compute, backend):
    with pytest.raises(ValueError, match=r"does not hold|out of bounds|too large"):
        compute(math.to_int32(ints()))


def test_ints_that_a_type_holds_are_not_refused(backend):
    x = math.to_int32(ints())
    assert_close(x + (2**31 - 3), tensor([2**31 - 2, 2**31 - 1], spatial("x")))
    assert_close(math.to_int64(ints()) + 2**40, tensor([2**40 + 1, 2**40 + 2], spatial("x")))
    assert_close(tensor([1.0], spatial("x")) * 2**40, tensor([2.0**40], spatial("x")))
