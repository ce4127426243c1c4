"""Tracing: a function is called once with tensors that record how they depend on the unknown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from phi_tensor._context import context_dtype
from phi_tensor._dtype import FLOAT32
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor._trees import flatten
from phi_tensor.layouts._affine import Affine
from phi_tensor.layouts._layout import Layout, Parts, Ragged
from phi_tensor.linear._affine_plan import side_by_side
from phi_tensor.linear._terms import Unknown, affine, identity
from phi_tensor.transforms._flat import number_leaf


def trace(f: Callable[..., Any], like: Any, *args: Any, **kwargs: Any) -> Any:
    """Result of `f(x, *args, **kwargs)` as a function of its first argument.

    Args:
        f: Affine function `f(x, …) = A x + b` of tensors or trees.
        like: Tensor or tree with the structure and the shapes of `x`; its numbers are not read.
        *args: Further arguments, constant.
        **kwargs: Further arguments, constant.

    Returns:
        The result of `f`, its tensors traced (see `Terms`). What does not depend on `x` keeps its numbers.

    Raises:
        NonlinearOperation: `f` does something that is not linear in `x`.
        Untraceable: `f` does something that is linear, but has no index maps.
    """
    x = unknown_like(like)[1]
    return f(x, *args, **kwargs)


def unknown_like(like: Any) -> tuple[Unknown, Any]:
    """`(description, traced tree)` of an unknown with the structure of a tree."""
    leaves, structure = flatten(like, "variable", number_leaf)
    layouts = tuple(leaf.layout for leaf in leaves)
    blocks = tuple(block for layout in layouts for block in _blocks(layout))
    unknown = Unknown(structure, layouts, blocks)
    traced: list[Tensor] = []
    start = 0
    for layout in layouts:
        count = len(_blocks(layout))
        traced.append(_traced(layout, unknown, start))
        start += count
    return unknown, structure.build(traced)


def _blocks(layout: Layout) -> list[Shape]:
    """Shapes of the uniform parts of a tensor."""
    if isinstance(layout, Ragged):
        return [block for part in layout.parts for block in _blocks(part)]
    return [layout.shape]


def _traced(layout: Layout, unknown: Unknown, source: int) -> Tensor:
    if isinstance(layout, Ragged):
        parts: list[Tensor] = []
        for part in layout.parts:
            parts.append(_traced(part, unknown, source))
            source += len(_blocks(part))
        return side_by_side(parts, layout.dim)
    dtype = layout.dtype if layout.dtype.kind in (float, complex) else context_dtype(FLOAT32)
    x = identity(unknown, source, dtype, layout.backend)
    return _split(x, layout)


def _split(x: Tensor, layout: Layout) -> Tensor:
    """`x` in parts as `layout` stores it: components stay apart, each with simple maps."""
    if not isinstance(layout, Parts):
        return x
    name = layout.dim.name
    parts = [_split(x.sliced(((name, i),)), part) for i, part in enumerate(layout.parts)]
    return side_by_side(parts, layout.dim)


def blocks_of(x: Any) -> list[Tensor]:
    """The uniform parts of the tensors of a tree, each without parts."""
    leaves, _ = flatten(x, "variable", number_leaf)
    return [block for leaf in leaves for block in _uniform(leaf)]


def _uniform(x: Tensor) -> list[Tensor]:
    if isinstance(x.layout, Ragged):
        return [block for part in x.parts() for block in _uniform(part)]
    return [x.block()]


def from_blocks(unknown: Unknown, blocks: Sequence[Tensor]) -> Any:
    """Tree with the structure of the unknown whose tensors consist of `blocks`."""
    left = list(blocks)
    return unknown.structure.build([_assembled(layout, left) for layout in unknown.layouts])


def _assembled(layout: Layout, left: list[Tensor]) -> Tensor:
    if isinstance(layout, Ragged):
        return side_by_side([_assembled(part, left) for part in layout.parts], layout.dim)
    return left.pop(0)


def as_traced(x: Tensor, unknown: Unknown) -> Tensor:
    """`x` as a traced tensor; one that does not depend on the unknown is bias alone."""
    if isinstance(x.layout, Affine):
        return x
    return affine(x.shape, x.dtype, x.layout.backend, unknown, (), x)
