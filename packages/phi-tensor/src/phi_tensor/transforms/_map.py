"""Functions called slice by slice, or for so many slices at once.

Our operations treat batch dims independently, so a function made of them needs no `map`: give the tensors a
batch dim. `map` is for functions of single values, and, with `chunk`, for batches that do not fit into
memory.
"""

from __future__ import annotations

import builtins
import functools
import itertools
from collections.abc import Callable, Iterable
from typing import Any, cast

from phi_tensor._dim_types import batch
from phi_tensor._errors import IncompatibleShapes, PhiError, Unsupported
from phi_tensor._shape import EMPTY_SHAPE, Shape, merge_shapes, shape_of
from phi_tensor._tensor import Tensor
from phi_tensor._trees import flatten
from phi_tensor.ops._structure import concat, expand, pack_dims, slice_, stack, unpack_dim


def map_(
    function: Callable[..., Any],
    *args: Any,
    dims: Any = shape_of,
    range: Callable[[int], Iterable[int]] = builtins.range,
    unwrap_scalars: bool = True,
    expand_results: bool = False,
    simplify: bool = False,
    map_name: str | None = None,
    chunk: int | None = None,
    **kwargs: Any,
) -> Any:
    """Results of `function` for every slice of the arguments, side by side along the mapped dims.

    result[i, j, …] = function(args[i, j, …]). A Python loop, also while compiling. Results that do not stack,
    as texts or tensors with different dims, become the objects of a `layout`.

    Args:
        function: Function of slices to a tensor, number or tree of these, to other objects, or always None.
        *args: Tensors and trees `(mapped…, …)` are sliced; what lacks a mapped dim is repeated along it,
            other values are passed as they are.
        dims: Which dims are mapped: names, types, filters. Default: all.
        range: Replaces Python's `range`, e.g. by a progress bar.
        unwrap_scalars: Pass slices without dims as NumPy numbers (only those of tensors on NumPy: numbers
            of the other libraries may be traced or differentiated).
        expand_results: Add dims that only some results have.
        simplify: If all results are equal, return one of them without the mapped dims.
        map_name: Name in error messages. Default: that of the function.
        chunk: Call `function` with so many slices at once, along one batch dim in place of the mapped dims;
            it must treat batch dims independently, as our operations do.
        **kwargs: Sliced like `args`.

    Raises:
        IncompatibleShapes: Sizes of mapped dims differ, are 0, or only some results are None.
        Unsupported: Sizes of a mapped dim vary along another one; map one after the other.

    >>> import phi_tensor as math
    >>> math.map(lambda a, b: a + b, math.vec(x=1, y=2), math.wrap([10, 20], math.batch("b"))).shape
    (vector:c=x,y, b:b=2)
    """
    mapped = merge_shapes(EMPTY_SHAPE, *(_shape(value).only(dims) for value in (*args, *kwargs.values())))
    _check(mapped, chunk)
    if not mapped:
        return function(*args, **kwargs)
    if chunk is not None:
        return _in_chunks(function, args, kwargs, mapped, chunk, range)
    positions = list(itertools.product(*(builtins.range(cast("int", size)) for size in mapped.sizes)))
    results: list[Any] = []
    for i in range(len(positions)):
        at = dict(zip(mapped.names, positions[i], strict=True))
        try:
            results.append(
                function(
                    *(_slice(value, at, unwrap_scalars) for value in args),
                    **{name: _slice(value, at, unwrap_scalars) for name, value in kwargs.items()},
                )
            )
        except PhiError as error:
            error.add_note(f"in `map` of {map_name or getattr(function, '__name__', function)} at {at}")
            raise
    if len({result is None for result in results}) > 1:
        raise IncompatibleShapes(
            f"`map` needs a result for every slice or None for all, but found None for some of {positions}. "
            f"Return e.g. NaN."
        )
    return stack(results, mapped, expand_values=expand_results, simplify=simplify, layout_non_matching=True)


def broadcast(
    function: Callable[..., Any] | None = None,
    dims: Any = shape_of,
    range: Callable[[int], Iterable[int]] = builtins.range,
    unwrap_scalars: bool = True,
    simplify: bool = False,
    name: bool | str = True,
) -> Any:
    """`function` called slice by slice; usable as decorator, with or without arguments. See `map`.

    Args:
        function: Function of slices.
        dims: Which dims are mapped.
        range: Replaces Python's `range`, e.g. by a progress bar.
        unwrap_scalars: Pass slices without dims as NumPy numbers.
        simplify: If all results are equal, return one of them.
        name: Name in error messages; True: that of the function.

    >>> import phi_tensor as math
    >>> @math.broadcast
    ... def gcd(a, b):
    ...     return a if b == 0 else gcd(b, a % b)
    >>> gcd(math.vec(x=12, y=9), 6)
    (x=6, y=3)
    """
    if function is None:
        return functools.partial(
            broadcast, dims=dims, range=range, unwrap_scalars=unwrap_scalars, simplify=simplify, name=name
        )

    @functools.wraps(function)
    def by_slices(*args: Any, **kwargs: Any) -> Any:
        return map_(
            functools.partial(function, **{k: v for k, v in kwargs.items() if not _shape(v)}),
            *args,
            dims=dims,
            range=range,
            unwrap_scalars=unwrap_scalars,
            simplify=simplify,
            map_name=name if isinstance(name, str) else getattr(function, "__name__", None),
            **{k: v for k, v in kwargs.items() if _shape(v)},
        )

    return by_slices


def _check(mapped: Shape, chunk: int | None) -> None:
    if chunk is not None and chunk < 1:
        raise ValueError(f"`map(…, chunk={chunk})`: the number of slices at once is at least 1, or None.")
    if mapped.is_non_uniform:
        ragged = mapped.non_uniform
        raise Unsupported(
            f"`map` along {mapped}: the size of {ragged.names} varies along {ragged.dims[0].over}. Map along "
            f"`dims={','.join(ragged.dims[0].over)!r}` and call `map` again inside."
        )
    if 0 in mapped.sizes:
        raise IncompatibleShapes(
            f"`map` along {mapped} calls the function for no slice, so there is no result. Use `zeros`."
        )


def _shape(value: Any) -> Shape:
    """Dims by which a value is sliced; none for values that are passed as they are."""
    if isinstance(value, Tensor):
        return value.shape
    if value is None or isinstance(value, (str, bool, int, float, complex, Shape)):
        return EMPTY_SHAPE
    found = getattr(value, "shape", None)
    if isinstance(found, Shape):
        return found
    return merge_shapes(EMPTY_SHAPE, *(leaf.shape for leaf in flatten(value, "all")[0]))


def _slice(value: Any, at: dict[str, Any], unwrap: bool = False) -> Any:
    shape = _shape(value)
    at = {name: index for name, index in at.items() if name in shape}
    if not at:
        return value
    if isinstance(value, Tensor):
        part = value[at]
        return part.numpy()[()] if unwrap and not part.rank and part.backend.mixes else part
    if isinstance(getattr(value, "shape", None), Shape) and hasattr(type(value), "__getitem__"):
        return value[at]
    return slice_(value, at)


# --- chunks


def _in_chunks(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    mapped: Shape,
    chunk: int,
    steps: Callable[[int], Iterable[int]],
) -> Any:
    taken = {name for value in (*args, *kwargs.values()) for name in _shape(value).names}
    entry = batch(next(name for i in itertools.count() if (name := f"_slice{i or ''}") not in taken))
    packed = [_packed(value, mapped, entry) for value in args]
    named = {name: _packed(value, mapped, entry) for name, value in kwargs.items()}
    volume = cast("int", mapped.volume)
    results: list[Any] = []
    for i in steps(-(-volume // chunk)):
        start, stop = i * chunk, min((i + 1) * chunk, volume)
        at = {entry.name: slice(start, stop)}
        found = function(
            *(_slice(value, at) for value in packed),
            **{name: _slice(value, at) for name, value in named.items()},
        )
        results.append(found if found is None else expand(found, entry.with_size(stop - start)))
    if any(found is None for found in results):
        return None
    return unpack_dim(concat(results, entry.name, expand_values=True), entry.name, mapped)


def _packed(value: Any, mapped: Shape, entry: Shape) -> Any:
    """`value` with all mapped dims packed into one batch dim, or as it is if it has none of them."""
    return pack_dims(expand(value, mapped), mapped, entry) if _shape(value).only(mapped) else value
