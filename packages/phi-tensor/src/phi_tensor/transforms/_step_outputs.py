"""What steps of compiled loops report and record: one value per step, along a new leading axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from phi_tensor._dim_types import batch
from phi_tensor._hidden import Report, observe, report, reported_tensors, with_tensors
from phi_tensor._shape import EMPTY_SHAPE, Shape
from phi_tensor._tensor import Tensor
from phi_tensor.backends._backend import Backend, Natives
from phi_tensor.layouts._layout import Dense, Layout, Parts
from phi_tensor.layouts._sparse import Sparse
from phi_tensor.ops._reductions import any_, max_
from phi_tensor.transforms._flat import tensors_of


def max_any(failed: Tensor) -> Tensor:
    """One number for an outcome of any dims: non-zero if any entry is."""
    names = failed.shape.names
    return any_(failed, names) if failed.dtype.kind is bool else max_(failed, names)


def report_steps(reports: list[Report], outputs: Natives, backend: Backend, count: int) -> None:
    """Pass on what steps reported: failures reduced over the steps, observed values of every step."""
    layouts = reported_tensors(reports)
    hidden = outputs[len(outputs) - sum(layout.count for layout in layouts) :]
    name = "_step"
    while any(name in layout.shape for layout in layouts):  # of a loop within this one
        name = f"_{name}"
    step = batch(**{name: count})
    stacked = with_tensors(reports, trajectory(layouts, hidden, step))
    for entry in stacked:
        if entry.observed:
            observe(entry.failed, _for_each_step(entry.error, name, count))
        else:
            failed = entry.failed
            reduced = backend.ops["any" if failed.dtype.kind is bool else "max"](failed.natives[0], (0,))
            inner = Dense.of((), EMPTY_SHAPE, failed.dtype, backend)
            report(Tensor(inner, (reduced,)), entry.error)


def _for_each_step(action: Callable[..., Any], name: str, count: int) -> Callable[..., None]:
    """`action` called once per step with the values of that step."""

    def act(*values: Tensor) -> None:
        for i in range(count):
            action(*(value[{name: i}] for value in values))

    return act


def trajectory(layouts: Sequence[Layout], natives: Sequence[Any], along: Shape) -> list[Tensor]:
    """Tensors whose natives have the steps as leading axis."""
    stacked = [_with_leading(layout, along) for layout in layouts]
    return tensors_of(stacked, natives)


def _with_leading(layout: Layout, along: Shape) -> Layout:
    shape = Shape.of((along.dim, *layout.shape.dims))
    if isinstance(layout, Dense):
        return Dense.of((along.dim, *layout.stored), shape, layout.dtype, layout.backend)
    if isinstance(layout, Sparse):
        values = _with_leading(layout.values, along)
        return Sparse.of(layout.outer, layout.inner, layout.pattern, values, shape, layout.compressed)
    assert isinstance(layout, Parts)
    return Parts.of(layout.dim, tuple(_with_leading(part, along) for part in layout.parts), shape)
