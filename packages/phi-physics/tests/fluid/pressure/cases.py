"""Pressure solves to test: boundaries, bodies, resolutions, cell sizes, batches, flows, precisions."""

from typing import Any, NamedTuple

import numpy as np

import phi_tensor as math
from phi_field import CenteredGrid, Field, StaggeredGrid
from phi_geom import Box, Sphere
from phi_physics.fluid import Obstacle
from phi_tensor.extrapolation import PERIODIC, ZERO_GRADIENT, combine_sides

AXES = ("x", "y", "z")
SIDES = ("closed", "open", "inflow", "periodic")
INFLOW = (0.75, -0.5)
"""Velocity at lower and upper sides with inflow."""
OUTSIDE: dict[str, Any] = {"closed": 0, "open": ZERO_GRADIENT, "periodic": PERIODIC}

FACTORS: dict[str, tuple[Any, ...]] = {
    "resolution": (
        (1,),
        (17,),
        (2, 1),
        (3, 2),
        (13, 7),
        (23, 17),
        (1, 3, 2),
        (5, 1, 7),
        (6, 7, 5),
    ),
    "x_lower": SIDES,
    "x_upper": SIDES,
    "y_lower": (*SIDES, None),
    "y_upper": (*SIDES, None),
    "z_lower": (*SIDES, None),
    "z_upper": (*SIDES, None),
    "bodies": (
        "none",
        "sphere",
        "box",
        "wall",
        "pocket",
        "several",
        "touching",
        "moving",
        "turning",
        "mask",
        "no cell",
        "all cells",
    ),
    "dx": ((1.0, 1.0, 1.0), (0.125, 0.375, 0.25), (1.0, 0.01, 0.1), (0.02, 2.0, 0.5)),
    "batch": ("none", "flow", "bodies", "both"),
    "flow": ("random", "smooth", "rest"),
    "precision": (64, 32),
}


def allowed(row: dict[str, Any]) -> bool:
    """Whether factors fit each other, as far as they are chosen."""
    resolution = row.get("resolution")
    for number, axis in enumerate(AXES):
        lower, upper = (row.get(f"{axis}_{side}", "?") for side in ("lower", "upper"))
        if "?" not in (lower, upper) and any((lower == x) != (upper == x) for x in ("periodic", None)):
            return False
        given = [x for x in (lower, upper) if x != "?"]
        if resolution is not None and any((number >= len(resolution)) != (x is None) for x in given):
            return False
    flat = None in (row.get("y_lower", ""), row.get("y_upper", "")) or len(resolution or "2D") == 1
    if flat and (row.get("z_lower") or row.get("z_upper") or row.get("bodies") == "turning"):
        return False  # nothing turns on a line
    return not (row.get("bodies") == "none" and row.get("batch") in ("bodies", "both"))


class Body(NamedTuple):
    """Ball, block or mask, with one entry per body of the batch.

    Attributes:
        kind: `ball`, `block` or `mask`.
        first: Center, lower corner `(batch, vector)`, or mask `(batch, spatial…)`.
        second: Radius, or upper corner `(batch, vector)`.
        velocity: Of its center `(vector)`.
        turning: Angular velocity, number in 2D, `(vector)` in 3D.
    """

    kind: str
    first: np.ndarray
    second: Any = None
    velocity: tuple[float, ...] = ()
    turning: Any = 0

    def contains(self, number: int, points: np.ndarray) -> np.ndarray:
        """Whether the points `(…, vector)` are inside of body `number`."""
        first = self.first[min(number, len(self.first) - 1)]
        if self.kind == "mask":
            return first
        if self.kind == "ball":
            return np.sum((points - first) ** 2, -1) <= self.second**2
        second = self.second[min(number, len(self.first) - 1)]
        return np.all((points >= first) & (points <= second), -1)

    def velocity_at(self, number: int, points: np.ndarray) -> np.ndarray:
        """Velocity v + ω × (x − c) at points `(…, vector)`."""
        result = points * 0 + np.asarray(self.velocity or 0.0)
        if not np.any(self.turning):
            return result
        first = self.first[min(number, len(self.first) - 1)]
        center = first if self.kind == "ball" else (first + self.second[min(number, len(self.first) - 1)]) / 2
        if points.shape[-1] == 3:
            return result + np.cross(self.turning, points - center)
        return result + self.turning * np.stack([center[1] - points[..., 1], points[..., 0] - center[0]], -1)


class Case(NamedTuple):
    """One projection."""

    resolution: tuple[int, ...]
    sides: tuple[tuple[str, str], ...]
    bodies: str
    dx: tuple[float, ...]
    batch: str
    flow: str
    precision: int

    @staticmethod
    def of(row: dict[str, Any]) -> "Case":
        """Case of a row of the design."""
        resolution = row["resolution"]
        sides = tuple((row[f"{a}_lower"], row[f"{a}_upper"]) for a in AXES[: len(resolution)])
        dx = row["dx"][: len(resolution)]
        return Case(resolution, sides, row["bodies"], dx, row["batch"], row["flow"], row["precision"])

    def __str__(self) -> str:
        sizes = "x".join(map(str, self.resolution))
        sides = ",".join(a if a == b else f"{a}/{b}" for a, b in self.sides)
        return f"{sizes}-{sides}-{self.bodies}-dx{self.dx}-{self.batch}-{self.flow}-{self.precision}"

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the axes."""
        return AXES[: len(self.resolution)]

    @property
    def flows(self) -> int:
        """Number of velocities."""
        return 2 if self.batch in ("flow", "both") else 1

    @property
    def arrangements(self) -> int:
        """Number of arrangements of the bodies."""
        return 2 if self.batch in ("bodies", "both") else 1

    @property
    def lengths(self) -> np.ndarray:
        """Of the box."""
        return np.array(self.resolution) * np.array(self.dx)

    def faces(self, axis: int) -> slice:
        """Faces normal to an axis at which the velocity is unknown, of n + 1 (periodic: n)."""
        lower, upper = self.sides[axis]
        first = 0 if lower in ("open", "periodic") else 1
        return slice(first, self.resolution[axis] + (upper == "open"))

    def random(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Normal velocity at all faces `(flow, …)` per axis; sides have theirs."""
        found = []
        for axis, (lower, upper) in enumerate(self.sides):
            more = lower != "periodic"
            sizes = tuple(n + (a == axis) * more for a, n in enumerate(self.resolution))
            values = np.zeros((self.flows, *sizes))
            if self.flow == "random":
                values = rng.normal(size=values.shape)
            if self.flow == "smooth":
                turns = [0.6 + 0.4 * a for a in range(len(sizes))] / np.array(self.resolution)
                start = axis + np.arange(self.flows).reshape(-1, *[1] * len(sizes))
                values = np.sin(3 * np.tensordot(turns, np.indices(sizes), 1) + start)
            values = values.astype(np.float32).astype(np.float64)  # exact in 32 bit, too
            ends = np.moveaxis(values, axis + 1, 0)
            for end, kind, speed in ((0, lower, INFLOW[0]), (-1, upper, INFLOW[1])):
                if kind in ("closed", "inflow"):
                    ends[end] = speed if kind == "inflow" else 0
            found.append(values)
        return found

    def field(self, faces: list[np.ndarray]) -> Field:
        """Velocity at faces."""
        rules = {
            axis: PERIODIC
            if lower == "periodic"
            else (OUTSIDE.get(lower, INFLOW[0]), OUTSIDE.get(upper, INFLOW[1]))
            for axis, (lower, upper) in zip(self.axes, self.sides, strict=True)
        }
        empty = StaggeredGrid(0, combine_sides(**rules), self.bounds, **self.sizes)
        parts = {}
        for axis, name in enumerate(self.axes):
            stored = np.moveaxis(np.moveaxis(faces[axis], axis + 1, 0)[self.faces(axis)], 0, axis + 1)
            dims = math.batch("flow"), *(math.spatial(a) for a in self.axes)
            parts[name] = math.tensor(stored, *dims)
            parts[name] = parts[name] if self.flows > 1 else parts[name].flow[0]
        return empty.with_values(math.stack(parts, math.channel("vector")))

    @property
    def sizes(self) -> dict[str, int]:
        """Resolution by axis."""
        return dict(zip(self.axes, self.resolution, strict=True))

    @property
    def bounds(self) -> Box:
        """The domain."""
        return Box(**dict(zip(self.axes, self.lengths.tolist(), strict=True)))

    def solids(self, rng: np.random.Generator) -> list[Body]:
        """The bodies."""
        return BODIES[self.bodies](self, rng)

    def obstacles(self, bodies: list[Body]) -> list[Obstacle]:
        """The bodies as `make_incompressible` takes them."""
        return [self._obstacle(body) for body in bodies]

    def _obstacle(self, body: Body) -> Obstacle:
        names = ",".join(self.axes)

        def vectors(x: np.ndarray) -> Any:
            x = x if len(x) == self.arrangements else np.repeat(x, self.arrangements, 0)
            found = math.wrap(x, math.batch("place"), math.channel(vector=names))
            return found if self.arrangements > 1 else found.place[0]

        turning = body.turning
        if np.ndim(turning):
            turning = math.wrap(np.array(turning), math.channel(vector=names))
        if body.kind == "mask":
            values = math.wrap(
                body.first.astype(float), math.batch("place"), *(math.spatial(a) for a in self.axes)
            )
            values = values if self.arrangements > 1 else values.place[0]
            return Obstacle(CenteredGrid(values, 0, self.bounds, **self.sizes), body.velocity or 0)
        if body.kind == "ball":
            geometry = Sphere(vectors(body.first), radius=body.second)
        else:
            geometry = Box(vectors(body.first), vectors(body.second))
        return Obstacle(geometry, body.velocity or 0, turning)


# --- bodies, by fractions of the box that no cell center has


def _placed(case: Case, fraction: Any) -> np.ndarray:
    """Position `(arrangement, vector)`; those of a batch are apart by some cells."""
    moved = 1.37 * np.arange(case.arrangements)[:, None] * np.array(case.dx)
    return np.broadcast_to(np.asarray(fraction) * case.lengths + moved, (case.arrangements, len(case.dx)))


def _block(case: Case, lower: Any, upper: Any, **motion: Any) -> Body:
    return Body("block", _placed(case, lower), _placed(case, upper), **motion)


def _ball(case: Case, center: float = 0.4321, part: float = 0.3123, **motion: Any) -> Body:
    return Body(
        "ball", _placed(case, center), part * float(np.prod(case.lengths)) ** (1 / len(case.dx)), **motion
    )


def _speed(case: Case) -> tuple[float, ...]:
    return (0.5, -0.25, 1.0)[: len(case.dx)]


def _wall(case: Case, rng: np.random.Generator) -> list[Body]:
    """One cell thick, across a part of the box."""
    cell = case.resolution[0] // 2
    thick = np.array([cell, cell + 1]) / case.resolution[0]
    others = len(case.dx) - 1
    return [_block(case, [thick[0], *[-1] * others], [thick[1], *[0.7234] * others])]


def _pocket(case: Case, rng: np.random.Generator) -> list[Body]:
    """Walls around a part of the box."""
    inner, outer = np.array([0.3211, 0.7432]), np.array([0.1123, 0.9234])
    walls = []
    for axis in range(len(case.dx)):
        for a, b in ((outer[0], inner[0]), (inner[1], outer[1])):
            lower, upper = np.full(len(case.dx), outer[0]), np.full(len(case.dx), outer[1])
            lower[axis], upper[axis] = a, b
            walls.append(_block(case, lower, upper))
    return walls


def _mask(case: Case, rng: np.random.Generator, part: float = 0.35) -> list[Body]:
    return [Body("mask", rng.uniform(size=(case.arrangements, *case.resolution)) < part)]


def _turning(case: Case, rng: np.random.Generator) -> list[Body]:
    turning = 0.75 if len(case.dx) == 2 else (0.5, -0.25, 1.0)
    return [
        _block(case, 0.2345, 0.5432, velocity=_speed(case), turning=turning),
        _ball(case, 0.7123, 0.2, turning=turning),
    ]


BODIES: dict[str, Any] = {
    "none": lambda case, rng: [],
    "sphere": lambda case, rng: [_ball(case)],
    "box": lambda case, rng: [_block(case, 0.2345, 0.6123)],
    "wall": _wall,
    "pocket": _pocket,
    "several": lambda case, rng: [_ball(case), _block(case, 0.4123, 0.5987), _ball(case, 0.8123, 0.1123)],
    "touching": lambda case, rng: [_block(case, -1.5, 0.3512)],
    "moving": lambda case, rng: [_block(case, 0.2345, 0.6123, velocity=_speed(case))],
    "turning": _turning,
    "mask": _mask,
    "no cell": lambda case, rng: _mask(case, rng, -1),
    "all cells": lambda case, rng: [_block(case, -9, 9)],
}
