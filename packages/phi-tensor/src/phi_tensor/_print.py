"""Tensors and trees as text, all numbers, one block per position along batch and channel dims."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, cast

from phi_tensor._tensor import Tensor
from phi_tensor._trees import opened
from phi_tensor.layouts._sparse import Sparse
from phi_tensor.sparse._entries import dense

MOST_PRINTED = 2**16
"""Most elements of a sparse tensor that are printed."""


def print_(obj: Any = None, name: str = "") -> None:
    """Write all numbers of a tensor, sorted by dims, or of the tensors of a tree, to the standard output.

    Spatial, instance and dual dims make the rows and columns of a block; each position along the others has
    a block of its own.

    Args:
        obj: Tensor, tree or anything else, which is shown as Python does.
        name: What to call it.

    >>> import phi_tensor as math
    >>> print_(math.arange(math.spatial(x=3)), "steps")
    steps (x:s=3) int64
    [0 1 2]
    """
    sys.stdout.write("\n".join(_lines(obj, name)) + "\n")


def _lines(obj: Any, name: str) -> Iterator[str]:
    if isinstance(obj, Tensor):
        yield from _tensor_lines(obj, name)
        return
    parts = opened(obj)
    if parts is None:
        yield f"{name} {'' if obj is None else obj}".strip()
        return
    children, structure = parts
    for key, child in zip(structure.keys(), children, strict=True):
        yield from _lines(child, f"{name}{key}")


def _tensor_lines(x: Tensor, name: str) -> Iterator[str]:
    yield " ".join(filter(None, [name, str(x.shape) if x.rank else "", str(x.dtype)]))
    if not x.available:
        yield "traced, without numbers"
        return
    if isinstance(x.layout, Sparse):
        if (x.shape.volume or 0) > MOST_PRINTED:
            yield str(x)
            return
        x = dense(x)
    outer = (x.shape.batch & x.shape.channel & x.shape.non_uniform_shape).without(x.shape.non_uniform)
    for position in outer.meshgrid(names=True):
        block = x[cast("Any", position)]
        if position:
            yield ", ".join(f"{dim}={index}" for dim, index in position.items())
        yield str(block.numpy(block.shape.names))
