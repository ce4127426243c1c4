"""Compilation and derivatives of flat TensorFlow functions.

Derivatives use gradient tapes only. Reverse mode is one tape. Forward mode transposes the pullback,

    jvp(f)(x, v) = d/du ⟨vjp(f)(x)(u), v⟩      (the pullback is linear in u),

so that all nestings are nested tapes, eagerly no slower than `tf.autodiff.ForwardAccumulator`. `primitive`
gives a function its own derivative, on tapes as well as in the graphs that TensorFlow differentiates
itself.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import tensorflow as tf

from phi_tensor._errors import Unsupported
from phi_tensor.backends._backend import Flat, Native, Natives
from phi_tensor.backends._tensorflow_private import arrays, default_graph, is_eager, is_taped, record

Pullback = Callable[[Natives, Natives, Natives], Sequence[Native | None]]

_EAGER = object()
_TRANSPOSING: ContextVar[object] = ContextVar("phi_tensor_tensorflow_transposing", default=None)
_GRADIENT = "PhiPrimitive"
_RULES = "_phi_rules"


def is_differentiable(native: Native) -> bool:
    """True for floats and complex numbers."""
    return native.dtype.is_floating or native.dtype.is_complex


def zeros_like(native: Native) -> Native:
    """Zeros; unlike `tf.zeros_like` independent of the values: nothing differentiates through them."""
    return tf.zeros(native.shape, native.dtype)


# --- compilation


def compile_flat(f: Flat, examples: Natives) -> Flat:
    """`f` traced once and compiled by XLA, or, with a warning, run as a graph where XLA refuses."""
    specs = [tf.TensorSpec(example.shape, example.dtype) for example in examples]
    traced = tf.function(lambda *args: tuple(f(*args)), autograph=False).get_concrete_function(*specs)
    with_xla = tf.function(lambda *args: traced(*args), autograph=False, jit_compile=True)
    compiled = with_xla.get_concrete_function(*specs)
    try:  # XLA compiles, and may refuse, when it runs first
        compiled(*(tf.stop_gradient(example) for example in examples))
    except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError, tf.errors.InternalError) as error:
        reason = str(error).strip().splitlines()[0]
        warnings.warn(
            f"XLA cannot compile this function, TensorFlow runs it as a graph instead: {reason}", stacklevel=3
        )
        compiled = traced
    return _launcher(compiled)


def _launcher(function: Any) -> Flat:
    """Call without `tf.function`'s argument processing (18 instead of 100 µs)."""
    call, hidden = function._call_flat, list(function._captured_inputs)
    return lambda *args: tuple(call(list(args), hidden))


# --- derivatives


def detached(natives: Sequence[Native]) -> tuple[Native, ...]:
    """The same numbers under new names that no tape of an enclosing derivative follows."""
    with record.stop_recording():
        return tuple(arrays.identity(native) for native in natives)


def _gradient(
    tape: Any, targets: Sequence[Native], sources: Natives, cotangents: Sequence[Native]
) -> Natives:
    """Cotangents of `sources`; zeros where independent or without derivative."""
    pairs = [(t, c) for t, c in zip(targets, cotangents, strict=True) if is_differentiable(t)]
    found: list[Any] = [None] * len(sources)
    if pairs:
        where = [i for i, source in enumerate(sources) if is_differentiable(source)]
        used = [sources[i] for i in where]
        for i, g in zip(
            where, tape.gradient([t for t, _ in pairs], used, [c for _, c in pairs]), strict=True
        ):
            found[i] = tf.convert_to_tensor(g) if isinstance(g, tf.IndexedSlices) else g
    return tuple(zeros_like(s) if g is None else g for s, g in zip(sources, found, strict=True))


def vjp(
    f: Callable[..., tuple[Natives, Natives]], primals: Natives
) -> tuple[Natives, Callable[[Natives], Natives], Natives]:
    """See `Backend.vjp`."""
    inputs = tuple(
        arrays.identity(primal) for primal in primals
    )  # else `f` could meet them as outside constants, too
    with _transposing(None), tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch([x for x in inputs if is_differentiable(x)])
        outputs, aux = f(*inputs)
    outputs = tuple(outputs)
    return outputs, lambda cotangents: _gradient(tape, outputs, inputs, cotangents), tuple(aux)


def jvp(f: Flat, primals: Natives, tangents: Natives) -> tuple[Natives, Natives]:
    """See `Backend.jvp`."""
    outputs, pullback, _ = vjp(lambda *args: (f(*args), ()), primals)
    cotangents = tuple(zeros_like(output) for output in outputs)  # any value would do
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch([c for c in cotangents if is_differentiable(c)])
        with _transposing(_here()):
            pulled_back = pullback(cotangents)
    return outputs, _gradient(tape, pulled_back, cotangents, tangents)


def _here() -> object:
    return _EAGER if is_eager() else default_graph()


@contextmanager
def _transposing(place: object) -> Generator[None]:
    token = _TRANSPOSING.set(place)
    try:
        yield
    finally:
        _TRANSPOSING.reset(token)


def is_transposing() -> bool:
    """True while a pullback is called for its derivative by the cotangents alone, in forward mode.

    Only where `jvp` runs: gradient graphs that TensorFlow builds and keeps on the way may serve any
    derivative.
    """
    return _TRANSPOSING.get() is _here()


# --- custom derivatives


def primitive(run: Flat, pullback: Pullback, primals: Natives) -> Natives:
    """`run(*primals)` with `pullback(primals, outputs, cotangents)` as its only derivative.

    The `outputs` that `pullback` sees carry this derivative, too; hence second derivatives are right without
    computing them again. (`tf.custom_gradient` shows the raw results: their second derivative leads through
    `run`.)
    """
    eager = is_eager()
    if not eager:
        graph: Any = default_graph()
        primals = tuple(graph.capture(primal) for primal in primals)
    inner = detached(primals)
    results = tuple(run(*inner))
    if is_taped([*results]):
        raise Unsupported(
            "A function with a custom gradient uses a differentiated tensor from outside. Its rule knows "
            "nothing of that tensor: pass it as an argument, or wrap it in `stop_gradient`."
        )

    def rule(inputs: Natives, outputs: Natives, cotangents: Sequence[Native | None]) -> list[Native | None]:
        known = tuple(zeros_like(o) if c is None else c for o, c in zip(outputs, cotangents, strict=True))
        found = pullback(inputs, outputs, known)
        return [g if is_differentiable(x) else None for x, g in zip(inputs, found, strict=True)]

    outputs = detached(results) if eager else _with_gradient(results, primals, rule)
    record.record_operation(
        _GRADIENT, [*outputs], [*primals], lambda *cotangents: rule(primals, outputs, cotangents)
    )
    return outputs


def _with_gradient(results: Natives, primals: Natives, rule: Callable[..., list[Native | None]]) -> Natives:
    """`results` behind an identity with the gradient `rule` in graphs that TensorFlow differentiates."""
    graph: Any = default_graph()
    with graph.gradient_override_map({"IdentityN": _GRADIENT}), record.stop_recording():
        tensors = arrays.identity_n([*results, *primals])
    if not hasattr(graph, _RULES):
        setattr(graph, _RULES, {})  # with the graph, not in TensorFlow's registry, which never forgets
    getattr(graph, _RULES)[tensors[0].op.name] = (len(results), rule)
    return tuple(tensors[: len(results)])


def _graph_gradient(operation: Any, *cotangents: Native | None) -> list[Native | None]:
    count, rule = getattr(operation.graph, _RULES)[operation.name]
    inputs, outputs = tuple(operation.inputs[count:]), tuple(operation.outputs[:count])
    return [None] * count + rule(inputs, outputs, cotangents[:count])


tf.RegisterGradient(_GRADIENT)(_graph_gradient)


# --- graphs


def inlined(graph: Any, inputs: Natives) -> Natives:
    """Outputs of `graph` for `inputs`, its operations copied into the graph that is being built."""
    here: Any = default_graph()
    given = {placeholder.name: x for placeholder, x in zip(graph.inputs, inputs, strict=True)}
    scope = here.unique_name("inlined") + "/"
    copies = tf.graph_util.import_graph_def(
        graph.as_graph_def(), given, [output.name for output in graph.outputs], name=scope
    )
    rules = getattr(graph, _RULES, {})
    if rules:
        setattr(
            here, _RULES, getattr(here, _RULES, {}) | {scope + name: rule for name, rule in rules.items()}
        )
    return tuple(copies)


def gradients(outputs: Natives, inputs: Natives, cotangents: Natives) -> Natives:
    """Cotangents of `inputs` within the graph that is being built; zeros where independent."""
    pairs = [(y, c) for y, c in zip(outputs, cotangents, strict=True) if is_differentiable(y)]
    xs = [x for x in inputs if is_differentiable(x)]
    found = iter(tf.gradients([y for y, _ in pairs], xs, [c for _, c in pairs]) if pairs and xs else ())
    all_found = [next(found, None) if is_differentiable(x) else None for x in inputs]
    return tuple(
        zeros_like(x) if g is None else tf.convert_to_tensor(g)
        for x, g in zip(inputs, all_found, strict=True)
    )
