"""Random numbers of further distributions by key: yes or no, waiting times, counts.

Methods by rejection repeat until every number is accepted, in a loop that compiled code does not unroll, so
that distributions are exact. They compute in 64 bit and return the context's precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from phi_tensor._context import context_dtype, precision, settings
from phi_tensor._create import wrap
from phi_tensor._dtype import INT64, DType, DTypeLike
from phi_tensor._errors import Unsupported
from phi_tensor._hidden import report
from phi_tensor._random import RandomKey, fresh_key, random_normal, random_uniform
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor.ops import _elementwise as ops
from phi_tensor.ops._reductions import any_, sum_
from phi_tensor.ops._structure import expand
from phi_tensor.transforms._custom import custom_gradient
from phi_tensor.transforms._iterate import while_loop


def random_bernoulli(*shape: Shape | str, probability: Any = 0.5, key: RandomKey | None = None) -> Tensor:
    """Random bools on the default backend, True with a given probability.

    Args:
        *shape: Dims of the result, filled row-major; those of `probability` are added.
        probability: P(True) [-], number or tensor.
        key: Where the numbers come from; default: a new key for every call.

    >>> import phi_tensor as math
    >>> random_bernoulli(math.spatial(x=2), probability=1.0)
    (True, True) along (x:s=2) bool
    """
    return random_uniform(_dims(shape, probability), key=key) < probability


def random_exponential(
    *shape: Shape | str, scale: Any = 1, dtype: DTypeLike = float, key: RandomKey | None = None
) -> Tensor:
    """Exponentially distributed random numbers on the default backend: density e^(−x/scale)/scale for x ≥ 0.

    By inversion of a uniform number. Differentiable in `scale`.

    Args:
        *shape: Dims of the result, filled row-major; those of `scale` are added.
        scale: Mean, number or tensor.
        dtype: Float type.
        key: Where the numbers come from; default: a new key for every call.

    >>> import phi_tensor as math
    >>> random_exponential(math.spatial(x=3), scale=2.0).shape
    (x:s=3)
    """
    return -ops.log1p(-random_uniform(_dims(shape, scale), dtype=dtype, key=key)) * scale


def random_gamma(
    *shape: Shape | str,
    concentration: Any,
    scale: Any = 1,
    dtype: DTypeLike = float,
    key: RandomKey | None = None,
) -> Tensor:
    """Gamma distributed random numbers on the default backend: density ∝ x^(k−1) e^(−x/scale).

    Exact, by rejection. Differentiable in `scale`; a derivative in `concentration` raises, and is NaN where
    it is compiled.

    Args:
        *shape: Dims of the result; those of `concentration` and `scale` are added.
        concentration: k > 0, number or tensor.
        scale: Mean divided by k, number or tensor.
        dtype: Float type.
        key: Where the numbers come from; default: a new key for every call.

    Raises:
        ValueError: A concentration is not positive and finite (found out as late as `checked` says).

    Reference: Marsaglia and Tsang, *A simple method for generating gamma variables*, ACM TOMS 26, 2000.

    >>> import phi_tensor as math
    >>> random_gamma(math.spatial(x=3), concentration=2.5).shape
    (x:s=3)
    """
    scale = _number("random_gamma", "scale", scale)
    dims, words = _dims(shape, concentration, scale), key or fresh_key()
    alpha = _checked_parameter("random_gamma", "concentration", concentration, lambda a: a > 0, 1.0)
    with precision(64):
        alpha = ops.to_float(alpha)
        unit = _standard_gamma(expand(ops.stop_gradient(alpha), dims), dims, words)
        if isinstance(concentration, Tensor) and alpha.backend is unit.backend:
            unit = _refusing(alpha, unit, "random_gamma", "concentration")
    return ops.cast(unit, context_dtype(DType.of(dtype))) * scale


def _standard_gamma(a: Tensor, dims: Shape, key: RandomKey) -> Tensor:
    boosted = ops.where(a < 1, a + 1, a)  # x_k = x_{k+1} u^(1/k)
    d = boosted - 1 / 3
    c = 1 / ops.sqrt(9 * d)

    def propose(step: RandomKey) -> tuple[Tensor, Tensor]:
        first, second = step.split(2)
        x, u = random_normal(dims, key=first), random_uniform(dims, key=second)
        v = (1 + c * x) ** 3
        positive = v > 0
        log_v = ops.log(ops.where(positive, v, 1.0))
        return d * v, positive & (ops.log1p(-u) < x * x / 2 + d - d * v + d * log_v)

    proposals, boost = key.split(2)
    found = _accepted(propose, expand(wrap(0.0), dims), proposals)
    factor = random_uniform(dims, key=boost) ** ops.where(a < 1, 1 / a, 0.0)
    return found * factor


def random_poisson(
    *shape: Shape | str, rate: Any, dtype: DTypeLike = INT64, key: RandomKey | None = None
) -> Tensor:
    """Poisson distributed random integers on the default backend: P(k) = rate^k e^(−rate)/k!.

    Exact: events are counted one by one below a rate of 10; above by rejection. No derivatives.

    Args:
        *shape: Dims of the result; those of `rate` are added.
        rate: Mean number of events ≥ 0 [-], number or tensor.
        dtype: Int type.
        key: Where the numbers come from; default: a new key for every call.

    Raises:
        ValueError: A rate is negative or not finite (found out as late as `checked` says).

    Reference: Hörmann, *The transformed rejection method for generating Poisson random variables*, Insurance:
        Mathematics and Economics 12, 1993 (algorithm PTRS).

    >>> import phi_tensor as math
    >>> random_poisson(math.spatial(x=2), rate=0.0)
    (0, 0) along (x:s=2) int64
    """
    dims, words = _dims(shape, rate), key or fresh_key()
    mean = _checked_parameter("random_poisson", "rate", rate, lambda r: r >= 0, 0.0)
    with precision(64):
        mean = expand(ops.stop_gradient(ops.to_float(mean)), dims)
        low, high = words.split(2)
        many = mean >= 10
        few = _counted_events(ops.where(many, 0.0, mean), dims, low)
        return ops.cast(
            ops.where(many, _transformed_rejection(ops.where(many, mean, 10.0), dims, high), few),
            DType.of(dtype),
        )


def _counted_events(mean: Tensor, dims: Shape, key: RandomKey) -> Tensor:
    """Number of waiting times that fit into `mean`."""

    def condition(index: Tensor, count: Tensor, left: Tensor) -> Tensor:
        return any_(left > 0, left.shape)

    def step(index: Tensor, count: Tensor, left: Tensor) -> tuple[Tensor, ...]:
        left = left + ops.log1p(-random_uniform(dims, key=key.fold_in(index)))
        return index + 1, count + ops.to_float(left > 0), left

    return while_loop(condition, step, ops.to_int64(wrap(0)), 0 * mean, mean)[1]


def _transformed_rejection(mean: Tensor, dims: Shape, key: RandomKey) -> Tensor:
    """PTRS for means from 10 on; names as in the paper."""
    b = 0.931 + 2.53 * ops.sqrt(mean)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2)
    log_mean = ops.log(mean)

    def propose(step: RandomKey) -> tuple[Tensor, Tensor]:
        first, second = step.split(2)
        u = random_uniform(dims, key=first) - 0.5
        v = 1 - random_uniform(dims, key=second)
        u_s = ops.maximum(0.5 - ops.abs_(u), 1e-30)
        k = ops.floor((2 * a / u_s + b) * u + mean + 0.43)
        possible = (k >= 0) & ((u_s >= 0.013) | (v <= u_s))
        k = ops.maximum(k, 0.0)
        density = k * log_mean - mean - _log_factorial(k)
        accepted = ops.log(v * inverse_alpha / (a / (u_s * u_s) + b)) <= density
        return k, ((u_s >= 0.07) & (v <= v_r)) | (possible & accepted)

    return _accepted(propose, 0 * mean, key)


def _log_factorial(k: Tensor) -> Tensor:
    """Log k! by Stirling's series at k + 7, where it is exact to 3e-11."""
    z, product = k + 7, k + 1
    for i in range(2, 7):
        product = product * (k + i)
    w = 1 / (z * z)
    series = (1 / 12 - w * (1 / 360 - w * (1 / 1260 - w / 1680))) / z
    return (z - 0.5) * ops.log(z) - z + 0.5 * math.log(2 * math.pi) + series - ops.log(product)


def _accepted(propose: Callable[[RandomKey], tuple[Tensor, Tensor]], start: Tensor, key: RandomKey) -> Tensor:
    """First accepted proposal of every entry; `propose(key)` returns `(proposals, which are accepted)`."""

    def condition(index: Tensor, found: Tensor, missing: Tensor) -> Tensor:
        return any_(missing, missing.shape)

    def step(index: Tensor, found: Tensor, missing: Tensor) -> tuple[Tensor, ...]:
        proposal, accepted = propose(key.fold_in(index))
        return index + 1, ops.where(missing & accepted, proposal, found), missing & ~accepted

    return while_loop(condition, step, ops.to_int64(wrap(0)), start, start == start)[1]


def _dims(shape: tuple[Shape | str, ...], *parameters: Any) -> Shape:
    return merge_shapes(*shape, *(p.shape for p in parameters if isinstance(p, Tensor)))


def _checked_parameter(
    function: str, name: str, value: Any, valid: Callable[[Any], Any], instead: float
) -> Tensor:
    """Parameter of a distribution as a tensor; invalid ones are reported and replaced, so that loops end."""
    value = _number(function, name, value)
    x = value if isinstance(value, Tensor) else wrap(float(value))
    good = valid(x) & ops.is_finite(x)
    report(
        any_(~good, good.shape) if good.rank else ~good,
        lambda _: ValueError(
            f"`{function}` found a value of `{name}` that is not finite or too small. Mask it first, e.g. "
            f"`where(valid, {name}, {instead})`."
        ),
    )
    return ops.where(good, x, instead)


def _number(function: str, name: str, value: Any) -> Any:
    if not isinstance(value, (Tensor, int, float)):
        raise TypeError(f"`{function}` needs a number or tensor `{name}`, but found {type(value).__name__}.")
    return value


def _refusing(parameter: Tensor, sample: Tensor, function: str, argument: str) -> Tensor:
    """`sample`, whose derivative in `parameter` is an error; in compiled code, which cannot raise, NaN."""

    def refuse(inputs: dict[str, Any], y: Any, dy: Any) -> dict[str, Any]:
        raise Unsupported(
            f"`{function}` has no derivative in `{argument}`: numbers are accepted or not. Use "
            f"`stop_gradient({argument})`, or a score function: the derivative of the log density times the "
            f"loss."
        )

    def undefined(inputs: dict[str, Any], y: Any, dy: Any) -> dict[str, Any]:
        total = sum_(dy, tuple(name for name in dy.shape.names if name not in inputs["parameter"].shape))
        return {"parameter": total * float("nan"), "sample": dy}

    if parameter.available:
        return sample
    rule = undefined if settings().traced == "jit" else refuse
    return custom_gradient(lambda parameter, sample: sample, rule)(parameter, sample)
