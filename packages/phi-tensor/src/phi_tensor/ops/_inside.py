"""Whether index vectors point inside of a grid: looked up in their numbers at each call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from phi_tensor._context import settings
from phi_tensor._hidden import report
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._layout import Layout
from phi_tensor.ops import _table as table
from phi_tensor.ops._parts import components_of
from phi_tensor.ops._ragged_places import sizes_along

NO_INDEX = ""
"""In place of the index dim where indices count along a single dim."""


def check_inside(
    indices: Layout,
    names: Sequence[str],
    index: str,
    values: Shape,
    function: str,
    told: Mapping[str, Any] | None = None,
) -> Callable[[Tensor], None]:
    """Function that reports indices outside of the dims `names`; on the CPU or in compiled code.

    Elsewhere looking would cost more than the operation.

    Args:
        indices: Layout of the index vectors.
        names: Dims of `values` in the order of the components.
        index: Dim of the components, or `NO_INDEX`.
        values: What is indexed.
        function: For the message.
        told: Sizes by dim, for the message; default: those of `values`.
    """
    sizes = [values.get_size(name) for name in names]
    found = told or dict(zip(names, sizes, strict=True))

    def error(_: Any = None) -> IndexError:
        return IndexError(f"`{function}` met indices outside of {found}. Clip or mask them first.")

    backend = indices.backend
    uniform = all(isinstance(size, int) for size in sizes) and indices.shape.is_uniform
    if not uniform:

        def compare(at: Tensor) -> None:
            _report(at, names, index, values, error)

        return compare
    limits = [cast("int", size) for size in sizes]
    _, take = components_of(indices, index, range(len(names)), backend)

    def check(at: Tensor) -> None:
        if not at.available or settings().traced:
            _report(at, names, index, values, error)
        elif backend.device(at.natives[0]).device_type == "CPU" and settings().check != "never":
            components = take(at)
            if not all(
                map(backend.is_concrete, components)
            ):  # a library traces what is done to known numbers
                _report(at, names, index, values, error)
                return
            for component, size in zip(components, limits, strict=True):
                if _largest(backend.to_numpy(component)) >= size:
                    raise error()

    return check


def _largest(positions: Any) -> int:
    """The largest position, where negative ones, read as unsigned, are larger than all others."""
    return int(np.maximum.reduce(positions.view(_UNSIGNED[positions.itemsize]), None, initial=0))


_UNSIGNED = {bytes: np.dtype(f"u{bytes}") for bytes in (1, 2, 4, 8)}


def _report(
    indices: Tensor, names: Sequence[str], index: str, values: Shape, error: Callable[[Any], Exception]
) -> None:
    if indices.available and indices.device.device_type != "CPU":
        return
    outside: Any = False
    for i, name in enumerate(names):
        entry = indices if index == NO_INDEX else indices[{index: i}]
        wrong = (entry < 0) | (entry >= sizes_along(values, name))
        outside = wrong if outside is False else outside | wrong
    if outside is not False:
        report(table.ANY(outside, names=outside.shape.names) if outside.rank else outside, error)
