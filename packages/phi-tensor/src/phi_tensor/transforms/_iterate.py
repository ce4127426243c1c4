"""Loops as primitives: `iterate` repeats a step, `while_loop` repeats until a condition fails.

Neither is unrolled when compiled.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable
from typing import Any, cast

from phi_tensor._context import context_dtype, settings
from phi_tensor._create import wrap, zeros_like
from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._hidden import (
    Report,
    collected_reports,
    report,
    reported_tensors,
    with_tensors,
)
from phi_tensor._random import KeyNeeded, current_base, drawing_from
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor._trees import Structure
from phi_tensor.backends._backend import Backend, Natives
from phi_tensor.layouts._layout import Layout
from phi_tensor.ops._elementwise import to_int64
from phi_tensor.ops._structure import concat, expand, stack
from phi_tensor.transforms._flat import (
    Output,
    backend_for,
    canonical_layout,
    flat_arguments,
    flat_output,
    natives_as,
    tensors_of,
)
from phi_tensor.transforms._step_outputs import max_any, report_steps, trajectory


def iterate(
    map_function: Callable[..., Any],
    iterations: int | Shape,
    *x0: Any,
    f_kwargs: dict[str, Any] | None = None,
    range: Callable[[int], Iterable[int]] = builtins.range,
    measure: Callable[[], float] | None = None,
    substeps: int = 1,
    checkpoint: int | None = None,
    **f_kwargs_: Any,
) -> Any:
    """State after repeating `state = map_function(*state)`.

    One traced step and one traced step-derivative when compiled.

    Args:
        map_function: Step: takes the state, returns it; additional outputs are recorded but not fed back.
        iterations: Number of steps, or a one-dim shape such as `batch(time=10)`: then all states are returned
            along this dim, the initial one first. Additional outputs have one entry less.
        *x0: Initial state.
        f_kwargs: Constant keyword arguments of the step.
        range: Replaces `range` in eager loops, e.g. by a progress bar.
        measure: Clock; returns durations [s] per iteration as an additional output. Eager only.
        substeps: Steps per iteration.
        checkpoint: In reverse mode keep every so many states and recompute the others; default about
            √iterations.
        **f_kwargs_: More constant keyword arguments.

    Returns:
        Final state, or trajectories; a tuple if there are several values.

    >>> import phi_tensor as math
    >>> iterate(lambda x: 2 * x, math.batch(time=3), math.wrap(1.0))
    (1.0, 2.0, 4.0, 8.0) along (time:b=4) float32
    """
    kwargs = {**(f_kwargs or {}), **f_kwargs_}
    count = iterations if isinstance(iterations, int) else iterations.size
    if not isinstance(count, int) or count < 0:
        raise IncompatibleShapes(
            f"`iterate` needs a number of steps, but found {iterations}. Pass an int or e.g. "
            f"`batch(time=10)`."
        )
    if not x0:
        raise IncompatibleShapes("`iterate` needs an initial state: `iterate(step, 10, state)`.")

    def step(*state: Any) -> tuple[Any, ...]:
        extra: tuple[Any, ...] = ()
        for _ in builtins.range(substeps):
            values = _tupled(map_function(*state, **kwargs))
            if len(values) < len(state):
                raise IncompatibleShapes(
                    f"The step of `iterate` takes {len(state)} values, but returned {len(values)}. Return "
                    f"all of them."
                )
            state, extra = values[: len(x0)], values[len(x0) :]
        return (*state, *extra)

    dim = None if isinstance(iterations, int) else iterations
    if settings().traced == "jit":
        if measure is not None:
            raise Unsupported(
                "`iterate(measure=…)` reads a clock, which compiled code cannot. Measure outside of "
                "`jit_compile`."
            )
        return _scanned(step, count, x0, dim, checkpoint)
    return _looped(step, count, x0, dim, range, measure)


def _tupled(result: Any) -> tuple[Any, ...]:
    """Results of a step; a named tuple is one value."""
    return (result,) if hasattr(result, "_fields") else _as_tuple(result)


def _looped(
    step: Callable[..., tuple[Any, ...]],
    count: int,
    x0: tuple[Any, ...],
    dim: Shape | None,
    steps: Callable[[int], Iterable[int]],
    measure: Callable[[], float] | None,
) -> Any:
    state: tuple[Any, ...] = x0
    states: list[tuple[Any, ...]] = [x0]
    extras: list[tuple[Any, ...]] = []
    for _ in steps(count):
        start = measure() if measure else 0.0
        results = step(*state)
        state, extra = results[: len(x0)], results[len(x0) :]
        extras.append((*extra, measure() - start) if measure else extra)
        if dim is not None:
            states.append(state)
    if dim is None:
        last = extras[-1] if extras else ()
        return _untupled((*state, *last))
    along = dim.with_size(None)
    trajectories = [stack(list(column), along, expand_values=True) for column in zip(*states, strict=True)]
    recorded = [stack(list(column), along) for column in zip(*extras, strict=True)]
    return _untupled((*trajectories, *recorded))


def _untupled(values: tuple[Any, ...]) -> Any:
    return values[0] if len(values) == 1 else values


class _Grown(Exception):
    """The state came out of a step with more dims than it went in."""

    def __init__(self, shapes: list[Shape]) -> None:
        self.shapes = shapes


def _scanned(
    step: Callable[..., tuple[Any, ...]],
    count: int,
    x0: tuple[Any, ...],
    dim: Shape | None,
    checkpoint: int | None,
) -> Any:
    leaves, structure = flat_arguments(x0)
    try:
        with drawing_from(None):
            return _scan(step, count, leaves, structure, dim, checkpoint)
    except _Grown as grown:
        wider = [expand(leaf, shape) for leaf, shape in zip(leaves, grown.shapes, strict=True)]
        return _scanned(step, count, tuple(structure.build(wider)), dim, checkpoint)
    except KeyNeeded:
        return _scanned_randomly(step, count, x0, dim, checkpoint)


def _scanned_randomly(
    step: Callable[..., tuple[Any, ...]],
    count: int,
    x0: tuple[Any, ...],
    dim: Shape | None,
    checkpoint: int | None,
) -> Any:
    """Loop whose steps draw random numbers.

    A step counter joins the state, and each step has a key of its own.
    """
    base = current_base()
    if base is None:
        raise KeyNeeded

    def numbered(index: Tensor, *state: Any) -> tuple[Any, ...]:
        with drawing_from(base.fold_in(index)):
            return (index + 1, *step(*state))

    first = to_int64(zeros_like(base.high))
    result = _scanned(numbered, count, (first, *x0), dim, checkpoint)
    return _untupled(result[1:])


def _scan(
    step: Callable[..., tuple[Any, ...]],
    count: int,
    leaves: list[Tensor],
    structure: Structure,
    dim: Shape | None,
    checkpoint: int | None,
) -> Any:
    backend = backend_for(leaves)
    layouts = tuple(_state_layout(leaf, backend) for leaf in leaves)
    initial = tuple(n for leaf, layout in zip(leaves, layouts, strict=True) for n in natives_as(leaf, layout))
    found: list[tuple[Output, list[Report]]] = []

    def flat_step(natives: Natives) -> tuple[Natives, Natives]:
        state = structure.build(tensors_of(layouts, natives))
        with collected_reports() as reports:
            results = step(*state)
            after, after_structure = flat_arguments(results[: len(state)])
            _check_state(after, layouts, after_structure, structure)
            carried = tuple(
                n for leaf, layout in zip(after, layouts, strict=True) for n in natives_as(leaf, layout)
            )
            extra, description = flat_output(results[len(state) :], backend, canonical=True)
            told = reported_tensors(
                [r if r.observed else r._replace(failed=max_any(r.failed)) for r in reports]
            )
            hidden, described = flat_output(told, backend, canonical=True)
        found.append((description, with_tensors(reports, described.layouts)))
        recorded = carried if dim is not None else ()
        return carried, (*recorded, *extra, *hidden)

    final, outputs = backend.scan(flat_step, initial, count, checkpoint)
    if not found:  # no step was traced: `count` is 0
        return (
            _untupled(structure.build(tensors_of(layouts, final)))
            if dim is None
            else _looped(step, 0, tuple(structure.build(leaves)), dim, builtins.range, None)
        )
    description, reports = found[-1]
    report_steps(reports, outputs, backend, count)
    states = sum(layout.count for layout in layouts) if dim is not None else 0
    extra_count = sum(layout.count for layout in description.layouts)
    extras = outputs[states : states + extra_count]
    if dim is None:
        last = [backend.ops["getitem"](native, (count - 1,)) for native in extras]
        return _untupled((*structure.build(tensors_of(layouts, final)), *description.build(last)))
    along = dim.with_size(count)
    recorded = description.structure.build(trajectory(description.layouts, extras, along))
    later = structure.build(trajectory(layouts, outputs[:states], along))
    first = structure.build(tensors_of(layouts, initial))
    name = along.name
    whole = [concat([expand(a, along.with_size(1)), b], name) for a, b in zip(first, later, strict=True)]
    return _untupled((*whole, *recorded))


def _state_layout(leaf: Tensor, backend: Backend) -> Layout:
    return canonical_layout(leaf.layout, backend)


def _check_state(
    after: list[Tensor], layouts: tuple[Layout, ...], found: Structure, structure: Structure
) -> None:
    if len(after) != len(layouts):
        raise IncompatibleShapes(
            f"The step of `iterate` must keep the structure of the state {structure}, but returned {found}."
        )
    shapes: list[Shape] = []
    for leaf, layout in zip(after, layouts, strict=True):
        shape = merge_shapes(leaf.shape, layout.shape)
        if context_dtype(leaf.dtype) is not layout.dtype and not (
            layout.dtype.kind is float and leaf.dtype.kind in (bool, int)
        ):
            raise IncompatibleShapes(
                f"The step of `iterate` turned {layout.dtype} {layout.shape} into {leaf.dtype}. Start with "
                f"this type, e.g. `to_float(x0)`."
            )
        shapes.append(shape)
    if any(shape != layout.shape for shape, layout in zip(shapes, layouts, strict=True)):
        raise _Grown(shapes)
    missing = [
        layout.shape for leaf, layout in zip(after, layouts, strict=True) if leaf.shape != layout.shape
    ]
    if missing:
        raise IncompatibleShapes(
            f"The step of `iterate` lost dims of the state {missing}. Keep them with `expand`."
        )


def while_loop(
    condition: Callable[..., Any], step: Callable[..., Any], *x0: Any, limit: int | None = None
) -> Any:
    """State when `condition(*state)` is False for the first time, or after `limit` steps.

    Not unrolled when compiled. Differentiable forwards; backwards only with a `limit`.

    Args:
        condition: Function of the state to a bool without dims; reduce batches with `any`.
        step: Function of the state to the next state, with the same dims and types.
        *x0: Initial state.
        limit: Largest number of steps.

    Returns:
        Final state; a tuple if it has several values.

    >>> import phi_tensor as math
    >>> while_loop(lambda x: x < 10, lambda x: 2 * x, math.wrap(1.0))
    16.0
    """
    if not x0:
        raise IncompatibleShapes("`while_loop` needs an initial state: `while_loop(condition, step, state)`.")
    if settings().traced != "jit":
        state, count = x0, 0
        while limit is None or count < limit:
            holds = condition(*state)
            if isinstance(holds, Tensor) and not holds.available:  # differentiated
                rest = None if limit is None else limit - count
                return _untupled(_traced_while(condition, step, state, rest))
            if not bool(holds):
                break
            state, count = _as_tuple(step(*state)), count + 1
        return _untupled(state)
    return _untupled(_traced_while(condition, step, x0, limit))


class _Reported(Exception):
    """The step of a traced loop reported outcomes, which the loop has to carry."""

    def __init__(self, errors: list[Callable[[Any], Exception]]) -> None:
        self.errors = errors


def _traced_while(
    condition: Callable[..., Any], step: Callable[..., Any], x0: tuple[Any, ...], limit: int | None
) -> tuple[Any, ...]:
    try:
        with drawing_from(None):
            return _while(condition, step, x0, limit)
    except KeyNeeded:
        return _while_randomly(condition, step, x0, limit)
    except _Reported as reported:
        return _while_reporting(condition, step, x0, limit, reported.errors)


def _while_randomly(
    condition: Callable[..., Any], step: Callable[..., Any], x0: tuple[Any, ...], limit: int | None
) -> tuple[Any, ...]:
    """Loop whose steps draw random numbers: a step counter joins the state, each step has its own key."""
    base = current_base()
    if base is None:
        raise KeyNeeded

    def numbered(index: Tensor, *state: Any) -> tuple[Any, ...]:
        with drawing_from(base.fold_in(index)):
            return (index + 1, *_as_tuple(step(*state)))

    first = to_int64(zeros_like(base.high))
    return _traced_while(lambda _, *state: condition(*state), numbered, (first, *x0), limit)[1:]


def _while_reporting(
    condition: Callable[..., Any],
    step: Callable[..., Any],
    x0: tuple[Any, ...],
    limit: int | None,
    errors: list[Callable[[Any], Exception]],
) -> tuple[Any, ...]:
    """Loop whose steps report outcomes: one flag per outcome joins the state."""
    count = len(errors)

    def flagged(*state: Any) -> tuple[Any, ...]:
        with collected_reports() as reports:
            result = _as_tuple(step(*state[count:]))
        failed = (max_any(entry.failed) != 0 for entry in reports)
        return (*(old | new for old, new in zip(state[:count], failed, strict=True)), *result)

    flags = tuple(wrap(False) for _ in errors)
    final = _traced_while(lambda *state: condition(*state[count:]), flagged, (*flags, *x0), limit)
    for flag, error in zip(final[:count], errors, strict=True):
        report(flag, error)
    return final[count:]


def _as_tuple(result: Any) -> tuple[Any, ...]:
    return cast("tuple[Any, ...]", result) if isinstance(result, tuple) else (result,)


def _while(
    condition: Callable[..., Any], step: Callable[..., Any], x0: tuple[Any, ...], limit: int | None
) -> tuple[Any, ...]:
    leaves, structure = flat_arguments(x0)
    backend = backend_for(leaves)
    layouts = tuple(_state_layout(leaf, backend) for leaf in leaves)
    initial = tuple(n for leaf, layout in zip(leaves, layouts, strict=True) for n in natives_as(leaf, layout))

    def flat_condition(natives: Natives) -> Any:
        value = condition(*structure.build(tensors_of(layouts, natives)))
        tensor = value if isinstance(value, Tensor) else flat_output(value, backend, canonical=True)
        assert isinstance(tensor, Tensor)
        if tensor.rank:
            raise IncompatibleShapes(
                f"The condition of `while_loop` is one bool, but has dims {tensor.shape}. Reduce it with "
                f"`any` or `all`."
            )
        return tensor.block().natives[0]

    def flat_step(natives: Natives) -> Natives:
        with collected_reports() as reports:
            result = step(*structure.build(tensors_of(layouts, natives)))
        if any(entry.observed for entry in reports):
            raise Unsupported(
                "Values inside a compiled `while_loop` cannot be observed: the number of its steps is not "
                "known. Use `iterate`, or make them part of the state."
            )
        if reports:
            raise _Reported([entry.error for entry in reports])
        after, found = flat_arguments(_as_tuple(result))
        try:
            _check_state(after, layouts, found, structure)
        except _Grown as grown:
            raise IncompatibleShapes(
                f"The step of `while_loop` changed the dims of the state to {grown.shapes}. Expand the "
                f"initial state."
            ) from None
        return tuple(n for leaf, layout in zip(after, layouts, strict=True) for n in natives_as(leaf, layout))

    final = backend.while_loop(flat_condition, flat_step, initial, limit)
    return structure.build(tensors_of(layouts, final))
