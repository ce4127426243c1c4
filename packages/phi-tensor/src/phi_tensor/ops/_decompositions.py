"""Decompositions of dense matrices by names; rows, columns and results as in `_linalg.py`."""

from __future__ import annotations

from typing import Any, cast

from phi_tensor._dim import Dim
from phi_tensor._dim_types import channel, dual
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor
from phi_tensor.ops._matrices import matrix_dims, of_matrix
from phi_tensor.ops._reductions import reduced_names
from phi_tensor.ops._structure import as_dim


def eigenvalues(
    matrix: Any, eigen_dim: Shape | str = "eigenvalues:c", rows: Any = None, columns: Any = None
) -> Tensor:
    """Eigenvalues λ of square matrices, A v = λ v: complex, in no particular order.

    For symmetric matrices `eigh` is faster, gives real values in ascending order, and the vectors.

    Args:
        matrix: A `(…, rows, columns)`.
        eigen_dim: Dim that lists the eigenvalues.
        rows: Row dims of A; default: those named like the columns.
        columns: Column dims of A; default: all dual dims.

    Raises:
        Unsupported: In `jit_compile` on TensorFlow, which cannot compile it.

    >>> import phi_tensor as math
    >>> eigenvalues(math.wrap([[0.0, -1.0], [1.0, 0.0]], math.spatial("x"), math.dual("x"))).imag
    (1.0, -1.0) along (eigenvalues:c=2) float32
    """
    return of_matrix(table.EIGVALS, "eigenvalues", matrix, rows, columns, new=_listing(eigen_dim))


def eigh(
    matrix: Any, eigen_dim: Shape | str = "eigenvalues:c", rows: Any = None, columns: Any = None
) -> tuple[Tensor, Tensor]:
    """Eigenvalues, ascending, and eigenvectors of symmetric (Hermitian) matrices: A v = λ v with |v| = 1.

    The Hermitian part ½(A + Aᴴ) is decomposed, so that derivatives do not depend on one triangle. Signs (or
    phases) of the vectors are arbitrary; a derivative is right for what does not depend on them.

    Args:
        matrix: A `(…, rows, columns)`.
        eigen_dim: Dim that lists eigenvalues and eigenvectors.
        rows: Row dims of A; default: those named like the columns.
        columns: Column dims of A; default: all dual dims.

    Returns:
        λ `(…, eigen_dim)` and v `(…, rows, eigen_dim)`.

    >>> import phi_tensor as math
    >>> eigh(math.wrap([[2.0, 0.0], [0.0, 1.0]], math.spatial("x"), math.dual("x")))[0]
    (1.0, 2.0) along (eigenvalues:c=2) float32
    """
    return cast("Any", of_matrix(table.EIGH, "eigh", matrix, rows, columns, new=_listing(eigen_dim)))


def cholesky(matrix: Any, rows: Any = None, columns: Any = None) -> Tensor:
    """Lower triangular L of symmetric (Hermitian) positive definite matrices: A = L Lᴴ.

    The Hermitian part ½(A + Aᴴ) is decomposed; NaN where it is not positive definite.

    >>> import phi_tensor as math
    >>> cholesky(math.wrap([[4.0]], math.spatial("x"), math.dual("x"))).native("x,~x")[0, 0].item()
    2.0
    """
    return of_matrix(table.CHOLESKY, "cholesky", matrix, rows, columns)


def qr(
    matrix: Any, latent_dim: Shape | str = "orthogonal:c", rows: Any = None, columns: Any = None
) -> tuple[Tensor, Tensor]:
    """Factors of A = Q R with orthonormal columns in Q and an upper triangular R.

    Args:
        matrix: A `(…, rows, columns)`.
        latent_dim: Dim between the factors, with min(n, m) entries.
        rows: Row dims of A; default: those named like the columns.
        columns: Column dims of A; default: all dual dims.

    Returns:
        Q `(…, rows, ~latent_dim)` and R `(…, latent_dim, columns)`; `Q @ R` is the matrix.

    >>> import phi_tensor as math
    >>> [f.shape.names for f in qr(math.ones(math.spatial(x=3), math.dual(y=2)))]
    [('x', '~orthogonal'), ('orthogonal', '~y')]
    """
    return cast("Any", of_matrix(table.QR, "qr", matrix, rows, columns, new=_listing(latent_dim)))


def svd(
    x: Any,
    feature_dim: Any = channel,
    list_dim: Any = None,
    latent_dim: Shape | str = "singular:c",
    full_matrices: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Singular value decomposition: latent vectors of all examples, singular values, features.

    `x = features @ (singular_values * latents)`, the sum over all entries of `latent_dim`. Signs (or phases)
    are arbitrary.

    Args:
        x: Examples `(…, list_dim, feature_dim)`.
        feature_dim: Dims that list the features of an example, the columns.
        list_dim: Dims that list examples, the rows; default: all others but batch dims.
        latent_dim: Dim of the singular values; a size keeps that many, the largest.
        full_matrices: Complete both orthonormal bases; the latent dim then has as many entries as there are
            examples or features. The added vectors are arbitrary: no derivative exists for other than square
            matrices.

    Returns:
        Latents `(…, list_dim, latent_dim)`, singular values `(…, latent_dim)`, descending, and features
        `(…, ~latent_dim, feature_dim)`.

    >>> import phi_tensor as math
    >>> svd(math.wrap([[3.0, 0.0], [0.0, 4.0]], math.batch("b"), math.channel("vector")), list_dim="b")[1]
    (4.0, 3.0) along (singular:c=2) float32
    """
    value, dim = as_tensor(x), as_dim(latent_dim)
    features = reduced_names(value.shape, feature_dim, "svd")
    examples = value.shape.non_batch.without(features).names if list_dim is None else list_dim
    if not features or not examples:
        raise IncompatibleShapes(
            f"`svd` needs features and examples, but found the features {features} and the examples "
            f"{examples} in {value.shape}. Name them: `svd(x, feature_dim='vector', list_dim='points')`."
        )
    rows, columns = matrix_dims(value.shape, examples, features, "svd")
    new = dim.with_size(None)
    parts: Any = table.SVD(value, rows=rows, columns=columns, new=new, full=bool(full_matrices))
    if dim.size is None:
        return parts
    if not isinstance(dim.size, int) or full_matrices:
        raise IncompatibleShapes(
            f"`svd` keeps as many singular values as `latent_dim` has entries, but found {dim} with "
            f"full_matrices={full_matrices}. Leave the size away."
        )
    kept = slice(0, dim.size)
    u, s, v = parts
    found = s.shape.get_size(new.name)
    if isinstance(found, int) and dim.size > found:
        raise IncompatibleShapes(
            f"`svd` was asked for {dim.size} singular values by `latent_dim`, but {value.shape} has {found}. "
            f"Ask for at most as many as there are examples and features."
        )
    return u[{new.name: kept}], s[{new.name: kept}], v[{dual(new.name).name: kept}]


def singular_values(
    matrix: Any, singular_dim: Shape | str = "singular:c", rows: Any = None, columns: Any = None
) -> Tensor:
    """Singular values of matrices, in descending order.

    >>> import phi_tensor as math
    >>> singular_values(math.wrap([[3.0, 0.0], [0.0, -4.0]], math.spatial("x"), math.dual("x")))
    (4.0, 3.0) along (singular:c=2) float32
    """
    return of_matrix(table.SVDVALS, "singular_values", matrix, rows, columns, new=_listing(singular_dim))


def _listing(dim: Shape | str) -> Dim:
    """Dim without size."""
    return as_dim(dim).with_size(None)
