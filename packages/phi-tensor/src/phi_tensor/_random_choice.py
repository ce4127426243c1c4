"""Random order and random subsets by key."""

from __future__ import annotations

from typing import Any, cast

from phi_tensor._context import precision
from phi_tensor._create import wrap
from phi_tensor._dim import Dim
from phi_tensor._dim_types import instance, non_batch
from phi_tensor._dtype import INT64
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._hidden import report
from phi_tensor._random import RandomKey, drawn, fresh_key, random_integers, random_uniform, uniform_words
from phi_tensor._shape import EMPTY_SHAPE, Shape, concat_shapes, merge_shapes, shape_of
from phi_tensor._spec import parse_shape_spec
from phi_tensor._tensor import Tensor
from phi_tensor._trees import tree_map
from phi_tensor.layouts._layout import Dense
from phi_tensor.ops import _elementwise as ops
from phi_tensor.ops import _table as table
from phi_tensor.ops._cumulative import cumulative_sum
from phi_tensor.ops._inside import NO_INDEX
from phi_tensor.ops._lookup import unravel_index
from phi_tensor.ops._reductions import any_, sum_
from phi_tensor.ops._structure import expand, rename_dims, stack, unpack_dim

_ENTRIES = instance("_entries")


def random_permutation(
    *shape: Shape | str,
    dims: Any = non_batch,
    index_dim: Shape | str | None = "index:c",
    key: RandomKey | None = None,
) -> Tensor:
    """Index vectors of all places of `dims` in random order; all orders are equally likely.

    The same on every backend for the same key.

    Args:
        *shape: Dims of the result: those that are permuted, and those with a permutation each.
        dims: Dims whose places are permuted, together.
        index_dim: Dim of the components of index vectors, which are labelled by the permuted dims. None for
            positions, counted row-major.
        key: Where the numbers come from; default: a new key for every call.

    Returns:
        Ints with the dims `shape` and `index_dim`: `x[random_permutation(x.shape)]` shuffles `x`.

    >>> import phi_tensor as math
    >>> math.sum(random_permutation(math.spatial(x=4), index_dim=None))
    6
    """
    whole = merge_shapes(*shape)
    if not whole.only(dims):
        raise IncompatibleShapes(
            f"`random_permutation` needs dims to permute, but {dims!r} selects none of {whole}."
        )

    def draw(key: RandomKey, part: Shape) -> Tensor:
        permuted = part.only(dims)
        order = _sorted_positions(_random_words(key, part.without(permuted), cast("int", permuted.volume)))
        if index_dim is not None:
            new = parse_shape_spec(index_dim) if isinstance(index_dim, str) else index_dim
            order = unravel_index(order, permuted, new)
        return unpack_dim(order, _ENTRIES, permuted)

    return drawn("random_permutation", whole, key, draw)


def pick_random(
    value: Any,
    dim: Any,
    count: int | Shape | None = 1,
    weight: Any = None,
    same_selection_dims: Any = non_batch,
    selections: Shape = EMPTY_SHAPE,
    *,
    replace: bool = False,
    key: RandomKey | None = None,
) -> Any:
    """Random entries of `value` along a dim, without labels, in random order.

    Args:
        value: Tensor, or tree: corresponding entries of all tensors that have the dim.
        dim: The dim to pick from.
        count: Number of entries; 1 removes the dim, a one-dim shape lists the entries along another dim, None
            shuffles all.
        weight: Weights ≥ 0 `(…, dim)`. Without replacement, entries are drawn one after the other with
            probabilities in proportion to the weights of those that are left.
        same_selection_dims: Dims along which all have the same selection; all others have one each.
        selections: Dims of further independent selections, added to the result.
        replace: Whether an entry can be picked more than once.
        key: Where the numbers come from; default: a new key for every call.

    Raises:
        IncompatibleShapes: More entries are asked for than there are, or there is no such dim.
        ValueError: Too few weights are positive (found out as late as `checked` says).

    Reference: Efraimidis and Spirakis, *Weighted random sampling with a reservoir*, IPL 97, 2006.

    >>> import phi_tensor as math
    >>> pick_random(math.arange(math.spatial(x=9)), "x", 2).shape
    (x:s=2)
    """
    whole, key = shape_of(value), key or fresh_key()
    names = whole.selected_names(dim)
    if len(names) != 1:
        raise IncompatibleShapes(
            f"`pick_random` picks along one dim of {whole}, but {dim!r} selects {names}."
        )
    source = whole.get_dim(names[0])
    if source.over:
        along = whole[source.over[0]]
        parts = [
            pick_random(
                _entry(value, along.name, i), source.name, count,
                _entry(weight, along.name, i), same_selection_dims, selections,
                replace=replace, key=key.fold_in(i),
            )
            for i in range(cast("int", along.size))
        ]  # fmt: skip
        return stack(parts, along)
    size = cast("int", source.size)
    listed = (
        count if isinstance(count, Shape) else Shape.of((source.with_size(size if count is None else count),))
    )
    if (cast("int", listed.volume) > size and not replace) or (size == 0 and listed.volume):
        raise IncompatibleShapes(
            f"`pick_random` cannot pick {listed.volume} different entries of `{source.name}` with size "
            f"{size}. Pick fewer, or pass `replace=True`."
        )
    rest = whole.without(source.name)
    batches = merge_shapes(selections, rest.without(rest.only(same_selection_dims)))
    at = _selected(key, batches, source, listed, weight, replace)
    if count == 1:
        at = at[{listed.name: 0}]

    def pick(leaf: Tensor) -> Tensor:
        return (
            table.GATHER(leaf, at, names=(source.name,), index=NO_INDEX)
            if source.name in leaf.shape
            else leaf
        )

    return pick(value) if isinstance(value, Tensor) else tree_map(pick, value, attributes="all")


def _entry(x: Any, name: str, index: int) -> Any:
    if isinstance(x, Tensor):
        return x[{name: index}]
    return x if x is None else tree_map(lambda leaf: leaf[{name: index}], x, attributes="all")


def _selected(
    key: RandomKey, batches: Shape, source: Dim, listed: Shape, weight: Any, replace: bool
) -> Tensor:
    """Positions along `source`, one list along `listed` per entry of `batches`."""
    size, count = cast("int", source.size), cast("int", listed.volume)
    if weight is not None:
        w = weight if isinstance(weight, Tensor) else wrap(weight, Shape.of((source.with_size(None),)))
        w = rename_dims(w, source.name, _ENTRIES)
        batches = merge_shapes(batches, w.shape.without(_ENTRIES))
        _check_weights(w, 1 if replace else count)
        if replace:
            return _by_weight(key, merge_shapes(batches, listed), w)
        with precision(64):
            uniform = random_uniform(concat_shapes(batches, _ENTRIES.with_size(size)), key=key)
            order = _sorted_positions(-ops.log1p(-uniform) / expand(w, batches))
    elif replace:
        return ops.to_int64(random_integers(concat_shapes(batches, listed), high=size, key=key))
    else:
        order = _sorted_positions(_random_words(key, batches, size))
    return unpack_dim(order[{_ENTRIES.name: slice(count)}], _ENTRIES, listed)


def _by_weight(key: RandomKey, dims: Shape, weight: Tensor) -> Tensor:
    """Positions by inversion of the cumulative weights."""
    with precision(64):
        total = cumulative_sum(weight, _ENTRIES)
        size = cast("int", weight.shape.get_size(_ENTRIES))
        level = random_uniform(dims, key=key) * total[{_ENTRIES.name: size - 1}]
        return ops.minimum(sum_(ops.to_int64(total <= level), _ENTRIES), size - 1)


def _check_weights(weight: Tensor, needed: int) -> None:
    bad = any_(~(weight >= 0), _ENTRIES) | (sum_(ops.to_int64(weight > 0), _ENTRIES) < needed)
    report(
        any_(bad, bad.shape) if bad.rank else bad,
        lambda _: ValueError(
            f"`pick_random` needs weights ≥ 0, at least {needed} of them positive. Pick fewer entries or "
            f"raise the weights."
        ),
    )


def _random_words(key: RandomKey, batches: Shape, count: int) -> Tensor:
    """Random 63-bit ints: two of n are equal with probability below n²/2⁶⁴."""
    shape = concat_shapes(batches, _ENTRIES.with_size(count))
    first, second = (uniform_words(part, shape) for part in key.split(2))
    return (first << 31) ^ (second >> 1)


def _sorted_positions(x: Tensor) -> Tensor:
    """Positions along the entries in the order of the values."""
    block = x.block()
    layout = cast("Dense", block.layout)
    natives = (layout.backend.ops["argsort"](block.natives[0], layout.axes[_ENTRIES.name]),)
    return Tensor(Dense.of(layout.stored, layout.shape, INT64, layout.backend), natives)
