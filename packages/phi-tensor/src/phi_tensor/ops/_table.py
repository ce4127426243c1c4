"""The table of operations. One row each.

Name, kind, dtype rule, linearity, NumPy oracle, and the domain tests draw from.

Adding an element-wise function or a reduction is adding a row here and one native function per backend.

Options
    domain: Interval of test values where the function is smooth.
    smooth: False where the derivative is zero or undefined almost everywhere (comparisons, rounding).
    combine: Reductions: the row that joins the results of parts.
    empty: Reductions: the value for no elements; missing where that raises.
    ints: True where tests draw integers.
    real: True where the function is defined for real numbers only; complex ones raise.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt

from phi_tensor._dtype import DType
from phi_tensor._plan import Row


def _special(name: str) -> Any:
    def function(*operands: Any) -> Any:
        from scipy import special

        return getattr(cast("Any", special), name)(*operands)

    return function


def _stable_order(x: Any, axis: int) -> Any:
    return np.argsort(x, axis, kind="stable")


def _astype(x: npt.NDArray[Any], dtype: DType) -> npt.NDArray[Any]:
    return x.astype(dtype.numpy)


def _unary(name: str, oracle: Any, dtype: str = "float", linear: str | None = None, **options: Any) -> Row:
    return Row(name, "elementwise", dtype, linear, oracle, arity=1, **options)


def _binary(name: str, oracle: Any, dtype: str = "promote", linear: str | None = None, **options: Any) -> Row:
    return Row(name, "elementwise", dtype, linear, oracle, arity=2, **options)


# --- element-wise, one operand

NEGATIVE = _unary("negative", np.negative, "number", "jointly")
ABS = _unary("abs", np.abs, "real", domain=(0.2, 2))
SIGN = _unary("sign", np.sign, "number", smooth=False)
ROUND = _unary("round", np.round, "same", smooth=False)
CEIL = _unary("ceil", np.ceil, "same", smooth=False, real=True)
FLOOR = _unary("floor", np.floor, "same", smooth=False, real=True)
TRUNC = _unary("trunc", np.trunc, "same", smooth=False, real=True)
SQRT = _unary("sqrt", np.sqrt, domain=(0.2, 2))
RSQRT = _unary("rsqrt", lambda x: 1 / np.sqrt(x), domain=(0.2, 2))
SQUARE = _unary("square", np.square, "number")
RECIPROCAL = _unary("reciprocal", np.reciprocal, domain=(0.2, 2))
EXP = _unary("exp", np.exp)
EXPM1 = _unary("expm1", np.expm1)
LOG = _unary("log", np.log, domain=(0.2, 2))
LOG1P = _unary("log1p", np.log1p, domain=(-0.5, 2))
LOG2 = _unary("log2", np.log2, domain=(0.2, 2))
LOG10 = _unary("log10", np.log10, domain=(0.2, 2))
SIN = _unary("sin", np.sin)
COS = _unary("cos", np.cos)
TAN = _unary("tan", np.tan, domain=(-1, 1))
SINH = _unary("sinh", np.sinh)
COSH = _unary("cosh", np.cosh)
TANH = _unary("tanh", np.tanh)
ASIN = _unary("asin", np.arcsin, domain=(-0.9, 0.9))
ACOS = _unary("acos", np.arccos, domain=(-0.9, 0.9))
ATAN = _unary("atan", np.arctan)
ASINH = _unary("asinh", np.arcsinh)
ACOSH = _unary("acosh", np.arccosh, domain=(1.2, 3))
ATANH = _unary("atanh", np.arctanh, domain=(-0.9, 0.9))
ERF = _unary("erf", _special("erf"), real=True)
SIGMOID = _unary("sigmoid", lambda x: 1 / (1 + np.exp(-x)))
SOFTPLUS = _unary("softplus", lambda x: np.log1p(np.exp(x)), real=True)
REAL = _unary("real", np.real, "real", "jointly")
IMAG = _unary("imag", np.imag, "real", "jointly", smooth=False)
CONJ = _unary("conj", np.conj, "same", "jointly")
ANGLE = _unary("angle", np.angle, "real", smooth=False, inexact=True)
ISFINITE = _unary("isfinite", np.isfinite, "test", smooth=False)
ISNAN = _unary("isnan", np.isnan, "test", smooth=False)
ISINF = _unary("isinf", np.isinf, "test", smooth=False)
LOGICAL_NOT = _unary("logical_not", np.logical_not, "logical", smooth=False)
INVERT = _unary("bitwise_invert", np.invert, "bits", smooth=False, ints=True)

# --- element-wise, two operands

ADD = _binary("add", np.add, "sum", "jointly")
SUBTRACT = _binary("subtract", np.subtract, "sum", "jointly")
MULTIPLY = _binary("multiply", np.multiply, linear="each")
DIVIDE = _binary("divide", np.divide, "float", "first", domain=(0.2, 2))
SAFE_DIVIDE = _binary(
    "safe_divide",
    lambda x, y: np.divide(x, y, np.zeros_like(x / 1), where=y != 0),
    "float",
    "first",
    domain=(0.2, 2),
)
FLOOR_DIVIDE = _binary("floor_divide", np.floor_divide, "sum", smooth=False, domain=(0.2, 2), real=True)
REMAINDER = _binary("remainder", np.remainder, "sum", smooth=False, domain=(0.2, 2), real=True)
POW = _binary("pow", np.power, "sum", domain=(0.2, 2))
ATAN2 = _binary("atan2", np.arctan2, "float", domain=(0.2, 2), real=True)
MAXIMUM = _binary("maximum", np.maximum, real=True)
MINIMUM = _binary("minimum", np.minimum, real=True)
EQUAL = _binary("equal", np.equal, "compare", smooth=False)
NOT_EQUAL = _binary("not_equal", np.not_equal, "compare", smooth=False)
LESS = _binary("less", np.less, "compare", smooth=False, real=True)
LESS_EQUAL = _binary("less_equal", np.less_equal, "compare", smooth=False, real=True)
GREATER = _binary("greater", np.greater, "compare", smooth=False, real=True)
GREATER_EQUAL = _binary("greater_equal", np.greater_equal, "compare", smooth=False, real=True)
LOGICAL_AND = _binary("logical_and", np.logical_and, "logical", smooth=False)
LOGICAL_OR = _binary("logical_or", np.logical_or, "logical", smooth=False)
LOGICAL_XOR = _binary("logical_xor", np.logical_xor, "logical", smooth=False)
BITWISE_AND = _binary("bitwise_and", np.bitwise_and, "bits", smooth=False, ints=True)
BITWISE_OR = _binary("bitwise_or", np.bitwise_or, "bits", smooth=False, ints=True)
BITWISE_XOR = _binary("bitwise_xor", np.bitwise_xor, "bits", smooth=False, ints=True)
LEFT_SHIFT = _binary("bitwise_left_shift", np.left_shift, "bits", smooth=False, ints=True, numeric=True)
RIGHT_SHIFT = _binary("bitwise_right_shift", np.right_shift, "bits", smooth=False, ints=True, numeric=True)


def _random_bits(key: npt.NDArray[Any], counter: npt.NDArray[Any]) -> npt.NDArray[Any]:
    from phi_tensor.backends._numpy_random import random_bits  # noqa: PLC0415 see its known answers

    return random_bits(key, counter)


RANDOM_BITS = _binary("random_bits", _random_bits, "bits", smooth=False, ints=True)

# --- element-wise, three operands

WHERE = Row("where", "elementwise", "where", "last", np.where, arity=3)
CLIP = Row("clip", "elementwise", "promote", None, np.clip, arity=3, real=True)

CAST = Row("cast", "cast", "cast", "jointly", _astype)

# --- reductions

SUM = Row("sum", "reduction", "accumulate", "jointly", np.sum, combine=ADD, empty=0)
PROD = Row("prod", "reduction", "accumulate", None, np.prod, combine=MULTIPLY, empty=1)
MEAN = Row("mean", "mean", "float", "jointly", np.mean)
MAX = Row("max", "reduction", "same", None, np.max, combine=MAXIMUM, real=True)
MIN = Row("min", "reduction", "same", None, np.min, combine=MINIMUM, real=True)
ANY = Row("any", "reduction", "logical", None, np.any, combine=LOGICAL_OR, empty=False, smooth=False)
ALL = Row("all", "reduction", "logical", None, np.all, combine=LOGICAL_AND, empty=True, smooth=False)
ARGMAX = Row("argmax", "arg_reduction", "index", None, np.argmax, smooth=False, real=True)
ARGMIN = Row("argmin", "arg_reduction", "index", None, np.argmin, smooth=False, real=True)
CUMSUM = Row("cumsum", "along", "accumulate", "jointly", np.cumsum)
SORT = Row("sort", "along", "same", None, np.sort, real=True)

# --- special functions, neighbours of numbers, running extremes, searching

ERFC = _unary("erfc", _special("erfc"), real=True)
ERFINV = _unary("erfinv", _special("erfinv"), domain=(-0.9, 0.9), real=True)
LOG_GAMMA = _unary("log_gamma", _special("gammaln"), domain=(3, 6), real=True)
DIGAMMA = _unary("digamma", _special("digamma"), domain=(2, 5), real=True)
GAMMAINC = _binary("gammainc", _special("gammainc"), "float", smooth=False, domain=(0.2, 2), real=True)
GAMMAINCC = _binary("gammaincc", _special("gammaincc"), "float", smooth=False, domain=(0.2, 2), real=True)
SINC = _unary("sinc", np.sinc, real=True)
SIGNBIT = _unary("signbit", np.signbit, "test", smooth=False, real=True)
COPYSIGN = _binary("copysign", np.copysign, "float", domain=(0.2, 2), real=True)
HYPOT = _binary("hypot", np.hypot, "float", domain=(0.2, 2), real=True)
LOGADDEXP = _binary("logaddexp", np.logaddexp, "float", real=True)
NEXTAFTER = _binary("nextafter", np.nextafter, "float", smooth=False, real=True)
CUMPROD = Row("cumprod", "along", "accumulate", None, np.cumprod, domain=(0.2, 2))
CUMMAX = Row("cummax", "along", "same", None, np.maximum.accumulate, real=True)
CUMMIN = Row("cummin", "along", "same", None, np.minimum.accumulate, real=True)
ARGSORT = Row("argsort", "along", "index", None, _stable_order, smooth=False, real=True)
SEARCHSORTED = Row("searchsorted", "searchsorted", "index", None, np.searchsorted, smooth=False, real=True)

# --- structure

JOIN = Row("join", "join", "same", "jointly")
SLICE = Row("slice", "slice", "same", "jointly")
EXPAND = Row("expand", "expand", "same", "jointly")
RENAME = Row("rename", "rename", "same", "jointly")
STACK = Row("stack", "stack", "same", "jointly")
CONCAT = Row("concat", "concat", "same", "jointly")
PACK = Row("pack", "pack", "same", "jointly")
UNPACK = Row("unpack", "unpack", "same", "jointly")
FLIP = Row("flip", "flip", "same", "jointly")
ROLL = Row("roll", "roll", "same", "jointly")
PAD = Row("pad", "pad", "same", "jointly")  # constants are operands

# --- neighbours in grids: values, cell size, constants outside

DIFFERENCE = Row("difference", "stencil", "float", "first")
LAPLACE = Row("laplace", "stencil", "float", "first")

# --- look-up

TAKE = Row("take", "take", "same", "first")
GATHER = Row("gather", "gather", "same", "first")
SCATTER_UPDATE = Row("scatter_update", "scatter", "promote", "jointly")
SCATTER_ADD = Row("scatter_add", "scatter", "number", "jointly")
SCATTER_MEAN = Row("scatter_mean", "scatter", "float", "jointly")
SCATTER_MIN = Row("scatter_min", "scatter", "promote")
SCATTER_MAX = Row("scatter_max", "scatter", "promote")
SCATTER_PROD = Row("scatter_prod", "scatter", "number")
SCATTER_ANY = Row("scatter_any", "scatter", "logical", smooth=False)
SCATTER_ALL = Row("scatter_all", "scatter", "logical", smooth=False)
GRID_SAMPLE = Row("grid_sample", "grid_sample", "float", "first")

# --- products and transforms

MATMUL = Row("matmul", "matmul", "promote", "each", np.matmul)
CONVOLVE = Row("convolve", "convolution", "number", "each")
FFT = Row("fft", "fft", "complex", "jointly", np.fft.fftn)
IFFT = Row("ifft", "fft", "complex", "jointly", np.fft.ifftn)
RFFT = Row("rfft", "rfft", "float", "jointly", np.fft.rfftn)
IRFFT = Row("irfft", "irfft", "complex", "jointly", np.fft.irfftn)
DCT = Row("dct", "real_transform", "float", "jointly")
DST = Row("dst", "real_transform", "float", "jointly")

# --- matrices; `form` is what they must be, `called` the public function, `hermitian` takes ½(A + Aᴴ)

SOLVE = Row(
    "solve",
    "solve",
    "float",
    "last",
    np.linalg.solve,
    form="square",
    called="solve_dense",
    otherwise="The least-squares solution is `pinv(matrix) @ vector`.",
)
INV = Row(
    "inv",
    "matrix",
    "float",
    None,
    np.linalg.inv,
    form="square",
    called="inverse",
    otherwise="Use `pinv(matrix)` for the inverse in the least-squares sense.",
)
PINV = Row("pinv", "matrix", "float", None, np.linalg.pinv, called="pinv")
DET = Row("det", "matrix", "float", None, np.linalg.det, form="endomorphism", called="determinant")
LOGABSDET = Row(
    "logabsdet",
    "matrix",
    "float",
    None,
    lambda x: np.linalg.slogdet(x)[1],
    form="endomorphism",
    called="log_determinant",
)
TRACE = Row("trace", "matrix", "accumulate", "jointly", np.trace, form="endomorphism", called="trace")
EIGVALS = Row(
    "eigvals", "matrix", "float", None, np.linalg.eigvals, form="endomorphism", called="eigenvalues"
)
EIGH = Row(
    "eigh", "matrix", "float", None, np.linalg.eigh, form="endomorphism", called="eigh", hermitian=True
)
CHOLESKY = Row(
    "cholesky",
    "matrix",
    "float",
    None,
    np.linalg.cholesky,
    form="endomorphism",
    called="cholesky",
    hermitian=True,
)
SVD = Row("svd", "matrix", "float", None, np.linalg.svd, called="svd")
SVDVALS = Row("svdvals", "matrix", "float", None, np.linalg.svdvals, called="singular_values")
QR = Row("qr", "matrix", "float", None, np.linalg.qr, called="qr")
