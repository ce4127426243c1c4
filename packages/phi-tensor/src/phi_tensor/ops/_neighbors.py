"""Neighbouring cells: pairs reduced to what lies between them, and cells moved by vectors of offsets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from phi_tensor._dim_types import batch, spatial
from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._plan import Row
from phi_tensor._tensor import Tensor
from phi_tensor._trees import tree_map
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor, is_container
from phi_tensor.ops._elementwise import where
from phi_tensor.ops._grid import shift
from phi_tensor.ops._padding import pad
from phi_tensor.ops._structure import stack

_PAIR = batch("_pair")


def neighbor_reduce(
    reduce_fun: Callable[[Tensor, str], Any],
    grid: Any,
    dims: Any = spatial,
    padding: Any = None,
    padding_kwargs: object = None,
    extend_bounds: int | tuple[int, int] = 0,
) -> Any:
    """Reduction of neighbours along all dims, from centres to corners: of 2 values in 1-D, 4 in 2-D.

    Args:
        reduce_fun: `(values, dim) -> values` without this dim, which has size 2: lower and upper neighbour.
            Applied dim by dim.
        grid: Values `(…, spatial…)`, or a tree of them.
        dims: Along which dims.
        padding: Rule for values above the last ones, which makes the result as large as `grid`; None for
            inner neighbours only.
        padding_kwargs: Ignored, for PhiFlow's callers.
        extend_bounds: Number of entries that the result gets on each side beyond this.

    >>> import phi_tensor as math
    >>> neighbor_reduce(math.prod, math.wrap([1, 2, 3], math.spatial("x")))
    (2, 6) along (x:s=2) int64
    """

    def reduced(lower: Tensor, upper: Tensor) -> Any:
        found = reduce_fun(stack([lower, upper], _PAIR), _PAIR.name)
        if not isinstance(found, Tensor) or _PAIR.name in found.shape:
            raise IncompatibleShapes(
                f"`neighbor_reduce` needs a tensor without the dim `{_PAIR.name}` from `reduce_fun`, but "
                f"found {found.shape if isinstance(found, Tensor) else type(found).__name__}. Try `math.max`."
            )
        return found

    return _pairwise(reduced, grid, dims, padding, extend_bounds)


def neighbor_sum(
    grid: Any, dims: Any = spatial, padding: Any = None, extend_bounds: int | tuple[int, int] = 0
) -> Any:
    """Sum of neighbours along all dims, see `neighbor_reduce`.

    >>> import phi_tensor as math
    >>> neighbor_sum(math.wrap([1, 2, 4], math.spatial("x")))
    (3, 6) along (x:s=2) int64
    """
    return _pairwise(table.ADD, grid, dims, padding, extend_bounds)


def neighbor_max(
    grid: Any, dims: Any = spatial, padding: Any = None, extend_bounds: int | tuple[int, int] = 0
) -> Any:
    """Largest of neighbours along all dims, see `neighbor_reduce`."""
    return _pairwise(table.MAXIMUM, grid, dims, padding, extend_bounds)


def neighbor_min(
    grid: Any, dims: Any = spatial, padding: Any = None, extend_bounds: int | tuple[int, int] = 0
) -> Any:
    """Smallest of neighbours along all dims, see `neighbor_reduce`."""
    return _pairwise(table.MINIMUM, grid, dims, padding, extend_bounds)


def _pairwise(
    reduced: Callable[[Tensor, Tensor], Any], grid: Any, dims: Any, padding: Any, extend_bounds: Any
) -> Any:
    if not isinstance(grid, Tensor) and is_container(grid):
        return tree_map(lambda leaf: _pairwise(reduced, leaf, dims, padding, extend_bounds), grid)
    value = as_tensor(grid)
    low, up = (extend_bounds, extend_bounds) if isinstance(extend_bounds, int) else extend_bounds
    if padding is None and (low or up):
        raise ValueError(
            f"`extend_bounds`={extend_bounds} adds neighbours outside, for which `padding` gives the values, "
            f"but that is None. Pass a rule, e.g. padding='zero-gradient'."
        )
    for name in value.shape.selected_names(dims):
        if padding is not None:
            value = pad(value, {name: (low, up + 1)}, padding)
        value = reduced(value[{name: slice(None, -1)}], value[{name: slice(1, None)}])
    return value


def at_max_neighbor(
    values: Any,
    key_grid: Tensor,
    dims: Any = spatial,
    padding: Any = None,
    offsets: Sequence[int] = (0, 1),
    diagonal: bool = True,
) -> Any:
    """`values` at that of the neighbouring cells where `key_grid` is largest, the first of equal ones.

    Args:
        values: Tensor or tree; has the dims of `key_grid` along which it varies.
        key_grid: What is compared.
        dims: Along which dims.
        padding: Rule for keys and values outside; None shortens each dim instead.
        offsets: Which neighbours: 0 is the cell itself, 1 the next, −1 the previous one.
        diagonal: Compare along one dim after the other, so that diagonal neighbours take part; else only
            neighbours along each dim.

    >>> import phi_tensor as math
    >>> x = math.spatial("x")
    >>> at_max_neighbor(math.wrap([1, 2, 3], x), math.wrap([5.0, 1.0, 4.0], x))
    (1, 3) along (x:s=2) int64
    """
    return _at_best(table.GREATER, values, key_grid, dims, padding, offsets, diagonal)


def at_min_neighbor(
    values: Any,
    key_grid: Tensor,
    dims: Any = spatial,
    padding: Any = None,
    offsets: Sequence[int] = (0, 1),
    diagonal: bool = True,
) -> Any:
    """`values` at that of the neighbouring cells where `key_grid` is smallest, see `at_max_neighbor`."""
    return _at_best(table.LESS, values, key_grid, dims, padding, offsets, diagonal)


def _at_best(
    better: Row,
    values: Any,
    key_grid: Any,
    dims: Any,
    padding: Any,
    offsets: Sequence[int],
    diagonal: bool,
) -> Any:
    keys = as_tensor(key_grid)
    if not offsets:
        raise IncompatibleShapes(
            "`at_max_neighbor` and `at_min_neighbor` compare cells, but `offsets` is empty. Use e.g. (0, 1)."
        )
    names = keys.shape.selected_names(dims)
    if padding is None and not diagonal and len(names) > 1:
        raise IncompatibleShapes(
            f"Without `padding`, neighbours along {names} form grids of different sizes, which cannot be "
            f"compared. Pass a rule, one of `dims`, or diagonal=True."
        )
    for group in [(name,) for name in names] if diagonal or not names else [names]:
        keys, values = _best(
            better, _moved(keys, offsets, group, padding), _moved(values, offsets, group, padding)
        )
    return values


def _moved(x: Any, offsets: Sequence[int], names: Sequence[str], padding: Any) -> list[Any]:
    """Copies of a tensor or tree for all offsets along all dims."""
    if not isinstance(x, Tensor) and is_container(x):
        count = len(offsets) * len(names)
        return [tree_map(lambda leaf, i=i: _moved(leaf, offsets, names, padding)[i], x) for i in range(count)]
    value = as_tensor(x)
    return [
        copy
        for name in names
        for copy in (
            shift(value, offsets, name, padding, None) if name in value.shape else [value] * len(offsets)
        )
    ]


def _best(better: Row, keys: list[Any], values: list[Any]) -> tuple[Any, Any]:
    best, found = keys[0], values[0]
    for key, value in zip(keys[1:], values[1:], strict=True):
        wins = better(key, best)
        best, found = where(wins, key, best), where(wins, value, found)
    return best, found


def index_shift(
    x: Any, offsets: Sequence[int | Tensor | Mapping[str, int]], padding: Any = None
) -> list[Any]:
    """Copies of `x` moved along several dims at once, one list entry per offset.

    Args:
        x: Tensor or tree.
        offsets: Vectors of ints whose labels name dims of `x`, dicts by name, or 0. Positive offsets look at
            later entries; dims that one does not name are not moved.
        padding: Rule for values that move in; None shortens the dims to what all copies have instead.

    Raises:
        Unsupported: An offset is not known yet (inside `jit_compile`).

    >>> import phi_tensor as math
    >>> index_shift(math.wrap([1, 2, 4], math.spatial("x")), [0, math.vec(x=1)])
    [(1, 2) along (x:s=2) int64, (2, 4) along (x:s=2) int64]
    """
    moves = [_move(offset) for offset in offsets]
    if not moves:
        raise ValueError("`index_shift` needs at least one offset, but `offsets` is empty. Pass e.g. [0].")
    if not isinstance(x, Tensor) and is_container(x):
        return [
            tree_map(lambda leaf, i=i: index_shift(leaf, moves, padding)[i], x) for i in range(len(moves))
        ]
    value = as_tensor(x)
    names = list(dict.fromkeys(name for move in moves for name in move))
    missing = [name for name in names if name not in value.shape]
    if missing:
        raise IncompatibleShapes(f"`index_shift` moves along {missing}, which are missing in {value.shape}.")
    lowest, highest = ({name: pick(m.get(name, 0) for m in moves) for name in names} for pick in (min, max))
    sizes = {name: cast("int", value.shape.get_size(name)) for name in names}
    if padding is None:
        start = {name: -lowest[name] for name in names}
        sizes = {name: size - highest[name] + lowest[name] for name, size in sizes.items()}
    else:
        start = {name: max(0, -lowest[name]) for name in names}
        value = pad(value, {name: (start[name], max(0, highest[name])) for name in names}, padding)
    return [
        value[{n: slice(start[n] + m.get(n, 0), start[n] + m.get(n, 0) + sizes[n]) for n in names}]
        for m in moves
    ]


def _move(offset: int | Tensor | Mapping[str, int]) -> dict[str, int]:
    if isinstance(offset, Mapping):
        return dict(offset)
    if isinstance(offset, Tensor):
        labels = offset.shape.dims[0].labels if offset.rank == 1 else None
        if labels is None or offset.dtype.kind is not int:
            raise IncompatibleShapes(
                f"Offsets of `index_shift` are int vectors whose labels name dims, but found {offset!r}. "
                f"Write `vec(x=1, y=0)`."
            )
        if not offset.available:
            raise Unsupported(
                "The offsets of `index_shift` must be known. Inside `jit_compile`, pass dicts of ints."
            )
        return {label: int(i) for label, i in zip(labels, offset.numpy(), strict=True)}
    if offset != 0:
        raise IncompatibleShapes(
            f"The offset {offset!r} of `index_shift` does not say along which dim. Write `vec(x={offset!r})`."
        )
    return {}
