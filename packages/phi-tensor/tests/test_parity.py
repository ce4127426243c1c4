"""Every name that users of PhiML rely on is here, under its name and with its arguments, or it says why not.

`parity.csv` lists the core and common names: section, name, signature, importance, ours, difference. `ours`
is the attribute of `phi_tensor`, `hook …` a method of custom classes, or empty where we have none. With the
environment variable `PHI_PARITY_TABLE` the table is written to that file (`nox -s docs`).
"""

import csv
import inspect
import os
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import phi_tensor as math
from phi_tensor import _attributes, _hooks

TABLE = Path(__file__).with_name("parity.csv")


class Name(NamedTuple):
    section: str
    name: str
    signature: str
    importance: str
    ours: str
    difference: str


def names():
    with TABLE.open(encoding="utf-8", newline="") as file:
        return [Name(**row) for row in csv.DictReader(file)]


def parameters(signature):
    """Names of the parameters in a signature, `*` for those that take any number; keyword dicts left out."""
    if not signature.startswith("("):
        return []
    found, depth, text = [], 0, ""
    for letter in signature:
        depth += (letter in "([") - (letter in ")]")
        if depth == 0 or (depth == 1 and letter == ","):
            found.append(text.partition("=")[0].strip())
            text = ""
            if depth == 0:
                break
        elif depth > 1 or letter != "(":
            text += letter
    found = [name for name in found if name not in ("", "/", "*") and not name.startswith(("_", "**"))]
    return ["*" if name.startswith("*") else name for name in found]


def our_parameters(function):
    """Likewise of a function; None where Python does not know them."""
    try:
        found = inspect.signature(function).parameters.values()
    except ValueError:
        return None
    named = [p for p in found if p.name != "self" and p.kind is not p.VAR_KEYWORD]
    return ["*" if p.kind is p.VAR_POSITIONAL else p.name for p in named]


def problem(row):
    """What is wrong with a name, or None."""
    if not row.ours:
        return None if row.difference else "missing"
    if row.ours.startswith("hook "):
        text = f"{_hooks.__doc__} {_attributes.__doc__}"
        return None if row.ours.removeprefix("hook ") in text else "no hook of this name is documented"
    try:
        ours = attrgetter(row.ours)(math)
    except AttributeError:
        return "missing"
    theirs = parameters(row.signature)
    found = our_parameters(ours) if callable(ours) and theirs else theirs
    if row.difference or (found is not None and found[: len(theirs)] == theirs):
        return None
    return f"takes {found} where PhiML takes {theirs}"


def test_every_name_is_here_or_says_why_not():
    found = {row.name: problem(row) for row in names()}
    wrong = [f"`{name}`: {what}" for name, what in found.items() if what]
    assert not wrong, "\n".join(["names of parity.csv:", *wrong])


def test_names_are_listed_once():
    listed = [row.name for row in names()]
    assert len(listed) == len(set(listed)) > 300
    assert {row.importance for row in names()} == {"core", "common"}


def test_problems_are_seen():
    row = Name("", "sin", "(x)", "core", "sin", "")
    assert problem(row) is None
    assert problem(row._replace(signature="(value)")) == "takes ['x'] where PhiML takes ['value']"
    assert problem(row._replace(signature="(value)", difference="x, not value")) is None
    assert problem(row._replace(ours="sine", difference="any")) == "missing"
    assert problem(row._replace(ours="")) == "missing"
    assert problem(row._replace(ours="hook __sin__")) == "no hook of this name is documented"
    assert problem(row._replace(ours="NoBackendFound"))
    assert parameters("(a, *b, c=(x:s), d=f(1, 2), **e) or (f)") == ["a", "*", "c", "d"]


def test_table_of_names_is_written(tmp_path):
    lines = table(names())
    assert sum(line.startswith("| `") for line in lines) == len(names())
    path = os.environ.get("PHI_PARITY_TABLE")
    Path(path or tmp_path / "parity.md").write_text("\n".join(lines) + "\n", "utf-8")


def table(rows):
    """Lines of docs/parity.md."""
    lines = [
        "# Names beside PhiML's",
        "",
        "Every core and common name of PhiML 1.15, ours, and what differs. Written by",
        "`packages/phi-tensor/tests/test_parity.py`, which fails where a name is missing or takes other",
        "arguments without a reason here.",
    ]
    for section, entries in groupby(rows, attrgetter("section")):
        lines += [
            "",
            f"## {section}",
            "",
            "| name | PhiML | ours | difference |",
            "| --- | --- | --- | --- |",
        ]
        for row in entries:
            theirs = row.signature.replace("|", "\\|")
            ours = f"`{row.ours}`" if row.ours else "–"
            lines.append(f"| `{row.name}` | `{theirs}` | {ours} | {row.difference} |")
    return lines
