"""What a shape says about its dims by type and by size."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from phi_tensor._dim import Dim
from phi_tensor._dim_types import batch, channel, dual, instance, primal, spatial

if TYPE_CHECKING:
    from phi_tensor._shape import Shape


class ShapeViews:
    """Dims of one type, dims of certain sizes. Base of `Shape` alone, which selects them."""

    __slots__ = ()

    dims: tuple[Dim, ...]

    if TYPE_CHECKING:  # what `Shape` has

        @staticmethod
        def of(dims: tuple[Dim, ...]) -> Shape: ...

        def only(self, dims: Any, reorder: bool = False) -> Shape: ...

        def without(self, dims: Any) -> Shape: ...

    def _where(self, condition: Callable[[Dim], bool]) -> Shape:
        return self.of(tuple(dim for dim in self.dims if condition(dim)))

    # --- by type

    @property
    def batch(self) -> Shape:
        """Batch dims."""
        return self.only(batch)

    @property
    def dual(self) -> Shape:
        """Dual dims."""
        return self.only(dual)

    @property
    def instance(self) -> Shape:
        """Instance dims."""
        return self.only(instance)

    @property
    def spatial(self) -> Shape:
        """Spatial dims."""
        return self.only(spatial)

    @property
    def channel(self) -> Shape:
        """Channel dims."""
        return self.only(channel)

    @property
    def primal(self) -> Shape:
        """Instance, spatial and channel dims."""
        return self.only(primal)

    @property
    def non_batch(self) -> Shape:
        """All but batch dims."""
        return self.without(batch)

    @property
    def non_dual(self) -> Shape:
        """All but dual dims."""
        return self.without(dual)

    @property
    def non_instance(self) -> Shape:
        """All but instance dims."""
        return self.without(instance)

    @property
    def non_spatial(self) -> Shape:
        """All but spatial dims."""
        return self.without(spatial)

    @property
    def non_channel(self) -> Shape:
        """All but channel dims."""
        return self.without(channel)

    @property
    def non_primal(self) -> Shape:
        """Batch and dual dims."""
        return self.without(primal)

    @property
    def batch_rank(self) -> int:
        """Number of batch dims [-]."""
        return self.batch.rank

    @property
    def dual_rank(self) -> int:
        """Number of dual dims [-]."""
        return self.dual.rank

    @property
    def instance_rank(self) -> int:
        """Number of instance dims [-]."""
        return self.instance.rank

    @property
    def spatial_rank(self) -> int:
        """Number of spatial dims [-]."""
        return self.spatial.rank

    @property
    def channel_rank(self) -> int:
        """Number of channel dims [-]."""
        return self.channel.rank

    # --- by size

    @property
    def singleton(self) -> Shape:
        """Dims of size one."""
        return self._where(lambda dim: dim.size == 1)

    @property
    def non_singleton(self) -> Shape:
        """Dims of any other size than one."""
        return self._where(lambda dim: dim.size != 1)

    @property
    def defined(self) -> Shape:
        """Dims with a size."""
        return self._where(lambda dim: dim.size is not None)

    @property
    def undefined(self) -> Shape:
        """Dims without a size."""
        return self._where(lambda dim: dim.size is None)

    @property
    def non_uniform(self) -> Shape:
        """Dims whose size varies."""
        return self._where(lambda dim: bool(dim.over))

    @property
    def non_uniform_shape(self) -> Shape:
        """Dims along which sizes vary."""
        over = {name for dim in self.dims for name in dim.over}
        return self._where(lambda dim: dim.name in over)
