"""PyTorch functions by row name: special functions, running extremes, searching."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

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


def _extreme(function: Callable[..., Any]) -> Callable[[Native, int], Native]:
    def along(x: Native, axis: int) -> Native:
        if x.dtype is torch.bool:
            return function(x.to(torch.uint8), axis)[0].bool()
        return function(x, axis)[0]

    return along


def _searchsorted(keys: Native, values: Native, right: bool) -> Native:
    if keys.dtype is torch.bool:
        keys, values = keys.to(torch.uint8), values.to(torch.uint8)
    return torch.searchsorted(keys.detach().contiguous(), values.detach().contiguous(), right=right)


STATS: dict[str, Callable[..., Any]] = {
    "erfc": torch.erfc,
    "erfinv": torch.erfinv,
    "log_gamma": torch.lgamma,
    "digamma": torch.digamma,
    "gammainc": _of_tensors(torch.special.gammainc),
    "gammaincc": _of_tensors(torch.special.gammaincc),
    "signbit": torch.signbit,
    "copysign": _of_tensors(torch.copysign),
    "logaddexp": _of_tensors(torch.logaddexp),
    "nextafter": _of_tensors(_nextafter),
    "cumprod": torch.cumprod,
    "cummax": _extreme(torch.cummax),
    "cummin": _extreme(torch.cummin),
    "searchsorted": _searchsorted,
}
"""Native functions by row name; see `backends/README.md`."""
