"""Every public function with wrong shapes, types, labels, sizes 0 and 1, NaN, infinities, huge values.

Allowed is a value, the same one as on NumPy, or an error that says what was wrong: one of ours, or a
`TypeError`, `ValueError`, `KeyError` or `IndexError` that our code raises by a `raise` statement. `FUNCTIONS`
has one row per public function; one that has none fails the test.
"""

import builtins
import linecache
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import phi_tensor as math
from phi_tensor import batch, channel, dual, instance, spatial
from phi_tensor.testing import assert_close, boundaries, ragged, shapes, tensors

SOURCE = str(Path(math.__file__).parent)
ERRORS = (TypeError, ValueError, KeyError, IndexError)
LONGEST = 20
"""Seconds that one call may take, compilers included."""
HUGE = (1e30, -1e30, 3e38, float("inf"), float("-inf"), float("nan"), 1e-40)

# --- arguments

NAMES = ("x", "y", "b", "vector", "c", "p", "~q")
DIMS = (
    *NAMES,
    *NAMES,
    "x,y",
    "b,x",
    "",
    "nope",
    "x,x",
    ("x", "y"),
    (),
    spatial,
    batch,
    channel,
    instance,
    dual,
)
DIM = st.sampled_from((*DIMS, None, 3, math.non_batch, spatial("x"), batch(b=2), "X"))
INT = st.sampled_from((0, 1, 2, 3, -1, -2, 7))
NUMBER = st.sampled_from((0, 1, 2.5, -1, 1j, True, 2**40, 10**30, *HUGE))
GARBAGE = st.sampled_from(
    (None, "text", [], [1, 2], (1.0,), {}, {"a": 1}, np.zeros((2, 3)), np.float32(2), object())
)
LABELLED = st.sampled_from(
    (channel(vector="x,y"), channel(vector="y,x"), channel(vector="x,nope"), channel(vector=2))
)
SPECS = ("w:s=2", "w:c=a,b", "new", "x:s", "x:b=2", "b:b=3", "~q:d", "=", "x:z", "x=1,x=2")


@st.composite
def special(draw, of):
    """Some entries are not finite, or huge."""
    t = draw(of)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return math.where(math.real(t) > 1, draw(st.sampled_from(HUGE)), t)


PLAIN = st.sampled_from((float, float, int, bool, complex)).flatmap(lambda kind: tensors(shapes(3, 0), kind))
TENSOR = PLAIN | PLAIN | special(PLAIN) | ragged()
ANY = st.one_of(*[TENSOR] * 9, NUMBER, GARBAGE, st.tuples(PLAIN, PLAIN), st.fixed_dictionaries({"a": PLAIN}))
SHAPE = shapes(3, 0) | st.sampled_from((math.EMPTY_SHAPE, spatial("x"), batch(b=0), *SPECS))
BAD = st.sampled_from(("nope", 3, None, -1, 0.5, object()))
POINTS = LABELLED.flatmap(lambda dim: tensors(instance(p=3) & dim))
RULE = (
    boundaries() | boundaries(vector=True) | st.sampled_from((None, "circular", "none", {"x": 0}, 1j)) | PLAIN
)
WIDTHS = st.dictionaries(
    DIM.filter(lambda d: not isinstance(d, (type(None), dict))), st.tuples(INT, INT) | INT
)
MASK = tensors(shapes(2, 0), bool)
TREE = st.lists(TENSOR, max_size=3) | st.dictionaries(st.sampled_from(("u", "v")), TENSOR) | ANY
ITEM = st.dictionaries(
    st.sampled_from((*NAMES, "nope")),
    INT
    | st.sampled_from(
        (slice(None), slice(1, None), slice(5, 2), slice(None, None, 2), "x", "u,v", [0], None)
    ),
    max_size=2,
)
CALL = st.sampled_from(
    (lambda *x: x, lambda *x: math.sum(x[0]), lambda *x: x[0] * x[0], lambda *x: None, math.sin)
)
KIND = st.sampled_from((float, int, bool, complex, "float16", "uint8", "nope", np.float64))

ARGUMENTS = {
    "t": ANY,
    "tree": TREE,
    "dim": DIM,
    "new": SHAPE,
    "int": INT,
    "number": NUMBER,
    "rule": RULE,
    "widths": WIDTHS | INT | BAD,
    "points": POINTS | TENSOR,
    "mask": MASK | TENSOR,
    "item": ITEM,
    "call": CALL,
    "dtype": KIND,
    "bool": st.booleans(),
    "type": st.sampled_from((1, 2, 3, 4, 5, "x")),
    "name": st.sampled_from((*NAMES, "", "a b", 3)),
    "spec": st.sampled_from(SPECS),
    "backend": st.sampled_from(("numpy", "nope", None)),
    "offsets": st.lists(INT, max_size=3).map(tuple),
    "difference": st.sampled_from(("central", "forward", "backward", "sideways")),
    "mode": st.sampled_from(("update", "add", "mean", "nope")),
    "outside": st.sampled_from(("check", "discard", "clamp", "undefined", "nope")),
    "indices": tensors(instance(p=3) & channel(vector="x,y"), int) | TENSOR,
    "size": st.sampled_from((None, 1, 2, 4, 5)),
}

# --- functions


def words(text):
    return text.split()


ONE = words("""
abs abs_square angle arccos arccosh arcsin arcsinh arctan arctanh ceil conjugate cos cosh
degrees_to_radians erf exp expm1 floor imag is_finite is_inf is_nan isfinite log log10 log1p log2
logical_not nan_to_0 radians_to_degrees real reciprocal round sigmoid sign sin sinh soft_plus sqrt square
stop_gradient tan tanh to_complex to_float to_int32 to_int64 trunc copy ones_like zeros_like
fourier_laplace fourier_poisson shape non_batch non_channel non_dual non_instance non_primal non_spatial
primal
""")
TWO = words("""
logical_and logical_or logical_xor maximum minimum safe_div safe_mul divide_no_nan
""")
REDUCE = words("""
all any max min sum prod std mean argmax argmin cumulative_sum sort l1_loss l2_loss norm normalize
squared_norm length vec_length vec_normalize vec_squared squeeze flip unstack fft ifft rfft
""")
SIZED = words("""
batch channel dual instance spatial zeros ones random_normal random_uniform rand randn
""")
FUNCTIONS = {
    **dict.fromkeys(ONE, "t"),
    **dict.fromkeys(TWO, "t t"),
    **dict.fromkeys(REDUCE, "tree dim"),
    **dict.fromkeys(SIZED, "new"),
    **dict.fromkeys(["dct", "dst", "idct", "idst"], "t dim type bool"),
    **dict.fromkeys(("rename_dims", "replace_dims"), "tree dim new"),
    **dict.fromkeys(("grid_sample", "closest_grid_values", "grid_sample_bounds"), "t points rule"),
    **dict.fromkeys(("gradient", "functional_gradient", "jacobian", "hessian"), "call"),
    "arange": "new int int int",
    "boolean_mask": "t dim mask bool",
    "cast": "t dtype",
    "clip": "t t t",
    "concat": "tree dim bool",
    "concat_shapes": "new new",
    "convert": "tree backend",
    "counted": "new number number",
    "dot": "t dim t dim",
    "expand": "tree new new",
    "explain": "call t",
    "fftfreq": "new t",
    "flatten": "tree new bool",
    "full": "number new",
    "gather": "t indices dim",
    "grid_sample_with_bounds": "t points rule",
    "irfft": "t dim size",
    "jvp": "call tree tree",
    "laplace": "t t rule dim",
    "linspace": "t t new",
    "merge_shapes": "t new",
    "meshgrid": "new new",
    "neighbor_mean": "tree dim rule int",
    "pack_dims": "tree dim new",
    "pad": "tree widths rule",
    "parse_shape_spec": "spec",
    "ravel_index": "indices new dim",
    "roll": "t int name",
    "scatter": "t indices t mode outside",
    "shift": "t offsets dim rule new",
    "slice": "tree item",
    "slicing_dict": "t item",
    "spatial_gradient": "t t difference rule dim",
    "stack": "tree new bool",
    "tensor": "t new",
    "tree_map": "call tree",
    "unpack_dim": "t dim new new",
    "unravel_index": "indices new",
    "vec": "name t t",
    "vjp": "call tree",
    "where": "t t t",
    "wrap": "t new",
}
"""Kinds of arguments of each public function."""

TAKE_NO_TENSORS = words("""
extrapolation EMPTY_SHAPE Shape BoundDim Tensor DType INF NAN PI RandomKey random_key seed get_precision
is_compiling precision set_global_precision Backend ComputeDevice BACKENDS default_backend init_backend
init_installed_backends on_backend use BackendReport inspect_backend inspect_installation verify
Extrapolation checked ConsoleProgress Progress progress_range watched Diverged IncompatibleShapes
NoBackendFound NotConverged PhiError Unsupported
""")
"""Classes, constants and settings."""

TESTED_ELSEWHERE = {
    "to_device": "test_interop.py",
    "jit_compile": "test_jit.py",
    "custom_gradient": "test_derivatives.py",
    "iterate": "test_loops.py",
    "while_loop": "test_loops.py",
    "report": "test_hidden.py",
}
"""Functions of functions, which would fuzz the given function, and of devices."""


OPEN = {
    "scatter": "takes what is no tensor for a grid",
    "boolean_mask": "takes masks of varying size",
    "ravel_index": "takes strings for shapes",
    "unravel_index": "takes strings for shapes",
    **dict.fromkeys(words("argmax argmin cumulative_sum sort"), "takes absent dims for one dim"),
}
"""Functions with known crashes; rows leave this list when they are mended."""


def operators():
    """Methods of tensors, as functions."""
    binary = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "eq", "lt", "and", "matmul")
    for name in binary:
        yield f"__{name}__", "tensor_ t"
    yield "__getitem__", "tensor_ item"


METHODS = dict(operators())
ARGUMENTS["tensor_"] = TENSOR
NOT_COMPARED = words(
    "random_normal random_uniform rand randn gradient functional_gradient jacobian hessian explain"
)


def call(name, arguments):
    if name in METHODS:
        return getattr(arguments[0], name)(*arguments[1:])
    return getattr(math, name)(*arguments)


def evaluated(value):
    """All numbers of a result, which must have the sizes that its shape promises."""
    if isinstance(value, math.Tensor):
        assert value.shape == value.layout.shape
        if value.shape.is_uniform:
            array = value.numpy(value.shape.names)
            assert array.shape == value.shape.sizes
        else:
            [evaluated(part) for part in math.unstack(value, next(iter(ragged_dims(value))))]
    elif isinstance(value, (tuple, list)):
        [evaluated(part) for part in value]
    elif isinstance(value, dict):
        [evaluated(part) for part in value.values()]
    return value


def ragged_dims(value):
    return [value.layout.dim.name]


def crash_of(error):
    """Where an error comes from that nobody raised on purpose; None for errors of ours."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    if frame.filename == __file__:  # the user's function
        return None
    ours = frame.filename.startswith(SOURCE) and linecache.getline(
        frame.filename, frame.lineno
    ).strip().startswith("raise")
    if str(error) and (isinstance(error, math.PhiError) or (ours and isinstance(error, ERRORS))):
        return None
    return f"{type(error).__name__}: {error} ({Path(frame.filename).name}:{frame.lineno})"


COUNTS = Counter()


def outcome(name, arguments):
    """`(value or None, crash or None)`."""
    start = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return evaluated(call(name, arguments)), None
    except Exception as error:  # noqa: BLE001 the point of this test
        return None, crash_of(error)
    finally:
        assert time.perf_counter() - start < LONGEST, f"`{name}` takes too long"


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.xfail(reason=OPEN[name], strict=False)) if name in OPEN else name
        for name in (*FUNCTIONS, *METHODS)
    ],
)
def test_no_input_crashes(name, backend):
    kinds = (FUNCTIONS | METHODS)[name].split()
    concrete = backend.name == "numpy"  # others compile anew for every shape

    @settings(
        max_examples=25 if concrete else 3,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        phases=[Phase.generate],
    )
    @given(st.tuples(*(ARGUMENTS[kind] for kind in kinds)))
    def examples(arguments):
        value, crash = outcome(name, arguments)
        assert crash is None, f"{name}{arguments}: {crash}"
        COUNTS["values" if value is not None else "errors"] += 1
        if concrete or value is None or name in NOT_COMPARED:
            return
        with math.on_backend("numpy"):
            expected, _ = outcome(name, math.convert(arguments, "numpy"))
        if expected is not None and finite(arguments) and finite(value) and finite(expected):
            COUNTS["compared"] += 1
            assert_close(math.convert(value, "numpy"), expected, rtol=1e-4, atol=1e-4)

    examples()


def finite(value):
    if isinstance(value, math.Tensor):
        return all(np.all(np.abs(value.backend.to_numpy(native)) < 1e6) for native in value.natives)
    if isinstance(value, (tuple, list)):
        return all(finite(part) for part in value)
    if isinstance(value, dict):
        return all(finite(part) for part in value.values())
    return not isinstance(value, (int, float, complex)) or abs(value) < 1e6


def test_every_function_is_fuzzed():
    public = {name for name in math.__all__ if not isinstance(getattr(math, name), type(builtins))}
    public |= {"abs", "all", "any", "max", "min", "round", "slice", "sum"}
    known = {*FUNCTIONS, *TAKE_NO_TENSORS, *TESTED_ELSEWHERE}
    assert sorted(public - known) == [], "give each new function a row in FUNCTIONS"
    assert sorted(known - public - {"extrapolation"}) == []


def test_counts(capsys):
    with capsys.disabled():
        sys.stdout.write(f"\nfuzz: {dict(COUNTS)}\n")
