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
        size = cast("int", value.shape.get_size(dim))
        padded = self.pad(value, {dim: (0, width) if upper_edge else (width, 0)})
        if padded.shape.get_size(dim) == size:
            return value[{dim: slice(0, 0)}]
        return padded[{dim: slice(size, None) if upper_edge else slice(0, width)}]

    def valid_outer_faces(self, dim: str) -> tuple[bool, bool]:
        """Whether a staggered grid stores its lowest and its highest face along `dim`; else they follow."""
        lower, upper = self.side(dim, False), self.side(dim, True)
        return _faces(lower)[0], _faces(upper)[1]

    def determines_boundary_values(self, boundary_key: tuple[str, bool] | str) -> bool:
        """Whether values on a side are fixed whatever is inside. `('x', True)` or `'x+'`: the upper side."""
        dim, upper = (
            (boundary_key[:-1], boundary_key[-1] == "+") if isinstance(boundary_key, str) else boundary_key
        )
        return isinstance(self.side(dim, upper), ConstantExtrapolation)

    @property
    def is_flexible(self) -> bool:
        """Whether some outside values adapt to inner ones, so that net outflow is possible."""
        return any(isinstance(leaf, CopyExtrapolation) and leaf.kind.flexible for leaf in leaves(self))

    def is_copy_pad(self, dim: str, upper_edge: bool) -> bool:
        """Whether outside values are inner values of the grid."""
        return isinstance(self.side(dim, upper_edge), CopyExtrapolation)

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
        from phi_tensor.ops._lookup import component_of, index_dim_of  # noqa: PLC0415 operations need this module
        from phi_tensor.ops._structure import stack  # noqa: PLC0415 operations need this module

        difference = end - start
        dim = index_dim_of(difference.shape, None)
        names = dim.labels or ()
        if not any(self.side(name, True) == PERIODIC for name in names):
            return difference
        components = [difference[{dim.name: name}] for name in names]
        near = [
            _nearest(d, component_of(domain_size, name)) if self.side(name, True) == PERIODIC else d
            for name, d in zip(names, components, strict=True)
        ]
        return stack(near, Shape.of((dim,)), expand_values=True)

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

    def __neg__(self) -> Extrapolation:
        return self.rewritten(
            lambda leaf: (
                ConstantExtrapolation(-leaf.value) if isinstance(leaf, ConstantExtrapolation) else leaf
            )
        )

    def __abs__(self) -> Extrapolation:
        return self.rewritten(_magnitude)

    # --- trees

    def __variable_attrs__(self) -> tuple[str, ...]:
        return ()

    def __with_attrs__(self, **changes: Any) -> Extrapolation:
        return replace(cast("Any", self), **changes) if changes else self


@dataclass(frozen=True, eq=False)
class ConstantExtrapolation(Extrapolation):
    """One value outside: a number, or a tensor that may vary along component, batch or other spatial dims."""

    value: Tensor | Number

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
            return a is b or (
                a.shape == b.shape
                and a.available
                and b.available
                and bool(table.ALL(a == b, names=a.shape.names))
            )
        return not isinstance(a, Tensor) and not isinstance(b, Tensor) and a == b

    def __hash__(self) -> int:
        return hash(("constant", None if isinstance(self.value, Tensor) else self.value))

    def to_dict(self) -> dict[str, Any]:
        if not isinstance(self.value, Tensor):
            return {"type": "constant", "value": self.value}
        dims = [
            {"name": d.name, "type": d.type.name, "labels": d.labels and list(d.labels)}
            for d in self.shape.dims
        ]
        return {"type": "constant", "value": self.value.numpy(self.shape.names).tolist(), "dims": dims}

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
        return _primitive, (self.kind.name,)

    def to_dict(self) -> dict[str, Any]:
        return {"type": self.kind.name}

    def __repr__(self) -> str:
        return self.kind.name


def _primitive(name: str) -> Extrapolation:
    """Rule of the table by its name, for unpickling."""
    return PRIMITIVES[name]


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


PRIMITIVES: dict[str, CopyExtrapolation] = {kind.name: CopyExtrapolation(kind) for kind in KINDS.values()}
"""Extrapolations of the table, by name."""

PERIODIC = PRIMITIVES["periodic"]
ZERO_GRADIENT = PRIMITIVES["zero-gradient"]
SYMMETRIC = PRIMITIVES["symmetric"]
ANTISYMMETRIC = PRIMITIVES["antisymmetric"]
REFLECT = PRIMITIVES["reflect"]
ANTIREFLECT = PRIMITIVES["antireflect"]
SYMMETRIC_GRADIENT = PRIMITIVES["symmetric-gradient"]
ZERO = ConstantExtrapolation(0)
ONE = ConstantExtrapolation(1)
NONE = NoExtrapolation()
BOUNDARY = ZERO_GRADIENT


# --- laws of single rules


def _faces(rule: Extrapolation) -> tuple[bool, bool]:
    if isinstance(rule, CopyExtrapolation):
        return rule.kind.faces
    if isinstance(rule, Undefined):
        return _faces(rule.derived_from)
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


def _nearest(distance: Tensor, size: Any) -> Tensor:
    return (distance + size / 2) % size - size / 2


def _combined(operation: Callable[[Any, Any], Any], a: Any, b: Any) -> Extrapolation:
    from phi_tensor._extrapolation_arithmetic import combined  # noqa: PLC0415 arithmetic needs the classes

    return combined(operation, a, b)
