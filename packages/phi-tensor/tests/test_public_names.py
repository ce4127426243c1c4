"""Every public name has a test; `*` leaves Python's functions alone; functions are their rows."""

import ast
import builtins
import inspect
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import _aliases, spatial, tensor
from phi_tensor._plan import ROWS
from phi_tensor.testing import assert_close

ROW_OF = {
    **{
        name: name
        for name in (
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
        )
    },
    **{
        name: name
        for name in (
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
            "erf",
            "sigmoid",
        )
    },
    **{f"arc{name}": f"a{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{"soft_plus": "softplus", "real": "real", "imag": "imag", "conjugate": "conj", "angle": "angle"},
    **{"is_finite": "isfinite", "is_nan": "isnan", "is_inf": "isinf", "logical_not": "logical_not"},
    **{name: name for name in ("maximum", "minimum", "logical_and", "logical_or", "logical_xor")},
    "safe_div": "safe_divide",
    **{name: name for name in ("erfc", "erfinv", "log_gamma", "digamma", "sinc")},
    **{name: name for name in ("copysign", "hypot", "logaddexp", "nextafter")},
}
"""Public functions that are one row, with its name."""


@pytest.mark.parametrize(("name", "row"), ROW_OF.items(), ids=ROW_OF)
def test_function_is_its_row(name, row, backend, rng):
    row, function = ROWS[row], getattr(math, name)
    data = [
        rng.uniform(*row.options.get("domain", (-2, 2)), 4).astype(np.float32)
        for _ in range(row.options["arity"])
    ]
    if row.dtype == "logical":
        data = [x > 0 for x in data]
    operands = [tensor(x, spatial("x")) for x in data]
    assert_close(function(*operands).numpy(), np.asarray(row.oracle(*data)))
    assert_close(function(*operands), row(*operands))
    assert_close(function(*(float(x[0]) for x in data)), row(*operands).x[0])


def test_compositions(backend):
    x = tensor([0.0, 2.0], spatial("x"))
    assert_close(math.safe_mul(x, tensor([math.INF, 3.0], spatial("x"))), tensor([0.0, 6.0], spatial("x")))
    assert_close(math.abs_square(tensor(3 + 4j)), math.wrap(25.0))
    assert_close(math.arctan(tensor(1.0), divide_by=-1.0), math.wrap(3 * math.PI / 4))
    assert_close(math.radians_to_degrees(tensor(math.PI)), math.wrap(180.0))
    assert_close(math.degrees_to_radians(tensor(180.0)), math.wrap(math.PI))


def test_bounds_of_samples(backend):
    lowest, highest = math.grid_sample_bounds(tensor([1.0, 3.0, 2.0], spatial("x")), math.vec(x=0.5), 0)
    assert (lowest.item(), highest.item()) == (1, 3)


def test_protocols_and_bases():
    assert isinstance(math.extrapolation.as_extrapolation("periodic"), math.Extrapolation)
    assert list(inspect.signature(math.Progress.__call__).parameters) == ["self", "done", "total", "values"]
    assert list(inspect.signature(math.ConsoleProgress.__call__).parameters) == [
        "self",
        "done",
        "total",
        "values",
    ]


def test_older_names_are_the_same_functions():
    older = {
        name: value
        for name, value in vars(_aliases).items()
        if name in math.__all__ and value.__name__ != name
    }
    assert {"vec_squared", "vec_length", "vec_normalize", "divide_no_nan", "replace_dims"} <= set(older)
    for name, function in older.items():
        assert getattr(math, name) is function is getattr(math, function.__name__)


def public_names():
    """Everything that a user can write after `math.`; Python's names are bound twice, `sum` and `sum_`."""
    names = {
        name
        for name, value in vars(math).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    return {name for name in names if name in math.__all__ or name.removesuffix("_") not in names - {name}}


def names_used(source):
    """Names of phi_tensor that a test file uses: `math.name`, or imported and then used."""
    tree = ast.parse(source)
    modules, imported = set(), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.asname or alias.name for alias in node.names if alias.name == "phi_tensor"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "phi_tensor":
            imported |= {alias.asname or alias.name: alias.name for alias in node.names}
    used = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            used.add(node.attr)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in imported:
            used.add(imported[node.id])
    return used


def untested(names):
    used = {*ROW_OF, *vars(_aliases)}
    for file in Path(__file__).parent.rglob("test_*.py"):
        used |= names_used(file.read_text("utf-8"))
    return sorted(set(names) - used)


def test_every_public_name_is_used_by_a_test():
    assert untested(public_names() | set(math.__all__)) == []


def test_untested_names_are_seen():
    assert untested(["sum", "brand_new"]) == ["brand_new"]
    assert names_used("import phi_tensor as m\nfrom phi_tensor import a, b\nm.c(a)") == {"a", "c"}


def test_star_import_shadows_no_builtin():
    assert not set(math.__all__) & set(dir(builtins))
    scope = {}
    exec("from phi_tensor import *", scope)
    assert set(math.__all__) <= set(scope)
    assert not set(scope) & set(dir(builtins)) - {"__builtins__"} - set(dir(object()))


def test_all_names_exist_once():
    assert sorted(set(math.__all__)) == sorted(math.__all__)
    assert all(hasattr(math, name) for name in math.__all__)
