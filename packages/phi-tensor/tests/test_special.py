"""Bits, representation of numbers, special functions."""

import numpy as np
import pytest
from scipy import special

import phi_tensor as math
from phi_tensor import IncompatibleShapes, Unsupported, spatial, tensor, wrap
from phi_tensor.testing import assert_close


def line(*values):
    return tensor(list(values), spatial("x"))


def test_bits(backend):
    x, y = line(6, -5, 3), line(3, 1, 2)
    for function, oracle in (
        (math.bitwise_and, np.bitwise_and),
        (math.bitwise_or, np.bitwise_or),
        (math.bitwise_xor, np.bitwise_xor),
        (math.bitwise_left_shift, np.left_shift),
        (math.bitwise_right_shift, np.right_shift),
    ):
        assert function(x, y).numpy().tolist() == oracle(x.numpy(), y.numpy()).tolist()
    assert math.bitwise_invert(x).numpy().tolist() == [-7, 4, -4]
    assert math.bitwise_invert(line(True, False)).numpy().tolist() == [False, True]
    assert math.bitwise_and(5, 4).item() == 4
    with pytest.raises(Unsupported, match="bits of ints"):
        math.bitwise_or(line(1.0), 2)


def test_representation(backend):
    x = line(0.0, -0.0, 2.0, -math.INF)
    assert math.signbit(x).numpy().tolist() == [False, True, False, True]
    assert math.signbit(line(-1, 0)).numpy().tolist() == [True, False]
    assert math.copysign(line(1.0, -2.0), line(-0.0, 0.0)).numpy().tolist() == [-1, 2]
    assert math.copysign(line(1.0, -2.0), -1).numpy().tolist() == [-1, -2]
    assert math.positive(x) is x
    assert_close(math.positive([x]), [x])
    for digits, kind in ((32, np.float32), (64, np.float64)):
        with math.precision(digits):
            assert math.nextafter(tensor(1.0), math.INF).item() == np.nextafter(kind(1), kind(2))
            assert math.nextafter(line(0.0, math.INF), line(1.0, 0.0)).numpy()[1] == np.finfo(kind).max


@pytest.mark.needs("reverse")
def test_a_neighbour_changes_as_the_number(backend):
    assert math.gradient(lambda x: math.nextafter(x, 2.0), get_output=False)(tensor(1.0)).item() == 1
    assert math.gradient(lambda x: math.copysign(x, -1.0), get_output=False)(tensor(3.0)).item() == -1


def test_lengths_do_not_overflow(backend):
    assert_close(math.hypot(line(3.0, 3e30, 0.0), line(4.0, 4e30, 0.0)), line(5.0, 5e30, 0.0))
    assert math.hypot(line(1.0, -math.INF), line(math.INF, 1.0)).numpy().tolist() == [math.INF] * 2
    assert math.hypot(3.0, 4.0).item() == 5


def test_sums_of_exponentials_do_not_overflow(backend):
    x, y = line(1000.0, -math.INF, -math.INF, 0.0, math.INF), line(-1000.0, 1.0, -math.INF, 0.0, math.INF)
    assert_close(math.logaddexp(x, y), line(1000.0, 1.0, -math.INF, np.log(2), math.INF))


@pytest.mark.needs("reverse", "forward")
def test_derivatives_of_gaps(backend):
    def second(f, x):
        return math.jvp(math.gradient(f, get_output=False), [tensor(x)], [tensor(1.0)])

    with math.precision(64):
        first, curvature = second(math.sinc, 0.0)
        assert first.item() == 0
        assert curvature.item() == pytest.approx(-(np.pi**2) / 3)
        assert math.gradient(lambda x: math.hypot(x, 0 * x), get_output=False)(tensor(0.0)).item() == 0
        first, curvature = second(lambda x: math.hypot(x, 2.0), 2.0)
        assert first.item() == pytest.approx(np.sqrt(0.5))
        assert curvature.item() == pytest.approx(4 / 8**1.5)
        first, curvature = second(lambda x: math.logaddexp(x, 1.0), 1.0)
        assert first.item() == pytest.approx(0.5)
        assert curvature.item() == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("function", "oracle", "domain"),
    [
        (math.erfc, special.erfc, (-3, 8)),
        (math.erfinv, special.erfinv, (-0.999, 0.999)),
        (math.log_gamma, special.gammaln, (-2.6, 30)),
        (math.digamma, special.digamma, (-2.6, 30)),
        (math.sinc, np.sinc, (-3, 3)),
    ],
    ids=["erfc", "erfinv", "log_gamma", "digamma", "sinc"],
)
def test_special_functions_are_scipys(function, oracle, domain, backend):
    data = np.linspace(*domain, 50)
    with math.precision(64):
        found = function(tensor(data, spatial("x"))).numpy()
    assert_close(found, oracle(data), rtol=1e-11, atol=1e-12, because="rational approximations in XLA")


def test_factorial(backend):
    assert math.factorial(line(0, 1, 5, 20)).numpy().tolist() == [1, 1, 120, 2432902008176640000]
    data = np.array([0.0, 0.5, 4.0, -1.5, -2.5])
    with math.precision(64):
        assert_close(
            math.factorial(tensor(data, spatial("x"))).numpy(),
            special.gamma(data + 1),
            rtol=1e-11,
            because="see above",
        )
    assert_close(math.factorial([line(3), 2.0]), [line(6), wrap(2.0)])
    for number in (-1, 21):
        with pytest.raises(IncompatibleShapes, match="from 0 to 20"):
            math.factorial(line(number))


def test_incomplete_gamma(backend):
    a, x = np.array([0.5, 1.5, 4.0]), np.array([0.1, 1.5, 7.0])
    with math.precision(64):
        p, q = tensor(a, spatial("x")), tensor(x, spatial("x"))
        assert_close(
            math.incomplete_gamma(p, q).numpy(), special.gammainc(a, x), rtol=1e-11, because="see above"
        )
        found = math.incomplete_gamma(p, q, upper=True, regularized=False).numpy()
        assert_close(found, special.gammaincc(a, x) * special.gamma(a), rtol=1e-11, because="see above")
        trees = math.incomplete_gamma([p], [q]), math.incomplete_gamma([p], q), math.incomplete_gamma(p, [q])
        for tree in trees:
            assert_close(tree, [math.incomplete_gamma(p, q)])


@pytest.mark.needs("reverse", "forward")
def test_incomplete_gamma_has_no_derivative_by_its_exponent(backend):
    a, x = tensor(1.5), tensor(2.0)
    found = math.gradient(math.incomplete_gamma, "x", get_output=False)(a, x)
    assert found.item() == pytest.approx(2**0.5 * np.exp(-2) / special.gamma(1.5), rel=1e-5)
    with pytest.raises(Unsupported, match="exponent"):
        math.gradient(math.incomplete_gamma, "a", get_output=False)(a, x)
    with pytest.raises(Unsupported, match="exponent"):
        math.jvp(lambda a: math.incomplete_gamma(a, x), [a], [a])


COMPLEX = np.array([1 + 2j, -0.5j])


@pytest.mark.parametrize(
    "function",
    [math.floor, math.erf, math.sinc, math.signbit, math.log_gamma, math.max, math.argmax, math.soft_plus],
    ids=lambda f: f.__name__,
)
def test_functions_of_real_numbers_refuse_complex_ones(function, backend):
    x = tensor(COMPLEX, spatial("x"))
    with pytest.raises(Unsupported, match="real numbers only"):
        function(x, "x") if function is math.argmax else function(x)


def test_comparisons_refuse_complex_numbers(backend):
    x = tensor(COMPLEX, spatial("x"))
    for compare in (lambda: x < x, lambda: math.maximum(x, 1), lambda: x // 1, lambda: math.clip(x)):
        with pytest.raises(Unsupported, match="real numbers only"):
            compare()


def test_reductions_of_complex_numbers(backend):
    x = tensor(COMPLEX, spatial("x"))
    assert_close(math.sum(x).numpy(), COMPLEX.sum().astype(np.complex64))
    assert_close(math.prod(x).numpy(), COMPLEX.prod().astype(np.complex64))
    assert_close(math.mean(x).numpy(), COMPLEX.mean().astype(np.complex64))
    assert_close(math.cumulative_sum(x, "x").numpy(), COMPLEX.cumsum().astype(np.complex64))
    assert_close(math.cumulative_prod(x, "x").numpy(), COMPLEX.cumprod().astype(np.complex64))
    assert math.any(x != 0).item()
