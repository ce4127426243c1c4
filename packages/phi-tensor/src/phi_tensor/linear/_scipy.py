"""Solvers and factorisations of SciPy. They run on the host, outside of compiled code, system by system.

Chosen by name only, never by `auto`: numbers leave the device. Solutions and residuals come back and are
judged
like those of all other methods.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from phi_tensor._context import context_dtype
from phi_tensor._convert import convert
from phi_tensor._create import wrap
from phi_tensor._dim_types import batch
from phi_tensor._errors import Unsupported
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.linear._operator import CONSTANTS, LinearOperator
from phi_tensor.linear._refine import Direct, Goal
from phi_tensor.ops._structure import expand, unpack_dim

Array = npt.NDArray[Any]
FACTORISED = ("ilu", "ic")
"""Preconditioners by SciPy: incomplete factors of the matrix; `ic` is `ilu` in the order of symmetric
matrices."""
FILL = 10
DROP = 1e-4


def scipy_way(name: str, operator: LinearOperator, preconditioner: Any, goal: Goal) -> Direct:
    """R ↦ A⁻¹ r by the method `name` of SciPy."""

    def solve(r: Tensor) -> tuple[Tensor, Tensor]:
        host = _Host(name, operator, r)
        rest = r.shape.without(operator.domain)
        rows = host.rows(r)
        with np.errstate(all="ignore"):  # numbers that overflow are judged like all others
            found = [host.solve(i, row, preconditioner, goal) for i, row in enumerate(rows)]
        d = host.tensor(np.stack([x for x, _ in found]), rest)
        counts = wrap(np.asarray([count for _, count in found], np.int64), batch("_system"))
        counts = counts[{"_system": 0}] if not rest else unpack_dim(counts, "_system", *_dims(rest))
        return d, counts

    return solve


def _dims(shape: Shape) -> tuple[Shape, ...]:
    return tuple(shape[name] for name in shape.names)


class _Host:
    """The systems of an operator in NumPy."""

    def __init__(self, name: str, operator: LinearOperator, like: Tensor) -> None:
        if not like.available or not all(c.available for c in operator.coefficients):
            raise Unsupported(
                f"The method '{name}' runs on the host and needs numbers, but is called in compiled or "
                f"traced "
                f"code (jax traces derivatives). Use 'auto' or a method of ours, such as 'GMRES', "
                f"'MINRES' or "
                f"'CG'."
            )
        self.name, self.operator, self.like = name, operator, like
        self.rest = like.shape.without(operator.domain)
        self.n = cast("int", operator.domain.volume)
        self._matrices: list[Any] | None = None

    def rows(self, x: Tensor) -> Array:
        """`(system, entry)`."""
        names = (*self.rest.names, *self.operator.domain.names)
        full = expand(x, self.rest & self.operator.domain)
        return np.array(full.numpy(names)).reshape(-1, self.n)  # SciPy writes into some of them

    def tensor(self, rows: Array, rest: Shape) -> Tensor:
        """Inverse of `rows`."""
        dims = (*_dims(rest), *_dims(self.operator.domain))
        sizes = [cast("int", d.size) for d in dims]
        dtype = context_dtype(self.like.dtype).numpy
        made = (
            wrap(rows.reshape(sizes).astype(dtype), *dims) if dims else wrap(rows.reshape(()).astype(dtype))
        )
        return convert(made, self.like.backend)

    def product(self, function: Callable[[Tensor], Tensor], system: int) -> Callable[[Array], Array]:
        """Product with the operator of one system; the others get zeros."""
        count = 1
        for size in self.rest.sizes:
            count *= cast("int", size)

        def apply(v: Array) -> Array:
            rows = np.zeros((count, self.n), np.result_type(v, self.like.dtype.numpy))
            rows[system] = v.reshape(-1)
            return self.rows(function(self.tensor(rows, self.rest)))[system]

        return apply

    def matrix(self, system: int) -> Any:
        """Sparse matrix of one system."""
        from scipy import sparse

        if self._matrices is None:
            if self.operator.matrix is None:
                raise Unsupported(
                    f"`{self.name}` needs a matrix, but the operator is a function that nothing but calls is "
                    f"known of. Pass a matrix, or use 'auto' or a Krylov method."
                )
            value = self.operator.matrix(self.operator.coefficients)
            columns = value.shape.dual.names
            names = (*self.rest.names, *self.operator.codomain.names, *columns)
            full = expand(value, self.rest)
            blocks = full.numpy(names).reshape(-1, self.n, self.n)
            self._matrices = [sparse.csc_matrix(block) for block in blocks]
        return self._matrices[system]

    def solve(self, system: int, b: Array, preconditioner: Any, goal: Goal) -> tuple[Array, int]:
        """Solution of one system, NaN where there is none, and its iterations."""
        if not np.isfinite(b).all():
            return np.full_like(b, np.nan), 0
        if self.name == "scipy-direct":
            return self._direct(system, b), 1
        from scipy.sparse import linalg

        op = self.operator
        adjoint = op.adjoint if op.transposed is not None else None
        given: dict[str, Any] = {"matvec": self.product(op.many(), system)}
        if adjoint is not None:
            given["rmatvec"] = self.product(adjoint, system)
        a: Any = linalg.LinearOperator((self.n, self.n), dtype=b.dtype, **given)
        limit = int(_numbers(goal.limit).max())
        rel = max(float(_numbers(goal.rel_tol).min()), 1e-15)
        if self.name == "scipy-lsqr":
            found: Any = linalg.lsqr(a, b, atol=rel, btol=rel, iter_lim=limit)
            return found[0], int(found[2])
        counted: list[int] = []
        solver, options = _SOLVERS[self.name]
        if preconditioner is not None:
            if solver == "qmr":
                raise Unsupported("'scipy-QMR' takes no preconditioner here. Use 'scipy-GMres'.")
            options = {**options, "M": self._preconditioner(system, preconditioner)}
        function: Any = getattr(linalg, solver)
        x, _ = function(a, b, maxiter=limit, callback=lambda *_: counted.append(1), rtol=rel / 2, **options)
        return x, len(counted)

    def _direct(self, system: int, b: Array) -> Array:
        from scipy import sparse
        from scipy.sparse import linalg

        a, right = self.matrix(system), b
        if CONSTANTS in self.operator.tags:  # one more unknown takes what no constant can
            one = np.ones((self.n, 1))
            a = cast("Any", sparse).bmat([[a, one], [one.T, None]], format="csc")
            right = np.append(b, 0)
        try:
            return cast("Any", linalg).splu(a).solve(right)[: self.n]
        except RuntimeError:  # singular
            return np.full_like(b, np.nan)

    def _preconditioner(self, system: int, preconditioner: Any) -> Any:
        from scipy.sparse import linalg

        if callable(preconditioner):
            users = cast("Callable[[Tensor], Tensor]", preconditioner)
            return linalg.LinearOperator(
                (self.n, self.n), self.product(users, system), dtype=self.like.dtype.numpy
            )
        order = "MMD_AT_PLUS_A" if preconditioner == "ic" else "COLAMD"
        symmetric: dict[str, Any] = (
            {"diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}} if preconditioner == "ic" else {}
        )
        factors = cast("Any", linalg).spilu(
            self.matrix(system), drop_tol=DROP, fill_factor=FILL, permc_spec=order, **symmetric
        )
        return linalg.LinearOperator((self.n, self.n), factors.solve, dtype=self.like.dtype.numpy)


def _numbers(x: Any) -> Array:
    return x.numpy(x.shape.names) if isinstance(x, Tensor) else np.asarray(x)


_SOLVERS: dict[str, tuple[str, dict[str, Any]]] = {
    "scipy-CG": ("cg", {}),
    "scipy-GMres": ("gmres", {"callback_type": "pr_norm"}),
    "scipy-biCG": ("bicg", {}),
    "scipy-biCG-stab": ("bicgstab", {}),
    "scipy-CGS": ("cgs", {}),
    "scipy-QMR": ("qmr", {}),
    "scipy-GCrotMK": ("gcrotmk", {}),
    "scipy-MINRES": ("minres", {}),
}
