"""Cases of the law suite: scattering in all modes but `add`, which is in the suite itself."""

import numpy as np

import phi_tensor as math
from phi_tensor import channel
from phi_tensor.testing._laws import Case, Operand
from phi_tensor.testing._reference import Named

MODES = {
    "update": lambda start, met: met[-1],
    "mean": lambda start, met: np.mean(met),
    "min": lambda start, met: min(start, *met),
    "max": lambda start, met: max(start, *met),
    "prod": lambda start, met: start * np.prod(met),
    "any": lambda start, met: start or any(met),
    "all": lambda start, met: start and all(met),
}
"""What a place holds after values have met there."""


def scattered(mode, base, i, j, values):
    """Values `(b, p)` at positions i `(b, p)` and j `(p)` along x and y of the base `(b, x, y)`."""
    batch = tuple(d for d in ("b",) if d in base.dims)
    result = base.ordered((*batch, "x", "y")).astype(float if mode == "mean" else base.array.dtype)
    met = {}
    for at in np.ndindex(result.shape[: len(batch)]):
        for p in range(j.array.size):
            place = (*at, i.ordered((*batch, "p"))[(*at, p)], j.array[p])
            met.setdefault(place, []).append(values.ordered((*batch, "p"))[(*at, p)])
    for place, entries in met.items():
        result[place] = MODES[mode](result[place], entries)
    return Named((*batch, "x", "y"), result)


def case(mode):
    kind = "bool" if mode in ("any", "all") else "float"
    index = (Operand("b,p", "int", (0, 2)), Operand("p", "int", (0, 2)))

    def call(n, a, i, j, v):
        at = math.stack(dict(zip(n.all("x,y"), (i, j), strict=True)), channel("index"), expand_values=True)
        return math.scatter(a, at, v, mode)

    return Case(
        f"scatter_{mode}",
        (Operand("b,x,y", kind), *index, Operand("b,p", kind)),
        call,
        lambda *arrays: scattered(mode, *arrays),
        smooth=kind == "float",
    )


CASES = [case(mode) for mode in MODES]
