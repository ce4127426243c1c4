"""Products by names: contraction of any number of factors, labels in `@` and `dot`, lengths."""

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import IncompatibleShapes, batch, channel, dual, spatial, tensor, vec, wrap
from phi_tensor._plan import LISTENERS
from phi_tensor.testing import assert_close


def names_of_rows(f):
    """Rows whose plans `f` uses."""
    return [line.split(":")[0] for line in math.explain(f).splitlines()]


@pytest.mark.parametrize(
    "subscripts", ["xy,yz->xz", "xy,yz,zw->xw", "xy,xz,xw->yzw", "xyz,xy,z->x", "xy,zw->x"]
)
def test_contraction_is_einsum(subscripts, backend, rng):
    sizes = dict(zip("xyzw", (2, 3, 4, 5), strict=True))
    inputs, output = subscripts.split("->")
    letters = inputs.split(",")
    arrays = [rng.standard_normal([sizes[c] for c in names]) for names in letters]
    factors = [wrap(a, spatial(",".join(names))) for a, names in zip(arrays, letters, strict=True)]
    gone = ",".join(c for c in "xyzw" if c not in output and c in inputs)
    with math.precision(64):
        result = math.contract(*map(tensor, factors), dims=gone)
        assert_close(result.numpy(",".join(output)), np.einsum(subscripts, *arrays), atol=1e-12)


def test_two_factors_are_multiplied_as_matrices():
    """In no layout is there an array with the dims of both factors."""
    a, b = math.ones(spatial(x=3, y=4)) + 0 * math.arange(spatial(x=3)), math.arange(spatial(y=4, z=5)[:1])
    b = b * math.arange(spatial(z=5))
    stacked = math.stack([a.x[i] for i in range(3)], spatial("x"))
    for factor in (a, stacked):
        assert "multiply" not in names_of_rows(lambda f=factor: math.contract(f, b, dims="y"))
        assert "multiply" not in names_of_rows(lambda f=factor: math.dot(f, "y", b, "y"))
    assert not LISTENERS


def test_vectors_in_parts_are_multiplied_part_by_part():
    v = vec(x=math.arange(spatial(t=3)), y=1.0)
    assert "matmul" not in names_of_rows(lambda: math.contract(v, v, dims="vector"))


def test_ragged_factors(backend):
    x = math.stack([math.ones(spatial(x=2)), math.ones(spatial(x=3))], batch("b"))
    assert math.contract(x, 2 * x, dims="x").numpy("b").tolist() == [4, 6]


def test_dims_that_one_factor_has_are_summed_first(backend):
    a, b = math.ones(spatial(x=3, y=2)), math.ones(spatial(y=2))
    assert math.contract(a, b, dims="x,y").item() == 6
    assert math.contract(a, dims="x").numpy("y").tolist() == [3, 3]
    assert_close(math.contract(a, b, dims=()), a * b)


def test_contractions_that_make_no_sense_are_refused():
    with pytest.raises(IncompatibleShapes, match="at least one"):
        math.contract(dims="x")
    with pytest.raises(IncompatibleShapes, match="no such dim"):
        math.contract(math.ones(spatial(x=2)), dims="y")
    with pytest.raises(IncompatibleShapes, match="size"):
        math.contract(math.ones(spatial(x=2)), math.ones(spatial(x=3)), dims="x")
    with pytest.raises(IncompatibleShapes, match="Labels"):
        math.contract(vec(x=1.0, y=2.0), vec(y=1.0, x=2.0), dims="vector")


# --- named defects of the peers


def test_products_with_matrices_compare_labels(backend):  # WEAKNESSES A17
    A = tensor([[1.0, 2.0], [3.0, 4.0]], channel(out="a,b"), dual(vector="x,y"))
    for wrong in (vec(a=1.0, b=1.0), vec(y=1.0, x=1.0)):
        with pytest.raises(IncompatibleShapes, match="Labels"):
            A @ wrong
        with pytest.raises(IncompatibleShapes, match="Labels"):
            math.dot(A, "~vector", wrong, "vector")
    assert_close(A @ vec(x=1.0, y=1.0), wrap([3.0, 7.0], channel(out="a,b")))
    assert_close(A @ tensor([1.0, 1.0], channel("vector")), wrap([3.0, 7.0], channel(out="a,b")))
    with pytest.raises(IncompatibleShapes, match="Labels"):
        math.ones(channel(out=2), dual(vector="x")) @ vec(u=1.0)


@pytest.mark.parametrize("size", [1, 2])
def test_products_with_matrices_contract_names_alone(size, backend):  # WEAKNESSES A43
    A = math.ones(channel(r=2), dual(q=size))
    assert_close(A @ math.ones(channel(q=size)), size * math.ones(channel(r=2)))
    with pytest.raises(IncompatibleShapes, match="same name"):
        A @ math.ones(channel(w=size))


def test_shortest_length(backend):  # WEAKNESSES A8
    """`eps` is a length: below it lengths are `eps`, above it they are exact."""
    short, long = vec(x=0.05, y=0.0), vec(x=0.0, y=0.2)
    assert math.norm(short, eps=0.1).item() == pytest.approx(0.1)
    assert math.norm(long, eps=0.1).item() == pytest.approx(0.2)
    assert math.norm(short).item() == pytest.approx(0.05)
    assert math.vec_abs(long).item() == pytest.approx(0.2)
    unit, first = math.normalize(long, epsilon=0.1), math.normalize(short, epsilon=0.1)
    assert (unit.numpy().tolist(), first.numpy().tolist()) == ([0, 1], [1, 0])
    assert math.normalize(short, epsilon=0.1, allow_zero=True).numpy().tolist() == [0, 0]


@pytest.mark.needs("reverse")
def test_derivative_of_shortest_lengths(backend):
    length = math.gradient(lambda v: math.norm(v, eps=0.1), get_output=False)
    assert length(vec(x=0.05, y=0.0)).numpy().tolist() == [0, 0]
    assert length(vec(x=0.0, y=0.2)).numpy().tolist() == [0, 1]
    assert length(vec(x=0.0, y=0.0)).numpy().tolist() == [0, 0]
