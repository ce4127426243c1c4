"""Derivatives of flat functions in PyTorch, by `torch.func`: nested in any order, eager and compiled.

Ints and bools are constants: they take part, their tangents and cotangents are zeros of their own dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from phi_tensor.backends import _torch_compile as adapter
from phi_tensor.backends._backend import Flat, Native, Natives
from phi_tensor.backends._torch_closure import inside

Pullback = Callable[[Natives, Natives, Natives], Natives]


def is_inexact(native: Native) -> bool:
    """True for floats and complex numbers, which have derivatives."""
    return native.is_floating_point() or native.is_complex()


class Split:
    """Which entries of a tuple are differentiated: inexact and `active`.

    Takes them out and puts them back.
    """

    def __init__(self, natives: Sequence[Native], active: Sequence[bool] | None = None) -> None:
        chosen = active or [True] * len(natives)
        self.exact = [
            None if use and is_inexact(native) else native
            for native, use in zip(natives, chosen, strict=True)
        ]

    def inexact(self, natives: Sequence[Native]) -> Natives:
        return tuple(native for native, exact in zip(natives, self.exact, strict=True) if exact is None)

    def exact_only(self) -> list[Native]:
        return [native for native in self.exact if native is not None]

    def with_exact(self, exact: Sequence[Native]) -> Split:
        """The same division with other ints and bools (without the wrappers of a finished derivative)."""
        entries = iter(exact)
        self.exact = [None if native is None else next(entries) for native in self.exact]
        return self

    def merge(self, inexact: Sequence[Native], zero: bool = False) -> Natives:
        entries = iter(inexact)
        return tuple(
            next(entries) if exact is None else torch.zeros_like(exact) if zero else exact
            for exact in self.exact
        )


def vjp(
    f: Callable[..., tuple[Natives, Natives]], primals: Natives, chosen: Sequence[bool] | None = None
) -> tuple[Natives, Callable[[Natives], Natives], Natives]:
    """See `Backend.vjp`. Only the `chosen` primals are differentiated (None: all)."""
    primals = inside(primals)
    inputs = Split(primals, chosen)
    active = inputs.inexact(primals)
    if not active:
        outputs, aux = f(*primals)
        return outputs, lambda _: inputs.merge((), zero=True), aux

    def inexact_only(*natives: Native) -> tuple[Natives, Any]:
        outputs, aux = f(*inputs.merge(natives))
        found.append(Split(outputs))
        return found[0].inexact(outputs), (found[0].exact_only(), list(aux))

    found: list[Split] = []
    outcome: Any = torch.func.vjp(inexact_only, *active, has_aux=True)
    results, pull, (exact, aux) = outcome
    split = found[0].with_exact(exact)

    def pullback(cotangents: Natives) -> Natives:
        return inputs.merge(pull(split.inexact(inside(cotangents))), zero=True)

    return split.merge(results), pullback, tuple(aux)


def jvp(
    f: Flat, primals: Natives, tangents: Natives, chosen: Sequence[bool] | None = None
) -> tuple[Natives, Natives]:
    """See `Backend.jvp`. Only the `chosen` primals have tangents (None: all)."""
    primals = inside(primals)
    inputs = Split(primals, chosen)
    active = inputs.inexact(primals)
    if not active:
        outputs = f(*primals)
        return outputs, tuple(torch.zeros_like(output) for output in outputs)

    def inexact_only(*natives: Native) -> tuple[Natives, Any]:
        outputs = f(*inputs.merge(natives))
        found.append(Split(outputs))
        return found[0].inexact(outputs), found[0].exact_only()

    adapter.prepare_forward_mode()
    found: list[Split] = []
    points = tuple(map(adapter.writable, active))
    outcome: Any = torch.func.jvp(inexact_only, points, inputs.inexact(inside(tangents)), has_aux=True)
    results, changes, exact = outcome
    split = found[0].with_exact(exact)
    return split.merge(results), split.merge(changes, zero=True)


def map_leading(f: Flat, natives: Natives) -> Natives:
    """See `Backend.map_leading`."""
    return torch.func.vmap(lambda *slices: tuple(f(*slices)))(*natives)
