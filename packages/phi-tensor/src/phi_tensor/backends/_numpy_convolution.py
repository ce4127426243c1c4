"""Convolutions in NumPy, channels last: products of matrices, or Fourier transforms for large kernels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from phi_tensor.backends._convolution import Convolution, Convolve, by_products, forward, padded

Array = npt.NDArray[Any]

LARGE = 400
"""Entries of kernels per input channel from which Fourier transforms are faster (measured on 64² to 256²)."""


def convolution(ops: Mapping[str, Callable[..., Any]]) -> Convolve:
    """Convolution of any number of axes."""
    products = by_products(ops)

    def convolve(x: Array, kernel: Array, c: Convolution) -> Array:
        rank = len(c.strides)
        size = kernel.shape[:rank]
        if rank == 0 or 0 in size or 0 in x.shape:
            return products(x, kernel, c)
        x, kernel, c = forward(ops, x, kernel, c)
        x = padded(ops, x, c.padding)
        fits = prod(size) >= LARGE and x.dtype.kind in "fc" and max(c.strides) == 1
        return (_by_transforms if fits else _by_windows)(x, kernel, c)

    return convolve


def _by_windows(x: Array, kernel: Array, c: Convolution) -> Array:
    """One product of matrices: of all windows, which are copied side by side, with the kernel."""
    rank = len(c.strides)
    size, outputs = kernel.shape[:rank], kernel.shape[-1] // c.groups
    extents = tuple(r + 1 for r in c.reach(size))
    views = np.lib.stride_tricks.sliding_window_view(x, extents, tuple(range(1, rank + 1)))
    views = views[(slice(None), *(slice(None, None, s) for s in c.strides))]
    views = views[(..., *(slice(None, None, d) for d in c.dilations))]
    n, *results = views.shape[: rank + 1]
    inputs = x.shape[-1] // c.groups
    if inputs == 1 and prod(size) <= 64:
        return _by_sums(x, kernel, c, (n, *results))
    apart = views.reshape(n, *results, c.groups, inputs, *size)  # an axis that is split needs no copy
    behind = (0, *range(1, rank + 1), *range(rank + 3, 2 * rank + 3))
    rows = apart.transpose(rank + 1, *behind, rank + 2).reshape(c.groups, n * prod(results), -1)
    columns = kernel.reshape(-1, c.groups, outputs).transpose(1, 0, 2)
    y = rows[0] @ columns[0] if c.groups == 1 else (rows @ columns).transpose(1, 0, 2)
    return y.reshape(n, *results, c.groups * outputs)


def _by_sums(x: Array, kernel: Array, c: Convolution, results: tuple[int, ...]) -> Array:
    """Sum over the kernel's entries: for one input channel nothing is copied."""
    rank = len(c.strides)
    outputs = kernel.shape[-1] // c.groups
    total = np.zeros((*results, c.groups, outputs), x.dtype)
    for place in np.ndindex(kernel.shape[:rank]):
        columns = zip(place, c.strides, c.dilations, results[1:], strict=True)
        window = x[(slice(None), *(slice(k * d, k * d + (m - 1) * s + 1, s) for k, s, d, m in columns))]
        total += window[..., None] * kernel[place][0].reshape(c.groups, outputs)
    return total.reshape(*results, c.groups * outputs)


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
