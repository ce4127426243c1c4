"""Tensors with named, typed dims: one program on NumPy, PyTorch, JAX and TensorFlow.

>>> import phi_tensor as math
>>> a = math.wrap([[1.0, 2.0], [3.0, 4.0]], math.spatial("x,y"))
>>> (a + math.vec(x=10.0, y=20.0)).shape
(x:s=2, y:s=2, vector:c=x,y)
"""

# ruff: noqa: E402, I001 rules register with the table, in this order
from phi_tensor._errors import Diverged, IncompatibleShapes, NoBackendFound, NotConverged, PhiError, Unsupported
from phi_tensor._dtype import DType
from phi_tensor._context import get_precision, precision, set_global_precision
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
from phi_tensor._shape import EMPTY_SHAPE, Shape, concat_shapes, merge_shapes
from phi_tensor._shape import shape_of as shape
from phi_tensor._spec import parse_shape_spec
from phi_tensor._plan import explain
from phi_tensor._tensor import Tensor
from phi_tensor.layouts import _elementwise as _elementwise_rules, _reduction as _reduction_rules, _structure as _structure_rules
from phi_tensor.ops import _slicing as _slicing_rules
from phi_tensor._bound_dim import BoundDim, slicing_dict
from phi_tensor._create import (
    INF,
    NAN,
    PI,
    arange,
    copy,
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
from phi_tensor._convert import convert, to_device
from phi_tensor._hidden import checked, report
from phi_tensor._trees import tree_map
from phi_tensor.backends._backend import Backend, ComputeDevice
from phi_tensor.backends._registry import (
    BACKENDS,
    default_backend,
    init_backend,
    init_installed_backends,
    on_backend,
    use,
)
from phi_tensor.ops._elementwise import (
    abs_ as abs,
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
    log10,
    log1p,
    log2,
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
    round_ as round,
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
from phi_tensor.ops._padding import pad
from phi_tensor.ops._reductions import (
    all_ as all,
    any_ as any,
    argmax,
    argmin,
    cumulative_sum,
    max_ as max,
    mean,
    min_ as min,
    prod,
    sort,
    std,
    sum_ as sum,
)
from phi_tensor.ops._structure import (
    concat,
    expand,
    flatten,
    flip,
    pack_dims,
    rename_dims,
    roll,
    slice_ as slice,
    squeeze,
    stack,
    unpack_dim,
    unstack,
)
from phi_tensor.ops._products import dot, l1_loss, l2_loss, norm, normalize, squared_norm
from phi_tensor._random import RandomKey, random_key, random_normal, random_uniform, seed
from phi_tensor._progress import ConsoleProgress, Progress, progress_range, watched
from phi_tensor._verify import BackendReport, inspect_backend, inspect_installation, verify
from phi_tensor.transforms._custom import custom_gradient
from phi_tensor.transforms._gradient import gradient, hessian, jacobian, jvp, vjp
from phi_tensor.transforms._iterate import iterate, while_loop
from phi_tensor.transforms._jit import jit_compile
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
