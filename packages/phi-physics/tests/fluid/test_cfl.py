import phi_tensor as math
from phi_field import CenteredGrid, StaggeredGrid
from phi_physics import fluid
from phi_tensor import batch
from phi_tensor.testing import assert_close


def test_sums_over_axes_in_units_of_cells(backend):
    velocity = CenteredGrid((1.0, -2.0), 0, 1, x=4, y=2)
    assert float(fluid.cfl_number(velocity, 0.5)) == 0.5 * (1 * 4 + 2 * 2)
    assert float(fluid.cfl_number(velocity, -0.5)) == 0.5 * (1 * 4 + 2 * 2)


def test_averages_faces(backend):
    assert float(fluid.cfl_number(StaggeredGrid(1, "periodic", x=4, y=2, z=3), 0.5)) == 1.5


def test_one_number_per_batch_entry(backend):
    velocity = CenteredGrid((1.0, 1.0), 0, x=4, y=2)
    dt = math.tensor([0.5, 1.0], batch("b"))
    assert_close(fluid.cfl_number(velocity, dt), math.tensor([1.0, 2.0], batch("b")))
