"""The listings of figures 3.5 and 3.6 of the thesis, imports changed, and table 3.1.

Porting them changes no simulation line.
"""

import inspect

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import batch, channel, extrapolation, instance, tensor, vec
from phi_tensor.testing import assert_close

GRAVITY = 0.1
MASSES = None  # set by the scripts below; the step takes them from outside, as the thesis does


def galaxy_step(x, v, dt):
    others = math.rename_dims(x, "bodies", instance("others"))
    other_masses = math.rename_dims(MASSES, "bodies", instance("others"))
    difference = x - others
    pull = math.divide_no_nan(other_masses * difference, math.vec_squared(difference) ** 1.5)
    a = -GRAVITY * math.sum(pull, "others")
    return x + v * dt, v + a * dt


def bubble_energy(x, radii, boundary, size):
    others = math.rename_dims(x, "bubbles", instance("others"))
    other_radii = math.rename_dims(radii, "bubbles", instance("others"))
    distance = math.vec_length(boundary.shortest_distance(x, others, size), eps=1e-4) / (radii + other_radii)
    overlap = math.where((distance >= 2e-4) & (distance <= 1), 1 - distance, 0)
    return 0.5 * math.l2_loss(overlap)


def galaxy_by_hand(x, v, m, dt):
    difference = x[:, None] - x[None]
    squared = (difference**2).sum(-1)
    with np.errstate(all="ignore"):
        pull = np.where(squared[..., None] > 0, m[None, :, None] * difference / squared[..., None] ** 1.5, 0)
    return x + v * dt, v - GRAVITY * pull.sum(1) * dt


def bubbles_by_hand(x, radii, size, periodic):
    difference = x[None] - x[:, None]
    if periodic:
        difference = (difference + size / 2) % size - size / 2
    distance = np.maximum(np.sqrt((difference**2).sum(-1)), 1e-4) / (radii[:, None] + radii[None])
    overlap = np.where((distance >= 2e-4) & (distance <= 1), 1 - distance, 0)
    return 0.5 * 0.5 * (overlap**2).sum()


def bodies(rng, axes, count=5):
    return (
        rng.uniform(-1, 1, (count, len(axes))),
        rng.uniform(-1, 1, (count, len(axes))),
        rng.uniform(0.5, 1, count),
    )


CELLS = {
    "2D": {"axes": "xy"},
    "3D": {"axes": "xyz"},
    "device": {"axes": "xy", "device": "CPU"},
    "batch": {"axes": "xy", "runs": 2},
    "precision": {"axes": "xy", "bits": 64},
    "jit": {"axes": "xy", "compile": True},
}


NAMES_OF_CELLS = (
    "torch",
    "jax",
    "tensorflow",
    "numpy",
    "CPU",
    "GPU",
    "runs",
    "batch",
    "'x'",
    '"x"',
    "x,y",
    "precision",
    "float",
    "PERIODIC",
    "jit",
)


@pytest.mark.parametrize("simulation", [galaxy_step, bubble_energy])
def test_simulation_names_nothing_that_a_port_changes(simulation):
    source = inspect.getsource(simulation)
    assert [name for name in NAMES_OF_CELLS if name in source] == []


@pytest.mark.parametrize("cell", CELLS)
def test_galaxy_runs_unchanged_in_every_cell(cell, backend, rng, monkeypatch):
    setting = {"runs": 1, "bits": 32, "compile": False, "device": None, **CELLS[cell]}
    vector = channel(vector=",".join(setting["axes"]))
    runs = [bodies(rng, setting["axes"]) for _ in range(setting["runs"])]
    with math.precision(setting["bits"]):
        x, v = (
            math.stack([tensor(run[i], instance("bodies"), vector) for run in runs], batch("runs"))
            for i in (0, 1)
        )
        masses = math.stack([tensor(run[2], instance("bodies")) for run in runs], batch("runs"))
        if setting["device"]:
            x, v, masses = (math.to_device(value, setting["device"]) for value in (x, v, masses))
        monkeypatch.setitem(globals(), "MASSES", masses)
        step = math.jit_compile(galaxy_step) if setting["compile"] else galaxy_step
        new_x, new_v = step(x, v, 0.1)
        for i, run in enumerate(runs):
            hand_x, hand_v = galaxy_by_hand(*run, 0.1)
            assert_close(
                new_x.runs[i],
                tensor(hand_x, instance("bodies"), vector),
                rtol=1e-4 if setting["bits"] == 32 else 1e-12,
            )
            assert_close(
                new_v.runs[i],
                tensor(hand_v, instance("bodies"), vector),
                rtol=1e-4 if setting["bits"] == 32 else 1e-12,
            )


@pytest.mark.parametrize("periodic", [True, False], ids=["periodic", "open"])
@pytest.mark.parametrize("cell", CELLS)
def test_bubbles_run_unchanged_in_every_cell(cell, periodic, backend, rng):
    setting = {"runs": 1, "bits": 32, "compile": False, "device": None, **CELLS[cell]}
    vector = channel(vector=",".join(setting["axes"]))
    size = vec(**dict.fromkeys(setting["axes"], 1.0))
    boundary = extrapolation.PERIODIC if periodic else extrapolation.ZERO
    runs = [rng.uniform(0, 1, (6, len(setting["axes"]))) for _ in range(setting["runs"])]
    radii_by_hand = rng.uniform(0.2, 0.4, 6)
    with math.precision(setting["bits"]):
        x = math.stack([tensor(run, instance("bubbles"), vector) for run in runs], batch("runs"))
        radii = tensor(radii_by_hand, instance("bubbles"))
        if setting["device"]:
            x, radii = (math.to_device(value, setting["device"]) for value in (x, radii))

        def energy(x):
            return bubble_energy(x, radii, boundary, size)

        value = (math.jit_compile(energy) if setting["compile"] else energy)(x)
        hand = [bubbles_by_hand(run, radii_by_hand, 1.0, periodic) for run in runs]
        assert_close(value, tensor(hand, batch("runs")), rtol=1e-4 if setting["bits"] == 32 else 1e-12)


@pytest.mark.parametrize(
    "compiled", [False, pytest.param(True, marks=pytest.mark.compiled)], ids=["eager", "jit"]
)
def test_forces_on_bubbles_are_finite_and_sum_to_zero(compiled, backend, rng):
    if "reverse" not in backend.supports:
        pytest.skip("NumPy has no derivatives")
    with math.precision(64):
        x = tensor(rng.uniform(0, 1, (6, 2)), instance("bubbles"), channel(vector="x,y"))
        radii, size = tensor(rng.uniform(0.2, 0.4, 6), instance("bubbles")), vec(x=1.0, y=1.0)
        force = math.gradient(
            lambda x: bubble_energy(x, radii, extrapolation.PERIODIC, size), get_output=False
        )
        total = math.sum((math.jit_compile(force) if compiled else force)(x), "bubbles")
        assert_close(total, 0 * total, atol=1e-12, because="forces between pairs cancel")
