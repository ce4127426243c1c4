"""Values at the corners around points, with the signs and slopes that they have outside, and their blend."""

from __future__ import annotations

from itertools import product
from typing import cast

from phi_tensor._dtype import DType
from phi_tensor.backends._backend import Backend, Native
from phi_tensor.ops._interpolation import FlatGrid, Located, Locator


class Corners:
    """Looks up and blends the values around points. Made once per grid and plan.

    Attributes:
        stored: Dims of the result's axes.
    """

    def __init__(self, grid: FlatGrid, locator: Locator, dtype: DType, backend: Backend) -> None:
        self.backend, self.locator = backend, locator
        self.stored = (*grid.rest, *locator.dims) if grid.leading else (*locator.dims, *grid.rest)
        rest = tuple(cast("int", dim.size) for dim in grid.rest)
        self.sizes = (*rest, *locator.sizes) if grid.leading else (*locator.sizes, *rest)
        self.axis = 1 if grid.leading and grid.rest else 0
        self.behind = 0 if grid.leading else len(rest)
        self.offsets = [
            sum(stride for stride, upper in zip(locator.strides, corner, strict=True) if upper)
            for corner in product((False, True), repeat=len(locator.strides))
        ]
        self.views = (
            "reverse" not in backend.supports
        )  # a shifted view of the array is cheaper than a shifted index
        self.dtype = dtype

    def look_up(self, flat: Native, at: Located) -> list[Native]:
        """Values at all corners, the last dim fastest."""
        ops = self.backend.ops
        take, reshape = ops["take"], ops["reshape"]
        if self.views:
            before = (slice(None),) * self.axis
            found = [
                take(flat[(*before, slice(o, None))] if o else flat, at.index, self.axis)
                for o in self.offsets
            ]
        else:
            add = ops["add"]
            found = [take(flat, add(at.index, o) if o else at.index, self.axis) for o in self.offsets]
        return [reshape(value, self.sizes) for value in found]

    def outside(self, values: list[Native], at: Located) -> list[Native]:
        """Values with the slopes and signs that points outside have."""
        for position, shift in enumerate(at.shifts):
            if shift is not None:
                values = self._continued(values, at, position, shift)
        return self._signed(values, at)

    def _continued(self, values: list[Native], at: Located, position: int, shift: Native) -> list[Native]:
        """Pairs along one dim moved along the straight line through them; constants stay at its end."""
        ops, stride = self.backend.ops, 1 << (len(at.shifts) - 1 - position)
        add, subtract, multiply, where = (ops[k] for k in ("add", "subtract", "multiply", "where"))
        steps = self._behind(shift)
        factor = ops["cast"](steps, self.dtype) if self.dtype.kind is complex else steps
        below, above = ops["less"](steps, 0), ops["greater"](steps, 0)
        moved = list(values)
        for i, place in enumerate(product((0, 1), repeat=len(at.shifts))):
            if place[position]:
                continue
            low, high = values[i], values[i + stride]
            rise = multiply(factor, subtract(high, low))
            ends = add(low, rise), add(high, rise)
            others = [
                f[u] for j, (f, u) in enumerate(zip(at.fixed, place, strict=True)) if f and j != position
            ]
            for fixed in map(self._behind, others):
                kept = where(above, high, low), where(below, low, high)
                ends = where(fixed, kept[0], ends[0]), where(fixed, kept[1], ends[1])
            moved[i], moved[i + stride] = ends
        return moved

    def _signed(self, values: list[Native], at: Located) -> list[Native]:
        """Values with the signs that mirrored points have."""
        if at.negative is None:
            return values
        where, negative = self.backend.ops["where"], self.backend.ops["negative"]
        places = product((0, 1), repeat=len(at.weights))
        masks = [self._behind(self._negative(at, place)) for place in places]
        return [where(mask, negative(value), value) for mask, value in zip(masks, values, strict=True)]

    def _negative(self, at: Located, place: tuple[int, ...]) -> Native:
        mask, both, negate = at.negative, self.backend.ops["logical_and"], self.backend.ops["logical_not"]
        for upper, fixed in zip(place, at.fixed, strict=True):
            if fixed is not None:
                mask = both(mask, negate(fixed[upper]))
        return mask

    def blend(self, values: list[Native], at: Located) -> Native:
        """The interpolated value."""
        add, subtract, multiply = (self.backend.ops[name] for name in ("add", "subtract", "multiply"))
        for weight in reversed(at.weights):
            w = self._behind(weight)
            if self.dtype.kind is complex:
                w = self.backend.ops["cast"](w, self.dtype)
            values = [
                add(low, multiply(w, subtract(high, low)))
                for low, high in zip(values[::2], values[1::2], strict=True)
            ]
        return self.backend.apart(values[0])

    def bounds(self, values: list[Native]) -> tuple[Native, Native]:
        """Smallest and largest of the values."""
        minimum, maximum = self.backend.ops["minimum"], self.backend.ops["maximum"]
        low = high = values[0]
        for value in values[1:]:
            low, high = minimum(low, value), maximum(high, value)
        return low, high

    def _behind(self, native: Native) -> Native:
        """Aligned with the result, whose other dims may come last."""
        if not self.behind:
            return native
        return self.backend.ops["reshape"](native, (*self.backend.shape(native), *[1] * self.behind))
