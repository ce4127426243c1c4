"""Fourier, cosine and sine transforms along dims, and what periodic problems solve with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, cast

import numpy as np

from phi_tensor._context import context_dtype
from phi_tensor._create import wrap
from phi_tensor._dim_types import channel, spatial
from phi_tensor._dtype import COMPLEX64, FLOAT16, FLOAT32, FLOAT64, DType, DTypeLike
from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._plan import PlanCall, Row, planned, rule
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor._trees import tree_map
from phi_tensor.backends._backend import Native
from phi_tensor.backends._registry import default_backend
from phi_tensor.layouts._dense_steps import cast_step, chain, store_step
from phi_tensor.layouts._join import each_part, on_block
from phi_tensor.layouts._layout import Dense, Layout, Parts
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor, is_container
from phi_tensor.ops._dtype_rules import result_types
from phi_tensor.ops._elementwise import safe_div
from phi_tensor.ops._products import squared_norm
from phi_tensor.ops._real_transforms import (
    ONE,
    TRANSFORMS,
    Along,
    Axis,
    by_product,
    constant,
    matrix_of,
    orthonormal_weights,
)
from phi_tensor.ops._structure import expand, stack

Type = Literal[1, 2, 3, 4]


def fft(x: Any, dims: Any = spatial) -> Any:
    """Discrete Fourier transform along `dims`: x̂ₖ = Σⱼ xⱼ exp(−2πi jk/n); complex.

    >>> import phi_tensor as math
    >>> fft(math.ones(math.spatial(x=4))).real
    (4.0, 0.0, 0.0, 0.0) along (x:s=4) float32
    """
    return _transformed(table.FFT, x, dims)


def ifft(k: Any, dims: Any = spatial) -> Any:
    """Inverse of `fft`; complex.

    >>> import phi_tensor as math
    >>> math.real(ifft(fft(math.wrap([0.0, 2.0], math.spatial("x")))))
    (0.0, 2.0) along (x:s=2) float32
    """
    return _transformed(table.IFFT, k, dims)


def rfft(x: Any, dims: str | Sequence[str]) -> Any:
    """Discrete Fourier transform of real values without the entries that are conjugates of others; complex.

    Along the last of `dims`, n // 2 + 1 frequencies remain of n, 0 and the positive ones.

    Args:
        x: Real values, or a tree of them.
        dims: Along which dims; the order tells which one is halved.

    >>> import phi_tensor as math
    >>> rfft(math.ones(math.spatial(x=4)), "x").real
    (4.0, 0.0, 0.0) along (x:s=3) float32
    """
    return _transformed(table.RFFT, x, dims)


def irfft(k: Any, dims: str | Sequence[str], size: int | None = None) -> Any:
    """Inverse of `rfft`; real.

    Args:
        k: Frequencies, or a tree of them; imaginary parts where real values have none are ignored.
        dims: Along which dims, as for `rfft`.
        size: Number of values along the last of `dims`; default: the even one, twice that of `k` less 2.

    >>> import phi_tensor as math
    >>> irfft(rfft(math.wrap([0.0, 2.0, 4.0], math.spatial("x")), "x"), "x", 3)
    (0.0, 2.0, 4.0) along (x:s=3) float32
    """
    return _transformed(table.IRFFT, k, dims, size=size)


def fftfreq(resolution: Shape, dx: Any = 1, dtype: DTypeLike | None = None) -> Tensor:
    """Frequencies of the entries of `fft` [1/length], along `vector` with the dims as labels.

    Args:
        resolution: Dims and their sizes.
        dx: Distance of samples [length]: number, or tensor with one component per dim.
        dtype: Element type; default: the context's float type.
    """
    if not isinstance(cast("Any", resolution), Shape) or not all(
        isinstance(size, int) and size > 0 for size in resolution.sizes
    ):
        raise IncompatibleShapes(
            f"`fftfreq` needs dims with at least one entry each, but found {resolution!r}. Try "
            f"`spatial(x=8)`."
        )
    dx = dx if isinstance(dx, (int, float, complex)) else as_tensor(dx)
    kind = context_dtype(FLOAT32) if dtype is None else dtype
    backend = default_backend()
    entries: list[Tensor] = []
    for dim in resolution.dims:
        values = np.fft.fftfreq(cast("int", dim.size)).astype(DType.of(kind).numpy)
        entries.append(
            expand(wrap(backend.as_native(values), Shape.of((dim.with_size(dim.size),))), resolution)
        )
    frequencies = stack(entries, channel(vector=resolution.names))
    return frequencies if type(dx) in (int, float) and dx == 1 else frequencies / dx


def dct(x: Any, dims: Any = spatial, type: Type = 2, orthonormal: bool = False) -> Any:
    """Discrete cosine transform along `dims`, as `scipy.fft.dct`.

    Type 2 diagonalises second differences with zero gradient at faces half a cell outside, type 1 at the
    outer samples,
    type 4 zero gradient below and value 0 above; type 3 is the inverse of 2 up to the factor 2n.

    Args:
        x: Real values, or a tree of them.
        dims: Along which dims.
        type: 1 to 4.
        orthonormal: Scale it to an orthogonal matrix (SciPy's `norm="ortho"`).
    """
    return _transformed(table.DCT, x, dims, type=type, inverse=False, orthonormal=orthonormal)


def idct(x: Any, dims: Any = spatial, type: Type = 2, orthonormal: bool = False) -> Any:
    """Inverse of `dct` with the same `type` and scaling."""
    return _transformed(table.DCT, x, dims, type=type, inverse=True, orthonormal=orthonormal)


def dst(x: Any, dims: Any = spatial, type: Type = 2, orthonormal: bool = False) -> Any:
    """Discrete sine transform along `dims`, as `scipy.fft.dst`.

    Type 2 diagonalises second differences with value 0 at faces half a cell outside (odd mirror images),
    type 1 with value 0 one
    cell outside, type 4 value 0 below and zero gradient above; type 3 is the inverse of 2 up to the factor
    2n.

    Args:
        x: Real values, or a tree of them.
        dims: Along which dims.
        type: 1 to 4.
        orthonormal: Scale it to an orthogonal matrix (SciPy's `norm="ortho"`).
    """
    return _transformed(table.DST, x, dims, type=type, inverse=False, orthonormal=orthonormal)


def idst(x: Any, dims: Any = spatial, type: Type = 2, orthonormal: bool = False) -> Any:
    """Inverse of `dst` with the same `type` and scaling."""
    return _transformed(table.DST, x, dims, type=type, inverse=True, orthonormal=orthonormal)


def fourier_laplace(grid: Any, dx: Any = 1, times: int = 1) -> Any:
    """Laplacian of periodic data, applied `times` times, exact for resolved frequencies.

    Args:
        grid: Periodic values `(…, spatial…)`, or a tree of them.
        dx: Cell size [length]: number, or tensor with one component per dim.
        times: How often; 1 is ∇², 2 is ∇⁴.
    """
    return _in_fourier_space(grid, dx, lambda spectrum, symbol: spectrum * symbol**times)


def fourier_poisson(grid: Any, dx: Any = 1, times: int = 1) -> Any:
    """Solution u of ∇²u = `grid` on a periodic domain, with mean 0; the mean of `grid` is ignored.

    Args:
        grid: Periodic values `(…, spatial…)`, or a tree of them.
        dx: Cell size [length]: number, or tensor with one component per dim.
        times: How often the Laplacian is inverted.
    """
    return _in_fourier_space(grid, dx, lambda spectrum, symbol: safe_div(spectrum, symbol**times))


def _in_fourier_space(grid: Any, dx: Any, change: Any) -> Any:
    if not isinstance(grid, Tensor) and is_container(grid):
        return tree_map(lambda leaf: _in_fourier_space(leaf, dx, change), grid)
    value = as_tensor(grid)
    symbol = squared_norm(fftfreq(value.shape.spatial, dx), "vector") * -((2 * np.pi) ** 2)
    result = ifft(change(fft(value), symbol))
    return result if value.dtype.kind is complex else result.real


def _transformed(row: Row, x: Any, dims: Any, **settings: Any) -> Any:
    if not isinstance(x, Tensor) and is_container(x):
        return tree_map(lambda leaf: _transformed(row, leaf, dims, **settings), x)
    value = as_tensor(x)
    names = value.shape.selected_names(dims)
    if row in (table.RFFT, table.IRFFT):
        _check_listed(row, value, dims, names)
    if not names and isinstance(dims, str):
        raise IncompatibleShapes(f"`{row.name}` found none of the dims {dims!r} in {value.shape}.")
    empty = [name for name in names if value.shape.get_size(name) == 0]
    if empty:
        raise IncompatibleShapes(
            f"`{row.name}` needs at least one entry along {empty}, but found {value.shape}."
        )
    return row(value, names=names, **settings)


def _check_listed(row: Row, value: Tensor, dims: Any, names: tuple[str, ...]) -> None:
    """Raise unless `dims` tells which of `names` is the last one, and all are there."""
    listed = dims.split(",") if isinstance(dims, str) else dims
    expected = len(cast("list[Any]", listed)) if isinstance(listed, (tuple, list)) else 1
    if not names or len(names) != expected:
        raise IncompatibleShapes(
            f"`{row.name}` halves the last of `dims`. List names of {value.shape}, as 'x,y', "
            f"instead of {dims!r}."
        )


# --- plans


@rule("fft")
def fft_rule(row: Row, layout: Layout, names: tuple[str, ...]) -> PlanCall:
    """Plan of a complex Fourier transform."""
    if isinstance(layout, Parts):
        if layout.dim.name in names:
            return on_block(row, layout, names=names)
        return each_part(layout, [fft_rule(row, part, names=names) for part in layout.parts])
    assert isinstance(layout, Dense)
    result, prepare = _stored(row, layout, names)
    function, axes = layout.backend.ops[row.name], tuple(result.axes[name] for name in names)
    return _plan(result, [prepare, (lambda x: function(x, axes)) if axes else None])


@rule("rfft")
def rfft_rule(row: Row, layout: Layout, names: tuple[str, ...]) -> PlanCall:
    """Plan of a Fourier transform of real values."""
    if layout.dtype.kind is complex:
        raise Unsupported(f"`rfft` transforms real values, but found {layout.dtype}. Use `fft`.")
    return _half_transform(row, layout, names, lambda n: n // 2 + 1)


@rule("irfft")
def irfft_rule(row: Row, layout: Layout, names: tuple[str, ...], size: int | None) -> PlanCall:
    """Plan of the inverse of a Fourier transform of real values."""
    if size is not None and size < 1:
        raise IncompatibleShapes(f"`irfft` gives at least one value, but `size` is {size}.")
    return _half_transform(row, layout, names, lambda n: 2 * n - 2 if size is None else size, size=size)


def _half_transform(
    row: Row, layout: Layout, names: tuple[str, ...], result_size: Callable[[int], int], **settings: Any
) -> PlanCall:
    if isinstance(layout, Parts):
        if layout.dim.name in names:
            return on_block(row, layout, names=names, **settings)
        plan = partial(_half_transform, row, names=names, result_size=result_size, **settings)
        return each_part(layout, [plan(part) for part in layout.parts])
    assert isinstance(layout, Dense)
    source, prepare = _stored(row, layout, names)
    halved = source.shape.get_dim(names[-1])
    n = result_size(cast("int", halved.size))
    if n < 1:
        raise IncompatibleShapes(
            f"`{row.name}` needs more than one entry along `{halved.name}`, or the number of values: "
            f"`irfft(k, dims, size)`."
        )
    new = {halved.name: halved.with_size(n)}
    shape = Shape.of(tuple(new.get(dim.name, dim) for dim in source.shape.dims))
    stored = tuple(new.get(dim.name, dim) for dim in source.stored)
    result = Dense.of(stored, shape, _counterpart(source.dtype), source.backend)
    function, axes = source.backend.ops[row.name], tuple(source.axes[name] for name in names)
    if row.name == "rfft":
        return _plan(result, [prepare, lambda x: function(x, axes)])
    return _plan(result, [prepare, lambda x: function(x, n, axes)])


def _counterpart(dtype: DType) -> DType:
    """The complex type of a real one, or the other way round."""
    if dtype.kind is complex:
        return FLOAT32 if dtype is COMPLEX64 else FLOAT64
    return DType.of(np.result_type(dtype.numpy, np.complex64))


@rule("real_transform")
def real_transform_rule(
    row: Row, layout: Layout, names: tuple[str, ...], type: Type, inverse: bool, orthonormal: bool
) -> PlanCall:
    """Plan of cosine or sine transforms, one dim after the other."""
    settings: dict[str, Any] = {"names": names, "type": type, "inverse": inverse, "orthonormal": orthonormal}
    if layout.dtype.kind is complex:
        raise Unsupported(
            f"`{row.name}` transforms real values, but found {layout.dtype}. Transform `x.real` and `x.imag`."
        )
    if (row.name, type) not in TRANSFORMS:
        raise Unsupported(f"There is no `{row.name}` of type {type!r}. Use 1, 2, 3 or 4.")
    if isinstance(layout, Parts):
        if layout.dim.name in names:
            return on_block(row, layout, **settings)
        return each_part(layout, [real_transform_rule(row, part, **settings) for part in layout.parts])
    assert isinstance(layout, Dense)
    result, prepare = _stored(row, layout, names)
    steps = [_along(row, result, name, (row.name, type), inverse, orthonormal) for name in names]
    return _plan(result, [prepare, *steps])


def _stored(row: Row, layout: Dense, names: tuple[str, ...]) -> tuple[Dense, Any]:
    """Layout that stores the transformed dims, and the step to it; no library transforms 16-bit floats."""
    wanted = result_types(row, (layout,))[1]
    dtype = FLOAT32 if wanted is FLOAT16 else wanted
    shape = Shape.of(tuple(d.with_size(d.size) if d.name in names else d for d in layout.shape.dims))
    missing = [layout.shape.get_dim(name) for name in names if name not in layout.axes]
    stored = (*missing, *layout.stored)
    steps = [cast_step(layout.dtype, dtype, layout.backend), store_step(layout, stored, layout.backend)]
    return Dense.of(tuple(shape.get_dim(d.name) for d in stored), shape, dtype, layout.backend), chain(steps)


def _plan(computed: Dense, steps: list[Any]) -> PlanCall:
    """Plan of `steps`, whose result takes the context's precision."""
    dtype = context_dtype(computed.dtype)
    result = Dense.of(computed.stored, computed.shape, dtype, computed.backend)
    step = chain([*steps, cast_step(computed.dtype, dtype, computed.backend)])
    if step is None:
        return planned(result, lambda t: Tensor(result, t.natives))
    return planned(result, lambda t: Tensor(result, (step(t.natives[0]),)))


def _along(
    row: Row, layout: Dense, name: str, key: tuple[str, int], inverse: bool, orthonormal: bool
) -> Along:
    axis, n = layout.axes[name], cast("int", layout.shape.get_size(name))
    if n < (2 if key == ("dct", 1) else 1):
        raise IncompatibleShapes(f"`{row.name}` of type {key[1]} needs more than {n} entries along `{name}`.")
    native = layout.backend.ops.get(row.name)
    if by_product(n, native is not None):
        return _product(layout, axis, matrix_of(key, n, inverse, orthonormal))
    along = Axis(layout.backend, axis, len(layout.stored), n, layout.dtype)
    used = TRANSFORMS[key].inverse if inverse else key
    inner, outer = ONE, ONE / TRANSFORMS[key].period(n) if inverse else ONE
    if orthonormal:
        inner, outer = orthonormal_weights(used, n)
    if native is None:
        return TRANSFORMS[used].by_fft(along, inner, outer)
    transform, before, after = _by_library(native, used[1], axis), along.scale(inner), along.scale(outer)
    return lambda x: after(transform(before(x)))


def _by_library(function: Callable[..., Native], kind: int, axis: int) -> Along:
    return lambda x: function(x, kind, axis)


def _product(layout: Dense, axis: int, matrix: Any) -> Along:
    """Product with a matrix along one axis: from the right for the last, else batched from the left."""
    backend, sizes = layout.backend, layout.sizes
    matmul, reshape = backend.ops["matmul"], backend.ops["reshape"]
    before, n, after = int(np.prod(sizes[:axis])), sizes[axis], int(np.prod(sizes[axis + 1 :]))
    last = after == 1
    factor = constant(
        backend, np.ascontiguousarray((matrix.T if last else matrix).astype(layout.dtype.numpy))
    )
    flat = (before, n) if last else (n, after) if before == 1 else (before, n, after)

    def product(x: Native) -> Native:
        m = factor(x)
        x = x if flat == sizes else reshape(x, flat)
        y = matmul(x, m) if last else matmul(m, x)
        return y if flat == sizes else reshape(y, sizes)

    return product
