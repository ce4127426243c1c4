"""Derivatives of solutions of r(x, θ) = 0 by the implicit function theorem: dx = −(∂r/∂x)⁻¹ (∂r/∂θ) dθ.

Iterations are never differentiated. The adjoint solve is `solve_linear`, which has derivatives itself, so
that all nestings of forward and reverse follow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from phi_tensor._context import changed_settings, settings
from phi_tensor._create import zeros_like
from phi_tensor._dim_types import instance
from phi_tensor._errors import Unsupported
from phi_tensor._hidden import uncollected
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.linear._solve_linear import solve_linear
from phi_tensor.linear._solve_settings import Solve
from phi_tensor.ops._structure import expand, rename_dims
from phi_tensor.optimize._outcome import Found
from phi_tensor.optimize._vectors import Vector
from phi_tensor.transforms._custom import custom_gradient
from phi_tensor.transforms._gradient import jvp, vjp

Residual = Callable[[Vector, Vector], Vector]
"""`(x, θ) -> r`."""


def is_concrete(*leaves: Tensor) -> bool:
    """Whether numbers decide, so that nothing needs a derivative or a trace."""
    return settings().traced != "jit" and all(leaf.available for leaf in leaves)


def captured(function: str) -> Unsupported:
    """Error of a function that takes traced arrays from outside."""
    return Unsupported(
        f"`{function}` cannot differentiate by an array that the function takes from outside. Pass it "
        "as a further "
        f"argument: `{function}(…, solve, array)`, or wrap it in `stop_gradient` if it is a constant."
    )


def implicit(
    run: Callable[[Vector, Vector], Found], residual: Residual, adjoint: Solve, symmetric: bool
) -> Callable[[Vector, Vector], Found]:
    """`run` with the derivative of its `x` by θ; by the start it has none.

    Args:
        run: `(x0, θ) -> result`.
        residual: r(x, θ), zero at the result.
        adjoint: Settings of the adjoint solve.
        symmetric: Whether ∂r/∂x is symmetric.
    """

    def solution(x0: Vector, given: Vector) -> Found:
        return run(x0, given)

    def pull(inputs: dict[str, Any], y: Found, dy: Found) -> dict[str, Any]:
        given: Vector = tuple(inputs["given"])
        if not given:
            return {}
        smooth = [leaf.dtype.kind in (float, complex) for leaf in given]
        entries = y.size.shape

        def filled(floats: Vector) -> Vector:
            rest = iter(floats)
            return tuple(next(rest) if use else leaf for use, leaf in zip(smooth, given, strict=True))

        def transposed(w: Vector, x: Vector, floats: Vector) -> Vector:
            w = _as_batch(w, y.x)

            def at(x: Vector) -> Vector:
                return residual(x, filled(floats))

            if symmetric:
                return _coupled(jvp(at, (x,), (w,))[1], entries)
            return _coupled(vjp(at, x)[1](w)[0], entries)

        with uncollected(), changed_settings(taped=False):
            floats = tuple(leaf for use, leaf in zip(smooth, given, strict=True) if use)
            weights = solve_linear(transposed, _coupled(dy.x, entries), adjoint, y.x, floats)
            _, back = vjp(lambda floats: residual(y.x, filled(floats)), floats)
            found = iter(back(tuple(-w for w in _as_batch(weights, y.x)))[0])
        return {
            "given": tuple(
                next(found) if use else zeros_like(leaf) for use, leaf in zip(smooth, given, strict=True)
            )
        }

    return custom_gradient(solution, pull)


def _coupled(a: Vector, entries: Shape) -> Vector:
    """The vector with instance dims for those batch dims that belong to one problem."""
    return tuple(rename_dims(x, x.shape.batch.without(entries).names, instance) for x in a)


def _as_batch(a: Vector, like: Vector) -> Vector:
    """The vector with the dims of another one, in their types."""
    found: list[Tensor] = []
    for x, y in zip(a, like, strict=True):
        dims = y.shape.batch.only(x.shape.names)
        changed = dims.without(x.shape.batch)
        found.append(expand(rename_dims(x, changed.names, changed) if changed.rank else x, y.shape))
    return tuple(found)
