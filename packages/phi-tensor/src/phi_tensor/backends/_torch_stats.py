"""PyTorch functions by row name: special functions, running extremes, searching."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from phi_tensor.backends import _torch_compile as adapter
from phi_tensor.backends._torch_rules import custom_gradient

Native = Any
_NUMBER = (int, float, complex)


def _of_tensors(function: Callable[..., Any]) -> Callable[[Native, Native], Native]:
    """Binary `function` of two arrays that takes a Python number in either place, too."""

    def of_numbers(x: Native, y: Native) -> Native:
        if isinstance(y, _NUMBER):
            y = torch.full((), y, dtype=x.dtype, device=x.device)
        elif isinstance(x, _NUMBER):
            x = torch.full((), x, dtype=y.dtype, device=y.device)
        return function(x, y)

    return of_numbers


def _nextafter(x: Native, y: Native) -> Native:
    """The library's has no derivative; a neighbour of x changes as x does."""
    constant = x.detach()
    neighbour = torch.nextafter(constant, y.detach())
    return torch.where(torch.isfinite(constant), neighbour + (x - constant), neighbour)


def _incomplete_gamma(function: Callable[..., Any], sign: int) -> Callable[[Native, Native], Native]:
    """`function` with its derivative ±xᵃ⁻¹e⁻ˣ/Γ(a) by x; the library has none in forward mode."""

    def pullback(
        primals: tuple[Native, ...], outputs: tuple[Native, ...], cotangents: tuple[Native, ...]
    ) -> tuple[Native, ...]:
        a, x = primals
        density = torch.exp((a - 1) * torch.log(x) - x - torch.lgamma(a))
        return torch.zeros_like(a), sign * cotangents[0] * density

    differentiable = custom_gradient(lambda a, x: (function(a, x),), pullback)

    def incomplete(a: Native, x: Native) -> Native:
        if adapter.innermost() is None and not (a.requires_grad or x.requires_grad):
            return function(a, x)
        return differentiable(*torch.broadcast_tensors(a, x))[0]

    return incomplete


def _extreme(function: Callable[..., Any]) -> Callable[[Native, int], Native]:
    def along(x: Native, axis: int) -> Native:
        if x.dtype is torch.bool:
            return function(x.to(torch.uint8), axis)[0].bool()
        return function(x, axis)[0]

    return along


def _cumprod(x: Native, axis: int) -> Native:
    """Where it is differentiated by products of shifted arrays, of which ⌈log₂ n⌉ give all.

    The library's derivative in forward mode has none of its own where an entry is 0, silently.
    """
    if adapter.innermost() is None and not x.requires_grad:
        return torch.cumprod(x, axis)
    size, reach = x.shape[axis], 1
    while reach < size:
        products = x.narrow(axis, reach, size - reach) * x.narrow(axis, 0, size - reach)
        x = torch.cat((x.narrow(axis, 0, reach), products), axis)
        reach *= 2
    return x


def _searchsorted(keys: Native, values: Native, right: bool) -> Native:
    keys, values = keys.detach().contiguous(), values.detach().contiguous()
    if not keys.is_floating_point():
        if keys.dtype is torch.bool:
            keys, values = keys.to(torch.uint8), values.to(torch.uint8)
        return torch.searchsorted(keys, values, right=right)
    unknown = torch.isnan(keys)  # as the largest numbers, like in NumPy; the library takes them for any
    known = keys.shape[1] - torch.sum(unknown, 1, keepdim=True)
    found = torch.searchsorted(torch.where(unknown, torch.inf, keys), values, right=right)
    behind = torch.full_like(known, keys.shape[1]) if right else known
    return torch.where(torch.isnan(values), behind, torch.minimum(found, known))


STATS: dict[str, Callable[..., Any]] = {
    "erfc": torch.erfc,
    "erfinv": torch.erfinv,
    "log_gamma": torch.lgamma,
    "digamma": torch.digamma,
    "gammainc": _of_tensors(_incomplete_gamma(torch.special.gammainc, 1)),
    "gammaincc": _of_tensors(_incomplete_gamma(torch.special.gammaincc, -1)),
    "signbit": torch.signbit,
    "copysign": _of_tensors(torch.copysign),
    "logaddexp": _of_tensors(torch.logaddexp),
    "nextafter": _of_tensors(_nextafter),
    "cumprod": _cumprod,
    "cummax": _extreme(torch.cummax),
    "cummin": _extreme(torch.cummin),
    "searchsorted": _searchsorted,
}
"""Native functions by row name; see `backends/README.md`."""
