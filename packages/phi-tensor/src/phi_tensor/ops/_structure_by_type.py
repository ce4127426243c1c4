"""Short names: dims of one type retyped or packed, ranges along one dim. One row per name.

>>> from phi_tensor import batch, ones
>>> b2i(ones(batch(many=2))).shape
(many:i=2)
>>> brange(many=3)
(0, 1, 2) along (many:b=3) int64
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from phi_tensor._create import arange
from phi_tensor._dim_types import DimFilter, DimType, batch, channel, dual, instance, primal, spatial
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.ops._joining import tcat
from phi_tensor.ops._structure import pack_dims, rename_dims

Selector = DimType | DimFilter | tuple[DimType, ...]


class _Pack(Protocol):
    def __call__(self, value: Any, packed_dim: Shape | str, pos: int | None = None) -> Any: ...


class _Range(Protocol):
    def __call__(self, start: int = 0, **stop: int) -> Tensor: ...


class _Cat(Protocol):
    def __call__(
        self, values: Sequence[Any], *, expand_values: bool = True, default_name: str = ...
    ) -> Any: ...


def _retyper(name: str, old: Selector, new: DimType) -> Callable[[Any], Any]:
    def retyped(value: Any) -> Any:
        return rename_dims(value, old, new)

    return _named(retyped, name, f"`value` with its {_words(old)} dims as {new} dims; see `rename_dims`.")


def _packer(name: str, dim_type: DimType) -> _Pack:
    def packed(value: Any, packed_dim: Shape | str, pos: int | None = None) -> Any:
        return pack_dims(value, dim_type, packed_dim, pos)

    return _named(packed, name, f"`value` with its {dim_type} dims merged into one; see `pack_dims`.")


def _ranger(name: str, dim_type: DimType) -> _Range:
    def ranged(start: int = 0, **stop: int) -> Tensor:
        if len(stop) != 1:
            raise IncompatibleShapes(
                f"`{name}` makes one dim, but found {stop}. Write e.g. `{name}(x=3)` or `{name}(1, x=3)`."
            )
        ((dim, end),) = stop.items()
        return arange(dim_type(dim), start, end)

    return _named(ranged, name, f"Integers from `start` to below `stop` along one {dim_type} dim.")


def _joiner(name: str, dim_type: DimType) -> _Cat:
    def joined(values: Sequence[Any], *, expand_values: bool = True, default_name: str = name) -> Any:
        return tcat(values, dim_type, expand_values, default_name)

    return _named(joined, name, f"Values one after the other along their {dim_type} dims; see `tcat`.")


def _named(function: Any, name: str, doc: str) -> Any:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


def _words(selector: Selector) -> str:
    return " and ".join(map(str, selector)) if isinstance(selector, tuple) else str(selector)


b2i = _retyper("b2i", batch, instance)
c2b = _retyper("c2b", channel, batch)
c2d = _retyper("c2d", channel, dual)
i2b = _retyper("i2b", instance, batch)
s2b = _retyper("s2b", spatial, batch)
si2d = _retyper("si2d", (spatial, instance), dual)
p2d = _retyper("p2d", primal, dual)
d2i = _retyper("d2i", dual, instance)
d2s = _retyper("d2s", dual, spatial)
dpack = _packer("dpack", dual)
ipack = _packer("ipack", instance)
spack = _packer("spack", spatial)
cpack = _packer("cpack", channel)
dcat = _joiner("dcat", dual)
icat = _joiner("icat", instance)
scat = _joiner("scat", spatial)
ccat = _joiner("ccat", channel)
brange = _ranger("brange", batch)
drange = _ranger("drange", dual)
irange = _ranger("irange", instance)
srange = _ranger("srange", spatial)
crange = _ranger("crange", channel)
