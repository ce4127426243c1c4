"""Import time in a fresh process: of NumPy, and of a library after NumPy, which must not load a backend."""

import os
import subprocess
import sys
import tempfile
from functools import lru_cache

from ._harness import NotAvailable, Reported

CODE = """
import time
{before}
start = time.perf_counter()
{statement}
seconds = time.perf_counter() - start
import sys
print(seconds, *[name for name in ("jax", "torch", "tensorflow") if name in sys.modules])
"""
REPEATS = 7


def importing(statement: str, before: str = "", may_load_backends: bool = True):
    def build() -> Reported:
        return Reported(min(_seconds(statement, before, may_load_backends) for _ in range(REPEATS)))

    return build


def _seconds(statement: str, before: str, may_load_backends: bool) -> float:
    ran = subprocess.run(
        [sys.executable, "-c", CODE.format(before=before, statement=statement)],
        capture_output=True,
        text=True,
        env=_environment(),
    )
    if ran.returncode:
        raise NotAvailable(ran.stderr.strip().splitlines()[-1])
    seconds, *loaded = ran.stdout.split()
    if loaded and not may_load_backends:
        raise NotAvailable(f"`{statement}` imports {', '.join(loaded)}")
    return float(seconds)


@lru_cache(1)
def _environment() -> dict[str, str]:
    """Byte code is kept from the first import on, as where the packages are installed."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": tempfile.mkdtemp(prefix="benchmarks-")}


NATIVE = importing("import numpy")
PEER = importing("import phiml.math", before="import numpy")
OURS = importing("import phi_tensor", before="import numpy", may_load_backends=False)
