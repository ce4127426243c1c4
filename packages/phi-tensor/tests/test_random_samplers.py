"""Further distributions by key: against SciPy's, in compiled code, with batches and ragged sizes."""

import numpy as np
import pytest
from scipy import stats

import phi_tensor as math
from phi_tensor import (
    IncompatibleShapes,
    Unsupported,
    batch,
    channel,
    instance,
    random_key,
    spatial,
    tensor,
    wrap,
)
from phi_tensor.testing import assert_close

COUNT = 20_000
RARE = 1e-4
"""Probability with which a right sampler would fail; keys are fixed, so that it does not."""


def draws(sampler, *parameters, **named):
    return sampler(spatial(x=COUNT), *parameters, key=random_key(11), **named).numpy()


def counts_fit(numbers, probabilities):
    """Chi-square test of ints 0, 1, … against their probabilities; the rest is one more class."""
    observed = np.bincount(numbers, minlength=len(probabilities))
    expected = np.append(probabilities, max(0, 1 - np.sum(probabilities))) * len(numbers)
    observed = np.append(observed[: len(probabilities)], observed[len(probabilities) :].sum())
    used = expected > 5
    statistic = np.sum((observed - expected)[used] ** 2 / expected[used])
    return stats.chi2.sf(statistic, np.sum(used) - 1) > RARE


def test_the_test_of_counts_sees_a_wrong_distribution(rng):
    probabilities = stats.poisson(3).pmf(np.arange(20))
    assert counts_fit(rng.poisson(3, COUNT), probabilities)
    assert not counts_fit(rng.poisson(3.2, COUNT), probabilities)


def test_integers(backend):
    numbers = math.random_integers(spatial(x=COUNT), low=-2, high=5, key=random_key(3))
    assert numbers.dtype == math.DType.of("int32")
    assert counts_fit(numbers.numpy() + 2, np.full(7, 1 / 7))
    with math.on_backend("numpy"):
        same = math.random_integers(spatial(x=COUNT), low=-2, high=5, key=random_key(3))
    np.testing.assert_array_equal(numbers.numpy(), same.numpy())
    large = math.random_integers(spatial(x=COUNT), high=2**31, dtype="int64", key=random_key(4)).numpy()
    assert stats.kstest(large / 2**31, "uniform").pvalue > RARE
    limits = math.random_integers(batch(b=500), high=tensor([1, 3], channel("c")), key=random_key(5))
    assert [sorted(set(part.numpy().tolist())) for part in math.unstack(limits, "c")] == [[0], [0, 1, 2]]
    for low, high in ((1, 1), (0, 2**31 + 1)):
        with pytest.raises(ValueError, match=r"1 to 2³¹"):
            math.random_integers(spatial(x=2), low=low, high=high)


def test_bools(backend):
    numbers = draws(math.random_bernoulli, probability=0.3)
    assert numbers.dtype == bool
    assert stats.binomtest(int(numbers.sum()), COUNT, 0.3).pvalue > RARE
    sure = math.random_bernoulli(batch(b=9), probability=tensor([0.0, 1.0], channel("c")))
    assert sure.numpy("c,b").tolist() == [[False] * 9, [True] * 9]


def test_exponential(backend):
    assert stats.kstest(draws(math.random_exponential, scale=2.0), stats.expon(scale=2).cdf).pvalue > RARE


@pytest.mark.parametrize("concentration", [0.3, 1.0, 7.5, 1e5])
def test_gamma(concentration, backend):
    numbers = draws(math.random_gamma, concentration=concentration, scale=2.0)
    assert numbers.dtype == np.float32
    assert stats.kstest(numbers, stats.gamma(concentration, scale=2).cdf).pvalue > RARE


@pytest.mark.parametrize("rate", [0.2, 4.0, 9.9, 10.0, 40.0])
def test_poisson(rate, backend):
    assert counts_fit(draws(math.random_poisson, rate=rate), stats.poisson(rate).pmf(np.arange(90)))


def test_poisson_of_high_rates(backend):
    numbers = draws(math.random_poisson, rate=1e6)
    assert stats.kstest((numbers + 0.5 - 1e6) / 1e3, "norm").pvalue > RARE  # skewness 1e-3


def test_parameters_that_vary(backend):
    rates = tensor([0.0, 2.0, 50.0], batch("b"))
    numbers = math.random_poisson(spatial(x=5000), rate=rates, key=random_key(2))
    assert numbers.shape == batch(b=3) & spatial(x=5000)
    means = math.mean(math.to_float(numbers), "x").numpy()
    assert np.all(np.abs(means - [0, 2, 50]) <= 5 * np.sqrt(np.array([0, 2, 50]) / 5000))
    shapes = math.random_gamma(
        spatial(x=5000), concentration=tensor([0.5, 3.0], batch("b")), key=random_key(2)
    )
    deviations = np.abs(math.mean(shapes, "x").numpy() - [0.5, 3])
    assert np.all(deviations <= 5 * np.sqrt(np.array([0.5, 3]) / 5000))


def test_invalid_parameters(backend):
    for bad in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=r"random_poisson.*rate"):
            math.random_poisson(spatial(x=2), rate=bad)
        with pytest.raises(ValueError, match=r"random_gamma.*concentration"):
            math.random_gamma(spatial(x=2), concentration=bad)


def test_ragged_sizes(backend):
    ragged = math.stack([math.zeros(spatial(x=2)), math.zeros(spatial(x=3))], batch("b")).shape
    samplers = [
        math.random_uniform,
        math.random_normal,
        math.random_bernoulli,
        math.random_exponential,
        lambda shape, **named: math.random_integers(shape, high=5, **named),
        lambda shape, **named: math.random_poisson(shape, rate=20.0, **named),
        lambda shape, **named: math.random_gamma(shape, concentration=0.5, **named),
    ]
    for sampler in samplers:
        numbers = sampler(ragged, key=random_key(1))
        assert numbers.shape == ragged
        assert_close(numbers, sampler(ragged, key=random_key(1)))
    assert len(set(math.random_uniform(ragged).b[1].numpy().tolist())) == 3


@pytest.mark.needs("jit")
@pytest.mark.compiled
def test_samplers_in_compiled_code(backend):
    def compute(rate):
        return (
            math.random_poisson(spatial(x=50), rate=rate, key=random_key(1)),
            math.random_gamma(spatial(x=50), concentration=rate, key=random_key(2)),
            math.random_permutation(spatial(x=50), index_dim=None, key=random_key(3)),
            math.pick_random(math.arange(spatial(x=50)), "x", 5, key=random_key(4)),
            math.random_integers(spatial(x=50), high=7, key=random_key(5)),
        )

    rate = tensor(12.5)
    for eager, compiled in zip(compute(rate), math.jit_compile(compute)(rate), strict=True):
        assert_close(compiled, eager, rtol=1e-5)


@pytest.mark.needs("jit", "reverse")
@pytest.mark.compiled
def test_compiled_derivatives(backend):
    def loss(a, scale):
        return math.sum(math.random_gamma(spatial(x=5), concentration=a, scale=scale, key=random_key(1)))

    slopes = math.jit_compile(math.gradient(loss, "a,scale", get_output=False))(tensor(2.5), tensor(3.0))
    assert_close(slopes[1] * 3, loss(2.5, 3.0), rtol=1e-5)
    assert np.isnan(slopes[0].item())  # compiled code cannot raise


@pytest.mark.needs("jit")
@pytest.mark.compiled
def test_compiled_calls_without_a_key_draw_anew(backend):
    sample = math.jit_compile(lambda rate: math.random_poisson(spatial(x=20), rate=rate))
    rate = tensor(100.0)
    assert not np.array_equal(sample(rate).numpy(), sample(rate).numpy())


@pytest.mark.needs("reverse")
def test_derivatives(backend):
    def loss(a, scale):
        numbers = math.random_gamma(spatial(x=5), concentration=a, scale=scale, key=random_key(1))
        return math.sum(numbers)

    a, scale = tensor(2.5), tensor(3.0)
    slope = math.gradient(loss, "scale", get_output=False)(a, scale)
    assert_close(slope * 3, loss(a, scale))
    with pytest.raises(Unsupported, match=r"random_gamma.*concentration"):
        math.gradient(loss, "a", get_output=False)(a, scale)
    rate = math.gradient(
        lambda r: math.sum(r * math.random_poisson(spatial(x=5), rate=r, key=random_key(1))), get_output=False
    )(tensor(20.0))
    assert rate.item() == math.sum(math.random_poisson(spatial(x=5), rate=20.0, key=random_key(1))).item()


# --- order and subsets


def test_permutations_are_equally_likely(backend):
    orders = math.random_permutation(batch(b=6000), spatial(x=3), index_dim=None, key=random_key(1))
    codes = orders.numpy("b,x") @ [9, 3, 1]
    _, found = np.unique(codes, return_counts=True)
    assert len(found) == 6
    assert stats.chisquare(found).pvalue > RARE


def test_permutations_are_index_vectors(backend):
    x = math.arange(spatial(x=3)) * 4 + math.arange(spatial(y=4))
    order = math.random_permutation(x.shape, key=random_key(1))
    assert order.shape == spatial(x=3, y=4) & channel(index="x,y")
    shuffled = x[order].numpy("x,y")
    assert sorted(shuffled.ravel()) == list(range(12))
    assert shuffled.ravel().tolist() != list(range(12))
    with math.on_backend("numpy"):
        assert_close(
            math.random_permutation(x.shape, key=random_key(1)).numpy("x,y,index"), order.numpy("x,y,index")
        )
    ragged = math.stack([math.zeros(spatial(x=2)), math.zeros(spatial(x=3))], batch("b")).shape
    each = math.random_permutation(ragged)
    assert [sorted(part.numpy("x,index").ravel()) for part in math.unstack(each, "b")] == [[0, 1], [0, 1, 2]]
    with pytest.raises(IncompatibleShapes, match="permute"):
        math.random_permutation(batch(b=2))


def test_a22_single_picks_are_uniform(backend):
    picked = math.pick_random(math.arange(spatial(x=5)), "x", selections=batch(many=4000), key=random_key(1))
    assert picked.shape == batch(many=4000)
    assert stats.chisquare(np.bincount(picked.numpy(), minlength=5)).pvalue > RARE


def test_picks_differ_and_keep_other_dims(backend):
    x = math.arange(spatial(x=6)) * math.vec(a=1, b=10)
    picked = math.pick_random(x, "x", 4, key=random_key(1))
    assert picked.shape == spatial(x=4) & channel(vector="a,b")
    first = picked["a"].numpy().tolist()
    assert len(set(first)) == 4
    assert picked["b"].numpy().tolist() == [10 * i for i in first]
    assert sorted(math.pick_random(x, "x", None)["a"].numpy().tolist()) == list(range(6))
    assert math.pick_random(x, "x", instance(p=2)).shape == instance(p=2) & channel(vector="a,b")
    tree = math.pick_random({"x": x, "y": math.zeros(spatial(y=2))}, "x", 4, key=random_key(1))
    assert_close(tree["x"], picked)
    assert tree["y"].shape == spatial(y=2)


def test_picks_per_example(backend):
    x = math.expand(math.arange(spatial(x=50)), batch(b=2))
    each = math.pick_random(x, "x", 10, key=random_key(1)).numpy("b,x")
    assert each[0].tolist() != each[1].tolist()
    same = math.pick_random(x, "x", 10, same_selection_dims="b", key=random_key(1)).numpy("b,x")
    assert same[0].tolist() == same[1].tolist()
    ragged = math.stack([math.arange(spatial(x=2)), math.arange(spatial(x=3)) + 5], batch("b"))
    pairs = math.pick_random(ragged, "x", 2, key=random_key(1))
    assert pairs.shape == batch(b=2) & spatial(x=2)
    assert sorted(pairs.b[0].numpy().tolist()) == [0, 1]
    assert set(pairs.b[1].numpy().tolist()) <= {5, 6, 7}


def test_weighted_picks(backend):
    x, weights = math.arange(spatial(x=4)), [1.0, 0.0, 2.0, 5.0]
    for replace in (False, True):
        one = math.pick_random(
            x, "x", 1, weights, selections=batch(many=4000), replace=replace, key=random_key(1)
        )
        assert counts_fit(one.numpy(), np.array(weights) / 8)
    two = math.pick_random(x, "x", 2, weights, selections=batch(many=4000), key=random_key(2)).numpy("many,x")
    expected = {(0, 2): 1 / 8 * 2 / 7, (2, 0): 2 / 8 * 1 / 6, (0, 3): 1 / 8 * 5 / 7, (3, 0): 5 / 8 * 1 / 3}
    for pair, probability in expected.items():
        assert stats.binomtest(int(np.sum(np.all(two == pair, 1))), 4000, probability).pvalue > RARE
    with_replacement = math.pick_random(x, "x", 9, replace=True, key=random_key(1))
    assert with_replacement.shape == spatial(x=9)
    per_example = tensor([[0.0, 1, 0, 0], [0.0, 0, 0, 1]], batch("b"), spatial("x"))
    assert math.pick_random(x, "x", 1, per_example).numpy().tolist() == [1, 3]


def test_impossible_picks(backend):
    x = math.arange(spatial(x=3))
    with pytest.raises(IncompatibleShapes, match=r"4 different.*replace=True"):
        math.pick_random(x, "x", 4)
    with pytest.raises(IncompatibleShapes, match="one dim"):
        math.pick_random(x, "y")
    with pytest.raises(ValueError, match="2 of them positive"):
        math.pick_random(x, "x", 2, wrap([0.0, 0.0, 1.0], spatial("x")))
