"""What every operation must obey: machinery of the law suite, which is generated from the table.

A `Case` calls one operation on operands with dims of `SIZES` and knows the same operation on named NumPy
arrays. Every case is tried in each of `LAYOUTS`; layouts are made by differentiable operations, so that
derivatives are tried in them, too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

import numpy as np

import phi_tensor as math
from phi_tensor._dim_types import batch, channel, dual, instance, spatial
from phi_tensor._errors import Unsupported
from phi_tensor._shape import Shape, concat_shapes
from phi_tensor._tensor import Tensor
from phi_tensor.layouts._layout import Dense, Layout, Parts, Ragged, Stacked
from phi_tensor.layouts._sparse import Sparse
from phi_tensor.testing._assert import assert_close
from phi_tensor.testing._reference import Array, Named, expand, select

SIZES = {"b": 3, "x": 3, "y": 4, "p": 5, "vector": 3, "~y": 4}
"""Few different sizes: entries of all layouts then have equal shapes, and libraries compile these once."""
TYPES = {"b": batch, "x": spatial, "y": spatial, "p": instance, "vector": channel, "~y": dual}
OTHER_NAMES = {"b": "many", "x": "width", "y": "depth", "p": "points", "vector": "component", "~y": "~depth"}
"""Names that sort differently than the usual ones."""
RAGGED = (4, 3, 4)
"""Sizes of `y` along `b` in the ragged layout."""

LayoutName = Literal["dense", "expanded", "stacked", "ragged"]
LAYOUTS: tuple[LayoutName, ...] = ("dense", "expanded", "stacked", "ragged")
FEATURES = ("value", "jit", "reverse", "forward", "second")


class Names:
    """Actual names of dims by the names that cases use."""

    def __init__(self, table: dict[str, str] | None = None) -> None:
        self.table = table or {}

    def __call__(self, name: str) -> str:
        """Actual name."""
        return self.table.get(name, name)

    def all(self, names: str) -> tuple[str, ...]:
        """Actual names of a comma list."""
        return tuple(self(name) for name in names.split(","))

    def shape(self, **sizes: int) -> Shape:
        """Dims of the usual types, by usual names."""
        return concat_shapes(*(TYPES[name](**{self(name).lstrip("~"): size}) for name, size in sizes.items()))

    def back(self, x: Tensor) -> Tensor:
        """`x` under the usual names."""
        present = {name: new for name, new in self.table.items() if new in x.shape}
        return math.rename_dims(x, tuple(present.values()), tuple(present)) if present else x


@dataclass(frozen=True)
class Operand:
    """Random test values with the dims `dims`.

    Attributes:
        dims: Comma list of names in `SIZES`, in the order of storage.
        kind: `float`, `int`, `bool`, `complex`, or `special` (floats with NaN and infinities).
        domain: Interval of the values.
    """

    dims: str
    kind: str = "float"
    domain: tuple[float, float] = (-2, 2)

    def names(self) -> tuple[str, ...]:
        """Names of the dims."""
        return tuple(self.dims.split(",")) if self.dims else ()

    def values(self, rng: np.random.Generator) -> Named:
        """Random numbers."""
        sizes = tuple(SIZES[name] for name in self.names())
        if self.kind == "bool":
            return Named(self.names(), rng.random(sizes) > 0.4)
        if self.kind == "int":
            return Named(self.names(), rng.integers(int(self.domain[0]), int(self.domain[1]) + 1, sizes))
        numbers = rng.uniform(*self.domain, sizes).astype(np.float32).astype(np.float64)
        if self.kind == "complex":
            numbers = numbers + 1j * rng.uniform(*self.domain, sizes).astype(np.float32)
        if self.kind == "special":
            numbers = rng.choice([np.nan, np.inf, -np.inf, 1.0, 0.0], sizes)
        return Named(self.names(), numbers)


@dataclass(frozen=True)
class Case:
    """One operation with fixed static parameters.

    Attributes:
        row: Name of the row that is tested.
        operands: What it is called with.
        call: `call(names, *tensors)`; dims are named by `names`.
        oracle: The same for named arrays, in usual names.
        label: Distinguishes cases of one row.
        smooth: True if the derivative is compared with finite differences.
        layouts: Layouts in which the call is meaningful.
    """

    row: str
    operands: tuple[Operand, ...]
    call: Callable[..., Tensor]
    oracle: Callable[..., Named]
    label: str = ""
    smooth: bool = True
    layouts: tuple[LayoutName, ...] = LAYOUTS

    def __repr__(self) -> str:
        return f"{self.row}{'-' if self.label else ''}{self.label}"

    def possible_layouts(self) -> tuple[LayoutName, ...]:
        """Layouts that the dims of the operands allow."""
        names = [operand.names() for operand in self.operands]
        has_x = any("x" in n for n in names)
        is_ragged = any({"b", "y"} <= set(n) for n in names) and all(
            "b" in n for n in names if "y" in n or "~y" in n
        )
        allowed = {"dense": True, "expanded": has_x, "stacked": has_x, "ragged": is_ragged}
        return tuple(layout for layout in self.layouts if allowed[layout])

    def values(self) -> tuple[Named, ...]:
        """Test values, the same in every run."""
        return _values(self)


@lru_cache(None)
def _values(case: Case) -> tuple[Named, ...]:
    return tuple(_numbers(i, operand) for i, operand in enumerate(case.operands))


@lru_cache(None)
def _numbers(position: int, operand: Operand) -> Named:
    """Values of an operand; cases share equal ones, so that compilers can treat these together."""
    return operand.values(np.random.default_rng(crc32(f"{position}{operand}".encode())))


def tensor_of(x: Named, names: Names, transposed: bool = False) -> Tensor:
    """Named array as a tensor on the default backend in the context's precision."""
    dims = x.dims[::-1] if transposed else x.dims
    shape = concat_shapes(*(_dim(name, names, x) for name in dims))
    return math.tensor(np.ascontiguousarray(x.ordered(dims)), shape) if dims else math.tensor(x.array[()])


def _dim(name: str, names: Names, x: Named) -> Shape:
    size = x.sizes()[name]
    return TYPES[name](**{names(name).lstrip("~"): "u,v,w" if name == "vector" and size == 3 else size})


def as_layout(x: Tensor, layout: LayoutName, names: Names) -> Tensor:
    """`x` stored in another way; `expanded` and `ragged` lose numbers (see `arrays_in`)."""
    b, first, y = names("b"), names("x"), names("y")
    if layout == "expanded" and first in x.shape:
        return math.expand(x[{first: 0}], x.shape[first])
    if layout == "stacked" and first in x.shape:
        return math.stack([x[{first: i}] for i in range(SIZES["x"])], x.shape[first])
    if layout == "ragged" and b in x.shape and y in x.shape:
        return math.stack(
            [x[{b: i, y: slice(size)} if size < SIZES["y"] else {b: i}] for i, size in enumerate(RAGGED)],
            x.shape[b],
        )
    return x


def arrays_in(layout: LayoutName, values: Sequence[Named]) -> list[tuple[dict[str, int], tuple[Named, ...]]]:
    """What the oracle gets for operands in a layout: `(slice of the result, operands that give it)`."""
    if layout == "expanded":
        return [
            (
                {},
                tuple(expand(select(x, {"x": 0}), {"x": SIZES["x"]}) if "x" in x.dims else x for x in values),
            )
        ]
    if layout == "ragged":
        return [
            ({"b": i}, tuple(select(x, _entry(x, i, size)) for x in values)) for i, size in enumerate(RAGGED)
        ]
    return [({}, tuple(values))]


def _entry(x: Named, index: int, size: int) -> dict[str, int | slice]:
    return {"b": index, "y": slice(size)} if "b" in x.dims else {}


def entries(values: Sequence[Named], index: int) -> tuple[Named, ...]:
    """Operands at one position along the batch dim."""
    return tuple(select(x, {"b": index}) for x in values)


def check_result(
    result: Tensor, expected: list[tuple[dict[str, int], Named]], names: Names, rtol: float | None = None
) -> None:
    """Raise unless the numbers, names and the announced storage of a result are right."""
    check_storage(result)
    for selection, reference in expected:
        part = names.back(result[{names(name): i for name, i in selection.items()}])
        assert set(part.shape.names) == set(reference.dims), (
            f"dims {part.shape}, expected {reference.sizes()}"
        )
        assert_close(
            part.numpy(reference.dims), np.asarray(reference.array), rtol=rtol, because=f"slice {selection}"
        )


def check_storage(x: Tensor) -> None:
    """Raise unless the natives are what the layout announces."""
    _check_natives(x.layout, x.natives)


def _check_natives(layout: Layout, natives: Sequence[Any]) -> None:
    assert len(natives) == layout.count
    if isinstance(layout, Parts):
        assert isinstance(
            layout, Ragged if any(part.shape != layout.parts[0].shape for part in layout.parts) else Stacked
        )
        for part, start in zip(layout.parts, layout.offsets, strict=True):
            _check_natives(part, natives[start : start + part.count])
        return
    if isinstance(layout, Sparse):
        _check_natives(layout.values, natives)
        return
    assert isinstance(layout, Dense)
    for native in natives:
        assert layout.backend.is_native(native), f"{type(native)} is no array of {layout.backend}"
        assert layout.backend.dtype(native) is layout.dtype, f"{layout} holds {layout.backend.dtype(native)}"
        assert tuple(layout.backend.shape(native)) == layout.sizes, (
            f"{layout} holds {layout.backend.shape(native)}"
        )


# --- derivatives


@dataclass(frozen=True)
class Reference:
    """Σ w·oracle(x), a number for every case, and its derivatives along a random direction.

    By central differences of fourth order.

    Attributes:
        weights: w, one array per slice of the result.
        directions: One array per differentiated operand.
        value: The number itself.
        first: Directional derivative, 0 where none is defined.
        second: Second directional derivative, 0 where none is defined.
        scale: Σ |w·oracle(x)|, for tolerances.
    """

    weights: tuple[Named, ...]
    directions: tuple[Named, ...]
    value: float
    first: float
    second: float
    scale: float


@lru_cache(None)
def reference_of(case: Case, layout: LayoutName) -> Reference:
    """Value and finite differences of the oracle."""
    rng = np.random.default_rng(crc32(f"{case}{layout}".encode()))
    values = case.values()
    smooth = differentiated(case)
    directions = tuple(Named(values[i].dims, _signs(rng, values[i].array)) for i in smooth)
    results = [case.oracle(*arrays) for _, arrays in arrays_in(layout, values)]
    weights = tuple(Named(r.dims, _weights(rng, r.array)) for r in results)
    scale = float(sum(np.sum(np.abs(w.array * r.array)) for w, r in zip(weights, results, strict=True))) + 1

    def loss(step: float) -> float:
        moved = list(values)
        for i, direction in zip(smooth, directions, strict=True):
            moved[i] = Named(values[i].dims, values[i].array + step * direction.array)
        total = 0.0
        for (_, arrays), w in zip(arrays_in(layout, moved), weights, strict=True):
            total += float(np.sum(np.real(np.conj(w.array) * case.oracle(*arrays).array)))
        return total

    if not case.smooth:
        return Reference(weights, directions, loss(0), 0, 0, scale)
    h = 2e-4  # both errors, h⁴·f⁽⁵⁾/30 at the poles near the domains and ε/h, stay below 1e-9
    f = {i: loss(i * h) for i in (-2, -1, 0, 1, 2)}
    first = (8 * (f[1] - f[-1]) - (f[2] - f[-2])) / (12 * h)
    second = (16 * (f[1] + f[-1]) - (f[2] + f[-2]) - 30 * f[0]) / (12 * h * h)
    return Reference(weights, directions, f[0], first, second, scale)


def _signs(rng: np.random.Generator, like: Array) -> Array:
    signs = rng.choice([-1.0, 1.0], like.shape)
    return signs + 1j * rng.choice([-1.0, 1.0], like.shape) if like.dtype.kind == "c" else signs


def _weights(rng: np.random.Generator, like: Array) -> Array:
    real = rng.uniform(0.5, 1.5, like.shape)
    return real + 1j * rng.uniform(0.5, 1.5, like.shape) if like.dtype.kind == "c" else real


def differentiated(case: Case) -> tuple[int, ...]:
    """Positions of the operands with derivatives."""
    return tuple(i for i, operand in enumerate(case.operands) if operand.kind in ("float", "complex"))


def loss_of(
    case: Case, layout: LayoutName
) -> tuple[Callable[[Sequence[Tensor]], Tensor], list[Tensor], list[Tensor]]:
    """`(loss, operands, directions)`: the number of `reference_of` as a function of tensors."""
    names = Names()
    reference = reference_of(case, layout)
    values = [tensor_of(x, names) for x in case.values()]
    smooth = differentiated(case)
    weights = [_untyped(w) for w in reference.weights]
    selections = [selection for selection, _ in arrays_in(layout, case.values())]

    def loss(moved: Sequence[Tensor]) -> Tensor:
        operands = list(values)
        for i, x in zip(smooth, moved, strict=True):
            operands[i] = x
        result = case.call(names, *(as_layout(x, layout, names) for x in operands))
        check_storage(result)
        terms = [
            _weighted(result[selection], w, reference.weights[i].dims)
            for i, (selection, w) in enumerate(zip(selections, weights, strict=True))
        ]
        return sum(terms[1:], terms[0])

    return loss, [values[i] for i in smooth], [tensor_of(v, names) for v in reference.directions]


def _untyped(x: Named) -> Tensor:
    """Named array whose dims take the types that the result has, see `_weighted`."""
    return math.tensor(
        x.array,
        concat_shapes(*(spatial(**{name.replace("~", "dual_") + "_": n}) for name, n in x.sizes().items())),
    )


def _weighted(result: Tensor, weight: Tensor, dims: tuple[str, ...]) -> Tensor:
    weight = math.rename_dims(weight, weight.shape.names, [result.shape.get_dim(name) for name in dims])
    if result.dtype.kind is bool:
        result = math.to_float(result)
    return inner_product(weight, result)


def inner_product(x: Tensor, y: Tensor) -> Tensor:
    """Σ x·y of real, Σ Re(x̄·y) of complex numbers: the derivative along y by the gradient x."""
    product = x.real * y.real + x.imag * y.imag if y.dtype.kind is complex else x * y
    return math.sum(product, product.shape)


def rounded(x: Named) -> Named:
    """`x` as 16-bit floats hold it; complex numbers have 32 bit at least."""
    return Named(x.dims, x.array.astype(np.float16).astype(float)) if x.array.dtype.kind == "f" else x


# --- the support table


@dataclass
class Support:
    """Outcomes by backend and `row|layout|feature`: `+`, or `-` and the reason of a documented gap."""

    outcomes: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])

    def add(self, row: str, layout: str, feature: str, backend: str, gap: str | None) -> None:
        """Note an outcome: None, or the reason of a gap; one gap among the cases of a row counts."""
        cell = self.outcomes.setdefault(backend, {})
        key = f"{row}|{layout}|{feature}"
        if gap is not None:
            cell[key] = f"- {gap}"
        cell.setdefault(key, "+")

    def write(self, path: Path) -> None:
        """Markdown table at `path`, merged with what runs on other backends left beside it."""
        for backend, cells in self.outcomes.items():
            path.with_suffix(f".{backend}.json").write_text(
                json.dumps(cells, indent=0, sort_keys=True), "utf-8"
            )
        merged = {
            file.name.removeprefix(f"{path.stem}.").removesuffix(".json"): json.loads(file.read_text("utf-8"))
            for file in sorted(path.parent.glob(f"{path.stem}.*.json"))
        }
        path.write_text(_markdown(merged), "utf-8")


def _markdown(outcomes: dict[str, dict[str, str]]) -> str:
    backends = [name for name in ("numpy", "torch", "jax", "tensorflow") if name in outcomes]
    rows = sorted({key.split("|")[0] for cells in outcomes.values() for key in cells})
    lines = [
        "# What every operation supports",
        "",
        "As found by the law suite: **v**alue, **j**it, **r**everse, **f**orward, **s**econd derivatives;",
        "`·` raises `Unsupported`, see the gaps at the end. In other layouts than dense, all but values are",
        "tried once per kind.",
        "Nothing is written where a law does not apply (derivatives of comparisons, say).",
    ]
    for layout in LAYOUTS:
        lines += [
            "",
            f"## {layout.capitalize()}",
            "",
            f"| row | {' | '.join(backends)} |",
            f"|---|{'---|' * len(backends)}",
        ]
        for row in rows:
            cells = [_cell(outcomes[backend], row, layout) for backend in backends]
            if any(cells):
                lines.append(f"| {row} | {' | '.join(cells)} |")
    gaps = [
        f"| {' | '.join((*key.split('|'), backend, outcome.removeprefix('- ')))} |"
        for backend in backends
        for key, outcome in sorted(outcomes[backend].items())
        if outcome != "+"
    ]
    lines += ["", "## Gaps", ""]
    header = ["| row | layout | feature | backend | reason |", "|---|---|---|---|---|"]
    return "\n".join(lines + (header + gaps if gaps else ["None."])) + "\n"


def _cell(cells: dict[str, str], row: str, layout: str) -> str:
    found = {feature: cells.get(f"{row}|{layout}|{feature}", "") for feature in FEATURES}
    return "".join(feature[0] if outcome == "+" else "·" for feature, outcome in found.items() if outcome)


@contextmanager
def noted(
    support: Support,
    gaps: Mapping[tuple[str, ...], str],
    case: Case,
    layout: str,
    feature: str,
    backend: Any,
    rows: Sequence[str] = (),
) -> Generator[None]:
    """Context of one law: notes whether it holds. `Unsupported` is accepted where `gaps` lists it.

    Args:
        support: Where to note it.
        gaps: Reasons of accepted gaps by `(row, layout)`, `(row, layout, feature)` or
            `(row, layout, feature, backend)`.
        case: What is tried.
        layout: In which layout.
        feature: One of `FEATURES`.
        backend: On which backend.
        rows: Rows that the outcome stands for (default: that of the case).
    """
    keys = {(case.row, layout), (case.row, layout, feature), (case.row, layout, feature, backend.name)}
    reasons = [gaps[key] for key in sorted(keys & gaps.keys())]
    gap: str | None = None
    try:
        yield
    except Unsupported:
        if not reasons:
            raise
        gap = reasons[0]
    assert gap is not None or not reasons, (
        f"{sorted(keys & gaps.keys())} are listed as gaps, but work: remove them from the list"
    )
    for row in rows or (case.row,):
        support.add(row, layout, feature, backend.name, gap)
