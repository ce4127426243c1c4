"""Trees as a JSON description and a list of arrays, and back.

Nothing of a description is executed. Classes are dataclasses or named tuples of modules that the program has
imported already; they are filled field by field, without calling their constructor.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from phi_tensor._dict import Dict
from phi_tensor._dicts import check_available, dim_from_dict, dim_to_dict
from phi_tensor._dtype import DType
from phi_tensor._errors import Unsupported
from phi_tensor._extrapolation import Extrapolation
from phi_tensor._extrapolation_files import from_dict as extrapolation_from
from phi_tensor._objects import Objects, objects_of
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.backends._backend import Backend
from phi_tensor.layouts._layout import Dense, Layout, Parts
from phi_tensor.layouts._pattern import Pattern, is_increasing
from phi_tensor.layouts._sparse import Sparse

Array = npt.NDArray[Any]


class Writer:
    """Collects the arrays of a tree while it is described; an array that occurs twice is kept once.

    Attributes:
        arrays: The arrays so far.
    """

    def __init__(self) -> None:
        self.arrays: list[Array] = []
        self._known: dict[int, tuple[Any, int]] = {}

    def describe(self, obj: Any, place: str = "obj") -> Any:
        """Description of a tree.

        Args:
            obj: The tree.
            place: How the user would write it, for errors.
        """
        if obj is None or type(obj) in (bool, int, str) or (type(obj) is float and math.isfinite(obj)):
            return obj
        if type(obj) in (tuple, list):
            entries = self._entries(obj, place)
            return entries if type(obj) is list else {"tuple": entries}
        if type(obj) is dict:
            items = cast("dict[Any, Any]", obj).items()
            return {
                "dict": [
                    [self.describe(key, place), self.describe(x, f"{place}[{key!r}]")] for key, x in items
                ]
            }
        for kind, (cls, write) in _WRITERS.items():
            if isinstance(obj, cls):
                return {kind: write(self, obj)}
        if dataclasses.is_dataclass(obj) and not isinstance(obj, type):
            fields = [(field.name, getattr(obj, field.name)) for field in dataclasses.fields(obj)]
            described = {name: self.describe(value, f"{place}.{name}") for name, value in fields}
            return {"object": {"class": _importable(type(obj), place), "fields": described}}
        if isinstance(obj, tuple) and hasattr(obj, "_fields"):
            named = {"class": _importable(cast("type[Any]", type(obj)), place)}
            return {"named": named | {"entries": self._entries(obj, place)}}
        raise TypeError(
            f"`save` writes tensors, numbers, text, shapes, containers and dataclasses of these, but "
            f"`{place}` is a `{type(obj).__name__}`. Leave it out or make it a dataclass."
        )

    def _entries(self, entries: Any, place: str) -> list[Any]:
        return [self.describe(entry, f"{place}[{i}]") for i, entry in enumerate(entries)]

    def tensor(self, x: Tensor) -> dict[str, Any]:
        """Description of a tensor."""
        check_available(x, "save")
        places = [self._place(native, x.layout.backend) for native in x.natives]
        return {"dtype": x.dtype.name, "layout": _layout_to_dict(x.layout, self.array), "arrays": places}

    def array(self, x: Array) -> int:
        """Place of a NumPy array."""
        if x.dtype.kind not in "biufc":
            raise TypeError(f"`save` writes arrays of numbers, but found an array of {x.dtype}.")
        self.arrays.append(x)
        return len(self.arrays) - 1

    def _place(self, native: Any, backend: Backend) -> int:
        if id(native) not in self._known:  # the native is kept, so that its identity stays its own
            self._known[id(native)] = native, self.array(np.asarray(backend.to_numpy(native)))
        return self._known[id(native)][1]


_WRITERS: dict[str, tuple[type, Callable[[Writer, Any], Any]]] = {
    "tensor": (Tensor, lambda writer, x: writer.tensor(x)),
    "float": (float, lambda writer, x: repr(float(x))),
    "complex": (complex, lambda writer, x: [repr(x.real), repr(x.imag)]),
    "shape": (Shape, lambda writer, x: [dim_to_dict(dim) for dim in x.dims]),
    "dtype": (DType, lambda writer, x: x.name),
    "slice": (slice, lambda writer, x: [writer.describe(part) for part in (x.start, x.stop, x.step)]),
    "array": (np.ndarray, lambda writer, x: writer.array(x)),
    "extrapolation": (Extrapolation, lambda writer, x: x.to_dict()),
    "Dict": (Dict, lambda writer, x: writer.describe(dict(x))["dict"]),
    "layout": (Objects, lambda writer, x: [writer.describe(x.shape), writer.describe(list(x))]),
}
"""What is no container, by the name in the description: class and how it is described."""


class Reader:
    """Rebuilds trees from descriptions.

    Attributes:
        arrays: Array by place.
        backend: Where tensors are made.
    """

    def __init__(self, arrays: Callable[[int], Array], backend: Backend) -> None:
        self.arrays = arrays
        self.backend = backend

    def build(self, description: Any) -> Any:
        """The tree that was described."""
        if isinstance(description, list):
            return [self.build(entry) for entry in cast("list[Any]", description)]
        if not isinstance(description, dict):
            return description
        ((kind, data),) = cast("dict[str, Any]", description).items()
        return _READERS[kind](self, data)

    def tensor(self, data: Mapping[str, Any]) -> Tensor:
        """The tensor that was described."""
        layout = _layout_from_dict(data["layout"], DType.of(data["dtype"]), self.backend, self.arrays)
        arrays = [self.arrays(place) for place in data["arrays"]]
        expected = list(_dense_parts(layout))
        for array, part in zip(arrays, expected, strict=True):
            if array.shape != part.sizes or array.dtype != part.dtype.numpy:
                raise ValueError(f"an array of {array.dtype} {array.shape} stands for {part}")
        return Tensor(layout, tuple(self.backend.as_native(array) for array in arrays))

    def object(self, data: Mapping[str, Any]) -> Any:
        """Dataclass with the described fields; fields that the file does not have take their defaults."""
        cls = _imported(data["class"])
        fields = (
            {field.name: field for field in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else {}
        )
        values = {name: self.build(value) for name, value in data["fields"].items()}
        for name, field in fields.items():
            if name not in values and field.default is not dataclasses.MISSING:
                values[name] = field.default
            elif name not in values and field.default_factory is not dataclasses.MISSING:
                values[name] = field.default_factory()
        if not dataclasses.is_dataclass(cls) or set(values) != set(fields):
            raise Unsupported(
                f"The file holds a `{data['class']}` with the fields {sorted(values)}, but here this class "
                f"has {sorted(fields)}. Load it with the version of the program that saved it."
            )
        made = object.__new__(cast("type[Any]", cls))
        for name, value in values.items():
            object.__setattr__(made, name, value)
        return made

    def named(self, data: Mapping[str, Any]) -> Any:
        """Named tuple with the described entries."""
        cls = _imported(data["class"])
        entries = [self.build(entry) for entry in data["entries"]]
        if not issubclass(cls, tuple) or len(getattr(cls, "_fields", ())) != len(entries):
            raise Unsupported(
                f"The file holds a `{data['class']}` of {len(entries)} entries, which {cls} is not."
            )
        return cast("Any", tuple).__new__(cls, entries)


_READERS: dict[str, Callable[[Reader, Any], Any]] = {
    "tuple": lambda reader, data: tuple(map(reader.build, data)),
    "dict": lambda reader, data: {reader.build(key): reader.build(value) for key, value in data},
    "object": Reader.object,
    "named": Reader.named,
    "tensor": Reader.tensor,
    "float": lambda reader, data: float(data),
    "complex": lambda reader, data: complex(float(data[0]), float(data[1])),
    "shape": lambda reader, data: Shape.of(tuple(map(dim_from_dict, data))),
    "dtype": lambda reader, data: DType.of(str(data)),
    "slice": lambda reader, data: slice(*map(reader.build, data)),
    "array": lambda reader, data: reader.arrays(data),
    "extrapolation": lambda reader, data: extrapolation_from(data),
    "Dict": lambda reader, data: Dict(_READERS["dict"](reader, data)),
    "layout": lambda reader, data: objects_of(*map(reader.build, data)),
}


def _layout_to_dict(layout: Layout, place: Callable[[Array], int]) -> dict[str, Any]:
    dims = [dim_to_dict(dim) for dim in layout.shape.dims]
    if isinstance(layout, Dense):
        return {"dims": dims, "stored": [dim.name for dim in layout.stored]}
    if isinstance(layout, Sparse):
        return {
            "dims": dims,
            "outer": [dim.name for dim in layout.outer],
            "inner": [dim.name for dim in layout.inner],
            "compressed": layout.compressed,
            "places": [place(layout.pattern.outer), place(layout.pattern.inner)],
            "values": _layout_to_dict(layout.values, place),
        }
    assert isinstance(layout, Parts)
    return {
        "dims": dims,
        "along": layout.dim.name,
        "parts": [_layout_to_dict(part, place) for part in layout.parts],
    }


def _layout_from_dict(
    data: Mapping[str, Any], dtype: DType, backend: Backend, arrays: Callable[[int], Array]
) -> Layout:
    shape = Shape.of(tuple(map(dim_from_dict, data["dims"])))
    if "stored" in data:
        return Dense.of(tuple(map(shape.get_dim, data["stored"])), shape, dtype, backend)
    if "places" in data:
        values = _layout_from_dict(data["values"], dtype, backend, arrays)
        return _sparse_from_dict(data, shape, values, [arrays(place) for place in data["places"]])
    parts = tuple(_layout_from_dict(part, dtype, backend, arrays) for part in data["parts"])
    dim = shape.get_dim(data["along"])
    if len(parts) != dim.size or Parts.of(dim, parts).shape != shape:
        raise ValueError(f"{len(parts)} parts along `{dim.name}` do not make {shape}")
    return Parts.of(dim, parts, shape)


def _sparse_from_dict(data: Mapping[str, Any], shape: Shape, values: Layout, places: list[Array]) -> Sparse:
    outer, inner = (tuple(map(shape.get_dim, data[group])) for group in ("outer", "inner"))
    sizes = [tuple(cast("int", dim.size) for dim in dims) for dims in (outer, inner)]
    inside = all(np.all((at >= 0) & (at < math.prod(size))) for at, size in zip(places, sizes, strict=True))
    if len(places[0]) != len(places[1]) or not inside or not is_increasing(*places):
        raise ValueError(f"the places of a sparse tensor {shape} are damaged")
    pattern = Pattern.of(*sizes, *places)
    return Sparse.of(outer, inner, pattern, values, shape, bool(data["compressed"]))


def _dense_parts(layout: Layout) -> list[Dense]:
    if isinstance(layout, Dense):
        return [layout]
    if isinstance(layout, Sparse):
        return _dense_parts(layout.values)
    assert isinstance(layout, Parts)
    return [dense for part in layout.parts for dense in _dense_parts(part)]


def _importable(cls: type, place: str) -> str:
    name = f"{cls.__module__}:{cls.__qualname__}"
    if _found(name) is not cls:
        raise TypeError(
            f"`save` cannot write `{place}`: its class `{cls.__qualname__}` is not found again by its name "
            f"in `{cls.__module__}`. Define the class at the top of a module."
        )
    return name


def _imported(name: str) -> type:
    """Class by module and name, only if the module was imported: a file must not start code."""
    found = _found(name)
    if found is None:
        module, _, cls = name.partition(":")
        raise Unsupported(
            f"The file holds a `{cls}` of the module `{module}`, which this program has not imported or "
            f"which lacks it. Import it before `load`; files never import anything themselves."
        )
    return found


def _found(name: str) -> type | None:
    module, _, path = name.partition(":")
    found: Any = sys.modules.get(module)
    for part in path.split("."):  # without `getattr`, which could run code of the module
        found = None if found is None else getattr(found, "__dict__", {}).get(part)
    return cast("type[Any]", found) if isinstance(found, type) else None
