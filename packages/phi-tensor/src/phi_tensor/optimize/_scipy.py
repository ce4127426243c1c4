"""Minimisation by SciPy, in 64 bit on the host, one batch entry after the other and without threads.

The objective sees one entry of the variables at a time. What it captures or takes as arguments may have
batch dims,
too: of its losses only that of the entry counts.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from phi_tensor._context import context_dtype
from phi_tensor._errors import Unsupported
from phi_tensor.backends._backend import Backend
from phi_tensor.optimize._lbfgs import CONVERGED, DIVERGED, PRECISION_LIMIT, RUNNING, STUCK
from phi_tensor.optimize._line_search import rounding
from phi_tensor.optimize._vectors import Vector
from phi_tensor.transforms._flat import natives_as, stored_layout, tensors_of

Array = npt.NDArray[np.float64]


class Method(NamedTuple):
    """A method of `scipy.optimize.minimize`.

    Attributes:
        name: Name in SciPy.
        gradient: Whether it uses the gradient.
        bounds: Whether it keeps bounds.
        hessian: `product` or `matrix` if it uses second derivatives.
        tolerance: Its options that the tolerance sets; those of others stand in `fixed`.
        limit: Its option that limits iterations or, times 20, evaluations.
        fixed: Further options.
    """

    name: str
    gradient: bool
    bounds: bool
    tolerance: tuple[str, ...]
    hessian: str = ""
    limit: str = "maxiter"
    fixed: tuple[tuple[str, Any], ...] = ()


_EXACT = (("ftol", 0.0), ("maxfun", 10**9), ("maxls", 40))

METHODS = {
    method.name.lower(): method
    for method in (
        Method("Nelder-Mead", False, True, ("xatol", "fatol"), fixed=(("maxfev", 10**9),)),
        Method("Powell", False, True, ("xtol", "ftol"), fixed=(("maxfev", 10**9),)),
        Method("COBYLA", False, True, ("tol",)),
        Method("COBYQA", False, True, ("final_tr_radius",)),
        Method("CG", True, False, ("gtol",)),
        Method("BFGS", True, False, ("gtol",)),
        Method("L-BFGS-B", True, True, ("gtol",), fixed=_EXACT),
        Method("TNC", True, True, ("gtol",), limit="maxfun", fixed=(("xtol", 0.0), ("ftol", 0.0))),
        Method("SLSQP", True, True, (), fixed=(("ftol", 1e-20),)),
        Method("Newton-CG", True, False, (), "product", fixed=(("xtol", 1e-14),)),
        Method("trust-ncg", True, False, ("gtol",), "product"),
        Method("trust-krylov", True, False, ("gtol",), "product"),
        Method("trust-exact", True, False, ("gtol",), "matrix"),
        Method("dogleg", True, False, ("gtol",), "matrix"),
        Method("trust-constr", True, True, ("gtol",), "product"),
    )
}
"""Methods by name in lower case."""


class Flat:
    """Variables of one entry as one array of 64-bit numbers."""

    def __init__(self, like: Vector, backend: Backend) -> None:
        self.layouts = tuple(stored_layout(leaf.layout, backend, context_dtype(leaf.dtype)) for leaf in like)
        if any(layout.dtype.kind is not float for layout in self.layouts):
            raise Unsupported(
                "Methods of SciPy minimise over real numbers only. Use the method 'L-BFGS' for "
                "complex variables, or "
                "make real and imaginary parts the variables."
            )
        self.backend = backend
        natives = self._natives(like)
        self.shapes = [backend.shape(native) for native in natives]
        self.ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes])

    def _natives(self, leaves: Vector) -> list[Any]:
        return [
            n for leaf, layout in zip(leaves, self.layouts, strict=True) for n in natives_as(leaf, layout)
        ]

    def pack(self, leaves: Vector) -> Array:
        """Array of the numbers of some leaves."""
        arrays = [np.asarray(self.backend.to_numpy(n), np.float64).ravel() for n in self._natives(leaves)]
        return np.concatenate(arrays) if arrays else np.zeros(0)

    def unpack(self, x: Array) -> Vector:
        """The leaves with these numbers."""
        dtype = self.layouts[0].dtype.numpy
        parts = np.split(np.asarray(x, dtype), self.ends[:-1])
        natives = [
            self.backend.as_native(np.array(part.reshape(shape), order="C"))
            for part, shape in zip(parts, self.shapes, strict=True)
        ]
        return tuple(tensors_of(self.layouts, natives))


class Entry(NamedTuple):
    """Result for one entry.

    Attributes:
        x: Best point.
        value: Loss there.
        size: Largest entry of the (projected) gradient there; NaN without gradients.
        goal: Size that counts as zero; NaN where that is left to SciPy.
        iterations: Iterations [-].
        evaluations: Evaluations of the loss [-].
        outcome: One of the outcomes of `_lbfgs`.
        message: What SciPy says.
        path: Points, losses and sizes after every iteration, the first one before.
        error: What the objective raised.
    """

    x: Array
    value: float
    size: float
    goal: float
    iterations: int
    evaluations: int
    outcome: int
    message: str
    path: list[tuple[Array, float, float]]
    error: Exception | None


class _NotFinite(Exception):
    """The objective returned what the method cannot use."""


class Objective:
    """Loss of one entry on arrays: counts evaluations and remembers the best point.

    Attributes:
        best: Best point, its loss and the size of its gradient.
        evaluations: How often the loss was evaluated [-].
        latest: Last losses.
        error: What the objective raised.
    """

    def __init__(
        self,
        loss: Callable[[Array], float],
        slope: Callable[[Array], tuple[float, Array]] | None,
        bounds: tuple[Array, Array],
        differences: bool = False,
    ) -> None:
        self._loss, self._slope, self._bounds = loss, slope, bounds
        self._differences = differences
        self.best: tuple[Array, float, float] | None = None
        self.known: list[tuple[Array, float, float]] = []
        self.evaluations = 0
        self.error: Exception | None = None

    def __call__(self, x: Array) -> Any:
        x = np.clip(x, *self._bounds)
        try:
            value, gradient = self._evaluated(x)
        except Exception as error:  # kept, with the best state so far, until the solve has ended
            self.error = error
            raise
        size = float("nan") if gradient is None else self._size(x, gradient)
        if np.isnan(value) or (gradient is not None and not np.isfinite([value, size]).all()):
            self.known.append((x.copy(), value, size))
            raise _NotFinite
        point = (x.copy(), value, size)
        self.known = [*self.known[-19:], point]
        if self.best is None or value <= self.best[1]:
            self.best = point
        return value if gradient is None else (value, gradient)

    def _evaluated(self, x: Array) -> tuple[float, Array | None]:
        self.evaluations += 1
        if self._slope is None:
            return self._loss(x), None
        if not self._differences:
            return self._slope(x)
        self.evaluations += 2 * len(x)
        return differences(self._loss, self._bounds, x)

    def _size(self, x: Array, gradient: Array) -> float:
        return float(np.max(np.abs(x - np.clip(x - gradient, *self._bounds)), initial=0.0))

    def at(self, x: Array) -> tuple[Array, float, float]:
        """What is known about a point of the path: all, or the best one where SciPy made it up."""
        for point in reversed(self.known):
            if np.array_equal(point[0], x):
                return point
        assert self.best is not None
        return self.best


def minimum_of(
    objective: Objective,
    x0: Array,
    method: Method,
    tolerance: Callable[[float], float | None],
    limit: int,
    bounds: tuple[Array, Array] | None,
    hessian: Callable[[Array, Array], Array] | None,
    tell: Callable[[int, float], None],
) -> Entry:
    """Minimum of one entry by SciPy.

    Args:
        objective: The loss.
        x0: First point.
        method: Which method.
        tolerance: Of the size of the first gradient: the tolerance, or None for SciPy's.
        limit: Largest number of iterations [-].
        bounds: Lower and upper bounds.
        hessian: Products `(x, v) -> H v`.
        tell: Called after every iteration with the number done and the loss.
    """
    from scipy import optimize

    run: Any = optimize.minimize

    path: list[tuple[Array, float, float]] = []
    result: Any = None
    goal = None
    try:
        objective(x0)
        path.append(objective.known[-1])
        goal = tolerance(path[0][2])

        def done(x: Array, *_: Any) -> None:
            path.append(objective.at(np.asarray(x, np.float64)))
            tell(len(path) - 1, path[-1][1])

        options: dict[str, Any] = {method.limit: limit * (20 if method.limit == "maxfun" else 1)}
        options |= dict(method.fixed)
        options |= {} if goal is None else dict.fromkeys(method.tolerance, goal)
        given: dict[str, Any] = {"bounds": optimize.Bounds(*bounds)} if bounds is not None else {}
        if method.hessian and hessian is not None:
            given |= _second_order(method, hessian)
        if limit and not (method.gradient and goal is not None and path[0][2] <= goal):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optimize.OptimizeWarning)
                result = run(
                    objective,
                    np.clip(x0, *bounds) if bounds is not None else x0,
                    method=method.name,
                    jac=method.gradient,
                    callback=done,
                    options=options,
                    **given,
                )
    except _NotFinite:
        pass
    except Exception:
        if objective.error is None or objective.best is None:
            raise
    best = objective.best or objective.known[-1]
    return Entry(
        *best,
        float("nan") if goal is None or not method.gradient else goal,
        int(getattr(result, "nit", len(path) - 1)) if result is not None else max(len(path) - 1, 0),
        objective.evaluations,
        _outcome(objective, method, result, goal, limit, len(path) - 1),
        str(getattr(result, "message", "")),
        path,
        objective.error,
    )


def _second_order(method: Method, product: Callable[[Array, Array], Array]) -> dict[str, Any]:
    if method.hessian == "product":
        return {"hessp": product}

    def matrix(x: Array) -> Array:
        return np.stack([product(x, unit) for unit in np.eye(len(x))], axis=1)

    return {"hess": matrix}


def _outcome(
    objective: Objective, method: Method, result: Any, goal: float | None, limit: int, done: int
) -> int:
    if objective.error is not None or objective.best is None:
        return DIVERGED
    _, value, size = objective.best
    if method.gradient and goal is not None and size <= goal:
        return CONVERGED
    if result is None:
        last = objective.known[-1]
        return DIVERGED if not np.isfinite(last[1:]).all() and method.gradient else RUNNING
    if result.success and not method.gradient:
        return CONVERGED
    values = [point[1] for point in objective.known[-3:]]
    if max(values) - value <= 1000 * rounding() * abs(value):
        return PRECISION_LIMIT
    if result.success:
        return PRECISION_LIMIT
    return RUNNING if max(done, int(getattr(result, "nit", 0))) >= limit else STUCK


def differences(loss: Callable[[Array], float], bounds: tuple[Array, Array], x: Array) -> tuple[float, Array]:
    """Loss and its gradient by central differences, one-sided at bounds."""
    step = rounding() ** (1 / 3)
    lower, upper = (np.broadcast_to(bound, x.shape) for bound in bounds)
    gradient = np.zeros_like(x)
    for i in range(len(x)):
        ahead, behind = x.copy(), x.copy()
        h = step * max(1.0, abs(x[i]))
        ahead[i], behind[i] = min(x[i] + h, upper[i]), max(x[i] - h, lower[i])
        width = ahead[i] - behind[i]
        gradient[i] = (loss(ahead) - loss(behind)) / width if width > 0 else 0.0
    return loss(x), gradient


def method_named(name: str, own: Sequence[str]) -> Method:
    """The method of SciPy with this name."""
    found = METHODS.get(name.lower())
    if found is None:
        raise ValueError(
            f"`minimize` has no method {name!r}. Choose {', '.join(map(repr, own))} (on the device of "
            "the variables), "
            f"or one of SciPy's: {', '.join(repr(method.name) for method in METHODS.values())}."
        )
    return found
