"""What a native array library must offer.

Functions by row name, data primitives, and transformations of flat functions.

*Flat* functions take native arrays as positional arguments and return a tuple of native arrays; they know
nothing of dims or tensors. Everything named lives above, everything library-specific below this interface.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from phi_tensor._context import change_global, changed_settings, global_settings
from phi_tensor._dtype import INT32, DType
from phi_tensor._errors import Unsupported

Native = Any
"""Array of a native library; only backends look inside."""
Natives = tuple[Native, ...]
Flat = Callable[..., Natives]
"""Function of native arrays that returns a tuple of native arrays."""


@dataclass(frozen=True)
class ComputeDevice:
    """A device that holds and computes tensors.

    Attributes:
        backend: Name of the library that reports it.
        name: The library's own name for it, e.g. `cuda:0`.
        device_type: `CPU`, `GPU` or `TPU`.
        memory: Memory [byte], -1 if unknown.
        processor_count: Number of processors, -1 if unknown.
        description: Free text, e.g. the product name.
        ref: The library's device object.
    """

    backend: str
    name: str
    device_type: str
    memory: int = -1
    processor_count: int = -1
    description: str = ""
    ref: Any = None


class Features(frozenset[str]):
    """What a library offers; asked as `backend.supports("jit")` or `"jit" in backend.supports`."""

    __slots__ = ()

    def __call__(self, feature: str) -> bool:
        """True if the library offers the feature or has the native function of this name."""
        return feature in self


class Backend(ABC):
    """A native array library. Final subclasses fill `ops` and implement the primitives.

    Attributes:
        name: `numpy`, `torch`, `jax` or `tensorflow`.
        ops: Native functions by row name (array-API spelling), see `backends/README.md` for their arguments.
        features: Which of `jit`, `reverse`, `forward`, `float16` the library offers.
        chosen_device: Where arrays are made that nobody assigned to a device; None: where the library does.
        mixes: True if its arrays are plain data that join those of any other backend.
        index_dtype: Int type that `take` reads fastest, where it is wide enough.
        channels_first: Whether convolutions and layers of the library take channels before the axes that they
            slide along.
        in_32_bit: Element-wise rows whose native functions do not take 16-bit floats; these are computed in
            32 bit and the results rounded.
    """

    name: str
    ops: dict[str, Callable[..., Any]]
    features: frozenset[str]
    chosen_device: ComputeDevice | None = None
    mixes: bool = False
    index_dtype: DType = INT32
    channels_first: bool = False
    in_32_bit: frozenset[str] = frozenset()

    # --- data

    @abstractmethod
    def is_native(self, obj: object) -> bool:
        """True for this library's arrays (eager or traced)."""

    @abstractmethod
    def is_concrete(self, native: Native) -> bool:
        """True if the array holds numbers, False while it is traced or differentiated.

        Wrapped by a transformation.
        """

    @abstractmethod
    def as_native(self, array: npt.NDArray[Any], device: ComputeDevice | None = None) -> Native:
        """Native array with the dtype and numbers of `array`, on `device` or the default device.

        Inside a trace the result is an eager constant that the trace lifts to a hidden input, never a
        literal.
        """

    @abstractmethod
    def to_numpy(self, native: Native) -> npt.NDArray[Any]:
        """NumPy array of a concrete native, sharing memory where possible; waits for pending computation."""

    @abstractmethod
    def from_dlpack(self, obj: Any) -> Native:
        """Native array that shares memory with `obj`, an array of any library with `__dlpack__`.

        Zero-copy on one device.
        """

    @abstractmethod
    def full(
        self, shape: Sequence[int], value: complex, dtype: DType, device: ComputeDevice | None = None
    ) -> Native:
        """Array filled with `value`."""

    @abstractmethod
    def dtype(self, native: Native) -> DType:
        """Element type."""

    @abstractmethod
    def shape(self, native: Native) -> tuple[int, ...]:
        """Static sizes of all axes."""

    @abstractmethod
    def all_devices(self) -> list[ComputeDevice]:
        """All devices that the library can use, the one that it uses by default first."""

    @abstractmethod
    def device(self, native: Native) -> ComputeDevice:
        """Device that holds the array (the default device while traced)."""

    @abstractmethod
    def to_device(self, native: Native, device: ComputeDevice) -> Native:
        """The array on `device`."""

    @abstractmethod
    def wait(self, natives: Natives) -> None:
        """Block until the arrays are computed."""

    def show(self, natives: Natives, action: Callable[..., None]) -> bool:
        """Call `action` with NumPy arrays of traced natives whenever they are computed, for debugging.

        Returns False where the library cannot call back.
        """
        return False

    # --- transformations of flat functions

    def compile(self, f: Flat, examples: Natives) -> Flat:
        """Compiled `f` for arrays of the shapes and dtypes of `examples`.

        Calls `f` exactly once, here, with traced arrays. Arrays that `f` takes from outside become hidden
        inputs with the value they had now. If `f` raises, the error passes through and nothing is left
        behind.
        """
        raise self._cannot("compile functions")

    def vjp(
        self, f: Callable[..., tuple[Natives, Natives]], primals: Natives
    ) -> tuple[Natives, Callable[[Natives], Natives], Natives]:
        """`(outputs, pullback, aux)` for `f(*primals) -> (outputs, aux)`, both tuples of natives.

        `pullback(cotangents of outputs)` returns one cotangent per primal (zeros where independent). May be
        nested in any order with `vjp` and `jvp`, inside or outside `compile`. The pullback may be called more
        than once.
        """
        raise self._cannot("differentiate")

    def jvp(self, f: Flat, primals: Natives, tangents: Natives) -> tuple[Natives, Natives]:
        """`(outputs, tangents of outputs)` by forward-mode differentiation.

        Zeros where independent, never None.
        """
        raise self._cannot("differentiate")

    def custom_gradient(self, f: Flat, pullback: Callable[[Natives, Natives, Natives], Natives]) -> Flat:
        """`f` with `pullback(primals, outputs, cotangents) -> one cotangent per primal` as its reverse rule.

        The forward rule follows by transposing the (linear) pullback. Works nested, eager and compiled.
        """
        return f

    def stop_gradient(self, native: Native) -> Native:
        """The array as a constant for all derivatives."""
        return native

    @contextmanager
    def outside(self, natives: Natives) -> Generator[Natives]:
        """Context outside of derivatives under way, with the arrays as other libraries can read them.

        Those that a derivative follows stay as they are.
        """
        yield tuple(self.stop_gradient(n) if self.is_concrete(n) else n for n in natives)

    def map_leading(self, f: Flat, natives: Natives) -> Natives:
        """`f` applied to every slice along the leading axis of all `natives`.

        Results stacked along a leading axis.
        """
        count = self.shape(natives[0])[0]
        index = self.ops["getitem"]
        parts = [f(*(index(native, (i,)) for native in natives)) for i in range(count)]
        return tuple(self.ops["stack"](list(column), 0) for column in zip(*parts, strict=True))

    def scan(
        self,
        step: Callable[[Natives], tuple[Natives, Natives]],
        state: Natives,
        count: int,
        checkpoint: int | None = None,
    ) -> tuple[Natives, Natives]:
        """`(final state, outputs)` after `count` times `state, outputs = step(state)`.

        `outputs` of the steps are stacked along a new leading axis. `step` keeps shapes and dtypes of the
        state. While traced or differentiated this is one primitive: one traced step, one traced step-vjp,
        states kept every `checkpoint` steps (None: about the square root of `count`) and recomputed in
        between in reverse mode. Arrays that `step` takes from outside are differentiated, too. Eager calls on
        concrete arrays run a Python loop.
        """
        outputs: list[Natives] = []
        for _ in range(count):
            state, output = step(state)
            outputs.append(output)
        return state, tuple(self.ops["stack"](list(column), 0) for column in zip(*outputs, strict=True))

    def while_loop(
        self,
        condition: Callable[[Natives], Native],
        step: Callable[[Natives], Natives],
        state: Natives,
        limit: int | None = None,
    ) -> Natives:
        """State when the 0-d bool `condition(state)` is False or after `limit` steps.

        Traced, not unrolled, in compiled code. Differentiable forwards; backwards where `limit` is given
        (else `Unsupported`).
        """
        count = 0
        while (limit is None or count < limit) and bool(self.to_numpy(condition(state))):
            state = step(state)
            count += 1
        return state

    # --- shared

    @cached_property
    def supports(self) -> Features:
        """Features and names of native functions: `backend.supports("reverse")`, `backend.supports("qr")`."""
        return Features(self.features | self.ops.keys())

    def list_devices(self, device_type: str | None = None) -> list[ComputeDevice]:
        """Devices that the library can use, the default one first.

        Args:
            device_type: Only those of this type: `CPU`, `GPU` or `TPU`.
        """
        found = self.all_devices()
        if self.chosen_device in found:
            found.sort(key=lambda device: device != self.chosen_device)
        return [d for d in found if device_type is None or d.device_type == device_type.upper()]

    def find_device(self, device: ComputeDevice | str) -> ComputeDevice | None:
        """First device that is, is named, or has the type `device`."""
        for candidate in self.list_devices():
            if device in (candidate, candidate.name) or (
                isinstance(device, str) and device.upper() == candidate.device_type
            ):
                return candidate
        return None

    def get_default_device(self) -> ComputeDevice:
        """Device on which tensors are created."""
        return self.list_devices()[0]

    def set_default_device(self, device: ComputeDevice | str) -> bool:
        """Create tensors on `device` from now on, in the whole process; True if there is such a device.

        Tensors that exist stay where they are, see `to_device`. Results of operations are where their
        operands are, but TensorFlow places them itself: on a GPU if there is one.

        Args:
            device: A device of `list_devices()`, its name, or a type: `CPU`, `GPU`, `TPU`.
        """
        found = self.find_device(device)
        if found is None:
            return False
        self.chosen_device = found
        others = tuple(entry for entry in global_settings().values.devices if entry[0] != self.name)
        change_global(devices=(*others, (self.name, found.name)))  # forgets plans that hold constants
        return True

    def look_up_table(self, native: Native) -> Native:
        """All entries along one axis, for many look-ups by `take`; may have more entries behind the last."""
        return self.ops["reshape"](native, (math.prod(self.shape(native)),))

    def apart(self, native: Native, above: int = 1024) -> Native:
        """`native`, which compiled code computes in loops of its own rather than within those that use it.

        Arrays with fewer entries than `above` stay as they are.
        """
        return native

    def _spare_table(self, native: Native) -> Native:
        """Look-up table with spare entries, never read.

        They keep XLA from computing `native` anew for every look-up where it is itself a result (MacCormack:
        1.8 x faster). They are added before all becomes one axis, which would need index arithmetic.
        """
        first, *others = self.shape(native)
        widths = ((0, 1), *((0, 0),) * len(others))
        spare = self.ops["pad_constant"](native, widths, 0) if first and all(others) else native
        return self.ops["reshape"](spare, (math.prod(self.shape(spare)),))

    def _cannot(self, what: str) -> Unsupported:
        return Unsupported(
            f"The backend `{self.name}` cannot {what}. Use torch, jax or tensorflow: `pip install "
            f"phi-tensor[jax]`, "
            f"then `use('jax')` before the tensors are created."
        )

    def __enter__(self) -> Backend:
        """Create tensors on this backend until the block ends: `with backend:`."""
        change = changed_settings(backend=self.name, entered=self.name)
        change.__enter__()
        _ENTERED.set((*_ENTERED.get(), change))
        return self

    def __exit__(self, *error: object) -> None:
        *outer, change = _ENTERED.get()
        _ENTERED.set(tuple(outer))
        change.__exit__(None, None, None)

    def __reduce__(self) -> tuple[Any, ...]:
        from phi_tensor.backends._registry import init_backend  # noqa: PLC0415 the registry needs this class

        return init_backend, (self.name,)

    def __repr__(self) -> str:
        return self.name


_ENTERED: ContextVar[tuple[AbstractContextManager[object], ...]] = ContextVar(
    "phi_tensor_backends", default=()
)
"""Contexts of the `with backend:` blocks around, of this thread or task."""


def numpy_of(value: complex, dtype: DType) -> npt.NDArray[Any]:
    """0-d NumPy array."""
    return np.asarray(value, dtype.numpy)
