"""Command line: `python -m benchmarks core|rows|solve [--backend jax] [--case smoke] [--quick]`."""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from . import _harness, core, rows, solve

SUITES = {"core": core, "rows": rows, "solve": solve}
FAILURES = {"missing", "over", "differs", "no native"}


def main() -> int:
    options = parsed()
    backends = options.backend or list(SUITES[options.suite].BACKENDS)
    found = run_here(backends[0], options) if len(backends) == 1 else run_apart(backends, options)
    if options.json:
        Path(options.json).write_text(json.dumps(found, indent=1))
    if len(backends) > 1 or not options.inner:
        print(_harness.table(found))
        print(_harness.reasons(found))
        if options.suite == "rows":
            print(rows.summary(found))
    return int(options.strict and any(row["status"] in FAILURES for row in found))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("suite", choices=list(SUITES))
    parser.add_argument(
        "--backend", action="append", choices=core.BACKENDS, help="default: all, one process each"
    )
    parser.add_argument("--case", default="", help="only cases whose name contains this")
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    parser.add_argument("--no-peer", action="store_true", help="leave PhiML and PhiFlow out")
    parser.add_argument("--strict", action="store_true", help="exit code 1 unless every case of ours is ok")
    parser.add_argument("--json", metavar="FILE", help="write all times there")
    parser.add_argument("--cores", type=int, help="use only so many processor cores (Linux)")
    parser.add_argument("--inner", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def run_here(backend: str, options: argparse.Namespace) -> list[dict]:
    """Rows of one backend, measured in this process."""
    if options.cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: options.cores]))
    if importlib.util.find_spec(backend) is None:
        print(f"{backend} is not installed: its cases are left out")
        return []
    effort = _harness.QUICK if options.quick else _harness.Effort()
    found = []
    for case in SUITES[options.suite].cases(backend):
        if options.case in case.name:
            _harness.report_progress(f"{backend} {case.name}")
            case = _harness.without_peer(case) if options.no_peer else case
            found.append({"backend": backend, **_harness.measure(case, effort)})
            if options.json:  # a run that is cut off leaves what it has
                Path(options.json).write_text(json.dumps(found, indent=1))
    _harness.report_progress("")
    follows = getattr(SUITES[options.suite], "derived", None)
    return [*found, *follows(found)] if follows and found else found


def run_apart(backends: list[str], options: argparse.Namespace) -> list[dict]:
    """Rows of several backends, each in its own process: their thread pools and settings do not mix."""
    found = []
    flags = [f"--{name}" for name in ("quick", "no-peer") if getattr(options, name.replace("-", "_"))]
    flags += [f"--cores={options.cores}"] if options.cores else []
    with tempfile.TemporaryDirectory() as folder:
        for backend in backends:
            file = Path(folder) / f"{backend}.json"
            command = [
                sys.executable,
                "-m",
                "benchmarks",
                options.suite,
                f"--backend={backend}",
                f"--json={file}",
            ]
            subprocess.run([*command, f"--case={options.case}", "--inner", *flags], check=True)
            done = json.loads(file.read_text())
            print(_harness.table(done), flush=True)  # a later backend may take long
            found += done
    return found


if __name__ == "__main__":
    sys.exit(main())
