"""A galaxy: bodies attract each other (thesis, figure 3.5). The centre of mass must not move.

The step names no backend, number of axes or batch: `main` simulates two runs at once.
"""

import numpy as np

import phi_tensor as math
from phi_tensor import batch, channel, instance, tensor

GRAVITY = 1e-3


def step(x, v, masses, dt):
    """Positions and velocities after `dt` (semi-implicit Euler)."""
    others = math.rename_dims(x, "bodies", instance("others"))
    other_masses = math.rename_dims(masses, "bodies", instance("others"))
    difference = x - others
    pull = math.divide_no_nan(other_masses * difference, math.vec_squared(difference) ** 1.5)
    v = v - GRAVITY * math.sum(pull, "others") * dt
    return x + v * dt, v


def disc(rng, count):
    """Positions and velocities of bodies that orbit around one of mass 1 in the middle."""
    radius, angle = rng.uniform(0.3, 1, count), rng.uniform(0, 2 * np.pi, count)
    direction = np.stack([np.cos(angle), np.sin(angle)], -1)
    speed = np.sqrt(GRAVITY / radius)[:, None]
    x = np.concatenate([[[0, 0]], radius[:, None] * direction])
    v = np.concatenate([[[0, 0]], speed * direction[:, ::-1] * (-1, 1)])
    return x, v


def main(count: int = 63, steps: int = 100, dt: float = 0.1):
    """Trajectory of the bodies `(time, runs, bodies, vector)`, and drift of the centre of mass per run."""
    runs = [disc(np.random.default_rng(seed), count) for seed in (0, 1)]
    dims = batch("runs"), instance("bodies"), channel(vector="x,y")
    x, v = (tensor(np.stack([run[i] for run in runs]), *dims) for i in (0, 1))
    masses = tensor(np.array([1.0] + count * [1e-3]), instance("bodies"))
    simulate = math.jit_compile(
        lambda x, v, m: math.iterate(lambda x, v: (*step(x, v, m, dt),), batch(time=steps), x, v)
    )
    x, v = simulate(x, v, masses)

    def center(x):
        return math.sum(masses * x, "bodies") / math.sum(masses)

    expected = center(x.time[0]) + steps * dt * center(v.time[0])
    return x, math.vec_length(center(x.time[-1]) - expected)


if __name__ == "__main__":
    print("drift of the centre of mass:", main()[1])
