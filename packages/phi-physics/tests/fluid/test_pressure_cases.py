"""Pressure solves of a generated list, in which every pair of values of its factors occurs.

Factors: resolution (1D to 3D, sizes 1, 2, 3, odd and prime ones), what is at each side, bodies, cell sizes,
batch, flow, precision. Oracles: the divergence that is left is within what "converged" means, and the result
is that of least squares written down in NumPy (`pressure/reference.py`), as close as residual and smallest
eigenvalue allow.

NumPy takes the whole list. Backends that compile take rows in which every value occurs, and compiled
functions that are called with all bodies as masks; `PHI_ALL_PRESSURE_CASES=1` takes the whole list there.
"""

import os
import runpy
import warnings
from itertools import product
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

import phi_tensor as math
from phi_physics import fluid
from phi_physics.fluid import Obstacle

FOLDER = Path(__file__).with_name("pressure")
DESIGN, CASES, REFERENCE = (
    runpy.run_path(str(FOLDER / f"{n}.py")) for n in ("covering", "cases", "reference")
)
FACTORS, allowed, Case, Body = (CASES[name] for name in ("FACTORS", "allowed", "Case", "Body"))
ROWS = DESIGN["covering"](FACTORS, allowed, tries=6)
FEW = DESIGN["every_value"](ROWS, FACTORS)
REL_TOL = {32: 1e-5, 64: 1e-10}
"""Default tolerance, written down again: the list uses no other."""


# --- the list


def test_every_pair_occurs():
    assert DESIGN["uncovered"](ROWS, FACTORS, allowed) == set()
    assert 60 <= len(ROWS) <= 130
    assert {(name, row[name]) for row in FEW for name in row} == {(n, v) for n in FACTORS for v in FACTORS[n]}
    assert len(FEW) < 20


def test_missing_pairs_are_seen():
    factors = {"a": (1, 2), "b": (1, 2), "c": (1, 2)}
    every = [dict(zip("abc", values, strict=True)) for values in product((1, 2), repeat=3)]
    assert DESIGN["uncovered"](every[:-1], factors, lambda row: True) == set()
    assert DESIGN["uncovered"](every[:6], factors, lambda row: True) == {("a", 2, "b", 2)}
    assert len(DESIGN["covering"](factors, lambda row: True)) == 4


@pytest.mark.parametrize("row", ROWS, ids=[str(Case.of(row)) for row in ROWS])
def test_projection(row, backend):
    if row not in FEW and "jit" in backend.supports and not os.environ.get("PHI_ALL_PRESSURE_CASES"):
        pytest.skip("runs where nothing compiles, or with PHI_ALL_PRESSURE_CASES=1")
    case = Case.of(row)
    with math.precision(case.precision):
        rng = np.random.default_rng(crc32(str(case).encode()))
        faces, bodies = case.random(rng), case.solids(rng)
        found = check(case, faces, bodies)
        if case.flow == "random" and case.batch == "none":
            check_again(case, faces, bodies, found)


COMPILED = [
    Case((17,), (("inflow", "open"),), "mask", (0.125,), "none", "random", 64),
    Case((13, 7), (("closed", "closed"), ("inflow", "closed")), "mask", (1.0, 0.01), "none", "smooth", 64),
    Case(
        (5, 1, 7),
        (("open", "closed"), ("periodic",) * 2, ("closed",) * 2),
        "mask",
        (1.0, 0.5, 0.25),
        "flow",
        "random",
        32,
    ),
]


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.needs("jit")
@pytest.mark.parametrize("case", COMPILED, ids=str)
def test_compiled_projection(case, backend, rng):
    """One compiled function for all bodies; it does not know their cells and velocities."""
    compiled = math.jit_compile(
        lambda velocity, cells, speed: fluid.make_incompressible(velocity, Obstacle(cells, speed))
    )

    def run(velocity, obstacles):
        (body,) = obstacles
        speed = math.tensor(np.array(body.velocity, float), math.channel(vector=",".join(case.axes)))
        return compiled(velocity, body.geometry, speed)

    with math.precision(case.precision):
        faces = case.random(rng)
        for name in ("sphere", "wall", "pocket", "touching", "moving", "mask", "no cell", "all cells"):
            check(case, faces, [as_mask(case, case._replace(bodies=name).solids(rng))], run)


@pytest.mark.compiled
@pytest.mark.needs("jit")
def test_compiled_projection_without_bodies(backend, rng):
    sides = ("inflow", "closed"), ("periodic",) * 2, ("open", "closed")
    case = Case((5, 1, 7), sides, "none", (1.0, 0.01, 0.1), "flow", "random", 32)
    check(case, case.random(rng), [], math.jit_compile(lambda v, _: fluid.make_incompressible(v)))


def as_mask(case, bodies):
    """Bodies that move alike as one mask."""
    centers = REFERENCE["cell_centers"](case)
    inside = np.any([body.contains(0, centers) for body in bodies], 0)
    return Body("mask", inside[None], velocity=bodies[0].velocity or (0.0,) * len(case.dx))


# --- oracles


def check(case, faces, bodies, run=fluid.make_incompressible):
    """Velocity of a projection `(flow, arrangement, …)` per axis, compared with what it has to be."""
    velocity, pressure, records = projected(case, faces, bodies, run)
    limited = False
    for flow, place in product(range(case.flows), range(case.arrangements)):
        expected = REFERENCE["reference"](case, faces, bodies, flow, place)
        one, p = joined(velocity, flow, place), pressure[flow, place].ravel()
        tolerance, limit, _ = bounds(case, expected, p)
        limited = limited or limit > tolerance / 2
        check_boundaries(case, expected, one, p)
        check_divergence(case, expected, one, p)
        check_least_squares(case, expected, one, p)
        if not any(np.any(body.velocity) or np.any(body.turning) for body in bodies):
            check_energy(case, expected, one)
    for record in records:
        assert record.outcome == "converged" or (limited and record.outcome == "precision_limit"), record.msg
    assert len(records) == 1
    return velocity


def projected(case, faces, bodies, run):
    """`(velocity at all faces, pressure, records)`, arrays with flow and arrangement first."""
    with warnings.catch_warnings(), math.SolveTape() as tape:
        warnings.filterwarnings("ignore", ".*cannot remove all divergence")
        velocity, pressure = run(case.field(faces), case.obstacles(bodies))
        pressure = full(case, pressure.values)
    found = []
    for axis, name in enumerate(case.axes):
        given = faces[axis][:, None]
        whole = np.broadcast_to(given, (case.flows, case.arrangements, *given.shape[2:])).copy()
        inner = np.moveaxis(full(case, velocity.values.vector[name]), axis + 2, 0)
        np.moveaxis(whole, axis + 2, 0)[case.faces(axis)] = inner
        found.append(whole)
    return found, pressure, list(tape)


def full(case, values):
    """Array `(flow, arrangement, spatial…)`."""
    missing = math.batch(flow=case.flows, place=case.arrangements).without(values.shape.names)
    return math.expand(values, missing).numpy(["flow", "place", *case.axes])


def joined(velocity, flow, place):
    return np.concatenate([part[flow, place].ravel() for part in velocity]).astype(float)


def epsilon(case):
    return float(np.finfo(f"float{case.precision}").eps)


def bounds(case, expected, p):
    """Norms that the residual may have: `(by the tolerance, by precision, by rounding of velocities)`."""
    tolerance = REL_TOL[case.precision] * np.linalg.norm(expected.right)
    precise = 10 * epsilon(case) * expected.norm * np.linalg.norm(p)
    sizes = abs(expected.imposed) + abs(expected.gradient @ p)
    return tolerance, precise, 8 * epsilon(case) * np.linalg.norm(abs(expected.gradient).T @ sizes)


def allowed_residual(case, expected, p):
    tolerance, precise, rounding = bounds(case, expected, p)
    return max(tolerance, precise) + rounding


def largest(values):
    return np.max(np.abs(values), initial=0)


def check_boundaries(case, expected, velocity, p):
    """Faces of bodies move with them, others stay; no pressure in bodies, no mean in closed regions."""
    scale = max(largest(expected.imposed), largest(case.lengths))
    assert np.isfinite(velocity).all()
    assert largest((velocity - expected.imposed)[~expected.open]) <= 8 * epsilon(case) * scale
    assert largest(p[~expected.fluid]) == 0
    for region in range(expected.closed.max(initial=-1) + 1):
        assert abs(p[expected.closed == region].sum()) <= 64 * epsilon(case) * np.abs(p).sum()


def check_divergence(case, expected, velocity, p):
    """What is left is the mean over closed regions, which no pressure takes away."""
    left = np.where(expected.fluid, expected.gradient.T @ velocity, 0)
    assert np.linalg.norm(expected.project(left)) <= allowed_residual(case, expected, p)


def check_least_squares(case, expected, velocity, p):
    """A residual r changes velocity by up to ‖r‖/√λ, pressure by ‖r‖/λ."""
    exact, exact_p, smallest = expected.solved()
    error = allowed_residual(case, expected, p) / np.sqrt(smallest)
    rounding = 8 * epsilon(case) * np.linalg.norm(expected.imposed)
    assert np.linalg.norm(velocity - exact) <= error + rounding
    rounding = 64 * epsilon(case) * np.linalg.norm(exact_p)
    assert np.linalg.norm(p - exact_p) <= error / np.sqrt(smallest) + rounding


def check_energy(case, expected, velocity):
    """Kinetic energy grows only where sides bring some."""
    if all("inflow" not in pair for pair in case.sides):
        assert velocity @ velocity <= expected.imposed @ expected.imposed * (1 + 64 * epsilon(case))


def check_again(case, faces, bodies, velocity):
    """Projected twice is projected once."""
    once = [part[:, 0] for part in velocity]
    twice = joined(projected(case, once, bodies, fluid.make_incompressible)[0], 0, 0)
    expected = REFERENCE["reference"](case, faces, bodies, 0, 0)
    _, p, smallest = expected.solved()
    error = 2 * allowed_residual(case, expected, p) / np.sqrt(smallest)
    change = np.linalg.norm(twice - joined(velocity, 0, 0))
    assert change <= error + 8 * epsilon(case) * np.linalg.norm(expected.imposed)
