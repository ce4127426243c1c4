"""Neighbours in regular grids: shifts, finite differences, means. One padding per dim, then slices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

from phi_tensor._dim import Dim
from phi_tensor._dim_types import channel, spatial
from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._extrapolation import NONE, Extrapolation
from phi_tensor._extrapolation_resolved import resolved
from phi_tensor._extrapolation_sides import Chosen, as_extrapolation
from phi_tensor._plan import Row
from phi_tensor._shape import Shape
from phi_tensor._spec import parse_shape_spec
from phi_tensor._tensor import Tensor
from phi_tensor._trees import tree_map
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor, is_container
from phi_tensor.ops._padding import pad
from phi_tensor.ops._stencil import Offsets
from phi_tensor.ops._structure import stack

_GRADIENT = channel("gradient")
_SHIFT = channel("shift")
_LAPLACE = channel("_laplace")
_OFFSETS: dict[str, Offsets] = {"central": (-1, 1), "forward": (0, 1), "backward": (-1, 0)}
_DEFAULT = as_extrapolation("zero-gradient")


def shift(
    x: Any,
    offsets: Sequence[int],
    dims: Any = spatial,
    padding: Any = _DEFAULT,
    stack_dim: Shape | str | None = _SHIFT,
    extend_bounds: int | tuple[int, int] = 0,
    padding_kwargs: object = None,
) -> list[Any]:
    """Copies of `x` moved along dims, one list entry per offset.

    Args:
        x: Tensor or tree.
        offsets: A positive offset looks at later entries.
        dims: Along which dims to move.
        padding: Rule for values that move in; None shortens the dims instead.
        stack_dim: Each entry holds the copies for all dims along this dim; None for a single dim.
        extend_bounds: Number of entries (lower, upper) that each copy gets beyond the bounds of `x`.
        padding_kwargs: Ignored, for PhiFlow's callers.

    >>> import phi_tensor as math
    >>> shift(math.wrap([1, 2, 3], math.spatial("x")), (1,), padding=0, stack_dim=None)
    [(2, 3, 0) along (x:s=3) int64]
    """
    if not isinstance(x, Tensor) and is_container(x):
        return [
            tree_map(lambda leaf, i=i: shift(leaf, offsets, dims, padding, stack_dim, extend_bounds)[i], x)
            for i in range(len(offsets))
        ]
    value = as_tensor(x)
    names = _stencil_dims(value, dims, stack_dim, "shift")
    if not offsets:
        return []
    ragged = [name for name in names if not isinstance(value.shape.get_size(name), int)]
    if ragged:
        raise Unsupported(
            f"`shift` along {ragged} of varying size in {value.shape}. Shift the slices instead."
        )
    low, up = (extend_bounds, extend_bounds) if isinstance(extend_bounds, int) else extend_bounds
    low, up = max(0, -min(offsets)) + low, max(0, max(offsets)) + up
    grown: dict[str, Tensor] = {}
    for name in names:
        widths = {
            n: (low, up) if n == name else _extension(extend_bounds)
            for n in (names if extend_bounds else (name,))
        }
        grown[name] = value if padding is None or padding is NONE else pad(value, widths, padding)
    first = max(0, -min(offsets))
    result: list[Any] = []
    for offset in offsets:
        copies: list[Tensor] = []
        for name in names:
            size = cast("int", grown[name].shape.get_size(name)) - first - max(0, max(offsets))
            copies.append(grown[name][{name: slice(first + offset, first + offset + size)}])
        result.append(copies[0] if stack_dim is None else stack(copies, _labelled(stack_dim, names)))
    return result


def _extension(bounds: int | tuple[int, int]) -> tuple[int, int]:
    return (bounds, bounds) if isinstance(bounds, int) else bounds


def spatial_gradient(
    grid: Any,
    dx: Any = 1,
    difference: Literal["central", "forward", "backward"] = "central",
    padding: Any = _DEFAULT,
    dims: Any = spatial,
    stack_dim: Shape | str | None = _GRADIENT,
    pad: int = 0,
    padding_kwargs: object = None,
) -> Any:
    """Finite differences along each dim: ∂φ/∂x ≈ (φᵢ₊₁ − φᵢ₋₁) / 2Δx, or one-sided (first order).

    Args:
        grid: Values `(…, spatial…)`, or a tree of them.
        dx: Cell size [length]: number, or tensor with one component per dim.
        difference: Which neighbours are subtracted.
        padding: Rule for values outside; None shortens each dim by what is missing.
        dims: Along which dims.
        stack_dim: The components' dim; its labels are the names of `dims`. None for a single dim.
        pad: How many entries the result has beyond `grid` on each side.
        padding_kwargs: Ignored, for PhiFlow's callers.

    Returns:
        Gradient with components stored apart.

    >>> import phi_tensor as math
    >>> spatial_gradient(math.wrap([0.0, 1.0, 4.0], math.spatial("x")), stack_dim=None)
    (0.5, 2.0, 1.5) along (x:s=3) float32
    """
    if difference not in _OFFSETS:
        raise ValueError(
            f"`spatial_gradient` knows the differences {', '.join(_OFFSETS)}, but found {difference!r}."
        )
    return _stencil(table.DIFFERENCE, grid, dx, padding, dims, stack_dim, _OFFSETS[difference], pad)


def laplace(
    x: Any,
    dx: Any = 1,
    padding: Any = _DEFAULT,
    dims: Any = spatial,
    weights: Any = None,
    padding_kwargs: object = None,
) -> Any:
    """Second-order Laplacian Σ (φᵢ₋₁ − 2φᵢ + φᵢ₊₁) / Δx² over `dims`.

    Args:
        x: Values `(…, spatial…)`, or a tree of them.
        dx: Cell size [length]: number, or tensor with one component per dim.
        padding: Rule for values outside; None shortens all dims by one entry on each side.
        dims: Along which dims.
        weights: Factors per dim, `(…, vector)` with the names of `dims` as labels.
        padding_kwargs: Ignored, for PhiFlow's callers.

    >>> import phi_tensor as math
    >>> laplace(math.wrap([0.0, 1.0, 4.0, 9.0], math.spatial("x")), padding=None)
    (2.0, 2.0) along (x:s=2) float32
    """
    if not isinstance(x, Tensor) and is_container(x):
        return tree_map(lambda leaf: laplace(leaf, dx, padding, dims, weights), x)
    padding = None if padding is NONE else padding
    if weights is None and padding is not None:
        return _stencil(table.LAPLACE, x, dx, padding, dims, _LAPLACE, (-1, 1), 0)
    value = as_tensor(x)
    names = value.shape.selected_names(dims)
    total: Any = 0
    for name in names:
        inner = value if padding is not None else value[{n: slice(1, -1) for n in names if n != name}]
        part = _stencil(table.LAPLACE, inner, _component(dx, name), padding, name, _LAPLACE, (-1, 1), 0)
        total = total + (part if weights is None else part * _component(weights, name))
    return total


def neighbor_mean(grid: Any, dims: Any = spatial, padding: Any = None, extend_bounds: int = 0) -> Any:
    """Mean of neighbours along all dims, from centres to corners.

    Args:
        grid: Values `(…, spatial…)`, or a tree of them.
        dims: Along which dims.
        padding: Rule for values outside, which makes the result as large as `grid`; None for inner
            neighbours only.
        extend_bounds: Number of entries that `grid` gets on each side before.

    Raises:
        ValueError: `extend_bounds` without a rule for what lies there.
    """
    if extend_bounds and padding is None:
        raise ValueError(
            f"`neighbor_mean(extend_bounds={extend_bounds})` needs values outside, but no padding is given. "
            f"Pass e.g. `padding='periodic'`, or `padding=0`."
        )
    if not isinstance(grid, Tensor) and is_container(grid):
        return tree_map(lambda leaf: neighbor_mean(leaf, dims, padding, extend_bounds), grid)
    value = as_tensor(grid)
    for name in value.shape.selected_names(dims):
        if padding is not None:
            value = pad(value, {name: (extend_bounds, extend_bounds + 1)}, padding)
        value = (value[{name: slice(1, None)}] + value[{name: slice(None, -1)}]) * 0.5
    return value


def _component(value: Any, name: str) -> Any:
    from phi_tensor.ops._lookup import component_of  # noqa: PLC0415 look-up needs this package's rules

    return component_of(value, name)


def _labelled(dim: Shape | str, names: Sequence[str]) -> Shape:
    new = (parse_shape_spec(dim) if isinstance(dim, str) else dim).dim
    return Shape.of((new.with_size(len(names), tuple(names)),))


def _stencil_dims(value: Tensor, dims: Any, stack_dim: Any, function: str) -> tuple[str, ...]:
    names = value.shape.selected_names(dims)
    if not names:
        raise IncompatibleShapes(f"`{function}` found none of the dims {dims!r} in {value.shape}.")
    if stack_dim is None and len(names) > 1:
        raise IncompatibleShapes(
            f"`{function}` along {names} gives several components. Pass a `stack_dim` or one of `dims`."
        )
    return names


def _stencil(
    row: Row,
    grid: Any,
    dx: Any,
    padding: Any,
    dims: Any,
    stack_dim: Any,
    offsets: Offsets,
    extra: int,
) -> Any:
    if not isinstance(grid, Tensor) and is_container(grid):
        return tree_map(lambda leaf: _stencil(row, leaf, dx, padding, dims, stack_dim, offsets, extra), grid)
    value = as_tensor(grid)
    names = _stencil_dims(value, dims, stack_dim, row.name)
    dim = None if stack_dim is None else _labelled(stack_dim, names).dim
    step = dx if type(dx) in (int, float) else as_tensor(dx)
    if padding is None or padding is NONE:
        return row(value, step, names=names, sides=None, offsets=offsets, dim=dim)
    extrapolation = as_extrapolation(padding)
    if extra:
        value = pad(value, dict.fromkeys(names, (extra, extra)), extrapolation)
    if isinstance(extrapolation, Chosen):
        return _chosen(row, value, step, extrapolation, names, dim, offsets)
    sides, constants = resolved(extrapolation, names, value.shape)
    return row(value, step, *constants, names=names, sides=sides, offsets=offsets, dim=dim)


def _chosen(
    row: Row,
    value: Tensor,
    dx: Any,
    rules: Extrapolation,
    names: tuple[str, ...],
    dim: Dim | None,
    offsets: Offsets,
) -> Any:
    """Stencil for rules that differ from place to place: padded first."""
    low, up = -offsets[0], offsets[1]
    parts = [
        row(
            pad(value, {name: (low, up)}, rules),
            _component(dx, name),
            names=(name,),
            sides=None,
            offsets=offsets,
            dim=None,
        )
        for name in names
    ]
    if row is table.LAPLACE:
        return sum(parts[1:], parts[0])
    return parts[0] if dim is None else stack(parts, Shape.of((dim,)))
