"""Files of tensors: a NumPy archive of arrays and a JSON description of the tree, without pickle."""

from __future__ import annotations

import os
from typing import Any, cast

import numpy as np

from phi_tensor._errors import Unsupported
from phi_tensor._file_trees import Array, Reader, Writer
from phi_tensor.backends._registry import default_backend

FORMAT, VERSION = "phi-tensor", 1
_DESCRIPTION = "description"


def save(file: str | os.PathLike[str], obj: Any, mkdir: bool = True) -> None:
    """Write a tree of tensors to a file, which appears at once and complete, or not at all.

    The file keeps structure, dims, labels, element types and storage (also of ragged and constant tensors);
    it does not depend on the backend. It is a NumPy archive (`.npz`): arrays by number and the
    `description` of the tree as JSON text.

    Args:
        file: Path, used as it is.
        obj: Tensors, numbers, text, None, shapes, element types, slices, arrays, extrapolations, and tuples,
            lists, dicts, named tuples and dataclasses of these. Classes are stored by name.
        mkdir: Make the folder if it does not exist.

    Raises:
        TypeError: Something in the tree cannot be written; the message says where.
        Unsupported: A tensor has no numbers yet, inside `jit_compile` or a derivative.

    >>> import tempfile, phi_tensor as math
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/state.npz", {"v": math.vec(x=1.0, y=2.0), "step": 3})
    ...     load(f"{folder}/state.npz")
    {'v': (x=1.0, y=2.0), 'step': 3}
    """
    import json  # noqa: PLC0415 costs 1 ms

    writer = Writer()
    tree = writer.describe(obj)
    description = json.dumps({"format": FORMAT, "version": VERSION, "tree": tree}, allow_nan=False)
    arrays = {str(place): array for place, array in enumerate(writer.arrays)}
    path = os.fspath(file)
    folder, name = os.path.split(path)
    if mkdir and folder:
        os.makedirs(folder, exist_ok=True)
    unfinished = os.path.join(folder, f".{name}.{os.urandom(8).hex()}")
    try:
        with open(unfinished, "xb") as stream:
            np.savez(stream, **{_DESCRIPTION: np.frombuffer(description.encode(), np.uint8)}, **arrays)  # pyright: ignore[reportArgumentType]  # not `allow_pickle`
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(unfinished, path)
    finally:
        if os.path.exists(unfinished):
            os.remove(unfinished)


def load(file: str | os.PathLike[str]) -> Any:
    """The tree that `save` wrote, its tensors on the default backend. Runs no code from the file.

    Args:
        file: Path.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: `save` did not write the file, or it is damaged.
        Unsupported: A newer version wrote it, or it holds a class that this program has not imported.
    """
    from zipfile import BadZipFile, is_zipfile  # noqa: PLC0415 costs 10 ms
    from zlib import error as ZlibError  # noqa: PLC0415 likewise

    damage = (ValueError, LookupError, TypeError, AttributeError, OSError, EOFError, BadZipFile, ZlibError)
    path = os.fspath(file)
    with open(path, "rb") as stream:
        if not is_zipfile(stream):
            raise _unreadable(path, "it is no archive")
        stream.seek(0)
        try:
            with np.load(stream, allow_pickle=False) as archive:
                return _read(path, archive)
        except Unsupported:
            raise
        except damage as error:
            raise _unreadable(path, str(error)) from error


def _read(path: str, archive: Any) -> Any:
    import json  # noqa: PLC0415 costs 1 ms

    description = json.loads(archive[_DESCRIPTION].tobytes())
    if not isinstance(description, dict) or cast("dict[str, Any]", description).get("format") != FORMAT:
        raise ValueError(f"its format is not `{FORMAT}`")
    if description["version"] > VERSION:
        raise Unsupported(
            f"`load({path!r})`: the file has version {description['version']}, but this phi-tensor "
            f"reads versions up to {VERSION}. Update phi-tensor."
        )
    arrays: dict[int, Array] = {}

    def array(place: int) -> Array:
        if place not in arrays:
            arrays[place] = archive[str(place)]
        return arrays[place]

    return Reader(array, default_backend()).build(description["tree"])


def _unreadable(path: str, reason: str) -> ValueError:
    return ValueError(
        f"`load({path!r})` reads files that `save` wrote and that are complete, but {reason}. Save it again."
    )
