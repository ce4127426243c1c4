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
Factors = npt.NDArray[np.float64]
"""One number for all entries along an axis, or one for each."""
ONE: Factors = np.ones(())


class Transform(NamedTuple):
    """One transform y = M x of n values.

    Attributes:
        matrix: n → M.
        inverse: Key of the transform that is M⁻¹ up to a factor.
        period: n → p, where M⁻¹ = inverse / p.
        by_fft: `(axis, inner, outer)` → function x ↦ outer · M (inner · x) by FFT.
    """

    matrix: Callable[[int], Matrix]
    inverse: tuple[str, int]
    period: Callable[[int], int]
    by_fft: Callable[[Axis, Factors, Factors], Along]


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

    def scale(self, values: Factors) -> Along:
        """Function that multiplies the entries by factors."""
        if np.all(values == 1):
            return lambda x: x
        sizes = [-1 if a == self.axis else 1 for a in range(self.axis, self.rank)] if values.ndim else []
        factors = constant(self.backend, values.astype(self.dtype.numpy).reshape(sizes))
        multiply = self.ops["multiply"]
        return lambda x: multiply(x, factors(x))

    def rfft(self, x: Native) -> Native:
        """FFT of real values."""
        return self.ops["rfft"](x, (self.axis,))


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


# --- by FFT: functions of the axis, of what the values and of what the results are multiplied by


def _dct2(a: Axis, inner: Factors, outer: Factors) -> Along:
    """Makhoul 1980: values at even, then reversed at odd places, have the spectrum V; y = 2 Re(wV)."""
    n = a.n
    half = n // 2 + 1
    top = slice(1, (n + 1) // 2)  # frequencies that are there twice
    angle = 0.5 * np.pi * np.arange(half) / n
    weigh, outer = a.scale(inner), outer * np.ones(n)
    cosine, sine = 2 * np.cos(angle), 2 * np.sin(angle)
    cosine_low, sine_low = a.scale(cosine * outer[:half]), a.scale(sine * outer[:half])
    mirrored = outer[::-1][: len(angle[top])]
    cosine_high, sine_high = a.scale(cosine[top] * mirrored), a.scale(sine[top] * mirrored)
    add, subtract = a.ops["add"], a.ops["subtract"]

    def transform(x: Native) -> Native:
        x = weigh(x)
        v = a.concat(a.part(x, None, None, 2), a.flip(a.part(x, 1, None, 2))) if n > 1 else x
        z = a.rfft(v)
        real, imaginary = a.ops["real"](z), a.ops["imag"](z)
        low = add(cosine_low(real), sine_low(imaginary))
        if n <= 2:
            return low
        real, imaginary = a.part(real, top.start, top.stop), a.part(imaginary, top.start, top.stop)
        return a.concat(low, a.flip(subtract(sine_high(real), cosine_high(imaginary))))

    return transform


def _dct3(a: Axis, inner: Factors, outer: Factors) -> Along:
    """2n times the inverse of `_dct2`."""
    n = a.n
    half = n // 2 + 1
    angle = 0.5 * np.pi * np.arange(half) / n
    weigh, inner = a.scale(outer), inner * np.ones(n)
    low, high = n * inner[:half], n * np.concatenate([np.zeros(1), inner[: n - half : -1]])
    cosine_low, sine_low = a.scale(np.cos(angle) * low), a.scale(np.sin(angle) * low)
    cosine_high, sine_high = a.scale(np.cos(angle) * high), a.scale(np.sin(angle) * high)
    add, subtract = a.ops["add"], a.ops["subtract"]

    def transform(y: Native) -> Native:
        first = a.part(y, 0, half)
        last = a.concat(a.part(y, 0, 1), a.flip(a.part(y, n - half + 1, None)))  # its first entry counts 0
        real = add(cosine_low(first), sine_high(last))
        imaginary = subtract(sine_low(first), cosine_high(last))
        v = a.ops["irfft"](a.ops["complex"](real, imaginary), n, (a.axis,))
        return weigh(_interleaved(a, a.part(v, 0, (n + 1) // 2), a.flip(a.part(v, (n + 1) // 2, None))))

    return transform


def _interleaved(a: Axis, even: Native, odd: Native) -> Native:
    n, shape = a.n, a.backend.shape(even)
    last = a.part(even, n // 2, None)
    pairs = a.ops["stack"]([a.part(even, 0, n // 2), odd], a.axis + 1)
    joined = a.ops["reshape"](pairs, (*shape[: a.axis], 2 * (n // 2), *shape[a.axis + 1 :]))
    return a.concat(joined, last) if n % 2 else joined


def _dct1(a: Axis, inner: Factors, outer: Factors) -> Along:
    n, before, after = a.n, a.scale(inner), a.scale(outer)

    def transform(x: Native) -> Native:
        x = before(x)
        return after(a.ops["real"](a.rfft(a.concat(x, a.flip(a.part(x, 1, n - 1))))))

    return transform


def _dst1(a: Axis, inner: Factors, outer: Factors) -> Along:
    n, before, after = a.n, a.scale(inner), a.scale(-outer)

    def transform(x: Native) -> Native:
        x = before(x)
        zero = a.ops["multiply"](a.part(x, 0, 1), 0)
        odd = a.concat(zero, x, zero, a.ops["negative"](a.flip(x)))
        return after(a.ops["imag"](a.part(a.rfft(odd), 1, n + 1)))

    return transform


def _dct4(a: Axis, inner: Factors, outer: Factors) -> Along:
    """The odd entries of the type II transform of twice as many values, the second half of which is 0."""
    double = Axis(a.backend, a.axis, a.rank, 2 * a.n, a.dtype)
    before, transform = a.scale(inner), _dct2(double, ONE, np.repeat(outer * np.ones(a.n), 2))

    def odd_entries(x: Native) -> Native:
        x = before(x)
        return a.part(transform(a.concat(x, a.ops["multiply"](x, 0))), 1, None, 2)

    return odd_entries


def _dst2(a: Axis, inner: Factors, outer: Factors) -> Along:
    cosine = _dct2(a, inner * _alternating(a.n), (outer * np.ones(a.n))[::-1])
    return lambda x: a.flip(cosine(x))


def _dst3(a: Axis, inner: Factors, outer: Factors) -> Along:
    cosine = _dct3(a, (inner * np.ones(a.n))[::-1], outer * _alternating(a.n))
    return lambda x: cosine(a.flip(x))


def _dst4(a: Axis, inner: Factors, outer: Factors) -> Along:
    cosine = _dct4(a, inner * _alternating(a.n), (outer * np.ones(a.n))[::-1])
    return lambda x: a.flip(cosine(x))


def _alternating(n: int) -> Factors:
    return np.where(np.arange(n) % 2, -1.0, 1.0)


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
