"""Cells without a value get the mean of their neighbours that have one."""

from __future__ import annotations

from typing import Any, cast

from phi_tensor._create import NAN
from phi_tensor._dim_types import spatial
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._extrapolation_sides import as_extrapolation
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor._trees import tree_map
from phi_tensor.ops._call import as_tensor, is_container
from phi_tensor.ops._elementwise import cast as to_dtype
from phi_tensor.ops._elementwise import is_finite, maximum, to_float, where
from phi_tensor.ops._padding import pad
from phi_tensor.ops._structure import expand

_DEFAULT = as_extrapolation("zero-gradient")


def masked_fill(values: Any, valid: Any, distance: int = 1) -> tuple[Tensor, Tensor]:
    """`values` continued into cells that are not `valid`, and the mask of all that are valid then.

    In each step a cell next to valid ones, also diagonally, gets their mean.

    Args:
        values: Values `(…, spatial…)`.
        valid: Where they count: bools, or numbers that are not 0.
        distance: Number of steps.

    >>> import phi_tensor as math
    >>> x = math.spatial("x")
    >>> masked_fill(math.wrap([4.0, 9.0, 9.0], x), math.wrap([True, False, False], x))
    ((4.0, 4.0, 9.0) along (x:s=3) float32, (True, True, False) along (x:s=3) bool)
    """
    value, given = as_tensor(values), as_tensor(valid)
    dims = _dims_of(value, spatial, "masked_fill")
    mask = expand(given if given.dtype.kind is bool else given != 0, dims)
    for _ in range(min(distance, max(cast("tuple[int, ...]", dims.sizes)))):
        count = _box(pad(to_float(mask), dict.fromkeys(dims.names, (1, 1)), 0), dims)
        total = _box(pad(where(mask, value, 0), dict.fromkeys(dims.names, (1, 1)), 0), dims)
        value, mask = where(mask, value, where(count > 0, total / maximum(count, 1), value)), count > 0
    return value, mask if given.dtype.kind is bool else to_dtype(mask, given.dtype)


def finite_fill(
    values: Any,
    dims: Any = spatial,
    distance: int = 1,
    diagonal: bool = True,
    padding: Any = _DEFAULT,
    padding_kwargs: object = None,
) -> Any:
    """`values` whose infinite and NaN cells have the mean of their finite neighbours.

    Args:
        values: Values `(…, spatial…)`, or a tree of them.
        dims: Along which dims neighbours count.
        distance: Number of steps, each of which fills one more layer of cells.
        diagonal: Whether diagonal neighbours count.
        padding: Rule for values outside, which count like any neighbour; None: there are none.
        padding_kwargs: Ignored, for PhiFlow's callers.

    >>> import phi_tensor as math
    >>> finite_fill(math.wrap([1.0, math.NAN, 3.0], math.spatial("x")))
    (1.0, 2.0, 3.0) along (x:s=3) float32
    """
    if not isinstance(values, Tensor) and is_container(values):
        return tree_map(lambda leaf: finite_fill(leaf, dims, distance, diagonal, padding), values)
    value = as_tensor(values)
    along = _dims_of(value, dims, "finite_fill")
    neighbours = _box if diagonal else _cross
    sizes = cast("tuple[int, ...]", along.sizes)
    for _ in range(min(distance, max(sizes) if diagonal else sum(sizes))):
        widths = dict.fromkeys(along.names, (1, 1))
        wide = pad(value, widths, NAN if padding is None else padding)
        finite = is_finite(wide)
        count, total = neighbours(to_float(finite), along), neighbours(where(finite, wide, 0), along)
        filled = where(count > 0, total / maximum(count, 1), value)
        value = where(is_finite(value), value, filled)
    return value


def _dims_of(value: Tensor, dims: Any, function: str) -> Shape:
    found = value.shape.only(dims)
    if not found or not found.is_uniform:
        raise IncompatibleShapes(
            f"`{function}` needs dims of one size to find neighbours along, but {dims!r} of {value.shape} "
            f"are {found}. Name them, or pad ragged values with `pad_to_uniform`."
        )
    return found


def _box(wide: Any, dims: Shape) -> Any:
    """Sum over each cell and its neighbours, the diagonal ones included."""
    for name in dims.names:
        lower, upper = wide[{name: slice(None, -2)}], wide[{name: slice(2, None)}]
        wide = lower + wide[{name: slice(1, -1)}] + upper
    return wide


def _cross(wide: Any, dims: Shape) -> Any:
    """Sum over the neighbours of each cell along each dim."""
    total: Any = 0
    for name in dims.names:
        line = wide[{other: slice(1, -1) for other in dims.names if other != name}]
        total = total + line[{name: slice(None, -2)}] + line[{name: slice(2, None)}]
    return total
