"""Optimisers as two pure functions on trees.

`init(parameters) -> state` and `update(parameters, gradient, state)`.

Nothing is changed in place, so training steps compile, and can be differentiated themselves:

>>> from phi_tensor import wrap
>>> optimizer = gradient_descent(learning_rate=0.5)
>>> x = wrap(4.0)
>>> state = optimizer.init(x)
>>> x, state = optimizer.update(x, 2 * x, state)
>>> x
0.0
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import phi_tensor as math
from phi_tensor import Tensor, tree_map


class Optimizer(Protocol):
    """What training needs of an optimiser."""

    def init(self, parameters: Any) -> Any:
        """State for the first update of `parameters`."""
        ...

    def update(self, parameters: Any, gradient: Any, state: Any) -> tuple[Any, Any]:
        """`(parameters, state)` after one step against `gradient`."""
        ...


@dataclass(frozen=True)
class GradientDescent:
    """Gradient descent x ← x − η·m with momentum m ← μ·m + g.

    Attributes:
        learning_rate: Step size η; a number, or a 0-d tensor.
        momentum: Weight μ of earlier gradients [-].
    """

    learning_rate: float | Tensor = 1e-3
    momentum: float = 0.0

    def init(self, parameters: Any) -> Any:
        """Zero momentum in the structure of `parameters`."""
        return tree_map(_zeros, parameters, attributes="variable") if self.momentum else ()

    def update(self, parameters: Any, gradient: Any, state: Any) -> tuple[Any, Any]:
        """`(parameters, state)` after one step against `gradient`, a tree of the same structure."""
        if self.momentum:
            gradient = state = tree_map(
                lambda m, g: self.momentum * m + g, state, gradient, attributes="variable"
            )
        return tree_map(
            lambda x, g: x - self.learning_rate * g, parameters, gradient, attributes="variable"
        ), state


@dataclass(frozen=True)
class Adam:
    """Adam: x ← x − η · m̂ / (√v̂ + ε) with bias-corrected running means m̂ of g and v̂ of g².

    Reference: Kingma, Ba, *Adam: A Method for Stochastic Optimization*, ICLR 2015, algorithm 1.

    Attributes:
        learning_rate: Step size η; a number, or a 0-d tensor.
        betas: Decay of the running means of g and of g² [-].
        epsilon: Smallest denominator ε.
    """

    learning_rate: float | Tensor = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-7

    def init(self, parameters: Any) -> Any:
        """`(0, m = 0, v = 0)`: number of updates and running means."""
        zeros = tree_map(_zeros, parameters, attributes="variable")
        return math.wrap(0.0), zeros, zeros

    def update(self, parameters: Any, gradient: Any, state: Any) -> tuple[Any, Any]:
        """`(parameters, state)` after one step against `gradient`, a tree of the same structure."""
        count, first, second = state
        count = count + 1
        b1, b2 = self.betas
        first = tree_map(lambda m, g: b1 * m + (1 - b1) * g, first, gradient, attributes="variable")
        second = tree_map(lambda v, g: b2 * v + (1 - b2) * g * g, second, gradient, attributes="variable")
        c1, c2 = 1 - b1**count, 1 - b2**count

        def step(x: Tensor, m: Tensor, v: Tensor) -> Tensor:
            return x - self.learning_rate * (m / c1) / (math.sqrt(v / c2) + self.epsilon)

        return tree_map(step, parameters, first, second, attributes="variable"), (count, first, second)


def _zeros(x: Tensor) -> Tensor:
    return math.zeros_like(math.to_float(x) if x.dtype.kind in (bool, int) else x)


def adam(
    learning_rate: float | Tensor = 1e-3, betas: tuple[float, float] = (0.9, 0.999), epsilon: float = 1e-7
) -> Adam:
    """Adam, see `Adam`."""
    return Adam(learning_rate, betas, epsilon)


def gradient_descent(learning_rate: float | Tensor = 1e-3) -> GradientDescent:
    """Plain gradient descent, see `GradientDescent`."""
    return GradientDescent(learning_rate)


def sgd(learning_rate: float | Tensor = 1e-3, momentum: float = 0.0) -> GradientDescent:
    """Gradient descent with momentum, see `GradientDescent`."""
    return GradientDescent(learning_rate, momentum)


def update_weights(
    net: Any, optimizer: Optimizer, state: Any, loss_function: Callable[..., Any], *args: Any, **kwargs: Any
) -> tuple[Any, Any, Any]:
    """`(net, state, output)` after one step on `loss_function(net, *args, **kwargs)`.

    Nothing is changed in place.

    Args:
        net: Tree of parameters.
        optimizer: Optimiser.
        state: Its state, first `optimizer.init(net)`.
        loss_function: Returns the loss, or a tuple that starts with it. Batched losses are summed.
        *args: More arguments of the loss.
        **kwargs: More arguments of the loss.
    """
    output, slope = math.gradient(loss_function)(net, *args, **kwargs)
    net, state = optimizer.update(net, slope, state)
    return net, state, output
