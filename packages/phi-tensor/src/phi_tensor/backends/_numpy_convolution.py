"""Convolutions in NumPy, channels last: products of matrices, or Fourier transforms for large kernels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from phi_tensor.backends._convolution import Convolution, Convolve, by_products, forward, padded

Array = npt.NDArray[Any]


def convolution(ops: Mapping[str, Callable[..., Any]]) -> Convolve:
    """Convolution of any number of axes."""
    products = by_products(ops)

    def convolve(x: Array, kernel: Array, c: Convolution) -> Array:
        small = _small(x.shape, kernel.shape, c)
        if small is not None:
            return small(x, kernel)
        rank = len(c.strides)
        size = kernel.shape[:rank]
        if rank == 0 or 0 in size or 0 in x.shape:
            return products(x, kernel, c)
        x, kernel, c = forward(ops, x, kernel, c)
        results = (x.shape[0], *c.result(x.shape[1:-1], size))
        x = padded(ops, x, c.padding)
        if _is_large(x, kernel, c):
            return _by_transforms(x, kernel, c)
        single = kernel.shape[-2] == 1 and kernel.shape[-1] == c.groups
        return (_by_sums if single else _by_windows)(x, kernel, c, results)

    return convolve


MOST_COPIED = 1 << 13
"""Most numbers in windows for which one product of matrices is faster than a sum over kernel entries."""


@lru_cache(1024)
def _small(
    shape: tuple[int, ...], kernel: tuple[int, ...], c: Convolution
) -> Callable[[Array, Array], Array] | None:
    """Function for one channel and few numbers, where Python's time counts: one product with windows."""
    rank = len(c.strides)
    size = kernel[:rank]
    if rank == 0 or c.transposed or kernel[rank:] != (1, 1) or 0 in size or 0 in shape:
        return None
    results = c.result(shape[1:-1], size)
    count, entries = shape[0] * prod(results), prod(size)
    if min(results) < 1 or count * entries > MOST_COPIED or min(map(min, c.padding)) < 0:
        return None
    wide = (shape[0], *(low + n + up for n, (low, up) in zip(shape[1:-1], c.padding, strict=True)))
    inside = (slice(None), *(slice(low, low + n) for n, (low, _) in zip(shape[1:-1], c.padding, strict=True)))
    elements = [prod(wide[axis + 1 :]) for axis in range(rank + 1)]
    steps = (
        elements[0],
        *(e * s for e, s in zip(elements[1:], c.strides, strict=True)),
        *(e * d for e, d in zip(elements[1:], c.dilations, strict=True)),
    )
    views = (shape[0], *results, *size)

    def convolve(x: Array, weights: Array) -> Array:
        around = np.zeros(wide, x.dtype)
        around[inside] = x[..., 0]
        windows = np.ndarray(views, x.dtype, around, 0, [step * x.itemsize for step in steps])
        y = windows.reshape(count, entries) @ weights.reshape(entries)
        return y.reshape(shape[0], *results, 1)

    return convolve


def _is_large(x: Array, kernel: Array, c: Convolution) -> bool:
    """Whether Fourier transforms are faster (measured for 64² to 256²); they would spread a single NaN."""
    inputs, outputs = kernel.shape[-2], kernel.shape[-1] // c.groups
    worth = prod(kernel.shape[:-2]) >= 32 + inputs * outputs and max(c.strides) == 1
    return worth and x.dtype.kind in "fc" and bool(np.isfinite(x).all() and np.isfinite(kernel).all())


def _by_windows(x: Array, kernel: Array, c: Convolution, results: tuple[int, ...]) -> Array:
    """One product of matrices: of all windows, which are copied side by side, with the kernel."""
    rank = len(c.strides)
    size, inputs, outputs = kernel.shape[:rank], kernel.shape[rank], kernel.shape[-1] // c.groups
    extents = tuple(r + 1 for r in c.reach(size))
    views = np.lib.stride_tricks.sliding_window_view(x, extents, tuple(range(1, rank + 1)))
    views = views[(slice(None), *(slice(None, None, s) for s in c.strides))]
    views = views[(..., *(slice(None, None, d) for d in c.dilations))]
    apart = views.reshape(*results, c.groups, inputs, *size)  # an axis that is split needs no copy
    behind = (*range(rank + 1), *range(rank + 3, 2 * rank + 3))
    rows = apart.transpose(rank + 1, *behind, rank + 2).reshape(c.groups, prod(results), -1)
    columns = kernel.reshape(-1, c.groups, outputs).transpose(1, 0, 2)
    y = rows[0] @ columns[0] if c.groups == 1 else (rows @ columns).transpose(1, 0, 2)
    return y.reshape(*results, c.groups * outputs)


def _by_sums(x: Array, kernel: Array, c: Convolution, results: tuple[int, ...]) -> Array:
    """Sum over the kernel's entries: for single channels nothing is copied."""
    total = np.zeros((*results, c.groups), x.dtype)
    for place in np.ndindex(kernel.shape[: len(c.strides)]):
        columns = zip(place, c.strides, c.dilations, results[1:], strict=True)
        window = x[(slice(None), *(slice(k * d, k * d + (m - 1) * s + 1, s) for k, s, d, m in columns))]
        total += window * kernel[place][0]
    return total


def _by_transforms(x: Array, kernel: Array, c: Convolution) -> Array:
    """Product of Fourier transforms, summed over input channels."""
    from scipy import fft  # noqa: PLC0415 costs 150 ms

    rank = len(c.strides)
    axes = tuple(range(1, rank + 1))
    size = kernel.shape[:rank]
    inputs, outputs = kernel.shape[rank], kernel.shape[-1] // c.groups
    wide = np.zeros((*(r + 1 for r in c.reach(size)), *kernel.shape[rank:]), kernel.dtype)
    wide[tuple(slice(None, None, d) for d in c.dilations)] = kernel
    lengths = [fft.next_fast_len(n, x.dtype.kind == "f") for n in x.shape[1:-1]]
    transform, inverse = (fft.rfftn, fft.irfftn) if x.dtype.kind == "f" else (fft.fftn, fft.ifftn)
    spectrum = transform(x, lengths, axes)
    kernel_spectrum = transform(np.flip(wide, tuple(range(rank))), lengths, tuple(range(rank)))
    frequencies = spectrum.shape[1:-1]
    left = spectrum.reshape(x.shape[0], *frequencies, c.groups, inputs)
    right = kernel_spectrum.reshape(*frequencies, inputs, c.groups, outputs)
    product = np.einsum("n...gi,...igo->n...go", left, right)
    y = inverse(product.reshape(x.shape[0], *frequencies, c.groups * outputs), lengths, axes)
    inside = (slice(r, n) for r, n in zip(c.reach(size), x.shape[1:-1], strict=True))
    return y[(slice(None), *inside)].astype(x.dtype, copy=False)
