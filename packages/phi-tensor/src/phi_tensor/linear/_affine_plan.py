"""Plans for traced operands: every row gets its rule from its kind and its linearity.

One rule serves all rows with such operands. Tensors in parts are handled part by part, and so are constants
in parts beside them. What is left are handlers by kind, which work on terms, or on traced tensors by means of
other rows. A row's linearity says what is no linear function and raises.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar, cast

from phi_tensor._errors import NonlinearOperation, Untraceable
from phi_tensor._plan import RULES, SPECIAL, PlanCall, Row, layout_of
from phi_tensor._tensor import Tensor
from phi_tensor._user_line import user_line
from phi_tensor.layouts._affine import Affine, stand_in
from phi_tensor.layouts._cast import common_form
from phi_tensor.layouts._layout import Layout, Parts
from phi_tensor.ops import _table as table


class Call(NamedTuple):
    """One call of a row with traced operands.

    Attributes:
        row: The row.
        expected: Layout that the result would have, had the operands numbers.
        operands: Tensors and numbers.
        parameters: Static parameters.
    """

    row: Row
    expected: Layout
    operands: tuple[Any, ...]
    parameters: dict[str, Any]

    def again(self, *operands: Any) -> Any:
        """The same row for other operands."""
        return self.row(*operands, **self.parameters)


Handler = Callable[[Call], Tensor]
S = TypeVar("S", bound=Callable[[Call], "Tensor | None"])
HANDLERS: dict[str, Handler] = {}
"""What makes the terms of a result, by kind of row; operands have no parts."""
Splitter = Callable[[Call], "Tensor | None"]
SPLITTERS: dict[str, Splitter] = {}
"""What handles operands in parts, by kind of row; None leaves them to the handler, joined."""


def handler(*kinds: str) -> Callable[[Handler], Handler]:
    """Decorator that registers the handler of some kinds of rows."""

    def register(function: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(kinds, function))
        return function

    return register


def splitter(*kinds: str) -> Callable[[S], S]:
    """Decorator that registers what handles operands in parts."""

    def register(function: S) -> S:
        SPLITTERS.update(dict.fromkeys(kinds, function))
        return function

    return register


def symbolic_rule(row: Row, *layouts: Layout, **parameters: Any) -> PlanCall:
    """Plan of a row some of whose operands are traced."""
    check_linear(row, layouts)
    expected = layout_of(_ordinary(row, tuple(map(stand_in, layouts)), parameters))
    handle, split = HANDLERS.get(row.kind), SPLITTERS.get(row.kind)
    if handle is None:
        raise untraceable(row)
    in_parts = any(isinstance(layout, Parts) for layout in layouts)

    def call(*operands: Any) -> Tensor:
        this = Call(row, expected, operands, parameters)
        if split is not None and in_parts:
            found = split(this)
            if found is not None:
                return in_order(found, expected)
        if in_parts:
            joined = tuple(x.block() if isinstance(x, Tensor) else x for x in operands)
            this = this._replace(operands=joined)
        return in_order(handle(this), expected)

    return call


def _special(row: Row, layouts: tuple[Layout, ...]) -> tuple[Any, dict[Any, PlanCall]] | None:
    return (symbolic_rule, PLANS) if any(layout.symbolic for layout in layouts) else None


PLANS: dict[Any, PlanCall] = {}
"""Plans of all rows for traced operands."""

SPECIAL.insert(0, _special)  # sparse operands beside traced ones are handled here


def check_linear(row: Row, layouts: tuple[Layout, ...]) -> None:
    """Raise for rows that are no linear functions of their traced operands."""
    traced = [i for i, layout in enumerate(layouts) if layout.symbolic]
    if row.name in ("real", "imag", "conj") and all(layouts[i].dtype.kind is complex for i in traced):
        raise untraceable(row, "it is linear in the real and the imaginary part, which are no unknowns. ")
    fine = {
        None: False,
        "jointly": True,
        "each": len(traced) == 1,
        "first": traced == [0]
        or (0 in traced and row.kind in ("stencil", "grid_sample") and 1 not in traced),
        "last": 0 not in traced,
    }[row.linear]
    if fine:
        return
    several = f"of {len(traced)} tensors that depend on the unknown " if len(traced) > 1 else ""
    where = "" if row.linear != "first" or traced == [0] else "in this operand "
    raise NonlinearOperation(
        f"`{row.name}` {several}is not linear {where}at {user_line()}, but the function is traced as a "
        f"linear function of its first argument. Pass what is constant as another argument, or solve with "
        f"`solve_nonlinear`."
    )


def untraceable(row: Row, why: str = "") -> Untraceable:
    """Error for rows that are linear, but have no rule here."""
    return Untraceable(
        f"`{row.name}` at {user_line()} has no matrix that could be traced: "
        f"{why or 'there is no rule for it. '}`solve_linear` works without a matrix."
    )


def _ordinary(row: Row, layouts: tuple[Layout, ...], parameters: dict[str, Any]) -> PlanCall:
    found = next((s for s in (special(row, layouts) for special in SPECIAL) if s is not None), None)
    rule = RULES[row.kind] if found is None else found[0]
    return rule(row, *layouts, **parameters)


def in_order(x: Tensor, expected: Layout) -> Tensor:
    """`x` with its dims in the order and with the labels that they have in an expected layout."""
    layout = x.layout
    if isinstance(layout, Parts) and isinstance(expected, Parts) and layout.dim.name == expected.dim.name:
        parts = zip(x.parts(), expected.parts, strict=True)
        x = side_by_side([in_order(part, other) for part, other in parts], expected.dim)
    layout = x.layout
    if isinstance(layout, Parts) and layout.shape == expected.shape:
        return Tensor(Parts.of(layout.dim, layout.parts, expected.shape), x.natives)
    if not isinstance(layout, Affine) or layout.shape.dims == expected.shape.dims:
        return x
    assert set(layout.shape.names) == set(expected.shape.names), f"{layout.shape} is not {expected.shape}"
    other = [d for d in expected.shape.dims if d is not layout.shape.get_dim(d.name)]
    if other:
        x = table.RENAME(x, renamed=tuple((dim.name, dim) for dim in other))
    terms = replace(x.natives[0], shape=expected.shape)
    return Tensor(Affine.of(expected.shape, layout.dtype, layout.backend), (terms,))


# --- parts


def by_entries(call: Call, along: str, keep: tuple[int, ...] = ()) -> Tensor:
    """Result for each entry along a dim, side by side; operands without the dim, or in `keep`, stay whole."""
    operands = call.operands
    dim = next(
        x.shape.get_dim(along)
        for i, x in enumerate(operands)
        if i not in keep and isinstance(x, Tensor) and along in x.shape
    )
    columns = [
        entries(x, along) if i not in keep and isinstance(x, Tensor) and along in x.shape else None
        for i, x in enumerate(operands)
    ]
    results = [
        call.again(*(x if c is None else c[k] for x, c in zip(operands, columns, strict=True)))
        for k in range(cast("int", dim.size))
    ]
    return side_by_side(results, dim)


def entries(x: Tensor, along: str) -> tuple[Tensor, ...]:
    """Entries along a dim."""
    if isinstance(x.layout, Parts) and x.layout.dim.name == along:
        return x.parts()
    return tuple(x.sliced(((along, i),)) for i in range(cast("int", x.shape.get_size(along))))


def side_by_side(parts: list[Tensor], dim: Any) -> Tensor:
    """Tensor in parts, brought to one element type and library."""
    dtype, backend = common_form(tuple(part.layout for part in parts))
    parts = [
        part
        if part.dtype is dtype and part.layout.backend is backend
        else table.CAST(part, dtype=dtype, backend=backend)
        for part in parts
    ]
    natives: tuple[Any, ...] = ()
    for part in parts:
        natives += part.natives
    return Tensor(Parts.of(dim.with_size(len(parts), dim.labels), tuple(p.layout for p in parts)), natives)


def first_parts(operands: tuple[Any, ...]) -> Parts | None:
    """Layout of the first ragged, else the first operand in parts."""
    found = [x.layout for x in operands if isinstance(x, Tensor) and isinstance(x.layout, Parts)]
    ragged = [layout for layout in found if not layout.shape.is_uniform]
    return (ragged or found or [None])[0]
