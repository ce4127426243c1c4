"""A folder that remembers an unfinished run: every file in it is complete, whenever the run is cut off."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

import phi_tensor as math
from phi_tensor import Tensor

FILE = "checkpoint.npz"


class OtherRun(Exception):
    """The checkpoint in the folder belongs to a run with other settings; the message says what to do."""


def save(folder: Path, settings: Mapping[str, Any], trees: Any, numbers: Mapping[str, Any]) -> None:
    """Replace the checkpoint.

    Args:
        folder: Where the run leaves its files.
        settings: What makes it this run.
        trees: Tree of tensors.
        numbers: What fits into JSON.
    """
    leaves = arrays_of(trees)
    text = json.dumps({"settings": settings, "numbers": numbers})
    arrays = {f"array{i}": leaf for i, leaf in enumerate(leaves)}
    replace(folder / FILE, lambda part: np.savez(part, text=np.asarray(text), **arrays), "wb")


def load(folder: Path, settings: Mapping[str, Any], like: Any) -> tuple[Any, dict[str, Any]] | None:
    """`(trees, numbers)` of the run with these settings, or None if the folder has no checkpoint.

    Args:
        folder: Where the run left its files.
        settings: What makes it this run.
        like: Trees of tensors with the structure, dims and library of the saved ones.

    Raises:
        OtherRun: It is the checkpoint of a run with other settings, or no checkpoint.
    """
    path = folder / FILE
    if not path.exists():
        return None
    advice = f"use another --out, or delete {path}"
    try:
        with np.load(path) as found:
            text = json.loads(str(found["text"]))
            arrays = [found[f"array{i}"] for i in range(len(found.files) - 1)]
    except (OSError, ValueError, KeyError, BadZipFile, EOFError) as error:
        raise OtherRun(f"{path} is no checkpoint of this program: {advice}") from error
    saved = text["settings"]
    for name, value in settings.items():
        if saved.get(name) != value:
            raise OtherRun(
                f"{folder} holds a run with {name} {saved.get(name)}, but this one has {value}: {advice}"
            )
    if [a.shape for a in arrays] != [a.shape for a in arrays_of(like)]:
        raise OtherRun(f"{path} was written by another version of this program: {advice}")
    return with_arrays(like, arrays), text["numbers"]


def arrays_of(trees: Any) -> list[np.ndarray]:
    """Tensors of a tree as NumPy arrays."""
    found: list[np.ndarray] = []
    math.tree_map(lambda leaf: found.append(leaf.numpy(sorted(leaf.shape.names))) or leaf, trees)
    return found


def with_arrays(trees: Any, arrays: list[np.ndarray]) -> Any:
    """The tree with other numbers in its tensors."""
    rest = iter(arrays)

    def other(leaf: Tensor) -> Tensor:
        return math.tensor(next(rest), leaf.shape.only(sorted(leaf.shape.names), reorder=True))

    return math.tree_map(other, trees)


def replace(path: Path, write: Callable[[Any], None], mode: str = "w") -> None:
    """Write a file beside its place and move it there when it is complete."""
    part = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        with open(part, mode, encoding=None if "b" in mode else "utf-8") as stream:
            write(stream)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
