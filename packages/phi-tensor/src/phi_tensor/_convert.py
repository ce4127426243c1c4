"""Conversion between libraries by DLPack (zero-copy on one device) and between devices; copies."""

from __future__ import annotations

from typing import Any

import numpy as np

from phi_tensor._create import wrap
from phi_tensor._dtype import DType
from phi_tensor._errors import NoBackendFound
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor._trees import flatten
from phi_tensor.backends._backend import Backend, ComputeDevice
from phi_tensor.backends._registry import backend_of, common_backend, default_backend, init_backend
from phi_tensor.layouts._layout import Dense, Layout, Parts
from phi_tensor.layouts._sparse import Sparse


def convert(x: Any, backend: Backend | str | None = None, use_dlpack: bool = True) -> Any:
    """`x` on another library, sharing memory where both can read it. Not differentiable.

    What comes from NumPy goes to the device that `set_default_device` chose, if it did.

    Args:
        x: Tensor or tree.
        backend: Target; default: the default backend.
        use_dlpack: Exchange by DLPack (zero-copy); otherwise copy through NumPy.

    >>> import phi_tensor as math
    >>> convert(math.vec(x=1.0, y=2.0), "jax").backend
    jax
    """
    target = default_backend() if backend is None else init_backend(backend)
    if isinstance(x, Tensor):
        return _converted(x, target, use_dlpack)
    leaves, structure = flatten(x, "all")
    return structure.build([_converted(leaf, target, use_dlpack) for leaf in leaves])


def _converted(x: Tensor, target: Backend, use_dlpack: bool) -> Tensor:
    source = x.layout.backend
    if source is target:
        return x
    natives = tuple(_native(source, target, native, use_dlpack) for native in x.natives)
    return Tensor(layout_on(x.layout, target), natives)


def _native(source: Backend, target: Backend, native: Any, use_dlpack: bool) -> Any:
    if source.mixes and target.chosen_device is not None:
        return target.as_native(source.to_numpy(native))
    dtype = source.dtype(native)
    if not use_dlpack or dtype.kind is bool or source.shape(native) == () or not _is_shareable(native):
        return target.as_native(np.array(source.to_numpy(native), order="C"))
    try:
        return target.from_dlpack(native)
    except (BufferError, RuntimeError):  # strides, alignment or devices that the target cannot share
        return target.as_native(np.array(source.to_numpy(native), order="C"))


def _is_shareable(native: Any) -> bool:
    """False for NumPy views that others refuse or, as torch with negative strides, abort on."""
    if not isinstance(native, np.ndarray):
        return True
    return native.flags.writeable and (native.flags.c_contiguous or native.flags.f_contiguous)


def from_dlpack(array: Any, *shape: Shape | str, backend: Backend | str | None = None) -> Tensor:
    """Tensor that shares memory with an array of any library that speaks DLPack, also of unknown ones.

    The other way round, `library.from_dlpack(tensor)` takes tensors of at most one dim as they are, others as
    `tensor.native('x,y')`.

    Args:
        array: Array with `__dlpack__`.
        *shape: One dim per axis in order, as in `wrap`.
        backend: Library that takes it over. Default: the default backend.

    Raises:
        TypeError: The object does not speak DLPack.
        IncompatibleShapes: The number of dims or a size does not fit.

    >>> import numpy as np, phi_tensor as math
    >>> math.from_dlpack(np.ones((2, 3)), math.spatial("x,y")).shape
    (x:s=2, y:s=3)
    """
    if not hasattr(array, "__dlpack__"):
        raise TypeError(
            f"`from_dlpack` takes arrays with `__dlpack__`, but found {type(array).__name__}. Use `wrap` for "
            f"lists and numbers."
        )
    target = default_backend() if backend is None else init_backend(backend)
    return wrap(target.from_dlpack(array), *shape)


def layout_on(layout: Layout, backend: Backend) -> Layout:
    """The same storage on another library."""
    if isinstance(layout, Dense):
        return Dense.of(layout.stored, layout.shape, layout.dtype, backend)
    if isinstance(layout, Sparse):
        return layout.with_values(layout_on(layout.values, backend))
    assert isinstance(layout, Parts)
    return Parts.of(layout.dim, tuple(layout_on(part, backend) for part in layout.parts), layout.shape)


def to_device(value: Any, device: ComputeDevice | str, convert: bool = True, use_dlpack: bool = True) -> Any:
    """`value` on another device.

    Args:
        value: Tensor or tree.
        device: A device of `list_devices()`, its name, or a type: `CPU`, `GPU`, `TPU`.
        convert: Move tensors of other libraries to the default backend if theirs has no such device.
        use_dlpack: How to convert, see `convert`.

    Raises:
        NoBackendFound: No library at hand has such a device; the message lists those that exist.
    """
    leaves, structure = flatten(value, "all")
    return structure.build([_moved(leaf, device, convert, use_dlpack) for leaf in leaves])


def _moved(x: Tensor, device: ComputeDevice | str, may_convert: bool, use_dlpack: bool) -> Tensor:
    found = x.layout.backend.find_device(device)
    if found is None and may_convert:
        x = _converted(x, default_backend(), use_dlpack)
        found = x.layout.backend.find_device(device)
    if found is None:
        raise NoBackendFound(
            f"`{x.layout.backend}` has no device `{device}`, only "
            f"{[d.name for d in x.layout.backend.list_devices()]}."
        )
    return Tensor(x.layout, tuple(x.layout.backend.to_device(native, found) for native in x.natives))


def to_cpu(value: Any) -> Any:
    """`value` in main memory."""
    return to_device(value, "CPU")


def to_gpu(value: Any) -> Any:
    """`value` on the first GPU.

    Raises:
        NoBackendFound: Neither its library nor the default backend can use a GPU.
    """
    return to_device(value, "GPU")


def choose_backend(*values: Any) -> Backend:
    """Backend on which an operation of all `values` runs: that of their arrays, NumPy for numbers alone.

    Args:
        *values: Tensors, native arrays, numbers, and trees of these.

    Raises:
        NoBackendFound: Arrays of two learning libraries are among them, or what no library handles.

    >>> import phi_tensor as math
    >>> choose_backend(1.0, [math.wrap([1, 2])])
    numpy
    """
    return common_backend(tuple(found for value in values for found in _backends_of(value)))


def _backends_of(value: Any) -> list[Backend]:
    found, structure = flatten(value, "all", lambda x: x if backend_of(x) is not None else None)
    leaves: list[Any] = list(found)  # tensors and native arrays
    if structure.kind == "static" and not isinstance(value, (bool, int, float, complex, type(None))):
        raise NoBackendFound(
            f"No backend handles a `{type(value).__name__}`. Pass tensors, arrays, numbers or trees of these."
        )
    natives = [leaf.layout.backend if isinstance(leaf, Tensor) else backend_of(leaf) for leaf in leaves]
    return [backend for backend in natives if backend is not None]


def copy(value: Any) -> Tensor:
    """Tensor with its own memory, on the same device. Differentiable.

    Args:
        value: Tensor, number, list or array.
    """
    value = value if isinstance(value, Tensor) else wrap(value)
    return Tensor(value.layout, tuple(map(value.layout.backend.ops["copy"], value.natives)))


def native_(value: Any) -> Any:
    """Native array of a tensor of at most one dim; other values as they are.

    >>> import phi_tensor as math
    >>> native_(math.vec(x=1.0, y=2.0))
    array([1., 2.], dtype=float32)
    """
    return value.native() if isinstance(value, Tensor) else value


def numpy_(value: Any) -> Any:
    """NumPy array of a tensor of at most one dim, of a native array or of a number.

    >>> import phi_tensor as math
    >>> numpy_(math.vec(x=1.0, y=2.0))
    array([1., 2.], dtype=float32)
    """
    if isinstance(value, Tensor):
        return value.numpy()
    if not isinstance(value, (bool, int, float, complex)) and backend_of(value) is None:
        raise TypeError(
            f"`numpy` takes a tensor, an array or a number, but found {type(value).__name__}. Use `wrap` or "
            f"`tree_map`."
        )
    backend = backend_of(value)
    return np.asarray(value) if backend is None else backend.to_numpy(value)


def dtype_(x: Any) -> DType:
    """Element type of a tensor, a native array or a number.

    >>> dtype_(True)
    bool
    """
    if isinstance(x, Tensor):
        return x.dtype
    backend = backend_of(x)
    if backend is not None:
        return backend.dtype(x)
    from phi_tensor._create import wrap  # noqa: PLC0415 creation converts

    return wrap(x).dtype
