"""Poisson's equation on a box of cells, solved directly: transform along each axis, divide by the eigenvalues, transform back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from operator import add
from typing import Any, cast

import phi_tensor as math
from phi_tensor import Backend, Tensor, dual, spatial, wrap
from phi_physics.fluid._modes import Ends, modes


def solve_poisson(right: Tensor, ends: Mapping[str, Ends], dx: Tensor) -> Tensor:
    """Solution p of ∇²p = b at cell centers, ∇² = Σ D²/dx² with closed, open or periodic ends.

    Where no end is open, p is determined up to a constant and b must have zero mean: the mean of b is removed, that of p is 0.
    Exact up to rounding for any number of cells, linear and self-adjoint in b.

    Args:
        right: b `(batch…, spatial…)`.
        ends: What lies below and above the cells, per axis.
        dx: Cell size `(vector)`.
    """
    scale = _inverse_eigenvalues(right, ends, dx)
    bases = {axis: _basis(axis, pair, _size(right, axis), right.backend) for axis, pair in ends.items()}
    spectrum = right
    for axis, basis in bases.items():
        spectrum = math.dot(spectrum, axis, basis, axis)
    spectrum = spectrum * scale
    for axis, basis in bases.items():
        spectrum = math.dot(spectrum, f"~{axis}", basis, f"~{axis}")
    return spectrum


def _size(values: Tensor, axis: str) -> int:
    return cast("int", values.shape.get_size(axis))


def _basis(axis: str, ends: Ends, n: int, backend: Backend) -> Tensor:
    """Modes `(axis, ~axis)` in the context's precision, kept by backend."""
    key = ("basis", axis, ends, n, backend, math.get_precision())
    return _kept(key, lambda: _constant(wrap(modes(ends, n).basis, spatial(axis), dual(axis)), backend))


def _inverse_eigenvalues(right: Tensor, ends: Mapping[str, Ends], dx: Tensor) -> Tensor:
    """1/λ of each mode `(~axis…)`, 0 for the constant one."""
    sizes = {axis: _size(right, axis) for axis in ends}
    if not dx.available or dx.rank != 1:
        return _inverse(sizes, ends, dx)
    spacing = tuple(float(dx.vector[axis]) for axis in ends)
    key = ("inverse", tuple(sizes.items()), tuple(ends.values()), spacing, right.backend, math.get_precision())
    return _kept(key, lambda: _constant(_exact_inverse(sizes, ends, spacing), right.backend))


def _exact_inverse(sizes: Mapping[str, int], ends: Mapping[str, Ends], spacing: tuple[float, ...]) -> Tensor:
    with math.precision(64):
        return _inverse(sizes, ends, math.vec(**dict(zip(ends, spacing, strict=True))))


def _inverse(sizes: Mapping[str, int], ends: Mapping[str, Ends], dx: Tensor) -> Tensor:
    terms = [wrap(modes(pair, sizes[axis]).eigenvalues, dual(axis)) / dx.vector[axis] ** 2 for axis, pair in ends.items()]
    return math.safe_div(1.0, reduce(add, terms))


def _constant(values: Tensor, backend: Backend) -> Tensor:
    return math.convert(math.to_float(values), backend)


_KEPT: dict[Any, Tensor] = {}
_MOST_KEPT = 256


def _kept(key: Any, make: Callable[[], Tensor]) -> Tensor:
    """A constant, made once."""
    found = _KEPT.get(key)
    if found is None:
        found = make()
        if found.available:
            if len(_KEPT) >= _MOST_KEPT:
                _KEPT.clear()
            _KEPT[key] = found
    return found
