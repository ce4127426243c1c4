"""Arguments of a differentiated call: those that it is differentiated by, and the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from phi_tensor._errors import IncompatibleShapes
from phi_tensor._trees import flatten
from phi_tensor.layouts._layout import Stacked
from phi_tensor.transforms._flat import (
    backend_for,
    differentiable,
    differentiating,
    flat_arguments,
    signature_of,
    tensors_of,
)

Wrt = str | Sequence[str] | None
"""Names of arguments: one, a comma list, a sequence, or None for the first one."""


class Arguments:
    """Arguments of a call, split into what is differentiated and the rest.

    Attributes:
        natives: Natives of the differentiated leaves.
        layouts: Their layouts.
        structure: Structure of the differentiated trees.
        backend: Backend that differentiates.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        wrt: Wrt,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        joined: bool = False,
    ) -> None:
        self._f, self._args, self._kwargs = f, args, kwargs
        self._places = _places(f, wrt, args, kwargs)
        trees = [args[p] if isinstance(p, int) else kwargs[p] for p in self._places]
        leaves, self.structure = flat_arguments(trees)
        if not leaves:
            raise IncompatibleShapes(
                f"There is nothing to differentiate by: {trees!r} holds no tensors. Name other arguments "
                f"in `wrt`."
            )
        rest = [a for i, a in enumerate(args) if i not in self._places] + [
            v for k, v in kwargs.items() if k not in self._places
        ]
        others, _ = flatten(rest, "variable")
        self.backend = backend_for([*leaves, *others])
        pairs = [
            differentiable(
                leaf.block() if joined and isinstance(leaf.layout, Stacked) else leaf, self.backend
            )
            for leaf in leaves
        ]
        self.layouts = tuple(layout for layout, _ in pairs)
        self.natives = tuple(n for _, natives in pairs for n in natives)

    def call(self, natives: Sequence[Any]) -> Any:
        """`f` with other values of the differentiated arguments."""
        trees = self.structure.build(tensors_of(self.layouts, natives))
        args, kwargs = list(self._args), dict(self._kwargs)
        for place, tree in zip(self._places, trees, strict=True):
            if isinstance(place, int):
                args[place] = tree
            else:
                kwargs[place] = tree
        with differentiating(self.backend):
            return self._f(*args, **kwargs)

    def result(self, natives: Sequence[Any], wrt: Wrt) -> Any:
        """Cotangents as trees in the structure of `wrt`."""
        trees = self.structure.build(tensors_of(self.layouts, natives))
        return as_wrt(trees, wrt)


def as_wrt(trees: list[Any], wrt: Wrt) -> Any:
    """One tree, or several, as `wrt` asks for them."""
    if wrt is None or (isinstance(wrt, str) and "," not in wrt):
        return trees[0]
    return tuple(trees) if isinstance(wrt, tuple) else trees


def _places(
    f: Callable[..., Any], wrt: Wrt, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[int | str]:
    """Where the differentiated arguments stand: position or keyword."""
    if wrt is None:
        if not args:
            raise IncompatibleShapes(
                "Without `wrt`, derivatives are with respect to the first positional argument, but none "
                "was given."
            )
        return [0]
    names = [n.strip() for n in wrt.split(",")] if isinstance(wrt, str) else list(wrt)
    signature = signature_of(f)
    parameters = list(signature.parameters) if signature else []
    places: list[int | str] = []
    for name in names:
        if name in kwargs:
            places.append(name)
        elif name in parameters and parameters.index(name) < len(args):
            places.append(parameters.index(name))
        else:
            raise IncompatibleShapes(
                f"`wrt` names the argument `{name}`, which this call did not pass. Arguments of the "
                f"function: {parameters}. "
                f"Tensors that a function takes from outside have no gradient; pass them as arguments."
            )
    return places
