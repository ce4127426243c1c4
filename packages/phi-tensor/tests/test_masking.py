"""Entries chosen by masks: oracle NumPy, however values are stored, and no plan per number of entries."""

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import IncompatibleShapes, batch, channel, instance, spatial, tensor
from phi_tensor._plan import ROWS
from phi_tensor.testing import assert_close, check_gradient


def plans():
    return {name: len(row.plans) for name, row in ROWS.items()}


def test_sizes_that_depend_on_data_keep_no_plans(backend, rng):
    x = tensor(rng.standard_normal((30, 2)), instance("p"), channel("c"))
    dense = tensor(rng.standard_normal((2, 30)), batch("b"), instance("p"))

    def use(count):
        chosen = tensor(np.arange(30) < count, instance("p"))
        both = math.stack([chosen, ~chosen], batch("b"))
        math.boolean_mask(x, "p", chosen)
        math.boolean_mask(math.stack(math.unstack(x, "c"), channel("c")), "p", chosen)
        math.boolean_mask(dense, "p", both)
        math.nonzero(both)
        math.unique(math.where(chosen, dense, 0.0))

    use(3)
    before = plans()
    for count in range(4, 12):
        use(count)
    assert plans() == before


def test_masks_choose_from_every_storage(backend, rng):
    array, mask = rng.standard_normal((5, 2)), np.array([True, False, True, True, False])
    chosen = tensor(mask, instance("p"))
    x = tensor(array, instance("p"), channel("c"))
    transposed = tensor(np.ascontiguousarray(array.T), channel("c"), instance("p"))
    for value in (x, transposed, *(math.stack(math.unstack(x, d), x.shape[d]) for d in ("p", "c"))):
        assert_close(math.boolean_mask(value, "p", chosen).numpy("p,c"), array[mask].astype(np.float32))
        assert math.boolean_mask(value, "p", ~(chosen | True)).shape == instance(p=0) & channel(c=2)
    constant = math.expand(tensor(1.0), instance(p=5))
    assert math.boolean_mask(constant, "p", chosen).numpy("p").tolist() == [1, 1, 1]
    assert math.boolean_mask(tensor([1, 2], channel("c")), "p", chosen).shape == instance(p=3) & channel(c=2)
    with pytest.raises(IncompatibleShapes, match="mask has 5 entries"):
        math.boolean_mask(math.ones(instance(p=4)), "p", chosen)
    with pytest.raises(IncompatibleShapes, match="no dim 'x'"):
        math.boolean_mask(x, "x", chosen)


def test_labels_stay_only_where_asked(backend):
    x, mask = math.vec(x=1.0, y=2.0, z=3.0), tensor([True, False, True], channel("vector"))
    assert math.boolean_mask(x, "vector", mask, preserve_names=True).shape == channel(vector="x,z")
    assert math.boolean_mask(x, "vector", mask).numpy("vector").tolist() == [1, 3]


@pytest.mark.needs("reverse", "forward")
def test_gradients_go_to_the_chosen_entries(backend, rng):
    mask = tensor([True, False, True], spatial("x"))  # is read while the values are differentiated
    check_gradient(
        lambda x: math.boolean_mask(x, "x", mask) ** 3, math.tensor(rng.standard_normal(3), spatial("x"))
    )
