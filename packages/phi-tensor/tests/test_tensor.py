"""The tensor: operators, broadcasting, precision, numbers, text, memory."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given

import phi_tensor as math
from phi_tensor import IncompatibleShapes, Tensor, batch, channel, instance, spatial, tensor, vec, wrap
from phi_tensor.testing import assert_close, broadcastable, tensors


@given(pair=broadcastable(2))
def test_arithmetic_laws(pair, backend):
    a, b = pair
    assert_close(a + b, b + a)
    assert_close(a * b, b * a)
    assert_close(a - b, -(b - a))
    assert_close((a + b) * (a - b), a**2 - b**2, atol=1e-4)
    assert_close(abs(a * b), abs(a) * abs(b))
    assert_close(a + 0, a)
    assert_close(math.maximum(a, b) + math.minimum(a, b), a + b)
    assert math.all((a < b) | (a >= b), lambda shape: shape)


@given(x=tensors(dtype=int))
def test_division_of_ints(x, backend):
    quotient, rest = divmod(x, 3)
    assert quotient.dtype == rest.dtype == int
    assert_close(quotient * 3 + rest, x)


def test_operators_of_ints(backend):
    a, b = tensor([5, 6], spatial("x")), tensor([3, 2], spatial("x"))
    results = {
        "&": a & b,
        "|": a | b,
        "^": a ^ b,
        "<<": a << b,
        ">>": a >> b,
        "//": a // b,
        "%": a % b,
        "~": ~a,
    }
    expected = {
        "&": [1, 2],
        "|": [7, 6],
        "^": [6, 4],
        "<<": [40, 24],
        ">>": [0, 1],
        "//": [1, 3],
        "%": [2, 0],
        "~": [-6, -7],
    }
    for name, result in results.items():
        assert_close(result, wrap(expected[name], spatial("x")), because=name)
    reflected = [7 & a, 8 | a, 1 ^ a, 1 << b, 64 >> b, 9 // b, 9 % a]
    assert [r.numpy().tolist() for r in reflected] == [
        [5, 6],
        [13, 14],
        [4, 7],
        [8, 4],
        [8, 16],
        [3, 4],
        [4, 3],
    ]


def test_reflected_operators(backend):
    a = tensor([1.0, 2.0], spatial("x"))
    assert_close(3 - a, wrap([2.0, 1.0], spatial("x")))
    assert_close(3 / a, wrap([3.0, 1.5], spatial("x")))
    assert_close(2**a, wrap([2.0, 4.0], spatial("x")))
    assert_close(1 + a, a + 1)
    assert_close(2 * a, a * 2)
    assert_close(+a, a)
    assert_close(round(tensor(1.256), 1), wrap(1.3))
    assert_close(round(tensor(2.5)), wrap(2.0))


def test_missing_dims_are_added(backend):
    a, b = math.ones(channel(c=2)), math.ones(batch(b=3))
    assert (a + b).shape == channel(c=2) & batch(b=3)


def test_size_one_does_not_broadcast(backend):
    with pytest.raises(IncompatibleShapes, match="1 is not broadcast"):
        tensor([1.0], spatial("x")) + tensor([1.0, 2.0], spatial("x"))


def test_labels_must_match_in_order(backend):
    with pytest.raises(IncompatibleShapes, match=r"x.*y.*Reorder"):
        vec(x=1, y=2) + vec(y=1, x=2)
    with pytest.raises(IncompatibleShapes, match="Labels"):
        vec(x=1) + vec(u=1)
    assert (vec(x=1, y=2) + wrap([1, 1], channel("vector"))).shape.get_labels("vector") == ("x", "y")


def test_sequences_are_components(backend):
    assert_close(vec(x=1, y=2) * (2, 3), vec(x=2, y=6))
    assert_close([2, 3] * vec(x=1, y=2), vec(x=2, y=6))
    assert_close(np.array([2.0, 3.0]) * vec(x=1.0, y=2.0), vec(x=2.0, y=6.0))
    with pytest.raises(IncompatibleShapes, match="channel"):
        math.ones(spatial(x=2)) * (2, 3)
    with pytest.raises(IncompatibleShapes, match="dim names"):
        math.ones(spatial(x=2, y=2)) * np.ones((2, 2))


def test_equality_is_element_wise(backend):
    a = tensor([1, 2], spatial("x"))
    assert (a == 1).numpy().tolist() == [True, False]
    assert (a != 1).numpy().tolist() == [False, True]
    assert (a == None) is False  # noqa: E711 the comparison itself is tested
    assert (a != None) is True  # noqa: E711 the comparison itself is tested
    with pytest.raises(IncompatibleShapes):
        a == tensor([1, 2, 3], spatial("x"))  # noqa: B015 the comparison itself is tested


def test_truth_and_numbers(backend):
    assert bool(tensor(True))
    assert int(tensor(3)) == 3
    assert float(tensor(2.5)) == 2.5
    assert complex(tensor(1 + 2j)) == 1 + 2j
    assert [10, 11, 12][tensor(1)] == 11
    assert tensor([4.0], spatial("x")).item() == 4
    with pytest.raises(IncompatibleShapes, match=r"any\(\).*all\(\)"):
        bool(tensor([True, False], spatial("x")))
    with pytest.raises(IncompatibleShapes, match="float"):
        float(tensor([1.0, 2.0], spatial("x")))
    with pytest.raises(TypeError, match="int"):
        [1][tensor(1.0)]
    with pytest.raises(IncompatibleShapes, match="one element"):
        tensor([1, 2], spatial("x")).item()


def test_nothing_mutates(backend):
    with pytest.raises(TypeError):
        math.ones(spatial(x=2))["x"] = 1
    with pytest.raises(AttributeError):
        math.ones(spatial(x=2)).name = 1


def test_a7_natives_list_every_dim(backend):
    a = tensor(np.arange(6.0).reshape(2, 3), batch("b"), spatial("x"))
    assert backend.shape(a.native("x,b")) == (3, 2)
    assert a.numpy("b,x").tolist() == [[0, 1, 2], [3, 4, 5]]
    assert a.numpy([["x", "b"]]).tolist() == [0, 3, 1, 4, 2, 5]
    assert a.numpy([batch, spatial]).shape == (2, 3)
    with pytest.raises(IncompatibleShapes, match=r"\['b'\].*not listed"):
        a.numpy("x")
    with pytest.raises(IncompatibleShapes, match="need one"):
        a.native()
    with pytest.raises(IncompatibleShapes, match="no dim `y`"):
        a.native("b,x,y")


@pytest.mark.parametrize("bits", [16, 32, 64])
def test_precision_decides_every_float(bits, backend):
    x = wrap(np.array([1.0, 2.0], np.float64), spatial("x"))
    whole = wrap(np.array([1, 2]), spatial("x"))
    with math.precision(bits):
        results = {
            "sum with an int": x + 1,
            "sine": math.sin(x),
            "reduction": math.sum(x),
            "quotient": x / x,
            "a38 int division": whole / 2,
            "a38 int mean": math.mean(whole),
            "ones": math.ones(spatial(x=2)),
            "list": wrap([1.0, 2.0]),
            "number": tensor(1.0),
            "root of ints": math.sqrt(whole),
            "choice": math.where(x > 1, x, 0),
            "conversion": math.to_float(whole),
            "stack": math.stack([x, x], batch("b")),
        }
    for name, result in results.items():
        assert result.dtype.precision == bits, name
        assert result.backend.dtype(result.natives[0]).precision == bits, name


def test_kinds_are_kept(backend):
    true, one = tensor(True), tensor(1)
    assert (true + true).dtype == int
    assert (true * true).dtype == bool
    assert (one + true).dtype == int
    assert (wrap(np.int32(1)) + wrap(np.int64(1))).dtype == math.DType.of("int64")
    assert (one + 1.5).dtype == math.DType.of("float32")
    assert (one + 1j).dtype == math.DType.of("complex64")
    assert math.sum(tensor([True, True, False], spatial("x"))).item() == 2
    assert math.sum(tensor([1, 2], spatial("x"))).dtype == math.DType.of("int64")
    assert math.cast(tensor(1.5), int).item() == 1
    assert math.to_int32(tensor(1.5)).dtype == math.to_int32(one).dtype == math.DType.of("int32")
    assert math.to_int64(one).dtype == math.DType.of("int64")
    assert math.to_complex(one).dtype == math.DType.of("complex64")
    assert math.zeros(spatial(x=2), dtype=int).dtype == math.DType.of("int32")


def test_wrapped_tensors_have_the_dims_that_are_asked_for(backend):
    x = tensor([1.0, 2.0, 3.0], spatial("x"))
    assert wrap(x, spatial("x")) is wrap(x, spatial(x=3)) is x
    for other in (spatial(x=5), batch("x"), spatial("y"), channel(x="a,b,c")):
        with pytest.raises(IncompatibleShapes, match="rename_dims"):
            wrap(x, other)
    v = vec(x=1.0, y=2.0)
    assert wrap(v, channel("vector")) is wrap(v, channel(vector="x,y")) is v
    with pytest.raises(IncompatibleShapes, match="rename_dims"):
        wrap(v, channel(vector="y,x"))


def test_what_creation_says_of_numbers():
    with pytest.raises(ValueError, match="64 bits"):
        wrap(2**70)
    assert math.arange(spatial("x"), np.int64(1), np.int32(3)).shape == spatial(x=2)
    with pytest.raises(IncompatibleShapes, match="x=4"):
        math.meshgrid()


def test_copies_have_their_own_memory_and_derivatives(backend):
    data = np.arange(16.0, dtype=np.float32)
    x = math.convert(wrap(data, spatial("x")), backend)
    copied = math.copy(x)
    assert copied.backend is x.backend
    assert copied.device == x.device
    data[:] = -1  # seen through shared memory
    assert_close(copied, tensor(np.arange(16.0), spatial("x")))
    if backend.supports >= {"reverse"}:
        found = math.gradient(lambda x: math.l2_loss(math.copy(x)), get_output=False)(copied)
        assert_close(found, copied)


def test_wrap_keeps_and_shares():
    data = np.arange(3.0)
    assert wrap(data, spatial("x")).dtype == math.DType.of("float64")
    assert np.shares_memory(wrap(data, spatial("x")).numpy(), data)
    assert wrap(wrap(data, spatial("x"))).shape == spatial(x=3)
    copied = math.copy(wrap(data, spatial("x")))
    assert not np.shares_memory(copied.numpy(), data)
    assert_close(copied, wrap(data, spatial("x")))


def test_a39_size_one_keeps_the_order_of_dims(backend):
    assert tensor([[1, 2, 3]], "b:b", "vector:c").shape.names == ("b", "vector")
    assert tensor([[1, 2, 3]], batch("b"), channel("vector")).numpy("b,vector").tolist() == [[1, 2, 3]]


@pytest.mark.parametrize(
    ("make", "mentions"),
    [
        (lambda: wrap(np.ones((2, 3)), spatial("x")), ["2 axes", "1 dims"]),
        (lambda: wrap([1, 2], spatial(x=3)), ["size 3", "2 entries"]),
        (lambda: wrap([[1, 2], [3]], spatial("x,y")), ["stack"]),
        (lambda: wrap(["a", "b"], batch("b")), ["numbers"]),
        (lambda: vec(), ["components"]),
        (lambda: math.zeros(spatial("x")), ["sizes must be known"]),
        (lambda: math.arange(spatial("x")), ["needs an end"]),
        (lambda: wrap(math.ones(spatial(x=2)), batch("b")), ["rename_dims"]),
    ],
)
def test_wrong_data(make, mentions):
    with pytest.raises(IncompatibleShapes) as caught:
        make()
    assert all(text in str(caught.value) for text in mentions)


def test_wrap_refuses_objects():
    with pytest.raises(TypeError, match="layout"):
        wrap(object())


def test_creation(backend):
    assert_close(math.zeros(spatial(x=2)) + 1, math.ones(spatial(x=2)))
    assert_close(math.full(3.0, spatial(x=2)), 3 * math.ones_like(math.zeros(spatial(x=2))))
    assert_close(math.zeros_like(vec(x=1.0)), vec(x=0.0))
    assert_close(math.arange(spatial(x=3)), wrap([0, 1, 2], spatial("x")))
    assert_close(math.arange(spatial("x"), 1, 7, 2), wrap([1, 3, 5], spatial("x")))
    assert_close(math.linspace(0, 1, spatial(x=3)), wrap([0, 0.5, 1], spatial("x")))
    assert_close(math.counted(spatial(x=3), 0.5, -2), wrap([0.5, -1.5, -3.5], spatial("x")))
    assert math.counted(spatial(x="a,b")).x["b"].shape == math.EMPTY_SHAPE
    with pytest.raises(math.IncompatibleShapes, match="one dim with a size"):
        math.counted(spatial("x"))
    corners = math.linspace(0.0, vec(x=1.0, y=2.0), spatial(x=2, y=3))
    assert_close(corners.x[-1].y[-1], vec(x=1.0, y=2.0))
    assert math.meshgrid(x=2, y=3).shape == channel(vector="x,y") & spatial(x=2, y=3)
    assert_close(math.meshgrid(x=[1.0, 4.0]).vector["x"], wrap([1.0, 4.0], spatial("x")))
    assert pytest.approx(3.14159265) == math.PI
    assert math.INF > 1e308
    assert math.NAN != math.NAN
    assert all(
        x.backend is backend for x in (math.ones(spatial(x=2)), tensor(1.0), math.arange(spatial(x=2)))
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((spatial(x=3), 1.0), r"number.*\(x:s=3\).*`full\(1.0, spatial\(x=3\)\)`"),
        (("x:s=3", 1.0), r"number.*x:s=3"),
        ((wrap(1.0), spatial(x=3)), "`expand`"),
        ((None, spatial(x=3)), "number.*None"),
        ((1j, spatial(x=3)), "1j.*float32.*dtype=complex"),
        ((1.0, 3), r"found \(3,\).*Name every size"),
        ((1.0, (3, 4)), "Name every size"),
    ],
)
def test_constants_need_a_number_and_dims(backend, arguments, words):
    with pytest.raises(TypeError, match=words):
        math.full(*arguments)


def test_constants_of_every_kind(backend):
    for value, dtype in ((2, int), (True, bool), (1 + 2j, complex), (np.float32(0.5), float)):
        constant = math.full(value, spatial(x=2), dtype=dtype)
        assert constant.dtype.kind is dtype
        assert constant.numpy("x").tolist() == [value, value]


def test_constants_take_no_memory(backend):
    huge = math.expand(tensor(1), batch(b=10**9))
    assert math.sum(huge, "b").item() == 10**9
    assert backend.shape(huge.natives[0]) == ()


def test_numpy_functions_accept_tensors():
    assert np.asarray(wrap([1.0, 2.0], spatial("x"))).tolist() == [1, 2]
    assert isinstance(np.float64(2.0) * vec(x=1.0), Tensor)
    assert isinstance(np.ones(1) * vec(x=1.0), Tensor)
    assert list(wrap([1, 2], spatial("x"))) == [1, 2]
    assert len(wrap([1, 2], spatial("x"))) == 2


def test_text():
    assert repr(vec(x=1.0, y=2.0)) == "(x=1.0, y=2.0)"
    assert repr(wrap([1, 2], spatial("x"))) == "(1, 2) along (x:s=2) int64"
    assert f"{wrap(1.2345):.2f}" == "1.23"
    assert "±" in repr(wrap(np.arange(100.0), spatial("x")))
    assert "3 of 9 true" in repr(wrap(np.arange(9) < 3, spatial("x")))


@given(x=tensors())
def test_pickles_and_copies(x, backend):
    assert_close(pickle.loads(pickle.dumps(x)), x)
    assert copy.copy(x) is x
    assert copy.deepcopy(x) is x


def test_properties(backend):
    x = tensor([1 + 2j], instance("p"))
    assert x.rank == 1
    assert x.available
    assert x.backend is backend
    assert x.device.device_type in ("CPU", "GPU", "TPU")
    assert_close(x.real, wrap([1.0], instance("p")))
    assert_close(x.imag, wrap([2.0], instance("p")))
