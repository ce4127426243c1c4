"""The five dim types and the filters made of them.

Each type is a constructor and a filter: `spatial(x=4, y=3)` builds a shape, `spatial(tensor)` selects dims of
    one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from phi_tensor._dim import Dim, Size
from phi_tensor._errors import IncompatibleShapes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from phi_tensor._shape import Shape


class DimType:
    """One of the five types of dims; call it to build a `Shape` or to select dims of an object.

    | type | meaning |
    | --- | --- |
    | `batch` | independent copies; nothing mixes them unless named |
    | `dual` | the column side of a matrix; names start with `~` |
    | `instance` | irregular items such as particles |
    | `spatial` | regularly sampled space |
    | `channel` | components of a value |

    >>> from phi_tensor import spatial, channel
    >>> spatial(x=4, y=3)
    (x:s=4, y:s=3)
    >>> channel(vector="x,y")
    (vector:c=x,y)
    """

    __slots__ = ("letter", "name")

    def __init__(self, name: str) -> None:
        self.name: str = name
        self.letter: str = name[0]

    def __call__(self, *args: Any, **sizes: Any) -> Shape:
        """Shape with dims of this type, by names (`spatial('x,y')`) and sizes (`spatial(x=4)`).

        Or the dims of an object.

        Args:
            *args: Either names of dims with undefined size, or one object with a shape to select from.
            **sizes: Size per name: an int, None, labels (`'x,y'` or a sequence), a `Shape` whose names become
                labels, or a 1-D integer tensor for sizes that vary along its dim.

        Raises:
            IncompatibleShapes: Labels repeat, sizes are negative.
        """
        if len(args) == 1 and not sizes and type(args[0]) is str:
            named = _NAMED.get((self, args[0]))
            if named is not None:
                return named
        from phi_tensor import _shape  # noqa: PLC0415 shapes are built from types and types build shapes

        if len(args) == 1 and not sizes and not isinstance(args[0], str):
            if args[0] is None or isinstance(args[0], (int, float, complex)):
                return _shape.EMPTY_SHAPE
            return _shape.shape_of(args[0]).only(self)
        names = [name.strip() for arg in args for name in _comma_list(arg) if name.strip()]
        dims = [Dim.of(self.dim_name(name), self, None) for name in names]
        dims += [self.dim(name, size) for name, size in sizes.items()]
        shape = _shape.Shape.of(tuple(dims))
        if len(args) == 1 and not sizes:
            if len(_NAMED) > 1024:
                _NAMED.clear()
            _NAMED[self, args[0]] = shape
        return shape

    def dim(self, name: str, size: Any) -> Dim:
        """One dim of this type; `size` as in `__call__`."""
        name = self.dim_name(name)
        if isinstance(size, str):
            size = tuple(label.strip() for label in size.split(","))
        if isinstance(size, (tuple, list)):
            labels = tuple(_label(entry, name) for entry in size)  # pyright: ignore[reportUnknownVariableType]  # checked by `_label`
            return Dim.of(name, self, len(labels), labels)
        if hasattr(size, "dims"):
            return Dim.of(name, self, size.rank, size.names)
        if hasattr(size, "shape") and size.shape:
            return Dim.of(name, self, _nested(size.numpy(size.shape.names).tolist()), None, size.shape.names)
        return Dim.of(name, self, None if size is None else _int(size, name))

    def dim_name(self, name: str) -> str:
        """`name` as dims of this type spell it: dual names carry `~`."""
        return "~" + name.lstrip("~") if self.name == "dual" else name.lstrip("~")

    def __reduce__(self) -> tuple[Any, ...]:
        return dim_type, (self.name,)

    def __repr__(self) -> str:
        return self.name


class DimFilter:
    """Selects dims by type: `non_batch(tensor)` is its shape without batch dims.

    Usable wherever dims are named.
    """

    __slots__ = ("name", "types")

    def __init__(self, name: str, types: tuple[DimType, ...]) -> None:
        self.name: str = name
        self.types: tuple[DimType, ...] = types

    def __call__(self, obj: Any) -> Shape:
        """Shape of the selected dims of `obj`."""
        from phi_tensor import _shape  # noqa: PLC0415 see DimType

        return _shape.shape_of(obj).only(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return _filter_by_name, (self.name,)

    def __repr__(self) -> str:
        return self.name


DimSelector: TypeAlias = (
    "str | Shape | DimType | DimFilter | Callable[[Shape], Shape] | Collection[DimSelector]"
)
"""What names dims: a comma list, a shape, a type or filter, or several of these."""

batch, dual, instance, spatial, channel = TYPES = tuple(
    DimType(name) for name in ("batch", "dual", "instance", "spatial", "channel")
)

non_batch, non_dual, non_instance, non_spatial, non_channel = (
    DimFilter(f"non_{t.name}", tuple(other for other in TYPES if other is not t)) for t in TYPES
)
primal = DimFilter("primal", (instance, spatial, channel))
non_primal = DimFilter("non_primal", (batch, dual))
FILTERS = (non_batch, non_dual, non_instance, non_spatial, non_channel, primal, non_primal)


_NAMED: dict[tuple[DimType, str], Shape] = {}
"""Shapes made from names alone: code asks for the same ones again and again."""


def dim_type(name: str | DimType) -> DimType:
    """Type by its name or letter."""
    for t in TYPES:
        if name in (t, t.name, t.letter):
            return t
    raise ValueError(
        f"`{name}` is no dim type. Use one of {', '.join(t.name for t in TYPES)} or their first letters."
    )


def _filter_by_name(name: str) -> DimFilter:
    return next(f for f in FILTERS if f.name == name)


def _comma_list(names: object) -> list[str]:
    if not isinstance(names, str):
        raise TypeError(
            f"Names of dims are strings, but found {names!r}. Write `spatial('x,y')` or `spatial(x=4)`."
        )
    return names.split(",")


def _label(entry: object, name: str) -> str:
    if isinstance(entry, str):
        return entry
    raise TypeError(
        f"Labels of dim `{name}` are strings, but found {entry!r}. Pass an int for the size instead."
    )


def _int(size: Any, name: str) -> int:
    try:
        return size.__index__()
    except AttributeError:
        if hasattr(size, "item") and getattr(size, "rank", 0) == 0:
            return int(size.item())
        raise IncompatibleShapes(
            f"The size of dim `{name}` must be an int, labels or None, but found {size!r} of type "
            f"`{type(size).__name__}`."
        ) from None


def _nested(sizes: list[Any]) -> Size:
    return tuple(_nested(size) if isinstance(size, list) else int(size) for size in sizes)
