"""Hypothesis strategies: dims, shapes, tensors in any storage, and tensors that broadcast.

Sizes are small and numbers are multiples of 1/4, so that sums and products are exact in 32 bit. One name has
always one type.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from phi_tensor._create import tensor
from phi_tensor._dim_types import TYPES, batch, channel, spatial
from phi_tensor._dtype import DType, DTypeLike
from phi_tensor._extrapolation import PRIMITIVES, Extrapolation
from phi_tensor._extrapolation_sides import as_extrapolation, combine_by_direction, combine_sides
from phi_tensor._shape import Shape, concat_shapes
from phi_tensor._tensor import Tensor
from phi_tensor.ops._elementwise import cast
from phi_tensor.ops._structure import expand, stack

NAMES = {
    "batch": ("b", "examples"),
    "dual": ("q", "row"),
    "instance": ("p", "points"),
    "spatial": ("x", "y", "z"),
    "channel": ("vector", "c"),
}
"""Names by type."""

LARGEST = 4
"""Largest size of a dim."""


@st.composite
def dims(draw: DrawFn, min_size: int = 1) -> Shape:
    """Shapes with one dim of any type, some with labels."""
    found = draw(st.sampled_from(TYPES))
    name = draw(st.sampled_from(NAMES[found.name]))
    size = draw(st.integers(min_size, LARGEST))
    labelled = found.name in ("channel", "dual") and size > 0 and draw(st.booleans())
    return found(**{name: tuple("uvwxyz"[:size]) if labelled else size})


@st.composite
def shapes(draw: DrawFn, max_rank: int = 4, min_size: int = 1) -> Shape:
    """Uniform shapes of up to `max_rank` dims with sizes from `min_size` to 4, in any order."""
    found = draw(st.lists(dims(min_size), max_size=max_rank, unique_by=lambda dim: dim.name))
    return concat_shapes(*found)


@st.composite
def tensors(
    draw: DrawFn, shape: Shape | SearchStrategy[Shape] | None = None, dtype: DTypeLike = float
) -> Tensor:
    """Tensors on the default backend: any storage order, with constant dims, or with parts along a dim.

    Args:
        draw: Supplied by hypothesis.
        shape: Shape, or strategy for it; default: `shapes()`.
        dtype: Element type.
    """
    wanted = shape if isinstance(shape, Shape) else draw(shapes() if shape is None else shape)
    return cast(_stored(draw, wanted, DType.of(dtype)), dtype)


def _stored(draw: DrawFn, shape: Shape, dtype: DType) -> Tensor:
    style = draw(st.sampled_from(("dense", "dense", "expanded", "stacked"))) if shape else "dense"
    if style == "dense":
        order = draw(st.permutations(shape.names)) if shape.rank > 1 else shape.names
        seed = draw(st.integers(0, 99))  # larger ones are drawn depending on the constants in loaded modules
        return tensor(_numbers(np.random.default_rng(seed), shape[order].sizes, dtype), shape[order])
    dim, rest = shape[0], shape[1:]
    if style == "expanded":
        return expand(_stored(draw, rest, dtype), dim)
    size = dim.size
    assert isinstance(size, int)
    return (
        stack([_stored(draw, rest, dtype) for _ in range(size)], dim)
        if size
        else expand(_stored(draw, rest, dtype), dim)
    )


def _numbers(rng: np.random.Generator, sizes: tuple[Any, ...], dtype: DType) -> Any:
    if dtype.kind is bool:
        return rng.random(sizes) > 0.5
    whole = rng.integers(-16, 17, sizes)
    if dtype.kind is int:
        return np.asarray(whole, np.int64)
    return whole / 4 if dtype.kind is float else whole / 4 + 1j * rng.integers(-16, 17, sizes)


@st.composite
def broadcastable(draw: DrawFn, n: int, dtype: DTypeLike = float) -> tuple[Tensor, ...]:
    """`n` tensors whose shapes fit together: dims of one name are equal, each tensor has some of all dims."""
    union = draw(shapes())
    chosen = st.lists(st.sampled_from(union.names), unique=True) if union else st.just([])
    return tuple(draw(tensors(union[tuple(draw(chosen))], dtype)) for _ in range(n))


@st.composite
def ragged(draw: DrawFn, dtype: DTypeLike = float) -> Tensor:
    """Tensors whose spatial dim `x` varies along the batch dim `b`, possibly with more dims."""
    sizes = draw(st.lists(st.integers(1, LARGEST), min_size=2, max_size=3).filter(lambda s: len(set(s)) > 1))
    rest = draw(shapes(2).filter(lambda s: not {"b", "x"} & set(s.names)))
    parts = [draw(tensors(spatial(x=size) & rest, dtype)) for size in sizes]
    return stack(parts, batch("b"))


@st.composite
def boundaries(draw: DrawFn, names: str = "x,y", vector: bool = False) -> Extrapolation:
    """Extrapolations with a rule for each side of the dims `names`: constants and copying rules.

    Args:
        draw: Supplied by hypothesis.
        names: Comma list of dims.
        vector: Also constants and rules that differ between the components of `vector`.
    """
    labels = names.split(",")
    constants: Any = st.integers(-8, 8).map(lambda i: i / 4)
    if vector:
        constants = constants | st.integers(-8, 8).map(
            lambda i: tensor([(i + j) / 4 for j in range(len(labels))], channel(vector=names))
        )
    sided = (constants | st.sampled_from([name for name in PRIMITIVES if name != "periodic"])).map(
        as_extrapolation
    )
    if vector:
        sided = sided | st.builds(combine_by_direction, sided, sided)
    both = st.tuples(sided, sided) | st.just(as_extrapolation("periodic"))
    found = combine_sides({name: draw(both) for name in labels})
    return draw(st.sampled_from((found, draw(sided))))
