"""Rules for values outside of a grid: constants, copies of inner values, and combinations of them.

>>> from phi_tensor import extrapolation
>>> extrapolation.combine_sides(x=extrapolation.PERIODIC, y=(0, extrapolation.ZERO_GRADIENT)).is_flexible
True
"""

from phi_tensor._extrapolation import (
    ANTIREFLECT,
    ANTISYMMETRIC,
    BOUNDARY,
    LINEAR,
    NONE,
    ONE,
    PERIODIC,
    REFLECT,
    SYMMETRIC,
    SYMMETRIC_GRADIENT,
    ZERO,
    ZERO_GRADIENT,
    ConstantExtrapolation,
    CopyExtrapolation,
    Extrapolation,
    Undefined,
)
from phi_tensor._extrapolation_arithmetic import derived
from phi_tensor._extrapolation_files import from_dict
from phi_tensor._extrapolation_parts import (
    domain_slice,
    get_normal,
    get_tangential,
    map,
    remove_constant_offset,
)
from phi_tensor._extrapolation_sides import as_extrapolation, combine_by_direction, combine_sides, where

__all__ = [
    "ANTIREFLECT",
    "ANTISYMMETRIC",
    "BOUNDARY",
    "LINEAR",
    "NONE",
    "ONE",
    "PERIODIC",
    "REFLECT",
    "SYMMETRIC",
    "SYMMETRIC_GRADIENT",
    "ZERO",
    "ZERO_GRADIENT",
    "ConstantExtrapolation",
    "CopyExtrapolation",
    "Extrapolation",
    "Undefined",
    "as_extrapolation",
    "combine_by_direction",
    "combine_sides",
    "derived",
    "domain_slice",
    "from_dict",
    "get_normal",
    "get_tangential",
    "map",
    "remove_constant_offset",
    "where",
]
