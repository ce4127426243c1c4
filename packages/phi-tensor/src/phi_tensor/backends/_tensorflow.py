"""TensorFlow: arrays are `tf.Tensor`, eager or symbolic.

Conventions that callers may rely on:

* DLPack: `from_dlpack` shares memory with C-ordered, writable CPU arrays that start at a multiple of 64
  bytes, as those of torch and JAX do; others (most of NumPy's) are copied. `np.from_dlpack(native)` and
  `to_numpy` share memory, read-only.
* Cotangents of complex numbers follow TensorFlow: the conjugate of JAX's, as in PyTorch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, final

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from phi_tensor._dtype import DType
from phi_tensor.backends import _tensorflow_loops as loops
from phi_tensor.backends import _tensorflow_transforms as transforms
from phi_tensor.backends._backend import Backend, ComputeDevice, Flat, Native, Natives, numpy_of
from phi_tensor.backends._tensorflow_elementwise import ints
from phi_tensor.backends._tensorflow_ops import CHOSEN_DEVICE, OPS, device_name
from phi_tensor.backends._tensorflow_private import has_no_tape, is_eager, is_taped

_ALIGNMENT = 64  # EIGEN_MAX_ALIGN_BYTES [byte]
_EAGER = type(tf.constant(0))


@lru_cache
def _dtype_of(dtype: Any) -> DType:
    return DType.of(dtype.name)


@lru_cache
def _devices() -> tuple[ComputeDevice, ...]:
    logical = tf.config.list_logical_devices()
    ordered = sorted(logical, key=lambda device: ("GPU", "TPU", "CPU").index(device.device_type))
    return tuple(_describe(device) for device in ordered if device.device_type in ("CPU", "GPU", "TPU"))


def _describe(device: Any) -> ComputeDevice:
    name = f"{device.device_type}:{device.name.rsplit(':', 1)[1]}"
    is_cpu = device.device_type == "CPU"
    processors = (os.cpu_count() or -1) if is_cpu else -1
    return ComputeDevice("tensorflow", name, device.device_type, -1, processors, device.name, device)


@lru_cache
def _device_by_name(name: str) -> ComputeDevice:
    for device in _devices():
        if name.endswith(device.name):
            return device
    return _devices()[0]


def _behind_branch(x: Native) -> Natives:
    """`x` behind a branch that is never taken: XLA merges loops, but not those on two sides of a branch."""
    first = tf.math.real(tf.reshape(x, (-1,))[0])
    return (tf.cond((first < 0) & (first > 0), lambda: -x, lambda: x),)


@final
class TensorFlowBackend(Backend):
    """Eager TensorFlow 2, `tf.function` with XLA, derivatives of any order by gradient tapes."""

    name = "tensorflow"
    ops = OPS
    features = frozenset({"jit", "reverse", "forward", "float16"})
    in_32_bit = frozenset({"erfinv", "gammainc", "gammaincc"})

    def look_up_table(self, native: Native) -> Native:
        return super().look_up_table(native) if is_eager() else self._spare_table(native)

    def apart(self, native: Native, above: int = 1024) -> Native:
        if is_eager() or native.shape.num_elements() < above:
            return native
        return transforms.primitive(_behind_branch, lambda _, __, cotangents: cotangents, (native,))[0]

    def is_native(self, obj: object) -> bool:
        return isinstance(obj, tf.Tensor)

    def is_concrete(self, native: Native) -> bool:
        return isinstance(native, _EAGER) and (has_no_tape() or not is_taped([native]))

    def as_native(self, array: npt.NDArray[Any], device: ComputeDevice | None = None) -> Native:
        with tf.init_scope(), tf.device(device_name(device)):
            return tf.constant(array)

    def to_numpy(self, native: Native) -> npt.NDArray[Any]:
        return np.asarray(native)

    def from_dlpack(self, obj: Any) -> Native:
        with tf.init_scope():
            try:
                shared = tf.experimental.dlpack.from_dlpack(obj.__dlpack__())
            except (
                BufferError,
                tf.errors.InvalidArgumentError,
            ):  # read-only, strided, or a type that TensorFlow lacks there
                return tf.constant(np.asarray(obj))
            # TensorFlow's CPU kernels abort the process on other addresses
            is_aligned = "CPU" not in shared.device or np.asarray(shared).ctypes.data % _ALIGNMENT == 0
            return shared if is_aligned else tf.constant(np.asarray(shared))

    def set_default_device(self, device: ComputeDevice | str) -> bool:
        found = super().set_default_device(device)
        CHOSEN_DEVICE[:] = [self.chosen_device] if self.chosen_device else []
        return found

    def full(
        self, shape: Sequence[int], value: complex, dtype: DType, device: ComputeDevice | None = None
    ) -> Native:
        with tf.device(device_name(device)):
            return tf.raw_ops.Fill(dims=ints(tuple(shape)), value=tf.constant(numpy_of(value, dtype)))

    def dtype(self, native: Native) -> DType:
        return _dtype_of(native.dtype)

    def shape(self, native: Native) -> tuple[int, ...]:
        return tuple(native.shape)

    def all_devices(self) -> list[ComputeDevice]:
        return list(_devices())

    def device(self, native: Native) -> ComputeDevice:
        return _device_by_name(native.device)

    def to_device(self, native: Native, device: ComputeDevice) -> Native:
        with tf.device(device.name):
            return tf.identity(native)

    def wait(self, natives: Natives) -> None:
        if any("CPU" not in native.device for native in natives):
            tf.test.experimental.sync_devices()

    def compile(self, f: Flat, examples: Natives) -> Flat:
        return transforms.compile_flat(f, examples)

    def vjp(
        self, f: Callable[..., tuple[Natives, Natives]], primals: Natives
    ) -> tuple[Natives, Callable[[Natives], Natives], Natives]:
        return transforms.vjp(f, primals)

    def jvp(self, f: Flat, primals: Natives, tangents: Natives) -> tuple[Natives, Natives]:
        return transforms.jvp(f, primals, tangents)

    def custom_gradient(self, f: Flat, pullback: Callable[[Natives, Natives, Natives], Natives]) -> Flat:
        return lambda *primals: transforms.primitive(f, pullback, primals)

    def stop_gradient(self, native: Native) -> Native:
        return tf.stop_gradient(native)

    def map_leading(self, f: Flat, natives: Natives) -> Natives:
        return super().map_leading(f, natives) if is_eager() else loops.map_leading(f, natives)

    def scan(
        self,
        step: Callable[[Natives], tuple[Natives, Natives]],
        state: Natives,
        count: int,
        checkpoint: int | None = None,
    ) -> tuple[Natives, Natives]:
        if count and is_eager() and has_no_tape():
            return super().scan(step, state, count, checkpoint)
        return loops.scan(step, state, count, checkpoint)

    def while_loop(
        self,
        condition: Callable[[Natives], Native],
        step: Callable[[Natives], Natives],
        state: Natives,
        limit: int | None = None,
    ) -> Natives:
        if is_eager():  # a tape follows the Python loop
            return super().while_loop(condition, step, state, limit)
        return loops.while_loop(condition, step, state, limit)


BACKEND = TensorFlowBackend()
"""The one instance."""
