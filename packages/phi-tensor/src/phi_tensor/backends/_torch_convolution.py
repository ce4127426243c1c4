"""Convolutions by PyTorch, channels first. Strided views of channels-last arrays are taken as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import torch

from phi_tensor.backends._backend import Native
from phi_tensor.backends._convolution import Convolution, Convolve, by_products, padded

_FORWARD: dict[int, Callable[..., Native]] = {
    1: torch.nn.functional.conv1d,
    2: torch.nn.functional.conv2d,
    3: torch.nn.functional.conv3d,
}
_TRANSPOSED: dict[int, Callable[..., Native]] = {
    1: torch.nn.functional.conv_transpose1d,
    2: torch.nn.functional.conv_transpose2d,
    3: torch.nn.functional.conv_transpose3d,
}


def convolution(ops: Mapping[str, Callable[..., Any]]) -> Convolve:
    """Convolution, channels first: by the library for floats and complex numbers of 1 to 3 axes."""
    products = by_products(ops)

    def convolve(x: Native, kernel: Native, c: Convolution) -> Native:
        if len(c.strides) not in _FORWARD or not (x.is_floating_point() or x.is_complex()):
            last = products(x.movedim(1, -1), kernel.movedim((1, 0), (-2, -1)), c)
            return last.movedim(-1, 1)
        return (_transposed if c.transposed else _forward)(ops, x, kernel, c)

    return convolve


def _forward(ops: Mapping[str, Callable[..., Any]], x: Native, kernel: Native, c: Convolution) -> Native:
    native, both, rest = _on_both_sides(c)
    wide = x if rest is None else padded(ops, x, rest, 2)
    return native(wide, kernel, None, c.strides, both, c.dilations, c.groups)


@lru_cache(1024)
def _on_both_sides(c: Convolution) -> tuple[Callable[..., Native], tuple[int, ...], Any]:
    """Function, zeros on both sides alike, and what remains on one side or None."""
    both = tuple(max(0, min(low, up)) for low, up in c.padding)
    rest = tuple((low - b, up - b) for b, (low, up) in zip(both, c.padding, strict=True))
    return _FORWARD[len(both)], both, rest if any(pair != (0, 0) for pair in rest) else None


def _transposed(ops: Mapping[str, Callable[..., Any]], x: Native, kernel: Native, c: Convolution) -> Native:
    outputs, inputs, *size = kernel.shape
    grouped = kernel.reshape(c.groups, outputs // c.groups, inputs, *size).transpose(1, 2)
    weight = grouped.reshape(c.groups * inputs, outputs // c.groups, *size)
    # The library crops both sides alike and may then lengthen the upper one.
    both, longer = [], []
    for (low, up), s, d in zip(c.padding, c.strides, c.dilations, strict=True):
        fits = low >= 0 and 0 <= low - up < max(s, d)
        both.append(low if fits else 0)
        longer.append(low - up if fits else 0)
    native = _TRANSPOSED[len(both)]
    y = native(x, weight, None, c.strides, both, longer, c.groups, c.dilations)
    rest = tuple((b - low, b - o - up) for b, o, (low, up) in zip(both, longer, c.padding, strict=True))
    return padded(ops, y, rest, 2)
