"""Functions of native arrays, networks above all, called with tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from phi_tensor._create import wrap
from phi_tensor._dim_types import batch, channel, spatial
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._shape import EMPTY_SHAPE, Shape, merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor.backends._backend import Backend
from phi_tensor.backends._registry import backend_of, common_backend
from phi_tensor.ops._call import as_tensor
from phi_tensor.ops._elementwise import to_float
from phi_tensor.ops._structure import expand, unpack_dim


def native_call(
    f: Callable[..., Any],
    *inputs: Any,
    channels_last: bool | None = None,
    channel_dim: Shape | str | None = "vector",
    spatial_dim: Shape | str | None = None,
    **f_kwargs: Any,
) -> Any:
    """Result of a function of native arrays as a tensor.

    `f` gets one array per input with the axes (batch, spatial…, channel) or (batch, channel, spatial…): all
    batch dims packed into one axis, all channel dims into another, spatial ones in the order in which they
    first appear. Inputs are cast to the precision of the context.

    Args:
        f: Function, e.g. a network, of native arrays to one native array.
        *inputs: Tensors `(batch…, spatial…, channel…)`; missing batch and spatial dims are added.
        channels_last: Where the channel axis stands; default: last, but second for torch, as its layers want.
        channel_dim: Dim of the channel axis of the result; with None the result has no channel axis. Of size
            1 and without labels it is dropped.
        spatial_dim: Spatial dims of the result, where they are not those of the inputs, e.g. `spatial('k')`.
        **f_kwargs: Passed on to `f`.

    Raises:
        IncompatibleShapes: The result has another number of axes, inputs have instance or dual dims.

    >>> import phi_tensor as math
    >>> x = math.ones(math.spatial(x=2), math.channel(c=3))
    >>> math.native_call(lambda x: x.sum(axis=-1, keepdims=True), x)
    (3.0, 3.0) along (x:s=2) float32
    """
    tensors = [
        to_float(as_tensor(x)) if as_tensor(x).dtype.kind is not complex else as_tensor(x) for x in inputs
    ]
    backend = common_backend(tuple(x.layout.backend for x in tensors))
    last = not backend.channels_first if channels_last is None else channels_last
    shape = merge_shapes(EMPTY_SHAPE, *(x.shape.without(channel) for x in tensors))
    if shape.without(batch).without(spatial):
        raise IncompatibleShapes(
            f"`native_call` lays out batch, spatial and channel dims, but found {shape}. Retype the others: "
            f"`rename_dims(value, {shape.without(batch).without(spatial).names[0]!r}, spatial)`."
        )
    output = f(*(_array(x, shape, last) for x in tensors), **f_kwargs)
    along = shape.spatial if spatial_dim is None else _dims(spatial_dim, spatial)
    return _named(output, shape.batch, along, _dims(channel_dim, channel), last, backend)


def _dims(given: Shape | str | None, dim_type: Any) -> Shape:
    if given is None:
        return EMPTY_SHAPE
    return dim_type(given) if isinstance(given, str) else given


def _array(x: Tensor, shape: Shape, last: bool) -> Any:
    x = expand(x, shape)
    middle = shape.spatial.names
    features = tuple(x.shape.channel.names)
    groups = (shape.batch.names, *middle, features) if last else (shape.batch.names, features, *middle)
    return x.native([list(group) if isinstance(group, tuple) else group for group in groups])


def _named(
    output: Any, batches: Shape, along: Shape, features: Shape, last: bool, backend: Backend
) -> Tensor:
    found = backend_of(output)
    if found is None:
        raise IncompatibleShapes(
            f"The function of `native_call` returns one native array of {backend}, but found "
            f"{type(output).__name__}. Return the array alone."
        )
    sizes = found.shape(output)
    wanted = 1 + along.rank + features.rank
    if len(sizes) != wanted:
        raise IncompatibleShapes(
            f"The result of `native_call` has the axes {sizes}, but {wanted} were expected: batch, "
            f"{along.names} and channel {features.names}. Pass `spatial_dim` or `channel_dim` (None for a "
            f"result without channel axis)."
        )
    entry = batch("_batch")
    middle = Shape.of(tuple(dim.type.dim(dim.name, None) for dim in along.dims))
    order = (entry, middle, features) if last else (entry, features, middle)
    axes = [axis for dims in order for axis in dims]
    result = wrap(output, *axes)
    result = unpack_dim(result, entry.name, batches) if batches else result[{entry.name: 0}]
    if features and features.dim.labels is None and result.shape.get_size(features.name) == 1:
        result = result[{features.name: 0}]
    return result
