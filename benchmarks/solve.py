"""Linear systems: budgets of the solver against hand-written native code, pyamg and PhiFlow.

Times, and rows that count: iterations, arrays of memory, first calls. What follows from several rows (how
time grows with size, how long compiling takes) is made by `derived`. Eager on NumPy, jitted elsewhere; 32 bit
where a row does not say 64 (iterations of eager solves on NumPy: 64), with the tolerances of `Solve()`.
"""

import importlib
import os
import tempfile
from collections.abc import Iterator
from functools import cache

import numpy as np

from . import _solve_tasks as tasks
from ._harness import Budget, Build, Case
from .native import amg, around_jax, around_numpy
from .ours import Ours
from .peers import Peers

BACKENDS = ("numpy", "torch", "jax", "tensorflow")

Grid = tuple[int, int]
"""Cells per axis, number of axes."""

BOXES: list[Grid] = [(128, 2), (256, 2), (512, 2), (1024, 2), (32, 3), (64, 3), (128, 3)]
ALL: list[Grid] = [(64, 2), (128, 2), (256, 2), (512, 2), (1024, 2), (2048, 2), (32, 3), (64, 3), (128, 3)]
SOME: list[Grid] = [(64, 2), (256, 2), (1024, 2), (32, 3), (64, 3)]
COMPARED: Grid = (512, 2)
TIMED: dict[str, list[Grid]] = {
    "numpy": ALL,
    "jax": [(256, 2), (512, 2), (1024, 2), (2048, 2), (32, 3), (64, 3), (128, 3)],
    "torch": [(512, 2), (64, 3)],  # each compiles for minutes
    "tensorflow": [],
}
LARGE: list[Grid] = [(1414, 2), (126, 3)]
"""2e6 unknowns."""
PATIENCE = 30
"""Seconds for PhiFlow per case."""

THICK, THIN, MULTIGRID, JUMPS = (Budget(most=n) for n in (10, 40, 20, 30))
"""Iterations: bodies at least 4 cells thick; walls, mazes, pockets; multigrid by itself; coefficients."""


def named(what: str, grid: Grid) -> str:
    return f"{what} {grid[1]}D {grid[0]}"


def cases(backend: str) -> list[Case]:
    """All cases of `backend`; what torch compiled in earlier runs is not used again."""
    if backend == "torch":
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = tempfile.mkdtemp(prefix="benchmarks-")
    found = [*boxes(backend), *around_bodies(backend), *compared(backend), *alone(backend)]
    return [*found, *derivatives(backend), *memory(backend), *tracing(backend), *large(backend)]


def boxes(backend: str) -> Iterator[Case]:
    """Direct solution of the Laplacian without obstacles."""
    if backend == "tensorflow":
        return
    native = importlib.import_module(f"{__package__}.native.box_{backend}").box
    for boundary in ("closed", "periodic", "mixed"):
        for grid in BOXES:
            variants = {m: native(m, *grid, boundary) for m in ("matrices", "transform")}
            ours = tasks.box(backend, *grid, boundary)
            yield Case(named(f"box {boundary}", grid), Budget(1.5), variants, None, ours, "us")


def transform_cg(backend: str, grid: Grid, bits: int = 32) -> dict[str, Build]:
    """Hand-written CG with the box's transform, in the library of `backend`, around a sphere."""
    if backend == "numpy":
        return {m: around_numpy.by_transform_cg(m, "sphere", *grid, bits) for m in ("matrices", "transform")}
    if backend == "jax":
        return {m: around_jax.by_cg(m, "sphere", *grid, bits) for m in ("matrices", "transform")}
    return {}


@cache
def sphere(backend: str, grid: Grid, bits: int = 32) -> Build:
    """Our projection around a sphere, compiled once for all rows."""
    return cache(tasks.projection(Ours(), backend, "sphere", *grid, bits))


def around_bodies(backend: str) -> Iterator[Case]:
    """Projections around bodies: times; on NumPy iterations in 64 bit, which no backend changes."""
    for grid in TIMED[backend]:
        budget = Budget(1.3) if grid == COMPARED and backend in ("numpy", "jax") else None
        peer = None
        if grid in ((64, 2), (128, 2), COMPARED):
            peer = tasks.projection(Peers(), backend, "sphere", *grid)
        ours, native = sphere(backend, grid), transform_cg(backend, grid)
        yield Case(named("sphere", grid), budget, native, peer, ours, "ms", patience=PATIENCE)
    if backend != "numpy":
        return
    for body in ("box", "walls", "maze", "pocket"):
        native = {"transform": around_numpy.by_transform_cg("transform", body, 256, 2)}
        yield Case(
            f"{body} 2D 256", None, native, None, tasks.projection(Ours(), backend, body, 256, 2), "ms"
        )
    for body, budget, grids in (
        ("sphere", THICK, ALL),
        ("box", THICK, ALL),
        *((body, THIN, SOME) for body in ("walls", "maze", "pocket")),
    ):
        for grid in grids:
            yield counted(f"iterations {body}", grid, budget, tasks.iterations(backend, body, *grid))


def counted(what: str, grid: Grid, budget: Budget | None, build: Build, unit: str = "iterations") -> Case:
    """A row without native counterpart."""
    return Case(named(what, grid), budget, {}, None, build, unit)


def compared(backend: str) -> Iterator[Case]:
    """A sphere at 512² in 64 bit against what others would write or call."""
    if backend == "tensorflow":
        return
    others: dict[str, tuple[Budget, dict[str, Build]]] = {
        "transform CG": (Budget(1.3), transform_cg(backend, COMPARED, 64)),
        "JAX CG": (Budget(1 / 5), {"CG": around_jax.by_cg(None, "sphere", *COMPARED, 64)}),
        "pyamg": (Budget(1 / 5), {"Ruge-Stüben": amg.ruge_stuben("sphere", *COMPARED)}),
    }
    for name, (budget, native) in others.items():
        ours = sphere(backend, COMPARED, 64)
        if native and (backend != "torch" or name == "pyamg"):
            yield Case(f"sphere 2D 512, 64 bit, {name}", budget, native, None, ours, "ms")


def alone(backend: str) -> Iterator[Case]:
    """Multigrid without transform: coefficients vary smoothly, or jump by 1e4."""
    if backend in ("jax", "torch"):
        traced = tasks.traced_iterations(backend, "smooth", 128, 2)
        yield counted("iterations traced coefficients", (128, 2), MULTIGRID, traced)
    for grid in {"jax": [(128, 2), (2048, 2), (64, 3)], "torch": [(128, 2)]}.get(backend, []):
        yield Case(named("multigrid", grid), None, {}, None, tasks.multigrid(backend, "smooth", *grid), "ms")
    if backend != "numpy":
        return
    for grid in ALL:
        build = tasks.multigrid_iterations(backend, "smooth", *grid)
        yield counted("iterations multigrid", grid, MULTIGRID, build)
    for kind in ("disc", "inverse disc", "lognormal"):
        for grid in SOME:
            build = tasks.multigrid_iterations(backend, kind, *grid)
            yield counted(f"iterations {kind}", grid, JUMPS, build)
    for grid in (COMPARED, (64, 3)):
        native = {"solve": tasks.stencil_solve(backend, *grid)}
        yield Case(
            named("multigrid set-up", grid), Budget(5), native, None, tasks.set_up(backend, *grid), "ms"
        )


def derivatives(backend: str) -> Iterator[Case]:
    """Value and gradient against the value alone."""
    rows: list[tuple[str, str, Grid]] = [
        ("box", "closed", (512, 2)),
        ("sphere", "sphere", (128, 2)),
        ("coefficients", "smooth", (128, 2)),
    ]
    if backend in ("jax", "torch"):
        for what, kind, grid in rows:
            value, both = (tasks.derivative(backend, kind, *grid, value_only=v) for v in (True, False))
            yield Case(named(f"gradient {what}", grid), Budget(2.5), {"value": value}, None, both, "ms")


def memory(backend: str) -> Iterator[Case]:
    """Most memory of a call, in arrays of the size of the unknown, beyond the coefficients."""
    measured = {"numpy": tasks.peak, "torch": tasks.torch_peak}.get(backend)
    if measured is None:
        return
    for grid in ((512, 2), (64, 3)):
        n, rank = grid
        ours = {
            "box": (tasks.box(backend, n, rank, "closed"), 0),
            "sphere": (sphere(backend, grid), 1 + 2 * rank),
        }
        if backend == "numpy":
            ours["multigrid"] = (tasks.multigrid(backend, "smooth", n, rank), 1 + 2 * rank)
        for name, (build, less) in ours.items():
            if backend == "numpy" or rank == 2:
                row = measured(build, n**rank, less)
                yield counted(f"memory {name}", grid, Budget(most=12), row, "arrays")


def tracing(backend: str) -> Iterator[Case]:
    """Matrices of Laplacians against their assembly by SciPy."""
    if backend != "numpy":
        return
    for grid in ((1024, 2), (128, 3)):
        native = {"kronsum": tasks.assembly_task(*grid)}
        yield Case(named("tracing", grid), Budget(3), native, None, tasks.trace(*grid), "ms")
        yield counted("tracing memory", grid, Budget(most=10), tasks.trace_bytes(*grid), "of CSR")


def large(backend: str) -> Iterator[Case]:
    """2e6 unknowns around a sphere."""
    shared = tasks.Large()
    for grid in LARGE:
        native = transform_cg(backend, grid)
        yield Case(named("2e6 sphere", grid), None, native, None, shared.time(backend, *grid), "ms")
        yield counted("2e6 iterations", grid, THICK, shared.iterations(backend, *grid))
        yield counted("2e6 divergence", grid, None, shared.residual(backend, *grid), "of b")
        yield counted("2e6 divergence", grid, Budget(most=1), shared.of_bound(backend, *grid), "of bound")


# --- what follows from several rows

GROWTH = Budget(most=1.1)
COMPILING = Budget(most=5)
FITTED = {2: [256, 512, 1024, 2048], 3: [32, 64, 128]}
"""Cells per axis where time is fitted: smaller ones measure the calls."""


def derived(rows: list[dict]) -> list[dict]:
    """How time grows with the number of cells, and first calls of compiled code, of one backend."""
    by_name = {row["case"]: row for row in rows if row["ours"]}
    found = []
    for rank, sizes in FITTED.items():
        known = [
            (n**rank, by_name[name]["ours"]) for n in sizes if (name := f"sphere {rank}D {n}") in by_name
        ]
        if len(known) == len(sizes):
            cells, times = np.log(np.array(known)).T
            found.append(made_up(rows, f"growth sphere {rank}D", np.polyfit(cells, times, 1)[0], GROWTH, ""))
    for name, row in by_name.items():
        if "," in name:  # measured with what another row compiled
            continue
        if row["backend"] != "numpy" and name.startswith(("sphere", "multigrid", "2e6 sphere")):
            bound = COMPILING if name.startswith("multigrid") else None
            found.append(made_up(rows, f"first call {name}", row["first"]["ours"], bound, "s"))
    return found


def made_up(rows: list[dict], name: str, value: float, budget: Budget | None, unit: str) -> dict:
    """Row of a number that follows from others."""
    status = "ok" if budget is None or value <= (budget.most or 0) else "over"
    return {
        **dict.fromkeys(("native", "reference", "peer")),
        "variants": {},
        "first": {},
        "backend": rows[0]["backend"],
        "case": name,
        "unit": unit,
        "tolerance": 0.0,
        "budget": str(budget) if budget else "-",
        "no native": "–",
        "ours": float(value),
        "peer reason": "",
        "ours reason": "",
        "status": status,
    }
