"""Extrapolations: immutable values that say what lies outside of a grid, and follow its arithmetic.

>>> import phi_tensor as math
>>> from phi_tensor import extrapolation
>>> math.pad(math.wrap([1, 2, 3], math.spatial("x")), {"x": (1, 1)}, extrapolation.PERIODIC)
(3, 1, 2, 3, 1) along (x:s=5) int64
>>> 2 * extrapolation.ONE
2
"""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

from phi_tensor._padding import KINDS, Kind
from phi_tensor._shape import EMPTY_SHAPE, Shape
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._layout import NUMBERS
from phi_tensor.ops import _table as table

Number = bool | int | float | complex
DIVISION: Callable[[Any, Any], Any] = operator.truediv  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType] untyped stub


class Extrapolation(ABC):
    """Rule for values outside of a grid. Immutable and hashable; `==` compares rules and constants.

    `e[{'vector': 'x'}]` is the rule of one component. Operators give the rule of the result: `2 * e` of a
    doubled field.
    """

    @property
    @abstractmethod
    def shape(self) -> Shape:
        """Dims of the constants inside."""

    @abstractmethod
    def side(self, dim: str, upper: bool) -> Extrapolation:
        """Rule at one side of one dim; of components if `differs_by_component`."""

    def rules_at(self, dim: str, upper: bool) -> tuple[Extrapolation, ...]:
        """All rules that hold somewhere at one side of one dim."""
        return (self.side(dim, upper),)

    @abstractmethod
    def rewritten(self, change: Callable[[Extrapolation], Extrapolation]) -> Extrapolation:
        """The same composition of other rules: `change` is applied to each rule that is not composed."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Serialised form: strings, numbers, lists and dicts only. See `from_dict`."""

    @property
    def differs_by_component(self) -> bool:
        """True if components of a vector have different rules (not only different constants)."""
        return False

    def __getitem__(self, item: dict[str, Any]) -> Extrapolation:
        return self

    # --- what users ask

    def pad(self, value: Any, widths: dict[Any, tuple[int, int]], **kwargs: object) -> Any:
        """`value` extended by `widths` (name → (lower, upper)); see `pad`."""
        from phi_tensor.ops._padding import pad  # noqa: PLC0415 operations need this module

        return pad(value, widths, self)

    def pad_values(self, value: Tensor, width: int, dim: str, upper_edge: bool) -> Tensor:
        """Only the `width` values outside one side of `value`."""
        from phi_tensor._extrapolation_places import pad_values  # noqa: PLC0415 needs this module

        return pad_values(self, value, width, dim, upper_edge)

    def valid_outer_faces(self, dim: str) -> tuple[bool, bool]:
        """Whether a staggered grid stores its lowest and its highest face along `dim`; else they follow."""
        lower, upper = self.rules_at(dim, False), self.rules_at(dim, True)
        return any(_faces(rule)[0] for rule in lower), any(_faces(rule)[1] for rule in upper)

    def determines_boundary_values(self, boundary_key: tuple[str, bool] | str) -> bool:
        """Whether values on a side are fixed whatever is inside.

        `('x', True)` or `'x+'`: the upper side; `'x'`: both.
        """
        dim, upper = boundary_key if isinstance(boundary_key, tuple) else (boundary_key.rstrip("+-"), None)
        if isinstance(boundary_key, str) and boundary_key != dim:
            upper = boundary_key.endswith("+")
        rules = [r for u in (False, True) if upper in (u, None) for r in self.rules_at(dim, u)]
        return all(isinstance(rule, ConstantExtrapolation) for rule in rules)

    @property
    def is_flexible(self) -> bool:
        """Whether some outside values adapt to inner ones, so that net outflow is possible."""
        return any(isinstance(leaf, CopyExtrapolation) and leaf.kind.flexible for leaf in leaves(self))

    def is_copy_pad(self, dim: str, upper_edge: bool) -> bool:
        """Whether outside values are inner values of the grid."""
        return all(isinstance(rule, CopyExtrapolation) for rule in self.rules_at(dim, upper_edge))

    def spatial_gradient(self) -> Extrapolation:
        """Rule of the derivative."""
        return self.rewritten(_derivative)

    def shortest_distance(self, start: Tensor, end: Tensor, domain_size: Tensor | float) -> Tensor:
        """Displacement from `start` to `end`; along periodic dims the one through the nearer side.

        Args:
            start: Positions `(…, vector)`, labels name the dims.
            end: Likewise.
            domain_size: Length of the domain per dim `(vector)`, or for all dims.
        """
        from phi_tensor._extrapolation_places import shortest_distance  # noqa: PLC0415 needs this module

        return shortest_distance(self, start, end, domain_size)

    def transform_coordinates(self, coordinates: Tensor, shape: Shape, **kwargs: object) -> Tensor:
        """Inner places with the values (for antisymmetric rules up to their sign) that hold at `coordinates`.

        Args:
            coordinates: Index coordinates `(…, vector)` [cells]; 0 is the first sample.
            shape: Has the sizes of the grid.
            **kwargs: Ignored, for PhiFlow's callers.

        Raises:
            Unsupported: The rule copies no inner values.
        """
        from phi_tensor._extrapolation_places import transform_coordinates  # noqa: PLC0415 needs this module

        return transform_coordinates(self, coordinates, shape)

    # --- arithmetic

    def __add__(self, other: Any) -> Extrapolation:
        return _combined(operator.add, self, other)

    def __radd__(self, other: Any) -> Extrapolation:
        return _combined(operator.add, other, self)

    def __sub__(self, other: Any) -> Extrapolation:
        return _combined(operator.sub, self, other)

    def __rsub__(self, other: Any) -> Extrapolation:
        return _combined(operator.sub, other, self)

    def __mul__(self, other: Any) -> Extrapolation:
        return _combined(operator.mul, self, other)

    def __rmul__(self, other: Any) -> Extrapolation:
        return _combined(operator.mul, other, self)

    def __truediv__(self, other: Any) -> Extrapolation:
        return _combined(DIVISION, self, other)

    def __rtruediv__(self, other: Any) -> Extrapolation:
        return _combined(DIVISION, other, self)

    def __lt__(self, other: Any) -> Extrapolation:
        return _combined(operator.lt, self, other)

    def __gt__(self, other: Any) -> Extrapolation:
        return _combined(operator.gt, self, other)

    def __neg__(self) -> Extrapolation:
        return self.rewritten(
            lambda leaf: (
                ConstantExtrapolation(-leaf.value) if isinstance(leaf, ConstantExtrapolation) else leaf
            )
        )

    def __abs__(self) -> Extrapolation:
        return self.rewritten(_magnitude)

    __array_ufunc__ = None  # NumPy's numbers leave the operation to us

    # --- trees and files

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_resolved"}

    def __variable_attrs__(self) -> tuple[str, ...]:
        return ()

    def __with_attrs__(self, **changes: Any) -> Extrapolation:
        return replace(cast("Any", self), **changes) if changes else self


@dataclass(frozen=True, eq=False)
class ConstantExtrapolation(Extrapolation):
    """One value outside: a number, or a tensor that may vary along component, batch or other spatial dims."""

    value: Tensor | Number

    def __post_init__(self) -> None:
        number = next((kind for kind in NUMBERS if isinstance(self.value, kind)), None)
        if number is not None and type(self.value) is not number:  # NumPy's are subclasses of Python's
            object.__setattr__(self, "value", number(cast("Any", self.value)))

    @property
    def shape(self) -> Shape:
        return self.value.shape if isinstance(self.value, Tensor) else EMPTY_SHAPE

    def side(self, dim: str, upper: bool) -> Extrapolation:
        return self

    def rewritten(self, change: Callable[[Extrapolation], Extrapolation]) -> Extrapolation:
        return change(self)

    def __getitem__(self, item: dict[str, Any]) -> Extrapolation:
        present = {name: part for name, part in item.items() if name in self.shape}
        return ConstantExtrapolation(cast("Tensor", self.value)[present]) if present else self

    def is_number(self, number: float) -> bool:
        """True if the constant is this Python number (never for tensors)."""
        return not isinstance(self.value, Tensor) and self.value == number

    def __variable_attrs__(self) -> tuple[str, ...]:
        return ("value",) if isinstance(self.value, Tensor) else ()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ConstantExtrapolation):
            return False
        a, b = self.value, other.value
        if isinstance(a, Tensor) and isinstance(b, Tensor):
            return a is b or (a.shape == b.shape and a.available and b.available and _equal(a, b))
        return not isinstance(a, Tensor) and not isinstance(b, Tensor) and (a == b or (a != a and b != b))

    def __hash__(self) -> int:
        hashed = not isinstance(self.value, Tensor) and self.value == self.value  # all NaNs are one constant
        return hash(("constant", self.value if hashed else None))

    def to_dict(self) -> dict[str, Any]:
        from phi_tensor._extrapolation_files import constant_to_dict  # noqa: PLC0415 needs this module

        return constant_to_dict(self.value)

    def __repr__(self) -> str:
        return repr(self.value)


@dataclass(frozen=True, eq=False)
class CopyExtrapolation(Extrapolation):
    """Inner values, copied by one rule of the table in `_padding.py`."""

    kind: Kind

    @property
    def shape(self) -> Shape:
        return EMPTY_SHAPE

    def side(self, dim: str, upper: bool) -> Extrapolation:
        return self

    def rewritten(self, change: Callable[[Extrapolation], Extrapolation]) -> Extrapolation:
        return change(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CopyExtrapolation) and self.kind is other.kind

    def __hash__(self) -> int:
        return hash(self.kind)

    def __reduce__(self) -> tuple[Any, ...]:
        return primitive, (self.kind.name,)

    def to_dict(self) -> dict[str, Any]:
        return {"type": self.kind.name}

    def __repr__(self) -> str:
        return self.kind.name


@dataclass(frozen=True, eq=False)
class NoExtrapolation(Extrapolation):
    """No outside values: nothing is padded, sampling takes the nearest value, arithmetic stays `none`."""

    @property
    def shape(self) -> Shape:
        return EMPTY_SHAPE

    def side(self, dim: str, upper: bool) -> Extrapolation:
        return self

    def rewritten(self, change: Callable[[Extrapolation], Extrapolation]) -> Extrapolation:
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NoExtrapolation)

    def __hash__(self) -> int:
        return hash("none")

    def to_dict(self) -> dict[str, Any]:
        return {"type": "none"}

    def __repr__(self) -> str:
        return "none"


@dataclass(frozen=True, eq=False)
class Undefined(Extrapolation):
    """Rule that nobody can know, such as that of a sum of unlike fields. Using it is an error."""

    derived_from: Extrapolation

    @property
    def shape(self) -> Shape:
        return EMPTY_SHAPE

    def side(self, dim: str, upper: bool) -> Extrapolation:
        return self

    def valid_outer_faces(self, dim: str) -> tuple[bool, bool]:
        return self.derived_from.valid_outer_faces(dim)

    def rewritten(self, change: Callable[[Extrapolation], Extrapolation]) -> Extrapolation:
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Undefined) and self.derived_from == other.derived_from

    def __hash__(self) -> int:
        return hash(("undefined", self.derived_from))

    def to_dict(self) -> dict[str, Any]:
        return {"type": "undefined", "derived_from": self.derived_from.to_dict()}

    def __repr__(self) -> str:
        return f"undefined, derived from {self.derived_from}"


def primitive(name: str) -> CopyExtrapolation:
    """The extrapolation of the table with this name; also how pickles find it."""
    return PRIMITIVES[name]


PRIMITIVES: dict[str, CopyExtrapolation] = {kind.name: CopyExtrapolation(kind) for kind in KINDS.values()}
"""Extrapolations of the table, by name."""

PERIODIC = PRIMITIVES["periodic"]
ZERO_GRADIENT = PRIMITIVES["zero-gradient"]
SYMMETRIC = PRIMITIVES["symmetric"]
ANTISYMMETRIC = PRIMITIVES["antisymmetric"]
REFLECT = PRIMITIVES["reflect"]
ANTIREFLECT = PRIMITIVES["antireflect"]
LINEAR = PRIMITIVES["linear"]
SYMMETRIC_GRADIENT = PRIMITIVES["symmetric-gradient"]
ZERO = ConstantExtrapolation(0)
ONE = ConstantExtrapolation(1)
NONE = NoExtrapolation()
BOUNDARY = ZERO_GRADIENT


# --- laws of single rules


def _equal(a: Tensor, b: Tensor) -> bool:
    """Whether all entries are equal or both NaN."""
    same = table.LOGICAL_OR(
        table.EQUAL(a, b), table.LOGICAL_AND(table.NOT_EQUAL(a, a), table.NOT_EQUAL(b, b))
    )
    return bool(table.ALL(same, names=a.shape.names))


def _faces(rule: Extrapolation) -> tuple[bool, bool]:
    if isinstance(rule, CopyExtrapolation):
        return rule.kind.faces
    constant = isinstance(rule, ConstantExtrapolation)
    return not constant, not constant


def _derivative(rule: Extrapolation) -> Extrapolation:
    if isinstance(rule, CopyExtrapolation) and rule.kind.derivative != "zero":
        return PRIMITIVES[rule.kind.derivative]
    return ZERO


def _magnitude(rule: Extrapolation) -> Extrapolation:
    if isinstance(rule, ConstantExtrapolation):
        return ConstantExtrapolation(abs(rule.value))
    if not isinstance(rule, CopyExtrapolation) or rule.kind.pointwise:
        return rule
    return PRIMITIVES[rule.kind.magnitude] if rule.kind.magnitude else Undefined(rule)


def leaves(extrapolation: Extrapolation) -> list[Extrapolation]:
    """The rules that an extrapolation is composed of."""
    found: list[Extrapolation] = []

    def keep(leaf: Extrapolation) -> Extrapolation:
        found.append(leaf)
        return leaf

    extrapolation.rewritten(keep)
    return found


def _combined(operation: Callable[[Any, Any], Any], a: Any, b: Any) -> Extrapolation:
    from phi_tensor._extrapolation_arithmetic import combined  # noqa: PLC0415 arithmetic needs the classes

    return combined(operation, a, b)
