"""Direct solution of separable systems: A = Σ_axis s_axis I⊗A_axis⊗I is diagonal in the modes of its axes.

x = T⁻¹ Λ⁻¹ T b with T the transforms along all axes, Λ the sum of their eigenvalues; modes of the null space
get
0, as in the pseudo-inverse. Cosine, sine and Fourier transforms are rows that choose between FFT and
products by
themselves (`_real_transforms`); other modes are products with the matrix of eigenvectors.
Lynch, Rice & Thomas, *Direct solution of partial difference equations by tensor product methods*, 1964.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from phi_tensor._context import context_dtype
from phi_tensor._create import wrap
from phi_tensor._dim import Dim
from phi_tensor._dim_types import channel
from phi_tensor._dtype import COMPLEX64, FLOAT32, DType
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.backends._backend import Backend
from phi_tensor.layouts._layout import Dense
from phi_tensor.linear._modes import Modes, modes_of
from phi_tensor.linear._operator import (
    CONSTANTS,
    DEFINITE,
    REGULAR,
    SYMMETRIC,
    AxisMatrices,
    LinearOperator,
)
from phi_tensor.linear._problem import Function
from phi_tensor.ops._elementwise import safe_div, to_float
from phi_tensor.ops._products import dot
from phi_tensor.ops._real_transforms import Along, constant
from phi_tensor.ops._signal import dct, dst, fft, idct, idst, ifft, irfft, rfft
from phi_tensor.ops._structure import rename_dims

NULL = 1e-12
"""Sums of eigenvalues below this, relative to the largest one, belong to the null space."""


@dataclass(frozen=True, eq=False)
class Separable:
    """A separable operator in its modes.

    Attributes:
        dims: Dims of the unknown.
        modes: Modes per dim.
    """

    dims: tuple[Dim, ...]
    modes: tuple[Modes, ...]

    @cached_property
    def values(self) -> npt.NDArray[Any]:
        """Λ with one axis per dim, where all scales are 1."""
        return self.scaled((1.0,) * len(self.dims))

    def scaled(self, scales: Sequence[float]) -> npt.NDArray[Any]:
        """Λ with one axis per dim."""
        total: npt.NDArray[Any] = np.zeros(())
        for axis, (modes, scale) in enumerate(zip(self.modes, scales, strict=True)):
            along = [-1 if a == axis else 1 for a in range(len(self.dims))]
            total = total + scale * modes.values.reshape(along)
        return total

    @cached_property
    def norm(self) -> float:
        """Largest eigenvalue, ‖A‖ for the normal matrices that have modes."""
        return float(np.abs(self.values).max(initial=0))

    @cached_property
    def norms(self) -> tuple[float, ...]:
        """Largest eigenvalue by axis; ‖A‖ is at most the sum of these, scaled."""
        return tuple(float(np.abs(modes.values).max(initial=0)) for modes in self.modes)

    @cached_property
    def definite(self) -> bool:
        """Whether all eigenvalues are real and of one sign, or 0."""
        values = self.values
        return bool(np.isrealobj(values) and ((values >= 0).all() or (values <= 0).all()))

    @cached_property
    def scalable(self) -> bool:
        """Whether positive scales change neither which modes are null nor the sign of others."""
        signs = [modes.values for modes in self.modes]
        one_sign = all((v >= 0).all() for v in signs) or all((v <= 0).all() for v in signs)
        return bool(np.isrealobj(self.values) and one_sign)

    @cached_property
    def tags(self) -> frozenset[str]:
        """What the modes prove."""
        tags: set[str] = set()
        null = is_null(self.values)
        if not null.any():
            tags.add(REGULAR)
        elif null.sum() == 1 and all(modes.constants for modes in self.modes):
            tags.add(CONSTANTS)
        if self.definite:
            tags |= {SYMMETRIC, DEFINITE}
        return frozenset(tags)

    def solve(self, b: Tensor, scales: Mapping[str, Tensor] | None = None) -> Tensor:
        """Pseudo-inverse of A times b."""
        return self._solver(b, scales)

    @cached_property
    def _solver(self) -> Callable[[Tensor, Mapping[str, Tensor] | None], Tensor]:
        return _solver(self)


def is_null(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which modes are null."""
    size = np.abs(values)
    return size <= NULL * size.max(initial=0)


MOST_KEPT = 16
"""Systems whose eigenvalues and modes are kept."""

_KEPT: OrderedDict[Any, Separable] = OrderedDict()
_BY_AXES: deque[tuple[AxisMatrices, Separable | None]] = deque(maxlen=MOST_KEPT)


def separable(operator: LinearOperator) -> Separable | None:
    """Modes of a separable operator; None if it is none, or an axis has no modes."""
    axes = operator.axis_matrices
    if axes is None or set(axes) != set(operator.domain.names):
        return None
    system = _of_axes(axes, operator.domain.dims)
    return None if system is None or (operator.axis_scales and not system.scalable) else system


def direct(operator: LinearOperator) -> Function | None:
    """Function b ↦ pseudo-inverse of A times b; None for operators without modes."""
    system = separable(operator)
    if system is None:
        return None
    scales = None if operator.axis_scales is None else operator.axis_scales(operator.coefficients)
    return lambda b: system.solve(b, scales)


def _of_axes(axes: AxisMatrices, dims: tuple[Dim, ...]) -> Separable | None:
    same = next((whole for known, whole in _BY_AXES if known is axes), _BY_AXES)
    if same is not _BY_AXES:
        return cast("Separable | None", same)
    modes = [modes_of(axes[dim.name]) for dim in dims]
    whole: Separable | None = None
    if None not in modes:
        key = (dims, *map(id, modes))
        whole = _KEPT.get(key) or Separable(dims, cast("Any", tuple(modes)))
        _KEPT[key] = whole
        while len(_KEPT) > MOST_KEPT:
            _KEPT.popitem(last=False)
    _BY_AXES.append((axes, whole))
    return whole


def _solver(system: Separable) -> Callable[[Tensor, Mapping[str, Tensor] | None], Tensor]:
    fourier = tuple(d.name for d, m in zip(system.dims, system.modes, strict=True) if m.kind == "fourier")
    real = [(d, m) for d, m in zip(system.dims, system.modes, strict=True) if m.kind != "fourier"]
    inverse = _Inverse(system, fourier)

    def solve(b: Tensor, scales: Mapping[str, Tensor] | None) -> Tensor:
        is_complex = b.dtype.kind is complex
        if is_complex and real:
            return solve(b.real, scales) + 1j * solve(b.imag, scales)
        x = b
        for dim, modes in real:
            x = _forward(x, dim.name, modes)
        if fourier:
            x = fft(x, fourier) if is_complex else rfft(x, fourier)
        x = x * inverse(x, scales, half=bool(fourier) and not is_complex)
        if fourier:
            last = cast("int", b.shape.get_size(fourier[-1]))
            x = ifft(x, fourier) if is_complex else irfft(x, fourier, last)
        for dim, modes in reversed(real):
            x = _backward(x, dim, modes)
        return x

    return solve


class _Inverse:
    """1/Λ, 0 for null modes, as a tensor of the backend and precision that holds; summed in 64 bit.

    Kept for scales whose numbers are known.
    """

    def __init__(self, system: Separable, fourier: tuple[str, ...]) -> None:
        self._system, self._fourier = system, fourier
        self._kept: OrderedDict[Any, tuple[Along, Dense]] = OrderedDict()

    def __call__(self, like: Tensor, scales: Mapping[str, Tensor] | None, half: bool) -> Tensor:
        backend, known = like.backend, self._known(scales)
        if known is None:
            return self._of_tensors(scales or {}, half)
        dtype = context_dtype(COMPLEX64 if np.iscomplexobj(self._system.values) else FLOAT32)
        key = (backend, dtype, half, known)
        if key not in self._kept:
            self._kept[key] = self._made(backend, dtype, half, known)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        values, layout = self._kept[key]
        return Tensor(layout, (values(like.natives[0]),))

    def _known(self, scales: Mapping[str, Tensor] | None) -> tuple[float, ...] | None:
        """The numbers of the scales; None where they are traced, or differ between systems."""
        if scales is None:
            return (1.0,) * len(self._system.dims)
        chosen = [scales[dim.name] for dim in self._system.dims]
        if all(scale.available and not scale.rank for scale in chosen):
            return tuple(map(float, chosen))
        return None

    def _made(
        self, backend: Backend, dtype: DType, half: bool, scales: tuple[float, ...]
    ) -> tuple[Along, Dense]:
        values = self._system.scaled(scales)
        null = is_null(values)
        inverse = np.where(null, 0, 1 / np.where(null, 1, values))
        dims = list(self._system.dims)
        if half:
            axis = next(i for i, dim in enumerate(dims) if dim.name == self._fourier[-1])
            n = inverse.shape[axis] // 2 + 1
            inverse = inverse[(*[slice(None)] * axis, slice(0, n))]
            dims[axis] = dims[axis].with_size(n)
        layout = Dense.of(tuple(dims), Shape.of(tuple(dims)), dtype, backend)
        return constant(backend, np.ascontiguousarray(inverse, dtype.numpy)), layout

    def _of_tensors(self, scales: Mapping[str, Tensor], half: bool) -> Tensor:
        """The modes of an axis that are null are exactly 0, and so is their sum."""
        total: Any = 0
        for dim, modes in zip(self._system.dims, self._system.modes, strict=True):
            halved = half and dim.name == self._fourier[-1]
            values = modes.values[: len(modes.values) // 2 + 1] if halved else modes.values
            total = total + scales[dim.name] * wrap(values, Shape.of((dim.with_size(len(values)),)))
        return safe_div(1.0, to_float(total))


def _forward(x: Tensor, name: str, modes: Modes) -> Tensor:
    if modes.basis is not None:
        return rename_dims(dot(x, name, _basis(x, modes), "_cell"), "_mode", x.shape[name])
    transform: Callable[..., Tensor] = dct if modes.kind == "dct" else dst
    return transform(x, name, cast("Any", modes.type))


def _backward(x: Tensor, dim: Dim, modes: Modes) -> Tensor:
    if modes.basis is not None:
        return rename_dims(dot(x, dim.name, _basis(x, modes), "_mode"), "_cell", Shape.of((dim,)))
    transform: Callable[..., Tensor] = idct if modes.kind == "dct" else idst
    return transform(x, dim.name, cast("Any", modes.type))


def _basis(like: Tensor, modes: Modes) -> Tensor:
    """Eigenvectors `(_cell, _mode)` in the library of `like`."""
    assert modes.basis is not None
    native = _constant(like.backend, _Held(modes.basis), context_dtype(FLOAT32))
    return wrap(native(like.natives[0]), channel("_cell"), channel("_mode"))


class _Held:
    """An array, compared by identity."""

    def __init__(self, array: npt.NDArray[np.float64]) -> None:
        self.array = array

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and self.array is other.array

    def __hash__(self) -> int:
        return id(self.array)


@lru_cache(64)
def _constant(backend: Backend, held: _Held, dtype: DType) -> Along:
    return constant(backend, held.array.astype(dtype.numpy))
