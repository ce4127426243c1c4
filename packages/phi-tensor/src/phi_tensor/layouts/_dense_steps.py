"""Steps that plans are composed of.

Bring one stored array to the axes, type and library that an operation needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from phi_tensor._dim import Dim
from phi_tensor._dtype import DType
from phi_tensor.backends._backend import Backend
from phi_tensor.layouts._layout import Dense

Step = Callable[[Any], Any]


def chain(steps: Sequence[Step | None]) -> Step | None:
    """One function that applies all steps in order; None if there is nothing to do."""
    todo = [step for step in steps if step is not None]
    if not todo:
        return None
    if len(todo) == 1:
        return todo[0]
    first, *rest = todo

    def apply(native: Any) -> Any:
        native = first(native)
        for step in rest:
            native = step(native)
        return native

    return apply


def convert_step(layout: Dense, backend: Backend) -> Step | None:
    """Step from the layout's library to `backend` (None if it is the same).

    A constant, also inside traces.
    """
    return None if layout.backend is backend else backend.as_native


def cast_step(have: DType, want: DType, backend: Backend) -> Step | None:
    """Step to element type `want`."""
    if have is want:
        return None
    cast = backend.ops["cast"]
    return lambda native: cast(native, want)


def align_step(stored: Sequence[Dim], target: Sequence[Dim], backend: Backend) -> Step | None:
    """Step to axes that broadcast against an array with axes `target`.

    Permuted, with size-1 axes where a dim is missing.
    """
    names = [dim.name for dim in stored]
    order = [names.index(dim.name) for dim in target if dim.name in names]
    assert len(order) == len(stored), f"{stored} must be part of {target}"
    steps: list[Step | None] = [permute_step(order, backend)]
    leading = next((i for i, dim in enumerate(target) if dim.name in names), len(target))
    needed = list(target[leading:])
    if len(needed) != len(stored):
        shape = tuple(dim.size if dim.name in names else 1 for dim in needed)
        reshape = backend.ops["reshape"]
        steps.append(lambda native: reshape(native, shape))
    return chain(steps)


def permute_step(order: Sequence[int], backend: Backend) -> Step | None:
    """Step that permutes axes; None for the identity."""
    axes = tuple(order)
    if axes == tuple(range(len(axes))):
        return None
    permute = backend.ops["permute"]
    return lambda native: permute(native, axes)


def store_step(layout: Dense, target: tuple[Dim, ...], backend: Backend) -> Step | None:
    """Step to an array with exactly the axes `target`, repeating along dims that were not stored."""
    present = [dim for dim in target if dim.name in layout.axes]
    if len(present) == len(target):
        return permute_step([layout.axes[dim.name] for dim in target], backend)
    sizes = tuple(dim.size for dim in target)
    broadcast = backend.ops["broadcast_to"]
    return chain([align_step(layout.stored, target, backend), lambda native: broadcast(native, sizes)])


def merged_order(stored: Sequence[tuple[Dim, ...]]) -> tuple[Dim, ...]:
    """Axes that hold the dims of all operands.

    So that the largest needs no permutation and the others few.
    """
    leader = max(stored, key=len)
    merged = list(leader)
    for dims in stored:
        if dims is leader:
            continue
        position = len(merged)
        for dim in reversed(dims):
            at = next((i for i, other in enumerate(merged) if other.name == dim.name), None)
            if at is None:
                merged.insert(position, dim)
            else:
                position = at
    return tuple(merged)
