"""Trees of tensors as one vector: what block systems are solved for."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, cast

from phi_tensor._dim_types import instance
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor._trees import Structure
from phi_tensor.ops._elementwise import to_float
from phi_tensor.ops._structure import concat, expand, pack_dims, stack, unpack_dim, unstack
from phi_tensor.transforms._flat import flat_arguments

UNKNOWN = "_unknown"
"""Dim of packed vectors."""


class Packing(NamedTuple):
    """How a tree becomes one tensor and back. A single uniform tensor stays as it is.

    Attributes:
        structure: Structure of the tree.
        blocks: Dims of each tensor of the tree that are packed: all but batch dims. Nested for tensors whose
            sizes vary, by the dim along which they are unstacked.
        single: Whether nothing is packed.
    """

    structure: Structure
    blocks: tuple[Block, ...]
    single: bool

    @property
    def dims(self) -> Shape:
        """Dims of the packed vectors."""
        if self.single:
            return self.blocks[0].dims
        return instance(**{UNKNOWN: sum(block.size for block in self.blocks)})

    def pack(self, tree: Any) -> Tensor:
        """The tree as one tensor."""
        leaves, _ = flat_arguments(tree)
        if len(leaves) != len(self.blocks):
            raise IncompatibleShapes(
                f"`solve_linear` needs trees of one structure, but found {len(leaves)} tensors where the "
                f"unknown has {len(self.blocks)}: {tree!r}."
            )
        leaves = [floating(leaf) for leaf in leaves]
        if self.single:
            return leaves[0]
        parts = [p for leaf, block in zip(leaves, self.blocks, strict=True) for p in block.packed(leaf)]
        rest = merge_shapes(*(part.shape.without(UNKNOWN) for part in parts))
        return concat([expand(part, rest) for part in parts], UNKNOWN)

    def unpack(self, vector: Tensor) -> Any:
        """The tree that `pack` makes this of."""
        if self.single:
            return self.structure.build([vector])
        leaves: list[Tensor] = []
        start = 0
        for block in self.blocks:
            leaves.append(block.unpacked(vector[{UNKNOWN: slice(start, start + block.size)}]))
            start += block.size
        return self.structure.build(leaves)


class Block(NamedTuple):
    """Dims of one tensor of a tree.

    Attributes:
        dims: All but batch dims; for tensors whose sizes vary, the dim along which they are unstacked.
        parts: Blocks of the entries along that dim; empty for uniform tensors.
    """

    dims: Shape
    parts: tuple[Block, ...] = ()

    @property
    def size(self) -> int:
        """Number of entries [-]."""
        if self.parts:
            return sum(part.size for part in self.parts)
        return math.prod(cast("tuple[int, ...]", self.dims.sizes))

    def packed(self, x: Tensor) -> list[Tensor]:
        """Vectors along `_unknown`."""
        if self.parts:
            entries = unstack(x, self.dims.names[0])
            return [v for entry, part in zip(entries, self.parts, strict=True) for v in part.packed(entry)]
        if not self.dims:
            return [expand(x, instance(**{UNKNOWN: 1}))]
        return [pack_dims(expand(x, self.dims), self.dims.names, instance(UNKNOWN))]

    def unpacked(self, vector: Tensor) -> Tensor:
        """The tensor of this vector."""
        if not self.parts:
            if not self.dims:
                return vector[{UNKNOWN: 0}]
            return unpack_dim(vector, UNKNOWN, *(self.dims[name] for name in self.dims.names))
        entries: list[Tensor] = []
        start = 0
        for part in self.parts:
            entries.append(part.unpacked(vector[{UNKNOWN: slice(start, start + part.size)}]))
            start += part.size
        return stack(entries, self.dims)


def packing_of(tree: Any) -> Packing:
    """How a tree like this is packed."""
    leaves, structure = flat_arguments(tree)
    if not leaves:
        raise IncompatibleShapes(f"`solve_linear` needs tensors to solve for, but found {tree!r}.")
    blocks = tuple(_block(leaf) for leaf in leaves)
    return Packing(structure, blocks, len(blocks) == 1 and not blocks[0].parts)


def _block(x: Tensor) -> Block:
    if x.shape.is_uniform:
        return Block(x.shape.non_batch)
    name = next(dim.over[0] for dim in x.shape.dims if dim.over)
    return Block(x.shape.only(name), tuple(_block(part) for part in unstack(x, name)))


def floating(x: Tensor) -> Tensor:
    """`x` as floats of the context's precision; complex numbers stay complex."""
    return x + 0j if x.dtype.kind is complex else to_float(x)
