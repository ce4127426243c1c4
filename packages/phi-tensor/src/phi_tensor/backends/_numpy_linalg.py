"""NumPy's matrix functions by row name, over all matrices at once.

Singular matrices give numbers that are not finite, and only for themselves: where NumPy raises for the whole
batch, the matrices are taken one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def _each_for_itself(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` with NaN for the matrices that it refuses."""

    def apply(*arrays: Array) -> Any:
        try:
            return function(*arrays)
        except np.linalg.LinAlgError:
            return _one_by_one(function, *arrays)

    return apply


def _one_by_one(function: Callable[..., Any], *arrays: Array) -> Any:
    batch = arrays[0].shape[:-2]
    count = int(np.prod(batch))
    flat = [x.reshape(count, *x.shape[-2:]) for x in arrays]
    ones = [np.broadcast_to(np.eye(*x.shape[-2:], dtype=x.dtype), x.shape) for x in flat]
    found = [_or_nan(function, [x[i] for x in flat], [one[i] for one in ones]) for i in range(count)]
    if not isinstance(found[0], tuple):
        return np.stack(found).reshape(*batch, *found[0].shape)
    return tuple(np.stack(column).reshape(*batch, *column[0].shape) for column in zip(*found, strict=True))


def _or_nan(function: Callable[..., Any], arrays: list[Array], like: list[Array]) -> Any:
    try:
        result = function(*arrays)
        return tuple(result) if isinstance(result, tuple) else result
    except np.linalg.LinAlgError:
        result = function(*like)
        nan = [np.full_like(x, np.nan) for x in (result if isinstance(result, tuple) else (result,))]
        return tuple(nan) if isinstance(result, tuple) else nan[0]


def _eigvals(x: Array) -> Array:
    return np.linalg.eigvals(x).astype(np.result_type(x, np.complex64))


def _nan_of_nan(function: Callable[[Array], Any]) -> Callable[[Array], Any]:
    """`function` with NaN for matrices with NaN, for which LAPACK gives numbers."""

    def apply(x: Array) -> Any:
        with np.errstate(all="ignore"):
            result = function(x)
        unknown = np.asarray(np.isnan(x).any((-2, -1)))
        if not unknown.any():
            return result
        return (
            tuple(_hidden(y, unknown) for y in result)
            if isinstance(result, tuple)
            else _hidden(result, unknown)
        )

    return apply


def _hidden(x: Array, where: Array) -> Array:
    return np.where(where.reshape(*where.shape, *[1] * (x.ndim - where.ndim)), x.dtype.type(np.nan), x)


OPS: dict[str, Callable[..., Any]] = {
    "solve": _each_for_itself(np.linalg.solve),
    "inv": _each_for_itself(np.linalg.inv),
    "det": _nan_of_nan(np.linalg.det),
    "logabsdet": _nan_of_nan(lambda x: np.linalg.slogdet(x)[1]),
    "eigvals": _each_for_itself(_eigvals),
    "eigh": _nan_of_nan(_each_for_itself(lambda x: tuple(np.linalg.eigh(x)))),
    "svd": lambda x, full: _each_for_itself(lambda y: tuple(np.linalg.svd(y, full)))(x),
    "svdvals": _each_for_itself(lambda x: np.linalg.svd(x, compute_uv=False)),
    "qr": _each_for_itself(lambda x: tuple(np.linalg.qr(x))),
    "cholesky": _each_for_itself(np.linalg.cholesky),
    "pinv": lambda x, rel_tol: _each_for_itself(lambda y: np.linalg.pinv(y, rel_tol))(x),
}
"""Native functions of matrices; see `backends/README.md`."""
