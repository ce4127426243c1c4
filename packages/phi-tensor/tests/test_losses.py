"""Losses: batch dims stay, trees are summed."""

import numpy as np
import pytest
from scipy import special

import phi_tensor as math
from phi_tensor import IncompatibleShapes, Unsupported, batch, channel, spatial, tensor, vec, wrap
from phi_tensor.testing import assert_close

LOSSES = [math.l1_loss, math.l2_loss, math.huber_loss, lambda x: math.frequency_loss(x, threshold=0)]


def test_losses(backend):
    v = vec(x=3.0, y=-4.0)
    assert math.l2_loss(v).item() == 12.5
    assert math.l1_loss(v).item() == 7
    assert math.l2_loss(math.ones(batch(b=2), spatial(x=3))).shape == batch(b=2)
    assert math.l2_loss(wrap(3 + 4j)).item() == pytest.approx(12.5)
    assert math.l1_loss(wrap(3 + 4j)).item() == pytest.approx(5)


@pytest.mark.parametrize("loss", LOSSES)
def test_a41_losses_take_all_trees(loss, backend):
    x = tensor([1.0, 2.0, 0.5], spatial("x"))
    one = loss(x)
    for tree in ([x, x], (x, x), {"a": x, "b": [x]}):
        assert_close(loss(tree), 2 * one)
    with pytest.raises(IncompatibleShapes, match="at least one tensor"):
        loss([])


def test_huber_loss_is_quadratic_then_linear(backend):
    x = tensor([[-3.0, 0.2, 0.5], [0.1, 2.0, -0.5]], batch("b"), spatial("x"))
    assert_close(
        math.huber_loss(x, 0.5).numpy(), special.huber(0.5, x.numpy("b,x")).sum(1).astype(np.float32)
    )
    assert math.huber_loss(wrap(3 + 4j)).item() == pytest.approx(4.5)


@pytest.mark.needs("reverse")
def test_huber_loss_has_a_continuous_derivative(backend):
    gradient = math.gradient(lambda x: math.huber_loss(x, 0.5), get_output=False)
    assert_close(
        gradient(tensor([-3.0, -0.5, 0.0, 0.5, 0.6], spatial("x"))),
        tensor([-0.5, -0.5, 0.0, 0.5, 0.5], spatial("x")),
    )


def test_frequency_loss_weighs_low_frequencies(backend):
    wave = tensor(np.cos(2 * np.pi * np.arange(8) / 8), spatial("x"))
    fast = tensor(np.cos(6 * np.pi * np.arange(8) / 8), spatial("x"))
    assert math.frequency_loss(wave, 2).item() > 1.2 * math.frequency_loss(fast, 2).item()
    assert math.frequency_loss(wave, 0, 0).item() == pytest.approx(0.5 * 2 * 16, rel=1e-5)  # two entries of 4
    assert math.frequency_loss(wave, 0, 0, n=1).item() == pytest.approx(8, rel=1e-5)
    assert math.frequency_loss(math.ones(spatial(x=4)), threshold=0, ignore_mean=True).item() == 0
    assert math.frequency_loss(math.zeros(spatial(x=4)), threshold=0.5).item() == 1
    assert math.frequency_loss(math.ones(batch(b=2), spatial(x=4, y=3))).shape == batch(b=2)


def test_frequency_loss_errors(backend):
    with pytest.raises(IncompatibleShapes, match="n=3"):
        math.frequency_loss(math.ones(spatial(x=4)), n=3)
    with pytest.raises(IncompatibleShapes, match="spatial dims"):
        math.frequency_loss(vec(x=1.0, y=2.0))
    with pytest.raises(Unsupported, match="frequencies"):
        math.frequency_loss(math.stack([math.ones(spatial(x=2)), math.ones(spatial(x=3))], batch("b")))


def test_cross_entropy_by_probabilities_or_positions(backend, rng):
    data = rng.normal(size=(2, 3, 4))
    logits = tensor(data, batch("b"), spatial("x"), channel("c"))
    wanted = np.array([[0, 3, 1], [2, 2, 0]])
    expected = -np.take_along_axis(special.log_softmax(data, -1), wanted[..., None], -1)[..., 0].sum(1)
    positions = tensor(wanted, batch("b"), spatial("x"))
    assert_close(math.cross_entropy_loss(logits, positions).numpy(), expected.astype(np.float32), rtol=1e-5)
    probabilities = tensor(np.eye(4)[wanted], batch("b"), spatial("x"), channel("c"))
    assert_close(
        math.cross_entropy_loss(logits, probabilities).numpy(), expected.astype(np.float32), rtol=1e-5
    )
    assert math.cross_entropy_loss(logits, positions, reduce=()).shape == batch(b=2) & spatial(x=3)
    both = math.cross_entropy_loss([logits, logits], [positions, probabilities])
    assert_close(both.numpy(), 2 * expected.astype(np.float32), rtol=1e-5)


def test_cross_entropy_does_not_overflow(backend):
    logits = vec(a=1000.0, b=-1000.0)
    assert math.cross_entropy_loss(logits, vec(a=1.0, b=0.0)).item() == 0
    assert math.cross_entropy_loss(logits, 1).item() == 2000
    assert math.cross_entropy_loss(vec(a=0.0, b=-math.INF), 0).item() == 0


def test_cross_entropy_errors(backend):
    logits = math.zeros(spatial(x=3), channel(c=4))
    with pytest.raises(IncompatibleShapes, match="one dim that lists the classes"):
        math.cross_entropy_loss(logits, 0, "x,c")
    with pytest.raises(IncompatibleShapes, match="int positions"):
        math.cross_entropy_loss(logits, math.zeros(spatial(x=3)))
    with pytest.raises(IncompatibleShapes, match="a target for each"):
        math.cross_entropy_loss([logits, logits], [logits])


def test_cross_entropy_refuses_positions_of_no_class(backend):
    logits = vec(a=0.0, b=1.0)
    for position in (-1, 2):
        with pytest.raises(IndexError, match="classes 0 to 2"):
            math.cross_entropy_loss(logits, wrap([0, position], spatial("x")))
