"""How tensors meet the outside.

Native arrays in a given order, Python numbers, brackets, foreign operands, text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from phi_tensor import _hidden
from phi_tensor._bound_dim import hashable_selection, selection_of
from phi_tensor._dim import suggestion
from phi_tensor._errors import IncompatibleShapes, PhiError, Unsupported
from phi_tensor._shape import Shape
from phi_tensor.layouts._dense_steps import store_step
from phi_tensor.layouts._fitted import fitted
from phi_tensor.layouts._layout import NUMBERS, Dense, Layout, Parts, Ragged
from phi_tensor.layouts._sparse import Sparse, entries_dim

if TYPE_CHECKING:
    from phi_tensor._tensor import Tensor


def native(x: Tensor, order: str | Sequence[Any] | Shape | None) -> Any:
    """Native array with axes in `order`; see `Tensor.native`."""
    groups = _groups(x.shape, order)
    if isinstance(x.layout, Sparse):
        from phi_tensor.sparse._exchange import native_matrix  # noqa: PLC0415 rules of sparse tensors

        return native_matrix(x, groups)
    names = [name for group in groups for name in group]
    if isinstance(x.layout, Parts):
        x = _joined(x, groups)
    layout = cast("Dense", x.layout)
    step = store_step(layout, tuple(layout.shape.get_dim(name) for name in names), layout.backend)
    array = x.natives[0] if step is None else step(x.natives[0])
    if all(len(group) == 1 for group in groups):
        return array
    sizes = [cast("int", layout.shape[group].volume) for group in groups]
    return layout.backend.ops["reshape"](array, tuple(sizes))


def numpy(x: Tensor, order: str | Sequence[Any] | Shape | None) -> Any:
    """NumPy array, or SciPy's matrix of a sparse tensor; see `Tensor.numpy`."""
    if not isinstance(x.layout, Sparse):
        return x.layout.backend.to_numpy(native(x, order))
    from phi_tensor._convert import convert  # noqa: PLC0415 conversion needs tensors

    return native(convert(x, "numpy", use_dlpack=False), order)


def array(x: Tensor) -> Any:
    """Native array; of NumPy's numbers an array, too."""
    found = native(x, None)
    return cast("Any", np.asarray(found)) if isinstance(found, np.generic) else found


def _joined(x: Tensor, groups: list[tuple[str, ...]]) -> Tensor:
    if not isinstance(x.layout, Ragged):
        return x.block()
    ragged = {name for dim in x.shape.non_uniform.dims for name in (dim.name, *dim.over)}
    group = next((group for group in groups if ragged <= set(group)), None)
    if group is None:
        raise IncompatibleShapes(
            f"Sizes of {x.shape} vary, so there is no single array. Pack the dims {sorted(ragged)} into "
            f"one axis, e.g. "
            f"`native([{sorted(ragged)}])`, or take one slice."
        )
    raise Unsupported(
        f"Native arrays of ragged tensors are packed first: `pack_dims(value, {group}, instance('entries'))`."
    )


def _groups(shape: Shape, order: str | Sequence[Any] | Shape | None) -> list[tuple[str, ...]]:
    if order is None:
        if shape.rank > 1:
            raise IncompatibleShapes(
                f"The order of dims is not fixed, so arrays of several dims need one: "
                f"`native('{','.join(shape.names)}')`; found {shape}."
            )
        return [(name,) for name in shape.names]
    if isinstance(order, str):
        order = [name.strip() for name in order.split(",") if name.strip()]
    if isinstance(order, Shape):
        order = order.names
    groups = [_group(shape, entry) for entry in order]
    listed = [name for group in groups for name in group]
    missing = [name for name in shape.names if name not in listed]
    if missing:
        raise IncompatibleShapes(
            f"Dims {missing} of {shape} are not listed in the order {list(order)}. Add or reduce them."
        )
    return groups


def _group(shape: Shape, entry: Any) -> tuple[str, ...]:
    if isinstance(entry, str) and "," not in entry:
        if entry not in shape:
            raise IncompatibleShapes(f"There is no dim `{entry}` in {shape}.{suggestion(entry, shape.names)}")
        return (entry,)
    return shape.selected_names(entry)


def python_number(x: Tensor, wanted: str) -> Any:
    """The number of a tensor without dims."""
    if not x.available:
        raise Unsupported(
            f"`{wanted}(tensor)` needs a number, but inside `jit_compile` or a derivative this tensor has "
            f"none yet. Use `where` "
            f"for choices, `while_loop` or `iterate` for loops, or make the argument static with "
            f"`auxiliary_args`."
        )
    _hidden.raise_pending()
    return x.layout.backend.to_numpy(x.natives[0]).item()


def getitem(x: Tensor, item: Any) -> Tensor:
    """What `tensor[item]` selects: slices by dim, label, mask or index vectors."""
    from phi_tensor._tensor import Tensor  # noqa: PLC0415 tensors need this module
    from phi_tensor.ops._lookup import gather  # noqa: PLC0415 operations need tensors
    from phi_tensor.ops._masking import boolean_mask  # noqa: PLC0415 operations need tensors

    if isinstance(item, Tensor):
        if item.dtype.kind is bool:
            return boolean_mask(x, item.shape.non_batch, item)
        return gather(x, item)
    selection = selection_of(x.shape, item)
    plain: list[tuple[str, Any]] = []
    for name, value in selection.items():
        if isinstance(value, Tensor) and (value.rank or not value.available):
            x = boolean_mask(x, name, value) if value.dtype.kind is bool else gather(x, value, name)
        else:
            plain.append((name, int(value) if isinstance(value, Tensor) else hashable_selection(value)))
    return x.sliced(tuple(plain)) if plain else x


def operand(x: Any, other: Any) -> Tensor | complex | None:
    """`x`, the other operand of a tensor, as tensor or number.

    None if it is something that handles tensors itself.
    """
    from phi_tensor._create import wrap  # noqa: PLC0415 creation needs tensors

    if isinstance(x, np.generic) and type(x.item()) in NUMBERS:
        return wrap(x)
    if isinstance(x, (tuple, list)):
        sequence = cast("Sequence[Any]", x)
        dim = other.shape.channel if other.shape.channel_rank == 1 else None
        if dim is None or dim.size != len(sequence):
            raise IncompatibleShapes(
                f"A sequence of {len(sequence)} combines with a tensor that has one channel dim of this "
                f"size, but found {other.shape}. "
                f"Name its dim: `wrap({x!r}, channel('vector'))`."
            )
        return wrap(sequence, dim)
    from phi_tensor.backends._registry import backend_of  # noqa: PLC0415 backends need the interface

    backend = backend_of(x)
    if backend is None:
        return None
    sizes = backend.shape(x)
    if not sizes:
        return wrap(x)
    if len(sizes) == 1 and other.shape.channel_rank == 1:
        return wrap(x, other.shape.channel)
    if len(sizes) == other.rank == 1:
        return wrap(x, other.shape)
    raise IncompatibleShapes(
        f"An array of shape {sizes} has no dim names, so it cannot be aligned with {other.shape}. Name "
        f"them: `wrap(array, spatial('x,y'))`."
    )


def reduced(x: Tensor) -> tuple[Layout, tuple[Any, ...]]:
    """What a pickle keeps of a tensor: how it is stored, and its numbers."""
    if not x.available:
        raise Unsupported(
            f"A tensor traced or differentiated by {x.backend} has no numbers yet and cannot be pickled. "
            f"Return it from the function."
        )
    _hidden.raise_pending()
    to_numpy = x.layout.backend.to_numpy
    return x.layout, tuple(np.asarray(to_numpy(native)) for native in x.natives)


def rebuild(layout: Layout, arrays: tuple[Any, ...]) -> Tensor:
    """Tensor of pickled data."""
    from phi_tensor._tensor import Tensor  # noqa: PLC0415 tensors need this module

    return Tensor(layout, tuple(layout.backend.as_native(array) for array in arrays))


def components(x: Tensor) -> tuple[Layout, tuple[Any, ...]]:
    """How TensorFlow takes a tensor apart."""
    from phi_tensor.transforms._flat import components  # noqa: PLC0415 transformations need tensors

    return components(x)


def from_components(layout: Layout, components: tuple[Any, ...]) -> Tensor:
    """Tensor that TensorFlow puts together; of anything else (descriptions, None) a tree of that form."""
    from phi_tensor._tensor import Tensor  # noqa: PLC0415 tensors need this module
    from phi_tensor.backends._registry import init_backend  # noqa: PLC0415 backends need the interface

    backend = init_backend("tensorflow")
    if all(map(backend.is_native, components)):
        layout = fitted(layout, components, backend, lambda native: None)
    return Tensor(layout, components)


def text(x: Tensor, spec: str = "") -> str:
    """Readable text: shape, then numbers (all of few, else mean ± deviation and range)."""
    from phi_tensor._tensor import Tensor  # noqa: PLC0415 tensors need this module

    if not x.available:
        return f"{x.shape} {x.dtype} traced by {x.backend}"
    try:
        _hidden.raise_pending()
    except PhiError as error:
        return f"{x.shape} {x.dtype} failed: {error}"
    if spec and not x.rank:
        return format(x.item(), spec)
    if isinstance(x.layout, Ragged):
        return f"{x.shape} {x.dtype}"
    if isinstance(x.layout, Sparse):
        listed = x.layout.listed(entries_dim(x.layout.pattern.count).with_name("entries"))
        return f"{x.shape} {x.layout.format} storing {text(Tensor(listed, x.natives), spec)}"
    array = x.layout.backend.to_numpy(native(x, x.shape.names))
    label = f"{x.shape} {x.dtype}" if x.rank else ""
    if array.size <= 8:
        number = f"{{:{spec}}}" if spec else "{}"
        entries = _nested(array.tolist(), number)
        labels = x.shape.labels[0] if x.rank == 1 else None
        if labels:
            return (
                "("
                + ", ".join(f"{k}={number.format(v)}" for k, v in zip(labels, array.tolist(), strict=True))
                + ")"
            )
        return f"{entries}{' along ' if label else ''}{label}".strip()
    if array.dtype.kind == "b":
        return f"{label} {int(array.sum())} of {array.size} true"
    if array.dtype.kind == "c":
        return f"{label} |x| from {np.abs(array).min():.3g} to {np.abs(array).max():.3g}"
    with np.errstate(all="ignore"):  # infinities and huge numbers are worth a text, too
        return f"{label} {array.mean():.3g} ± {array.std():.1g} ({array.min():.3g}…{array.max():.3g})"


def _nested(values: Any, number: str) -> str:
    if isinstance(values, list):
        return "(" + ", ".join(_nested(v, number) for v in cast("list[Any]", values)) + ")"
    return number.format(values)
