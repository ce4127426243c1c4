"""Fails where packages reach into each other's private names or load a backend when they are imported.

The import contracts of the root `pyproject.toml` know modules; this knows names, attributes and import time.
"""

import ast
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("phi_tensor", "phi_geom", "phi_field", "phi_physics", "phi_learn", "phi_vis")
BACKENDS = ("torch", "jax", "tensorflow")


def owner(file: Path) -> str:
    """Import name of the package that a file belongs to, empty for programs outside of packages."""
    parts = file.relative_to(ROOT).parts
    return parts[1].replace("-", "_") if parts[0] == "packages" else ""


def imported_names(tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    """(line, full name, local name) of everything that a module imports from the six packages."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                local = alias.asname or alias.name.partition(".")[0]
                yield node.lineno, alias.name, local
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}", alias.asname or alias.name


def is_private(full_name: str) -> bool:
    return any(part.startswith("_") and not part.endswith("__") for part in full_name.split("."))


def trespasses(source: str, home: str) -> Iterator[tuple[int, str]]:
    r"""(line, name) of every private name of another package than `home` that the source uses.

    >>> list(trespasses("import phi_tensor as math\nmath._plan.clear()", "phi_geom"))
    [(2, 'phi_tensor._plan')]
    >>> list(trespasses("from phi_tensor._plan import Plan", "phi_tensor"))
    []
    """
    tree = ast.parse(source)
    foreign = {}
    for line, full_name, local in imported_names(tree):
        package = full_name.partition(".")[0]
        if package in PACKAGES and package != home:
            foreign[local] = full_name if local != package else package
            if is_private(full_name):
                yield line, full_name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in foreign:
            module = foreign[node.value.id]
            is_module = module in PACKAGES  # attributes of imported objects are the business of their class
            if is_module and is_private(node.attr):
                yield node.lineno, f"{module}.{node.attr}"


def private_uses() -> list[str]:
    folders = ("packages", "examples", "benchmarks", "reproductions", "tests")
    files = sorted(file for folder in folders for file in ROOT.glob(f"{folder}/**/*.py"))
    return [
        f"{file.relative_to(ROOT)}:{line}: uses `{name}`, which is private to another package"
        for file in files
        for line, name in trespasses(file.read_text("utf-8"), owner(file))
    ]


def backends_loaded() -> list[str]:
    """One line per package whose import loads a backend; empty stand-ins make every attempt succeed."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for backend in BACKENDS:
            Path(folder, f"{backend}.py").touch()
        environment = {**os.environ, "PYTHONPATH": folder}
        for package in PACKAGES:
            code = f"import sys, {package}; print(*({set(BACKENDS)!r} & set(sys.modules)))"
            command = [sys.executable, "-c", code]
            run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if run.returncode:
                found.append(f"`import {package}` fails:\n{run.stderr}")
            elif run.stdout.strip():
                found.append(f"`import {package}` loads {run.stdout.strip()}; load it when it is first used")
    return found


def main() -> int:
    found = [*private_uses(), *backends_loaded()]
    print("\n".join(found) or "no private name crosses a package, no import loads a backend")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
