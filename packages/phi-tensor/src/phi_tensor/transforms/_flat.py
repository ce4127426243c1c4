"""Between functions of trees and flat functions of native arrays.

Which leaves, in which layout, on which backend.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from phi_tensor._context import changed_settings, context_dtype, settings
from phi_tensor._create import wrap
from phi_tensor._dtype import FLOAT32, DType
from phi_tensor._errors import Unsupported, Untraceable
from phi_tensor._hidden import Report, collected_reports, report_again, reported_tensors, with_tensors
from phi_tensor._plan import layout_of
from phi_tensor._tensor import Tensor
from phi_tensor._trees import Structure, flatten
from phi_tensor.backends._backend import Backend, Natives
from phi_tensor.backends._registry import backend_of, common_backend, default_backend
from phi_tensor.layouts._dense_steps import cast_step, chain, convert_step, store_step
from phi_tensor.layouts._layout import Dense, Layout, Parts, entry_layout, full_layout
from phi_tensor.layouts._sparse import Sparse
from phi_tensor.ops import _table as table
from phi_tensor.sparse._entries import dense_plan, values_at


def number_leaf(x: Any) -> Tensor | None:
    """Tensor of a number or native array, None for everything else (strings, bools, None stay static)."""
    if isinstance(x, bool):
        return None
    if isinstance(x, (int, float, complex)) or backend_of(x) is not None:
        return wrap(x)
    return None


def flat_arguments(obj: Any) -> tuple[list[Tensor], Structure]:
    """Tensors, numbers and arrays of a tree of arguments, and what remains."""
    return flatten(obj, "variable", number_leaf)


def backend_for(leaves: Sequence[Tensor]) -> Backend:
    """Backend that transforms functions of these arguments: theirs, or the default one for NumPy data."""
    backend = common_backend(tuple(leaf.layout.backend for leaf in leaves))
    return default_backend() if backend.mixes else backend


def differentiating(backend: Backend) -> AbstractContextManager[object]:
    """Context of a function that `backend` differentiates."""
    return changed_settings(traced=settings().traced or "derivative", backend=backend.name)


def stored_layout(layout: Layout, backend: Backend, dtype: DType | None = None) -> Layout:
    """The layout with all constant dims stored, on `backend`, otherwise in the same order."""
    if isinstance(layout, Dense):
        stored = (*layout.stored, *layout.constant)
        return Dense.of(stored, layout.shape, dtype or layout.dtype, backend)
    if isinstance(layout, Sparse):
        return layout.with_values(stored_layout(layout.values, backend, dtype))
    if not isinstance(layout, Parts):
        raise Unsupported(
            f"A function of {layout} is differentiated or compiled, which needs numbers. Differentiate, or "
            f"compile, around the function that is traced or solved for, not inside."
        )
    return Parts.of(
        layout.dim, tuple(stored_layout(part, backend, dtype) for part in layout.parts), layout.shape
    )


def components(x: Tensor) -> tuple[Layout, Natives]:
    """How other libraries take a tensor apart: all dims stored, for derivatives by each entry."""
    layout = stored_layout(x.layout, x.layout.backend)
    return layout, x.natives if layout is x.layout else natives_as(x, layout)


def canonical_layout(layout: Layout, backend: Backend) -> Layout:
    """Layout in which compiled functions exchange a tensor."""
    dtype = context_dtype(layout.dtype)
    if isinstance(layout, Sparse):
        return layout.with_values(full_layout(layout.values.shape, dtype, backend)).in_order()
    return full_layout(layout.shape, dtype, backend)


def natives_as(x: Tensor, layout: Layout) -> Natives:
    """Native arrays of `x` in a layout of the same dims that stores everything."""
    return storing_steps(x.layout, layout)(x)


@lru_cache(4096)
def storing_steps(have: Layout, want: Layout) -> Callable[[Tensor], Natives]:
    """Function from tensors in layout `have` to natives in layout `want`."""
    if have is want:
        return lambda x: x.natives
    if isinstance(have, Sparse) or isinstance(want, Sparse):
        return _sparse_steps(have, want)
    if isinstance(want, Dense):
        if isinstance(have, Parts):
            joined = layout_of(table.JOIN.make((have,), (have,), {}))
            inner = storing_steps(joined, want)
            return lambda x: inner(x.block())
        if have.symbolic:
            raise Untraceable(
                "A linear function is traced that differentiates its argument or passes it to a loop or a "
                "function with its own rule, which have no index maps. It has no matrix, which "
                "`solve_linear` does not need."
            )
        assert isinstance(have, Dense)
        moved = Dense.of(have.stored, have.shape, want.dtype, want.backend)
        step = chain(
            [
                convert_step(have, want.backend),
                cast_step(have.dtype, want.dtype, want.backend),
                store_step(moved, tuple(have.shape.get_dim(dim.name) for dim in want.stored), want.backend),
            ]
        )
        return (lambda x: x.natives) if step is None else (lambda x: (step(x.natives[0]),))
    assert isinstance(want, Parts)
    if isinstance(have, Parts) and have.dim is want.dim:
        steps = [storing_steps(a, b) for a, b in zip(have.parts, want.parts, strict=True)]
        return lambda x: tuple(n for step, part in zip(steps, x.parts(), strict=True) for n in step(part))
    if isinstance(have, Dense) and want.dim.name in have.axes:
        return _split(have, want)
    name, count = want.dim.name, len(want.parts)

    def split(x: Tensor) -> Natives:
        parts = [x.sliced(((name, i),)) for i in range(count)]
        return tuple(
            n for part, layout in zip(parts, want.parts, strict=True) for n in natives_as(part, layout)
        )

    return split


def _sparse_steps(have: Layout, want: Layout) -> Callable[[Tensor], Natives]:
    """Function from tensors to natives, where one of the layouts is sparse."""
    if isinstance(have, Sparse) and isinstance(want, Sparse) and have.places == want.places:
        inner, values = storing_steps(have.values, want.values), have.values
        return lambda x: inner(Tensor(values, x.natives))
    if isinstance(have, Sparse) and not isinstance(want, Sparse):
        opened = dense_plan(have)
        stored = storing_steps(layout_of(opened), want)
        return lambda x: stored(opened(x))
    if isinstance(want, Sparse) and isinstance(have, Dense) and not have.axes.keys() & {*want.names}:
        found = values_at(have, want.coordinates(), want.pattern.count)
        stored = storing_steps(layout_of(found), want.values)
        return lambda x: stored(found(x))
    raise Unsupported(
        f"A tensor stored as {have!r} cannot take the place of one stored as {want!r}: entries that are not "
        f"stored would be lost. Return tensors of equal patterns, or dense ones: `dense(x)`."
    )


def _split(have: Dense, want: Parts) -> Callable[[Tensor], Natives]:
    """Function from an array to its entries along one axis."""
    unstack, axis = have.backend.ops["unstack"], have.axes[want.dim.name]
    entries = [entry_layout(have, want.dim.name, i) for i in range(len(want.parts))]
    steps = [storing_steps(entry, part) for entry, part in zip(entries, want.parts, strict=True)]
    if all(entry is part for entry, part in zip(entries, want.parts, strict=True)):
        return lambda x: tuple(unstack(x.natives[0], axis))

    def split(x: Tensor) -> Natives:
        found = zip(steps, entries, unstack(x.natives[0], axis), strict=True)
        return tuple(n for step, entry, native in found for n in step(Tensor(entry, (native,))))

    return split


def tensors_of(layouts: Sequence[Layout], natives: Sequence[Any]) -> list[Tensor]:
    """Tensors in these layouts from their natives, one after the other."""
    tensors: list[Tensor] = []
    start = 0
    for layout in layouts:
        tensors.append(Tensor(layout, tuple(natives[start : start + layout.count])))
        start += layout.count
    return tensors


class Output(NamedTuple):
    """What a traced function returned, without its numbers.

    Attributes:
        structure: Structure of the returned tree.
        layouts: Layouts of its tensors.
    """

    structure: Structure
    layouts: tuple[Layout, ...]

    def build(self, natives: Sequence[Any]) -> Any:
        """The returned tree with these natives."""
        return self.structure.build(tensors_of(self.layouts, natives))


def flat_output(tree: Any, backend: Backend, canonical: bool) -> tuple[Natives, Output]:
    """Natives and description of a returned tree; everything is stored on `backend`."""
    leaves, structure = flatten(tree, "variable")
    choose = canonical_layout if canonical else stored_layout
    layouts = tuple(choose(leaf.layout, backend) for leaf in leaves)
    natives = tuple(n for leaf, layout in zip(leaves, layouts, strict=True) for n in natives_as(leaf, layout))
    return natives, Output(structure, layouts)


def differentiable(x: Tensor, backend: Backend) -> tuple[Layout, Natives]:
    """Layout and natives of an argument to differentiate by.

    Floats of the context's precision, everything stored.
    """
    dtype = x.dtype if x.dtype.kind in (float, complex) else FLOAT32
    layout = stored_layout(x.layout, backend, context_dtype(dtype))
    return layout, natives_as(x, layout)


def require(backend: Backend, what: str, feature: str) -> None:
    """Raise unless the backend supports a feature."""
    if feature not in backend.supports:
        raise Unsupported(
            f"`{what}` needs {feature}-mode derivatives, which the backend `{backend}` has not. Create the "
            f"arguments on another "
            f"backend: `use('jax')` (or 'torch', 'tensorflow') before."
        )


def signature_of(f: Callable[..., Any]) -> inspect.Signature | None:
    """Signature of `f`, None where Python cannot tell.

    Those of plain functions are kept by their code, as the functions may hold on to arrays.
    """
    if type(f) is not FunctionType or f.__defaults__ or f.__kwdefaults__ or f.__dict__:
        return _signature(f)
    code = f.__code__
    if code not in _SIGNATURES:
        if len(_SIGNATURES) >= _MOST_SIGNATURES:
            _SIGNATURES.clear()
        _SIGNATURES[code] = _signature(f)
    return _SIGNATURES[code]


_SIGNATURES: dict[CodeType, inspect.Signature | None] = {}
_MOST_SIGNATURES = 1024


def _signature(f: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(f)
    except (TypeError, ValueError):
        return None


class Outcomes:
    """Outcomes reported inside a transformation, carried out of it as natives and then reported again."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._reports: list[Report] = []
        self.count = 0

    @contextmanager
    def collected(self) -> Generator[None]:
        """Context whose reports of traced values are kept (those of the latest run only)."""
        with collected_reports() as reports:
            yield
        self._reports = reports

    def natives(self) -> Natives:
        """What was reported, as further natives of the transformed function."""
        hidden, described = flat_output(reported_tensors(self._reports), self._backend, canonical=True)
        self._reports = with_tensors(self._reports, described.layouts)
        self.count = len(hidden)
        return hidden

    def pass_on(self, natives: Natives) -> Natives:
        """Report again what stands at the end of `natives`; returns the others."""
        split = len(natives) - self.count
        tensors = tensors_of(reported_tensors(self._reports), natives[split:])
        for entry in with_tensors(self._reports, tensors):
            report_again(entry)
        return natives[:split]
