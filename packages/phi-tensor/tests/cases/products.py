"""Cases of the law suite: products by names, vectors, pairs of points."""

import numpy as np
from scipy.spatial.transform import Rotation

import phi_tensor as math
from phi_tensor import dual, instance
from phi_tensor.testing import _reference as ref
from phi_tensor.testing._laws import Case, Operand
from phi_tensor.testing._reference import Named


def rotated(v, axis):
    lead = tuple(d for d in v.dims if d != "vector")
    vectors = v.ordered((*lead, "vector"))
    axes = np.broadcast_to(axis.ordered((*lead, "vector")), vectors.shape).copy()
    turned = Rotation.from_rotvec(axes.reshape(-1, 3)).apply(vectors.reshape(-1, 3))
    return Named((*lead, "vector"), turned.reshape(vectors.shape))


CASES = [
    Case(
        "contract",
        (Operand("b,x,y"), Operand("y,p"), Operand("b,p")),
        lambda n, a, b, c: math.contract(a, b, c, dims=n.all("p,y")),
        lambda a, b, c: ref.reduce(np.sum, ref.apply(lambda *f: np.prod(f, 0), a, b, c), ("p", "y")),
    ),
    Case(
        "cross_product",
        (Operand("b,y,vector"), Operand("vector,b")),
        lambda n, a, b: math.cross_product(
            *(math.rename_dims(v, n("vector"), "vector:c") for v in (a, b))
        ).vector.rename(n("vector")),
        lambda a, b: Named(a.dims, np.cross(a.array, b.ordered([d if d in b.dims else "_" for d in a.dims]))),
    ),
    Case(
        "rotate_vector",
        (Operand("b,y,vector"), Operand("b,vector")),
        lambda n, a, b: math.rotate_vector(
            *(math.rename_dims(v, n("vector"), "vector:c") for v in (a, b))
        ).vector.rename(n("vector")),
        rotated,
    ),
    Case(
        "pairwise_differences",
        (Operand("b,p,vector"),),
        lambda n, a: math.rename_dims(math.pairwise_differences(a), dual(n("p")).names, instance("q")),
        lambda a: ref.apply(np.subtract, ref.rename(a, {"p": "q"}), a),
    ),
]
