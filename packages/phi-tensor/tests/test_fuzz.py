"""Every public function with wrong shapes, types, labels, sizes 0 and 1, NaN, infinities, huge values.

Allowed is a value, the same one as on NumPy, or an error that says what was wrong: one of ours, or a
`TypeError`, `ValueError`, `KeyError` or `IndexError` that our code raises by a `raise` statement. `FUNCTIONS`
in `fuzz/rows.py` has one row per public function; one that has none fails the test. The examples are the same
in every run; `FUZZ_SEED` draws others, `FUZZ_EXAMPLES` sets their number.
"""

import builtins
import linecache
import os
import runpy
import sys
import time
import traceback
import warnings
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import phi_tensor as math
from phi_tensor import _aliases
from phi_tensor.ops import _prefixed, _structure_by_type
from phi_tensor.testing import assert_close
from phi_tensor.transforms import _retype

SOURCE = str(Path(math.__file__).parent)
ROWS = Path(__file__).parent / "fuzz" / "rows.py"
ERRORS = (
    TypeError,
    ValueError,
    KeyError,
    IndexError,
    AssertionError,
    ImportError,
)  # of `assert_close`, `to_pandas`
LONGEST = 20
"""Seconds that one call may take, compilers included."""

rows = runpy.run_path(str(ROWS))
ARGUMENTS, FUNCTIONS, CALLS = rows["ARGUMENTS"], rows["FUNCTIONS"], rows["CALLS"]
METHODS = {
    **{
        f"__{name}__": "tensor t"
        for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "eq", "lt", "and", "matmul")
    },
    "__getitem__": "tensor item",
}
"""Methods of tensors, as functions."""

ALIAS_TABLES = (_aliases, _prefixed, _structure_by_type, _retype)
"""Modules of families: names that share one function, or its code."""


def call(name, arguments):
    if name in METHODS:
        return getattr(arguments[0], name)(*arguments[1:])
    return CALLS.get(name, getattr(math, name))(*arguments)


def evaluated(value):
    """All numbers of a result, which must have the sizes and the type that it promises."""
    if isinstance(value, math.Tensor):
        assert value.shape == value.layout.shape
        if value.shape.is_uniform:
            array = value.numpy(value.shape.names)
            assert array.shape == value.shape.sizes
            assert array.dtype == value.dtype.numpy
        else:
            [evaluated(part) for part in math.unstack(value, value.shape.non_uniform.dims[0].over[0])]
    elif isinstance(value, (tuple, list)):
        [evaluated(part) for part in value]
    elif isinstance(value, dict):
        [evaluated(part) for part in value.values()]
    return value


def crash_of(error):
    """Where an error comes from that nobody raised on purpose; None for errors of ours."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    if frame.filename == str(ROWS):  # the user's function
        return None
    ours = frame.filename.startswith(SOURCE) and linecache.getline(
        frame.filename, frame.lineno
    ).strip().startswith("raise")
    wanted = isinstance(error, ERRORS) or (isinstance(error, AttributeError) and frame.name != "__getattr__")
    if str(error) and (isinstance(error, math.PhiError) or (ours and wanted)):
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
@pytest.mark.parametrize("name", [*FUNCTIONS, *METHODS])
def test_no_input_crashes(name, backend):
    kinds = (FUNCTIONS | METHODS)[name].split()
    concrete = backend.name == "numpy"  # others compile anew for every shape

    @seed(zlib.crc32(name.encode()) + int(os.environ.get("FUZZ_SEED", "0")))
    @settings(
        max_examples=int(os.environ.get("FUZZ_EXAMPLES", "25" if concrete else "3")),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        phases=[Phase.generate],
        derandomize=True,
        deadline=None,
    )
    @given(st.tuples(*(ARGUMENTS[kind] for kind in kinds)))
    def examples(arguments):
        value, crash = outcome(name, arguments)
        assert crash is None, f"{name}{arguments}: {crash}"
        COUNTS["values" if value is not None else "errors"] += 1
        if concrete or value is None or name in rows["NOT_COMPARED"]:
            return
        with math.on_backend("numpy"):
            expected, _ = outcome(name, math.convert(arguments, "numpy"))
        if expected is not None and finite(arguments) and finite(value) and finite(expected):
            COUNTS["compared"] += 1
            assert_close(math.convert(value, "numpy"), expected, rtol=1e-4, atol=1e-4)

    examples()


def finite(value):
    if isinstance(value, math.Tensor):
        return all(np.all(ordinary(value.backend.to_numpy(native))) for native in value.natives)
    if isinstance(value, (tuple, list)):
        return all(finite(part) for part in value)
    if isinstance(value, dict):
        return all(finite(part) for part in value.values())
    return not isinstance(value, (int, float, complex)) or bool(ordinary(value))


def ordinary(number):
    """Numbers that all libraries treat alike: some flush the smallest ones to 0."""
    size = np.abs(np.asarray(number, np.complex128))
    return (size < 1e6) & ((size == 0) | (size > 1e-30))


def test_every_function_is_fuzzed():
    public = {name for name in math.__all__ if not isinstance(getattr(math, name), (type(builtins), type))}
    public |= {"abs", "all", "any", "max", "min", "round", "slice", "sum"}
    public |= {"map", "print", "dtype", "native", "numpy"}
    known = {*FUNCTIONS, *rows["TAKE_NO_TENSORS"], *rows["TESTED_ELSEWHERE"]}
    codes = {code for name in known if (code := code_of(getattr(math, name)))}
    aliases = {name for table in ALIAS_TABLES for name, f in vars(table).items() if code_of(f) in codes}
    assert sorted(public - known - aliases) == [], "give each new function a row in FUNCTIONS"
    assert sorted(known - public - {"extrapolation"}) == []


def code_of(function):
    return getattr(function, "__code__", None)


def test_counts(capsys):
    with capsys.disabled():
        sys.stdout.write(f"\nfuzz: {dict(COUNTS)}\n")
