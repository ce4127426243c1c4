"""Eager overhead of every row of the operation table: one native call, PhiML and ours, on 8x8 arrays.

Calls are written once, for PhiML's names; functions are looked up before the clock starts, like native ones.
A row without a native counterpart of one call informs only. The budgets: no row slower than PhiML's, and the
median over the table ≤ 3 x native NumPy, ≤ 2 x native torch.
"""

import importlib
import operator
from collections.abc import Callable
from statistics import median
from types import ModuleType

from ._harness import Build, Case, NotAvailable, Task
from .native import rows as native

BACKENDS = ("numpy", "torch", "jax")
MEDIAN = {"numpy": 3.0, "torch": 2.0}
Call = Callable[..., object]
Prepare = Callable[[ModuleType], Call]


def named(name: str) -> Prepare:
    """The function of a library."""
    return lambda math: getattr(math, name)


def along(name: str) -> Prepare:
    """The function of a library along the first dim."""

    def prepare(math: ModuleType) -> Call:
        function = getattr(math, name)
        return lambda x: function(x, "x")

    return prepare


def symbol(function: Call) -> Prepare:
    """An operator, the same for all libraries."""
    return lambda math: function


def written(call: Call) -> Prepare:
    """A call that takes the library first."""
    return lambda math: lambda *xs: call(math, *xs)


CALLS: dict[str, Prepare] = {
    **{
        name: named(name)
        for name in [
            "abs",
            "sign",
            "round",
            "ceil",
            "floor",
            "sqrt",
            "exp",
            "log",
            "log2",
            "log10",
            "sin",
            "cos",
            "tan",
            "sinh",
            "cosh",
            "tanh",
            "erf",
            "sigmoid",
            "real",
            "imag",
            "angle",
            "maximum",
            "minimum",
            "trunc",
            "square",
            "reciprocal",
            "expm1",
            "log1p",
            "logical_and",
            "logical_or",
            "logical_xor",
            "logical_not",
            "where",
        ]
    },
    **{f"a{name}": named(f"arc{name}") for name in ["sin", "cos", "tan", "sinh", "cosh", "tanh"]},
    **{
        name: along(name)
        for name in ["sum", "prod", "mean", "max", "min", "any", "all", "argmax", "argmin", "sort"]
    },
    "atan2": written(lambda math, x, y: math.arctan(x, divide_by=y)),
    **{
        row: symbol(getattr(operator, name))
        for row, name in {
            "negative": "neg",
            "add": "add",
            "subtract": "sub",
            "multiply": "mul",
            "divide": "truediv",
            "floor_divide": "floordiv",
            "remainder": "mod",
            "pow": "pow",
            "equal": "eq",
            "not_equal": "ne",
            "less": "lt",
            "less_equal": "le",
            "greater": "gt",
            "greater_equal": "ge",
            "bitwise_and": "and_",
            "bitwise_or": "or_",
            "bitwise_xor": "xor",
            "bitwise_left_shift": "lshift",
            "bitwise_right_shift": "rshift",
            "bitwise_invert": "invert",
        }.items()
    },
    "conj": named("conjugate"),
    "isfinite": named("is_finite"),
    "isnan": named("is_nan"),
    "isinf": named("is_inf"),
    "softplus": named("soft_plus"),
    "rsqrt": written(lambda math, x: 1 / math.sqrt(x)),
    "safe_divide": named("safe_div"),
    "clip": written(lambda math, x: math.clip(x, 0.3, 0.6)),
    "cast": written(lambda math, x: math.to_int64(x)),
    "cumsum": written(lambda math, x: math.cumulative_sum(x, "x")),
    "slice": written(lambda math, x: x.x[1:-1]),
    "expand": written(lambda math, x: math.expand(x, math.spatial(x=native.SIZE))),
    "rename": written(lambda math, x: math.rename_dims(x, "x", math.spatial("z"))),
    "stack": written(lambda math, *xs: math.stack(xs, math.batch("part"))),
    "concat": written(lambda math, *xs: math.concat(xs, "x")),
    "pack": written(lambda math, x: math.pack_dims(x, "x,y", math.instance("p"))),
    "unpack": written(lambda math, x: math.unpack_dim(x, "x", math.spatial(u=2, v=native.SIZE // 2))),
    "flip": written(lambda math, x: x.x[::-1]),
    "roll": written(lambda math, x: math.roll(x, 1, "x")),
    "pad": written(lambda math, x: math.pad(x, {"x": (1, 1)}, 0)),
    "laplace": written(lambda math, x: math.laplace(x, padding=math.extrapolation.PERIODIC)),
    "difference": written(lambda math, x: math.spatial_gradient(x, padding=math.extrapolation.PERIODIC)),
    "matmul": written(lambda math, x, y: math.dot(x, "y", y, "x")),
    **{name: named(name) for name in ["fft", "ifft"]},
    "rfft": written(lambda math, x: math.rfft(x, "x,y")),
    "irfft": written(lambda math, x: math.irfft(x, "x,y")),
    **{name: named(name) for name in ["copysign", "hypot", "logaddexp", "nextafter", "sinc", "signbit"]},
    **{name: named(name) for name in ["erfc", "erfinv", "digamma", "log_gamma"]},
    "gammainc": written(lambda math, a, x: math.incomplete_gamma(a, x)),
    "gammaincc": written(lambda math, a, x: math.incomplete_gamma(a, x, upper=True)),
    **{f"cum{name}": along(f"cumulative_{name}") for name in ["prod", "max", "min"]},
    "argsort": along("argsort"),
    "searchsorted": written(lambda math, s, x: math.searchsorted(s, x, "s")),
    "gather": written(lambda math, x, k: math.gather(x, k, "x")),
    **{
        f"scatter_{mode}": written(lambda math, x, k, v, mode=mode: math.scatter(x, k, v, mode=mode))
        for mode in ["update", "add", "mean", "min", "max", "prod", "any", "all"]
    },
    "convolve": named("convolve"),
    "random_bits": written(lambda math: math.random_uniform(math.spatial(x=native.SIZE, y=native.SIZE))),
    "join": written(lambda math, *xs: math.stack(xs, math.batch("part")).native("part,x,y")),
    "take": written(lambda math, x, o: math.boolean_mask(x, "x", o)),
    "grid_sample": written(lambda math, x, at: math.grid_sample(x, at, math.extrapolation.ZERO_GRADIENT)),
    "dct": written(lambda math, x: math.dct(x, "x,y")),
    "dst": written(lambda math, x: math.dst(x, "x,y")),
    "solve": named("solve_dense"),
    "inv": named("inverse"),
    "pinv": named("pinv"),
    "det": named("determinant"),
    "logabsdet": named("log_determinant"),
    "trace": named("trace"),
    "eigvals": named("eigenvalues"),
    **{name: named(name) for name in ["eigh", "cholesky", "qr"]},
    "svd": written(lambda math, h: math.svd(h, "~x", "x")),
    "svdvals": named("singular_values"),
}
"""Row → call; tensors have the dims `(x, y)`."""

OPERANDS = {"scatter_mean": "r k v", "random_bits": ""}
"""Operands of calls that have no native counterpart."""


def dims_of(math: ModuleType, row: str, letter: str) -> tuple:
    """Dims of an operand of a call; positions are index vectors, as all libraries of the kind take them."""
    if letter == "h":
        return math.spatial("x"), math.dual("x")
    if letter == "k":
        return math.instance("p"), math.channel(vector="x")
    if letter == "l":
        return math.instance("p"), math.channel(vector="x,y")
    if letter == "s":
        return (math.instance("s"),)
    if letter in "vt":
        return (math.instance("p"),)
    if letter in "oq":
        return (math.spatial("x"),)
    if letter == "r":
        return (math.spatial("x" if row.startswith("scatter") else "y"),)
    return (math.spatial("x,y"),)


def cases(backend: str) -> list[Case]:
    """One case per row of our table."""
    ours = importlib.import_module("phi_tensor")
    natives = native.tasks(backend)
    return [
        Case(
            name,
            None,
            {"native": natives[name]} if name in natives else {},
            build("phiml.math", name, backend) if name in CALLS else None,
            build("phi_tensor", name, backend) if name in CALLS else None,
            tolerance=float("inf"),  # numbers are the business of the law suite; names and orders differ here
        )
        for name in importlib.import_module(f"{ours.__name__}._plan").ROWS
    ]


def build(library: str, row: str, backend: str) -> Build:
    """Build of the call of a row with PhiML's names in a library."""

    def prepared() -> Task:
        try:
            math: ModuleType = importlib.import_module(library)
        except ImportError as error:
            raise NotAvailable("peer not installed") from error
        math.use(backend)
        arrays = native.operands()
        arrays["k"] = arrays["k"][:, None]
        letters = (native.TABLE[row][0] if row in native.TABLE else OPERANDS[row]).split()
        tensors = [math.tensor(arrays[name], *dims_of(math, row, name)) for name in letters]
        call = CALLS[row](math)
        return Task(lambda: call(*tensors), lambda result: ())

    return prepared


def summary(rows: list[dict]) -> str:
    """Medians, rows slower than the peer's, and rows that nothing calls, by backend."""
    lines = []
    for backend in dict.fromkeys(row["backend"] for row in rows):
        own = [row for row in rows if row["backend"] == backend]
        ratios = {
            who: [row[f"{who} ratio"] for row in own if row.get(f"{who} ratio")] for who in ("ours", "peer")
        }
        limit = MEDIAN.get(backend)
        for who, found in ratios.items():
            bound = f", budget {limit:g} x" if limit and who == "ours" else ""
            if found:
                lines.append(
                    f"{backend}: median of {len(found)} rows, {who} / native: {median(found):.2f} x{bound}"
                )
        slower = [
            f"{row['case']} ({row['ours'] / row['peer']:.2f} x)"
            for row in own
            if row["ours"] and row["peer"] and row["ours"] > row["peer"]
        ]
        lines.append(f"{backend}: rows slower than PhiML's: {', '.join(slower) or 'none'}")
        missing = [row["case"] for row in own if row["ours"] is None]
        lines.append(f"{backend}: rows without a call here: {', '.join(missing) or 'none'}")
        alone = [row["case"] for row in own if not row["variants"]]
        lines.append(f"{backend}: rows without a native call: {', '.join(alone) or 'none'}")
    return "\n".join(lines)
