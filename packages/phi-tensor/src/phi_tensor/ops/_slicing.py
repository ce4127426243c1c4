"""Slicing: ints remove a dim, slices shorten it (clamped), labels and lists select, `'x->u'` relabels."""

from __future__ import annotations

from typing import Any, SupportsIndex

from phi_tensor._dim import Dim
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._plan import PlanCall, Row, TensorCall, layout_of, planned, rule
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._join import on_block
from phi_tensor.layouts._layout import Dense, Layout, Parts, Ragged

Picked = int | slice | tuple[int, ...]


@rule("slice")
def slice_rule(row: Row, layout: Layout, selection: tuple[tuple[str, Any], ...]) -> PlanCall:
    """Plan of slicing; absent dims are ignored."""
    present = [(name, item) for name, item in selection if name in layout.shape]
    if isinstance(layout, Dense):
        return _dense(layout, present)
    assert isinstance(layout, Parts)
    return _parts(row, layout, present)


def picked(dim: Dim, item: Any) -> tuple[Picked, Dim | None]:
    """`(native index, new dim)` of one selection; the dim is None where an int removes it."""
    size = dim.size
    assert isinstance(size, int)
    if isinstance(item, str):
        return _by_label(dim, item)
    if isinstance(item, tuple) and item and item[0] is slice:
        return _by_slice(dim, size, item)
    if isinstance(item, tuple):
        return _by_list(dim, item)
    if not isinstance(item, SupportsIndex):
        raise TypeError(
            f"Dim `{dim.name}` is sliced by ints, slices, labels or lists of these, but found {item!r}."
        )
    index = item.__index__()
    if not -size <= index < size:
        raise IndexError(
            f"Index {index} is outside of dim `{dim.name}` with size {size}. Slices like `{index}:` are "
            f"clamped."
        )
    return index % size, None


def _by_slice(dim: Dim, size: int, item: tuple[Any, ...]) -> tuple[Picked, Dim]:
    start, stop, step = (dim.index_of(part) if isinstance(part, str) else part for part in item[1:])
    index = slice(start, stop, step)
    positions = range(size)[index]
    labels = tuple(dim.labels[i] for i in positions) if dim.labels else None
    return index, dim.with_size(len(positions), labels)


def _by_list(dim: Dim, items: tuple[Any, ...]) -> tuple[Picked, Dim]:
    positions = tuple(picked(dim, item)[0] for item in items)
    indices = tuple(i for i in positions if isinstance(i, int))
    if len(indices) != len(items):
        raise IncompatibleShapes(f"Lists select by ints and labels, but found {items} for dim `{dim.name}`.")
    labels = (
        tuple(dim.labels[i] for i in indices) if dim.labels and len(set(indices)) == len(indices) else None
    )
    return indices, dim.with_size(len(indices), labels)


def _by_label(dim: Dim, text: str) -> tuple[Picked, Dim | None]:
    wanted, _, renamed = (part.strip() for part in text.partition("->"))
    if "," not in wanted and not renamed:
        return dim.index_of(wanted), None
    indices = tuple(dim.index_of(label.strip()) for label in wanted.split(",") if label.strip())
    if renamed == "?":
        return indices, dim.with_size(len(indices))
    labels = tuple(label.strip() for label in (renamed or wanted).split(",") if label.strip())
    return indices, dim.with_size(len(indices), labels)


def _dense(layout: Dense, present: list[tuple[str, Any]]) -> PlanCall:
    dims = {dim.name: dim for dim in layout.shape.dims}
    index: list[Any] = [slice(None)] * len(layout.stored)
    taken: list[tuple[int, tuple[int, ...]]] = []
    removed: set[str] = set()
    for name, item in present:
        where, new = picked(dims[name], item)
        if new is None:
            removed.add(name)
        else:
            dims[name] = new
        axis = layout.axes.get(name)
        if axis is None:
            continue
        if isinstance(where, tuple):
            taken.append((axis, where))
        else:
            index[axis] = where
    shape = Shape.of(tuple(dims[dim.name] for dim in layout.shape.dims if dim.name not in removed))
    stored = tuple(dims[dim.name] for dim in layout.stored if dim.name not in removed)
    result = Dense.of(stored, shape, layout.dtype, layout.backend)
    while index and index[-1] == slice(None):
        index.pop()
    return planned(result, _dense_call(layout, result, tuple(index), taken))


def _dense_call(
    layout: Dense, result: Dense, index: tuple[Any, ...], taken: list[tuple[int, tuple[int, ...]]]
) -> TensorCall:
    getitem = layout.backend.ops["getitem"]
    if not taken:
        if not index:
            return lambda t: Tensor(result, t.natives)
        return lambda t: Tensor(result, (getitem(t.natives[0], index),))
    stack, count = layout.backend.ops["stack"], len(layout.stored)

    def call(t: Tensor) -> Tensor:
        native = t.natives[0]
        for axis, positions in taken:
            before: tuple[Any, ...] = (slice(None),) * axis
            native = (
                stack([getitem(native, (*before, i)) for i in positions], axis)
                if positions
                else getitem(native, (*before, slice(0, 0)))
            )
        rest = [
            slice(None) if any(axis == a for a, _ in taken) else index[axis] for axis in range(len(index))
        ]
        assert len(rest) <= count
        return Tensor(result, (getitem(native, tuple(rest)) if rest else native,))

    return call


def _parts(row: Row, layout: Parts, present: list[tuple[str, Any]]) -> PlanCall:
    along = [item for name, item in present if name == layout.dim.name]
    rest = tuple((name, item) for name, item in present if name != layout.dim.name)
    where, dim = picked(layout.dim, along[0]) if along else (slice(None), layout.dim)
    if isinstance(where, int):
        inner = slice_rule(row, layout.parts[where], selection=rest)
        start, count = layout.offsets[where], layout.parts[where].count
        part = layout.parts[where]
        return planned(layout_of(inner), lambda t: inner(Tensor(part, t.natives[start : start + count])))
    chosen = where if isinstance(where, tuple) else range(len(layout.parts))[where]
    if not chosen and not isinstance(layout, Ragged):
        return on_block(row, layout, selection=tuple(present))
    if not chosen:
        raise row.unsupported(
            layout, hint=f"No entry of dim `{layout.dim.name}` would be left; use `zeros` for empty tensors."
        )
    assert dim is not None
    plans = [slice_rule(row, layout.parts[i], selection=rest) for i in chosen]
    result = Parts.of(dim, tuple(layout_of(plan) for plan in plans))

    def call(t: Tensor) -> Tensor:
        parts = t.parts()
        natives: tuple[Any, ...] = ()
        for i, plan in zip(chosen, plans, strict=True):
            natives += plan(parts[i]).natives
        return Tensor(result, natives)

    return planned(result, call)
