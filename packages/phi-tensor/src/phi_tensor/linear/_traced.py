"""A traced function: applied, transposed, written as a matrix, described."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from phi_tensor._tensor import Tensor
from phi_tensor._trees import flatten
from phi_tensor.layouts._affine import stand_in
from phi_tensor.linear._apply import applied, total, transposed
from phi_tensor.linear._terms import Terms, Unknown, terms_of, zeros_of
from phi_tensor.linear._trace import as_traced, blocks_of, from_blocks, uniform_outputs, unknown_like
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
        blocks = blocks_of(self.unknown, x)
        results = [
            total([applied(term, blocks[term.source]) for term in terms.terms], terms.shape, dtype)
            for terms, dtype in zip(self.outputs, self.dtypes, strict=True)
        ]
        return from_blocks(self.result, results)

    def adjoint(self, y: Any) -> Any:
        """`Aᵀ y`; nothing is conjugated."""
        blocks = blocks_of(self.result, y)
        parts: list[list[Tensor]] = [[] for _ in self.unknown.blocks]
        for terms, value in zip(self.outputs, blocks, strict=True):
            for term in terms.terms:
                block = self.unknown.blocks[term.source]
                parts[term.source].append(transposed(term, terms.shape, value, block))
        dtype = self.dtypes[0]
        results = [total(part, block, dtype) for part, block in zip(parts, self.unknown.blocks, strict=True)]
        return from_blocks(self.unknown, results)


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
    blocks = [as_traced(block, unknown) for block in uniform_outputs(result)]
    outputs = Unknown(structure, layouts, tuple(block.shape for block in blocks))
    return Traced(unknown, tuple(map(terms_of, blocks)), outputs, tuple(block.dtype for block in blocks))
