"""Reductions and sorting over the dims of one type: the prefixes d, p, i, s, c name it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from phi_tensor._dim_types import channel, dual, instance, primal, spatial
from phi_tensor.ops._reductions import max_, mean, min_, prod, sum_
from phi_tensor.ops._sorting import sort


def _by_type(function: Callable[..., Any]) -> list[Callable[..., Any]]:
    """`function` with the dual, primal, instance, spatial and channel dims as its default `dim`."""
    return [_over(function, dims, word) for word, dims in _TYPES.items()]


def _over(function: Callable[..., Any], dims: Any, word: str) -> Callable[..., Any]:
    def over_type(value: Any, dim: Any = dims, *args: Any, **options: Any) -> Any:
        return function(value, dim, *args, **options)

    plain = function.__name__.removesuffix("_")
    over_type.__name__ = over_type.__qualname__ = word[0] + plain
    over_type.__doc__ = f"Result of `{plain}` over the {word} dims of `value`; other options as there."
    return over_type


_TYPES = {"dual": dual, "primal": primal, "instance": instance, "spatial": spatial, "channel": channel}

dsum, psum, isum, ssum, csum = _by_type(sum_)
dmean, pmean, imean, smean, cmean = _by_type(mean)
dprod, pprod, iprod, sprod, cprod = _by_type(prod)
dmax, pmax, imax, smax, cmax = _by_type(max_)
dmin, pmin, imin, smin, cmin = _by_type(min_)
dsort, psort, isort, ssort, csort = _by_type(sort)
