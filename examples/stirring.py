"""Smoke stirred by forces, and the descent to forces under which the smoke forms a target.

The box has sides of length 1, the flow takes a time of 1, and one force acts in each step. What is optimised
are the cosine modes of the forces, long waves weighted higher: large motions are found first, details later.
Nothing here depends on the backend or the number of axes.
"""

from math import cos, pi

import numpy as np

import phi_tensor as math
from phi_field import CenteredGrid, Field, StaggeredGrid
from phi_geom import Box
from phi_learn import adam
from phi_physics import advect, fluid
from phi_tensor import Tensor, channel, instance, spatial

RATE = 0.1
"""Step size of the descent at its start [length/time²]."""

FIRST = 0.1
"""Standard deviation of the first modes [length/time²]. Not 0, where interpolation has a kink."""

EPSILON = 3e-5
"""Smallest slope that counts [time²/length]: Adam would turn the rounding of smaller ones into full steps."""

BLURS = 0, 1 / 32, 1 / 16, 1 / 8
"""Radii at which smoke and target are compared [length]. The large ones pull smoke from afar."""


def step(smoke: Field, velocity: Field, time: Tensor, forces: Tensor, dt: float):
    """State after `dt`: the air moves itself and the smoke, is stirred, and stays incompressible."""
    moments = dt * math.arange(forces.shape["moment"])
    now = math.where(abs(moments - time) < dt / 2, 1.0, 0.0)
    force = smoke.with_values(math.dot(forces, "moment", now, "moment"))
    velocity = advect.semi_lagrangian(velocity, velocity, dt) + dt * force.at(velocity)
    velocity, _ = fluid.make_incompressible(velocity)
    return advect.mac_cormack(smoke, velocity, dt), velocity, time + dt


def flow(smoke: Field, modes: Tensor, steps):
    """Smoke after `steps`, or all its states if `steps` is a dim."""
    count = steps if isinstance(steps, int) else steps.size
    still = StaggeredGrid(0.0, 0, smoke.bounds, smoke.resolution)
    state = smoke, still, math.tensor(0.0)
    return math.iterate(step, steps, *state, forces=forces_of(modes), dt=1 / count)[0]


def forces_of(modes: Tensor) -> Tensor:
    """Forces at cell centers `(moment, spatial…, vector)` that consist of cosine waves [length/time²]."""
    amplitude = modes / (1 + squared_wave_number(modes)) ** 0.75  # smoother motions than a power of 0.5
    return math.idct(amplitude * modes.shape.spatial.volume**0.5, orthonormal=True)


def squared_wave_number(values: Tensor) -> Tensor:
    """Half waves per side of the box, squared, of each cosine mode `(spatial…)`."""
    return sum(math.to_float(math.arange(dim)) ** 2 for dim in values.shape.spatial)


def mismatch(modes: Tensor, smoke: Field, target: Field, steps: int):
    """`(loss, smoke at the end)`: relative mean square difference of blurred smoke and target."""
    final = flow(smoke, modes, steps)
    spectrum = math.dct(final.values - target.values, orthonormal=True)
    k2 = squared_wave_number(spectrum)
    weight = sum(math.exp(-k2 * (pi * radius) ** 2) for radius in BLURS) / len(BLURS)
    return math.sum(weight * spectrum**2) / math.sum(target.values**2), final


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """Normalised correlation Σ(a−ā)(b−b̄) / √(Σ(a−ā)² Σ(b−b̄)²): 1 for pictures equal up to contrast [-]."""
    a, b = a - math.mean(a), b - math.mean(b)
    return math.sum(a * b) / math.sqrt(math.sum(a**2) * math.sum(b**2))


class Descent:
    """Adam on the modes of the forces, one compiled function per iteration.

    Attributes:
        state: `(modes, state of Adam)` after the last iteration.
    """

    def __init__(self, smoke: Field, target: Field, steps: int, seed: int = 0) -> None:
        axes = smoke.bounds.axes
        shape = instance(moment=steps) & smoke.resolution & channel(vector=axes)
        noise = np.random.default_rng(seed).normal(0, FIRST, shape.sizes)
        modes = math.tensor(noise, *shape)
        optimizer = adam()
        self.state = modes, optimizer.init(modes)

        def improve(state, rate):
            modes, memory = state
            (loss, final), slope = math.gradient(mismatch)(modes, smoke, target, steps)
            optimizer = adam(rate, betas=(0.9, 0.99), epsilon=EPSILON)
            # The slope of log(loss), whose scale stays the same; 0 where the loss is.
            state = optimizer.update(modes, math.divide_no_nan(slope, loss), memory)
            return state, loss, correlation(final.values, target.values)

        self._improve = math.jit_compile(improve)

    def iterate(self, done: float) -> tuple[float, float]:
        """One iteration: `(loss, correlation)` before it. `done` is the finished part of the descent [-]."""
        rate = RATE * (0.05 + 0.95 * (1 + cos(pi * done)) / 2)
        self.state, loss, similarity = self._improve(self.state, rate)
        return float(loss), float(similarity)


def smoke_of(density: np.ndarray, axes: str) -> Field:
    """Smoke in a closed box of sides 1."""
    values = math.tensor(density, spatial(axes))
    return CenteredGrid(values, 0, Box(**dict.fromkeys(values.shape.names, 1.0)))
