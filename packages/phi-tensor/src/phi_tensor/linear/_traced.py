"""A traced function: applied, transposed, written as a matrix, described."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from phi_tensor._errors import Unsupported
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor._trees import flatten
from phi_tensor.layouts._affine import stand_in
from phi_tensor.linear._apply import applied, total, transposed
from phi_tensor.linear._coo import Coo, to_coo
from phi_tensor.linear._properties import axis_matrices, diagonal, is_symmetric, stencil
from phi_tensor.linear._terms import Terms, Unknown, terms_of, zeros_of
from phi_tensor.linear._trace import as_traced, blocks_of, from_blocks, unknown_like
from phi_tensor.transforms._flat import number_leaf


@dataclass(frozen=True, eq=False)
class Traced:
    """`x ↦ A x + b` of trees, as terms.

    Attributes:
        unknown: Structure of `x`.
        outputs: One `Terms` per uniform block of the result.
        result: Structure of the result.
        dtypes: Element types of its blocks.
    """

    unknown: Unknown
    outputs: tuple[Terms, ...]
    result: Unknown
    dtypes: tuple[Any, ...]

    @property
    def coefficients(self) -> tuple[Tensor, ...]:
        """Coefficients of all terms, as they are stored."""
        return tuple(term.coefficient for terms in self.outputs for term in terms.terms)

    def with_coefficients(self, values: Sequence[Tensor]) -> Traced:
        """The function with other coefficients, in the order of `coefficients`."""
        left = list(values)
        outputs = tuple(
            replace(terms, terms=tuple(replace(term, coefficient=left.pop(0)) for term in terms.terms))
            for terms in self.outputs
        )
        return replace(self, outputs=outputs)

    @property
    def bias(self) -> Any:
        """`b`: the result where the unknown is zero."""
        return from_blocks(self.result, [_bias(t, d) for t, d in zip(self.outputs, self.dtypes, strict=True)])

    def apply(self, x: Any) -> Any:
        """`A x`, without the bias."""
        blocks = blocks_of(x)
        results = [
            total([applied(term, blocks[term.source]) for term in terms.terms], terms.shape, dtype)
            for terms, dtype in zip(self.outputs, self.dtypes, strict=True)
        ]
        return from_blocks(self.result, results)

    def adjoint(self, y: Any) -> Any:
        """`Aᵀ y`; nothing is conjugated."""
        blocks = blocks_of(y)
        parts: list[list[Tensor]] = [[] for _ in self.unknown.blocks]
        for terms, value in zip(self.outputs, blocks, strict=True):
            for term in terms.terms:
                block = self.unknown.blocks[term.source]
                parts[term.source].append(transposed(term, terms.shape, value, block))
        dtype = self.dtypes[0]
        results = [total(part, block, dtype) for part, block in zip(parts, self.unknown.blocks, strict=True)]
        return from_blocks(self.unknown, results)

    # --- of functions from one uniform tensor to one

    def single(self, wanted: str) -> tuple[Terms, Shape]:
        """Terms and dims of the only block; raises where there are several."""
        if len(self.outputs) != 1 or len(self.unknown.blocks) != 1:
            raise Unsupported(
                f"`{wanted}` describes functions of one tensor without varying sizes, but found the unknowns "
                f"{self.unknown.blocks} and the results {self.result.blocks}. Take them one by one."
            )
        return self.outputs[0], self.unknown.blocks[0]

    def to_coo(self, sparsify_batch: bool = False, separate: bool = False) -> Coo:
        """`A` as a list of entries; of the dims only those that it couples (see `to_coo`)."""
        terms, _ = self.single("to_coo")
        return to_coo(terms, 0, sparsify_batch, separate)

    def offsets(self) -> dict[tuple[int, ...], Tensor] | None:
        """Coefficients by offset along the dims of the unknown, if `A` is a stencil (see `stencil`)."""
        terms, block = self.single("offsets")
        return stencil(terms.terms, terms.shape, block)

    def diagonal(self) -> Tensor | None:
        """Diagonal of `A`; None if the maps do not tell."""
        terms, block = self.single("diagonal")
        found = diagonal(terms.terms, terms.shape, block) if terms.terms else None
        return found if terms.terms else zeros_of(terms.shape, self.dtypes[0])

    def axis_matrices(self) -> dict[str, Any] | None:
        """Matrices by dim with A = Σ I ⊗ A_dim ⊗ I, if `A` is such a sum; dims without one are left alone."""
        terms, block = self.single("axis_matrices")
        return axis_matrices(terms.terms, terms.shape, block)

    def is_symmetric(self) -> bool | None:
        """Whether `A` equals its transpose up to rounding; None if that is unknown."""
        if len(self.outputs) != 1 or len(self.unknown.blocks) != 1:
            return None
        terms, block = self.single("is_symmetric")
        return is_symmetric(terms.terms, terms.shape, block)


def _bias(terms: Terms, dtype: Any) -> Tensor:
    return zeros_of(terms.shape, dtype) if terms.bias is None else terms.bias


def traced(f: Callable[..., Any], like: Any, *args: Any, **kwargs: Any) -> Traced:
    """`f(x, *args, **kwargs)` as a function of `x`, of which `like` has structure and shapes; see `trace`."""
    unknown, x = unknown_like(like)
    return of_result(unknown, f(x, *args, **kwargs))


def of_result(unknown: Unknown, result: Any) -> Traced:
    """Description of a traced result."""
    leaves, structure = flatten(result, "variable", number_leaf)
    layouts = tuple(stand_in(leaf.layout) for leaf in leaves)
    blocks = [as_traced(block, unknown) for block in blocks_of(result)]
    outputs = Unknown(structure, layouts, tuple(block.shape for block in blocks))
    return Traced(unknown, tuple(map(terms_of, blocks)), outputs, tuple(block.dtype for block in blocks))
