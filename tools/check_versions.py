"""Fails when the six packages disagree on version, licence or Python, or do not pin each other to one minor.

>>> sibling_range("0.1.3")
'>=0.1,<0.2'
"""

import re
import sys
import tomllib
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHARED = ("version", "license", "requires-python")


def sibling_range(version: str) -> str:
    """Range of versions of a sibling that a package of this version accepts: the same minor version."""
    major, minor, *_ = version.split(".")
    return f">={major}.{minor},<{major}.{int(minor) + 1}"


def requirements(project: dict) -> list[str]:
    return [*project["dependencies"], *chain(*project.get("optional-dependencies", {}).values())]


def disagreements(projects: dict[str, dict]) -> list[str]:
    """One line per field or sibling requirement that breaks the lock step."""
    first = next(iter(projects.values()))
    siblings = sibling_range(first["version"])
    found = []
    for name, project in projects.items():
        found += [
            f"{name}: {field} is {project[field]!r}, but {first['name']} has {first[field]!r}"
            for field in SHARED
            if project[field] != first[field]
        ]
        found += [
            f"{name}: requires {requirement!r}, but siblings are pinned to {siblings!r}"
            for requirement in requirements(project)
            if (match := re.match(r"phi-\w+(?:\[.*\])?(.*)", requirement)) and match[1] != siblings
        ]
    return found


def main() -> int:
    files = sorted(ROOT.glob("packages/phi-*/pyproject.toml"))
    projects = {file.parent.name: tomllib.loads(file.read_text("utf-8"))["project"] for file in files}
    found = disagreements(projects)
    text = ROOT.joinpath("LICENSE").read_bytes()
    found += [
        f"{file.parent.name}: LICENSE differs from the one at the top; copy it"
        for file in files
        if file.with_name("LICENSE").read_bytes() != text
    ]
    print("\n".join(found) or f"{len(projects)} packages in lock step at {projects['phi-tensor']['version']}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
