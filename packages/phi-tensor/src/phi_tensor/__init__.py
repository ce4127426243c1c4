"""Tensors with named, typed dims: one program on NumPy, PyTorch, JAX and TensorFlow.

>>> import phi_tensor as math
>>> a = math.wrap([[1.0, 2.0], [3.0, 4.0]], math.spatial("x,y"))
>>> (a + math.vec(x=10.0, y=20.0)).shape
(x:s=2, y:s=2, vector:c=x,y)

`from phi_tensor import *` leaves Python's `sum`, `round`, … alone; ours are `math.sum`, `math.round`, ….
"""

from phi_tensor import _rules as _rules
from phi_tensor import extrapolation as extrapolation
from phi_tensor._aliases import (
    divide_no_nan,
    functional_gradient,
    isfinite,
    length,
    rand,
    randn,
    replace_dims,
    vec_length,
    vec_normalize,
    vec_squared,
)
from phi_tensor._bound_dim import BoundDim, slicing_dict
from phi_tensor._context import get_precision, is_compiling, precision, set_global_precision
from phi_tensor._convert import convert, from_dlpack, to_device
from phi_tensor._create import (
    INF,
    NAN,
    PI,
    arange,
    copy,
    counted,
    full,
    linspace,
    meshgrid,
    ones,
    ones_like,
    tensor,
    vec,
    wrap,
    zeros,
    zeros_like,
)
from phi_tensor._dim_types import (
    batch,
    channel,
    dual,
    instance,
    non_batch,
    non_channel,
    non_dual,
    non_instance,
    non_primal,
    non_spatial,
    primal,
    spatial,
)
from phi_tensor._dtype import DType
from phi_tensor._errors import (
    Diverged,
    IncompatibleShapes,
    NoBackendFound,
    NotConverged,
    PhiError,
    Unsupported,
)
from phi_tensor._extrapolation import Extrapolation
from phi_tensor._hidden import checked, report
from phi_tensor._labelled import from_pandas, from_xarray, to_pandas, to_xarray
from phi_tensor._plan import explain
from phi_tensor._profile import Profile, profile
from phi_tensor._progress import ConsoleProgress, Progress, progress_range, watched
from phi_tensor._random import RandomKey, random_key, random_normal, random_uniform, seed
from phi_tensor._shape import (
    EMPTY_SHAPE,
    Shape,
    concat_shapes,
    merge_shapes,
)
from phi_tensor._shape import (
    shape_of as _shape_of,
)
from phi_tensor._spec import parse_shape_spec
from phi_tensor._tensor import Tensor
from phi_tensor._trees import tree_map
from phi_tensor._verify import BackendReport, inspect_backend, inspect_installation, verify
from phi_tensor.backends._backend import Backend, ComputeDevice
from phi_tensor.backends._registry import (
    BACKENDS,
    default_backend,
    init_backend,
    init_installed_backends,
    on_backend,
    use,
)
from phi_tensor.ops._comparison import always_close, assert_close, close, equal
from phi_tensor.ops._elementwise import (
    abs_ as _abs,
)
from phi_tensor.ops._elementwise import (
    abs_square,
    angle,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctanh,
    cast,
    ceil,
    clip,
    conjugate,
    cos,
    cosh,
    degrees_to_radians,
    erf,
    exp,
    expm1,
    floor,
    imag,
    is_finite,
    is_inf,
    is_nan,
    log,
    log1p,
    log2,
    log10,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    maximum,
    minimum,
    nan_to_0,
    radians_to_degrees,
    real,
    reciprocal,
    safe_div,
    safe_mul,
    sigmoid,
    sign,
    sin,
    sinh,
    soft_plus,
    sqrt,
    square,
    stop_gradient,
    tan,
    tanh,
    to_complex,
    to_float,
    to_int32,
    to_int64,
    trunc,
    where,
)
from phi_tensor.ops._elementwise import (
    round_ as _round,
)
from phi_tensor.ops._grid import laplace, neighbor_mean, shift, spatial_gradient
from phi_tensor.ops._grid_sample import (
    closest_grid_values,
    grid_sample,
    grid_sample_bounds,
    grid_sample_with_bounds,
)
from phi_tensor.ops._lookup import boolean_mask, gather, ravel_index, unravel_index
from phi_tensor.ops._padding import pad
from phi_tensor.ops._products import dot, l1_loss, l2_loss, norm, normalize, squared_norm
from phi_tensor.ops._reductions import (
    all_ as _all,
)
from phi_tensor.ops._reductions import (
    any_ as _any,
)
from phi_tensor.ops._reductions import (
    argmax,
    argmin,
    cumulative_sum,
    mean,
    prod,
    sort,
    std,
)
from phi_tensor.ops._reductions import (
    max_ as _max,
)
from phi_tensor.ops._reductions import (
    min_ as _min,
)
from phi_tensor.ops._reductions import (
    sum_ as _sum,
)
from phi_tensor.ops._scatter import scatter
from phi_tensor.ops._signal import (
    dct,
    dst,
    fft,
    fftfreq,
    fourier_laplace,
    fourier_poisson,
    idct,
    idst,
    ifft,
    irfft,
    rfft,
)
from phi_tensor.ops._structure import (
    concat,
    expand,
    flatten,
    flip,
    pack_dims,
    rename_dims,
    roll,
    squeeze,
    stack,
    unpack_dim,
    unstack,
)
from phi_tensor.ops._structure import (
    slice_ as _slice,
)
from phi_tensor.transforms._bridge import computed_on
from phi_tensor.transforms._custom import custom_gradient
from phi_tensor.transforms._gradient import gradient, jvp, vjp
from phi_tensor.transforms._iterate import iterate, while_loop
from phi_tensor.transforms._jacobian import hessian, jacobian
from phi_tensor.transforms._jit import jit_compile
from phi_tensor.transforms._map import broadcast
from phi_tensor.transforms._map import map_ as _map
from phi_tensor.transforms._native_call import native_call
from phi_tensor.transforms._observe import all_available, perf_counter, print_gradient, when_available
from phi_tensor.transforms._retype import map_c2b, map_c2d, map_d2b, map_d2c, map_i2b, map_s2b, map_types
from phi_tensor.transforms._trace_check import trace_check

shape = _shape_of
# Names of Python's own functions: reached as `math.sum`, not exported by `*`.
abs = _abs
round = _round
all = _all
any = _any
max = _max
min = _min
map = _map
sum = _sum
slice = _slice

__all__ = [
    "extrapolation",
    # dims and shapes
    "batch",
    "channel",
    "dual",
    "instance",
    "spatial",
    "non_batch",
    "non_channel",
    "non_dual",
    "non_instance",
    "non_primal",
    "non_spatial",
    "primal",
    "EMPTY_SHAPE",
    "Shape",
    "concat_shapes",
    "merge_shapes",
    "shape",
    "parse_shape_spec",
    "BoundDim",
    "slicing_dict",
    # tensors
    "Tensor",
    "DType",
    "INF",
    "NAN",
    "PI",
    "arange",
    "copy",
    "full",
    "counted",
    "linspace",
    "meshgrid",
    "ones",
    "ones_like",
    "tensor",
    "vec",
    "wrap",
    "zeros",
    "zeros_like",
    "RandomKey",
    "random_key",
    "random_normal",
    "random_uniform",
    "seed",
    "tree_map",
    # settings, backends, devices
    "get_precision",
    "is_compiling",
    "precision",
    "set_global_precision",
    "Backend",
    "ComputeDevice",
    "BACKENDS",
    "default_backend",
    "init_backend",
    "init_installed_backends",
    "on_backend",
    "use",
    "convert",
    "to_device",
    "BackendReport",
    "inspect_backend",
    "inspect_installation",
    "verify",
    # element-wise
    "abs_square",
    "angle",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctanh",
    "cast",
    "ceil",
    "clip",
    "conjugate",
    "cos",
    "cosh",
    "degrees_to_radians",
    "erf",
    "exp",
    "expm1",
    "floor",
    "imag",
    "is_finite",
    "is_inf",
    "is_nan",
    "log",
    "log10",
    "log1p",
    "log2",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "nan_to_0",
    "radians_to_degrees",
    "real",
    "reciprocal",
    "safe_div",
    "safe_mul",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "soft_plus",
    "sqrt",
    "square",
    "stop_gradient",
    "tan",
    "tanh",
    "to_complex",
    "to_float",
    "to_int32",
    "to_int64",
    "trunc",
    "where",
    # reductions
    "argmax",
    "argmin",
    "cumulative_sum",
    "mean",
    "prod",
    "sort",
    "std",
    # structure
    "concat",
    "expand",
    "flatten",
    "flip",
    "pack_dims",
    "rename_dims",
    "roll",
    "squeeze",
    "stack",
    "unpack_dim",
    "unstack",
    # products, norms, losses
    "dot",
    "l1_loss",
    "l2_loss",
    "norm",
    "normalize",
    "squared_norm",
    # grids and look-up
    "Extrapolation",
    "pad",
    "laplace",
    "neighbor_mean",
    "shift",
    "spatial_gradient",
    "closest_grid_values",
    "grid_sample",
    "grid_sample_bounds",
    "grid_sample_with_bounds",
    "boolean_mask",
    "gather",
    "ravel_index",
    "unravel_index",
    "scatter",
    "dct",
    "dst",
    "fft",
    "fftfreq",
    "fourier_laplace",
    "fourier_poisson",
    "idct",
    "idst",
    "ifft",
    "irfft",
    "rfft",
    # transformations and loops
    "jit_compile",
    "gradient",
    "hessian",
    "jacobian",
    "jvp",
    "vjp",
    "custom_gradient",
    "iterate",
    "while_loop",
    "broadcast",
    "map_types",
    "map_c2b",
    "map_c2d",
    "map_d2b",
    "map_d2c",
    "map_i2b",
    "map_s2b",
    "native_call",
    "computed_on",
    "trace_check",
    "when_available",
    "all_available",
    "perf_counter",
    "print_gradient",
    "profile",
    "Profile",
    # comparison and exchange
    "always_close",
    "assert_close",
    "close",
    "equal",
    "from_dlpack",
    "from_pandas",
    "from_xarray",
    "to_pandas",
    "to_xarray",
    "checked",
    "report",
    "explain",
    "ConsoleProgress",
    "Progress",
    "progress_range",
    "watched",
    # errors
    "Diverged",
    "IncompatibleShapes",
    "NoBackendFound",
    "NotConverged",
    "PhiError",
    "Unsupported",
    # older names
    "divide_no_nan",
    "functional_gradient",
    "isfinite",
    "length",
    "rand",
    "randn",
    "replace_dims",
    "vec_length",
    "vec_normalize",
    "vec_squared",
]
