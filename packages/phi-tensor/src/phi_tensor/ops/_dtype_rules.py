"""How the element types of operands and results follow from the operands and the context's precision."""

from __future__ import annotations

from phi_tensor._context import context_dtype
from phi_tensor._dtype import BOOL, COMPLEX64, FLOAT32, INT32, INT64, DType, widest
from phi_tensor._errors import Unsupported
from phi_tensor._plan import Row
from phi_tensor.layouts._layout import Layout, Scalar


def result_types(row: Row, layouts: tuple[Layout, ...]) -> tuple[tuple[DType, ...], DType]:
    """`(type to cast each operand to, type of the result)` by the row's dtype rule.

    Floats and complex numbers take the context's precision; ints and bools keep their kind, ints the widest
    of their tensors.
    """
    if row.dtype == "where":
        common = _promoted(layouts[1:])
        return (BOOL, *(common for _ in layouts[1:])), common
    if row.dtype == "logical":
        return tuple(BOOL for _ in layouts), BOOL
    common = _promoted(layouts)
    if common.kind is complex and row.options.get("real"):
        raise Unsupported(
            f"`{row.name}` is defined for real numbers only, but found {common}. Take `real(value)`, "
            f"`imag(value)` or `abs(value)` first."
        )
    if row.dtype == "float":
        common = _at_least(common, FLOAT32)
    elif row.dtype == "complex":
        common = _at_least(common, COMPLEX64)
    elif row.dtype in ("sum", "number", "real"):
        common = _at_least(common, INT32)
    elif row.dtype == "bits" and common.kind not in (bool, int):
        raise Unsupported(
            f"`{row.name}` works on bits of ints and bools, but found {common}. Cast with "
            f"`to_int64(value)` first."
        )
    if row.options.get("inexact"):
        common = _at_least(common, FLOAT32)
    elif row.options.get("numeric"):  # shifted bools are ints, as in Python
        common = _at_least(common, INT32)
    return tuple(common for _ in layouts), _result(row, common)


def _result(row: Row, common: DType) -> DType:
    if row.dtype in ("compare", "test"):
        return BOOL
    if row.dtype == "real" and common.kind is complex:
        return context_dtype(FLOAT32)
    if row.dtype == "accumulate" and common.kind in (bool, int):
        return INT64
    if row.dtype == "index":
        return INT64
    return common


def _promoted(layouts: tuple[Layout, ...]) -> DType:
    """Common type: the highest kind among all operands.

    The width comes from tensors (ints) or the context (floats).
    """
    top = widest(tuple(layout.dtype for layout in layouts))
    if top.kind in (float, complex):
        return context_dtype(top)
    of_tensors = [
        layout.dtype for layout in layouts if not isinstance(layout, Scalar) and layout.dtype.kind is top.kind
    ]
    if of_tensors:
        return widest(tuple(of_tensors))
    return BOOL if top.kind is bool else INT32


def _at_least(dtype: DType, lowest: DType) -> DType:
    return (
        widest((dtype, context_dtype(lowest)))
        if dtype.kind in (bool, int) or lowest.kind is complex
        else dtype
    )
