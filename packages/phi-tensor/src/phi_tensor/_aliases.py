"""Older names of the thesis, PhiML and PhiFlow: one row per alias."""

from phi_tensor._copy_with import copy_with
from phi_tensor._random import random_normal, random_uniform
from phi_tensor.backends._registry import init_backend, use
from phi_tensor.neighbors._differences import pairwise_differences
from phi_tensor.ops._elementwise import is_finite, safe_div
from phi_tensor.ops._products import norm, normalize, squared_norm
from phi_tensor.ops._scatter import scatter
from phi_tensor.ops._statistics import variance
from phi_tensor.ops._structure import rename_dims
from phi_tensor.ops._vectors import cross_product
from phi_tensor.transforms._gradient import gradient

vec_squared = squared_norm
vec_length = norm
length = norm
vec_normalize = normalize
vec_abs = norm
cross = cross_product
pairwise_distances = pairwise_differences
divide_no_nan = safe_div
functional_gradient = gradient
grid_scatter = scatter
replace_dims = rename_dims
replace = copy_with
rand = random_uniform
randn = random_normal
isfinite = is_finite
var = variance
get_backend = init_backend
set_global_default_backend = use
