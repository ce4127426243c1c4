"""Plans of convolutions: named dims become the axes that a library's convolution knows.

| dim | of the value | of the kernel |
| --- | --- | --- |
| windows | slide along it | entries of the window |
| contracted | `c` | `~c` |
| group | same name | same name: each entry has its own kernel |
| the rest | computed independently | outputs |
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple, cast

from phi_tensor._dim import Dim
from phi_tensor._dtype import DType
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._plan import PlanCall, Row, layout_of, planned, rule
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor.backends._backend import Backend
from phi_tensor.backends._convolution import Convolution
from phi_tensor.layouts._dense_steps import Step, cast_step, chain, convert_step, store_step
from phi_tensor.layouts._layout import Dense, Layout, Parts
from phi_tensor.ops._dtype_rules import result_types
from phi_tensor.ops._parts import backend_for, joined_layout, part_by_part


class Window(NamedTuple):
    """How a kernel slides along one dim, see `Convolution`.

    Attributes:
        name: Name of the dim.
        stride: Distance of windows [entries].
        dilation: Distance of the kernel's entries [entries].
        low: Zeros below; transposed: entries left out.
        up: Zeros above; transposed: entries left out.
    """

    name: str
    stride: int
    dilation: int
    low: int
    up: int


@rule("convolution")
def convolution_rule(
    row: Row, value: Layout, kernel: Layout, windows: tuple[Window, ...], transposed: bool
) -> PlanCall:
    """Plan of a convolution, linear in each of both."""
    for i, layout in enumerate((value, kernel)):
        if isinstance(layout, Parts) and not layout.shape.is_uniform:
            return _ragged(row, (value, kernel), i, windows, transposed)
    if isinstance(value, Parts) or isinstance(kernel, Parts):
        blocks = [joined_layout(x) if isinstance(x, Parts) else x for x in (value, kernel)]
        plan = convolution_rule(row, *blocks, windows=windows, transposed=transposed)
        return planned(layout_of(plan), lambda x, w: plan(x.block(), w.block()))
    assert isinstance(value, Dense)
    assert isinstance(kernel, Dense)
    return _dense(row, value, kernel, _Roles(value, kernel, windows), windows, transposed)


def _ragged(
    row: Row, layouts: tuple[Layout, Layout], split: int, windows: tuple[Window, ...], transposed: bool
) -> PlanCall:
    """Plan that takes value and kernel apart along the dim where sizes vary."""
    along = cast("Parts", layouts[split]).dim.name
    contracted = [name.lstrip("~") for name in layouts[1].shape.dual.names]
    if along in (*contracted, *layouts[1].shape.dual.names, *(w.name for w in windows)):
        raise row.unsupported(
            *layouts,
            hint=f"Sizes vary along `{along}`, which is summed over. Pad them with `pad_to_uniform`.",
        )
    if split == 0:
        return part_by_part(
            layouts,
            along,
            lambda i, x, w: convolution_rule(row, x, w, windows=windows, transposed=transposed),
        )

    def of_kernel(i: int, w: Layout, x: Layout) -> PlanCall:
        plan = convolution_rule(row, x, w, windows=windows, transposed=transposed)
        return planned(layout_of(plan), lambda w, x: plan(x, w))

    plan = part_by_part(layouts[::-1], along, of_kernel)
    return planned(layout_of(plan), lambda x, w: plan(w, x))


class _Roles:
    """What each dim of value and kernel is for.

    Attributes:
        inputs: Contracted dims of the value, in the order of the kernel's dual dims.
        duals: Those dual dims.
        groups: Dims that both store.
        others: Further stored dims of the value.
        outputs: Further stored dims of the kernel.
        shape: Result's dims, with the value's sizes along windows.
    """

    def __init__(self, value: Dense, kernel: Dense, windows: tuple[Window, ...]) -> None:
        slid = [w.name for w in windows]
        self.duals = kernel.shape.dual.dims
        self.inputs = tuple(_input(value.shape, dual) for dual in self.duals)
        summed = [dim.name for dim in self.inputs]
        kept = value.shape.without(summed)
        self.shape = merge_shapes(kept, kernel.shape.without([*slid, *kernel.shape.dual.names]))
        free = [d for d in value.stored if d.name not in slid and d.name not in summed]
        own = [d for d in kernel.stored if d.name not in slid and d not in self.duals]
        shared = {d.name for d in free} & {d.name for d in own}
        self.groups = tuple(d for d in free if d.name in shared)
        self.others = tuple(d for d in free if d.name not in shared)
        self.outputs = tuple(d for d in own if d.name not in shared)


def _input(value: Shape, dual: Dim) -> Dim:
    name = dual.name.lstrip("~")
    if name not in value:
        raise IncompatibleShapes(
            f"`convolve` contracts the kernel's dual dim `{dual.name}` with a dim `{name}` of the value, "
            f"which is missing in {value}. Rename one of them, or make it an output: a channel dim."
        )
    dim = value.get_dim(name)
    if dim.size != dual.size or (dim.labels and dual.labels and dim.labels != dual.labels):
        raise IncompatibleShapes(
            f"`convolve` contracts ({dual}) of the kernel with ({dim}) of the value: sizes and labels must "
            f"agree. Slice or rename one of them."
        )
    return dim


def _dense(
    row: Row, value: Dense, kernel: Dense, roles: _Roles, windows: tuple[Window, ...], transposed: bool
) -> PlanCall:
    backend = backend_for((value, kernel))
    want, dtype = result_types(row, (value, kernel))
    slid = [value.shape.get_dim(w.name) for w in windows]
    entries = [kernel.shape.get_dim(w.name) for w in windows]
    convolution = Convolution(
        tuple(w.stride for w in windows),
        tuple(w.dilation for w in windows),
        tuple((w.low, w.up) for w in windows),
        _count(roles.groups),
        transposed,
    )
    sizes, window = (tuple(cast("int", d.size) for d in dims) for dims in (slid, entries))
    found = convolution.result(sizes, window)
    if min(found, default=1) < 1:
        raise IncompatibleShapes(
            f"`convolve` along {slid} finds no place for a kernel of {entries}: the result would have sizes "
            f"{found}. Use size='same' or 'full', or a smaller kernel."
        )
    resized = dict(zip((d.name for d in slid), found, strict=True))
    shape = Shape.of(
        tuple(d.with_size(resized[d.name]) if d.name in resized else d for d in roles.shape.dims)
    )
    groups, inputs, outputs = _count(roles.groups), _count(roles.inputs), _count(roles.outputs)
    others = _count(roles.others)
    if backend.channels_first:
        x_dims = (*roles.others, *roles.groups, *roles.inputs, *slid)
        x_sizes = (others, groups * inputs, *sizes)
        w_dims = (*roles.groups, *roles.outputs, *roles.duals, *entries)
        w_sizes = (groups * outputs, inputs, *window)
        y_dims = (*roles.others, *roles.groups, *roles.outputs, *slid)
    else:
        x_dims = (*roles.others, *slid, *roles.groups, *roles.inputs)
        x_sizes = (others, *sizes, groups * inputs)
        w_dims = (*entries, *roles.duals, *roles.groups, *roles.outputs)
        w_sizes = (*window, inputs, groups * outputs)
        y_dims = (*roles.others, *slid, *roles.groups, *roles.outputs)
    result = Dense.of(tuple(shape.get_dim(d.name) for d in y_dims), shape, dtype, backend)
    first = _arranged(value, x_dims, x_sizes, want[0], backend)
    second = _arranged(kernel, w_dims, w_sizes, want[1], backend)
    convolve, reshape, y_sizes = backend.ops["convolve"], backend.ops["reshape"], result.sizes

    if not prod(y_sizes):
        return planned(result, lambda x, w: Tensor(result, (backend.full(y_sizes, 0, dtype),)))

    def call(x: Tensor, w: Tensor) -> Tensor:
        y = convolve(first(x.natives[0]), second(w.natives[0]), convolution)
        return Tensor(result, (reshape(y, y_sizes),))

    return planned(result, call)


def _count(dims: tuple[Dim, ...]) -> int:
    return prod(cast("int", d.size) for d in dims)


def _arranged(
    layout: Dense, dims: tuple[Dim, ...], sizes: tuple[int, ...], dtype: DType, backend: Backend
) -> Step:
    """Step to an array with the axes `dims`, merged to `sizes`."""
    moved = Dense.of(layout.stored, layout.shape, dtype, backend)
    reshape = backend.ops["reshape"]
    step = chain(
        [
            convert_step(layout, backend),
            cast_step(layout.dtype, moved.dtype, backend),
            store_step(moved, dims, backend),
            None if tuple(d.size for d in dims) == sizes else lambda x: reshape(x, sizes),
        ]
    )
    return step or (lambda x: x)
