"""One native call per row of the operation table, in array-API spelling; imports nothing of ours.

Arrays are 8x8. `TABLE` says what a row is called with: `a`, `b` floats in (0.2, 0.9), `u` above 1,
`i`, `j` ints from 0 to 6, `m`, `n` bools, `z`, `w` complex numbers, `h` a positive definite matrix, `c` a 3x3
kernel; 8 values: `r`, `v` floats, `s` sorted ones, `k` positions, `o`, `q`, `t` bools, `l` points (8, 2).
"""

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

SIZE = 8
Build = Callable[[], Callable[[], object]]
Native = Callable[..., object]


class NoCounterpart(Exception):
    """A library has no one call for a row."""


MODULES = {"numpy": "numpy", "torch": "torch", "jax": "jax.numpy"}
SPELLING = {
    "torch": {
        "bitwise_invert": "bitwise_not",
        "conj": "conj_physical",
        "invert": "bitwise_not",
        "max": "amax",
        "min": "amin",
        "negative": "neg",
    },
}
"""Where a library spells a function differently than the array API does."""


def operands() -> dict[str, np.ndarray]:
    """Test arrays by letter, the same in every run."""
    rng = np.random.default_rng(8)
    shape = (SIZE, SIZE)
    floats = {name: rng.uniform(0.2, 0.9, shape).astype(np.float32) for name in "ab"}
    ints = {name: rng.integers(0, 7, shape) for name in "ij"}
    bools = {name: rng.random(shape) > 0.4 for name in "mn"}
    complexes = {
        name: (rng.uniform(0.2, 0.9, shape) + 1j * rng.uniform(0.2, 0.9, shape)).astype(np.complex64)
        for name in "zw"
    }
    return {
        **floats,
        **ints,
        **bools,
        **complexes,
        "u": rng.uniform(1.2, 3, shape).astype(np.float32),
        **{name: rng.uniform(0.2, 0.9, SIZE).astype(np.float32) for name in "rv"},
        "s": np.linspace(0, 1, SIZE, dtype=np.float32),
        "k": rng.integers(0, SIZE, SIZE),
        "c": rng.uniform(0.2, 0.9, (3, 3)).astype(np.float32),
        **{name: rng.random(SIZE) > 0.4 for name in "oqt"},
        "l": rng.uniform(0, SIZE - 1, (SIZE, 2)).astype(np.float32),
        "h": _positive_definite(rng),
    }


def _positive_definite(rng: np.random.Generator) -> np.ndarray:
    half = rng.uniform(0.2, 0.9, (SIZE, SIZE))
    return (half @ half.T + np.eye(SIZE)).astype(np.float32)


def named(name: str) -> Callable[[ModuleType], Native]:
    """The function of a library that has the name of the row."""
    return lambda xp: getattr(xp, SPELLING.get(xp.__name__, {}).get(name, name))


def along(name: str) -> Callable[[ModuleType], Native]:
    """The function of a library of this name along the first axis."""

    def function(xp: ModuleType) -> Native:
        native = named(name)(xp)
        return lambda x: native(x, 0)

    return function


def by_library(**natives: Native) -> Callable[[ModuleType], Native]:
    """A call written for each library; `other` stands for those that have the array API's names.

    Libraries without either have no native counterpart of one call.
    """

    def function(xp: ModuleType) -> Native:
        name = xp.__name__.split(".")[0]
        native = natives.get(name) or natives.get("other")
        if native is None:
            raise NoCounterpart(name)
        return lambda *xs: native(xp, *xs)

    return function


def special(name: str) -> Callable[[ModuleType], Native]:
    """A special function: SciPy's names on NumPy and JAX, `torch.special`."""
    places = {"numpy": "scipy.special", "torch": "torch.special", "jax.numpy": "jax.scipy.special"}
    return lambda xp: getattr(importlib.import_module(places[xp.__name__]), name)


UNARY = [
    "negative",
    "abs",
    "sign",
    "round",
    "ceil",
    "floor",
    "trunc",
    "sqrt",
    "square",
    "reciprocal",
    "exp",
    "expm1",
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
    "atanh",
    "isfinite",
    "isnan",
    "isinf",
]
COMPLEX = ["real", "imag", "conj", "angle"]
BINARY = [
    "add",
    "subtract",
    "multiply",
    "divide",
    "floor_divide",
    "remainder",
    "pow",
    "atan2",
    "maximum",
    "minimum",
    "equal",
    "not_equal",
    "less",
    "less_equal",
    "greater",
    "greater_equal",
]
INTEGER = ["bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift"]
LOGICAL = ["logical_and", "logical_or", "logical_xor"]


def linalg(name: str) -> Callable[[ModuleType], Native]:
    """The function of this name for matrices."""
    return lambda xp: getattr(xp.linalg, name)


def scattered(ufunc: str, method: str, mode: str | None = None) -> Callable[[ModuleType], Native]:
    """Values written at positions of a copy: by a NumPy ufunc, by a method of JAX, by a mode of torch."""

    def by_numpy(xp: ModuleType, x: Any, k: Any, v: Any) -> Any:
        result = x.copy()
        getattr(xp, ufunc).at(result, k, v)
        return result

    def by_torch(xp: ModuleType, x: Any, k: Any, v: Any) -> Any:
        return x.scatter_reduce(0, k, v, mode) if mode else xp.index_put(x, (k,), v)

    return by_library(numpy=by_numpy, torch=by_torch, jax=lambda jnp, x, k, v: getattr(x.at[k], method)(v))


def _assigned(np: ModuleType, x: Any, k: Any, v: Any) -> Any:
    result = x.copy()
    result[k] = v
    return result


def _met(ufunc: Any, x: Any, k: Any, v: Any) -> Any:
    result = x.copy()
    ufunc.at(result, k, v)
    return result


def _located(ndimage: ModuleType, x: Any, points: Any) -> Any:
    return ndimage.map_coordinates(x, points.T, order=1, mode="nearest")


def _sampled_by_torch(torch: ModuleType, x: Any, points: Any) -> Any:
    places = (points * (2 / (SIZE - 1)) - 1).flip(-1)[None, None]
    return torch.nn.functional.grid_sample(x[None, None], places, padding_mode="border", align_corners=True)[
        0, 0, 0
    ]


def _convolved_by_torch(torch: ModuleType, x: Any, w: Any) -> Any:
    return torch.nn.functional.conv2d(x[None, None], w[None, None], padding=1)[0, 0]


TABLE: dict[str, tuple[str, Callable[[ModuleType], Native]]] = {
    **{name: ("a", named(name)) for name in UNARY},
    **{name: ("z", named(name)) for name in COMPLEX},
    **{name: ("a b", named(name)) for name in BINARY},
    **{name: ("i j", named(name)) for name in INTEGER},
    **{name: ("m n", named(name)) for name in LOGICAL},
    "acosh": ("u", named("acosh")),
    "bitwise_invert": ("i", named("bitwise_invert")),
    "logical_not": ("m", named("logical_not")),
    "erf": ("a", special("erf")),
    "sigmoid": ("a", special("expit")),
    "softplus": (
        "a",
        by_library(
            numpy=lambda np, x: np.logaddexp(x, np.float32(0)),
            torch=lambda torch, x: torch.nn.functional.softplus(x),
            jax=lambda jnp, x: jnp.logaddexp(x, 0),
        ),
    ),
    "rsqrt": (
        "a",
        by_library(torch=lambda torch, x: torch.rsqrt(x), other=lambda xp, x: 1 / xp.sqrt(x)),
    ),
    "safe_divide": (
        "a b",
        by_library(other=lambda xp, x, y: xp.where(y == 0, 0, x / xp.where(y == 0, 1, y))),
    ),
    "where": ("m a b", named("where")),
    "clip": ("a", by_library(other=lambda xp, x: xp.clip(x, 0.3, 0.6))),
    "cast": (
        "a",
        by_library(
            torch=lambda torch, x: x.to(torch.int64),
            numpy=lambda np, x: x.astype(np.int64),
            jax=lambda jnp, x: x.astype(np.int64),
        ),
    ),
    **{
        name: ("a", along(name))
        for name in ("sum", "prod", "mean", "max", "min", "argmax", "argmin", "cumsum")
    },
    **{name: ("m", along(name)) for name in ("any", "all")},
    "sort": (
        "a",
        by_library(torch=lambda torch, x: torch.sort(x, 0)[0], other=lambda xp, x: xp.sort(x, axis=0)),
    ),
    "slice": ("a", by_library(other=lambda xp, x: x[1:-1])),
    "expand": ("r", by_library(other=lambda xp, x: xp.broadcast_to(x, (SIZE, SIZE)))),
    "rename": ("a", by_library(other=lambda xp, x: x)),
    "stack": ("a b", by_library(other=lambda xp, *xs: xp.stack(xs))),
    "concat": (
        "a b",
        by_library(other=lambda xp, *xs: xp.concat(xs), jax=lambda jnp, *xs: jnp.concatenate(xs)),
    ),
    "pack": ("a", by_library(other=lambda xp, x: x.reshape(-1))),
    "unpack": ("a", by_library(other=lambda xp, x: x.reshape(2, SIZE // 2, SIZE))),
    "flip": (
        "a",
        by_library(torch=lambda torch, x: torch.flip(x, (0,)), other=lambda xp, x: xp.flip(x, 0)),
    ),
    "roll": ("a", by_library(other=lambda xp, x: xp.roll(x, 1, 0))),
    "pad": (
        "a",
        by_library(
            torch=lambda torch, x: torch.nn.functional.pad(x, (0, 0, 1, 1)),
            other=lambda xp, x: xp.pad(x, ((1, 1), (0, 0))),
        ),
    ),
    "laplace": (
        "a",
        by_library(
            other=lambda xp, x: (
                xp.roll(x, 1, 0) + xp.roll(x, -1, 0) + xp.roll(x, 1, 1) + xp.roll(x, -1, 1) - 4 * x
            )
        ),
    ),
    "difference": (
        "a",
        by_library(
            other=lambda xp, x: xp.stack(
                [(xp.roll(x, -1, 0) - xp.roll(x, 1, 0)) * 0.5, (xp.roll(x, -1, 1) - xp.roll(x, 1, 1)) * 0.5]
            )
        ),
    ),
    "matmul": ("a b", by_library(other=lambda xp, x, y: x @ y)),
    "fft": ("z", by_library(other=lambda xp, x: xp.fft.fftn(x))),
    "ifft": ("z", by_library(other=lambda xp, x: xp.fft.ifftn(x))),
    "rfft": ("a", by_library(other=lambda xp, x: xp.fft.rfftn(x))),
    "irfft": ("z", by_library(other=lambda xp, x: xp.fft.irfftn(x))),
    **{name: ("a b", named(name)) for name in ["copysign", "hypot", "logaddexp", "nextafter"]},
    **{name: ("a", named(name)) for name in ["sinc", "signbit"]},
    **{name: ("a", special(name)) for name in ["erfc", "erfinv", "digamma"]},
    **{name: ("a b", special(name)) for name in ["gammainc", "gammaincc"]},
    "log_gamma": ("a", special("gammaln")),
    "cumprod": ("a", along("cumprod")),
    **{
        f"cum{name}": (
            "a",
            by_library(
                numpy=lambda np, x, name=name: getattr(np, f"{name}imum").accumulate(x, 0),
                torch=lambda torch, x, name=name: getattr(torch, f"cum{name}")(x, 0)[0],
                jax=lambda jnp, x, name=name: getattr(jnp, f"{name}imum").accumulate(x, 0),
            ),
        )
        for name in ["max", "min"]
    },
    "argsort": ("a", along("argsort")),
    "searchsorted": ("s r", named("searchsorted")),
    "gather": ("a k", by_library(other=lambda xp, x, k: x[k])),
    "scatter_update": (
        "r k v",
        by_library(
            numpy=_assigned,
            torch=lambda torch, x, k, v: torch.index_put(x, (k,), v),
            jax=lambda jnp, x, k, v: x.at[k].set(v),
        ),
    ),
    "scatter_add": ("r k v", scattered("add", "add", "sum")),
    "scatter_min": ("r k v", scattered("minimum", "min", "amin")),
    "scatter_max": ("r k v", scattered("maximum", "max", "amax")),
    "scatter_prod": ("r k v", scattered("multiply", "multiply", "prod")),
    **{
        f"scatter_{name}": (
            "q k t",
            by_library(
                numpy=lambda np, x, k, v, name=ufunc: _met(getattr(np, name), x, k, v),
                jax=lambda jnp, x, k, v, name=method: getattr(x.at[k], name)(v),
            ),
        )
        for name, ufunc, method in [("any", "logical_or", "max"), ("all", "logical_and", "min")]
    },
    "join": ("a b", by_library(other=lambda xp, *xs: xp.stack(xs))),
    "take": ("a o", by_library(other=lambda xp, x, o: x[o])),
    "grid_sample": (
        "a l",
        by_library(
            numpy=lambda np, x, at: _located(importlib.import_module("scipy.ndimage"), x, at),
            torch=_sampled_by_torch,
            jax=lambda jnp, x, at: _located(importlib.import_module("jax.scipy.ndimage"), x, at),
        ),
    ),
    **{
        name: (
            "a",
            by_library(
                numpy=lambda np, x, name=f"{name}n": getattr(importlib.import_module("scipy.fft"), name)(x),
            ),
        )
        for name in ["dct", "dst"]
    },
    "convolve": (
        "a c",
        by_library(
            numpy=lambda np, x, w: importlib.import_module("scipy.signal").correlate2d(x, w, "same"),
            torch=_convolved_by_torch,
            jax=lambda jnp, x, w: importlib.import_module("jax.scipy.signal").correlate2d(x, w, "same"),
        ),
    ),
    "solve": ("h a", linalg("solve")),
    **{
        name: ("h", linalg(name))
        for name in ["inv", "pinv", "det", "eigvals", "eigh", "cholesky", "svd", "qr"]
    },
    "svdvals": ("h", linalg("svdvals")),
    "logabsdet": ("h", by_library(other=lambda xp, x: xp.linalg.slogdet(x)[1])),
    "trace": ("h", named("trace")),
}
"""Row → operands and native call."""


def tasks(backend: str) -> dict[str, Build]:
    """Row → build of its native call; rows without one have no native counterpart of one call."""
    xp = importlib.import_module(MODULES[backend])
    arrays = operands()

    def build(letters: str, call: Native) -> Build:
        def prepared() -> Callable[[], object]:
            values: list[Any] = [
                {"torch": lambda x: xp.from_numpy(x.copy())}.get(backend, xp.asarray)(arrays[letter])
                for letter in letters.split()
            ]
            return lambda: call(*values)

        return prepared

    found = {}
    for row, (letters, native) in TABLE.items():
        try:
            found[row] = build(letters, native(xp))
        except NoCounterpart:
            continue
    return found
