"""Poisson's equation on a box of cells, solved by transforms along the axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from operator import add
from typing import Any, cast

import numpy as np

import phi_tensor as math
from phi_physics.fluid._modes import Ends, Floats, basis, eigenvalues
from phi_tensor import Backend, Tensor, channel, dual, spatial, wrap


def solve_poisson(right: Tensor, ends: Mapping[str, Ends], dx: Tensor) -> Tensor:
    """Solution p of ∇²p = b at cell centers, ∇² = Σ D²/dx² with closed, open or periodic ends.

    Where no end is open, p is determined up to a constant and b must have zero mean: the mean of b is
    removed, that of p is 0.
    Exact up to rounding for any number of cells, linear and self-adjoint in b.

    Args:
        right: b `(batch…, spatial…)`.
        ends: What lies below and above the cells, per axis.
        dx: Cell size `(vector)`.
    """
    fourier = tuple(
        axis for axis, pair in ends.items() if pair == PERIODIC and _size(right, axis) > LONGEST_PRODUCT
    )
    others = {axis: _transform(right, axis, pair) for axis, pair in ends.items() if axis not in fourier}
    spectrum = right
    for forward, _ in others.values():
        spectrum = forward(spectrum)
    if fourier:
        spectrum = math.rfft(spectrum, fourier)
    spectrum = spectrum * _inverse_eigenvalues(right, ends, dx, fourier)
    if fourier:
        spectrum = math.irfft(spectrum, fourier, _size(right, fourier[-1]))
    for _, backward in others.values():
        spectrum = backward(spectrum)
    return spectrum


PERIODIC: Ends = ("periodic", "periodic")
LONGEST_PRODUCT = 64
"""Periodic axes with more cells take a fast Fourier transform, shorter ones a product with real modes."""

Transform = Callable[[Tensor], Tensor]


def _transform(right: Tensor, axis: str, ends: Ends) -> tuple[Transform, Transform]:
    """Real transform along one axis into modes and back."""
    if ends == ("closed", "closed"):
        return lambda x: math.dct(x, axis, 2, True), lambda x: math.idct(x, axis, 2, True)
    if ends == ("open", "open"):
        return lambda x: math.dst(x, axis, 1, True), lambda x: math.idst(x, axis, 1, True)
    dim, matrix = right.shape[axis], _basis(axis, ends, _size(right, axis), right.backend)
    return (
        lambda x: math.rename_dims(math.dot(x, axis, matrix, axis), f"~{axis}", dim),
        lambda x: math.dot(math.rename_dims(x, axis, dual(axis)), f"~{axis}", matrix, f"~{axis}"),
    )


def _size(values: Tensor, axis: str) -> int:
    return cast("int", values.shape.get_size(axis))


def _basis(axis: str, ends: Ends, n: int, backend: Backend) -> Tensor:
    """Modes `(axis, ~axis)` in the context's precision, kept by backend."""
    key = ("basis", axis, ends, n, backend, math.get_precision())
    return _kept(key, lambda: _constant(wrap(basis(ends, n), spatial(axis), dual(axis)), backend))


def _inverse_eigenvalues(
    right: Tensor, ends: Mapping[str, Ends], dx: Tensor, fourier: tuple[str, ...]
) -> Tensor:
    """1/λ of each mode `(axes…)`, 0 for the constant one."""
    sizes = {axis: _size(right, axis) for axis in ends}

    def of_modes() -> dict[str, Floats]:
        return {
            axis: _fourier_eigenvalues(n, axis == fourier[-1])
            if axis in fourier
            else eigenvalues(ends[axis], n)
            for axis, n in sizes.items()
        }

    if not dx.available or dx.rank != 1:
        return _inverse(of_modes(), dx)
    spacing = {axis: float(dx.vector[axis]) for axis in ends}
    key = ("inverse", *ends.items(), *sizes.values(), *spacing.values(), right.backend, math.get_precision())
    return _kept(key, lambda: _constant(_exact_inverse(of_modes(), spacing), right.backend))


def _exact_inverse(values: Mapping[str, Floats], spacing: dict[str, float]) -> Tensor:
    with math.precision(64):
        return _inverse(values, math.stack(spacing, channel("vector")))


def _inverse(values: Mapping[str, Floats], dx: Tensor) -> Tensor:
    terms = [wrap(of_modes, spatial(axis)) / dx.vector[axis] ** 2 for axis, of_modes in values.items()]
    return math.safe_div(1.0, reduce(add, terms))


def _fourier_eigenvalues(n: int, halved: bool) -> Floats:
    """In the order of `fft`, or of `rfft` along the halved axis."""
    return -4 * np.sin(np.pi * np.arange(n // 2 + 1 if halved else n) / n) ** 2


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
