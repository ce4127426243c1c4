"""Bubbles in a periodic box push each other apart until none overlap (thesis, figure 3.6).

The energy names no backend, number of axes, batch or boundary: `main` relaxes two runs at once.
"""

import numpy as np

import phi_tensor as math
from phi_learn import adam
from phi_tensor import batch, channel, extrapolation, instance, tensor, vec


def energy(x, radii, boundary, size):
    """½ Σ overlap² over pairs; overlaps relative to the sum of radii."""
    others = math.rename_dims(x, "bubbles", instance("others"))
    other_radii = math.rename_dims(radii, "bubbles", instance("others"))
    distance = math.vec_length(boundary.shortest_distance(x, others, size), eps=1e-4) / (radii + other_radii)
    overlap = math.where((distance >= 2e-4) & (distance <= 1), 1 - distance, 0)
    return 0.5 * math.l2_loss(overlap)


def main(count: int = 12, iterations: int = 200):
    """Positions `(runs, bubbles, vector)` after the descent, and energy before and after per run [-]."""
    rng = np.random.default_rng(0)
    x = tensor(rng.uniform(0, 4, (2, count, 2)), batch("runs"), instance("bubbles"), channel(vector="x,y"))
    radii = tensor(rng.uniform(0.3, 0.5, count), instance("bubbles"))
    optimizer = adam(learning_rate=0.02)

    def energy_in_box(x):
        return energy(x, radii, extrapolation.PERIODIC, vec(x=4.0, y=4.0))

    def improve(x, memory):
        return optimizer.update(x, math.gradient(energy_in_box, get_output=False)(x), memory)

    @math.jit_compile
    def relax(x):
        return math.iterate(improve, iterations, x, optimizer.init(x))[0]

    relaxed = relax(x)
    return relaxed, energy_in_box(x), energy_in_box(relaxed)


if __name__ == "__main__":
    _, before, after = main()
    print("energy before:", before, "after:", after)
