"""Bodies of loops in compiled PyTorch code.

A pure function of constants, state and inputs, and its derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from phi_tensor.backends import _torch_compile as adapter
from phi_tensor.backends import _torch_jit as jit
from phi_tensor.backends import _torch_transforms as transforms
from phi_tensor.backends._backend import Native, Natives
from phi_tensor.backends._torch_closure import Watcher, captured

Mask = tuple[bool, ...]
Step = Callable[
    [Sequence[Native], Sequence[Native], Sequence[Native]], tuple[Sequence[Native], Sequence[Native]]
]
"""`(constants, state, inputs) → (next state, outputs)`."""


class Body:
    """A step of a loop, traced once for all its runs.

    Attributes:
        constants: Number of arrays that are the same in all steps.
        state: Number of arrays that a step replaces.
        inputs: Number of arrays of which each step gets a slice.
        handle: Number of the traced step in the loop node.
        hidden: Eager arrays that the step takes from outside.
        next_state: Fake arrays like those that a step returns.
        outputs: Fake arrays like the outputs of one step.
    """

    def __init__(
        self, step: Step, constants: Sequence[Native], state: Sequence[Native], inputs: Sequence[Native]
    ) -> None:
        self.constants, self.state, self.inputs = len(constants), len(state), len(inputs)
        self._step = step
        self._sizes = [self.constants, self.state, self.inputs]
        self._like = adapter.fakes_like((*constants, *state, *inputs))
        self._derived: dict[Any, Body] = {}
        traced = adapter.trace(self._flat, self._like)
        self.hidden = traced.constants
        self.handle = jit.register(traced, self.state)
        self.next_state, self.outputs = traced.outputs[: self.state], traced.outputs[self.state :]

    @staticmethod
    def of(f: Callable[..., tuple[Natives, Natives]], state: Natives) -> tuple[Body, list[Native]]:
        """Body for `f(*state) -> (next state, outputs)` and the traced arrays that `f` takes from outside."""
        outside = captured(lambda *natives: [one for part in f(*natives) for one in part], state)

        def step(constants: Sequence[Native], natives: Sequence[Native], _: Any) -> tuple[Natives, Natives]:
            with Watcher(outside.found, constants) as watcher:
                after, outputs = f(*natives)
                return tuple(map(watcher.inside, after)), tuple(map(watcher.inside, outputs))

        return Body(step, outside.visible, state, ()), outside.visible

    def pushed_forward(self, constants: Mask, inputs: Mask) -> Body:
        """Body for (constants, tangents of some), (state, tangents), (inputs, tangents of some).

        Outputs and tangents.
        """
        key = ("jvp", constants, inputs)
        if key not in self._derived:
            self._derived[key] = self._pushed_forward(constants, inputs)
        return self._derived[key]

    def _pushed_forward(self, constants: Mask, inputs: Mask) -> Body:
        like = take(self._like, self._sizes)
        inexact = tuple(transforms.is_inexact(native) for native in like[1])
        masks = (constants, inexact, inputs)
        active = [use for mask in masks for use in mask]
        sizes = [size for mask in masks for size in (len(mask), sum(mask))]

        def step(*parts: Sequence[Native]) -> tuple[Sequence[Native], Sequence[Native]]:
            pairs = take([one for part in parts for one in part], sizes)
            primals = tuple(one for part in pairs[::2] for one in part)
            tangents = tuple(
                one
                for mask, part, given in zip(masks, pairs[::2], pairs[1::2], strict=True)
                for one in _fill(mask, given, part)
            )
            values, changes = transforms.jvp(self._flat, primals, tangents, active)
            (after, outputs), (d_after, d_outputs) = self._halves(values), self._halves(changes)
            return [*after, *_inexact(d_after)], [*outputs, *_inexact(d_outputs)]

        return Body(step, *(_paired(part, mask) for part, mask in zip(like, masks, strict=True)))

    def pulled_back(self, constants: Mask, inputs: Mask, outputs: Mask, kept: Mask) -> Body:
        """Body of the loop backwards over (inputs, kept states, cotangents of some outputs and kept states).

        Its state are the cotangents of the state and the sums of those of the constants; its outputs the
        cotangents of the inputs, where the masks say so.
        """
        key = ("vjp", constants, inputs, outputs, kept)
        if key not in self._derived:
            self._derived[key] = self._pulled_back(constants, inputs, outputs, kept)
        return self._derived[key]

    def _pulled_back(self, constants: Mask, inputs: Mask, outputs: Mask, kept: Mask) -> Body:
        like = take(self._like, self._sizes)
        inexact = tuple(transforms.is_inexact(native) for native in like[1])
        active = [*constants, *inexact, *inputs]
        like_state = _some(like[1], inexact)
        like_sums = _some(like[0], constants)
        like_inputs = [*like[2], *like[1], *_some(self.outputs, outputs), *_some(like[1], kept)]

        def step(
            values: Sequence[Native], cotangents: Sequence[Native], slices: Sequence[Native]
        ) -> tuple[Sequence[Native], Sequence[Native]]:
            ct_state, sums = take(cotangents, [len(like_state), len(like_sums)])
            given, state, ct_outputs, ct_kept = take(
                slices, [len(inputs), len(inexact), sum(outputs), sum(kept)]
            )
            primals = (*values, *state, *given)
            results, pull, _ = transforms.vjp(lambda *natives: (self._flat(*natives), ()), primals, active)
            after, outs = self._halves(results)
            pulled = pull((*_fill(inexact, ct_state, after), *_fill(outputs, ct_outputs, outs)))
            by_part = take(pulled, self._sizes)
            extra = _fill(kept, ct_kept, state)
            back = [one + other for one, other, use in zip(by_part[1], extra, inexact, strict=True) if use]
            total = [one + other for one, other in zip(sums, _some(by_part[0], constants), strict=True)]
            return [*back, *total], _some(by_part[2], inputs)

        return Body(step, like[0], [*like_state, *like_sums], like_inputs)

    def _flat(self, *natives: Native) -> Natives:
        after, outputs = self._step(*take(natives, self._sizes))
        return (*after, *outputs)

    def _halves(self, natives: Sequence[Native]) -> tuple[Sequence[Native], Sequence[Native]]:
        return natives[: self.state], natives[self.state :]


def take(natives: Sequence[Any], sizes: Sequence[int]) -> list[list[Any]]:
    """`natives` divided into parts of `sizes`."""
    parts: list[list[Any]] = []
    start = 0
    for size in sizes:
        parts.append(list(natives[start : start + size]))
        start += size
    return parts


def _some(natives: Sequence[Native], mask: Mask) -> list[Native]:
    return [native for native, use in zip(natives, mask, strict=True) if use]


def _inexact(natives: Sequence[Native]) -> list[Native]:
    return [native for native in natives if transforms.is_inexact(native)]


def _paired(natives: Sequence[Native], mask: Mask) -> list[Native]:
    return [*natives, *_some(natives, mask)]


def _fill(mask: Mask, given: Sequence[Native], like: Sequence[Native]) -> list[Native]:
    """`given` where the mask is True, zeros elsewhere."""
    entries = iter(given)
    return [
        next(entries) if use else torch.zeros_like(native) for use, native in zip(mask, like, strict=True)
    ]
