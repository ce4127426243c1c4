"""PyTorch's matrix functions by row name.

Singular matrices give numbers that are not finite instead of errors for the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from phi_tensor.backends._backend import Native


def _nan_where(failed: Native, x: Native) -> Native:
    return torch.where(failed.reshape(*failed.shape, *[1] * (x.ndim - failed.ndim)), torch.nan, x)


def _solve(a: Native, b: Native) -> Native:
    x, info = torch.linalg.solve_ex(a, b)
    return _nan_where(info != 0, x)


def _inv(x: Native) -> Native:
    inverse, info = torch.linalg.inv_ex(x)
    return _nan_where(info != 0, inverse)


def _cholesky(x: Native) -> Native:
    lower, info = torch.linalg.cholesky_ex(x)
    return _nan_where(info != 0, lower)


def _finite_only(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` with NaN for matrices with entries that are not finite, which it refuses."""

    def apply(x: Native, *settings: Any) -> Any:
        try:
            return function(x, *settings)
        except torch.linalg.LinAlgError:  # pyright: ignore[reportPrivateImportUsage] public by its documentation
            return _of_finite(function, x, *settings)

    return apply


def _of_finite(function: Callable[..., Any], x: Native, *settings: Any) -> Any:
    infinite = ~torch.isfinite(x).all(-1).all(-1)
    found = function(torch.where(infinite[..., None, None], 0, x), *settings)
    if isinstance(found, tuple):
        return tuple(_nan_where(infinite, y) for y in found)
    return _nan_where(infinite, found)


def _known_only(function: Callable[..., Any]) -> Callable[[Native], Any]:
    """`function` that never sees NaN: LAPACK ends the process (`eigvals`) or gives numbers (`eigh`)."""
    return lambda x: _of_finite(function, x)


OPS: dict[str, Callable[..., Any]] = {
    "solve": _solve,
    "inv": _inv,
    "det": torch.linalg.det,
    "logabsdet": lambda x: torch.linalg.slogdet(x)[1],
    "eigvals": _known_only(torch.linalg.eigvals),
    "eigh": _known_only(lambda x: tuple(torch.linalg.eigh(x))),
    "svd": _finite_only(lambda x, full: tuple(torch.linalg.svd(x, full))),
    "svdvals": _finite_only(torch.linalg.svdvals),
    "qr": lambda x: tuple(torch.linalg.qr(x)),
    "cholesky": _cholesky,
    "pinv": _finite_only(lambda x, rel_tol: torch.linalg.pinv(x, rtol=rel_tol)),
}
"""Native functions of matrices; see `backends/README.md`."""
