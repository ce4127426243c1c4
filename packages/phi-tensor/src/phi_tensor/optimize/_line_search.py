"""Strong-Wolfe line search as a state machine: one evaluation per step, every batch entry at its own stage.

φ(t) = f(x + t·d) must decrease enough, φ(t) ≤ φ(0) + δ·t·φ′(0), and become flat, |φ′(t)| ≤ σ·|φ′(0)|. Where
the decrease drowns in rounding errors of f, slopes decide instead: (2δ − 1)·φ′(0) ≥ φ′(t) ≥ σ·φ′(0).

Reference: Nocedal, Wright, *Numerical Optimization*, 2nd ed. (2006), algorithms 3.5 and 3.6; Hager, Zhang,
*A new conjugate gradient method with guaranteed descent*, SIAM J. Optim. 16 (2005), eq. (23): approximate
Wolfe.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from phi_tensor._context import get_precision
from phi_tensor._create import ones_like, zeros_like
from phi_tensor._tensor import Tensor
from phi_tensor.ops import _table as table
from phi_tensor.ops._elementwise import to_int64, where
from phi_tensor.optimize._vectors import finite

DECREASE = 1e-4
"""δ: part of the linear decrease that counts as enough [-]."""
FLATNESS = 0.9
"""σ: part of the initial slope that counts as flat [-]; methods of the Newton kind need no better."""
SETTLE = 12
"""Evaluations after which any decrease is enough [-]."""
MOST = 40
"""Evaluations after which a search without decrease has failed [-]."""


class Search(NamedTuple):
    """Stage of the searches, all `(batch…)`.

    Attributes:
        step: t to evaluate next.
        low: Best t with enough decrease so far, 0 at first.
        low_value: φ there.
        low_slope: φ′ there.
        high: Other end of the bracket.
        high_value: φ there; infinite where f was not finite.
        high_slope: φ′ there.
        bracketed: Whether there is another end.
        settled: Whether the next evaluation, at `low`, ends the search.
        tries: Evaluations [-].
    """

    step: Tensor
    low: Tensor
    low_value: Tensor
    low_slope: Tensor
    high: Tensor
    high_value: Tensor
    high_slope: Tensor
    bracketed: Tensor
    settled: Tensor
    tries: Tensor


def rounding() -> float:
    """Distance from 1 to the next number of the context's precision [-]."""
    return {16: 2.0**-10, 32: 2.0**-23, 64: 2.0**-52}[get_precision()]


def begin(value: Tensor, slope: Tensor, step: Tensor) -> Search:
    """Searches from φ(0) and φ′(0), that first try `step`."""
    zero = zeros_like(value)
    no = zero > 1
    return Search(step, zero, value, slope, zero, value, slope, no, no, to_int64(zero))


@np.errstate(all="ignore")  # entries whose numbers are not finite are sorted out below
def advance(
    search: Search, start: Tensor, start_slope: Tensor, value: Tensor, slope: Tensor
) -> tuple[Search, Tensor, Tensor]:
    """`(next stage, accepted, failed)` after evaluating φ and φ′ at `search.step`.

    Args:
        search: Stage.
        start: φ(0) `(batch…)`.
        start_slope: φ′(0), negative.
        value: φ at `search.step`; may be infinite or NaN.
        slope: φ′ there.
    """
    t = search.step
    usable = finite(value, slope)
    noise = 8 * rounding() * abs(start)
    enough = (value <= start + DECREASE * t * start_slope) | (
        (value <= start + noise) & (slope <= (2 * DECREASE - 1) * start_slope)
    )
    high = ~(usable & enough & (value <= search.low_value + noise))
    accepted = usable & (search.settled | (~high & (abs(slope) <= -FLATNESS * start_slope)))
    towards = where(search.bracketed, search.high - search.low, ones_like(t))
    crossed = ~high & (slope * towards >= 0)
    narrowed = _narrowed(search, value, slope, usable, high, crossed)
    failed = ~accepted & _hopeless(narrowed, start, start_slope)
    settled = ~accepted & (narrowed.low > 0) & (narrowed.tries >= SETTLE)
    step = where(settled, narrowed.low, where(narrowed.bracketed, _within(narrowed), _beyond(search, slope)))
    return narrowed._replace(step=step, settled=settled), accepted, failed


def _narrowed(
    search: Search, value: Tensor, slope: Tensor, usable: Tensor, high: Tensor, crossed: Tensor
) -> Search:
    """The bracket with its new end: the evaluated point replaces the high end, or the low end."""
    infinite = where(usable, value, float("inf"))
    flat = where(usable, slope, 0.0)
    return search._replace(
        low=where(high, search.low, search.step),
        low_value=where(high, search.low_value, infinite),
        low_slope=where(high, search.low_slope, flat),
        high=where(high, search.step, where(crossed, search.low, search.high)),
        high_value=where(high, infinite, where(crossed, search.low_value, search.high_value)),
        high_slope=where(high, flat, where(crossed, search.low_slope, search.high_slope)),
        bracketed=search.bracketed | high | crossed,
        tries=search.tries + 1,
    )


def _hopeless(search: Search, start: Tensor, start_slope: Tensor) -> Tensor:
    """No decrease found, and none to be expected: even the linear decrease would be lost by rounding."""
    lost = search.bracketed & (-search.high * start_slope <= 0.25 * rounding() * abs(start))
    return (search.low <= 0) & (lost | (search.tries >= MOST))


def _within(search: Search) -> Tensor:
    """Minimum of the cubic through both ends; well inside, and the middle every third time."""
    a, b = search.low, search.high
    width = b - a
    is_known = finite(search.high_value)
    noise = 8 * rounding() * abs(search.low_value)
    fraction = where(
        is_known & (abs(search.high_value - search.low_value) > noise), _cubic(search), _secant(search)
    )
    fraction = where(is_known & finite(fraction), fraction, 0.25)
    fraction = where(search.tries % 3 == 2, 0.5, fraction)
    return a + width * table.MAXIMUM(table.MINIMUM(fraction, 0.9), 0.1)


def _cubic(search: Search) -> Tensor:
    """Where between both ends (0 to 1) the cubic is lowest; NaN where it has no minimum."""
    width = search.high - search.low
    s, r = search.low_slope * width, search.high_slope * width
    d = s + r - 3 * (search.high_value - search.low_value)
    root = table.SQRT(d * d - s * r)
    return 1 - (r + root - d) / (r - s + 2 * root)


def _secant(search: Search) -> Tensor:
    """Where between both ends (0 to 1) a straight slope is zero."""
    return search.low_slope / (search.low_slope - search.high_slope)


def _beyond(search: Search, slope: Tensor) -> Tensor:
    """Where a straight slope is zero beyond the evaluated point, 1.1 to 4 times the last step farther."""
    t, last = search.step, search.step - search.low
    farther = slope / (search.low_slope - slope) * last
    farther = where(finite(farther) & (farther > 0), farther, 4 * last)
    return t + table.MAXIMUM(table.MINIMUM(farther, 4 * last), 1.1 * last)
