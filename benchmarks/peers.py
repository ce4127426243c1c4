"""PhiML and PhiFlow on the cases of `_tasks`, if they are installed."""

import importlib
import warnings
from types import ModuleType, SimpleNamespace

from ._harness import Build, NotAvailable
from ._tasks import tasks as tasks_of


class Peers:
    """PhiML as `math`, PhiFlow for fields and physics."""

    @property
    def math(self) -> SimpleNamespace:
        """PhiML's names."""
        math = _imported("phiml.math")
        names = {name: getattr(math, name) for name in dir(math)}
        names.setdefault("divide_no_nan", math.safe_div)
        names["vec_squared"] = math.squared_norm if hasattr(math, "squared_norm") else math.vec_squared
        return SimpleNamespace(**names)

    @property
    def fields(self) -> ModuleType:
        """Centred and staggered grids."""
        return _imported("phi.field")

    @property
    def advect(self) -> ModuleType:
        """Advection schemes."""
        return _imported("phi.physics.advect")

    def project(self, velocity: object, obstacles: object = ()) -> tuple:
        """Projection by conjugate gradients: by default PhiFlow 3.4 fails in 32 bit from 64² on."""
        fluid, math = _imported("phi.physics.fluid"), _imported("phiml.math")
        solve = math.Solve("CG", 1e-5, 0, max_iterations=5000)
        return fluid.make_incompressible(velocity, obstacles, solve=solve)

    @property
    def sphere(self) -> type:
        """A body."""
        return _imported("phi.geom").Sphere

    @property
    def box(self) -> type:
        """Bounds of a grid."""
        return _imported("phi.geom").Box


def tasks(backend: str) -> dict[str, Build]:
    warnings.filterwarnings("ignore", module=r"phi(ml)?\b")
    return tasks_of(Peers(), backend)


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise NotAvailable("peer not installed") from error
