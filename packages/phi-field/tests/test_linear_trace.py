"""Linear functions of fields are traced like those of tensors: a field is a tree of them."""

import numpy as np
import pytest

import phi_tensor as math
from phi_field import CenteredGrid, StaggeredGrid, divergence, laplace, spatial_gradient
from phi_tensor import spatial, wrap
from phi_tensor.testing import assert_close


def pressure(boundary):
    values = np.random.default_rng(0).standard_normal((5, 4))
    return CenteredGrid(wrap(values, spatial("x,y")), boundary, x=5, y=4)


@pytest.mark.parametrize("boundary", [0, "periodic", "zero-gradient", {"x": 0, "y": "periodic"}])
def test_staggered_divergence_of_gradient(boundary, backend):
    with math.precision(64):
        p = pressure(boundary)
        f = math.jit_compile_linear(lambda p: divergence(spatial_gradient(p, at="face")))
        assert_close(f(p).values, divergence(spatial_gradient(p, at="face")).values)
        function = f.traced(p)
        assert len(function.coefficients) == 5
        assert function.is_symmetric()
        assert set(function.axis_matrices()) == {"x", "y"}
        matrix, bias = math.matrix_from_function(lambda p: divergence(spatial_gradient(p, at="face")), p)
        assert_close(matrix @ p.values + bias.values, f(p).values)


def test_implicit_diffusion_of_staggered_velocities(backend):
    with math.precision(64):
        v = StaggeredGrid(lambda x: x, 0, x=5, y=4)
        f = math.jit_compile_linear(lambda v: v - 0.1 * laplace(v))
        assert_close(f(v).values, (v - 0.1 * laplace(v)).values)
