"""Rows of the fuzz: one per public function, with the kinds of its arguments; how each kind is drawn.

>>> FUNCTIONS["gather"]
't indices dim'
"""

import tempfile
import warnings
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

import phi_tensor as math
from phi_tensor import batch, channel, dual, instance, spatial
from phi_tensor.testing import boundaries, ragged, shapes, tensors


def words(text):
    return text.split()


# --- arguments

HUGE = (1e30, -1e30, 3e38, float("inf"), float("-inf"), float("nan"), 1e-40)

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
MATRIX = (
    st.sampled_from(
        (
            channel(vector="x,y") & dual(vector="x,y"),
            batch(b=2) & instance(p=3) & dual(p=3),
            spatial(x=3) & dual(q=2),
            spatial(x=0) & dual(x=0),
            instance(p=2) & dual(p=2) & channel(c=2),
            channel(c=2, vector=3),
        )
    ).flatmap(lambda shape: special(tensors(shape)) | tensors(shape) | tensors(shape, complex))
    | TENSOR
)
VECTORS = (
    st.sampled_from(("x", "x,y", "x,y,z")).flatmap(
        lambda labels: tensors(instance(p=3) & channel(vector=labels)) | tensors(channel(vector=labels))
    )
    | TENSOR
)
BITS = st.sampled_from((int, bool)).flatmap(lambda kind: tensors(shapes(3, 0), kind)) | ANY

ARGUMENTS = {
    "t": ANY,
    "tree": TREE,
    "tensor": TENSOR,
    "matrix": MATRIX,
    "vectors": VECTORS,
    "bits": BITS,
    "dim": DIM,
    "new": SHAPE,
    "int": INT,
    "number": NUMBER,
    "fraction": st.sampled_from((0, 0.25, 1, -1, 2, float("nan"), "x")) | TENSOR,
    "rule": RULE,
    "widths": WIDTHS | INT | BAD,
    "points": POINTS | TENSOR,
    "mask": MASK | TENSOR,
    "item": ITEM,
    "call": CALL,
    "dtype": KIND,
    "bool": st.booleans(),
    "type": st.sampled_from((1, 2, 3, 4, 5, "x")),
    "dimtype": st.sampled_from((batch, channel, dual, instance, spatial, "spatial", "nope", None)),
    "name": st.sampled_from((*NAMES, "", "a b", 3)),
    "spec": st.sampled_from(SPECS),
    "backend": st.sampled_from(("numpy", "nope", None)),
    "offsets": st.lists(INT, max_size=3).map(tuple),
    "shifts": st.lists(INT | st.dictionaries(st.sampled_from(NAMES), INT, max_size=2), max_size=3),
    "steps": INT | st.dictionaries(st.sampled_from((*NAMES, "nope")), INT, max_size=2),
    "counts": st.dictionaries(st.sampled_from((*NAMES, "nope")), INT | GARBAGE, max_size=2) | BAD,
    "difference": st.sampled_from(("central", "forward", "backward", "sideways")),
    "mode": st.sampled_from(("update", "add", "mean", "min", "max", "prod", "any", "all", "nope")),
    "outside": st.sampled_from(("check", "discard", "clamp", "undefined", "nope")),
    "indices": tensors(instance(p=3) & channel(vector="x,y"), int) | TENSOR,
    "size": st.sampled_from((None, 1, 2, 4, 5)),
    "extent": st.sampled_from(("same", "valid", "full", "nope", None)) | SHAPE,
    "norm": st.sampled_from(("frobenius", "nuclear", "spectral", 1, 2, "inf", "nope", None)),
    "side": st.sampled_from(("left", "right", "nope")),
    "nearest": st.sampled_from(("kd", "dense", "auto", "nope")),
    "groups": st.lists(SHAPE, max_size=3),
}
"""Strategies of the kinds of arguments."""

# --- functions

ONE = words("""
abs abs_square angle arccos arccosh arcsin arcsinh arctan arctanh ceil conjugate cos cosh
degrees_to_radians erf exp expm1 floor imag is_finite is_inf is_nan log log10 log1p log2
logical_not nan_to_0 radians_to_degrees real reciprocal round sigmoid sign sin sinh soft_plus sqrt square
stop_gradient tan tanh to_complex to_float to_int32 to_int64 trunc copy ones_like zeros_like
fourier_laplace fourier_poisson shape non_batch non_channel non_dual non_instance non_primal non_spatial
primal digamma erfc erfinv factorial log_gamma sinc signbit positive identity dtype native numpy print
all_available to_cpu to_gpu to_dict from_dict from_dlpack perf_counter rotation_matrix c2d si2d d2s
""")
TWO = words("""
logical_and logical_or logical_xor maximum minimum safe_div safe_mul copysign hypot incomplete_gamma
logaddexp nextafter always_close close equal normalize_to choose_backend
""")
REDUCE = words("""
all any max min sum prod std mean argmax argmin cumulative_sum sort l1_loss l2_loss norm normalize
squared_norm squeeze flip unstack fft ifft rfft argsort count_nonzero cumulative_max
cumulative_min cumulative_prod log_sum_exp median softmax csum swap_axes
""")
SIZED = words("""
batch channel dual instance spatial zeros ones random_normal random_uniform range_tensor
random_permutation random_bernoulli random_exponential
""")
SQUARE = words("cholesky determinant inverse log_determinant matrix_rank pinv trace transpose")
DECOMPOSED = words("eigenvalues eigh qr singular_values")
FUNCTIONS = {
    **dict.fromkeys(ONE, "t"),
    **dict.fromkeys(TWO, "t t"),
    **dict.fromkeys(REDUCE, "tree dim"),
    **dict.fromkeys(SIZED, "new"),
    **dict.fromkeys(SQUARE, "matrix dim dim"),
    **dict.fromkeys(DECOMPOSED, "matrix new dim dim"),
    **dict.fromkeys(["dct", "dst", "idct", "idst"], "t dim type bool"),
    **dict.fromkeys(("grid_sample", "closest_grid_values", "grid_sample_bounds"), "t points rule"),
    **dict.fromkeys(("gradient", "jacobian", "hessian"), "call"),
    **dict.fromkeys(words("finite_max finite_mean finite_min finite_std finite_sum"), "tree dim number"),
    **dict.fromkeys(words("bitwise_and bitwise_or bitwise_xor"), "bits bits"),
    **dict.fromkeys(words("bitwise_left_shift bitwise_right_shift"), "bits bits"),
    **dict.fromkeys(("at_max", "at_min"), "tree t dim"),
    **dict.fromkeys(("at_max_neighbor", "at_min_neighbor"), "tree t dim rule offsets bool"),
    **dict.fromkeys(words("neighbor_max neighbor_min neighbor_sum"), "t dim rule int"),
    **dict.fromkeys(("downsample2x", "upsample2x"), "t rule dim"),
    **dict.fromkeys(("contains", "count_occurrences"), "t t dim"),
    **dict.fromkeys(("random_gamma", "random_poisson", "random_integers"), "new t t"),
    "arange": "new int int int",
    "assert_close": "t t",
    "bincount": "bits new t",
    "bitwise_invert": "bits",
    "boolean_mask": "t dim mask bool",
    "cast": "t dtype",
    "ccat": "tree",
    "clip": "t t t",
    "clip_length": "vectors t t dim",
    "concat": "tree dim bool",
    "concat_shapes": "new new",
    "const_vec": "t new",
    "contract": "t t dim",
    "convert": "tree backend",
    "convolve": "t t extent rule dim steps bool",
    "copy_with": "t name t",
    "count_intersections": "t dim dim dim",
    "counted": "new number number",
    "cpack": "tree new",
    "crange": "int name int",
    "cross_entropy_loss": "t t dim dim",
    "cross_product": "vectors vectors",
    "differences": "tree dim int",
    "dim_mask": "new dim new",
    "dot": "t dim t dim",
    "expand": "tree new new",
    "explain": "call t",
    "fftfreq": "new t",
    "find_closest": "vectors vectors nearest new",
    "find_differences": "tree tree",
    "finite_fill": "t dim int bool rule",
    "flatten": "tree new bool",
    "fold": "t name new int rule size",
    "frequency_loss": "t number number bool int",
    "from_pandas": "t new",
    "from_xarray": "t new",
    "full": "number new",
    "gather": "t indices dim",
    "get_backend": "backend",
    "grid_sample_with_bounds": "t points rule",
    "histogram": "t new t dim",
    "huber_loss": "t t dim",
    "index_shift": "t shifts rule",
    "irfft": "t dim size",
    "jvp": "call tree tree",
    "laplace": "t t rule dim",
    "layout": "tree new",
    "linspace": "t t new",
    "map": "call t t dim",
    "map_pairs": "call t t",
    "map_c2b": "call dim t",
    "map_types": "call dim dimtype t",
    "masked_fill": "t mask int",
    "matrix_norm": "matrix norm dim dim",
    "merge_shapes": "t new",
    "meshgrid": "new new",
    "native_call": "call t t",
    "ncat": "tree new bool",
    "neighbor_mean": "tree dim rule int",
    "neighbor_reduce": "call t dim rule",
    "nonzero": "t new new dim dim bool",
    "pack_dims": "tree dim new",
    "pad": "tree widths rule",
    "pad_to_uniform": "t new number",
    "pairwise_differences": "vectors number",
    "parse_shape_spec": "spec",
    "pick_random": "t dim int t",
    "print_gradient": "t name bool",
    "quantile": "t fraction dim",
    "ravel_index": "indices new dim",
    "rename_dims": "tree dim new",
    "repeat": "t int name",
    "reshaped_tensor": "t groups bool",
    "roll": "t int name",
    "rotate_vector": "vectors t bool name",
    "sample_subgrid": "t points new",
    "save": "tree",
    "scatter": "t indices t mode outside",
    "searchsorted": "t t dim side",
    "shift": "t offsets dim rule new",
    "slice": "tree item",
    "slice_off": "t item item",
    "slicing_dict": "t item",
    "solve_dense": "matrix t dim dim",
    "spatial_gradient": "t t difference rule dim",
    "stack": "tree new bool",
    "svd": "matrix dim dim new bool",
    "tcat": "tree dimtype bool",
    "tensor": "t new",
    "tile": "t counts",
    "to_pandas": "t name",
    "to_xarray": "t name",
    "top_k": "t int dim",
    "trace_check": "call t",
    "tree_map": "call tree",
    "unfold": "t name new int rule",
    "unique": "t dim new",
    "unpack_dim": "t dim new new",
    "unravel_index": "indices new",
    "variance": "tree dim number",
    "vec": "name t t",
    "vjp": "call tree",
    "dense": "t",
    "get_format": "t",
    "get_sparsity": "t",
    "is_sparse": "t",
    "stored_indices": "t",
    "stored_values": "t",
    "tensor_like": "t t",
    "where": "t t t",
    "wrap": "t new",
}
"""Kinds of arguments of each public function. Names of its `ALIAS_TABLES` need no row of their own."""


def saved_and_loaded(tree):
    with tempfile.TemporaryDirectory() as folder:
        math.save(Path(folder) / "tree", tree)
        return math.load(Path(folder) / "tree")


CALLS = {
    "contract": lambda a, b, dims: math.contract(a, b, dims=dims),
    "copy_with": lambda value, name, new: math.copy_with(value, **{str(name): new}),
    "crange": lambda start, name, stop: math.crange(start, **{str(name): stop}),
    "map": lambda f, a, b, dims: math.map(lambda x, _: f(x), a, b, dims=dims),
    "map_c2b": lambda f, dims, value: math.map_c2b(f, dims=dims)(value),
    "map_types": lambda f, dims, kind, value: math.map_types(f, dims, kind)(value),
    "native_call": lambda f, a, b: math.native_call(lambda x, y: x, a, b),
    "neighbor_reduce": lambda f, *args: math.neighbor_reduce(lambda x, _: f(x), *args),
    "random_gamma": lambda shape, k, scale: math.random_gamma(shape, concentration=k, scale=scale),
    "random_integers": lambda shape, high, low: math.random_integers(shape, high=high, low=low),
    "random_poisson": lambda shape, rate, _: math.random_poisson(shape, rate=rate),
    "save": saved_and_loaded,
    "trace_check": lambda f, value: math.trace_check(math.jit_compile(f), value),
}
"""How functions are called that take named arguments or functions."""

TAKE_NO_TENSORS = words("""
extrapolation EMPTY_SHAPE INF NAN PI DimFilter NUMPY BACKENDS random_key seed get_precision is_compiling
precision set_global_precision default_backend context_backend init_backend init_installed_backends
on_backend use inspect_backend inspect_installation verify checked progress_range watched
""")
"""Constants and settings. (Classes are left out, too.)"""

TESTED_ELSEWHERE = {
    "to_device": "test_interop.py",
    "jit_compile": "test_jit.py",
    "jit_compile_linear": "test_linear_matrix.py",
    "matrix_from_function": "test_linear_matrix.py",
    "custom_gradient": "test_derivatives.py",
    "iterate": "test_loops.py",
    "while_loop": "test_loops.py",
    "report": "test_hidden.py",
    "broadcast": "test_functional.py",
    "computed_on": "test_bridge.py",
    "when_available": "test_observation.py",
    "profile": "test_observation.py",
    "load": "test_files.py",
    "sparse_tensor": "test_sparse.py",
    "to_format": "test_sparse.py",
    "solve_linear": "test_solve.py",
    "stencil_operator": "test_regions.py",
    "solve_nonlinear": "test_solve_nonlinear.py",
    "minimize": "test_minimize.py",
    "neighbor_graph": "test_neighbor_graph.py",
}
"""Functions of functions, which would fuzz the given function, of devices and files, systems and searches."""

NOT_COMPARED = words("""
random_normal random_uniform random_permutation random_bernoulli random_exponential random_gamma
random_poisson random_integers pick_random perf_counter gradient jacobian hessian explain
eigenvalues eigh qr svd choose_backend trace_check layout to_pandas to_xarray
""")
"""Random, unique only up to order or sign, or objects of other libraries (see test_exchange)."""
