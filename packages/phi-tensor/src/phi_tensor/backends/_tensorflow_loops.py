"""Loops of traced TensorFlow functions with derivatives of their own: `scan`, `while_loop`, `map_leading`.

`_scan` is a `tf.while_loop` behind `primitive`. Its reverse rule is another `_scan` (backwards, over the
step's vjp), its forward rule a third one (over the step's jvp); hence all derivatives of derivatives are
scans, whose steps are traced once each, whatever the number of steps. The step itself is traced to a graph,
which tells what it takes from outside.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from phi_tensor._errors import Unsupported
from phi_tensor.backends._backend import Flat, Native, Natives
from phi_tensor.backends._tensorflow_private import arrays, is_eager, record
from phi_tensor.backends._tensorflow_transforms import (
    gradients,
    inlined,
    is_differentiable,
    is_transposing,
    jvp,
    primitive,
    vjp,
    zeros_like,
)

Specs = tuple[Any, ...]


@dataclass(frozen=True)
class _Step:
    """Pure step `call(carry, x, consts) -> (carry, y)` and the specs of one `y`."""

    call: Callable[[Natives, Natives, Natives], tuple[Natives, Natives]]
    y: Specs


@dataclass(frozen=True)
class _Sizes:
    """How many arrays the parts of a scan have."""

    carry: int
    x: int
    consts: int

    def split(self, flat: Sequence[Native]) -> tuple[Natives, Natives, Natives]:
        """Carry, slices and constants."""
        x, consts = self.carry, self.carry + self.x
        return tuple(flat[:x]), tuple(flat[x:consts]), tuple(flat[consts:])


def _specs(natives: Sequence[Native], skip: int = 0) -> Specs:
    return tuple(tf.TensorSpec(native.shape[skip:], native.dtype) for native in natives)


def _closed(f: Flat, specs: Specs) -> tuple[Flat, Natives, Any]:
    """`f` with what it takes from outside as further arguments, these tensors, and the traced graph.

    Its derivative is the traced gradient of that graph, which computes the values of `f` again. (TensorFlow's
    own derivative of a traced function hands them over, axes and paddings among them; then XLA takes all
    arguments for constants and compiles anew for each value.)
    """
    traced: Any = tf.function(f, autograph=False).get_concrete_function(*specs)
    outside = tuple(traced._captured_inputs)
    pulls: list[Flat] = []  # made when needed first

    def run(*args: Native) -> Natives:
        return tuple(traced._call_flat(list(args[: len(specs)]), list(args[len(specs) :])))

    def pullback(inputs: Natives, _: Natives, cotangents: Natives) -> Natives:
        if not pulls:
            pulls.append(_pulled_back(traced.graph, _specs(inputs), _specs(cotangents)))
        return pulls[0](*inputs, *cotangents)

    return lambda *args: primitive(run, pullback, args), outside, traced.graph


def _pulled_back(graph: Any, inputs: Specs, cotangents: Specs) -> Flat:
    """Cotangents of the inputs of `graph` from `(*inputs, *cotangents)`."""
    count = len(inputs)

    def back(*args: Native) -> Natives:
        with record.stop_recording():
            outputs = inlined(graph, args[:count])
            return gradients(outputs, args[:count], args[count:])

    pure, outside, _ = _closed(back, (*inputs, *cotangents))
    return lambda *args: pure(*args, *outside)


def _add(a: Sequence[Native], b: Sequence[Native]) -> Natives:
    return tuple(x + y if is_differentiable(x) else x for x, y in zip(a, b, strict=True))


# --- the primitive


def _scan(
    step: _Step, carry: Natives, xs: Natives, consts: Natives, count: int, save: bool, reverse: bool = False
) -> tuple[Natives, Natives, Natives]:
    """Final carry, stacked `y`, and, if `save`, the stacked carries that the steps began with."""
    sizes = _Sizes(len(carry), len(xs), len(consts))

    def loop(*flat: Native) -> Natives:
        return _loop(step, *sizes.split(flat), count, save, reverse)

    def run(*flat: Native) -> Natives:
        return _closed(loop, _specs(flat))[0](*flat) if is_eager() else loop(*flat)

    def pullback(inputs: Natives, outputs: Natives, cotangents: Natives) -> Sequence[Native | None]:
        if is_transposing():
            return _by_forward_rule(
                inputs, cotangents, lambda values, v: _scan_jvp(step, sizes, values, v, count, save, reverse)
            )
        saved = outputs[len(outputs) - sizes.carry :] if save else ()
        return _scan_vjp(step, sizes, inputs, saved, cotangents, count, reverse)

    outputs = primitive(run, pullback, (*carry, *xs, *consts))
    ends = sizes.carry, sizes.carry + len(step.y)
    return outputs[: ends[0]], outputs[ends[0] : ends[1]], outputs[ends[1] :]


def _loop(
    step: _Step, carry: Natives, xs: Natives, consts: Natives, count: int, save: bool, reverse: bool
) -> Natives:
    specs = (*step.y, *(_specs(carry) if save else ()))
    stores = [tf.TensorArray(spec.dtype, count, element_shape=spec.shape) for spec in specs]

    def body(i: Native, carry: list[Native], stores: list[Any]) -> tuple[Any, ...]:
        at = count - 1 - i if reverse else i
        after, y = step.call(tuple(carry), tuple(arrays.gather_v2(x, at, 0) for x in xs), consts)
        kept = (*y, *(carry if save else ()))
        return i + 1, list(after), [store.write(at, value) for store, value in zip(stores, kept, strict=True)]

    start = (tf.constant(0), list(carry), stores)
    _, carry_list, stores = tf.while_loop(lambda i, *_: i < count, body, start, maximum_iterations=count)
    stacked = [
        tf.ensure_shape(store.stack(), (count, *spec.shape))
        for store, spec in zip(stores, specs, strict=True)
    ]
    return (*carry_list, *stacked)


def _scan_vjp(
    step: _Step,
    sizes: _Sizes,
    inputs: Natives,
    saved: Natives,
    cotangents: Natives,
    count: int,
    reverse: bool,
) -> Natives:
    """Cotangents of carry, slices, constants: a scan backwards, which recomputes each step."""
    carry, xs, consts = sizes.split(inputs)
    n, m = sizes.carry, len(step.y)
    final, ys, of_saved = tuple(cotangents[:n]), tuple(cotangents[n : n + m]), tuple(cotangents[n + m :])
    if not saved:
        saved = _scan(step, carry, xs, consts, count, True, reverse)[2]

    def back(adjoint: Natives, x: Natives, consts: Natives) -> tuple[Natives, Natives]:
        state, of_y, of_state = sizes.split(x)[0], x[n + sizes.x : n + sizes.x + m], x[n + sizes.x + m :]
        pull = vjp(
            lambda *a: (_flat(step.call(*sizes.split(a))), ()), (*state, *x[n : n + sizes.x], *consts)
        )[1]
        to_carry, to_x, to_consts = sizes.split(pull((*adjoint[:n], *of_y)))
        return (*(_add(to_carry, of_state) if of_state else to_carry), *_add(adjoint[n:], to_consts)), to_x

    start = (*final, *(zeros_like(c) for c in consts))
    slices = (*saved, *xs, *ys, *of_saved)
    adjoint, of_xs, _ = _scan(_Step(back, _specs(xs, 1)), start, slices, consts, count, False, not reverse)
    return (*adjoint[:n], *of_xs, *adjoint[n:])


def _scan_jvp(
    step: _Step, sizes: _Sizes, values: Natives, tangents: Natives, count: int, save: bool, reverse: bool
) -> Natives:
    """Tangents of the outputs: a scan of the step's jvp."""
    n, m = sizes.carry, len(step.y)

    def push(carry: Natives, x: Natives, consts: Natives) -> tuple[Natives, Natives]:
        halves = [(part[: len(part) // 2], part[len(part) // 2 :]) for part in (carry, x, consts)]
        primals, directions = (tuple(v for half in halves for v in half[side]) for side in (0, 1))
        after, along = jvp(lambda *a: _flat(step.call(*sizes.split(a))), primals, directions)
        return (*after[:n], *along[:n]), along[n:]

    parts = [(*p, *t) for p, t in zip(sizes.split(values), sizes.split(tangents), strict=True)]
    carry, ys, saved = _scan(_Step(push, step.y), parts[0], parts[1], parts[2], count, save, reverse)
    return (*carry[n:], *ys[:m], *saved[n:])


def _flat(result: tuple[Natives, Natives]) -> Natives:
    return (*result[0], *result[1])


def _by_forward_rule(
    inputs: Natives, cotangents: Natives, forward: Callable[[Natives, Natives], Natives]
) -> Natives:
    """Stands for a pullback called for its derivative by `cotangents`, which is `forward(inputs, tangents)`.

    Its own value is never used; NaN, should it be.
    """
    count = len(inputs)

    def run(*args: Native) -> Natives:
        return tuple(
            tf.fill(x.shape, tf.constant(math.nan, x.dtype)) if is_differentiable(x) else x
            for x in args[:count]
        )

    def rule(args: Natives, _: Natives, tangents: Natives) -> Sequence[Native | None]:
        return (*(None,) * count, *forward(args[:count], tangents))

    return primitive(run, rule, (*inputs, *cotangents))


# --- scan with checkpoints


def scan(
    step: Callable[[Natives], tuple[Natives, Natives]], state: Natives, count: int, checkpoint: int | None
) -> tuple[Natives, Natives]:
    """See `Backend.scan`; traced, or eager under a tape, where each loop becomes a graph that runs once."""
    pure, outside, graph = _closed(lambda *args: _flat(step(args)), _specs(state))
    n = len(state)
    one = _Step(lambda carry, _, consts: _cut(pure(*carry, *consts), n), _specs(graph.outputs[n:]))

    return _checkpointed(one, state, outside, count, checkpoint)


def _cut(flat: Natives, at: int) -> tuple[Natives, Natives]:
    return tuple(flat[:at]), tuple(flat[at:])


def _segment_length(count: int) -> int:
    """A divisor of `count` near its square root if any (else steps remain for a loop of their own)."""
    root = math.sqrt(count)
    near = [k for k in range(math.ceil(root / 2), int(2 * root) + 1) if count % k == 0]
    return min(near, key=lambda k: abs(k - root), default=math.ceil(root))


def _checkpointed(
    step: _Step, state: Natives, consts: Natives, count: int, checkpoint: int | None
) -> tuple[Natives, Natives]:
    """Segments of steps; a reverse pass keeps the states between the segments and recomputes those within."""
    if count == 0:
        return state, tuple(tf.zeros((0, *spec.shape), spec.dtype) for spec in step.y)
    length = max(1, min(count, checkpoint or _segment_length(count)))
    segments = count // length

    def segment(carry: Natives, _: Natives, consts: Natives) -> tuple[Natives, Natives]:
        return _scan(step, carry, (), consts, length, False)[:2]

    specs = tuple(tf.TensorSpec((length, *spec.shape), spec.dtype) for spec in step.y)
    state, ys, _ = _scan(_Step(segment, specs), state, (), consts, segments, True)
    ys = tuple(tf.reshape(y, (segments * length, *y.shape[2:])) for y in ys)
    if segments * length < count:
        state, rest, _ = _scan(step, state, (), consts, count - segments * length, False)
        ys = tuple(tf.concat(pair, 0) for pair in zip(ys, rest, strict=True))
    return state, ys


# --- while


def while_loop(
    condition: Callable[[Natives], Native],
    step: Callable[[Natives], Natives],
    state: Natives,
    limit: int | None,
) -> Natives:
    """See `Backend.while_loop`; traced."""
    specs, n = _specs(state), len(state)
    test, of_test, _ = _closed(lambda *args: (condition(args),), specs)
    once, of_step, _ = _closed(lambda *args: tuple(step(args)), specs)
    cut = n + len(of_test)
    loop = _While(lambda flat: test(*flat[:cut])[0], lambda flat: once(*flat[:n], *flat[cut:]), n, limit)
    return loop((*state, *of_test, *of_step))


@dataclass(frozen=True)
class _While:
    """While loop over the first `n` flat arrays; the rest are constants of `test` and `step`."""

    test: Callable[[Natives], Native]
    step: Callable[[Natives], Natives]
    n: int
    limit: int | None

    def __call__(self, flat: Natives) -> Natives:
        return primitive(lambda *args: self._run(args), self._pullback, flat)

    def _run(self, flat: Natives) -> Natives:
        consts = flat[self.n :]
        return tuple(
            tf.while_loop(
                lambda *state: self.test((*state, *consts)),
                lambda *state: tuple(self.step((*state, *consts))),
                flat[: self.n],
                maximum_iterations=self.limit,
            )
        )

    def _pullback(self, inputs: Natives, outputs: Natives, cotangents: Natives) -> Natives:
        if is_transposing():
            return _by_forward_rule(inputs, cotangents, self._push)
        if self.limit is None:
            raise Unsupported(
                "`while_loop` without a limit cannot be differentiated backwards (TensorFlow): the number "
                "of states to keep is unknown. Pass `limit=`, or use `iterate`."
            )
        return vjp(lambda *args: (self._masked(args), ()), inputs)[1](cotangents)

    def _push(self, values: Natives, tangents: Natives) -> Natives:
        """Tangents of the final state: the loop over state and tangent."""
        n, total = self.n, len(values)

        def split(flat: Natives) -> tuple[Natives, Natives]:
            return (*flat[:n], *flat[2 * n : n + total]), (*flat[n : 2 * n], *flat[n + total :])

        def push(flat: Natives) -> Natives:
            after, along = jvp(lambda *args: self.step(args), *split(flat))
            return (*after, *along)

        loop = _While(lambda flat: self.test(split(flat)[0]), push, 2 * n, self.limit)
        return loop((*values[:n], *tangents[:n], *values[n:], *tangents[n:]))[n:]

    def _masked(self, flat: Natives) -> Natives:
        """The same by `limit` steps, of which those behind the end do nothing; differentiable backwards."""
        n, specs = self.n, _specs(flat[: self.n])

        def once(carry: Natives, _: Natives, consts: Natives) -> tuple[Natives, Natives]:
            active, state = carry[0], carry[1:]
            new = _guarded(lambda *args: self.step(args), specs, active, (*state, *consts))
            state = tuple(tf.where(active, a, b) for a, b in zip(new, state, strict=True))
            return (active & self.test((*state, *consts)), *state), ()

        carry = (self.test(flat), *flat[:n])
        return _checkpointed(_Step(once, ()), carry, flat[n:], self.limit or 0, None)[0][1:]


def _guarded(f: Flat, specs: Specs, active: Native, inputs: Natives) -> Natives:
    """`f(*inputs)` if `active`, else zeros of `specs`: `tf.cond` with a derivative that is one."""
    count = len(inputs)

    def run(active: Native, *args: Native) -> Natives:
        return tuple(
            tf.cond(active, lambda: tuple(f(*args)), lambda: tuple(tf.zeros(s.shape, s.dtype) for s in specs))
        )

    def pullback(all_inputs: Natives, _: Natives, cotangents: Natives) -> Sequence[Native | None]:
        def back(*args: Native) -> Natives:
            return vjp(lambda *a: (f(*a), ()), args[:count])[1](args[count:])

        given = all_inputs[1:]
        return (None, *_guarded(back, _specs(given), all_inputs[0], (*given, *cotangents)))

    return primitive(run, pullback, (active, *inputs))


# --- map

_OPAQUE = frozenset(
    {
        "IdentityN",
        "While",
        "StatelessWhile",
        "If",
        "StatelessIf",
        "PartitionedCall",
        "StatefulPartitionedCall",
    }
)


def map_leading(f: Flat, natives: Natives) -> Natives:
    """See `Backend.map_leading`; vectorised, but a scan where that would lose custom derivatives."""
    pure, outside, graph = _closed(lambda *args: tuple(f(*args)), _specs(natives, 1))
    if not any(operation.type in _OPAQUE for operation in graph.get_operations()):
        try:
            return tuple(
                tf.vectorized_map(lambda args: tuple(f(*args)), natives, fallback_to_while_loop=False)
            )
        except ValueError:  # an operation that TensorFlow cannot vectorise
            pass
    step = _Step(lambda _, x, consts: ((), pure(*x, *consts)), _specs(graph.outputs))
    return _scan(step, (), natives, outside, natives[0].shape[0], False)[1]
