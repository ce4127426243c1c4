"""SciPy's methods for tensors: one batch entry after the other, put together in the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from phi_tensor._create import wrap
from phi_tensor._dim_changes import int_size
from phi_tensor._errors import Diverged, Unsupported
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.linear._solve_settings import Solve
from phi_tensor.ops._structure import expand, stack
from phi_tensor.optimize import _scipy as scipy
from phi_tensor.optimize._arguments import Call, first_output, limits
from phi_tensor.optimize._bounds import Bounds, entry_of
from phi_tensor.optimize._implicit import captured
from phi_tensor.optimize._lbfgs import DIVERGED
from phi_tensor.optimize._outcome import Found, Kind, info
from phi_tensor.optimize._scipy import Array, Entry, Flat, Method, Objective
from phi_tensor.optimize._vectors import Vector, along_entries
from phi_tensor.optimize._watch import Watch
from phi_tensor.transforms._flat import natives_as, stored_layout, tensors_of
from phi_tensor.transforms._gradient import gradient, jvp


def by_entry(
    call: Call,
    x0: Vector,
    given: Vector,
    solve: Solve,
    method: Method,
    bounds: Bounds | None,
    differences: bool,
    watch: Watch,
    kind: Kind,
) -> Found:
    """Minima of all entries by a method of SciPy."""
    layouts = [stored_layout(leaf.layout, call.backend) for leaf in (*x0, *given)]
    natives = (natives_as(leaf, way) for leaf, way in zip((*x0, *given), layouts, strict=True))
    with call.backend.outside(tuple(n for some in natives for n in some)) as plain:
        leaves = tuple(tensors_of(layouts, plain))
        if not all(leaf.available for leaf in leaves):
            raise Unsupported(
                f"The method {method.name!r} is SciPy's, which cannot be called while {call.backend} traces "
                f"a derivative around it. Use 'L-BFGS'."
            )
        x0, given = leaves[: len(x0)], leaves[len(x0) :]
        return _found(call, x0, given, solve, method, bounds, differences, watch, kind)


def _found(
    call: Call,
    x0: Vector,
    given: Vector,
    solve: Solve,
    method: Method,
    bounds: Bounds | None,
    differences: bool,
    watch: Watch,
    kind: Kind,
) -> Found:
    value = _value(call, x0, given)
    entries = value.shape
    if entries.non_batch.rank:
        gradient(lambda x: _value(call, x, given))  # the same message for all methods
    x0 = along_entries(x0, entries)
    found: list[Entry] = []
    for index in entries.meshgrid():
        single = _Single(call, x0, given, index, solve, method, bounds, differences)
        found.append(single.solved(lambda done, loss: watch.tell(done, "loss", loss)))
        if found[-1].error is not None:
            break
    result = _together(found, entries, x0, call)
    error = found[-1].error if found else None
    if error is not None:
        remark = f"The function raised {type(error).__name__}: {error}."
        raise Diverged(info(result, solve, kind, remark=remark)) from error
    if watch.every:
        for state in _path(found, entries, x0, call):
            watch.keep(state)
    return result


def _value(call: Call, x: Vector, given: Vector) -> Tensor:
    value = first_output(call(x, given))
    value = value if isinstance(value, Tensor) else wrap(value)
    if not value.available:
        raise captured("minimize")
    return value


class _Single:
    """The problem of one entry."""

    def __init__(
        self,
        call: Call,
        x0: Vector,
        given: Vector,
        index: dict[str, Any],
        solve: Solve,
        method: Method,
        bounds: Bounds | None,
        differences: bool,
    ) -> None:
        self.call, self.index, self.solve, self.method = call, index, solve, method
        self.x0 = tuple(x[index] for x in x0)
        self.given = tuple(x[index] for x in given)
        self.flat = Flat(self.x0, call.backend)
        packed = None if bounds is None else tuple(map(self.flat.pack, entry_of(bounds, self.x0, index)))
        self.bounds = packed if packed is None else (packed[0], packed[1])
        self.differences = differences
        self.slope = gradient(self.losses)
        self.slope_alone = gradient(self.losses, get_output=False)
        self.others = self.losses(self.x0).shape
        """Dims of entries that the function brings in by itself."""

    def losses(self, x: Vector) -> Tensor:
        """Losses of this entry and of those that the function computes beside it."""
        value = first_output(self.call(x, self.given))
        return value if isinstance(value, Tensor) else wrap(value)

    def value(self, x: Array) -> float:
        return float(self.losses(self.flat.unpack(x))[self.index])

    def everywhere(self, x: Vector) -> Vector:
        """The variables once for every loss, so that no other entry reaches their derivatives."""
        return tuple(expand(leaf, self.others) for leaf in x)

    def here(self, x: Any) -> Vector:
        return tuple(leaf[self.index] for leaf in x)

    def with_gradient(self, x: Array) -> tuple[float, Array]:
        value, slope = self.slope(self.everywhere(self.flat.unpack(x)))
        return float(first_output(value)[self.index]), self.flat.pack(self.here(slope))

    def product(self, x: Array, v: Array) -> Array:
        at, along = (self.everywhere(self.flat.unpack(a)) for a in (x, v))
        _, found = jvp(lambda *at: tuple(self.slope_alone(at)), at, along)
        return self.flat.pack(self.here(found))

    def solved(self, tell: Callable[[int, float], None]) -> Entry:
        free = (np.full(1, -np.inf), np.full(1, np.inf))
        objective = Objective(
            self.value,
            self.with_gradient if self.method.gradient else None,
            self.bounds or free,
            self.differences,
        )
        return scipy.minimum_of(
            objective,
            self.flat.pack(self.x0),
            self.method,
            self.goal,
            _at(limits(self.solve, self.x0), self.index, int),
            self.bounds,
            self.product if self.method.hessian else None,
            tell,
        )

    def goal(self, size: float) -> float | None:
        """Tolerance by the size of the first gradient; None leaves it to SciPy."""
        from phi_tensor.optimize._minimize import tolerances  # noqa: PLC0415 which needs this module

        relative, absolute = (_at(t, self.index, float) for t in tolerances(self.solve))
        if not self.method.gradient:
            return absolute or None
        return max(relative * size, absolute)


def _at(number: Any, index: dict[str, Any], kind: type) -> Any:
    return kind(number[index]) if isinstance(number, Tensor) else kind(number)


def _together(found: list[Entry], entries: Shape, x0: Vector, call: Call) -> Found:
    """Results of all entries side by side; entries that were not reached stay where they started."""
    indices = list(entries.meshgrid())
    columns: list[list[Tensor]] = []
    for i, index in enumerate(indices):
        flat = Flat(tuple(x[index] for x in x0), call.backend)
        columns.append(list(flat.unpack(found[i].x)) if i < len(found) else [x[index] for x in x0])
    x = tuple(_stacked([column[k] for column in columns], entries) for k in range(len(x0)))
    rest = [None] * (len(indices) - len(found))

    def numbers(name: str, missing: Any) -> Tensor:
        values = [getattr(e, name) for e in found] + [missing for _ in rest]
        return (
            wrap(np.reshape(np.asarray(values), [int_size(dim) for dim in entries.dims]), entries)
            if entries.rank
            else wrap(values[0])
        )

    nan = float("nan")
    return Found(
        x,
        (numbers("value", nan),),
        numbers("size", nan),
        numbers("goal", nan),
        numbers("iterations", 0),
        numbers("evaluations", 0),
        numbers("outcome", DIVERGED),
    )


def _stacked(values: list[Tensor], entries: Shape) -> Tensor:
    """Tensors of all positions of `entries`, row by row, as one tensor."""
    for dim in reversed(entries.dims):
        size = int_size(dim)
        rows = [values[i : i + size] for i in range(0, len(values), size)]
        values = [stack(row, entries.only(dim.name).with_size(None)) for row in rows]
    return values[0]


def _path(found: list[Entry], entries: Shape, x0: Vector, call: Call) -> list[Found]:
    """States of all entries after each iteration."""
    length = max((len(entry.path) for entry in found), default=0)
    states: list[Found] = []
    for k in range(length):
        at = [
            entry._replace(
                **dict(zip(("x", "value", "size"), entry.path[min(k, len(entry.path) - 1)], strict=True)),
                iterations=min(k, len(entry.path) - 1),
                outcome=entry.outcome if k >= len(entry.path) - 1 else 0,
            )
            for entry in found
        ]
        states.append(_together(at, entries, x0, call))
    return states
