"""Integrators in time of ∂s/∂t = f(s) for one state or several: fields, tensors, trees of them.

>>> import phi_tensor as math
>>> float(rk4(lambda s: -s, math.wrap(1.0), dt=0.1)) - float(math.exp(-0.1)) < 1e-6
True
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from phi_tensor import Tensor

__all__ = ["euler", "rk4"]


def euler(pde: Callable[..., Any], *state: Any, dt: float | Tensor = 1.0, **parameters: Any) -> Any:
    """State after one step s + dt·f(s), first order.

    Args:
        pde: Rate of change f: takes the states and `parameters`, returns one rate per state.
        *state: States, anything that can be added and multiplied by numbers.
        dt: Time step [time], scalar or `(batch…)`.
        **parameters: Passed on to `pde`.

    Returns:
        The new state; a tuple if there are several.
    """
    return _result(_moved(state, _rates(pde, state, parameters), dt))


def rk4(pde: Callable[..., Any], *state: Any, dt: float | Tensor = 1.0, **parameters: Any) -> Any:
    """State after one step of the classic Runge–Kutta scheme, fourth order.

    Args:
        pde: Rate of change f: takes the states and `parameters`, returns one rate per state.
        *state: States, anything that can be added and multiplied by numbers.
        dt: Time step [time], scalar or `(batch…)`.
        **parameters: Passed on to `pde`.

    Returns:
        The new state; a tuple if there are several.
    """
    k1 = _rates(pde, state, parameters)
    k2 = _rates(pde, _moved(state, k1, 0.5 * dt), parameters)
    k3 = _rates(pde, _moved(state, k2, 0.5 * dt), parameters)
    k4 = _rates(pde, _moved(state, k3, dt), parameters)
    mean = tuple((a + 2 * b + 2 * c + d) / 6 for a, b, c, d in zip(k1, k2, k3, k4, strict=True))
    return _result(_moved(state, mean, dt))


def _rates(pde: Callable[..., Any], state: tuple[Any, ...], parameters: dict[str, Any]) -> tuple[Any, ...]:
    rates = pde(*state, **parameters)
    return rates if isinstance(rates, tuple) else (rates,)  # pyright: ignore[reportUnknownVariableType] rates may be anything


def _moved(state: tuple[Any, ...], rates: tuple[Any, ...], dt: float | Tensor) -> tuple[Any, ...]:
    return tuple(s + dt * rate for s, rate in zip(state, rates, strict=True))


def _result(state: tuple[Any, ...]) -> Any:
    return state[0] if len(state) == 1 else state
