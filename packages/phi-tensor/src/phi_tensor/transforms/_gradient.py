"""Derivatives of functions of trees. Losses keep batch dims: every example gets its own gradient."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, cast

from phi_tensor._context import changed_settings, settings
from phi_tensor._create import ones_like
from phi_tensor._dim import Dim
from phi_tensor._dim_types import dual
from phi_tensor._dtype import INT64
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._shape import Shape, retyped
from phi_tensor._tensor import Tensor
from phi_tensor._trees import Structure, flatten
from phi_tensor.backends._backend import Backend, Natives
from phi_tensor.layouts._layout import Dense, Layout, Stacked
from phi_tensor.ops._reductions import sum_
from phi_tensor.ops._structure import expand, rename_dims, unpack_dim
from phi_tensor.transforms._flat import (
    Outcomes,
    Output,
    backend_for,
    differentiable,
    flat_arguments,
    flat_output,
    natives_as,
    number_leaf,
    require,
    signature_of,
    stored_layout,
    tensors_of,
)

Wrt = str | Sequence[str] | None


class _Arguments:
    """Arguments of a call, split into what is differentiated and the rest.

    Attributes:
        natives: Natives of the differentiated leaves.
        layouts: Their layouts.
        structure: Structure of the differentiated trees.
        backend: Backend that differentiates.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        wrt: Wrt,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        joined: bool = False,
    ) -> None:
        self._f, self._args, self._kwargs = f, args, kwargs
        self._places = _places(f, wrt, args, kwargs)
        trees = [args[p] if isinstance(p, int) else kwargs[p] for p in self._places]
        leaves, self.structure = flat_arguments(trees)
        if not leaves:
            raise IncompatibleShapes(
                f"There is nothing to differentiate by: {trees!r} holds no tensors. Name other arguments "
                f"in `wrt`."
            )
        rest = [a for i, a in enumerate(args) if i not in self._places] + [
            v for k, v in kwargs.items() if k not in self._places
        ]
        others, _ = flatten(rest, "variable")
        self.backend = backend_for([*leaves, *others])
        pairs = [
            differentiable(
                leaf.block() if joined and isinstance(leaf.layout, Stacked) else leaf, self.backend
            )
            for leaf in leaves
        ]
        self.layouts = tuple(layout for layout, _ in pairs)
        self.natives = tuple(n for _, natives in pairs for n in natives)

    def call(self, natives: Sequence[Any]) -> Any:
        """`f` with other values of the differentiated arguments."""
        trees = self.structure.build(tensors_of(self.layouts, natives))
        args, kwargs = list(self._args), dict(self._kwargs)
        for place, tree in zip(self._places, trees, strict=True):
            if isinstance(place, int):
                args[place] = tree
            else:
                kwargs[place] = tree
        with _derivative(self.backend):
            return self._f(*args, **kwargs)

    def result(self, natives: Sequence[Any], wrt: Wrt) -> Any:
        """Cotangents as trees in the structure of `wrt`."""
        trees = self.structure.build(tensors_of(self.layouts, natives))
        return _as_wrt(trees, wrt)


def _as_wrt(trees: list[Any], wrt: Wrt) -> Any:
    if wrt is None or (isinstance(wrt, str) and "," not in wrt):
        return trees[0]
    return tuple(trees) if isinstance(wrt, tuple) else trees


def _derivative(backend: Backend) -> Any:
    return changed_settings(traced=settings().traced or "derivative", backend=backend.name)


def _places(
    f: Callable[..., Any], wrt: Wrt, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[int | str]:
    """Where the differentiated arguments stand: position or keyword."""
    if wrt is None:
        if not args:
            raise IncompatibleShapes(
                "Without `wrt`, derivatives are with respect to the first positional argument, but none "
                "was given."
            )
        return [0]
    names = [n.strip() for n in wrt.split(",")] if isinstance(wrt, str) else list(wrt)
    signature = signature_of(f)
    parameters = list(signature.parameters) if signature else []
    places: list[int | str] = []
    for name in names:
        if name in kwargs:
            places.append(name)
        elif name in parameters and parameters.index(name) < len(args):
            places.append(parameters.index(name))
        else:
            raise IncompatibleShapes(
                f"`wrt` names the argument `{name}`, which this call did not pass. Arguments of the "
                f"function: {parameters}. "
                f"Tensors that a function takes from outside have no gradient; pass them as arguments."
            )
    return places


def gradient(f: Callable[..., Any], wrt: Wrt = None, get_output: bool = True) -> Callable[..., Any]:
    """Function that returns the value of `f` and its gradient.

    The first output of `f` is the loss; it may have batch dims (their sum is differentiated), no others.
    Further outputs are passed on.

    Args:
        f: Function `f(…) -> loss` or `(loss, …)`.
        wrt: Names of arguments: one name gives one tree, several (comma list or sequence) a list. Default:
            the first argument.
        get_output: Return `(output of f, gradient)`, else the gradient alone.

    Returns:
        Function with the arguments of `f`. Gradients have the structure and shapes of the arguments; ints
        count as floats.

    Raises:
        Unsupported: The arguments are on NumPy, which has no derivatives, and so is the default backend.
        IncompatibleShapes: The loss has other than batch dims.

    >>> import phi_tensor as math
    >>> with math.on_backend("jax"):
    ...     gradient(math.l2_loss)(math.vec(x=1.0, y=2.0))
    (2.5, (x=1.0, y=2.0))
    """

    @functools.wraps(f)
    def with_gradient(*args: Any, **kwargs: Any) -> Any:
        arguments = _Arguments(f, wrt, args, kwargs)
        backend = arguments.backend
        require(backend, "gradient", "reverse")
        described: list[Output] = []
        outcomes = Outcomes(backend)

        def flat(*natives: Any) -> tuple[Natives, Natives]:
            with outcomes.collected():
                output = arguments.call(natives)
            with _derivative(backend):
                loss = _total_loss(output[0] if isinstance(output, (tuple, list)) else output)
                total = natives_as(loss, stored_layout(loss.layout, backend))
                aux, description = flat_output(output, backend, canonical=False)
            described.append(description)
            return total, aux + outcomes.natives()

        outputs, pullback, aux = backend.vjp(flat, arguments.natives)
        aux = outcomes.pass_on(aux)
        one = backend.full((), 1, backend.dtype(outputs[0]))
        gradients = arguments.result(pullback((one,)), wrt)
        return (described[-1].build(aux), gradients) if get_output else gradients

    return with_gradient


def _total_loss(loss: Any) -> Tensor:
    value = loss if isinstance(loss, Tensor) else number_leaf(loss)
    if value is None:
        raise IncompatibleShapes(
            f"The first output of a differentiated function is its loss, but found {loss!r}. Return a "
            f"tensor first."
        )
    if value.shape.non_batch:
        raise IncompatibleShapes(
            f"A loss has batch dims only, but found {value.shape}. Reduce it, e.g. with `sum` or "
            f"`l2_loss`, or use `jacobian`."
        )
    if value.dtype.kind is not float:
        raise IncompatibleShapes(
            f"A loss is a real floating-point number, but found {value.dtype}. Convert it with `to_float`."
        )
    return sum_(value, lambda shape: shape) if value.rank else value


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], Any]]:
    """`(f(*primals), pullback)`; `pullback(cotangent)` returns one cotangent tree per primal.

    The cotangent has the structure and dims of the output. Reverse mode: cost of a few evaluations whatever
    the number of primals.

    >>> import phi_tensor as math
    >>> with math.on_backend("jax"):
    ...     value, pullback = vjp(lambda x: x * x, 3.0)
    ...     pullback(1.0)
    (6.0,)
    """
    arguments = _Arguments(lambda all_primals: f(*all_primals), None, (primals,), {})
    require(arguments.backend, "vjp", "reverse")
    described: list[Output] = []

    outcomes = Outcomes(arguments.backend)

    def flat(*natives: Any) -> tuple[Natives, Natives]:
        with _derivative(arguments.backend), outcomes.collected():
            natives, description = flat_output(arguments.call(natives), arguments.backend, canonical=False)
        described.append(description)
        return natives, outcomes.natives()

    outputs, native_pullback, hidden = arguments.backend.vjp(flat, arguments.natives)
    outcomes.pass_on(hidden)
    description = described[-1]

    def pullback(cotangent: Any) -> Any:
        natives = _natives_like(cotangent, description, arguments.backend)
        return arguments.result(native_pullback(natives), None)

    return description.build(outputs), pullback


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """`(f(*primals), directional derivative along tangents)`, by forward mode.

    Args:
        f: Function of trees.
        primals: Its arguments.
        tangents: One tree per primal, of the same structure and dims.

    >>> import phi_tensor as math
    >>> with math.on_backend("jax"):
    ...     jvp(lambda x: x * x, [3.0], [1.0])
    (9.0, 6.0)
    """
    arguments = _Arguments(lambda all_primals: f(*all_primals), None, (tuple(primals),), {})
    require(arguments.backend, "jvp", "forward")
    directions = _natives_like(
        tuple(tangents), Output(arguments.structure.children[0], arguments.layouts), arguments.backend
    )
    described: list[Output] = []

    outcomes = Outcomes(arguments.backend)

    def flat(*natives: Any) -> Natives:
        with _derivative(arguments.backend), outcomes.collected():
            natives, description = flat_output(arguments.call(natives), arguments.backend, canonical=False)
        described.append(description)
        return natives + outcomes.natives()

    outputs, derivatives = arguments.backend.jvp(flat, arguments.natives, directions)
    outputs = outcomes.pass_on(outputs)
    return described[-1].build(outputs), described[-1].build(derivatives)


def _natives_like(tree: Any, like: Output, backend: Backend) -> Natives:
    """Natives of a (co)tangent tree in given layouts."""
    leaves, _ = flat_arguments(tree)
    if len(leaves) != len(like.layouts):
        raise IncompatibleShapes(
            f"A (co)tangent has one tensor per tensor of {like.structure}, but found {len(leaves)}."
        )
    natives: list[Any] = []
    for leaf, layout in zip(leaves, like.layouts, strict=True):
        missing = Shape.of(tuple(dim for dim in layout.shape.dims if dim.name not in leaf.shape))
        if leaf.shape.without(layout.shape) or (missing and leaf.rank):
            raise IncompatibleShapes(
                f"A (co)tangent has the dims of its tensor {layout.shape}, but found {leaf.shape}."
            )
        full = cast("Tensor", ones_like(leaf) * leaf)
        natives.extend(natives_as(expand(full, layout.shape) if missing else full, layout))
    return tuple(natives)


def jacobian(f: Callable[..., Any], wrt: Wrt = None, get_output: bool = True) -> Callable[..., Any]:
    """Function that returns the value of `f` and its Jacobian.

    Dims of the output, and the dual of each input dim.

    Batch dims of the input are independent and not differentiated across. Costs one forward derivative per
    input element.

    Args:
        f: Function that returns one tensor, or a tree (one Jacobian per tensor).
        wrt: As for `gradient`; each named argument holds one tensor.
        get_output: Return `(output, jacobian)`, else the Jacobian alone.

    >>> import phi_tensor as math
    >>> with math.on_backend("jax"):
    ...     jacobian(lambda x: x * x, get_output=False)(math.vec(x=1.0, y=2.0))
    ((2.0, 0.0), (0.0, 4.0)) along (~vector:d=x,y, vector:c=x,y) float32
    """

    @functools.wraps(f)
    def with_jacobian(*args: Any, **kwargs: Any) -> Any:
        arguments = _Arguments(f, wrt, args, kwargs, joined=True)
        require(arguments.backend, "jacobian", "forward")
        output = arguments.call(arguments.natives)
        blocks = _derivative_blocks(arguments, lambda natives: arguments.call(natives))
        result = _as_wrt(arguments.structure.build(blocks), wrt)
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

    >>> import phi_tensor as math
    >>> with math.on_backend("jax"):
    ...     hessian(lambda x: x**3)(2.0)
    (8.0, 12.0, 12.0)
    """

    @functools.wraps(f)
    def with_hessian(*args: Any, **kwargs: Any) -> Any:
        arguments = _Arguments(f, wrt, args, kwargs, joined=True)
        require(arguments.backend, "hessian", "forward")

        def gradients(natives: Sequence[Any]) -> Any:
            trees = arguments.structure.build(tensors_of(arguments.layouts, natives))
            return gradient(lambda all_trees: _with_trees(arguments, all_trees), get_output=False)(trees)

        output, first = gradient(f, wrt)(*args, **kwargs)
        blocks = _derivative_blocks(arguments, gradients)
        second = _as_wrt(arguments.structure.build(blocks), wrt)
        if wrt is None or (isinstance(wrt, str) and "," not in wrt):
            second = _single_rows(arguments.structure, blocks)
        parts = ([output] if get_output else []) + ([first] if get_gradient else []) + [second]
        return parts[0] if len(parts) == 1 else tuple(parts)

    return with_hessian


def _single_rows(structure: Structure, blocks: list[Any]) -> Any:
    """Blocks of one differentiated argument: the gradient trees inside are lists of one tree."""
    return structure.build([block[0] for block in blocks])[0]


def _with_trees(arguments: _Arguments, trees: Any) -> Any:
    leaves, _ = flat_arguments(trees)
    return arguments.call(
        [n for leaf, layout in zip(leaves, arguments.layouts, strict=True) for n in natives_as(leaf, layout)]
    )


def _derivative_blocks(arguments: _Arguments, f: Callable[[Sequence[Any]], Any]) -> list[Any]:
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


def _block(arguments: _Arguments, f: Callable[[Sequence[Any]], Any], layout: Dense, position: int) -> Any:
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
            with _derivative(backend), changed_settings(check="never"):  # the plain call has reported
                natives, description = flat_output(f(natives), backend, canonical=True)
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
