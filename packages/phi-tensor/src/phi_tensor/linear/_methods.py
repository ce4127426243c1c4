"""All methods by name, and what each of them needs."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from phi_tensor._errors import Unsupported
from phi_tensor.linear._bicg import bicg
from phi_tensor.linear._bicgstab import bicgstab
from phi_tensor.linear._cg import cg
from phi_tensor.linear._cg_adaptive import cg_adaptive
from phi_tensor.linear._flexible_cg import flexible_cg
from phi_tensor.linear._gmres import gmres
from phi_tensor.linear._minres import minres
from phi_tensor.linear._problem import Problem, Progress


class Method(NamedTuple):
    """An iterative method.

    Attributes:
        name: As users write it.
        run: The method.
        needs: Tags that the operator must not lack if it is known; for messages and for `auto`.
        products: Products with A (or its adjoint) per iteration.
        preconditioned: Whether it takes a preconditioner.
        rate: Least reduction of residuals per iteration, for systems to go on; None: any.
    """

    name: str
    run: Callable[[Problem], Progress]
    needs: tuple[str, ...] = ()
    products: int = 1
    preconditioned: bool = True
    rate: float | None = None


ITERATIVE = {
    method.name.lower(): method
    for method in (
        Method("CG", cg, ("symmetric", "definite")),
        Method("CG-adaptive", cg_adaptive, ("symmetric", "definite")),
        Method("flexible-CG", flexible_cg, ("symmetric", "definite")),
        Method("MINRES", minres, ("symmetric",)),
        Method("biCG", bicg, products=2, preconditioned=False),
        Method("biCG-stab", bicgstab, products=2),
        Method("GMRES", gmres),
    )
}
"""Methods that run on the device, by lower-case name."""

DIRECT = ("transform", "dense")
"""Methods that take no iterations, on the device."""

HOST = (
    "scipy-direct",
    "scipy-CG",
    "scipy-GMres",
    "scipy-biCG",
    "scipy-biCG-stab",
    "scipy-CGS",
    "scipy-QMR",
    "scipy-GCrotMK",
    "scipy-MINRES",
    "scipy-lsqr",
)
"""Methods of SciPy, on the host."""

LARGEST_ELL = 8
LARGEST_RESTART = 500


def method_named(name: str) -> Method | str:
    """The iterative method of this name, or the canonical name of a direct or host method.

    Raises:
        Unsupported: There is none.
    """
    key = name.strip().lower().replace("_", "-").replace("bicgstab", "bicg-stab")
    if key in ITERATIVE:
        return ITERATIVE[key]
    fixed = next((known for known in (*DIRECT, *HOST) if known.lower() == key), None)
    if fixed is not None:
        return fixed
    number = re.fullmatch(r"(bicg-stab|gmres)\((\d+)\)", key)
    if number is not None:
        base, value = ITERATIVE[number[1]], int(number[2])
        if base.name == "GMRES" and 1 <= value <= LARGEST_RESTART:
            return base._replace(name=f"GMRES({value})", run=partial(gmres, restart=value))
        if base.name == "biCG-stab" and 1 <= value <= LARGEST_ELL:
            return base._replace(name=f"biCG-stab({value})", run=partial(bicgstab, ell=value))
        raise Unsupported(
            f"`Solve({name!r})`: biCG-stab(l) takes 1 to {LARGEST_ELL}, GMRES(restart) 1 to "
            f"{LARGEST_RESTART}."
        )
    known = ", ".join(
        f"'{entry}'" for entry in ("auto", *(m.name for m in ITERATIVE.values()), *DIRECT, *HOST)
    )
    raise Unsupported(f"There is no method {name!r} for linear systems. Use one of {known}.")
