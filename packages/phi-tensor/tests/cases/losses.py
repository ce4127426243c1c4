"""Cases of the law suite: losses."""

import numpy as np

import phi_tensor as math
from phi_tensor.testing import _reference as ref
from phi_tensor.testing._laws import Case, Operand

A = Operand("b,x,y")

CASES = [
    Case(
        "l2_loss",
        (A,),
        lambda n, a: math.l2_loss(a),
        lambda a: ref.reduce(lambda x, axis: 0.5 * np.sum(np.abs(x) ** 2, axis), a, ("x", "y")),
    ),
    Case(
        "l1_loss",
        (Operand("b,x,y", domain=(0.2, 2)),),
        lambda n, a: math.l1_loss(a),
        lambda a: ref.reduce(lambda x, axis: np.sum(np.abs(x), axis), a, ("x", "y")),
    ),
]
