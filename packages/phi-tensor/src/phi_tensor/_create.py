"""Creation: data gets names (`wrap`, `tensor`, `vec`), constants take no memory (`zeros`, `ones`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, SupportsIndex, cast

import numpy as np
import numpy.typing as npt

from phi_tensor._context import context_dtype
from phi_tensor._dim import Dim
from phi_tensor._dim_types import channel, instance, spatial
from phi_tensor._dtype import FLOAT32, INT64, DType, DTypeLike
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._shape import EMPTY_SHAPE, Shape, concat_shapes, merge_shapes
from phi_tensor._spec import parse_shape_spec
from phi_tensor._tensor import Tensor
from phi_tensor.backends._backend import Backend, ComputeDevice
from phi_tensor.backends._numpy import NUMPY
from phi_tensor.backends._registry import backend_of, default_backend
from phi_tensor.layouts._layout import Dense, Parts
from phi_tensor.ops._structure import expand, stack

_VECTOR = channel("vector")


def wrap(data: Any, *shape: Shape | str, default_list_dim: Shape = _VECTOR) -> Tensor:
    """Tensor around `data` with its own library and element type, without copying.

    Args:
        data: Number, (nested) list or tuple, native array of any library, SciPy's sparse matrix, or tensor.
        *shape: One dim per axis in order; sizes may be undefined; strings as in `parse_shape_spec`. Without
            any, a list or 1-D array becomes `default_list_dim`.
        default_list_dim: Dim of a list without names.

    Raises:
        IncompatibleShapes: The number of dims or a size does not fit the data.

    >>> from phi_tensor import batch
    >>> wrap([1, 2, 3], batch("b")).shape
    (b:b=3)
    """
    dims = concat_shapes(*(parse_shape_spec(s) if isinstance(s, str) else s for s in shape))
    if isinstance(data, Tensor):
        if dims:
            _check_dims(data.shape, dims)
        return data
    if isinstance(data, (list, tuple)) and any(
        isinstance(entry, Tensor) for entry in cast("Sequence[Any]", data)
    ):
        first, rest = (dims[0], dims[1:]) if dims else (default_list_dim, EMPTY_SHAPE)
        parts = [wrap(entry, *rest) for entry in cast("Sequence[Any]", data)]
        return stack(parts, first)
    if isinstance(data, (bool, int, float, complex, list, tuple)):
        return _of_native(_array_of(data), dims, NUMPY, default_list_dim)
    if hasattr(data, "tocoo"):
        from phi_tensor.sparse._exchange import from_scipy  # noqa: PLC0415 rules of sparse tensors

        return from_scipy(data, dims)
    backend = backend_of(data)
    if backend is None:
        raise TypeError(
            f"`wrap` makes tensors of numbers, lists and arrays, but found {type(data).__name__}. For "
            f"objects use `layout`."
        )
    return _of_native(data, dims, backend, default_list_dim)


def _check_dims(found: Shape, asked: Shape) -> None:
    """Raise unless a tensor has the dims that it is wrapped with, as far as these say."""
    agree = found.names == asked.names and all(
        a.type is b.type and b.size in (None, a.size) and b.labels in (None, a.labels)
        for a, b in zip(found.dims, asked.dims, strict=True)
    )
    if not agree:
        raise IncompatibleShapes(
            f"The tensor has shape {found} already, but {asked} was asked for. Use `rename_dims`."
        )


def tensor(data: Any, *shape: Shape | str, convert: bool = True, default_list_dim: Shape = _VECTOR) -> Tensor:
    """Like `wrap`, but on the default backend (unless `convert` is False) and in the context's precision.

    >>> tensor([1.0, 2.0]).dtype
    float32
    """
    wrapped = wrap(data, *shape, default_list_dim=default_list_dim)
    if not convert:
        return wrapped
    from phi_tensor._convert import convert as to_backend  # noqa: PLC0415 conversion creates tensors
    from phi_tensor.ops._elementwise import cast as to_dtype  # noqa: PLC0415 operations need this module

    return to_dtype(to_backend(wrapped, default_backend()), context_dtype(wrapped.dtype))


def _array_of(data: Any) -> npt.NDArray[Any]:
    """NumPy array of Python numbers in the types that the context wants."""
    try:
        array = np.asarray(data)
    except ValueError:
        array = np.asarray(None)
    if isinstance(data, int):
        if array.dtype.kind not in "biu":
            raise ValueError(f"The int {data} does not fit into 64 bits. Wrap `float({data})`.")
    elif array.dtype.kind not in "biufc":
        raise IncompatibleShapes(
            f"Nested lists must hold numbers and have equal lengths, but found {data!r}. Stack ragged "
            f"parts with `stack`; for strings and objects use `layout`."
        )
    dtype = context_dtype(DType.of(array.dtype))
    return array.astype(dtype.numpy, copy=False)


def _of_native(data: Any, dims: Shape, backend: Backend, default_list_dim: Shape) -> Tensor:
    sizes = backend.shape(data)
    if not dims and len(sizes) == 1:
        dims = default_list_dim
    if dims.rank != len(sizes):
        raise IncompatibleShapes(
            f"The data has {len(sizes)} axes of sizes {sizes}, but {dims.rank} dims were given: {dims}. "
            f"Name every axis."
        )
    stored = tuple(_sized(dim, size) for dim, size in zip(dims.dims, sizes, strict=True))
    return Tensor(Dense.of(stored, Shape.of(stored), backend.dtype(data), backend), (data,))


def _sized(dim: Dim, size: int) -> Dim:
    if dim.size is None:
        return dim.with_size(size)
    if dim.size != size:
        raise IncompatibleShapes(
            f"Dim `{dim.name}` was given size {dim.size}, but the data has {size} entries there. Leave the "
            f"size away."
        )
    return dim


def vec(
    name: str | Shape = "vector",
    *sequence: Any,
    tuple_dim: Shape | None = None,
    list_dim: Shape | None = None,
    **components: Any,
) -> Tensor:
    """Vector along a channel dim: from components by label, or from values in order.

    Args:
        name: Name of the dim, or the dim.
        *sequence: Unlabelled components; numbers or tensors.
        tuple_dim: Dim of components given as tuples, default spatial `sequence`.
        list_dim: Dim of components given as lists, default instance `sequence`.
        **components: Components by label.

    >>> vec(x=1.0, y=2.0)
    (x=1.0, y=2.0)
    """
    dim = channel(name) if isinstance(name, str) else name
    if not isinstance(cast("Any", dim), Shape) or dim.rank != 1:
        raise IncompatibleShapes(
            f"`vec` puts components along one dim, but found {name!r}. Try `vec(x=1, y=0)`."
        )
    values = [_component(v, tuple_dim, list_dim) for v in (sequence or components.values())]
    if not values:
        raise IncompatibleShapes(f"`vec('{dim.name}')` needs components, e.g. `vec(x=1, y=0)`.")
    if sequence and components:
        raise IncompatibleShapes(
            "`vec` takes components either in order or by label, but found both. Label all of them."
        )
    labels = tuple(components) if components else dim.labels[0]
    return stack(values, dim.with_size(labels if labels else len(values)), expand_values=True)


def _component(value: Any, tuple_dim: Shape | None, list_dim: Shape | None) -> Tensor:
    if isinstance(value, (tuple, list)):
        dim = (
            tuple_dim or spatial("sequence") if isinstance(value, tuple) else list_dim or instance("sequence")
        )
        return wrap(cast("Any", value), dim)
    return wrap(value)


def _constant(
    value: complex,
    dtype: DTypeLike,
    shapes: tuple[Shape | str, ...],
    backend: Backend | None = None,
    device: ComputeDevice | None = None,
) -> Tensor:
    if not all(isinstance(entry, (Shape, str)) for entry in shapes):  # pyright: ignore[reportUnnecessaryIsInstance] from users
        raise TypeError(
            f"Constants are created along dims, but found {shapes}. Name every size, e.g. `spatial(x=3)`."
        )
    shape = merge_shapes(*shapes)
    if not shape.well_defined:
        raise IncompatibleShapes(
            f"All sizes must be known to create a tensor, but found {shape}. Write e.g. `spatial(x=4)`."
        )
    backend = backend or default_backend()
    kind = context_dtype(DType.of(dtype))
    return filled(shape, backend.full((), value, kind, device), kind, backend)


def filled(shape: Shape, native: Any, dtype: DType, backend: Backend) -> Tensor:
    """Tensor that holds one 0-d native along all dims, ragged ones too."""
    ragged = next((dim for dim in shape.dims if dim.over), None)
    if ragged is None:
        return Tensor(Dense.of((), shape, dtype, backend), (native,))
    along = shape.get_dim(ragged.over[0])
    parts = [filled(part, native, dtype, backend) for part in shape.unstack(along.name)]
    layout = Parts.of(along, tuple(part.layout for part in parts), shape)
    return Tensor(layout, tuple(n for part in parts for n in part.natives))


def zeros(*shape: Shape | str, dtype: DTypeLike = float) -> Tensor:
    """Zeros on the default backend; takes no memory until something else is stored.

    >>> from phi_tensor import spatial
    >>> zeros(spatial(x=3))
    (0.0, 0.0, 0.0) along (x:s=3) float32
    """
    return _constant(0, dtype, shape)


def ones(*shape: Shape | str, dtype: DTypeLike = float) -> Tensor:
    """Ones on the default backend; takes no memory until something else is stored.

    >>> ones(channel(vector="x,y"))
    (x=1.0, y=1.0)
    """
    return _constant(1, dtype, shape)


def full(value: complex, *shape: Shape | str, dtype: DTypeLike = float) -> Tensor:
    """One value everywhere, on the default backend; takes no memory until something else is stored.

    >>> full(0.5, channel(vector="x,y"))
    (x=0.5, y=0.5)
    """
    if not isinstance(value, (int, float, complex, np.generic)):  # pyright: ignore[reportUnnecessaryIsInstance] from users
        raise TypeError(
            f"`full(value, *shape)` takes a number and then dims, but `value` is {value!r}. Write e.g. "
            f"`full(1.0, spatial(x=3))`; dims are added to a tensor by `expand`."
        )
    if np.iscomplexobj(value) and DType.of(dtype).kind is not complex:
        raise TypeError(
            f"`full` cannot store the complex `value` {value} as `{DType.of(dtype)}`. Pass `dtype=complex`."
        )
    kind = DType.of(dtype).kind
    return _constant(kind(cast("Any", value)) if kind in (float, complex) else value, dtype, shape)


def _constant_like(obj: Any, value: complex) -> Any:
    from phi_tensor._trees import tree_map  # noqa: PLC0415 trees hold tensors

    def constant(x: Tensor) -> Tensor:
        dtype = context_dtype(x.dtype)
        return filled(x.shape, x.backend.full((), value, dtype), dtype, x.backend)

    return constant(obj) if isinstance(obj, Tensor) else tree_map(constant, obj)


def zeros_like(obj: Any) -> Any:
    """Zeros with the shape, element type, backend and tree structure of `obj`.

    >>> zeros_like(vec(x=1.0, y=2.0))
    (x=0.0, y=0.0)
    """
    return _constant_like(obj, 0)


def ones_like(value: Any) -> Any:
    """Ones with the shape, element type, backend and tree structure of `value`."""
    return _constant_like(value, 1)


def arange(
    dim: Shape | str,
    start_or_stop: int | None = None,
    stop: int | None = None,
    step: int = 1,
    backend: Backend | None = None,
) -> Tensor:
    """Integers along a dim: `arange(spatial(x=3))`, `arange(spatial('x'), 2, 5)`.

    Args:
        dim: The dim; its size is the stop if no other is given.
        start_or_stop: Start if `stop` is given, else stop.
        stop: End, exclusive.
        step: Difference of neighbours.
        backend: Default: the default backend.

    >>> arange(spatial(x=3))
    (0, 1, 2) along (x:s=3) int64
    """
    dim = _one_dim("arange", dim)
    start = 0 if stop is None or start_or_stop is None else start_or_stop
    end = stop if stop is not None else start_or_stop if start_or_stop is not None else dim.size
    if not isinstance(end, SupportsIndex):
        raise IncompatibleShapes(f"`arange({dim})` needs an end: give the dim a size or pass `stop`.")
    start, end, step = (int(value.__index__()) for value in (start, end, step))
    if step == 0:
        raise ValueError("`arange` needs a step other than 0.")
    end = max(start, end) if step > 0 else min(start, end)  # empty, not an error of some libraries
    backend = backend or default_backend()
    native = backend.ops["arange"](start, end, step, INT64, backend.chosen_device)
    return _of_native(native, dim if dim.labels[0] else dim.with_size(None), backend, dim)


def _one_dim(function: str, dim: Any, sized: bool = False) -> Shape:
    shape = parse_shape_spec(dim) if isinstance(dim, str) else dim
    if not isinstance(shape, Shape) or shape.rank != 1 or (sized and not isinstance(shape.size, int)):
        raise IncompatibleShapes(
            f"`{function}` needs one dim{' with a size' if sized else ''}, but found {dim!r}. Try "
            f"`spatial(x=8)`."
        )
    return shape


def counted(dim: Shape | str, start: float = 0.0, step: float = 1.0) -> Tensor:
    """`start + i · step` for the entries i of a dim, on the default backend.

    Compiled functions compute these numbers where they use them instead of reading them from memory, which
    is faster, but means that their values cannot be asked for there.

    Args:
        dim: One dim and its size.
        start: First value.
        step: Difference of neighbours.

    >>> from phi_tensor import spatial
    >>> counted(spatial(x=3), 0.5, 2)
    (0.5, 2.5, 4.5) along (x:s=3) float32
    """
    dim = _one_dim("counted", dim, sized=True)
    backend, dtype = default_backend(), context_dtype(FLOAT32)
    entries = _of_native(
        backend.ops["iota"](dim.size, dtype), dim if dim.labels[0] else dim.with_size(None), backend, dim
    )
    return entries * step + start


def linspace(start: Any, stop: Any, dim: Shape | str) -> Tensor:
    """Evenly spaced values from `start` to `stop` (both included) along `dim`.

    Several dims give a grid of vectors.

    Args:
        start: Number or tensor; with several dims a vector with one component each.
        stop: Likewise.
        dim: Where to put the values; its size counts them.

    >>> from phi_tensor import spatial
    >>> linspace(0, 1, spatial(x=3))
    (0.0, 0.5, 1.0) along (x:s=3) float32
    """
    dim = parse_shape_spec(dim) if isinstance(dim, str) else dim
    if dim.rank != 1:
        starts, stops = ({name: _pick(v, name) for name in dim.names} for v in (start, stop))
        axes = {name: linspace(starts[name], stops[name], dim[name]) for name in dim.names}
        return stack(axes, _VECTOR, expand_values=True)
    _one_dim("linspace", dim, sized=True)
    start, stop = (v if isinstance(v, (int, float, complex, Tensor)) else wrap(v) for v in (start, stop))
    fraction = np.arange(cast("int", dim.size), dtype=np.float64) / max(1, cast("int", dim.size) - 1)
    dtype = context_dtype(FLOAT32)
    backend = default_backend()
    steps = wrap(backend.as_native(fraction.astype(dtype.numpy)), dim)
    return start + steps * (stop - start)


def _pick(value: Any, name: str) -> Any:
    return value.vector[name] if isinstance(value, Tensor) and "vector" in value.shape else value


def meshgrid(
    dims: Any = spatial, stack_dim: Shape | str | None = _VECTOR, **dimensions: Any
) -> Tensor | tuple[Tensor, ...]:
    """Grid of coordinates: vectors along `stack_dim`, one component per dim.

    Args:
        dims: Type of the dims given by name, or the shape whose integer positions are listed.
        stack_dim: Dim of the components; None returns them as a tuple.
        **dimensions: Size, sequence or 1-D tensor of coordinates per dim.

    >>> meshgrid(x=2, y=3).shape
    (vector:c=x,y, x:s=2, y:s=3)
    """
    axes: dict[str, Tensor] = {}
    if isinstance(dims, Shape):
        axes = {dim.name: arange(dim) for dim in dims}
    for name, values in dimensions.items():
        dim = (spatial if isinstance(dims, Shape) else dims)(name)
        axes[name] = (
            arange(dim.with_size(values))
            if isinstance(values, int)
            else wrap(values, *(() if isinstance(values, Tensor) else (dim,)))
        )
    if not axes:
        raise IncompatibleShapes(
            "`meshgrid` needs a dim at least: name sizes or coordinates, e.g. `meshgrid(x=4, y=3)`."
        )
    shape = merge_shapes(*axes.values())
    components = [expand(values, shape) for values in axes.values()]
    if stack_dim is None:
        return tuple(components)
    dim = parse_shape_spec(stack_dim) if isinstance(stack_dim, str) else stack_dim
    return stack(components, dim.with_size(tuple(axes)))


PI = np.pi
INF = float("inf")
NAN = float("nan")
