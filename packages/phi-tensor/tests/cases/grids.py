"""Cases of the law suite: splines and resampling in grids."""

import numpy as np

import phi_tensor as math
from phi_tensor import channel
from phi_tensor.testing import _reference as ref
from phi_tensor.testing._laws import Case, Operand

A = Operand("b,x,y")


def catmull_rom(a, i, j):
    """Four samples along x and y, at most one cell outside of a grid that continues as its edges."""
    padded = ref.pad(a, {"x": (3, 3), "y": (3, 3)}, "edge")
    low = [ref.apply(lambda c: np.floor(c).astype(int), c) for c in (i, j)]
    parts = [ref.apply(lambda c: c - np.floor(c), c) for c in (i, j)]
    weights = [
        lambda t: (-t + 2 * t**2 - t**3) / 2,
        lambda t: (2 - 5 * t**2 + 3 * t**3) / 2,
        lambda t: (t + 4 * t**2 - 3 * t**3) / 2,
        lambda t: (-(t**2) + t**3) / 2,
    ]
    shared = tuple(d for d in ("b",) if d in i.dims)
    result = None
    for k, m in np.ndindex(4, 4):
        at = ref.stack(
            [ref.apply(lambda c, o=o: c + o + 2, c) for c, o in zip(low, (k, m), strict=True)], "i"
        )
        at = ref.expand(at, {d: i.sizes()[d] for d in shared})
        value = ref.gather(padded, at, ("x", "y"), "i", shared)
        term = ref.apply(
            lambda v, s, t, k=k, m=m: v * weights[k](s) * weights[m](t), value, parts[0], parts[1]
        )
        result = term if result is None else ref.apply(np.add, result, term)
    return result


def points(n, i, j):
    return math.stack(dict(zip(n.all("x,y"), (i, j), strict=True)), channel("index"), expand_values=True)


def doubled(a):
    wide = ref.pad(a, {"y": (1, 1)}, "wrap")
    size = a.sizes()["y"]
    below, middle, above = (ref.select(wide, {"y": slice(k, k + size)}) for k in range(3))
    halves = [ref.apply(lambda c, o: 0.75 * c + 0.25 * o, middle, other) for other in (below, above)]
    return ref.pack(ref.stack(halves, "h"), ("y", "h"), "y")


def at_largest(a, keys):
    def pick(v, k):
        return [ref.select(q, {"y": s}) for q in (v, k) for s in (slice(None, -1), slice(1, None))]

    return ref.apply(lambda v, w, k, m: np.where(m > k, w, v), *pick(a, keys))


def filled(a, mask):
    """The mean of valid neighbours in the 3 by 3 cells around."""
    valid = ref.apply(lambda m, v: m & (v == v), mask, a)
    numbers = ref.apply(lambda v, m: np.where(m, v, 0), a, valid)

    def box(x):
        wide = ref.pad(x, {"x": (1, 1), "y": (1, 1)}, "constant")
        n, m = x.sizes()["x"], x.sizes()["y"]
        parts = [
            ref.select(wide, {"x": slice(k, k + n), "y": slice(j, j + m)}) for k in range(3) for j in range(3)
        ]
        return ref.apply(lambda *xs: sum(x.astype(float) for x in xs), *parts)

    return ref.apply(
        lambda v, m, s, c: np.where(m, v, np.where(c > 0, s / np.maximum(c, 1), v)),
        a,
        valid,
        box(numbers),
        box(valid),
    )


CASES = [
    Case(
        "grid_sample",
        (A, Operand("b,p", domain=(-0.9, 0.9)), Operand("p", domain=(0.1, 2.4))),
        lambda n, a, i, j: math.grid_sample(a, points(n, i, j), "zero-gradient", "cubic"),
        catmull_rom,
        "cubic",
    ),
    Case("upsample2x", (A,), lambda n, a: math.upsample2x(a, "periodic", n("y")), doubled),
    Case(
        "at_max_neighbor",
        (A, Operand("b,y")),
        lambda n, a, k: math.at_max_neighbor(a, k, n("y")),
        at_largest,
        layouts=("dense",),
    ),
    Case(
        "masked_fill",
        (A, Operand("b,x,y", "bool")),
        lambda n, a, m: math.masked_fill(a, m)[0],
        filled,
        layouts=("dense",),
    ),
]
