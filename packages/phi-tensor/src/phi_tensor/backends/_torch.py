"""PyTorch: native functions by row name and data primitives.

Functions of the library are called directly where their conventions are ours. Python's operators stand in
where the library refuses a number as first operand.

>>> from phi_tensor._dtype import FLOAT32
>>> from phi_tensor.backends._torch import BACKEND
>>> BACKEND.ops["add"](2, BACKEND.full((2,), 1, FLOAT32))
tensor([3., 3.])
"""

from __future__ import annotations

import functools
import operator
import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, final

import numpy as np
import numpy.typing as npt
import torch

from phi_tensor._dtype import COMPLEX64, INT64, DType
from phi_tensor._errors import Unsupported
from phi_tensor.backends import _torch_compile as adapter
from phi_tensor.backends import _torch_jit as jit
from phi_tensor.backends import _torch_loops as loops
from phi_tensor.backends import _torch_rules as rules
from phi_tensor.backends import _torch_transforms as transforms
from phi_tensor.backends import _torch_trees
from phi_tensor.backends._backend import Backend, ComputeDevice, Flat, Native, Natives
from phi_tensor.backends._torch_convolution import convolution
from phi_tensor.backends._torch_linalg import OPS as _MATRIX_OPS
from phi_tensor.backends._torch_random import random_bits
from phi_tensor.backends._torch_scatter import SCATTER
from phi_tensor.backends._torch_sparse import SPARSE
from phi_tensor.backends._torch_stats import STATS

_TORCH: dict[str, Any] = {
    dtype: getattr(torch, dtype)
    for dtype in [
        "bool",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float16",
        "float32",
        "float64",
        "complex64",
        "complex128",
    ]
}
_OURS = {native: DType.of(name) for name, native in _TORCH.items()} | {torch.complex32: COMPLEX64}
_NUMBER = (int, float, complex)


# --- rows whose conventions differ from the library's


def _of_tensors(function: Callable[..., Any]) -> Callable[[Native, Native], Native]:
    """Binary `function` of two arrays that takes a Python number in either place, too."""

    @functools.wraps(function)
    def of_numbers(x: Native, y: Native) -> Native:
        if isinstance(y, _NUMBER):
            y = torch.full((), y, dtype=x.dtype, device=x.device)
        elif isinstance(x, _NUMBER):
            x = torch.full((), x, dtype=y.dtype, device=y.device)
        return function(x, y)

    return of_numbers


_maximum, _minimum = _of_tensors(torch.maximum), _of_tensors(torch.minimum)


def _clip(x: Native, lower: Native, upper: Native) -> Native:
    """One call where nothing is differentiated: at equal numbers the library's has another derivative."""
    numbers = isinstance(lower, _NUMBER) and isinstance(upper, _NUMBER)
    if numbers and not adapter.is_traced(x) and not x.requires_grad:
        return torch.clamp(x, lower, upper)
    return _minimum(_maximum(x, lower), upper)


def _over(
    function: Callable[..., Any], of_none: Callable[[Native], Native]
) -> Callable[[Native, tuple[int, ...]], Native]:
    """Reduction by `function`, which takes "no axes" for "all axes".

    `of_none` is its result for each single value.
    """

    def reduce(x: Native, axes: tuple[int, ...]) -> Native:
        return function(x, axes) if axes else of_none(x)

    return reduce


def _summand(x: Native) -> Native:
    return x if x.is_floating_point() or x.is_complex() else x.long()


def _prod(x: Native, axes: tuple[int, ...]) -> Native:
    x = _summand(x)
    for axis in sorted(axes, reverse=True):
        x = torch.prod(x, axis)
    return x


def _sign(x: Native) -> Native:
    if x.is_floating_point():
        return torch.where(torch.isnan(x), x, torch.sign(x))  # the library's sign of NaN is 0
    return torch.sgn(x)


def _round(x: Native) -> Native:
    return torch.view_as_complex(torch.round(torch.view_as_real(x))) if x.is_complex() else torch.round(x)


def _imag(x: Native) -> Native:
    return torch.imag(x) if x.is_complex() else torch.zeros_like(x)


def _conj(x: Native) -> Native:
    return torch.conj_physical(x) if x.is_complex() else x


def _softplus(x: Native) -> Native:
    return torch.nn.functional.softplus(
        x, threshold=50
    )  # log(1+e⁻⁵⁰) vanishes in 64 bit, e⁵⁰ is finite in 32 bit


def _cast(x: Native, dtype: DType) -> Native:
    if x.is_complex() and dtype.kind is not complex:
        x = x != 0 if dtype.kind is bool else torch.real(x)
    return x.to(_TORCH[dtype.name])


def _getitem(x: Native, index: tuple[Any, ...]) -> Native:
    try:
        return x[index]
    except ValueError:  # negative steps
        return _flipped_getitem(x, index)


def _flipped_getitem(x: Native, index: tuple[Any, ...]) -> Native:
    forward: list[Any] = []
    flipped: list[int] = []
    for axis, item in enumerate(index):
        if isinstance(item, slice) and item.step is not None and item.step < 0:
            positions = range(*item.indices(x.shape[axis]))
            flipped.append(sum(not isinstance(previous, int) for previous in index[:axis]))
            forward.append(slice(positions[-1], positions[0] + 1, -item.step) if positions else slice(0, 0))
        else:
            forward.append(item)
    return torch.flip(x[tuple(forward)], flipped)


def _take(x: Native, indices: Native, axis: int) -> Native:
    return torch.index_select(x, axis, indices)


def _pad_constant(x: Native, widths: Sequence[tuple[int, int]], value: Native) -> Native:
    if isinstance(value, _NUMBER):
        return torch.constant_pad_nd(x, [width for pair in reversed(widths) for width in pair], value)
    for axis, pair in enumerate(widths):
        blocks = [value.to(x.dtype).expand(*x.shape[:axis], width, *x.shape[axis + 1 :]) for width in pair]
        if any(pair):
            x = torch.cat((blocks[0], x, blocks[1]), axis)
    return x


def _matmul(a: Native, b: Native) -> Native:
    if a.dtype is torch.bool:  # the library has none
        return torch.matmul(a.int(), b.int()).bool()
    return torch.matmul(a, b)


def _fft(x: Native, axes: tuple[int, ...]) -> Native:
    return torch.fft.fftn(x, dim=axes) if axes else x


def _ifft(x: Native, axes: tuple[int, ...]) -> Native:
    return torch.fft.ifftn(x, dim=axes) if axes else x


def _complex(real: Native, imag: Native) -> Native:
    return torch.view_as_complex(torch.stack((real, imag), -1))  # unlike `torch.complex`, Inductor fuses it


def _rfft(x: Native, axes: tuple[int, ...]) -> Native:
    return torch.fft.rfftn(x, dim=axes)


def _irfft(x: Native, n: int, axes: tuple[int, ...]) -> Native:
    return torch.fft.irfftn(x, (*(x.shape[axis] for axis in axes[:-1]), n), axes)


def _arange(
    start: float, stop: float, step: float, dtype: DType, device: ComputeDevice | None = None
) -> Native:
    return torch.arange(start, stop, step, dtype=_TORCH[dtype.name], device=_ref(device))


def _sort(x: Native, axis: int) -> Native:
    return torch.sort(x, dim=axis, stable=True)[0]


def _argsort(x: Native, axis: int) -> Native:
    return torch.argsort(x, dim=axis, stable=True)


def _keep_bools(function: Callable[[Native], Native]) -> Callable[[Native], Native]:
    return lambda x: x if x.dtype is torch.bool else function(x)


def _zero_by_zero(function: Callable[[Any, Any], Native]) -> Callable[[Any, Any], Native]:
    """`function` that is 0 for int divisors that are 0, as NumPy's."""

    def divided(x: Any, y: Any) -> Native:
        if any(
            isinstance(v, float) or (isinstance(v, torch.Tensor) and v.is_floating_point()) for v in (x, y)
        ):
            return function(x, y)
        if isinstance(y, torch.Tensor):
            zero = y == 0
            return torch.where(zero, 0, function(x, torch.where(zero, 1, y)))
        return function(x, y) if y else torch.zeros_like(x)

    return divided


_OPS: dict[str, Callable[..., Any]] = {
    **{name: _keep_bools(getattr(torch, name)) for name in ("round", "ceil", "floor", "trunc")},
    **{
        name: getattr(torch, name)
        for name in [
            "abs",
            "sqrt",
            "rsqrt",
            "exp",
            "expm1",
            "log",
            "log1p",
            "log2",
            "log10",
            "sin",
            "cos",
            "tan",
            "sinh",
            "cosh",
            "tanh",
            "asin",
            "acos",
            "atan",
            "asinh",
            "acosh",
            "atanh",
            "erf",
            "sigmoid",
            "square",
            "reciprocal",
            "real",
            "angle",
            "isfinite",
            "isnan",
            "isinf",
            "logical_not",
            "where",
            "argmax",
            "argmin",
            "cumsum",
            "reshape",
            "permute",
            "broadcast_to",
            "stack",
            "flip",
            "roll",
        ]
    },
    **{
        name: _of_tensors(getattr(torch, name))
        for name in ["atan2", "maximum", "minimum", "logical_and", "logical_or", "logical_xor"]
    },
    "clip": _clip,
    "negative": torch.neg,
    "round": _keep_bools(_round),
    **_MATRIX_OPS,
    "sign": _sign,
    "softplus": _softplus,
    "imag": _imag,
    "conj": _conj,
    "bitwise_invert": torch.bitwise_not,
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "floor_divide": _zero_by_zero(operator.floordiv),
    "remainder": _zero_by_zero(operator.mod),
    "pow": operator.pow,
    "equal": operator.eq,
    "not_equal": operator.ne,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "bitwise_and": operator.and_,
    "bitwise_or": operator.or_,
    "bitwise_xor": operator.xor,
    "bitwise_left_shift": operator.lshift,
    "bitwise_right_shift": operator.rshift,
    "sum": _over(torch.sum, _summand),
    "prod": _prod,
    "mean": _over(torch.mean, lambda x: x),
    "max": _over(torch.amax, lambda x: x),
    "min": _over(torch.amin, lambda x: x),
    "any": _over(torch.any, lambda x: x.bool()),
    "all": _over(torch.all, lambda x: x.bool()),
    "cast": _cast,
    "concat": torch.cat,
    "getitem": _getitem,
    "take": _take,
    "pad_constant": _pad_constant,
    **SCATTER,
    **SPARSE,
    "random_bits": random_bits,
    "matmul": _matmul,
    "fft": _fft,
    "ifft": _ifft,
    "complex": _complex,
    "unstack": torch.unbind,
    "rfft": _rfft,
    "irfft": _irfft,
    "arange": _arange,
    "copy": torch.clone,
    "iota": lambda n, dtype: torch.arange(
        n, dtype=_TORCH[dtype.name], device=adapter.device_of_trace() or _ref(None)
    ),
    "sort": _sort,
    "argsort": _argsort,
    **STATS,
}
_OPS["convolve"] = convolution(_OPS)


# --- the backend


@functools.cache
def _ref(device: ComputeDevice | None) -> torch.device | None:
    """Where to make an array: on `device`, else on the chosen one, else (None) where torch does."""
    device = device or BACKEND.chosen_device
    return None if device is None else device.ref


@functools.lru_cache(64)
def _device(ref: torch.device) -> ComputeDevice:
    if ref.type == "cuda":
        properties: Any = torch.cuda.get_device_properties(ref)
        return ComputeDevice(
            "torch",
            str(ref),
            "GPU",
            properties.total_memory,
            properties.multi_processor_count,
            properties.name,
            ref,
        )
    return ComputeDevice(
        "torch", str(ref), "CPU" if ref.type == "cpu" else "GPU", -1, os.cpu_count() or -1, "", ref
    )


@final
class TorchBackend(Backend):
    """PyTorch, eager and compiled, differentiable in both modes to any order."""

    name = "torch"
    ops = _OPS
    features = frozenset({"jit", "reverse", "forward", "float16"})
    index_dtype = INT64
    channels_first = True

    def is_native(self, obj: object) -> bool:
        return isinstance(obj, torch.Tensor)

    def is_concrete(self, native: Native) -> bool:
        return not adapter.is_traced(native)

    def as_native(self, array: npt.NDArray[Any], device: ComputeDevice | None = None) -> Native:
        array = np.asarray(array)
        if (
            not array.flags.writeable
            or not array.dtype.isnative
            or any(stride < 0 for stride in array.strides)
        ):
            array = np.array(array, array.dtype.newbyteorder("="))
        native = torch.from_numpy(array)
        ref = _ref(device)
        return native if ref is None else native.to(ref)

    def to_numpy(self, native: Native) -> npt.NDArray[Any]:
        if adapter.is_traced(native):
            raise Unsupported(
                f"`to_numpy` needs numbers, but this torch array of shape {tuple(native.shape)} is being "
                f"traced or "
                f"differentiated and has none yet. Return it from the function and read it outside."
            )
        plain = native.detach().resolve_conj().resolve_neg().cpu()
        try:
            return plain.numpy()
        except RuntimeError:  # of constants while others are differentiated: torch wraps them
            return np.array(native.tolist(), self.dtype(native).numpy).reshape(tuple(native.shape))

    def from_dlpack(self, obj: Any) -> Native:
        return torch.from_dlpack(obj)

    def full(
        self, shape: Sequence[int], value: complex, dtype: DType, device: ComputeDevice | None = None
    ) -> Native:
        return torch.full(tuple(shape), value, dtype=_TORCH[dtype.name], device=_ref(device))

    def dtype(self, native: Native) -> DType:
        return _OURS[native.dtype]

    def shape(self, native: Native) -> tuple[int, ...]:
        return tuple(native.shape)

    def all_devices(self) -> list[ComputeDevice]:
        refs = [
            torch.device("cpu"),
            *(torch.device("cuda", index) for index in range(torch.cuda.device_count())),
        ]
        if torch.backends.mps.is_available():
            refs.append(torch.device("mps", 0))
        default = torch.get_default_device()
        refs.sort(key=lambda ref: ref.type != default.type or default.index not in (None, ref.index))
        return [_device(ref) for ref in refs]

    def device(self, native: Native) -> ComputeDevice:
        return _device(native.device)

    def to_device(self, native: Native, device: ComputeDevice) -> Native:
        return native.to(device.ref)

    def wait(self, natives: Natives) -> None:
        for ref in {native.device for native in natives if native.device.type == "cuda"}:
            torch.cuda.synchronize(ref)

    def compile(self, f: Flat, examples: Natives) -> Flat:
        return jit.compile_flat(f, examples)

    def vjp(
        self, f: Callable[..., tuple[Natives, Natives]], primals: Natives
    ) -> tuple[Natives, Callable[[Natives], Natives], Natives]:
        return transforms.vjp(f, primals)

    def jvp(self, f: Flat, primals: Natives, tangents: Natives) -> tuple[Natives, Natives]:
        return transforms.jvp(f, primals, tangents)

    def custom_gradient(self, f: Flat, pullback: Callable[[Natives, Natives, Natives], Natives]) -> Flat:
        return rules.custom_gradient(f, pullback)

    def stop_gradient(self, native: Native) -> Native:
        if adapter.innermost() is None and not native.requires_grad:
            return native
        constant = native.detach()
        bare = adapter.peeled(constant)  # its numbers can be read
        return bare if self.is_concrete(bare) else constant

    def scan(
        self,
        step: Callable[[Natives], tuple[Natives, Natives]],
        state: Natives,
        count: int,
        checkpoint: int | None = None,
    ) -> tuple[Natives, Natives]:
        if jit.compiling() and count:
            return loops.scan(step, state, count, checkpoint)
        return super().scan(step, state, count, checkpoint)

    def while_loop(
        self,
        condition: Callable[[Natives], Native],
        step: Callable[[Natives], Natives],
        state: Natives,
        limit: int | None = None,
    ) -> Natives:
        if jit.compiling():
            return loops.while_loop(condition, step, state, limit)
        count = 0
        while (limit is None or count < limit) and adapter.number(condition(state)):
            state = step(state)
            count += 1
        return state

    @contextmanager
    def outside(self, natives: Natives) -> Generator[Natives]:
        natives = tuple(map(adapter.peeled, natives))
        with adapter.suspended():
            yield tuple(n.detach() if self.is_concrete(n) else n for n in natives)

    def map_leading(self, f: Flat, natives: Natives) -> Natives:
        return transforms.map_leading(f, natives)


BACKEND = TorchBackend()
_torch_trees.register(BACKEND)
