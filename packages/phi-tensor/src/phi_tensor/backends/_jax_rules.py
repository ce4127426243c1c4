"""Derivative rules of our own in JAX, for all nestings of forward and reverse mode, eager and compiled.

JAX takes a forward rule (`custom_jvp`) or a reverse rule (`custom_vjp`). Here a function has both: it is one
primitive whose forward rule is a second one, whose transpose is the given pullback. The pullback is then
ordinary code in the graph, so that it can be differentiated again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.ad_checkpoint import checkpoint_name
from jax.core import ShapedArray
from jax.custom_derivatives import zero_from_primal
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from phi_tensor._errors import Unsupported
from phi_tensor.backends._backend import Flat, Native, Natives
from phi_tensor.backends._jax_transforms import adjoint, closed, is_eager, is_smooth, jvp, smooth_of

KEPT = "phi_tensor_kept"
"""Name of results that are costly to recompute; checkpoints keep them."""


class Rule(NamedTuple):
    """Derivative of a flat function that captures nothing. Only floats and complex numbers have tangents.

    Attributes:
        forward: `(residuals, tangents of the arguments) -> tangents of the outputs`, linear in the tangents.
        pullback: its transpose `(residuals, cotangents of the outputs) -> cotangents of the arguments`.
        again: The same as `forward`, from operations that JAX can differentiate in any mode.
    """

    forward: Callable[[Natives, Natives], Natives]
    pullback: Callable[[Natives, Natives], Natives]
    again: Callable[[Natives, Natives], Natives]


class Ruled(NamedTuple):
    """Function with its own derivative: the setting of the primitive that calls it.

    Attributes:
        value: Flat function that captures nothing.
        rule: Its derivative, whose residuals are all arguments and outputs.
        results: Shape and dtype of each output.
        constants: The first arguments, that have no derivative.
        kept: Whether checkpoints keep the outputs.
    """

    value: Flat
    rule: Rule
    results: tuple[tuple[tuple[int, ...], Any], ...]
    constants: int = 0
    kept: bool = False

    def __call__(self, *arguments: Native) -> Natives:
        return tuple(_RULED.bind(*arguments, ruled=_ById(self)))


def custom_gradient(f: Flat, pullback: Callable[[Natives, Natives, Natives], Natives]) -> Flat:
    """`f` with `pullback(primals, outputs, cotangents)` as its derivative; see `Backend.custom_gradient`.

    Arrays that `f` and `pullback` take from outside must be constants; a derivative by one of them raises.
    List them as arguments, or stop their gradient. Where nothing is traced, `f` is called as it is.
    """

    def with_pullback(*primals: Native) -> Natives:
        if is_eager(primals):
            return tuple(f(*primals))
        value, captured, outputs = closed(f, primals)
        like = tuple(jax.ShapeDtypeStruct(y.shape, y.dtype) for y in outputs)
        n, m = len(primals), len(outputs)

        def flat_pullback(*natives: Native) -> Natives:
            pulled = pullback(natives[:n], natives[n : n + m], natives[n + m :])
            _check_pulled(primals, pulled)
            return pulled

        pull, more = _closed_pullback(flat_pullback, (*primals, *like, *like))
        constants = (*captured, *more)
        ruled = Ruled(
            lambda *natives: value(*natives[: len(captured)], *natives[len(constants) :]),
            _rule_of(pull, len(captured), len(constants), n, outputs),
            tuple((y.shape, y.dtype) for y in outputs),
            len(constants),
            value.is_iterative,
        )
        return ruled(*constants, *primals)

    return with_pullback


class _Tracing(threading.local):
    depth = 0


_TRACING = _Tracing()
_DEEPEST = 2
"""Pullbacks of pullbacks are traced at once down to here, for first and second derivatives."""


def _closed_pullback(pullback: Flat, examples: Natives) -> tuple[Flat, Natives]:
    """`(pull, captured)` with `pull(*captured, *examples) == pullback(*examples)`.

    A pullback may call its own function (the adjoint of a solve is a solve): deep ones wait until
    a derivative needs them. By then, traced arrays that they take from outside are gone.
    """
    if _TRACING.depth >= _DEEPEST:
        return _late(pullback), ()
    _TRACING.depth += 1
    try:
        pull, captured, _ = closed(pullback, examples)
    finally:
        _TRACING.depth -= 1
    return pull, captured


def _late(pullback: Flat) -> Flat:
    def pull(*natives: Native) -> Natives:
        try:
            return pullback(*natives)
        except jax.errors.UnexpectedTracerError as error:
            raise Unsupported(
                "jax cannot take the third derivative of a `custom_gradient` whose pullback takes traced "
                "arrays from outside. Pass these arrays as arguments of the function."
            ) from error

    return pull


def _check_pulled(primals: Natives, pulled: Natives) -> None:
    expected = [primal.shape for primal in primals]
    found = [cotangent.shape for cotangent in pulled]
    if expected != found:
        raise ValueError(
            f"The pullback of `custom_gradient` must return one gradient per argument, of its shape. "
            f"The arguments have shapes {expected}, the gradients {found}."
        )


def _rule_of(pull: Flat, skipped: int, constants: int, count: int, outputs: tuple[Any, ...]) -> Rule:
    """Rule from an adjoint pullback of the residuals after the `skipped` first, and the cotangents."""

    def pullback(residuals: Natives, cotangents: Natives) -> Natives:
        given = iter(cotangents)
        full = (adjoint(next(given)) if is_smooth(y) else jnp.zeros(y.shape, y.dtype) for y in outputs)
        primals = residuals[constants : constants + count]
        pulled = pull(*residuals[skipped:], *full)
        return tuple(
            adjoint(lax.convert_element_type(c, x.dtype))
            for c, x in zip(pulled, primals, strict=True)
            if is_smooth(x)
        )

    def forward(residuals: Natives, tangents: Natives) -> Natives:
        # The transpose of a linear function is its vjp at any point; `linear_transpose` ignores inner rules.
        zeros = tuple(jnp.zeros(y.shape, y.dtype) for y in outputs if is_smooth(y))
        _, transpose = jax.vjp(lambda *cotangents: pullback(residuals, cotangents), *zeros)
        return transpose(tuple(tangents))

    return Rule(forward, pullback, forward)


# --- two primitives: `ruled` calls a function, `linear_map` its forward rule; JAX never looks inside
#     (a `custom_jvp` loses its rule when a scan around it is differentiated twice)


class _ById:
    """Setting of a primitive, hashed by identity."""

    def __init__(self, value: Any) -> None:
        self.value = value


_RULED = Primitive("phi_ruled")
_LINEAR_MAP = Primitive("phi_linear_map")
_RULED.multiple_results = _LINEAR_MAP.multiple_results = True


def _value(*arguments: Native, ruled: _ById) -> Sequence[Native]:
    return list(ruled.value.value(*arguments))


def _value_jvp(
    arguments: Natives, tangents: Natives, *, ruled: _ById
) -> tuple[Sequence[Native], Sequence[Any]]:
    setting: Ruled = ruled.value
    if not all(isinstance(tangent, ad.Zero) for tangent in tangents[: setting.constants]):
        raise Unsupported(_CAPTURED)
    outputs = setting(*arguments)
    if setting.kept:
        outputs = tuple(checkpoint_name(y, KEPT) for y in outputs)
    moving = list(zip(arguments, tangents, strict=True))[setting.constants :]
    moved = iter(
        _LINEAR_MAP.bind(
            *arguments,
            *outputs,
            *(ad.instantiate_zeros(tangent) for argument, tangent in moving if is_smooth(argument)),
            rule=_ById(setting.rule),
            residuals=len(arguments) + len(outputs),
            results=tuple((y.shape, y.dtype) for y in smooth_of(outputs)),
        )
    )
    return outputs, [next(moved) if is_smooth(y) else zero_from_primal(y) for y in outputs]


_CAPTURED = (
    "jax cannot differentiate a `custom_gradient` function by an array that it, or its pullback, takes from "
    "outside. Pass the array as an argument, or wrap it in `stop_gradient` if it is a constant."
)


def _value_batched(arguments: Natives, axes: Sequence[Any], *, ruled: _ById) -> tuple[Natives, Sequence[int]]:
    setting: Ruled = ruled.value
    size, front = _to_front(arguments, axes)
    rule = Rule(*(jax.vmap(function) for function in setting.rule))
    results = tuple(((size, *shape), dtype) for shape, dtype in setting.results)
    outputs = setting._replace(value=jax.vmap(setting.value), rule=rule, results=results)(*front)
    return outputs, [0] * len(outputs)


def _map(*operands: Native, rule: _ById, residuals: int, results: Any) -> Sequence[Native]:
    del results
    return list(rule.value.forward(operands[:residuals], operands[residuals:]))


def _map_jvp(
    operands: Natives, tangents: Natives, **params: Any
) -> tuple[Sequence[Native], Sequence[Native]]:
    residuals = params["residuals"]
    moved = tuple(ad.instantiate_zeros(tangent) for tangent in tangents)
    if all(isinstance(tangent, ad.Zero) for tangent in tangents[:residuals]):
        again = _LINEAR_MAP.bind(*operands[:residuals], *moved[residuals:], **params)
        return _LINEAR_MAP.bind(*operands, **params), again
    # Second derivatives: the map depends on its residuals like any function. Those that do not change stay
    # constants, as arrays that inner functions take from outside must be.
    forward = params["rule"].value.again
    changing = [i for i, tangent in enumerate(tangents) if not isinstance(tangent, ad.Zero)]

    def of_changing(*values: Native) -> Natives:
        every = list(operands)
        for i, value in zip(changing, values, strict=True):
            every[i] = value
        return tuple(forward(tuple(every[:residuals]), tuple(every[residuals:])))

    chosen = tuple(operands[i] for i in changing), tuple(tangents[i] for i in changing)
    return jvp(of_changing, *chosen)


def _map_transposed(
    cotangents: Sequence[Any], *operands: Any, rule: _ById, residuals: int, results: Any
) -> list[Any]:
    del results
    full = tuple(ad.instantiate_zeros(cotangent) for cotangent in cotangents)
    pulled = rule.value.pullback(operands[:residuals], full)
    unknown = map(ad.is_undefined_primal, operands[residuals:])
    return [None] * residuals + [c if wanted else None for c, wanted in zip(pulled, unknown, strict=True)]


def _map_batched(
    operands: Natives, axes: Sequence[Any], **params: Any
) -> tuple[Sequence[Native], Sequence[int]]:
    size, front = _to_front(operands, axes)
    params["rule"] = _ById(Rule(*(jax.vmap(function) for function in params["rule"].value)))
    params["results"] = tuple(((size, *shape), dtype) for shape, dtype in params["results"])
    outputs = _LINEAR_MAP.bind(*front, **params)
    return outputs, [0] * len(outputs)


def _to_front(operands: Natives, axes: Sequence[Any]) -> tuple[int, Natives]:
    """Size of the mapped axis and the operands with that axis in front."""
    pairs = list(zip(operands, axes, strict=True))
    size = next(x.shape[axis] for x, axis in pairs if axis is not None)
    broadcast = (
        jnp.broadcast_to(x, (size, *x.shape)) if axis is None else jnp.moveaxis(x, axis, 0)
        for x, axis in pairs
    )
    return size, tuple(broadcast)


def _register(primitive: Primitive, evaluate: Any, results: Any, jvp_rule: Any, batched: Any) -> None:
    def avals(*_: Any, **params: Any) -> Sequence[Any]:
        return [ShapedArray(shape, dtype) for shape, dtype in results(params)]

    primitive.def_impl(evaluate)
    primitive.def_abstract_eval(avals)
    ad.primitive_jvps[primitive] = jvp_rule
    batching.primitive_batchers[primitive] = batched
    mlir.register_lowering(primitive, mlir.lower_fun(evaluate, multiple_results=True))


_register(_RULED, _value, lambda params: params["ruled"].value.results, _value_jvp, _value_batched)
_register(_LINEAR_MAP, _map, lambda params: params["results"], _map_jvp, _map_batched)
ad.primitive_transposes[_LINEAR_MAP] = _map_transposed
