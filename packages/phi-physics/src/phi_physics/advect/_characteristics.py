"""Characteristics: the paths dx/dt = u(x) along which transported values stay constant."""

from __future__ import annotations

from typing import Protocol

from phi_field import Field, sample
from phi_tensor import Tensor


class Characteristics(Protocol):
    """Integrator of characteristics: where points are after `dt`."""

    def __call__(
        self, start: Field | Tensor, velocity: Field, dt: float | Tensor, v0: Tensor | None = None
    ) -> Tensor:
        """Positions after `dt`, with the dims of `start`; see `euler`."""
        ...


def euler(start: Field | Tensor, velocity: Field, dt: float | Tensor, v0: Tensor | None = None) -> Tensor:
    """Positions x + dt·u(x), first order in `dt`.

    Args:
        start: Positions x `(…, vector)`, or a field, whose sites are meant.
        velocity: Velocity u [length/time].
        dt: Time step [time], scalar or `(batch…)`; negative values go back.
        v0: u(x), if it is known.
    """
    return _points(start) + dt * (sample(velocity, start) if v0 is None else v0)


def rk4(start: Field | Tensor, velocity: Field, dt: float | Tensor, v0: Tensor | None = None) -> Tensor:
    """Positions after `dt` along a steady velocity by the classic Runge–Kutta scheme, fourth order.

    Args:
        start: Positions x `(…, vector)`, or a field, whose sites are meant.
        velocity: Velocity u [length/time].
        dt: Time step [time], scalar or `(batch…)`; negative values go back.
        v0: u(x), if it is known.
    """
    x = _points(start)
    v1 = sample(velocity, start) if v0 is None else v0
    v2 = sample(velocity, x + (0.5 * dt) * v1)
    v3 = sample(velocity, x + (0.5 * dt) * v2)
    v4 = sample(velocity, x + dt * v3)
    return x + (dt / 6) * (v1 + 2 * v2 + 2 * v3 + v4)


def _points(start: Field | Tensor) -> Tensor:
    return start if isinstance(start, Tensor) else start.points
