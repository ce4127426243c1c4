"""Smoke forms a picture: forces are found by gradients through all steps of a fluid simulation.

    python examples/smoke_picture.py --image cat.png --out outputs/cat

Dark parts of the picture become the target if its border is bright, bright parts if it is dark.
The smoke starts as a bar of the same amount; each step has a force of its own, and Adam changes all of
them at once. Ctrl-C keeps the best result so far; the same command goes on where it stopped. The folder
receives the animation `smoke.gif`, `result.png` with start, result and target, the curve `loss.png`,
and the numbers `result.json`.
"""

import argparse
import hashlib
import json
import os
import platform
import signal
import sys
import time
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import checkpoint
import numpy as np
import picture
import stirring

import phi_tensor as math
import phi_vis as vis
from phi_field import Field
from phi_tensor import NoBackendFound, Tensor, batch, spatial

BACKENDS = {"jax": "jax", "torch": "torch", "tensorflow": "tensorflow"}
LIMITS = {"resolution": (8, 256), "steps": (2, 256), "iterations": (1, 100_000)}
SAVE_EVERY = 10.0
"""Time between checkpoints [s]."""


@dataclass(frozen=True)
class Settings:
    """What makes a run this run: two runs with equal settings can continue each other."""

    picture: str
    resolution: int
    steps: int
    backend: str
    precision: int


@dataclass
class Best:
    """The iteration with the smallest loss."""

    iteration: int
    loss: float
    modes: Tensor


class Run:
    """An optimisation that can stop after any iteration and go on later.

    Attributes:
        losses: Loss before each iteration.
        correlations: Normalised correlation of result and target before each iteration.
        seconds: Wall times: of the `first_iteration` of each sitting, which compiles, of the
            `other_iterations`, and of writing the `results`.
    """

    def __init__(self, settings: Settings, target: np.ndarray, folder: Path) -> None:
        self.settings, self.folder = settings, folder
        self.smoke, self.target = (stirring.smoke_of(d, "x,y") for d in (picture.bar_like(target), target))
        self.descent = stirring.Descent(self.smoke, self.target, settings.steps)
        self.best = Best(0, float("inf"), self.descent.state[0])
        self.losses: list[float] = []
        self.correlations: list[float] = []
        self.seconds = {"first_iteration": 0.0, "other_iterations": 0.0}
        self.stopped = False
        if found := checkpoint.load(folder, asdict(settings), self._trees()):
            (self.descent.state, modes), numbers = found
            self.losses, self.correlations = numbers["losses"], numbers["correlations"]
            self.seconds = numbers["seconds"]
            self.best = Best(*numbers["best"], modes)

    def optimise(self, iterations: int) -> None:
        """Go on until `iterations` are done or Ctrl-C is pressed."""
        progress = math.ConsoleProgress("smoke")
        start = saved = time.perf_counter()
        first = len(self.losses)
        for i in range(first, iterations):
            modes = self.descent.state[0]
            loss, similarity = self.descent.iterate(i / iterations)
            if loss < self.best.loss:
                self.best = Best(i, loss, modes)
            self.losses.append(loss)
            self.correlations.append(similarity)
            now = time.perf_counter()
            self.seconds["first_iteration" if i == first else "other_iterations"] += now - start
            start = now
            progress(i + 1, iterations, {"loss": loss, "correlation": similarity})
            if now - saved > SAVE_EVERY:
                self.save()
                start = saved = time.perf_counter()
            if self.stopped:
                break
        self.save()

    def save(self) -> None:
        """Write the checkpoint."""
        numbers = {
            "losses": self.losses,
            "correlations": self.correlations,
            "seconds": self.seconds,
            "best": (self.best.iteration, self.best.loss),
        }
        checkpoint.save(self.folder, asdict(self.settings), self._trees(), numbers)

    def _trees(self) -> Any:
        return self.descent.state, self.best.modes

    def stop_on_interrupt(self) -> None:
        """Let the first Ctrl-C end the optimisation after its iteration, and the second one the program."""

        def stop(_number: int, _frame: FrameType | None) -> None:
            if self.stopped:
                raise KeyboardInterrupt
            self.stopped = True
            print("\nstopping after this iteration; Ctrl-C again stops at once", file=sys.stderr, flush=True)

        signal.signal(signal.SIGINT, stop)

    def write_results(self) -> dict[str, Any]:
        """Write animation, pictures and numbers of the best iteration; the numbers."""
        start = time.perf_counter()
        states = stirring.flow(self.smoke, self.best.modes, batch(frame=self.settings.steps))
        states = math.convert(states.values, "numpy")
        final, target = states.frame[-1], math.convert(self.target.values, "numpy")
        similarity = float(stirring.correlation(final, target))
        draw(self.folder, self.smoke, states, target, self.losses, similarity)
        self.seconds["results"] = time.perf_counter() - start
        numbers = {
            "correlation": similarity,
            "correlation_is": "Σ(a−ā)(b−b̄) / √(Σ(a−ā)² Σ(b−b̄)²) of result a and target b over all cells",
            "best_iteration": self.best.iteration,
            "iterations": len(self.losses),
            "settings": asdict(self.settings),
            "seconds": self.seconds,
            "losses": self.losses,
            "correlations": self.correlations,
            "versions": versions(self.settings.backend),
        }
        text = json.dumps(numbers, indent=2, ensure_ascii=False) + "\n"
        checkpoint.replace(self.folder / "result.json", lambda part: part.write(text))
        return numbers


def draw(
    folder: Path, smoke: Field, states: Tensor, target: Tensor, losses: list[float], similarity: float
) -> None:
    """Write `smoke.gif`, `result.png` and `loss.png`."""

    def image(values: Tensor) -> Field:
        return math.convert(smoke, "numpy").with_values(values)

    final = states.frame[-1]
    pause = math.expand(final, batch(frame=states.frame.size // 2))
    moving = image(math.concat([states, pause], "frame"))
    vis.save(folder / "smoke.gif", moving, dpi=80, animate="frame", size=(4.8, 4.0), frame_time=80)
    titles = "start", f"result, correlation {similarity:.3f}", "target"
    pictures = dict(zip(titles, map(image, (states.frame[0], final, target)), strict=True))
    vis.save(folder / "result.png", pictures, size=(12, 3.8))
    curve = math.wrap(losses, spatial("iteration"))
    vis.save(folder / "loss.png", {"loss": curve}, log_dims="_")


def versions(backend: str) -> dict[str, str]:
    """What the numbers were computed with."""
    library = sys.modules[BACKENDS[backend]].__version__
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    ours = metadata.version("phi-tensor")
    return {"python": platform.python_version(), "phi-tensor": ours, backend: library, "machine": machine}


class Arguments(argparse.ArgumentParser):
    """Command line whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """End the program."""
        self.exit(2, f"{self.prog}: {message}\n")


def whole_number(name: str) -> Any:
    low, high = LIMITS[name]

    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"needs a whole number from {low} to {high}, but found {text!r}")
        return int(text)

    return parse


def parser() -> Arguments:
    arguments = Arguments(
        "smoke_picture.py", description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    add = arguments.add_argument
    add("--image", type=Path, help="picture file (default: a Φ)")
    add("--resolution", type=whole_number("resolution"), default=64, metavar="N", help="cells per side (64)")
    add("--steps", type=whole_number("steps"), default=24, metavar="T", help="simulated steps (24)")
    add(
        "--iterations",
        type=whole_number("iterations"),
        default=250,
        metavar="K",
        help="of the optimisation (250)",
    )
    add("--backend", default="jax", metavar="B", help=f"{', '.join(BACKENDS)} (jax)")
    add("--precision", default="32", metavar="P", help="bits of numbers: 32 or 64 (32)")
    add("--out", type=Path, help="folder for the results (outputs/smoke_picture/…, named after the settings)")
    return arguments


def main(argv: list[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    arguments = parser()
    options = arguments.parse_args(argv)
    if options.backend not in BACKENDS:
        arguments.error(
            f"there is no differentiable backend {options.backend!r}: choose from {', '.join(BACKENDS)}"
        )
    if options.precision not in ("32", "64"):
        arguments.error(f"--precision is 32 or 64, but found {options.precision!r}")
    name = options.image.stem if options.image else "phi"
    what = f"{name}-{options.resolution}x{options.steps}-{options.backend}-{options.precision}"
    folder = options.out or Path("outputs", "smoke_picture", what)
    try:
        target = picture.target_density(options.image, options.resolution)
        folder.mkdir(parents=True, exist_ok=True)
        with math.precision(int(options.precision)), math.on_backend(options.backend):
            digest = hashlib.sha256(np.round(target, 6).tobytes()).hexdigest()[:12]
            picture_name = f"{options.image.name if options.image else 'Φ'} ({digest})"
            settings = Settings(
                picture_name, options.resolution, options.steps, options.backend, int(options.precision)
            )
            run = Run(settings, target, folder)
            run.stop_on_interrupt()
            return optimise_and_write(run, options.iterations)
    except (picture.Unusable, checkpoint.OtherRun, NoBackendFound) as error:
        arguments.error(" ".join(str(error).split()))
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        arguments.error(
            f"the folder {folder} cannot be written ({error.strerror}): choose another one by --out"
        )


def optimise_and_write(run: Run, iterations: int) -> int:
    done = len(run.losses)
    if done >= iterations:
        print(f"{done} iterations are done already; a larger --iterations goes on")
    elif done:
        print(f"going on after {done} iterations")
    else:
        print(f"compiling for {run.settings.backend} …", flush=True)
    run.optimise(iterations)
    numbers = run.write_results()
    seconds = run.seconds
    print(
        f"correlation {numbers['correlation']:.4f} after {numbers['iterations']} iterations; "
        f"{seconds['first_iteration']:.1f} s compiling, {seconds['other_iterations']:.1f} s optimising, "
        f"{seconds['results']:.1f} s for pictures in {run.folder}"
    )
    return 130 if run.stopped else 0


if __name__ == "__main__":
    sys.exit(main())
