"""Traced operands of rows that look at neighbours in grids: padding, differences, convolution.

Each is written with shifts of the traced tensor. Constants outside concern the bias alone, which the ordinary
row pads.
"""

from __future__ import annotations

from itertools import product
from typing import Any, cast

import numpy as np

from phi_tensor._dim import Dim
from phi_tensor._extrapolation_resolved import PerComponent
from phi_tensor._padding import ABSENT, CONSTANT_RANK, Kind
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._layout import Parts
from phi_tensor.linear._affine_elementwise import is_traced
from phi_tensor.linear._affine_plan import (
    Call,
    by_entries,
    entries,
    handler,
    side_by_side,
    splitter,
    untraceable,
)
from phi_tensor.linear._terms import along, bias_of, positions, terms_of, without_bias, zeros_of
from phi_tensor.ops import _table as table

Widths = tuple[tuple[str, int, int], ...]


def with_bias(call: Call, linear: Tensor, constants: tuple[Any, ...]) -> Tensor:
    """`linear` plus what the row makes of the bias and the constants outside."""
    x = call.operands[0]
    nothing = all(isinstance(c, (int, float, complex)) and c == 0 for c in constants)
    if terms_of(x).bias is None and nothing:
        return linear
    return table.ADD(linear, call.again(bias_of(x), *call.operands[1:]))


# --- padding


@splitter("pad")
def pad_parts(call: Call) -> Tensor | None:
    """Part by part, unless the dim of the parts is padded."""
    x, *_ = call.operands
    if not isinstance(x.layout, Parts) or isinstance(call.parameters["sides"], PerComponent):
        return None if not isinstance(x.layout, Parts) else pad_each(call)
    name = x.layout.dim.name
    return None if any(name == n for n, *_ in call.parameters["widths"]) else by_entries(call, name)


def pad_each(call: Call) -> Tensor:
    """Padding of components that have their own rules."""
    dim, sides = call.parameters["sides"]
    x = call.operands[0]
    parts: list[Tensor] = []
    for i, part in enumerate(entries(x, dim)):
        constants = [
            c.sliced(((dim, i),)) if isinstance(c, Tensor) and dim in c.shape else c
            for c in call.operands[1:]
        ]
        parts.append(table.PAD(part, *constants, widths=call.parameters["widths"], sides=sides[i]))
    return side_by_side(parts, x.shape.get_dim(dim))


@handler("pad")
def pad(call: Call) -> Tensor:
    """Copies of inner values, by rule; constants outside go to the bias."""
    sides = call.parameters["sides"]
    if isinstance(sides, PerComponent):
        return pad_each(call)
    x, *constants = call.operands
    if any(is_traced(c) for c in constants):
        raise untraceable(call.row, "values outside depend on the unknown. ")
    linear = padded(without_bias(x), call.parameters["widths"], sides)
    return with_bias(call, linear, tuple(constants))


def padded(x: Tensor, widths: Widths, sides: Any) -> Tensor:
    """A traced tensor without bias with more or fewer entries; constants outside count as 0."""
    todo = {
        name: (min(low, 0) if a is ABSENT else low, min(up, 0) if b is ABSENT else up, a, b)
        for (name, low, up), (a, b) in zip(widths, sides, strict=True)
    }
    for name, (low, up, *_) in todo.items():
        if max(low, up) <= 0:
            x = _cropped(x, name, low, up)
    start = dict.fromkeys(todo, 0)
    inner = {name: cast("int", x.shape.get_size(name)) for name in todo}
    ranks = {_rank(s) for low, up, a, b in todo.values() for w, s in ((low, a), (up, b)) if w > 0}
    for rank in sorted(ranks):
        for name, (low, up, a, b) in todo.items():
            below = low if _rank(a) == rank and low > 0 else 0
            above = up if _rank(b) == rank and up > 0 else 0
            if below or above:
                x = _grown(x, name, inner[name], start[name], (a, below), (b, above))
                start[name] += below
    for name, (low, up, *_) in todo.items():
        if max(low, up) > 0:
            x = _cropped(x, name, min(low, 0), min(up, 0))
    return x


def _rank(side: Any) -> int:
    return side.rank if isinstance(side, Kind) else CONSTANT_RANK


def _cropped(x: Tensor, name: str, low: int, up: int) -> Tensor:
    if not (low or up):
        return x
    size = cast("int", x.shape.get_size(name))
    return x.sliced(((name, (slice, -low, size + up, None)),))


def _grown(
    x: Tensor, name: str, n: int, start: int, lower: tuple[Any, int], upper: tuple[Any, int]
) -> Tensor:
    """One dim with more entries on both sides: places and weights of the copied values."""
    dim, size = x.shape.get_dim(name), cast("int", x.shape.get_size(name))
    pieces = [_outside(lower, np.arange(-lower[1], 0), n), _outside(upper, np.arange(n, n + upper[1]), n)]
    middle = [np.arange(size) - start, np.ones(size, int), np.zeros(size, int), np.zeros(size, int)]
    at, weight, first, last = (
        np.concatenate(columns) for columns in zip(pieces[0], middle, pieces[1], strict=True)
    )
    result = _weighted(look_up(x, name, at + start), dim, weight)
    for place, weights in ((start, first), (start + n - 1, last)):
        if weights.any():
            copies = look_up(x, name, np.full(len(weights), place))
            result = table.ADD(result, _weighted(copies, dim, weights))
    return result


def _outside(side: tuple[Any, int], at: Any, n: int) -> list[Any]:
    """`(index, weight, weight of the first value, weight of the last)` for places outside."""
    kind, zero = side[0], np.zeros_like(at)
    if not isinstance(kind, Kind):
        return [np.clip(at, 0, max(n - 1, 0)), zero, zero, zero]
    index, weight = kind.index(at, n)
    return [index, weight, *(kind.offset(at, n) if kind.offset else (zero, zero))]


def look_up(x: Tensor, name: str, at: Any) -> Tensor:
    """Entries at fixed positions along a dim, which loses its labels."""
    return table.TAKE(x, positions(x.shape.get_dim(name), at), name=name)


def _weighted(x: Tensor, dim: Dim, weights: Any) -> Tensor:
    if (np.asarray(weights) == 1).all():
        return x
    new = dim.with_size(len(weights))
    return table.MULTIPLY(x, along(new, weights, Shape.of((new,)), x.dtype))


# --- differences


@splitter("stencil")
def stencil_parts(call: Call) -> Tensor | None:
    """Part by part, unless neighbours are parts; cell sizes stay whole."""
    x = call.operands[0]
    if isinstance(call.parameters["sides"], PerComponent):
        return stencil_each(call)
    if isinstance(x.layout, Parts) and x.layout.dim.name not in call.parameters["names"]:
        return by_entries(call, x.layout.dim.name, (1,))
    return None


def stencil_each(call: Call) -> Tensor:
    """Differences of components that have their own rules outside."""
    dim, sides = call.parameters["sides"]
    x, dx, *outside = call.operands
    parts: list[Tensor] = []
    for i, part in enumerate(entries(x, dim)):
        constants = [
            c.sliced(((dim, i),)) if isinstance(c, Tensor) and dim in c.shape else c for c in outside
        ]
        parts.append(call.row(part, dx, *constants, **{**call.parameters, "sides": sides[i]}))
    return side_by_side(parts, x.shape.get_dim(dim))


@handler("stencil")
def stencil(call: Call) -> Tensor:
    """Padded along each dim, then slices are subtracted."""
    if isinstance(call.parameters["sides"], PerComponent):
        return stencil_each(call)
    x, dx, *constants = call.operands
    if any(is_traced(c) for c in constants):
        raise untraceable(call.row, "values outside depend on the unknown. ")
    names, sides, dim = (call.parameters[key] for key in ("names", "sides", "dim"))
    linear = without_bias(x)
    parts = [
        _divided(_difference(call, linear, name, sides[i] if sides else None), dx, name, names, call)
        for i, name in enumerate(names)
    ]
    if call.row is table.LAPLACE:
        total = parts[0]
        for part in parts[1:]:
            total = table.ADD(total, part)
    else:
        total = parts[0] if dim is None else side_by_side(parts, dim)
    return with_bias(call, total, tuple(constants))


def _difference(call: Call, x: Tensor, name: str, pair: Any) -> Tensor:
    """The undivided difference, per cell, along one dim."""
    low, up = -call.parameters["offsets"][0], call.parameters["offsets"][1]
    size = x.shape.get_size(name)
    pair = pair or (ABSENT, ABSENT)
    around = [0 if side is ABSENT or not size else width for side, width in zip(pair, (low, up), strict=True)]
    grown = padded(x, ((name, around[0], around[1]),), (pair,))
    reach = low + up
    size = cast("int", grown.shape.get_size(name)) - reach if size else 0
    first, middle, last = (
        grown.sliced(((name, (slice, start, start + size, None)),)) for start in (0, 1, reach)
    )
    if call.row is table.LAPLACE:
        return table.SUBTRACT(table.ADD(first, last), table.MULTIPLY(middle, 2))
    difference: Tensor = table.SUBTRACT(last, first)
    return difference if reach == 1 else table.MULTIPLY(difference, 1 / reach)


def _divided(x: Tensor, dx: Any, name: str, names: tuple[str, ...], call: Call) -> Tensor:
    power = 2 if call.row is table.LAPLACE else 1
    if not isinstance(dx, Tensor):
        return x if dx == 1 else table.MULTIPLY(x, 1 / dx**power)
    split = next((d.name for d in dx.shape.channel.dims if d.labels and set(names) <= set(d.labels)), None)
    step = dx if split is None else dx[{split: name}]
    return table.DIVIDE(x, table.SQUARE(step) if power == 2 else step)


# --- convolution


@splitter("convolution")
def convolve_parts(call: Call) -> Tensor | None:
    """Part by part where sizes vary, else joined."""
    x, kernel = call.operands
    ragged = next((p for p in (x, kernel) if not p.shape.is_uniform), None)
    return None if ragged is None else by_entries(call, ragged.layout.dim.name)


@handler("convolution")
def convolution(call: Call) -> Tensor:
    """One weighted copy per entry of the kernel."""
    x, kernel = call.operands
    if is_traced(kernel):
        raise untraceable(call.row, "the kernel depends on the unknown. ")
    windows, transposed = call.parameters["windows"], call.parameters["transposed"]
    linear = without_bias(x)
    total: Tensor | None = None
    for taps in product(*(range(cast("int", kernel.shape.get_size(w.name))) for w in windows)):
        part = linear
        for w, tap in zip(windows, taps, strict=True):
            size = cast("int", call.expected.shape.get_size(w.name))
            part = _window(part, w, tap, size, transposed)
        weight = kernel.sliced(tuple((w.name, tap) for w, tap in zip(windows, taps, strict=True)))
        pairs = tuple((name, _contracted(x.shape, name)) for name in kernel.shape.dual.names)
        part = table.MATMUL(weight, part, pairs=pairs) if pairs else table.MULTIPLY(part, weight)
        total = part if total is None else table.ADD(total, part)
    if total is None:
        return zeros_of(call.expected.shape, call.expected.dtype)
    return with_bias(call, total, ())


def _contracted(shape: Shape, dual: str) -> str:
    return dual if dual in shape else dual.lstrip("~")


def _window(x: Tensor, window: Any, tap: int, size: int, transposed: bool) -> Tensor:
    """What one entry of the kernel weighs, for each result along one dim."""
    dim, n = x.shape.get_dim(window.name), cast("int", x.shape.get_size(window.name))
    at = np.arange(size)
    if transposed:
        shifted = at + window.low - tap * window.dilation
        at, rest = np.divmod(shifted, window.stride)
        inside = (rest == 0) & (at >= 0) & (at < n)
    else:
        at = at * window.stride + tap * window.dilation - window.low
        inside = (at >= 0) & (at < n)
    return _weighted(look_up(x, window.name, np.clip(at, 0, n - 1)), dim, inside)
