"""Whether a call would be traced again, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from phi_tensor.transforms._flat import backend_for, flat_arguments
from phi_tensor.transforms._jit import JitFunction, Key


def trace_check(traced_function: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[bool, str]:
    """`(whether a call would use an existing trace, else why not)`. Nothing is called.

    Args:
        traced_function: Compiled function. Others, e.g. `gradient(f)`, run as Python code at each call,
            which is the reason then.
        *args: Arguments of the call.
        **kwargs: Keyword arguments of the call.

    >>> import phi_tensor as math
    >>> f = math.jit_compile(lambda x: x + 1)
    >>> with math.on_backend("jax"):
    ...     before = math.trace_check(f, math.ones(math.spatial(x=3)))
    ...     y = f(math.zeros(math.spatial(x=3)))
    ...     before, math.trace_check(f, math.ones(math.spatial(x=3)))
    ((False, 'Nothing was traced yet.'), (True, ''))
    """
    if not isinstance(traced_function, JitFunction):
        name = getattr(traced_function, "__name__", repr(traced_function))
        inner = getattr(traced_function, "__wrapped__", None)
        hint = " What it wraps is compiled, but traced as part of each derivative." if _is_jit(inner) else ""
        return (
            False,
            f"`{name}` is not compiled: its Python code runs at each call.{hint} Wrap the whole: "
            f"`jit_compile({name})`.",
        )
    static: Any = None
    if traced_function.static_names:
        args, kwargs, static = traced_function.split_static(args, kwargs)
    leaves, structure = flat_arguments((args, kwargs) if kwargs else args)
    backend = backend_for(leaves)
    reason = traced_function.why_uncompiled(leaves, backend)
    if reason:
        return False, f"The call is not compiled: {reason}."
    key = traced_function.trace_key(leaves, structure, static, backend)
    if key in traced_function.traces:
        return True, ""
    if not traced_function.traces:
        return False, "Nothing was traced yet."
    return False, min((_differences(key, old) for old in traced_function.traces), key=len)


def _is_jit(f: Any) -> bool:
    while f is not None:
        if isinstance(f, JitFunction):
            return True
        f = getattr(f, "__wrapped__", None)
    return False


def _differences(key: Key, old: Key) -> str:
    """What tells a call from the call that made a trace."""
    if key.structure != old.structure or key.orders != old.orders:
        return f"Other structure or static values: traced for {old.structure}, called with {key.structure}."
    found = [
        f"Tensor {i}: traced for {a.shape} {a.dtype} on {a.backend}, called with {b.shape} {b.dtype} on "
        f"{b.backend}."
        for i, (a, b) in enumerate(zip(old.layouts, key.layouts, strict=True))
        if a is not b
    ]
    if key.devices != old.devices:
        found.append(f"Other devices: traced for {old.devices}, called with {key.devices}.")
    if key.static != old.static:
        found.append("Other values of the arguments in `auxiliary_args`.")
    if key.settings is not old.settings:
        found.append(f"Other settings: traced with {old.settings}, called with {key.settings}.")
    return " ".join(found)
