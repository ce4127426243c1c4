"""Loops in compiled PyTorch code.

One opaque node each, whatever the number of steps, with derivatives that are loops.

The body of a loop is traced once. Its derivative is a loop over the derivative of the body, traced once as
well: over pairs (value, tangent) forwards, or backwards over the kept states. Derivatives of any order
    follow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch

from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor.backends import _torch_compile as adapter
from phi_tensor.backends import _torch_jit as jit
from phi_tensor.backends import _torch_transforms as transforms
from phi_tensor.backends._backend import Native, Natives
from phi_tensor.backends._torch_body import Body, Mask, take
from phi_tensor.backends._torch_closure import inside
from phi_tensor.backends._torch_rules import Levels, Maybe, Rule, apply

KEEP_ALL_BYTES = 2**26
"""States of a loop that fit in here are all kept for the reverse derivative [byte].

Of others, about √count.
"""


@final
@dataclass(frozen=True, eq=False)
class Loop(Rule):
    """`count` steps of `body`, or fewer: while `condition` holds, or as many as a 0-d array says.

    Operands: the length (if `has_length`), constants of the condition, then constants, state and inputs of
        the body; the
    inputs have a leading axis of length `count`. Results: final state, outputs of the steps along a new
    leading axis, the states before each step if `keeps`, the number of steps if there is a condition.
    """

    body: Body
    count: int
    reverse: bool = False
    keeps: bool = False
    condition: Body | None = None
    has_length: bool = False

    def _parts(self, operands: Sequence[Any]) -> list[list[Any]]:
        """Operands divided into length, constants of the condition, constants, state, inputs."""
        tested = self.condition.constants if self.condition else 0
        sizes = [int(self.has_length), tested, self.body.constants, self.body.state, self.body.inputs]
        return take(operands, sizes)

    def _results(self, outputs: Sequence[Any]) -> list[list[Any]]:
        """Results divided into final state, outputs, kept states, number of steps."""
        state = self.body.state
        sizes = [state, len(self.body.outputs), state if self.keeps else 0, int(self.condition is not None)]
        return take(outputs, sizes)

    def forward(self, operands: Sequence[Native], aside: Levels) -> Sequence[Native]:
        length, tested, constants, state, inputs = self._parts(operands)
        tested = [*tested, *(self.condition.hidden if self.condition else ())]
        constants = [*constants, *self.body.hidden]
        sizes = [len(length), len(tested), len(constants), len(state)]
        return jit.loop_node(
            self.body.handle,
            self.condition.handle if self.condition else 0,
            sizes,
            self.count,
            self.reverse,
            self.keeps,
            [*length, *tested, *constants, *state, *inputs],
        )

    def pullback(
        self, operands: Sequence[Native], outputs: Sequence[Native], cotangents: Sequence[Maybe]
    ) -> Sequence[Maybe]:
        if not self.keeps:
            raise Unsupported(
                "torch cannot differentiate `while_loop` backwards without knowing its largest number of "
                "steps: pass "
                "`limit=`, use forward mode (`jvp`), or `iterate` with a fixed number of steps."
            )
        length, tested, constants, state, inputs = self._parts(operands)
        _, _, kept, steps = self._results(outputs)
        ct_state, ct_outputs, ct_kept, _ = self._results(cotangents)
        body = self.body.pulled_back(
            inexact_mask(constants), inexact_mask(inputs), present_mask(ct_outputs), present_mask(ct_kept)
        )
        start = [
            torch.zeros_like(value) if cotangent is None else cotangent
            for value, cotangent in zip(state, ct_state, strict=True)
            if transforms.is_inexact(value)
        ]
        sums = [torch.zeros_like(value) for value in constants if transforms.is_inexact(value)]
        length = steps or length
        loop = Loop(body, self.count, not self.reverse, adapter.recording(), has_length=bool(length))
        given = [cotangent for cotangent in (*ct_outputs, *ct_kept) if cotangent is not None]
        results = apply(loop, [*length, *constants, *start, *sums, *inputs, *kept, *given])
        (pulled, ct_inputs, _, _) = loop._results(results)
        pulled_state = spread(pulled[: len(start)], state)
        pulled_constants = spread(pulled[len(start) :], constants)
        nothing = [None] * (self.has_length + len(tested))
        return [*nothing, *pulled_constants, *pulled_state, *spread(ct_inputs, inputs)]

    def pushforward(
        self, operands: Sequence[Native], tangents: Sequence[Maybe], aside: Levels
    ) -> tuple[Sequence[Native], Sequence[Maybe]]:
        length, tested, constants, state, inputs = self._parts(operands)
        _, _, dt_constants, dt_state, dt_inputs = self._parts(tangents)
        body = self.body.pushed_forward(present_mask(dt_constants), present_mask(dt_inputs))
        start = [
            torch.zeros_like(value) if tangent is None else tangent
            for value, tangent in zip(state, dt_state, strict=True)
            if transforms.is_inexact(value)
        ]
        loop = Loop(body, self.count, self.reverse, self.keeps, self.condition, self.has_length)
        active_constants = [tangent for tangent in dt_constants if tangent is not None]
        active_inputs = [tangent for tangent in dt_inputs if tangent is not None]
        pairs = [*constants, *active_constants, *state, *start, *inputs, *active_inputs]
        results = apply(loop, [*length, *tested, *pairs], aside)
        final, outs, kept, steps = loop._results(results)
        count = len(state)
        values = [*final[:count], *outs[: len(self.body.outputs)], *kept[:count], *steps]
        changes = [
            *spread(final[count:], state),
            *spread(outs[len(self.body.outputs) :], self.body.outputs),
            *(spread(kept[count:], state) if self.keeps else ()),
            *(None for _ in steps),
        ]
        return values, changes


def inexact_mask(natives: Sequence[Native]) -> Mask:
    """Which arrays have derivatives."""
    return tuple(transforms.is_inexact(native) for native in natives)


def present_mask(natives: Sequence[Maybe]) -> Mask:
    """Which entries are not None."""
    return tuple(native is not None for native in natives)


def spread(inexact: Sequence[Native], like: Sequence[Native]) -> list[Maybe]:
    """`inexact` at the places of the inexact arrays among `like`, None elsewhere."""
    entries = iter(inexact)
    return [next(entries) if transforms.is_inexact(native) else None for native in like]


# --- scan and while


def scan(
    step: Callable[[Natives], tuple[Natives, Natives]], state: Natives, count: int, checkpoint: int | None
) -> tuple[Natives, Natives]:
    """See `Backend.scan`, inside `compile`."""
    state = inside(state)
    body, captured = Body.of(lambda *natives: step(natives), state)
    _check_state("iterate", body, state)
    if checkpoint is None:
        total = count * sum(native.numel() * native.element_size() for native in state)
        checkpoint = 1 if total <= KEEP_ALL_BYTES else math.isqrt(count)
    whole = count // checkpoint
    if checkpoint == 1 or whole < 2 or not adapter.recording():
        return _split(_run(body, captured, state, count), len(state))
    segment = Body(
        lambda constants, natives, _: _split(_run(body, constants, natives, checkpoint), len(natives)),
        captured,
        state,
        (),
    )
    state, outputs = _split(_run(segment, captured, state, whole), len(state))
    outputs = tuple(output.flatten(0, 1) for output in outputs)
    if count % checkpoint:
        state, rest = _split(_run(body, captured, state, count % checkpoint), len(state))
        outputs = tuple(torch.cat(pair) for pair in zip(outputs, rest, strict=True))
    return state, outputs


def _run(body: Body, constants: Sequence[Native], state: Sequence[Native], count: int) -> list[Native]:
    loop = Loop(body, count, keeps=adapter.recording())
    results = apply(loop, [*constants, *state])
    return results[: body.state + len(body.outputs)]


def _split(results: Sequence[Native], state: int) -> tuple[Natives, Natives]:
    return tuple(results[:state]), tuple(results[state:])


def while_loop(
    condition: Callable[[Natives], Native],
    step: Callable[[Natives], Natives],
    state: Natives,
    limit: int | None,
) -> Natives:
    """See `Backend.while_loop`, inside `compile`."""
    state = inside(state)
    body, captured = Body.of(lambda *natives: (step(natives), ()), state)
    _check_state("while_loop", body, state)
    test, tested = Body.of(lambda *natives: (natives, (condition(natives),)), state)
    keeps = limit is not None and adapter.recording()
    loop = Loop(body, -1 if limit is None else limit, keeps=keeps, condition=test)
    return tuple(apply(loop, [*tested, *captured, *state])[: len(state)])


def _check_state(name: str, body: Body, state: Natives) -> None:
    before = [(tuple(native.shape), native.dtype) for native in state]
    after = [(tuple(native.shape), native.dtype) for native in body.next_state]
    if before != after:
        raise IncompatibleShapes(
            f"A step of `{name}` must keep the shapes and dtypes of its state, but turned {before} into "
            f"{after}. Cast or "
            f"reshape the state before the loop."
        )
