"""Cosine and sine transforms of native arrays, scaled as in SciPy: matrix products if short, else FFTs.

Eight transforms, one row each: the function behind the matrix, the inverse, its factor, and the way by FFT.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from phi_tensor._dtype import DType
from phi_tensor.backends._backend import Backend, ComputeDevice, Native

Along = Callable[[Native], Native]
"""Function of an array that keeps its shape."""
Matrix = npt.NDArray[np.float64]


class Transform(NamedTuple):
    """One transform y = M x of n values.

    Attributes:
        matrix: n → M.
        inverse: Key of the transform that is M⁻¹ up to a factor.
        period: n → p, where M⁻¹ = inverse / p.
        by_fft: Makes the function by FFT for `(backend, axis, rank, n, dtype)`.
    """

    matrix: Callable[[int], Matrix]
    inverse: tuple[str, int]
    period: Callable[[int], int]
    by_fft: Callable[[Axis], Along]


class Axis:
    """One axis of native arrays, with the functions that transforms need there."""

    def __init__(self, backend: Backend, axis: int, rank: int, n: int, dtype: DType) -> None:
        self.backend, self.axis, self.rank, self.n, self.dtype = backend, axis, rank, n, dtype
        self.ops = backend.ops

    def part(self, x: Native, start: int | None, stop: int | None, step: int | None = None) -> Native:
        """Entries `start:stop:step`."""
        return self.ops["getitem"](x, (*[slice(None)] * self.axis, slice(start, stop, step)))

    def flip(self, x: Native) -> Native:
        """Entries in reverse order."""
        return self.ops["flip"](x, (self.axis,))

    def concat(self, *parts: Native) -> Native:
        """Parts one after the other."""
        return self.ops["concat"](list(parts), self.axis)

    def scale(self, values: npt.NDArray[Any]) -> Along:
        """Function that multiplies the entries by real or complex factors."""
        kind = (
            self.dtype.numpy if values.dtype.kind != "c" else np.result_type(self.dtype.numpy, np.complex64)
        )
        sizes = [-1 if a == self.axis else 1 for a in range(self.axis, self.rank)]
        factors, multiply = constant(self.backend, values.astype(kind).reshape(sizes)), self.ops["multiply"]
        return lambda x: multiply(x, factors(x))

    def rfft(self, x: Native) -> Native:
        """FFT of real values."""
        return self.ops["rfft"](x, self.axis)


def constant(backend: Backend, array: npt.NDArray[Any]) -> Along:
    """Function that returns a constant on the device of its argument; kept, except from inside traces."""
    kept: dict[ComputeDevice, Native] = {}

    def on_device_of(like: Native) -> Native:
        device = backend.device(like)
        found = kept.get(device)
        if found is None:
            found = backend.as_native(array, device)
            if backend.is_concrete(like):
                kept[device] = found
        return found

    return on_device_of


# --- by FFT


def _dct2(a: Axis) -> Along:
    """Makhoul 1980: values at even, then reversed at odd places, have the spectrum V; y = 2 Re(wV)."""
    n = a.n
    twiddle = a.scale(2 * np.exp(-0.5j * np.pi * np.arange(n // 2 + 1) / n))

    def transform(x: Native) -> Native:
        v = a.concat(a.part(x, None, None, 2), a.flip(a.part(x, 1, None, 2))) if n > 1 else x
        z = twiddle(a.rfft(v))
        low = a.ops["real"](z)
        high = a.ops["negative"](a.ops["imag"](a.part(z, 1, (n + 1) // 2)))
        return a.concat(low, a.flip(high)) if n > 2 else low

    return transform


def _dct3(a: Axis) -> Along:
    """2n times the inverse of `_dct2`."""
    n = a.n
    half = n // 2 + 1
    factors = n * np.exp(0.5j * np.pi * np.arange(half) / n)
    real, imaginary = a.scale(factors), a.scale(-1j * factors)

    def transform(y: Native) -> Native:
        low = a.part(y, 0, half)
        first = a.part(y, 0, 1)
        high = a.concat(a.ops["multiply"](first, 0), a.flip(a.part(y, n - half + 1, None)))
        z = a.ops["add"](real(_complex(a, low)), imaginary(_complex(a, high)))
        v = a.ops["irfft"](z, n, a.axis)
        return _interleaved(a, a.part(v, 0, (n + 1) // 2), a.flip(a.part(v, (n + 1) // 2, None)))

    return transform


def _complex(a: Axis, x: Native) -> Native:
    return a.ops["cast"](x, DType.of(np.result_type(a.dtype.numpy, np.complex64)))


def _interleaved(a: Axis, even: Native, odd: Native) -> Native:
    n, shape = a.n, a.backend.shape(even)
    last = a.part(even, n // 2, None)
    pairs = a.ops["stack"]([a.part(even, 0, n // 2), odd], a.axis + 1)
    joined = a.ops["reshape"](pairs, (*shape[: a.axis], 2 * (n // 2), *shape[a.axis + 1 :]))
    return a.concat(joined, last) if n % 2 else joined


def _dct1(a: Axis) -> Along:
    n = a.n
    return lambda x: a.ops["real"](a.rfft(a.concat(x, a.flip(a.part(x, 1, n - 1)))))


def _dst1(a: Axis) -> Along:
    n = a.n

    def transform(x: Native) -> Native:
        zero = a.ops["multiply"](a.part(x, 0, 1), 0)
        odd = a.concat(zero, x, zero, a.ops["negative"](a.flip(x)))
        return a.ops["negative"](a.ops["imag"](a.part(a.rfft(odd), 1, n + 1)))

    return transform


def _dct4(a: Axis) -> Along:
    """The odd entries of the type II transform of twice as many values, the second half of which is 0."""
    n = a.n
    double = _dct2(Axis(a.backend, a.axis, a.rank, 2 * n, a.dtype))
    return lambda x: a.part(double(a.concat(x, a.ops["multiply"](x, 0))), 1, None, 2)


def _dst2(a: Axis) -> Along:
    cosine, alternate = _dct2(a), a.scale((-1.0) ** np.arange(a.n))
    return lambda x: a.flip(cosine(alternate(x)))


def _dst3(a: Axis) -> Along:
    cosine, alternate = _dct3(a), a.scale((-1.0) ** np.arange(a.n))
    return lambda x: alternate(cosine(a.flip(x)))


def _dst4(a: Axis) -> Along:
    cosine, alternate = _dct4(a), a.scale((-1.0) ** np.arange(a.n))
    return lambda x: alternate(cosine(a.flip(x)))


# --- matrices; k counts rows, j columns


def _grid(n: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    return np.arange(n)[:, None], np.arange(n)[None, :]


def _dct1_matrix(n: int) -> Matrix:
    k, j = _grid(n)
    weight = np.where((j == 0) | (j == n - 1), 1, 2)
    return weight * np.cos(np.pi * ((k * j) % (2 * n - 2)) / (n - 1))


def _dct2_matrix(n: int) -> Matrix:
    k, j = _grid(n)
    return 2 * np.cos(np.pi * ((k * (2 * j + 1)) % (4 * n)) / (2 * n))


def _dct3_matrix(n: int) -> Matrix:
    k, j = _grid(n)
    return np.where(j == 0, 1, 2) * np.cos(np.pi * (((2 * k + 1) * j) % (4 * n)) / (2 * n))


def _dct4_matrix(n: int) -> Matrix:
    k, j = _grid(n)
    return 2 * np.cos(np.pi * (((2 * k + 1) * (2 * j + 1)) % (8 * n)) / (4 * n))


def _dst1_matrix(n: int) -> Matrix:
    k, j = _grid(n)
    return 2 * np.sin(np.pi * (((k + 1) * (j + 1)) % (2 * n + 2)) / (n + 1))


def _dst2_matrix(n: int) -> Matrix:
    k, j = _grid(n)
    return 2 * np.sin(np.pi * (((k + 1) * (2 * j + 1)) % (4 * n)) / (2 * n))


def _dst3_matrix(n: int) -> Matrix:
    k, j = _grid(n)
    return np.where(j == n - 1, 1, 2) * np.sin(np.pi * (((2 * k + 1) * (j + 1)) % (4 * n)) / (2 * n))


def _dst4_matrix(n: int) -> Matrix:
    k, j = _grid(n)
    return 2 * np.sin(np.pi * (((2 * k + 1) * (2 * j + 1)) % (8 * n)) / (4 * n))


TRANSFORMS: dict[tuple[str, int], Transform] = {
    ("dct", 1): Transform(_dct1_matrix, ("dct", 1), lambda n: 2 * n - 2, _dct1),
    ("dct", 2): Transform(_dct2_matrix, ("dct", 3), lambda n: 2 * n, _dct2),
    ("dct", 3): Transform(_dct3_matrix, ("dct", 2), lambda n: 2 * n, _dct3),
    ("dct", 4): Transform(_dct4_matrix, ("dct", 4), lambda n: 2 * n, _dct4),
    ("dst", 1): Transform(_dst1_matrix, ("dst", 1), lambda n: 2 * n + 2, _dst1),
    ("dst", 2): Transform(_dst2_matrix, ("dst", 3), lambda n: 2 * n, _dst2),
    ("dst", 3): Transform(_dst3_matrix, ("dst", 2), lambda n: 2 * n, _dst3),
    ("dst", 4): Transform(_dst4_matrix, ("dst", 4), lambda n: 2 * n, _dst4),
}
"""All transforms by name and type."""

LONGEST_PRODUCT_BESIDE_NATIVE = 64
"""A product with an n x n matrix takes less time than SciPy's transform up to this n, measured."""
LONGEST_PRODUCT = 128
"""A product with an n x n matrix takes less time, up to this n, than transforms composed of FFTs."""
LONGEST_PRODUCT_OF_ODD_SIZES = 512
"""The same where n has a prime factor above 13, which FFTs are slow at."""


def by_product(n: int, has_native: bool) -> bool:
    """Whether the transform of n values is a matrix product; `has_native`: the library has its own."""
    if has_native:
        return n <= LONGEST_PRODUCT_BESIDE_NATIVE
    return n <= (LONGEST_PRODUCT if _largest_prime(n) <= 13 else LONGEST_PRODUCT_OF_ODD_SIZES)


@lru_cache(256)
def _largest_prime(n: int) -> int:
    largest, factor = 1, 2
    while n > 1:
        while n % factor == 0:
            n, largest = n // factor, factor
        factor += 1
    return largest


@lru_cache(64)
def matrix_of(key: tuple[str, int], n: int, inverse: bool, orthonormal: bool) -> Matrix:
    """Matrix of a transform, its inverse, or the orthonormal version of either."""
    matrix = TRANSFORMS[key].matrix(n)
    if orthonormal:
        inner, outer = orthonormal_weights(key, n)
        matrix = outer[:, None] * matrix * inner[None, :]
        return matrix.T if inverse else matrix
    back = TRANSFORMS[key]
    return TRANSFORMS[back.inverse].matrix(n) / back.period(n) if inverse else matrix


def orthonormal_weights(
    key: tuple[str, int], n: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """`(inner, outer)` so that outer · M · inner is orthogonal: what the ends count."""
    name, kind = key
    inner, outer = np.ones(n), np.full(n, TRANSFORMS[key].period(n) ** -0.5)
    ends: dict[tuple[str, int], tuple[list[int], list[int]]] = {
        ("dct", 2): ([], [0]),
        ("dct", 3): ([0], []),
        ("dst", 2): ([], [-1]),
        ("dst", 3): ([-1], []),
        ("dct", 1): ([0, -1], [0, -1]),
    }
    first, last = ends.get((name, kind), ([], []))
    inner[first] *= 2**0.5
    outer[last] *= 2**-0.5
    return inner, outer
