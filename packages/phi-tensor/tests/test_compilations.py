"""What our own count of traces cannot see: how often XLA compiles below them."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.compiled

LOOP = """
import os, sys, warnings
warnings.simplefilter("ignore")
import numpy as np
import phi_tensor as math
from phi_tensor import spatial, channel
from phi_tensor.extrapolation import PERIODIC, ZERO

_, backend, dump = sys.argv
math.use(backend)
STEPS = {
    "roll": lambda y, m: math.roll(y, 1, "x") * m,
    "pad": lambda y, m: math.pad(y, {"x": (1, 1)}, ZERO).x[2:] * m,
    "concat": lambda y, m: math.concat([y.x[1:], y.x[:1]], "x") * m,
    "sample": lambda y, m: math.grid_sample(y, math.stack([m, m], channel(vector="x,y")), PERIODIC),
}
for name, step in STEPS.items():
    def loss(m):
        return math.sum(math.iterate(lambda y: step(y, m), 3, m * 1) ** 2)
    gradient = math.jit_compile(math.gradient(loss, get_output=False))
    start = math.tensor(np.random.default_rng(0).uniform(size=(6, 5)).astype(np.float32), spatial("x,y"))
    made = 0.5 * math.ones(spatial(x=6, y=5))
    made.native("x,y")  # eager JAX compiles how constants are stored, too
    counts, m = [], start
    for source in ("DLPack", "result", "made here", "DLPack"):
        m = gradient({"DLPack": start, "result": m, "made here": made}[source])
        counts.append(sum("before_optimizations.txt" in file for file in os.listdir(dump)))
    print(name, *counts)
"""


def test_a_gradient_through_a_loop_compiles_once_for_all_values(backend, tmp_path):
    if backend.name not in {"jax", "tensorflow"}:
        pytest.skip("counts the programs that XLA writes")
    flags = f"--xla_dump_to={tmp_path} --xla_dump_hlo_as_text"
    done = subprocess.run(
        [sys.executable, "-c", LOOP, backend.name, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "XLA_FLAGS": flags},
    )
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        name, first, *later = line.split()
        assert int(first) > 0
        assert {*later} == {first}, f"{name}: {first} compiled programs after the first step, then {later}"
    assert len(done.stdout.splitlines()) == 4
