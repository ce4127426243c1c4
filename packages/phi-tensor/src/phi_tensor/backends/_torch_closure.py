"""Arrays that a function takes from outside become explicit arguments (closure conversion).

The function runs once on fake arrays under a watcher that sees every call into the library. Arrays of an
enclosing trace or derivative among the arguments are foreign: they are recorded and replaced. Eager arrays
    are constants.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self, final

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map_only

from phi_tensor._errors import Unsupported
from phi_tensor.backends import _torch_compile as adapter
from phi_tensor.backends._backend import Native, Natives

_TENSOR: Any = torch.Tensor
_UNWATCHED = frozenset(
    [
        torch.autograd.grad,  # the arguments carry their graph
        *(getattr(_TENSOR, name).__get__ for name in ("shape", "dtype", "device", "ndim", "requires_grad")),
        *(
            getattr(_TENSOR, name)
            for name in ("is_floating_point", "is_complex", "numel", "element_size", "size")
        ),
    ]
)


class _Watching(threading.local):
    """Watchers around the function that runs now, in this thread."""

    def __init__(self) -> None:
        self.watchers: list[Watcher] = []


_WATCHING = _Watching()


def inside(natives: Sequence[Native]) -> Natives:
    """`natives` as the function that runs now has to see them."""
    watchers = _WATCHING.watchers
    return tuple(watchers[-1].inside(native) for native in natives) if watchers else tuple(natives)


_CHANGING = (
    "A step of a compiled loop uses other traced arrays from outside each time it is called. Take them as "
    "part of the "
    "state, or compute them before the loop."
)


@final
class Watcher(TorchFunctionMode):
    """Context that replaces foreign arrays: by `replacements`, or by new fake arrays of `fakes` if given.

    It sees the arguments of every call into the library; only the innermost one is active.
    """

    def __init__(
        self,
        outside: Sequence[Native] = (),
        replacements: Sequence[Native] = (),
        fakes: Any = None,
        message: str = _CHANGING,
    ) -> None:
        super().__init__()
        self._message = message
        self.outside = list(outside)
        self._by_id = {id(native): new for native, new in zip(outside, replacements, strict=True)}
        self._fakes = fakes

    def __enter__(self) -> Self:
        _WATCHING.watchers.append(self)
        super().__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        _WATCHING.watchers.pop()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if _WATCHING.watchers[-1] is self and func not in _UNWATCHED:
            args, kwargs = tree_map_only(torch.Tensor, self.inside, (args, kwargs))
        return func(*args, **(kwargs or {}))

    def inside(self, native: Native) -> Native:
        """`native`, or what stands for it if it is foreign."""
        if id(native) in self._by_id:
            return self._by_id[id(native)]
        if not adapter.is_foreign(native):
            return native
        if self._fakes is None:
            raise Unsupported(self._message)
        self.outside.append(native)
        self._by_id[id(native)] = adapter.fake_like(native, self._fakes)
        return self._by_id[id(native)]


class Captured(NamedTuple):
    """Arrays that a function takes from outside.

    Attributes:
        found: The objects that it uses.
        visible: What stands for them where the function was written, see `inside`.
    """

    found: list[Native]
    visible: list[Native]


def captured(f: Callable[..., Sequence[Native]], arguments: Sequence[Native]) -> Captured:
    """Foreign arrays that `f(*arguments)` uses. Calls `f` once, on fake arrays."""
    with adapter.faking() as fakes, Watcher(fakes=fakes) as watcher:
        for output in f(*(adapter.fake_like(argument, fakes) for argument in arguments)):
            watcher.inside(output)
    return Captured(watcher.outside, list(inside(watcher.outside)))
