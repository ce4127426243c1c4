"""Convolutions of native arrays: what a backend is asked for, and how any library computes it by products."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from math import prod
from typing import Any, NamedTuple

Native = Any


class Convolution(NamedTuple):
    """One convolution but for its arrays.

    Channels last, x is `(n, *sizes, groups · inputs)`, w `(*kernel, inputs, groups · outputs)` and the result
    `(n, *sizes, groups · outputs)`; channels first, `(n, groups · inputs, *sizes)`, `(groups · outputs,
    inputs, *kernel)` and `(n, groups · outputs, *sizes)`.

    | | |
    | --- | --- |
    | forward | yᵢ = Σₖ wₖ xⱼ with j = stride · i + dilation · k − lower |
    | transposed | yⱼ = Σₖ wₖ xᵢ over the same triples; zeros where there are none |

    Attributes:
        strides: Per axis.
        dilations: Distance of the kernel's entries per axis.
        padding: Zeros below and above per axis; transposed: entries that are left out there.
        groups: Number of groups of channels, which do not mix.
        transposed: Which of the two.
    """

    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    groups: int
    transposed: bool

    def reach(self, kernel: tuple[int, ...]) -> tuple[int, ...]:
        """Distance of the first and the last entry of a kernel per axis."""
        return tuple((k - 1) * d for k, d in zip(kernel, self.dilations, strict=True))

    def result(self, sizes: tuple[int, ...], kernel: tuple[int, ...]) -> tuple[int, ...]:
        """Sizes of the result's axes, below 1 where the kernel does not fit."""
        columns = zip(sizes, self.strides, self.reach(kernel), self.padding, strict=True)
        if self.transposed:
            return tuple((n - 1) * s + 1 + r - low - up for n, s, r, (low, up) in columns)
        return tuple((n + low + up - r - 1) // s + 1 for n, s, r, (low, up) in columns)

    def forward(self, kernel: tuple[int, ...]) -> Convolution:
        """The convolution of x with zeros between its entries and the reversed kernel that equals this."""
        widths = zip(self.reach(kernel), self.padding, strict=True)
        padding = tuple((r - low, r - up) for r, (low, up) in widths)
        return self._replace(strides=(1,) * len(self.strides), padding=padding, transposed=False)


Convolve = Callable[[Native, Native, Convolution], Native]


def by_products(ops: Mapping[str, Callable[..., Any]]) -> Convolve:
    """Convolution, channels last, as one product of matrices: of all windows with the kernel.

    Single channels are sums over the kernel's entries.

    For any number of axes and any numbers that the library multiplies.
    """
    reshape, permute, concat, matmul = (ops[k] for k in ("reshape", "permute", "concat", "matmul"))

    def convolve(x: Native, kernel: Native, c: Convolution) -> Native:
        rank, groups = len(c.strides), c.groups
        size, inputs, outputs = tuple(kernel.shape)[:rank], kernel.shape[rank], kernel.shape[-1] // groups
        x, kernel, c = forward(ops, x, kernel, c)
        x = padded(ops, x, c.padding)
        if any(n == 0 for n in size):
            size, kernel = (1,) * rank, ops["pad_constant"](kernel, _ones(kernel.shape, rank), 0)
        results = c._replace(padding=((0, 0),) * rank).result(tuple(x.shape)[1 : 1 + rank], size)
        if is_single(kernel, c):
            return _summed(ops, x, kernel, c, size, results)
        count = int(x.shape[0]) * prod(results)
        windows = [reshape(w, (count, groups, inputs)) for w in _windows(ops, x, c, size, results)]
        rows = concat(windows, 2)
        length = prod(size) * inputs
        if groups == 1:
            y = matmul(reshape(rows, (count, length)), reshape(kernel, (length, outputs)))
        else:
            columns = permute(reshape(kernel, (length, groups, outputs)), (1, 0, 2))
            y = permute(matmul(permute(rows, (1, 0, 2)), columns), (1, 0, 2))
        return reshape(y, (int(x.shape[0]), *results, groups * outputs))

    return convolve


MOST_TERMS = 64
"""Largest kernel whose entries are written out."""


def is_single(kernel: Native, c: Convolution) -> bool:
    """Whether each group has one input and one output, and few entries: products would only move numbers."""
    *size, inputs, outputs = (int(n) for n in kernel.shape)
    return inputs == 1 and outputs == c.groups and 0 < prod(size) <= MOST_TERMS


def _summed(
    ops: Any, x: Native, kernel: Native, c: Convolution, size: tuple[int, ...], results: tuple[int, ...]
) -> Native:
    """Sum over the kernel's entries, which compilers fuse into one loop."""
    multiply, add, total = ops["multiply"], ops["add"], None
    for place, window in zip(product(*map(range, size)), _windows(ops, x, c, size, results), strict=True):
        term = multiply(window, ops["getitem"](kernel, (*place, 0)))
        total = term if total is None else add(total, term)
    return total


def _ones(shape: Any, rank: int) -> tuple[tuple[int, int], ...]:
    return tuple((0, 1 if axis < rank and n == 0 else 0) for axis, n in enumerate(shape))


def _windows(ops: Any, x: Native, c: Convolution, size: tuple[int, ...], results: tuple[int, ...]) -> Any:
    for place in product(*map(range, size)):
        columns = zip(place, c.strides, c.dilations, results, strict=True)
        slices = [slice(k * d, k * d + (m - 1) * s + 1 if m else k * d, s) for k, s, d, m in columns]
        yield ops["getitem"](x, (slice(None), *slices))


def forward(
    ops: Mapping[str, Callable[..., Any]], x: Native, kernel: Native, c: Convolution
) -> tuple[Native, Native, Convolution]:
    """A transposed convolution, channels last, as one of x with zeros between its entries."""
    if not c.transposed:
        return x, kernel, c
    rank = len(c.strides)
    if rank:
        kernel = ops["flip"](kernel, tuple(range(rank)))
    for axis, stride in enumerate(c.strides, 1):
        x = spread(ops, x, axis, stride)
    return x, kernel, c.forward(tuple(kernel.shape)[:rank])


def spread(ops: Mapping[str, Callable[..., Any]], x: Native, axis: int, stride: int) -> Native:
    """`x` with `stride - 1` zeros between the entries along one axis."""
    sizes = tuple(int(n) for n in x.shape)
    if stride == 1 or sizes[axis] < 2:
        return x
    apart = ops["reshape"](x, (*sizes[: axis + 1], 1, *sizes[axis + 1 :]))
    widths = tuple((0, stride - 1 if a == axis + 1 else 0) for a in range(len(sizes) + 1))
    filled = ops["pad_constant"](apart, widths, 0)
    whole = ops["reshape"](filled, (*sizes[:axis], sizes[axis] * stride, *sizes[axis + 1 :]))
    return ops["getitem"](whole, (*[slice(None)] * axis, slice(0, (sizes[axis] - 1) * stride + 1)))


def padded(
    ops: Mapping[str, Callable[..., Any]], x: Native, padding: tuple[tuple[int, int], ...], first: int = 1
) -> Native:
    """`x` with zeros around the axes from `first` on; negative widths crop."""
    if any(low < 0 or up < 0 for low, up in padding):
        sizes = tuple(x.shape)[first:]
        crop = [slice(max(-low, 0), n + min(up, 0)) for n, (low, up) in zip(sizes, padding, strict=False)]
        x = ops["getitem"](x, (*[slice(None)] * first, *crop))
    if any(low > 0 or up > 0 for low, up in padding):
        behind = len(x.shape) - first - len(padding)
        widths = [(max(low, 0), max(up, 0)) for low, up in padding]
        x = ops["pad_constant"](x, (*[(0, 0)] * first, *widths, *[(0, 0)] * behind), 0)
    return x


MOST_GROUPS = 16
"""Most groups that are convolved one by one."""


def each_group(
    ops: Mapping[str, Callable[..., Any]], convolve: Convolve, x: Native, kernel: Native, c: Convolution
) -> Native:
    """Convolution, channels last, of each group by itself."""
    one, getitem = c._replace(groups=1), ops["getitem"]
    inputs, outputs = int(kernel.shape[-2]), int(kernel.shape[-1]) // c.groups
    before: tuple[slice, ...] = (slice(None),) * (len(x.shape) - 1)
    parts = [
        convolve(
            getitem(x, (*before, slice(i * inputs, (i + 1) * inputs))),
            getitem(kernel, (*before, slice(i * outputs, (i + 1) * outputs))),
            one,
        )
        for i in range(c.groups)
    ]
    return ops["concat"](parts, len(x.shape) - 1)
