"""JAX's native functions by row name. Loading this file enables JAX's 64-bit types for the process.

Every row is one `jax.jit` with static settings: its C++ dispatch (3.5 µs) is faster than `jnp.add` (4.5 µs)
and `lax.add` (8 µs), and `inline=True` leaves plain primitives in enclosing traces.

>>> OPS["add"](jnp.ones(3, np.float32), 1).dtype
dtype('float32')
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer

from phi_tensor._dtype import DType
from phi_tensor.backends._backend import ComputeDevice, Native
from phi_tensor.backends._jax_convolution import convolution
from phi_tensor.backends._jax_linalg import OPS as _MATRIX_OPS
from phi_tensor.backends._jax_random import random_bits
from phi_tensor.backends._jax_scatter import SCATTER
from phi_tensor.backends._jax_sparse import SPARSE
from phi_tensor.backends._jax_stats import STATS

jax.config.update("jax_enable_x64", True)

_fast = partial(jax.jit, inline=True)
"""Dynamic arrays only."""
_fast1 = partial(jax.jit, inline=True, static_argnums=(1,))
"""The second argument is static (hashable)."""
_fast12 = partial(jax.jit, inline=True, static_argnums=(1, 2))
"""The second and third argument are static."""


def _sign(x: Native) -> Native:
    """The library's of complex numbers, x/|x|, has derivative 0."""
    if x.dtype.kind != "c":
        return jnp.sign(x)
    zero = x == 0
    return jnp.where(zero, 0, x / jnp.abs(jnp.where(zero, 1, x)))


@jax.custom_jvp
def _complex_acosh(x: Native) -> Native:
    """The derivative of the library's is that of another branch where Re x < 0."""
    return jnp.arccosh(x)


@_complex_acosh.defjvp
def _complex_acosh_jvp(primals: tuple[Native], tangents: tuple[Native]) -> tuple[Native, Native]:
    (x,), (dx,) = primals, tangents
    return _complex_acosh(x), dx / (jnp.sqrt(x - 1) * jnp.sqrt(x + 1))


_UNARY: dict[str, Callable[[Any], Any]] = {
    "negative": jnp.negative,
    "abs": jnp.abs,
    "sign": _sign,
    "round": lambda x: x if x.dtype == bool else jnp.round(x),
    "ceil": jnp.ceil,
    "floor": jnp.floor,
    "trunc": jnp.trunc,
    "sqrt": jnp.sqrt,
    "rsqrt": lax.rsqrt,
    "exp": jnp.exp,
    "expm1": jnp.expm1,
    "log": jnp.log,
    "log1p": jnp.log1p,
    "log2": jnp.log2,
    "log10": jnp.log10,
    "sin": jnp.sin,
    "cos": jnp.cos,
    "tan": jnp.tan,
    "sinh": jnp.sinh,
    "cosh": jnp.cosh,
    "tanh": jnp.tanh,
    "asin": jnp.arcsin,
    "acos": jnp.arccos,
    "atan": jnp.arctan,
    "asinh": jnp.arcsinh,
    "acosh": lambda x: _complex_acosh(x) if x.dtype.kind == "c" else jnp.arccosh(x),
    "atanh": jnp.arctanh,
    "erf": lax.erf,
    "sigmoid": lax.logistic,
    "softplus": lambda x: jnp.logaddexp(x, jnp.zeros_like(x)),
    "square": jnp.square,
    "reciprocal": jnp.reciprocal,
    "real": jnp.real,
    "imag": jnp.imag,
    "conj": jnp.conj,
    "angle": lambda x: jnp.angle(x).astype(jnp.real(x).dtype),
    "isfinite": jnp.isfinite,
    "isnan": jnp.isnan,
    "isinf": jnp.isinf,
    "logical_not": jnp.logical_not,
    "bitwise_invert": jnp.bitwise_not,
}


def _zero_by_zero(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """`function` that is 0 for int divisors that are 0, as NumPy's."""

    def divided(x: Any, y: Any) -> Any:
        if not jnp.issubdtype(jnp.result_type(x, y), jnp.integer):
            return function(x, y)
        return jnp.where(y == 0, 0, function(x, jnp.where(y == 0, 1, y)))

    return divided


_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": jnp.add,
    "subtract": jnp.subtract,
    "multiply": jnp.multiply,
    "divide": jnp.divide,
    "floor_divide": _zero_by_zero(jnp.floor_divide),
    "remainder": _zero_by_zero(jnp.remainder),
    "pow": jnp.power,
    "atan2": jnp.arctan2,
    "maximum": jnp.maximum,
    "minimum": jnp.minimum,
    "equal": jnp.equal,
    "not_equal": jnp.not_equal,
    "less": jnp.less,
    "less_equal": jnp.less_equal,
    "greater": jnp.greater,
    "greater_equal": jnp.greater_equal,
    "logical_and": jnp.logical_and,
    "logical_or": jnp.logical_or,
    "logical_xor": jnp.logical_xor,
    "bitwise_and": jnp.bitwise_and,
    "bitwise_or": jnp.bitwise_or,
    "bitwise_xor": jnp.bitwise_xor,
    "bitwise_left_shift": jnp.left_shift,
    "bitwise_right_shift": jnp.right_shift,
}


def _accumulator(x: Native) -> Any:
    """Dtype of sums: int64 for bools and ints, else unchanged."""
    return np.int64 if x.dtype.kind in "biu" else x.dtype


_REDUCE: dict[str, Callable[[Any, Any], Any]] = {
    "sum": lambda x, axes: jnp.sum(x, axes, _accumulator(x)),
    "prod": lambda x, axes: jnp.prod(x, axes, _accumulator(x)),
    "mean": lambda x, axes: jnp.mean(x, axes),
    "max": lambda x, axes: jnp.max(x, axes),
    "min": lambda x, axes: jnp.min(x, axes),
    "any": lambda x, axes: jnp.any(x, axes),
    "all": lambda x, axes: jnp.all(x, axes),
    "argmax": lambda x, axis: jnp.argmax(x, axis).astype(np.int64),
    "argmin": lambda x, axis: jnp.argmin(x, axis).astype(np.int64),
    "cumsum": lambda x, axis: jnp.cumsum(x, axis, _accumulator(x)),
    "sort": lambda x, axis: jnp.sort(x, axis, stable=True),
    "argsort": lambda x, axis: jnp.argsort(x, axis, stable=True).astype(np.int64),
}


@_fast1
def _convert(x: Native, dtype: DType) -> Native:
    if x.dtype.kind == "c" and dtype.kind is not complex:
        x = x != 0 if dtype.kind is bool else x.real
    return lax.convert_element_type(x, dtype.numpy)


def _cast(x: Native, dtype: DType) -> Native:
    if x.dtype == dtype.numpy and not getattr(x, "weak_type", True):
        return x
    return _convert(x, dtype)


_static_pow = _fast1(jnp.power)
_traced_pow = _fast(jnp.power)


def _pow(x: Native, y: Native) -> Native:
    """Int exponents are static: products instead of logarithms, and a finite derivative at 0."""
    return _static_pow(x, y) if y.__class__ is int else _traced_pow(x, y)


# --- indexing: static in traces, where slices fuse; eager ints are dynamic: a loop over `x[i]` compiles once

_Range = tuple[int, int, int]
"""Start, number and step of the elements along one axis."""


def _ranges(shape: tuple[int, ...], index: tuple[int | slice, ...]) -> tuple[_Range, ...]:
    ranges: list[_Range] = []
    for size, item in zip(shape, index, strict=False):
        if isinstance(item, slice):
            start, stop, step = item.indices(size)
            ranges.append((start, len(range(start, stop, step)), step))
        elif -size <= item < size:
            ranges.append((item % size, 1, 1))
        else:
            raise IndexError(f"index {item} is out of bounds for an axis of size {size}")
    return tuple(ranges) + tuple((0, size, 1) for size in shape[len(index) :])


def _slice(x: Native, index: tuple[Any, ...]) -> Native:
    """`x[index]` for ints and `(start, stop, step)` triples."""
    items = tuple(slice(*item) if isinstance(item, tuple) else item for item in index)
    ranges = _ranges(x.shape, items)
    # A negative step walks the same elements upwards and is reversed afterwards.
    upwards = [(a, n, s) if s > 0 else (a + (n - 1) * s, n, -s) for a, n, s in ranges]
    starts = [a if n else 0 for a, n, _ in upwards]
    limits = [a + (n - 1) * s + 1 if n else 0 for a, n, s in upwards]
    x = lax.slice(x, starts, limits, [s for _, _, s in upwards])
    x = lax.rev(x, [axis for axis, (_, _, s) in enumerate(ranges) if s < 0])
    return lax.squeeze(x, [axis for axis, item in enumerate(index) if not isinstance(item, tuple)])


_static_slice = _fast1(_slice)


@_fast1
def _pick(x: Native, axis: int, position: Native) -> Native:
    return lax.dynamic_index_in_dim(x, position, axis, keepdims=False)


def _getitem(x: Native, index: tuple[int | slice, ...]) -> Native:
    if not isinstance(x, Tracer):
        axis = 0
        for size, item in zip(x.shape, index, strict=False):
            if item.__class__ is int:
                if not -size <= item < size:
                    raise IndexError(f"index {item} is out of bounds for an axis of size {size}")
                x = _pick(x, axis, item)
            else:
                axis += 1
        if axis != len(index):
            index = tuple(item for item in index if item.__class__ is not int)
        if all(item == _EVERYTHING for item in index):
            return x
    key = tuple(
        [(item.start, item.stop, item.step) if isinstance(item, slice) else int(item) for item in index]
    )
    return _static_slice(x, key)


_EVERYTHING = slice(None)


def _flip(x: Native, axes: int | Sequence[int]) -> Native:
    return _reverse(x, (axes,) if isinstance(axes, int) else tuple(axes))


_reverse = _fast1(lax.rev)


@_fast12
def _take(x: Native, axis: int, _: None, indices: Native) -> Native:
    kept = (*range(axis), *range(axis + 1, x.ndim))
    return lax.gather(  # `x[indices]` would look for negative ones
        x,
        indices[:, None],
        lax.GatherDimensionNumbers(offset_dims=kept, collapsed_slice_dims=(axis,), start_index_map=(axis,)),
        slice_sizes=(*x.shape[:axis], 1, *x.shape[axis + 1 :]),
        mode=lax.GatherScatterMode.PROMISE_IN_BOUNDS,
    )


@_fast1
def _pad(x: Native, widths: tuple[tuple[int, int], ...], value: Native) -> Native:
    fill = lax.convert_element_type(value, x.dtype)
    return lax.pad(x, fill, [(lower, upper, 0) for lower, upper in widths])


@_fast
def _matmul(a: Native, b: Native) -> Native:
    return jnp.matmul(
        a, b, precision=lax.Precision.HIGHEST
    )  # accelerators would round 32-bit floats to 19 or 16 bits


def _fft_by(transform: Callable[..., Any]) -> Callable[[Native, Any], Native]:
    def over(x: Native, axes: tuple[int, ...]) -> Native:
        for first in range(0, len(axes), 3):  # XLA transforms at most three axes at once
            x = transform(x, axes=axes[first : first + 3])
        return x

    compiled = _fast1(over)
    return lambda x, axes: compiled(x, tuple(axes))


_fft, _ifft = _fft_by(jnp.fft.fftn), _fft_by(jnp.fft.ifftn)


@_fast1
def _rfft(x: Native, axes: tuple[int, ...]) -> Native:
    return _fft(jnp.fft.rfftn(x, axes=axes[-3:]), axes[:-3])


@_fast12
def _irfft(x: Native, n: int, axes: tuple[int, ...]) -> Native:
    sizes = (*(x.shape[axis] for axis in axes[-3:-1]), n)
    return jnp.fft.irfftn(_ifft(x, axes[:-3]), sizes, axes[-3:])


@jax.custom_jvp
def apart(x: Native) -> Native:
    """`x`, on CPUs behind a branch that is never taken.

    XLA merges look-ups into the loops that use them. With one more array to read these lose their vector
    instructions: adding to the result of 256² look-ups took 2.6 times as long as both apart. Optimisation
    barriers are dropped before loops are merged.
    """
    if x.size < _WORTH_A_BRANCH or not isinstance(x, Tracer):
        return x
    return lax.platform_dependent(x, cpu=_behind_branch, default=lambda x: x)


@apart.defjvp
def _apart_jvp(primals: tuple[Native], tangents: tuple[Native]) -> tuple[Native, Native]:
    return apart(primals[0]), tangents[0]


def _behind_branch(x: Native) -> Native:
    first = jnp.real(lax.slice(x, (0,) * x.ndim, (1,) * x.ndim)).reshape(())
    return lax.cond((first < 0) & (first > 0), jnp.negative, lambda x: x, x)


_WORTH_A_BRANCH = 1024


def _arange(start: int, stop: int, step: int, dtype: DType, device: ComputeDevice | None = None) -> Native:
    with jax.ensure_compile_time_eval():
        if abs(stop - start) <= _MOST_COPIED * abs(step):  # three times as fast as on the device
            numbers = np.arange(start, stop, step).astype(dtype.numpy)
            return jax.device_put(numbers, device.ref if device else None)
        return jnp.arange(start, stop, step, dtype.numpy, device=device.ref if device else None)


_MOST_COPIED = 1024
"""Longest ranges that are made on the host."""


def _safe_divide(x: Native, y: Native) -> Native:
    zero = y == 0
    return jnp.where(zero, 0, x / jnp.where(zero, 1, y))  # both branches finite, so that derivatives are


_reshape = _fast1(lax.reshape)
_permute = _fast1(lax.transpose)
_broadcast_to = _fast1(jnp.broadcast_to)
_concat = _fast1(lambda arrays, axis: lax.concatenate(arrays, axis))
_stack = _fast1(lambda arrays, axis: jnp.stack(arrays, axis))
_unstack = _fast1(lambda x, axis: jnp.unstack(x, axis=axis))
_roll = _fast12(jnp.roll)

OPS: dict[str, Callable[..., Any]] = {
    **{name: _fast(function) for name, function in _UNARY.items()},
    **{name: _fast(function) for name, function in _BINARY.items()},
    **{name: _fast1(function) for name, function in _REDUCE.items()},
    "pow": _pow,
    "where": _fast(jnp.where),
    "clip": _fast(lambda x, lower, upper: jnp.minimum(jnp.maximum(x, lower), upper)),
    "safe_divide": _fast(_safe_divide),
    "cast": _cast,
    "reshape": lambda x, shape: _reshape(x, tuple(shape)),
    "permute": lambda x, axes: _permute(x, tuple(axes)),
    "broadcast_to": lambda x, shape: _broadcast_to(x, tuple(shape)),
    "concat": _concat,
    "stack": _stack,
    "unstack": _unstack,
    "flip": _flip,
    "getitem": _getitem,
    "roll": _roll,
    "take": lambda x, indices, axis: _take(x, axis, None, indices),
    "pad_constant": lambda x, widths, value: _pad(x, tuple(widths), value),
    **SCATTER,
    **SPARSE,
    "random_bits": random_bits,
    "matmul": _matmul,
    **_MATRIX_OPS,
    "fft": _fft,
    "ifft": _ifft,
    "complex": lax.complex,
    "rfft": _rfft,
    "irfft": _irfft,
    "arange": _arange,
    "copy": jnp.copy,
    "iota": lambda n, dtype: lax.iota(dtype.numpy, n),
    **STATS,
}
OPS["convolve"] = convolution(OPS)
