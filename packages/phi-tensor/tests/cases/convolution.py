"""Cases of the law suite: convolutions, and sliding windows."""

import numpy as np

import phi_tensor as math
from phi_tensor import channel
from phi_tensor.testing import _reference as ref
from phi_tensor.testing._laws import Case, Operand
from phi_tensor.testing._reference import Named


def contracted(a, w):
    """Along x, summed over y and ~y."""
    size = w.sizes()["x"]
    wide = ref.pad(a, {"x": (size // 2, size - 1 - size // 2)}, "constant")
    terms = [
        ref.matmul(
            ref.select(wide, {"x": slice(k, k + a.sizes()["x"])}), ref.select(w, {"x": k}), [("y", "~y")]
        )
        for k in range(size)
    ]
    return total(terms)


def of_each_batch(a, w):
    """Along y, wherever both overlap, with strides of two; w may vary along b."""
    size = w.sizes()["y"]
    wide = ref.pad(a, {"y": (size - 1, size - 1)}, "constant")
    count = a.sizes()["y"] + size - 1
    terms = [
        ref.apply(np.multiply, ref.select(wide, {"y": slice(k, k + count)}), ref.select(w, {"y": k}))
        for k in range(size)
    ]
    return ref.select(total(terms), {"y": slice(None, None, 2)})


def transposed(a, w):
    """Each entry of a times w, added around place (2x, 2y)."""
    rest = tuple(d for d in a.dims if d not in ("x", "y"))
    values, kernel = a.ordered((*rest, "x", "y")), w.ordered(("x", "y"))
    n, m = (2 * size for size in values.shape[-2:])
    wide = np.zeros((*values.shape[:-2], n + kernel.shape[0], m + kernel.shape[1]), values.dtype)
    for i, j in np.ndindex(kernel.shape):
        wide[..., i : i + n : 2, j : j + m : 2] += values * kernel[i, j]
    low = [size // 2 for size in kernel.shape]
    return Named((*rest, "x", "y"), wide[..., low[0] : low[0] + n, low[1] : low[1] + m])


def total(terms):
    return ref.apply(lambda *xs: sum(xs[1:], xs[0]), *terms)


def windows(a):
    wide = ref.pad(a, {"y": (1, 1)}, "edge")
    return ref.stack([ref.select(wide, {"y": slice(k, k + a.sizes()["y"], 2)}) for k in range(3)], "w")


def folded(a):
    rest = tuple(d for d in a.dims if d not in ("x", "y"))
    values = a.ordered((*rest, "x", "y"))
    n, m = values.shape[-2:]
    result = np.zeros((*values.shape[:-2], 2 * (n - 1) + m))
    for i, j in np.ndindex(n, m):
        result[..., 2 * i + j] += values[..., i, j]
    return Named((*rest, "x"), result)


CASES = [
    Case(
        "convolve",
        (Operand("b,x,y"), Operand("x,~y,p")),
        lambda n, a, w: math.convolve(a, w),
        contracted,
        "contracted",
    ),
    Case(
        "convolve",
        (Operand("b,x,y"), Operand("y,b")),
        lambda n, a, w: math.convolve(a, w, "full", strides=2),
        of_each_batch,
        "kernel per entry",
    ),
    Case(
        "convolve",
        (Operand("b,x,y"), Operand("y,x")),
        lambda n, a, w: math.convolve(a, w, strides=2, transpose=True),
        transposed,
        "transposed",
    ),
    Case(
        "unfold",
        (Operand("b,x,y"),),
        lambda n, a: math.unfold(a, n("y"), channel(w=3), 2, "zero-gradient"),
        windows,
    ),
    Case(
        "fold", (Operand("b,x,y"),), lambda n, a: math.fold(a, n("x"), n("y"), 2), folded, layouts=("dense",)
    ),
]
