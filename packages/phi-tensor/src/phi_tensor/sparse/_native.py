"""Native sums and products of stored entries composed of others once, for backends without their own.

Derivatives follow from those of looking up and adding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from phi_tensor.backends._backend import Backend, Native
from phi_tensor.sparse._constants import Contraction, Segments


def segment_sum(backend: Backend) -> Callable[[Native, Segments], Native]:
    """`(values (m, k), segments) → (n, k)`.

    Sums of about equally many entries are rows of a table: adding along an axis is much faster than
    scattering.
    """
    ops = backend.ops

    def summed(values: Native, segments: Segments) -> Native:
        entries, columns = backend.shape(values)
        count, width = segments.count, segments.width
        dtype = backend.dtype(values)
        if not entries * count * columns:
            return backend.full((count, columns), 0, dtype, backend.device(values))
        if segments.is_full and segments.order is None:
            return ops["sum"](ops["reshape"](values, (count, width, columns)), (1,))
        table = segments.table
        if table is None:
            zero = backend.full((), 0, dtype, backend.device(values))
            base = ops["broadcast_to"](zero, (count, columns))
            return ops["scatter_add"](base, segments.at.beside(values, backend), values)
        if not segments.is_full:
            values = with_zero(backend, values)
        rows = ops["take"](values, table.beside(values, backend), 0)
        return ops["sum"](ops["reshape"](rows, (count, width, columns)), (1,))

    return summed


def with_zero(backend: Backend, values: Native) -> Native:
    """`values (m, k)` and a row of zeros, which stands for entries that are not stored."""
    _, columns = backend.shape(values)
    zero = backend.full((1, columns), 0, backend.dtype(values), backend.device(values))
    return backend.ops["concat"]([values, zero], 0)


def sparse_matmul(backend: Backend) -> Callable[[Native, Native, Contraction], Native]:
    """`(values (m,), x (places, k), contraction) → (n, k)`."""
    ops, add_up = backend.ops, segment_sum(backend)

    def product(values: Native, x: Native, contraction: Contraction) -> Native:
        (entries,), (_, columns) = backend.shape(values), backend.shape(x)
        if not entries:
            sizes = (contraction.segments.count, columns)
            return backend.full(sizes, 0, backend.dtype(values), backend.device(values))
        found = ops["take"](x, contraction.at.beside(x, backend), 0)
        return add_up(ops["multiply"](ops["reshape"](values, (entries, 1)), found), contraction.segments)

    return product


COMPOSED: dict[str, Callable[[Backend], Any]] = {
    "segment_sum": segment_sum,
    "sparse_matmul": sparse_matmul,
}
"""By row name, for backends without a function of their own."""
