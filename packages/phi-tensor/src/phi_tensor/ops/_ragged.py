"""Values whose sizes vary: functions that need one size are applied entry by entry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from phi_tensor._dim_changes import int_size
from phi_tensor._tensor import Tensor
from phi_tensor.ops._structure import stack


def entry_by_entry(function: Callable[[Tensor], Any], value: Tensor, names: Sequence[str]) -> Tensor | None:
    """`function` of each entry along the dim that sizes of `names` vary over; None if they do not vary."""
    along = next((over for dim in value.shape.dims if dim.name in names for over in dim.over), None)
    if along is None:
        return None
    count = int_size(value.shape.get_dim(along))
    return stack([function(value[{along: i}]) for i in range(count)], value.shape[along])
