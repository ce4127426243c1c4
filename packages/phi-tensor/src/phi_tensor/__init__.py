"""Tensors with named, typed dims: one program on NumPy, PyTorch, JAX and TensorFlow.

>>> import phi_tensor as math
>>> a = math.wrap([[1.0, 2.0], [3.0, 4.0]], math.spatial("x,y"))
>>> (a + math.vec(x=10.0, y=20.0)).shape
(x:s=2, y:s=2, vector:c=x,y)

`from phi_tensor import *` leaves Python's `sum`, `round`, … alone; ours are `math.sum`, `math.round`, ….
"""

from phi_tensor import _rules as _rules
from phi_tensor import dataclasses as dataclasses
from phi_tensor import extrapolation as extrapolation
from phi_tensor._aliases import (
    cross,
    divide_no_nan,
    functional_gradient,
    get_backend,
    grid_scatter,
    isfinite,
    length,
    pairwise_distances,
    rand,
    randn,
    replace,
    replace_dims,
    set_global_default_backend,
    var,
    vec_abs,
    vec_length,
    vec_normalize,
    vec_squared,
)
from phi_tensor._bound_dim import BoundDim, slicing_dict
from phi_tensor._context import get_precision, is_compiling, precision, set_global_precision
from phi_tensor._convert import choose_backend, convert, copy, from_dlpack, to_cpu, to_device, to_gpu
from phi_tensor._convert import (
    dtype_ as _dtype,
)
from phi_tensor._convert import (
    native_ as _native,
)
from phi_tensor._convert import (
    numpy_ as _numpy,
)
from phi_tensor._copy_with import copy_with
from phi_tensor._create import (
    INF,
    NAN,
    PI,
    arange,
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
from phi_tensor._dict import Dict
from phi_tensor._dicts import from_dict, to_dict
from phi_tensor._differences import find_differences
from phi_tensor._dim_types import (
    DimSelector as DimFilter,
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
    ConvergenceException,
    ConvergenceWarning,
    Diverged,
    IncompatibleShapes,
    NoBackendFound,
    NonlinearOperation,
    NotConverged,
    PhiError,
    Unsupported,
    Untraceable,
)
from phi_tensor._extrapolation import Extrapolation
from phi_tensor._files import load, save
from phi_tensor._hidden import checked, report
from phi_tensor._labelled import from_pandas, from_xarray, to_pandas, to_xarray
from phi_tensor._magic import PhiTreeNode, Shapable, Shaped, Sliceable
from phi_tensor._objects import Objects, layout
from phi_tensor._plan import explain
from phi_tensor._print import print_ as _print
from phi_tensor._profile import Profile, profile
from phi_tensor._progress import ConsoleProgress, Progress, progress_range, watched
from phi_tensor._random import (
    RandomKey,
    random_integers,
    random_key,
    random_normal,
    random_uniform,
    seed,
)
from phi_tensor._random_choice import pick_random, random_permutation
from phi_tensor._random_samplers import random_bernoulli, random_exponential, random_gamma, random_poisson
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
from phi_tensor.backends._numpy import NUMPY
from phi_tensor.backends._registry import (
    BACKENDS,
    context_backend,
    default_backend,
    init_backend,
    init_installed_backends,
    on_backend,
    use,
)
from phi_tensor.linear._linear_function import LinearFunction, jit_compile_linear
from phi_tensor.linear._matrix import matrix_from_function
from phi_tensor.linear._operator import LinearOperator
from phi_tensor.linear._results import SolveInfo, SolveTape
from phi_tensor.linear._solve_linear import solve_linear
from phi_tensor.linear._solve_settings import Solve
from phi_tensor.linear._stencil import Stencil
from phi_tensor.linear._stencil_operator import stencil_operator
from phi_tensor.neighbors._differences import pairwise_differences
from phi_tensor.neighbors._graph import NeighborGraph
from phi_tensor.neighbors._search import neighbor_graph
from phi_tensor.ops._arranging import (
    const_vec,
    dim_mask,
    identity,
    range_tensor,
    reshaped_tensor,
    swap_axes,
)
from phi_tensor.ops._comparison import always_close, assert_close, close, equal
from phi_tensor.ops._contraction import contract
from phi_tensor.ops._convolve import convolve
from phi_tensor.ops._cumulative import (
    cumulative_max,
    cumulative_min,
    cumulative_prod,
    cumulative_sum,
    differences,
)
from phi_tensor.ops._decompositions import cholesky, eigenvalues, eigh, qr, singular_values, svd
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
from phi_tensor.ops._filling import finite_fill, masked_fill
from phi_tensor.ops._folding import fold, repeat, tile, unfold
from phi_tensor.ops._grid import laplace, neighbor_mean, shift, spatial_gradient
from phi_tensor.ops._grid_sample import (
    closest_grid_values,
    grid_sample,
    grid_sample_bounds,
    grid_sample_with_bounds,
)
from phi_tensor.ops._histograms import (
    bincount,
    histogram,
)
from phi_tensor.ops._joining import ncat, pad_to_uniform, slice_off, tcat
from phi_tensor.ops._linalg import (
    determinant,
    inverse,
    log_determinant,
    matrix_norm,
    matrix_rank,
    pinv,
    solve_dense,
    trace,
    transpose,
)
from phi_tensor.ops._lookup import gather, ravel_index, unravel_index
from phi_tensor.ops._losses import (
    cross_entropy_loss,
    frequency_loss,
    huber_loss,
    l1_loss,
    l2_loss,
)
from phi_tensor.ops._masking import boolean_mask
from phi_tensor.ops._neighbors import (
    at_max_neighbor,
    at_min_neighbor,
    index_shift,
    neighbor_max,
    neighbor_min,
    neighbor_reduce,
    neighbor_sum,
)
from phi_tensor.ops._padding import pad
from phi_tensor.ops._pairs import find_closest, map_pairs
from phi_tensor.ops._prefixed import (
    cmax,
    cmean,
    cmin,
    cprod,
    csort,
    csum,
    dmax,
    dmean,
    dmin,
    dprod,
    dsort,
    dsum,
    imax,
    imean,
    imin,
    iprod,
    isort,
    isum,
    pmax,
    pmean,
    pmin,
    pprod,
    psort,
    psum,
    smax,
    smean,
    smin,
    sprod,
    ssort,
    ssum,
)
from phi_tensor.ops._products import dot, norm, normalize, squared_norm
from phi_tensor.ops._reductions import (
    all_ as _all,
)
from phi_tensor.ops._reductions import (
    any_ as _any,
)
from phi_tensor.ops._reductions import at_max, at_min, mean, prod
from phi_tensor.ops._reductions import (
    max_ as _max,
)
from phi_tensor.ops._reductions import (
    min_ as _min,
)
from phi_tensor.ops._reductions import (
    sum_ as _sum,
)
from phi_tensor.ops._resampling import downsample2x, sample_subgrid, upsample2x
from phi_tensor.ops._scatter import scatter
from phi_tensor.ops._sets import (
    contains,
    count_intersections,
    count_nonzero,
    count_occurrences,
    nonzero,
    unique,
)
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
from phi_tensor.ops._sorting import (
    argmax,
    argmin,
    argsort,
    searchsorted,
    sort,
    top_k,
)
from phi_tensor.ops._special import (
    bitwise_and,
    bitwise_invert,
    bitwise_left_shift,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    copysign,
    digamma,
    erfc,
    erfinv,
    factorial,
    hypot,
    incomplete_gamma,
    log_gamma,
    logaddexp,
    nextafter,
    positive,
    signbit,
    sinc,
)
from phi_tensor.ops._statistics import (
    finite_max,
    finite_mean,
    finite_min,
    finite_std,
    finite_sum,
    log_sum_exp,
    median,
    quantile,
    softmax,
    std,
    variance,
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
from phi_tensor.ops._structure_by_type import (
    b2i,
    brange,
    c2b,
    c2d,
    ccat,
    cpack,
    crange,
    d2i,
    d2s,
    dcat,
    dpack,
    drange,
    i2b,
    icat,
    ipack,
    irange,
    p2d,
    s2b,
    scat,
    si2d,
    spack,
    srange,
)
from phi_tensor.ops._vectors import (
    clip_length,
    cross_product,
    normalize_to,
    rotate_vector,
    rotation_matrix,
)
from phi_tensor.optimize._minimize import minimize
from phi_tensor.optimize._solve_nonlinear import solve_nonlinear
from phi_tensor.sparse._create import sparse_tensor
from phi_tensor.sparse._entries import dense
from phi_tensor.sparse._formats import (
    get_format,
    get_sparsity,
    is_sparse,
    stored_indices,
    stored_values,
    tensor_like,
    to_format,
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
print = _print
# Names of modules and of common variables: likewise.
dtype = _dtype
native = _native
numpy = _numpy

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
    "DimFilter",
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
    "Dict",
    "Objects",
    "layout",
    "RandomKey",
    "pick_random",
    "random_bernoulli",
    "random_exponential",
    "random_gamma",
    "random_integers",
    "random_key",
    "random_normal",
    "random_permutation",
    "random_poisson",
    "random_uniform",
    "seed",
    "tree_map",
    # objects: trees, changed copies, files
    "PhiTreeNode",
    "Shapable",
    "Shaped",
    "Sliceable",
    "copy_with",
    "from_dict",
    "load",
    "replace",
    "save",
    "to_dict",
    # settings, backends, devices
    "get_precision",
    "is_compiling",
    "precision",
    "set_global_precision",
    "Backend",
    "ComputeDevice",
    "BACKENDS",
    "NUMPY",
    "choose_backend",
    "context_backend",
    "default_backend",
    "get_backend",
    "init_backend",
    "init_installed_backends",
    "on_backend",
    "set_global_default_backend",
    "use",
    "convert",
    "to_cpu",
    "to_device",
    "to_gpu",
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
    # bits, representation, special functions
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "copysign",
    "digamma",
    "erfc",
    "erfinv",
    "factorial",
    "hypot",
    "incomplete_gamma",
    "log_gamma",
    "logaddexp",
    "nextafter",
    "positive",
    "signbit",
    "sinc",
    # reductions and statistics
    "at_max",
    "at_min",
    "mean",
    "prod",
    "finite_max",
    "finite_mean",
    "finite_min",
    "finite_std",
    "finite_sum",
    "log_sum_exp",
    "median",
    "quantile",
    "softmax",
    "std",
    "variance",
    "var",
    # reductions and sorting along the dims of one type
    "dsum",
    "psum",
    "isum",
    "ssum",
    "csum",
    "dmean",
    "pmean",
    "imean",
    "smean",
    "cmean",
    "dprod",
    "pprod",
    "iprod",
    "sprod",
    "cprod",
    "dmax",
    "pmax",
    "imax",
    "smax",
    "cmax",
    "dmin",
    "pmin",
    "imin",
    "smin",
    "cmin",
    "dsort",
    "psort",
    "isort",
    "ssort",
    "csort",
    # order, sets, counts, running sums
    "argmax",
    "argmin",
    "argsort",
    "searchsorted",
    "sort",
    "top_k",
    "contains",
    "count_intersections",
    "count_nonzero",
    "count_occurrences",
    "nonzero",
    "unique",
    "bincount",
    "histogram",
    "cumulative_max",
    "cumulative_min",
    "cumulative_prod",
    "cumulative_sum",
    "differences",
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
    "const_vec",
    "dim_mask",
    "identity",
    "ncat",
    "pad_to_uniform",
    "range_tensor",
    "repeat",
    "reshaped_tensor",
    "slice_off",
    "swap_axes",
    "tcat",
    "tile",
    "b2i",
    "brange",
    "c2b",
    "c2d",
    "ccat",
    "cpack",
    "crange",
    "d2i",
    "d2s",
    "dcat",
    "dpack",
    "drange",
    "i2b",
    "icat",
    "ipack",
    "irange",
    "p2d",
    "s2b",
    "scat",
    "si2d",
    "spack",
    "srange",
    # products, norms, losses
    "dot",
    # losses
    "cross_entropy_loss",
    "frequency_loss",
    "huber_loss",
    "l1_loss",
    "l2_loss",
    # products, norms
    "norm",
    "normalize",
    "squared_norm",
    # matrices and vectors
    "cholesky",
    "contract",
    "determinant",
    "eigenvalues",
    "eigh",
    "inverse",
    "log_determinant",
    "matrix_norm",
    "matrix_rank",
    "pinv",
    "qr",
    "singular_values",
    "solve_dense",
    "svd",
    "trace",
    "transpose",
    "clip_length",
    "cross_product",
    "normalize_to",
    "rotate_vector",
    "rotation_matrix",
    "find_closest",
    "map_pairs",
    "NeighborGraph",
    "neighbor_graph",
    "pairwise_differences",
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
    "convolve",
    "at_max_neighbor",
    "at_min_neighbor",
    "downsample2x",
    "finite_fill",
    "fold",
    "index_shift",
    "masked_fill",
    "neighbor_max",
    "neighbor_min",
    "neighbor_reduce",
    "neighbor_sum",
    "sample_subgrid",
    "unfold",
    "upsample2x",
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
    "find_differences",
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
    # linear systems
    "LinearOperator",
    "Solve",
    "SolveInfo",
    "SolveTape",
    "solve_linear",
    "Stencil",
    "stencil_operator",
    "minimize",
    "solve_nonlinear",
    # linear functions
    "LinearFunction",
    "jit_compile_linear",
    "matrix_from_function",
    # sparse tensors
    "dense",
    "get_format",
    "get_sparsity",
    "is_sparse",
    "sparse_tensor",
    "stored_indices",
    "stored_values",
    "tensor_like",
    "to_format",
    # errors
    "ConvergenceException",
    "ConvergenceWarning",
    "Diverged",
    "IncompatibleShapes",
    "NoBackendFound",
    "NonlinearOperation",
    "NotConverged",
    "PhiError",
    "Unsupported",
    "Untraceable",
    # older names
    "cross",
    "pairwise_distances",
    "vec_abs",
    "divide_no_nan",
    "functional_gradient",
    "grid_scatter",
    "isfinite",
    "length",
    "rand",
    "randn",
    "replace_dims",
    "vec_length",
    "vec_normalize",
    "vec_squared",
]
