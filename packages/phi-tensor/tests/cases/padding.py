"""Cases of the law suite: padding rules that continue a slope, one per dim."""

import numpy as np

import phi_tensor as math
from phi_tensor.testing import _reference as ref
from phi_tensor.testing._laws import Case, Operand


def continued(a):
    """Point reflection along x, straight lines below y."""
    wide = ref.pad(a, {"x": (2, 1)}, "reflect", reflect_type="odd")
    first, second = (ref.select(wide, {"y": slice(i, i + 1)}) for i in (0, 1))
    below = [ref.apply(lambda x, y, k=k: x + k * (x - y), first, second) for k in (2, 1)]
    axis = wide.dims.index("y")
    return ref.Named(wide.dims, np.concatenate([part.ordered(wide.dims) for part in (*below, wide)], axis))


CASES = [
    Case(
        "pad",
        (Operand("b,x,y"),),
        lambda n, a: math.pad(
            a,
            {n("x"): (2, 1), n("y"): (2, 0)},
            math.extrapolation.combine_sides({n("x"): "symmetric-gradient", n("y"): "linear"}),
        ),
        continued,
        "continued",
    ),
]
