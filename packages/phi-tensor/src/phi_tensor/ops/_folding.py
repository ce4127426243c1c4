"""Windows that slide along a dim, their sums, and entries or whole tensors repeated along a dim."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from phi_tensor._dim import Dim
from phi_tensor._dim_changes import int_size
from phi_tensor._dim_types import batch, channel
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._extrapolation_sides import as_extrapolation
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor._trees import tree_map
from phi_tensor.ops._call import as_tensor, is_container
from phi_tensor.ops._padding import pad
from phi_tensor.ops._ragged import entry_by_entry
from phi_tensor.ops._structure import as_dim, expand, pack_dims, stack
from phi_tensor.ops._unpadding import unpad

_COPIES = batch("_copies")
_BETWEEN = channel("_between")


def unfold(value: Any, dim: str, window: Shape | str, stride: int = 1, extrapolation: Any = None) -> Any:
    """Windows that slide along `dim`, side by side along a new dim: wᵢⱼ = x at stride · i + j.

    Args:
        value: Values `(…, dim)`, or a tree of them.
        dim: Along which dim; its entries count the windows then.
        window: The new dim and its size, e.g. `channel(window=3)`.
        stride: Distance of windows [entries].
        extrapolation: Rule for values outside: there are ⌈n / stride⌉ windows of n entries then, and entry
            size // 2 of each is one of `value`. None: only windows that lie inside.

    Returns:
        Values whose window's entries are stored apart.

    >>> import phi_tensor as math
    >>> unfold(math.wrap([1, 2, 3, 4], math.spatial("x")), "x", math.channel(w=2)).w[1]
    (2, 3, 4) along (x:s=3) int64
    """
    if not isinstance(value, Tensor) and is_container(value):
        return tree_map(lambda leaf: unfold(leaf, dim, window, stride, extrapolation), value)
    x, new = as_tensor(value), as_dim(window)
    count = _checked(x.shape, dim, new, stride, "unfold")
    apart = entry_by_entry(lambda entry: unfold(entry, dim, window, stride, extrapolation), x, (dim,))
    if apart is not None:
        return apart
    x = _without_labels(x, dim)
    if extrapolation is not None:
        x = pad(x, {dim: (count // 2, (count - 1) // 2)}, extrapolation)
    windows = (cast("int", x.shape.get_size(dim)) - count) // stride + 1
    if windows < 1:
        raise IncompatibleShapes(
            f"A window of {count} entries does not fit into the {x.shape.get_size(dim)} along `{dim}`. Pass "
            f"an `extrapolation`."
        )
    parts = [x[{dim: slice(j, j + (windows - 1) * stride + 1, stride)}] for j in range(count)]
    return stack(parts, Shape.of((new,)))


def fold(
    windows: Any,
    dim: str,
    window: Shape | str,
    stride: int = 1,
    extrapolation: Any = None,
    size: int | None = None,
) -> Any:
    """Sum of all windows at their places along `dim`: xₖ = Σ wᵢⱼ over stride · i + j = k.

    The transpose of `unfold`.

    Args:
        windows: Values `(…, dim, window)`, or a tree of them.
        dim: The dim that counts the windows.
        window: The dim of their entries, or its name.
        stride: Distance of windows [entries].
        extrapolation: As for `unfold`: entries outside are added to those that they are copies of.
        size: Entries of the result; default: the fewest (with an `extrapolation`: the most) whose `unfold`
            has these windows.

    >>> import phi_tensor as math
    >>> x = math.wrap([1, 2, 3], math.spatial("x"))
    >>> fold(unfold(x, "x", math.channel(w=2)), "x", "w")
    (1, 4, 3) along (x:s=3) int64
    """
    if not isinstance(windows, Tensor) and is_container(windows):
        return tree_map(lambda leaf: fold(leaf, dim, window, stride, extrapolation, size), windows)
    w = as_tensor(windows)
    name = window.partition(":")[0] if isinstance(window, str) else window.name
    entries = w.shape.get_dim(name)
    apart = entry_by_entry(lambda e: fold(e, dim, window, stride, extrapolation, size), w, (dim, name))
    if apart is not None:
        return apart
    count = _checked(w.shape.without(name), dim, entries, stride, "fold")
    reach, places = count - 1, (int_size(w.shape.get_dim(dim)) - 1) * stride + 1
    margins = 0 if extrapolation is None else reach
    n = (places + reach if extrapolation is None else places + stride - 1) if size is None else size
    rest = n + margins - reach - places
    if not 0 <= rest < stride:
        low = places + reach - margins
        raise IncompatibleShapes(
            f"`fold` makes {low} to {low + stride - 1} entries of windows {w.shape}, but `size` is {size}."
        )
    w = _without_labels(w, dim)
    total: Any = 0
    for j in range(count):
        total = total + pad(_spread(w[{name: j}], dim, stride), {dim: (j, reach - j + rest)}, 0)
    if extrapolation is None:
        return total
    return unpad(total, {dim: (count // 2, (count - 1) // 2)}, as_extrapolation(extrapolation))


def _checked(shape: Shape, dim: str, window: Dim, stride: int, function: str) -> int:
    """Number of entries of the window."""
    if dim not in shape:
        raise IncompatibleShapes(f"`{function}` slides along `{dim}`, which is missing in {shape}.")
    if window.name in shape or window.size is None or int_size(window) < 1:
        raise IncompatibleShapes(
            f"`{function}` needs a new dim with a size for the window's entries, but found ({window}) beside "
            f"{shape}. Write e.g. `channel(window=3)`."
        )
    if stride < 1:
        raise ValueError(f"The `stride` of `{function}` is a positive int, but found {stride}.")
    return int_size(window)


def _without_labels(x: Tensor, dim: str) -> Tensor:
    if x.shape.get_dim(dim).labels is None:
        return x
    return pad(x, {dim: (0, 1)}, "zero-gradient")[{dim: slice(None, -1)}]


def _spread(x: Tensor, dim: str, stride: int) -> Tensor:
    """`x` with `stride - 1` zeros between the entries."""
    if stride == 1:
        return x
    apart = pad(expand(x, Shape.of((_BETWEEN.dim.with_size(1),))), {_BETWEEN.name: (0, stride - 1)}, 0)
    whole = pack_dims(apart, (dim, _BETWEEN.name), Shape.of((x.shape.get_dim(dim).with_size(None),)))
    return whole[{dim: slice(None, 1 - stride)}]


def tile(value: Any, counts: Mapping[str, int]) -> Any:
    """`value` one after the other several times along dims: (a, b) becomes (a, b, a, b).

    Args:
        value: Tensor or tree.
        counts: How often, by name of the dim. Absent dims are ignored.

    >>> import phi_tensor as math
    >>> tile(math.wrap([1, 2], math.spatial("x")), {"x": 2})
    (1, 2, 1, 2) along (x:s=4) int64
    """
    if not isinstance(value, Tensor) and is_container(value):
        return tree_map(lambda leaf: tile(leaf, counts), value)
    x = as_tensor(value)
    if not isinstance(cast("Any", counts), Mapping):
        raise TypeError(f"`tile` counts copies by dim, e.g. {{'x': 2}}, but found {counts!r}.")
    for name, count in counts.items():
        x = _copied(x, name, count, (_COPIES.name, name))
    return x


def repeat(value: Any, count: int, dim: str) -> Any:
    """`value` with each entry several times along `dim`: (a, b) becomes (a, a, b, b).

    Args:
        value: Tensor or tree.
        count: How often.
        dim: Along which dim; trees' leaves without it stay as they are.

    >>> import phi_tensor as math
    >>> repeat(math.wrap([1, 2], math.spatial("x")), 2, "x")
    (1, 1, 2, 2) along (x:s=4) int64
    """
    if not isinstance(value, Tensor) and is_container(value):
        return tree_map(lambda leaf: repeat(leaf, count, dim), value)
    return _copied(as_tensor(value), dim, count, (dim, _COPIES.name))


def _copied(x: Tensor, name: str, count: int, order: tuple[str, str]) -> Tensor:
    if not isinstance(cast("Any", count), int) or count < 0:
        raise ValueError(f"Copies along `{name}` are counted by ints of at least 0, but found {count}.")
    if name not in x.shape or count == 1:
        return x
    apart = entry_by_entry(lambda entry: _copied(entry, name, count, order), x, (name,))
    if apart is not None:
        return apart
    target = Shape.of((x.shape.get_dim(name).with_size(None),))
    return pack_dims(expand(x, Shape.of((_COPIES.dim.with_size(count),))), order, target)
