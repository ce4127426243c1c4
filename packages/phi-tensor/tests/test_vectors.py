"""Cross products, rotations and lengths of vectors, whatever the order of their components."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import phi_tensor as math
from phi_tensor import IncompatibleShapes, batch, channel, dual, instance, spatial, tensor, vec, wrap
from phi_tensor.testing import assert_close, check_gradient

ORDERS = ["x,y,z", "z,y,x", "y,z,x"]


@pytest.fixture(autouse=True)
def double_precision():
    with math.precision(64):
        yield


def vectors(rng, labels="x,y,z", count=5):
    """Vectors with the components x, y, z in another order, and their numbers in that order."""
    numbers = rng.standard_normal((count, len(labels.split(","))))
    first = tensor(numbers, instance("p"), channel(vector=",".join(sorted(labels.split(",")))))
    return first.vector[labels], numbers


@pytest.mark.parametrize("labels", ORDERS)
def test_cross_product_in_space(labels, backend, rng):
    (a, array_a), (b, array_b) = vectors(rng, labels), vectors(rng, labels)
    result = math.cross_product(a, b)
    assert result.vector.labels == tuple(labels.split(","))
    assert_close(result.vector["x,y,z"].numpy("p,vector"), np.cross(array_a, array_b))
    assert_close(math.cross(a, b), result)


@pytest.mark.parametrize("labels", ["x,y", "y,x"])
def test_cross_product_in_the_plane(labels, backend):
    a, b = vec(x=1.0, y=2.0)[labels], vec(x=3.0, y=5.0)[labels]
    assert math.cross_product(a, b).item() == -1
    assert_close(math.cross_product(2.0, a), vec(x=-4.0, y=2.0)[labels])
    assert_close(math.cross_product(a, 2.0), vec(x=4.0, y=-2.0)[labels])
    assert_close(math.cross_product(tensor([1.0, 2.0], instance("p")), a).p[1], math.cross_product(2.0, a))


def test_unlabelled_components_count_in_order(backend):
    e = tensor(np.eye(3), instance("p"), channel("vector"))
    assert math.cross_product(e.p[0], e.p[1]).numpy().tolist() == [0, 0, 1]


def test_cross_products_that_make_no_sense_are_refused():
    with pytest.raises(IncompatibleShapes, match="neither"):
        math.cross_product(1.0, 2.0)
    with pytest.raises(IncompatibleShapes, match="two vectors in 2D or 3D"):
        math.cross_product(math.ones(channel(vector=4)), math.ones(channel(vector=4)))
    with pytest.raises(IncompatibleShapes, match="two vectors in 2D or 3D"):
        math.cross_product(2.0, vec(x=1.0, y=0.0, z=0.0))
    with pytest.raises(IncompatibleShapes, match="one component dim"):
        math.cross_product(math.ones(channel(u=2, v=2)), vec(x=1.0, y=0.0))
    with pytest.raises(IncompatibleShapes, match="Labels"):
        math.cross_product(vec(x=1.0, y=0.0), vec(y=1.0, x=0.0))


# --- rotations


@pytest.mark.parametrize("labels", ORDERS)
def test_rotation_about_an_axis(labels, backend, rng):
    (v, numbers), (axis, axes) = vectors(rng, labels), vectors(rng, labels)
    expected = Rotation.from_rotvec(axes).apply(numbers)
    for angle in (axis, math.rotation_matrix(axis)):
        rotated = math.rotate_vector(v, angle)
        assert rotated.vector.labels == tuple(labels.split(","))
        assert_close(rotated.vector["x,y,z"].numpy("p,vector"), expected)
        assert_close(math.rotate_vector(rotated, angle, invert=True), v)
    assert_close(math.rotation_matrix(axis) @ v, math.rotate_vector(v, axis))


@pytest.mark.parametrize("labels", ORDERS)
def test_rotation_by_euler_angles(labels, backend, rng):
    v, numbers = vectors(rng, labels)
    angles = rng.standard_normal(3)
    expected = Rotation.from_euler("xyz", angles).apply(numbers)  # about fixed axes: x first
    angle = wrap(angles, channel(angle="x,y,z"))
    assert_close(math.rotate_vector(v, angle).vector["x,y,z"].numpy("p,vector"), expected)
    assert_close(math.rotate_vector(v, angle.angle["z,x,y"]), math.rotate_vector(v, angle))
    matrix = math.rotation_matrix(angle)
    assert matrix.shape == channel(vector="x,y,z") & dual(vector="x,y,z")
    assert_close(matrix.numpy("vector,~vector"), Rotation.from_euler("xyz", angles).as_matrix())


@pytest.mark.parametrize("labels", ["x,y", "y,x"])
def test_rotation_in_the_plane(labels, backend, rng):
    angles = tensor(rng.standard_normal(3), batch("b"))
    v = vec(x=1.0, y=2.0)[labels]
    rotated = math.rotate_vector(v, angles)
    assert_close(rotated["x"], math.cos(angles) - 2 * math.sin(angles))
    assert_close(rotated["y"], math.sin(angles) + 2 * math.cos(angles))
    assert rotated.vector.labels == tuple(labels.split(","))
    matrix = math.rotation_matrix(angles, channel(vector=labels))
    assert_close(matrix @ v, rotated)
    assert math.rotation_matrix(0.0).shape == channel(vector=2) & dual(vector=2)
    assert math.rotate_vector(v, None) is v


@pytest.mark.parametrize("length", [0.0, 1e-9, 0.05, 0.0999, 0.1001, 3.0])
def test_rotations_by_any_angle(length, backend, rng):
    axis = rng.standard_normal(3)
    axis *= length / np.linalg.norm(axis)
    matrix = math.rotation_matrix(tensor(axis, channel("vector"))).numpy("vector,~vector")
    assert_close(
        matrix, Rotation.from_rotvec(axis).as_matrix(), rtol=1e-15, because="series and quotients agree"
    )


@pytest.mark.needs("reverse")
@pytest.mark.parametrize("length", [0.0, 0.01, 2.0])
def test_derivative_of_rotations(length, backend, rng):
    v = vectors(rng)[0]
    check_gradient(math.rotate_vector, v, length * vec(x=0.6, y=0.0, z=-0.8), step=2e-4)


def test_rotations_that_make_no_sense_are_refused():
    with pytest.raises(IncompatibleShapes, match="3D"):
        math.rotate_vector(vec(x=1.0, y=0.0, z=0.0), 0.5)
    with pytest.raises(IncompatibleShapes, match="three components"):
        math.rotation_matrix(vec(x=1.0, y=2.0))
    with pytest.raises(IncompatibleShapes, match="square"):
        math.rotation_matrix(math.ones(channel(vector=2), dual(vector=3)))
    with pytest.raises(IncompatibleShapes, match="components along"):
        math.rotate_vector(math.ones(spatial(x=2)), 0.5)
    with pytest.raises(IncompatibleShapes, match="Labels"):
        math.rotate_vector(vec(x=1.0, y=0.0, z=0.0), vec(z=1.0, y=0.0, x=0.0))


# --- lengths and totals


def test_clipped_lengths(backend):
    v = wrap([[3.0, 4.0], [0.0, 0.5], [0.0, 0.0]], instance("p"), channel(vector="x,y"))
    clipped = math.clip_length(v, 1, 2)
    assert_close(math.norm(clipped), wrap([2.0, 1.0, 0.0], instance("p")))
    assert_close(clipped.p[0], vec(x=1.2, y=1.6))
    assert_close(math.clip_length(v).p[1], v.p[1])
    short = math.clip_length(v * 1e-3, 1, 2, eps=0.1)
    assert_close(short.p[1], vec(x=0.0, y=0.5e-3 * 10), because="1 / eps times as long")


@pytest.mark.needs("reverse")
def test_derivative_of_clipped_lengths(backend):
    v = wrap([[3.0, 4.0], [0.0, 0.5], [0.9, 0.9]], instance("p"), channel(vector="x,y"))
    check_gradient(lambda v: math.clip_length(v, 1, 2), v)
    zero = math.gradient(lambda v: math.sum(math.clip_length(v)), get_output=False)(vec(x=0.0, y=0.0))
    assert np.isfinite(zero.numpy()).all()


def test_totals(backend):
    target, source = wrap([1.0, 3.0], spatial("x")), wrap([[1.0, 1.0], [2.0, 4.0]], batch("b"), spatial("y"))
    scaled = math.normalize_to(target, source)
    assert_close(math.sum(scaled), wrap([2.0, 6.0], batch("b")))
    assert_close(scaled.b[0], wrap([0.5, 1.5], spatial("x")))
    below = math.normalize_to(wrap([0.25, 0.25], spatial("x")), 1.0, epsilon=1.0)
    assert_close(below, wrap([0.25, 0.25], spatial("x")), because="totals below epsilon count as epsilon")
    above = math.normalize_to(wrap([0.25, 0.25], spatial("x")), 1.0, epsilon=0.5)
    assert_close(above, wrap([0.5, 0.5], spatial("x")))
    assert_close(math.normalize_to(-target, 8.0, epsilon=None), 2 * target)


def test_zero_matrices_point_along_their_first_entry(backend):
    found = math.normalize(math.zeros(channel(i=2, j=2)), "i,j")
    assert found.numpy("i,j").tolist() == [[1, 0], [0, 0]]


def test_products_of_bools_tell_whether_any_pair_holds(backend):
    matrix = tensor([[True, False], [False, False]], spatial("x"), dual("x"))
    assert (matrix @ tensor([True, True], spatial("x"))).numpy().tolist() == [True, False]
