"""Hand-written references, one module per task and backend, that import nothing of ours.

Each module `<task>_<backend>.py` has `TASKS`: case name → {variant: build}. `build()` makes the inputs,
compiles where the case does, and returns the call to time. Ours is compared with the fastest variant.
The suite `solve` makes its builds from functions of `box_*`, `around_*`, `amg` and `assembly`, by grid.

>>> tasks("numpy")["add same dims"]["plus"]()().shape
(8, 8)
"""

import importlib
from collections.abc import Callable

Build = Callable[[], Callable[[], object]]

TOPICS = ("small", "pressure", "smoke", "galaxy")


def tasks(backend: str) -> dict[str, dict[str, Build]]:
    """All native tasks of `backend`: case name → {variant: build}."""
    result: dict[str, dict[str, Build]] = {}
    for topic in TOPICS:
        result.update(importlib.import_module(f"{__name__}.{topic}_{backend}").TASKS)
    return result
