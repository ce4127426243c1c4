"""Errors: their classes, the built-ins that they are, and that messages name arguments and a way out."""

import inspect

import pytest

import phi_tensor as math
from phi_tensor import (
    ConvergenceException,
    Diverged,
    IncompatibleShapes,
    NoBackendFound,
    NonlinearOperation,
    NotConverged,
    PhiError,
    Unsupported,
    Untraceable,
    spatial,
    tensor,
    vec,
)
from phi_tensor import _errors as errors

BUILT_INS = {
    IncompatibleShapes: ValueError,
    NoBackendFound: ValueError,
    Unsupported: NotImplementedError,
    NotConverged: RuntimeError,
    Diverged: RuntimeError,
    NonlinearOperation: ValueError,
    Untraceable: NotImplementedError,
    ConvergenceException: RuntimeError,
}


@pytest.mark.parametrize(("error", "built_in"), BUILT_INS.items())
def test_errors_are_phi_errors_and_built_ins(error, built_in):
    assert issubclass(error, PhiError)
    assert issubclass(error, built_in)
    assert error.__doc__


def test_no_error_is_forgotten():
    found = {e for _, e in inspect.getmembers(errors, inspect.isclass) if issubclass(e, PhiError)}
    assert found == {PhiError, *BUILT_INS}


def test_errors_say_in_which_operation(backend):
    with pytest.raises(IncompatibleShapes) as caught:
        math.ones(spatial(x=2)) * math.ones(spatial(x=3))
    assert caught.value.__notes__ == ["in `multiply` of (x:s=2), (x:s=3)"]


def test_misspelled_names_are_suggested(backend):
    with pytest.raises(AttributeError, match="Did you mean `vector`"):
        vec(x=1, y=2).vectro  # noqa: B018 the access itself is tested
    with pytest.raises(IncompatibleShapes, match="Did you mean `depth`"):
        math.sum(math.ones(spatial(depth=2)), "dept")


def test_bits_of_floats(backend):
    with pytest.raises(Unsupported, match="to_int64"):
        tensor(1.5) & tensor(2.5)


def test_numpy_names_the_backends_that_differentiate():
    with math.on_backend("numpy"):
        with pytest.raises(Unsupported, match="jax"):
            math.gradient(math.l2_loss)(tensor([1.0, 2.0]))
        with pytest.raises(Unsupported, match="jax"):
            math.jvp(math.sin, [tensor(1.0)], [tensor(1.0)])


def test_operands_of_other_kinds(backend):
    for wrong in ("text", object(), None):
        with pytest.raises(TypeError):
            vec(x=1.0) + wrong
