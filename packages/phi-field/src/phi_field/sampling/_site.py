"""Where on a cell a value sits."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache

from phi_tensor import Unsupported


class Site(StrEnum):
    """Part of a cell that carries values.

    A value at a face, an edge or a vertex belongs to the axes along which it lies between cells, its
    *staggered* axes.
    """

    CENTER = "center"
    FACE = "face"
    EDGE = "edge"
    VERTEX = "vertex"

    @staticmethod
    def of(name: Site | str) -> Site:
        """The site called `name`; `corner` is a vertex."""
        try:
            return Site({"corner": "vertex"}.get(name, name))
        except ValueError:
            raise Unsupported(
                f"Values sit at {', '.join(repr(site.value) for site in Site)}, but found {name!r}. Use "
                f"one of them."
            ) from None

    def staggered(self, axes: tuple[str, ...]) -> dict[str | None, tuple[str, ...]]:
        """Staggered axes by component; the key is None where there is one component only."""
        return _staggered(self.value, axes)

    def __repr__(self) -> str:
        return self.value


@lru_cache(256)
def _staggered(site: str, axes: tuple[str, ...]) -> dict[str | None, tuple[str, ...]]:
    table: dict[str, dict[str | None, tuple[str, ...]]] = {
        "center": {None: ()},
        "face": {axis: (axis,) for axis in axes},
        "edge": {axis: tuple(other for other in axes if other != axis) for axis in axes},
        "vertex": {None: axes},
    }
    return table[site]
