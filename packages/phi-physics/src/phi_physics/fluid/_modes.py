"""Modes of the second difference along one axis: its orthonormal eigenvectors, by what lies at both ends.

Vectors of n values with (D²v)ᵢ = vᵢ₊₁ − 2vᵢ + vᵢ₋₁ are waves of angle θ per cell, D²v = −4 sin²(θ/2) v. The
ends decide about
θ and phase: a closed end mirrors the wave at the face, an open end makes it vanish one cell beyond.

| ends | modes | angles | transform |
| --- | --- | --- | --- |
| periodic | 1, cos, sin | 2πk/n | Fourier |
| closed, closed | cos θ(i+½) | πk/n | DCT-II |
| open, open | sin θ(i+1) | π(k+1)/(n+1) | DST-I |
| closed, open | cos θ(i+½) | π(2k+1)/(2n+1) | DCT-VIII |
| open, closed | sin θ(i+1) | π(2k+1)/(2n+1) | DST-VII |
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

End = Literal["periodic", "closed", "open"]
Ends = tuple[End, End]
"""What lies below and above a line of cells."""

Floats = npt.NDArray[np.float64]


@lru_cache(256)
def basis(ends: Ends, n: int) -> Floats:
    """Orthonormal modes `(cell, mode)` of `n` cells between `ends`, 64 bit."""
    angles, wave = _WAVES[ends]
    cell, mode = np.arange(n)[:, None], np.arange(n)[None, :]
    waves = wave(cell, mode, n, angles(mode, n))
    return waves / np.linalg.norm(waves, axis=0)


def eigenvalues(ends: Ends, n: int) -> Floats:
    """Eigenvalue of each mode in `basis`, 64 bit; exactly 0 for the constant one."""
    return -4 * np.sin(_WAVES[ends][0](np.arange(n), n) / 2) ** 2


Angles = Callable[[npt.NDArray[np.int64], int], Floats]
Wave = Callable[[npt.NDArray[np.int64], npt.NDArray[np.int64], int, Floats], Floats]


def _turns(k: npt.NDArray[np.int64], n: int) -> Floats:
    return 2 * np.pi * ((k + 1) // 2) / n  # 0, 1, 1, 2, 2, … turns; the last one is single for even n


def _fourier(i: npt.NDArray[np.int64], k: npt.NDArray[np.int64], n: int, theta: Floats) -> Floats:
    phase = 2 * np.pi * (i * ((k + 1) // 2) % n) / n
    is_cosine = (k % 2 == 0) | (k + 1 == n)
    return np.where(is_cosine, np.cos(phase), np.sin(phase))


def _cosine(i: npt.NDArray[np.int64], k: npt.NDArray[np.int64], n: int, theta: Floats) -> Floats:
    return np.cos(theta * (i + 0.5))


def _sine(i: npt.NDArray[np.int64], k: npt.NDArray[np.int64], n: int, theta: Floats) -> Floats:
    return np.sin(theta * (i + 1))


_WAVES: dict[Ends, tuple[Angles, Wave]] = {
    ("periodic", "periodic"): (_turns, _fourier),
    ("closed", "closed"): (lambda k, n: np.pi * k / n, _cosine),
    ("open", "open"): (lambda k, n: np.pi * (k + 1) / (n + 1), _sine),
    ("closed", "open"): (lambda k, n: np.pi * (2 * k + 1) / (2 * n + 1), _cosine),
    ("open", "closed"): (lambda k, n: np.pi * (2 * k + 1) / (2 * n + 1), _sine),
}
