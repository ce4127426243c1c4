"""Plans of solving dense systems of linear equations."""

from __future__ import annotations

from functools import partial
from typing import cast

from phi_tensor._dtype import FLOAT16, FLOAT32
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._plan import PlanCall, Row, layout_of, planned, rule
from phi_tensor._shape import Shape, merge_shapes
from phi_tensor._tensor import Tensor
from phi_tensor.backends._registry import common_backend
from phi_tensor.layouts._layout import Dense, Layout, Parts, Ragged
from phi_tensor.ops._dtype_rules import result_types
from phi_tensor.ops._matrices import Matrix, check_form, finishing_step, volume
from phi_tensor.ops._parts import joined_layout, pair_by_pair
from phi_tensor.ops._products import matrix_step


@rule("solve")
def solve_rule(row: Row, a: Layout, b: Layout, rows: tuple[str, ...], columns: tuple[str, ...]) -> PlanCall:
    """Plan of solving A x = b; dims that only b has are further right-hand sides."""
    ragged = next((x for x in (a, b) if isinstance(x, Ragged)), None)
    if ragged is not None:
        if ragged.dim.name in (*rows, *columns):
            raise row.unsupported(a, b, hint=f"Sizes vary along `{ragged.dim.name}`, which must be batched.")
        plan_of = partial(solve_rule, row, rows=rows, columns=columns)
        return pair_by_pair(a, b, ragged.dim.name, plan_of)
    if isinstance(a, Parts) or isinstance(b, Parts):
        plan = solve_rule(row, joined_layout(a), joined_layout(b), rows=rows, columns=columns)
        return planned(layout_of(plan), lambda x, y: plan(x.block(), y.block()))
    assert isinstance(a, Dense)
    assert isinstance(b, Dense)
    return _dense_solve(row, a, b, rows, columns)


def _dense_solve(row: Row, a: Dense, b: Dense, rows: tuple[str, ...], columns: tuple[str, ...]) -> PlanCall:
    backend = common_backend((a.backend, b.backend))
    (wanted, _), result_type = result_types(row, (a, b))
    m = Matrix(tuple(map(a.shape.get_dim, rows)), tuple(map(a.shape.get_dim, columns)))
    check_form(row, m)
    absent = [name for name in rows if name not in b.shape]
    if absent:
        raise IncompatibleShapes(
            f"`{row.options['called']}` needs a right-hand side along the rows {rows} of the matrix, but "
            f"{absent} are missing in {b.shape}. Rename its dims, or name the rows of the matrix."
        )
    merge_shapes(Shape.of(m.rows), b.shape.only(rows))  # sizes and labels agree
    free = merge_shapes(a.shape.without((*rows, *columns)), b.shape.without(rows))
    new = m.solution()
    if any(dim.name in free for dim in new):
        raise IncompatibleShapes(
            f"The solution of `{row.options['called']}` has the dims {new}, but the right-hand side "
            f"{b.shape} has one of them already. Rename it."
        )
    batch = tuple(free.get_dim(dim.name) for dim in a.stored if dim.name not in (*rows, *columns))
    sides = tuple(dim for dim in b.stored if dim.name not in rows and dim.name not in a.axes)
    result = Dense.of((*batch, *new, *sides), Shape.of((*free.dims, *new)), result_type, backend)
    lead = tuple(cast("int", dim.size) for dim in batch)
    compute = FLOAT32 if wanted is FLOAT16 else wanted
    first = matrix_step(a, (*batch, *m.rows, *m.columns), (*lead, m.height, m.width), compute, backend)
    inner = tuple(b.shape.get_dim(name) for name in rows)
    second = matrix_step(b, (*batch, *inner, *sides), (*lead, m.height, volume(sides)), compute, backend)
    solve, last = backend.ops["solve"], finishing_step(result, compute)
    return planned(
        result, lambda x, y: Tensor(result, (last(solve(first(x.natives[0]), second(y.natives[0]))),))
    )
