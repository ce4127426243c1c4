"""Graphs of the TensorFlow adapter: copied into other graphs, differentiated there, or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from phi_tensor._errors import Unsupported  # noqa: E402
from phi_tensor.backends._tensorflow import BACKEND as B  # noqa: E402
from phi_tensor.backends._tensorflow_loops import _pulled_back, _specs  # noqa: E402
from phi_tensor.backends._tensorflow_transforms import gradients, inlined  # noqa: E402

RNG = np.random.default_rng(0)
X, Y, C = (tf.constant(RNG.uniform(0.2, 0.8, 5)) for _ in range(3))
Function = Callable[..., tuple[Any, ...]]


def graph_of(f: Function, *like: Any) -> Any:
    return tf.function(f, autograph=False).get_concrete_function(*_specs(like)).graph


def in_graph(f: Function, *args: Any) -> list[np.ndarray]:
    """Results of `f` as part of a graph."""
    return [result.numpy() for result in tf.function(f, autograph=False)(*args)]


def check(actual: Any, *desired: Any) -> None:
    assert len(actual) == len(desired)
    for a, d in zip(actual, desired, strict=True):
        np.testing.assert_allclose(a, d, rtol=1e-12)


def product(x: Any, y: Any) -> tuple[Any, ...]:
    return tf.sin(x) * y, tf.reduce_sum(x)


def doubled_slope(x: Any) -> tuple[Any, ...]:
    """The sine with 2 cos x as its rule, which tells it from TensorFlow's own."""
    return B.custom_gradient(lambda a: (tf.sin(a),), lambda p, _, c: (2 * c[0] * tf.cos(p[0]),))(x)


def slope(f: Function, *args: Any) -> list[np.ndarray]:
    """Cotangents of `args` for ones as cotangents, in one graph."""

    def run(*args: Any) -> Any:
        outputs = f(*args)
        return gradients(outputs, args, tuple(tf.ones_like(y) for y in outputs))

    return in_graph(run, *args)


# --- inlined


def test_inlined_graphs_give_their_values() -> None:
    graph = graph_of(product, X, Y)
    check(in_graph(lambda x, y: inlined(graph, (x, y)), X, Y), np.sin(X) * Y, np.sum(X))


def test_inlined_copies_are_independent() -> None:
    graph = graph_of(product, X, Y)

    def twice(x: Any, y: Any) -> tuple[Any, ...]:
        first, _ = inlined(graph, (x, y))
        return inlined(graph, (first, y))[:1]

    check(in_graph(twice, X, Y), np.sin(np.sin(X) * Y) * Y)
    check(in_graph(lambda x, y: inlined(graph, (x, y)), X, Y), np.sin(X) * Y, np.sum(X))


def test_inlined_graphs_keep_custom_derivatives() -> None:
    graph = graph_of(doubled_slope, X)
    check(slope(lambda x: inlined(graph, (x,)), X), 2 * np.cos(X))

    def both(x: Any) -> tuple[Any, ...]:  # rules of the graph around stay its own
        return doubled_slope(x)[0] + inlined(graph, inlined(graph, (x,)))[0], x

    check(slope(both, X), 2 * np.cos(X) + 4 * np.cos(X) * np.cos(np.sin(X)) + 1)


def test_inlined_graphs_in_inlined_graphs_keep_custom_derivatives() -> None:
    inner = graph_of(doubled_slope, X)
    outer = graph_of(lambda x: inlined(inner, (x,)), X)
    check(slope(lambda x: inlined(outer, (x,)), X), 2 * np.cos(X))


def test_inlined_graphs_need_all_their_inputs() -> None:
    variable = tf.Variable(2.0, dtype=X.dtype)  # taken from outside, hence an input, too
    for graph in (graph_of(product, X, Y), graph_of(lambda x: (x * variable,), X)):
        with pytest.raises(ValueError, match="shorter"):
            in_graph(lambda x, graph=graph: inlined(graph, (x,)), X)


# --- gradients


def test_gradients_against_the_derivative_on_paper() -> None:
    def run(x: Any, y: Any, c: Any) -> Any:
        return gradients(product(x, y), (x, y), (c, tf.constant(3.0, tf.float64)))

    check(in_graph(run, X, Y, C), C * np.cos(X) * Y + 3, C * np.sin(X))


def test_gradients_of_independent_and_integer_inputs_are_zeros() -> None:
    i = tf.constant([1, 2])
    found = slope(lambda x, y, i: (x * x, i), X, Y, i)
    check(found, 2 * X, np.zeros(5), [0, 0])
    assert [a.dtype for a in found] == [np.float64, np.float64, np.int32]


def test_gradients_of_integers_alone_are_zeros() -> None:
    check(slope(lambda x: (tf.cast(x, tf.int32),), X), np.zeros(5))
    check(slope(lambda i: (i + 1,), tf.constant([1, 2])), [0, 0])


def test_gradients_of_look_ups_are_whole_arrays() -> None:
    at = tf.constant([0, 3, 3])
    check(slope(lambda x: (tf.gather(x, at),), X), [1, 0, 0, 2, 0])


# --- derivatives of traced graphs


def test_pulled_back_gives_the_cotangents_of_the_inputs() -> None:
    back = _pulled_back(graph_of(product, X, Y), _specs((X, Y)), _specs(product(X, Y)))
    check(back(X, Y, C, tf.constant(3.0, tf.float64)), C * np.cos(X) * Y + 3, C * np.sin(X))


def test_pulled_back_keeps_custom_derivatives() -> None:
    back = _pulled_back(graph_of(doubled_slope, X), _specs((X,)), _specs((X,)))
    check(back(X, C), 2 * C * np.cos(X))


def test_pulled_back_can_be_differentiated_again() -> None:
    back = _pulled_back(graph_of(product, X, Y), _specs((X, Y)), _specs(product(X, Y)))
    _, pullback, _ = B.vjp(lambda x, y: (back(x, y, C, tf.constant(3.0, tf.float64))[:1], ()), (X, Y))
    check(pullback((tf.ones_like(X),)), -C * np.sin(X) * Y, C * np.cos(X))


def test_pulled_back_refuses_operations_without_derivative() -> None:
    """Neither zeros nor a silent stop: TensorFlow knows no rule for this one."""
    graph = graph_of(lambda x, y: (tf.raw_ops.TruncateMod(x=x, y=y),), X, Y)
    with pytest.raises(LookupError, match="TruncateMod"):
        _pulled_back(graph, _specs((X, Y)), _specs((X,)))


def test_pulled_back_refuses_loops_without_limit() -> None:
    def loop(x: Any) -> tuple[Any, ...]:
        return B.while_loop(lambda s: tf.reduce_sum(s[0]) < 99, lambda s: (2 * s[0],), (x,))

    with pytest.raises(Unsupported, match="limit"):
        _pulled_back(graph_of(loop, X), _specs((X,)), _specs((X,)))
