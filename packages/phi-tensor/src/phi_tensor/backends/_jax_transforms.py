"""Transformations of flat functions by JAX: compile, vjp, jvp.

Derivatives by complex numbers follow the convention of PyTorch and TensorFlow: a pullback applies the adjoint
(conjugate transpose) of the Jacobian, where `jax.vjp` applies its transpose. Ints and bools have zero
derivatives of their own dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, final

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.extend.core import ClosedJaxpr, Jaxpr, get_opaque_trace_state, jaxpr_as_fun

from phi_tensor._errors import Unsupported
from phi_tensor.backends._backend import Flat, Native, Natives

_OUTSIDE = get_opaque_trace_state()


def is_eager(natives: Natives) -> bool:
    """True where nothing is traced or differentiated."""
    return get_opaque_trace_state() == _OUTSIDE and not any(isinstance(x, Tracer) for x in natives)


@contextmanager
def explained() -> Generator[None]:
    """Context that turns JAX's errors about traced values and reverse mode into `Unsupported`."""
    try:
        yield
    except (jax.errors.ConcretizationTypeError, jax.errors.TracerIntegerConversionError) as error:
        raise Unsupported(_TRACED.format(what="a decision or a size")) from error
    except jax.errors.TracerArrayConversionError as error:
        raise Unsupported(_TRACED.format(what="a NumPy function")) from error
    except ValueError as error:
        if "Reverse-mode differentiation does not work for lax.while_loop" not in str(error):
            raise
        raise Unsupported(_NO_REVERSE) from error


_TRACED = (
    "While tracing a function for jax, {what} needs the numbers of a traced tensor, which has none yet. "
    "Replace `if` by `where(condition, a, b)`, loops by `while_loop(condition, step, state)` or `iterate`, "
    "pass numbers that decide sizes as static arguments, or run the function without `jit_compile`."
)
_NO_REVERSE = (
    "jax cannot differentiate `while_loop` in reverse mode without a bound on its steps, because it "
    "must store them. Pass `while_loop(…, limit=n)`, use `iterate` for a fixed number of steps, or "
    "differentiate forwards with `jvp`."
)


@final
class Closed:
    """Traced function without captured arrays: they are its first arguments.

    Attributes:
        is_iterative: Whether it contains a loop with a condition, i.e. is costly to recompute.
    """

    def __init__(self, jaxpr: Any, captured: int) -> None:
        self._jaxpr = jaxpr
        self._captured = captured

    def __call__(self, *natives: Native) -> Natives:
        constants, natives = natives[: self._captured], natives[self._captured :]
        return tuple(jaxpr_as_fun(ClosedJaxpr(self._jaxpr, list(constants)))(*natives))

    @property
    def is_iterative(self) -> bool:
        return _has_while(self._jaxpr)


def _has_while(jaxpr: Any) -> bool:
    if isinstance(jaxpr, ClosedJaxpr):
        jaxpr = jaxpr.jaxpr
    return any(
        equation.primitive.name == "while"
        or any(
            _has_while(inner) for inner in equation.params.values() if isinstance(inner, Jaxpr | ClosedJaxpr)
        )
        for equation in jaxpr.eqns
    )


def closed(f: Flat, examples: Natives) -> tuple[Closed, Natives, tuple[Any, ...]]:
    """Trace `f` once: `(g, captured, avals of the outputs)` with `g(*captured, *examples) == f(*examples)`.

    `captured` are all arrays, traced or not, that `f` takes from outside.
    """
    with explained():
        traced = jax.make_jaxpr(f)(*examples)
    return Closed(traced.jaxpr, len(traced.consts)), tuple(traced.consts), tuple(traced.out_avals)


def compile_flat(f: Flat, examples: Natives) -> Flat:
    """`f` compiled by XLA; captured arrays become hidden inputs.

    Compiled ahead of time: `jax.jit` would compile again where one array of a loop is committed to its device
    (from DLPack, say) and the next is not. Within other transformations `jax.jit` takes its place.
    """
    g, captured, _ = closed(f, examples)
    traceable = jax.jit(g)
    compiled = traceable.lower(*captured, *examples).compile()

    def call(*natives: Native) -> Natives:
        run = compiled if is_eager(natives) else traceable
        return run(*captured, *natives)

    return call


def is_smooth(native: Native) -> bool:
    """True for floats and complex numbers, the only ones that have derivatives."""
    return native.dtype.kind in "fc" or native.dtype.name == "bfloat16"


def adjoint(native: Native) -> Native:
    """Complex conjugate; real arrays as they are."""
    return jnp.conj(native) if native.dtype.kind == "c" else native


def merge(smooth: Natives, like: Natives) -> Natives:
    """`like` with its floats and complex numbers replaced by `smooth`."""
    values = iter(smooth)
    return tuple(next(values) if is_smooth(native) else native for native in like)


def smooth_of(natives: Natives) -> Natives:
    """The floats and complex numbers among `natives`."""
    return tuple(native for native in natives if is_smooth(native))


def zeros_for(smooth: Natives, like: Natives) -> Natives:
    """`smooth` for the floats and complex numbers of `like`, zeros like the others."""
    values = iter(smooth)
    return tuple(next(values) if is_smooth(x) else jnp.zeros(x.shape, x.dtype) for x in like)


def vjp(
    f: Callable[..., tuple[Natives, Natives]], primals: Natives
) -> tuple[Natives, Callable[[Natives], Natives], Natives]:
    """`(outputs, pullback, aux)`; see `Backend.vjp`."""

    def smooth_f(*smooth: Native) -> tuple[Natives, tuple[Natives, Natives]]:
        outputs, aux = f(*merge(smooth, primals))
        return smooth_of(outputs), (outputs, aux)

    with explained():
        _, pull, (outputs, aux) = jax.vjp(smooth_f, *smooth_of(primals), has_aux=True)

    def pullback(cotangents: Natives) -> Natives:
        smooth = tuple(adjoint(c) for c, y in zip(cotangents, outputs, strict=True) if is_smooth(y))
        with explained():
            return zeros_for(tuple(adjoint(c) for c in pull(smooth)), primals)

    return outputs, pullback, aux


def jvp(f: Flat, primals: Natives, tangents: Natives) -> tuple[Natives, Natives]:
    """`(outputs, tangents of outputs)`; see `Backend.jvp`."""

    def smooth_f(*smooth: Native) -> tuple[Natives, Natives]:
        outputs = f(*merge(smooth, primals))
        return smooth_of(outputs), outputs

    smooth_tangents = tuple(t for t, x in zip(tangents, primals, strict=True) if is_smooth(x))
    with explained():
        _, moved, outputs = jax.jvp(smooth_f, smooth_of(primals), smooth_tangents, has_aux=True)
    return outputs, zeros_for(tuple(moved), outputs)
