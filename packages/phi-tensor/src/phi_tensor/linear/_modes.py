"""Modes of (n, n) matrices: transforms that make them diagonal, and their eigenvalues.

A matrix is compared with the modes that are known: waves around a periodic line (any circulant matrix),
cosines
(DCT I, II, IV) and sines (DST I, II, IV) between mirrors. Other symmetric matrices are decomposed, once.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from phi_tensor.ops._real_transforms import matrix_of

Matrix = npt.NDArray[np.float64]
TOLERANCE = 1e-11
"""Largest deviation from known modes, relative to the largest entry times √n."""
NULL = 1e-12
"""Eigenvalues below this, relative to the largest one, are 0."""
KNOWN = (("dct", 2), ("dst", 1), ("dct", 1), ("dst", 2), ("dct", 4), ("dst", 4))


class Modes(NamedTuple):
    """What makes a matrix diagonal.

    Attributes:
        kind: `fourier`, `dct`, `dst` or `basis`.
        type: Of a cosine or sine transform; 0 else.
        values: Eigenvalues; complex for circulant matrices that are not symmetric.
        basis: Orthonormal eigenvectors `(cell, mode)` of the kind `basis`, else None.
    """

    kind: str
    type: int
    values: npt.NDArray[np.generic]
    basis: Matrix | None = None


_KEPT: OrderedDict[bytes, Modes | None] = OrderedDict()
_MOST_KEPT = 64


def modes_of(matrix: Matrix) -> Modes | None:
    """Modes of a matrix, None for one that is neither symmetric nor circulant; kept by content."""
    import hashlib  # noqa: PLC0415 costs 2 ms of `import phi_tensor`

    key = hashlib.blake2b(np.ascontiguousarray(matrix).data, digest_size=16).digest() + bytes(
        str(matrix.shape), "ascii"
    )
    if key not in _KEPT:
        if len(_KEPT) >= _MOST_KEPT:
            _KEPT.popitem(last=False)
        _KEPT[key] = _found(matrix)
    return _KEPT[key]


def _found(matrix: Matrix) -> Modes | None:
    n = len(matrix)
    tiny = TOLERANCE * max(float(np.abs(matrix).max(initial=0)), 1e-300)
    if n == 1:
        return Modes("basis", 0, matrix[0].copy(), np.ones((1, 1)))
    if _is_circulant(matrix, tiny):
        values = np.fft.fft(matrix[:, 0])
        symmetric = np.abs(matrix - matrix.T).max() <= tiny
        return Modes("fourier", 0, _without_noise(values.real if symmetric else values))
    for name, kind in KNOWN:
        values = _eigenvalues(matrix, (name, kind), tiny)
        if values is not None:
            return Modes(name, kind, _without_noise(values))
    if np.abs(matrix - matrix.T).max() <= tiny:
        values, basis = np.linalg.eigh((matrix + matrix.T) / 2)
        return Modes("basis", 0, _without_noise(values), basis)
    return None


def _is_circulant(matrix: Matrix, tiny: float) -> bool:
    return bool(
        np.abs(matrix[1:, 1:] - matrix[:-1, :-1]).max(initial=0) <= tiny
        and np.abs(matrix[1:, 0] - matrix[:-1, -1]).max(initial=0) <= tiny
    )


def _eigenvalues(matrix: Matrix, key: tuple[str, int], tiny: float) -> npt.NDArray[np.float64] | None:
    """Eigenvalues if the modes of this transform are eigenvectors, else None.

    The transform T is y = M x. A = M⁻¹ Λ M means M A = Λ M; a few rows show most mismatches.
    """
    n = len(matrix)
    transform = matrix_of(key, n, False, False)
    for rows in (slice(n // 2, n // 2 + 1), slice(None)):
        some = transform[rows]
        image = some @ matrix
        values = (image * some).sum(1) / (some * some).sum(1)
        if np.abs(image - values[:, None] * some).max() > 4 * n**0.5 * tiny:
            return None
    return values


def _without_noise(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    size = np.abs(values)
    return np.where(size <= NULL * size.max(initial=0), 0, values)
