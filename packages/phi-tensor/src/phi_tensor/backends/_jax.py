"""The JAX backend. Loading it enables JAX's 64-bit types for the process; every array has its dtype pinned.

Rows live in `_jax_ops`, transformations in `_jax_transforms`, derivative rules in `_jax_rules`, loops in
`_jax_loops`.

>>> BACKEND.dtype(BACKEND.as_native(np.ones(3, np.float32)))
float32
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import lax
from jax.core import Tracer

from phi_tensor._dtype import DType
from phi_tensor.backends import _jax_loops as loops
from phi_tensor.backends import _jax_rules as rules
from phi_tensor.backends import _jax_transforms as transforms
from phi_tensor.backends import _jax_trees
from phi_tensor.backends._backend import Backend, ComputeDevice, Flat, Native, Natives
from phi_tensor.backends._jax_ops import OPS, apart


@final
class JaxBackend(Backend):
    """JAX on CPU, GPU or TPU."""

    name = "jax"
    ops = OPS
    features = frozenset({"jit", "reverse", "forward", "float16"})

    # --- data

    def look_up_table(self, native: Native) -> Native:
        return self._spare_table(native)

    def apart(self, native: Native, above: int = 1024) -> Native:
        return apart(native) if native.size >= above and isinstance(native, Tracer) else native

    def is_native(self, obj: object) -> bool:
        return isinstance(obj, jax.Array)

    def is_concrete(self, native: Native) -> bool:
        return not isinstance(native, Tracer)

    def as_native(self, array: npt.NDArray[Any], device: ComputeDevice | None = None) -> Native:
        with jax.ensure_compile_time_eval():
            # A copy: `jnp.asarray` may share memory that its owner can still write to.
            return jnp.array(array, array.dtype, device=device.ref if device else None)

    def to_numpy(self, native: Native) -> npt.NDArray[Any]:
        return np.asarray(native)

    def from_dlpack(self, obj: Any) -> Native:
        with jax.ensure_compile_time_eval():
            return jnp.from_dlpack(obj)

    def full(
        self, shape: Sequence[int], value: complex, dtype: DType, device: ComputeDevice | None = None
    ) -> Native:
        return jnp.full(tuple(shape), value, dtype.numpy, device=device.ref if device else None)

    def dtype(self, native: Native) -> DType:
        return _DTYPES.get(native.dtype) or _new_dtype(native.dtype)

    def shape(self, native: Native) -> tuple[int, ...]:
        return native.shape

    def all_devices(self) -> list[ComputeDevice]:
        default = jax.devices()
        cpus = [] if default[0].platform == "cpu" else jax.devices("cpu")
        return [_device_of(device) for device in (*default, *cpus)]

    def set_default_device(self, device: ComputeDevice | str) -> bool:
        found = super().set_default_device(device)
        if found and self.chosen_device is not None:
            jax.config.update("jax_default_device", self.chosen_device.ref)
        return found

    def device(self, native: Native) -> ComputeDevice:
        if isinstance(native, Tracer):
            return self.get_default_device()
        return _device_of(min(native.devices(), key=lambda device: device.id))

    def to_device(self, native: Native, device: ComputeDevice) -> Native:
        return jax.device_put(native, device.ref)

    def wait(self, natives: Natives) -> None:
        jax.block_until_ready(natives)

    def show(self, natives: Natives, action: Callable[..., None]) -> bool:
        jax.debug.callback(lambda *arrays: action(*map(np.asarray, arrays)), *natives)
        return True

    # --- transformations

    def compile(self, f: Flat, examples: Natives) -> Flat:
        return transforms.compile_flat(f, examples)

    def vjp(
        self, f: Callable[..., tuple[Natives, Natives]], primals: Natives
    ) -> tuple[Natives, Callable[[Natives], Natives], Natives]:
        return transforms.vjp(f, primals)

    def jvp(self, f: Flat, primals: Natives, tangents: Natives) -> tuple[Natives, Natives]:
        return transforms.jvp(f, primals, tangents)

    def stop_gradient(self, native: Native) -> Native:
        return lax.stop_gradient(native)

    def custom_gradient(self, f: Flat, pullback: Callable[[Natives, Natives, Natives], Natives]) -> Flat:
        return rules.custom_gradient(f, pullback)

    def scan(
        self,
        step: Callable[[Natives], tuple[Natives, Natives]],
        state: Natives,
        count: int,
        checkpoint: int | None = None,
    ) -> tuple[Natives, Natives]:
        if count and transforms.is_eager(state):
            return super().scan(step, state, count, checkpoint)
        return loops.scan(step, state, count, checkpoint)

    def while_loop(
        self,
        condition: Callable[[Natives], Native],
        step: Callable[[Natives], Natives],
        state: Natives,
        limit: int | None = None,
    ) -> Natives:
        if transforms.is_eager(state):
            return super().while_loop(condition, step, state, limit)
        return loops.while_loop(condition, step, state, limit)

    def map_leading(self, f: Flat, natives: Natives) -> Natives:
        with transforms.explained():
            return jax.vmap(f)(*natives)


_DTYPES: dict[Any, DType] = {}
_DEVICES: dict[Any, ComputeDevice] = {}
_DEVICE_TYPES = {"cpu": "CPU", "tpu": "TPU"}


def _new_dtype(dtype: Any) -> DType:
    return _DTYPES.setdefault(dtype, DType.of(dtype))


def _device_of(ref: Any) -> ComputeDevice:
    if ref not in _DEVICES:
        is_cpu = ref.platform == "cpu"
        memory = -1 if is_cpu else int((ref.memory_stats() or {}).get("bytes_limit", -1))
        _DEVICES[ref] = ComputeDevice(
            backend="jax",
            name=f"{ref.platform}:{ref.id}",
            device_type=_DEVICE_TYPES.get(str(ref.platform), "GPU"),
            memory=memory,
            processor_count=os.cpu_count() or -1 if is_cpu else getattr(ref, "core_count", -1) or -1,
            description=str(ref.device_kind),
            ref=ref,
        )
    return _DEVICES[ref]


BACKEND = JaxBackend()
_jax_trees.register(BACKEND)
