"""Statistics over named dims: spread, quantiles, finite elements only, and sums of exponentials."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from phi_tensor._context import precision
from phi_tensor._create import ones_like
from phi_tensor._dim_types import non_batch
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._plan import Row
from phi_tensor._tensor import Tensor
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor
from phi_tensor.ops._elementwise import abs_square, stop_gradient, to_float, to_int64, where
from phi_tensor.ops._inside import sizes_along
from phi_tensor.ops._reductions import check_not_empty, in_one_dim, over_leaves

Names = tuple[str, ...]


# --- spread


def variance(value: Any, dim: Any = non_batch, correction: float = 0) -> Any:
    """Variance Σ|x − mean|² / (n − correction) along `dim`; of complex numbers a real one.

    Args:
        value: Tensor or tree.
        dim: Dims to reduce.
        correction: 0 for the variance of the n elements, 1 for an unbiased estimate from n samples.

    >>> import phi_tensor as math
    >>> variance(math.vec(x=1.0, y=3.0)), variance(math.vec(x=1.0, y=3.0), correction=1)
    (1.0, 2.0)
    """
    return over_leaves(lambda x, names: _variance(x, names, correction), value, dim, "variance")


def std(value: Any, dim: Any = non_batch, correction: float = 0) -> Any:
    """Standard deviation √(Σ|x − mean|² / (n − correction)) along `dim`; its derivative is 0 where it is 0.

    Args:
        value: Tensor or tree.
        dim: Dims to reduce.
        correction: 0 for the deviation of the n elements, 1 for an estimate from n samples.

    >>> import phi_tensor as math
    >>> std(math.vec(x=1.0, y=3.0))
    1.0
    """
    return over_leaves(lambda x, names: _std(x, names, correction), value, dim, "std")


def _variance(x: Tensor, names: Names, correction: float) -> Tensor:
    squares = abs_square(x - table.MEAN(x, names=names))
    if not correction:
        return table.MEAN(squares, names=names)
    count = table.SUM(ones_like(squares), names=names)
    return table.SUM(squares, names=names) / (count - correction)


def _std(x: Tensor, names: Names, correction: float) -> Tensor:
    squared = _variance(x, names, correction)
    if squared.available:
        return table.SQRT(squared)
    zero = squared == 0
    return where(zero, 0, table.SQRT(where(zero, 1, squared)))


# --- quantiles


def quantile(value: Any, quantiles: Any, dim: Any = non_batch) -> Any:
    """Quantiles along `dim`: sorted values, interpolated linearly at position q·(n − 1); NaN if any is.

    Args:
        value: Tensor or tree of real numbers.
        quantiles: q between 0 and 1, a number or a tensor whose dims the result has, too.
        dim: Dims to reduce.

    Raises:
        IncompatibleShapes: There are no elements, or q is outside of [0, 1].
        Unsupported: `dim` joins slices of different sizes.

    >>> import phi_tensor as math
    >>> quantile(math.wrap([0.0, 10.0, 4.0], math.spatial("x")), 0.25)
    2.0
    """
    _check_quantiles(quantiles)
    return over_leaves(lambda x, names: _quantile(x, names, quantiles), value, dim, "quantile")


def median(value: Any, dim: Any = non_batch) -> Any:
    """Middle of the sorted values along `dim`, or the mean of the two in the middle.

    >>> import phi_tensor as math
    >>> median(math.wrap([0.0, 10.0, 4.0], math.spatial("x")))
    4.0
    """
    return quantile(value, 0.5, dim)


def _check_quantiles(quantiles: Any) -> None:
    q = as_tensor(quantiles)
    if not q.available:
        return
    numbers = np.asarray(q.numpy())
    if not np.all((numbers >= 0) & (numbers <= 1)):
        raise IncompatibleShapes(
            f"`quantile` needs quantiles between 0 and 1, but found {quantiles}. Divide percentages by 100."
        )


def _quantile(x: Tensor, names: Names, quantiles: Any) -> Tensor:
    x = to_float(x) if x.dtype.kind in (bool, int) else x
    if not names:
        return x
    check_not_empty(x.shape, names, "quantile")
    name, (x,) = in_one_dim(names, x)
    ordered: Tensor = table.SORT(x, name=name)
    size = x.shape.get_size(name)
    if isinstance(quantiles, (int, float)) and isinstance(size, int):
        return _at_known_position(ordered, name, quantiles * (size - 1))
    last = sizes_along(x.shape, name) - 1
    with precision(64):  # positions among many values need more than seven digits
        position = as_tensor(quantiles) * last
        below = table.FLOOR(position)
    fraction = position - below
    first = to_int64(below)
    low = table.TAKE(ordered, first, name=name)
    high = table.TAKE(ordered, table.MINIMUM(first + 1, last), name=name)
    alone = (fraction == 0) | (table.ISINF(low) & (low == high))  # else 0·∞ and ∞ − ∞ are NaN
    between = where(alone, low, where(alone, 0, low) * (1 - fraction) + where(alone, 0, high) * fraction)
    return where(table.ANY(table.ISNAN(x), names=(name,)), float("nan"), between)


def _at_known_position(ordered: Tensor, name: str, position: float) -> Tensor:
    below, fraction = int(position), position % 1
    low = between = ordered[{name: below}]
    if fraction:
        high = ordered[{name: below + 1}]
        alone = table.ISINF(low) & (low == high)
        between = where(alone, low, low * (1 - fraction) + where(alone, 0, high) * fraction)
    return where(table.ISNAN(ordered[{name: -1}]), float("nan"), between)  # NaNs come last


# --- finite elements only


def finite_sum(value: Any, dim: Any = non_batch, default: complex = float("nan")) -> Any:
    """Sum of the finite elements along `dim`, or `default` where there are none.

    >>> import phi_tensor as math
    >>> finite_sum(math.vec(x=1.0, y=math.NAN, z=2.0))
    3.0
    """
    return _finite(value, dim, default, "finite_sum", lambda x, _, names: table.SUM(x, names=names))


def finite_mean(value: Any, dim: Any = non_batch, default: complex = float("nan")) -> Any:
    """Mean of the finite elements along `dim`, or `default` where there are none.

    >>> import phi_tensor as math
    >>> finite_mean(math.vec(x=1.0, y=math.INF, z=2.0))
    1.5
    """
    return _finite(value, dim, default, "finite_mean", _finite_mean)


def finite_std(value: Any, dim: Any = non_batch, default: complex = float("nan")) -> Any:
    """Standard deviation of the finite elements along `dim`, or `default` where there are none.

    >>> import phi_tensor as math
    >>> finite_std(math.vec(x=1.0, y=math.NAN, z=3.0))
    1.0
    """
    return _finite(value, dim, default, "finite_std", _finite_std)


def finite_max(value: Any, dim: Any = non_batch, default: complex = float("nan")) -> Any:
    """Largest finite element along `dim`, or `default` where there are none.

    >>> import phi_tensor as math
    >>> finite_max(math.vec(x=1.0, y=math.INF))
    1.0
    """
    return _finite(value, dim, default, "finite_max", _finite_extreme(table.MAX, -float("inf")))


def finite_min(value: Any, dim: Any = non_batch, default: complex = float("nan")) -> Any:
    """Smallest finite element along `dim`, or `default` where there are none.

    >>> import phi_tensor as math
    >>> finite_min(math.vec(x=1.0, y=math.NAN))
    1.0
    """
    return _finite(value, dim, default, "finite_min", _finite_extreme(table.MIN, float("inf")))


Reduction = Callable[[Tensor, Tensor, Names], Tensor]
"""Result for `(values with 0 in place of others, which are finite, names)`."""


def _finite(value: Any, dim: Any, default: complex, function: str, reduce: Reduction) -> Any:
    def reduced(x: Tensor, names: Names) -> Tensor:
        finite = table.ISFINITE(x)
        some = table.ANY(finite, names=names)
        if any(x.shape.get_size(name) == 0 for name in names):
            return where(some, 0.0, default)
        return where(some, reduce(where(finite, x, 0), finite, names), default)

    return over_leaves(reduced, value, dim, function)


def _finite_mean(x: Tensor, finite: Tensor, names: Names) -> Tensor:
    count = table.SUM(finite, names=names)
    return table.SUM(x, names=names) / table.MAXIMUM(count, 1)


def _finite_std(x: Tensor, finite: Tensor, names: Names) -> Tensor:
    differences = where(finite, x - _finite_mean(x, finite, names), 0)
    squared = _finite_mean(abs_square(differences), finite, names)
    zero = squared == 0
    return where(zero, 0, table.SQRT(where(zero, 1, squared)))


def _finite_extreme(row: Row, start: float) -> Reduction:
    def reduce(x: Tensor, finite: Tensor, names: Names) -> Tensor:
        return row(x if x.dtype.kind in (bool, int) else where(finite, x, start), names=names)

    return reduce


# --- sums of exponentials


def softmax(x: Any, reduce: Any) -> Any:
    """eˣ / Σeˣ over the dims `reduce`, without overflow.

    >>> import phi_tensor as math
    >>> softmax(math.vec(x=1000.0, y=1000.0), "vector")
    (x=0.5, y=0.5)
    """

    def normalised(value: Tensor, names: Names) -> Tensor:
        weights = table.EXP(value - _largest(value, names))
        return weights / table.SUM(weights, names=names)

    return over_leaves(normalised, x, reduce, "softmax")


def log_sum_exp(x: Any, dim: Any = non_batch) -> Any:
    """Log Σeˣ over the dims `dim`, without overflow: a smooth maximum.

    >>> import phi_tensor as math
    >>> log_sum_exp(math.vec(x=1000.0, y=-1000.0))
    1000.0
    """

    def total(value: Tensor, names: Names) -> Tensor:
        largest = _largest(value, names)
        return table.LOG(table.SUM(table.EXP(value - largest), names=names)) + largest

    return over_leaves(total, x, dim, "log_sum_exp")


def _largest(x: Tensor, names: Names) -> Tensor:
    """Largest element as a constant for derivatives, which do not depend on it; 0 where it is not finite."""
    largest = stop_gradient(table.MAX(x, names=names))
    return where(table.ISFINITE(largest), largest, 0)
