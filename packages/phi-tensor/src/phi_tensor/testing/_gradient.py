"""Derivatives beside difference quotients, and orders of convergence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from phi_tensor._context import precision
from phi_tensor._create import tensor, wrap
from phi_tensor._shape import shape_of
from phi_tensor._tensor import Tensor
from phi_tensor._trees import Structure, flatten
from phi_tensor.ops._elementwise import to_float
from phi_tensor.ops._reductions import sum_
from phi_tensor.transforms._flat import number_leaf
from phi_tensor.transforms._gradient import gradient, jvp

STEP = 1e-3
"""Step of the difference quotients: fourth order makes their error about 1e-11 of smooth functions."""


def check_gradient(
    f: Callable[..., Any],
    *args: Any,
    rtol: float = 1e-7,
    seed: int = 0,
    modes: Sequence[str] = ("reverse", "forward"),
    step: float = STEP,
) -> None:
    """Raises `AssertionError` unless derivatives of `f` in 64 bit agree with difference quotients.

    Compares d/dε Σ w·f(x + εv) at 0, for random w and v, with central differences of fourth order.

    Args:
        f: Function of trees that returns a tree; both with real floating-point tensors.
        *args: Where to differentiate, all of them. The backend is that of the tensors, or the default one for
            NumPy data.
        rtol: Tolerance relative to Σ |w·f|, the size of what is subtracted, or to the derivative if that is
            larger.
        seed: Seed of w and v.
        modes: Which of `reverse` (`gradient`) and `forward` (`jvp`) to check.
        step: ε of the difference quotients; choose it smaller near kinks and poles.

    >>> from phi_tensor import on_backend, sin, vec
    >>> from phi_tensor.testing import check_gradient
    >>> with on_backend("jax"):
    ...     check_gradient(sin, vec(x=1.0, y=2.0))
    """
    rng = np.random.default_rng(seed)
    with precision(64):
        leaves, structure = flatten(args, "variable", number_leaf)
        assert leaves, f"`check_gradient` needs tensors to differentiate by, but found {args!r}."
        point = [tensor(to_float(leaf), convert=leaf.backend.mixes) for leaf in leaves]
        direction = [_random(leaf, rng) for leaf in point]
        outputs = _outputs(f, structure, point)
        weights = [_random(output, rng) for output in outputs]

        def loss(tensors: Sequence[Tensor]) -> Tensor:
            return _weighted_sum(_outputs(f, structure, tensors), weights)

        def along(epsilon: float) -> float:
            return float(loss([x + epsilon * v for x, v in zip(point, direction, strict=True)]))

        desired = (8 * (along(step) - along(-step)) - (along(2 * step) - along(-2 * step))) / (12 * step)
        scale = float(sum(float(_total(abs(output * w))) for output, w in zip(outputs, weights, strict=True)))
        tolerance = rtol * max(scale, abs(desired))
        for mode in modes:
            actual = _derivative(mode, loss, point, direction)
            if not abs(actual - desired) <= tolerance:
                raise AssertionError(
                    f"The {mode} derivative of `{getattr(f, '__name__', f)}` is {actual}, but difference "
                    f"quotients give {desired} "
                    f"(tolerance {tolerance:.1e}, seed {seed})."
                )


def _outputs(f: Callable[..., Any], structure: Structure, tensors: Sequence[Tensor]) -> list[Tensor]:
    leaves, _ = flatten(f(*structure.build(list(tensors))), "variable", number_leaf)
    return leaves


def _random(like: Tensor, rng: np.random.Generator) -> Tensor:
    """Tensor of the dims of `like` with random signs and sizes from 0.5 to 1.5."""
    varying = like.shape.non_uniform_shape
    if varying:
        from phi_tensor.ops._structure import stack, unstack  # noqa: PLC0415 rarely needed

        return stack([_random(part, rng) for part in unstack(like, varying.names[0])], varying[0])
    sizes = cast("tuple[int, ...]", like.shape.sizes)
    values = rng.uniform(0.5, 1.5, sizes) * rng.choice([-1.0, 1.0], sizes)
    return tensor(values, like.shape) if like.rank else tensor(float(values))


def _weighted_sum(outputs: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
    total: Tensor = wrap(0.0)
    for output, weight in zip(outputs, weights, strict=True):
        total = total + _total(output * weight)
    return total


def _total(x: Tensor) -> Tensor:
    return sum_(x, shape_of(x)) if x.rank else x


def _derivative(
    mode: str,
    loss: Callable[[Sequence[Tensor]], Tensor],
    point: Sequence[Tensor],
    direction: Sequence[Tensor],
) -> float:
    if mode == "forward":
        return float(jvp(lambda *xs: loss(xs), list(point), list(direction))[1])
    gradients = gradient(loss, get_output=False)(list(point))
    return float(sum(float(_total(g * v)) for g, v in zip(gradients, direction, strict=True)))


def fitted_order(errors: Mapping[int, float]) -> float:
    """Order of convergence p from errors by resolution, error ∝ resolution⁻ᵖ, fitted to all by least squares.

    >>> round(fitted_order({8: 1.0, 16: 0.25, 32: 0.0625}), 6)
    2.0
    """
    assert len(errors) >= 2, "An order needs the errors at two resolutions at least."
    slope = np.polyfit(np.log(list(errors)), np.log([abs(float(e)) for e in errors.values()]), 1)[0]
    return -float(slope)
