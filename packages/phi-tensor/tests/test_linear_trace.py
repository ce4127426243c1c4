"""Random compositions of linear operations: what is traced does to numbers what the function does."""

import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import phi_tensor as math
from phi_tensor import batch, channel, dual, instance, spatial, tensor, wrap
from phi_tensor._padding import KINDS
from phi_tensor.linear._traced import traced
from phi_tensor.testing import assert_close, check_gradient

MOST = 400
"""Entries beyond which programs do not grow further."""


class Draw:
    """Random parameters of the steps; equal for each run of a program."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def one(self, options):
        return options[self.rng.integers(len(options))]

    def name(self, x, least=1):
        fitting = sorted(d.name for d in x.shape.dims if d.type.name != "dual" and d.size >= least)
        return self.one(fitting) if fitting else None

    def number(self):
        return float(self.rng.uniform(0.5, 2))

    def like(self, shape):
        return tensor(wrap(self.rng.uniform(0.5, 2, shape.sizes), shape))

    def part(self, x):
        return self.like(x.shape.only([name for name in sorted(x.shape.names) if self.rng.integers(2)]))

    def rule(self):
        return self.one([*KINDS, 0, 2.5])

    def sides(self):
        kinds = [kind for kind in (*KINDS, 0, 2.5) if kind != "periodic"]
        return self.one(kinds), self.one(kinds)


STEPS: dict[str, Callable] = {}


def step(function):
    STEPS[function.__name__] = function
    return function


@step
def slice_(x, draw, k):
    name = draw.name(x, 3)
    return x if name is None else x[{name: draw.one([slice(1, None), slice(None, -1), slice(None, None, 2)])}]


@step
def entry(x, draw, k):
    name = draw.name(x)
    return x if name is None or x.rank < 3 else x[{name: -1}]


@step
def pad(x, draw, k):
    names = [n for n in x.shape.spatial.names if x.shape.get_size(n) > 1]
    widths = [(1, 0), (2, 1), (0, 2), (1, -1), (-1, 1)]
    return math.pad(x, {n: draw.one(widths) for n in names}, draw.rule()) if names else x


@step
def pad_sides(x, draw, k):
    names = [n for n in x.shape.spatial.names if x.shape.get_size(n) > 1]
    sides = {n: draw.sides() for n in names}
    return math.pad(x, dict.fromkeys(names, (1, 2)), math.extrapolation.combine_sides(sides)) if names else x


@step
def roll(x, draw, k):
    name = draw.name(x)
    return x if name is None else math.roll(x, draw.one([-1, 2]), name)


@step
def flip(x, draw, k):
    name = draw.name(x)
    return x if name is None else x[{name: slice(None, None, -1)}]


@step
def stack(x, draw, k):
    return x if "s" in x.shape or x.shape.volume > MOST else math.stack([x, 2 * x + 1], channel(s="a,b"))


@step
def stack_long(x, draw, k):
    return x if "l" in x.shape or x.shape.volume > MOST else math.stack([x * i for i in range(6)], batch("l"))


@step
def concat(x, draw, k):
    name = draw.name(x)
    if name is None or x.shape.volume > MOST or x.shape.get_dim(name).labels:
        return x
    return math.concat([x, math.zeros(x.shape) + 3, -x, x[{name: slice(0, 1)}]], name)


@step
def transpose(x, draw, k):
    if not {"x", "y"} <= set(x.shape.names):
        return x
    return math.rename_dims(x, "x,y", spatial("y,x"))


@step
def pack(x, draw, k):
    names = x.shape.spatial.names
    return x if len(names) < 2 or "p" in x.shape else math.pack_dims(x, names, instance("p"))


@step
def unpack(x, draw, k):
    size = x.shape.get_size("p") if "p" in x.shape else 1
    return x if size % 2 or "u" in x.shape else math.unpack_dim(x, "p", spatial(u=2, v=size // 2))


@step
def expand(x, draw, k):
    return x if "e" in x.shape or x.shape.volume > MOST else math.expand(x, batch(e=2))


@step
def sum_(x, draw, k):
    return x if x.rank < 3 else math.sum(x, draw.name(x))


@step
def mean_free(x, draw, k):
    name = draw.name(x)
    return x if name is None else x - math.mean(x, draw.one([name, x.shape.names]))


@step
def scale(x, draw, k):
    return draw.part(x) * x * draw.one([2, 0.5, True])


@step
def divide(x, draw, k):
    return x / draw.part(x) - x / 3


@step
def one_minus(x, draw, k):
    return 1 - x


@step
def coefficient(x, draw, k):
    return k * x + draw.number() * x


@step
def offset(x, draw, k):
    return draw.part(x) - x


@step
def where(x, draw, k):
    condition = draw.part(x) > 1.2
    return math.where(condition, x, draw.one([1.5 - x, 0, 2 * x]))


@step
def take(x, draw, k):
    name = draw.name(x, 2)
    return x if name is None else x[{name: [1, 0, 1]}]


@step
def gather(x, draw, k):
    names = [n for n in x.shape.spatial.names if x.shape.get_size(n) > 1]
    if not names or "g" in x.shape:
        return x
    at = draw.rng.integers(0, [x.shape.get_size(n) for n in names], (4, len(names)))
    return math.gather(x, tensor(wrap(at, instance("g"), channel(vector=names))))


@step
def sample(x, draw, k):
    names = x.shape.spatial.names[:2]
    if not names or min(x.shape.get_size(n) for n in names) < 2 or "g" in x.shape:
        return x
    at = draw.rng.uniform(-2, 5, (4, len(names)))
    points = wrap(at, instance("g"), channel(vector=names))
    return math.grid_sample(x, points, draw.rule(), draw.one(["linear", "cubic"]))


@step
def convolve(x, draw, k):
    names = x.shape.spatial.names[:2]
    kernel = draw.like(spatial(**dict.fromkeys(names, 2))) if names else None
    if kernel is None or min(x.shape.get_size(n) for n in names) < 2:
        return x
    return math.convolve(x, kernel, draw.one(["same", "full"]), extrapolation=draw.one([0, "periodic", 1]))


@step
def matmul(x, draw, k):
    name = draw.name(x)
    if name is None or "o" in x.shape:
        return x
    matrix = draw.like(channel(o=3) & dual(**{name: x.shape.get_size(name)}))
    return matrix @ x


@step
def difference(x, draw, k):
    names = [n for n in x.shape.spatial.names if x.shape.get_size(n) > 1]
    if not names or "vector" in x.shape or x.shape.volume > MOST:
        return x
    kind = draw.one(["central", "forward", "backward"])
    return math.spatial_gradient(x, draw.number(), kind, draw.rule(), stack_dim=channel("vector"))


@step
def laplace(x, draw, k):
    names = [n for n in x.shape.spatial.names if x.shape.get_size(n) > 2]
    return math.laplace(x, draw.number(), draw.one([draw.rule(), None]), dims=names) if names else x


@step
def running_sum(x, draw, k):
    name = draw.name(x)
    return x if name is None else math.cumulative_sum(x, name)


def program(names, seed):
    """Function of the unknown and a coefficient that takes these steps."""

    def f(x, k):
        for i, name in enumerate(names):
            x = STEPS[name](x, Draw(zlib.crc32(f"{seed},{i}".encode())), k)
        return x

    return f


def unknown(seed):
    rng = np.random.default_rng(seed)
    shape = [
        spatial(x=4, y=3),
        batch(b=2) & spatial(x=3, y=4),
        spatial(x=3, y=3) & channel(vector="x,y"),
        spatial(x=2, y=3, z=3),
        instance(n=5),
    ][seed % 5]
    x = tensor(wrap(rng.standard_normal(shape.sizes), shape))
    return math.stack(list(x.vector), channel(vector="x,y")) if "vector" in shape and seed % 2 else x


programs = st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=5)
seeds = st.integers(0, 10**6)


def check(f, x):
    """Compare a traced function of one tensor with the function itself."""
    desired = f(x)
    function = traced(f, x)
    assert_close(function.apply(x) + function.bias, desired, rtol=1e-10)
    assert_close(function.bias, f(x * 0), rtol=1e-10, atol=1e-10)
    rng = np.random.default_rng(1)
    y = tensor(wrap(rng.standard_normal(desired.shape.sizes), desired.shape))
    left, right = (y * function.apply(x)).sum(desired.shape), (x * function.adjoint(y)).sum(x.shape)
    assert_close(left, right, rtol=1e-10, atol=1e-10 * float(abs(y * desired).sum(desired.shape) + 1))
    matrix, bias = math.matrix_from_function(f, x)
    product = matrix @ x if matrix.shape.dual else matrix * x
    assert_close(math.expand(product + bias, desired.shape), desired, rtol=1e-9)


@given(names=programs, seed=seeds)
@settings(max_examples=8)
def test_compositions(names, seed, backend):
    with math.precision(64):
        x, k = unknown(seed), tensor(1.7)
        f = program(names, seed)
        check(lambda x: f(x, k), x)


@pytest.mark.parametrize("name", sorted(STEPS))
def test_each_step(name, backend):
    with math.precision(64):
        for seed in (0, 7):
            x, k = unknown(seed), tensor(1.7)
            f = program([name], seed)
            check(lambda x, f=f, k=k: f(x, k), x)


@pytest.mark.slow
@given(names=programs, seed=seeds)
@settings(max_examples=150)
def test_many_compositions(names, seed, backend):
    test_compositions.hypothesis.inner_test(names, seed, backend)


@pytest.mark.compiled
@pytest.mark.needs("jit")
@pytest.mark.parametrize(
    "names", [["pad", "coefficient", "laplace"], ["sample", "mean_free"], ["stack", "sum_"]]
)
def test_inside_compiled_functions(names, backend):
    with math.precision(64):
        x, k = unknown(0), tensor(1.7)
        f = program(names, 0)

        @math.jit_compile
        def everything(x, y, k):
            function = traced(lambda x: f(x, k), x)
            return function.apply(x), function.bias, function.adjoint(y)

        desired = f(x, k)
        y = tensor(wrap(np.random.default_rng(2).standard_normal(desired.shape.sizes), desired.shape))
        product, bias, adjoint = everything(x, y, k)
        assert_close(product + bias, desired, rtol=1e-10)
        assert_close((adjoint * x).sum(x.shape), (product * y).sum(y.shape), rtol=1e-10)


@pytest.mark.needs("reverse")
@pytest.mark.parametrize(
    "names", [["coefficient", "pad", "laplace"], ["laplace", "coefficient", "running_sum"]]
)
def test_matrices_are_differentiable_in_coefficients(names, backend):
    x, f = unknown(0), program(names, 0)

    def product(k):
        function = traced(lambda x: f(x, k), x)
        matrix, bias = math.matrix_from_function(lambda x: f(x, k), x)
        return matrix @ x + bias, function.apply(x), function.adjoint(function.bias * 0 + 1)

    check_gradient(product, tensor(1.7))


def test_other_coefficients(backend):
    with math.precision(64):
        x = unknown(0)
        function = traced(lambda x: math.laplace(x, padding=0) * 2.0 + x, x)
        other = function.with_coefficients([3 * c for c in function.coefficients])
        assert_close(other.apply(x), 3 * function.apply(x))
