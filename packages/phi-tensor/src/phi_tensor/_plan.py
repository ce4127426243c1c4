"""Plans: all thinking about an operation happens once per layout.

A hit is one look-up and one straight-line call.

An operation is a `Row` of the table (`ops/_table.py`). Its plans are found under `(*layouts, *parameters,
settings)`.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast, overload

from phi_tensor._context import local_settings, on_global_change
from phi_tensor._errors import PhiError, Unsupported
from phi_tensor._locks import new_lock
from phi_tensor.layouts._layout import NUMBERS, Layout

if TYPE_CHECKING:
    from phi_tensor._tensor import Tensor

PlanCall = Callable[..., Any]
"""What a plan is: a function of the operands that returns the resulting tensor."""

TensorCall: TypeAlias = (
    Callable[["Tensor"], "Tensor"]
    | Callable[["Tensor", "Tensor"], "Tensor"]
    | Callable[["Tensor", "Tensor", "Tensor"], "Tensor"]
)
"""What plans of one to three operands are written as; gives the operands of lambdas their type."""


class Planned(Protocol):
    """A plan that says how its result is stored.

    Attributes:
        layout: Layout of the result.
    """

    layout: Layout


Rule = Callable[..., PlanCall]
"""`rule(row, *layouts, **parameters) -> plan` for one kind of operation."""

MOST_PLANS = 4096
"""Plans that a row keeps; particle counts that change every step would otherwise pile up."""


class Row:
    """One operation.

    Attributes:
        name: Name in the table and in each backend's `ops`.
        kind: Which rule plans it (see `RULES`).
        dtype: How the result's element type follows from the operands' (see `ops/_dtype_rules.py`).
        linear: None, `jointly` (in all operands together) or `each` (in every operand alone).
        oracle: The same operation in NumPy, for tests.
        options: What else the rule and the tests need to know.
    """

    __slots__ = ("dtype", "kind", "linear", "name", "options", "oracle", "plans")

    def __init__(
        self,
        name: str,
        kind: str,
        dtype: str = "promote",
        linear: str | None = None,
        oracle: Any = None,
        **options: Any,
    ) -> None:
        self.name = name
        self.kind = kind
        self.dtype = dtype
        self.linear = linear
        self.oracle = oracle
        self.options = options
        self.plans: dict[Any, PlanCall] = {}
        ROWS[name] = self

    def __call__(self, *operands: Any, **parameters: Any) -> Any:
        """Result of the operation for tensors and Python numbers; `parameters` are static and hashable."""
        if parameters:
            key = (
                *[_layout_of(o) for o in operands],
                *parameters.values(),
                local_settings(),
            )
        else:
            key = (
                *[_layout_of(o) for o in operands],
                local_settings(),
            )
        plan = self.plans.get(key)
        if plan is None:
            plan = self.make(key, cast("tuple[Layout, ...]", key[: len(operands)]), parameters)
        try:
            return plan(*operands)
        except OverflowError as error:  # libraries' own, for Python ints
            raise ValueError(
                f"`{self.name}` found a number that its operands' type does not hold: {error}. Convert them "
                f"with `to_int64` or `to_float` first."
            ) from None

    def make(self, key: Any, layouts: tuple[Layout, ...], parameters: dict[str, Any]) -> PlanCall:
        """Plan for `layouts`, made by the row's rule and kept under `key`."""
        generation, start = _GENERATION[0], perf_counter()
        rule, plans = self._rule(layouts)
        if plans is not self.plans:
            key = (self, generation, key)
            if key in plans:
                return plans[key]
        plan = self._new_plan(rule, layouts, parameters)
        for wrap in WRAPPERS:
            plan = wrap(self, layouts, plan, perf_counter() - start)
        self._keep(plans, key, plan, generation)
        for listener in tuple(LISTENERS):
            listener(self, layouts, parameters, plan)
        return plan

    def plan(self, *layouts: Layout, **parameters: Any) -> PlanCall:
        """Plan that a call with operands of these layouts uses."""
        key = (*layouts, *parameters.values(), local_settings())
        return self.plans.get(key) or self.make(key, layouts, parameters)

    def composed(self, key: Any, compose: Callable[[], PlanCall]) -> PlanCall:
        """What a public function does around this row in straight line: composed of plans, kept under `key`.

        `key` starts with the settings, so that it is none of a plan.
        """
        generation = _GENERATION[0]
        plan = compose()
        self._keep(self.plans, key, plan, generation)
        return plan

    def _keep(self, plans: dict[Any, PlanCall], key: Any, plan: PlanCall, generation: int) -> None:
        with _LOCK:
            if generation == _GENERATION[0]:  # else another thread has changed the global settings meanwhile
                if len(plans) >= MOST_PLANS:
                    plans.clear()
                plans[key] = plan

    def once(self, *operands: Any, **parameters: Any) -> Any:
        """Result by a plan that is not kept: for sizes that depend on data, which would crowd out others."""
        layouts = tuple(_layout_of(o) for o in operands)
        return self._new_plan(self._rule(layouts)[0], layouts, parameters)(*operands)

    def _rule(self, layouts: tuple[Layout, ...]) -> tuple[Rule, dict[Any, PlanCall]]:
        """The rule for these layouts, and where its plans are kept."""
        for special in SPECIAL:
            found = special(self, layouts)
            if found is not None:
                return found
        rule = RULES.get(self.kind)
        assert rule is not None, f"no rule for kind {self.kind}"
        return rule, self.plans

    def _new_plan(self, rule: Rule, layouts: tuple[Layout, ...], parameters: dict[str, Any]) -> PlanCall:
        try:
            return rule(self, *layouts, **parameters)
        except PhiError as error:
            error.add_note(f"in `{self.name}` of {', '.join(repr(layout.shape) for layout in layouts)}")
            raise

    def unsupported(self, *layouts: Layout, hint: str = "") -> Unsupported:
        """Error for layouts without a rule."""
        return Unsupported(
            f"`{self.name}` has no rule for {' and '.join(map(repr, layouts))}. {hint}".rstrip()
        )

    def __repr__(self) -> str:
        return f"Row({self.name})"


def _layout_of(operand: Any) -> Layout:
    number = NUMBERS.get(type(operand))
    return operand.layout if number is None else number


ROWS: dict[str, Row] = {}
"""The table: all rows by name."""

RULES: dict[str, Rule] = {}
"""Planning rules by kind."""

SPECIAL: list[Callable[[Row, tuple[Layout, ...]], tuple[Rule, dict[Any, PlanCall]] | None]] = []
"""Asked first for an operation's rule and where its plans are kept: layouts that take operations over."""

LISTENERS: list[Callable[[Row, tuple[Layout, ...], dict[str, Any], PlanCall], None]] = []
"""Called for every new plan (see `explain`)."""

WRAPPERS: list[Callable[[Row, tuple[Layout, ...], PlanCall, float], PlanCall]] = []
"""Called for every new plan and the time it took [s]; what they return takes its place (see `profile`)."""

_GENERATION = [0]
_LOCK = new_lock()


def rule(kind: str) -> Callable[[Rule], Rule]:
    """Decorator that registers the planning rule of one kind of operation."""

    def register(function: Rule) -> Rule:
        assert kind not in RULES, f"two rules for kind {kind}"
        RULES[kind] = function
        return function

    return register


def clear_plans() -> None:
    """Forget all plans (never the interned layouts, which plans are found by)."""
    with _LOCK:
        _GENERATION[0] += 1
        for row in ROWS.values():
            row.plans.clear()


on_global_change(clear_plans)


def explain(f: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """Text with every plan that `f(*args, **kwargs)` uses.

    The operation, the layouts it meets and the layout it makes.

    >>> import phi_tensor as math
    >>> print(math.explain(lambda: math.zeros(math.spatial(x=3)) + 1))
    add: Dense(constant along (x:s=3,); float32, numpy), int -> Dense(constant along (x:s=3,); float32, numpy)
    """
    lines: list[str] = []
    made: dict[int, int] = {}

    def listen(row: Row, layouts: tuple[Layout, ...], parameters: dict[str, Any], plan: PlanCall) -> None:
        settings = "".join(f", {name}={value!r}" for name, value in parameters.items())
        made[id(plan)] = len(lines)
        result = getattr(plan, "layout", None)
        lines.append(
            f"{row.name}: {', '.join(map(repr, layouts))}{settings}" + (f" -> {result!r}" if result else "")
        )

    clear_plans()
    LISTENERS.append(listen)
    try:
        f(*args, **kwargs)
    finally:
        LISTENERS.remove(listen)
    return "\n".join(lines)


@overload
def planned(layout: Layout, call: TensorCall) -> PlanCall: ...
@overload
def planned(layout: Layout, call: Callable[..., Tensor]) -> PlanCall: ...
def planned(layout: Layout, call: Callable[..., Tensor]) -> PlanCall:
    """`call` with the layout of its result, which `explain` prints."""
    cast("Planned", call).layout = layout
    return call


def layout_of(plan: PlanCall) -> Layout:
    """Layout of a plan's result."""
    return cast("Planned", plan).layout
