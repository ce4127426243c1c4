"""A dim: a named, typed axis with a size and optional labels. Equal dims are the same object."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from phi_tensor._errors import IncompatibleShapes
from phi_tensor._locks import new_lock

if TYPE_CHECKING:
    from phi_tensor._dim_types import DimType

RaggedSize = tuple[Any, ...]
"""Sizes that vary along other dims: nested tuples of ints, one level per dim in `Dim.over`."""

Size = int | None | RaggedSize


class Dim:
    """Named axis, interned: `Dim.of(…)` returns the same object for the same description.

    Attributes:
        name: Name; names of dual dims start with `~`.
        type: One of `batch`, `dual`, `instance`, `spatial`, `channel`.
        size: Number of entries, None while undefined, or nested tuples where it varies along the dims named
            in `over`.
        labels: Names of the entries, or None.
        over: Names of the dims along which `size` varies.
    """

    __slots__ = ("__weakref__", "labels", "name", "over", "size", "type")

    name: str
    type: DimType
    size: Size
    labels: tuple[str, ...] | None
    over: tuple[str, ...]

    @staticmethod
    def of(
        name: str,
        dim_type: DimType,
        size: Size,
        labels: tuple[str, ...] | None = None,
        over: tuple[str, ...] = (),
    ) -> Dim:
        """The dim with this description; sizes that do not really vary become plain ints."""
        size, over = _simplified(size, over)
        key = (name, dim_type, size, labels, over)
        dim = _INTERNED.get(key)
        if dim is None:
            with _LOCK:
                dim = _INTERNED.get(key)
                if dim is None:
                    dim = _INTERNED[key] = _new_dim(*key)
        return dim

    @property
    def is_ragged(self) -> bool:
        """True if the size varies along other dims."""
        return bool(self.over)

    def with_size(self, size: Size, labels: tuple[str, ...] | None = None, over: tuple[str, ...] = ()) -> Dim:
        """The dim with another size and other labels."""
        return Dim.of(self.name, self.type, size, labels, over)

    def with_name(self, name: str) -> Dim:
        """The dim under another name."""
        return Dim.of(name, self.type, self.size, self.labels, self.over)

    def index_of(self, label: str) -> int:
        """Position of `label` [-]."""
        if self.labels is None or label not in self.labels:
            found = f"the labels {self.labels}" if self.labels else "no labels"
            raise KeyError(
                f"`{label}` is no label of dim `{self.name}`, which has {found}. Use one of them or an index."
            )
        return self.labels.index(label)

    def __reduce__(self) -> tuple[Any, ...]:
        return Dim.of, (self.name, self.type, self.size, self.labels, self.over)

    def __repr__(self) -> str:
        entries = ",".join(self.labels) if self.labels else self.size
        return f"{self.name}:{self.type.letter}={entries}"


def _new_dim(
    name: str, dim_type: DimType, size: Size, labels: tuple[str, ...] | None, over: tuple[str, ...]
) -> Dim:
    if not name or not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance] user input
        raise ValueError(f"A dim needs a name, but found {name!r}. Write for example `spatial(x=4)`.")
    if isinstance(size, int) and size < 0:
        raise IncompatibleShapes(
            f"Dim `{name}` would have the negative size {size}. Pass a size of at least 0."
        )
    if labels is not None:
        if len(set(labels)) != len(labels):
            raise IncompatibleShapes(
                f"Labels of dim `{name}` must be unique, but found {labels}. Rename the repeated ones."
            )
        if size != len(labels):
            raise IncompatibleShapes(
                f"Dim `{name}` has size {size} but {len(labels)} labels {labels}. Pass one label per entry."
            )
    dim = object.__new__(Dim)
    dim.name, dim.type, dim.size, dim.labels, dim.over = name, dim_type, size, labels, over
    KNOWN_NAMES.add(name)
    return dim


def _simplified(size: Size, over: tuple[str, ...]) -> tuple[Size, tuple[str, ...]]:
    while over:
        assert isinstance(size, tuple)
        flat = flat_sizes(size)
        if len(set(flat)) > 1 or not flat:
            return size, over
        size, over = flat[0], ()
    return size, over


def flat_sizes(size: Size) -> list[int]:
    """All sizes of a ragged dim in row-major order of the dims in `over`."""
    if isinstance(size, tuple):
        return [leaf for part in size for leaf in flat_sizes(part)]
    assert size is not None
    return [size]


def size_at(size: Size, index: Sequence[int]) -> Size:
    """Size at one position along the dims in `over`."""
    for i in index:
        assert isinstance(size, tuple)
        size = size[i]
    return size


def volume_of(dims: Sequence[Dim]) -> int | None:
    """Number of elements, counting ragged ones exactly; None if a size is undefined."""
    if any(dim.size is None for dim in dims):
        return None
    ragged = next((dim for dim in dims if dim.over), None)
    if ragged is None:
        return math.prod(dim.size for dim in dims if isinstance(dim.size, int))
    along = ragged.over[0]
    outer = next((dim for dim in dims if dim.name == along), None)
    if outer is None or not isinstance(outer.size, int):
        raise IncompatibleShapes(
            f"The size of dim `{ragged.name}` varies along `{along}`, which is missing in {tuple(dims)}."
        )
    rest = [dim for dim in dims if dim is not outer]
    volumes = [volume_of([entry_of(dim, along, i) for dim in rest]) for i in range(outer.size)]
    return None if any(v is None for v in volumes) else sum(v for v in volumes if v is not None)


def entry_of(dim: Dim, along: str, index: int) -> Dim:
    """What `dim` is at one position along the dim named `along`: its size may depend on it."""
    if along not in dim.over:
        return dim
    axis = dim.over.index(along)

    def pick(size: Size, depth: int) -> Size:
        assert isinstance(size, tuple)
        return size[index] if depth == 0 else tuple(pick(part, depth - 1) for part in size)

    return dim.with_size(pick(dim.size, axis), dim.labels, dim.over[:axis] + dim.over[axis + 1 :])


KNOWN_NAMES: set[str] = set()
"""Every dim name that was ever used; attribute access to any other name is an error."""


def suggestion(name: str, names: Sequence[str]) -> str:
    """` Did you mean …?` for a near miss, else an empty string."""
    from difflib import get_close_matches  # noqa: PLC0415 costs 1 ms of `import phi_tensor`

    close = get_close_matches(name, names, 1, 0.6)
    return f" Did you mean `{close[0]}`?" if close else ""


_INTERNED: WeakValueDictionary[tuple[Any, ...], Dim] = WeakValueDictionary()
_LOCK = new_lock()
