"""Installation check: which backends work, their versions and devices, what to install, what is broken."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from importlib.util import find_spec

from phi_tensor.backends._registry import ENTRIES

_PROBE = """
import json, sys
import phi_tensor as math
backend = math.init_backend(sys.argv[1])
math.use(backend)
found = {"devices": [[d.name, d.device_type, d.description] for d in backend.list_devices()], "broken": []}
x = math.tensor([0.5, 1.0], math.spatial("x"))
def check(name, f, expected):
    try:
        value = float(f())
        if not abs(value - expected) < 1e-4:
            found["broken"].append(f"{name}: got {value}, expected {expected}")
    except BaseException as error:
        first = (str(error).splitlines() or [""])[0]
        found["broken"].append(f"{name}: {type(error).__name__}: {first}")
square = lambda x: math.sum(x * x)
check("values", lambda: square(x), 1.25)
if "reverse" in backend.supports:
    check("gradient", lambda: math.sum(math.gradient(square, get_output=False)(x)), 3.0)
if "jit" in backend.supports:
    check("jit_compile", lambda: math.jit_compile(square)(x), 1.25)
print("FOUND" + json.dumps(found))
"""


@dataclass(frozen=True)
class BackendReport:
    """What was found about one backend.

    Attributes:
        name: Name of the backend.
        version: Version of its library, empty if not installed.
        devices: `(name, type, description)` of each device.
        problems: What is missing or broken and what to do; empty if all is well.
    """

    name: str
    version: str = ""
    devices: tuple[tuple[str, str, str], ...] = ()
    problems: tuple[str, ...] = field(default=())

    @property
    def works(self) -> bool:
        """True if the backend can be used."""
        return bool(self.version) and not self.problems

    def __str__(self) -> str:
        mark = "ok     " if self.works else "missing" if not self.version else "BROKEN "
        gpus = [name for name, kind, _ in self.devices if kind != "CPU"]
        devices = (
            f"{len(self.devices)} device(s), {'GPU: ' + ', '.join(gpus) if gpus else 'no GPU'}"
            if self.devices
            else ""
        )
        lines = [f"  {self.name:<11} {mark} {self.version:<12} {devices}".rstrip()]
        return "\n".join(lines + [f"              - {problem}" for problem in self.problems])


def inspect_backend(name: str, timeout: float = 300) -> BackendReport:
    """Check one backend in a process of its own, so that a broken library cannot harm this one.

    Args:
        name: Name of the backend.
        timeout: Longest time to wait [s].
    """
    import json  # noqa: PLC0415 these load only when asked: importing the package stays quick
    import subprocess  # noqa: PLC0415

    entry = ENTRIES[name]
    if find_spec(entry.library) is None:
        return BackendReport(name, problems=(f"not installed: `pip install {entry.extra}`",))
    version = _version(entry.library)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", _PROBE, name]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        return BackendReport(
            name, version, problems=(f"did not answer within {timeout:.0f} s; reinstall `{entry.library}`",)
        )
    line = next((line for line in done.stdout.splitlines() if line.startswith("FOUND")), None)
    if line is None:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return BackendReport(
            name,
            version,
            problems=(
                f"cannot be loaded: {last}",
                f"reinstall it: `pip install --force-reinstall {entry.extra}`",
            ),
        )
    found = json.loads(line.removeprefix("FOUND"))
    return BackendReport(
        name, version, tuple((a, b, c) for a, b, c in found["devices"]), tuple(found["broken"])
    )


def _version(library: str) -> str:
    from importlib import metadata  # noqa: PLC0415 see `inspect_backend`

    for distribution in (library, f"{library}-cpu", f"{library}_cpu"):
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return "unknown"


def inspect_installation() -> tuple[BackendReport, ...]:
    """Reports on all backends."""
    return tuple(inspect_backend(name) for name in ENTRIES)


def verify() -> bool:
    """Print which backends work, with versions, devices and what to install; True if all installed ones work.

    `python -m phi_tensor` does the same from the command line.
    """
    import platform  # noqa: PLC0415 see `inspect_backend`

    reports = inspect_installation()
    lines = [
        f"phi-tensor {_version('phi-tensor')}, Python {platform.python_version()}, {platform.platform()}",
        *map(str, reports),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return all(report.works for report in reports if report.version)
