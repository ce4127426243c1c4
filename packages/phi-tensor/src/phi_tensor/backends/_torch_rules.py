"""Functions with derivative rules of their own in PyTorch.

Right under any nesting of `torch.func` transformations.

The library's own `autograd.Function` switches forward mode off while a `jvp` rule runs, so that
forward-over-forward gives silent zeros. Here every level of differentiation is peeled off by hand: a rule for
one level is evaluated on arrays of the next level, where it is an ordinary differentiable computation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, final

import torch

from phi_tensor._errors import Unsupported
from phi_tensor.backends import _torch_compile as adapter
from phi_tensor.backends import _torch_transforms as transforms
from phi_tensor.backends._backend import Flat, Native, Natives
from phi_tensor.backends._torch_closure import inside

Maybe = Native | None
"""Tangent or cotangent; None is zero."""


Levels = tuple[adapter.Level, ...]
"""Derivatives and maps that are set aside while a rule runs, the innermost first."""


class Rule(ABC):
    """A function of arrays with its own derivatives."""

    @abstractmethod
    def forward(self, operands: Sequence[Native], aside: Levels) -> Sequence[Native]:
        """Results, outside of all derivatives."""

    @abstractmethod
    def pullback(
        self, operands: Sequence[Native], outputs: Sequence[Native], cotangents: Sequence[Maybe]
    ) -> Sequence[Maybe]:
        """One cotangent per operand, by differentiable operations."""

    @abstractmethod
    def pushforward(
        self, operands: Sequence[Native], tangents: Sequence[Maybe], aside: Levels
    ) -> tuple[Sequence[Native], Sequence[Maybe]]:
        """Results and their tangents, by differentiable operations."""


def apply(rule: Rule, operands: Sequence[Native], aside: Levels = ()) -> list[Native]:
    """Results of `rule`, recorded by every derivative that is under way."""
    operands = [adapter.alive(operand) for operand in operands]
    level = adapter.innermost()
    if level is not None:
        return _LEVELS[level.kind](rule, level.lift(operands), level, aside)
    if torch.is_grad_enabled() and any(operand.requires_grad for operand in operands):
        return list(
            _recorder(rule, torch.autograd.Function, lambda natives: rule.forward(natives, aside)).apply(
                *operands
            )
        )
    return list(rule.forward(operands, aside))


def _apply_reverse(
    rule: Rule, operands: Sequence[Native], level: adapter.Level, aside: Levels
) -> list[Native]:
    def forward(wrapped: Sequence[Native]) -> list[Native]:
        with level.lowered():
            outputs = apply(rule, [level.unwrap(operand) for operand in wrapped], (*aside, level))
        return [level.wrap(output) for output in outputs]

    with adapter.single_level():
        return list(_recorder(rule, adapter.SingleLevelFunction, forward).apply(*operands))


def _recorder(rule: Rule, base: Any, run: Callable[[Sequence[Native]], Sequence[Native]]) -> Any:
    """Autograd function that runs `run` and pulls back by `rule`."""

    def forward(*operands: Native) -> Natives:
        return tuple(run(operands))

    def setup_context(ctx: Any, inputs: Natives, output: Natives) -> None:
        ctx.count = len(inputs)
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*(native for native in output if not transforms.is_inexact(native)))
        ctx.save_for_backward(*inputs, *output)

    def backward(ctx: Any, *cotangents: Maybe) -> tuple[Maybe, ...]:
        saved = [adapter.alive(native) for native in ctx.saved_tensors]
        if all(cotangent is None for cotangent in cotangents):
            return (None,) * ctx.count
        return tuple(rule.pullback(saved[: ctx.count], saved[ctx.count :], cotangents))

    methods: list[Callable[..., Any]] = [forward, setup_context, backward]
    return type(type(rule).__name__, (base,), {method.__name__: staticmethod(method) for method in methods})


def _apply_forward(
    rule: Rule, operands: Sequence[Native], level: adapter.Level, aside: Levels
) -> list[Native]:
    pairs = [level.unwrap_dual(operand) for operand in operands]
    primals = [primal for primal, _ in pairs]
    tangents = [tangent for _, tangent in pairs]
    aside = (*aside, level)
    with level.lowered():
        if all(tangent is None for tangent in tangents):
            outputs = apply(rule, primals, aside)
            changes: Sequence[Maybe] = [None] * len(outputs)
        else:
            outputs, changes = rule.pushforward(primals, tangents, aside)
    return [level.wrap_dual(output, change) for output, change in zip(outputs, changes, strict=True)]


def _apply_mapped(
    rule: Rule, operands: Sequence[Native], level: adapter.Level, aside: Levels
) -> list[Native]:
    moved = [level.unwrap_batched(operand) for operand in operands]
    with level.lowered():
        rows = [
            apply(rule, [operand[index] if mapped else operand for operand, mapped in moved], (*aside, level))
            for index in range(level.batch_size)
        ]
        columns = [torch.stack(column) for column in zip(*rows, strict=True)]
    return [level.wrap_batched(column) for column in columns]


_LEVELS: dict[str, Callable[[Rule, Sequence[Native], adapter.Level, Levels], list[Native]]] = {
    "Grad": _apply_reverse,
    "Jvp": _apply_forward,
    "Vmap": _apply_mapped,
}


# --- rules supplied by the user


@final
class _Custom(Rule):
    """`f` with a pullback from outside; its forward rule transposes the pullback."""

    def __init__(self, f: Flat, pull: transforms.Pullback) -> None:
        self._f = f
        self._pull = pull

    def forward(self, operands: Sequence[Native], aside: Levels) -> Sequence[Native]:
        return _as_constants(self._f, operands, aside)

    def pullback(
        self, operands: Sequence[Native], outputs: Sequence[Native], cotangents: Sequence[Maybe]
    ) -> Sequence[Maybe]:
        dense = tuple(zeros_if_none(cotangents, outputs))
        pulled = self._pull(tuple(operands), tuple(outputs), dense)
        return [
            value if transforms.is_inexact(operand) else None
            for value, operand in zip(pulled, operands, strict=True)
        ]

    def pushforward(
        self, operands: Sequence[Native], tangents: Sequence[Maybe], aside: Levels
    ) -> tuple[Sequence[Native], Sequence[Maybe]]:
        outputs = apply(self, operands, aside)
        count = len(operands)

        def transpose(*natives: Native) -> Natives:
            primals, results, changes = natives[:count], natives[count:-count], natives[-count:]

            def pulled(*cotangents: Native) -> tuple[Natives, Natives]:
                return self._pull(primals, results, cotangents), ()

            return transforms.vjp(pulled, tuple(torch.zeros_like(result) for result in results))[1](changes)

        changes = _as_constants(transpose, [*operands, *outputs, *zeros_if_none(tangents, operands)], aside)
        return outputs, [
            change if transforms.is_inexact(output) else None
            for change, output in zip(changes, outputs, strict=True)
        ]


def _as_constants(f: Flat, natives: Sequence[Native], aside: Levels) -> list[Native]:
    """`f` with the derivatives `aside` under way again, which may own arrays that `f` takes from outside.

    To these derivatives all `natives` are constants. That the results must be constants, too, shows whether
    `f` uses something that they differentiate.
    """
    with adapter.raised(aside):
        for level in reversed(aside):
            natives = [level.wrap(native) for native in natives]
        outputs = list(f(*natives))
    for level in aside:
        with adapter.raised(aside[aside.index(level) :]):
            if any(level.is_active(output) for output in outputs):
                raise Unsupported(
                    "A function with its own derivative (`custom_gradient`) uses an array from outside "
                    "that is being "
                    "differentiated. Pass it as an argument, so that the derivative rule can account for it."
                )
            outputs = [level.unwrap(output) for output in outputs]
    return outputs


def zeros_if_none(natives: Sequence[Maybe], like: Sequence[Native]) -> list[Native]:
    """`natives` with zeros where there is nothing."""
    return [
        torch.zeros_like(other) if native is None else native
        for native, other in zip(natives, like, strict=True)
    ]


def custom_gradient(f: Flat, pullback: transforms.Pullback) -> Flat:
    """See `Backend.custom_gradient`."""
    rule = _Custom(f, pullback)
    return lambda *primals: tuple(apply(rule, inside(primals)))
