"""Dataclasses of tensors: slicing, changed copies, caches, equality.

>>> import phi_tensor as math
>>> from dataclasses import dataclass
>>> from phi_tensor.dataclasses import sliceable
>>> @sliceable
... @dataclass(frozen=True)
... class Particles:
...     position: math.Tensor
...     mass: math.Tensor
>>> points = math.instance(p=3)
>>> dust = Particles(math.zeros(points, math.channel(vector="x,y")), math.ones(points))
>>> dust.p[1:]
Particles(p:i=2, vector:c=x,y)
"""

from phi_tensor._cached import cached_property
from phi_tensor._copy_with import copy_with as replace
from phi_tensor._data_eq import data_eq, equal
from phi_tensor._sliceable import (
    config_fields,
    data_fields,
    getitem,
    non_data_fields,
    sliceable,
    special_fields,
)


def copy(obj: object, /) -> object:
    """Copy of a dataclass with the values of its cached properties."""
    return replace(obj)


__all__ = [
    "cached_property",
    "config_fields",
    "copy",
    "data_eq",
    "data_fields",
    "equal",
    "getitem",
    "non_data_fields",
    "replace",
    "sliceable",
    "special_fields",
]
