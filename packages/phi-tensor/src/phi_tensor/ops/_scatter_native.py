"""Native scatter functions composed of others once for all backends, differentiable to any order.

All take `(base (n, k), indices (m,), values (m, k))` and return a new `(n, k)`. Which entry is kept is
decided on integers, which have no derivative; the kept entry is then looked up, which has one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from phi_tensor._dtype import INT32, INT64, DType
from phi_tensor.backends._backend import Backend, Native

Scatter = Callable[[Native, Native, Native], Native]


def _unless_empty(scatter: Scatter, backend: Backend) -> Scatter:
    """`scatter` that leaves the base as it is where there is nothing to write."""

    def guarded(base: Native, indices: Native, values: Native) -> Native:
        return base if 0 in (*backend.shape(base), *backend.shape(values)) else scatter(base, indices, values)

    return guarded


def _zeros(backend: Backend, shape: tuple[int, ...], dtype: DType, like: Native) -> Native:
    return backend.ops["broadcast_to"](backend.full((), 0, dtype, backend.device(like)), shape)


def _numbered(backend: Backend, values: Native) -> tuple[Native, DType]:
    """`(1 … m as a column, type that holds 2 m)`."""
    count = backend.shape(values)[0]
    dtype = INT32 if 2 * count < 2**31 else INT64
    numbers = backend.ops["arange"](1, count + 1, 1, dtype, backend.device(values))
    return backend.ops["reshape"](numbers, (count, 1)), dtype


def _looked_up(backend: Backend, values: Native, rows: Native) -> Native:
    """Entry of each column of `values (m, k)` at `rows (n, k)`, or whole rows at `rows (n, 1)`."""
    ops, (_, columns), (count, wide) = backend.ops, backend.shape(values), backend.shape(rows)
    if wide == 1:
        return ops["take"](values, ops["reshape"](rows, (count,)), 0)
    offset = ops["arange"](0, columns, 1, INT64, backend.device(values))
    flat = ops["add"](ops["multiply"](ops["cast"](rows, INT64), columns), offset)
    entries = backend.shape(values)[0] * columns
    found = ops["take"](ops["reshape"](values, (entries,)), ops["reshape"](flat, (count * columns,)), 0)
    return ops["reshape"](found, (count, columns))


def _update(backend: Backend) -> Scatter:
    """The last of the entries that meet."""
    ops = backend.ops

    def scatter(base: Native, indices: Native, values: Native) -> Native:
        numbers, dtype = _numbered(backend, values)
        none = _zeros(backend, (backend.shape(base)[0], 1), dtype, values)
        last = ops["scatter_maximum"](none, indices, numbers)
        found = _looked_up(backend, values, ops["maximum"](ops["subtract"](last, 1), 0))
        return ops["where"](ops["greater"](last, 0), found, base)

    return scatter


def _extreme(name: str) -> Callable[[Backend], Scatter]:
    """The largest or smallest of base and entries; among equal ones the base, then the first entry."""

    def composed(backend: Backend) -> Scatter:
        ops, extreme_of = backend.ops, backend.ops[name]

        def scatter(base: Native, indices: Native, values: Native) -> Native:
            extreme = extreme_of(backend.stop_gradient(base), indices, backend.stop_gradient(values))
            if backend.dtype(base).kind in (bool, int):
                return extreme
            numbers, dtype = _numbered(backend, values)
            count = backend.shape(values)[0]
            hits = ops["equal"](values, ops["take"](extreme, indices, 0))
            undefined = ops["isnan"](values)  # wins over all others, as in NumPy
            first = ops["subtract"](count + 1, numbers)
            scores = ops["where"](undefined, ops["add"](first, count), ops["where"](hits, first, 0))
            best = ops["scatter_maximum"](
                _zeros(backend, backend.shape(base), dtype, values), indices, scores
            )
            is_undefined = ops["greater"](best, count)
            rows = [ops["subtract"](number, best) for number in (2 * count, count)]
            row = ops["minimum"](ops["where"](is_undefined, *rows), count - 1)
            kept = ops["logical_and"](ops["equal"](base, extreme), ops["logical_not"](is_undefined))
            kept = ops["logical_or"](kept, ops["isnan"](base))
            kept = ops["logical_or"](kept, ops["equal"](best, 0))
            return ops["where"](kept, base, _looked_up(backend, values, row))

        return scatter

    return composed


def _mean(backend: Backend) -> Scatter:
    """The mean of the entries that meet; the base where there are none."""
    ops = backend.ops

    def scatter(base: Native, indices: Native, values: Native) -> Native:
        dtype = backend.dtype(base)
        rows, count = backend.shape(base)[0], backend.shape(values)[0]
        ones = ops["broadcast_to"](backend.full((), 1, dtype, backend.device(values)), (count, 1))
        number = ops["scatter_add"](_zeros(backend, (rows, 1), dtype, values), indices, ones)
        total = ops["scatter_add"](_zeros(backend, backend.shape(base), dtype, values), indices, values)
        empty = ops["equal"](number, 0)
        return ops["where"](empty, base, ops["divide"](total, ops["where"](empty, 1, number)))

    return scatter


def _prod(backend: Backend) -> Scatter:
    """The product of base and entries, by a segmented prefix product of the sorted entries.

    Differentiable at zeros and to any order, where dividing the product by an entry is not.
    """
    ops = backend.ops

    def scatter(base: Native, indices: Native, values: Native) -> Native:
        count = backend.shape(values)[0]
        order = ops["argsort"](indices, 0)
        at, products = ops["take"](indices, order, 0), ops["take"](values, order, 0)
        step = 1
        while step < count:
            later, earlier = (slice(step, None),), (slice(0, count - step),)
            same = ops["equal"](ops["getitem"](at, later), ops["getitem"](at, earlier))
            factor = ops["where"](
                ops["reshape"](same, (count - step, 1)), ops["getitem"](products, earlier), 1
            )
            grown = ops["multiply"](ops["getitem"](products, later), factor)
            products = ops["concat"]([ops["getitem"](products, (slice(0, step),)), grown], 0)
            step *= 2
        numbers, dtype = _numbered(backend, values)
        none = _zeros(backend, (backend.shape(base)[0], 1), dtype, values)
        last = ops["scatter_maximum"](none, at, numbers)
        found = _looked_up(backend, products, ops["maximum"](ops["subtract"](last, 1), 0))
        return ops["multiply"](base, ops["where"](ops["greater"](last, 0), found, 1))

    return scatter


def _any(backend: Backend) -> Scatter:
    ops = backend.ops
    return lambda base, indices, values: ops["logical_or"](base, _met(backend, base, indices, values))


def _all(backend: Backend) -> Scatter:
    ops = backend.ops

    def scatter(base: Native, indices: Native, values: Native) -> Native:
        wrong = _met(backend, base, indices, ops["logical_not"](values))
        return ops["logical_and"](base, ops["logical_not"](wrong))

    return scatter


def _met(backend: Backend, base: Native, indices: Native, values: Native) -> Native:
    """Where at least one true entry is written."""
    ops = backend.ops
    none = _zeros(backend, backend.shape(base), INT32, values)
    return ops["greater"](ops["scatter_add"](none, indices, ops["cast"](values, INT32)), 0)


def _guarded(composed: Callable[[Backend], Scatter]) -> Callable[[Backend], Any]:
    return lambda backend: _unless_empty(composed(backend), backend)


COMPOSED: dict[str, Callable[[Backend], Any]] = {
    name: _guarded(composed)
    for name, composed in {
        "scatter_update": _update,
        "scatter_max": _extreme("scatter_maximum"),
        "scatter_min": _extreme("scatter_minimum"),
        "scatter_mean": _mean,
        "scatter_prod": _prod,
        "scatter_any": _any,
        "scatter_all": _all,
    }.items()
}
"""By row name, for backends without a function of their own."""
