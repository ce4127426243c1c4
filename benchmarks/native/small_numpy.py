"""Eager NumPy: arithmetic, reductions, slices, spatial gradient, bilinear sampling."""

import numpy as np
from scipy import ndimage

from . import data


def arithmetic(name: str):
    a, b = data.grids()
    row = b[:, 0].copy()
    return {
        "same": lambda: lambda: a + b,
        "missing": lambda: lambda: a + row[:, None],
        "transposed": lambda: lambda: a + b.T,
        "sum": lambda: lambda: a.sum(0),
        "reduce": lambda: lambda: np.add.reduce(a, 0),
    }[name]


def slices(name: str):
    (a, b), v = data.grids(), data.vectors()
    return {
        "range": lambda: lambda: a[1:-1],
        "component": lambda: lambda: v[..., 0],
        "stack": lambda: lambda: np.stack([a, b]),
        "copy": lambda: lambda: np.array([a, b]),
        "concat": lambda: lambda: np.concatenate([a, b]),
    }[name]


def gradient_by_padding(mode: str):
    a, _ = data.grids()

    def gradient() -> np.ndarray:
        p = np.pad(a, 1, mode=mode)
        return np.stack([p[2:, 1:-1] - p[:-2, 1:-1], p[1:-1, 2:] - p[1:-1, :-2]]) * np.float32(0.5)

    return gradient


def gradient_in_place(mode: str):
    a, _ = data.grids()
    first, last = (a[-1:], a[:1]) if mode == "wrap" else (a[:1], a[-1:])
    left, right = (-1, 0) if mode == "wrap" else (0, -1)

    def gradient() -> np.ndarray:
        out = np.empty((2, 8, 8), np.float32)
        x, y = out
        np.subtract(a[2:], a[:-2], out=x[1:-1])
        np.subtract(a[1:2], first, out=x[:1])
        np.subtract(last, a[-2:-1], out=x[-1:])
        np.subtract(a[:, 2:], a[:, :-2], out=y[:, 1:-1])
        np.subtract(a[:, 1], a[:, left], out=y[:, 0])
        np.subtract(a[:, right], a[:, -2], out=y[:, -1])
        out *= np.float32(0.5)
        return out

    return gradient


def sampling_by_scipy():
    (a, _), points = data.grids(64), np.ascontiguousarray(np.moveaxis(data.coordinates(64), -1, 0))
    return lambda: ndimage.map_coordinates(a, points, order=1, mode="nearest")


def sampling_by_take():
    (a, _), points = data.grids(64), data.coordinates(64)
    upper = np.float32(63)

    def sample() -> np.ndarray:
        position = np.clip(points, np.float32(0), upper)
        cell = np.minimum(position.astype(np.int32), 62)
        weight = position - cell
        fx, fy = weight[..., 0], weight[..., 1]
        corner = cell[..., 0] * 64 + cell[..., 1]
        flat = a.ravel()
        low = flat.take(corner)
        low += fy * (flat.take(corner + 1) - low)
        corner += 64
        high = flat.take(corner)
        corner += 1
        high += fy * (flat.take(corner) - high)
        high -= low
        high *= fx
        high += low
        return high

    return sample


TASKS = {
    "add same dims": {"plus": arithmetic("same")},
    "add missing dim": {"plus": arithmetic("missing")},
    "add transposed dim": {"plus": arithmetic("transposed")},
    "sum one dim": {"method": arithmetic("sum"), "reduce": arithmetic("reduce")},
    "slice range": {"index": slices("range")},
    "slice component": {"index": slices("component")},
    "stack": {"stack": slices("stack"), "array": slices("copy")},
    "concat": {"concatenate": slices("concat")},
    "gradient periodic": {
        "padding": lambda: gradient_by_padding("wrap"),
        "in place": lambda: gradient_in_place("wrap"),
    },
    "gradient zero-gradient": {
        "padding": lambda: gradient_by_padding("edge"),
        "in place": lambda: gradient_in_place("edge"),
    },
    "sampling 64": {"scipy": sampling_by_scipy, "take": sampling_by_take},
}
