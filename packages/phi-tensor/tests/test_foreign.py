"""Tensors inside transformations of the libraries themselves: `jax.jit`, `torch.func` or `tf.function`."""

import pytest

import phi_tensor as math
from phi_tensor import (
    IncompatibleShapes,
    Unsupported,
    batch,
    channel,
    dual,
    instance,
    spatial,
    tensor,
    vec,
    wrap,
)
from phi_tensor.testing import assert_close


@pytest.fixture
def library(backend, request):
    """The library that a test names, if it is the backend."""
    wanted = request.param
    if backend.name != wanted:
        pytest.skip(f"a test of {wanted}")
    return pytest.importorskip(wanted)


def only(name):
    return pytest.mark.parametrize("library", [name], indirect=True)


def example():
    u = tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], batch("b"), spatial("x"))
    return {"u": u, "v": vec(x=tensor(1.0), y=tensor(2.0))}


def program(tree, scale):
    u, v = tree["u"], tree["v"]
    return {"u": math.sin(u) * scale + v["x"], "v": math.sum(u, "x") * v}


def total(tree):
    return math.sum(program(tree, 2.0)["v"], lambda shape: shape)


def loss(tree):
    return total(tree).native()


def constant_loss(x):
    return math.l2_loss(x * tensor([1.0, 2.0, 3.0], spatial("x")) + 1)


def expected_gradient():
    return math.gradient(total, get_output=False)(example())


# --- JAX


@pytest.mark.compiled
@only("jax")
def test_tensors_in_jax_jit(library):
    traces = []

    def traced(tree, scale):
        traces.append(scale)
        return program(tree, scale)

    f = library.jit(traced)
    assert_close(f(example(), 2.0), program(example(), 2.0), rtol=1e-5)
    f(example(), 3.0)
    assert len(traces) == 1
    numpy_tree = math.convert(example(), "numpy")
    assert_close(f(numpy_tree, 2.0), program(example(), 2.0), rtol=1e-5)


@only("jax")
def test_tensors_in_jax_derivatives(library):
    assert_close(library.grad(loss)(example()), expected_gradient())
    value, tangent = library.jvp(lambda tree: program(tree, 2.0), (example(),), (example(),))
    assert_close((value, tangent), math.jvp(lambda tree: program(tree, 2.0), [example()], [example()]))


@only("jax")
def test_jax_derivatives_by_each_entry_of_constants(library):
    x = math.zeros(spatial(x=3))
    found = library.grad(lambda x: constant_loss(x).native())(x)
    assert_close(found, math.gradient(constant_loss, get_output=False)(x))


@only("jax")
def test_tensors_in_jax_vmap(library):
    x = tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], batch("b"), spatial("x"))
    seen = []

    def f(x):
        seen.append(x.shape)
        return math.sum(x, "x") * vec(x=1.0, y=2.0)

    result = library.vmap(f)(x)
    assert seen[-1] == spatial(x=3)
    assert_close(math.rename_dims(result, "vmap", "b"), f(x))
    library.vmap(lambda x: seen.append(x.shape) or x, in_axes=1)(x.x[:2])  # both axes have size 2
    assert seen[-1] == batch(b=2)
    pair = vec(x=tensor([3.0, 4.0], batch("b")), y=tensor([1.0, 2.0], batch("b")))
    stacked = library.vmap(lambda v: v * 2)(pair)
    assert stacked.shape.without("vmap") == channel(vector="x,y")


@pytest.mark.compiled
@only("jax")
def test_tensors_in_jax_scan_and_tree_functions(library):
    xs = tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], batch("t"), spatial("x"))
    total, trajectory = library.lax.scan(lambda c, x: (c + x, c), math.zeros(spatial(x=3)), xs)
    assert_close(total, math.sum(xs, "t"))
    assert trajectory.shape == batch(vmap=2) & spatial(x=3)
    doubled = library.tree.map(lambda a: 2 * a, xs)
    assert_close(doubled, 2 * xs)
    assert library.tree.map(lambda a: a.astype("float64"), xs).dtype.precision == 64
    assert library.tree.structure(xs) == library.tree.structure(xs * 2)
    assert library.eval_shape(lambda x: x * 2, xs).shape == xs.shape
    with pytest.raises(IncompatibleShapes, match="another library"):
        library.tree.map(lambda a: a[:, :2], xs)


@pytest.mark.compiled
@only("jax")
def test_outcomes_in_jax_jit(library):
    """Hidden outputs have no way out of a foreign transformation: results are marked, nothing is observed."""

    def root(x):
        told = math.report(x < 0, lambda value: math.Diverged("negative"))
        result = math.sqrt(math.abs(x))
        return result if told else math.where(x < 0, math.NAN, result)

    found = library.jit(root)(tensor([-1.0, 4.0], spatial("x")))
    assert_close(found, tensor([math.NAN, 2.0], spatial("x")))
    with pytest.raises(math.Diverged):
        math.jit_compile(root)(tensor([-1.0], spatial("x"))).numpy("x")
    with pytest.raises(Unsupported, match="jit_compile"):
        library.jit(lambda x: math.when_available(print, x) or x)(tensor(1.0))


# --- torch


@only("torch")
def test_tensors_in_torch_func(library):
    func = library.func
    found = func.grad(loss)(example())
    assert_close(found, expected_gradient())
    expected = math.jvp(lambda tree: program(tree, 2.0), [example()], [example()])
    # Now torch has loaded its forward rules, which warns.
    assert_close(func.jvp(lambda tree: program(tree, 2.0), (example(),), (example(),)), expected)


@only("torch")
def test_torch_derivatives_by_each_entry_of_constants(library):
    x = math.zeros(spatial(x=3))
    first = library.func.grad(lambda x: constant_loss(x).native())
    assert_close(first(x), math.gradient(constant_loss, get_output=False)(x))

    def norm_of_gradient(x):
        return math.l2_loss(first(x + math.zeros(spatial(x=3)))).native()

    assert_close(library.func.grad(norm_of_gradient)(x), tensor([1.0, 8.0, 27.0], spatial("x")))


@only("torch")
def test_tensors_in_torch_vmap(library):
    x = tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], batch("b"), spatial("x"))
    seen = []

    def f(x):
        seen.append(x.shape)
        return math.sum(x, "x") * vec(x=1.0, y=2.0)

    result = library.func.vmap(f)(x)
    assert seen[-1] == spatial(x=3)
    assert_close(math.rename_dims(result, "vmap", "b"), f(x))
    library.func.vmap(lambda x: seen.append(x.shape) or x, in_dims=1)(x.x[:2])
    assert seen[-1] == batch(b=2)


@only("torch")
def test_tensors_train_by_torch_autograd(library):
    weights = library.tensor([1.0, 2.0], requires_grad=True)
    value = math.l2_loss(wrap(weights, channel("c")) * 3)
    value.native().backward()
    assert weights.grad.tolist() == [9, 18]


@pytest.mark.compiled
@pytest.mark.slow
@only("torch")
def test_tensors_in_torch_compile(library):
    """Right, with breaks at every setting that we read: `jit_compile` is what compiles."""
    f = library.compile(lambda x: math.sin(x) * 2 + 1)
    x = tensor([1.0, 2.0], spatial("x"))
    assert_close(f(x), math.sin(x) * 2 + 1)
    with math.precision(64):
        assert f(x).dtype.precision == 64
    weights = library.tensor([1.0, 2.0], requires_grad=True)
    f(wrap(weights, spatial("x"))).native().sum().backward()
    assert_close(wrap(weights.grad, spatial("x")), 2 * math.cos(x))


# --- TensorFlow


@pytest.mark.compiled
@only("tensorflow")
def test_tensors_in_tf_function(library):
    traced = []

    @library.function
    def f(tree, scale):
        traced.append(1)
        return program(tree, scale)

    two = library.constant(2.0)
    assert_close(f(example(), two), program(example(), 2.0), rtol=1e-5)
    assert_close(
        f(math.tree_map(lambda x: x + 1, example()), two),
        program(math.tree_map(lambda x: x + 1, example()), 2.0),
        rtol=1e-5,
    )
    assert len(traced) == 1
    f({"u": example()["u"].x[:2], "v": example()["v"]}, two)
    assert len(traced) == 2


@only("tensorflow")
def test_tensors_in_tf_nest_and_tape(library):
    tree = example()
    with library.GradientTape() as tape:
        tape.watch(tree)
        value = loss(tree)
    assert_close(tape.gradient(value, tree), expected_gradient())
    assert_close(library.nest.map_structure(lambda a: 2 * a, tree), math.tree_map(lambda x: 2 * x, tree))


def sparse_example():
    at = wrap([[0, 1], [1, 0]], instance("entries"), channel(index="x,~x"))
    return math.sparse_tensor(at, tensor([1.0, 2.0], instance("entries")), spatial(x=2) & dual(x=2))


@only("jax")
def test_sparse_tensors_in_jax_transformations(library):
    A, x = sparse_example(), tensor([1.0, 10.0], spatial("x"))
    assert_close(library.jit(lambda A, x: A @ x)(A, x), A @ x)
    found = library.grad(lambda A: math.sum((A @ x) ** 2).native())(A)
    assert_close(found, math.gradient(lambda A: math.sum((A @ x) ** 2), get_output=False)(A))
    with pytest.raises(math.IncompatibleShapes, match="stored entries"):
        library.vmap(lambda A: A @ x)(A)


@only("torch")
def test_sparse_tensors_in_torch_derivatives(library):
    A, x = sparse_example(), tensor([1.0, 10.0], spatial("x"))
    found = library.func.grad(lambda A: math.sum((A @ x) ** 2).native())(A)
    assert_close(found, math.gradient(lambda A: math.sum((A @ x) ** 2), get_output=False)(A))
    leaf = library.tensor([1.0, 2.0], requires_grad=True)  # derivatives that the user's program records
    math.sum((math.tensor_like(A, wrap(leaf, instance("entries"))) @ x) ** 2).native().backward()
    assert_close(wrap(leaf.grad, instance("entries")), math.stored_values(found))


@pytest.mark.compiled
@only("tensorflow")
def test_sparse_tensors_in_tensorflow_functions(library):
    A, x = sparse_example(), tensor([1.0, 10.0], spatial("x"))
    assert_close(library.function(lambda A, x: A @ x)(A, x), A @ x)
