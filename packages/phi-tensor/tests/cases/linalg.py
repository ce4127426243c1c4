"""Cases of the law suite: matrices."""

import numpy as np
from scipy import linalg

import phi_tensor as math
from phi_tensor import dual, spatial
from phi_tensor.testing import _reference as ref
from phi_tensor.testing._laws import Case, Operand
from phi_tensor.testing._reference import Named

SQUARE = Operand("b,x,y,~y")
"""Square matrices over y, batched over b and x."""
COMPLEX = Operand("b,x,y,~y", "complex")
WIDE = Operand("b,x,y")
"""Matrices with the rows x and the columns y, or the other way round."""
UNIFORM = ("dense", "expanded", "stacked")
REGULAR = ("dense", "stacked", "ragged")
"""Layouts in which rows along x differ."""

GAPS = {("eigvals", layout, "jit", "tensorflow"): "XLA has no such function" for layout in UNIFORM}


def shifted(n, a, shift=6.0):
    """A + shift·1: far from singular."""
    return a + math.tensor(shift * np.eye(4), spatial(n("y")), dual(n("~y").lstrip("~")))


def of_matrices(f, x, rows, columns, *dims):
    """`f` of arrays (batch…, rows, columns), whose results have the dims `dims`."""
    rest = tuple(d for d in x.dims if d not in (rows, columns))
    return Named((*rest, *dims), f(x.ordered((*rest, rows, columns))))


def square(row, function, f, dims=("y", "~y"), shift=6.0, operand=SQUARE):
    return Case(
        row,
        (operand,),
        lambda n, a: function(shifted(n, a, shift)),
        lambda a: of_matrices(lambda m: f(m + shift * np.eye(4)), a, "y", "~y", *dims),
        "" if operand is SQUARE else operand.kind,
        layouts=UNIFORM,
    )


def hermitian(m):
    return (m + np.swapaxes(m, -1, -2)) / 2


def exponential(a):
    """exp((A + Aᵀ)/8) by eigenvalues and eigenvectors: independent of signs."""
    values, vectors = math.eigh(a)
    row = dual(a).names[0].lstrip("~")
    turned = math.rename_dims(vectors, row, dual(row))
    return math.contract(vectors, turned, math.exp(0.25 * values), dims="eigenvalues")


def cubed(n, a):
    """A Aᵀ A by the singular value decomposition."""
    latents, values, features = math.svd(a, n("y"), n("x"))
    return features @ (latents * values**3)


def solved(a, b):
    sizes = {"b": a.sizes()["b"], "x": a.sizes()["x"]} if "b" in a.dims else {"x": a.sizes()["x"]}
    left, right = a.ordered((*sizes, "y", "~y")), ref.expand(b, sizes).ordered((*sizes, "y", "p"))
    return Named((*sizes, "y", "p"), np.linalg.solve(left + 6 * np.eye(4), right))


CASES = [
    Case(
        "solve",
        (SQUARE, Operand("y,b,p")),
        lambda n, a, b: math.solve_dense(shifted(n, a), b),
        solved,
        layouts=UNIFORM,
    ),
    square("inv", math.inverse, np.linalg.inv),
    square("det", math.determinant, np.linalg.det, ()),
    square("logabsdet", math.log_determinant, lambda m: np.linalg.slogdet(m)[1], ()),
    square("trace", math.trace, lambda m: np.trace(m, axis1=-2, axis2=-1), ()),
    square("inv", math.inverse, np.linalg.inv, operand=COMPLEX),
    square("det", math.determinant, np.linalg.det, (), operand=COMPLEX),
    square("logabsdet", math.log_determinant, lambda m: np.linalg.slogdet(m)[1], (), operand=COMPLEX),
    square("trace", math.trace, lambda m: np.trace(m, axis1=-2, axis2=-1), (), operand=COMPLEX),
    square("cholesky", math.cholesky, lambda m: np.linalg.cholesky(hermitian(m)), shift=9.0),
    square("eigh", exponential, lambda m: linalg.expm(0.25 * hermitian(m))),
    square(
        "eigvals",
        lambda a: math.sum(math.eigenvalues(a) ** 3, "eigenvalues"),
        lambda m: np.trace(m @ m @ m, axis1=-2, axis2=-1) + 0j,
        (),
    ),
    Case(
        "pinv",
        (WIDE,),
        lambda n, a: math.pinv(a, n("x"), n("y")),
        lambda a: of_matrices(np.linalg.pinv, a, "x", "y", "y", "x"),
        layouts=REGULAR,
    ),
    Case(
        "svd",
        (WIDE,),
        cubed,
        lambda a: of_matrices(lambda m: m @ np.swapaxes(m, -1, -2) @ m, a, "x", "y", "x", "y"),
        layouts=REGULAR,
    ),
    Case(
        "svdvals",
        (WIDE,),
        lambda n, a: math.singular_values(a, rows=n("x"), columns=n("y")),
        lambda a: of_matrices(np.linalg.svdvals, a, "x", "y", "singular"),
        layouts=REGULAR,
    ),
    *(
        Case(
            "qr",
            (WIDE,),
            lambda n, a, rows=rows, columns=columns: math.qr(a, "k:c", n(rows), n(columns))[1] ** 2,
            lambda a, rows=rows, columns=columns: of_matrices(
                lambda m: np.linalg.qr(m)[1] ** 2, a, rows, columns, "k", columns
            ),
            f"of {rows} by {columns}",
            layouts=REGULAR,
        )
        for rows, columns in (("x", "y"), ("y", "x"))
    ),
]
