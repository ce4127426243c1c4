import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import batch, channel, instance, spatial, tensor, vec, wrap
from phi_tensor.layouts._layout import Stacked
from phi_tensor.testing import assert_close

pytestmark = pytest.mark.compiled


def grid(rng, *shape):
    return tensor(rng.normal(size=[int(s.size) for s in shape]), *shape)


def counted(f):
    """`f` compiled, and the list of its Python runs."""
    runs = []

    def body(*args, **kwargs):
        runs.append(1)
        return f(*args, **kwargs)

    return math.jit_compile(body), runs


@pytest.fixture
def compiler(backend):
    if "jit" not in backend.supports:
        pytest.skip("NumPy has no compiler")
    return backend


def test_numpy_runs_uncompiled(backend):
    if "jit" in backend.supports:
        return
    f, runs = counted(lambda x: x + 1)
    assert float(f(f(wrap(1.0)))) == 3
    assert len(runs) == 2


def test_steps_from_zeros_trace_once(compiler):  # SEM 155
    step, runs = counted(lambda s: 2 * s + 1)
    s = step(math.zeros(spatial(x=3, y=2)))
    s = step(s)
    step(s)
    assert len(runs) == 1
    assert_close(s, 3 * math.ones(spatial(x=3, y=2)))


def test_vectors_trace_once_however_they_are_stored(compiler):
    step, runs = counted(lambda s: s + vec(x=1.0, y=2.0))
    s = step(math.zeros(spatial(x=3), channel(vector="x,y")))
    s = step(s)
    s = step(math.stack({"x": s["x"], "y": s["y"]}, channel("vector")))
    assert len(runs) == 1
    assert_close(s.x[0], vec(x=3.0, y=6.0))


@pytest.mark.parametrize("order", ["p,vector", "vector,p"])
def test_vectors_of_few_components_return_as_separate_arrays(order, compiler):
    double, runs = counted(lambda v: 2 * v)
    dims = {"p": instance(p=4), "vector": channel(vector="x,y,z")}
    sizes = [4 if name == "p" else 3 for name in order.split(",")]
    dense = tensor(np.arange(12.0).reshape(sizes), *(dims[name] for name in order.split(",")))
    after = double(dense)
    assert_close(after, 2 * dense)
    assert isinstance(after.layout, Stacked)
    assert after.shape.names == ("p", "vector")
    assert_close(double(after), 4 * dense)
    long = math.zeros(instance(p=4), channel(vector="a,b,c,d,e"))
    assert not isinstance(double(long).layout, Stacked)
    assert len(runs) == 2


def test_counted_entries_are_computed_by_the_compiled_function(compiler):
    @math.jit_compile
    def positions(x):
        assert math.is_compiling()
        entries = math.counted(x.shape, 0.25, 0.5)
        assert not entries.available
        return x * entries

    assert not math.is_compiling()
    assert_close(positions(math.ones(spatial(x=5))), wrap([0.25, 0.75, 1.25, 1.75, 2.25], spatial("x")))


def test_other_values_never_retrace(compiler):
    f, runs = counted(lambda x, factor: factor * x)
    x = math.ones(spatial(x=3))
    for factor in (1.0, 2.0, 2.5):
        assert_close(f(x, factor), factor * x)
    assert len(runs) == 1


def test_dtypes_sizes_names_and_labels_retrace(compiler):  # WEAKNESSES A26
    f, runs = counted(lambda x: x + x)
    ones = math.ones(spatial(x=2))
    for x in (
        ones,
        math.to_int32(ones),
        math.ones(spatial(x=3)),
        math.ones(spatial(y=2)),
        math.ones(channel(x="a,b")),
    ):
        f(x)
        f(x)
    assert len(runs) == 5


def test_precision_32_then_64_traces_twice(compiler):
    f, runs = counted(lambda x: x / 3)
    x = wrap(np.ones(2), spatial("x"))
    for _ in range(2):
        with math.precision(32):
            assert f(x).dtype == math.DType.of("float32")
        with math.precision(64):
            assert f(x).dtype == math.DType.of("float64")
    assert len(runs) == 2


def test_captured_tensors_keep_the_value_of_the_trace(compiler):
    masses = [tensor([1.0, 2.0], instance("p"))]
    f, runs = counted(lambda x: x * masses[0])
    x = math.ones(instance(p=2))
    first = f(x)
    masses[0] = tensor([5.0, 5.0], instance("p"))
    assert_close(f(x), first)
    assert_close(first, tensor([1.0, 2.0], instance("p")))
    assert len(runs) == 1


def test_one_tensor_twice_is_two_arguments(compiler, rng):
    x = grid(rng, spatial(x=4))
    f = math.jit_compile(lambda a, b: a - 2 * b)
    assert_close(f(x, x), -x)
    assert_close(f(x, 2 * x), -3 * x)


def test_auxiliary_arguments_are_constants(compiler):  # SEM 154
    runs = []

    def power(x, k):
        runs.append(k)
        return x**k

    f = math.jit_compile(power, auxiliary_args="k")
    x = tensor(2.0)
    assert [float(f(x, k=k)) for k in (1, 2, 2)] == [2, 4, 4]
    assert runs == [1, 2]


@pytest.mark.parametrize("auxiliary", ["", "shape"])
def test_static_shapes_of_another_order_trace_again(compiler, auxiliary):
    f = math.jit_compile(lambda x, shape: (x + 1, shape.names), auxiliary_args=auxiliary)
    for shape in 2 * [spatial(x=2, y=3), spatial(y=3, x=2)]:
        assert f(1.0, shape)[1] == shape.names
    assert len(f.traces) == 2


def test_keyword_arguments_and_trees(compiler):
    @math.jit_compile
    def f(state, *, factor=1.0, mode="plain"):
        return {"a": factor * state["a"], "mode": mode}, state["b"]

    out, b = f({"a": math.ones(spatial(x=2)), "b": (wrap(1.0), None)}, factor=3.0, mode="other")
    assert out["mode"] == "other"
    assert b[1] is None
    assert_close(out["a"], 3 * math.ones(spatial(x=2)))


def test_ragged_arguments(compiler):
    ragged = math.stack([math.zeros(spatial(x=2)), math.ones(spatial(x=3))], batch("b"))
    f, runs = counted(lambda r: r + 1)
    result = f(f(ragged))
    assert result.shape == ragged.shape
    assert_close(math.sum(result, "x"), tensor([4.0, 9.0], batch("b")))
    assert len(runs) == 1


def test_jit_inside_jit_and_gradient(compiler, rng):  # WEAKNESSES J5
    inner = math.jit_compile(lambda x: math.sin(x) * x)

    def loss(x):
        for _ in range(2):
            x = inner(x)
        return math.l2_loss(x)

    x = grid(rng, spatial(x=4))
    eager = math.gradient(loss)(x)
    both = math.jit_compile(math.gradient(loss))(x)
    assert_close(both[0], eager[0], rtol=1e-4)
    assert_close(both[1], eager[1], rtol=1e-4, atol=1e-6)


def test_what_a_scatter_wrote_is_read_after_it(compiler, rng):
    """PyTorch 2.13 fused the two sums and ran them before the scatter (pytorch/pytorch#185509)."""
    x, y = spatial(x=6), spatial(y=5)
    indices = tensor(rng.integers(0, 5, (30, 2)), instance(points=30), channel(vector="x,y"))

    def sums(a, column, values):
        return a + column, a + math.scatter(x & y, indices, values, mode="add")

    operands = grid(rng, x, y), grid(rng, x), grid(rng, instance(points=30))
    for found, wanted in zip(math.jit_compile(sums)(*operands), sums(*operands), strict=True):
        assert_close(found, wanted, atol=1e-6)


@pytest.mark.needs("reverse")
def test_gradient_of_samples_joins_that_of_the_values(compiler, rng):
    """As above: slopes of interpolated values are scattered into the grid and added to other slopes."""
    x, y = spatial(x=6), spatial(y=5)
    points = tensor(4 * rng.random((6, 5, 2)), x, y, channel(vector="x,y"))

    def slopes(a, column):
        weight = a * column

        def energy(a):
            return math.sum(math.grid_sample(a, points, "zero-gradient") * weight + a**2)

        slope = math.gradient(energy, get_output=False)(a)
        return weight, slope, slope + column

    operands = grid(rng, x, y), grid(rng, x)
    for found, wanted in zip(math.jit_compile(slopes)(*operands), slopes(*operands), strict=True):
        assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_a_failed_trace_leaves_nothing_behind(compiler):  # WEAKNESSES J4
    @math.jit_compile
    def branches(x):
        return x if x > 0 else -x

    with pytest.raises(math.Unsupported, match="where"):
        branches(tensor(1.0))
    assert float(math.jit_compile(lambda x: x + 1)(tensor(1.0))) == 2
    assert float(tensor(1.0) + 1) == 2
    assert math.get_precision() == 32


def test_random_numbers_are_new_in_every_call(compiler):
    f, _ = counted(lambda x: x + math.random_uniform(spatial(x=50)))
    a, b = f(wrap(0.0)), f(wrap(0.0))
    assert float(math.max(math.abs(a - b))) > 0.1
    assert len(f.traces) == 1


def test_forget_traces_keeps_the_latest(compiler):  # SEM 157
    runs = []
    f = math.jit_compile(lambda x: runs.append(1) or x + 1, forget_traces=True)
    for size in (2, 3, 2):
        f(math.ones(spatial(x=size)))
    assert len(runs) == 3
    assert len(f.traces) == 1
