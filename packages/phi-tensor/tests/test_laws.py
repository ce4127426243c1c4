"""Laws of every operation in the table, on every backend, in every layout.

A new row of a known kind is tested without a change here; a row with parameters of its own needs a line in
`PARAMETERS` or in a file of `cases/`, which lists `CASES` by topic and the topic's `GAPS`. Public functions
that are composed of rows obey the same laws: their cases have the function's name in place of a row's.
`PHI_SUPPORT_TABLE=path` writes what was found as a table.
"""

from __future__ import annotations

import os
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy import fft

import phi_tensor as math
from phi_tensor import channel, instance, spatial
from phi_tensor._plan import ROWS, RULES, Row
from phi_tensor.testing import _reference as ref
from phi_tensor.testing import assert_close
from phi_tensor.testing._laws import (
    OTHER_NAMES,
    Case,
    Names,
    Operand,
    Support,
    arrays_in,
    as_layout,
    check_result,
    differentiated,
    entries,
    inner_product,
    loss_of,
    noted,
    reference_of,
    rounded,
    tensor_of,
)
from phi_tensor.testing._reference import Named

GAPS: dict[tuple[str, ...], str] = {
    ("join", "ragged"): "there is no single array",
}
"""Reasons of documented gaps, which raise `Unsupported`: by `(row, layout)`, possibly feature and backend."""

UNIFORM = ("dense", "expanded", "stacked")


# --- cases


def numbers(row: Row, dims: str) -> Operand:
    """Operand for a row: its domain, and the kind of numbers that its dtype rule asks for."""
    if row.options.get("ints"):
        return Operand(dims, "int", (0, 6))
    if row.dtype == "logical":
        return Operand(dims, "bool")
    if row.dtype == "test":
        return Operand(dims, "special")
    if row.dtype == "compare":
        return Operand(dims, "int", (-1, 1))
    return Operand(dims, "float", row.options.get("domain", (0.2, 2) if row.name == "prod" else (-2, 2)))


def elementwise(row: Row) -> Iterator[Case]:
    dims = ("b,x,y", "y,b", "b,y,x")
    operands = [numbers(row, d) for d in dims[: row.options["arity"]]]
    if row.name == "where":
        operands = [Operand("b,x,y", "bool"), Operand("y,b"), Operand("x")]
    if row.name == "clip":
        operands = [Operand("b,x,y"), Operand("x", domain=(-1, -0.5)), Operand("b", domain=(0.5, 1))]
    smooth = row.options.get("smooth", True)

    def oracle(*xs: Named) -> Named:
        with np.errstate(all="ignore"):
            return ref.apply(row.oracle, *xs)

    yield Case(row.name, tuple(operands), lambda n, *xs: row(*xs), oracle, smooth=smooth)
    if row.name in COMPLEX:
        operands = [Operand(o.dims, "complex") for o in operands]
        smooth = smooth or row.name in ("imag", "sign", "angle")
        yield Case(row.name, tuple(operands), lambda n, *xs: row(*xs), oracle, "complex", smooth=smooth)


COMPLEX = (
    "abs",
    "real",
    "imag",
    "conj",
    "angle",
    "negative",
    "sign",
    "round",
    "exp",
    "expm1",
    "square",
    "sqrt",
    "rsqrt",
    "reciprocal",
    "log",
    "log1p",
    "log2",
    "log10",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "tanh",
    "asin",
    "acos",
    "atan",
    "asinh",
    "acosh",
    "atanh",
    "sigmoid",
    "isfinite",
    "isnan",
    "isinf",
    "add",
    "subtract",
    "multiply",
    "divide",
    "safe_divide",
    "pow",
    "equal",
    "not_equal",
)
"""Element-wise rows that are tried on complex numbers, too."""


def reduction(row: Row) -> Iterator[Case]:
    smooth = row.options.get("smooth", True)
    for dims in ("y", "x,y"):
        yield Case(
            row.name,
            (numbers(row, "b,x,y"),),
            lambda n, a, dims=dims: row(a, names=n.all(dims)),
            lambda a, dims=dims: ref.reduce(row.oracle, a, dims.split(",")),
            f"over {dims}",
            smooth=smooth,
        )
    if row.name in ("sum", "prod", "mean"):
        yield Case(
            row.name,
            operand("b,x,y", kind="complex"),
            lambda n, a: row(a, names=n.all("x,y")),
            lambda a: ref.reduce(row.oracle, a, ("x", "y")),
            "complex",
        )


def along(row: Row) -> Iterator[Case]:
    keeps = row.kind == "along"
    for dim in ("x", "y"):
        yield Case(
            row.name,
            (numbers(row, "b,x,y"),),
            lambda n, a, dim=dim: row(a, name=n(dim)),
            lambda a, dim=dim: ref.along(row.oracle, a, dim) if keeps else ref.reduce(row.oracle, a, (dim,)),
            f"along {dim}",
            smooth=row.options.get("smooth", True),
        )
    if row.name in ("cumsum", "cumprod"):
        yield Case(
            row.name,
            operand("b,x,y", kind="complex"),
            lambda n, a: row(a, name=n("y")),
            lambda a: ref.along(row.oracle, a, "y"),
            "complex",
        )


KINDS: dict[str, Callable[[Row], Iterator[Case]]] = {
    "elementwise": elementwise,
    "reduction": reduction,
    "mean": reduction,
    "arg_reduction": along,
    "along": along,
}
"""Kinds of rows whose cases follow from the row alone."""


def operand(*dims: str, kind: str = "float") -> tuple[Operand, ...]:
    return tuple(Operand(d, kind) for d in dims)


A = operand("b,x,y")
"""One operand; the usual one of structural operations."""


def sliced(item: object, dim: str, label: str) -> Case:
    index = ([0, 2] if item == "u,w" else 1) if isinstance(item, str) else item
    a = operand("b,y,vector") if dim == "vector" else A
    return Case("slice", a, lambda n, a: a[{n(dim): item}], lambda a: ref.select(a, {dim: index}), label)


def padded(mode: object, numpy_mode: str, dims: str = "x,y", **options: object) -> Case:
    widths = dict(zip(dims.split(","), [(1, 2), (2, 0)], strict=False))
    return Case(
        "pad",
        A,
        lambda n, a: math.pad(a, {n(dim): width for dim, width in widths.items()}, mode),
        lambda a: ref.pad(a, widths, numpy_mode, **options),
        f"{mode} {dims}",
    )


def stencil(
    row: str,
    mode: str,
    numpy_mode: str,
    call: Callable[..., math.Tensor],
    weights: tuple[float, float, float],
) -> Case:
    """Weighted sums of three neighbours along x and y, with distances 0.5."""

    def one(a: Named, dim: str) -> Named:
        wide = ref.pad(a, {dim: (1, 1)}, numpy_mode)
        parts = [ref.select(wide, {dim: slice(i, i + a.sizes()[dim])}) for i in range(3)]
        return ref.apply(lambda *xs: sum(w * x for w, x in zip(weights, xs, strict=True)), *parts)

    def oracle(a: Named) -> Named:
        parts = [one(a, dim) for dim in ("x", "y")]
        return ref.stack(parts, "g") if row == "difference" else ref.apply(np.add, *parts)

    return Case(
        row,
        A,
        lambda n, a: call(a, 0.5, padding=mode, dims=n.all("x,y")),
        oracle,
        f"{call.__name__} {mode} {weights}",
    )


def central(a: math.Tensor, dx: float, **options: object) -> math.Tensor:
    return math.spatial_gradient(a, dx, stack_dim=channel("g"), **options)


def forward_difference(a: math.Tensor, dx: float, **options: object) -> math.Tensor:
    return math.spatial_gradient(a, dx, "forward", stack_dim=channel("g"), **options)


def indices(n: Names, *components: math.Tensor) -> math.Tensor:
    """Index vectors for x and y."""
    return math.stack(dict(zip(n.all("x,y"), components, strict=True)), channel("index"), expand_values=True)


def present(*dims: str, of: Named) -> tuple[str, ...]:
    return tuple(dim for dim in dims if dim in of.dims)


def stacked_index(*components: Named) -> Named:
    return ref.stack(components, "i")


INDEX = (Operand("b,p", "int", (0, 2)), Operand("p", "int", (0, 2)))
"""Positions along x and y that exist in every layout."""


def sampled(mode: object, numpy_mode: str, x: tuple[float, float], y: tuple[float, float]) -> Case:
    return Case(
        "grid_sample",
        (*A, Operand("b,p", domain=x), Operand("p", domain=y)),
        lambda n, a, i, j: math.grid_sample(a, indices(n, i, j), mode),
        lambda a, i, j: ref.sample(
            a,
            {"x": ref.expand(i, {}), "y": ref.expand(j, {d: i.sizes()[d] for d in present("b", of=i)})},
            numpy_mode,
        ),
        f"{mode} {x} {y}",
    )


def signal(row: str, type: int, inverse: bool = False) -> Case:
    """A real transform along x and y beside SciPy's."""
    function, name = (
        (math.idct if row == "dct" else math.idst, f"i{row}n") if inverse else (getattr(math, row), f"{row}n")
    )
    return Case(
        row,
        A,
        lambda n, a: function(a, n.all("x,y"), type),
        lambda a: ref.transform(getattr(fft, name), a, ("x", "y"), type=type),
        f"{'inverse ' if inverse else ''}type {type}",
    )


PARAMETERS: list[Case] = [
    padded(0, "constant"),
    padded(0.5, "constant", "x", constant_values=0.5),
    padded("zero-gradient", "edge"),
    padded("periodic", "wrap"),
    padded("symmetric", "symmetric"),
    padded("reflect", "reflect"),
    Case(
        "pad",
        A,
        lambda n, a: math.pad(a, {n("y"): (-1, -1)}, 0),
        lambda a: ref.select(a, {"y": slice(1, -1)}),
        "crop",
    ),
    Case(
        "pad",
        (*A, Operand("b")),
        lambda n, a, c: math.pad(a, {n("x"): (1, 0)}, c),
        lambda a, c: ref.concat([ref.expand(c, {**a.sizes(), "x": 1}), a], "x"),
        "constant that varies",
    ),
    stencil("difference", "periodic", "wrap", central, (-1, 0, 1)),
    stencil("difference", "zero-gradient", "edge", central, (-1, 0, 1)),
    stencil("difference", "symmetric", "symmetric", forward_difference, (0, -2, 2)),
    stencil("laplace", "periodic", "wrap", math.laplace, (4, -8, 4)),
    stencil("laplace", "zero-gradient", "edge", math.laplace, (4, -8, 4)),
    Case(
        "take",
        (*A, Operand("p", "int", (0, 2))),
        lambda n, a, i: ROWS["take"](a, i, name=n("x")),
        lambda a, i: ref.take(a, i.array, "x")._replace(dims=tuple("p" if d == "x" else d for d in a.dims)),
    ),
    Case(
        "gather",
        (*A, *INDEX),
        lambda n, a, i, j: math.gather(a, indices(n, i, j)),
        lambda a, i, j: ref.gather(a, stacked_index(i, j), ("x", "y"), "i", present("b", of=a)),
        "x,y",
    ),
    Case(
        "gather",
        (*A, INDEX[0]),
        lambda n, a, i: math.gather(a, i, n("y")),
        lambda a, i: ref.gather(a, stacked_index(i), ("y",), "i", present("b", of=a)),
        "y",
    ),
    Case(
        "scatter_add",
        (*A, *INDEX, Operand("b,p")),
        lambda n, a, i, j, v: math.scatter(a, indices(n, i, j), v, mode="add"),
        lambda a, i, j, v: ref.scatter_add(a, stacked_index(i, j), v, ("x", "y"), "i", present("b", of=a)),
        "x,y",
    ),
    sampled(0, "constant", (0.1, 1.9), (0.1, 1.9)),
    sampled("zero-gradient", "edge", (-0.9, -0.1), (0.1, 0.9)),
    sampled("periodic", "wrap", (-0.9, -0.1), (1.1, 1.9)),
    Case(
        "fft",
        A,
        lambda n, a: math.fft(a, n.all("x,y")),
        lambda a: ref.transform(np.fft.fftn, a, ("x", "y")),
        "of reals",
    ),
    Case(
        "fft",
        operand("b,x,y", kind="complex"),
        lambda n, a: math.fft(a, n("y")),
        lambda a: ref.transform(np.fft.fftn, a, ("y",)),
        "complex",
    ),
    Case(
        "ifft",
        A,
        lambda n, a: math.ifft(a, n.all("x,y")),
        lambda a: ref.transform(np.fft.ifftn, a, ("x", "y")),
        "of reals",
    ),
    Case(
        "rfft",
        A,
        lambda n, a: math.rfft(a, n.all("x,y")),
        lambda a: ref.transform(np.fft.rfftn, a, ("x", "y")),
    ),
    Case(
        "irfft",
        A,
        lambda n, a: math.irfft(a, n.all("x,y"), 5),
        lambda a: ref.transform(np.fft.irfftn, a, ("x", "y"), s=(a.array.shape[a.dims.index("x")], 5)),
        "of reals",
    ),
    Case(
        "irfft",
        operand("b,x,y", kind="complex"),
        lambda n, a: math.irfft(a, n("y")),
        lambda a: ref.transform(np.fft.irfftn, a, ("y",)),
        "complex",
    ),
    *(signal(row, type) for row in ("dct", "dst") for type in (1, 2, 3, 4)),
    *(signal(row, 2, inverse=True) for row in ("dct", "dst")),
    Case("cast", A, lambda n, a: math.cast(a, "float64"), lambda a: a, "to float64"),
    Case(
        "cast",
        A,
        lambda n, a: math.cast(a, "int64"),
        lambda a: Named(a.dims, a.array.astype(np.int64)),
        "to int64",
        smooth=False,
    ),
    Case("join", A, lambda n, a: a.block() if a.shape.is_uniform else ROWS["join"](a), lambda a: a),
    sliced(1, "x", "int"),
    sliced(-1, "y", "from the end"),
    sliced(slice(1, 3), "y", "range"),
    sliced(slice(None, None, -1), "x", "backwards"),
    sliced(slice(-9, 99, 2), "x", "clamped"),
    sliced([2, 0, 0], "x", "list"),
    sliced("v", "vector", "label"),
    sliced("u,w", "vector", "labels"),
    Case("expand", A, lambda n, a: math.expand(a, n.shape(p=5)), lambda a: ref.expand(a, {"p": 5})),
    Case(
        "rename",
        A,
        lambda n, a: math.rename_dims(a, n("x"), instance("q")),
        lambda a: ref.rename(a, {"x": "q"}),
    ),
    Case(
        "stack",
        operand("b,x,y", "y,x,b"),
        lambda n, *xs: math.stack(xs, channel("c")),
        lambda *xs: ref.stack(xs, "c"),
    ),
    Case(
        "concat",
        operand("b,x,y", "y,b,x"),
        lambda n, *xs: math.concat(xs, n("x")),
        lambda *xs: ref.concat(xs, "x"),
        "along x",
    ),
    Case(
        "concat",
        operand("b,x,y", "y,b,x"),
        lambda n, *xs: math.concat(xs, n("y")),
        lambda *xs: ref.concat(xs, "y"),
        "along y",
    ),
    Case(
        "pack",
        A,
        lambda n, a: math.pack_dims(a, n.all("x,y"), instance("q")),
        lambda a: ref.pack(a, ("x", "y"), "q"),
        "x,y",
    ),
    Case(
        "pack",
        A,
        lambda n, a: math.pack_dims(a, n.all("y,x"), instance("q")),
        lambda a: ref.pack(a, ("y", "x"), "q"),
        "y,x",
    ),
    Case(
        "unpack",
        A,
        lambda n, a: math.unpack_dim(a, n("y"), spatial(u=2, v=2)),
        lambda a: ref.unpack(a, "y", {"u": 2, "v": 2}),
        layouts=UNIFORM,
    ),
    Case("flip", A, lambda n, a: math.flip(a, n("x")), lambda a: ref.flip(a, ("x",)), "x"),
    Case("flip", A, lambda n, a: math.flip(a, n.all("y,x")), lambda a: ref.flip(a, ("x", "y")), "x,y"),
    Case("roll", A, lambda n, a: math.roll(a, 1, n("x")), lambda a: ref.roll(a, 1, "x"), "x"),
    Case("roll", A, lambda n, a: math.roll(a, -2, n("y")), lambda a: ref.roll(a, -2, "y"), "y"),
    Case(
        "matmul",
        operand("b,x,~y", "b,y"),
        lambda n, a, b: a @ b,
        lambda a, b: ref.matmul(a, b, [("~y", "y")]),
        "matrix",
        layouts=UNIFORM,
    ),
    Case(
        "matmul",
        operand("b,x,~y", "y,p"),
        lambda n, a, b: a @ b,
        lambda a, b: ref.matmul(a, b, [("~y", "y")]),
        "matrices",
        layouts=UNIFORM,
    ),
    Case(
        "matmul",
        operand("x,y", "y,b,x"),
        lambda n, a, b: ROWS["matmul"](a, b, pairs=((n("y"), n("y")),)),
        lambda a, b: ref.matmul(a, b, [("y", "y")]),
        "pairs",
        layouts=UNIFORM,
    ),
    Case(
        "matmul",
        operand("x,y", "y,b,x", kind="complex"),
        lambda n, a, b: ROWS["matmul"](a, b, pairs=((n("y"), n("y")),)),
        lambda a, b: ref.matmul(a, b, [("y", "y")]),
        "complex",
        layouts=UNIFORM,
    ),
]
"""Cases of rows with parameters of their own."""


TOPICS = [runpy.run_path(str(file)) for file in sorted(Path(__file__).with_name("cases").glob("*.py"))]
for topic in TOPICS:
    GAPS.update(topic.get("GAPS", {}))


def all_cases() -> list[Case]:
    cases = [case for row in ROWS.values() if row.kind in KINDS for case in KINDS[row.kind](row)]
    return cases + PARAMETERS + [case for topic in TOPICS for case in topic["CASES"]]


CASES = all_cases()
PLACES = [(case, layout) for case in CASES for layout in case.possible_layouts()]


def kind_of(name: str) -> tuple[object, ...]:
    """What rows share that are planned alike; functions composed of rows are one kind."""
    return (ROWS[name].kind, ROWS[name].options.get("arity")) if name in ROWS else ("composed",)


def represented(case: Case, layout: str) -> list[str]:
    """Rows that a compiled or differentiated case stands for: all of its kind in other layouts than dense."""
    return [row for row in ROWS if layout != "dense" and kind_of(row) == kind_of(case.row)] or [case.row]


def chosen(places: list[tuple[Case, str]]) -> list[tuple[Case, str]]:
    """All cases as one array; other layouts once per kind: only that decides how they are taken apart."""
    first = {kind_of(case.row): case for case, _ in reversed(places)}
    return [
        (case, layout) for case, layout in places if layout == "dense" or case is first[kind_of(case.row)]
    ]


JIT_PLACES = chosen(PLACES)
SMOOTH = chosen([(case, layout) for case, layout in PLACES if case.smooth])

each_case = pytest.mark.parametrize("case", CASES, ids=repr)
each_place = pytest.mark.parametrize(
    ("case", "layout"), PLACES, ids=[f"{c}-{layout}" for c, layout in PLACES]
)
each_smooth = pytest.mark.parametrize(
    ("case", "layout"), SMOOTH, ids=[f"{c}-{layout}" for c, layout in SMOOTH]
)


@pytest.fixture(scope="module")
def support():
    found = Support()
    yield found
    if "PHI_SUPPORT_TABLE" in os.environ:
        found.write(Path(os.environ["PHI_SUPPORT_TABLE"]))


# --- laws


@pytest.mark.parametrize("row", ROWS.values(), ids=[row.name for row in ROWS.values()])
def test_every_row_has_a_case(row):
    assert row.kind in RULES, f"`{row.name}` is in the table, but nothing plans it"
    assert any(case.row == row.name for case in CASES), f"`{row.name}` has no case: add one to `PARAMETERS`"


def test_every_case_is_of_a_row_or_a_public_function():
    assert [case.row for case in CASES if case.row not in ROWS and not hasattr(math, case.row)] == []


@each_case
def test_value_is_that_of_numpy(case, backend, support):
    operands = [tensor_of(x, Names()) for x in case.values()]
    with noted(support, GAPS, case, "dense", "value", backend):
        result = case.call(Names(), *operands)
        check_result(result, expected(case, "dense"), Names())
        assert result.dtype.precision in (None, 32) or case.row == "cast"


@pytest.mark.needs("float16")
@each_case
def test_value_in_16_bit(case, backend):
    values = [rounded(x) for x in case.values()]
    with math.precision(16):
        result = case.call(Names(), *(tensor_of(x, Names()) for x in values))
        with np.errstate(all="ignore"):
            check_result(result, [({}, case.oracle(*values))], Names(), rtol=1e-2)
        assert result.dtype.kind is not float or result.dtype.precision == 16 or case.row == "cast"


@each_place
def test_layout_does_not_matter(case, layout, backend, support):
    with math.precision(64), noted(support, GAPS, case, layout, "value", backend):
        operands = [as_layout(tensor_of(x, Names()), layout, Names()) for x in case.values()]
        check_result(case.call(Names(), *operands), expected(case, layout), Names())


@each_case
def test_batch_is_each_entry(case, backend):
    with math.precision(64):
        operands = [tensor_of(x, Names()) for x in case.values()]
        result = case.call(Names(), *operands)
        for i in range(result.shape.get_size("b") if any("b" in x.shape for x in operands) else 0):
            alone = case.call(Names(), *(x[{"b": i}] for x in operands))
            assert_close(alone, result[{"b": i}], because="one entry alone, and as part of the batch")
            check_result(alone, [({}, case.oracle(*entries(case.values(), i)))], Names())


@each_case
def test_order_of_dims_does_not_matter(case, backend):
    with math.precision(64):
        operands = [tensor_of(x, Names(), transposed=True) for x in case.values()]
        check_result(case.call(Names(), *operands), expected(case, "dense"), Names())


@each_case
def test_names_do_not_matter(case, backend):
    names = Names(OTHER_NAMES)
    with math.precision(64):
        operands = [tensor_of(x, names) for x in case.values()]
        check_result(case.call(names, *operands), expected(case, "dense"), names)


def expected(case, layout):
    return [(selection, case.oracle(*arrays)) for selection, arrays in arrays_in(layout, case.values())]


@pytest.fixture(scope="module")
def compiled():
    """Outcomes by backend: all cases are compiled at once, as compilers take seconds for any function."""
    return {}


def compiled_outcome(compiled, backend, place, places, evaluate):
    """What `evaluate(place, operands)` gives in one compiled function for all `places`, or raised."""
    key = backend.name, evaluate
    if key not in compiled:
        compiled[key] = outcomes = {}

        def compute(inputs):
            results = {}
            for i, (case, layout) in enumerate(places):
                try:
                    results[str(i)] = evaluate(
                        (case, layout), [inputs[operands.index(o)] for o in enumerate(case.operands)]
                    )
                except Exception as error:  # noqa: BLE001 the test of this case raises it
                    outcomes[case, layout] = error
            return results

        operands = list(dict.fromkeys(o for case, _ in places for o in enumerate(case.operands)))
        values = {
            o: x for case, _ in places for o, x in zip(enumerate(case.operands), case.values(), strict=True)
        }
        with math.precision(64):
            results = math.jit_compile(compute)([tensor_of(values[o], Names()) for o in operands])
        outcomes.update((places[int(i)], result) for i, result in results.items())
    if place not in compiled[key]:
        pytest.fail("the function that holds all cases did not compile, see the first failure")
    outcome = compiled[key][place]
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


@pytest.mark.needs("jit")
@pytest.mark.compiled
@pytest.mark.parametrize(("case", "layout"), JIT_PLACES, ids=[f"{c}-{layout}" for c, layout in JIT_PLACES])
def test_value_in_jit(case, layout, backend, support, compiled):
    with math.precision(64), noted(support, GAPS, case, layout, "jit", backend, represented(case, layout)):
        result = compiled_outcome(compiled, backend, (case, layout), JIT_PLACES, value)
        check_result(result, expected(case, layout), Names())


def value(place, operands):
    case, layout = place
    return case.call(Names(), *(as_layout(x, layout, Names()) for x in operands))


@pytest.mark.needs("reverse")
@each_smooth
def test_reverse_derivative_is_the_difference_quotient(case, layout, backend, support):
    reference = reference_of(case, layout)
    with (
        math.precision(64),
        noted(support, GAPS, case, layout, "reverse", backend, represented(case, layout)),
    ):
        loss, operands, directions = loss_of(case, layout)
        check_number(reverse(loss, operands, directions), reference.first, reference.scale)


@pytest.mark.needs("forward")
@each_smooth
def test_forward_derivative_is_the_difference_quotient(case, layout, backend, support):
    reference = reference_of(case, layout)
    with (
        math.precision(64),
        noted(support, GAPS, case, layout, "forward", backend, represented(case, layout)),
    ):
        loss, operands, directions = loss_of(case, layout)
        check_number(forward(loss, operands, directions), reference.first, reference.scale)


@pytest.mark.needs("reverse", "forward")
@each_smooth
def test_second_derivative_is_the_difference_quotient(case, layout, backend, support):
    reference = reference_of(case, layout)
    with math.precision(64), noted(support, GAPS, case, layout, "second", backend, represented(case, layout)):
        loss, operands, directions = loss_of(case, layout)
        derivative = forward(lambda xs: reverse(loss, xs, directions), operands, directions)
        check_number(derivative, reference.second, reference.scale, 1e-6)


def reverse(loss, operands, directions):
    gradients = math.gradient(loss, get_output=False)(list(operands))
    return total([inner_product(g, v) for g, v in zip(gradients, directions, strict=True)])


def forward(loss, operands, directions):
    return math.jvp(lambda *xs: loss(xs), list(operands), list(directions))[1]


def total(terms):
    result = terms[0]
    for term in terms[1:]:
        result = result + term
    return result


def check_number(actual, desired, scale, tolerance=1e-9):
    """Difference quotients of fourth order with step 1e-3: their own error is about 1e-11 of the values."""
    assert actual.rank == 0
    assert float(actual) == pytest.approx(desired, rel=tolerance, abs=tolerance * scale)


@pytest.mark.needs("jit", "reverse")
@pytest.mark.compiled
@pytest.mark.parametrize("case", [case for case in CASES if case.smooth], ids=repr)
def test_derivative_in_jit(case, backend, support, compiled):
    reference = reference_of(case, "dense")
    places = [place for place in SMOOTH if place[1] == "dense"]
    with noted(support, GAPS, case, "dense", "jit", backend):
        outcome = compiled_outcome(compiled, backend, (case, "dense"), places, derivative)
        check_number(outcome, reference.first, reference.scale)


def derivative(place, operands):
    loss, _, directions = loss_of(*place)
    return reverse(loss, [operands[i] for i in differentiated(place[0])], directions)
