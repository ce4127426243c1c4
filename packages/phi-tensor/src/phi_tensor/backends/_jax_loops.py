"""Loops as primitives in JAX: a fixed number of steps with checkpoints, and loops with a condition.

Measured on a 64² semi-Lagrangian smoke step (FFT projection), value and gradient of 256 steps on two CPU
cores: storing every intermediate array 200 ms, 278 MB; storing states and recomputing steps 79 ms, 13 MB.
Recomputing beats storing, so all states are kept while they fit into `KEPT_BYTES`, else every ~√count-th.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from phi_tensor.backends._backend import Flat, Native, Natives
from phi_tensor.backends._jax_rules import KEPT, Rule, Ruled
from phi_tensor.backends._jax_transforms import adjoint, closed, explained, is_smooth, jvp, vjp

KEPT_BYTES = 256 * 2**20
"""Memory [byte] that the states of a loop may take before most of them are recomputed in reverse mode."""


def scan(
    step: Callable[[Natives], tuple[Natives, Natives]], state: Natives, count: int, checkpoint: int | None
) -> tuple[Natives, Natives]:
    """`(final state, stacked outputs)`, traced once; see `Backend.scan`.

    In reverse mode each step is recomputed from its state, except results of inner loops with own rules
    (solves), which are kept. States are kept every `checkpoint` steps, the others recomputed block by block.
    `checkpoint=None` keeps every state while they fit into `KEPT_BYTES`, else every ~√count-th.
    """
    width = len(state)
    one_step, captured, _ = closed(lambda *s: _flat(step(s)), state)
    block = _block_size(state, count) if checkpoint is None else max(1, min(checkpoint, count))

    def body(carry: Natives, _: None) -> tuple[Natives, Natives]:
        results = one_step(*captured, *carry)
        return results[:width], results[width:]

    policy = jax.checkpoint_policies.save_only_these_names(KEPT)
    recomputed = jax.checkpoint(body, prevent_cse=False, policy=policy)
    if block <= 1 or block >= count:
        return lax.scan(recomputed, state, None, length=count)
    blocks, rest = divmod(count, block)

    def many(carry: Natives, _: None) -> tuple[Natives, Natives]:
        return lax.scan(recomputed, carry, None, length=block)

    state, outputs = lax.scan(jax.checkpoint(many, prevent_cse=False), state, None, length=blocks)
    outputs = tuple(lax.reshape(y, (blocks * block, *y.shape[2:])) for y in outputs)
    if not rest:
        return state, outputs
    state, last = lax.scan(recomputed, state, None, length=rest)
    return state, tuple(lax.concatenate(pair, 0) for pair in zip(outputs, last, strict=True))


def _flat(results: tuple[Natives, Natives]) -> Natives:
    state, outputs = results
    return (*state, *outputs)


def _block_size(state: Natives, count: int) -> int:
    """1 where all states fit, else √count or the largest divisor of `count` not far below."""
    if count * sum(x.size * x.dtype.itemsize for x in state) <= KEPT_BYTES:
        return 1
    root = math.isqrt(count)
    return next((size for size in range(root, root // 2, -1) if count % size == 0), root)


def while_loop(
    condition: Callable[[Natives], Native],
    step: Callable[[Natives], Natives],
    state: Natives,
    limit: int | None,
) -> Natives:
    """State when `condition` is False; see `Backend.while_loop`. Reverse mode replays the steps."""
    if limit is None:
        with explained():
            return lax.while_loop(condition, lambda s: tuple(step(s)), state)
    test, test_captured, _ = closed(lambda *s: (condition(s),), state)
    move, move_captured, _ = closed(lambda *s: tuple(step(s)), state)
    n, m = len(test_captured), len(test_captured) + len(move_captured)

    def may_continue(arguments: Natives, counted: tuple[Native, Natives]) -> Native:
        count, now = counted
        return (count < limit) & test(*arguments[:n], *now)[0]

    def advance(arguments: Natives, counted: tuple[Native, Natives]) -> tuple[Native, Natives]:
        count, now = counted
        return count + 1, move(*arguments[n:m], *now)

    def value(*arguments: Native) -> Natives:
        start = (np.int64(0), arguments[m:])
        _, end = lax.while_loop(
            lambda now: may_continue(arguments, now), lambda now: advance(arguments, now), start
        )
        return end

    replay = _replayed(may_continue, advance, m, limit)

    def moved_by(loop: Flat, residuals: Natives, tangents: Natives) -> Natives:
        arguments = residuals[: m + len(state)]
        given = iter(tangents)
        full = tuple(next(given) if is_smooth(x) else jnp.zeros(x.shape, x.dtype) for x in arguments)
        outputs, moved = jvp(loop, arguments, full)
        return tuple(t for t, y in zip(moved, outputs, strict=True) if is_smooth(y))

    def pullback(residuals: Natives, cotangents: Natives) -> Natives:
        arguments = residuals[: m + len(state)]
        outputs, pull, _ = vjp(lambda *a: (replay(*a), ()), arguments)
        given = iter(cotangents)
        full = tuple(adjoint(next(given)) if is_smooth(y) else jnp.zeros(y.shape, y.dtype) for y in outputs)
        pulled = pull(full)
        return tuple(adjoint(c) for c, x in zip(pulled, arguments, strict=True) if is_smooth(x))

    rule = Rule(partial(moved_by, value), pullback, partial(moved_by, replay))
    results = tuple((x.shape, x.dtype) for x in state)
    return Ruled(value, rule, results)(*test_captured, *move_captured, *state)


def _replayed(may_continue: Any, advance: Any, first: int, limit: int) -> Flat:
    """The loop as a scan of `limit` steps in ~√limit blocks; those after the end do nothing."""
    block = max(1, math.isqrt(limit))

    def replay(*arguments: Native) -> Natives:
        def one(now: Any, _: None) -> tuple[Any, None]:
            proceeds = may_continue(arguments, now)
            return lax.cond(proceeds, lambda s: advance(arguments, s), lambda s: s, now), None

        def many(now: Any, _: None) -> tuple[Any, None]:
            def run(s: Any) -> Any:
                return lax.scan(jax.checkpoint(one, prevent_cse=False), s, None, length=block)[0]

            return lax.cond(may_continue(arguments, now), run, lambda s: s, now), None

        start = (jnp.zeros((), np.int64), arguments[first:])
        (_, end), _ = lax.scan(
            jax.checkpoint(many, prevent_cse=False), start, None, length=-(-limit // block)
        )
        return end

    return replay
