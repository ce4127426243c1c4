"""Matrices of derivatives: with the dims of the output, and the dual of each input dim."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, cast

from phi_tensor._context import changed_settings
from phi_tensor._dim import Dim
from phi_tensor._dim_changes import retyped
from phi_tensor._dim_types import dual
from phi_tensor._dtype import INT64
from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor._trees import Structure, tree_map
from phi_tensor.backends._backend import Backend, Natives
from phi_tensor.layouts._layout import Dense, Layout, Stacked
from phi_tensor.ops._structure import expand, rename_dims, unpack_dim
from phi_tensor.transforms._arguments import Arguments, Wrt, as_wrt
from phi_tensor.transforms._flat import (
    Output,
    differentiating,
    flat_arguments,
    flat_output,
    natives_as,
    require,
    tensors_of,
)
from phi_tensor.transforms._gradient import gradient


def jacobian(f: Callable[..., Any], wrt: Wrt = None, get_output: bool = True) -> Callable[..., Any]:
    """Function that returns the value of `f` and its Jacobian.

    Dims of the output, and the dual of each input dim.

    Batch dims of the input are independent and not differentiated across. Costs one forward derivative per
    input element. By complex inputs it is the complex derivative, for which `f` must be holomorphic.

    Args:
        f: Function that returns one tensor, or a tree (one Jacobian per tensor).
        wrt: As for `gradient`; each named argument holds one tensor.
        get_output: Return `(output, jacobian)`, else the Jacobian alone.

    Raises:
        Unsupported: `f` is real, but an input complex: no complex derivative exists.

    >>> import phi_tensor as math
    >>> with math.on_backend("jax"):
    ...     jacobian(lambda x: x * x, get_output=False)(math.vec(x=1.0, y=2.0))
    ((2.0, 0.0), (0.0, 4.0)) along (~vector:d=x,y, vector:c=x,y) float32
    """

    @functools.wraps(f)
    def with_jacobian(*args: Any, **kwargs: Any) -> Any:
        arguments = Arguments(f, wrt, args, kwargs, joined=True)
        require(arguments.backend, "jacobian", "forward")
        output = arguments.call(arguments.natives)
        if _any_complex(arguments) and any(leaf.dtype.kind is float for leaf in flat_arguments(output)[0]):
            raise _no_complex_derivative("jacobian", "`gradient` of each output")
        blocks = _derivative_blocks(arguments, lambda natives: arguments.call(natives))
        result = as_wrt(arguments.structure.build(blocks), wrt)
        return (output, result) if get_output else result

    return with_jacobian


def hessian(
    f: Callable[..., Any], wrt: Wrt = None, get_output: bool = True, get_gradient: bool = True
) -> Callable[..., Any]:
    """Function that returns value, gradient and Hessian of a loss: dims of the argument, and their duals.

    With several differentiated tensors the Hessian is the tree (by column argument) of trees (by row
    argument) of blocks. Forward over reverse: one such product per element.

    Args:
        f: As for `gradient`.
        wrt: As for `gradient`.
        get_output: Include the output of `f`.
        get_gradient: Include the gradient.

    Raises:
        Unsupported: An argument is complex: a real loss has no complex derivative.

    >>> import phi_tensor as math
    >>> with math.on_backend("jax"):
    ...     hessian(lambda x: x**3)(2.0)
    (8.0, 12.0, 12.0)
    """

    @functools.wraps(f)
    def with_hessian(*args: Any, **kwargs: Any) -> Any:
        arguments = Arguments(f, wrt, args, kwargs, joined=True)
        require(arguments.backend, "hessian", "forward")
        if _any_complex(arguments):
            raise _no_complex_derivative("hessian", "`jvp` of the gradient along a direction")

        def gradients(natives: Sequence[Any]) -> Any:
            trees = arguments.structure.build(tensors_of(arguments.layouts, natives))
            return gradient(lambda all_trees: _with_trees(arguments, all_trees), get_output=False)(trees)

        output, first = gradient(f, wrt)(*args, **kwargs)
        blocks = _derivative_blocks(arguments, gradients)
        second = as_wrt(arguments.structure.build(blocks), wrt)
        if wrt is None or (isinstance(wrt, str) and "," not in wrt):
            second = _single_rows(arguments.structure, blocks)
        parts = ([output] if get_output else []) + ([first] if get_gradient else []) + [second]
        return parts[0] if len(parts) == 1 else tuple(parts)

    return with_hessian


def _any_complex(arguments: Arguments) -> bool:
    return any(layout.dtype.kind is complex for layout in arguments.layouts)


def _no_complex_derivative(function: str, instead: str) -> Unsupported:
    return Unsupported(
        f"`{function}` found a complex argument of a function with real results, which has no complex "
        f"derivative. Pass real and imaginary part as two arguments, or use {instead}."
    )


def _single_rows(structure: Structure, blocks: list[Any]) -> Any:
    """Blocks of one differentiated argument: the gradient trees inside are lists of one tree."""
    return structure.build([block[0] for block in blocks])[0]


def _with_trees(arguments: Arguments, trees: Any) -> Any:
    leaves, _ = flat_arguments(trees)
    return arguments.call(
        [n for leaf, layout in zip(leaves, arguments.layouts, strict=True) for n in natives_as(leaf, layout)]
    )


def _derivative_blocks(arguments: Arguments, f: Callable[[Sequence[Any]], Any]) -> list[Any]:
    """For each differentiated leaf.

    The tree of derivatives of `f`, with the leaf's non-batch dims as dual dims.
    """
    blocks: list[Any] = []
    start = 0
    for layout in arguments.layouts:
        if not isinstance(layout, Dense):
            raise IncompatibleShapes(
                f"Jacobians need inputs stored as one array, but found {layout}. Stack or pack the parts "
                f"first."
            )
        blocks.append(_block(arguments, f, layout, start))
        start += layout.count
    return blocks


def _block(arguments: Arguments, f: Callable[[Sequence[Any]], Any], layout: Dense, position: int) -> Any:
    backend = arguments.backend
    inner = tuple(dim for dim in layout.stored if dim.type.name != "batch")
    count = 1
    for dim in inner:
        count *= cast("int", dim.size)
    described: list[Output] = []

    def column(index: Any) -> Natives:
        direction = _unit(backend, layout, inner, index, count)
        tangents = tuple(
            direction if i == position else backend.ops["multiply"](native, 0)
            for i, native in enumerate(arguments.natives)
        )

        def flat(*natives: Any) -> Natives:
            with differentiating(backend), changed_settings(check="never"):  # the plain call has reported
                natives, description = flat_output(tree_map(_joined, f(natives)), backend, canonical=False)
            described.append(description)
            return natives

        return backend.jvp(flat, arguments.natives, tangents)[1]

    eye = backend.ops["arange"](0, count, 1, INT64, None)
    columns = backend.map_leading(lambda index: column(index), (eye,))
    entry = Dim.of("~_entry", dual, count)
    layouts = tuple(_with_leading(part, entry) for part in described[-1].layouts)
    dims = Shape.of(tuple(retyped(dim, dual) for dim in inner))
    tensors = tensors_of(layouts, columns)
    return described[-1].structure.build([_unpacked(x, dims) for x in tensors])


def _joined(x: Tensor) -> Tensor:
    return x.block() if isinstance(x.layout, Stacked) else x


def _unpacked(x: Tensor, dims: Shape) -> Tensor:
    if not dims:
        return x[{"~_entry": 0}]
    return rename_dims(x, "~_entry", dims) if dims.rank == 1 else unpack_dim(x, "~_entry", dims)


def _unit(backend: Backend, layout: Dense, inner: tuple[Dim, ...], index: Any, count: int) -> Any:
    """Unit tangent of the leaf along entry `index` of its non-batch dims, the same for every batch entry."""
    ops = backend.ops
    flat = ops["equal"](ops["arange"](0, count, 1, INT64, None), index)
    native = ops["reshape"](ops["cast"](flat, layout.dtype), tuple(cast("int", dim.size) for dim in inner))
    unit = Tensor(Dense.of(inner, Shape.of(inner), layout.dtype, backend), (native,))
    return natives_as(expand(unit, layout.shape), layout)[0]


def _with_leading(layout: Layout, entry: Dim) -> Layout:
    if not isinstance(layout, Dense):
        raise IncompatibleShapes(
            f"Jacobians need outputs stored as one array, but found {layout}. Stack or pack the parts first."
        )
    return Dense.of(
        (entry, *layout.stored), Shape.of((entry, *layout.shape.dims)), layout.dtype, layout.backend
    )
