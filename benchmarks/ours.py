"""Our packages on the cases of `_tasks`; what is not written yet is reported, not raised."""

import importlib
from types import ModuleType

from ._harness import Build, NotAvailable
from ._tasks import tasks as tasks_of


class Ours:
    """`phi_tensor`, `phi_field`, `phi_physics`, imported when first needed."""

    @property
    def math(self) -> ModuleType:
        """PhiML's names."""
        return _imported("phi_tensor")

    @property
    def fields(self) -> ModuleType:
        """Centred and staggered grids."""
        return _imported("phi_field")

    @property
    def advect(self) -> ModuleType:
        """Advection schemes."""
        return _imported("phi_physics").advect

    def project(self, velocity: object, obstacles: object = ()) -> tuple:
        """Projection by the solver that our packages choose."""
        return _imported("phi_physics").fluid.make_incompressible(velocity, obstacles)

    @property
    def sphere(self) -> type:
        """A body."""
        return _imported("phi_geom").Sphere

    @property
    def box(self) -> type:
        """Bounds of a grid."""
        return _imported("phi_geom").Box


def tasks(backend: str) -> dict[str, Build]:
    return tasks_of(Ours(), backend)


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise NotAvailable(f"{name}: {error}") from error
