"""Shapes that follow from another: with other sizes, types or dims, sliced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from phi_tensor._dim import Dim
from phi_tensor._dim_changes import adopted, retyped
from phi_tensor._dim_types import DimType, batch, channel, dim_type, dual, instance, spatial
from phi_tensor._errors import IncompatibleShapes

if TYPE_CHECKING:
    from phi_tensor._shape import Shape


class ShapeChanges:
    """Changed copies. Base of `Shape` alone, which looks dims up."""

    __slots__ = ()

    dims: tuple[Dim, ...]
    rank: int

    if TYPE_CHECKING:  # what `Shape` has

        @staticmethod
        def of(dims: tuple[Dim, ...]) -> Shape: ...

        @property
        def dim(self) -> Dim: ...

        def get_dim(self, name: str) -> Dim: ...

        def selected_names(self, dims: Any) -> tuple[str, ...]: ...

    def replace(self, dims: Any, new: Shape) -> Shape:
        """Shape with the selected dims exchanged for `new`, position by position.

        New undefined sizes take the old ones.
        """
        names = self.selected_names(dims)
        if len(names) != new.rank:
            raise IncompatibleShapes(
                f"`replace` exchanges dims one by one, but {names} are {len(names)} and {new} has {new.rank}."
            )
        table = dict(zip(names, new.dims, strict=True))
        return self.of(
            tuple(adopted(table[dim.name], dim) if dim.name in table else dim for dim in self.dims)
        )

    def with_size(self, size: Any) -> Shape:
        """One-dim shape with another size or other labels."""
        return self.of((self.dim.type.dim(self.dim.name, size),))

    def with_sizes(self, sizes: Sequence[Any] | Shape, keep_labels: bool = True) -> Shape:
        """Same names and types with other sizes; labels stay where the size does."""
        values = sizes.sizes if isinstance(sizes, ShapeChanges) else tuple(sizes)
        if len(values) != self.rank:
            raise IncompatibleShapes(f"{self} needs {self.rank} sizes, but found {values}.")
        return self.of(
            tuple(
                dim if keep_labels and size == dim.size else dim.type.dim(dim.name, size)
                for dim, size in zip(self.dims, values, strict=True)
            )
        )

    def with_dim_size(self, dim: str | Shape, size: Any, keep_labels: bool = True) -> Shape:
        """Shape with another size or other labels of one dim."""
        old = self.get_dim(dim if isinstance(dim, str) else dim.name)
        new = old if keep_labels and size == old.size else old.type.dim(old.name, size)
        return self.of(tuple(new if d is old else d for d in self.dims))

    def without_sizes(self) -> Shape:
        """Same names and types with undefined sizes."""
        return self.of(tuple(dim.with_size(None) for dim in self.dims))

    def as_type(self, new_type: DimType | str) -> Shape:
        """All dims with another type; dual names gain or lose their `~`."""
        return self.of(tuple(retyped(dim, dim_type(new_type)) for dim in self.dims))

    def as_batch(self) -> Shape:
        """All dims as batch dims."""
        return self.as_type(batch)

    def as_dual(self) -> Shape:
        """All dims as dual dims."""
        return self.as_type(dual)

    def as_instance(self) -> Shape:
        """All dims as instance dims."""
        return self.as_type(instance)

    def as_spatial(self) -> Shape:
        """All dims as spatial dims."""
        return self.as_type(spatial)

    def as_channel(self) -> Shape:
        """All dims as channel dims."""
        return self.as_type(channel)

    def after_gather(self, selection: Mapping[str, Any]) -> Shape:
        """Shape of a tensor of this shape after slicing: `shape.after_gather({'x': 0})`.

        Args:
            selection: Indices, slices, labels or lists of these by dim; absent dims are ignored.
        """
        from phi_tensor._create import filled  # noqa: PLC0415 tensors have shapes
        from phi_tensor._dtype import BOOL  # noqa: PLC0415 see above
        from phi_tensor.backends._numpy import NUMPY  # noqa: PLC0415 see above

        if any(dim.size is None for dim in self.dims):
            raise IncompatibleShapes(
                f"Slicing needs known sizes, but found {self}. Give the dims sizes with `with_sizes`."
            )
        # Constants take no memory, and slicing them is what slicing is.
        return filled(self.of(self.dims), np.zeros((), bool), BOOL, NUMPY)[dict(selection)].shape
