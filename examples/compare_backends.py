"""The same optimisation on every backend: do the losses agree, and how long does it take?

    python examples/compare_backends.py [--resolution 64] [--steps 24] [--iterations 10]

Each run is a process of its own. Exits with 1 if losses differ by more than `TOLERANCES`.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

BACKENDS = "jax", "torch", "tensorflow"
TOLERANCES = {64: 1e-6, 32: 1e-2}
"""Largest relative difference of losses, per precision [-]."""


def compare(
    backends: Sequence[str], precision: int, resolution: int = 64, steps: int = 24, iterations: int = 10
) -> tuple[float, dict[str, dict[str, float]]]:
    """`(largest relative difference of losses from those of the first backend, seconds per backend)`."""
    found = {name: losses_and_seconds(name, precision, resolution, steps, iterations) for name in backends}
    reference = found[backends[0]][0]
    assert all(len(losses) == iterations for losses, _ in found.values())
    difference = max(
        abs(a - b) / abs(b) for losses, _ in found.values() for a, b in zip(losses, reference, strict=True)
    )
    return difference, {name: seconds for name, (_, seconds) in found.items()}


def losses_and_seconds(
    backend: str, precision: int, resolution: int, steps: int, iterations: int
) -> tuple[list[float], dict[str, float]]:
    """Losses of one run, and its wall times."""
    sizes = {"resolution": resolution, "steps": steps, "iterations": iterations, "precision": precision}
    options = [word for name, value in sizes.items() for word in (f"--{name}", str(value))]
    script = Path(__file__).with_name("smoke_picture.py")
    with TemporaryDirectory() as folder:
        command = [sys.executable, str(script), "--backend", backend, "--out", folder, *options]
        quiet = {"MPLBACKEND": "Agg", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUTF8": "1"}
        ended = subprocess.run(
            command, env=os.environ | quiet, capture_output=True, text=True, encoding="utf-8", check=False
        )
        if ended.returncode:
            raise SystemExit(f"{backend} failed:\n{ended.stderr}")
        result = json.loads(Path(folder, "result.json").read_text("utf-8"))
    return result["losses"], result["seconds"]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name, default in {"resolution": 64, "steps": 24, "iterations": 10}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--backends", default=",".join(b for b in BACKENDS if find_spec(b)))
    sizes = vars(parser.parse_args())
    backends = sizes.pop("backends").split(",")
    agree = True
    for precision, tolerance in TOLERANCES.items():
        difference, seconds = compare(backends, precision, **sizes)
        agree &= difference <= tolerance
        print(f"{precision} bit: losses differ by {difference:.1e} (allowed: {tolerance:.0e})")
        for name, times in seconds.items():
            first, others = times["first_iteration"], times["other_iterations"]
            each = 1000 * others / max(1, sizes["iterations"] - 1)
            print(f"  {name:10s} first iteration {first:6.1f} s, others {each:7.1f} ms each", flush=True)
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
