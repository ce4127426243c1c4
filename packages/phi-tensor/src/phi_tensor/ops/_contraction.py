"""Sums of products over named dims of any number of tensors, two at a time."""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import Any

from phi_tensor._dim import Dim
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor.ops._call import as_tensor
from phi_tensor.ops._products import dot
from phi_tensor.ops._reductions import reduced_names, sum_


def contract(*tensors: Any, dims: Any) -> Tensor:
    """Σ a·b·… over `dims`, dims aligned by name as in products; what einsum writes with letters.

    Dims that one factor alone has are summed first. Two factors at a time, those with the smallest result
    first, are multiplied as matrices, so that no product is larger than what it is summed to. Nothing is
    conjugated.

    Args:
        *tensors: Factors `(…)`; dims of one name are the same dim (`~x` is another than `x`).
        dims: Dims to sum over, each in at least one factor.

    Raises:
        IncompatibleShapes: No factor has one of the dims, or sizes or labels differ.

    >>> import phi_tensor as math
    >>> a, b = math.ones(math.spatial(x=2, y=3)), math.ones(math.spatial(y=3, z=4))
    >>> contract(a, b, dims="y").shape
    (x:s=2, z:s=4)
    """
    if not tensors:
        raise IncompatibleShapes("`contract` needs at least one tensor: `contract(a, b, dims='x')`.")
    factors = [as_tensor(tensor) for tensor in tensors]
    shapes = tuple(factor.shape.dims for factor in factors)
    try:
        alone, pairs = _kept_order(shapes, dims)
    except TypeError:  # a list of dims is no key
        alone, pairs = _order(shapes, dims)
    factors = [sum_(f, names) if names else f for f, names in zip(factors, alone, strict=True)]
    for first, second, common in pairs:
        b, a = factors.pop(second), factors.pop(first)
        factors.append(dot(a, common, b, common) if common else a * b)
    return factors[0]


Names = tuple[str, ...]
Pair = tuple[int, int, str]
"""Positions of two factors, whose product is put behind all others, and the dims to sum over as text."""


def _order(factors: tuple[tuple[Dim, ...], ...], dims: Any) -> tuple[list[Names], list[Pair]]:
    """Dims to sum over in each factor alone, and pairs of factors, those with the smallest product first."""
    shapes = [Shape.of(factor) for factor in factors]
    names = reduced_names(merge_shapes(*shapes), dims, "contract")
    alone = [_only_of(shapes, (i,), names) for i in range(len(shapes))]
    shapes = [shape.without(own) for shape, own in zip(shapes, alone, strict=True)]
    pairs: list[Pair] = []
    while len(shapes) > 1:
        first, second = min(
            itertools.combinations(range(len(shapes)), 2),
            key=lambda pair: _product(shapes, pair, _only_of(shapes, pair, names)).volume or 0,
        )
        common = _only_of(shapes, (first, second), names)
        product = _product(shapes, (first, second), common)
        shapes = [shape for i, shape in enumerate(shapes) if i not in (first, second)] + [product]
        pairs.append((first, second, ",".join(common)))
    return alone, pairs


_kept_order = lru_cache(1024)(_order)


def _only_of(shapes: list[Shape], chosen: tuple[int, ...], names: Names) -> Names:
    """Those of `names` that the chosen factors have and no other."""
    others = {name for i, shape in enumerate(shapes) if i not in chosen for name in shape.names}
    return tuple(n for n in names if n not in others and any(n in shapes[i] for i in chosen))


def _product(shapes: list[Shape], pair: tuple[int, int], common: Names) -> Shape:
    return merge_shapes(*(shapes[i] for i in pair)).without(common)
