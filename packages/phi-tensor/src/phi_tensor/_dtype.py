"""Element types: one immutable object per type.

`FLOAT32 == float` compares the kind, `FLOAT32 == FLOAT64` is False.
"""

from __future__ import annotations

from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

Kind = type[bool] | type[int] | type[float] | type[complex]
Precision = Literal[16, 32, 64]

KINDS: tuple[Kind, ...] = (bool, int, float, complex)


class DType:
    """Element type of a tensor, interned: `DType(float, 32) is DType.of("float32")`.

    Args:
        kind: Python type of the elements: `bool`, `int`, `float` or `complex`.
        bits: Bits per element [bit]; default: 8 for `bool`, 32 for `int`, by `precision` for the others.
        precision: Bits of the floating-point numbers [bit]; default: that of the context.

    >>> DType(complex, precision=64)
    complex128

    Attributes:
        name: NumPy name, e.g. `float32`.
        kind: Python type of the elements: `bool`, `int`, `float` or `complex`.
        bits: Bits per element [bit]; 8 for `bool`.
        itemsize: Bytes per element [byte].
        numpy: The equivalent `numpy.dtype`.
    """

    __slots__ = ("bits", "itemsize", "kind", "name", "numpy")

    name: str
    kind: Kind
    bits: int
    itemsize: int
    numpy: np.dtype[Any]

    def __new__(cls, kind: Kind, bits: int | None = None, precision: int | None = None) -> DType:
        """The one object of this type."""
        if kind not in KINDS:
            raise TypeError(
                f"`DType({kind!r})`: elements are of type bool, int, float or complex. Pass one of these."
            )
        if bits is None:
            sized = _BY_KIND[kind] if kind in (bool, int) else None
            bits = (sized or DType.by_precision(kind, precision or _context_precision())).bits
        name = "bool" if kind is bool else f"{kind.__name__}{bits}"
        if name not in _BY_NAME:
            raise ValueError(f"There is no element type `{name}`. Use one of {', '.join(_BY_NAME)}.")
        return _BY_NAME[name]

    @staticmethod
    def of(dtype: DTypeLike) -> DType:
        """Interned type for a `DType`, a name, a NumPy dtype, or a Python type.

        32-bit int, context-free float32.
        """
        if isinstance(dtype, DType):
            return dtype
        if isinstance(dtype, type) and dtype in _BY_KIND:
            return _BY_KIND[dtype]
        try:
            name = np.dtype(dtype).name
        except TypeError:
            name = ""
        if name not in _BY_NAME:
            raise TypeError(f"`{dtype}` is no element type of tensors. Use one of {', '.join(_BY_NAME)}.")
        return _BY_NAME[name]

    @staticmethod
    def as_dtype(value: DTypeLike | tuple[Kind, int] | None) -> DType | None:
        """Element type for a Python type, in the context's precision, `(type, bits)`, or what `of` takes.

        None stays None.

        >>> DType.as_dtype((int, 64)), DType.as_dtype(float)
        (int64, float32)
        """
        if value is None:
            return None
        if isinstance(value, tuple):
            kind, bits = cast("tuple[Kind, int]", value)
            return DType(kind, bits)
        return DType(value) if isinstance(value, type) and value in KINDS else DType.of(value)

    @staticmethod
    def by_precision(kind: Kind, precision: int) -> DType:
        """Float type of `precision` bits, or the complex type of two such floats."""
        return _FLOATS[precision] if kind is float else _COMPLEX[precision]

    @property
    def precision(self) -> int | None:
        """Bits of the floating-point numbers [bit], None for bools and ints."""
        return {float: self.bits, complex: self.bits // 2}.get(self.kind)

    def __eq__(self, other: object) -> bool:
        return self is other or other is self.kind

    def __hash__(self) -> int:
        return hash(self.name)

    def __reduce__(self) -> tuple[Any, ...]:
        return DType.of, (self.name,)

    def __repr__(self) -> str:
        return self.name


def _context_precision() -> int:
    from phi_tensor._context import get_precision  # noqa: PLC0415 the context needs element types

    return get_precision()


def _made(name: str, kind: Kind, bits: int) -> DType:
    dtype = object.__new__(DType)
    dtype.name, dtype.kind, dtype.bits, dtype.itemsize, dtype.numpy = (
        name,
        kind,
        bits,
        bits // 8,
        np.dtype(name),
    )
    return dtype


DTypeLike = DType | str | Kind | npt.DTypeLike

BOOL = _made("bool", bool, 8)
INT8, INT16, INT32, INT64 = (_made(f"int{bits}", int, bits) for bits in (8, 16, 32, 64))
UINT8, UINT16, UINT32, UINT64 = (_made(f"uint{bits}", int, bits) for bits in (8, 16, 32, 64))
FLOAT16, FLOAT32, FLOAT64 = (_made(f"float{bits}", float, bits) for bits in (16, 32, 64))
COMPLEX64, COMPLEX128 = (_made(f"complex{bits}", complex, bits) for bits in (64, 128))

_ALL = (
    BOOL,
    INT8,
    INT16,
    INT32,
    INT64,
    UINT8,
    UINT16,
    UINT32,
    UINT64,
    FLOAT16,
    FLOAT32,
    FLOAT64,
    COMPLEX64,
    COMPLEX128,
)
_BY_NAME = {dtype.name: dtype for dtype in _ALL}
_BY_KIND: dict[type, DType] = {bool: BOOL, int: INT32, float: FLOAT32, complex: COMPLEX64}
_FLOATS = {16: FLOAT16, 32: FLOAT32, 64: FLOAT64}
_COMPLEX = {
    16: COMPLEX64,
    32: COMPLEX64,
    64: COMPLEX128,
}  # no library has complex numbers of two 16-bit floats


def widest(dtypes: tuple[DType, ...]) -> DType:
    """Type that holds all `dtypes` of the highest kind among them (bool < int < float < complex)."""
    top = max(dtypes, key=lambda dtype: KINDS.index(dtype.kind)).kind
    of_kind = [dtype for dtype in dtypes if dtype.kind is top]
    return DType.of(np.result_type(*(dtype.numpy for dtype in of_kind)))
