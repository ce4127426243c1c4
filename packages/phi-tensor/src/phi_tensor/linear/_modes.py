"""Modes of (n, n) matrices: transforms that make them diagonal, and their eigenvalues.

A matrix is compared with the modes that are known: waves around a periodic line (any circulant matrix),
cosines (DCT I, II, IV) and sines (DST I, II, IV) between mirrors. Other symmetric matrices are decomposed,
once. Sparse matrices of long dims must be second differences between such ends, up to a factor and a multiple
of 1.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from phi_tensor.linear._axis_matrix import is_sparse, largest
from phi_tensor.ops._real_transforms import matrix_of

Matrix = npt.NDArray[np.float64]
TOLERANCE = 1e-11
"""Largest deviation from known modes, relative to the largest entry times √n."""
NULL = 1e-12
"""Eigenvalues below this, relative to the largest one, are 0."""
LONGEST_DECOMPOSED = 4096
"""Of longer dims only modes are known that follow from formulas."""
LONGEST_PRODUCT = 64
"""Shorter periodic lines take a product with real waves, longer ones a fast Fourier transform."""
KNOWN = (("dct", 2), ("dst", 1), ("dct", 1), ("dst", 2), ("dct", 4), ("dst", 4))


class Modes(NamedTuple):
    """What makes a matrix diagonal.

    Attributes:
        kind: `fourier`, `dct`, `dst` or `basis`.
        type: Of a cosine or sine transform; 0 else.
        values: Eigenvalues; complex for circulant matrices that are not symmetric.
        basis: Orthonormal eigenvectors `(cell, mode)` of the kind `basis`, else None.
        constants: Whether the matrix maps constants to 0, and so does its transpose.
    """

    kind: str
    type: int
    values: npt.NDArray[Any]
    basis: Matrix | None = None
    constants: bool = False


_KEPT: OrderedDict[bytes, Modes | None] = OrderedDict()
_MOST_KEPT = 64


def modes_of(matrix: Any) -> Modes | None:
    """Modes of a matrix, None for one that is neither symmetric nor circulant; kept by content."""
    matrix = matrix.tocsr() if is_sparse(matrix) else np.asarray(matrix, np.float64)
    key = _digest(matrix)
    if key not in _KEPT:
        if len(_KEPT) >= _MOST_KEPT:
            _KEPT.popitem(last=False)
        found = _of_sparse(matrix) if is_sparse(matrix) else _found(matrix)
        _KEPT[key] = found and found._replace(constants=_maps_constants_to_0(matrix))
    return _KEPT[key]


def _digest(matrix: Any) -> bytes:
    import hashlib  # noqa: PLC0415 costs 2 ms of `import phi_tensor`

    arrays = [matrix.data, matrix.indices, matrix.indptr] if is_sparse(matrix) else [matrix]
    content = hashlib.blake2b(str(matrix.shape).encode(), digest_size=16)
    for array in arrays:
        content.update(np.ascontiguousarray(array).data)
    return content.digest()


_ANGLES: dict[tuple[int, int], tuple[str, int, Callable[[Any, int], Any]]] = {
    (1, 1): ("dct", 2, lambda k, n: np.pi * k / n),
    (0, 0): ("dst", 1, lambda k, n: np.pi * (k + 1) / (n + 1)),
    (-1, -1): ("dst", 2, lambda k, n: np.pi * (k + 1) / n),
    (1, -1): ("dct", 4, lambda k, n: np.pi * (2 * k + 1) / (2 * n)),
    (-1, 1): ("dst", 4, lambda k, n: np.pi * (2 * k + 1) / (2 * n)),
}
"""Transform and angles per cell by how often the first and last diagonal entry holds another link."""


def _turns(k: Any, n: int) -> Any:
    return 2 * np.pi * k / n


def _of_sparse(matrix: Any) -> Modes | None:
    """Modes of c D² + d, with eigenvalues d − 4c sin²(θ/2), D² a second difference; of short others, too."""
    n = matrix.shape[0]
    found = _of_second_difference(matrix, n) if n > LONGEST_PRODUCT else None
    return found if found or n > LONGEST_DECOMPOSED else _found(matrix.toarray())


def _of_second_difference(matrix: Any, n: int) -> Modes | None:
    lower, middle, upper = (matrix.diagonal(k) for k in (-1, 0, 1))
    link, centre, tiny = upper[0], middle[n // 2], TOLERANCE * largest(matrix)
    around = matrix[[0], [n - 1]].sum(), matrix[[n - 1], [0]].sum()
    stored = (np.abs(matrix.data) > tiny).sum()
    counted = sum((np.abs(part) > tiny).sum() for part in (lower, middle, upper, np.asarray(around)))
    constant = max(np.ptp(lower), np.ptp(upper), np.ptp(middle[1:-1]), abs(lower[0] - link)) <= tiny
    if stored != counted or not constant or abs(around[0] - around[1]) > tiny:
        return None
    ends = (middle[[0, -1]] - centre) / (link or 1)
    whole = int(np.rint(ends[0])), int(np.rint(ends[1]))
    if np.abs(ends - whole).max() > 1e-9:
        return None
    if abs(around[0]) <= tiny and whole in _ANGLES:
        name, kind, angles = _ANGLES[whole]
    elif abs(around[0] - link) <= tiny and whole == (0, 0):
        name, kind, angles = "fourier", 0, _turns
    else:
        return None
    theta = angles(np.arange(n), n)
    values = centre + 2 * link - 4 * link * np.sin(theta / 2) ** 2
    return Modes(name, kind, _without_noise(values))


def _found(matrix: Matrix) -> Modes | None:
    n = len(matrix)
    tiny = TOLERANCE * max(float(np.abs(matrix).max(initial=0)), 1e-300)
    if n == 1:
        return Modes("basis", 0, matrix[0].copy(), np.ones((1, 1)))
    if _is_circulant(matrix, tiny):
        values = np.fft.fft(matrix[:, 0])
        if np.abs(matrix - matrix.T).max() > tiny:
            return Modes("fourier", 0, _without_noise(values))
        values = _without_noise(values.real)
        if n <= LONGEST_PRODUCT:
            return Modes("basis", 0, values[(np.arange(n) + 1) // 2], _real_waves(n))
        return Modes("fourier", 0, values)
    for name, kind in KNOWN:
        values = _eigenvalues(matrix, (name, kind), tiny)
        if values is not None:
            return Modes(name, kind, _without_noise(values))
    if np.abs(matrix - matrix.T).max() <= tiny:
        values, basis = np.linalg.eigh((matrix + matrix.T) / 2)
        return Modes("basis", 0, _without_noise(values), basis)
    return None


def _maps_constants_to_0(matrix: Any) -> bool:
    tiny = 1e-10 * largest(matrix)
    return all(np.abs(np.asarray(matrix.sum(axis))).max(initial=0) <= tiny for axis in (0, 1))


def _real_waves(n: int) -> Matrix:
    """Orthonormal cosines and sines of 0, 1, 1, 2, 2, … turns `(cell, mode)`; the last of even n is alone."""
    cell, mode = np.arange(n)[:, None], np.arange(n)[None, :]
    phase = 2 * np.pi * (cell * ((mode + 1) // 2) % n) / n
    waves = np.where((mode % 2 == 1) | (mode == 0), np.cos(phase), np.sin(phase))
    return waves / np.linalg.norm(waves, axis=0)


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


def _without_noise(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    size = np.abs(values)
    return np.where(size <= NULL * size.max(initial=0), 0, values)
