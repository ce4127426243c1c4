"""The rows of ARCHITECTURE section 8 that the foundation touches: names, budgets and units.

Native, peer and our tasks are looked up by the same name.
"""

from . import imports, native, ours, peers
from ._harness import Budget, Case
from .native import data

BACKENDS = ("numpy", "torch", "jax", "tensorflow")

ARITHMETIC = {
    "numpy": (3, 2.5, 2),
    "torch": (2, 2, 2),
    "jax": (1.3, 1.3, 1.5),
    "tensorflow": (None, None, None),
}
GALAXY = {"jax": 1 / 3, "torch": 1.05, "tensorflow": 1.05}


def budgets(backend: str) -> dict[str, tuple[Budget | None, str]]:
    """Case name → budget and unit; None where section 8 names no budget and the row only informs."""
    same, absent, total = (Budget(factor) if factor else None for factor in ARITHMETIC[backend])
    rows = {
        "add same dims": (same, "us"),
        "add missing dim": (absent, "us"),
        "add transposed dim": (absent, "us"),
        "sum one dim": (total, "us"),
    }
    if backend == "numpy":
        return rows | {
            "slice range": (Budget(extra=3), "us"),
            "slice component": (Budget(extra=3), "us"),
            "stack": (Budget(extra=3), "us"),
            "concat": (Budget(extra=5), "us"),
            "gradient periodic": (Budget(4), "us"),
            "gradient zero-gradient": (Budget(4), "us"),
            "sampling 64": (Budget(1.5), "us"),
            **{f"pressure {b} {n}": (None, "us") for b in ("closed", "periodic") for n in data.SIZES},
            "smoke step 64": (Budget(4), "us"),
            "import after numpy": (Budget(extra=60_000), "ms"),
        }
    return rows | {
        "jit call": (Budget(1, 10), "us"),
        **{f"pressure {b} {n}": (Budget(1.5), "us") for b in ("closed", "periodic") for n in data.SIZES},
        **{f"smoke step {n}": (Budget(1.1), "us") for n in data.SIZES},
        "smoke gradient": (Budget(1.2), "ms"),
        "galaxy": (Budget(GALAXY[backend]), "ms"),
    }


def cases(backend: str) -> list[Case]:
    """All cases of `backend`."""
    natives, peer, our = native.tasks(backend), peers.tasks(backend), ours.tasks(backend)
    if backend == "numpy":
        natives["import after numpy"] = {"numpy": imports.NATIVE}
        peer["import after numpy"], our["import after numpy"] = imports.PEER, imports.OURS
    return [
        Case(name, budget, natives[name], peer.get(name), our.get(name), unit, tolerance(name))
        for name, (budget, unit) in budgets(backend).items()
    ]


def tolerance(name: str) -> float:
    """Largest accepted difference to native in 32 bit: steps amplify rounding, solves lose digits."""
    return {"smoke gradient": 1e-2}.get(
        name, 1e-3 if name.startswith(("pressure", "smoke", "galaxy")) else 1e-5
    )
