"""What all functions of neighbours ask of positions: which dims list points, components, periodic domains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np

from phi_tensor._convert import convert
from phi_tensor._create import wrap
from phi_tensor._dim import Dim
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._hidden import report
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.backends._numpy import NUMPY
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor
from phi_tensor.ops._elementwise import safe_div, stop_gradient
from phi_tensor.ops._pairs import components_of, points_of
from phi_tensor.ops._structure import expand


class Domain(NamedTuple):
    """Box that holds the points.

    Attributes:
        lower: Lower corner `(vector)` [length].
        size: Size `(vector)` [length].
        periodic: Whether opposite sides are one, per component.
    """

    lower: Tensor
    size: Tensor
    periodic: tuple[bool, ...]

    @property
    def period(self) -> Tensor | None:
        """Size along periodic components, 0 along others `(vector)`; None if no component is periodic."""
        if not any(self.periodic):
            return None
        return self.size if all(self.periodic) else self.size * _per_component(self.periodic, self.size.shape)


def listed_points(positions: Any, function: str) -> tuple[Tensor, Shape, Dim]:
    """`(positions, dims that list points, component dim)`."""
    x = as_tensor(positions)
    return x, points_of(x, function), components_of(x, function)


def domain_of(domain: tuple[Any, Any] | None, periodic: Any, components: Dim, function: str) -> Domain | None:
    """The domain that `function` was given: two corners, and which components are periodic."""
    is_periodic = _periodic_components(periodic, components, function)
    if domain is None:
        if any(is_periodic):
            raise IncompatibleShapes(
                f"`{function}(periodic=…)` needs the `domain`: its lower and its upper corner."
            )
        return None
    along = Shape.of((components,))
    lower, upper = (expand(as_tensor(corner), along) for corner in domain)
    for corner in (lower, upper):
        if corner.shape.without(components.name).non_batch:
            raise IncompatibleShapes(
                f"`{function}(domain=…)` takes corners with components ({components}) and batch dims, but "
                f"found {corner.shape}. Slice them."
            )
    return Domain(lower, upper - lower, is_periodic)


def _periodic_components(periodic: Any, components: Dim, function: str) -> tuple[bool, ...]:
    flags = as_tensor(periodic)
    if flags.dtype.kind is not bool or flags.shape.without(components.name) or not flags.available:
        raise IncompatibleShapes(
            f"`{function}(periodic=…)` takes a bool, or known bools with components ({components}), but "
            f"found {periodic!r}."
        )
    return tuple(map(bool, expand(flags, Shape.of((components,))).numpy(components.name)))


def _per_component(flags: tuple[bool, ...], shape: Shape) -> Tensor:
    return wrap(np.asarray(flags), shape.channel)


def numbers_of(x: Tensor, order: Sequence[Any]) -> Any:
    """NumPy array of known numbers, arranged on the host.

    Libraries take what is arranged while a derivative is under way for unknown.
    """
    return convert(x, NUMPY, use_dlpack=False).numpy(order)


def nearest_image(difference: Tensor, period: Tensor | None) -> Tensor:
    """Difference to the closest of the periodic images; components of period 0 stay."""
    if period is None:
        return difference
    return difference - period * stop_gradient(table.ROUND(safe_div(difference, period)))


def check_positions(x: Tensor, domain: Domain | None, components: Dim, function: str) -> None:
    """Report positions that are not finite, or outside of the domain along components that do not wrap."""

    def not_finite(_: Any) -> ValueError:
        return ValueError(
            f"`{function}` found positions that are NaN or infinite, which have no neighbours. Leave these "
            f"points out with `boolean_mask`, or find out what made them so."
        )

    report(table.ANY(table.LOGICAL_NOT(table.ISFINITE(x)), names=x.shape.names), not_finite)
    if domain is None or all(domain.periodic):
        return
    names = components.labels or tuple(map(str, range(cast("int", components.size))))
    closed = [name for name, open_ended in zip(names, domain.periodic, strict=True) if not open_ended]

    def outside(_: Any) -> ValueError:
        return ValueError(
            f"`{function}` found points outside of the `domain` along {', '.join(closed)}, which is not "
            f"periodic. Enlarge the domain, leave it away, or clip the positions."
        )

    beyond = (x < domain.lower) | (x > domain.lower + domain.size)
    wrong = beyond & ~_per_component(domain.periodic, Shape.of((components,)))
    report(table.ANY(wrong, names=wrong.shape.names), outside)
