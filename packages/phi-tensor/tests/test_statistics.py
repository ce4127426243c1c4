"""Spread, quantiles, finite elements, weighted means, sums of exponentials, extremes by key."""

import numpy as np
import pytest
from scipy import special

import phi_tensor as math
from phi_tensor import IncompatibleShapes, Unsupported, batch, channel, instance, spatial, tensor, vec, wrap
from phi_tensor.testing import assert_close, check_gradient


def line(*values):
    return tensor([float(v) for v in values], spatial("x"))


# --- spread


def test_variance_and_deviation(backend, rng):
    data = rng.normal(size=(2, 5))
    x = tensor(data, batch("b"), spatial("x"))
    assert_close(math.variance(x).numpy(), data.var(1).astype(np.float32))
    assert_close(math.var(x, correction=1).numpy(), data.var(1, ddof=1).astype(np.float32))
    assert_close(math.std(x, "x").numpy(), data.std(1).astype(np.float32))
    assert_close(math.std(x, "x", correction=1).numpy(), data.std(1, ddof=1).astype(np.float32))


def test_variance_of_complex_numbers_is_real(backend):
    data = np.array([1 + 2j, 3 - 1j, 0.5j])
    x = tensor(data, spatial("x"))
    assert math.variance(x).dtype.kind is float
    assert math.variance(x).item() == pytest.approx(data.var(), rel=1e-5)
    assert math.std(x).item() == pytest.approx(data.std(), rel=1e-5)


def test_variance_of_slices_of_different_sizes(backend):
    x = math.stack([line(1, 3), line(1, 2, 6)], batch("b"))
    assert_close(math.variance(x, "x").numpy(), np.array([1, 14 / 3], np.float32))
    assert_close(math.variance(x, "b,x", correction=1), wrap(np.var([1, 3, 1, 2, 6], ddof=1)), rtol=1e-5)


@pytest.mark.needs("reverse")
def test_deviation_of_equal_numbers_has_derivative_0(backend):
    gradient = math.gradient(lambda x: math.std(x) + math.finite_std(x), get_output=False)(line(2, 2))
    assert_close(gradient, line(0, 0))


def test_statistics_of_trees(backend):
    tree = {"a": line(1, 3), "b": [line(2, 2)]}
    assert_close(math.std(tree), {"a": wrap(1.0), "b": [wrap(0.0)]})
    assert_close(math.median(tree), {"a": wrap(2.0), "b": [wrap(2.0)]})
    assert_close(math.finite_sum([line(1, 2), line(3, 4)], "0"), line(4, 6))


# --- weighted mean


def test_weighted_mean(backend):
    x = line(1, 3)
    assert math.mean(x, weight=line(1, 0)).item() == 1
    assert math.mean(x, weight=line(1, 3)).item() == 2.5
    assert_close(math.mean({"a": x}, weight=line(1, 3)), {"a": wrap(2.5)})


def test_a42_mean_without_weight_is_the_given_value(backend):
    assert math.mean(line(1, 3), weight=line(0, 0), where_no_weight=-1).item() == -1
    assert np.isnan(math.mean(line(1, 3), weight=line(0, 0)).item())
    x = tensor([[1.0, 3.0], [1.0, 3.0]], batch("b"), spatial("x"))
    weight = tensor([[1.0, 0.0], [0.0, 0.0]], batch("b"), spatial("x"))
    assert_close(math.mean(x, weight=weight, where_no_weight=-1.0), tensor([1.0, -1.0], batch("b")))


def test_weighted_mean_of_nan_is_nan(backend):
    assert np.isnan(math.mean(line(1, math.NAN), weight=line(1, 1), where_no_weight=-1).item())


def test_weights_along_a_dim_that_the_value_lacks(backend):
    assert_close(math.mean(line(1, 3), "t", weight=tensor([1.0, 3.0], spatial("t"))), line(1, 3))


# --- quantiles


def test_quantiles_are_numpys(backend, rng):
    data = rng.normal(size=(3, 4, 5)).astype(np.float32)
    x = tensor(data, batch("b"), spatial("x,y"))
    q = [0.0, 0.1, 0.5, 0.77, 1.0]
    found = math.quantile(x, tensor(q, channel("q")), "x,y").numpy("q,b")
    assert_close(found, np.quantile(data, q, (1, 2)).astype(np.float32), rtol=1e-5)
    assert_close(math.median(x, "y").numpy("b,x"), np.median(data, 2))
    assert math.quantile(line(0, 10), 0.5).item() == 5
    assert math.median(tensor([3, 1, 2], spatial("x"))).dtype.kind is float


def test_quantile_of_nan_and_infinities(backend):
    assert np.isnan(math.median(line(1, math.NAN, 2)).item())
    assert math.median(line(1, math.INF, math.INF)).item() == math.INF
    assert math.quantile(line(1, 2, math.INF), 0.5).item() == 2


def test_median_of_slices_of_different_sizes(backend):
    x = math.stack([line(1, 3), line(1, 2, 6)], batch("b"))
    assert_close(math.median(x, "x"), tensor([2.0, 2.0], batch("b")))
    with pytest.raises(Unsupported, match="sort"):
        math.median(x, "b")


def test_quantile_errors(backend):
    with pytest.raises(IncompatibleShapes, match="between 0 and 1"):
        math.quantile(line(1, 2), 50)
    with pytest.raises(IncompatibleShapes, match="no elements"):
        math.median(math.zeros(spatial(x=0)))
    with pytest.raises(Unsupported, match="real numbers only"):
        math.median(tensor([1j, 2j], spatial("x")))


# --- finite elements


def test_finite_reductions(backend):
    x = line(1, math.NAN, 3, math.INF)
    assert math.finite_sum(x).item() == 4
    assert math.finite_mean(x).item() == 2
    assert math.finite_std(x).item() == 1
    assert math.finite_max(x).item() == 3
    assert math.finite_min(x).item() == 1


@pytest.mark.parametrize("name", ["sum", "mean", "std", "max", "min"])
def test_without_finite_elements_the_default(name, backend):
    reduce = {
        "sum": math.finite_sum,
        "mean": math.finite_mean,
        "std": math.finite_std,
        "max": math.finite_max,
        "min": math.finite_min,
    }[name]
    nothing = line(math.NAN, -math.INF)
    assert np.isnan(reduce(nothing).item())
    assert reduce(nothing, default=-7).item() == -7
    assert reduce(math.zeros(spatial(x=0)), default=-7).item() == -7
    both = tensor([[1.0, 1.0], [math.NAN, math.NAN]], batch("b"), spatial("x"))
    assert np.isnan(reduce(both).numpy()).tolist() == [False, True]
    assert reduce(tensor([2, 2], spatial("x"))).item() == {"sum": 4, "std": 0}.get(name, 2)


@pytest.mark.needs("reverse")
def test_derivatives_ignore_what_is_not_finite(backend):
    gradient = math.gradient(
        lambda x: math.finite_sum(x) + math.finite_mean(x) + math.finite_max(x) + math.finite_std(x),
        get_output=False,
    )
    assert_close(gradient(line(1, math.NAN, 3)), line(1.5 - 0.5, 0, 1.5 + 1 + 0.5))


# --- exponentials


def test_softmax(backend, rng):
    data = rng.normal(size=(3, 4)).astype(np.float32)
    x = tensor(data, spatial("x"), channel("c"))
    assert_close(math.softmax(x, "c").numpy("x,c"), special.softmax(data, 1), rtol=1e-5)
    assert_close(math.softmax(x, "x,c").numpy("x,c"), special.softmax(data), rtol=1e-5)
    assert_close(math.softmax(line(1000, -1000), "x"), line(1, 0))


def test_log_sum_exp(backend, rng):
    data = rng.normal(size=(3, 4)).astype(np.float32)
    x = tensor(data, batch("b"), spatial("x"))
    assert_close(math.log_sum_exp(x).numpy(), special.logsumexp(data, 1), rtol=1e-5)
    assert math.log_sum_exp(line(1000, 1000)).item() == pytest.approx(1000 + np.log(2))
    assert math.log_sum_exp(line(-math.INF, -math.INF)).item() == -math.INF
    assert math.log_sum_exp(line(math.INF, 1)).item() == math.INF


# --- extremes


def test_extremes_by_key(backend):
    x = line(-3, 2)
    assert math.max(x, key=abs(x)).item() == -3
    assert math.min(x, key=abs(x)).item() == 2
    assert math.at_max(math.arange(spatial(x=2)), line(5, 1), "x").item() == 0
    assert math.at_min(math.arange(spatial(x=2)), line(5, 1), "x").item() == 1
    key = tensor([[1.0, 2.0], [4.0, 3.0]], batch("b"), spatial("x"))
    points = math.stack({"u": line(1, 2), "v": line(3, 4)}, channel("vector"))
    assert_close(math.at_max(points, key), math.stack([vec(u=2.0, v=4.0), vec(u=1.0, v=3.0)], batch("b")))
    assert_close(math.at_max({"p": points}, key.b[0]), {"p": vec(u=2.0, v=4.0)})
    assert math.at_max(7.0, line(5, 1)).item() == 7


def test_extremes_by_key_over_several_dims(backend, rng):
    data = rng.normal(size=(2, 3, 4)).astype(np.float32)
    key = tensor(data, batch("b"), spatial("x,y"))
    position = math.at_max(math.stack(dict(math.meshgrid(x=3, y=4).vector.items()), channel("vector")), key)
    flat = data.reshape(2, -1).argmax(1)
    assert position.numpy("b,vector").tolist() == [list(np.unravel_index(i, (3, 4))) for i in flat]


def test_extremes_by_key_errors(backend):
    with pytest.raises(IncompatibleShapes, match="no such dim"):
        math.at_max(line(1, 2), line(1, 2), "y")
    with pytest.raises(IncompatibleShapes, match="no elements"):
        math.at_min(1.0, math.zeros(spatial(x=0)))


@pytest.mark.needs("reverse")
def test_derivatives_of_ties_are_shared(backend):
    assert_close(math.gradient(math.max, get_output=False)(line(2, 1, 2)), line(0.5, 0, 0.5))
    assert_close(math.gradient(math.min, get_output=False)(line(2, 1, 1)), line(0, 0.5, 0.5))
    pair = line(1, 2), line(1, 1)
    for extreme, shares in ((math.maximum, [(0.5, 1), (0.5, 0)]), (math.minimum, [(0.5, 0), (0.5, 1)])):
        found = math.gradient(lambda x, y, f=extreme: math.sum(f(x, y)), "x,y", get_output=False)(*pair)
        for gradient, expected in zip(found, shares, strict=True):
            assert_close(gradient, line(*expected))
    assert math.gradient(lambda x: math.maximum(x, 1.0), get_output=False)(tensor(1.0)).item() == 0.5


@pytest.mark.needs("jit", "reverse")
@pytest.mark.compiled
def test_derivatives_of_ties_are_shared_in_jit(backend):
    gradient = math.jit_compile(math.gradient(lambda x: math.sum(math.maximum(x, 1.0)), get_output=False))
    assert_close(gradient(line(0, 1, 2)), line(0, 0.5, 1))


def test_extremes_of_nothing_and_limits_by_shape(backend):
    assert_close(math.maximum(None, line(1), allow_none=True), line(1))
    assert_close(math.minimum(line(1), None, allow_none=True), line(1))
    indices = tensor([[5, 1], [-1, 9]], instance("p"), channel(vector="x,y"))
    assert math.clip(indices, 0, spatial(x=3, y=4)).numpy("p,vector").tolist() == [[3, 1], [0, 4]]


def test_extremes_of_equal_numbers(backend):
    for number in (math.INF, -math.INF, 1e-37, 3e38):
        assert math.maximum(line(number), line(number)).numpy().tolist() == line(number).numpy().tolist()


# --- methods and reductions by type


def test_methods_are_the_functions(backend):
    x = tensor([[1.0, 3.0], [0.0, 4.0]], batch("b"), spatial("x"))
    for method, function in (
        (x.sum, math.sum),
        (x.prod, math.prod),
        (x.mean, math.mean),
        (x.max, math.max),
        (x.min, math.min),
        (x.std, math.std),
    ):
        assert_close(method(), function(x))
        assert_close(method("b"), function(x, "b"))
    assert_close((x > 1).any("b,x"), wrap(True))
    assert_close((x > 1).all(), tensor([False, False], batch("b")))
    assert x.max("x", key=-x).numpy().tolist() == [1, 0]
    assert x.mean(weight=x).numpy().tolist() == [2.5, 4]


def test_reductions_along_the_dims_of_one_type(backend):
    x = tensor(
        np.arange(1.0, 17).reshape(2, 2, 2, 2), math.dual("d"), instance("i"), spatial("s"), channel("c")
    )
    for functions, plain in (
        ([math.dsum, math.psum, math.isum, math.ssum, math.csum], math.sum),
        ([math.dmean, math.pmean, math.imean, math.smean, math.cmean], math.mean),
        ([math.dprod, math.pprod, math.iprod, math.sprod, math.cprod], math.prod),
        ([math.dmax, math.pmax, math.imax, math.smax, math.cmax], math.max),
        ([math.dmin, math.pmin, math.imin, math.smin, math.cmin], math.min),
    ):
        for function, dims in zip(functions, ("~d", "i,s,c", "i", "s", "c"), strict=True):
            assert_close(function(x), plain(x, dims))
    assert_close(math.csum(line(1, 2)), line(1, 2))
    assert math.cmean(vec(x=1.0, y=3.0), weight=vec(x=0.0, y=1.0)).item() == 3
    assert math.dsum.__name__ == "dsum"
    for sort, dim in zip(
        [math.dsort, math.isort, math.ssort, math.csort], ("~d", "i", "s", "c"), strict=True
    ):
        assert_close(sort(-x), math.sort(-x, dim))
    assert_close(math.psort(line(2, 1)), line(1, 2))


@pytest.mark.needs("reverse")
@pytest.mark.parametrize("name", ["quantile", "at_max"])
def test_gradients(name, backend, rng):
    x = tensor(rng.normal(size=(2, 5)), batch("b"), spatial("x"))
    f = {
        "quantile": lambda x: math.quantile(x, vec("q", 0.2, 0.9)),
        "at_max": lambda x: math.at_max(x * x, x),
    }
    check_gradient(lambda x: math.sum(f[name](x), "b" if name == "at_max" else "b,q"), x)


# --- few bits, complex numbers


@pytest.mark.needs("float16")
def test_spread_in_16_bit(backend):
    """Squares from 65504 on are infinite, and so are counts."""
    with math.precision(16):
        x = line(300, -300, 300, -300)
        assert math.std(x).item() == 300
        assert math.finite_std(math.where(line(0, 0, 1, 1) > 0, math.NAN, x)).item() == 300
        many = math.expand(line(1, 3), instance(p=50_000))
        assert math.variance(many * 1, correction=1).item() == 1
        many = math.where(many < math.INF, many, math.NAN)
        assert math.finite_mean(many).item() == 2
        assert math.variance(many).dtype.precision == 16
        assert math.mean(x, weight=0 * x, where_no_weight=-1).item() == -1


def test_weighted_mean_of_complex_numbers(backend, rng):
    data, weights = rng.normal(size=5) + 1j * rng.normal(size=5), rng.uniform(size=5)
    found = math.mean(tensor(data, spatial("x")), weight=tensor(weights, spatial("x")))
    assert_close(found, np.average(data, weights=weights), rtol=1e-5)
